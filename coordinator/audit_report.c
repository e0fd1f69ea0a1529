/* SPDX-License-Identifier: Apache-2.0 */
/* The audit for people and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "coordinator/audit_state.h"
#include "coordinator/field.h"
#include "proto/job_fields.h"

static const char *const audit_words[AUDIT_FINDINGS] = {
    [AUDIT_DOUBLE] = "double",
    [AUDIT_OUTSIDE] = "outside",
    [AUDIT_OVERLAP] = "overlap",
    [AUDIT_ODD] = "odd",
};

static const char *audit_state_word(const struct audit_epoch *e)
{
    if (e->is_stopped) {
        return "stopped early";
    }
    return e->is_ended ? "complete" : "open";
}

/* Names and reasons came from outside: nothing of them moves the cursor. */
static void audit_add_plain(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        buf_add_char(out, c < ' ' || c == 0x7f ? '?' : *text);
    }
}

static void audit_print_range(struct range range, struct buf *out)
{
    if (range.end - range.first == 1) {
        buf_print(out, "%" PRIu64, range.first);
    } else {
        buf_print(out, "%" PRIu64 "-%" PRIu64, range.first, range.end - 1);
    }
}

static void audit_print_channel(const struct audit *a, uint32_t number,
                                struct buf *out)
{
    const struct audit_channel *c = &a->channels[number];

    buf_add_text(out, "\nchannel ");
    audit_add_plain(c->name, out);
    buf_print(out, ": %" PRIu64 " positions, %" PRIu64, c->positions,
              c->epoch_first + c->epoch_count);
    if (c->epoch_max < JOB_EPOCHS_MAX) {
        buf_print(out, " of %" PRIu64, c->epoch_max);
    }
    buf_add_text(out, " epochs begun, catalog ");
    audit_add_plain(c->catalog, out);
    buf_print(out, "\n  %5s %10s %10s %8s %10s %7s %8s %8s  %s\n", "epoch",
              "committed", "before", "skipped", "missing", "double", "outside",
              "overlap", "state");
    for (uint64_t i = 0; i < c->epoch_count; i++) {
        struct audit_epoch e = audit_epoch(a, number, i);

        buf_print(out,
                  "  %5" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu64
                  " %10" PRIu64 " %7" PRIu64 " %8" PRIu64 " %8" PRIu64
                  "  %s%s\n",
                  e.number, e.committed, e.base, e.skipped, e.missing,
                  e.found[AUDIT_DOUBLE], e.found[AUDIT_OUTSIDE],
                  e.found[AUDIT_OVERLAP], audit_state_word(&e),
                  audit_has_gap(a, number, &e) ? ", GAP" : "");
    }
}

static void audit_print_holders(const struct audit *a, struct buf *out)
{
    struct audit_holder h;

    if (a->row_count > 0) {
        buf_print(out, "\n  %10s %8s %8s %8s  %-12s %-20s %7s %5s\n",
                  "committed", "skipped", "leases", "dropped", "channel",
                  "host", "attempt", "rank");
    }
    for (size_t i = 0; audit_holder(a, i, &h); i++) {
        buf_print(out, "  %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64,
                  h.committed, h.skipped, h.leases, h.drops);
        buf_print(out, "  %-12s %-20s %7" PRIu64 " %5" PRIu32 "\n",
                  a->channels[h.channel].name, h.host[0] != '\0' ? h.host : "?",
                  h.attempt, h.rank);
    }
}

static void audit_print_lists(const struct audit *a, struct buf *out)
{
    struct audit_finding f;
    struct audit_gap g;

    for (size_t i = 0; i < a->skip_count; i++) {
        const struct audit_skip *s = &a->skips[i];

        buf_print(out, "skipped: %s epoch %" PRIu64 " position %" PRIu64 ": ",
                  a->channels[s->channel].name, s->epoch, s->position);
        if (s->key != NULL) {
            audit_add_plain(s->key, out);
            buf_add_text(out, ": ");
        }
        audit_add_plain(s->reason, out);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; audit_gap(a, i, &g); i++) {
        buf_print(out, "gap: %s epoch %" PRIu64 " positions ",
                  a->channels[g.channel].name, g.epoch);
        audit_print_range(g.range, out);
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; audit_finding(a, i, &f); i++) {
        buf_print(out, "%s: %s epoch %" PRIu64 " lease %" PRIu64,
                  audit_words[f.type], a->channels[f.channel].name, f.epoch,
                  f.lease);
        if (f.range.end > f.range.first) {
            buf_add_text(out, " positions ");
            audit_print_range(f.range, out);
        }
        buf_print(out, " in term %" PRIu64 ": %s\n", f.term, f.what);
    }
}

static void audit_print_job(const struct audit *a, struct buf *out)
{
    buf_print(out,
              "run %s: %" PRIu64 " journal objects, %" PRIu64
              " records, %" PRIu64 " coordinators; ",
              a->run[0] != '\0' ? a->run : "?", a->next - 1, a->records,
              a->terms);
    if (!a->is_over) {
        buf_add_text(out, "the job is not over\n");
        return;
    }
    buf_add_text(out, "the job is over: ");
    if (a->over_reason[0] == '\0') {
        buf_add_text(out, status_text(a->status));
    } else {
        audit_add_plain(a->over_host, out);
        buf_add_text(out, a->over_host[0] != '\0' ? ": " : "");
        audit_add_plain(a->over_reason, out);
    }
    buf_add_char(out, '\n');
}

/* Sum what is a gap. */
static uint64_t audit_gap_units(const struct audit *a)
{
    uint64_t units = 0;

    for (uint32_t i = 0; i < a->channel_count; i++) {
        for (uint64_t k = 0; k < a->channels[i].epoch_count; k++) {
            struct audit_epoch e = audit_epoch(a, i, k);

            units += audit_has_gap(a, i, &e) ? e.missing : 0;
        }
    }
    return units;
}

void audit_print(const struct audit *a, struct buf *out)
{
    audit_print_job(a, out);
    for (uint32_t i = 0; i < a->channel_count; i++) {
        if (a->channels[i].is_planned) {
            audit_print_channel(a, i, out);
        }
    }
    audit_print_holders(a, out);
    buf_add_char(out, '\n');
    audit_print_lists(a, out);
    if (audit_is_exact(a)) {
        buf_add_text(out,
                     a->is_over ? "audit: exact\n" : "audit: exact so far\n");
        return;
    }
    buf_print(out, "audit: NOT EXACT: %" PRIu64 " missing", audit_gap_units(a));
    for (int i = 0; i < AUDIT_FINDINGS; i++) {
        buf_print(out, ", %" PRIu64 " %s", a->found[i], audit_words[i]);
    }
    buf_add_text(out, a->is_unread ? ", not all of it could be read\n" : "\n");
}

/* ---- JSON ---------------------------------------------------------------- */

static void audit_json_bool(struct buf *out, const char *key, bool value)
{
    field_write_key(out, key);
    buf_add_text(out, value ? "true" : "false");
}

static void audit_json_range(struct buf *out, struct range range)
{
    field_write_number(out, "first", range.first);
    field_write_number(out, "end", range.end);
}

static void audit_json_epoch(const struct audit *a, uint32_t channel,
                             uint64_t i, struct buf *out)
{
    struct audit_epoch e = audit_epoch(a, channel, i);

    buf_add_text(out, i == 0 ? "{" : ",{");
    field_write_number(out, "epoch", e.number);
    field_write_number(out, "committed", e.committed);
    field_write_number(out, "before", e.base);
    field_write_number(out, "skipped", e.skipped);
    field_write_number(out, "missing", e.missing);
    for (int k = 0; k < AUDIT_FINDINGS; k++) {
        field_write_number(out, audit_words[k], e.found[k]);
    }
    field_write_number(out, "leases", e.leases);
    field_write_text(out, "state", audit_state_word(&e));
    audit_json_bool(out, "has_gap", audit_has_gap(a, channel, &e));
    buf_add_char(out, '}');
}

static void audit_json_channels(const struct audit *a, struct buf *out)
{
    const char *before = "";

    field_write_key(out, "channels");
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < a->channel_count; i++) {
        const struct audit_channel *c = &a->channels[i];

        if (!c->is_planned) {
            continue;
        }
        buf_add_text(out, before);
        buf_add_char(out, '{');
        before = ",";
        field_write_text(out, "name", c->name);
        field_write_text(out, "catalog", c->catalog);
        field_write_number(out, "positions", c->positions);
        field_write_number(out, "epochs_max", c->epoch_max);
        field_write_key(out, "epochs");
        buf_add_char(out, '[');
        for (uint64_t k = 0; k < c->epoch_count; k++) {
            audit_json_epoch(a, i, k, out);
        }
        buf_add_text(out, "]}");
    }
    buf_add_char(out, ']');
}

static void audit_json_holders(const struct audit *a, struct buf *out)
{
    struct audit_holder h;

    field_write_key(out, "holders");
    buf_add_char(out, '[');
    for (size_t i = 0; audit_holder(a, i, &h); i++) {
        buf_add_text(out, i == 0 ? "{" : ",{");
        field_write_text(out, "channel", a->channels[h.channel].name);
        field_write_text(out, "host", h.host);
        field_write_number(out, "attempt", h.attempt);
        field_write_text(out, "incarnation", h.incarnation);
        field_write_number(out, "rank", h.rank);
        field_write_number(out, "leases", h.leases);
        field_write_number(out, "committed", h.committed);
        field_write_number(out, "skipped", h.skipped);
        field_write_number(out, "dropped", h.drops);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void audit_json_where(const struct audit *a, uint32_t channel,
                             uint64_t epoch, struct buf *out)
{
    field_write_text(out, "channel", a->channels[channel].name);
    field_write_number(out, "epoch", epoch);
}

static void audit_json_lists(const struct audit *a, struct buf *out)
{
    struct audit_finding f;
    struct audit_gap g;

    field_write_key(out, "skipped");
    buf_add_char(out, '[');
    for (size_t i = 0; i < a->skip_count; i++) {
        buf_add_text(out, i == 0 ? "{" : ",{");
        audit_json_where(a, a->skips[i].channel, a->skips[i].epoch, out);
        field_write_number(out, "position", a->skips[i].position);
        field_write_text(out, "key",
                         a->skips[i].key != NULL ? a->skips[i].key : "");
        field_write_text(out, "reason", a->skips[i].reason);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\"gaps\":[");
    for (size_t i = 0; audit_gap(a, i, &g); i++) {
        buf_add_text(out, i == 0 ? "{" : ",{");
        audit_json_where(a, g.channel, g.epoch, out);
        audit_json_range(out, g.range);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "],\"findings\":[");
    for (size_t i = 0; audit_finding(a, i, &f); i++) {
        buf_add_text(out, i == 0 ? "{" : ",{");
        field_write_text(out, "type", audit_words[f.type]);
        audit_json_where(a, f.channel, f.epoch, out);
        field_write_number(out, "term", f.term);
        field_write_number(out, "lease", f.lease);
        audit_json_range(out, f.range);
        field_write_text(out, "what", f.what);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void audit_json(const struct audit *a, struct buf *out)
{
    buf_add_char(out, '{');
    field_write_text(out, "run", a->run);
    field_write_number(out, "journal_objects", a->next - 1);
    field_write_number(out, "records", a->records);
    field_write_number(out, "coordinators", a->terms);
    audit_json_bool(out, "exact", audit_is_exact(a));
    audit_json_bool(out, "all_read", !a->is_unread);
    audit_json_bool(out, "over", a->is_over);
    field_write_text(out, "status", a->is_over ? status_name(a->status) : "");
    field_write_text(out, "host", a->is_over ? a->over_host : "");
    field_write_text(out, "reason", a->is_over ? a->over_reason : "");
    field_write_number(out, "missing", audit_gap_units(a));
    audit_json_channels(a, out);
    audit_json_holders(a, out);
    audit_json_lists(a, out);
    buf_add_char(out, '}');
}
