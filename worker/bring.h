/* SPDX-License-Identifier: Apache-2.0 */
/* File mode: bring a host's share of its channels to the local disk before
 * the command starts (bring_fs.c).
 *
 * All channels are brought into staging folders first and then renamed into
 * place whole, each with its `<channel>-manifest`; a reader never sees half a
 * channel. A bring that fails leaves nothing but what was there before; but
 * when it was killed or stopped, or when the store failed or an object had
 * changed, its staging stays: what is whole in it is not brought again by the
 * next bring of the channel (bring_resume.h), and a next bring without the
 * channel removes it. A channel that an earlier attempt brought with the same
 * stamp is kept; files of it that are gone or have another size are brought
 * again.
 *
 * Below @data_dir: `<channel>/`, `<channel>-manifest`, and ours `.smshard/`
 * with `<channel>.part/` (staging, one for each bring until one has ended
 * well), `<channel>.old/` (on its way out) and
 * `<channel>.stamp` (which folder we made, by inode and birth time, and of
 * which share). Nothing of the user's is ever deleted: a folder that holds
 * files and is not the one that the stamp names is a CONFLICT.
 *
 * The exception: a channel's folder that is a mount point or a link can't be
 * renamed over. It is staged in `<channel>/.smshard.part/` and the entries are
 * moved out of it one by one, so that a reader can see some of them; until the
 * last has moved, the stamp says so and the next bring starts afresh.
 *
 * Files are written, not synced: what a power loss takes is found by its size
 * and brought again; what was staged before one counts for nothing.
 *
 * Threads: bring_start() makes one that has `lanes` more work for it (fetch.h);
 * every other function is called by the owner. */

#ifndef WORKER_BRING_H
#define WORKER_BRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    BRING_CHANNELS_MAX = 20,
    BRING_LANES_MAX = 64,
    BRING_PARTS = 16, /* Parts of 8 MiB in memory, unless it is said. */
};

/* One object to bring. Views live until the next call. */
struct bring_item {
    struct bytes key;
    uint64_t size;
    struct bytes etag; /* Pins the value; empty for any. */
};

/* Yield the next item into @out; false at the end. Called from bring's thread,
 * never again after false. @items is asked to its end before the first @all.
 */
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
    uint32_t parts;                       /* 0: BRING_PARTS. */
    const struct bring_channel *channels; /* Must outlive the bring. */
    uint32_t channel_count;
};

struct bring_progress {
    uint64_t units;
    uint64_t bytes;
    uint64_t found; /* Of these bytes: they were there already. */
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
