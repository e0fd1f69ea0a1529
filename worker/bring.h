/* SPDX-License-Identifier: Apache-2.0 */
/* File mode: bring a host's share of its channels to the local disk before
 * the command starts (bring_fs.c).
 *
 * All channels are brought into staging folders first and then renamed into
 * place whole, each with its `<channel>-manifest`; a reader never sees half a
 * channel. A bring that is interrupted or fails leaves nothing but what was
 * there before: staging is removed, at once or by the next bring. A channel
 * that an earlier attempt brought with the same stamp is kept; files of it
 * that are gone or have another size are brought again.
 *
 * Below @data_dir: `<channel>/`, `<channel>-manifest`, and ours `.smshard/`
 * with `<channel>.part/` (staging), `<channel>.old/` (on its way out) and
 * `<channel>.stamp` (which folder we made, by inode and birth time, and of
 * which share). Nothing of the user's is ever deleted: a folder that holds
 * files and is not the one that the stamp names is a CONFLICT.
 *
 * The exception: a channel's folder that is a mount point or a link can't be
 * renamed over. Its staging is `<channel>/.smshard.part/` and the entries are
 * moved out of it one by one, so that a reader can see some of them; until the
 * last has moved, the stamp says so and the next bring starts afresh.
 *
 * Files are written, not synced: what a power loss takes is found by its size
 * and brought again.
 *
 * Threads: bring_start() makes one that makes `lanes` more, each with its own
 * store handle; every other function is called by the owner. */

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
 * one at a time (bring holds a lock), never again after false. @items is asked
 * to its end before the first @all. */
typedef bool bring_next_fn(void *self, struct bring_item *out);

struct bring_channel {
    const char *name;
    const char *root_uri; /* Keys are below it: store_open() gets this. */
    struct bytes prefix;  /* Of the source; see proto/keypath.h. */
    const char *stamp; /* Names exactly this share: same stamp, same files. */
    const char *named_by; /* For messages: what named the objects, "the
                             inventory of 2026-…"; NULL: a listing. */
    uint64_t units;       /* What @items will yield in all. */
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

/* Start bringing into *@out, freed by bring_finish(). INVALID: a channel's
 * name can't be a folder. CONFLICT: see above; or another smshard is bringing
 * to the same folder. DENIED, IO, OS. */
MUST_USE enum status bring_start(const struct bring_options *options,
                                 struct fault *why, struct bring **out);

/* Readable once the bring has ended. */
int bring_fd(const struct bring *b);

/* What is here of channel @i so far. */
struct bring_progress bring_progress(const struct bring *b, uint32_t i);

/* Ask the lanes to give up soon; bring_fd() tells when they have. */
void bring_cancel(struct bring *b);

/* Wait for the end, free *@b and say how it went: OK, CHANGED (an object was
 * overwritten since it was listed), NOT_FOUND, DENIED, NO_SPACE (found before
 * the first byte, or when the disk is filled by somebody else), STOPPED
 * (cancelled), CONFLICT, INVALID (a key with no place), STORE, TIMEOUT, IO,
 * OS. @why names channel and key. The first failure ends all lanes. */
MUST_USE enum status bring_finish(struct bring **b, struct fault *why);

#endif /* WORKER_BRING_H */
