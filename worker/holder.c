/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/holder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/holder_state.h"

struct holder *holder_new(const struct holder_options *options)
{
    struct holder *h = mem_new(1, sizeof(*h));

    CHECK(options->rank_count > 0 && options->rank_count <= WORK_WANTS_MAX);
    CHECK(options->ahead_units > 0 && options->lease_ms > 0);
    CHECK(options->gap_ms <= options->beat_ms);
    h->options = *options;
    h->gate = UINT64_MAX;
    return h;
}

static void holder_lease_destroy(struct holder_lease *l)
{
    ranges_destroy(&l->again);
    ranges_destroy(&l->done);
    ranges_destroy(&l->fresh);
    free(l);
}

void holder_destroy(struct holder **h)
{
    if (*h == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*h)->lease_count; i++) {
        holder_lease_destroy((*h)->leases[i]);
    }
    free((*h)->outcomes);
    free(*h);
    *h = NULL;
}

/* ---- Leases. ------------------------------------------------------------- */

struct holder_lease *holder_find(const struct holder *h, uint64_t number)
{
    uint32_t low = 0;
    uint32_t high = h->lease_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (h->leases[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < h->lease_count && h->leases[low]->number == number
               ? h->leases[low]
               : NULL;
}

void holder_sweep(struct holder *h)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct holder_lease *l = h->leases[i];

        if (l->is_over && ranges_size(l->fresh) == 0) {
            holder_lease_destroy(l);
        } else {
            h->leases[kept++] = l;
        }
    }
    h->lease_count = kept;
}

/* The lowest position of @l, from @from on, that is to be handed out. */
static bool holder_lease_lowest(const struct holder_lease *l, uint64_t from,
                                uint64_t *out)
{
    uint64_t at = l->begun > from ? l->begun : from;
    struct range again;

    if (ranges_next(l->again, from, &again)) {
        *out = again.first;
        return true;
    }
    *out = at;
    return at < l->end;
}

/* O(n); n ≤ HOLDER_LEASES_MAX. */
struct holder_lease *holder_lowest(const struct holder *h, uint32_t rank,
                                   uint64_t from, uint64_t *position)
{
    struct holder_lease *found = NULL;

    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct holder_lease *l = h->leases[i];
        uint64_t at;

        if (l->rank == rank && !l->is_over &&
            l->epoch == h->ranks[rank].epoch &&
            holder_lease_lowest(l, from, &at) &&
            (found == NULL || at < *position)) {
            found = l;
            *position = at;
        }
    }
    return found;
}

/* ---- Ranks. -------------------------------------------------------------- */

static bool holder_is_idle(const struct holder *h, uint32_t rank)
{
    return h->is_complete || h->is_over || (h->idle_ranks >> rank & 1) != 0;
}

bool holder_rank_wants(const struct holder *h, uint32_t rank)
{
    const struct holder_rank *r = &h->ranks[rank];
    uint64_t units = 0;
    uint32_t count = 0;

    if (!r->is_active || r->is_stopped || r->epoch != h->epoch ||
        holder_is_idle(h, rank)) {
        return false;
    }
    for (uint32_t i = 0; i < h->lease_count; i++) {
        const struct holder_lease *l = h->leases[i];

        if (l->rank == rank && !l->is_over) {
            count++;
            uint64_t end = l->end < h->gate ? l->end : h->gate;

            /* What is beyond the gate is of no use before what others may
             * have left below it is done. */
            units += end > l->begun ? end - l->begun : 0;
            units += ranges_size(l->again);
        }
    }
    return count < HOLDER_RANK_LEASES_MAX && units < h->options.ahead_units;
}

static bool holder_is_valid(const struct holder *h, uint64_t now_ms)
{
    uint64_t lease_ms = h->options.lease_ms;

    return h->has_grant &&
           now_ms < h->renewed_ms + lease_ms - lease_ms / HOLDER_MARGIN_PART;
}

/* Hand out @position of @l. */
static void holder_hand(struct holder *h, struct holder_lease *l,
                        uint64_t position)
{
    struct range one = {position, position + 1};

    if (position < l->begun) {
        CHECK(ranges_remove(l->again, one) == 1);
    } else {
        CHECK(position == l->begun && position < l->end);
        l->begun = position + 1;
    }
    CHECK(!ranges_has(l->done, position));
    h->stats.handed++;
}

enum status holder_next(struct holder *h, uint32_t rank, uint64_t now_ms,
                        struct holder_unit *out)
{
    struct holder_rank *r = &h->ranks[rank];
    struct holder_lease *l;
    uint64_t position;

    CHECK(rank < h->options.rank_count);
    if (!r->is_active) {
        r->is_active = true;
        h->is_new = true;
    }
    if (r->is_stopped || (h->has_grant && r->epoch < h->epoch)) {
        r->is_stopped = true;
        return STATUS_STOPPED;
    }
    l = holder_lowest(h, rank, 0, &position);
    if (l == NULL) {
        r->is_stopped = h->has_grant && holder_is_idle(h, rank);
        return r->is_stopped ? STATUS_STOPPED : STATUS_EMPTY;
    }
    if (position >= h->gate || !holder_is_valid(h, now_ms)) {
        return STATUS_EMPTY;
    }
    holder_hand(h, l, position);
    h->is_new = h->is_new || (!r->is_asking && holder_rank_wants(h, rank));
    *out = (struct holder_unit){l->epoch, position, l->number, l->is_late};
    return STATUS_OK;
}

/* O(ahead · leases); both are small. */
bool holder_peek(const struct holder *h, uint32_t rank, uint64_t from,
                 struct holder_unit *out)
{
    const struct holder_lease *l;
    uint64_t position = 0;

    CHECK(rank < h->options.rank_count);
    l = holder_lowest(h, rank, from, &position);
    if (l == NULL) {
        return false;
    }
    *out = (struct holder_unit){l->epoch, position, l->number, l->is_late};
    return true;
}

enum status holder_begin(struct holder *h, uint32_t rank)
{
    struct holder_rank *r = &h->ranks[rank];
    uint64_t position;

    CHECK(rank < h->options.rank_count);
    if (!r->is_stopped) {
        return STATUS_OK;
    }
    if (r->epoch < h->epoch) {
        r->epoch++;
    } else if (h->is_over) {
        return STATUS_STOPPED;
    } else if (holder_lowest(h, rank, 0, &position) == NULL) {
        return STATUS_EMPTY;
    }
    r->is_stopped = false;
    h->is_new = true;
    return STATUS_OK;
}

bool holder_epoch_is_over(const struct holder *h, uint32_t rank)
{
    CHECK(rank < h->options.rank_count);
    return h->has_grant &&
           (h->ranks[rank].epoch < h->epoch || h->is_complete || h->is_over);
}

uint64_t holder_epoch(const struct holder *h, uint32_t rank)
{
    CHECK(rank < h->options.rank_count);
    return h->ranks[rank].epoch;
}

/* Find the lease of @unit, which must be open at @rank. */
static enum status holder_open(const struct holder *h, uint32_t rank,
                               const struct holder_unit *unit,
                               struct holder_lease **out)
{
    struct holder_lease *l = holder_find(h, unit->lease);

    CHECK(rank < h->options.rank_count);
    if (l == NULL || l->is_over) {
        return unit->lease > 0 && unit->lease <= h->top ? STATUS_LOST
                                                        : STATUS_INVALID;
    }
    if (l->rank != rank || unit->position < l->first ||
        unit->position >= l->begun || ranges_has(l->done, unit->position) ||
        ranges_has(l->again, unit->position)) {
        return STATUS_INVALID;
    }
    *out = l;
    return STATUS_OK;
}

enum status holder_done(struct holder *h, uint32_t rank,
                        const struct holder_unit *unit)
{
    struct range one = {unit->position, unit->position + 1};
    struct holder_lease *l = NULL;
    enum status s = holder_open(h, rank, unit, &l);

    if (s != STATUS_OK) {
        return s;
    }
    CHECK(ranges_add(l->done, one) == 1 && ranges_add(l->fresh, one) == 1);
    h->stats.done++;
    h->is_new = true;
    return STATUS_OK;
}

enum status holder_skip(struct holder *h, uint32_t rank,
                        const struct holder_unit *unit, const char *reason)
{
    struct range one = {unit->position, unit->position + 1};
    struct holder_lease *l = NULL;
    enum status s = holder_open(h, rank, unit, &l);
    struct holder_skipped *k;

    if (s != STATUS_OK) {
        return s;
    }
    if (h->skip_count == HOLDER_SKIP_MAX) {
        return STATUS_FULL;
    }
    CHECK(ranges_add(l->done, one) == 1);
    k = &h->skips[h->skip_count++];
    *k = (struct holder_skipped){.lease = l->number,
                                 .epoch = l->epoch,
                                 .rank = rank,
                                 .position = unit->position};
    snprintf(k->reason, sizeof(k->reason), "%s", reason);
    h->stats.skipped++;
    h->is_new = true;
    return STATUS_OK;
}

/* What was handed out last and is all given back, nobody was handed: so it can
 * be given back to the coordinator. */
static void holder_unhand(struct holder *h, struct holder_lease *l)
{
    struct range last;

    while (l->begun > l->first && ranges_has(l->again, l->begun - 1)) {
        last = (struct range){l->begun - 1, l->begun};
        ranges_remove(l->again, last);
        l->begun--;
        h->is_new = true;
    }
}

enum status holder_return(struct holder *h, uint32_t rank,
                          const struct holder_unit *unit)
{
    struct range one = {unit->position, unit->position + 1};
    struct holder_lease *l = NULL;
    enum status s = holder_open(h, rank, unit, &l);

    if (s == STATUS_OK) {
        CHECK(ranges_add(l->again, one) == 1);
        holder_unhand(h, l);
    }
    return s;
}

void holder_restart(struct holder *h, uint32_t rank)
{
    CHECK(rank < h->options.rank_count);
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct holder_lease *l = h->leases[i];
        struct range handed = {l->first, l->begun};
        struct range gap;

        while (l->rank == rank && ranges_next_gap(l->done, handed, &gap)) {
            ranges_add(l->again, gap);
            handed.first = gap.end;
        }
        if (l->rank == rank) {
            holder_unhand(h, l);
        }
    }
}

void holder_give_back(struct holder *h, uint32_t rank)
{
    CHECK(rank < h->options.rank_count);
    for (uint32_t i = 0; i < h->lease_count; i++) {
        struct holder_lease *l = h->leases[i];

        if (l->rank == rank && !l->is_over && l->begun < l->end &&
            l->epoch == h->ranks[rank].epoch) {
            l->end = l->begun;
            h->is_urgent = true;
        }
    }
}

void holder_end_epoch(struct holder *h, uint32_t rank)
{
    CHECK(rank < h->options.rank_count);
    if (h->ranks[rank].epoch == h->epoch && !h->ends_epoch) {
        h->ends_epoch = true;
        h->is_new = true;
    }
}

/* ---- Outcomes. ----------------------------------------------------------- */

void holder_add_outcome(struct holder *h, const struct holder_outcome *outcome)
{
    uint64_t units = outcome->end - outcome->first;

    if (h->outcome_count == h->outcome_room) {
        h->outcome_room = h->outcome_room > 0 ? 2 * h->outcome_room : 64;
        h->outcomes =
            mem_grow(h->outcomes, h->outcome_room, sizeof(h->outcomes[0]));
    }
    h->outcomes[h->outcome_count++] = *outcome;
    if (outcome->is_refused) {
        h->stats.refused += units;
    } else {
        h->stats.acked += units;
    }
}

bool holder_take_outcome(struct holder *h, struct holder_outcome *out)
{
    if (h->outcome_first == h->outcome_count) {
        h->outcome_first = 0;
        h->outcome_count = 0;
        return false;
    }
    *out = h->outcomes[h->outcome_first++];
    return true;
}

/* ---- Looking. ------------------------------------------------------------ */

struct holder_stats holder_stats(const struct holder *h, uint64_t now_ms)
{
    struct holder_stats stats = h->stats;

    for (uint32_t i = 0; i < h->lease_count; i++) {
        const struct holder_lease *l = h->leases[i];
        uint64_t again = ranges_size(l->again);

        if (!l->is_over) {
            stats.waiting += l->end - l->begun + again;
            stats.open += l->begun - l->first - ranges_size(l->done) - again;
        }
    }
    stats.epoch = h->epoch;
    stats.is_paused = !holder_is_valid(h, now_ms);
    stats.is_over = h->is_over;
    return stats;
}

static void holder_check_lease(const struct holder *h,
                               const struct holder_lease *l)
{
    struct range handed = {l->first, l->begun};
    uint64_t done = ranges_size(l->done);
    uint64_t again = ranges_size(l->again);
    struct range r;

    CHECK(l->number > 0 && l->number <= h->top);
    CHECK(l->first <= l->begun && l->begun <= l->end);
    CHECK(l->rank < h->options.rank_count && l->epoch <= h->epoch);
    CHECK(l->told_seq <= h->seq);
    CHECK(ranges_count_in(l->done, handed) == done);
    CHECK(ranges_count_in(l->again, handed) == again);
    CHECK(done + again <= l->begun - l->first);
    for (uint64_t at = 0; ranges_next(l->fresh, at, &r); at = r.end) {
        CHECK(ranges_count_in(l->done, r) == r.end - r.first);
    }
    for (uint64_t at = 0; ranges_next(l->again, at, &r); at = r.end) {
        CHECK(ranges_count_in(l->done, r) == 0);
    }
    CHECK_IMPLIES(l->is_over, ranges_size(l->fresh) > 0);
    CHECK_IMPLIES(!l->is_over, l->epoch == h->epoch);
}

bool holder_is_settled(const struct holder *h)
{
    return h->stats.done + h->stats.skipped ==
           h->stats.acked + h->stats.refused;
}

void holder_check(const struct holder *h)
{
    uint64_t pending = 0;

    CHECK(h->lease_count <= HOLDER_LEASES_MAX);
    CHECK(h->taken_seq <= h->seq);
    for (uint32_t i = 0; i < h->lease_count; i++) {
        holder_check_lease(h, h->leases[i]);
        CHECK(i == 0 || h->leases[i - 1]->number < h->leases[i]->number);
        pending += ranges_size(h->leases[i]->fresh);
    }
    for (uint32_t i = 0; i < h->told_count; i++) {
        CHECK(h->told[i].seq > 0 && h->told[i].seq <= h->seq);
        CHECK(h->told[i].range.first < h->told[i].range.end);
        CHECK(i == 0 || h->told[i - 1].seq <= h->told[i].seq);
        pending += h->told[i].is_acked
                       ? 0
                       : h->told[i].range.end - h->told[i].range.first;
    }
    CHECK(h->stats.done + h->stats.skipped ==
          h->stats.acked + h->stats.refused + pending + h->skip_count);
    for (uint32_t r = 0; r < h->options.rank_count; r++) {
        CHECK(h->ranks[r].epoch <= h->epoch);
    }
}
