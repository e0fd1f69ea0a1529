/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a store, one after another, in pieces and in order; the ranges to
 * come are asked for ahead, across the ends of files, so that neither a large
 * file nor many small ones wait for each answer. Blocking; memory is
 * LISTING_STREAM_AHEAD pieces. */

#ifndef CLI_LISTING_STREAM_H
#define CLI_LISTING_STREAM_H

#include <stdbool.h>

#include "store/store.h"

enum {
    LISTING_STREAM_PIECE = 4 << 20,
    LISTING_STREAM_AHEAD = 8,
};

struct listing_stream_file {
    const char *key;
    uint64_t size;    /* It must be this long. */
    const char *etag; /* Pins it; NULL for any. */
};

struct listing_stream {
    struct store *store; /* With nothing in flight. */
    const struct listing_stream_file *files;
    size_t count;

    /* Take the next piece of file @i; an empty one at each file's end. */
    enum status (*each)(void *self, size_t i, struct bytes piece,
                        struct fault *why);
    void *self;
};

/* Read all of them. INVALID: a file has another size than it must; else the
 * statuses of a GET, and of @each. Nothing is in flight after it. */
MUST_USE enum status listing_stream_run(const struct listing_stream *s,
                                        struct fault *why);

#endif /* CLI_LISTING_STREAM_H */
