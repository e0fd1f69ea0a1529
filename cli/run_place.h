/* SPDX-License-Identifier: Apache-2.0 */
/* Where this host's ranks and lanes belong: the machine is read once, before
 * there are threads, and the decision made when the ranks are known. */

#ifndef CLI_RUN_PLACE_H
#define CLI_RUN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "proto/job.h"
#include "worker/fetch.h"
#include "worker/placement.h"
#include "worker/topo.h"

struct run_place {
    struct topo topo;
    bool is_read;
    struct placement placement;
    struct fetch_lane lanes[FETCH_LANES_MAX]; /* Views into it. */
    uint32_t lane_count;
    int nodes[PLACEMENT_RANKS_MAX]; /* Of each rank's memory; -1: any. */
    bool is_strict;
};

/* Read the machine, if a channel of @job is read while its command runs. What
 * can't be read is any machine: a warning. Before any thread is made. */
void run_place_read(struct run_place *p, const struct job *job);

/* Decide for @ranks, and say so in the log. INVALID: the table; CONFLICT:
 * strict, and a rank has no sure node. */
MUST_USE enum status run_place_decide(struct run_place *p,
                                      const struct settings *settings,
                                      uint32_t ranks, struct fault *why);
void run_place_fini(struct run_place *p);

#endif /* CLI_RUN_PLACE_H */
