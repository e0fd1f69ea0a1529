/* SPDX-License-Identifier: Apache-2.0 */
/* Locations as text.
 *
 * A URI is taken literally: "%20" is three bytes and '?' is one, as the
 * platform's own contract treats S3 URIs. Pure; any thread. */

#ifndef STORE_STORE_URI_H
#define STORE_STORE_URI_H

#include "store/store.h"

enum store_scheme {
    STORE_SCHEME_FILE, /* file:///path, or the plain absolute path. */
    STORE_SCHEME_MEM,
    STORE_SCHEME_S3,
};

/* A location in its parts, as store_open() tells them. */
struct store_uri {
    enum store_scheme scheme;
    char *root;   /* "file:///data/", "mem://name/", "s3://bucket/". */
    char *place;  /* FILE: the root as a path, "/data/"; else the name. */
    char *prefix; /* What every key of the location starts with. */
};

/* Take @uri apart into @out, which store_uri_fini() frees.
 * INVALID: not a location that we know; @why says what one looks like. */
MUST_USE enum status store_uri_parse(const char *uri, enum store_use use,
                                     struct fault *why, struct store_uri *out);

void store_uri_fini(struct store_uri *u);

/* Write "<root><key>" for a message into @out and return it. What is too long
 * to leave room for a reason loses its middle. */
enum { STORE_URI_SHOW_MAX = 640 };
const char *store_uri_show(const char *root, struct bytes key,
                           char out[STORE_URI_SHOW_MAX]);

#endif /* STORE_STORE_URI_H */
