/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: how the cap of `--memory` is shared out, before anything is read. A
 * pure core.
 *
 * All that data lies in is counted: the slots of each consumer (a rank's flow
 * of a channel; a mount), the parts that File mode brings at once, and the room
 * for second answers (store/hedge.h). The sum never exceeds the cap. Slots are
 * as large as leaves every consumer enough of them to read ahead; a cap that
 * is not enough for one of the smallest each is refused, with the cap that
 * would do. */

#ifndef WORKER_MEMORY_H
#define WORKER_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"

enum {
    MEMORY_CHANNELS_MAX = 64,
    MEMORY_RANKS_MAX = 1024,
    MEMORY_SLOT_MIN = 64 << 10,
    MEMORY_SLOT_MAX = 8 << 20,
    MEMORY_ENOUGH = 4,      /* Slots of a consumer: one is read by it, one is
                               ready, and two are on their way. */
    MEMORY_USEFUL = 256,    /* No consumer gets more. */
    MEMORY_BRING = 8 << 20, /* A part that File mode brings. */
    MEMORY_BRING_MAX = 16,  /* At once, with a second answer's. */
};

/* How a channel is delivered. */
enum memory_mode {
    MEMORY_FILE,  /* All of them share the parts that are brought. Those that
                     are brought before the command are planned alone. */
    MEMORY_MOUNT, /* One consumer a channel: FastFile. */
    MEMORY_RANKS, /* One consumer a rank: Pipe, Ring. */
};

struct memory_options {
    uint64_t cap;   /* Bytes. */
    uint32_t ranks; /* 1 to MEMORY_RANKS_MAX. */
    uint32_t channel_count;
    const enum memory_mode *channels;
};

struct memory_plan {
    size_t slot_bytes;                   /* Of every slot; a power of two. */
    uint32_t slots[MEMORY_CHANNELS_MAX]; /* Of each consumer of the channel. */
    uint32_t brings;                     /* Parts at once; 0: no File mode. */
    size_t hedge_bytes;                  /* For hedge_set_room(). */
    uint64_t bytes;                      /* All of that. */
};

/* INVALID: the cap is too low. */
MUST_USE enum status memory_plan(const struct memory_options *options,
                                 struct fault *why, struct memory_plan *out);

#endif /* WORKER_MEMORY_H */
