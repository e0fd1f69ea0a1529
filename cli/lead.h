/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's thread on the leading host: it feeds the session core with
 * messages and time, keeps the lease renewed, and starts the prepare thread.
 *
 * It owns its net, term and store handles from lead_start() on. */

#ifndef CLI_LEAD_H
#define CLI_LEAD_H

#include "base/fault.h"
#include "base/status.h"
#include "cli/contract.h"
#include "coordinator/term.h"
#include "proto/net.h"

struct lead;

struct lead_options {
    const struct contract *contract; /* Must outlive the lead. */
    const char *state_uri;           /* The same. */
    struct net *net;                 /* Bound; becomes the lead's. */
    struct term *term;               /* LEADING; becomes the lead's. */
};

/* Start the thread. OS: there is none; net and term are freed all the same. */
MUST_USE enum status lead_start(const struct lead_options *options,
                                struct fault *why, struct lead **out);

/* Readable once the thread has ended. */
int lead_fd(const struct lead *l);

/* Wait for the end, free *@l and say how it went: OK when the job ended and
 * everybody was told, whatever the outcome; LOST: the lease was lost. */
MUST_USE enum status lead_finish(struct lead **l, struct fault *why);

#endif /* CLI_LEAD_H */
