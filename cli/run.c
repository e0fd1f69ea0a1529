/* SPDX-License-Identifier: Apache-2.0 */
/* `smshard run`: one loop on the main thread. Whatever happens (a message, a
 * signal, the command's end, a lane's end, the time) becomes an event of the
 * agent core; what the agent then asks for is done here. */

#include "cli/run.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory_limit.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "store/rate.h"

enum {
    RUN_WAIT_MAX_MS = 1000,
    RUN_DRAIN_MAX = 64,
    RUN_SIGNAL_BASE = 128,
    RUN_MEMORY_PART = 4, /* Of what this host may use, for data. */
    RUN_END_BEATS = 2,
};

static const struct option_row run_rows[] = {{NULL, NULL, NULL}};

const struct command command_run = {
    .name = "run",
    .usage = "[FLAGS] -- COMMAND [ARGS]",
    .summary = "bring this host's share, run the command, save what it wrote",
    .rows = run_rows,
    .takes_job = true,
    .takes_words = true,
    .more = "It exits with the command's exit code, 128+n when signal n ended "
            "it, and with\none of its own (64 to 79) when smshard failed; "
            "man smshard-run lists them.\n",
    .run = run_main,
};

uint64_t run_setting(const struct run *r, enum setting id)
{
    return settings_number(&r->contract.job->settings, id);
}

uint64_t run_memory(const struct run *r)
{
    uint64_t memory = run_setting(r, SETTING_MEMORY);

    return memory > 0 ? memory : memory_limit() / RUN_MEMORY_PART;
}

void run_send(struct run *r, const struct wire_message *message)
{
    enum status s;

    buf_clear(&r->encoded);
    wire_encode(message, &r->encoded);
    s = net_send(r->net, 0, buf_bytes(&r->encoded));
    if (s != STATUS_OK) {
        /* The agent repeats all that matters with its next beat. */
        log_event(LOG_DEBUG, "send.dropped", "type=%s why=%s",
                  wire_type_name(message->type), status_name(s));
    }
}

/* Start what the agent asked for; a start that fails is its outcome. */
static void run_heed_bring(struct run *r, enum status s, struct fault *why)
{
    if (s != STATUS_OK) {
        run_step(r, (struct agent_event){.type = AGENT_EVENT_BROUGHT,
                                         .status = s,
                                         .text = why->text});
    }
}

static void run_do_bring(struct run *r, const struct wire_share_all *shares)
{
    struct fault why = {.text = ""};
    enum status s;

    s = run_bring_start(r, shares, &why);
    run_heed_bring(r, s, &why);
}

static void run_do_start(struct run *r)
{
    struct fault why = {.text = ""};
    enum status s = environment_write_files(&r->contract, &why);

    if (s == STATUS_OK) {
        s = run_feed_start(r, &why);
    }
    if (s == STATUS_OK) {
        s = run_child_start(r, &why);
    }
    if (s == STATUS_OK) {
        log_event(LOG_INFO, "command.started", "command=%s",
                  r->options.words[0]);
    }
    run_step(r, (struct agent_event){.type = AGENT_EVENT_STARTED,
                                     .status = s,
                                     .text = why.text});
}

static void run_do_save(struct run *r)
{
    struct fault why = {.text = ""};
    enum status s = run_save_start(r, &why);

    if (s != STATUS_OK) {
        run_step(r, (struct agent_event){.type = AGENT_EVENT_SAVED,
                                         .status = s,
                                         .text = why.text});
    }
}

/* Give one event to the agent and do what it says. Starting something can
 * fail at once and so step again: at most once for each DO_. */
void run_step(struct run *r, struct agent_event event)
{
    struct agent_effects fx = {0};

    event.now_ms = clock_now_ms(&clock_os);
    event.wall_ms = clock_wall_ms(&clock_os);
    agent_step(r->agent, &event, &fx);
    r->agent_timer_ms = fx.timer_ms;
    for (uint32_t i = 0; i < fx.send_count; i++) {
        run_send(r, &fx.sends[i]);
    }
    for (uint32_t i = 0; i < fx.signal_count; i++) {
        child_signal(r->child, fx.signals[i]);
    }
    if (fx.do_cancel_bring) {
        run_bring_cancel(r);
    }
    if (fx.has_rate) {
        rate_process_set(fx.rate, clock_now_ms(&clock_os));
    }
    r->is_over = r->is_over || fx.is_over;
    if (fx.do_bring != NULL) {
        run_do_bring(r, fx.do_bring);
    }
    if (fx.do_start) {
        run_do_start(r);
    }
    if (fx.do_save) {
        run_do_save(r);
    }
}

/* The agent may go on asking after a refusal, for as long as an earlier
 * launch of this host may still be taken for alive: say so, once. */
static void run_note_refusal(struct run *r, const struct wire_message *m)
{
    char text[FAULT_TEXT_MAX];
    char quoted[FAULT_TEXT_MAX];

    if (m->type != WIRE_REFUSE) {
        return;
    }
    if (m->refuse.status == STATUS_CLAIMED) {
        run_meet_knock(r);
    }
    if (r->was_refused) {
        return;
    }
    r->was_refused = true;
    snprintf(text, sizeof(text), "%.*s", (int)m->refuse.reason.size,
             m->refuse.reason.at);
    log_event(LOG_WARN, "join.refused", "reason=%s",
              log_quote(text, quoted, sizeof(quoted)));
}

static void run_take_messages(struct run *r)
{
    struct wire_message message;
    struct fault why = {.text = ""};
    struct buf bytes = {0};
    uint64_t peer;

    for (int i = 0; i < RUN_DRAIN_MAX && !r->is_over; i++) {
        enum status s = net_receive(r->net, &peer, &bytes);

        if (s != STATUS_OK) {
            break;
        }
        s = wire_decode(buf_bytes(&bytes), r->lease.run, &why, &message);
        r->was_answered = true;
        if (s == STATUS_OK && message.type == WIRE_GRANT) {
            if (message.term == r->lease.term) {
                run_feed_take_grant(r, &message.grant);
            }
        } else if (s == STATUS_OK) {
            run_note_refusal(r, &message);
            run_step(r, (struct agent_event){.type = AGENT_EVENT_MESSAGE,
                                             .message = &message});
        } else {
            log_event(LOG_WARN, "message.refused", "why=%s", why.text);
        }
    }
    buf_fini(&bytes);
}

/* The command has ended. What it has done and the coordinator has not heard
 * of yet would be dealt to others once this host is done: that waits. */
static void run_tell_exit(struct run *r)
{
    uint64_t limit_ms = run_setting(r, SETTING_HOST_TIMEOUT);

    if (!r->has_exited || (!run_feed_is_settled(r) &&
                           clock_now_ms(&clock_os) - r->exited_ms < limit_ms)) {
        return;
    }
    r->has_exited = false;
    feed_destroy(&r->feed);
    run_step(r, (struct agent_event){.type = AGENT_EVENT_EXITED,
                                     .exit_code = r->exit.exit_code,
                                     .signal = r->exit.signal});
}

static void run_take_signal(struct run *r, int number)
{
    if (r->agent == NULL) {
        r->was_signalled = number == SIGTERM || number == SIGINT;
        r->signal = number;
    } else {
        run_step(r, (struct agent_event){.type = AGENT_EVENT_SIGNAL,
                                         .signal = number});
    }
}

static void run_take_child(struct run *r)
{
    struct child_event news = child_take(r->child);

    while (news.news != CHILD_NOTHING) {
        if (news.news == CHILD_EXITED) {
            r->has_exited = true;
            run_feed_end(r);
            r->exited_ms = clock_now_ms(&clock_os);
            r->exit = news;
        } else {
            run_take_signal(r, news.signal);
        }
        news = child_take(r->child);
    }
    run_tell_exit(r);
}

static void run_take_fetch(struct run *r)
{
    struct fault why = {.text = ""};
    enum status s = run_bring_go_on(r, &why);

    run_heed_bring(r, s, &why);
}

static void run_take_bring(struct run *r)
{
    struct fault why = {.text = ""};
    struct agent_event event = {.type = AGENT_EVENT_BROUGHT, .text = why.text};
    uint64_t found = 0;

    for (uint32_t i = 0; i < r->share_count; i++) {
        event.units += r->channels[i].units;
        event.bytes += r->channels[i].bytes;
        found += bring_progress(r->bring, i).found;
    }
    event.status = bring_finish(&r->bring, &why);
    run_bring_told(r);
    r->is_brought = event.status == STATUS_OK;
    log_event(LOG_INFO, "share.brought",
              "status=%s units=%" PRIu64 " bytes=%" PRIu64 " found=%" PRIu64,
              status_name(event.status), event.units, event.bytes, found);
    run_step(r, event);
}

static void run_take_save(struct run *r)
{
    struct fault why = {.text = ""};
    struct save_progress done = save_progress(r->save);
    struct agent_event event = {.type = AGENT_EVENT_SAVED,
                                .text = why.text,
                                .units = done.units,
                                .bytes = done.bytes};

    event.status = save_finish(&r->save, &why);
    log_event(LOG_INFO, "outputs.saved",
              "status=%s files=%" PRIu64 " bytes=%" PRIu64,
              status_name(event.status), event.units, event.bytes);
    run_step(r, event);
}

void run_take_lead(struct run *r)
{
    struct fault why = {.text = ""};
    enum status s = lead_finish(&r->lead, &why);

    r->is_job_over = s == STATUS_OK;
    if (s == STATUS_STOPPED) {
        log_event(LOG_WARN, "coordinator.deposed",
                  "term=%" PRIu64 " reason=\"%s\"", r->lead_term, why.text);
    } else if (s != STATUS_OK) {
        run_step(r, (struct agent_event){.type = AGENT_EVENT_LEADER,
                                         .status = s,
                                         .text = why.text});
    }
}

static void run_tell_progress(struct run *r)
{
    struct rate_counts counts = rate_process_counts();
    struct wire_beat beat = {.requests = counts.requests,
                             .throttled = counts.throttled};

    run_bring_progress(r, &beat);
    run_streams_tell(&r->streams, clock_now_ms(&clock_os), &beat);
    run_bring_tell(r);
    if (r->save != NULL) {
        struct save_progress done = save_progress(r->save);

        beat.saved_units = done.units;
        beat.saved_bytes = done.bytes;
    }
    run_step(r,
             (struct agent_event){.type = AGENT_EVENT_PROGRESS, .beat = &beat});
}

static int run_wait_ms(const struct run *r)
{
    uint64_t now_ms = clock_now_ms(&clock_os);
    uint64_t next_ms = now_ms + RUN_WAIT_MAX_MS;

    if (r->agent != NULL && r->agent_timer_ms != 0 &&
        r->agent_timer_ms < next_ms) {
        next_ms = r->agent_timer_ms;
    }
    if (r->feed != NULL && feed_timer_ms(r->feed) < next_ms) {
        next_ms = feed_timer_ms(r->feed);
    }
    if (run_holders_timer_ms(r) < next_ms) {
        next_ms = run_holders_timer_ms(r);
    }
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static bool run_feed_is_due(const struct run *r)
{
    uint64_t now_ms = clock_now_ms(&clock_os);

    return (r->feed != NULL && now_ms >= feed_timer_ms(r->feed)) ||
           now_ms >= run_holders_timer_ms(r);
}

/* Wait for anything, and take it. The order of @fds is that of the bits. */
static void run_turn(struct run *r)
{
    const int fds[] = {
        child_fd(r->child),
        run_bring_fd(r),
        r->save != NULL ? save_fd(r->save) : -1,
        r->lead != NULL ? lead_fd(r->lead) : -1,
        succession_fd(r->succession),
        r->feed != NULL ? feed_fd(r->feed) : -1,
        run_streams_fd(&r->streams),
    };
    unsigned ready =
        net_wait(r->net != NULL ? r->net : r->listener, run_wait_ms(r), fds,
                 sizeof(fds) / sizeof(fds[0]));

    if (r->net != NULL && (ready & 1U)) {
        run_take_messages(r);
    }
    run_take_child(r);
    if (!r->is_over && ((ready & (64U | 128U)) || run_feed_is_due(r))) {
        run_feed_step(r);
    }
    if (!r->is_over && r->fetch != NULL && (ready & 4U)) {
        run_take_fetch(r);
    } else if (!r->is_over && r->bring != NULL && (ready & 4U)) {
        run_take_bring(r);
    }
    if (!r->is_over && r->save != NULL && (ready & 8U)) {
        run_take_save(r);
    }
    if (!r->is_over && r->lead != NULL && (ready & 16U)) {
        run_take_lead(r);
    }
    if (!r->is_over && r->agent != NULL && r->agent_timer_ms != 0 &&
        clock_now_ms(&clock_os) >= r->agent_timer_ms) {
        run_tell_progress(r);
        run_step(r, (struct agent_event){.type = AGENT_EVENT_TIMER});
    }
}

static enum status run_loop(struct run *r, struct fault *why)
{
    uint64_t until_ms = r->started_ms + run_setting(r, SETTING_JOIN_TIMEOUT);
    enum status s = STATUS_OK;

    while (s == STATUS_OK && !r->is_over) {
        s = run_meet(r, why);
        if (s == STATUS_OK && !r->is_over) {
            run_meet_heed(r);
            run_turn(r);
        }
        if (r->agent == NULL && r->was_signalled) {
            return fault_set(why, STATUS_STOPPED, "stopped by signal %d",
                             r->signal);
        }
        if (s == STATUS_OK && r->agent == NULL &&
            clock_now_ms(&clock_os) > until_ms) {
            s = fault_set(why, STATUS_TIMEOUT,
                          "no coordinator was found at %s within %" PRIu64 " s",
                          r->state_uri,
                          run_setting(r, SETTING_JOIN_TIMEOUT) / 1000);
        }
    }
    return s;
}

/* This host's part is over. A coordinator on it that is not at its end by now
 * serves a job that goes on, or can't be served: another host takes over. */
static void run_end_lead(struct run *r)
{
    struct pollfd end = {.events = POLLIN};
    struct fault why;
    enum status s;

    if (r->lead == NULL) {
        return;
    }
    end.fd = lead_fd(r->lead);
    if (poll(&end, 1, RUN_END_BEATS * (int)run_setting(r, SETTING_HEARTBEAT)) <=
        0) {
        lead_stop(r->lead);
    }
    s = lead_finish(&r->lead, &why);
    r->is_job_over = s == STATUS_OK;
    if (s != STATUS_OK) {
        log_event(LOG_WARN, "coordinator.ended", "why=%s", why.text);
    }
}

static void run_fini(struct run *r)
{
    struct fault why;

    if (r->bring != NULL) {
        bring_cancel(r->bring);
        run_bring_told(r);
        if (bring_finish(&r->bring, &why) != STATUS_OK) {
            log_event(LOG_DEBUG, "bring.ended", "why=%s", why.text);
        }
    }
    if (r->save != NULL && save_finish(&r->save, &why) != STATUS_OK) {
        log_event(LOG_ERROR, "save.failed", "why=%s", why.text);
    }
    run_end_lead(r);
    run_meet_fini(r);
    run_feed_fini(r);
    run_place_fini(&r->place);
    run_bring_fini(r);
    run_save_fini(r);
    child_destroy(&r->child);
    buf_fini(&r->encoded);
    free(r->state_uri);
    contract_fini(&r->contract);
    options_fini(&r->options);
}

/* Read everything that can be wrong before anything is started. */
static enum status run_prepare(struct run *r, char **argv, struct fault *why)
{
    enum status s = options_parse(&command_run, argv, why, &r->options);

    if (s == STATUS_OK && r->options.word_count == 0) {
        s = fault_set(why, STATUS_USAGE,
                      "no command: smshard run [flags] -- COMMAND [ARGS]");
    }
    if (s == STATUS_OK) {
        s = contract_load(&r->options, why, &r->contract);
    }
    if (s == STATUS_OK) {
        s = contract_check_runnable(&r->contract, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    r->host = r->contract.hosts.names[r->contract.hosts.current];
    r->ranks = contract_ranks(&r->contract);
    r->state_uri = contract_state_uri(&r->contract);
    log_init(r->host, (enum log_level)run_setting(r, SETTING_LOG));
    if (r->contract.job->host_count != 0 &&
        r->contract.job->host_count != r->contract.hosts.count) {
        log_event(LOG_WARN, "hosts.differ", "document=%u hosts=%u from=%s",
                  r->contract.job->host_count, r->contract.hosts.count,
                  r->contract.hosts.origin);
    }
    return child_init(why, &r->child);
}

/* The one line. Who never heard the coordinator is told where it should be. */
static void run_tell_outcome(const struct run *r,
                             const struct agent_outcome *outcome)
{
    bool is_unheard = outcome->status == STATUS_TIMEOUT && !r->was_answered;

    fprintf(stderr, "smshard: %s", outcome->text);
    if (is_unheard) {
        fprintf(stderr,
                "; nothing came from %s: is it reached from here? see "
                "--bind",
                r->lease.endpoint);
    }
    fputc('\n', stderr);
}

int run_main(int argc, char **argv)
{
    struct run *r = mem_new(1, sizeof(*r));
    struct fault why = {.text = ""};
    enum status s = run_prepare(r, argv + 1, &why);
    int code = 0;

    (void)argc;
    if (s == STATUS_OK) {
        run_place_read(&r->place, r->contract.job);
        s = run_meet_start(r, &why);
    }
    if (s == STATUS_OK) {
        s = run_loop(r, &why);
    }
    if (s != STATUS_OK) {
        code = s == STATUS_STOPPED ? RUN_SIGNAL_BASE + r->signal
                                   : command_fail(s, &why);
    } else {
        struct agent_outcome outcome = agent_outcome(r->agent);

        code = outcome.exit_code;
        if (outcome.text != NULL && outcome.text[0] != '\0') {
            run_tell_outcome(r, &outcome);
        }
    }
    run_fini(r);
    free(r);
    return code;
}
