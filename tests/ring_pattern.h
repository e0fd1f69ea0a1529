/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of rings: what is in a unit, and the log that the worker's side
 * and the consumers keep of it in memory that outlives each of them. */

#ifndef TESTS_RING_PATTERN_H
#define TESTS_RING_PATTERN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    RP_UNITS_MAX = 4096, /* Of all epochs. */
    RP_LOG_FD = 200,     /* Where a consumer finds the log. */
};

struct rp_unit {
    _Atomic uint32_t seen;     /* Given to a consumer, whole; */
    _Atomic uint32_t released; /* given back by it, with success. */
};

struct rp_log {
    _Atomic uint32_t bad; /* Bytes that are not what they should be. */
    _Atomic uint32_t ends;
    _Atomic uint32_t overs;
    _Atomic uint32_t disorder;
    _Atomic uint32_t ready; /* Consumers that have a sample. */
    struct rp_unit units[RP_UNITS_MAX];
};

static inline uint64_t rp_word(uint64_t unit, uint64_t at)
{
    uint64_t x = unit * 0x9e3779b97f4a7c15ULL + at * 0xbf58476d1ce4e5b9ULL;

    x ^= x >> 29;
    return x * 0x94d049bb133111ebULL;
}

/* The bytes of @unit from @offset, a multiple of 8. */
static inline void rp_fill(uint64_t unit, uint64_t offset, size_t size,
                           void *out)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = rp_word(unit, offset + i);

        memcpy((char *)out + i, &word, size - i < 8 ? size - i : 8);
    }
}

static inline bool rp_is_right(uint64_t unit, uint64_t offset, size_t size,
                               const void *at)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = rp_word(unit, offset + i);

        if (memcmp((const char *)at + i, &word, size - i < 8 ? size - i : 8) !=
            0) {
            return false;
        }
    }
    return true;
}

#endif /* TESTS_RING_PATTERN_H */
