/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of a catalog. The first byte says how the rest is taken: 0 as it
 * is; else as the blocks of a segment whose head and checksum are put right,
 * so that the decoder behind them is reached. What is accepted must be a
 * catalog and be written and read again as the same one. */

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "coordinator/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 24, COUNT_AT = 8, SIZE_AT = 12, CRC_AT = 16 };

static void put32(char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (char)(value >> (8 * i));
    }
}

/* CRC32C, a bit at a time: another hand than the one that is tested. */
static uint32_t crc_add(uint32_t crc, const char *at, size_t size)
{
    for (size_t i = 0; i < 8 * size; i++) {
        uint32_t bit = ((uint8_t)at[i / 8] >> i % 8 & 1) ^ (crc & 1);

        crc = crc >> 1 ^ (bit ? UINT32_C(0x82f63b78) : 0);
    }
    return crc;
}

/* A segment around the blocks @data, said to hold @count objects. */
static void wrap(const uint8_t *data, size_t size, uint32_t count,
                 struct buf *out)
{
    char head[HEAD] = {'S', 'M', 'C', 'T', 1};
    uint32_t crc;

    put32(head + COUNT_AT, count);
    put32(head + SIZE_AT, (uint32_t)size);
    crc = crc_add(UINT32_MAX, head, CRC_AT);
    put32(head + CRC_AT, ~crc_add(crc, (const char *)data, size));
    buf_add(out, head, HEAD);
    buf_add(out, data, size);
}

static struct catalog *read_segment(struct bytes bytes)
{
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why;

    CHECK(catalog_builder_new(&b) == STATUS_OK);
    if (catalog_builder_add_segment(b, bytes, &why) == STATUS_OK) {
        CHECK(catalog_builder_finish(&b, &c) == STATUS_OK);
    }
    catalog_builder_destroy(&b);
    return c;
}

static void write_and_read(const struct catalog *c)
{
    struct catalog_builder *b = NULL;
    struct catalog *again = NULL;
    struct fault why;

    CHECK(catalog_builder_new(&b) == STATUS_OK);
    for (uint32_t i = 0; i < catalog_segment_count(c); i++) {
        struct buf out = {0};

        catalog_segment_write(c, i, &out);
        CHECK(catalog_builder_add_segment(b, buf_bytes(&out), &why) ==
              STATUS_OK);
        buf_fini(&out);
    }
    CHECK(catalog_builder_finish(&b, &again) == STATUS_OK);
    CHECK(strcmp(catalog_name(c), catalog_name(again)) == 0);
    catalog_destroy(&again);
}

/* Count as the blocks do, where they do; the decoder must check it anyway. */
static uint32_t count_objects(const uint8_t *data, size_t size)
{
    uint32_t sum = 0;

    for (size_t at = 0; at + 8 <= size;) {
        uint32_t keys = 0;

        memcpy(&keys, data + at + 4, 3);
        sum += data[at];
        at += 8 + (size_t)data[at] * data[at + 1] +
              (size_t)(data[at + 2] | data[at + 3] << 8) + keys;
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = {0};
    struct catalog *c;

    if (size == 0) {
        return 0;
    }
    if (data[0] == 0) {
        buf_add(&out, data + 1, size - 1);
    } else {
        wrap(data + 1, size - 1, count_objects(data + 1, size - 1), &out);
    }
    c = read_segment(buf_bytes(&out));
    if (c != NULL) {
        catalog_check(c);
        write_and_read(c);
    }
    catalog_destroy(&c);
    buf_fini(&out);
    return 0;
}
