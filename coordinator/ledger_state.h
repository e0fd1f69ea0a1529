/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger is made of. For ledger*.c only.
 *
 * Every position is free, under a lease, committed or skipped; `taken` is all
 * but the free ones, so that its gaps are what can be dealt. A lease begins
 * where nothing is taken; so whatever is committed in its range was committed
 * under it. */

#ifndef COORDINATOR_LEDGER_STATE_H
#define COORDINATOR_LEDGER_STATE_H

#include "coordinator/ledger.h"
#include "coordinator/ledger_held.h"

enum {
    LEDGER_STEPS = 2,       /* Are dealt at a time: the gate's and the next. */
    LEDGER_RATE_SHIFT = 16, /* Rates are positions a ms, times 2^16. */
};

/* How fast a rank commits, while it holds leases. */
struct ledger_pace {
    uint64_t rate;     /* 0: not known yet. */
    uint64_t units;    /* Committed since the last measure, */
    uint64_t busy_ms;  /* in this time, and */
    uint64_t since_ms; /* since then, if it holds a lease. */
};

struct ledger_rank {
    uint64_t watermark; /* All that it had lies below. */
    uint64_t had_step;  /* It has had its part of the steps below. */
    uint64_t owed;      /* Of its part of step had_step - 1. */
    struct ledger_pace pace;
    uint32_t host;
    uint8_t lease_count;
    bool is_hungry;     /* Has nothing, and asked in vain. */
    uint64_t yields_ms; /* It gave a tail back: others come first until then. */
};

/* hosts[host_count] is the head of the ring of live hosts, which stand in the
 * order in which they were last heard of. */
struct ledger_host {
    uint64_t until_ms; /* When it is lost, if it lives. */
    uint32_t older;
    uint32_t younger;
    uint32_t first_rank;
    uint32_t rank_count;
    uint32_t weight;
    uint32_t first_lease; /* Slots; LEDGER_NONE: it has none. */
    uint32_t last_lease;
    bool is_live;
};

/* One of the steps that are dealt. */
struct ledger_step {
    uint64_t free;
    uint64_t owed; /* Of `free`: kept for ranks that have had some. */
    uint64_t done; /* Committed or skipped. */
    uint64_t had;  /* Live ranks that have had their part. */
};

struct ledger {
    uint64_t positions;
    uint64_t epochs;
    uint64_t first_epoch;
    uint64_t step_units;
    uint64_t lease_ms;
    uint64_t run_ms;
    uint64_t run_units;
    uint64_t skips_max;
    uint32_t host_count;
    uint32_t rank_count;
    uint64_t *shares; /* NULL: not static. */
    struct ledger_host *hosts;
    struct ledger_rank *ranks;

    /* What the entries say. */
    uint64_t epoch;
    bool is_stopping;
    uint64_t next_lease;
    uint64_t epoch_lease; /* The first one of this epoch. */
    uint64_t skips_used;
    struct ranges *committed;
    struct ranges *skipped;
    struct ranges *taken;
    struct ranges *dropped; /* Numbers of leases that ended otherwise than by
                               being committed whole. */
    struct ledger_counts counts;

    /* Leases: slots, and where a number is (open addressing). */
    struct ledger_held *slots;
    uint32_t slot_count; /* In use or in the list of free ones. */
    uint32_t slot_room;
    uint32_t free_slot;
    uint32_t lease_count;
    uint32_t *places; /* Slots; LEDGER_NONE. */
    uint32_t place_mask;
    uint64_t leased;

    /* Steps: gate_step is the first that is not all done. */
    uint64_t gate_step;
    struct ledger_step steps[LEDGER_STEPS];

    /* Not in the entries. */
    uint64_t now_ms;
    uint64_t live_ranks;
    uint64_t live_weight; /* Of each live rank. */
    uint64_t mean_rate;   /* At weight 100. */
    uint64_t hungry;
    uint64_t starved_ms;  /* When nothing was there for one of them, last. */
    uint64_t straggle_ms; /* When stragglers are looked for next. */
    uint32_t straggle_slot;

    struct ledger_entry *entries;
    size_t entry_count;
    size_t entry_room;
};

/* Find the first run of @in that is neither committed nor skipped. */
bool ledger_next_open(const struct ledger *l, struct range in,
                      struct range *out);
uint64_t ledger_free(const struct ledger *l); /* How many are not taken. */
void ledger_set_now(struct ledger *l, uint64_t now_ms);

/* ledger_apply.c: make the change and note the entry; it is right. */
void ledger_do(struct ledger *l, const struct ledger_entry *entry);

/* Whether static shares or steps allow @range for @rank. */
bool ledger_allows_run(const struct ledger *l, uint32_t rank,
                       struct range range);

/* Begin the next epoch if this one is complete and there is one. */
void ledger_settle(struct ledger *l);

/* ledger_step.c: what is known of the steps that are dealt. */
struct range ledger_step_range(const struct ledger *l, uint64_t step);
void ledger_step_reset(struct ledger *l);
void ledger_step_taken(struct ledger *l, struct range range);
void ledger_step_freed(struct ledger *l, struct range range);
void ledger_step_done(struct ledger *l, struct range range);
void ledger_step_granted(struct ledger *l, uint32_t rank, struct range range);
void ledger_step_enter(struct ledger *l, uint32_t rank); /* Lives now; */
void ledger_step_leave(struct ledger *l, uint32_t rank); /* no more. */

/* Choose what @rank gets next of the steps, @most at most, and how much of its
 * part is then still owed. false: nothing now. */
struct ledger_part {
    struct range range;
    uint64_t owed;
};
bool ledger_step_pick(const struct ledger *l, uint32_t rank, uint64_t most,
                      struct ledger_part *out);
void ledger_step_owe(struct ledger *l, uint32_t rank, uint64_t owed);

/* ledger_pace.c: how fast ranks are. */
void ledger_pace_begin(struct ledger *l, uint32_t rank);
void ledger_pace_end(struct ledger *l, uint32_t rank);
void ledger_pace_commit(struct ledger *l, uint32_t rank, uint64_t units);

/* How long a run @rank should get, at least 1. */
uint64_t ledger_pace_run(const struct ledger *l, uint32_t rank);

/* How long @rank will take for @units, as it looks now. */
uint64_t ledger_pace_ms(const struct ledger *l, uint32_t rank, uint64_t units);

/* ledger_straggle.c */
void ledger_feed(struct ledger *l, uint32_t rank); /* Hungry no more. */
void ledger_starve(struct ledger *l, uint32_t rank);
void ledger_straggle(struct ledger *l);
void ledger_gave_back(struct ledger *l, uint32_t rank);
bool ledger_yields(const struct ledger *l, uint32_t rank);
uint64_t ledger_straggle_timer_ms(const struct ledger *l);

/* ledger_time.c */
void ledger_time_init(struct ledger *l);

#endif /* COORDINATOR_LEDGER_STATE_H */
