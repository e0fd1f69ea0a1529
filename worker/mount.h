/* SPDX-License-Identifier: Apache-2.0 */
/* FastFile mode: a channel as a folder that is mounted read-only by FUSE
 * (mount_fuse.c).
 *
 * Names, sizes and folders come from the index alone; bytes from the store,
 * when they are read, and ahead of that where it can be foreseen
 * (mount_ahead.h). What was read stays in the system's page cache: an object is
 * pinned by its etag and can't change. One that was overwritten, and one that
 * the store does not give after all retries, is EIO to its reader and a line
 * in the log. Nothing can be written: EROFS.
 *
 * Where the process is killed the mount stays, dead; the next start on the
 * same folder removes it.
 *
 * The process itself keeps off the folder: were it killed while it waits for
 * an answer of its own, it could not end. For the same reason a child of it
 * that goes on without exec must not keep its descriptors.
 *
 * Threads: some that answer the system, and one that waits for the fetch. All
 * functions here are the owner's. */

#ifndef WORKER_MOUNT_H
#define WORKER_MOUNT_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "worker/fetch.h"
#include "worker/mount_ahead.h"
#include "worker/mount_tree.h"
#include "worker/slots.h"

enum { MOUNT_THREADS_MAX = 16 };

/* All that it points to must outlive the mount, but for the texts. */
struct mount_options {
    const char *folder;  /* Made where it is missing. */
    const char *channel; /* For messages. */
    struct bytes prefix; /* Of the keys; see proto/keypath.h. */
    struct mount_index index;
    struct mount_order order; /* What is read next; of no count: as listed. */
    uint64_t bytes;           /* Of all objects, for df; 0: not known. */
    uint64_t time_s;          /* Of all files, since 1970. */
    struct fetch *fetch;
    uint32_t source;     /* Of the fetch. */
    uint32_t lane;       /* Preferred, or FETCH_ANY. */
    struct slots *slots; /* All that are free at the start, up to */
    uint32_t slots_max;  /* so many. */
    uint32_t threads;    /* 0: as many as help here. */
};

struct mount;

/* Mount. CONFLICT: the folder is something else, is not empty, or is in use;
 * UNSUPPORTED: there is no FUSE here; DENIED: it may not be used; OS, IO. */
MUST_USE enum status mount_start(const struct mount_options *options,
                                 struct fault *why, struct mount **out);

/* Unmount, also while it is read: open files fail from then on. Takes no
 * longer than a request to the store does to be given up. */
void mount_stop(struct mount **m);

struct mount_stats {
    struct mount_ahead_stats ahead;
    uint64_t failed;  /* Reads that ended with EIO. */
    struct fault why; /* Of the last of them; or "". */
};
struct mount_stats mount_stats(struct mount *m);

#endif /* WORKER_MOUNT_H */
