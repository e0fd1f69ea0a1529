/* SPDX-License-Identifier: Apache-2.0 */
/* A segment is a head and the coded blocks of one chunk:
 *
 *   "SMCT"  u32 version  u32 objects  u32 bytes of blocks
 *   u32 CRC32C of all but itself  u32 zero
 *
 * Reading decodes and appends each object again, so that segments of any
 * other cut give the same catalog, and hostile ones no bad one. */

#include <string.h>

#include "base/check.h"
#include "coordinator/catalog_impl.h"

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_CRC_AT = 16,
    CRC32C_SLICES = 8, /* Bytes a step; one at a time is five times slower. */
};

static const char segment_magic[4] = {'S', 'M', 'C', 'T'};

static void segment_put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint32_t segment_get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

struct crc32c_tables {
    uint32_t slice[CRC32C_SLICES][256];
};

/* Made for each segment: 2,048 steps beside its eight million. */
static void crc32c_init(struct crc32c_tables *t)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
        }
        t->slice[0][i] = crc;
    }
    for (uint32_t s = 1; s < CRC32C_SLICES; s++) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = t->slice[s - 1][i];

            t->slice[s][i] = crc >> 8 ^ t->slice[0][crc & 255];
        }
    }
}

static uint32_t crc32c_add(const struct crc32c_tables *t, uint32_t crc,
                           const uint8_t *at, size_t size)
{
    for (; size >= CRC32C_SLICES; size -= CRC32C_SLICES, at += CRC32C_SLICES) {
        crc ^= segment_get32(at);
        crc = t->slice[7][crc & 255] ^ t->slice[6][crc >> 8 & 255] ^
              t->slice[5][crc >> 16 & 255] ^ t->slice[4][crc >> 24] ^
              t->slice[3][at[4]] ^ t->slice[2][at[5]] ^ t->slice[1][at[6]] ^
              t->slice[0][at[7]];
    }
    for (; size > 0; size--, at++) {
        crc = crc >> 8 ^ t->slice[0][(crc ^ *at) & 255];
    }
    return crc;
}

static uint32_t segment_crc(const uint8_t *head, const uint8_t *blocks,
                            size_t size)
{
    struct crc32c_tables tables;
    uint32_t crc;

    crc32c_init(&tables);
    crc = crc32c_add(&tables, UINT32_MAX, head, SEGMENT_CRC_AT);
    return ~crc32c_add(&tables, crc, blocks, size);
}

uint32_t catalog_segment_count(const struct catalog *c)
{
    return c->chunk_count;
}

void catalog_segment_write(const struct catalog *c, uint32_t i, struct buf *out)
{
    const struct catalog_chunk *chunk;
    uint8_t head[CATALOG_HEAD_BYTES] = {0};

    CHECK(i < c->chunk_count);
    chunk = &c->chunks[i];
    CHECK(chunk->objects <= UINT32_MAX);
    memcpy(head, segment_magic, sizeof(segment_magic));
    segment_put32(head + 4, SEGMENT_VERSION);
    segment_put32(head + 8, (uint32_t)chunk->objects);
    segment_put32(head + 12, chunk->used);
    segment_put32(head + SEGMENT_CRC_AT,
                  segment_crc(head, chunk->at, chunk->used));
    buf_add(out, head, sizeof(head));
    buf_add(out, chunk->at, chunk->used);
}

static enum status segment_fault(struct fault *why, const char *what)
{
    return fault_set(why, STATUS_MALFORMED,
                     "catalog segment: %s; write the catalog anew", what);
}

static enum status segment_open(struct bytes segment, struct fault *why,
                                uint32_t *objects)
{
    const uint8_t *head = (const uint8_t *)segment.at;
    size_t blocks;

    if (segment.size < CATALOG_HEAD_BYTES ||
        memcmp(head, segment_magic, sizeof(segment_magic)) != 0) {
        return segment_fault(why, "the bytes are none");
    }
    if (segment_get32(head + 4) != SEGMENT_VERSION) {
        return fault_set(why, STATUS_VERSION,
                         "catalog segment: written as version %u, this is %d",
                         segment_get32(head + 4), SEGMENT_VERSION);
    }
    blocks = segment.size - CATALOG_HEAD_BYTES;
    if (segment_get32(head + 12) != blocks || blocks > CATALOG_CHUNK_BYTES) {
        return segment_fault(why, "it is torn");
    }
    if (segment_get32(head + SEGMENT_CRC_AT) !=
            segment_crc(head, head + CATALOG_HEAD_BYTES, blocks) ||
        segment_get32(head + SEGMENT_CRC_AT + 4) != 0) {
        return segment_fault(why, "its checksum is wrong");
    }
    *objects = segment_get32(head + 8);
    return STATUS_OK;
}

static enum status segment_add_block(struct catalog_builder *b,
                                     const struct block *block,
                                     struct fault *why)
{
    struct catalog_cursor cursor;
    struct catalog_object object;
    enum status s;

    block_seek(block, &cursor);
    while (cursor.block.left > 0) {
        if (!block_next(&cursor, &object)) {
            return segment_fault(why, "a block is not well coded");
        }
        s = catalog_builder_add(b, &object, why);
        if (s == STATUS_INVALID) {
            return fault_prefix(why, STATUS_MALFORMED, "catalog segment");
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (cursor.block.keys != block->end ||
        (block->etags != NULL && cursor.block.etags != block->keys)) {
        return segment_fault(why, "a block holds more than its objects");
    }
    return STATUS_OK;
}

enum status catalog_builder_add_segment(struct catalog_builder *b,
                                        struct bytes segment, struct fault *why)
{
    const uint8_t *at;
    const uint8_t *end;
    uint32_t objects = 0;
    uint64_t seen = 0;
    enum status s = segment_open(segment, why, &objects);

    if (s != STATUS_OK) {
        return s;
    }
    at = (const uint8_t *)segment.at + CATALOG_HEAD_BYTES;
    end = (const uint8_t *)segment.at + segment.size;
    while (at < end) {
        struct block block;

        if (!block_open(at, (size_t)(end - at), &block)) {
            return segment_fault(why, "a block is cut off");
        }
        s = segment_add_block(b, &block, why);
        if (s != STATUS_OK) {
            return s;
        }
        seen += block.count;
        at = block.end;
    }
    if (seen != objects) {
        return segment_fault(why, "the number of its objects is wrong");
    }
    return STATUS_OK;
}
