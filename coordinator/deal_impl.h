/* SPDX-License-Identifier: Apache-2.0 */
/* How a deal lies in memory; private to deal*.c.
 *
 * A unit has a 32-bit id: the index of a whole object, or the catalog's count
 * plus the index of a range. SAGEMAKER and BALANCED first write the rank of
 * each unit (deal_plan), then lay the ids out twice: by rank in the order's
 * sequence, and by host in the catalog's. REPLICATED needs neither: its
 * sequences are arithmetic. */

#ifndef COORDINATOR_DEAL_IMPL_H
#define COORDINATOR_DEAL_IMPL_H

#include "coordinator/deal.h"

/* In the place of a rank. */
#define DEAL_DROPPED (UINT32_MAX - 1)
#define DEAL_SPLIT UINT32_MAX /* See the object's ranges. */

enum { DEAL_BATCH = 1024 }; /* Units looked at together. */

struct deal_range {
    uint64_t offset;
    uint64_t size;
    uint32_t object;
    uint32_t rank; /* Or DEAL_DROPPED. */
};

struct deal {
    const struct catalog *catalog;
    struct order order;
    enum deal_kind kind;
    enum deal_even even;
    bool may_split;
    uint64_t split_align;
    uint64_t count; /* Objects. */
    uint32_t host_count;
    uint32_t rank_count;
    struct deal_host *hosts; /* By number. */
    uint32_t *host_rank;     /* The first of each host, and the end. */
    uint32_t *rank_host;
    struct deal_range *ranges; /* By object and offset, without gaps. */
    uint64_t range_count;
    uint64_t range_room;
    uint64_t split_count; /* Objects that have ranges. */

    uint32_t *sequence; /* Ids, rank after rank. */
    uint64_t *rank_at;  /* Where each rank's start, and the end. */
    uint32_t *brought;  /* Objects, host after host, ascending. */
    uint64_t *host_at;
    uint32_t *lender; /* PAD: whose units a rank without any repeats. */

    uint64_t even_count; /* What each rank reads, unless NONE. */
    uint64_t dropped;
    uint64_t padded;
    struct deal_sum *rank_sums;
    struct deal_sum *host_sums;
    double skew;
};

/* What is decided before it is laid out. */
struct deal_plan {
    uint32_t *rank_of; /* By object: rank, DEAL_DROPPED or DEAL_SPLIT. */
};

/* The id of the @k-th of the units that are @rank's own. */
uint64_t deal_own_id(const struct deal *d, uint32_t rank, uint64_t k);

/* The rank whose units @rank repeats when it has to. */
uint32_t deal_lender(const struct deal *d, uint32_t rank);

/* Add to @rank's sums what it repeats to reach the even count; its lender's
 * sums are still without padding. */
void deal_pad_rank(struct deal *d, uint32_t rank);

/* The unit of an id. */
struct deal_unit deal_unit_of(const struct deal *d, uint64_t id);

/* The first range of @object, or of the first one after it. */
uint64_t deal_find_range(const struct deal *d, uint64_t object);

/* Decide by bytes: @plan and the ranges. (deal_balance.c) */
MUST_USE enum status deal_balance(struct deal *d, struct deal_plan *plan);

/* Lay out what was decided, with sums. (deal_lay.c) */
MUST_USE enum status deal_lay(struct deal *d, struct deal_plan *plan);

/* The same for REPLICATED. (deal_replicate.c) */
MUST_USE enum status deal_replicate(struct deal *d);

/* What @total comes to for a rank of @host by its weight, rounded down;
 * @weights is the sum over the hosts. */
uint64_t deal_target(const struct deal *d, uint64_t total, uint32_t host,
                     uint64_t weights);
uint64_t deal_weights(const struct deal *d);

#endif /* COORDINATOR_DEAL_IMPL_H */
