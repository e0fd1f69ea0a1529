/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the simulator share: the world and its hosts. Each part
 * owns the functions that carry its name. */

#ifndef CLUSTER_SIM_SIM_WORLD_H
#define CLUSTER_SIM_SIM_WORLD_H

#include "base/prng.h"
#include "cluster-sim/sim.h"
#include "cluster-sim/sim_clock.h"
#include "cluster-sim/sim_fault.h"
#include "cluster-sim/sim_net.h"
#include "cluster-sim/sim_store.h"
#include "cluster-sim/sim_trace.h"
#include "coordinator/journal.h"
#include "coordinator/term.h"
#include "proto/wire.h"
#include "proto/work.h"
#include "worker/agent.h"
#include "worker/holder.h"

enum sim_kind {
    SIM_START, /* A process begins on the node. */
    SIM_TIMER, /* arg: which. */
    SIM_EFFECT,
    SIM_ANSWER,
    SIM_PACKET,
    SIM_WAKE,   /* The node's pause is over. */
    SIM_DEED,   /* Something that a process had begun; arg: see sim_work.c. */
    SIM_EXPEL,  /* The process dies and comes again. */
    SIM_EXIT,   /* It has ended. */
    SIM_RESUME, /* Another launch of the job, of another size. */
    SIM_INCIDENT,
    SIM_CALM,
    SIM_KINDS,
};

/* The timers of a process. */
enum sim_timer {
    SIM_TIMER_TERM,
    SIM_TIMER_LEAD,
    SIM_TIMER_LOAD,
    SIM_TIMER_AGENT,
    SIM_TIMER_WORK,
    SIM_TIMERS,
};

enum sim_deed {
    SIM_DEED_UNIT,
    SIM_DEED_BROUGHT,
    SIM_DEED_STARTED,
    SIM_DEED_EXITED,
    SIM_DEED_SAVED,
    SIM_DEED_PREPARED,
};

/* Whom a store's answer is for: the low byte of a request's tag. Above it are
 * the number of the lead on that host, and the journal's own tag. */
enum sim_tag { SIM_TAG_TERM, SIM_TAG_LEAD };

enum { SIM_TOLD_MAX = 4096, SIM_JOIN_MS = 120000, SIM_CHANNELS_MAX = 2 };

struct sim_log;
struct sim_lead;
struct sim_work;
struct sim_truth;

struct sim_alarm {
    uint64_t want_ms;  /* By the host's clock. */
    uint64_t armed_us; /* The event that is under way; SIM_NEVER: none. */
};

struct sim_host {
    uint32_t number;
    bool is_up;
    bool has_left;  /* For good. */
    bool has_ended; /* So has its part of the job. */
    bool is_done;   /* Its agent is over; its coordinator may not be. */
    bool is_exiting;
    uint32_t ranks;
    uint32_t weight;
    uint64_t process;
    uint64_t paused_until_us; /* 0: not paused. */
    struct sim_watch watch;
    int64_t wall_ms; /* What its wall clock shows too much. */
    struct sim_alarm alarms[SIM_TIMERS];
    uint64_t reign_steps; /* Steps as a leader. */
    struct term *term;
    uint64_t leads; /* How often this process began to lead. */
    struct sim_log *log;
    struct sim_lead *lead;
    struct sim_work *work;
};

struct sim {
    struct sim_options options;
    struct sim_plan plan;
    struct prng prng;
    struct sim_clock *clock;
    struct sim_store *store;
    struct sim_net *net;
    struct sim_trace trace;
    struct sim_weather weather; /* As it is now. */
    bool is_calm;
    uint64_t heartbeat_ms;
    uint64_t gap_ms; /* Of the journal. */
    uint64_t snapshot_bytes;
    uint64_t host_timeout_ms;
    uint64_t run_ms;
    uint64_t run_units;
    uint64_t ahead_units;
    uint64_t unit_ms;
    uint32_t channels;
    enum sim_mode modes[SIM_CHANNELS_MAX];
    uint64_t epochs;
    uint64_t step_units;
    uint64_t skips;
    uint64_t poison; /* Units that can't be read, in 1,000. */
    uint64_t rank_count;
    bool acks_early;
    bool keeps_on_failure;
    bool stops_early;
    bool hides_units;    /* In the trace of a story. */
    bool is_stubborn;    /* A reign goes on until it is deposed. */
    uint64_t kill_after; /* The leader dies after so many steps; 0: no. */
    struct sim_host hosts[SIM_NODES_MAX];
    uint64_t events;
    uint64_t last_term; /* Highest seen leading. */
    uint64_t terms;
    uint64_t told[SIM_TOLD_MAX]; /* Model journal: ids of durable records. */
    uint64_t progress_us;        /* When there was some, the last time. */
    struct sim_truth *truth;
    struct sim_truth *prior; /* Of the run that was resumed. */
    uint32_t nodes;          /* Hosts of this launch and of the next one. */
    uint32_t hosts_next;
    struct buf bases[SIM_CHANNELS_MAX];
    bool is_resuming; /* All are dead, and others will come. */
    struct work work; /* Room for one at a time, as the three below. */
    struct grant grant;
    struct wire_message message;
    struct agent_effects agent_fx;
    struct fault why; /* What was broken; "": nothing. */
};

/* ---- sim.c --------------------------------------------------------------- */

uint64_t sim_now_us(const struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t bound);

#define SIM_NOBODY UINT32_MAX
#define sim_say(s, node, ...)                                                  \
    sim_trace(&(s)->trace, sim_now_us(s), node, __VA_ARGS__)

#define sim_note(s, node, ...)                                                 \
    sim_trace_detail(&(s)->trace, sim_now_us(s), node, __VA_ARGS__)

/* Who reads and commits: too much for most stories. */
#define sim_unit_say(s, node, ...)                                             \
    do {                                                                       \
        if ((s)->hides_units) {                                                \
            sim_note(s, node, __VA_ARGS__);                                    \
        } else {                                                               \
            sim_say(s, node, __VA_ARGS__);                                     \
        }                                                                      \
    } while (0)

/* A promise is broken: the run ends. The first one counts. */
__attribute__((format(printf, 2, 3))) void sim_broken(struct sim *s,
                                                      const char *format, ...);

/* ---- sim_host.c ---------------------------------------------------------- */

void sim_host_start(struct sim *s, struct sim_host *h);
void sim_host_die(struct sim *s, struct sim_host *h);
void sim_host_free(struct sim_host *h);

/* Take an event of this host; it is up and not paused. */
void sim_host_event(struct sim *s, struct sim_host *h, struct sim_event *e);

uint64_t sim_host_ms(const struct sim *s, const struct sim_host *h);
void sim_host_alarm(struct sim *s, struct sim_host *h, enum sim_timer which,
                    uint64_t at_ms);

/* Ask the store what the journal of the present lead wants. */
void sim_host_ask(struct sim *s, struct sim_host *h, const char *folder,
                  const struct journal_request *r);

uint64_t sim_host_wall_ms(const struct sim *s, const struct sim_host *h);

/* Another run has taken the place of this one's: it has to begin anew. */
void sim_host_expel(struct sim *s, struct sim_host *h);

/* It has led to the end. */
void sim_host_release(struct sim *s, struct sim_host *h);
void sim_host_exit(struct sim *s, struct sim_host *h);

/* Whether it leads now, as it believes. */
bool sim_host_acts(const struct sim *s, const struct sim_host *h);

/* ---- sim_log.c: the model journal ---------------------------------------- */

void sim_log_lead(struct sim *s, struct sim_host *h);
void sim_log_timer(struct sim *s, struct sim_host *h, enum sim_timer which);
void sim_log_stored(struct sim *s, struct sim_host *h,
                    const struct sim_store_call *c);
void sim_log_destroy(struct sim_log **l);

/* ---- sim_lead.c: a reign --------------------------------------------------
 */

void sim_lead_begin(struct sim *s, struct sim_host *h);
void sim_lead_timer(struct sim *s, struct sim_host *h);
void sim_lead_stored(struct sim *s, struct sim_host *h,
                     const struct sim_store_call *c);
void sim_lead_packet(struct sim *s, struct sim_host *h, uint64_t peer,
                     struct bytes bytes);
void sim_lead_deed(struct sim *s, struct sim_host *h, uint64_t arg);
bool sim_lead_is_at_work(const struct sim_host *h);
void sim_lead_destroy(struct sim_lead **l);

/* ---- sim_work.c: agent, holders, ranks ------------------------------------
 */

/* The lease has changed hands, or was seen for the first time. */
void sim_work_follow(struct sim *s, struct sim_host *h);
void sim_work_timer(struct sim *s, struct sim_host *h, enum sim_timer which);
void sim_work_packet(struct sim *s, struct sim_host *h, struct bytes bytes);
void sim_work_deed(struct sim *s, struct sim_host *h, uint64_t arg);
void sim_work_restart_ranks(struct sim *s, struct sim_host *h);
bool sim_work_believes(const struct sim *s, const struct sim_host *h,
                       uint32_t channel, const struct holder_unit *unit);
const char *sim_work_run(const struct sim_host *h); /* "": none. */
void sim_work_destroy(struct sim_work **w);

/* ---- sim_truth.c: what is true ------------------------------------------- */

void sim_truth_stored(struct sim *s, const char *key);
void sim_truth_handed(struct sim *s, struct sim_host *h, uint32_t channel,
                      const struct holder_unit *unit);
void sim_truth_told(struct sim *s, struct sim_host *h, uint32_t channel,
                    const struct holder_outcome *o);
void sim_truth_stopped(struct sim *s, uint32_t channel, uint64_t epoch);
void sim_truth_ended(struct sim *s, struct sim_host *h, uint32_t channel);
void sim_truth_done(struct sim *s, struct sim_host *h, enum status status);
bool sim_truth_is_poison(const struct sim *s, uint64_t position);
bool sim_truth_has_plan(const struct sim *s);
bool sim_truth_is_ended(const struct sim *s);

/* What was settled in a channel's epoch when the job was resumed: the epoch;
 * the positions are appended as ranges. */
uint64_t sim_truth_base(const struct sim *s, uint32_t channel, struct buf *out);
bool sim_truth_is_run(const struct sim *s, const char *run);
void sim_truth_audit(struct sim *s);
void sim_truth_destroy(struct sim_truth **m);

/* ---- sim_strike.c: faults ------------------------------------------------ */

void sim_strike(struct sim *s, const struct sim_incident *i);
void sim_strike_calm(struct sim *s);
void sim_strike_resume(struct sim *s);

/* ---- sim_judge.c: promises ----------------------------------------------- */

void sim_judge(struct sim *s);

/* Whether all is as it has to be at the end. */
bool sim_judge_is_over(const struct sim *s);

#endif /* CLUSTER_SIM_SIM_WORLD_H */
