/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal holds when a reign begins. Its records are gathered until
 * it is open, then what was dealt is loaded, since the ledgers are made from
 * it, and then all is applied at once. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/varint.h"
#include "coordinator/reign_state.h"

enum { REIGN_STATE_VERSION = 2, REIGN_EXIT_CODE_MAX = 255 };

void reign_take_found(struct reign *r)
{
    struct journal_found found;

    while (journal_take(r->journal, &found)) {
        if (found.type != JOURNAL_FOUND_RECORD) {
            buf_clear(&r->found);
            buf_clear(&r->snapshot);
            r->found_count = 0;
            r->has_snapshot = found.type == JOURNAL_FOUND_SNAPSHOT;
        }
        if (found.type == JOURNAL_FOUND_SNAPSHOT) {
            buf_add_bytes(&r->snapshot, found.body);
        } else if (found.type == JOURNAL_FOUND_RECORD) {
            varint_write_text(found.body, &r->found);
            r->found_count++;
        }
    }
}

void reign_go_on(struct reign *r)
{
    r->was_led = r->has_snapshot || r->found_count > 0 ||
                 journal_stats(r->journal).number > 1;
    if (r->was_led) {
        r->state = REIGN_LOADING;
        r->do_prepare = REIGN_LOAD;
    } else {
        reign_begin(r, NULL);
    }
}

/* ---- Ledgers --------------------------------------------------------------
 */

/* The bounds of the ranks that have a part, packed. */
static uint64_t *reign_pack_bounds(const struct dealt *d, uint32_t number)
{
    const uint64_t *from = d->channels[number].bounds;
    uint64_t *to;
    uint64_t rank = 0;
    uint64_t count = 0;
    uint64_t ranks = 0;

    for (uint32_t i = 0; i < d->host_count; i++) {
        ranks += d->ranks[i];
    }
    to = mem_new(ranks + 1, sizeof(*to));
    for (uint32_t i = 0; i < d->host_count; i++) {
        for (uint32_t k = 0; k < dealt_ranks(d, number, i); k++) {
            to[count++] = from[rank + k];
        }
        rank += d->ranks[i];
    }
    to[count] = from[ranks];
    return to;
}

static void reign_make_ledger(struct reign *r, const struct dealt *d,
                              uint32_t number)
{
    const struct dealt_channel *c = &d->channels[number];
    uint32_t *ranks = mem_new(d->host_count, sizeof(*ranks));
    uint64_t *bounds = c->is_dynamic ? NULL : reign_pack_bounds(d, number);
    uint32_t first = 0;

    r->first_ranks[number] = mem_new(d->host_count, sizeof(uint32_t));
    for (uint32_t i = 0; i < d->host_count; i++) {
        r->first_ranks[number][i] = first;
        ranks[i] = dealt_ranks(d, number, i);
        first += ranks[i];
    }
    r->ledgers[number] = ledger_new(&(struct ledger_options){
        .positions = c->positions,
        .epochs = c->first_epoch + c->epochs,
        .first_epoch = c->first_epoch,
        .step_units = c->step_units,
        .host_count = d->host_count,
        .host_ranks = ranks,
        .host_weights = d->weights,
        .shares = bounds,
        .lease_ms = r->options.session.host_timeout_ms,
        .run_ms = r->options.run_ms,
        .run_units = r->options.run_units,
        .skips = c->skips,
    });
    free(ranks);
    free(bounds);
}

void reign_make_ledgers(struct reign *r, const struct dealt *dealt)
{
    CHECK(r->dealt == NULL);
    CHECK(dealt->host_count == r->options.session.host_count);
    for (uint32_t i = 0; i < dealt->channel_count; i++) {
        reign_make_ledger(r, dealt, i);
    }
    r->post_count = dealt->host_count * dealt->channel_count;
    r->posts = mem_new(r->post_count + 1, sizeof(*r->posts));
    r->dealt = dealt;
}

/* How many ranks each host has in the channel, as its ledger numbers them. */
static void reign_write_ranks(const struct reign *r, uint32_t number,
                              struct buf *out)
{
    const struct dealt *d = r->dealt;

    for (uint32_t i = 0; i < d->host_count; i++) {
        varint_write(dealt_ranks(d, number, i), out);
    }
}

/* The plan is new: tell the journal, with what was committed before. */
static void reign_note_plan(struct reign *r, uint32_t number)
{
    const struct dealt_channel *c = &r->dealt->channels[number];
    struct ranges *base = ranges_new();
    struct buf ranks = {0};
    struct bytes text = c->base;
    struct fault why;
    struct range range = {0, 0};

    reign_write_ranks(r, number, &ranks);
    reign_append(r, &(struct record){
                        .type = RECORD_PLAN,
                        .plan = {.channel = number,
                                 .name = c->name,
                                 .catalog = c->catalog,
                                 .positions = c->positions,
                                 .epochs = c->epochs,
                                 .first_epoch = c->first_epoch,
                                 .step_units = c->step_units,
                                 .is_dynamic = c->is_dynamic,
                                 .skips = c->skips,
                                 .ranks = buf_bytes(&ranks)},
                    });
    buf_fini(&ranks);
    if (c->is_dynamic && text.size > 0 &&
        ranges_read(base, c->positions, LEDGER_HOLES_MAX, &text, &why) ==
            STATUS_OK) {
        while (ranges_next(base, range.end, &range)) {
            ledger_base(r->ledgers[number], range);
        }
    }
    ranges_destroy(&base);
}

static void reign_set_done(struct reign *r, uint32_t host,
                           struct reign_done done)
{
    char *old = r->dones[host].reason;

    r->dones[host] = done;
    free(old);
}

static void reign_forget_done(struct reign *r, uint32_t host)
{
    reign_set_done(r, host, (struct reign_done){.is_done = false});
}

/* A process that has ended does not come back: this is another one. */
static void reign_set_incarnation(struct reign *r, uint32_t host,
                                  struct bytes text)
{
    free(r->incarnations[host]);
    r->incarnations[host] = mem_copy_text(text.at, text.size);
    reign_forget_done(r, host);
}

void reign_note_host(struct reign *r, uint32_t host)
{
    struct session_host h = session_host(r->session, host);

    reign_set_incarnation(r, host,
                          bytes_of(h.incarnation != NULL ? h.incarnation : ""));
    reign_append(r,
                 &(struct record){
                     .type = RECORD_HOST,
                     .host = {.number = host,
                              .name = bytes_of(h.name),
                              .attempt = h.attempt,
                              .ranks = (uint32_t)h.ranks,
                              .incarnation = bytes_of(
                                  h.incarnation != NULL ? h.incarnation : "")},
                 });
}

static struct record reign_done_record(const struct reign_done *d,
                                       uint32_t host)
{
    return (struct record){.type = RECORD_DONE,
                           .done = {.number = host,
                                    .status = d->status,
                                    .exit_code = (uint32_t)d->exit_code,
                                    .reason = bytes_of(d->reason)}};
}

void reign_note_done(struct reign *r, uint32_t host)
{
    struct session_host h = session_host(r->session, host);
    struct reign_done done = {true, h.status, h.exit_code,
                              mem_copy(h.reason != NULL ? h.reason : "")};
    struct record record = reign_done_record(&done, host);

    CHECK(h.phase == WIRE_PHASE_DONE);
    reign_append(r, &record);
    reign_set_done(r, host, done);
}

static void reign_find_done(struct reign *r, const struct record_done *done)
{
    reign_forget_done(r, done->number);
    r->dones[done->number] = (struct reign_done){
        true,
        done->status <= STATUS_STOPPED ? (enum status)done->status
                                       : STATUS_INVALID,
        done->exit_code <= REIGN_EXIT_CODE_MAX ? (int)done->exit_code
                                               : REIGN_EXIT_CODE_MAX,
        mem_copy_text(done->reason.at, done->reason.size)};
}

void reign_note_plans(struct reign *r)
{
    for (uint32_t i = 0; i < r->dealt->channel_count; i++) {
        reign_note_plan(r, i);
        reign_append_entries(r, i);
    }
    for (uint32_t i = 0; r->session != NULL && i < r->dealt->host_count; i++) {
        enum wire_phase phase = session_host(r->session, i).phase;

        /* One that is lost now may come back as the process that it was. */
        if (phase != WIRE_PHASE_ABSENT) {
            reign_note_host(r, i);
            for (uint32_t c = 0;
                 phase != WIRE_PHASE_LOST && c < r->dealt->channel_count; c++) {
                ledger_enter(r->ledgers[c], i, r->now_ms);
            }
            if (phase == WIRE_PHASE_DONE) {
                reign_note_done(r, i);
            }
        }
    }
}

/* ---- The state of a snapshot -----------------------------------------------
 */

/* The outcome, as the session has it or as it was found. */
static void reign_write_end(const struct reign *r, struct buf *out)
{
    struct session_outcome o = session_outcome(r->session);
    struct record record = {.type = RECORD_OVER,
                            .over = {.status = o.status,
                                     .exit_code = (uint32_t)o.exit_code,
                                     .host = bytes_of(o.host),
                                     .reason = bytes_of(o.reason)}};
    struct buf text = {0};

    record_write(&record, &text);
    varint_write_text(buf_bytes(&text), out);
    buf_fini(&text);
}

static void reign_write_hosts(const struct reign *r, struct buf *out)
{
    struct buf text = {0};

    for (uint32_t i = 0; i < r->options.session.host_count; i++) {
        varint_write_text(
            bytes_of(r->incarnations[i] != NULL ? r->incarnations[i] : ""),
            out);
        buf_clear(&text);
        if (r->dones[i].is_done) {
            struct record record = reign_done_record(&r->dones[i], i);

            record_write(&record, &text);
        }
        varint_write_text(buf_bytes(&text), out);
    }
    buf_fini(&text);
}

void reign_write_state(const struct reign *r, struct buf *out)
{
    uint32_t count = r->dealt != NULL ? r->dealt->channel_count : 0;
    struct buf ledger = {0};

    varint_write(REIGN_STATE_VERSION, out);
    reign_write_hosts(r, out);
    varint_write(count, out);
    for (uint32_t i = 0; i < count; i++) {
        buf_clear(&ledger);
        ledger_write(r->ledgers[i], &ledger);
        varint_write_text(buf_bytes(&ledger), out);
    }
    buf_fini(&ledger);
    varint_write(r->has_ended, out);
    if (r->has_ended) {
        reign_write_end(r, out);
    }
}

static bool reign_read_hosts(struct reign *r, struct bytes *in)
{
    struct record record;
    struct bytes text;
    struct bytes done;

    for (uint32_t i = 0; i < r->options.session.host_count; i++) {
        if (!varint_read_text(in, WIRE_NAME_MAX, &text) ||
            !varint_read_text(in, JOURNAL_RECORD_MAX, &done)) {
            return false;
        }
        reign_set_incarnation(r, i, text);
        if (done.size == 0) {
            continue;
        }
        if (record_read(done, &r->fault, &record) != STATUS_OK ||
            record.type != RECORD_DONE || record.done.number != i) {
            return false;
        }
        reign_find_done(r, &record.done);
    }
    return true;
}

static void reign_find_end(struct reign *r, const struct record *record)
{
    r->has_ended = true;
    r->is_end_told = true;
    free(r->ended.host);
    free(r->ended.reason);
    r->ended.status = record->over.status <= STATUS_STOPPED
                          ? (enum status)record->over.status
                          : STATUS_INVALID;
    r->ended.exit_code = (int)record->over.exit_code;
    r->ended.host = mem_copy_text(record->over.host.at, record->over.host.size);
    r->ended.reason =
        mem_copy_text(record->over.reason.at, record->over.reason.size);
}

static enum status reign_read_end(struct reign *r, struct bytes *in)
{
    struct record record;
    struct bytes text;
    uint64_t has_ended;
    enum status s;

    if (!varint_read(in, &has_ended) || has_ended > 1 ||
        (has_ended == 1 && !varint_read_text(in, JOURNAL_RECORD_MAX, &text))) {
        return fault_set(&r->fault, STATUS_MALFORMED,
                         "the snapshot is cut short");
    }
    if (has_ended == 0) {
        return STATUS_OK;
    }
    s = record_read(text, &r->fault, &record);
    if (s == STATUS_OK && record.type == RECORD_OVER) {
        reign_find_end(r, &record);
    }
    return s;
}

static enum status reign_read_state(struct reign *r, struct bytes in)
{
    uint64_t version = 0;
    uint64_t count = 0;
    struct bytes text;
    enum status s = STATUS_OK;

    if (!varint_read(&in, &version) || version != REIGN_STATE_VERSION ||
        !reign_read_hosts(r, &in) || !varint_read(&in, &count) ||
        count != (r->dealt != NULL ? r->dealt->channel_count : 0)) {
        return fault_set(&r->fault, STATUS_MALFORMED,
                         "the snapshot is not one of this job");
    }
    for (uint32_t i = 0; s == STATUS_OK && i < count; i++) {
        if (!varint_read_text(&in, JOURNAL_SNAPSHOT_MAX, &text)) {
            return fault_set(&r->fault, STATUS_MALFORMED,
                             "the snapshot is cut short");
        }
        s = ledger_read(r->ledgers[i], &text, &r->fault);
    }
    return s == STATUS_OK ? reign_read_end(r, &in) : s;
}

/* ---- Records ---------------------------------------------------------------
 */

static enum status reign_apply(struct reign *r, const struct record *record,
                               bool *has_plan)
{
    uint32_t channel = record->ledger.channel;

    if (record->type == RECORD_PLAN) {
        *has_plan = true;
    } else if (record->type == RECORD_HOST &&
               record->host.number < r->options.session.host_count) {
        reign_set_incarnation(r, record->host.number, record->host.incarnation);
    } else if (record->type == RECORD_OVER) {
        reign_find_end(r, record);
    } else if (record->type == RECORD_DONE &&
               record->done.number < r->options.session.host_count) {
        reign_find_done(r, &record->done);
    } else if (record->type == RECORD_LEDGER) {
        if (r->dealt == NULL || channel >= r->dealt->channel_count) {
            return fault_set(&r->fault, STATUS_MALFORMED,
                             "the journal tells of a channel that was not "
                             "dealt");
        }
        return ledger_apply(r->ledgers[channel], &record->ledger.entry,
                            &r->fault);
    }
    return STATUS_OK;
}

static enum status reign_apply_all(struct reign *r, bool *has_plan)
{
    struct bytes in = buf_bytes(&r->found);
    struct bytes text;
    struct record record;
    enum status s = STATUS_OK;

    if (r->has_snapshot) {
        *has_plan = r->dealt != NULL;
        s = reign_read_state(r, buf_bytes(&r->snapshot));
    }
    for (uint64_t i = 0; s == STATUS_OK && i < r->found_count; i++) {
        bool has_text = varint_read_text(&in, JOURNAL_RECORD_MAX, &text);

        CHECK(has_text);
        s = record_read(text, &r->fault, &record);
        if (s == STATUS_OK) {
            s = reign_apply(r, &record, has_plan);
        }
    }
    return s;
}

static void reign_new_session(struct reign *r)
{
    struct session_options options = r->options.session;
    struct session_done *done = mem_new(options.host_count, sizeof(*done));
    struct session_outcome ended = {.status = r->ended.status,
                                    .exit_code = r->ended.exit_code,
                                    .host = r->ended.host,
                                    .reason = r->ended.reason};

    for (uint32_t i = 0; i < options.host_count; i++) {
        const struct reign_done *d = &r->dones[i];

        done[i] = (struct session_done){d->is_done, d->status, d->exit_code,
                                        d->reason};
    }
    options.done = done;
    options.now_ms = r->now_ms;
    options.resumed = r->dealt != NULL ? r->dealt->shares : NULL;
    options.incarnations = (const char *const *)r->incarnations;
    options.ended = r->has_ended ? &ended : NULL;
    r->session = session_new(&options);
    free(done);
    r->session_timer_ms = r->now_ms;
}

void reign_begin(struct reign *r, const struct dealt *dealt)
{
    bool has_plan = false;

    if (dealt != NULL && dealt->host_count != r->options.session.host_count) {
        r->state = REIGN_BROKEN;
        fault_set(&r->fault, STATUS_CONFLICT,
                  "the run was dealt to %u hosts, not %u", dealt->host_count,
                  r->options.session.host_count);
        return;
    }
    if (dealt != NULL) {
        reign_make_ledgers(r, dealt);
    }
    if (reign_apply_all(r, &has_plan) != STATUS_OK) {
        r->state = REIGN_BROKEN;
        return;
    }
    reign_new_session(r);
    r->state = REIGN_SERVING;
    if (dealt != NULL && !has_plan) {
        reign_note_plans(r);
    }
    for (uint32_t i = 0; dealt != NULL && i < dealt->channel_count; i++) {
        ledger_resume(r->ledgers[i], r->now_ms);
    }
    buf_fini(&r->found);
    buf_fini(&r->snapshot);
}
