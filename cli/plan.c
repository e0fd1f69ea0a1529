/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { PLAN_HOSTS_SHOWN = 32 }; /* As text; JSON has all. */

static char *plan_below(const char *uri, const char *rest)
{
    size_t size = strlen(uri);

    return mem_print("%s%s%s", uri, size > 0 && uri[size - 1] == '/' ? "" : "/",
                     rest);
}

char *plan_output_uri(const struct plan *plan, const char *host)
{
    char *rest;
    char *uri;

    if (plan->contract->job->output_uri == NULL) {
        return NULL;
    }
    rest = mem_print("%s/output/%s/", plan->contract->job_name, host);
    uri = plan_below(plan->contract->job->output_uri, rest);
    free(rest);
    return uri;
}

char *plan_checkpoint_uri(const struct plan *plan, const char *host)
{
    char *rest;
    char *uri;

    if (plan->contract->job->checkpoint_uri == NULL) {
        return NULL;
    }
    rest = mem_print("%s/", host);
    uri = plan_below(plan->contract->job->checkpoint_uri, rest);
    free(rest);
    return uri;
}

void plan_write_size(uint64_t bytes, struct buf *out)
{
    static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    unsigned unit = 0;

    while (value >= 1024 && unit < 6) {
        value /= 1024;
        unit++;
    }
    buf_print(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void plan_write_head(const struct plan *plan, struct buf *out)
{
    uint64_t ranks = 0;

    for (uint32_t i = 0; i < plan->hosts->count; i++) {
        ranks += plan->ranks[i];
    }
    buf_print(out, "job %s: %u host%s, %" PRIu64 " rank%s (hosts from %s)\n",
              plan->contract->job_name, plan->hosts->count,
              plan->hosts->count == 1 ? "" : "s", ranks, ranks == 1 ? "" : "s",
              plan->hosts->origin);
    buf_print(out, "state: %s\n",
              plan->state_uri != NULL
                  ? plan->state_uri
                  : "none; give --output or --state to run on many hosts");
}

static void plan_write_row(struct buf *out, const char *host, const char *rank,
                           struct deal_sum sum, bool is_split)
{
    struct buf size = {0};

    plan_write_size(sum.bytes, &size);
    buf_print(out, "    %-20s %6s %12" PRIu64 " %s %12s\n", host, rank,
              sum.units, is_split ? "units  " : "objects", buf_text(&size));
    buf_fini(&size);
}

static void plan_write_objects(const struct dealing *d, uint32_t rank,
                               struct buf *out)
{
    struct catalog_cursor at;
    struct catalog_object object;
    struct deal_cursor cursor;
    struct deal_unit unit;

    deal_seek(d->deal, rank, &cursor);
    while (deal_next(&cursor, &unit)) {
        catalog_seek(dealing_catalog(d), unit.object, &at);
        if (!catalog_next(&at, &object)) {
            return;
        }
        buf_add_text(out, "        ");
        buf_add_text(out, d->listing.root_uri);
        buf_add_bytes(out, object.key);
        if (!unit.is_whole) {
            buf_print(out, " [%" PRIu64 "+%" PRIu64 "]", unit.offset,
                      unit.size);
        }
        buf_add_text(out, unit.is_padding ? " (padding)\n" : "\n");
    }
}

static void plan_write_host(const struct plan *plan, const struct dealing *d,
                            uint32_t i, struct buf *out)
{
    const char *host = plan->hosts->names[d->numbers[i]];
    uint32_t first = deal_host_rank(d->deal, i);
    uint32_t ranks = d->ranks[i];
    bool is_split = d->channel->may_split;

    if (ranks > 1) {
        plan_write_row(out, host, "all", deal_host_sum(d->deal, i), is_split);
    }
    for (uint32_t r = 0; r < ranks; r++) {
        char *name = mem_print("%u", first + r);

        plan_write_row(out, ranks > 1 ? "" : host, name,
                       deal_rank_sum(d->deal, first + r), is_split);
        free(name);
        if (plan->with_objects) {
            plan_write_objects(d, first + r, out);
        }
    }
}

void plan_find_left(const struct dealing *d, struct plan_left *out)
{
    uint64_t end =
        d->is_dynamic ? d->positions : catalog_count(d->listing.catalog);
    struct range rest = {0, end};
    struct range gap;

    *out = (struct plan_left){.committed = ranges_size(d->base),
                              .units = end - ranges_size(d->base)};
    for (; ranges_next_gap(d->base, rest, &gap); rest.first = gap.end) {
        if (out->next_count < PLAN_RUNS_SHOWN) {
            out->next[out->next_count++] = gap;
        }
        out->runs++;
    }
}

static void plan_write_left(const struct plan *plan, const struct dealing *d,
                            struct buf *out)
{
    struct plan_left left;

    if (d->base == NULL) {
        return;
    }
    plan_find_left(d, &left);
    buf_print(out,
              "    resumed from %s: epoch %" PRIu64 ", %" PRIu64
              " committed, %" PRIu64 " left in %" PRIu64 " run%s\n",
              plan->resume, d->first_epoch, left.committed, left.units,
              left.runs, left.runs == 1 ? "" : "s");
    if (d->tried_again > 0) {
        buf_print(out, "    skipped before, tried again: %" PRIu64 "\n",
                  d->tried_again);
    }
    if (dealing_is_done(d)) {
        buf_add_text(out, "    nothing is left of this epoch\n");
        return;
    }
    buf_add_text(out, "    next positions:");
    for (uint32_t i = 0; i < left.next_count; i++) {
        buf_print(out, " %" PRIu64 "-%" PRIu64, left.next[i].first,
                  left.next[i].end - 1);
    }
    buf_add_text(out, left.runs > left.next_count ? " ...\n" : "\n");
}

static void plan_write_leased(const struct dealing *d, struct buf *out)
{
    const struct job_channel *c = d->channel;
    uint64_t epochs = dealing_epochs(d);
    uint64_t ranks = 0;

    for (uint32_t i = 0; i < d->host_count; i++) {
        ranks += d->ranks[i];
    }
    buf_print(out,
              "    leased while the command runs: %" PRIu64
              " units an epoch, %" PRIu64 " epoch%s, %u host%s, %" PRIu64
              " rank%s\n",
              d->positions, epochs, epochs == 1 ? "" : "s", d->host_count,
              d->host_count == 1 ? "" : "s", ranks, ranks == 1 ? "" : "s");
    if (c->step_units > 0) {
        buf_print(out, "    in steps of %" PRIu64 " units over all ranks\n",
                  c->step_units);
    }
    if (d->dropped > 0) {
        buf_print(out, "    left out behind the last full step: %" PRIu64 "\n",
                  d->dropped);
    }
}

static void plan_write_deal(const struct plan *plan, const struct dealing *d,
                            struct buf *out)
{
    uint32_t shown = d->host_count;

    if (!plan->with_objects && shown > PLAN_HOSTS_SHOWN) {
        shown = PLAN_HOSTS_SHOWN;
    }
    buf_print(out, "    %-20s %6s\n", "host", "rank");
    for (uint32_t i = 0; i < shown; i++) {
        plan_write_host(plan, d, i, out);
    }
    if (shown < d->host_count) {
        buf_print(out, "    ... and %u more hosts (--json has all)\n",
                  d->host_count - shown);
    }
    buf_print(out, "    fullest rank / mean by bytes: %.3f\n",
              deal_skew(d->deal));
    if (deal_dropped(d->deal) > 0) {
        buf_print(out, "    left out to make the ranks even: %" PRIu64 "\n",
                  deal_dropped(d->deal));
    }
    if (deal_padded(d->deal) > 0) {
        buf_print(out, "    repeated to make the ranks even: %" PRIu64 "\n",
                  deal_padded(d->deal));
    }
}

static void plan_write_dealing(const struct plan *plan, const struct dealing *d,
                               struct buf *out)
{
    const struct job_channel *c = d->channel;

    buf_print(out,
              "\nchannel %s: %s, deal %s, even %s\n    from %s: %" PRIu64
              " objects, ",
              c->name, job_mode_name(c->mode),
              job_deal_name(job_channel_deal(c)), job_even_name(c->even),
              c->uri, catalog_count(d->listing.catalog));
    plan_write_size(catalog_bytes(d->listing.catalog), out);
    buf_add_char(out, '\n');
    if (d->listing.named_by != NULL) {
        buf_print(out, "    named by %s: %s\n", d->listing.named_by,
                  c->listing);
    }
    if (c->mode == JOB_FILE || c->mode == JOB_FAST_FILE) {
        buf_print(out, "    to %s/%s\n", plan->contract->data, c->name);
    } else if (c->mode == JOB_PIPE) {
        buf_print(out, "    to %s/%s_<epoch>\n", plan->contract->data, c->name);
    }
    plan_write_left(plan, d, out);
    if (d->is_dynamic) {
        plan_write_leased(d, out);
    } else {
        plan_write_deal(plan, d, out);
    }
}

static void plan_write_writes(const struct plan *plan, struct buf *out)
{
    uint32_t shown = plan->hosts->count < PLAN_HOSTS_SHOWN ? plan->hosts->count
                                                           : PLAN_HOSTS_SHOWN;

    buf_add_text(out, "\nwrites\n");
    for (uint32_t i = 0; i < shown; i++) {
        const char *host = plan->hosts->names[i];
        char *output = plan_output_uri(plan, host);
        char *checkpoint = plan_checkpoint_uri(plan, host);

        buf_print(out, "    %-20s outputs      %s\n", host,
                  output != NULL ? output : "stay on the host (no --output)");
        buf_print(out, "    %-20s checkpoints  %s\n", "",
                  checkpoint != NULL ? checkpoint
                                     : "stay on the host (no --checkpoint)");
        free(output);
        free(checkpoint);
    }
    if (shown < plan->hosts->count) {
        buf_print(out, "    ... and %u more hosts\n",
                  plan->hosts->count - shown);
    }
}

static void plan_write_settings(const struct plan *plan, struct buf *out)
{
    const struct job *job = plan->contract->job;

    buf_add_text(out, "\nsettings\n");
    for (uint32_t i = 0; i < job_said_count(job); i++) {
        struct job_said said;

        job_said_at(job, i, &said);
        buf_print(out, "    %-28s %-24s %s\n", said.name,
                  said.value != NULL && said.value[0] != '\0' ? said.value
                                                              : "-",
                  said.origin != NULL ? said.origin : "default");
    }
}

void plan_write_text(const struct plan *plan, struct buf *out)
{
    plan_write_head(plan, out);
    for (uint32_t i = 0; i < plan->dealings->count; i++) {
        plan_write_dealing(plan, &plan->dealings->channels[i], out);
    }
    for (uint32_t i = 0; i < plan->contract->job->channel_count; i++) {
        const struct job_channel *c = &plan->contract->job->channels[i];

        if (!dealing_is_brought(c)) {
            buf_print(out, "\nchannel %s: %s, already in its place\n", c->name,
                      job_source_name(c->source));
        }
    }
    plan_write_writes(plan, out);
    plan_write_settings(plan, out);
}
