/* SPDX-License-Identifier: Apache-2.0 */
/* Seeds that have found something, with what it was. They are played before
 * all others. */

#ifndef CLUSTER_SIM_SIM_SEEDS_H
#define CLUSTER_SIM_SIM_SEEDS_H

#include "cluster-sim/sim.h"

struct sim_named_seed {
    const char *name;
    struct sim_options options;
};

#define SIM_JOB_SEED(n)                                                        \
    {                                                                          \
        .seed = (n), .model = SIM_MODEL_JOB, .faults = SIM_FAULT_ALL           \
    }

static const struct sim_named_seed sim_seeds[] = {
    /* A GRANT named refused leases out of order. */
    {"refused leases in order", SIM_JOB_SEED(118)},
    /* After a fail-over every process counted as a new one: all leases were
     * dropped while their holders went on with them. */
    {"who was in stays in", SIM_JOB_SEED(139)},
    /* Only BEATs kept a host alive, WORK renewed its leases. */
    {"WORK is a sign of life", SIM_JOB_SEED(1617)},
    /* Nobody asked for the part of a step that a lost host had left, since all
     * had enough of the next one. */
    {"a step's rest is asked for", SIM_JOB_SEED(335)},
    /* An early end with leases beyond the gate. */
    {"a stop opens the gate", SIM_JOB_SEED(2836)},
    /* A host was lost and came again before the shares were brought. */
    {"lost before it began", SIM_JOB_SEED(748)},
};

#endif /* CLUSTER_SIM_SIM_SEEDS_H */
