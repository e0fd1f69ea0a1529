/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a store keeps conditional writes apart, found out by trying, since
 * several that speak S3 take the headers and do not look at them. Writes a
 * few small objects below a prefix and removes them again. Blocks. */

#ifndef STORE_STORE_TRIAL_H
#define STORE_STORE_TRIAL_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"

enum { STORE_TRIAL_WRITERS = 8 };

struct store_trial {
    bool has_if_absent;  /* A second create is refused. */
    bool has_if_match;   /* A replace of a value that is gone is refused. */
    bool has_one_winner; /* Of STORE_TRIAL_WRITERS at once, of both kinds. */
    bool has_delete;     /* A delete of a value that is gone is refused. */
};

/* How much to try. The writers' race takes a server that locks slowly some
 * seconds, and is for a person who waits for it. */
enum store_trial_depth { STORE_TRIAL_QUICK, STORE_TRIAL_RACE };

/* Try @s with a key that starts with @prefix. OK when all but has_delete (and,
 * QUICK, has_one_winner) hold. UNSUPPORTED: one does not, @why says which.
 * DENIED, STORE and others: a write failed for another reason. */
MUST_USE enum status store_trial_run(struct store *s, const char *prefix,
                                     enum store_trial_depth depth,
                                     struct fault *why,
                                     struct store_trial *out);

#endif /* STORE_STORE_TRIAL_H */
