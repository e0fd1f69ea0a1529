/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's objects as its "Listing" names them, instead of a LIST of its
 * source: of an S3 Inventory, or a manifest of S3 Batch Operations. Blocking.
 *
 * Only keys of the source's bucket below its prefix count; the bucket is not
 * compared where the source has none or names it otherwise (a folder, an
 * access point). An object whose size or etag is not told is looked up, as is
 * every object of a store that is not S3: its etags are its own.
 *
 * Memory, until the last object has been told: that of listing_table.h, some
 * 40 bytes and the key for each object. */

#ifndef CLI_LISTING_INVENTORY_H
#define CLI_LISTING_INVENTORY_H

#include <stdatomic.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "proto/job.h"
#include "store/store.h"

struct listing_inventory {
    const struct job_channel *channel;
    struct store *store;     /* Of the source. */
    struct bytes prefix;     /* Of the source, in keys. */
    const atomic_bool *stop; /* As of store_stop.h, or NULL. */

    /* Take the next object, in the order of keys. */
    enum status (*each)(void *self, const struct catalog_object *object,
                        struct fault *why);
    /* Some objects more were found, or looked up. */
    void (*progress)(void *self, uint64_t objects);
    void *self;
};

/* Tell all objects; *@name is set to what names them, for people ("the
 * inventory of 2026-01-31T12:00:00Z"), to be freed. One line of the log says
 * how many there are, and one warns when it is old.
 * The statuses of listing_origin_find(); INVALID: it is of another bucket, or
 * a row can't be; MALFORMED: a file is not CSV, or not whole; CONFLICT: a key
 * stands there twice with different values; NOT_FOUND, CHANGED: what was
 * looked up is gone or another. */
MUST_USE enum status listing_inventory_run(const struct listing_inventory *l,
                                           struct fault *why, char **name);

#endif /* CLI_LISTING_INVENTORY_H */
