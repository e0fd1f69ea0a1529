/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/fetch_queue.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

void fetch_queue_fini(struct fetch_queue *q)
{
    CHECK(q->count == 0);
    free(q->heap);
    *q = (struct fetch_queue){.heap = NULL};
}

bool fetch_wait_is_sooner(const struct fetch_wait *a,
                          const struct fetch_wait *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL;
    }
    return a->due != b->due ? a->due < b->due : a->sequence < b->sequence;
}

static void fetch_queue_put(struct fetch_queue *q, uint32_t at,
                            struct fetch_wait *w)
{
    q->heap[at] = w;
    w->at = at;
}

static void fetch_queue_rise(struct fetch_queue *q, struct fetch_wait *w)
{
    uint32_t at = w->at;

    while (at > 0 && fetch_wait_is_sooner(w, q->heap[(at - 1) / 2])) {
        fetch_queue_put(q, at, q->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    fetch_queue_put(q, at, w);
}

static struct fetch_wait *fetch_queue_at(const struct fetch_queue *q,
                                         uint32_t at)
{
    return at < q->count ? q->heap[at] : NULL;
}

static void fetch_queue_sink(struct fetch_queue *q, struct fetch_wait *w)
{
    uint32_t at = w->at;

    for (;;) {
        uint32_t below = 2 * at + 1;

        below += fetch_wait_is_sooner(fetch_queue_at(q, below + 1),
                                      fetch_queue_at(q, below));
        if (!fetch_wait_is_sooner(fetch_queue_at(q, below), w)) {
            break;
        }
        fetch_queue_put(q, at, q->heap[below]);
        at = below;
    }
    fetch_queue_put(q, at, w);
}

void fetch_queue_add(struct fetch_queue *q, struct fetch_wait *w)
{
    if (q->count == q->room) {
        CHECK(q->room <= UINT32_MAX / 4);
        q->room = q->room > 0 ? 2 * q->room : 64;
        q->heap = mem_grow(q->heap, q->room, sizeof(q->heap[0]));
    }
    fetch_queue_put(q, q->count++, w);
    fetch_queue_rise(q, w);
}

struct fetch_wait *fetch_queue_first(const struct fetch_queue *q)
{
    return fetch_queue_at(q, 0);
}

void fetch_queue_remove(struct fetch_queue *q, struct fetch_wait *w)
{
    struct fetch_wait *last;

    CHECK(fetch_queue_at(q, w->at) == w);
    last = q->heap[--q->count];
    if (last != w) {
        fetch_queue_put(q, w->at, last);
        fetch_queue_rise(q, last);
        fetch_queue_sink(q, last);
    }
}

void fetch_queue_move(struct fetch_queue *q, struct fetch_wait *w, uint64_t due)
{
    CHECK(fetch_queue_at(q, w->at) == w);
    w->due = due;
    fetch_queue_rise(q, w);
    fetch_queue_sink(q, w);
}

void fetch_queue_check(const struct fetch_queue *q)
{
    CHECK(q->count <= q->room);
    for (uint32_t i = 0; i < q->count; i++) {
        CHECK(q->heap[i]->at == i);
        CHECK(i == 0 ||
              !fetch_wait_is_sooner(q->heap[i], q->heap[(i - 1) / 2]));
    }
}
