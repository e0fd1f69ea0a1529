/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a deal: units by rank and by host. */

#include "base/check.h"
#include "coordinator/deal_impl.h"

uint64_t deal_own(const struct deal *d, uint32_t rank)
{
    const struct deal_host *host;
    uint32_t local;
    uint64_t own;

    CHECK(rank < d->rank_count);
    if (d->kind != DEAL_REPLICATED) {
        return d->rank_at[rank + 1] - d->rank_at[rank];
    }
    host = &d->hosts[d->rank_host[rank]];
    local = rank - d->host_rank[d->rank_host[rank]];
    own = local < d->count ? (d->count - local - 1) / host->ranks + 1 : 0;
    if (d->even == DEAL_EVEN_DROP && own > d->even_count) {
        own = d->even_count;
    }
    return own;
}

uint64_t deal_own_id(const struct deal *d, uint32_t rank, uint64_t k)
{
    uint32_t host = d->rank_host[rank];

    CHECK(k < deal_own(d, rank));
    if (d->kind != DEAL_REPLICATED) {
        return d->sequence[d->rank_at[rank] + k];
    }
    return order_unit(&d->order,
                      k * d->hosts[host].ranks + rank - d->host_rank[host]);
}

uint32_t deal_lender(const struct deal *d, uint32_t rank)
{
    if (d->lender != NULL) {
        return d->lender[rank];
    }
    /* REPLICATED: a host's first rank has units if any has. */
    return deal_own(d, rank) > 0 ? rank : d->host_rank[d->rank_host[rank]];
}

struct deal_unit deal_unit_of(const struct deal *d, uint64_t id)
{
    const struct deal_range *r;

    if (id < d->count) {
        return (struct deal_unit){.object = id,
                                  .size = catalog_size(d->catalog, id),
                                  .is_whole = true};
    }
    CHECK(id - d->count < d->range_count);
    r = &d->ranges[id - d->count];
    return (struct deal_unit){
        .object = r->object, .offset = r->offset, .size = r->size};
}

uint64_t deal_find_range(const struct deal *d, uint64_t object)
{
    uint64_t low = 0;
    uint64_t high = d->range_count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (d->ranges[middle].object < object) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void deal_pad_rank(struct deal *d, uint32_t rank)
{
    uint64_t missing = d->even_count - deal_own(d, rank);
    uint32_t lender = deal_lender(d, rank);
    uint64_t own = deal_own(d, lender);
    struct deal_sum *sum = &d->rank_sums[rank];
    uint64_t bytes;

    CHECK(own > 0 && d->rank_sums[lender].units == own);
    bytes = missing / own * d->rank_sums[lender].bytes;
    for (uint64_t k = 0; k < missing % own; k++) {
        bytes += deal_unit_of(d, deal_own_id(d, lender, k)).size;
    }
    sum->units += missing;
    sum->bytes += bytes;
    d->padded += missing;
}

void deal_seek(const struct deal *d, uint32_t rank, struct deal_cursor *cursor)
{
    CHECK(rank < d->rank_count);
    *cursor = (struct deal_cursor){.deal = d, .rank = rank};
}

bool deal_at(const struct deal *d, uint32_t rank, uint64_t k,
             struct deal_unit *out)
{
    uint64_t own = deal_own(d, rank);
    uint64_t lent;
    uint32_t lender;

    if (k < own) {
        *out = deal_unit_of(d, deal_own_id(d, rank, k));
        return true;
    }
    if (d->even != DEAL_EVEN_PAD || k >= d->even_count) {
        return false;
    }
    lender = deal_lender(d, rank);
    lent = deal_own(d, lender);
    CHECK(lent > 0);
    *out = deal_unit_of(d, deal_own_id(d, lender, (k - own) % lent));
    out->is_padding = true;
    return true;
}

bool deal_next(struct deal_cursor *cursor, struct deal_unit *out)
{
    bool is_there = deal_at(cursor->deal, cursor->rank, cursor->next, out);

    cursor->next += is_there;
    return is_there;
}

void deal_host_seek(const struct deal *d, uint32_t host,
                    struct deal_cursor *cursor)
{
    CHECK(host < d->host_count);
    *cursor = (struct deal_cursor){.deal = d, .rank = host};
}

/* What of a cut object @host has, from its first range to its last. */
static struct deal_unit deal_span(const struct deal *d, uint32_t host,
                                  uint64_t object, uint64_t range)
{
    struct deal_unit out = {.object = object};
    uint32_t lender = d->lender != NULL && d->host_at != NULL
                          ? d->lender[d->host_rank[host]]
                          : d->host_rank[host];
    uint32_t of = d->rank_host[lender] == host ? UINT32_MAX : lender;
    bool is_first = true;

    for (; range < d->range_count && d->ranges[range].object == object;
         range++) {
        const struct deal_range *r = &d->ranges[range];

        if (r->rank >= DEAL_DROPPED ||
            (of == UINT32_MAX ? d->rank_host[r->rank] != host
                              : r->rank != of)) {
            continue;
        }
        out.offset = is_first ? r->offset : out.offset;
        out.size = r->offset + r->size - out.offset;
        is_first = false;
    }
    CHECK(!is_first);
    out.is_whole = out.size == catalog_size(d->catalog, object);
    return out;
}

static bool deal_host_next_replicated(struct deal_cursor *cursor,
                                      struct deal_unit *out)
{
    const struct deal *d = cursor->deal;
    uint64_t kept = d->count;

    if (d->even == DEAL_EVEN_DROP) {
        kept = d->even_count * d->hosts[cursor->rank].ranks;
    }
    while (cursor->next < d->count) {
        uint64_t object = cursor->next++;

        if (kept == d->count || order_position(&d->order, object) < kept) {
            *out = deal_unit_of(d, object);
            return true;
        }
    }
    return false;
}

bool deal_host_next(struct deal_cursor *cursor, struct deal_unit *out)
{
    const struct deal *d = cursor->deal;
    uint32_t host = cursor->rank;
    uint64_t object;
    uint64_t range;

    if (d->kind == DEAL_REPLICATED) {
        return deal_host_next_replicated(cursor, out);
    }
    if (cursor->next >= d->host_sums[host].units) {
        return false;
    }
    object = d->brought[d->host_at[host] + cursor->next++];
    range = deal_find_range(d, object);
    if (range < d->range_count && d->ranges[range].object == object) {
        *out = deal_span(d, host, object, range);
    } else {
        *out = deal_unit_of(d, object);
    }
    return true;
}
