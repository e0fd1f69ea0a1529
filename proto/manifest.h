/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: the ManifestFile that names a channel's objects, which is read,
 * and the `<channel>-manifest` file beside a channel's folder, which is
 * written.
 *
 * A ManifestFile is a JSON list: {"prefix": URI}, then suffixes, each put
 * behind the prefix as it is, so that a prefix without a slash at its end is
 * glued to them. A suffix that stands more than once is one file on disk: it
 * is kept once and counted. No I/O. */

#ifndef PROTO_MANIFEST_H
#define PROTO_MANIFEST_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"

enum { MANIFEST_KEY_MAX = 1024 };

struct manifest {
    char *prefix;           /* A URI. */
    struct bytes *suffixes; /* Sorted by bytes, distinct; views into doc. */
    uint64_t count;         /* At least 1. */
    uint64_t repeated;      /* How many were left out as repeated. */
    struct json_doc *doc;   /* Private. */
};

/* Read the ManifestFile @text, called @name in messages, into *@out, freed by
 * manifest_fini(). MALFORMED: not JSON. INVALID: not a manifest, or a URI or
 * suffix is not allowed; @why names the line. FULL: no memory. */
MUST_USE enum status manifest_parse(struct bytes text, const char *name,
                                    struct fault *why, struct manifest *out);
void manifest_fini(struct manifest *m);

/* Append the @i-th object's full URI. */
void manifest_uri(const struct manifest *m, uint64_t i, struct buf *out);

/* The part of @uri after "scheme://bucket/": the key, or key prefix. Of
 * file:///data/a it is "data/a". */
struct bytes manifest_key(struct bytes uri);

/* Append the first line of a `<channel>-manifest`: the source's key prefix
 * without its bucket; then a line for each object of the whole channel, in
 * key order. @root is what stands before each key: "s3://bucket/". A newline
 * in a key is written as it is; the format has no way to say it. */
void manifest_write_prefix(struct bytes uri, struct buf *out);
void manifest_write_object(struct bytes root, struct bytes key,
                           struct buf *out);

#endif /* PROTO_MANIFEST_H */
