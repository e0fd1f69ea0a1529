/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

#include "base/check.h"

void prng_init(struct prng *p, uint64_t seed)
{
    p->state = seed;
}

uint64_t prng_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t prng_next(struct prng *p)
{
    p->state += UINT64_C(0x9e3779b97f4a7c15);
    return prng_mix(p->state);
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    uint64_t reject;
    uint64_t value;

    CHECK(bound > 0);
    reject = (UINT64_MAX - bound + 1) % bound;
    do {
        value = prng_next(p);
    } while (value < reject);
    return value % bound;
}

bool prng_chance(struct prng *p, uint64_t num, uint64_t den)
{
    CHECK(num <= den);
    return prng_below(p, den) < num;
}
