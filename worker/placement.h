/* SPDX-License-Identifier: Apache-2.0 */
/* Placement: which GPU, memory node, processors and network card each rank of
 * this host is to have. A pure decision over a copy of the machine (topo.h):
 * the same machine and options give the same answer, in whatever order its
 * devices were found.
 *
 * Ranks meet GPUs in the order of their PCI addresses, unless a list says
 * otherwise; more ranks than GPUs share them in turn. CUDA's own numbers do
 * not enter: they follow the environment of each process. Each rank's answer
 * says what was wanted, what it is, why, and how sure that is. A rule that
 * would leave nothing is left out, and the answer says so: what is not known
 * means any node, never none. */

#ifndef WORKER_PLACEMENT_H
#define WORKER_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "worker/topo.h"

enum {
    PLACEMENT_RANKS_MAX = 64,
    PLACEMENT_GPUS_MAX = 64,
    PLACEMENT_TABLE_MAX = 64,
    PLACEMENT_WHY_MAX = 200,
    PLACEMENT_ANY = -1,
};

enum placement_policy {
    PLACEMENT_OFF,    /* Nothing is bound. */
    PLACEMENT_PREFER, /* Bound softly; what is not got is said. */
    PLACEMENT_STRICT, /* Exactly so, or an error. */
};

/* false: @text is none of off, prefer, strict. */
bool placement_policy_parse(const char *text, enum placement_policy *out);
const char *placement_policy_word(enum placement_policy policy);

/* What a person knows better: the node of a device. */
struct placement_override {
    struct topo_pci pci;
    int32_t node; /* The kernel's number, or PLACEMENT_ANY. */
};

/* Read "0000:10:1c.0=0 0000:90:1c.0=1", also parted by commas or lines; the
 * node may be "any". @out has room for PLACEMENT_TABLE_MAX.
 * INVALID: names the entry; FULL. */
MUST_USE enum status placement_parse_table(const char *text, struct fault *why,
                                           struct placement_override *out,
                                           uint32_t *count);

/* Read a list of addresses parted by commas or blanks; @out has room for
 * PLACEMENT_GPUS_MAX. INVALID: names the entry; FULL. */
MUST_USE enum status placement_parse_gpus(const char *text, struct fault *why,
                                          struct topo_pci *out,
                                          uint32_t *count);

struct placement_options {
    enum placement_policy policy;
    uint32_t ranks;                         /* Of this host; 0: as GPUs. */
    const struct placement_override *table; /* The last of two counts. */
    uint32_t table_count;
    const struct topo_pci *gpus; /* Of ranks 0, 1, …; NULL: by address. */
    uint32_t gpu_count;
};

enum placement_sure {
    PLACEMENT_EXACT,       /* The machine says one node. */
    PLACEMENT_OVERRIDE,    /* The table says it. */
    PLACEMENT_AMBIGUOUS,   /* One of several that are as near. */
    PLACEMENT_SPREAD,      /* No GPU; the ranks are spread over the nodes. */
    PLACEMENT_DEGRADED,    /* The nearest that may be had. */
    PLACEMENT_NOT_ALLOWED, /* What is near may not be had: any. */
    PLACEMENT_UNKNOWN,     /* The machine does not say: any. */
    PLACEMENT_UNBOUND,     /* Switched off: any. */
};
const char *placement_sure_word(enum placement_sure sure);

struct placement_rank {
    uint32_t rank;
    uint32_t gpu;    /* In topo.gpus; TOPO_NONE: none. */
    uint32_t part;   /* Of that GPU. */
    uint32_t wanted; /* In topo.nodes, before it was asked what may be had;
                        TOPO_NONE: any. */
    uint32_t node;   /* Where its ring's memory shall be; TOPO_NONE: any. */
    uint32_t lane;   /* In placement.lanes. */
    uint32_t nic;    /* In topo.nics; TOPO_NONE: none is known. */
    enum topo_closeness nic_closeness; /* To the GPU, or to the node. */
    enum placement_sure sure;
    char why[PLACEMENT_WHY_MAX];
};

/* Processors for the threads that read for the ranks of one node. */
struct placement_lane {
    uint32_t node;  /* In topo.nodes; TOPO_NONE: of no node. */
    uint32_t *cpus; /* Allowed ones, ascending; none: any, since none are
                       known. */
    uint32_t cpu_count;
    bool is_elsewhere; /* The node has none that may be had. */
};

struct placement {
    enum placement_policy policy;
    struct placement_rank *ranks;
    uint32_t rank_count;
    struct placement_lane *lanes; /* One a node that some rank has. */
    uint32_t lane_count;
    char note[PLACEMENT_WHY_MAX]; /* Of the whole: "" or what is odd. */
};

/* Decide. @t has to outlive nothing. NOT_FOUND: a listed GPU is not there;
 * INVALID: too many ranks; CONFLICT: strict, and a rank has no sure node;
 * @out is then filled all the same. */
MUST_USE enum status placement_decide(const struct topo *t,
                                      const struct placement_options *options,
                                      struct fault *why, struct placement *out);
void placement_fini(struct placement *p);

/* The kernel's number of the rank's node, -1: any. What place_memory() and
 * slots want. */
int placement_node(const struct topo *t, const struct placement_rank *r);

/* Append a rank as a JSON object without its closing brace, so that what was
 * got can follow; and the lanes as a member (placement_json.c). */
void placement_write_rank(const struct placement *p, const struct topo *t,
                          uint32_t rank, struct buf *out);
void placement_write_lanes(const struct placement *p, const struct topo *t,
                           struct buf *out);

/* Check that the decision keeps to @t. */
void placement_check(const struct placement *p, const struct topo *t);

#endif /* WORKER_PLACEMENT_H */
