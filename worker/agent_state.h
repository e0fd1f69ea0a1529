/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent is made of. For agent*.c only. */

#ifndef WORKER_AGENT_STATE_H
#define WORKER_AGENT_STATE_H

#include "worker/agent.h"

enum { AGENT_CHANNEL_NAME_MAX = WIRE_NAME_MAX };

/* Signals that mean something to an agent, as POSIX numbers them for kill(1);
 * the header that names them belongs to the operating system's files. */
enum {
    AGENT_HUP = 1,
    AGENT_INT = 2,
    AGENT_QUIT = 3,
    AGENT_KILL = 9,
    AGENT_TERM = 15,
};

#define AGENT_NEVER UINT64_MAX

/* Why this host ends, other than by its command's own exit. */
struct agent_cause {
    enum status status; /* OK: no such cause. */
    int exit_code;
    bool yields; /* To the command's exit code, unless that is 0. */
    char *text;
};

struct agent {
    char *host;
    char *incarnation;
    char *leader; /* "the coordinator on algo-1" */
    char *release;
    char run[WIRE_JOB_SIZE + 1];
    uint64_t term;
    uint64_t attempt;
    uint64_t ranks;
    uint64_t weight;
    uint64_t host_count;
    uint64_t heartbeat_ms;
    uint64_t host_timeout_ms;
    uint64_t join_timeout_ms;
    uint64_t grace_ms;
    uint64_t silence_ms;

    enum agent_state state;
    uint64_t now_ms;
    uint64_t since_ms;   /* When the state began. */
    uint64_t beat_ms;    /* When HELLO, BEAT or DONE is said next. */
    uint64_t asked_ms;   /* When the first word was said that nothing was
                            heard after; AGENT_NEVER: none. */
    uint64_t greet_ms;   /* Until the next HELLO, while it is not greeted. */
    bool is_greeted;     /* This coordinator knows our connection. */
    uint64_t kill_ms;    /* When the command is killed, or AGENT_NEVER. */
    bool is_overdue;     /* That was done. */
    uint64_t claimed_ms; /* When CLAIMED was first heard, or AGENT_NEVER. */
    bool is_deaf;        /* No END will come: report to nobody. */

    struct wire_beat beat; /* What the next BEAT says. */
    char channels[WIRE_CHANNELS_MAX][AGENT_CHANNEL_NAME_MAX + 1];
    struct buf stream_texts; /* Those of the beat's streams. */
    bool has_shares;
    struct wire_share_all shares; /* Its texts lie in @texts. */
    struct buf texts;
    uint64_t brought_units;
    uint64_t brought_bytes;

    bool is_bringing;                     /* Asked for, and no BROUGHT yet. */
    bool is_started;                      /* STARTED with OK has come. */
    int early_signals[AGENT_SIGNALS_MAX]; /* Before STARTED. */
    uint32_t early_count;
    int command_code; /* 0 until it has ended. */
    char *command_text;
    enum status save_status;
    char *save_text;
    struct agent_cause cause;
    struct agent_outcome outcome; /* Made when REPORTING begins. */
};

/* agent_send.c: what is said. @fx has room. */
void agent_send_hello(struct agent *a, uint64_t wall_ms,
                      struct agent_effects *fx);
void agent_send_beat(struct agent *a, struct agent_effects *fx);
void agent_send_ready(struct agent *a, struct agent_effects *fx);
void agent_send_done(struct agent *a, struct agent_effects *fx);

/* Copy what the coordinator said or the owner told, with its texts. */
void agent_keep_shares(struct agent *a, const struct wire_share_all *shares);
void agent_keep_progress(struct agent *a, const struct wire_beat *beat);

/* agent_message.c: the coordinator's word. */
void agent_take_message(struct agent *a, const struct wire_message *m,
                        struct agent_effects *fx);

/* agent.c: the moves that both files make. */
void agent_enter(struct agent *a, enum agent_state state);

/* End this host because of @cause, whose text now belongs to the agent: stop
 * what runs, save, report. The first cause stands. */
void agent_stop(struct agent *a, struct agent_cause cause,
                struct agent_effects *fx);

/* All is over: exit. */
void agent_finish(struct agent *a, struct agent_effects *fx);

#endif /* WORKER_AGENT_STATE_H */
