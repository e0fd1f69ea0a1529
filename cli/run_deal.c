/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_deal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/dealing.h"

/* Ranks may be in different epochs: so many deals are kept. */
enum { RUN_DEAL_KEPT = 3 };

struct run_deal {
    struct run_deal_options options;
    struct cursor_how how;
    struct deal_host *hosts;
    uint32_t host_count;
    uint32_t part; /* Which of them is this host. */
    uint32_t ranks;
    uint64_t first; /* Position of its first rank's first unit. */
    struct {
        struct deal *deal; /* NULL: none. */
        uint64_t epoch;
        uint64_t used;
    } kept[RUN_DEAL_KEPT];
    uint64_t uses;
};

static void run_deal_find_hosts(struct run_deal *d)
{
    const struct dealt *dealt = d->options.dealt;

    d->hosts = mem_new(dealt->host_count, sizeof(d->hosts[0]));
    for (uint32_t i = 0; i < dealt->host_count; i++) {
        uint32_t ranks = dealt_ranks(dealt, d->options.number, i);

        if (i == d->options.host) {
            d->part = d->host_count;
            d->ranks = ranks;
        }
        if (ranks > 0) {
            d->hosts[d->host_count++] =
                (struct deal_host){i, ranks, dealt->weights[i]};
        }
    }
}

/* An order that is none is the same in every epoch. */
static uint64_t run_deal_order(const struct run_deal *d, uint64_t epoch)
{
    return d->how.has_seed ? epoch : 0;
}

static enum status run_deal_make(struct run_deal *d, uint64_t epoch,
                                 struct fault *why, struct deal **out)
{
    const struct catalog *catalog = d->options.catalog;
    struct order order;
    struct deal_options deal = {
        .kind = d->how.kind,
        .even = d->how.even,
        .hosts = d->hosts,
        .host_count = d->host_count,
        .may_split = d->how.may_split,
        .order = &order,
    };

    cursor_order(&d->how, bytes_of(d->options.channel->name), epoch,
                 catalog_count(catalog), &order);
    return deal_new(catalog, &deal, why, out);
}

/* The deal of @epoch, instead of the one that was not used for longest. */
static enum status run_deal_of(struct run_deal *d, uint64_t epoch,
                               struct fault *why, const struct deal **out)
{
    uint64_t order = run_deal_order(d, epoch);
    int oldest = 0;
    enum status s;

    for (int i = 0; i < RUN_DEAL_KEPT; i++) {
        if (d->kept[i].deal != NULL && d->kept[i].epoch == order) {
            d->kept[i].used = ++d->uses;
            *out = d->kept[i].deal;
            return STATUS_OK;
        }
        oldest = d->kept[i].used < d->kept[oldest].used ? i : oldest;
    }
    deal_destroy(&d->kept[oldest].deal);
    s = run_deal_make(d, order, why, &d->kept[oldest].deal);
    d->kept[oldest].epoch = order;
    d->kept[oldest].used = ++d->uses;
    *out = d->kept[oldest].deal;
    return s;
}

/* What the coordinator has counted must be what this host counts. */
static enum status run_deal_check(struct run_deal *d, const struct deal *deal,
                                  struct fault *why)
{
    const struct dealt *dealt = d->options.dealt;
    const struct dealt_channel *c = &dealt->channels[d->options.number];
    uint64_t rank = 0;

    for (uint32_t i = 0; i < d->options.host; i++) {
        rank += dealt->ranks[i];
    }
    d->first = c->bounds[rank];
    for (uint32_t k = 0; k < d->ranks; k++) {
        uint64_t own = c->bounds[rank + k + 1] - c->bounds[rank + k];

        if (own != deal_own(deal, deal_host_rank(deal, d->part) + k)) {
            return fault_set(why, STATUS_MALFORMED,
                             "channel %s: was dealt %" PRIu64
                             " units, but is %" PRIu64 " here; are all hosts "
                             "of one version?",
                             d->options.channel->name, own,
                             deal_own(deal, deal_host_rank(deal, d->part) + k));
        }
    }
    return STATUS_OK;
}

enum status run_deal_new(const struct run_deal_options *options,
                         struct fault *why, struct run_deal **out)
{
    struct run_deal *d = mem_new(1, sizeof(*d));
    const struct dealt *dealt = options->dealt;
    const struct deal *deal = NULL;
    enum status s = STATUS_OK;

    d->options = *options;
    d->how = dealing_how(options->channel, catalog_count(options->catalog));
    *out = d;
    if (options->number >= dealt->channel_count ||
        options->host >= dealt->host_count ||
        dealt->channels[options->number].bounds == NULL) {
        s = fault_set(why, STATUS_MALFORMED,
                      "channel %s is not among what was dealt",
                      options->channel->name);
    }
    if (s == STATUS_OK) {
        run_deal_find_hosts(d);
        s = run_deal_of(d, dealt->channels[options->number].first_epoch, why,
                        &deal);
    }
    if (s == STATUS_OK) {
        s = run_deal_check(d, deal, why);
    }
    d->options.dealt = NULL;
    if (s != STATUS_OK) {
        run_deal_destroy(out);
    }
    return s;
}

void run_deal_destroy(struct run_deal **d)
{
    if (*d == NULL) {
        return;
    }
    for (int i = 0; i < RUN_DEAL_KEPT; i++) {
        deal_destroy(&(*d)->kept[i].deal);
    }
    free((*d)->hosts);
    free(*d);
    *d = NULL;
}

uint32_t run_deal_ranks(const struct run_deal *d)
{
    return d->ranks;
}

struct course_rank run_deal_rank(const struct run_deal *d, uint32_t rank)
{
    struct course_rank out = {.first = d->first};
    const struct deal *deal = NULL;

    for (int i = 0; i < RUN_DEAL_KEPT; i++) {
        deal = d->kept[i].deal != NULL ? d->kept[i].deal : deal;
    }
    CHECK(deal != NULL && rank < d->ranks);
    for (uint32_t k = 0; k <= rank; k++) {
        uint32_t number = deal_host_rank(deal, d->part) + k;

        out.first += out.own;
        out.own = deal_own(deal, number);
        out.all = deal_rank_sum(deal, number).units;
    }
    return out;
}

enum status run_deal_unit(struct run_deal *d, uint32_t rank, uint64_t epoch,
                          uint64_t at, struct deal_unit *out)
{
    const struct deal *deal = NULL;
    struct fault why;
    enum status s = run_deal_of(d, epoch, &why, &deal);

    if (s != STATUS_OK) {
        return s;
    }
    return deal_at(deal, deal_host_rank(deal, d->part) + rank, at, out)
               ? STATUS_OK
               : STATUS_INVALID;
}
