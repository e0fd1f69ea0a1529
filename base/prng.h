/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers (splitmix64). The only source of chance in code that
 * the simulator runs. */

#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

void prng_init(struct prng *p, uint64_t seed);

/* Return 64 random bits. */
uint64_t prng_next(struct prng *p);

/* Return a value in [0, bound), each equally likely. @bound is not zero. */
uint64_t prng_below(struct prng *p, uint64_t bound);

/* Return true with probability @num in @den. */
bool prng_chance(struct prng *p, uint64_t num, uint64_t den);

/* Return @x with its bits mixed, one to one: the splitmix64 finaliser. */
uint64_t prng_mix(uint64_t x);

#endif /* BASE_PRNG_H */
