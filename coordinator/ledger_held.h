/* SPDX-License-Identifier: Apache-2.0 */
/* The leases of a ledger in their slots, found by number and by host; and
 * small arithmetic. For ledger*.c only. */

#ifndef COORDINATOR_LEDGER_HELD_H
#define COORDINATOR_LEDGER_HELD_H

#include "coordinator/ledger.h"

#define LEDGER_NONE UINT32_MAX

/* A lease in its slot. */
struct ledger_held {
    uint64_t number; /* 0: the slot is free; `next` is the next such. */
    struct range range;
    uint64_t left;
    uint64_t top; /* From here on nothing of it is committed or skipped. */
    uint64_t want_end;
    uint32_t rank;
    uint32_t previous; /* Slots of the host's leases, by number. */
    uint32_t next;
    bool is_late;
};

struct ledger_held *ledger_held(const struct ledger *l, uint64_t number);

/* Make an empty one, and end one. Pointers die with the next new one. */
struct ledger_held *ledger_hold(struct ledger *l, uint64_t number,
                                uint32_t rank);
void ledger_unhold(struct ledger *l, struct ledger_held *held);

struct ledger_lease ledger_lease_of(const struct ledger *l,
                                    const struct ledger_held *held);

/* Whether @number was a lease and ended with all of it committed. */
bool ledger_was_finished(const struct ledger *l, uint64_t number);

void ledger_leases_init(struct ledger *l);
void ledger_leases_fini(struct ledger *l);
void ledger_leases_check(const struct ledger *l);

static inline uint64_t ledger_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t ledger_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t ledger_length(struct range r)
{
    return r.end - r.first;
}

static inline struct range ledger_common(struct range a, struct range b)
{
    uint64_t first = ledger_max(a.first, b.first);

    return (struct range){first, ledger_max(first, ledger_min(a.end, b.end))};
}

#endif /* COORDINATOR_LEDGER_HELD_H */
