/* SPDX-License-Identifier: Apache-2.0 */
/* File mode: bring a host's share of its channels to the local disk before
 * the command starts (bring_fs.c).
 *
 * A channel is brought into a staging folder beside its place and renamed
 * into place whole, then its `<channel>-manifest` is written; a reader never
 * sees half a channel. An interrupted or failed bring leaves nothing but what
 * was there before: staging is removed, at once or by the next bring. A
 * channel that an earlier attempt brought with the same stamp is kept.
 * Nothing of the user's is ever deleted: a folder that holds files and was
 * not made by bring is a CONFLICT.
 *
 * Threads: bring_start() makes `lanes` threads, each with its own store
 * handle; every other function is called by the owner. */

#ifndef WORKER_BRING_H
#define WORKER_BRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { BRING_CHANNELS_MAX = 20, BRING_LANES_MAX = 64 };

/* One object to bring. Views live until the next call. */
struct bring_item {
    struct bytes key;
    uint64_t size;
    struct bytes etag; /* Pins the value; empty for any. */
};

/* Yield the next item into @out; false at the end. Called from the lanes,
 * one at a time (bring holds a lock), never again after false. */
typedef bool bring_next_fn(void *self, struct bring_item *out);

struct bring_channel {
    const char *name;
    const char *root_uri; /* Keys are below it: store_open() gets this. */
    struct bytes prefix;  /* Of the source; see proto/keypath.h. */
    const char *stamp; /* Names exactly this share: same stamp, same files. */
    uint64_t units;    /* What @items will yield in all. */
    uint64_t bytes;
    bring_next_fn *items;
    void *items_self;
    bring_next_fn *all; /* The whole channel, for the manifest. */
    void *all_self;
};

struct bring_options {
    const char *data_dir;                 /* "/opt/ml/input/data" */
    uint32_t lanes;                       /* 1 to BRING_LANES_MAX. */
    const struct bring_channel *channels; /* Must outlive the bring. */
    uint32_t channel_count;
};

struct bring_progress {
    uint64_t units;
    uint64_t bytes;
};

struct bring;

/* Start bringing. Space is checked first: NO_SPACE says how much is wanted
 * and how much is there. CONFLICT: see above. */
MUST_USE enum status bring_start(const struct bring_options *options,
                                 struct fault *why, struct bring **out);

/* Readable once the bring has ended. */
int bring_fd(const struct bring *b);

/* What is here of channel @i so far. */
struct bring_progress bring_progress(const struct bring *b, uint32_t i);

/* Ask the lanes to give up soon; bring_fd() tells when they have. */
void bring_cancel(struct bring *b);

/* Wait for the end, free *@b and say how it went: OK, CHANGED (an object was
 * overwritten since it was listed), NOT_FOUND, DENIED, NO_SPACE, STOPPED
 * (cancelled), CONFLICT, INVALID (a key with no place), STORE, IO. @why names
 * channel and key. */
MUST_USE enum status bring_finish(struct bring **b, struct fault *why);

#endif /* WORKER_BRING_H */
