/* SPDX-License-Identifier: Apache-2.0 */
/* What is brought, and where to: for all who bring objects to the disk, a
 * whole share (bring_work.h) or unit after unit (feed_fetch.h). Plain values.
 *
 * Threads: targets and the stop are shared. */

#ifndef WORKER_BRING_TARGET_H
#define WORKER_BRING_TARGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"
#include "worker/bring.h"

/* Says to all at once that they shall give up. */
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

#endif /* WORKER_BRING_TARGET_H */
