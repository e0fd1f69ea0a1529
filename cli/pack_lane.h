/* SPDX-License-Identifier: Apache-2.0 */
/* One lane of a pack: objects of one store come in, in order and asked for
 * ahead, and a shard goes out to another, in parts. Blocks; memory is
 * PACK_AHEAD_BYTES and PACK_PARTS parts (and one object of recordio).
 *
 * Owned by one thread. Both stores move on while it waits for either. */

#ifndef CLI_PACK_LANE_H
#define CLI_PACK_LANE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cli/pack_plan.h"
#include "store/store.h"

enum {
    PACK_PIECE_BYTES = 1 << 20,
    PACK_AHEAD_BYTES = 8 << 20, /* Asked for and not yet used. */
    PACK_AHEAD = 64,            /* Requests. */
    PACK_PARTS = 3,
    PACK_PART_BYTES = 8 << 20, /* Larger where a shard would have too many. */
};

struct pack_lane;

/* Open both ends. @stop is looked at while it waits: STOPPED. The statuses of
 * store_open(). */
struct pack_lane_options {
    const char *source; /* Root URIs: keys are below them. */
    const char *target;
    const atomic_bool *stop;
    _Atomic uint64_t *done_bytes; /* Read; counted up. */
};
MUST_USE enum status pack_lane_new(const struct pack_lane_options *options,
                                   struct fault *why, struct pack_lane **out);

/* Gives up what is under way. NULL is left alone. */
void pack_lane_destroy(struct pack_lane **l);

/* ---- In. */

/* Read objects @first to @first + @count of the catalog from now on. With
 * @is_whole each is one piece. Nothing of a former range may be left. */
struct pack_range {
    uint64_t first;
    uint64_t count;
    bool is_whole;
};
void pack_lane_read(struct pack_lane *l, const struct catalog *objects,
                    struct pack_range range);

struct pack_piece {
    uint64_t index; /* Of the object in the catalog. */
    struct bytes key;
    uint64_t size; /* Of the object. */
    struct bytes bytes;
    bool is_first;
    bool is_last;
};

/* The next piece; its views live until the next call. Every object has one at
 * least. EMPTY: there is none. CHANGED, NOT_FOUND, …: those of a GET;
 * STOPPED. After any of them the lane can only be destroyed. */
MUST_USE enum status pack_lane_next(struct pack_lane *l, struct fault *why,
                                    struct pack_piece *out);

/* ---- Out. */

/* Begin an object of about @size bytes. */
void pack_lane_begin(struct pack_lane *l, struct bytes key, uint64_t size);

/* Append to it. DENIED, NO_SPACE, STORE, …; STOPPED. */
MUST_USE enum status pack_lane_add(struct pack_lane *l, struct bytes bytes,
                                   struct fault *why);

/* Make it visible, whole. @size and @crc (CRC64NVME) may be NULL. EXISTS: with
 * IF_ABSENT. */
MUST_USE enum status pack_lane_end(struct pack_lane *l, enum store_when when,
                                   struct fault *why, uint64_t *size,
                                   uint64_t *crc);

/* Of the target; nothing may be under way. */
struct store *pack_lane_target(struct pack_lane *l);

#endif /* CLI_PACK_LANE_H */
