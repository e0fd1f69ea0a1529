/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a ManifestFile names, each looked up in the store for its
 * size and etag, sorted by key. */

#ifndef CLI_LISTING_MANIFEST_H
#define CLI_LISTING_MANIFEST_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "store/store.h"

struct listing_manifest {
    struct catalog_object *objects; /* Sorted by key; views into @texts. */
    size_t count;
    char *root_uri; /* Keys are below it. */
    char *prefix;   /* What the manifest's prefix is in keys. */
    char **texts;   /* Private: each object's key and etag. */
};

/* Read the manifest that is the object @key and look up all it names, until
 * @stop (as of store_stop.h; or NULL).
 * MALFORMED, INVALID: the manifest; NOT_FOUND: an object of it is missing, or
 * the manifest; DENIED, STORE, STOPPED. @why names the object. */
MUST_USE enum status listing_manifest_read(struct store *store, const char *key,
                                           const atomic_bool *stop,
                                           struct fault *why,
                                           struct listing_manifest *out);
void listing_manifest_fini(struct listing_manifest *m);

#endif /* CLI_LISTING_MANIFEST_H */
