/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor that a job resumes from, and the listing that fits it. Blocking.
 */

#ifndef CLI_RESUME_H
#define CLI_RESUME_H

#include "base/fault.h"
#include "base/status.h"
#include "cli/listing.h"
#include "coordinator/cursor.h"
#include "proto/job.h"

/* Read the cursor that the setting Resume names into *@out; NULL when it names
 * none. @stop is as of store_stop.h, or NULL. NOT_FOUND, DENIED, STORE,
 * STOPPED, IO; the statuses of cursor_read(). */
MUST_USE enum status resume_load(const struct job *job, const atomic_bool *stop,
                                 struct fault *why, struct cursor **out);

struct resume_options {
    const struct cursor_channel *from;
    const char *name;      /* Of the cursor, for messages. */
    const char *state_uri; /* Where its catalogs may be; or NULL. */
    struct listing_options listing;
};

/* Make the listing with the very catalog of the cursor: as the job's state has
 * kept it, else by listing the source again. INVALID: that gives another one;
 * else the statuses of listing_make(). */
MUST_USE enum status resume_list(const struct resume_options *options,
                                 struct fault *why, struct listing *out);

#endif /* CLI_RESUME_H */
