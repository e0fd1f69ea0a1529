/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of rings: both ends on the same memory in one process, without
 * a socket: a queue of the worker's, and the library's handles by hand. */

#ifndef TESTS_RING_CLIENT_H
#define TESTS_RING_CLIENT_H

#include <stdlib.h>

#include "base/mem.h"
#include "tests/expect.h"
#include "worker/client/smshard_state.h"
#include "worker/ring_queue.h"

/* Blocks of exactly the size that each side may use. */
struct rc_memory {
    struct ring_layout layout;
    void *control;
    void *tables;
    char *data;
};

static inline void *rc_block(size_t size)
{
    void *at = aligned_alloc(64, (size + 63) / 64 * 64);

    EXPECT(at != NULL);
    memset(at, 0, (size + 63) / 64 * 64);
    return at;
}

static inline void rc_init(struct rc_memory *m, const struct ring_layout *l)
{
    m->layout = *l;
    m->control = rc_block(l->control_size);
    m->tables = rc_block(l->tables_size);
    m->data = rc_block(l->data_size);
}

static inline void rc_fini(struct rc_memory *m)
{
    free(m->control);
    free(m->tables);
    free(m->data);
}

/* What a greeting would have set. */
static inline struct smshard *rc_open(const struct rc_memory *m,
                                      const struct ring_joined *joined)
{
    const struct ring_shape *shape = &m->layout.shape;
    struct smshard *s = mem_new(1, sizeof(*s));

    s->fd = -1;
    s->wait_fd = -1;
    memset(s->fds, 0xff, sizeof(s->fds));
    s->layout = m->layout;
    s->control = m->control;
    s->shared = m->control;
    s->tables = m->tables;
    s->data = m->data;
    s->consumer = joined->consumer;
    s->queue = shape->mode == RING_BROADCAST ? joined->consumer : 0;
    s->hold_max = shape->slots_max;
    s->cursor = joined->start;
    s->ended = joined->ended;
    s->connections = 1;
    s->held = mem_new(shape->slot_count, sizeof(*s->held));
    s->given =
        mem_new((size_t)shape->slot_count * ((shape->entries_max + 63) / 64),
                sizeof(*s->given));
    return s;
}

static inline void rc_close(struct smshard **s)
{
    struct smshard *old = *s;

    if (old != NULL) {
        *s = NULL;
        free(old->held);
        free(old->given);
        free(old);
    }
}

#endif /* TESTS_RING_CLIENT_H */
