/* SPDX-License-Identifier: Apache-2.0 */
/* A host's end of the leases of one channel: it asks for work, hands positions
 * to the host's ranks in order, gathers what they have done, and tells it to
 * the coordinator until that is acknowledged.
 *
 * A rank is handed the lowest position of its leases that it was not handed
 * yet, each once. It may be handed a position only while the lease is surely
 * valid: until lease_ms less a margin after this host *sent* the last WORK
 * that was answered. A host that was asleep or cut off thus hands out nothing
 * that may be another's meanwhile. What a rank was handed, it may finish; the
 * coordinator says whether the commit counts.
 *
 * Each rank goes through all epochs, one after the other, and is told of each
 * end once: a rank that is behind is not led past one. A rank asks for work
 * from its first holder_next() on.
 *
 * A change of coordinator changes nothing here but that all is told anew.
 *
 * Pure: time comes with each call. Threads: none. */

#ifndef WORKER_HOLDER_H
#define WORKER_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "proto/work.h"

enum {
    HOLDER_SKIP_MAX = 64,       /* Skips that are not acknowledged. */
    HOLDER_RANK_LEASES_MAX = 4, /* A rank with so many asks for no more. */
    HOLDER_MARGIN_PART = 8, /* A lease is trusted for lease_ms less this part
                               of it: clocks run differently. */
};

struct holder;

struct holder_options {
    uint32_t channel;
    uint32_t rank_count;  /* Of this host, at most 64. */
    uint64_t ahead_units; /* A rank wants work when it has fewer left; not 0. */
    uint64_t lease_ms;
    uint64_t beat_ms; /* WORK is sent at least so often, */
    uint64_t gap_ms;  /* and after news no more often than this. */
    uint64_t now_ms;
};

/* What a rank is to deliver. */
struct holder_unit {
    uint64_t epoch;
    uint64_t position;
    uint64_t lease;
    bool is_late;
};

struct holder *holder_new(const struct holder_options *options);
void holder_destroy(struct holder **h);

/* ---- The ranks' side ----------------------------------------------------- */

/* Hand @rank its next unit. OK; EMPTY: none is here now; STOPPED: its epoch,
 * holder_epoch(), has ended, nothing more of it comes (until holder_begin()).
 * A rank may be handed several before it has done the first. */
MUST_USE enum status holder_next(struct holder *h, uint32_t rank,
                                 uint64_t now_ms, struct holder_unit *out);

/* The unit that @rank would be handed next, of those from position @from on,
 * for prefetch. It may go to another rank still. false: not known. */
bool holder_peek(const struct holder *h, uint32_t rank, uint64_t from,
                 struct holder_unit *out);

/* @rank has read its STOPPED: go on with the next epoch. OK, also when it was
 * not told STOPPED; EMPTY: it has not begun, ask again; STOPPED: there is
 * none. */
MUST_USE enum status holder_begin(struct holder *h, uint32_t rank);

/* The epoch that @rank is in. */
uint64_t holder_epoch(const struct holder *h, uint32_t rank);

/* Nothing more of it comes for anybody: what is leased is. */
bool holder_epoch_is_over(const struct holder *h, uint32_t rank);

/* @rank has consumed the unit. OK: it will be told; INVALID: it was not handed
 * to that rank, or was done before. LOST: its lease is known to be over. */
MUST_USE enum status holder_done(struct holder *h, uint32_t rank,
                                 const struct holder_unit *unit);

/* The unit can't be read: skip it, if the job allows. As holder_done(); FULL:
 * too many are not acknowledged yet. @reason is shortened to
 * WORK_REASON_MAX. */
MUST_USE enum status holder_skip(struct holder *h, uint32_t rank,
                                 const struct holder_unit *unit,
                                 const char *reason);

/* @rank gives the unit back: it is handed out anew. As holder_done(). */
MUST_USE enum status holder_return(struct holder *h, uint32_t rank,
                                   const struct holder_unit *unit);

/* The rank's process has gone: what it was handed and has not done is handed
 * out anew. */
void holder_restart(struct holder *h, uint32_t rank);

/* @rank will deliver nothing more of its epoch: give back what nobody was
 * handed. To be called again as long as there may be some. */
void holder_give_back(struct holder *h, uint32_t rank);

/* @rank wants its epoch to end early, for all. Without effect once another
 * epoch has begun. */
void holder_end_epoch(struct holder *h, uint32_t rank);

/* What has become of units that were done: take them one range after the
 * other. Each unit for which holder_done() or holder_skip() was OK comes up
 * once. */
struct holder_outcome {
    uint32_t rank;
    uint64_t epoch;
    uint64_t lease;
    uint64_t first;
    uint64_t end;
    bool is_skip;
    bool is_refused; /* Not known to count: somebody else may get it. */
};
bool holder_take_outcome(struct holder *h, struct holder_outcome *out);

/* ---- The coordinator's side ---------------------------------------------- */

/* Fill @out if something is to be said now: news, or holder_timer_ms() has
 * come. Texts in it live until the next call. */
bool holder_work(struct holder *h, uint64_t now_ms, struct work *out);

/* Take the coordinator's word. What is older than what is known is left, and
 * what can't be an answer to this holder. */
void holder_take(struct holder *h, const struct grant *grant);

/* Another coordinator: tell it all, now. */
void holder_new_term(struct holder *h);

uint64_t holder_timer_ms(const struct holder *h);

/* Whether all that was done or skipped is known to count, or not to. */
bool holder_is_settled(const struct holder *h);

/* For status: positions in hand. */
struct holder_stats {
    uint64_t handed; /* In all; anew counts again. */
    uint64_t done;
    uint64_t acked;
    uint64_t refused;
    uint64_t skipped;
    uint64_t waiting; /* Leased and not handed out. */
    uint64_t open;    /* Handed out and not done. */
    uint64_t epoch;
    bool is_paused; /* The leases are not surely valid now. */
    bool is_over;
};
struct holder_stats holder_stats(const struct holder *h, uint64_t now_ms);

void holder_check(const struct holder *h);

#endif /* WORKER_HOLDER_H */
