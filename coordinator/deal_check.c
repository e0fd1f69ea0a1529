/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/deal_impl.h"

static void check_hosts(const struct deal *d)
{
    CHECK(d->host_count >= 1 && d->host_count <= DEAL_HOSTS_MAX);
    CHECK(d->host_rank[0] == 0);
    CHECK(d->host_rank[d->host_count] == d->rank_count);
    for (uint32_t h = 0; h < d->host_count; h++) {
        CHECK_IMPLIES(h > 0, d->hosts[h - 1].number < d->hosts[h].number);
        CHECK(d->host_rank[h + 1] - d->host_rank[h] == d->hosts[h].ranks);
        for (uint32_t r = d->host_rank[h]; r < d->host_rank[h + 1]; r++) {
            CHECK(d->rank_host[r] == h);
        }
    }
}

/* The ranges of each cut object lie end to end and make it up. */
static void check_ranges(const struct deal *d)
{
    uint64_t objects = 0;

    for (uint64_t i = 0; i < d->range_count; i++) {
        const struct deal_range *r = &d->ranges[i];
        bool is_first = i == 0 || r[-1].object != r->object;
        bool is_last = i + 1 == d->range_count || r[1].object != r->object;

        CHECK(r->size > 0);
        CHECK(r->offset % d->split_align == 0);
        CHECK_IMPLIES(is_first, r->offset == 0);
        CHECK_IMPLIES(is_first && i > 0, r[-1].object < r->object);
        CHECK_IMPLIES(is_last, r->offset + r->size ==
                                   catalog_size(d->catalog, r->object));
        CHECK_IMPLIES(!is_last, r[1].offset == r->offset + r->size);
        CHECK(!(is_first && is_last));
        objects += is_first;
    }
    CHECK(objects == d->split_count);
    CHECK_IMPLIES(d->range_count > 0, d->kind == DEAL_BALANCED && d->may_split);
}

/* The @k-th of @rank's own units belongs there; position of its object. */
static uint64_t check_place(const struct deal *d, uint32_t rank, uint64_t id,
                            const struct deal_unit *unit)
{
    uint32_t host = d->rank_host[rank];
    uint64_t position = order_position(&d->order, unit->object);

    if (d->kind == DEAL_SAGEMAKER) {
        uint64_t turn = position / d->host_count;

        CHECK(position % d->host_count == host);
        CHECK(turn % d->hosts[host].ranks == rank - d->host_rank[host]);
    }
    if (d->kind == DEAL_REPLICATED) {
        CHECK(position % d->hosts[host].ranks == rank - d->host_rank[host]);
    }
    CHECK_IMPLIES(id >= d->count, d->ranges[id - d->count].rank == rank);
    return position;
}

/* Walk @rank; mark its own units in @seen unless it is NULL. Returns how many
 * were its own. */
static uint64_t check_rank(const struct deal *d, uint32_t rank, uint8_t *seen)
{
    struct deal_sum sum = {0};
    struct deal_cursor cursor;
    struct deal_unit unit;
    uint64_t last = 0;
    uint64_t own = 0;

    deal_seek(d, rank, &cursor);
    while (deal_next(&cursor, &unit)) {
        sum.units++;
        sum.bytes += unit.size;
        CHECK(unit.offset + unit.size <= catalog_size(d->catalog, unit.object));
        if (!unit.is_padding) {
            uint64_t id = deal_own_id(d, rank, own);
            uint64_t position = check_place(d, rank, id, &unit);

            CHECK_IMPLIES(own > 0, position >= last);
            CHECK(seen == NULL || (seen[id / 8] & 1 << id % 8) == 0);
            if (seen != NULL) {
                seen[id / 8] |= (uint8_t)(1 << id % 8);
            }
            last = position;
            own++;
        }
    }
    CHECK(sum.units == d->rank_sums[rank].units);
    CHECK(sum.bytes == d->rank_sums[rank].bytes);
    CHECK(own == deal_own(d, rank));
    CHECK_IMPLIES(d->even != DEAL_EVEN_NONE, sum.units == d->even_count);
    CHECK_IMPLIES(d->even != DEAL_EVEN_PAD, sum.units == own);
    return own;
}

/* Walk what @host brings: ascending, and as much as its sums say. */
static void check_host(const struct deal *d, uint32_t host)
{
    struct deal_cursor cursor;
    struct deal_unit unit;
    uint64_t units = 0;
    uint64_t last = 0;
    uint64_t bytes = 0;

    deal_host_seek(d, host, &cursor);
    while (deal_host_next(&cursor, &unit)) {
        CHECK_IMPLIES(units > 0, unit.object > last);
        last = unit.object;
        bytes += unit.size;
        units++;
    }
    CHECK(units == d->host_sums[host].units);
    /* A span may hold what lies between two ranges. */
    CHECK(d->range_count > 0 ? bytes >= d->host_sums[host].bytes
                             : bytes == d->host_sums[host].bytes);
}

void deal_check(const struct deal *d)
{
    uint64_t ids = d->count + d->range_count;
    uint8_t *seen = mem_new((size_t)ids / 8 + 1, 1);
    bool is_shared = d->kind == DEAL_REPLICATED;
    uint64_t own = 0;

    check_hosts(d);
    check_ranges(d);
    for (uint32_t r = 0; r < d->rank_count; r++) {
        own += check_rank(d, r, is_shared ? NULL : seen);
    }
    for (uint32_t h = 0; h < d->host_count; h++) {
        check_host(d, h);
    }
    if (is_shared) {
        CHECK(own + d->dropped == d->count * d->host_count);
    } else {
        CHECK(own + d->dropped == deal_unit_count(d));
    }
    CHECK_IMPLIES(d->even != DEAL_EVEN_DROP, d->dropped == 0);
    CHECK(d->even != DEAL_EVEN_PAD
              ? d->padded == 0
              : own + d->padded == d->even_count * d->rank_count);
    free(seen);
}
