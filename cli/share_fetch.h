/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogs and shares (share.h) read from the state store on a thread of
 * their own, so that heartbeats go on however long that takes. Every function
 * is called by the owner. */

#ifndef CLI_SHARE_FETCH_H
#define CLI_SHARE_FETCH_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"

struct share_fetch;

struct share_fetch_options {
    const char *state_uri; /* All texts are copied. */
    char *const *keys;     /* What share_write() was given, one each. */
    uint32_t count;
    char *const *text_keys; /* More objects, each as it is. */
    uint32_t text_count;
};

/* Start reading. OS: the system has no thread left; *@out is NULL then. */
MUST_USE enum status share_fetch_start(
    const struct share_fetch_options *options, struct fault *why,
    struct share_fetch **out);

/* Readable once it has ended. */
int share_fetch_fd(const struct share_fetch *f);

/* Give up soon: share_fetch_join() answers STOPPED. */
void share_fetch_cancel(struct share_fetch *f);

/* Wait for the end and say how it went: the statuses of store_open() and
 * share_read(), the first failure's; STOPPED. */
MUST_USE enum status share_fetch_join(struct share_fetch *f, struct fault *why);

/* The catalog of the @i-th key, once each and only after OK: the caller's. */
struct catalog *share_fetch_take(struct share_fetch *f, uint32_t i);

/* The bytes of the @i-th text; only after OK. They are the fetch's until it is
 * destroyed, but may be taken out (buf_fini()). */
struct buf *share_fetch_text(struct share_fetch *f, uint32_t i);

/* Cancel it, wait for its end and free *@f, with what was not taken. NULL is
 * left alone. */
void share_fetch_destroy(struct share_fetch **f);

#endif /* CLI_SHARE_FETCH_H */
