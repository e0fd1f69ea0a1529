/* SPDX-License-Identifier: Apache-2.0 */
/* For those who implement a store: the table behind a handle. */

#ifndef STORE_STORE_OPS_H
#define STORE_STORE_OPS_H

#include "store/store.h"
#include "store/store_wait.h"

/* One implementation. Each slot is called on the owner's thread only and may
 * block no longer than its operation. */
struct store_ops {
    /* OK, or FULL: poll first. The request is validated before it comes. */
    enum status (*submit)(void *self, const struct store_request *request);
    /* Wait at most @timeout_ms for a first event; 0 never waits, -1 waits
     * for ever. Returns how many of @events were filled. With nothing in
     * flight it returns 0 at once. */
    size_t (*poll)(void *self, int timeout_ms, struct store_event *events,
                   size_t max);
    void (*destroy)(void *self);
    /* As store_cancel() says. NULL: it can't be; the event comes as it
     * would. */
    void (*cancel)(void *self, uint64_t tag);
    /* Fill @out, which is zeroed, as store_wait_for() says; something is in
     * flight. NULL: whatever there is to do is done inside poll. */
    void (*wait)(void *self, struct store_wait *out);
};

/* For implementations: wrap @self into a handle. @root_uri (copied) is what
 * stands before a key to make its full URI: "s3://bucket/", "file:///data/". */
struct store *store_wrap(const struct store_ops *ops, void *self,
                         const char *root_uri);

#endif /* STORE_STORE_OPS_H */
