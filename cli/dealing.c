/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dealing.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

bool dealing_is_brought(const struct job_channel *c)
{
    return !job_channel_is_in_place(c);
}

static enum deal_kind dealing_kind(const struct job_channel *c)
{
    switch (job_channel_deal(c)) {
    case JOB_DEAL_BALANCED:
        return DEAL_BALANCED;
    case JOB_DEAL_REPLICATED:
        return DEAL_REPLICATED;
    case JOB_DEAL_SAGEMAKER:
        return DEAL_SAGEMAKER;
    case JOB_DEAL_AUTO:
    case JOB_DEAL_DYNAMIC:
        break;
    }
    UNREACHABLE("the deal was checked to be one that is served");
}

static enum deal_even dealing_even(const struct job_channel *c)
{
    switch (c->even) {
    case JOB_EVEN_NONE:
        return DEAL_EVEN_NONE;
    case JOB_EVEN_PAD:
        return DEAL_EVEN_PAD;
    case JOB_EVEN_DROP:
        return DEAL_EVEN_DROP;
    }
    UNREACHABLE("even out of range");
}

/* Find the channel's hosts and what each brings to the deal. */
static struct deal_host *dealing_hosts(struct dealing *d,
                                       const struct dealing_options *options)
{
    struct deal_host *hosts;

    d->numbers = mem_new(options->hosts->count, sizeof(d->numbers[0]));
    d->host_count = hosts_of_channel(options->hosts, d->channel, d->numbers);
    hosts = mem_new(d->host_count, sizeof(hosts[0]));
    for (uint32_t i = 0; i < d->host_count; i++) {
        uint32_t number = d->numbers[i];

        hosts[i] = (struct deal_host){number, options->ranks[number],
                                      options->weights[number]};
    }
    return hosts;
}

enum status dealing_deal(struct dealing *d,
                         const struct dealing_options *options,
                         struct fault *why)
{
    struct deal_host *hosts = dealing_hosts(d, options);
    struct order order;
    struct deal_options deal = {
        .even = dealing_even(d->channel),
        .hosts = hosts,
        .host_count = d->host_count,
        .may_split = d->channel->may_split,
    };
    enum status s;

    if (d->host_count == 0) {
        free(hosts);
        return fault_set(why, STATUS_INVALID,
                         "channel %s: none of its instance groups has a host",
                         d->channel->name);
    }
    if (job_channel_deal(d->channel) == JOB_DEAL_DYNAMIC) {
        free(hosts);
        return STATUS_OK; /* Leases deal it while the job runs. */
    }
    deal.kind = dealing_kind(d->channel);
    if (d->channel->has_shuffle) {
        order_init_shuffled(&order, catalog_count(d->listing.catalog),
                            d->channel->shuffle_seed, 0,
                            bytes_of(d->channel->name));
        deal.order = &order;
    }
    s = deal_new(d->listing.catalog, &deal, why, &d->deal);
    free(hosts);
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "channel %s", d->channel->name);
}

enum status dealings_make(const struct dealing_options *options,
                          struct fault *why, struct dealings *out)
{
    const struct job *job = options->job;
    enum status s = STATUS_OK;

    *out = (struct dealings){0};
    for (uint32_t i = 0; s == STATUS_OK && i < job->channel_count; i++) {
        struct dealing *d = &out->channels[out->count];

        if (!dealing_is_brought(&job->channels[i])) {
            continue;
        }
        out->count++;
        d->channel = &job->channels[i];
        s = listing_make(&(struct listing_options){d->channel,
                                                   options->progress,
                                                   options->progress_self},
                         why, &d->listing);
        if (s == STATUS_OK) {
            s = dealing_deal(d, options, why);
        }
    }
    return s;
}

void dealings_fini(struct dealings *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        deal_destroy(&d->channels[i].deal);
        listing_fini(&d->channels[i].listing);
        free(d->channels[i].numbers);
    }
    *d = (struct dealings){0};
}
