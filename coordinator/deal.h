/* SPDX-License-Identifier: Apache-2.0 */
/* Deal: which rank reads which unit, decided once for an epoch.
 *
 *   DEAL_SAGEMAKER   object i of the order to host i mod n, and the j-th of
 *                    a host's objects to its rank j mod r
 *   DEAL_BALANCED    by bytes: every rank gets as much as its weight says,
 *                    with large objects cut into byte-range units if allowed
 *   DEAL_REPLICATED  everything to every host; its ranks share it, position j
 *                    of the order to rank j mod r
 *
 * `even` then makes every rank see the same number of units: PAD repeats
 * units that the rank already has (a rank without any borrows a neighbour's),
 * DROP leaves out the last few of the order (counted in the summary, never
 * silently), NONE leaves the deal as it is.
 *
 * The result depends on the set of hosts, their weights and their numbers,
 * not on the order in which they are given, and is the same for the same
 * input on any machine. No I/O; one thread. Memory is at most 48 bytes an
 * object beside the catalog's coded keys. */

#ifndef COORDINATOR_DEAL_H
#define COORDINATOR_DEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "coordinator/order.h"

enum {
    DEAL_HOSTS_MAX = 16384,
    DEAL_HOST_RANKS_MAX = 64,
    DEAL_RANKS_MAX = DEAL_HOSTS_MAX * DEAL_HOST_RANKS_MAX,
};

enum deal_kind { DEAL_SAGEMAKER, DEAL_BALANCED, DEAL_REPLICATED };
enum deal_even { DEAL_EVEN_NONE, DEAL_EVEN_PAD, DEAL_EVEN_DROP };

/* One host that takes part in this channel. */
struct deal_host {
    uint32_t number; /* Its place among the job's hosts; unique. Hosts are
                        dealt to in the order of their numbers. */
    uint32_t ranks;  /* 1 to DEAL_HOST_RANKS_MAX. */
    uint32_t weight; /* BALANCED: its part of the bytes, which its ranks share
                        alike; 100 is usual. Not zero. */
};

struct deal_options {
    enum deal_kind kind;
    enum deal_even even;
    const struct deal_host *hosts; /* Copied. */
    uint32_t host_count;           /* 1 to DEAL_HOSTS_MAX. */
    bool may_split;       /* BALANCED: large objects may become ranges. */
    uint64_t split_align; /* Range bounds are multiples of this; 0 for 1. An
                        object no larger than this is never cut. */
    const struct order *order; /* Over the catalog's objects; NULL: plain. The
                        sequence of each rank follows it. Copied. */
};

/* What one rank reads at one place of its sequence. */
struct deal_unit {
    uint64_t object; /* Index in the catalog. */
    uint64_t offset;
    uint64_t size;
    bool is_whole;   /* The whole object, offset 0. */
    bool is_padding; /* Repeated to make the ranks even. */
};

/* Sums of one rank, or of one host. */
struct deal_sum {
    uint64_t units;
    uint64_t bytes;
};

struct deal;

/* Deal @catalog, which must outlive the deal, into *@out.
 * INVALID: the hosts are wrong (twice the same number, no rank, weight 0),
 * said in @why. EMPTY: PAD with no unit at all. FULL: no memory. */
MUST_USE enum status deal_new(const struct catalog *catalog,
                              const struct deal_options *options,
                              struct fault *why, struct deal **out);
void deal_destroy(struct deal **d);

/* Ranks of the whole channel, host after host in the order of their numbers:
 * rank @host's first is deal_host_rank(d, host). @host is an index into the
 * hosts sorted by number. */
uint32_t deal_rank_count(const struct deal *d);
uint32_t deal_host_rank(const struct deal *d, uint32_t host);

/* What a rank reads, padding included. */
struct deal_sum deal_rank_sum(const struct deal *d, uint32_t rank);

/* Units of its own that @rank reads: without padding. */
uint64_t deal_own(const struct deal *d, uint32_t rank);

/* What a host brings: @units objects (as many as deal_host_next() yields),
 * each counted once, and the bytes that its ranks read of them. */
struct deal_sum deal_host_sum(const struct deal *d, uint32_t host);

/* Bytes that the fullest rank reads over what it should: the mean of all, or
 * for BALANCED what its weight says. 1.0 is perfect. */
double deal_skew(const struct deal *d);

/* Units left out by DROP, and repeated by PAD, over all ranks. */
uint64_t deal_dropped(const struct deal *d);
uint64_t deal_padded(const struct deal *d);

/* Distinct units that the catalog was cut into; at least its count. */
uint64_t deal_unit_count(const struct deal *d);

/* Walk what @rank reads, in its order. Open struct of the caller. */
struct deal_cursor {
    const struct deal *deal;
    uint32_t rank; /* Or the host. */
    uint64_t next; /* Private. */
};
void deal_seek(const struct deal *d, uint32_t rank, struct deal_cursor *cursor);
bool deal_next(struct deal_cursor *cursor, struct deal_unit *out);

/* The @k-th unit that @rank reads, from 0, padding behind its own. false: it
 * does not read so many. */
bool deal_at(const struct deal *d, uint32_t rank, uint64_t k,
             struct deal_unit *out);

/* Walk what @host brings: the union of its ranks, by catalog index, each
 * object once (File mode). Of an object of which the host has only ranges
 * this is the span from the first to the last of them. */
void deal_host_seek(const struct deal *d, uint32_t host,
                    struct deal_cursor *cursor);
bool deal_host_next(struct deal_cursor *cursor, struct deal_unit *out);

/* Memory taken beside the catalog. */
size_t deal_memory(const struct deal *d);

/* CHECK that every unit is dealt as the kind says: O(units). */
void deal_check(const struct deal *d);

#endif /* COORDINATOR_DEAL_H */
