/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's source, listed once into a catalog. Blocking. */

#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "proto/job.h"

struct listing {
    struct catalog *catalog;
    char *root_uri;        /* Keys are below it. */
    struct buf prefix;     /* Of the source, in keys. */
    uint64_t folder_marks; /* Keys that end with "/": left out. */
    char *named_by;        /* What named the objects, if they were not listed:
                              "the inventory of 2026-…". Else NULL. */
    struct buf recipes;    /* Of an augmented manifest's lines, which are the
                              catalog's objects then (proto/recipe.h). */
};

/* How far a long listing is, told now and then; may be NULL. */
typedef void listing_progress_fn(void *self, const struct job_channel *c,
                                 uint64_t objects);

struct listing_options {
    const struct job_channel *channel;
    listing_progress_fn *progress;
    void *progress_self;
    const atomic_bool *stop; /* As of store_stop.h, or NULL. */
};

/* List the channel's source into *@out, freed by listing_fini().
 * EMPTY: no object, and that is not allowed; CONFLICT, INVALID: names that
 * can't lie in one folder (File mode); NOT_FOUND, DENIED, STORE, UNSUPPORTED,
 * FULL, STOPPED; of a "Listing" those of listing_inventory.h. @why names
 * channel, source and key. */
MUST_USE enum status listing_make(const struct listing_options *options,
                                  struct fault *why, struct listing *out);

/* The listing of a catalog of the channel that is already there; *@catalog
 * becomes the listing's with OK. The source is one of prefix. The statuses of
 * store_open(). */
MUST_USE enum status listing_take(const struct job_channel *channel,
                                  struct catalog **catalog, struct fault *why,
                                  struct listing *out);
void listing_fini(struct listing *l);

#endif /* CLI_LISTING_H */
