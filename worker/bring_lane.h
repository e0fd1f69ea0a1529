/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's way from object to file, for units that are asked for one by
 * one (feed_fetch_fs.c, bring_lane_fs.c): what brings a whole share is
 * bring_work.h.
 *
 * An object is one lane's work: it is read in parts, pinned by its etag, and
 * written to its file below the target's staging folder.
 *
 * Threads: a lane belongs to one; targets and the stop are shared. */

#ifndef WORKER_BRING_LANE_H
#define WORKER_BRING_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"
#include "worker/bring.h"

/* Says to all lanes at once that they shall give up. */
struct bring_stop {
    atomic_bool is_set;
    int fd; /* An eventfd, readable once it is set; wakes who waits. */
};

struct bring_resume;

/* Where the objects of one channel go. */
struct bring_target {
    const struct bring_channel *channel;
    const char *staging;
    const char *folder; /* Of a kept channel: a file that is here already is
                           left, any other is brought and moved here. NULL:
                           all is left in staging. */
    struct bring_resume *resume; /* NULL: there is none. */
    uint64_t book_id;            /* The next in its book. */
    _Atomic uint64_t units;
    _Atomic uint64_t bytes;
    _Atomic uint64_t found; /* Bytes that were there already. */
};

/* A copy of one struct bring_item. */
struct bring_object {
    char key[STORE_KEY_MAX + 1];
    size_t key_size;
    uint64_t size;
    char etag[STORE_ETAG_MAX]; /* "" for any. */
};

struct bring_lane;

struct bring_lane *bring_lane_new(struct bring_stop *stop);
void bring_lane_destroy(struct bring_lane **l);

/* Bring one object. As bring_finish() says; STOPPED: the stop was set. */
MUST_USE enum status bring_lane_bring(struct bring_lane *l,
                                      struct bring_target *target,
                                      const struct bring_object *object,
                                      struct fault *why);

#endif /* WORKER_BRING_LANE_H */
