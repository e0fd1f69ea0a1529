/* SPDX-License-Identifier: Apache-2.0 */
/* Stories: small histories with a name, made by hand, that show how a cluster
 * gets along. Their traces lie in tests/data/stories/ and are compared. */

#ifndef CLUSTER_SIM_SIM_STORY_H
#define CLUSTER_SIM_SIM_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster-sim/sim_fault.h"

enum { SIM_STORY_INCIDENTS_MAX = 4 };

struct sim_story {
    const char *name;
    const char *about;
    uint32_t hosts;
    uint32_t hosts_next; /* After a RESIZE. */
    uint64_t units;
    uint64_t epochs;
    uint64_t step_units; /* 0: no steps. */
    uint64_t poison;     /* This unit can't be read; 0: all can. */
    uint32_t slow;       /* This host takes long; 0: none does. */
    bool shows_units;    /* In its trace: who reads what, and commits. */
    uint64_t storm_ms;   /* Incidents come before this. */
    struct sim_incident incidents[SIM_STORY_INCIDENTS_MAX];
    uint32_t count;
};

/* NULL: there is none of this name. */
const struct sim_story *sim_story_find(const char *name);

/* The story of this number; NULL: there are no more. */
const struct sim_story *sim_story_at(uint32_t number);

#endif /* CLUSTER_SIM_SIM_STORY_H */
