/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the job as JSON, described in docs/status.md. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "coordinator/field.h"
#include "coordinator/session_state.h"

/* A channel's sums over the hosts. Hosts tell of their channels in the order
 * of the job, so the first look is nearly always a hit. */
struct session_totals {
    struct session_progress sums[WIRE_CHANNELS_MAX];
    uint32_t count;
};

static void session_add_total(struct session_totals *t,
                              const struct session_progress *p, uint32_t guess)
{
    struct session_progress *sum;
    uint32_t i = guess;

    if (i >= t->count || strcmp(t->sums[i].channel, p->channel) != 0) {
        for (i = 0; i < t->count; i++) {
            if (strcmp(t->sums[i].channel, p->channel) == 0) {
                break;
            }
        }
    }
    if (i == WIRE_CHANNELS_MAX) {
        return; /* More names than a job has: some host tells nonsense. */
    }
    sum = &t->sums[i];
    if (i == t->count) {
        *sum = (struct session_progress){0};
        memcpy(sum->channel, p->channel, sizeof(sum->channel));
        t->count++;
    }
    sum->units_done += p->units_done;
    sum->units += p->units;
    sum->bytes_done += p->bytes_done;
    sum->bytes += p->bytes;
}

static void session_report_progress(const struct session_progress *p,
                                    struct buf *out)
{
    field_write_number(out, "units_done", p->units_done);
    field_write_number(out, "units", p->units);
    field_write_number(out, "bytes_done", p->bytes_done);
    field_write_number(out, "bytes", p->bytes);
    buf_add_char(out, '}');
}

static void session_report_channels(const struct session_progress *rows,
                                    uint32_t count, struct buf *out)
{
    field_write_key(out, "channels");
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_add_text(out, i == 0 ? "{" : ",{");
        field_write_text(out, "name", rows[i].channel);
        session_report_progress(&rows[i], out);
    }
    buf_add_char(out, ']');
}

static void session_report_stream(const struct session_stream *t,
                                  struct buf *out)
{
    static const char *const modes[WIRE_STREAM_MODES] = {"File", "FastFile",
                                                         "Pipe", "Ring"};

    CHECK(t->said.mode < WIRE_STREAM_MODES);
    field_write_text(out, "channel", t->channel);
    field_write_key(out, "rank");
    if (t->said.rank < WIRE_RANKS_MAX) {
        buf_print(out, "%" PRIu64, t->said.rank);
    } else {
        buf_add_text(out, "null");
    }
    field_write_text(out, "mode", modes[t->said.mode]);
    field_write_number(out, "epoch", t->said.epoch);
    field_write_number(out, "units", t->said.units);
    field_write_number(out, "units_done", t->said.done);
    field_write_number(out, "bytes", t->said.bytes);
    field_write_number(out, "bytes_per_s", t->said.rate);
    field_write_number(out, "waits_for_store", t->said.store);
    field_write_number(out, "waits_for_consumer", t->said.consumer);
    field_write_text(out, "placed", t->placed);
}

static void session_report_streams(const struct session_member *h,
                                   uint32_t count, struct buf *out)
{
    field_write_key(out, "streams");
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_add_text(out, i == 0 ? "{" : ",{");
        session_report_stream(&h->streams[i], out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void session_report_host(const struct session *s, uint32_t number,
                                bool has_channels, struct buf *out)
{
    const struct session_member *h = &s->hosts[number];

    buf_add_text(out, number == 0 ? "{" : ",{");
    field_write_text(out, "name", h->name);
    field_write_number(out, "number", number);
    field_write_text(out, "phase", wire_phase_word(h->phase));
    field_write_number(out, "ranks", h->ranks);
    field_write_number(out, "attempt", h->attempt);
    field_write_number(out, "silent_ms", s->now_ms - h->heard_ms);
    session_report_channels(h->progress, has_channels ? h->progress_count : 0,
                            out);
    session_report_streams(h, has_channels ? h->stream_count : 0, out);
    field_write_number(out, "saved_units", h->saved_units);
    field_write_number(out, "saved_bytes", h->saved_bytes);
    if (h->phase == WIRE_PHASE_DONE) {
        field_write_number(out, "exit_code", (uint64_t)h->exit_code);
    } else {
        field_write_key(out, "exit_code");
        buf_add_text(out, "null");
    }
    field_write_text(out, "reason", h->reason != NULL ? h->reason : "");
    buf_add_char(out, '}');
}

static void session_report_hosts(const struct session *s,
                                 enum session_detail detail, struct buf *out)
{
    field_write_key(out, "hosts");
    buf_add_char(out, '[');
    for (uint32_t i = 0; detail >= SESSION_DETAIL_HOSTS && i < s->host_count;
         i++) {
        session_report_host(s, i, detail >= SESSION_DETAIL_FULL, out);
    }
    buf_add_char(out, ']');
}

static void session_sum_up(const struct session *s,
                           struct session_totals *totals)
{
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct session_member *h = &s->hosts[i];

        for (uint32_t c = 0; c < h->progress_count; c++) {
            session_add_total(totals, &h->progress[c], c);
        }
    }
}

static void session_report_phases(const struct session *s, struct buf *out)
{
    field_write_key(out, "in_phase");
    buf_add_char(out, '{');
    for (unsigned i = 0; i < WIRE_PHASES; i++) {
        field_write_number(out, wire_phase_word((enum wire_phase)i),
                           s->in_phase[i]);
    }
    buf_add_char(out, '}');
}

static void session_report_totals(const struct session *s,
                                  const struct session_totals *totals,
                                  struct buf *out)
{
    uint64_t units = 0;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < s->host_count; i++) {
        units += s->hosts[i].saved_units;
        bytes += s->hosts[i].saved_bytes;
    }
    field_write_key(out, "totals");
    buf_add_char(out, '{');
    session_report_channels(totals->sums, totals->count, out);
    field_write_number(out, "saved_units", units);
    field_write_number(out, "saved_bytes", bytes);
    buf_add_char(out, '}');
}

static void session_report_outcome(const struct session *s, struct buf *out)
{
    struct session_outcome outcome = session_outcome(s);

    field_write_key(out, "outcome");
    if (s->phase != SESSION_OVER && outcome.status == STATUS_OK) {
        buf_add_text(out, "null");
        return;
    }
    buf_add_char(out, '{');
    field_write_text(out, "status", status_name(outcome.status));
    field_write_number(out, "exit_code", (uint64_t)outcome.exit_code);
    field_write_text(out, "host", outcome.host);
    field_write_text(out, "reason", outcome.reason);
    buf_add_char(out, '}');
}

/* Requests to stores: what the hosts told, and may ask for together. */
static void session_report_budget(const struct session *s, struct buf *out)
{
    struct budget_state state = budget_state(s->budget);

    field_write_key(out, "budget");
    buf_add_char(out, '{');
    field_write_number(out, "limit_per_1000s", state.limit);
    field_write_number(out, "window_ms", state.window_ms);
    field_write_number(out, "window_requests", state.requests);
    field_write_number(out, "window_throttled", state.throttled);
    field_write_number(out, "requests", state.sum.requests);
    field_write_number(out, "throttled", state.sum.throttled);
    buf_add_char(out, '}');
}

void session_report_as(const struct session *s, enum session_detail detail,
                       struct buf *out)
{
    static const char *const words[] = {"totals", "hosts", "full"};
    struct session_totals totals = {.count = 0};

    session_sum_up(s, &totals);
    buf_add_char(out, '{');
    field_write_text(out, "job", s->job_name);
    field_write_text(out, "run", s->run);
    field_write_number(out, "term", s->term);
    field_write_text(out, "leader", s->leader);
    field_write_text(out, "phase", session_phase_word(s->phase));
    field_write_number(out, "since_ms", s->now_ms - s->since_ms);
    field_write_text(out, "detail", words[detail]);
    session_report_hosts(s, detail, out);
    session_report_phases(s, out);
    session_report_totals(s, &totals, out);
    field_write_number(out, "refused", s->refused);
    field_write_number(out, "bad_messages", s->bad_messages);
    session_report_budget(s, out);
    session_report_outcome(s, out);
    buf_add_char(out, '}');
}

void session_report(const struct session *s, struct buf *out)
{
    enum session_detail detail = SESSION_DETAIL_FULL;
    size_t start = out->size;

    session_report_as(s, detail, out);
    while (out->size - start > WIRE_STATUS_MAX) {
        CHECK(detail > SESSION_DETAIL_TOTALS);
        out->size = start;
        session_report_as(s, --detail, out);
    }
}
