/* SPDX-License-Identifier: Apache-2.0 */
/* What ring_queue.c and ring_queue_seat.c share. */

#ifndef WORKER_RING_QUEUE_STATE_H
#define WORKER_RING_QUEUE_STATE_H

#include "proto/ring_word.h"
#include "worker/ring_queue.h"

enum rq_place {
    RQ_HERE, /* The owner's, */
    RQ_OUT,
    RQ_HELD, /* out, but not to be had before the old consumers have left. */
    RQ_BACK, /* An outcome that nobody has taken. */
};

struct rq_slot {
    enum rq_place place;
    uint32_t gen;         /* Of its word. */
    uint64_t free_word;   /* HERE, BACK: the whole word. */
    uint32_t owner;       /* Who has leased it, as last seen, and 1; or 0. */
    uint32_t chain_owner; /* Who released the part before, and 1; 0: nobody;
                             RING_ANY: an old one. */
    uint64_t number;
    uint64_t previous; /* The number of the part before, and 1; or 0. */
    bool is_part;      /* Goes on with a unit, */
    bool goes_on;      /* and is not its end. */
    bool is_lost;      /* Later parts were had by one that has gone. */
    bool is_bad;       /* Its word is no word. */
    uint64_t mask;     /* Broadcast: who has not released it, as last seen. */
    struct flow_slot slot;
    enum ring_outcome_kind kind; /* BACK. */
    uint32_t consumer;
};

/* The end of an epoch, which takes a number as a slot does. */
struct rq_end {
    uint64_t number;
    uint64_t epoch;
    uint64_t entry; /* Where it stands in the queue. */
};

struct rq_queue {
    uint64_t head;
    uint64_t tail;
    uint64_t *entries; /* What stands in the shared one. */
    uint32_t readers;
    struct rq_end ends[RING_ENDS_MAX]; /* Unread. */
    uint32_t end_count;
};

struct rq_consumer {
    uint64_t cursor; /* As last seen. */
};

struct ring_queue {
    struct ring_queue_options options;
    struct ring_layout layout;
    struct ring_shared *shared; /* At @control. */
    void *control;
    void *tables;

    struct rq_slot *slots;
    uint32_t *out; /* OUT and HELD, by number. */
    uint32_t out_count;
    uint32_t *back; /* Outcomes, oldest first, from @back_first round. */
    uint32_t back_first;
    uint32_t back_count;

    struct rq_queue *queues;
    struct rq_consumer consumers[RING_CONSUMERS_MAX];
    uint64_t joined;   /* Bits of consumers. */
    uint64_t expected; /* Broadcast: for whom slots are put out. */
    uint32_t old_count;

    uint64_t next_number; /* The last one that was given. */
    uint64_t ended;       /* The last epoch that has, and 1. */
    bool is_over;
    bool is_open; /* The newest slot's unit goes on: */
    uint64_t open_number;
    uint32_t open_owner; /* who released it, as chain_owner; */
    bool is_tearing;     /* its further parts are of no use. */
    bool wants_back;
    bool is_changed; /* Until ring_queue_use(). */
    bool has_news;
    struct ring_queue_stats stats;
};

static inline bool rq_is_mode(const struct ring_queue *q, enum ring_mode mode)
{
    return q->layout.shape.mode == mode;
}

struct ring_table *rq_table(struct ring_queue *q, uint32_t slot);
struct ring_slot *rq_shared(struct ring_queue *q, uint32_t slot);

/* Nothing to a queue that nobody reads. */
void rq_append(struct ring_queue *q, uint32_t queue, uint64_t entry);
void rq_append_slot(struct ring_queue *q, uint32_t slot);
void rq_rebuild(struct ring_queue *q, uint32_t queue);
void rq_news(struct ring_queue *q);

/* See how far the consumers have come. */
void rq_look_at_cursors(struct ring_queue *q);

/* Take the slot that is out[@at] off. */
void rq_bring_back(struct ring_queue *q, uint32_t at,
                   enum ring_outcome_kind kind, uint32_t consumer);

#endif /* WORKER_RING_QUEUE_STATE_H */
