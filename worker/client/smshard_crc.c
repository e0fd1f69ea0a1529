/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client/smshard_crc.h"

#include <string.h>

#include "base/check.h"

enum { SMSHARD_CRC_STEP = 8 };

#define SMSHARD_CRC_POLY 0x82f63b78U

static uint32_t smshard_crc_table[SMSHARD_CRC_STEP][256];

/* When the library is loaded, so that no thread has to look. */
__attribute__((constructor)) static void smshard_crc_make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++) {
            value = value >> 1 ^ (value & 1 ? SMSHARD_CRC_POLY : 0);
        }
        smshard_crc_table[0][i] = value;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int t = 1; t < SMSHARD_CRC_STEP; t++) {
            uint32_t last = smshard_crc_table[t - 1][i];

            smshard_crc_table[t][i] =
                last >> 8 ^ smshard_crc_table[0][last & 255];
        }
    }
}

uint64_t smshard_crc_by_table(uint64_t value, const void *at, size_t size)
{
    const uint8_t *p = at;
    uint32_t state = ~(uint32_t)value;

    for (; size >= SMSHARD_CRC_STEP; size -= SMSHARD_CRC_STEP) {
        uint32_t next = 0;

        for (int i = 0; i < SMSHARD_CRC_STEP; i++) {
            uint32_t byte = i < 4 ? state >> (8 * i) & 255 : 0;

            byte ^= *p++;
            next ^= smshard_crc_table[SMSHARD_CRC_STEP - 1 - i][byte];
        }
        state = next;
    }
    for (; size > 0; size--) {
        state = state >> 8 ^ smshard_crc_table[0][(state ^ *p++) & 255];
    }
    return (uint32_t)~state;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint64_t smshard_crc_by_sse(
    uint64_t value, const void *at, size_t size)
{
    const uint8_t *p = at;
    uint64_t state = ~(uint32_t)value;

    for (; size >= sizeof(state); size -= sizeof(state), p += sizeof(state)) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        state = _mm_crc32_u64(state, word);
    }
    for (; size > 0; size--) {
        state = _mm_crc32_u8((uint32_t)state, *p++);
    }
    return (uint32_t)~state;
}

static uint64_t smshard_crc(uint64_t value, const void *at, size_t size)
{
    return __builtin_cpu_supports("sse4.2")
               ? smshard_crc_by_sse(value, at, size)
               : smshard_crc_by_table(value, at, size);
}

#else

static uint64_t smshard_crc(uint64_t value, const void *at, size_t size)
{
    return smshard_crc_by_table(value, at, size);
}

#endif

uint64_t smshard_crc_add(enum crc_kind kind, uint64_t value, const void *at,
                         size_t size)
{
    CHECK(kind == CRC_32C);
    return size == 0 ? value : smshard_crc(value, at, size);
}
