/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that a worker shares with the processes it delivers to
 * (docs/ring.md). Three files: the slots' data and their tables, which only the
 * worker can write, and the control memory, which both can.
 *
 * Neither side trusts the control memory. The worker keeps a copy of its own
 * of whatever it put there and looks at a shared word only to see which of the
 * few moves a consumer may make was made; the consumer checks every number
 * before it uses it as an index. What a consumer writes by mistake can harm the
 * consumers of that ring, and nobody else.
 *
 * No dependency: this header and ring_layout.c are also the client's. */

#ifndef PROTO_RING_H
#define PROTO_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_ANY UINT32_MAX

enum {
    RING_ABI = 1, /* Grows with every change of what stands here. */
    RING_MAGIC = 0x676e6972,
    RING_CONSUMERS_MAX = 64,
    RING_SLOTS_MAX = 1 << 16,
    RING_ENTRIES_MAX = 1024,
    RING_ENDS_MAX = 32, /* Ends of epochs that nobody has read yet. */
    RING_CHANNEL_MAX = 128,
    RING_TEXT_MAX = 512,
};

enum ring_mode {
    RING_EXCLUSIVE = 1, /* One consumer, in order. */
    RING_SHARE,         /* Several, each slot to one of them. */
    RING_BROADCAST,     /* Several, each slot to all of them, in order. */
};

/* ---- The order: generation:32 flags:8 slot:24. --------------------------- */

enum {
    RING_ORDER_PART = 1, /* The slot goes on with the unit of the one before:
                            it is for whoever has had that. */
    RING_ORDER_END = 2,  /* No slot: the epoch @gen has ended. */
    RING_ORDER_NONE = 0xffffff,
};

static inline uint64_t ring_order(uint32_t gen, uint32_t flags, uint32_t slot)
{
    return (uint64_t)gen << 32 | (uint64_t)flags << 24 | slot;
}

/* ---- The control memory. ------------------------------------------------- */

/* At its beginning. */
struct ring_shared {
    uint32_t magic;
    uint32_t abi;
    uint64_t incarnation;

    alignas(64) _Atomic uint32_t bell; /* Grows when there is news: a futex. */
    _Atomic uint32_t waiters;          /* Who sleeps on it. */

    alignas(64) _Atomic uint32_t is_armed; /* The worker wants to hear of a
                                              release: its eventfd. */

    alignas(64) _Atomic uint64_t ended; /* The last epoch that has, and 1. */
    _Atomic uint64_t open;       /* The newest slot's number and 1 if its unit
                                    goes on; else 0. */
    _Atomic uint32_t wants_back; /* Nothing is on its way: what is held is to be
                                    given back before one waits. */
    _Atomic uint32_t is_over;    /* Nothing more comes. */
    _Atomic uint32_t is_closed;  /* The worker has gone, or wants this consumer
                                    to come anew. */
};

struct ring_queue_head {
    alignas(64) _Atomic uint64_t head; /* Entries ever put. */
    _Atomic uint64_t tail;             /* Those before are of no use. */
};

struct ring_consumer {
    alignas(64) _Atomic uint64_t cursor; /* The next entry it looks at. */
    _Atomic uint32_t is_armed; /* It wants to hear of news: its eventfd. */
};

struct ring_slot {
    alignas(64) _Atomic uint64_t word;
    _Atomic uint64_t mask; /* Broadcast: who has not released it. */
};

/* ---- The tables, one for each slot. -------------------------------------- */

enum {
    RING_ENTRY_FIRST = 1,
    RING_ENTRY_LAST = 2,
    RING_ENTRY_BAD = 4, /* The unit can't be read; no bytes. */
};

struct ring_entry {
    alignas(64) uint64_t epoch;
    uint64_t position;
    uint64_t unit_size;
    uint64_t offset; /* In the unit. */
    uint64_t at;     /* In the slot. */
    uint64_t size;
    uint32_t flags;
    uint32_t reserved[3];
};

struct ring_table {
    alignas(64) uint64_t number;
    uint64_t previous; /* The number of the slot that the first entry goes on
                          from, and 1; else 0. */
    uint32_t gen;
    uint32_t entry_count;
    struct ring_entry entries[];
};

/* ---- Where all that is. -------------------------------------------------- */

/* Told in the greeting; both sides make the same layout of it. */
struct ring_shape {
    uint32_t mode;
    uint32_t slot_count;
    uint32_t slots_max; /* Out at once. */
    uint32_t queue_count;
    uint32_t entries_max; /* Of a slot. */
    uint32_t reserved;
    uint64_t slot_size;
};

struct ring_layout {
    struct ring_shape shape;
    uint32_t order_size; /* Of a queue: a power of two. */
    size_t queues_at;
    size_t consumers_at;
    size_t slots_at;
    size_t orders_at;
    size_t control_size;
    size_t table_stride;
    size_t tables_size;
    size_t data_size;
};

/* false: no ring is like that. */
bool ring_layout_make(const struct ring_shape *shape, struct ring_layout *out);

struct ring_queue_head *ring_queue_at(void *control,
                                      const struct ring_layout *l,
                                      uint32_t queue);
struct ring_consumer *ring_consumer_at(void *control,
                                       const struct ring_layout *l,
                                       uint32_t consumer);
struct ring_slot *ring_slot_at(void *control, const struct ring_layout *l,
                               uint32_t slot);
_Atomic uint64_t *ring_order_at(void *control, const struct ring_layout *l,
                                uint32_t queue, uint64_t number);
const struct ring_table *ring_table_at(const void *tables,
                                       const struct ring_layout *l,
                                       uint32_t slot);

#endif /* PROTO_RING_H */
