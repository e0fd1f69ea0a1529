/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's long work once every host has come: list, deal, write
 * the shares, claim the prefixes; or, for one that has taken over, load what
 * an earlier one has dealt. It runs on a thread of its own, so that heartbeats
 * go on meanwhile.
 *
 * What was dealt is written once in a run, if absent: whoever comes second
 * goes on with what the first has written. */

#ifndef CLI_PREPARE_H
#define CLI_PREPARE_H

#include "base/fault.h"
#include "base/status.h"
#include "cli/contract.h"
#include "coordinator/dealt.h"

struct prepare;

struct prepare_options {
    bool is_load;                    /* Only look for what was dealt. */
    const struct contract *contract; /* Read only while it runs. */
    const char *state_uri;
    const char *run;
    bool has_conditions; /* The store's conditional writes. */
    uint64_t term;
    uint32_t *ranks;   /* By host number, as each host said it; with */
    uint32_t *weights; /* mem_new(), taken over by the prepare. */
    uint64_t *attempts;
};

/* Start the thread. OS: the system has none left. */
MUST_USE enum status prepare_start(const struct prepare_options *options,
                                   struct fault *why, struct prepare **out);

/* Readable once it has ended. */
int prepare_fd(const struct prepare *p);

/* Wait for the end and say how it went: a listing's, deal's, store's status,
 * or CLAIMED; NOT_FOUND: nothing to load. With OK prepare_dealt() may be
 * called. */
MUST_USE enum status prepare_join(struct prepare *p, struct fault *why);

/* What was dealt; it lives until prepare_destroy(). */
const struct dealt *prepare_dealt(const struct prepare *p);

/* End the thread, wherever it stands, and free *@p: it waits for no more than
 * a moment or, in a directory, one request. */
void prepare_destroy(struct prepare **p);

#endif /* CLI_PREPARE_H */
