/* SPDX-License-Identifier: Apache-2.0 */
/* `smshard run`, in parts: run.c puts it together and loops; run_meet.c finds
 * or becomes the coordinator; run_bring.c and run_save.c start what the agent
 * asks for; run_feed.c serves dynamic channels; run_child.c makes the
 * command's environment. Main thread only. */

#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "cli/contract.h"
#include "cli/host_keys.h"
#include "cli/lead.h"
#include "cli/progress.h"
#include "cli/run_feed.h"
#include "cli/run_place.h"
#include "cli/run_stream.h"
#include "cli/share_fetch.h"
#include "cli/succession.h"
#include "coordinator/catalog.h"
#include "coordinator/order.h"
#include "proto/net.h"
#include "proto/wire.h"
#include "proto/work.h"
#include "store/store.h"
#include "worker/agent.h"
#include "worker/bring.h"
#include "worker/child.h"
#include "worker/feed.h"
#include "worker/save.h"

/* What one channel's bring reads from. */
struct run_share {
    struct catalog *share;
    struct catalog *all;
    struct catalog_cursor share_at;
    struct catalog_cursor all_at;
    char *name;
    char *root_uri;
    char *prefix;
    char *named_by; /* NULL: the source was listed. */
    char *stamp;
};

struct run {
    struct contract contract;
    struct options options;
    const char *host; /* This host's name. */
    char *state_uri;
    struct store *state;
    struct buf state_prefix;
    bool has_conditions; /* The state's conditional writes. */

    char incarnation[WIRE_JOB_SIZE + 1];
    char run_id[WIRE_JOB_SIZE + 1]; /* Of the run that this host would lead. */
    uint64_t attempt;
    uint32_t ranks;
    char endpoint[NET_ENDPOINT_MAX];
    struct net_keys keys; /* This host's. */
    struct net *listener; /* Lent to the lead while there is one. */
    struct succession *succession;
    char entered[WIRE_JOB_SIZE + 1]; /* The run that the succession knows of. */
    char knocked[WIRE_JOB_SIZE + 1]; /* The run that has kept us waiting. */
    uint64_t started_ms;
    struct lead *lead;
    uint64_t lead_term;           /* Of the last lead. */
    struct term_lease lead_lease; /* What this host leads, or will. */
    bool is_job_over;             /* Led to its end by this host. */
    bool wants_lead; /* It is this host's turn, once the last has ended. */

    struct net *net; /* To the coordinator. */
    struct agent *agent;
    struct term_lease lease; /* What net and agent were made for. */
    uint64_t agent_timer_ms;

    struct child *child;
    bool has_exited; /* The agent is not told yet: see run_tell_exit(). */
    uint64_t exited_ms;
    struct child_event exit;
    bool was_answered; /* By the coordinator, with anything. */
    bool was_refused;
    bool was_signalled; /* Before there was an agent. */
    int signal;

    struct run_share shares[WIRE_CHANNELS_MAX];
    struct bring_channel channels[WIRE_CHANNELS_MAX];
    uint32_t share_count;
    struct run_feed feeds[WIRE_CHANNELS_MAX];
    struct feed_channel feed_channels[WIRE_CHANNELS_MAX];
    uint32_t feed_count;
    struct run_place place;
    struct run_streams streams;
    bool is_streaming; /* They were started. */
    bool has_dealt;    /* They need to know what was dealt. */
    struct feed *feed; /* NULL: no dynamic channel, or not started. */
    struct work work;
    struct grant grant;
    struct buf work_body;
    const struct wire_share_all *dealt; /* The agent's. */
    struct share_fetch
        *fetch; /* Before the bring: reads what it is to bring. */
    struct bring *bring;
    bool is_brought; /* The bring has ended well. */
    struct {
        struct progress rate;
        uint64_t told_ms; /* The last line in the log, */
        uint32_t lines;   /* and how many there were. */
        bool is_shown;    /* There is a line on the terminal. */
    } progress;
    char *output_uri; /* Where to write below, or NULL. */
    char *checkpoint_uri;
    uint64_t first_rank;
    uint64_t rank_count;

    struct save *save;
    char *save_texts[2 * SAVE_TREES_MAX];
    struct save_tree save_trees[SAVE_TREES_MAX];
    uint32_t save_count;

    struct buf encoded;
    bool is_over;
};

/* run.c: give one event to the agent and do what it says. */
void run_step(struct run *r, struct agent_event event);

/* Send to the coordinator, if it can be. */
void run_send(struct run *r, const struct wire_message *message);

/* The coordinator's thread has ended or was told to: join it. */
void run_take_lead(struct run *r);

/* Write this host's file, listen, and get ready to meet.
 * DENIED, STORE, OS (the port is taken), … */
MUST_USE enum status run_meet_start(struct run *r, struct fault *why);

/* Take news of who leads: lead, or connect to who does. */
MUST_USE enum status run_meet(struct run *r, struct fault *why);

/* Tell the succession what it needs to know of the agent. */
void run_meet_heed(struct run *r);

/* The run that the coordinator leads keeps this launch waiting. */
void run_meet_knock(struct run *r);
void run_meet_fini(struct run *r);

/* Start reading the shares that the coordinator named; *@all lives as long as
 * the agent. */
MUST_USE enum status run_bring_start(struct run *r,
                                     const struct wire_share_all *all,
                                     struct fault *why);

/* They are read: start bringing them. */
MUST_USE enum status run_bring_go_on(struct run *r, struct fault *why);

/* Readable when the reading or the bringing has ended; -1: neither goes on. */
int run_bring_fd(const struct run *r);
void run_bring_cancel(struct run *r);

/* Fill @beat's progress from the running or finished bring. */
void run_bring_progress(const struct run *r, struct wire_beat *beat);

/* Tell who looks on how the bring goes: a line that changes on a terminal,
 * else a line in the log now and then; and the end of that. */
void run_bring_tell(struct run *r);
void run_bring_told(struct run *r);
void run_bring_fini(struct run *r);

/* Write the platform's files that are missing, make the environment, start
 * the command. */
MUST_USE enum status run_child_start(struct run *r, struct fault *why);

/* Start saving outputs and checkpoints. */
MUST_USE enum status run_save_start(struct run *r, struct fault *why);
void run_save_fini(struct run *r);

uint64_t run_setting(const struct run *r, enum setting id);

/* Bytes that data may lie in on its way. */
uint64_t run_memory(const struct run *r);

#endif /* CLI_RUN_H */
