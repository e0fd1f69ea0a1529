/* SPDX-License-Identifier: Apache-2.0 */
/* Units as files, fetched while the command runs, over the lanes of a fetch
 * (feed_fetch_fs.c); how is bring_move.h's: large ones in parts over many
 * connections, small ones many at once.
 *
 * Each file lies in a folder of its own, `<folder>/.smshard.units/<ticket>/`,
 * so that no two units are in each other's way, and goes when its ticket is
 * dropped. That folder is ours: it is emptied at the start and removed at the
 * end. Nothing else below the channel's folder is touched.
 *
 * What is due sooner goes first. A large object for which there is no room on
 * the disk, beside what others under way still need, fails before its first
 * byte.
 *
 * Threads: feed_fetch_start() makes two, one that fetches and one that
 * removes, for that may take long. All functions are the owner's and none
 * blocks but start and stop. */

#ifndef WORKER_FEED_FETCH_H
#define WORKER_FEED_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "worker/bring_target.h"
#include "worker/fetch.h"

enum { FEED_TICKETS_MAX = 4096 };

struct feed_source {
    const char *name;     /* Of the channel. */
    const char *folder;   /* Files lie below it; it is made if need be. */
    const char *root_uri; /* As in struct bring_channel. */
    struct bytes prefix;
    const char *named_by; /* May be NULL. */
};

struct feed_fetch_options {
    const struct feed_source *sources; /* Must outlive it. */
    uint32_t source_count;
    struct fetch *fetch;   /* Outlives it. */
    uint32_t fetch_source; /* The first of @sources there; then in order. */
    uint32_t parts;        /* In memory at once; at least 1. */
};

struct feed_fetch;

/* DENIED, NO_SPACE, CONFLICT, IO, OS. */
MUST_USE enum status feed_fetch_start(const struct feed_fetch_options *options,
                                      struct fault *why,
                                      struct feed_fetch **out);

/* Give up what is on its way, remove all files, free *@f. */
void feed_fetch_stop(struct feed_fetch **f);

/* Readable while feed_fetch_take() has something. */
int feed_fetch_fd(const struct feed_fetch *f);

/* Fetch @object of a source, which is wanted at @due (fetch_clock_ms()), behind
 * what is due as soon. Returns a ticket, never 0 but when FEED_TICKETS_MAX are
 * out. */
uint64_t feed_fetch_want(struct feed_fetch *f, uint32_t source,
                         const struct bring_object *object, uint64_t due);

/* It is due sooner than was said. */
void feed_fetch_hurry(struct feed_fetch *f, uint64_t ticket, uint64_t due);

/* The clock of due. */
uint64_t feed_fetch_clock_ms(const struct feed_fetch *f);

/* What became of a ticket, once each; not of those that were dropped. @path
 * lives until the ticket is dropped; NULL unless OK. Statuses as those of
 * bring_finish(). */
struct feed_fetched {
    uint64_t ticket;
    enum status status;
    struct fault why;
    const char *path;
};
bool feed_fetch_take(struct feed_fetch *f, struct feed_fetched *out);

/* The file is not wanted (any more): it goes. */
void feed_fetch_drop(struct feed_fetch *f, uint64_t ticket);

/* How many tickets are out; such that were dropped count until they are
 * gone. */
uint32_t feed_fetch_count(struct feed_fetch *f);

#endif /* WORKER_FEED_FETCH_H */
