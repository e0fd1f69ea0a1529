/* SPDX-License-Identifier: Apache-2.0 */
/* Every channel that is to be brought, listed and dealt: what `plan` shows
 * and what the coordinator hands out are made here, by the same code.
 * Blocking. */

#ifndef CLI_DEALING_H
#define CLI_DEALING_H

#include "base/fault.h"
#include "base/status.h"
#include "cli/listing.h"
#include "coordinator/deal.h"
#include "proto/hosts.h"
#include "proto/job.h"

/* One channel. Its hosts are those that it is for, by ascending number. */
struct dealing {
    const struct job_channel *channel;
    struct listing listing;
    struct deal *deal;
    uint32_t *numbers; /* numbers[i]: the job's number of the deal's host i. */
    uint32_t host_count;
};

struct dealing_options {
    const struct job *job;
    const struct hosts *hosts;
    const uint32_t *ranks;   /* By host number. */
    const uint32_t *weights; /* By host number. */
    listing_progress_fn *progress;
    void *progress_self;
};

struct dealings {
    struct dealing channels[JOB_CHANNELS_MAX];
    uint32_t count;
};

/* List and deal all channels whose source smshard brings, into *@out, freed
 * by dealings_fini(). The statuses of listing_make() and deal_new(); INVALID
 * also when a channel's instance groups have no host. */
MUST_USE enum status dealings_make(const struct dealing_options *options,
                                   struct fault *why, struct dealings *out);
void dealings_fini(struct dealings *d);

/* Deal a catalog that is already there (it becomes the dealing's). */
MUST_USE enum status dealing_deal(struct dealing *d,
                                  const struct dealing_options *options,
                                  struct fault *why);

/* Whether smshard brings the channel, or finds it in its place already. */
bool dealing_is_brought(const struct job_channel *c);

#endif /* CLI_DEALING_H */
