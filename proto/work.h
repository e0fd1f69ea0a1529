/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of WORK and GRANT messages: what a host holds, wants and has
 * committed of one channel, and what the coordinator says to that.
 *
 * Both tell the state, not the change: a later one makes every earlier one
 * needless, so that loss, delay, repeat and reorder do no harm. WORK is
 * numbered by its sender; whoever has seen a higher number drops it.
 *
 * Peers are not trusted: reading never CHECKs, allocates nothing, refuses what
 * is too long, out of range, out of order or left over. No I/O. */

#ifndef PROTO_WORK_H
#define PROTO_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    WORK_WANTS_MAX = 64,   /* Ranks of a host. */
    WORK_LEASES_MAX = 256, /* 4 for each rank. */
    WORK_DONE_MAX = 512,
    WORK_SKIPS_MAX = 8,
    WORK_REASON_MAX = 512,
    GRANT_REFUSED_MAX = WORK_LEASES_MAX + WORK_DONE_MAX + WORK_SKIPS_MAX,
    WORK_BODY_MAX = 32 << 10,
};

/* Rank @rank (of the host, from 0) has room for another lease. */
struct work_want {
    uint32_t rank;
    uint64_t units; /* At most; 0: as the coordinator sees fit. */
};

/* A lease that the host holds, as it knows it. */
struct work_lease {
    uint64_t number;
    uint64_t begun; /* First position that nobody was handed; */
    uint64_t end;   /* the tail from here on is given back. */
};

/* Committed under a lease, and not acknowledged yet. */
struct work_done {
    uint64_t number;
    uint64_t first;
    uint64_t end;
};

/* A unit that can't be read. */
struct work_skip {
    uint64_t number;
    uint64_t position;
    struct bytes reason;
};

/* Worker → coordinator. Wants by rank, each once; leases by number; done and
 * skips by number, then position. What is done or skipped may be of a lease
 * that is not listed, since it is over. */
struct work {
    uint32_t channel; /* Its number in the job. */
    uint64_t epoch;
    uint64_t seq;    /* From 1, grows by one with each WORK of a channel. */
    bool ends_epoch; /* The command wants this epoch to end early. */
    uint32_t want_count;
    uint32_t lease_count;
    uint32_t done_count;
    uint32_t skip_count;
    struct work_want wants[WORK_WANTS_MAX];
    struct work_lease leases[WORK_LEASES_MAX];
    struct work_done done[WORK_DONE_MAX];
    struct work_skip skips[WORK_SKIPS_MAX];
};

struct grant_lease {
    uint64_t number;
    uint32_t rank; /* Of the host. */
    uint64_t first;
    uint64_t end;
    uint64_t want_end; /* Please give back from here on; else @end. */
    bool is_late;
};

/* Coordinator → worker, in answer to a WORK. Both lists by number. */
struct grant {
    uint32_t channel;
    uint64_t epoch;      /* The present one. */
    uint64_t seq;        /* Of the WORK that this answers: renews the leases. */
    uint64_t acked_seq;  /* What WORKs up to here said is durable, but for
                            what is refused; never above @seq. */
    uint64_t unkept;     /* What the last so many of them said is not durable,
                            but held by two hosts: it is to be told again to
                            another coordinator. */
    uint64_t gate;       /* Hand out no position from here on. */
    bool is_complete;    /* This epoch has nothing more for anybody; */
    bool is_over;        /* nor is there another epoch. */
    uint64_t idle_ranks; /* Bit r: nothing more for rank r in this epoch. */
    uint32_t lease_count;
    uint32_t refused_count;
    struct grant_lease leases[WORK_LEASES_MAX]; /* All that the host holds. */
    uint64_t refused[GRANT_REFUSED_MAX]; /* Named in the WORK, but not held. */
};

/* Append the body. CHECKs the limits: it is ours. */
void work_write(const struct work *work, struct buf *out);
void grant_write(const struct grant *grant, struct buf *out);

/* Read a body; texts are views. MALFORMED: @why names the field. */
MUST_USE enum status work_read(struct bytes in, struct fault *why,
                               struct work *out);
MUST_USE enum status grant_read(struct bytes in, struct fault *why,
                                struct grant *out);

#endif /* PROTO_WORK_H */
