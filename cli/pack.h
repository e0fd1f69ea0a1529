/* SPDX-License-Identifier: Apache-2.0 */
/* Many small objects packed into few shards, from any store to any store.
 *
 * Shards are made by lanes in parallel, each by one. Last of all the index
 * "pack.json" is written, a JSON line for the pack, for each shard and for
 * each object: where it is missing, the pack is not whole. Blocks. */

#ifndef CLI_PACK_H
#define CLI_PACK_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "cli/listing.h"
#include "cli/pack_lane.h"
#include "cli/pack_plan.h"

enum { PACK_WORKERS_MAX = 64, PACK_PREFIX_MAX = 128 };

struct pack_options {
    const char *source;
    const char *target;
    const char *prefix; /* Of the shards' names. */
    enum framing format;
    uint64_t size;
    uint32_t workers;
    bool is_forced;      /* Replace a pack, or what is left of one. */
    bool with_progress;  /* A line on stderr. */
    void (*begin)(void); /* Called before anything is written. */
};

struct pack {
    struct pack_options options;
    struct listing listing;
    struct pack_plan plan;
    uint64_t *at;       /* Of each object: where its data begin, */
    bool *is_split;     /* and whether they are in parts. */
    char *root_uri;     /* Of the target, */
    struct buf folder;  /* and what its keys begin with. */
    uint64_t out_bytes; /* Of all shards. */
    uint64_t removed;   /* Objects of a former pack. */

    atomic_bool stop;
    _Atomic uint64_t done_bytes;
    _Atomic uint32_t done_shards;
    _Atomic uint32_t next_shard;
};

/* Not 0: a signal asked to stop. */
extern volatile sig_atomic_t pack_signal;

/* Pack. EXISTS: there is a pack, or a part of one; INVALID: an object's name or
 * size can't be packed, or the target lies in the source; EMPTY: no object;
 * STOPPED: by pack_signal; the statuses of stores. Uploads under way are given
 * up, whole shards stay. */
MUST_USE enum status pack_run(struct pack *p, struct fault *why);
void pack_fini(struct pack *p);

/* ---- Its parts. */

/* Make the shard @number of the plan. */
MUST_USE enum status pack_make_shard(struct pack *p, struct pack_lane *lane,
                                     uint32_t number, struct fault *why);

/* Make all, with lanes of their own. */
MUST_USE enum status pack_make_shards(struct pack *p, struct fault *why);

/* Write "pack.json". */
MUST_USE enum status pack_write_index(struct pack *p, struct pack_lane *lane,
                                      struct fault *why);

/* Append to @out the target's key of @name. */
void pack_key(const struct pack *p, const char *name, struct buf *out);

#endif /* CLI_PACK_H */
