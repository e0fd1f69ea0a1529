/* SPDX-License-Identifier: Apache-2.0 */
/* What was dealt to this host of a streamed channel, for any epoch: the same
 * deal that the coordinator made, made here again. Main thread only. */

#ifndef CLI_RUN_DEAL_H
#define CLI_RUN_DEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "coordinator/deal.h"
#include "coordinator/dealt.h"
#include "proto/job.h"
#include "worker/course.h"

struct run_deal;

struct run_deal_options {
    const struct catalog *catalog; /* That was dealt from; outlives it. */
    const struct dealt *dealt;     /* Of the run; copied from. */
    const struct job_channel *channel;
    uint32_t number; /* Of the channel in it. */
    uint32_t host;   /* This one, among the job's. */
};

/* MALFORMED: what was dealt does not fit the catalog; INVALID, FULL: as
 * deal_new(). */
MUST_USE enum status run_deal_new(const struct run_deal_options *options,
                                  struct fault *why, struct run_deal **out);
void run_deal_destroy(struct run_deal **d);

/* This host's ranks of the channel. */
uint32_t run_deal_ranks(const struct run_deal *d);
struct course_rank run_deal_rank(const struct run_deal *d, uint32_t rank);

/* The @at-th unit of @rank in @epoch. INVALID: it has none; FULL. */
MUST_USE enum status run_deal_unit(struct run_deal *d, uint32_t rank,
                                   uint64_t epoch, uint64_t at,
                                   struct deal_unit *out);

#endif /* CLI_RUN_DEAL_H */
