/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's view of the job: which hosts have come, where each one
 * stands, what each is told next, and how the job ends.
 *
 *   JOINING   until every host has said HELLO, or join_timeout_ms is over
 *   PREPARING the owner lists, deals and claims (SESSION_DO_PREPARE)
 *   BRINGING  each host brings its share; a barrier holds the command back
 *   RUNNING   until every host is DONE
 *   ENDING    a host failed or was lost: the others stop, save, report
 *   OVER      everybody has reported, or was given up
 *
 * A host counts as lost after host_timeout_ms without a word. The first
 * failure is the job's reason; unless on_failure is KEEP it ends the job
 * everywhere. A second HELLO of a host with another incarnation while the
 * first one lives is refused (CLAIMED), as are a host that is not in the job,
 * a wrong number of hosts, and a clock too far off (SKEW).
 *
 * A coordinator that takes over goes on with a resumed session: it has the
 * shares already, and each host says where it stands. One that is not back
 * within host_timeout_ms is lost. One that is known to have ended need not be
 * back: it is given two heartbeats to ask for END, in case it still waits.
 *
 * With keeps_on_failure a host that was lost may come back, in the same
 * process or in another; then its loss is no failure any more.
 *
 * Pure: one event in, effects out. Every message is answered at most once, so
 * lost and repeated messages do no harm: what a host has missed is sent again
 * when its beats show it. A host is known by its peer number; one that has
 * connected anew says HELLO again. Threads: none. */

#ifndef COORDINATOR_SESSION_H
#define COORDINATOR_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/wire.h"

struct session;

/* How the job ended or will end: OK, or the first failure. The strings live
 * as long as the session. */
struct session_outcome {
    enum status status;
    int exit_code;      /* Of the first host that failed; else of @status. */
    const char *host;   /* Whose failure; "" when it is the whole job's: hosts
                           that never came, or PREPARE. */
    const char *reason; /* "the command exited with 3"; "" when OK. */
};

/* How a host has ended, as it said itself. */
struct session_done {
    bool is_done;
    enum status status;
    int exit_code;
    const char *reason; /* "" when all is well. */
};

struct session_options {
    const char *job_name;
    const char *run;    /* Hex, WIRE_JOB_SIZE digits at most. */
    const char *leader; /* The host that leads, for the report. */
    uint64_t term;
    const char *const *hosts; /* By number; copied. */
    uint32_t host_count;
    uint64_t now_ms;
    uint64_t join_timeout_ms;
    uint64_t heartbeat_ms;
    uint64_t host_timeout_ms;
    uint64_t grace_ms; /* How long a host may take to stop and save. */
    uint64_t skew_max_ms;
    bool keeps_on_failure; /* Others go on, and those that do well end with
                              OK; the job's outcome is still the failure. */
    bool keeps_end;        /* END is held back until SESSION_EVENT_END_KEPT. */
    const struct wire_share_all *resumed; /* Not NULL: the job has been dealt,
                                 by host number; borrowed like PREPARED's. */
    const char *const *incarnations;      /* With resumed, by host: the process
                                      that was in; each NULL or "" for none. */
    const struct session_done *done;      /* With incarnations, by host: those
                                      that had ended; or NULL. */
    const struct session_outcome *ended;  /* Not NULL: it has ended so, and
                                             hosts may have been told. */
};

enum session_phase {
    SESSION_JOINING,
    SESSION_PREPARING,
    SESSION_BRINGING,
    SESSION_RUNNING,
    SESSION_ENDING,
    SESSION_OVER,
};
const char *session_phase_word(enum session_phase p);

enum session_event_type {
    SESSION_EVENT_TIMER,
    SESSION_EVENT_MESSAGE,  /* @peer said @message (decoded for our run). */
    SESSION_EVENT_BAD,      /* @peer sent what could not be decoded: @status,
                               @text. VERSION and WRONG_JOB are answered with
                               REFUSE, under job and term of @message when it
                               is not NULL and has them. */
    SESSION_EVENT_PREPARED, /* @status of PREPARE; with OK the shares. */
    SESSION_EVENT_END_KEPT, /* The outcome is durable: END may be said. */
    SESSION_EVENT_FAIL,     /* The job can't go on: @status, @text. */
    SESSION_EVENT_WOKE,     /* This host slept for @slept_ms: what was not
                               heard in that time is nobody's silence. */
};

struct session_event {
    enum session_event_type type;
    uint64_t now_ms;
    uint64_t wall_ms; /* This host's clock, to compare HELLOs with. */
    uint64_t peer;
    const struct wire_message *message;
    enum status status;
    const char *text;
    uint64_t slept_ms;
    /* PREPARED with OK: by host number; host_count of them. The session
     * borrows them until it is destroyed. */
    const struct wire_share_all *shares;
};

struct session_send {
    uint64_t peer;
    struct wire_message message; /* Its views live until the next step. */
};

/* What has become of a host, for who keeps account of what it holds. */
enum session_news {
    SESSION_NEWS_ENTER, /* A process that was not here before is in. */
    SESSION_NEWS_START, /* It was told to start, perhaps again. */
    SESSION_NEWS_DONE,  /* It has ended, and well; */
    SESSION_NEWS_GONE,  /* not well, or it is lost. */
};

struct session_notice {
    uint32_t host;
    enum session_news news;
};

struct session_effects {
    struct session_send *sends; /* Owned by the session; till next step. */
    uint32_t send_count;
    const struct session_notice *notices; /* The same. */
    uint32_t notice_count;
    bool do_keep_end;  /* Keep the outcome; then say END_KEPT. */
    bool do_prepare;   /* List, deal, claim; then say PREPARED. */
    bool is_over;      /* Every host is DONE or LOST, and END was sent. Who
                          goes on stepping still answers repeated words. */
    uint64_t timer_ms; /* When to send the next TIMER; UINT64_MAX: never. */
};

/* What is known of a host once it has come. For PREPARE. */
struct session_host {
    const char *name;
    uint64_t ranks;
    uint64_t weight;
    uint64_t attempt;
    const char *incarnation; /* NULL before it has come. */
    enum wire_phase phase;
    enum status status; /* DONE: what it said, with the two below. */
    int exit_code;
    const char *reason; /* Why it failed, was lost or was refused; or NULL. */
};

/* Make a session in JOINING. Everything in @options is copied. Never NULL. */
struct session *session_new(const struct session_options *options);
void session_destroy(struct session **s);

void session_step(struct session *s, const struct session_event *event,
                  struct session_effects *fx);

enum session_phase session_phase(const struct session *s);
struct session_host session_host(const struct session *s, uint32_t number);

/* The host that @peer is. false: none. */
bool session_host_of(const struct session *s, uint64_t peer, uint32_t *number);

struct session_outcome session_outcome(const struct session *s);

/* Append the state of the whole job as one line of JSON (docs/status.md).
 * O(hosts). It is kept below WIRE_STATUS_MAX by telling less of the hosts. */
void session_report(const struct session *s, struct buf *out);

void session_check(const struct session *s);

#endif /* COORDINATOR_SESSION_H */
