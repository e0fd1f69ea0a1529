/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/plan.h"

static void plan_json_text(struct buf *out, const char *key, const char *text)
{
    buf_print(out, "\"%s\": ", key);
    if (text != NULL) {
        json_write_string(bytes_of(text), out);
    } else {
        buf_add_text(out, "null");
    }
}

static void plan_json_objects(const struct dealing *d, uint32_t rank,
                              struct buf *out)
{
    struct catalog_cursor at;
    struct catalog_object object;
    struct deal_cursor cursor;
    struct deal_unit unit;
    const char *comma = "";

    buf_add_text(out, ", \"objects\": [");
    deal_seek(d->deal, rank, &cursor);
    while (deal_next(&cursor, &unit)) {
        catalog_seek(dealing_catalog(d), unit.object, &at);
        if (!catalog_next(&at, &object)) {
            break;
        }
        buf_print(out, "%s{\"key\": ", comma);
        json_write_string(object.key, out);
        buf_print(out,
                  ", \"offset\": %" PRIu64 ", \"size\": %" PRIu64
                  ", \"padding\": %s}",
                  unit.offset, unit.size, unit.is_padding ? "true" : "false");
        comma = ", ";
    }
    buf_add_char(out, ']');
}

static void plan_json_host(const struct plan *plan, const struct dealing *d,
                           uint32_t i, struct buf *out)
{
    struct deal_sum sum = deal_host_sum(d->deal, i);
    uint32_t first = deal_host_rank(d->deal, i);
    uint32_t ranks = d->ranks[i];

    buf_add_text(out, "{");
    plan_json_text(out, "host", plan->hosts->names[d->numbers[i]]);
    buf_print(out,
              ", \"units\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"ranks\": [",
              sum.units, sum.bytes);
    for (uint32_t r = 0; r < ranks; r++) {
        sum = deal_rank_sum(d->deal, first + r);
        buf_print(
            out, "%s{\"rank\": %u, \"units\": %" PRIu64 ", \"bytes\": %" PRIu64,
            r > 0 ? ", " : "", first + r, sum.units, sum.bytes);
        if (plan->with_objects) {
            plan_json_objects(d, first + r, out);
        }
        buf_add_char(out, '}');
    }
    buf_add_text(out, "]}");
}

/* What was dealt before the command starts. */
static void plan_json_dealt(const struct plan *plan, const struct dealing *d,
                            struct buf *out)
{
    buf_print(out,
              "\"units\": %" PRIu64 ", \"skew\": %.6f, \"dropped\": %" PRIu64
              ", \"padded\": %" PRIu64 ", \"hosts\": [",
              deal_unit_count(d->deal), deal_skew(d->deal),
              deal_dropped(d->deal), deal_padded(d->deal));
    for (uint32_t i = 0; i < d->host_count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        plan_json_host(plan, d, i, out);
    }
}

/* What is leased while it runs: no host has any of it yet. */
static void plan_json_leased(const struct plan *plan, const struct dealing *d,
                             struct buf *out)
{
    buf_print(
        out,
        "\"units\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"epochs\": %" PRIu64
        ", \"step_units\": %" PRIu64 ", \"hosts\": [",
        d->positions, d->dropped, dealing_epochs(d), d->channel->step_units);
    for (uint32_t i = 0; i < d->host_count; i++) {
        buf_add_text(out, i > 0 ? ", {" : "{");
        plan_json_text(out, "host", plan->hosts->names[d->numbers[i]]);
        buf_print(out, ", \"rank_count\": %u}", d->ranks[i]);
    }
}

static void plan_json_resume(const struct plan *plan, const struct dealing *d,
                             struct buf *out)
{
    struct plan_left left;

    if (d->base == NULL) {
        return;
    }
    plan_find_left(d, &left);
    buf_add_text(out, "\"resume\": {");
    plan_json_text(out, "cursor", plan->resume);
    buf_print(out,
              ", \"epoch\": %" PRIu64 ", \"committed\": %" PRIu64
              ", \"left\": %" PRIu64 ", \"runs\": %" PRIu64
              ", \"tried_again\": %" PRIu64 ", \"next\": [",
              d->first_epoch, left.committed, left.units, left.runs,
              d->tried_again);
    for (uint32_t i = 0; i < left.next_count; i++) {
        buf_print(out, "%s[%" PRIu64 ", %" PRIu64 "]", i > 0 ? ", " : "",
                  left.next[i].first, left.next[i].end);
    }
    buf_add_text(out, "]}, ");
}

static void plan_json_dealing(const struct plan *plan, const struct dealing *d,
                              struct buf *out)
{
    const struct job_channel *c = d->channel;

    buf_add_text(out, "{");
    plan_json_text(out, "name", c->name);
    buf_add_text(out, ", ");
    plan_json_text(out, "source", c->uri);
    buf_add_text(out, ", ");
    if (d->listing.named_by != NULL) {
        plan_json_text(out, "named_by", d->listing.named_by);
        buf_add_text(out, ", ");
    }
    plan_json_text(out, "mode", job_mode_name(c->mode));
    buf_add_text(out, ", ");
    plan_json_text(out, "deal", job_deal_name(job_channel_deal(c)));
    buf_add_text(out, ", ");
    plan_json_text(out, "even", job_even_name(c->even));
    buf_add_text(out, ", ");
    plan_json_text(out, "catalog", catalog_name(d->listing.catalog));
    buf_print(out, ", \"objects\": %" PRIu64 ", \"bytes\": %" PRIu64 ", ",
              catalog_count(d->listing.catalog),
              catalog_bytes(d->listing.catalog));
    plan_json_resume(plan, d, out);
    if (d->is_dynamic) {
        plan_json_leased(plan, d, out);
    } else {
        plan_json_dealt(plan, d, out);
    }
    buf_add_text(out, "]}");
}

static void plan_json_hosts(const struct plan *plan, struct buf *out)
{
    for (uint32_t i = 0; i < plan->hosts->count; i++) {
        const char *host = plan->hosts->names[i];
        char *output = plan_output_uri(plan, host);
        char *checkpoint = plan_checkpoint_uri(plan, host);

        buf_add_text(out, i > 0 ? ", {" : "{");
        plan_json_text(out, "name", host);
        buf_print(out, ", \"number\": %u, \"ranks\": %u, ", i, plan->ranks[i]);
        plan_json_text(out, "output", output);
        buf_add_text(out, ", ");
        plan_json_text(out, "checkpoint", checkpoint);
        buf_add_char(out, '}');
        free(output);
        free(checkpoint);
    }
}

static void plan_json_settings(const struct plan *plan, struct buf *out)
{
    const struct job *job = plan->contract->job;

    for (uint32_t i = 0; i < job_said_count(job); i++) {
        struct job_said said;

        job_said_at(job, i, &said);
        buf_add_text(out, i > 0 ? ", {" : "{");
        plan_json_text(out, "name", said.name);
        buf_add_text(out, ", ");
        plan_json_text(out, "value", said.value);
        buf_add_text(out, ", ");
        plan_json_text(out, "origin", said.origin);
        buf_add_char(out, '}');
    }
}

void plan_write_json(const struct plan *plan, struct buf *out)
{
    buf_add_text(out, "{");
    plan_json_text(out, "job", plan->contract->job_name);
    buf_add_text(out, ", ");
    plan_json_text(out, "state", plan->state_uri);
    buf_add_text(out, ", ");
    plan_json_text(out, "hosts_from", plan->hosts->origin);
    buf_add_text(out, ", \"hosts\": [");
    plan_json_hosts(plan, out);
    buf_add_text(out, "], \"channels\": [");
    for (uint32_t i = 0; i < plan->dealings->count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        plan_json_dealing(plan, &plan->dealings->channels[i], out);
    }
    buf_add_text(out, "], \"settings\": [");
    plan_json_settings(plan, out);
    buf_add_text(out, "]}\n");
}
