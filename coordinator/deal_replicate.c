/* SPDX-License-Identifier: Apache-2.0 */
/* REPLICATED: a rank reads each r-th position, so only the sums are to be
 * made, and those once for all hosts of as many ranks. */

#include <stdlib.h>

#include "base/check.h"
#include "coordinator/deal_impl.h"

enum { REPLICATE_KINDS = DEAL_HOST_RANKS_MAX + 1 };

/* By number of ranks: the first such host, or UINT32_MAX. */
struct replicate {
    uint32_t host[REPLICATE_KINDS];
    uint64_t *sizes;
};

static void replicate_init(struct replicate *r, const struct deal *d)
{
    for (uint32_t i = 0; i < REPLICATE_KINDS; i++) {
        r->host[i] = UINT32_MAX;
    }
    for (uint32_t h = d->host_count; h > 0; h--) {
        r->host[d->hosts[h - 1].ranks] = h - 1;
    }
}

/* Fewest and most units of any rank: the last of the host with the most ranks
 * and the first of the one with the fewest. */
static void replicate_find_even(struct deal *d, const struct replicate *r)
{
    uint32_t fewest = 1;
    uint32_t most = DEAL_HOST_RANKS_MAX;

    while (r->host[fewest] == UINT32_MAX) {
        fewest++;
    }
    while (r->host[most] == UINT32_MAX) {
        most--;
    }
    if (d->even == DEAL_EVEN_PAD) {
        d->even_count = (d->count + fewest - 1) / fewest;
    }
    if (d->even == DEAL_EVEN_DROP) {
        d->even_count = d->count / most;
    }
}

/* Add the unit at @position, of @size, to one host of each kind. */
static void replicate_add(struct deal *d, const struct replicate *r,
                          const uint32_t *kinds, uint64_t position,
                          uint64_t size)
{
    for (; *kinds > 0; kinds++) {
        uint32_t ranks = *kinds;
        uint32_t host = r->host[ranks];
        struct deal_sum *sum;

        if (d->even == DEAL_EVEN_DROP && position >= d->even_count * ranks) {
            continue;
        }
        sum = &d->rank_sums[d->host_rank[host] + position % ranks];
        sum->units++;
        sum->bytes += size;
        d->host_sums[host].units++;
        d->host_sums[host].bytes += size;
    }
}

/* One walk of the order. Units are found in batches, so that the reads of
 * their sizes, which are anywhere, wait for memory together. */
static void replicate_count(struct deal *d, const struct replicate *r)
{
    uint64_t units[DEAL_BATCH];
    uint32_t kinds[REPLICATE_KINDS];
    uint32_t n = 0;

    for (uint32_t i = 1; i < REPLICATE_KINDS; i++) {
        if (r->host[i] != UINT32_MAX) {
            kinds[n++] = i;
        }
    }
    kinds[n] = 0;
    for (uint64_t first = 0; first < d->count; first += DEAL_BATCH) {
        uint64_t left = d->count - first;
        uint32_t batch = left < DEAL_BATCH ? (uint32_t)left : DEAL_BATCH;

        for (uint32_t i = 0; i < batch; i++) {
            units[i] = order_unit(&d->order, first + i);
            __builtin_prefetch(&r->sizes[units[i]]);
        }
        for (uint32_t i = 0; i < batch; i++) {
            replicate_add(d, r, kinds, first + i, r->sizes[units[i]]);
        }
    }
}

/* Pad the first host of each kind, then copy its sums to the others. */
static void replicate_spread(struct deal *d, const struct replicate *r)
{
    for (uint32_t h = 0; h < d->host_count; h++) {
        uint32_t ranks = d->hosts[h].ranks;
        uint32_t model = r->host[ranks];

        for (uint32_t k = ranks;
             d->even == DEAL_EVEN_PAD && h == model && k > 0; k--) {
            /* The last first: those without a unit borrow the first's. */
            deal_pad_rank(d, d->host_rank[h] + k - 1);
        }
        for (uint32_t k = 0; h != model && k < ranks; k++) {
            uint32_t from = d->host_rank[model] + k;

            d->rank_sums[d->host_rank[h] + k] = d->rank_sums[from];
            if (d->even == DEAL_EVEN_PAD) {
                d->padded += d->even_count - deal_own(d, from);
            }
        }
        d->host_sums[h] = d->host_sums[model];
        d->dropped += d->count - d->host_sums[h].units;
    }
}

enum status deal_replicate(struct deal *d)
{
    struct replicate r = {0};

    r.sizes = malloc((size_t)(d->count + 1) * sizeof(*r.sizes));
    if (r.sizes == NULL) {
        return STATUS_FULL;
    }
    catalog_sizes(d->catalog, 0, (size_t)d->count, r.sizes);
    replicate_init(&r, d);
    replicate_find_even(d, &r);
    replicate_count(d, &r);
    replicate_spread(d, &r);
    free(r.sizes);
    return STATUS_OK;
}
