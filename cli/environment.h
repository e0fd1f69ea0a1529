/* SPDX-License-Identifier: Apache-2.0 */
/* What the command finds around it: the platform's config files and the
 * variables derived from them. A file that the platform has not written is
 * made from the job, the same for every caller. */

#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"
#include "cli/contract.h"
#include "proto/env_list.h"
#include "proto/toolkit.h"

struct environment_counts {
    uint32_t cpus;
    uint32_t gpus;
    uint32_t neurons;
};

struct environment {
    struct toolkit_env toolkit; /* SM_* and the script's arguments. */
    struct env_list *extra;     /* What else the toolkit sets. */
};

/* Derive it into *@out, freed by environment_fini(). INVALID: a value that the
 * toolkit would fail on; MALFORMED: a file is not JSON. */
MUST_USE enum status environment_derive(const struct contract *c,
                                        const struct environment_counts *counts,
                                        struct fault *why,
                                        struct environment *out);
void environment_fini(struct environment *e);

/* Write those of the platform's files that are missing, and make the folders
 * that it makes. DENIED, NO_SPACE, IO. */
MUST_USE enum status environment_write_files(const struct contract *c,
                                             struct fault *why);

#endif /* CLI_ENVIRONMENT_H */
