/* SPDX-License-Identifier: Apache-2.0 */
/* Stragglers, where all is dealt and some rank has nothing: the lease whose
 * rest takes longest is asked for half of that. At each turn a few thousand
 * slots are looked at, in chunks, and of each chunk at most one lease is
 * asked, so that a turn costs the same with any number of leases.
 *
 * What has come back is for those who have nothing: a rank that holds a lease
 * or has just given a tail back asks sooner than they do, often with the very
 * same word, and has to wait. Not for ever: who is hungry may have stopped to
 * ask. */

#include "coordinator/ledger_state.h"

enum {
    LEDGER_CHUNK = 512,
    LEDGER_CHUNKS = 8,
    LEDGER_TURNS = 4,  /* In run_ms. */
    LEDGER_WORTH = 16, /* A rest of less than run_ms over this is left. */
    LEDGER_REST_MIN = 2,
    LEDGER_YIELD_PART = 2, /* Of lease_ms: so long the hungry come first. */
};

void ledger_feed(struct ledger *l, uint32_t rank)
{
    if (l->ranks[rank].is_hungry) {
        l->ranks[rank].is_hungry = false;
        l->hungry--;
    }
}

static bool ledger_takes_back(const struct ledger *l)
{
    return l->shares == NULL && l->step_units == 0;
}

void ledger_starve(struct ledger *l, uint32_t rank)
{
    if (!ledger_takes_back(l) || l->ranks[rank].lease_count > 0) {
        return;
    }
    l->starved_ms = ledger_free(l) == 0 ? l->now_ms : l->starved_ms;
    if (l->ranks[rank].is_hungry) {
        return;
    }
    if (l->hungry == 0) {
        l->straggle_ms = ledger_max(l->straggle_ms, l->now_ms);
    }
    l->ranks[rank].is_hungry = true;
    l->hungry++;
}

static uint64_t ledger_yield_ms(const struct ledger *l)
{
    return l->lease_ms / LEDGER_YIELD_PART;
}

void ledger_gave_back(struct ledger *l, uint32_t rank)
{
    l->ranks[rank].yields_ms = l->now_ms + ledger_yield_ms(l);
}

/* Whether what is free is for others than @rank. */
bool ledger_yields(const struct ledger *l, uint32_t rank)
{
    const struct ledger_rank *r = &l->ranks[rank];

    return l->hungry > r->is_hungry &&
           l->now_ms - l->starved_ms < ledger_yield_ms(l) &&
           (r->lease_count > 0 || l->now_ms < r->yields_ms);
}

/* How long the rest of @held takes, 0 if it is not worth the asking. */
static uint64_t ledger_straggle_cost(const struct ledger *l,
                                     const struct ledger_held *held)
{
    uint64_t rest = held->range.end - held->top;
    uint64_t cost;

    if (held->number == 0 || rest < LEDGER_REST_MIN ||
        (held->want_end < held->range.end && held->want_end >= held->top)) {
        return 0;
    }
    cost = ledger_pace_ms(l, held->rank, rest);
    return cost > l->run_ms / LEDGER_WORTH ? cost : 0;
}

/* Ask the slowest of the next chunk of slots. Return whether there was one. */
static bool ledger_straggle_chunk(struct ledger *l)
{
    struct ledger_held *slowest = NULL;
    uint64_t most = 0;

    for (uint32_t i = 0; i < LEDGER_CHUNK && i < l->slot_count; i++) {
        struct ledger_held *held;
        uint64_t cost;

        l->straggle_slot = (l->straggle_slot + 1) % l->slot_count;
        held = &l->slots[l->straggle_slot];
        cost = ledger_straggle_cost(l, held);
        if (cost > most) {
            most = cost;
            slowest = held;
        }
    }
    if (slowest == NULL) {
        return false;
    }
    slowest->want_end =
        slowest->range.end - (slowest->range.end - slowest->top) / 2;
    return true;
}

void ledger_straggle(struct ledger *l)
{
    uint64_t asked = 0;

    if (l->now_ms < ledger_straggle_timer_ms(l)) {
        return;
    }
    l->straggle_ms = l->now_ms + ledger_max(l->run_ms / LEDGER_TURNS, 1);
    for (uint32_t i = 0; i < LEDGER_CHUNKS && asked < l->hungry; i++) {
        if (i * LEDGER_CHUNK > l->slot_count) {
            break; /* Once around. */
        }
        asked += ledger_straggle_chunk(l);
    }
}

uint64_t ledger_straggle_timer_ms(const struct ledger *l)
{
    return l->hungry > 0 && l->lease_count > 0 && ledger_free(l) == 0 &&
                   !l->is_stopping
               ? l->straggle_ms
               : UINT64_MAX;
}
