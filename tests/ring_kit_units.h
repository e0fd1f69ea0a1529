/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of rings: units in slots, and what became of each. */

#ifndef TESTS_RING_KIT_UNITS_H
#define TESTS_RING_KIT_UNITS_H

#include "tests/ring_kit_world.h"

static inline uint64_t rk_unit(uint64_t epoch, uint64_t position)
{
    EXPECT(epoch * rk.units + position < RP_UNITS_MAX);
    return epoch * rk.units + position;
}

/* Choose what is delivered next: what is torn comes once more at the end. */
static inline bool rk_choose(void)
{
    if (rk.offset > 0) {
        return true;
    }
    if (rk.fresh < rk.units) {
        rk.position = rk.fresh++;
        return true;
    }
    for (uint64_t i = 0; i < rk.units; i++) {
        struct rk_unit *u = &rk.state[rk_unit(rk.epoch, i)];

        if (u->is_torn) {
            *u = (struct rk_unit){.committed = u->committed};
            rk.position = i;
            return true;
        }
    }
    return false;
}

static inline uint64_t rk_size_now(void)
{
    return rk_unit_size(rk_unit(rk.epoch, rk.position));
}

/* Put the chosen unit, or its next part, behind what is in the slot. */
static inline void rk_add_entry(struct flow_slot *f)
{
    struct flow_entry *e = &rk.entries[f->slot][f->entry_count++];
    uint64_t left = rk_size_now() - rk.offset;

    *e = (struct flow_entry){.epoch = rk.epoch,
                             .position = rk.position,
                             .unit_size = rk_size_now(),
                             .offset = rk.offset,
                             .at = f->size,
                             .size = left < RK_SLOT ? left : RK_SLOT,
                             .is_first = rk.offset == 0};
    rp_fill(rk_unit(rk.epoch, rk.position), rk.offset, e->size,
            (uint8_t *)slots_at(rk.slots, f->slot) + e->at);
    e->is_last = e->size == left;
    rk.offset = e->is_last ? 0 : rk.offset + e->size;
    f->size = (f->size + e->size + 63) / 64 * 64;
}

/* true: a slot is filled. */
static inline bool rk_fill(void)
{
    struct flow_slot f = {.entries = NULL};

    if (slots_free(rk.slots) == 0 || !rk_choose()) {
        return false;
    }
    f.slot = slots_take(rk.slots);
    rk.is_taken[f.slot] = true;
    f.entries = rk.entries[f.slot];
    rk_add_entry(&f);
    while (rk.offset == 0 && f.entry_count < RK_ENTRIES &&
           f.entries[0].unit_size <= RK_SLOT / FLOW_SMALL_PART &&
           rk.fresh < rk.units) {
        rk.position = rk.fresh;
        if (rk_size_now() > RK_SLOT / FLOW_SMALL_PART ||
            rk_size_now() > RK_SLOT - f.size) {
            break;
        }
        rk.fresh++;
        rk_add_entry(&f);
    }
    rk.filled = f;
    return true;
}

static inline void rk_tear(const struct flow_slot *f)
{
    for (uint32_t i = 0; i < f->entry_count; i++) {
        struct rk_unit *u =
            &rk.state[rk_unit(f->entries[i].epoch, f->entries[i].position)];

        rk.torn += !u->is_torn;
        u->is_torn = true;
    }
}

static inline void rk_commit(const struct flow_slot *f)
{
    for (uint32_t i = 0; i < f->entry_count; i++) {
        uint64_t unit = rk_unit(f->entries[i].epoch, f->entries[i].position);
        struct rk_unit *u = &rk.state[unit];

        EXPECT(!u->is_torn);
        u->consumed += f->entries[i].size;
        EXPECT(u->consumed <= rk_unit_size(unit));
        if (u->consumed == rk_unit_size(unit)) {
            EXPECT_EQ(u->committed, 0); /* Nothing twice. */
            u->committed++;
            rk.committed++;
        }
    }
}

#endif /* TESTS_RING_KIT_UNITS_H */
