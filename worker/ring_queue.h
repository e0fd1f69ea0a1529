/* SPDX-License-Identifier: Apache-2.0 */
/* One ring as the worker sees it: which slots are out, who has them, what was
 * done with them. It writes the control memory and the tables (proto/ring.h)
 * and never believes what it reads there: beside each shared word stands what
 * the worker put there, and of what a consumer can have made of it only the
 * few legal words count. Anything else is CHANGED: nobody can tell whose hand
 * it was, so that control memory is given up, its consumers have to come anew
 * to another one, and what they held is delivered again once all of them have
 * gone.
 *
 * A slot is out from ring_queue_publish() until its outcome is taken. Numbers
 * grow with each slot; what is delivered again keeps its own, so that an
 * exclusive or broadcast consumer that comes anew has its slots in order.
 *
 * Pure: memory is the owner's, no calls to the system. One thread. */

#ifndef WORKER_RING_QUEUE_H
#define WORKER_RING_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/ring.h"
#include "worker/flow.h"

struct ring_queue;

struct ring_queue_options {
    struct ring_shape shape;
    uint32_t consumers; /* At once: 1; up to RING_CONSUMERS_MAX; broadcast: how
                           many each slot is for. */
    bool drops; /* What a consumer held when it died is not delivered again. */
};

/* The shape has to be one that ring_layout_make() takes. */
struct ring_queue *ring_queue_new(const struct ring_queue_options *options);
void ring_queue_destroy(struct ring_queue **q);

const struct ring_layout *ring_queue_layout(const struct ring_queue *q);

/* Zeroed memory, as large as the layout says, which has to outlive its use:
 * to begin with, and after CHANGED. The consumers of before are old ones from
 * here on: their numbers are free, and each is to leave by
 * ring_queue_leave_old(). */
void ring_queue_use(struct ring_queue *q, void *control, void *tables,
                    uint64_t incarnation);

/* ---- The owner's side. --------------------------------------------------- */

/* Put a slot out; its entries are copied. OK; INVALID: no entries, too many,
 * or bytes outside the slot; LOST: it goes on with a unit whose earlier parts
 * have gone with their consumer: the unit has to be delivered from its
 * beginning; CHANGED. */
MUST_USE enum status ring_queue_publish(struct ring_queue *q,
                                        const struct flow_slot *slot);

/* Nothing more of @epoch comes: each consumer is told once. OK; EMPTY: not now
 * (share: slots are still out; else: too many ends are unread), again after an
 * outcome; INVALID: no such epoch can be told; CHANGED. */
MUST_USE enum status ring_queue_end_epoch(struct ring_queue *q, uint64_t epoch);

/* Nothing more comes at all. OK; EMPTY: not now, as above. */
MUST_USE enum status ring_queue_end(struct ring_queue *q);

/* Nothing is on its way, and perhaps nothing will be before what is out has
 * come back: a consumer that waits with samples in hand is told so, lest it
 * wait for itself. Until the next publish. */
void ring_queue_ask_back(struct ring_queue *q);

enum ring_outcome_kind {
    RING_CONSUMED, /* Released by its consumer, by all of them. */
    RING_DROPPED,  /* Its consumer died with it. */
    RING_TORN, /* Not consumed, and of no use: earlier parts of its unit were
                  a consumer's that died. */
};

struct ring_outcome {
    enum ring_outcome_kind kind;
    uint32_t consumer;     /* RING_ANY where it is not one. */
    struct flow_slot slot; /* As it was published. */
};

/* false: none now. The slot is the owner's again. */
bool ring_queue_take(struct ring_queue *q, struct ring_outcome *out);

/* ---- The consumers' side. ------------------------------------------------ */

/* Look at all that is out. OK, CHANGED. */
MUST_USE enum status ring_queue_collect(struct ring_queue *q);

struct ring_joined {
    uint32_t consumer;
    uint64_t start; /* The first entry of its queue. */
    uint64_t ended; /* Share: the last epoch whose end is not for it, and 1. */
};

/* OK; FULL: there are as many as there may be, or the one that @member names is
 * still there, or old ones have to leave before; INVALID: there is no such
 * member; CHANGED. */
MUST_USE enum status ring_queue_join(struct ring_queue *q, uint32_t member,
                                     struct ring_joined *out);

/* The consumer can't touch the memory any more. OK, CHANGED (it has left all
 * the same, as an old one). */
MUST_USE enum status ring_queue_leave(struct ring_queue *q, uint32_t consumer);
void ring_queue_leave_old(struct ring_queue *q);

/* Whether somebody has to be woken since the last call: the bell has grown. */
bool ring_queue_has_news(struct ring_queue *q);

struct ring_queue_stats {
    uint64_t published; /* Slots, */
    uint64_t consumed;
    uint64_t redelivered;
    uint64_t dropped;
    uint64_t torn;
    uint64_t changed; /* Control memories given up. */
    uint32_t out;
    uint32_t leased; /* Of those; not in broadcast. */
    uint32_t consumers;
};
struct ring_queue_stats ring_queue_stats(const struct ring_queue *q);

void ring_queue_check(const struct ring_queue *q);

#endif /* WORKER_RING_QUEUE_H */
