/* SPDX-License-Identifier: Apache-2.0 */
/* What a holder is made of; private to holder*.c.
 *
 * A position that was done is `fresh` in its lease, then in `told` from the
 * first WORK that names it until the coordinator acknowledges or refuses it.
 * Every WORK names all of `told`, so that whoever has seen one WORK needs none
 * before it. */

#ifndef WORKER_HOLDER_STATE_H
#define WORKER_HOLDER_STATE_H

#include "base/ranges.h"
#include "worker/holder.h"

enum {
    HOLDER_SENT_MAX = 64, /* WORKs whose answers still renew. */
    /* Live ones, and such that are over with something to tell. */
    HOLDER_LEASES_MAX = 2 * WORK_LEASES_MAX,
};

/* first ≤ begun ≤ end. [first, begun) was handed out; done and again are
 * parts of that without a common number, fresh is a part of done. */
struct holder_lease {
    uint64_t number;
    uint64_t epoch;
    uint32_t rank;
    bool is_late;
    bool is_over;      /* Kept only for what is fresh. */
    uint64_t told_seq; /* The first WORK that named it; 0: none yet. */
    uint64_t first;
    uint64_t begun;
    uint64_t end;
    struct ranges *again; /* To be handed out anew. */
    struct ranges *done;  /* Or skipped. */
    struct ranges *fresh; /* Done, and in no WORK yet. */
};

/* Said to be done. */
struct holder_told {
    uint64_t lease;
    uint64_t epoch;
    uint32_t rank;
    struct range range;
    uint64_t seq;  /* Of the first WORK that said so. */
    bool is_acked; /* The rank knows; it is told on until it is durable. */
};

struct holder_skipped {
    uint64_t lease;
    uint64_t epoch;
    uint32_t rank;
    uint64_t position;
    uint64_t seq; /* 0: in no WORK yet. */
    char reason[WORK_REASON_MAX + 1];
};

struct holder_rank {
    uint64_t epoch;
    bool is_active;  /* It has asked. */
    bool is_stopped; /* It was told that its epoch has ended. */
    bool is_asking;  /* A WORK without an answer says what it wants. */
};

struct holder {
    struct holder_options options;
    struct holder_rank ranks[WORK_WANTS_MAX];

    /* What the coordinator has said. */
    bool has_grant;
    uint64_t epoch;
    uint64_t gate;
    bool is_complete;
    bool is_over;
    uint64_t idle_ranks;
    uint64_t taken_seq;  /* The newest that was answered, */
    uint64_t renewed_ms; /* and when it was sent. */
    uint64_t top;        /* The highest lease ever taken. */
    struct holder_lease *leases[HOLDER_LEASES_MAX]; /* By number. */
    uint32_t lease_count;

    /* What is to be said. */
    uint64_t seq; /* Of the last WORK. */
    uint64_t sent_ms[HOLDER_SENT_MAX];
    bool is_new;    /* Something is worth a WORK, */
    bool is_urgent; /* and at once. */
    bool ends_epoch;
    struct holder_told told[WORK_DONE_MAX]; /* Oldest first. */
    uint32_t told_count;
    struct holder_skipped skips[HOLDER_SKIP_MAX]; /* Oldest first. */
    uint32_t skip_count;

    struct holder_outcome *outcomes;
    size_t outcome_first;
    size_t outcome_count;
    size_t outcome_room;
    struct holder_stats stats; /* Only the counters. */
};

/* Find a lease by its number; NULL: there is none here. */
struct holder_lease *holder_find(const struct holder *h, uint64_t number);

/* Find the lowest position from @from on that @rank may still be handed.
 * NULL: there is none. */
struct holder_lease *holder_lowest(const struct holder *h, uint32_t rank,
                                   uint64_t from, uint64_t *position);

bool holder_rank_wants(const struct holder *h, uint32_t rank);

/* Forget the leases that are over and have nothing more to tell. */
void holder_sweep(struct holder *h);

void holder_add_outcome(struct holder *h, const struct holder_outcome *outcome);

#endif /* WORKER_HOLDER_STATE_H */
