/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/line.h"
#include "base/mem.h"
#include "coordinator/session_state.h"

#define SESSION_NEVER UINT64_MAX

static const char *const session_phase_words[] = {
    [SESSION_JOINING] = "joining",   [SESSION_PREPARING] = "preparing",
    [SESSION_BRINGING] = "bringing", [SESSION_RUNNING] = "running",
    [SESSION_ENDING] = "ending",     [SESSION_OVER] = "over",
};

const char *session_phase_word(enum session_phase p)
{
    CHECK(p <= SESSION_OVER);
    return session_phase_words[p];
}

struct session *session_new(const struct session_options *options)
{
    struct session *s = mem_new(1, sizeof(*s));

    CHECK(strlen(options->run) <= WIRE_JOB_SIZE && options->run[0] != '\0');
    CHECK(options->heartbeat_ms > 0);
    CHECK(options->host_timeout_ms > options->heartbeat_ms);
    memcpy(s->run, options->run, strlen(options->run));
    s->job_name = mem_copy(options->job_name);
    s->leader = mem_copy(options->leader);
    s->term = options->term;
    s->join_timeout_ms = options->join_timeout_ms;
    s->heartbeat_ms = options->heartbeat_ms;
    s->host_timeout_ms = options->host_timeout_ms;
    s->grace_ms = options->grace_ms;
    s->skew_max_ms = options->skew_max_ms;
    s->keeps_on_failure = options->keeps_on_failure;
    s->keeps_end = options->keeps_end;
    s->is_resumed = options->resumed != NULL;
    s->shares = options->resumed;
    s->now_ms = options->now_ms;
    s->since_ms = options->now_ms;
    s->outcome.host = SESSION_NO_HOST;
    session_hosts_init(s, options);
    s->budget = budget_new(&(struct budget_options){
        options->host_count, options->heartbeat_ms, options->now_ms});
    s->broadcast.next = s->host_count;
    session_resume(s, options);
    return s;
}

void session_destroy(struct session **s)
{
    struct session *old = *s;

    if (old == NULL) {
        return;
    }
    session_hosts_fini(old);
    budget_destroy(&old->budget);
    free(old->job_name);
    free(old->leader);
    free(old->outcome.reason);
    free(old->sends);
    free(old->notices);
    buf_fini(&old->report);
    buf_fini(&old->reason);
    free(old);
    *s = NULL;
}

static bool session_is_out(const struct session_member *h)
{
    return h->phase == WIRE_PHASE_DONE || h->phase == WIRE_PHASE_LOST;
}

static uint32_t session_out_count(const struct session *s)
{
    return s->in_phase[WIRE_PHASE_DONE] + s->in_phase[WIRE_PHASE_LOST];
}

static void session_enter(struct session *s, enum session_phase phase)
{
    CHECK(phase > s->phase);
    s->phase = phase;
    s->since_ms = s->now_ms;
    s->scan_ms = s->now_ms + s->heartbeat_ms;
}

/* Tell everybody that it is over. Hosts that never came count as lost. */
static void session_broadcast_end(struct session *s)
{
    for (uint32_t i = 0; i < s->host_count; i++) {
        if (s->hosts[i].phase == WIRE_PHASE_ABSENT) {
            session_set_phase(s, i, WIRE_PHASE_LOST);
        }
    }
    session_broadcast(s, WIRE_END, 0);
}

/* What went wrong, and whether it ends the job whatever was asked for. */
struct session_failure {
    enum status status;
    int exit_code;
    uint32_t host; /* Or SESSION_NO_HOST. */
    const char *reason;
    bool is_fatal;
};

static void session_fail(struct session *s, const struct session_failure *f)
{
    CHECK(f->status != STATUS_OK && f->exit_code != 0);
    if (s->has_ended) {
        return;
    }
    if (s->outcome.reason == NULL) {
        s->outcome.status = f->status;
        s->outcome.exit_code = f->exit_code;
        s->outcome.host = f->host;
        s->outcome.reason = mem_copy(f->reason);
        line_clean(s->outcome.reason, WIRE_TEXT_MAX);
    }
    if ((f->is_fatal || !s->keeps_on_failure) && s->phase < SESSION_ENDING) {
        session_enter(s, SESSION_ENDING);
        session_broadcast_end(s);
    }
}

static char *session_loss_text(const struct session *s,
                               const struct session_member *h)
{
    uint64_t silent_ms = s->now_ms - h->heard_ms;

    if (silent_ms >= s->host_timeout_ms) {
        return mem_print("not heard of for %llu s",
                         (unsigned long long)silent_ms / 1000);
    }
    return mem_print("did not end within %llu s",
                     (unsigned long long)(s->now_ms - s->since_ms) / 1000);
}

/* Give @host up. While JOINING it may still come again. */
static void session_lose(struct session *s, uint32_t host)
{
    struct session_member *h = &s->hosts[host];

    session_set_phase(s, host, WIRE_PHASE_LOST);
    session_notify(s, host, SESSION_NEWS_GONE);
    free(h->reason);
    h->reason = session_loss_text(s, h);
    if (s->phase != SESSION_JOINING) {
        session_fail(s, &(struct session_failure){
                            .status = STATUS_LOST,
                            .exit_code = status_exit_code(STATUS_LOST),
                            .host = host,
                            .reason = h->reason,
                        });
    }
}

static void session_advance_joining(struct session *s)
{
    if (s->in_phase[WIRE_PHASE_ABSENT] + s->in_phase[WIRE_PHASE_LOST] != 0) {
        return;
    }
    if (s->shares != NULL) {
        session_enter(s, SESSION_BRINGING);
    } else {
        session_enter(s, SESSION_PREPARING);
        s->do_prepare = true;
    }
}

/* The barrier: everybody who is still here has its share. */
static void session_advance_bringing(struct session *s, uint64_t wall_ms)
{
    uint32_t behind = s->in_phase[WIRE_PHASE_ABSENT] +
                      s->in_phase[WIRE_PHASE_JOINED] +
                      s->in_phase[WIRE_PHASE_BRINGING];

    if (!s->is_resumed) {
        behind += s->in_phase[WIRE_PHASE_STOPPING]; /* It never had it. */
    }
    if (behind > 0) {
        return;
    }
    session_enter(s, SESSION_RUNNING);
    session_broadcast(s, WIRE_START, wall_ms);
}

/* Go on to the next phase if this one is done. */
static void session_advance(struct session *s, uint64_t wall_ms)
{
    bool was_ending = s->phase == SESSION_ENDING;

    if (s->phase == SESSION_JOINING) {
        session_advance_joining(s);
    }
    if (s->phase == SESSION_BRINGING) {
        session_advance_bringing(s, wall_ms);
    }
    if (s->phase > SESSION_JOINING && s->phase < SESSION_OVER &&
        session_out_count(s) == s->host_count) {
        session_enter(s, SESSION_OVER);
        if (!was_ending) {
            session_broadcast_end(s);
        }
    }
}

static void session_take_beat(struct session *s, uint32_t host,
                              const struct session_event *event)
{
    static const enum session_phase since[WIRE_PHASES] = {
        [WIRE_PHASE_BRINGING] = SESSION_BRINGING,
        [WIRE_PHASE_READY] = SESSION_BRINGING,
        [WIRE_PHASE_RUNNING] = SESSION_RUNNING,
        [WIRE_PHASE_STOPPING] = SESSION_BRINGING,
        [WIRE_PHASE_SAVING] = SESSION_RUNNING,
    };
    struct session_member *h = &s->hosts[host];
    const struct wire_beat *beat = &event->message->beat;

    if (beat->number > h->beat) {
        budget_hear(s->budget, host,
                    &(struct budget_word){beat->requests, beat->throttled},
                    s->now_ms);
    }
    session_send_pulse(s, host, beat->number);
    if (beat->number <= h->beat || h->phase == WIRE_PHASE_DONE) {
        return;
    }
    if (beat->phase < WIRE_PHASE_JOINED || beat->phase > WIRE_PHASE_DONE ||
        (s->phase < since[beat->phase] && !s->is_resumed)) {
        s->bad_messages++;
        return;
    }
    h->beat = beat->number;
    session_take_progress(h, beat);
    if (beat->phase > h->phase && beat->phase < WIRE_PHASE_DONE) {
        session_set_phase(s, host, (enum wire_phase)beat->phase);
    }
    if (s->phase >= SESSION_ENDING && beat->phase < WIRE_PHASE_STOPPING) {
        session_send_end(s, host);
    } else if (s->shares != NULL && beat->phase == WIRE_PHASE_JOINED) {
        session_send_share(s, host);
    } else if (s->phase == SESSION_RUNNING && beat->phase == WIRE_PHASE_READY) {
        session_send_start(s, host, event->wall_ms);
    }
}

static void session_take_ready(struct session *s, uint32_t host)
{
    if (s->phase < SESSION_BRINGING && !s->is_resumed) {
        s->bad_messages++;
    } else if (s->hosts[host].phase < WIRE_PHASE_READY) {
        session_set_phase(s, host, WIRE_PHASE_READY);
    }
}

static void session_note_done(struct session *s, uint32_t host,
                              const struct wire_done *done)
{
    struct session_member *h = &s->hosts[host];

    h->status = done->status <= STATUS_STOPPED ? (enum status)done->status
                                               : STATUS_INVALID;
    h->exit_code = done->exit_code <= 255 ? (int)done->exit_code : 255;
    if (h->status != STATUS_OK && h->exit_code == 0) {
        h->exit_code = status_exit_code(h->status);
    }
    h->saved_units = done->saved_units;
    h->saved_bytes = done->saved_bytes;
    free(h->reason);
    h->reason = NULL;
    if (done->reason.size > 0) {
        h->reason = mem_copy_text(done->reason.at, done->reason.size);
    } else if (h->exit_code != 0) {
        h->reason = mem_print("ended with exit code %d", h->exit_code);
    } else if (s->phase < SESSION_RUNNING && !s->is_resumed) {
        h->exit_code = status_exit_code(STATUS_INVALID);
        h->reason = mem_copy("ended before its command was to start");
    }
    if (h->reason != NULL) {
        line_clean(h->reason, WIRE_TEXT_MAX);
    }
    session_set_phase(s, host, WIRE_PHASE_DONE);
    session_notify(s, host,
                   h->exit_code == 0 ? SESSION_NEWS_DONE : SESSION_NEWS_GONE);
}

static void session_take_done(struct session *s, uint32_t host,
                              const struct wire_done *done)
{
    struct session_member *h = &s->hosts[host];

    s->kept_count -= h->is_kept;
    h->is_kept = false;
    if (h->phase != WIRE_PHASE_DONE) {
        session_note_done(s, host, done);
        if (h->exit_code != 0) {
            bool ran = h->status == STATUS_OK;

            session_fail(s, &(struct session_failure){
                                .status = ran ? STATUS_PEER_FAILED : h->status,
                                .exit_code = h->exit_code,
                                .host = host,
                                .reason = h->reason,
                            });
        }
    }
    if (s->phase >= SESSION_ENDING) {
        session_send_end(s, host);
    }
}

static void session_take_known(struct session *s, uint32_t host,
                               const struct session_event *event)
{
    struct session_member *h = &s->hosts[host];
    const struct wire_message *m = event->message;

    if (h->phase == WIRE_PHASE_LOST && s->phase != SESSION_JOINING) {
        if (!session_may_return(s, host)) {
            session_refuse_lost(s, host, event->peer);
        }
        return; /* Else its next HELLO brings it back. */
    }
    session_hear(s, host);
    if (m->type == WIRE_BEAT) {
        session_take_beat(s, host, event);
    } else if (m->type == WIRE_READY) {
        session_take_ready(s, host);
    } else if (m->type == WIRE_DONE) {
        session_take_done(s, host, &m->done);
    } else if (m->type != WIRE_WORK) {
        s->bad_messages++;
    }
}

/* A share is told when what was dealt is in the store. A host that has one,
 * and a run of which nothing was dealt: the state was deleted meanwhile. */
static void session_mind_loss(struct session *s,
                              const struct session_event *event)
{
    const struct wire_hello *hello = &event->message->hello;
    uint32_t host = session_find_peer(s, event->peer);
    struct buf reason = {0};

    if (s->shares != NULL || host == SESSION_NO_HOST ||
        hello->phase < WIRE_PHASE_BRINGING ||
        hello->phase > WIRE_PHASE_RUNNING) {
        return;
    }
    buf_print(&reason,
              "host %s has its share, and nothing that this run has dealt is "
              "in the job's state any more; who has deleted that? start the "
              "job again",
              s->hosts[host].name);
    session_fail(s, &(struct session_failure){
                        .status = STATUS_STORE,
                        .exit_code = status_exit_code(STATUS_STORE),
                        .host = SESSION_NO_HOST,
                        .reason = buf_text(&reason),
                        .is_fatal = true,
                    });
    buf_fini(&reason);
}

static void session_take_message(struct session *s,
                                 const struct session_event *event)
{
    const struct wire_message *m = event->message;
    uint32_t host = session_find_peer(s, event->peer);

    if (m->type == WIRE_ASK) {
        session_send_report(s, event->peer, m);
    } else if (m->term != s->term) {
        s->refused++; /* One of us is late: the lease will tell. */
    } else if (m->type == WIRE_HELLO) {
        session_take_hello(s, event);
        session_mind_loss(s, event);
    } else if (host == SESSION_NO_HOST) {
        s->bad_messages++; /* It will say HELLO when nobody answers. */
    } else {
        session_take_known(s, host, event);
    }
}

static void session_take_bad(struct session *s,
                             const struct session_event *event)
{
    s->bad_messages++;
    if (event->status == STATUS_VERSION || event->status == STATUS_WRONG_JOB) {
        session_send_refuse(s, event->peer, event->status, "%s",
                            event->text != NULL ? event->text
                                                : status_text(event->status));
        session_head_as(s, event->message);
    }
}

static void session_take_failure(struct session *s,
                                 const struct session_event *event)
{
    session_fail(s, &(struct session_failure){
                        .status = event->status,
                        .exit_code = status_exit_code(event->status),
                        .host = SESSION_NO_HOST,
                        .reason = event->text,
                        .is_fatal = true,
                    });
}

static void session_take_end_kept(struct session *s)
{
    CHECK(s->phase >= SESSION_ENDING);
    s->is_end_kept = true;
    session_broadcast_end(s);
}

static void session_take_prepared(struct session *s,
                                  const struct session_event *event)
{
    if (s->phase != SESSION_PREPARING) {
        return; /* The job has failed meanwhile. */
    }
    if (event->status != STATUS_OK) {
        session_fail(s, &(struct session_failure){
                            .status = event->status,
                            .exit_code = status_exit_code(event->status),
                            .host = SESSION_NO_HOST,
                            .reason = event->text != NULL
                                          ? event->text
                                          : status_text(event->status),
                            .is_fatal = true,
                        });
        return;
    }
    CHECK(event->shares != NULL);
    s->shares = event->shares;
    session_enter(s, SESSION_BRINGING);
    session_broadcast(s, WIRE_SHARE, 0);
}

static uint64_t session_after(uint64_t from_ms, uint64_t for_ms)
{
    return for_ms < SESSION_NEVER - from_ms ? from_ms + for_ms : SESSION_NEVER;
}

static uint64_t session_no_later(uint64_t at_ms, const struct session *s)
{
    return at_ms < s->now_ms ? at_ms : s->now_ms;
}

/* When this phase is given up. */
static uint64_t session_deadline_ms(const struct session *s)
{
    if (s->has_ended) {
        return s->in_phase[WIRE_PHASE_ABSENT] > 0
                   ? session_after(s->since_ms, s->host_timeout_ms)
                   : SESSION_NEVER;
    }
    if (s->phase == SESSION_JOINING) {
        return session_after(s->since_ms, s->is_resumed ? s->host_timeout_ms
                                                        : s->join_timeout_ms);
    }
    if (s->phase == SESSION_ENDING) {
        return session_after(session_after(s->since_ms, s->grace_ms),
                             s->host_timeout_ms);
    }
    return SESSION_NEVER;
}

/* Give up on those that are not back. */
static void session_lose_absent(struct session *s)
{
    if (s->phase == SESSION_JOINING) {
        session_enter(s, SESSION_BRINGING);
    }
    for (uint32_t i = 0; i < s->host_count; i++) {
        if (s->hosts[i].phase == WIRE_PHASE_ABSENT) {
            session_lose(s, i);
        }
    }
}

static void session_end_joining(struct session *s)
{
    struct buf reason = {0};

    if (s->is_resumed) {
        session_lose_absent(s);
        return;
    }
    session_name_missing(s, &reason);
    session_fail(s, &(struct session_failure){
                        .status = STATUS_TIMEOUT,
                        .exit_code = status_exit_code(STATUS_TIMEOUT),
                        .host = SESSION_NO_HOST,
                        .reason = buf_text(&reason),
                        .is_fatal = true,
                    });
    buf_fini(&reason);
}

void session_scan_host(struct session *s, uint32_t host)
{
    const struct session_member *h = &s->hosts[host];

    if (h->phase != WIRE_PHASE_ABSENT && !session_is_out(h) &&
        s->now_ms - h->heard_ms >= s->host_timeout_ms) {
        session_lose(s, host);
    }
}

static void session_scan(struct session *s, bool gives_up)
{
    s->scan_ms = s->now_ms + s->heartbeat_ms;
    for (uint32_t i = 0; i < s->host_count; i++) {
        const struct session_member *h = &s->hosts[i];

        if (gives_up && h->phase != WIRE_PHASE_ABSENT && !session_is_out(h)) {
            session_lose(s, i);
        } else {
            session_scan_host(s, i);
        }
    }
}

static void session_take_timer(struct session *s)
{
    bool is_late = s->now_ms >= session_deadline_ms(s);

    session_go_on(s);
    if (is_late && s->phase == SESSION_JOINING) {
        session_end_joining(s);
    } else if (is_late && s->has_ended) {
        session_lose_absent(s);
        session_scan(s, false);
    } else if (is_late || s->now_ms >= s->scan_ms) {
        session_scan(s, is_late);
    }
}

static void session_take_woke(struct session *s, uint64_t slept_ms)
{
    for (uint32_t i = 0; i < s->host_count; i++) {
        struct session_member *h = &s->hosts[i];

        h->heard_ms = session_no_later(session_after(h->heard_ms, slept_ms), s);
    }
    s->since_ms = session_no_later(session_after(s->since_ms, slept_ms), s);
    s->scan_ms = s->now_ms + s->heartbeat_ms;
}

static uint64_t session_timer_ms(const struct session *s)
{
    uint64_t deadline_ms = session_deadline_ms(s);

    if (session_is_telling(s)) {
        return s->now_ms;
    }
    if (s->phase == SESSION_OVER) {
        return session_awaits_kept(s) ? s->kept_ms : SESSION_NEVER;
    }
    return deadline_ms < s->scan_ms ? deadline_ms : s->scan_ms;
}

void session_step(struct session *s, const struct session_event *event,
                  struct session_effects *fx)
{
    CHECK(event->now_ms >= s->now_ms);
    s->now_ms = event->now_ms;
    s->send_count = 0;
    s->notice_count = 0;
    s->do_prepare = false;
    switch (event->type) {
    case SESSION_EVENT_TIMER:
        session_take_timer(s);
        break;
    case SESSION_EVENT_MESSAGE:
        session_take_message(s, event);
        break;
    case SESSION_EVENT_BAD:
        session_take_bad(s, event);
        break;
    case SESSION_EVENT_PREPARED:
        session_take_prepared(s, event);
        break;
    case SESSION_EVENT_END_KEPT:
        session_take_end_kept(s);
        break;
    case SESSION_EVENT_FAIL:
        session_take_failure(s, event);
        break;
    case SESSION_EVENT_WOKE:
        session_take_woke(s, event->slept_ms);
        break;
    }
    session_advance(s, event->wall_ms);
    fx->sends = s->sends;
    fx->send_count = s->send_count;
    fx->do_prepare = s->do_prepare;
    fx->notices = s->notices;
    fx->notice_count = s->notice_count;
    fx->do_keep_end =
        s->phase >= SESSION_ENDING && s->keeps_end && !s->is_end_kept;
    fx->is_over = s->phase == SESSION_OVER && !fx->do_keep_end &&
                  !session_is_telling(s) && !session_awaits_kept(s);
    fx->timer_ms = session_timer_ms(s);
}

enum session_phase session_phase(const struct session *s)
{
    return s->phase;
}

struct session_host session_host(const struct session *s, uint32_t number)
{
    const struct session_member *h = &s->hosts[number];

    CHECK(number < s->host_count);
    return (struct session_host){
        .name = h->name,
        .ranks = h->ranks,
        .weight = h->weight,
        .attempt = h->attempt,
        .incarnation = h->incarnation,
        .phase = h->phase,
        .status = h->status,
        .exit_code = h->exit_code,
        .reason = h->reason,
    };
}

bool session_host_of(const struct session *s, uint64_t peer, uint32_t *number)
{
    *number = session_find_peer(s, peer);
    return *number != SESSION_NO_HOST && !session_is_out(&s->hosts[*number]);
}

struct session_outcome session_outcome(const struct session *s)
{
    uint32_t host = s->outcome.host;

    return (struct session_outcome){
        .status = s->outcome.status,
        .exit_code = s->outcome.exit_code,
        .host = host != SESSION_NO_HOST ? s->hosts[host].name : "",
        .reason = s->outcome.reason != NULL ? s->outcome.reason : "",
    };
}

void session_check(const struct session *s)
{
    uint32_t out = session_out_count(s);

    session_hosts_check(s);
    budget_check(s->budget);
    CHECK(s->phase <= SESSION_OVER);
    CHECK(s->kept_count <= s->in_phase[WIRE_PHASE_DONE]);
    CHECK_IMPLIES(s->phase >= SESSION_BRINGING && s->phase <= SESSION_RUNNING,
                  s->shares != NULL);
    CHECK_IMPLIES(s->phase == SESSION_PREPARING || s->phase == SESSION_BRINGING,
                  s->in_phase[WIRE_PHASE_ABSENT] == 0);
    CHECK_IMPLIES(s->phase < SESSION_RUNNING && !s->is_resumed,
                  s->in_phase[WIRE_PHASE_RUNNING] == 0);
    CHECK_IMPLIES(s->phase == SESSION_OVER, out == s->host_count);
    CHECK_IMPLIES(out == s->host_count,
                  s->phase == SESSION_OVER || s->phase == SESSION_JOINING);
    CHECK_IMPLIES(s->phase == SESSION_ENDING && !s->has_ended,
                  s->outcome.status != STATUS_OK);
    CHECK((s->outcome.status == STATUS_OK) == (s->outcome.reason == NULL));
    CHECK((s->outcome.status == STATUS_OK) == (s->outcome.exit_code == 0));
    CHECK_IMPLIES(s->phase == SESSION_OVER && s->outcome.status == STATUS_OK &&
                      !s->has_ended,
                  s->in_phase[WIRE_PHASE_LOST] == 0);
}
