/* SPDX-License-Identifier: Apache-2.0 */
/* Order: position → unit for (seed, epoch, channel), and back.
 *
 * A keyed permutation of 0 … count-1 for any count, found by walking the
 * cycle of a small keyed block cipher (a Feistel network on the fewest bits
 * that hold the count) until it lands inside the range. It takes O(1) memory
 * and is recomputed anywhere from this struct; it is the same on every
 * machine and compiler, and never depends on the number of hosts. Without a
 * seed it is the identity.
 *
 * It spreads data evenly; it keeps no secret. Any thread. */

#ifndef COORDINATOR_ORDER_H
#define COORDINATOR_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { ORDER_ROUNDS = 6 };

struct order {
    uint64_t count;
    uint64_t keys[ORDER_ROUNDS]; /* Private, with the three below. */
    uint32_t low_bits;           /* Width of the lower half; */
    uint32_t high_bits;          /* of the upper half, as wide or one less. */
    bool is_shuffled;
};

/* The order as it stands: position i is unit i. */
void order_init_plain(struct order *o, uint64_t count);

/* The order of @epoch under @seed for the channel of this name. */
void order_init_shuffled(struct order *o, uint64_t count, uint64_t seed,
                         uint64_t epoch, struct bytes channel);

/* Return the unit at @position. Both are below count. */
uint64_t order_unit(const struct order *o, uint64_t position);

/* Return the position of @unit. */
uint64_t order_position(const struct order *o, uint64_t unit);

#endif /* COORDINATOR_ORDER_H */
