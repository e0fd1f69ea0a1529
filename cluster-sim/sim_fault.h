/* SPDX-License-Identifier: Apache-2.0 */
/* What can go wrong, each kind by a name, and a plan of it drawn from a seed:
 * how likely the steady faults are (the weather), and when each single one
 * strikes (the incidents). A seed uses some of the kinds that it may use, so
 * that every mixture comes up. */

#ifndef CLUSTER_SIM_SIM_FAULT_H
#define CLUSTER_SIM_SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/prng.h"

#define SIM_FAULT_MAP(X)                                                       \
    X(LOSS, "loss", "messages get lost")                                       \
    X(DELAY, "delay", "messages take long")                                    \
    X(REPEAT, "repeat", "messages come twice")                                 \
    X(REORDER, "reorder", "messages overtake each other")                      \
    X(BREAK, "break", "connections break and are made anew")                   \
    X(CUT, "cut", "two hosts do not reach each other")                         \
    X(CUT_ONE_WAY, "cut-one-way", "one host does not reach another")           \
    X(PAUSE, "pause", "a process stands still for a while")                    \
    X(CRASH, "crash", "a process dies and comes again")                        \
    X(WIPE, "wipe", "a process dies and its disk with it")                     \
    X(KILL_LEADER, "kill-leader", "the coordinator dies at some step")         \
    X(JUMP, "jump", "a host's wall clock jumps")                               \
    X(DRIFT, "drift", "clocks run fast or slow")                               \
    X(STORE_SLOW, "store-slow", "the store takes long")                        \
    X(STORE_FAIL, "store-fail", "requests fail before they take effect")       \
    X(STORE_LOST, "store-lost", "they take effect, the answer gets lost")      \
    X(STORE_LATE, "store-late", "they take effect after they have failed")     \
    X(STORE_STALE, "store-stale", "a lease that was replaced is read")         \
    X(STORE_STALE_LOG, "store-stale-log", "so of the journal (not in all)")    \
    X(STORE_SHORT, "store-short", "an answer is cut short")                    \
    X(STORE_BUSY, "store-busy", "storms of 503 answers")                       \
    X(STORE_AWAY, "store-away", "the store is away for a while")               \
    X(LATE, "late", "hosts join late")                                         \
    X(LEAVE, "leave", "hosts leave for good")                                  \
    X(RESIZE, "resize", "all die, and others go on from where they were")      \
    X(RANKS, "ranks", "a command's ranks die and begin again")                 \
    X(POISON, "poison", "some units can not be read")                          \
    X(STOP, "stop", "ranks end an epoch early")                                \
    X(PAIR, "pair", "commits are acknowledged early")

enum sim_fault {
#define X(name, word, text) SIM_FAULT_##name,
    SIM_FAULT_MAP(X)
#undef X
        SIM_FAULTS
};

#define SIM_FAULT_BIT(f) (UINT64_C(1) << (f))
/* A journal needs a store that is read as it was written last, as S3 is. */
#define SIM_FAULT_BEYOND SIM_FAULT_BIT(SIM_FAULT_STORE_STALE_LOG)
#define SIM_FAULT_ALL ((SIM_FAULT_BIT(SIM_FAULTS) - 1) & ~SIM_FAULT_BEYOND)

const char *sim_fault_word(enum sim_fault f);
const char *sim_fault_text(enum sim_fault f);

/* Read a list such as "loss,cut", "all", "none" or "all,-wipe". INVALID:
 * there is no such word. */
MUST_USE enum status sim_fault_parse(const char *list, struct fault *why,
                                     uint64_t *out);

enum { SIM_NODES_MAX = 64, SIM_INCIDENTS_MAX = 64 };

/* The chances are in 1,000 each. */
struct sim_weather {
    uint32_t loss;
    uint32_t repeat;
    uint32_t reorder;
    uint32_t breaks;
    uint64_t delay_us; /* At most, beyond the usual. */
    uint32_t store_slow;
    uint64_t store_slow_us; /* At most. */
    uint32_t store_fail;
    uint32_t store_lost;
    uint32_t store_late;
    uint32_t store_stale;
    uint32_t store_stale_log;
    uint32_t store_short;
};

struct sim_incident {
    enum sim_fault kind;
    uint64_t at_us;
    uint64_t for_us; /* How long it lasts, where that means something. */
    uint32_t node;
    uint32_t other;  /* CUT: the other host. */
    uint64_t amount; /* KILL_LEADER: after so many steps of its reign.
                        STORE_BUSY: chance of a 503 in 1,000. */
    int64_t jump_ms;
    bool is_lossy;    /* CUT: what is sent is lost, not late. */
    bool is_for_one;  /* STORE_AWAY: only @node does not reach it. */
    bool hits_leader; /* @node is who leads then, if anybody. */
};

struct sim_plan {
    uint64_t faults; /* Those that this seed uses. */
    uint64_t storm_us;
    struct sim_weather weather;
    struct sim_incident incidents[SIM_INCIDENTS_MAX];
    uint32_t count;
    uint64_t late_us[SIM_NODES_MAX]; /* When each host comes. */
    int64_t ppm[SIM_NODES_MAX];
};

/* Draw the plan of a storm of @storm_us among @nodes hosts from @prng, of the
 * kinds in @faults. */
void sim_plan_draw(struct prng *prng, uint64_t faults, uint32_t nodes,
                   uint64_t storm_us, struct sim_plan *out);

#endif /* CLUSTER_SIM_SIM_FAULT_H */
