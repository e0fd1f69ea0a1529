/* SPDX-License-Identifier: Apache-2.0 */
/* Flow: one rank's units, in order, through slots.
 *
 * It asks for units as long as there are free slots, plans each slot, has it
 * fetched and hands the slots over in order. A slot holds entries: one part
 * of a large unit, or many small units one behind the other. A unit that can't
 * be read is an entry with a status, and takes no room.
 *
 * Slots are handed over in the order of their units, are held by the consumer
 * as long as it likes and given back in any order.
 *
 * Threads: the owner's. It waits for flow_fd() and for whatever brings new
 * units, and calls flow_step() then and after each flow_release(). */

#ifndef WORKER_FLOW_H
#define WORKER_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "worker/fetch.h"
#include "worker/slots.h"

enum {
    FLOW_ENTRIES_MAX = 1024, /* Of one slot. */
    FLOW_SMALL_PART = 4, /* Units of at most a slot's size by this share one. */
    FLOW_ENTRY_ALIGN = 64,
};

/* What is to be delivered next. Views live until the next call. */
struct flow_unit {
    uint64_t epoch;
    uint64_t position;
    uint64_t mark; /* The owner's: comes back with each entry. */
    struct bytes key;
    struct bytes etag;
    uint64_t offset; /* The unit is this range of the object. */
    uint64_t size;
};

/* OK; EMPTY: none now, ask again later; STOPPED: the epoch has ended, and
 * nothing more comes before flow_begin(). */
typedef enum status flow_next_fn(void *self, struct flow_unit *out);

struct flow_options {
    struct fetch *fetch;
    struct slots *slots;
    uint32_t source;    /* Of the fetch. */
    uint32_t lane;      /* Preferred, or UINT32_MAX. */
    uint32_t slots_max; /* Taken at most at once; at least 1. */
    bool fills_last;    /* Hand over a slot that is not full as soon as no more
                           units are to be had; else wait for more. */
    flow_next_fn *next;
    void *next_self;
};

struct flow_entry {
    uint64_t epoch;
    uint64_t position;
    uint64_t mark;
    uint64_t unit_size;
    uint64_t offset; /* In the unit. */
    size_t at;       /* In the slot. */
    size_t size;
    bool is_first;
    bool is_last;
    enum status status; /* Unless OK: no bytes; is_first and is_last. */
};

/* Views live until its release. */
struct flow_slot {
    uint32_t slot;
    uint64_t number; /* From 0, in order. */
    const uint8_t *data;
    size_t size; /* Bytes in use. */
    const struct flow_entry *entries;
    uint32_t entry_count;
    const struct fault *why; /* Of the first entry that failed; or NULL. */
};

struct flow;

struct flow *flow_new(const struct flow_options *options);

/* Gives back all slots, those that the consumer holds too. */
void flow_destroy(struct flow **f);

int flow_fd(const struct flow *f);
void flow_step(struct flow *f);

/* The next slot, if it is whole. OK; EMPTY: not yet; STOPPED: all slots of the
 * epoch were handed over. */
MUST_USE enum status flow_take(struct flow *f, struct flow_slot *out);

/* The consumer is done with it. */
void flow_release(struct flow *f, uint32_t slot);

/* After STOPPED: ask for units again. */
void flow_begin(struct flow *f);

/* Forget what was not handed over: units are asked for anew, from wherever
 * the owner begins again. */
void flow_reset(struct flow *f);

void flow_check(const struct flow *f);

#endif /* WORKER_FLOW_H */
