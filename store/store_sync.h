/* SPDX-License-Identifier: Apache-2.0 */
/* One request at a time, waiting for it: for start and end of a job, for
 * commands, for tests. The handle must have nothing else in flight. */

#ifndef STORE_STORE_SYNC_H
#define STORE_STORE_SYNC_H

#include "store/store.h"

/* Submit @request and wait for its event. Returns the event's status; @event
 * holds the rest. */
MUST_USE enum status store_sync(struct store *s,
                                const struct store_request *request,
                                struct store_event *event);

/* Append the whole value of @key, at most @max bytes, to @out, and write its
 * etag (STORE_ETAG_MAX bytes) unless @etag is NULL. FULL: it is larger. */
struct store_sync_get {
    const char *key;
    size_t max;
    char *etag;
};
MUST_USE enum status store_sync_get(struct store *s,
                                    const struct store_sync_get *get,
                                    struct fault *why, struct buf *out);

/* Write @body to @key. @etag is read with IF_MATCH and, unless NULL, holds
 * the new value's etag after OK. */
struct store_sync_put {
    const char *key;
    struct bytes body;
    enum store_when when;
    char *etag;
};
MUST_USE enum status store_sync_put(struct store *s,
                                    const struct store_sync_put *put,
                                    struct fault *why);

/* Delete @key. OK when it is not there. */
MUST_USE enum status store_sync_delete(struct store *s, const char *key,
                                       struct fault *why);

/* Call @each for every object below @prefix in the order of the keys, until
 * it answers other than OK, which is returned. */
typedef enum status store_each_fn(void *self, const struct store_object *object,
                                  struct fault *why);
MUST_USE enum status store_sync_list(struct store *s, const char *prefix,
                                     store_each_fn *each, void *self,
                                     struct fault *why);

#endif /* STORE_STORE_SYNC_H */
