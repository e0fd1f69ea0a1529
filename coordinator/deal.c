/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "coordinator/deal_impl.h"

__extension__ typedef unsigned __int128 deal_wide;

static int deal_compare_hosts(const void *a, const void *b)
{
    const struct deal_host *left = a;
    const struct deal_host *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

static enum status deal_validate(const struct catalog *catalog,
                                 const struct deal_options *o,
                                 struct fault *why)
{
    if (o->host_count < 1 || o->host_count > DEAL_HOSTS_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "a deal to %u hosts; 1 to %d are allowed",
                         o->host_count, DEAL_HOSTS_MAX);
    }
    for (uint32_t i = 0; i < o->host_count; i++) {
        const struct deal_host *h = &o->hosts[i];

        if (h->ranks < 1 || h->ranks > DEAL_HOST_RANKS_MAX) {
            return fault_set(why, STATUS_INVALID,
                             "host %u: %u ranks; 1 to %d are allowed",
                             h->number, h->ranks, DEAL_HOST_RANKS_MAX);
        }
        if (h->weight < 1) {
            return fault_set(why, STATUS_INVALID,
                             "host %u: its weight is 0; leave the host out or "
                             "give it some",
                             h->number);
        }
    }
    if (o->even == DEAL_EVEN_PAD && catalog_count(catalog) == 0) {
        return fault_set(why, STATUS_EMPTY,
                         "no object that could be repeated to make the ranks "
                         "even");
    }
    return STATUS_OK;
}

/* Copy and sort the hosts, and number their ranks. */
static enum status deal_init_hosts(struct deal *d, const struct deal_options *o,
                                   struct fault *why)
{
    memcpy(d->hosts, o->hosts, o->host_count * sizeof(*d->hosts));
    qsort(d->hosts, d->host_count, sizeof(*d->hosts), deal_compare_hosts);
    for (uint32_t i = 0; i < d->host_count; i++) {
        if (i > 0 && d->hosts[i].number == d->hosts[i - 1].number) {
            return fault_set(why, STATUS_INVALID,
                             "host %u takes part twice in one deal",
                             d->hosts[i].number);
        }
        d->host_rank[i] = d->rank_count;
        d->rank_count += d->hosts[i].ranks;
    }
    d->host_rank[d->host_count] = d->rank_count;
    return STATUS_OK;
}

static bool deal_init_ranks(struct deal *d)
{
    d->rank_host = calloc(d->rank_count, sizeof(*d->rank_host));
    d->rank_sums = calloc(d->rank_count, sizeof(*d->rank_sums));
    d->host_sums = calloc(d->host_count, sizeof(*d->host_sums));
    if (d->rank_host == NULL || d->rank_sums == NULL || d->host_sums == NULL) {
        return false;
    }
    for (uint32_t h = 0; h < d->host_count; h++) {
        for (uint32_t r = d->host_rank[h]; r < d->host_rank[h + 1]; r++) {
            d->rank_host[r] = h;
        }
    }
    return true;
}

/* Position i of the order to host i mod n, its j-th to rank j mod r. With a
 * shuffle each epoch has other objects on each host, as many as before. */
static void deal_by_position(const struct deal *d, uint32_t *rank_of)
{
    uint32_t host = 0;
    uint32_t turn = 0;

    for (uint64_t i = 0; i < d->count; i++) {
        rank_of[order_unit(&d->order, i)] =
            d->host_rank[host] + turn % d->hosts[host].ranks;
        if (++host == d->host_count) {
            host = 0;
            turn++;
        }
    }
}

static enum status deal_decide(struct deal *d)
{
    struct deal_plan plan = {0};
    enum status s = STATUS_OK;

    if (d->kind == DEAL_REPLICATED) {
        return deal_replicate(d);
    }
    plan.rank_of = calloc(d->count + 1, sizeof(*plan.rank_of));
    if (plan.rank_of == NULL) {
        return STATUS_FULL;
    }
    if (d->kind == DEAL_SAGEMAKER) {
        deal_by_position(d, plan.rank_of);
    } else {
        s = deal_balance(d, &plan);
    }
    if (s == STATUS_OK) {
        s = deal_lay(d, &plan);
    }
    free(plan.rank_of);
    return s;
}

uint64_t deal_weights(const struct deal *d)
{
    uint64_t sum = 0;

    for (uint32_t h = 0; h < d->host_count; h++) {
        sum += d->hosts[h].weight;
    }
    return sum;
}

uint64_t deal_target(const struct deal *d, uint64_t total, uint32_t host,
                     uint64_t weights)
{
    return (uint64_t)((deal_wide)total * d->hosts[host].weight /
                      (weights * d->hosts[host].ranks));
}

static double deal_find_skew(const struct deal *d)
{
    double weights = (double)deal_weights(d);
    double total = 0;
    double worst = 0;

    for (uint32_t r = 0; r < d->rank_count; r++) {
        total += (double)d->rank_sums[r].bytes;
    }
    if (total <= 0) {
        return 1.0;
    }
    for (uint32_t r = 0; r < d->rank_count; r++) {
        const struct deal_host *h = &d->hosts[d->rank_host[r]];
        double part = d->kind == DEAL_BALANCED
                          ? (double)h->weight / weights / (double)h->ranks
                          : 1.0 / (double)d->rank_count;
        double skew = (double)d->rank_sums[r].bytes / (total * part);

        worst = skew > worst ? skew : worst;
    }
    return worst;
}

/* Everything after the options were found good. */
static enum status deal_make(struct deal *d, const struct deal_options *o,
                             struct fault *why)
{
    enum status s;

    d->hosts = calloc(d->host_count, sizeof(*d->hosts));
    d->host_rank = calloc((size_t)d->host_count + 1, sizeof(*d->host_rank));
    if (d->hosts == NULL || d->host_rank == NULL) {
        return fault_set(why, STATUS_FULL, "no memory for the hosts");
    }
    s = deal_init_hosts(d, o, why);
    if (s != STATUS_OK) {
        return s;
    }
    s = deal_init_ranks(d) ? deal_decide(d) : STATUS_FULL;
    if (s != STATUS_OK) {
        return fault_set(why, s, "no memory to deal %llu objects to %u ranks",
                         (unsigned long long)d->count, d->rank_count);
    }
    d->skew = deal_find_skew(d);
    return STATUS_OK;
}

enum status deal_new(const struct catalog *catalog,
                     const struct deal_options *options, struct fault *why,
                     struct deal **out)
{
    enum status s = deal_validate(catalog, options, why);
    struct deal *d;

    *out = NULL;
    if (s != STATUS_OK) {
        return s;
    }
    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return fault_set(why, STATUS_FULL, "no memory for a deal");
    }
    d->catalog = catalog;
    d->count = catalog_count(catalog);
    d->kind = options->kind;
    d->even = options->even;
    d->may_split = options->may_split;
    d->split_align = options->split_align > 0 ? options->split_align : 1;
    d->host_count = options->host_count;
    order_init_plain(&d->order, d->count);
    if (options->order != NULL) {
        CHECK(options->order->count == d->count);
        d->order = *options->order;
    }
    s = deal_make(d, options, why);
    if (s != STATUS_OK) {
        deal_destroy(&d);
        return s;
    }
    *out = d;
    return STATUS_OK;
}

void deal_destroy(struct deal **d)
{
    if (*d == NULL) {
        return;
    }
    free((*d)->hosts);
    free((*d)->host_rank);
    free((*d)->rank_host);
    free((*d)->ranges);
    free((*d)->sequence);
    free((*d)->rank_at);
    free((*d)->brought);
    free((*d)->host_at);
    free((*d)->lender);
    free((*d)->rank_sums);
    free((*d)->host_sums);
    free(*d);
    *d = NULL;
}

uint32_t deal_rank_count(const struct deal *d)
{
    return d->rank_count;
}

uint32_t deal_host_rank(const struct deal *d, uint32_t host)
{
    CHECK(host < d->host_count);
    return d->host_rank[host];
}

struct deal_sum deal_rank_sum(const struct deal *d, uint32_t rank)
{
    CHECK(rank < d->rank_count);
    return d->rank_sums[rank];
}

struct deal_sum deal_host_sum(const struct deal *d, uint32_t host)
{
    CHECK(host < d->host_count);
    return d->host_sums[host];
}

double deal_skew(const struct deal *d)
{
    return d->skew;
}

uint64_t deal_dropped(const struct deal *d)
{
    return d->dropped;
}

uint64_t deal_padded(const struct deal *d)
{
    return d->padded;
}

uint64_t deal_unit_count(const struct deal *d)
{
    return d->count - d->split_count + d->range_count;
}

size_t deal_memory(const struct deal *d)
{
    size_t sum =
        sizeof(*d) + d->host_count * sizeof(*d->hosts) +
        ((size_t)d->host_count + 1) * sizeof(*d->host_rank) +
        d->rank_count * (sizeof(*d->rank_host) + sizeof(*d->rank_sums)) +
        d->host_count * sizeof(*d->host_sums) +
        (size_t)d->range_room * sizeof(*d->ranges);

    if (d->rank_at != NULL) {
        sum += ((size_t)d->rank_count + 1) * sizeof(*d->rank_at) +
               (size_t)d->rank_at[d->rank_count] * sizeof(*d->sequence);
    }
    if (d->host_at != NULL) {
        sum += ((size_t)d->host_count + 1) * sizeof(*d->host_at) +
               (size_t)d->host_at[d->host_count] * sizeof(*d->brought);
    }
    return sum + (d->lender != NULL ? d->rank_count * sizeof(*d->lender) : 0);
}
