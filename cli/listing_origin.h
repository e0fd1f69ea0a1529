/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel's "Listing" leads to: an S3 Inventory by its manifest.json, or
 * by the folder of its configuration; or a manifest of S3 Batch Operations. It
 * is known by what it holds. Blocking.
 *
 * The files of an inventory are where its manifest says while it lies in the
 * bucket that it was made for. In a copy (another bucket, a folder) they are
 * beside it as they were: ../data/NAME. */

#ifndef CLI_LISTING_ORIGIN_H
#define CLI_LISTING_ORIGIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cli/listing_stream.h"
#include "proto/inventory.h"

struct listing_origin {
    struct store *store;     /* That the files are in. */
    const atomic_bool *stop; /* Of that. */
    bool is_batch;
    struct inventory inventory; /* Empty of a Batch manifest. */
    uint64_t made_ms;
    char *name; /* For people: "the inventory of 2026-01-31T12:00:00Z". */
    struct listing_stream_file *files;
    size_t count;
    char **keys; /* Private: of the files. */
    char etag[STORE_ETAG_MAX];
};

/* Find what @uri names into *@out, freed by listing_origin_fini(). @stop is as
 * of store_stop.h, also for the store of *@out; or NULL.
 * NOT_FOUND: nothing is there, or no inventory that is complete; MALFORMED,
 * INVALID: it is none of them, or not what its checksum says; UNSUPPORTED: an
 * inventory as ORC or Parquet; FULL, DENIED, STORE, STOPPED. */
MUST_USE enum status listing_origin_find(const char *uri,
                                         const atomic_bool *stop,
                                         struct fault *why,
                                         struct listing_origin *out);
void listing_origin_fini(struct listing_origin *o);

#endif /* CLI_LISTING_ORIGIN_H */
