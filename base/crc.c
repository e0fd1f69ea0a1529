/* SPDX-License-Identifier: Apache-2.0 */
/* A polynomial is written reflected: its bit i stands for x^(top-i), so that
 * shifting right multiplies by x. */

#include "base/crc.h"

#include <string.h>

#include "base/check.h"
#include "base/crc_parts.h"

static const struct {
    const char *name;
    uint64_t poly;
    unsigned bits;
} crc_kinds[] = {
    [CRC_NONE] = {"", 0, 64},
    [CRC_64NVME] = {"crc64nvme", CRC_64NVME_POLY, 64},
    [CRC_32C] = {"crc32c", UINT64_C(0x82f63b78), 32},
    [CRC_32] = {"crc32", UINT64_C(0xedb88320), 32},
};

/* ---- CRC64NVME, eight bytes a step -------------------------------------- */

static uint64_t crc_table[8][256];

/* Before main: no call has to look whether it is there, and no lock. It takes
 * some microseconds. */
__attribute__((constructor)) static void crc_make_table(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t value = i;

        for (int bit = 0; bit < 8; bit++) {
            value = value >> 1 ^ (value & 1 ? CRC_64NVME_POLY : 0);
        }
        crc_table[0][i] = value;
    }
    for (unsigned i = 0; i < 256; i++) {
        for (int t = 1; t < 8; t++) {
            uint64_t last = crc_table[t - 1][i];

            crc_table[t][i] = last >> 8 ^ crc_table[0][last & 255];
        }
    }
}

uint64_t crc_state_64nvme(uint64_t state, const void *at, size_t size)
{
    const uint8_t *p = at;

    for (; size >= 8; size -= 8, p += 8) {
        uint64_t next = 0;

        for (int i = 0; i < 8; i++) {
            state ^= (uint64_t)p[i] << (8 * i);
        }
        for (int i = 0; i < 8; i++) {
            next ^= crc_table[7 - i][state >> (8 * i) & 255];
        }
        state = next;
    }
    for (; size > 0; size--, p++) {
        state = state >> 8 ^ crc_table[0][(state ^ *p) & 255];
    }
    return state;
}

uint64_t crc_add(enum crc_kind kind, uint64_t value, const void *at,
                 size_t size)
{
    if (size == 0) {
        return kind != CRC_NONE ? value : 0;
    }
    switch (kind) {
    case CRC_NONE:
        return 0;
    case CRC_64NVME:
        return ~crc_state_64nvme_by(crc_best_way(), ~value, at, size);
    case CRC_32C:
        return crc_add_32c(value, at, size);
    case CRC_32:
        return crc_add_32(value, at, size);
    }
    UNREACHABLE("a checksum outside its enum");
}

/* ---- combining ---------------------------------------------------------- */

/* a * b modulo the polynomial. */
static uint64_t crc_multiply(enum crc_kind kind, uint64_t a, uint64_t b)
{
    uint64_t top = UINT64_C(1) << (crc_kinds[kind].bits - 1);
    uint64_t product = 0;

    for (; a != 0; a = (a << 1) & (top | (top - 1))) {
        if (a & top) {
            product ^= b;
        }
        b = b >> 1 ^ (b & 1 ? crc_kinds[kind].poly : 0);
    }
    return product;
}

/* x^(8 * @size) modulo the polynomial. */
static uint64_t crc_shift(enum crc_kind kind, uint64_t size)
{
    uint64_t power = UINT64_C(1) << (crc_kinds[kind].bits - 9);  /* x^8 */
    uint64_t result = UINT64_C(1) << (crc_kinds[kind].bits - 1); /* 1 */

    for (; size > 0; size >>= 1) {
        if (size & 1) {
            result = crc_multiply(kind, result, power);
        }
        power = crc_multiply(kind, power, power);
    }
    return result;
}

uint64_t crc_combine(enum crc_kind kind, uint64_t a, uint64_t b,
                     uint64_t size_of_b)
{
    if (kind == CRC_NONE) {
        return 0;
    }
    return crc_multiply(kind, crc_shift(kind, size_of_b), a) ^ b;
}

/* ---- text --------------------------------------------------------------- */

static const char crc_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *crc_name(enum crc_kind kind)
{
    return crc_kinds[kind].name;
}

const char *crc_text(enum crc_kind kind, uint64_t value, char out[CRC_TEXT_MAX])
{
    unsigned bytes = crc_kinds[kind].bits / 8;
    unsigned used = 0;

    /* Groups of three bytes; the last one is filled up with '='. */
    for (unsigned i = 0; i < bytes; i += 3) {
        uint32_t group = 0;
        unsigned left = bytes - i < 3 ? bytes - i : 3;

        for (unsigned j = 0; j < left; j++) {
            uint64_t byte = value >> (8 * (bytes - 1 - i - j)) & 255;

            group |= (uint32_t)byte << (16 - 8 * j);
        }
        for (unsigned j = 0; j < 4; j++) {
            out[used++] =
                j <= left ? crc_digits[group >> (18 - 6 * j) & 63] : '=';
        }
    }
    out[used] = '\0';
    return out;
}

bool crc_parse(enum crc_kind kind, struct bytes text, uint64_t *out)
{
    unsigned bytes = crc_kinds[kind].bits / 8;
    uint64_t value = 0;
    char again[CRC_TEXT_MAX];

    *out = 0;
    if (kind == CRC_NONE || text.size != (bytes + 2) / 3 * 4) {
        return false;
    }
    for (unsigned bit = 0; bit < 8 * bytes; bit += 6) {
        const char *digit = memchr(crc_digits, text.at[bit / 6], 64);
        uint64_t six = digit != NULL ? (uint64_t)(digit - crc_digits) : 0;
        unsigned left = 8 * bytes - bit;

        value =
            left >= 6 ? value << 6 | six : value << left | six >> (6 - left);
    }
    /* One text a value: whatever is not ours is none. */
    if (!bytes_is(text, crc_text(kind, value, again))) {
        return false;
    }
    *out = value;
    return true;
}
