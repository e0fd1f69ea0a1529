/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ring.h"

enum { RING_PAGE = 4096 };

static size_t ring_round(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static bool ring_shape_is_valid(const struct ring_shape *s)
{
    return s->mode >= RING_EXCLUSIVE && s->mode <= RING_BROADCAST &&
           s->slot_count > 0 && s->slot_count <= RING_SLOTS_MAX &&
           s->slots_max > 0 && s->slots_max <= s->slot_count &&
           s->queue_count > 0 && s->queue_count <= RING_CONSUMERS_MAX &&
           (s->mode == RING_BROADCAST || s->queue_count == 1) &&
           s->entries_max > 0 && s->entries_max <= RING_ENTRIES_MAX &&
           s->slot_size > 0 && s->slot_size % RING_PAGE == 0 &&
           s->slot_size <= (SIZE_MAX >> 1) / RING_SLOTS_MAX;
}

/* Every slot that is out may stand in a queue twice, every end once. */
static uint32_t ring_order_size(uint32_t slots_max)
{
    uint32_t size = 64;

    while (size < 2 * slots_max + RING_ENDS_MAX) {
        size *= 2;
    }
    return size;
}

bool ring_layout_make(const struct ring_shape *shape, struct ring_layout *out)
{
    struct ring_layout l = {.shape = *shape};

    if (!ring_shape_is_valid(shape)) {
        return false;
    }
    l.order_size = ring_order_size(shape->slots_max);
    l.queues_at = sizeof(struct ring_shared);
    l.consumers_at =
        l.queues_at + shape->queue_count * sizeof(struct ring_queue_head);
    l.slots_at =
        l.consumers_at + RING_CONSUMERS_MAX * sizeof(struct ring_consumer);
    l.orders_at = l.slots_at + shape->slot_count * sizeof(struct ring_slot);
    l.control_size =
        ring_round(l.orders_at + (size_t)shape->queue_count * l.order_size *
                                     sizeof(uint64_t),
                   RING_PAGE);
    l.table_stride =
        ring_round(sizeof(struct ring_table) +
                       shape->entries_max * sizeof(struct ring_entry),
                   RING_PAGE);
    l.tables_size = shape->slot_count * l.table_stride;
    l.data_size = shape->slot_count * (size_t)shape->slot_size;
    *out = l;
    return true;
}

struct ring_queue_head *ring_queue_at(void *control,
                                      const struct ring_layout *l,
                                      uint32_t queue)
{
    return (struct ring_queue_head *)(void *)((char *)control + l->queues_at) +
           queue;
}

struct ring_consumer *ring_consumer_at(void *control,
                                       const struct ring_layout *l,
                                       uint32_t consumer)
{
    return (struct ring_consumer *)(void *)((char *)control + l->consumers_at) +
           consumer;
}

struct ring_slot *ring_slot_at(void *control, const struct ring_layout *l,
                               uint32_t slot)
{
    return (struct ring_slot *)(void *)((char *)control + l->slots_at) + slot;
}

_Atomic uint64_t *ring_order_at(void *control, const struct ring_layout *l,
                                uint32_t queue, uint64_t number)
{
    return (_Atomic uint64_t *)(void *)((char *)control + l->orders_at) +
           (size_t)queue * l->order_size + (number & (l->order_size - 1));
}

const struct ring_table *ring_table_at(const void *tables,
                                       const struct ring_layout *l,
                                       uint32_t slot)
{
    return (const struct ring_table *)(const void *)((const char *)tables +
                                                     slot * l->table_stride);
}
