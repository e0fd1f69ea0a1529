/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dealing.h"

#include <stdlib.h>

#include <inttypes.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/resume.h"

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
    d->ranks = mem_new(d->host_count, sizeof(d->ranks[0]));
    for (uint32_t i = 0; i < d->host_count; i++) {
        uint32_t number = d->numbers[i];

        /* A FIFO has one reader a host. */
        d->ranks[i] = d->channel->mode == JOB_PIPE ? 1 : options->ranks[number];
        hosts[i] =
            (struct deal_host){number, d->ranks[i], options->weights[number]};
    }
    return hosts;
}

struct cursor_how dealing_how(const struct job_channel *c, uint64_t count)
{
    struct cursor_how how = {
        .is_dynamic = job_channel_deal(c) == JOB_DEAL_DYNAMIC,
        .even = dealing_even(c),
        .may_split = c->may_split,
        .has_seed = c->has_shuffle,
        .seed = c->has_shuffle ? c->shuffle_seed : 0,
    };

    if (!how.is_dynamic) {
        how.kind = dealing_kind(c);
    }
    /* Nothing can't be padded, and need not be. */
    if (!how.is_dynamic && count == 0) {
        how.even = DEAL_EVEN_NONE;
    }
    return how;
}

/* What a ledger counts: all objects, or those of whole steps. */
static void dealing_lease(struct dealing *d)
{
    const struct job_channel *c = d->channel;
    uint64_t count = catalog_count(d->listing.catalog);

    if (c->even == JOB_EVEN_DROP && c->step_units > 0) {
        d->dropped = count % c->step_units;
    }
    d->positions = count - d->dropped;
    if (d->base != NULL) {
        ranges_remove(d->base, (struct range){d->positions, count});
    }
}

static enum status dealing_deal_static(struct dealing *d,
                                       const struct deal_host *hosts,
                                       struct fault *why)
{
    const struct catalog *catalog = dealing_catalog(d);
    struct cursor_how how =
        dealing_how(d->channel, catalog_count(dealing_catalog(d)));
    struct order order;
    struct deal_options deal = {
        .kind = how.kind,
        .even = how.even,
        .hosts = hosts,
        .host_count = d->host_count,
        .may_split = how.may_split,
        .order = &order,
    };
    enum status s;

    cursor_order(&how, bytes_of(d->channel->name), d->first_epoch,
                 catalog_count(catalog), &order);
    s = deal_new(catalog, &deal, why, &d->deal);
    for (uint32_t i = 0; s == STATUS_OK && i < deal_rank_count(d->deal); i++) {
        d->positions += deal_own(d->deal, i);
    }
    return s;
}

enum status dealing_deal(struct dealing *d,
                         const struct dealing_options *options,
                         struct fault *why)
{
    struct deal_host *hosts = dealing_hosts(d, options);
    enum status s = STATUS_OK;

    d->is_dynamic = job_channel_deal(d->channel) == JOB_DEAL_DYNAMIC;
    if (d->host_count == 0) {
        s = fault_set(why, STATUS_INVALID,
                      "none of its instance groups has a host");
    } else if (d->is_dynamic) {
        dealing_lease(d);
    } else {
        s = dealing_deal_static(d, hosts, why);
    }
    free(hosts);
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "channel %s", d->channel->name);
}

/* A position means the same only under the same seed. */
static enum status dealing_check_seed(const struct dealing *d,
                                      const struct cursor_channel *from,
                                      const char *name, struct fault *why)
{
    const struct job_channel *c = d->channel;
    if (from->how.has_seed == c->has_shuffle &&
        (!c->has_shuffle || from->how.seed == c->shuffle_seed)) {
        return STATUS_OK;
    }
    if (!from->how.has_seed) {
        return fault_set(why, STATUS_INVALID,
                         "channel %s: %s counts objects in the order of their "
                         "keys, the job shuffles them; leave "
                         "ShuffleConfig.Seed out as before",
                         c->name, name);
    }
    return fault_set(why, STATUS_INVALID,
                     "channel %s: %s counts the order of seed %" PRIu64
                     ", the job says another; give ShuffleConfig.Seed as "
                     "before",
                     c->name, name, from->how.seed);
}

static enum status dealing_check_from(const struct dealing *d,
                                      const struct cursor_channel *from,
                                      const char *name, struct fault *why)
{
    const struct job_channel *c = d->channel;

    if (job_channel_deal(c) == JOB_DEAL_DYNAMIC && from->epoch >= c->epochs) {
        return fault_set(why, STATUS_INVALID,
                         "channel %s: %s stands in epoch %" PRIu64
                         " (from 0), but Epochs is %" PRIu64 "; raise it",
                         c->name, name, from->epoch, c->epochs);
    }
    return dealing_check_seed(d, from, name, why);
}

/* Take over what the cursor says of the channel. */
static enum status dealing_resume(struct dealing *d,
                                  const struct cursor_channel *from,
                                  struct fault *why)
{
    const struct catalog *catalog = d->listing.catalog;
    enum status s = cursor_committed(from, catalog, why, &d->base);
    struct order order;

    d->first_epoch = from->epoch;
    d->tried_again = ranges_size(from->skipped);
    if (s == STATUS_OK && job_channel_deal(d->channel) != JOB_DEAL_DYNAMIC) {
        cursor_order(&from->how, bytes_of(d->channel->name), from->epoch,
                     catalog_count(catalog), &order);
        s = cursor_left(catalog, &order, d->base, why, &d->left);
    }
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "channel %s", d->channel->name);
}

static enum status dealing_list(struct dealing *d,
                                const struct dealing_options *options,
                                struct fault *why)
{
    struct listing_options listing = {d->channel, options->progress,
                                      options->progress_self, options->stop};
    const struct cursor_channel *from =
        options->resume != NULL
            ? cursor_find(options->resume, bytes_of(d->channel->name))
            : NULL;
    enum status s;

    if (from == NULL) {
        return listing_make(&listing, why, &d->listing);
    }
    s = dealing_check_from(d, from, options->resume_name, why);
    if (s == STATUS_OK) {
        s = resume_list(&(struct resume_options){from, options->resume_name,
                                                 options->state_uri, listing},
                        why, &d->listing);
    }
    return s == STATUS_OK ? dealing_resume(d, from, why) : s;
}

/* A channel that only one of the two knows may be meant; it is said. */
static void dealings_compare(const struct dealing_options *options)
{
    const struct cursor *c = options->resume;

    for (uint32_t i = 0; c != NULL && i < cursor_channel_count(c); i++) {
        struct bytes name = cursor_channel_at(c, i)->name;
        bool is_known = false;

        for (uint32_t k = 0; k < options->job->channel_count; k++) {
            const struct job_channel *of = &options->job->channels[k];

            is_known = is_known ||
                       (bytes_is(name, of->name) && dealing_is_brought(of));
        }
        if (!is_known) {
            log_event(LOG_WARN, "resume.unknown-channel",
                      "channel=%.*s cursor=%s", (int)name.size, name.at,
                      options->resume_name);
        }
    }
}

enum status dealings_make(const struct dealing_options *options,
                          struct fault *why, struct dealings *out)
{
    const struct job *job = options->job;
    enum status s = STATUS_OK;

    *out = (struct dealings){0};
    dealings_compare(options);
    for (uint32_t i = 0; s == STATUS_OK && i < job->channel_count; i++) {
        struct dealing *d = &out->channels[out->count];

        if (!dealing_is_brought(&job->channels[i])) {
            continue;
        }
        out->count++;
        d->channel = &job->channels[i];
        s = dealing_list(d, options, why);
        if (s == STATUS_OK) {
            s = dealing_deal(d, options, why);
        }
    }
    return s;
}

const struct catalog *dealing_catalog(const struct dealing *d)
{
    return d->left != NULL ? d->left : d->listing.catalog;
}

bool dealing_is_done(const struct dealing *d)
{
    if (d->is_dynamic) {
        return d->base != NULL && ranges_size(d->base) == d->positions;
    }
    return d->left != NULL && catalog_count(d->left) == 0;
}

/* The first position of every rank of the job; of those that have no part in
 * the channel it is that of the next. */
static uint64_t *dealing_bounds(const struct dealing *d,
                                const struct dealing_options *options)
{
    uint32_t hosts = options->hosts->count;
    uint64_t *bounds;
    uint64_t at = 0;
    uint32_t rank = 0;
    uint32_t part = 0;

    for (uint32_t i = 0; i < hosts; i++) {
        rank += options->ranks[i];
    }
    bounds = mem_new((size_t)rank + 1, sizeof(bounds[0]));
    rank = 0;
    for (uint32_t i = 0; i < hosts; i++) {
        bool has_part = part < d->host_count && d->numbers[part] == i;

        for (uint32_t k = 0; k < options->ranks[i]; k++) {
            at += has_part && k < d->ranks[part]
                      ? deal_own(d->deal, deal_host_rank(d->deal, part) + k)
                      : 0;
            bounds[++rank] = at;
        }
        part += has_part;
    }
    CHECK(part == d->host_count && at == d->positions);
    return bounds;
}

/* A static channel that is resumed has what was left of one epoch. */
uint64_t dealing_epochs(const struct dealing *d)
{
    bool has_more =
        d->is_dynamic || (job_channel_is_stream(d->channel) && d->left == NULL);

    return has_more ? d->channel->epochs - d->first_epoch : 1;
}

void dealing_fill(struct dealing *d, const struct dealing_options *options,
                  struct dealt_channel *out)
{
    struct cursor_how how =
        dealing_how(d->channel, catalog_count(dealing_catalog(d)));

    free(d->bounds);
    d->bounds = d->is_dynamic ? NULL : dealing_bounds(d, options);
    buf_clear(&d->how);
    buf_clear(&d->base_text);
    cursor_how_write(&how, &d->how);
    if (d->base != NULL) {
        ranges_write(d->base, &d->base_text);
    }
    *out = (struct dealt_channel){
        .name = bytes_of(d->channel->name),
        .catalog = bytes_of(catalog_name(d->listing.catalog)),
        .is_dynamic = d->is_dynamic,
        .is_stream = !d->is_dynamic && job_channel_is_stream(d->channel),
        .is_single = d->channel->mode == JOB_PIPE,
        .positions = d->positions,
        .epochs = dealing_epochs(d),
        .first_epoch = d->first_epoch,
        .step_units = d->channel->step_units,
        .skips = d->channel->skips,
        .bounds = d->bounds,
        .how = buf_bytes(&d->how),
        .base = buf_bytes(&d->base_text),
    };
}

void dealings_fini(struct dealings *d)
{
    for (uint32_t i = 0; i < d->count; i++) {
        deal_destroy(&d->channels[i].deal);
        listing_fini(&d->channels[i].listing);
        catalog_destroy(&d->channels[i].left);
        ranges_destroy(&d->channels[i].base);
        free(d->channels[i].numbers);
        free(d->channels[i].ranks);
        free(d->channels[i].bounds);
        buf_fini(&d->channels[i].how);
        buf_fini(&d->channels[i].base_text);
    }
    *d = (struct dealings){0};
}
