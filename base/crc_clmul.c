/* SPDX-License-Identifier: Apache-2.0 */
/* CRC64NVME by folding: eight registers of 16 bytes each are multiplied
 * forward by 128 bytes a step, then joined, then reduced by the table.
 *
 * A register's low half holds its earlier bytes, the higher powers of x. Moving
 * it forward by D bits multiplies the low half by x^(D+64) and the high half
 * by x^D. The product of two reflected numbers comes out one bit low, which
 * is one more factor of x, so the constants have one less. */

#include "base/crc_parts.h"

#include "base/check.h"

#if defined(__x86_64__)

#include <immintrin.h>

enum {
    CRC_LANE = 16,
    CRC_LANES = 8,
    CRC_STEP = CRC_LANES * CRC_LANE,
    CRC_WIDES = 8, /* Registers of four lanes. */
    CRC_WIDE_STEP = CRC_WIDES * 4 * CRC_LANE,
    CRC_FOLDS = 4 * CRC_WIDES,
};

#define CRC_CLMUL __attribute__((target("pclmul,sse4.1")))
#define CRC_WIDE __attribute__((target("avx512f,avx512dq,vpclmulqdq,pclmul")))

/* A loop over registers must become one instruction each. */
#if defined(__clang__)
#define CRC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CRC_UNROLL _Pragma("GCC unroll 8")
#endif

/* Constants to move a register forward by i + 1 registers. */
static struct {
    uint64_t low[CRC_FOLDS];
    uint64_t high[CRC_FOLDS];
    enum crc_way way; /* The best one. */
} crc_fold;

/* Note x^@n modulo the polynomial where it is one of the constants. */
static void crc_keep_power(unsigned n, uint64_t value)
{
    unsigned lane = 8 * CRC_LANE;

    if (n % lane == lane - 1) {
        crc_fold.high[n / lane] = value;
    }
    if (n > lane && n % lane == lane / 2 - 1) {
        crc_fold.low[n / lane - 1] = value;
    }
}

static enum crc_way crc_find_way(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("pclmul") ||
        !__builtin_cpu_supports("sse4.1")) {
        return CRC_BY_TABLE;
    }
    return __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("vpclmulqdq")
               ? CRC_BY_WIDE
               : CRC_BY_CLMUL;
}

/* Before main, like the table. */
__attribute__((constructor)) static void crc_make_fold(void)
{
    uint64_t power = UINT64_C(1) << 63;

    for (unsigned n = 0; n < 8 * CRC_LANE * CRC_FOLDS + 64; n++) {
        crc_keep_power(n, power);
        power = power >> 1 ^ (power & 1 ? CRC_64NVME_POLY : 0);
    }
    crc_fold.way = crc_find_way();
}

enum crc_way crc_best_way(void)
{
    return crc_fold.way;
}

CRC_CLMUL static __m128i crc_constants(unsigned lanes)
{
    return _mm_set_epi64x((long long)crc_fold.high[lanes - 1],
                          (long long)crc_fold.low[lanes - 1]);
}

CRC_CLMUL static __m128i crc_forward(__m128i x, __m128i by)
{
    return _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00),
                         _mm_clmulepi64_si128(x, by, 0x11));
}

CRC_CLMUL static __m128i crc_load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

CRC_CLMUL static uint64_t crc_by_folding(uint64_t state, const uint8_t *p,
                                         size_t size)
{
    __m128i x[CRC_LANES];
    __m128i by = crc_constants(CRC_LANES);
    uint8_t last[CRC_LANE];

    for (int i = 0; i < CRC_LANES; i++) {
        x[i] = crc_load(p + CRC_LANE * i);
    }
    x[0] = _mm_xor_si128(x[0], _mm_set_epi64x(0, (long long)state));
    for (p += CRC_STEP, size -= CRC_STEP; size >= CRC_STEP;
         p += CRC_STEP, size -= CRC_STEP) {
        CRC_UNROLL
        for (int i = 0; i < CRC_LANES; i++) {
            x[i] = _mm_xor_si128(crc_forward(x[i], by),
                                 crc_load(p + CRC_LANE * i));
        }
    }
    for (unsigned i = 0; i < CRC_LANES - 1; i++) {
        x[CRC_LANES - 1] =
            _mm_xor_si128(x[CRC_LANES - 1],
                          crc_forward(x[i], crc_constants(CRC_LANES - 1 - i)));
    }
    _mm_storeu_si128((__m128i *)(void *)last, x[CRC_LANES - 1]);
    return crc_state_64nvme(crc_state_64nvme(0, last, CRC_LANE), p, size);
}

CRC_WIDE static __m512i crc_wide_load(const uint8_t *p)
{
    return _mm512_loadu_si512((const void *)p);
}

/* The four lanes of @x moved forward, each by the same, onto @next. */
CRC_WIDE static __m512i crc_wide_forward(__m512i x, __m512i by, __m512i next)
{
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, by, 0x00),
                                     _mm512_clmulepi64_epi128(x, by, 0x11),
                                     next, 0x96);
}

CRC_WIDE static __m512i crc_wide_constants(unsigned lanes)
{
    return _mm512_broadcast_i64x2(
        _mm_set_epi64x((long long)crc_fold.high[lanes - 1],
                       (long long)crc_fold.low[lanes - 1]));
}

/* Fold all but the last few bytes into one register of four lanes, which is
 * then the start of a message for the others. */
CRC_WIDE static uint64_t crc_by_wide_folding(uint64_t state, const uint8_t *p,
                                             size_t size)
{
    __m512i x[CRC_WIDES];
    __m512i by = crc_wide_constants(4 * CRC_WIDES);
    __m512i one = crc_wide_constants(4);
    uint8_t last[4 * CRC_LANE];

    for (int i = 0; i < CRC_WIDES; i++) {
        x[i] = crc_wide_load(p + 4 * CRC_LANE * i);
    }
    x[0] = _mm512_xor_si512(
        x[0], _mm512_zextsi128_si512(_mm_set_epi64x(0, (long long)state)));
    for (p += CRC_WIDE_STEP, size -= CRC_WIDE_STEP; size >= CRC_WIDE_STEP;
         p += CRC_WIDE_STEP, size -= CRC_WIDE_STEP) {
        CRC_UNROLL
        for (int i = 0; i < CRC_WIDES; i++) {
            x[i] =
                crc_wide_forward(x[i], by, crc_wide_load(p + 4 * CRC_LANE * i));
        }
    }
    for (int i = 1; i < CRC_WIDES; i++) {
        x[i] = crc_wide_forward(x[i - 1], one, x[i]);
    }
    _mm512_storeu_si512((void *)last, x[CRC_WIDES - 1]);
    state = crc_state_64nvme(0, last, sizeof(last));
    return size >= CRC_STEP ? crc_by_folding(state, p, size)
                            : crc_state_64nvme(state, p, size);
}

uint64_t crc_state_64nvme_by(enum crc_way way, uint64_t state, const void *at,
                             size_t size)
{
    CHECK(way <= crc_fold.way);
    if (way == CRC_BY_WIDE && size >= CRC_WIDE_STEP) {
        return crc_by_wide_folding(state, at, size);
    }
    return way != CRC_BY_TABLE && size >= CRC_STEP
               ? crc_by_folding(state, at, size)
               : crc_state_64nvme(state, at, size);
}

#else

enum crc_way crc_best_way(void)
{
    return CRC_BY_TABLE;
}

uint64_t crc_state_64nvme_by(enum crc_way way, uint64_t state, const void *at,
                             size_t size)
{
    CHECK(way == CRC_BY_TABLE);
    return crc_state_64nvme(state, at, size);
}

#endif
