/* SPDX-License-Identifier: Apache-2.0 */
/* One step: give the event to who it is for, append what the ledgers decided,
 * let the journal go on, and send what has become durable by it. */
#include "coordinator/reign.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/reign_state.h"

const char *reign_state_word(enum reign_state s)
{
    static const char *const words[] = {"recovering", "loading", "serving",
                                        "deposed", "broken"};

    CHECK(s <= REIGN_BROKEN);
    return words[s];
}

static void reign_copy_session(struct reign *r)
{
    struct session_options *o = &r->options.session;

    r->own.hosts = mem_new(o->host_count, sizeof(*r->own.hosts));
    for (uint32_t i = 0; i < o->host_count; i++) {
        r->own.hosts[i] = mem_copy(o->hosts[i]);
    }
    r->own.job_name = mem_copy(o->job_name);
    r->own.leader = mem_copy(o->leader);
    r->own.run = mem_copy(o->run);
    o->hosts = (const char *const *)r->own.hosts;
    o->job_name = r->own.job_name;
    o->leader = r->own.leader;
    o->run = r->own.run;
}

static void reign_free_session(struct reign *r)
{
    for (uint32_t i = 0; i < r->options.session.host_count; i++) {
        free(r->own.hosts[i]);
    }
    free(r->own.hosts);
    free(r->own.job_name);
    free(r->own.leader);
    free(r->own.run);
}

struct reign *reign_new(const struct reign_options *options)
{
    struct reign *r = mem_new(1, sizeof(*r));

    CHECK(options->session.resumed == NULL && options->session.ended == NULL);
    CHECK(options->number < options->session.host_count);
    r->options = *options;
    r->options.session.keeps_end = true;
    reign_copy_session(r);
    r->now_ms = options->session.now_ms;
    r->began_ms = r->now_ms;
    r->session_timer_ms = REIGN_NEVER;
    r->load_ms = REIGN_NEVER;
    r->timer_ms = REIGN_NEVER;
    r->incarnations =
        mem_new(options->session.host_count, sizeof(*r->incarnations));
    r->dones = mem_new(options->session.host_count, sizeof(*r->dones));
    r->journal = journal_new(&(struct journal_options){
        .run = options->session.run,
        .term = options->session.term,
        .nonce = options->nonce,
        .now_ms = r->now_ms,
        .gap_ms = options->gap_ms,
        .retry_ms = options->session.heartbeat_ms / 4 + 1,
        .snapshot_bytes = options->snapshot_bytes,
        .has_conditions = options->has_conditions,
    });
    return r;
}

void reign_destroy(struct reign **r)
{
    struct reign *old = *r;

    if (old == NULL) {
        return;
    }
    journal_destroy(&old->journal);
    session_destroy(&old->session);
    for (uint32_t i = 0; i < WIRE_CHANNELS_MAX; i++) {
        ledger_destroy(&old->ledgers[i]);
        free(old->first_ranks[i]);
    }
    for (uint32_t i = 0; i < old->post_count; i++) {
        buf_fini(&old->posts[i].first.body);
        buf_fini(&old->posts[i].second.body);
    }
    for (uint32_t i = 0; i < old->sent_room; i++) {
        buf_fini(&old->sent[i]);
    }
    for (uint32_t i = 0; i < old->options.session.host_count; i++) {
        free(old->incarnations[i]);
        free(old->dones[i].reason);
    }
    free(old->incarnations);
    free(old->dones);
    reign_free_session(old);
    for (uint32_t i = 0; i < REIGN_ASKS_MAX; i++) {
        buf_fini(&old->asks[i].text);
    }
    buf_fini(&old->found);
    buf_fini(&old->snapshot);
    buf_fini(&old->record);
    buf_fini(&old->report);
    free(old->ended.host);
    free(old->ended.reason);
    free(old->posts);
    free(old->waits);
    free(old->sends);
    free(old->sent);
    free(old);
    *r = NULL;
}

/* ---- Parts of a step ----------------------------------------------------- */

static void reign_add_send(struct reign *r, const struct session_send *send)
{
    if (r->send_count == r->send_room) {
        r->send_room = r->send_room == 0 ? 8 : 2 * r->send_room;
        r->sends = mem_grow(r->sends, r->send_room, sizeof(*r->sends));
    }
    r->sends[r->send_count++] = *send;
}

struct wire_message *reign_say(struct reign *r, uint64_t peer,
                               enum wire_type type)
{
    struct session_send send = {.peer = peer};

    send.message.type = type;
    send.message.term = r->options.session.term;
    memcpy(send.message.job, r->options.session.run,
           strlen(r->options.session.run) + 1);
    reign_add_send(r, &send);
    return &r->sends[r->send_count - 1].message;
}

void reign_append(struct reign *r, const struct record *record)
{
    buf_clear(&r->record);
    record_write(record, &r->record);
    r->mark = journal_append(r->journal, buf_bytes(&r->record));
    r->has_appended = true;
    if (record->type == RECORD_LEDGER
            ? record->ledger.entry.type != LEDGER_COMMIT
            : record->type != RECORD_DONE) {
        r->firm_mark = r->mark;
    }
}

void reign_append_entries(struct reign *r, uint32_t channel)
{
    struct record record = {.type = RECORD_LEDGER};
    const struct ledger_entry *entries;
    size_t count;

    entries = ledger_take_entries(r->ledgers[channel], &count);
    record.ledger.channel = channel;
    for (size_t i = 0; i < count; i++) {
        record.ledger.entry = entries[i];
        reign_append(r, &record);
    }
}

void reign_step_journal(struct reign *r, struct journal_event *event)
{
    struct journal_effects fx = {0};

    event->now_ms = r->now_ms;
    journal_step(r->journal, event, &fx);
    CHECK(r->request_count + fx.request_count <= JOURNAL_ASKS_MAX);
    for (uint32_t i = 0; i < fx.request_count; i++) {
        r->requests[r->request_count++] = fx.requests[i];
    }
    r->journal_timer_ms = fx.timer_ms;
    r->wants_snapshot = fx.wants_snapshot;
}

void reign_step_session(struct reign *r, struct session_event *event)
{
    struct session_effects fx = {0};

    event->now_ms = r->now_ms;
    event->wall_ms = r->wall_ms;
    session_step(r->session, event, &fx);
    for (uint32_t i = 0; i < fx.send_count; i++) {
        reign_add_send(r, &fx.sends[i]);
    }
    if (fx.do_prepare) {
        r->do_prepare = REIGN_MAKE;
    }
    r->session_timer_ms = fx.timer_ms;
    r->is_over = fx.is_over;
    reign_take_notices(r, &fx);
    if (fx.do_keep_end && !r->has_ended) {
        struct session_outcome outcome = session_outcome(r->session);

        reign_append(r, &(struct record){
                            .type = RECORD_OVER,
                            .over = {.status = outcome.status,
                                     .exit_code = (uint32_t)outcome.exit_code,
                                     .host = bytes_of(outcome.host),
                                     .reason = bytes_of(outcome.reason)},
                        });
        r->has_ended = true;
        r->end_mark = r->mark;
    }
}

/* ---- Events ---------------------------------------------------------------
 */

static void reign_tick_ledgers(struct reign *r)
{
    for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count; i++) {
        if (r->now_ms >= ledger_timer_ms(r->ledgers[i])) {
            ledger_tick(r->ledgers[i], r->now_ms);
        }
    }
}

static void reign_take_timer(struct reign *r)
{
    if (r->now_ms >= r->journal_timer_ms) {
        reign_step_journal(
            r, &(struct journal_event){.type = JOURNAL_EVENT_TIMER});
    }
    if (r->state == REIGN_LOADING && r->now_ms >= r->load_ms) {
        r->load_ms = REIGN_NEVER;
        r->do_prepare = REIGN_LOAD;
    }
    if (r->state != REIGN_SERVING) {
        return;
    }
    if (r->now_ms >= r->session_timer_ms) {
        reign_step_session(
            r, &(struct session_event){.type = SESSION_EVENT_TIMER});
    }
    reign_tick_ledgers(r);
}

static void reign_take_message(struct reign *r, const struct reign_event *event)
{
    const struct wire_message *m = event->message;
    uint32_t host;

    if (m->type == WIRE_ASK) {
        reign_take_ask(r, event);
        return;
    }
    if (m->type == WIRE_WORK && m->term == r->options.session.term &&
        session_host_of(r->session, event->peer, &host)) {
        reign_take_work(r, event);
        reign_step_session(
            r, &(struct session_event){.type = SESSION_EVENT_MESSAGE,
                                       .peer = event->peer,
                                       .message = m});
        return;
    }
    reign_step_session(r, &(struct session_event){.type = SESSION_EVENT_MESSAGE,
                                                  .peer = event->peer,
                                                  .message = m});
    if (session_host_of(r->session, event->peer, &host)) {
        for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count;
             i++) {
            ledger_hear(r->ledgers[i], host, r->now_ms);
        }
    }
}

/* A store that is away will be back; what is damaged stays so. */
static void reign_fail_load(struct reign *r, const struct reign_event *event)
{
    if (event->status == STATUS_MALFORMED || event->status == STATUS_VERSION ||
        event->status == STATUS_FULL) {
        r->state = REIGN_BROKEN;
        fault_set(&r->fault, event->status, "%s",
                  event->text != NULL ? event->text
                                      : status_text(event->status));
        return;
    }
    r->load_ms = r->now_ms + r->options.session.heartbeat_ms;
}

static void reign_take_prepared(struct reign *r,
                                const struct reign_event *event)
{
    struct session_event news = {.type = SESSION_EVENT_PREPARED,
                                 .status = event->status,
                                 .text = event->text};

    if (r->state == REIGN_LOADING) {
        if (event->status == STATUS_OK || event->status == STATUS_NOT_FOUND) {
            reign_begin(r, event->status == STATUS_OK ? event->dealt : NULL);
        } else {
            reign_fail_load(r, event);
        }
        return;
    }
    if (r->state != REIGN_SERVING ||
        session_phase(r->session) != SESSION_PREPARING) {
        return;
    }
    if (event->status == STATUS_OK) {
        reign_make_ledgers(r, event->dealt);
        reign_note_plans(r);
        news.shares = event->dealt->shares;
    }
    reign_step_session(r, &news);
}

/* Who is stepped much later than it asked for was stopped, or starved. Nobody
 * was heard then: the words of the others may still wait to be read. */
static void reign_wake(struct reign *r)
{
    uint64_t slept_ms = r->now_ms - r->timer_ms;

    if (r->state != REIGN_SERVING || r->now_ms < r->timer_ms ||
        slept_ms <= r->options.session.heartbeat_ms) {
        return;
    }
    reign_step_session(r, &(struct session_event){.type = SESSION_EVENT_WOKE,
                                                  .slept_ms = slept_ms});
    for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count; i++) {
        ledger_woke(r->ledgers[i], r->now_ms);
    }
}

static void reign_take(struct reign *r, const struct reign_event *event)
{
    struct journal_event stored;

    switch (event->type) {
    case REIGN_EVENT_TIMER:
        reign_take_timer(r);
        break;
    case REIGN_EVENT_MESSAGE:
        if (r->state == REIGN_SERVING) {
            reign_take_message(r, event);
        } else if (event->message->type == WIRE_ASK) {
            reign_take_ask(r, event);
        }
        break;
    case REIGN_EVENT_BAD:
        if (r->state == REIGN_SERVING) {
            reign_step_session(
                r, &(struct session_event){.type = SESSION_EVENT_BAD,
                                           .peer = event->peer,
                                           .message = event->message,
                                           .status = event->status,
                                           .text = event->text});
        }
        break;
    case REIGN_EVENT_PREPARED:
        reign_take_prepared(r, event);
        break;
    case REIGN_EVENT_STORED:
        stored = *event->stored;
        stored.type = JOURNAL_EVENT_STORED;
        reign_step_journal(r, &stored);
        break;
    }
}

/* ---- After the event ------------------------------------------------------
 */

static void reign_append_all(struct reign *r)
{
    for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count; i++) {
        reign_append_entries(r, i);
    }
    if (r->wants_snapshot) {
        buf_clear(&r->record);
        reign_write_state(r, &r->record);
        journal_snapshot(r->journal, buf_bytes(&r->record));
        r->wants_snapshot = false;
        r->has_appended = true;
    }
}

/* Look where the journal stands; it may go to its end, never back. */
static void reign_follow_journal(struct reign *r)
{
    switch (journal_state(r->journal)) {
    case JOURNAL_RECOVERING:
        reign_take_found(r);
        break;
    case JOURNAL_OPEN:
        if (r->state == REIGN_RECOVERING) {
            reign_take_found(r);
            reign_go_on(r);
        }
        break;
    case JOURNAL_FENCED:
        r->state = REIGN_DEPOSED;
        break;
    case JOURNAL_BROKEN:
        r->state = REIGN_BROKEN;
        fault_set(&r->fault, STATUS_MALFORMED, "%s", journal_fault(r->journal));
        break;
    }
}

static void reign_tell_end(struct reign *r)
{
    if (r->has_ended && !r->is_end_told && r->session != NULL &&
        journal_durable(r->journal) >= r->end_mark) {
        r->is_end_told = true;
        reign_step_session(
            r, &(struct session_event){.type = SESSION_EVENT_END_KEPT});
    }
}

static void reign_settle(struct reign *r)
{
    reign_follow_journal(r);
    if (r->state == REIGN_SERVING) {
        reign_append_all(r);
    }
    if (r->has_appended) {
        r->has_appended = false;
        reign_step_journal(
            r, &(struct journal_event){.type = JOURNAL_EVENT_TIMER});
        reign_follow_journal(r);
    }
    if (r->state == REIGN_SERVING) {
        reign_release(r);
        reign_answer_asks(r);
        reign_tell_end(r);
    }
}

static uint64_t reign_timer_ms(const struct reign *r)
{
    uint64_t next_ms = r->journal_timer_ms;

    if (r->state == REIGN_BROKEN) {
        return r->session_timer_ms;
    }
    if (r->state == REIGN_DEPOSED) {
        return REIGN_NEVER;
    }
    if (r->session_timer_ms < next_ms) {
        next_ms = r->session_timer_ms;
    }
    if (r->load_ms < next_ms) {
        next_ms = r->load_ms;
    }
    for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count; i++) {
        uint64_t timer_ms = ledger_timer_ms(r->ledgers[i]);

        next_ms = timer_ms < next_ms ? timer_ms : next_ms;
    }
    return next_ms;
}

/* The lease has run out: another host may lead. What renews leases, ends or
 * refuses waits; it is asked for again. */
static void reign_hold_tongue(struct reign *r)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < r->send_count; i++) {
        enum wire_type type = r->sends[i].message.type;

        if (type != WIRE_GRANT && type != WIRE_REFUSE && type != WIRE_END) {
            r->sends[kept++] = r->sends[i];
        }
    }
    r->send_count = kept;
}

void reign_step(struct reign *r, const struct reign_event *event,
                struct reign_effects *fx)
{
    CHECK(event->now_ms >= r->now_ms);
    r->now_ms = event->now_ms;
    r->wall_ms = event->wall_ms;
    r->send_count = 0;
    r->sent_count = 0;
    r->request_count = 0;
    r->do_prepare = REIGN_PREPARE_NOTHING;
    if (r->state == REIGN_BROKEN) {
        reign_take_broken(r, event);
    } else if (r->state != REIGN_DEPOSED) {
        reign_wake(r);
        reign_take(r, event);
        reign_settle(r);
    }
    if (r->state == REIGN_BROKEN && !r->is_broken_told) {
        reign_break(r);
    }
    if (event->until_ms != 0 && r->now_ms >= event->until_ms) {
        reign_hold_tongue(r);
    }
    fx->sends = r->sends;
    fx->send_count = r->state == REIGN_DEPOSED ? 0 : r->send_count;
    fx->do_prepare = r->do_prepare;
    fx->requests = r->requests;
    fx->request_count = r->request_count;
    fx->is_over = r->is_over;
    fx->timer_ms = reign_timer_ms(r);
    r->timer_ms = fx->timer_ms > r->now_ms ? fx->timer_ms : r->now_ms;
}

/* ---- Looking --------------------------------------------------------------
 */

enum reign_state reign_state(const struct reign *r)
{
    return r->state;
}

const char *reign_fault(const struct reign *r)
{
    return r->fault.text;
}

const struct session *reign_session(const struct reign *r)
{
    return r->session;
}

const struct ledger *reign_ledger(const struct reign *r, uint32_t number)
{
    return number < WIRE_CHANNELS_MAX ? r->ledgers[number] : NULL;
}

void reign_check(const struct reign *r)
{
    CHECK(r->state <= REIGN_BROKEN);
    journal_check(r->journal);
    CHECK_IMPLIES(r->state == REIGN_SERVING, r->session != NULL);
    if (r->session != NULL) {
        session_check(r->session);
    }
    for (uint32_t i = 0; r->dealt != NULL && i < r->dealt->channel_count; i++) {
        ledger_check(r->ledgers[i]);
    }
    CHECK(r->wait_count <= r->wait_room);
    CHECK_IMPLIES(r->is_end_told, r->has_ended);
}
