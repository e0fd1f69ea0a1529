/* SPDX-License-Identifier: Apache-2.0 */
/* Why 8 bits at least: on fewer, the rounds hold too few different functions
 * to reach all permutations evenly (a 2-bit network knows 4 functions a
 * round). The walk is then longer, up to 256/count steps, but a whole order
 * still costs no more than 256 of them. */

#include "coordinator/order.h"

#include "base/check.h"
#include "base/prng.h"

enum { ORDER_BITS_MIN = 8 };

void order_init_plain(struct order *o, uint64_t count)
{
    *o = (struct order){.count = count};
}

/* Fold @value into @state so that near values end far apart. */
static uint64_t order_fold(uint64_t state, uint64_t value)
{
    return prng_mix((state ^ prng_mix(value + UINT64_C(0x9e3779b97f4a7c15))) +
                    UINT64_C(0xd1b54a32d192ed03));
}

static uint32_t order_bits(uint64_t count)
{
    uint32_t bits = ORDER_BITS_MIN;

    while (bits < 64 && (count - 1) >> bits != 0) {
        bits++;
    }
    return bits;
}

void order_init_shuffled(struct order *o, uint64_t count, uint64_t seed,
                         uint64_t epoch, struct bytes channel)
{
    uint32_t bits = order_bits(count > 0 ? count : 1);
    uint64_t state = order_fold(order_fold(1, seed), epoch);
    struct prng prng;

    for (size_t i = 0; i < channel.size; i++) {
        state = order_fold(state, (unsigned char)channel.at[i]);
    }
    *o = (struct order){.count = count,
                        .low_bits = bits - bits / 2,
                        .high_bits = bits / 2,
                        .is_shuffled = true};
    prng_init(&prng, state);
    for (int i = 0; i < ORDER_ROUNDS; i++) {
        o->keys[i] = prng_next(&prng);
    }
}

/* The splitmix64 finaliser again, here so that it is inlined: it is nearly
 * all of what a position costs. */
static inline uint64_t order_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t order_mask(uint32_t bits)
{
    return (UINT64_C(1) << bits) - 1;
}

static inline uint64_t order_encrypt(const struct order *o, uint64_t x)
{
    uint64_t low_mask = order_mask(o->low_bits);
    uint64_t high_mask = order_mask(o->high_bits);
    uint64_t low = x & low_mask;
    uint64_t high = x >> o->low_bits;

    for (int i = 0; i < ORDER_ROUNDS; i += 2) {
        high ^= order_mix(low + o->keys[i]) & high_mask;
        low ^= order_mix(high + o->keys[i + 1]) & low_mask;
    }
    return high << o->low_bits | low;
}

static inline uint64_t order_decrypt(const struct order *o, uint64_t x)
{
    uint64_t low_mask = order_mask(o->low_bits);
    uint64_t high_mask = order_mask(o->high_bits);
    uint64_t low = x & low_mask;
    uint64_t high = x >> o->low_bits;

    for (int i = ORDER_ROUNDS; i > 0; i -= 2) {
        low ^= order_mix(high + o->keys[i - 1]) & low_mask;
        high ^= order_mix(low + o->keys[i - 2]) & high_mask;
    }
    return high << o->low_bits | low;
}

uint64_t order_unit(const struct order *o, uint64_t position)
{
    uint64_t x = position;

    CHECK(position < o->count);
    if (!o->is_shuffled) {
        return position;
    }
    do {
        x = order_encrypt(o, x);
    } while (x >= o->count);
    return x;
}

uint64_t order_position(const struct order *o, uint64_t unit)
{
    uint64_t x = unit;

    CHECK(unit < o->count);
    if (!o->is_shuffled) {
        return unit;
    }
    do {
        x = order_decrypt(o, x);
    } while (x >= o->count);
    return x;
}
