/* SPDX-License-Identifier: Apache-2.0 */
/* The whole contract of this host, read from flags, variables and the files
 * below the base folder, in one place that every command starts from.
 *
 * The contract owns all that it points to. One thread; read-only after. */

#ifndef CLI_CONTRACT_H
#define CLI_CONTRACT_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/options.h"
#include "proto/hosts.h"
#include "proto/job.h"

/* One file of the platform's config folder; empty when it is not there. */
struct contract_file {
    char *path;
    struct buf text;
    bool is_there;
};

struct contract {
    char *base;        /* "/opt/ml", without a closing slash. */
    char *config;      /* <base>/input/config */
    char *data;        /* <base>/input/data */
    char *model;       /* <base>/model */
    char *output;      /* <base>/output */
    char *checkpoints; /* Where checkpoints are locally, or NULL. */

    struct contract_file document; /* Also inline JSON. */
    struct contract_file init;
    struct contract_file resource;
    struct contract_file channels;
    struct contract_file checkpoint;
    struct contract_file hyperparameters;

    struct job *job;
    struct hosts hosts;
    const char *job_name; /* Never NULL: "local" for a nameless job. */
};

/* Read everything. A file that is not there is no error; one that can't be
 * read or parsed is: NOT_FOUND (only for --job), MALFORMED, INVALID, CONFLICT,
 * DENIED, IO, with a line that names file, line and field. */
MUST_USE enum status contract_load(const struct options *options,
                                   struct fault *why, struct contract *out);
void contract_fini(struct contract *c);

/* As above, but read the files only and leave job and hosts alone: enough for
 * what is derived from the platform's files as they stand. */
MUST_USE enum status contract_load_files(const struct options *options,
                                         struct fault *why,
                                         struct contract *out);

/* Whether the platform has written all the files that the environment is
 * derived from. */
bool contract_has_files(const struct contract *c);

/* The ranks of each host: the setting, else the launcher's, else the number
 * of GPUs, else 1. */
uint32_t contract_ranks(const struct contract *c);

/* The URI of the job's state ("…/_smshard/"), to be freed. NULL when the job
 * has no place for one: no output, no --state, and more than one host. */
char *contract_state_uri(const struct contract *c);

/* Whether a job of this contract can be run with what it says: a place to
 * meet when there is more than one host, served modes and sources.
 * INVALID, UNSUPPORTED. */
MUST_USE enum status contract_check_runnable(const struct contract *c,
                                             struct fault *why);

#endif /* CLI_CONTRACT_H */
