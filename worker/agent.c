/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/agent.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/line.h"
#include "base/mem.h"
#include "worker/agent_state.h"

enum { AGENT_SIGNAL_CODE = 128, AGENT_GREET_MS = 50 };

struct agent *agent_new(const struct agent_options *options)
{
    struct agent *a = mem_new(1, sizeof(*a));

    CHECK(strlen(options->run) <= WIRE_JOB_SIZE && options->run[0] != '\0');
    CHECK(options->heartbeat_ms > 0);
    memcpy(a->run, options->run, strlen(options->run));
    a->host = mem_copy(options->host);
    a->incarnation = mem_copy(options->incarnation);
    a->release = mem_copy(options->release);
    a->leader = options->leader != NULL
                    ? mem_print("the coordinator on %s", options->leader)
                    : mem_copy("the coordinator");
    a->term = options->term;
    a->attempt = options->attempt;
    a->ranks = options->ranks;
    a->weight = options->weight;
    a->host_count = options->host_count;
    a->heartbeat_ms = options->heartbeat_ms;
    a->host_timeout_ms = options->host_timeout_ms;
    a->join_timeout_ms = options->join_timeout_ms;
    a->grace_ms = options->grace_ms;
    a->now_ms = options->now_ms;
    a->since_ms = options->now_ms;
    a->silence_ms = options->silence_ms;
    a->greet_ms = AGENT_GREET_MS;
    a->asked_ms = AGENT_NEVER;
    a->beat_ms = options->now_ms;
    a->kill_ms = AGENT_NEVER;
    a->claimed_ms = AGENT_NEVER;
    return a;
}

void agent_destroy(struct agent **a)
{
    struct agent *old = *a;

    if (old == NULL) {
        return;
    }
    free(old->host);
    free(old->incarnation);
    free(old->release);
    free(old->leader);
    free(old->command_text);
    free(old->save_text);
    free(old->cause.text);
    buf_fini(&old->texts);
    buf_fini(&old->stream_texts);
    free(old);
    *a = NULL;
}

void agent_enter(struct agent *a, enum agent_state state)
{
    CHECK(state > a->state);
    a->state = state;
    a->since_ms = a->now_ms;
}

static const char *agent_text_of(const char *text, enum status status)
{
    return text != NULL && text[0] != '\0' ? text : status_text(status);
}

/* What this host exits with, as far as is known now. */
static struct agent_outcome agent_conclude(const struct agent *a)
{
    const struct agent_cause *c = &a->cause;

    if (c->status != STATUS_OK) {
        return (struct agent_outcome){
            .status = c->status,
            .exit_code = c->yields && a->command_code != 0 ? a->command_code
                                                           : c->exit_code,
            .text = c->text,
        };
    }
    if (a->command_code == 0 && a->save_status != STATUS_OK) {
        return (struct agent_outcome){
            a->save_status, status_exit_code(a->save_status), a->save_text};
    }
    return (struct agent_outcome){
        .status = STATUS_OK,
        .exit_code = a->command_code,
        .text = a->command_text != NULL ? a->command_text : "",
    };
}

void agent_finish(struct agent *a, struct agent_effects *fx)
{
    a->outcome = agent_conclude(a);
    agent_enter(a, AGENT_OVER);
    fx->is_over = true;
}

/* Nothing runs here any more: say how it went. */
static void agent_report(struct agent *a, struct agent_effects *fx)
{
    a->outcome = agent_conclude(a);
    if (a->is_deaf) {
        agent_finish(a, fx);
        return;
    }
    agent_enter(a, AGENT_REPORTING);
    agent_send_done(a, fx);
    a->beat_ms = a->now_ms + a->heartbeat_ms;
}

static void agent_signal(struct agent *a, int number, struct agent_effects *fx)
{
    if (a->is_started) {
        if (fx->signal_count < AGENT_SIGNALS_MAX) {
            fx->signals[fx->signal_count++] = number;
        }
    } else if (a->early_count < AGENT_SIGNALS_MAX) {
        a->early_signals[a->early_count++] = number;
    }
}

/* Ask the command to end, and set the time after which it is killed. */
static void agent_terminate(struct agent *a, struct agent_effects *fx)
{
    agent_signal(a, AGENT_TERM, fx);
    if (a->state == AGENT_RUNNING) {
        agent_enter(a, AGENT_STOPPING);
        a->kill_ms = a->grace_ms < AGENT_NEVER - a->now_ms
                         ? a->now_ms + a->grace_ms
                         : AGENT_NEVER;
    }
}

void agent_stop(struct agent *a, struct agent_cause cause,
                struct agent_effects *fx)
{
    CHECK(cause.status != STATUS_OK && cause.text != NULL);
    if (a->cause.status == STATUS_OK) {
        a->cause = cause;
        line_clean(a->cause.text, WIRE_TEXT_MAX);
    } else {
        free(cause.text);
    }
    if (a->state == AGENT_RUNNING) {
        agent_terminate(a, fx);
    } else if (a->is_bringing) {
        if (a->state == AGENT_BRINGING) {
            fx->do_cancel_bring = true;
            agent_enter(a, AGENT_STOPPING);
        }
    } else if (a->state == AGENT_JOINING) {
        agent_finish(a, fx);
        if (!a->is_deaf) {
            /* Should it know us after all, it need not miss us. */
            agent_send_done(a, fx);
        }
    } else if (a->state < AGENT_RUNNING) {
        agent_report(a, fx);
    } else if (a->state == AGENT_REPORTING && a->is_deaf) {
        agent_finish(a, fx);
    }
}

static void agent_take_brought(struct agent *a, const struct agent_event *event,
                               struct agent_effects *fx)
{
    CHECK(a->is_bringing);
    CHECK(a->state == AGENT_BRINGING || a->state == AGENT_STOPPING);
    a->is_bringing = false;
    if (a->state == AGENT_STOPPING) {
        agent_report(a, fx);
    } else if (event->status != STATUS_OK) {
        agent_stop(
            a,
            (struct agent_cause){
                .status = event->status,
                .exit_code = status_exit_code(event->status),
                .text = mem_copy(agent_text_of(event->text, event->status)),
            },
            fx);
    } else {
        a->brought_units = event->units;
        a->brought_bytes = event->bytes;
        agent_enter(a, AGENT_READY);
        agent_send_ready(a, fx);
    }
}

static void agent_take_started(struct agent *a, const struct agent_event *event,
                               struct agent_effects *fx)
{
    CHECK(!a->is_started);
    CHECK(a->state == AGENT_RUNNING || a->state == AGENT_STOPPING);
    if (event->status == STATUS_OK) {
        a->is_started = true;
        for (uint32_t i = 0; i < a->early_count; i++) {
            agent_signal(a, a->early_signals[i], fx);
        }
        return;
    }
    if (a->cause.status == STATUS_OK) {
        a->cause.status = event->status;
        a->cause.exit_code = status_exit_code(event->status);
        a->cause.text = mem_copy(agent_text_of(event->text, event->status));
    }
    a->kill_ms = AGENT_NEVER;
    agent_report(a, fx);
}

/* Another process of this host has been let in instead of this one. */
static bool agent_is_replaced(const struct agent *a)
{
    return a->cause.status == STATUS_CLAIMED ||
           a->cause.status == STATUS_REFUSED;
}

static void agent_take_exited(struct agent *a, const struct agent_event *event,
                              struct agent_effects *fx)
{
    CHECK(a->is_started);
    CHECK(a->state == AGENT_RUNNING || a->state == AGENT_STOPPING);
    if (event->signal != 0) {
        a->command_code = AGENT_SIGNAL_CODE + event->signal;
        a->command_text =
            a->is_overdue
                ? mem_print("the command did not end within %llu s of being "
                            "asked to (--grace), and was killed",
                            (unsigned long long)a->grace_ms / 1000)
                : mem_print("the command was ended by signal %d",
                            event->signal);
    } else if (event->exit_code != 0) {
        a->command_code = event->exit_code;
        a->command_text =
            mem_print("the command exited with %d", event->exit_code);
    }
    a->kill_ms = AGENT_NEVER;
    if (agent_is_replaced(a)) {
        agent_report(a, fx); /* The prefix is another's now. */
        return;
    }
    agent_enter(a, AGENT_SAVING);
    fx->do_save = true;
}

static void agent_take_saved(struct agent *a, const struct agent_event *event,
                             struct agent_effects *fx)
{
    CHECK(a->state == AGENT_SAVING);
    a->beat.saved_units = event->units;
    a->beat.saved_bytes = event->bytes;
    a->save_status = event->status;
    if (event->status != STATUS_OK) {
        a->save_text = mem_copy(agent_text_of(event->text, event->status));
    }
    agent_report(a, fx);
}

static bool agent_is_stop_signal(int number)
{
    return number == AGENT_TERM || number == AGENT_INT || number == AGENT_HUP ||
           number == AGENT_QUIT;
}

static void agent_take_signal(struct agent *a, int number,
                              struct agent_effects *fx)
{
    bool has_command = a->state == AGENT_RUNNING ||
                       (a->state == AGENT_STOPPING && !a->is_bringing);

    if (has_command && number == AGENT_TERM) {
        agent_terminate(a, fx);
    } else if (has_command) {
        agent_signal(a, number, fx);
    } else if (a->state < AGENT_RUNNING && agent_is_stop_signal(number)) {
        agent_stop(a,
                   (struct agent_cause){
                       .status = STATUS_STOPPED,
                       .exit_code = AGENT_SIGNAL_CODE + number,
                       .text = mem_print("stopped by signal %d before the "
                                         "command was started",
                                         number),
                   },
                   fx);
    } else if (a->state == AGENT_REPORTING && agent_is_stop_signal(number)) {
        agent_finish(a, fx); /* It has told how it went, as well as it can. */
    }
}

static void agent_take_leader(struct agent *a, const struct agent_event *event,
                              struct agent_effects *fx)
{
    if (event->status == STATUS_OK) {
        return; /* It ended well, and has said END. */
    }
    a->is_deaf = true;
    agent_stop(a,
               (struct agent_cause){
                   .status = event->status,
                   .exit_code = status_exit_code(event->status),
                   .yields = a->state >= AGENT_SAVING,
                   .text = mem_copy(agent_text_of(event->text, event->status)),
               },
               fx);
}

/* Once the command has ended it needs no more. */
static void agent_take_unfed(struct agent *a, const struct agent_event *event,
                             struct agent_effects *fx)
{
    if (a->state >= AGENT_SAVING) {
        return;
    }
    agent_stop(a,
               (struct agent_cause){
                   .status = event->status,
                   .exit_code = status_exit_code(event->status),
                   .text = mem_copy(agent_text_of(event->text, event->status)),
               },
               fx);
}

/* All that was said to the old one is said again. */
static void agent_take_coordinator(struct agent *a,
                                   const struct agent_event *event)
{
    free(a->leader);
    a->leader = mem_print("the coordinator on %s", event->leader);
    a->term = event->term;
    a->is_greeted = false;
    a->greet_ms = AGENT_GREET_MS;
    a->asked_ms = AGENT_NEVER;
    a->claimed_ms = AGENT_NEVER;
    a->beat_ms = a->now_ms;
}

/* What has ended without us. */
static char *agent_missed_text(const struct agent *a, bool is_replaced)
{
    if (is_replaced) {
        return mem_print("%s ended the job without this process: another one "
                         "has its place, nothing is saved",
                         a->leader);
    }
    if (a->state == AGENT_JOINING) {
        return mem_print("%s ended the job without this launch of %s",
                         a->leader, a->host);
    }
    return mem_print("%s ended the job without this host", a->leader);
}

/* The run is over and this host was not told how: it has missed END, was
 * given up, or never let in. */
static void agent_take_over(struct agent *a, bool is_replaced,
                            struct agent_effects *fx)
{
    enum status status = is_replaced ? STATUS_CLAIMED : STATUS_LOST;

    a->is_deaf = true;
    if (a->state >= AGENT_SAVING) {
        if (a->state == AGENT_REPORTING) {
            agent_finish(a, fx);
        }
        return;
    }
    agent_stop(a,
               (struct agent_cause){
                   .status = status,
                   .exit_code = status_exit_code(status),
                   .yields = true,
                   .text = agent_missed_text(a, is_replaced),
               },
               fx);
}

/* Nobody answers any more. What has run to its end needs no answer. */
static void agent_take_silence(struct agent *a, struct agent_effects *fx)
{
    a->is_deaf = true;
    if (a->state == AGENT_REPORTING) {
        agent_finish(a, fx);
    } else if (a->state < AGENT_STOPPING) {
        agent_stop(
            a,
            (struct agent_cause){
                .status = STATUS_LOST,
                .exit_code = status_exit_code(STATUS_LOST),
                .text = mem_print(
                    "%s was not heard of for %llu s", a->leader,
                    (unsigned long long)(a->now_ms - a->asked_ms) / 1000),
            },
            fx);
    }
}

/* When this host has waited long enough for an answer. */
static uint64_t agent_silent_ms(const struct agent *a)
{
    uint64_t limit_ms = a->silence_ms != 0 ? a->silence_ms : a->host_timeout_ms;

    if (a->state == AGENT_JOINING || a->is_deaf ||
        a->asked_ms >= AGENT_NEVER - limit_ms) {
        return AGENT_NEVER;
    }
    return a->asked_ms + limit_ms;
}

bool agent_has_begun(const struct agent *a)
{
    return a->state > AGENT_WAITING;
}

bool agent_is_unanswered(const struct agent *a)
{
    return a->asked_ms != AGENT_NEVER &&
           a->now_ms - a->asked_ms > a->heartbeat_ms + a->heartbeat_ms / 2;
}

/* How long this state may last; AGENT_NEVER for most. */
static uint64_t agent_patience_ms(const struct agent *a)
{
    if (a->state == AGENT_JOINING) {
        return a->join_timeout_ms;
    }
    if (a->state == AGENT_WAITING && a->join_timeout_ms < AGENT_NEVER / 2) {
        return 2 * a->join_timeout_ms;
    }
    return AGENT_NEVER;
}

static void agent_take_impatience(struct agent *a, struct agent_effects *fx)
{
    const char *what = a->state == AGENT_JOINING ? "to be let in by"
                                                 : "to be given its share by";

    agent_stop(a,
               (struct agent_cause){
                   .status = STATUS_TIMEOUT,
                   .exit_code = status_exit_code(STATUS_TIMEOUT),
                   .text = mem_print(
                       "waited %llu s %s %s",
                       (unsigned long long)(a->now_ms - a->since_ms) / 1000,
                       what, a->leader),
               },
               fx);
}

/* Until the coordinator knows us: soon at first, since it may be about to
 * begin, and then less and less often. */
static uint64_t agent_beat_ms(struct agent *a)
{
    uint64_t ms = a->greet_ms;

    if (a->is_greeted || ms >= a->heartbeat_ms) {
        return a->heartbeat_ms;
    }
    a->greet_ms = 2 * ms;
    return ms;
}

/* Say what is due with this beat. */
static void agent_beat(struct agent *a, uint64_t wall_ms,
                       struct agent_effects *fx)
{
    a->beat_ms = a->now_ms + agent_beat_ms(a);
    if (!a->is_greeted || agent_is_unanswered(a)) {
        /* After a break it knows our connection only from HELLO. */
        agent_send_hello(a, wall_ms, fx);
    }
    if (a->asked_ms == AGENT_NEVER) {
        a->asked_ms = a->now_ms;
    }
    if (a->state != AGENT_JOINING) {
        agent_send_beat(a, fx);
    }
    if (a->state == AGENT_REPORTING) {
        agent_send_done(a, fx);
    }
}

static void agent_take_time(struct agent *a, struct agent_effects *fx)
{
    if (a->now_ms >= a->kill_ms) {
        a->kill_ms = AGENT_NEVER;
        a->is_overdue = true;
        agent_signal(a, AGENT_KILL, fx);
    }
    if (a->now_ms >= agent_silent_ms(a)) {
        agent_take_silence(a, fx);
    } else if (a->now_ms - a->since_ms >= agent_patience_ms(a)) {
        agent_take_impatience(a, fx);
    }
}

static void agent_take(struct agent *a, const struct agent_event *event,
                       struct agent_effects *fx)
{
    switch (event->type) {
    case AGENT_EVENT_TIMER:
        agent_take_time(a, fx);
        break;
    case AGENT_EVENT_MESSAGE:
        agent_take_message(a, event->message, fx);
        break;
    case AGENT_EVENT_BROUGHT:
        agent_take_brought(a, event, fx);
        break;
    case AGENT_EVENT_STARTED:
        agent_take_started(a, event, fx);
        break;
    case AGENT_EVENT_EXITED:
        agent_take_exited(a, event, fx);
        break;
    case AGENT_EVENT_SAVED:
        agent_take_saved(a, event, fx);
        break;
    case AGENT_EVENT_SIGNAL:
        agent_take_signal(a, event->signal, fx);
        break;
    case AGENT_EVENT_PROGRESS:
        agent_keep_progress(a, event->beat);
        break;
    case AGENT_EVENT_LEADER:
        agent_take_leader(a, event, fx);
        break;
    case AGENT_EVENT_UNFED:
        agent_take_unfed(a, event, fx);
        break;
    case AGENT_EVENT_COORDINATOR:
        agent_take_coordinator(a, event);
        break;
    case AGENT_EVENT_OVER:
        agent_take_over(a, event->is_replaced, fx);
        break;
    }
}

static uint64_t agent_earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static uint64_t agent_timer_ms(const struct agent *a)
{
    uint64_t patience_ms = agent_patience_ms(a);
    uint64_t next_ms = agent_earlier(a->beat_ms, a->kill_ms);

    if (a->state == AGENT_OVER) {
        return AGENT_NEVER;
    }
    if (patience_ms < AGENT_NEVER - a->since_ms) {
        next_ms = agent_earlier(next_ms, a->since_ms + patience_ms);
    }
    return agent_earlier(next_ms, agent_silent_ms(a));
}

void agent_step(struct agent *a, const struct agent_event *event,
                struct agent_effects *fx)
{
    CHECK(event->now_ms >= a->now_ms);
    a->now_ms = event->now_ms;
    fx->send_count = 0;
    fx->do_bring = NULL;
    fx->do_cancel_bring = false;
    fx->do_start = false;
    fx->signal_count = 0;
    fx->do_save = false;
    fx->has_rate = false;
    fx->is_over = a->state == AGENT_OVER;
    if (a->state != AGENT_OVER) {
        agent_take(a, event, fx);
    }
    if (a->state != AGENT_OVER && a->now_ms >= a->beat_ms) {
        agent_beat(a, event->wall_ms, fx);
    }
    fx->timer_ms = agent_timer_ms(a);
}

enum agent_state agent_state(const struct agent *a)
{
    return a->state;
}

struct agent_outcome agent_outcome(const struct agent *a)
{
    CHECK(a->state == AGENT_OVER);
    return a->outcome;
}

void agent_check(const struct agent *a)
{
    CHECK(a->state <= AGENT_OVER);
    CHECK(a->asked_ms <= a->now_ms || a->asked_ms == AGENT_NEVER);
    CHECK(a->since_ms <= a->now_ms);
    CHECK_IMPLIES(a->state == AGENT_BRINGING, a->is_bringing);
    CHECK_IMPLIES(a->is_bringing, a->has_shares);
    CHECK_IMPLIES(a->is_bringing,
                  a->state == AGENT_BRINGING || a->state == AGENT_STOPPING);
    CHECK_IMPLIES(a->is_started, a->state >= AGENT_RUNNING);
    CHECK_IMPLIES(a->state == AGENT_SAVING, a->is_started);
    CHECK_IMPLIES(a->kill_ms != AGENT_NEVER, a->state == AGENT_STOPPING);
    CHECK((a->cause.status == STATUS_OK) == (a->cause.text == NULL));
    CHECK((a->save_status == STATUS_OK) == (a->save_text == NULL));
    CHECK((a->command_code == 0) == (a->command_text == NULL));
    if (a->state == AGENT_OVER) {
        CHECK_IMPLIES(a->outcome.status != STATUS_OK,
                      a->outcome.exit_code != 0);
        CHECK(a->outcome.text != NULL);
        CHECK((a->outcome.exit_code == 0) == (a->outcome.text[0] == '\0'));
    }
}
