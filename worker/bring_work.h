/* SPDX-License-Identifier: Apache-2.0 */
/* The work of a bring: all objects of its channels into their files, over the
 * lanes of a fetch (bring_work_fs.c, bring_object_fs.c).
 *
 * One thread makes and closes files and keeps the book; lanes read ranges into
 * slots and write them to the files. A large object is asked for in parts, as
 * many at once as there are slots, and looked at first: which value it is, and
 * what checksum the store keeps of the whole. Small ones are asked for whole
 * and share a slot. How many requests are under way says pace.h.
 *
 * Threads: those of its fetch; it runs on its caller's. */

#ifndef WORKER_BRING_WORK_H
#define WORKER_BRING_WORK_H

#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/bring_lane.h"

struct bring_work_options {
    struct bring_target *targets;
    uint32_t target_count;
    uint32_t lanes;
    uint32_t parts; /* Of 8 MiB in memory, at most. */
    struct bring_stop *stop;
};

/* Bring all that the targets' channels yield; as bring_finish() says. */
MUST_USE enum status bring_work(const struct bring_work_options *options,
                                struct fault *why);

#endif /* WORKER_BRING_WORK_H */
