/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/deal_tree.h"

#include <stdlib.h>

#include "base/check.h"

enum status deal_tree_init(struct deal_tree *t, uint32_t slots)
{
    CHECK(slots > 0);
    *t = (struct deal_tree){.slots = slots, .leaves = 1};
    while (t->leaves < slots) {
        t->leaves *= 2;
    }
    t->node = calloc(t->leaves, sizeof(*t->node));
    t->winner = calloc(2 * (size_t)t->leaves, sizeof(*t->winner));
    return t->node != NULL && t->winner != NULL ? STATUS_OK : STATUS_FULL;
}

void deal_tree_fini(struct deal_tree *t)
{
    free(t->node);
    free(t->winner);
    *t = (struct deal_tree){0};
}

static inline bool deal_tree_beats(const struct deal_tree_node *a,
                                   const struct deal_tree_node *b)
{
    return (a->need > b->need) | ((a->need == b->need) & (a->slot < b->slot));
}

void deal_tree_make(struct deal_tree *t, const int64_t *needs)
{
    for (uint32_t i = 0; i < t->leaves; i++) {
        t->winner[t->leaves + i] = (struct deal_tree_node){
            .need = i < t->slots ? needs[i] : INT64_MIN, .slot = i};
    }
    for (uint32_t i = t->leaves - 1; i > 0; i--) {
        const struct deal_tree_node *a = &t->winner[2 * i];
        const struct deal_tree_node *b = a + 1;
        bool a_wins = deal_tree_beats(a, b);

        t->winner[i] = a_wins ? *a : *b;
        t->node[i] = a_wins ? *b : *a;
    }
    t->node[0] = t->winner[1];
    CHECK(t->node[0].slot < t->slots);
}

/* Swap without a branch: who wins a match is a coin toss, and a wrong guess by
 * the processor costs more than the whole match. */
void deal_tree_change_top(struct deal_tree *t, int64_t need)
{
    struct deal_tree_node best = {.need = need, .slot = t->node[0].slot};

    for (uint32_t i = (t->leaves + best.slot) / 2; i > 0; i /= 2) {
        struct deal_tree_node *other = &t->node[i];
        uint64_t swap = 0 - (uint64_t)deal_tree_beats(other, &best);
        uint64_t need_diff;
        uint32_t slot_diff;

        /* Hides from the compiler that it could branch after all. */
        __asm__("" : "+r"(swap));
        need_diff = ((uint64_t)other->need ^ (uint64_t)best.need) & swap;
        slot_diff = (other->slot ^ best.slot) & (uint32_t)swap;

        other->need = (int64_t)((uint64_t)other->need ^ need_diff);
        other->slot ^= slot_diff;
        best.need = (int64_t)((uint64_t)best.need ^ need_diff);
        best.slot ^= slot_diff;
    }
    t->node[0] = best;
}
