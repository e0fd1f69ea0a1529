/* SPDX-License-Identifier: Apache-2.0 */
/* Private to fetch: what waits, soonest due first, and first come first of
 * those that are due at once. A pure core: a binary heap whose items know
 * their place, so that each can be taken out or moved. */

#ifndef WORKER_FETCH_QUEUE_H
#define WORKER_FETCH_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* Part of what waits. */
struct fetch_wait {
    uint64_t due;
    uint64_t sequence; /* Of the queue; grows. */
    uint32_t at;       /* Its place in the heap. */
};

/* Zeroed, it is empty. */
struct fetch_queue {
    struct fetch_wait **heap;
    uint32_t count;
    uint32_t room;
};

void fetch_queue_fini(struct fetch_queue *q);

void fetch_queue_add(struct fetch_queue *q, struct fetch_wait *w);

/* NULL: none. */
struct fetch_wait *fetch_queue_first(const struct fetch_queue *q);
void fetch_queue_remove(struct fetch_queue *q, struct fetch_wait *w);
void fetch_queue_move(struct fetch_queue *q, struct fetch_wait *w,
                      uint64_t due);

/* Whether @a goes before @b; NULL goes last. */
bool fetch_wait_is_sooner(const struct fetch_wait *a,
                          const struct fetch_wait *b);

/* CHECK every invariant. */
void fetch_queue_check(const struct fetch_queue *q);

#endif /* WORKER_FETCH_QUEUE_H */
