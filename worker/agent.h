/* SPDX-License-Identifier: Apache-2.0 */
/* One host's part of the job: what it does next and what it tells.
 *
 *   JOINING → WAITING → BRINGING → READY → RUNNING → (STOPPING →) SAVING →
 *   REPORTING → OVER
 *
 * The owner does what an effect asks for (bring the share, start the command,
 * send a signal, save) and answers with an event; it forwards the
 * coordinator's messages, signals and the time. Each DO_ is asked for once.
 *
 * How it ends: with the command's exit code, 128+n for a signal; with our own
 * code when bringing or saving failed, the coordinator refused, was lost or
 * ended the job because of another host. What the command wrote is saved all
 * the same, unless another process has taken this one's place.
 *
 * Signals: before the command runs TERM, INT, HUP and QUIT end the host with
 * 128+n and others are ignored. While it runs each is passed on as it is.
 * After the first TERM the command has grace_ms to end and is then killed;
 * a second one is only passed on, since launchers send it twice and a command
 * that saves its state must not be cut short. INT sets no limit: what it
 * means is the command's affair.
 *
 * Another coordinator may take over at any time (COORDINATOR): the agent says
 * HELLO to it with where it stands, and goes on. Silence counts from the first
 * word that was not answered, so that a host that was asleep does not take its
 * own silence for the coordinator's.
 *
 * A launch that takes the place of one that died is CLAIMED until the
 * coordinator has missed the old one for host_timeout_ms; for so long it goes
 * on asking.
 *
 * Pure. Threads: none. */

#ifndef WORKER_AGENT_H
#define WORKER_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "proto/wire.h"

struct agent;

struct agent_options {
    const char *host;
    const char *run;
    const char *incarnation;
    const char *leader; /* The coordinator's host; NULL: not known. */
    const char *release;
    uint64_t term;
    uint64_t attempt;
    uint64_t ranks;
    uint64_t weight;
    uint64_t host_count;
    uint64_t now_ms;
    uint64_t heartbeat_ms;    /* Until WELCOME says otherwise. */
    uint64_t host_timeout_ms; /* As above. */
    uint64_t join_timeout_ms; /* Waiting for WELCOME; the share, which the
                                 other hosts hold up too, gets twice this. */
    uint64_t grace_ms;        /* SIGTERM to SIGKILL. */
    uint64_t silence_ms;      /* After which this host gives up; 0: after
                                 host_timeout_ms. */
};

enum agent_state {
    AGENT_JOINING,
    AGENT_WAITING,
    AGENT_BRINGING,
    AGENT_READY,
    AGENT_RUNNING,
    AGENT_STOPPING,
    AGENT_SAVING,
    AGENT_REPORTING,
    AGENT_OVER,
};

enum agent_event_type {
    AGENT_EVENT_TIMER,
    AGENT_EVENT_MESSAGE,
    AGENT_EVENT_BROUGHT,  /* @status, @text; @units and @bytes with OK. */
    AGENT_EVENT_STARTED,  /* @status: OK, NO_COMMAND, NOT_EXECUTABLE, OS. */
    AGENT_EVENT_EXITED,   /* The command ended: by @signal, or if that is 0
                             with @exit_code. */
    AGENT_EVENT_SAVED,    /* @status, @text; @units and @bytes saved. */
    AGENT_EVENT_SIGNAL,   /* smshard got @signal (TERM, INT, HUP, USR1, …). */
    AGENT_EVENT_PROGRESS, /* @beat holds what the next BEAT shall say. */
    AGENT_EVENT_LEADER,   /* The job can't be led any more: @status, @text. */
    AGENT_EVENT_UNFED,    /* What the command reads can't be delivered any
                             more: @status, @text. */
    AGENT_EVENT_COORDINATOR, /* @leader leads from now on, in @term; the owner
                                has connected to it. */
    AGENT_EVENT_OVER,        /* The coordinator has ended the run;
                                @is_replaced: another process is this host. */
};

struct agent_event {
    enum agent_event_type type;
    uint64_t now_ms;
    uint64_t wall_ms;
    const struct wire_message *message;
    const struct wire_beat *beat;
    enum status status;
    const char *text;
    const char *leader;
    bool is_replaced;
    uint64_t term;
    int exit_code;
    int signal;
    uint64_t units;
    uint64_t bytes;
};

enum { AGENT_SENDS_MAX = 4, AGENT_SIGNALS_MAX = 4 };

struct agent_effects {
    struct wire_message sends[AGENT_SENDS_MAX]; /* Views till next step. */
    uint32_t send_count;
    const struct wire_share_all *do_bring; /* Not NULL: bring these. Lives as
                                              long as the agent. */
    bool do_cancel_bring;                  /* End with BROUGHT soon. */
    bool do_start;                         /* Start the command. */
    int signals[AGENT_SIGNALS_MAX];        /* To the command's group. */
    uint32_t signal_count;
    bool do_save;
    bool has_rate;     /* Ask stores no more often than */
    uint64_t rate;     /* this many times in 1000 s; 0: no limit. */
    bool is_over;      /* Exit now: agent_outcome(). */
    uint64_t timer_ms; /* When to send the next TIMER. */
};

/* Make an agent that says HELLO at its first TIMER. Texts are copied. Never
 * NULL. */
struct agent *agent_new(const struct agent_options *options);
void agent_destroy(struct agent **a);

void agent_step(struct agent *a, const struct agent_event *event,
                struct agent_effects *fx);

enum agent_state agent_state(const struct agent *a);

/* Whether it was given a share of its run. Before that nothing of the run has
 * been begun, and the host may still turn to another one. */
bool agent_has_begun(const struct agent *a);

/* Whether the coordinator owes an answer for longer than it should take. */
bool agent_is_unanswered(const struct agent *a);

/* What to exit with and, unless all is well, the one line that says why.
 * Valid once over. */
struct agent_outcome {
    enum status status;
    int exit_code;
    const char *text;
};
struct agent_outcome agent_outcome(const struct agent *a);

void agent_check(const struct agent *a);

#endif /* WORKER_AGENT_H */
