/* SPDX-License-Identifier: Apache-2.0 */
/* The audit's own books of a channel: what each entry changes and whether it
 * may. A wrong entry is noted and then taken as far as it makes sense, so that
 * one mistake is told once. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/varint.h"
#include "coordinator/audit_state.h"
#include "proto/wire.h"

static uint64_t audit_length(struct range range)
{
    return range.end - range.first;
}

static struct audit_epoch *audit_open_epoch(struct audit_channel *c)
{
    return &c->epochs[c->epoch_count - 1];
}

static void audit_begin_epoch(struct audit_channel *c, uint64_t number)
{
    if (c->epoch_count == c->epoch_room) {
        c->epoch_room = c->epoch_room == 0 ? 8 : 2 * c->epoch_room;
        c->epochs = mem_grow(c->epochs, c->epoch_room, sizeof(*c->epochs));
    }
    c->epochs[c->epoch_count++] = (struct audit_epoch){.number = number};
    ranges_clear(c->committed);
    ranges_clear(c->base);
    ranges_clear(c->skipped);
    ranges_clear(c->held);
    c->lease_count = 0;
    c->lease_live = 0;
}

/* ---- Plans --------------------------------------------------------------- */

void audit_channel_fini(struct audit_channel *c)
{
    if (c->is_planned) {
        ranges_destroy(&c->committed);
        ranges_destroy(&c->base);
        ranges_destroy(&c->skipped);
        ranges_destroy(&c->held);
    }
    free(c->name);
    free(c->catalog);
    free(c->epochs);
    free(c->leases);
    free(c->host_ranks);
    free(c->rows);
}

static void audit_read_ranks(struct audit_channel *c, struct bytes in)
{
    uint64_t ranks;

    if (in.size == 0 || in.size > WIRE_HOSTS_MAX) {
        return;
    }
    c->host_ranks = mem_new(in.size, sizeof(*c->host_ranks));
    while (varint_read(&in, &ranks)) {
        c->host_ranks[c->host_count++] =
            ranks <= WIRE_RANKS_MAX ? (uint32_t)ranks : 0;
    }
}

void audit_enter_plan(struct audit *a, const struct record_plan *plan)
{
    struct audit_channel *c;

    if (plan->channel >= a->channel_count) {
        a->channels =
            mem_grow(a->channels, plan->channel + 1, sizeof(*a->channels));
        memset(a->channels + a->channel_count, 0,
               (plan->channel + 1 - a->channel_count) * sizeof(*a->channels));
        a->channel_count = plan->channel + 1;
    }
    c = &a->channels[plan->channel];
    if (c->is_planned) {
        return; /* Noted again by one that found no plan. */
    }
    c->is_planned = true;
    c->name = mem_copy_text(plan->name.at, plan->name.size);
    c->catalog = mem_copy_text(plan->catalog.at, plan->catalog.size);
    c->positions = plan->positions;
    c->epoch_max = plan->epochs;
    c->epoch_first = plan->first_epoch;
    c->committed = ranges_new();
    c->base = ranges_new();
    c->skipped = ranges_new();
    c->held = ranges_new();
    audit_read_ranks(c, plan->ranks);
    audit_begin_epoch(c, plan->first_epoch);
}

/* ---- Findings ------------------------------------------------------------ */

struct audit_note {
    enum audit_finding_type type;
    uint64_t units;
    const char *what;
};

static void audit_note(struct audit *a, struct audit_channel *c,
                       const struct ledger_entry *e,
                       const struct audit_note *note)
{
    struct audit_epoch *epoch = audit_open_epoch(c);

    a->found[note->type] += note->units;
    epoch->found[note->type] += note->units;
    if (a->finding_count == AUDIT_LIST_MAX) {
        return;
    }
    a->findings[a->finding_count++] = (struct audit_finding){
        .type = note->type,
        .channel = (uint32_t)(c - a->channels),
        .epoch = epoch->number,
        .term = a->term,
        .lease = e->lease,
        .range = e->range,
        .what = note->what,
    };
}

static void audit_note_odd(struct audit *a, struct audit_channel *c,
                           const struct ledger_entry *e, const char *what)
{
    audit_note(a, c, e, &(struct audit_note){AUDIT_ODD, 1, what});
}

/* ---- Leases -------------------------------------------------------------- */

static struct audit_lease *audit_find_lease(struct audit_channel *c,
                                            uint64_t number)
{
    size_t low = 0;
    size_t high = c->lease_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c->leases[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == c->lease_count || c->leases[low].number != number ||
        c->leases[low].left == 0) {
        return NULL;
    }
    return &c->leases[low];
}

static void audit_add_lease(struct audit_channel *c,
                            const struct audit_lease *lease)
{
    if (c->lease_count == c->lease_room && c->lease_live < c->lease_count / 2) {
        size_t kept = 0;

        for (size_t i = 0; i < c->lease_count; i++) {
            if (c->leases[i].left > 0) {
                c->leases[kept++] = c->leases[i];
            }
        }
        c->lease_count = kept;
    }
    if (c->lease_count == c->lease_room) {
        c->lease_room = c->lease_room == 0 ? 64 : 2 * c->lease_room;
        c->leases = mem_grow(c->leases, c->lease_room, sizeof(*c->leases));
    }
    c->leases[c->lease_count++] = *lease;
    c->lease_live++;
}

/* @units more of it are committed, skipped or given back. */
static void audit_use_lease(struct audit_channel *c, struct audit_lease *lease,
                            uint64_t units)
{
    lease->left -= units < lease->left ? units : lease->left;
    c->lease_live -= lease->left == 0;
}

static void audit_end_lease(struct audit *a, struct audit_channel *c,
                            struct audit_lease *lease)
{
    ranges_remove(c->held, lease->range);
    a->rows[lease->row].drops++;
    audit_use_lease(c, lease, lease->left);
}

/* ---- Entries ------------------------------------------------------------- */

static void audit_take_grant(struct audit *a, struct audit_channel *c,
                             const struct ledger_entry *e)
{
    struct audit_lease lease = {e->lease, e->rank, 0, e->range,
                                audit_length(e->range)};
    uint64_t taken = ranges_count_in(c->held, e->range) +
                     ranges_count_in(c->committed, e->range) +
                     ranges_count_in(c->base, e->range) +
                     ranges_count_in(c->skipped, e->range);

    if (e->lease <= c->lease_last) {
        audit_note_odd(a, c, e, "a lease with a number that was used before");
        return;
    }
    if (e->range.end > c->positions || e->rank >= AUDIT_RANKS_MAX) {
        audit_note_odd(a, c, e, "a lease of what is not there");
        return;
    }
    if (taken > 0) {
        audit_note(a, c, e,
                   &(struct audit_note){AUDIT_OVERLAP, taken,
                                        "leased while held or done"});
    }
    c->lease_last = e->lease;
    lease.row = audit_row_of(a, (uint32_t)(c - a->channels), e->rank);
    a->rows[lease.row].leases++;
    audit_open_epoch(c)->leases++;
    ranges_add(c->held, e->range);
    audit_add_lease(c, &lease);
}

/* The live lease @e names, if @e is inside it; else that is noted. */
static struct audit_lease *audit_covering(struct audit *a,
                                          struct audit_channel *c,
                                          const struct ledger_entry *e)
{
    struct audit_lease *lease = audit_find_lease(c, e->lease);

    if (lease != NULL && e->range.first >= lease->range.first &&
        e->range.end <= lease->range.end) {
        return lease;
    }
    audit_note(a, c, e,
               &(struct audit_note){AUDIT_OUTSIDE, audit_length(e->range),
                                    lease != NULL
                                        ? "outside of its lease"
                                        : "under a lease that did not live"});
    return NULL;
}

static void audit_take_done(struct audit *a, struct audit_channel *c,
                            const struct ledger_entry *e)
{
    bool is_skip = e->type == LEDGER_SKIP;
    struct audit_lease *lease = audit_covering(a, c, e);
    uint64_t again = ranges_count_in(c->committed, e->range) +
                     ranges_count_in(c->base, e->range) +
                     ranges_count_in(c->skipped, e->range);

    if (e->range.end > c->positions) {
        audit_note_odd(a, c, e, "done with what is not there");
        return;
    }
    if (again > 0) {
        audit_note(a, c, e,
                   &(struct audit_note){AUDIT_DOUBLE, again,
                                        is_skip ? "skipped though done"
                                                : "committed though done"});
    }
    ranges_add(is_skip ? c->skipped : c->committed, e->range);
    ranges_remove(c->held, e->range);
    if (lease != NULL) {
        uint64_t units = audit_length(e->range);

        *(is_skip ? &a->rows[lease->row].skipped
                  : &a->rows[lease->row].committed) += units;
        audit_use_lease(c, lease, units - (again < units ? again : units));
    }
}

static void audit_take_cut(struct audit *a, struct audit_channel *c,
                           const struct ledger_entry *e)
{
    struct audit_lease *lease = audit_find_lease(c, e->lease);

    if (lease == NULL || e->range.end != lease->range.end ||
        e->range.first < lease->range.first) {
        audit_note_odd(a, c, e, "what is given back is not a lease's tail");
        return;
    }
    if (ranges_count_in(c->held, e->range) != audit_length(e->range)) {
        audit_note_odd(a, c, e, "some of what is given back is done");
    }
    lease->range.end = e->range.first;
    audit_use_lease(c, lease, ranges_remove(c->held, e->range));
}

static void audit_take_drop(struct audit *a, struct audit_channel *c,
                            const struct ledger_entry *e)
{
    struct audit_lease *lease = audit_find_lease(c, e->lease);

    if (lease == NULL) {
        audit_note_odd(a, c, e, "a lease ends that did not live");
        return;
    }
    audit_end_lease(a, c, lease);
}

static void audit_take_base(struct audit *a, struct audit_channel *c,
                            const struct ledger_entry *e)
{
    if (c->lease_last > 0 || c->epoch_count > 1 ||
        e->range.end > c->positions) {
        audit_note_odd(a, c, e, "committed before the run, said too late");
        return;
    }
    ranges_add(c->base, e->range);
}

/* Whatever the process before held, nobody may commit any more. */
static void audit_take_enter(struct audit *a, struct audit_channel *c,
                             const struct ledger_entry *e)
{
    for (size_t i = 0; i < c->lease_count; i++) {
        struct audit_lease *lease = &c->leases[i];

        if (lease->left > 0 && audit_is_rank_of(a, c, lease->rank, e->rank)) {
            audit_note_odd(a, c, e,
                           "a new process while leases of the host "
                           "live");
            audit_end_lease(a, c, lease);
        }
    }
}

static void audit_add_gaps(struct audit *a, struct audit_channel *c)
{
    struct range gap = {0, 0};

    while (a->gap_count < AUDIT_LIST_MAX &&
           audit_next_missing(c, gap.end, &gap)) {
        a->gaps[a->gap_count++] = (struct audit_gap){
            (uint32_t)(c - a->channels), audit_open_epoch(c)->number, gap};
    }
}

static void audit_take_epoch(struct audit *a, struct audit_channel *c,
                             const struct ledger_entry *e)
{
    struct audit_epoch *epoch = audit_open_epoch(c);

    if (c->lease_live > 0) {
        audit_note_odd(a, c, e, "the epoch ends while leases live");
    }
    *epoch = audit_epoch(a, (uint32_t)(c - a->channels), c->epoch_count - 1);
    epoch->is_ended = true;
    if (epoch->missing > 0 && !epoch->is_stopped) {
        audit_add_gaps(a, c);
    }
    audit_begin_epoch(c, epoch->number + 1);
}

void audit_take_entry(struct audit *a, uint32_t channel,
                      const struct ledger_entry *entry)
{
    struct audit_channel *c = &a->channels[channel];

    switch (entry->type) {
    case LEDGER_GRANT:
        audit_take_grant(a, c, entry);
        break;
    case LEDGER_COMMIT:
    case LEDGER_SKIP:
        audit_take_done(a, c, entry);
        break;
    case LEDGER_CUT:
        audit_take_cut(a, c, entry);
        break;
    case LEDGER_DROP:
        audit_take_drop(a, c, entry);
        break;
    case LEDGER_BASE:
        audit_take_base(a, c, entry);
        break;
    case LEDGER_ENTER:
        audit_take_enter(a, c, entry);
        break;
    case LEDGER_STOP:
        audit_open_epoch(c)->is_stopped = true;
        break;
    case LEDGER_EPOCH:
        audit_take_epoch(a, c, entry);
        break;
    case LEDGER_ENTRY_TYPES:
    default:
        UNREACHABLE("an entry that was read");
    }
}

/* ---- What is missing ----------------------------------------------------- */

bool audit_next_missing(const struct audit_channel *c, uint64_t from,
                        struct range *out)
{
    const struct ranges *sets[] = {c->committed, c->base, c->skipped};
    uint64_t first = from;
    bool has_moved = true;

    while (has_moved) {
        has_moved = false;
        for (size_t i = 0; i < 3; i++) {
            struct range next;

            if (ranges_next(sets[i], first, &next) && next.first == first) {
                first = next.end;
                has_moved = true;
            }
        }
    }
    if (first >= c->positions) {
        return false;
    }
    *out = (struct range){first, c->positions};
    for (size_t i = 0; i < 3; i++) {
        struct range next;

        if (ranges_next(sets[i], first, &next) && next.first < out->end) {
            out->end = next.first;
        }
    }
    return true;
}

uint64_t audit_missing(const struct audit_channel *c)
{
    struct range gap = {0, 0};
    uint64_t missing = 0;

    while (audit_next_missing(c, gap.end, &gap)) {
        missing += audit_length(gap);
    }
    return missing;
}
