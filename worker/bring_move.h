/* SPDX-License-Identifier: Apache-2.0 */
/* Move: objects into their files, over the lanes of a fetch, many at once
 * (bring_move_fs.c, bring_object_fs.c).
 *
 * The owner's thread makes and closes files; lanes read ranges into slots and
 * write them to the files. A large object is looked at first (which value it
 * is, and what checksum the store keeps of the whole) and then asked for in
 * parts, as many at once as there are slots and as pay (pace.h). Small ones
 * are asked for whole, and share a slot. What is due sooner goes first.
 *
 * An object that fails is given up with all its requests, and no other with
 * it. Its outcome comes when none of them can write any more. What is in its
 * file then is the owner's to remove.
 *
 * Threads: one at a time. */

#ifndef WORKER_BRING_MOVE_H
#define WORKER_BRING_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/bring_target.h"
#include "worker/fetch.h"

/* Tell the fetch to ask. Called once, before the first request. */
typedef enum status bring_move_fetch_fn(void *self, struct fault *why,
                                        struct fetch **out);

struct bring_move_options {
    bring_move_fetch_fn *fetch; /* It outlives the move. */
    void *fetch_self;
    uint32_t parts; /* Of BRING_PART_BYTES in memory, at most; not 0. */
};

struct bring_move;

struct bring_move *bring_move_new(const struct bring_move_options *options);

/* Gives up all that is on its way. The fetch may be stopped then. */
void bring_move_destroy(struct bring_move **m);

struct bring_want {
    uint64_t tag;    /* Unique among those under way. */
    uint64_t due;    /* Of fetch.h's order. */
    uint32_t source; /* Of the fetch. */
    struct bring_target *target;
    const struct bring_object *object; /* Copied. */
};

/* Whether one more that is due at @due would be asked for now. */
bool bring_move_has_room(const struct bring_move *m, uint64_t due);

/* Begin with it. Its outcome comes, whatever happens. */
void bring_move_add(struct bring_move *m, const struct bring_want *want);

/* Its outcome comes soon: STOPPED, unless it has ended before. */
void bring_move_cancel(struct bring_move *m, uint64_t tag);

/* It is due sooner than was said. */
void bring_move_hurry(struct bring_move *m, uint64_t tag, uint64_t due);

/* Readable when bring_move_step() has something to do; -1: nothing was asked
 * for yet. */
int bring_move_fd(const struct bring_move *m);

/* Take what has come, and ask for as much as there is room for. */
void bring_move_step(struct bring_move *m);

/* How one of them has ended; as bring_finish() says. @why lives until the next
 * call. */
struct bring_moved {
    uint64_t tag;
    enum status status;
    const struct fault *why;
};
bool bring_move_take(struct bring_move *m, struct bring_moved *out);

/* Those whose outcome was not taken. */
uint32_t bring_move_count(const struct bring_move *m);

#endif /* WORKER_BRING_MOVE_H */
