/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the simulator share: the world and its hosts. What each
 * part does for the others is in sim_parts.h. */

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

#endif /* CLUSTER_SIM_SIM_WORLD_H */
