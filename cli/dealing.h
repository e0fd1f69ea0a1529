/* SPDX-License-Identifier: Apache-2.0 */
/* Every channel that is to be brought, listed and dealt: what `plan` shows
 * and what the coordinator hands out are made here, by the same code.
 * Blocking. */

#ifndef CLI_DEALING_H
#define CLI_DEALING_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/ranges.h"
#include "base/status.h"
#include "cli/listing.h"
#include "coordinator/cursor.h"
#include "coordinator/deal.h"
#include "coordinator/dealt.h"
#include "proto/hosts.h"
#include "proto/job.h"

/* One channel. Its hosts are those that it is for, by ascending number. */
struct dealing {
    const struct job_channel *channel;
    struct listing listing; /* Its catalog is that of the whole channel. */
    struct deal *deal;      /* NULL: dynamic, leased while the command runs. */
    uint32_t *numbers; /* numbers[i]: the job's number of the deal's host i. */
    uint32_t *ranks;   /* How many each of them has in this channel. */
    uint32_t host_count;

    bool is_dynamic;
    uint64_t positions;   /* That the ledger counts, of an epoch. */
    uint64_t first_epoch; /* The cursor's, else 0. */
    uint64_t dropped;     /* Dynamic: left out behind the last full step. */
    struct ranges *base;  /* Committed before, as positions in the order of the
                             first epoch; NULL: not resumed. */
    uint64_t tried_again; /* Skipped before, and dealt again. */
    struct catalog *left; /* Static and resumed: what was dealt. Else NULL. */

    /* What dealing_fill() points to. */
    uint64_t *bounds;
    struct buf how;
    struct buf base_text;
};

struct dealing_options {
    const struct job *job;
    const struct hosts *hosts;
    const uint32_t *ranks;       /* By host number. */
    const uint32_t *weights;     /* By host number. */
    const struct cursor *resume; /* Or NULL. */
    const char *resume_name;     /* Where it was read, for messages. */
    const char *state_uri; /* Its catalogs are looked for here; or NULL. */
    listing_progress_fn *progress;
    void *progress_self;
    const atomic_bool *stop; /* As of store_stop.h, or NULL. */
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

/* The catalog whose objects the deal's units are: of a resumed static channel
 * those that were left, else the whole channel's. */
const struct catalog *dealing_catalog(const struct dealing *d);

/* Nothing of it is left in the first epoch. */
bool dealing_is_done(const struct dealing *d);

/* How a channel over @count objects is dealt. */
struct cursor_how dealing_how(const struct job_channel *c, uint64_t count);

/* How many epochs this run goes through. */
uint64_t dealing_epochs(const struct dealing *d);

/* Say how the channel was dealt, for the ledgers and the next cursor. Views
 * into @d and its channel, until dealings_fini(). */
void dealing_fill(struct dealing *d, const struct dealing_options *options,
                  struct dealt_channel *out);

/* Whether smshard brings the channel, or finds it in its place already. */
bool dealing_is_brought(const struct job_channel *c);

#endif /* CLI_DEALING_H */
