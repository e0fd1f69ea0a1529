/* SPDX-License-Identifier: Apache-2.0 */
/* Channels whose units are leased, in `smshard run`: dynamic ones, which the
 * command takes file by file over a socket (run_feed.c), fetched over the lanes
 * and in the memory that they share with streams; and what is the same
 * for those that are streamed (run_stream.h): their holders' words to the
 * coordinator and back. Main thread only. */

#ifndef CLI_RUN_FEED_H
#define CLI_RUN_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "coordinator/order.h"
#include "proto/job.h"
#include "proto/wire.h"
#include "worker/holder.h"

struct run;

/* A dynamic channel as files. */
struct run_feed {
    uint32_t number; /* Of the channel in the job. */
    const struct job_channel *channel;
    struct catalog *catalog;
    struct holder *holder; /* Once the command starts. */
    struct order order;
    bool has_order;
    uint64_t order_epoch;
    char *name;
    char *root_uri;
    char *prefix;
    char *named_by;
    char *folder;
};

/* Take a dynamic channel as files. Its @catalog, which was read, becomes the
 * channel's, come what may. MALFORMED. */
MUST_USE enum status run_feed_take_share(struct run *r,
                                         const struct wire_share *from,
                                         struct catalog *catalog,
                                         struct fault *why);

/* Open the socket before the command starts. CONFLICT, DENIED, OS, … */
MUST_USE enum status run_feed_start(struct run *r, struct fault *why);
void run_feed_step(struct run *r);

/* The coordinator's word; another coordinator: it is told all anew. */
void run_feed_take_grant(struct run *r, const struct wire_grant *message);
void run_feed_new_term(struct run *r);

/* The command has ended: it consumes no more. */
void run_feed_end(struct run *r);

/* When a holder has something to say at the latest. */
uint64_t run_holders_timer_ms(const struct run *r);

/* Whether nothing that the command has done waits to be acknowledged. */
bool run_feed_is_settled(const struct run *r);
void run_feed_fini(struct run *r);

#endif /* CLI_RUN_FEED_H */
