/* SPDX-License-Identifier: Apache-2.0 */
/* Who needs most: a tournament tree over slots with signed needs. The top is
 * the slot of the greatest need, among equals the lowest; changing its need
 * costs one comparison for each level, which is what makes dealing 10⁸ units
 * one by one bearable. */

#ifndef COORDINATOR_DEAL_TREE_H
#define COORDINATOR_DEAL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct deal_tree_node {
    int64_t need;
    uint32_t slot;
};

/* Open, on the caller's stack; the fields are private but for the top. */
struct deal_tree {
    uint32_t slots;
    uint32_t leaves; /* The next power of 2. */
    struct deal_tree_node
        *node; /* [0] the top, then the loser of each match. */
    struct deal_tree_node *winner; /* While it is made. */
};

/* FULL: no memory. deal_tree_fini() is allowed after it too. */
MUST_USE enum status deal_tree_init(struct deal_tree *t, uint32_t slots);
void deal_tree_fini(struct deal_tree *t);

/* Set all needs. */
void deal_tree_make(struct deal_tree *t, const int64_t *needs);

static inline const struct deal_tree_node *deal_tree_top(
    const struct deal_tree *t)
{
    return &t->node[0];
}

/* Change the need of the top's slot. */
void deal_tree_change_top(struct deal_tree *t, int64_t need);

#endif /* COORDINATOR_DEAL_TREE_H */
