/* SPDX-License-Identifier: Apache-2.0 */
/* Leases stand in slots. A table with open addressing finds them by number;
 * each host has a list of its own by number, which grows at its end since the
 * numbers grow. */

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/ledger_state.h"

enum { LEDGER_PLACES_MIN = 64, LEDGER_SLOTS_MIN = 16 };

static uint32_t ledger_home(const struct ledger *l, uint64_t number)
{
    /* Fibonacci: numbers in a row must not stand in a row, or a long-lived
     * one would make every removal walk the whole row. */
    return (uint32_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32) &
           l->place_mask;
}

static void ledger_put(struct ledger *l, uint32_t slot)
{
    uint32_t at = ledger_home(l, l->slots[slot].number);

    while (l->places[at] != LEDGER_NONE) {
        at = (at + 1) & l->place_mask;
    }
    l->places[at] = slot;
}

static void ledger_set_places(struct ledger *l, uint32_t count)
{
    free(l->places);
    l->places = mem_new(count, sizeof(*l->places));
    l->place_mask = count - 1;
    for (uint32_t i = 0; i < count; i++) {
        l->places[i] = LEDGER_NONE;
    }
    for (uint32_t i = 0; i < l->slot_count; i++) {
        if (l->slots[i].number != 0) {
            ledger_put(l, i);
        }
    }
}

void ledger_leases_init(struct ledger *l)
{
    l->free_slot = LEDGER_NONE;
    ledger_set_places(l, LEDGER_PLACES_MIN);
}

void ledger_leases_fini(struct ledger *l)
{
    free(l->slots);
    free(l->places);
}

/* Where @number is, or the empty place where it would be. */
static uint32_t ledger_place(const struct ledger *l, uint64_t number)
{
    uint32_t at = ledger_home(l, number);

    while (l->places[at] != LEDGER_NONE &&
           l->slots[l->places[at]].number != number) {
        at = (at + 1) & l->place_mask;
    }
    return at;
}

struct ledger_held *ledger_held(const struct ledger *l, uint64_t number)
{
    uint32_t slot;

    if (number == 0) {
        return NULL;
    }
    slot = l->places[ledger_place(l, number)];
    return slot == LEDGER_NONE ? NULL : &l->slots[slot];
}

/* Empty the place of @number, and move up those that stand behind it. */
static void ledger_take_out(struct ledger *l, uint64_t number)
{
    uint32_t hole = ledger_place(l, number);
    uint32_t at = hole;

    CHECK(l->places[hole] != LEDGER_NONE);
    for (;;) {
        uint32_t home;

        at = (at + 1) & l->place_mask;
        if (l->places[at] == LEDGER_NONE) {
            break;
        }
        home = ledger_home(l, l->slots[l->places[at]].number);
        if (((at - home) & l->place_mask) >= ((at - hole) & l->place_mask)) {
            l->places[hole] = l->places[at];
            hole = at;
        }
    }
    l->places[hole] = LEDGER_NONE;
}

static uint32_t ledger_new_slot(struct ledger *l)
{
    uint32_t slot = l->free_slot;

    if (slot != LEDGER_NONE) {
        l->free_slot = l->slots[slot].next;
        return slot;
    }
    if (l->slot_count == l->slot_room) {
        l->slot_room = l->slot_room == 0 ? LEDGER_SLOTS_MIN : l->slot_room * 2;
        l->slots = mem_grow(l->slots, l->slot_room, sizeof(*l->slots));
    }
    return l->slot_count++;
}

static void ledger_link(struct ledger *l, struct ledger_host *h, uint32_t slot)
{
    l->slots[slot].previous = h->last_lease;
    l->slots[slot].next = LEDGER_NONE;
    if (h->last_lease == LEDGER_NONE) {
        h->first_lease = slot;
    } else {
        CHECK(l->slots[h->last_lease].number < l->slots[slot].number);
        l->slots[h->last_lease].next = slot;
    }
    h->last_lease = slot;
}

static void ledger_unlink(struct ledger *l, struct ledger_host *h,
                          const struct ledger_held *held)
{
    if (held->previous == LEDGER_NONE) {
        h->first_lease = held->next;
    } else {
        l->slots[held->previous].next = held->next;
    }
    if (held->next == LEDGER_NONE) {
        h->last_lease = held->previous;
    } else {
        l->slots[held->next].previous = held->previous;
    }
}

struct ledger_held *ledger_hold(struct ledger *l, uint64_t number,
                                uint32_t rank)
{
    uint32_t slot = ledger_new_slot(l);

    l->slots[slot] = (struct ledger_held){.number = number, .rank = rank};
    ledger_link(l, &l->hosts[l->ranks[rank].host], slot);
    l->lease_count++;
    if (l->lease_count > l->place_mask / 2) {
        ledger_set_places(l, 2 * (l->place_mask + 1));
    } else {
        ledger_put(l, slot);
    }
    if (l->ranks[rank].lease_count++ == 0) {
        ledger_pace_begin(l, rank);
    }
    return &l->slots[slot];
}

void ledger_unhold(struct ledger *l, struct ledger_held *held)
{
    struct ledger_rank *rank = &l->ranks[held->rank];

    ledger_take_out(l, held->number);
    ledger_unlink(l, &l->hosts[rank->host], held);
    if (--rank->lease_count == 0) {
        ledger_pace_end(l, held->rank);
    }
    l->lease_count--;
    held->number = 0;
    held->next = l->free_slot;
    l->free_slot = (uint32_t)(held - l->slots);
}

bool ledger_was_finished(const struct ledger *l, uint64_t number)
{
    return number > 0 && number < l->next_lease &&
           ledger_held(l, number) == NULL && !ranges_has(l->dropped, number);
}

/* Each lease is found, and each slot is a lease or free. */
void ledger_leases_check(const struct ledger *l)
{
    uint32_t found = 0;
    uint32_t free_slots = 0;

    for (uint32_t i = 0; i <= l->place_mask; i++) {
        if (l->places[i] != LEDGER_NONE) {
            const struct ledger_held *held = &l->slots[l->places[i]];

            CHECK(ledger_held(l, held->number) == held);
            found++;
        }
    }
    for (uint32_t i = l->free_slot; i != LEDGER_NONE; i = l->slots[i].next) {
        CHECK(l->slots[i].number == 0);
        free_slots++;
    }
    CHECK(found == l->lease_count);
    CHECK(found + free_slots == l->slot_count);
}

/* ---- Looking ------------------------------------------------------------- */

/* An epoch that ends early deals nothing more, so the gate may never come to
 * what lies beyond it: that is asked back. */
static uint64_t ledger_want_end(const struct ledger *l,
                                const struct ledger_held *held)
{
    return l->is_stopping && held->range.first >= ledger_gate(l)
               ? held->range.first
               : held->want_end;
}

struct ledger_lease ledger_lease_of(const struct ledger *l,
                                    const struct ledger_held *held)
{
    return (struct ledger_lease){.number = held->number,
                                 .host = l->ranks[held->rank].host,
                                 .rank = held->rank,
                                 .range = held->range,
                                 .left = held->left,
                                 .want_end = ledger_want_end(l, held),
                                 .is_late = held->is_late};
}

bool ledger_find_lease(const struct ledger *l, uint64_t number,
                       struct ledger_lease *out)
{
    const struct ledger_held *held = ledger_held(l, number);

    if (held == NULL) {
        return false;
    }
    *out = ledger_lease_of(l, held);
    return true;
}

bool ledger_next_lease(const struct ledger *l, uint32_t host, uint64_t after,
                       struct ledger_lease *out)
{
    const struct ledger_held *held = ledger_held(l, after);
    uint32_t slot;

    CHECK(host < l->host_count);
    if (held != NULL && l->ranks[held->rank].host == host) {
        slot = held->next;
    } else {
        slot = l->hosts[host].first_lease;
    }
    CHECK_IMPLIES(slot != LEDGER_NONE, l->slots != NULL);
    while (slot != LEDGER_NONE && l->slots[slot].number <= after) {
        slot = l->slots[slot].next; /* A host has 256 leases at most. */
    }
    if (slot == LEDGER_NONE) {
        return false;
    }
    *out = ledger_lease_of(l, &l->slots[slot]);
    return true;
}
