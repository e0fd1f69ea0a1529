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
    /* Only BEATs kept a host alive for the session, while WORK renewed what
     * its holder believed in: the host was given up, its leases were dealt
     * anew, and it went on with them. */
    {"WORK is a sign of life", SIM_JOB_SEED(560)},
    /* A host was lost in one step while all others had enough of the next one:
     * nobody asked for what it had left, and the gate stayed shut. */
    {"a step's rest is asked for", SIM_JOB_SEED(660)},
    /* All hosts were away at one moment while the job was still joining, and a
     * coordinator took that for its good end. */
    {"all away is no end", SIM_JOB_SEED(4823)},
    /* A host that was lost when the plan was noted came back as the process
     * that it was, and after the next fail-over counted as another. */
    {"who is lost is noted, too", SIM_JOB_SEED(8415)},
    /* A host had ended well and died; the next coordinator waited for it in
     * vain, and the job failed by it. */
    {"who has ended is not lost", SIM_JOB_SEED(323)},
};

#endif /* CLUSTER_SIM_SIM_SEEDS_H */
