/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's thread on the leading host: it feeds the reign core with
 * messages, outcomes of the store and time, and starts the prepare thread.
 *
 * The net is lent to it: it is the owner's again after lead_finish(). */

#ifndef CLI_LEAD_H
#define CLI_LEAD_H

#include "base/fault.h"
#include "base/status.h"
#include "cli/contract.h"
#include "cli/succession.h"
#include "coordinator/term.h"
#include "proto/net.h"

struct lead;

struct lead_options {
    const struct contract *contract; /* Must outlive the lead. */
    const char *state_uri;           /* The same. */
    struct net *net;                 /* Bound; lent. */
    const struct term_lease *lease;  /* What it leads; copied. */
    struct succession *succession;   /* Knows until when. */
    const struct net_keys *keys;     /* The host's own. */
    bool has_conditions;             /* The store's conditional writes. */
};

/* Start the thread. OS: there is none. The statuses of store_open(). */
MUST_USE enum status lead_start(const struct lead_options *options,
                                struct fault *why, struct lead **out);

/* Readable once the thread has ended: lead_finish() waits for nothing then. */
int lead_fd(const struct lead *l);

/* End it, as another host leads. lead_fd() becomes readable soon. */
void lead_stop(struct lead *l);

/* Wait for the end, free *@l and say how it went: OK when the job ended and
 * everybody was told, whatever the outcome; STOPPED: another host leads; else
 * the job can't be led any more. */
MUST_USE enum status lead_finish(struct lead **l, struct fault *why);

#endif /* CLI_LEAD_H */
