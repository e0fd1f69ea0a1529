/* SPDX-License-Identifier: Apache-2.0 */
/* Flow: one rank's units, in order, through slots.
 *
 * It asks for units as long as there are free slots, plans each slot, has it
 * fetched and hands the slots over in order. A slot holds entries: one part
 * of a large unit, or many small units one behind the other, from one epoch.
 * A unit that can't be read ends with an entry that has a status and no bytes;
 * of a large one, parts may have been handed over before.
 *
 * A slot that is needed earlier is fetched earlier, and so is that of the flow
 * with the fewest slots ahead: the due of a request is when its slot will be
 * wanted if the consumer goes on as it did.
 *
 * Slots are handed over in the order of their units, are held by the consumer
 * as long as it likes and given back in any order.
 *
 * Threads: the owner's. It waits for flow_fd() and for whatever brings new
 * units, and calls flow_step() then and after each flow_release(). Where
 * others take from the same slots, it also waits for slots_wait_fd(). */

#ifndef WORKER_FLOW_H
#define WORKER_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/framing.h"
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
    bool is_whole; /* The range is all of it: its checksum is looked at, if it
                      fits into a slot. */
    const char *text; /* These are the bytes: nothing is fetched. Else NULL. */

    /* Of a range: it is moved to where records start (bounds.h), unless
     * FRAMING_RAW. */
    enum framing framing;
    uint64_t object_size;

    /* Private. */
    enum status status;
    const struct fault *why;
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
    bool fills_last;    /* Hand over a slot that is not full when it is asked
                           for and no more units are to be had; else wait
                           for more of them. */
    flow_next_fn *next;
    void *next_self;
};

struct flow_entry {
    uint64_t epoch;
    uint64_t position;
    uint64_t mark;
    uint64_t unit_size; /* With its range moved. */
    uint64_t offset;    /* In the unit. */
    size_t at;          /* In the slot. */
    size_t size;
    bool is_first;
    bool is_last;
    enum status status; /* Unless OK: no bytes, is_last; and is_first, unless
                           parts of it were handed over. STOPPED never. */
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

/* What @options point to must outlive it. NULL: the system has no descriptor
 * for it. */
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

/* After STOPPED: ask for units again; the owner calls flow_step() next. */
void flow_begin(struct flow *f);

/* Forget what was not handed over, and an end: units are asked for anew, from
 * wherever the owner begins again. Slots that are being written to are free
 * once their requests have ended. */
void flow_reset(struct flow *f);

struct flow_stats {
    uint32_t ready;   /* Slots that can be taken, */
    uint32_t filling; /* not yet, units that are looked into among them, */
    uint32_t held;    /* by the consumer. */
    uint64_t units;   /* Handed over to their end, */
    uint64_t bytes;
    uint64_t failed; /* and those that could not be read. */
};
struct flow_stats flow_stats(const struct flow *f);

/* CHECK every invariant. */
void flow_check(const struct flow *f);

#endif /* WORKER_FLOW_H */
