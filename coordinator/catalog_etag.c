/* SPDX-License-Identifier: Apache-2.0 */
/* Etags in few bytes. Nearly all are the MD5 of S3: 32 hex digits, with or
 * without quotes, with "-<parts>" after a multipart upload. Those take 16
 * bytes; whatever else a store says is kept as it is. */

#include <string.h>

#include "base/check.h"
#include "coordinator/catalog_block.h"

enum {
    ETAG_NONE,
    ETAG_SAME, /* As the one before it in the block. */
    ETAG_TEXT, /* u8 size, the text. */
    ETAG_MD5,  /* 16 bytes. With either of these bits set: */
    ETAG_QUOTED = 0x40,
    ETAG_PARTS = 0x80, /* A varint follows the 16 bytes. */
    ETAG_FLAGS = ETAG_QUOTED | ETAG_PARTS,
    ETAG_MD5_SIZE = 16,
    ETAG_HEX_SIZE = 2 * ETAG_MD5_SIZE,
    ETAG_PARTS_MAX = 999999,
};

/* Lower-case hex digits only, so that the text comes back as it was; one more
 * than the value, so that 0 is no digit. */
static const uint8_t etag_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static bool etag_pack(const char *hex, uint8_t *out)
{
    bool is_hex = true;

    for (size_t i = 0; i < ETAG_MD5_SIZE; i++) {
        uint32_t high = etag_values[(uint8_t)hex[2 * i]];
        uint32_t low = etag_values[(uint8_t)hex[2 * i + 1]];

        is_hex = is_hex && high != 0 && low != 0;
        out[i] = (uint8_t)((high - 1) << 4 | ((low - 1) & 15));
    }
    return is_hex;
}

/* Read "-<parts>" without leading zeros, the whole of @text. 0: it is not. */
static uint32_t etag_parts(struct bytes text)
{
    uint32_t parts = 0;

    if (text.size < 2 || text.at[0] != '-' || text.at[1] == '0') {
        return 0;
    }
    for (size_t i = 1; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return 0;
        }
        parts = parts * 10 + (uint32_t)(text.at[i] - '0');
        if (parts > ETAG_PARTS_MAX) {
            return 0;
        }
    }
    return parts;
}

/* Return the bytes written, 0 when @etag is not of the MD5 kind. */
static size_t etag_write_md5(struct bytes etag, uint8_t *at)
{
    uint32_t flags = 0;
    uint32_t parts = 0;
    size_t size = 1 + ETAG_MD5_SIZE;

    if (etag.size >= 2 && etag.at[0] == '"' && etag.at[etag.size - 1] == '"') {
        flags |= ETAG_QUOTED;
        etag = (struct bytes){etag.at + 1, etag.size - 2};
    }
    if (etag.size < ETAG_HEX_SIZE || !etag_pack(etag.at, at + 1)) {
        return 0;
    }
    if (etag.size > ETAG_HEX_SIZE) {
        parts = etag_parts(
            (struct bytes){etag.at + ETAG_HEX_SIZE, etag.size - ETAG_HEX_SIZE});
        if (parts == 0) {
            return 0;
        }
        flags |= ETAG_PARTS;
        size += block_varint_write(parts, at + size);
    }
    at[0] = (uint8_t)(ETAG_MD5 | flags);
    return size;
}

size_t etag_write(struct bytes etag, bool is_same, uint8_t *at)
{
    size_t size;

    CHECK(etag.size <= CATALOG_ETAG_MAX);
    if (etag.size == 0 || is_same) {
        at[0] = etag.size == 0 ? ETAG_NONE : ETAG_SAME;
        return 1;
    }
    size = etag_write_md5(etag, at);
    if (size == 0) {
        at[0] = ETAG_TEXT;
        at[1] = (uint8_t)etag.size;
        memcpy(at + 2, etag.at, etag.size);
        size = 2 + etag.size;
    }
    return size;
}

/* Write @parts in decimal and return the digits. */
static size_t etag_print(uint32_t parts, char *out)
{
    char reversed[10];
    size_t size = 0;

    for (; parts > 0; parts /= 10) {
        reversed[size++] = (char)('0' + parts % 10);
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = reversed[size - 1 - i];
    }
    return size;
}

static bool etag_read_md5(uint32_t flags, const uint8_t **at,
                          const uint8_t *end, char *etag, size_t *etag_size)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t parts = 0;
    char *to = etag;

    if (end - *at < ETAG_MD5_SIZE) {
        return false;
    }
    if (flags & ETAG_QUOTED) {
        *to++ = '"';
    }
    for (size_t i = 0; i < ETAG_MD5_SIZE; i++) {
        *to++ = digits[(*at)[i] >> 4];
        *to++ = digits[(*at)[i] & 15];
    }
    *at += ETAG_MD5_SIZE;
    if (flags & ETAG_PARTS) {
        if (!block_varint_read(at, end, &parts) || parts == 0 ||
            parts > ETAG_PARTS_MAX) {
            return false;
        }
        *to++ = '-';
        to += etag_print((uint32_t)parts, to);
    }
    if (flags & ETAG_QUOTED) {
        *to++ = '"';
    }
    *etag_size = (size_t)(to - etag);
    return true;
}

bool etag_read(const uint8_t **at, const uint8_t *end, char *etag,
               size_t *etag_size)
{
    uint8_t tag;

    if (*at >= end) {
        return false;
    }
    tag = *(*at)++;
    if ((tag & ~ETAG_FLAGS) == ETAG_MD5) {
        return etag_read_md5(tag & ETAG_FLAGS, at, end, etag, etag_size);
    }
    switch (tag) {
    case ETAG_NONE:
        *etag_size = 0;
        return true;
    case ETAG_SAME:
        return *etag_size > 0;
    case ETAG_TEXT:
        if (*at >= end || **at == 0 || **at > CATALOG_ETAG_MAX ||
            end - *at < 1 + **at) {
            return false;
        }
        *etag_size = **at;
        memcpy(etag, *at + 1, *etag_size);
        *at += 1 + *etag_size;
        return true;
    default:
        return false;
    }
}
