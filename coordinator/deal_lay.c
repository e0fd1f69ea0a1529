/* SPDX-License-Identifier: Apache-2.0 */
/* Lays what was decided out twice: for each rank its units in the order's
 * sequence, for each host its objects in the catalog's. Each is one counting
 * pass and one filling pass. */

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "coordinator/deal_impl.h"

/* Count the units of each rank and find where its sequence starts. */
static enum status lay_rank_starts(struct deal *d, const uint32_t *rank_of)
{
    uint64_t sum = 0;

    d->rank_at = calloc((size_t)d->rank_count + 1, sizeof(*d->rank_at));
    if (d->rank_at == NULL) {
        return STATUS_FULL;
    }
    for (uint64_t i = 0; i < d->count; i++) {
        if (rank_of[i] < DEAL_DROPPED) {
            d->rank_at[rank_of[i]]++;
        }
    }
    for (uint64_t i = 0; i < d->range_count; i++) {
        if (d->ranges[i].rank < DEAL_DROPPED) {
            d->rank_at[d->ranges[i].rank]++;
        }
    }
    for (uint32_t r = 0; r <= d->rank_count; r++) {
        uint64_t own = d->rank_at[r];

        d->rank_at[r] = sum;
        sum += own;
    }
    d->sequence = malloc((size_t)(sum + 1) * sizeof(*d->sequence));
    return d->sequence != NULL ? STATUS_OK : STATUS_FULL;
}

/* Put the ranges of @object where their ranks' sequences have come to. */
static void lay_ranges(struct deal *d, uint32_t object, uint64_t *next)
{
    uint64_t i = deal_find_range(d, object);

    for (; i < d->range_count && d->ranges[i].object == object; i++) {
        if (d->ranges[i].rank < DEAL_DROPPED) {
            d->sequence[next[d->ranges[i].rank]++] = (uint32_t)(d->count + i);
        }
    }
}

/* Walk the order and append each unit to its rank's sequence. The units of a
 * batch are found first, so that the reads of rank_of, which are anywhere,
 * wait for memory together and not one after the other. */
static enum status lay_sequences(struct deal *d, const uint32_t *rank_of)
{
    uint64_t *next = malloc(d->rank_count * sizeof(*next));
    uint32_t units[DEAL_BATCH];

    if (next == NULL) {
        return STATUS_FULL;
    }
    memcpy(next, d->rank_at, d->rank_count * sizeof(*next));
    for (uint64_t first = 0; first < d->count; first += DEAL_BATCH) {
        uint64_t left = d->count - first;
        uint32_t n = left < DEAL_BATCH ? (uint32_t)left : DEAL_BATCH;

        for (uint32_t i = 0; i < n; i++) {
            units[i] = (uint32_t)order_unit(&d->order, first + i);
            __builtin_prefetch(&rank_of[units[i]]);
        }
        for (uint32_t i = 0; i < n; i++) {
            uint32_t rank = rank_of[units[i]];

            if (rank < DEAL_DROPPED) {
                d->sequence[next[rank]++] = units[i];
            } else if (rank == DEAL_SPLIT) {
                lay_ranges(d, units[i], next);
            }
        }
    }
    for (uint32_t r = 0; r < d->rank_count; r++) {
        CHECK(next[r] == d->rank_at[r + 1]);
    }
    free(next);
    return STATUS_OK;
}

/* The fewest and the most units of any rank. */
static void lay_find_extremes(const struct deal *d, uint64_t *least,
                              uint64_t *most)
{
    *least = UINT64_MAX;
    *most = 0;
    for (uint32_t r = 0; r < d->rank_count; r++) {
        uint64_t own = deal_own(d, r);

        *least = own < *least ? own : *least;
        *most = own > *most ? own : *most;
    }
}

/* Cut every sequence to the shortest. */
static void lay_drop(struct deal *d, uint32_t *rank_of, uint64_t least)
{
    uint64_t to = 0;

    for (uint32_t r = 0; r < d->rank_count; r++) {
        uint64_t from = d->rank_at[r];

        for (uint64_t i = from + least; i < d->rank_at[r + 1]; i++) {
            /* BALANCED has dropped before it dealt, so there is no range. */
            CHECK(d->sequence[i] < d->count);
            rank_of[d->sequence[i]] = DEAL_DROPPED;
            d->dropped++;
        }
        memmove(d->sequence + to, d->sequence + from,
                (size_t)least * sizeof(*d->sequence));
        d->rank_at[r] = to;
        to += least;
    }
    d->rank_at[d->rank_count] = to;
}

/* Sum up the ranges of one object; @seen[host] tells the last object that was
 * counted for a host. */
static uint64_t lay_count_ranges(struct deal *d, uint64_t range, uint32_t *seen)
{
    uint32_t object = d->ranges[range].object;

    for (; range < d->range_count && d->ranges[range].object == object;
         range++) {
        const struct deal_range *r = &d->ranges[range];
        uint32_t host;

        if (r->rank >= DEAL_DROPPED) {
            continue;
        }
        host = d->rank_host[r->rank];
        d->rank_sums[r->rank].units++;
        d->rank_sums[r->rank].bytes += r->size;
        d->host_sums[host].bytes += r->size;
        if (seen[host] != object + 1) {
            seen[host] = object + 1;
            d->host_sums[host].units++;
        }
    }
    return range;
}

static void lay_count(struct deal *d, const uint32_t *rank_of, uint32_t *seen)
{
    uint64_t sizes[DEAL_BATCH];
    uint64_t range = 0;

    for (uint64_t first = 0; first < d->count; first += DEAL_BATCH) {
        uint64_t left = d->count - first;
        size_t n = left < DEAL_BATCH ? (size_t)left : (size_t)DEAL_BATCH;

        catalog_sizes(d->catalog, first, n, sizes);
        for (size_t i = 0; i < n; i++) {
            uint32_t rank = rank_of[first + i];

            if (rank == DEAL_SPLIT) {
                range = lay_count_ranges(d, range, seen);
            } else if (rank < DEAL_DROPPED) {
                struct deal_sum *host = &d->host_sums[d->rank_host[rank]];

                d->rank_sums[rank].units++;
                d->rank_sums[rank].bytes += sizes[i];
                host->units++;
                host->bytes += sizes[i];
            }
        }
    }
}

/* Find where each host's objects start; a host that borrows all it has gets
 * room for what its lender has. */
static enum status lay_host_starts(struct deal *d)
{
    uint64_t sum = 0;

    d->host_at = calloc((size_t)d->host_count + 1, sizeof(*d->host_at));
    if (d->host_at == NULL) {
        return STATUS_FULL;
    }
    for (uint32_t h = 0; h < d->host_count; h++) {
        uint32_t rank = d->host_rank[h];

        d->host_at[h] = sum;
        sum += d->host_sums[h].units == 0 && d->lender != NULL
                   ? deal_own(d, d->lender[rank])
                   : d->host_sums[h].units;
    }
    d->host_at[d->host_count] = sum;
    d->brought = malloc((size_t)(sum + 1) * sizeof(*d->brought));
    return d->brought != NULL ? STATUS_OK : STATUS_FULL;
}

static void lay_bring(struct deal *d, const uint32_t *rank_of, uint64_t *next,
                      uint32_t *seen)
{
    uint64_t range = 0;

    for (uint64_t i = 0; i < d->count; i++) {
        uint32_t object = (uint32_t)i;

        if (rank_of[i] < DEAL_DROPPED) {
            d->brought[next[d->rank_host[rank_of[i]]]++] = object;
        }
        if (rank_of[i] != DEAL_SPLIT) {
            continue;
        }
        for (; range < d->range_count && d->ranges[range].object == object;
             range++) {
            uint32_t rank = d->ranges[range].rank;
            uint32_t host = rank < DEAL_DROPPED ? d->rank_host[rank] : 0;

            if (rank < DEAL_DROPPED && seen[host] != object + 1) {
                seen[host] = object + 1;
                d->brought[next[host]++] = object;
            }
        }
    }
}

static int lay_compare_objects(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* A host without any unit brings what its ranks borrow. */
static void lay_borrow(struct deal *d, uint32_t host)
{
    uint32_t lender = d->lender[d->host_rank[host]];
    uint64_t own = deal_own(d, lender);
    uint32_t *to = d->brought + d->host_at[host];
    struct deal_sum *sum = &d->host_sums[host];

    for (uint64_t k = 0; k < own; k++) {
        to[k] = (uint32_t)deal_unit_of(d, deal_own_id(d, lender, k)).object;
    }
    qsort(to, (size_t)own, sizeof(*to), lay_compare_objects);
    for (uint64_t k = 0; k < own; k++) {
        if (sum->units == 0 || to[sum->units - 1] != to[k]) {
            to[sum->units++] = to[k];
        }
    }
    sum->bytes = d->rank_sums[lender].bytes;
}

/* Sums and the hosts' lists. */
static enum status lay_hosts(struct deal *d, const uint32_t *rank_of)
{
    uint32_t *seen = calloc(d->host_count, sizeof(*seen));
    uint64_t *next = malloc(d->host_count * sizeof(*next));
    enum status s = STATUS_FULL;

    if (seen == NULL || next == NULL) {
        goto out;
    }
    lay_count(d, rank_of, seen);
    s = lay_host_starts(d);
    if (s != STATUS_OK) {
        goto out;
    }
    memset(seen, 0, d->host_count * sizeof(*seen));
    memcpy(next, d->host_at, d->host_count * sizeof(*next));
    lay_bring(d, rank_of, next, seen);
    for (uint32_t h = 0; h < d->host_count; h++) {
        CHECK(next[h] == d->host_at[h] + d->host_sums[h].units);
        if (d->host_sums[h].units == 0 && d->lender != NULL) {
            lay_borrow(d, h);
        }
    }
out:
    free(seen);
    free(next);
    return s;
}

/* Give every rank without a unit another whose units it repeats: the first of
 * its host that has some, else the ranks of other hosts by turns. */
static enum status lay_find_lenders(struct deal *d)
{
    uint32_t turn = 0;

    d->lender = calloc(d->rank_count, sizeof(*d->lender));
    if (d->lender == NULL) {
        return STATUS_FULL;
    }
    for (uint32_t h = 0; h < d->host_count; h++) {
        uint32_t end = d->host_rank[h + 1];
        uint32_t lender = d->host_rank[h];

        while (lender < end && deal_own(d, lender) == 0) {
            lender++;
        }
        if (lender == end) {
            while (deal_own(d, turn) == 0) {
                turn = (turn + 1) % d->rank_count;
            }
            lender = turn;
            turn = (turn + 1) % d->rank_count;
        }
        for (uint32_t r = d->host_rank[h]; r < end; r++) {
            d->lender[r] = deal_own(d, r) > 0 ? r : lender;
        }
    }
    return STATUS_OK;
}

/* Add what each rank repeats to the sums. Ranks that borrow come first, while
 * their lenders' sums are still what these have of their own. */
static void lay_pad(struct deal *d)
{
    for (int borrows = 1; borrows >= 0; borrows--) {
        for (uint32_t r = 0; r < d->rank_count; r++) {
            if ((deal_own(d, r) == 0) == borrows) {
                deal_pad_rank(d, r);
            }
        }
    }
}

static enum status lay_even_out(struct deal *d, uint32_t *rank_of)
{
    uint64_t least;
    uint64_t most;
    void *trimmed;

    lay_find_extremes(d, &least, &most);
    if (d->even == DEAL_EVEN_PAD) {
        d->even_count = most;
        return lay_find_lenders(d);
    }
    if (d->even == DEAL_EVEN_DROP) {
        d->even_count = least;
        lay_drop(d, rank_of, least);
        trimmed =
            realloc(d->sequence,
                    (size_t)(least * d->rank_count) * sizeof(*d->sequence) + 1);
        d->sequence = trimmed != NULL ? trimmed : d->sequence;
    }
    return STATUS_OK;
}

enum status deal_lay(struct deal *d, struct deal_plan *plan)
{
    enum status s = lay_rank_starts(d, plan->rank_of);

    if (s == STATUS_OK) {
        s = lay_sequences(d, plan->rank_of);
    }
    if (s == STATUS_OK) {
        s = lay_even_out(d, plan->rank_of);
    }
    if (s == STATUS_OK) {
        s = lay_hosts(d, plan->rank_of);
    }
    if (s == STATUS_OK && d->even == DEAL_EVEN_PAD) {
        lay_pad(d);
    }
    return s;
}
