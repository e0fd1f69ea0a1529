/* SPDX-License-Identifier: Apache-2.0 */
/* The work of a bring: all objects of its channels into their files, over the
 * lanes of a fetch of its own, in their order (bring_work_fs.c). How is
 * bring_move.h's.
 *
 * Threads: those of its fetch; it runs on its caller's. */

#ifndef WORKER_BRING_WORK_H
#define WORKER_BRING_WORK_H

#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/bring_target.h"

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
