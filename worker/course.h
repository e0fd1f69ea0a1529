/* SPDX-License-Identifier: Apache-2.0 */
/* Course: the way of a streamed channel's units from the holder, who has the
 * leases, over the counter to who delivers them, and of what became of them
 * back.
 *
 * Dynamic: what the holder hands out is put on the counter, and the next epoch
 * begins when the holder's does, on all hosts.
 *
 * Static: nobody else can get what was dealt to a rank, so its later epochs do
 * not wait for anybody's lease. The first epoch (of which an earlier launch
 * may have delivered a part) is the holder's; from the second on units are put
 * as they were dealt, and what was consumed is said once the holder has the
 * lease. Ranks thus never wait for each other's epochs. Padding is put behind
 * what is a rank's own, and never said.
 *
 * Pure but for the counter's lock. Threads: the main loop's. */

#ifndef WORKER_COURSE_H
#define WORKER_COURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/holder.h"
#include "worker/supply.h"

/* A unit's object and range. Dynamic: @at is its position in the epoch's
 * order; static: @rank's @at-th, from 0, padding behind its own. Fills key,
 * etag, offset and size; views until the next call. */
typedef enum status course_unit_fn(void *self, uint32_t rank, uint64_t epoch,
                                   uint64_t at, struct supply_unit *out);

/* What was dealt to one of this host's ranks. */
struct course_rank {
    uint64_t first; /* Its first position; */
    uint64_t own;   /* so many are its own, */
    uint64_t all;   /* and so many it delivers. */
};

struct course_options {
    struct holder *holder; /* These outlive the course. */
    struct supply *supply;
    uint32_t rank_count;
    uint64_t epochs;                 /* The last one is this less one. */
    const struct course_rank *ranks; /* Static, copied; dynamic: NULL. */
    bool skips;
    course_unit_fn *unit;
    void *unit_self;
};

struct course;

struct course *course_new(const struct course_options *options);
void course_destroy(struct course **c);

/* Take what was told, put what there is. To be called after holder_take(),
 * when supply_told_fd() is readable, and with each turn. OK; else the channel
 * can't be delivered: @why says which unit, or what. */
MUST_USE enum status course_step(struct course *c, uint64_t now_ms,
                                 struct fault *why);

struct course_stats {
    uint64_t epoch;   /* The lowest that a rank is in. */
    uint64_t ahead;   /* Epochs that a rank is ahead of its leases. */
    uint64_t unsaid;  /* Consumed, and not said for want of a lease. */
    uint64_t skipped; /* Units. */
    bool is_over;     /* All ranks have been told the last end. */
};
struct course_stats course_stats(const struct course *c);

void course_check(const struct course *c);

#endif /* WORKER_COURSE_H */
