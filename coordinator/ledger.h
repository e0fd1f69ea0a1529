/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger: who may deliver which positions of a channel, and which have been
 * committed. One channel, one epoch after the other.
 *
 * A lease is a run of positions that one rank may deliver until its host has
 * been silent for lease_ms. At no time are two leases over one position, and
 * no position is committed twice in an epoch: what is committed, was committed
 * by the lease over it, before that ended. A lease's number is never used
 * again, so that a late word of its holder is told from a new one's.
 *
 * Who deals:
 *   dynamic  a rank that asks gets the next free run, above all it had before
 *            while there is one; as long as fits its host's weight and the
 *            rate at which it commits
 *   stepped  (step_units) of step k, the positions from k·step_units, each
 *            live rank gets an equal part, and nobody may deliver beyond
 *            ledger_gate(): the first step that is not all committed. So a
 *            step is the same set with any number of ranks
 *   static   (shares) rank r may only have [shares[r], shares[r+1])
 *
 * When a host is lost, what its leases had left is free again. When nothing
 * is free, a straggler is asked for the tail that it has not begun
 * (want_end); once that is given back, those who have nothing come first.
 *
 * Each change is an entry. The functions decide, apply and note entries;
 * ledger_apply() makes the same change elsewhere: who has replayed them goes
 * on where the last one stopped. Expiry and rates are not entries.
 *
 * Pure; memory follows leases and holes, not positions. Threads: none. */

#ifndef COORDINATOR_LEDGER_H
#define COORDINATOR_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/ranges.h"
#include "base/status.h"
#include "coordinator/ledger_entry.h"

enum {
    LEDGER_RANK_LEASES_MAX = 4, /* Of one rank at a time. */
    LEDGER_WEIGHT_MAX = 1000000,
    LEDGER_SKIPS_MAX = 10000,
    LEDGER_HOLES_MAX = 16 << 20, /* Of a snapshot that is read. */
};

struct ledger;

struct ledger_options {
    uint64_t positions;   /* Of each epoch; may be 0. */
    uint64_t epochs;      /* How many there are; at least 1. */
    uint64_t first_epoch; /* The one to begin with (a cursor's); < epochs. */
    uint64_t step_units;  /* 0: no steps. */
    uint32_t host_count;
    /* By host, copied. Ranks are numbered over all hosts, host after host. */
    const uint32_t *host_ranks;   /* 0: takes no part. */
    const uint32_t *host_weights; /* 100 is usual; at least 1. */
    const uint64_t
        *shares; /* Static: rank count + 1 bounds, copied; or NULL. */
    uint64_t lease_ms;
    uint64_t run_ms;    /* Aim at leases that last so long; */
    uint64_t run_units; /* and no longer than this. 0: no limit. */
    uint64_t skips;     /* Units that may be skipped over all epochs. */
};

struct ledger_lease {
    uint64_t number;
    uint32_t host;
    uint32_t rank;
    struct range range;
    uint64_t left;     /* Neither committed nor skipped. Never 0. */
    uint64_t want_end; /* < range.end: the holder is asked for the tail. */
    bool is_late;      /* Below what the rank had before (dynamic). */
};

struct ledger_counts {
    uint64_t grants;
    uint64_t commits;    /* Positions of this run, over all epochs. */
    uint64_t drops;      /* Leases that ended with something left. */
    uint64_t cuts;       /* Tails given back. */
    uint64_t refused;    /* Words without a lease; not replayed. */
    uint64_t duplicates; /* Positions committed by word again; likewise. */
    uint64_t late;       /* Leases out of a rank's order. */
};

struct ledger *ledger_new(const struct ledger_options *options);
void ledger_destroy(struct ledger **l);

/* ---- Deciding. @now_ms never goes back. -------------------------------- */

/* Give @rank a lease of @units at most (0: as many as is right). OK; EMPTY:
 * nothing is free for it now, ask again; STOPPED: this epoch has nothing more
 * for it, ever; FULL: it has LEDGER_RANK_LEASES_MAX; INVALID: no such rank, or
 * its host does not live. */
struct ledger_want {
    uint32_t rank;
    uint64_t units;
    uint64_t now_ms;
};
MUST_USE enum status ledger_want(struct ledger *l,
                                 const struct ledger_want *want,
                                 struct ledger_lease *out);

/* @host says that it has committed @range under @lease. OK, also for what was
 * committed before, under it; LOST: it does not hold that lease (any more);
 * INVALID: not all of the range is the lease's. */
struct ledger_word {
    uint32_t host;
    uint64_t lease;
    struct range range;
    uint64_t now_ms;
};
MUST_USE enum status ledger_commit(struct ledger *l,
                                   const struct ledger_word *word);

/* @host gives back range.first to the end of its lease, of which it has begun
 * nothing. OK; LOST; INVALID: some of it is committed. */
MUST_USE enum status ledger_give_back(struct ledger *l,
                                      const struct ledger_word *word);

/* @host can't read range.first (a range of one). OK: skipped; FULL: more than
 * `skips`, nothing has changed and the job should fail; LOST, INVALID. */
MUST_USE enum status ledger_skip(struct ledger *l,
                                 const struct ledger_word *word);

/* @host was heard of: its leases run from now. One that was lost lives again.
 */
void ledger_hear(struct ledger *l, uint32_t host, uint64_t now_ms);

/* @host's leases are over: another process, with new ranks, is @host now; or
 * it is gone. */
void ledger_enter(struct ledger *l, uint32_t host, uint64_t now_ms);
void ledger_lose(struct ledger *l, uint32_t host, uint64_t now_ms);

/* Let time pass: lose silent hosts, ask stragglers, begin the next epoch where
 * ledger_base() or a replay has completed one (what else completes an epoch
 * begins the next one itself). Call when ledger_timer_ms() has come. */
void ledger_tick(struct ledger *l, uint64_t now_ms);
uint64_t ledger_timer_ms(const struct ledger *l); /* UINT64_MAX: never. */

/* Nobody could be heard for a while: who lives has lease_ms anew. O(hosts). */
void ledger_woke(struct ledger *l, uint64_t now_ms);

/* Committed before this run began (a cursor). Only before the first grant. */
void ledger_base(struct ledger *l, struct range range);

/* End this epoch early: nothing more is dealt; once nothing is held, go on. */
void ledger_stop(struct ledger *l);

/* ---- Entries ------------------------------------------------------------ */

/* The entries since the last such call; they live until the next change. */
const struct ledger_entry *ledger_take_entries(struct ledger *l, size_t *count);

/* Make the change that @entry tells, noting nothing. Only before any host
 * lives. MALFORMED: it does not follow from what was before; nothing done. */
MUST_USE enum status ledger_apply(struct ledger *l,
                                  const struct ledger_entry *entry,
                                  struct fault *why);

/* All is replayed: hosts with leases or part of the gate's step live now. */
void ledger_resume(struct ledger *l, uint64_t now_ms);

/* The whole state, for a snapshot (ledger_state.c). Read into a new ledger of
 * the same options. MALFORMED: destroy it. */
void ledger_write(const struct ledger *l, struct buf *out);
MUST_USE enum status ledger_read(struct ledger *l, struct bytes *in,
                                 struct fault *why);

/* ---- Looking ------------------------------------------------------------ */

uint64_t ledger_epoch(const struct ledger *l);   /* From 0. */
bool ledger_is_complete(const struct ledger *l); /* This epoch is done. */
bool ledger_is_over(const struct ledger *l);     /* And the last one. */
bool ledger_is_stopping(const struct ledger *l);
uint64_t ledger_gate(const struct ledger *l); /* Deliver only below. */
const struct ranges *ledger_committed(const struct ledger *l);
const struct ranges *ledger_skipped(const struct ledger *l);
uint64_t ledger_leased(const struct ledger *l); /* The sum of `left`. */
uint64_t ledger_lease_count(const struct ledger *l);
struct ledger_counts ledger_counts(const struct ledger *l);
bool ledger_is_live(const struct ledger *l, uint32_t host); /* Not lost. */

/* Find the lease @number, if it is held. */
bool ledger_find_lease(const struct ledger *l, uint64_t number,
                       struct ledger_lease *out);

/* The leases of @host by number: the first one above *@after (0 at first). */
bool ledger_next_lease(const struct ledger *l, uint32_t host, uint64_t after,
                       struct ledger_lease *out);

size_t ledger_memory(const struct ledger *l);
void ledger_check(const struct ledger *l);

#endif /* COORDINATOR_LEDGER_H */
