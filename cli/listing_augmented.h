/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of an augmented manifest as a catalog's objects: one unit a line,
 * and its recipe. Each object that a "-ref" names is looked up once for its
 * size and etag. All of them lie in one bucket, which need not be the
 * manifest's. Blocking. */

#ifndef CLI_LISTING_AUGMENTED_H
#define CLI_LISTING_AUGMENTED_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "proto/job.h"
#include "store/store.h"

struct listing_augmented {
    const struct job_channel *channel;
    struct store *store; /* Of the manifest, */
    const char *key;     /* which is this object. */
    const atomic_bool *stop;

    /* Take the next unit, in the order of the lines. */
    enum status (*each)(void *self, const struct catalog_object *object,
                        struct fault *why);
    void *self;
};

/* Read the manifest, look up what it names and tell all units; their recipes
 * are appended to @recipes. *@root_uri is where the objects' keys are below,
 * the caller's; NULL: no line names an object.
 * MALFORMED, INVALID: a line; NOT_FOUND: an object of it is missing, or the
 * manifest; CONFLICT: objects in two buckets; FULL: too large; DENIED, STORE,
 * STOPPED. @why names the line and the object. */
MUST_USE enum status listing_augmented_run(const struct listing_augmented *l,
                                           struct fault *why,
                                           struct buf *recipes,
                                           char **root_uri);

#endif /* CLI_LISTING_AUGMENTED_H */
