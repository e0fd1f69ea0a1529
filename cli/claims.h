/* SPDX-License-Identifier: Apache-2.0 */
/* Claiming write prefixes in the store, as coordinator/claim.h decides.
 * The claim of a host's prefix is the object `<folder>/claims/<host>`, with
 * the folder chosen by the caller so that nothing of ours lies among the
 * user's files. Blocking; may wait for as
 * long as another job's lease lasts. */

#ifndef CLI_CLAIMS_H
#define CLI_CLAIMS_H

#include <stdatomic.h>

#include "base/fault.h"
#include "base/status.h"
#include "coordinator/claim.h"

struct claims_options {
    const char *uri;    /* The folder that the prefixes are in, for messages. */
    const char *folder; /* URI of the folder that holds the claims. */
    const char *what;   /* For messages: "CheckpointConfig.S3Uri". */
    const char *const *hosts; /* By number. */
    const uint64_t *attempts; /* By number. */
    uint32_t host_count;
    const struct claim *mine; /* host and attempt are filled in for each. */
    const atomic_bool *stop;  /* Becomes true when waiting is to end. */
};

/* Claim every host's prefix. CLAIMED: one is held by a job that lives; none
 * of what we claimed before it is given back, since it is ours to take over
 * again. STOPPED; DENIED, STORE, NO_SPACE. */
MUST_USE enum status claims_take(const struct claims_options *options,
                                 struct fault *why);

#endif /* CLI_CLAIMS_H */
