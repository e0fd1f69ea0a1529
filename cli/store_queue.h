/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a store from a loop that must not wait: some threads of its own
 * make them, in any order, and the owner learns of the outcomes by a
 * descriptor. For the journal. */

#ifndef CLI_STORE_QUEUE_H
#define CLI_STORE_QUEUE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/journal.h"
#include "store/store.h"

struct store_queue;

/* Keys are below the folder @folder of the location @uri. The statuses of
 * store_open(); OS. */
MUST_USE enum status store_queue_start(const char *uri, const char *folder,
                                       struct fault *why,
                                       struct store_queue **out);

/* Queue a request; its body is copied. At most JOURNAL_ASKS_MAX are open. */
void store_queue_add(struct store_queue *q,
                     const struct journal_request *request);

/* Work for one of the threads while nothing is asked of it: a turn of a few
 * requests to @store, where @prefix is that of the queue's location. false:
 * there is no more of it. Called without a lock. */
typedef bool store_queue_idle_fn(void *self, struct store *store,
                                 const char *prefix);

/* Do @turn from now on until it says that there is no more, or the queue's
 * end, which waits for the turn under way. */
void store_queue_set_idle(struct store_queue *q, store_queue_idle_fn *turn,
                          void *self);

/* Readable when an outcome waits. */
int store_queue_fd(const struct store_queue *q);

/* Take an outcome. Its views live until the next call. false: there is none. */
bool store_queue_take(struct store_queue *q, struct journal_event *out);

/* End the thread once the request under way has ended, and free *@q. */
void store_queue_end(struct store_queue **q);

#endif /* CLI_STORE_QUEUE_H */
