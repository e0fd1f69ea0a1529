/* SPDX-License-Identifier: Apache-2.0 */
/* The environment and the arguments that a training script expects, derived
 * from the platform's three files exactly as the public SageMaker training
 * toolkit derives them (compared with version 5.1.4).
 *
 * Where the toolkit would end with a Python error (a key is missing, a value
 * has a type it can't use, a variable can't be put into an environment), the
 * answer is INVALID with the file and the key. Differences that are meant:
 * wrong types that Python happens to survive ("hosts" as a string, a host
 * that is a number) are refused; a hyperparameter nested deeper than
 * JSON_DEPTH_MAX is FULL; a file that is missing may be given as NULL.
 *
 * Pure: no I/O, no clock. */

#ifndef PROTO_TOOLKIT_H
#define PROTO_TOOLKIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"
#include "proto/env_list.h"

enum { TOOLKIT_MASTER_PORT = 7777 };

/* Whose additions toolkit_derive_extra() makes. */
enum toolkit_framework { TOOLKIT_PLAIN, TOOLKIT_PYTORCH };

struct toolkit_input {
    const struct json *resource;        /* resourceconfig.json */
    const struct json *channels;        /* inputdataconfig.json; NULL: none. */
    const struct json *hyperparameters; /* hyperparameters.json; NULL: none. */
    const char *base_dir;               /* "/opt/ml" */
    uint32_t cpus;
    uint32_t gpus;
    uint32_t neurons; /* Neuron cores found; trn2.48xlarge has 64 anyway. */
    bool has_smddprun;
    bool has_smddpmprun;
    enum toolkit_framework framework;

    /* Variables of this process; NULL: not set. */
    const char *job_name;         /* TRAINING_JOB_NAME */
    const char *framework_module; /* SAGEMAKER_TRAINING_MODULE */
    const char *program;          /* SAGEMAKER_PROGRAM */
    const char *region;           /* AWS_DEFAULT_REGION, as boto3 reads it. */
    const char *mp_parameters;    /* SM_HP_MP_PARAMETERS */
};

/* All of it is owned and freed by toolkit_fini(). */
struct toolkit_env {
    struct env_list *vars; /* SM_* */
    char **args;           /* For the user's script; a NULL follows the last. */
    size_t arg_count;
};

/* Derive the SM_* variables and the arguments. INVALID, FULL. */
MUST_USE enum status toolkit_derive(const struct toolkit_input *in,
                                    struct fault *why, struct toolkit_env *out);

/* Free what toolkit_derive() made; a zeroed struct is allowed. */
void toolkit_fini(struct toolkit_env *env);

/* Set in @out what the toolkit adds to its own process besides SM_*:
 * SAGEMAKER_JOB_NAME, CURRENT_HOST, SAGEMAKER_REGION; for TOOLKIT_PYTORCH
 * also MASTER_ADDR, MASTER_PORT, NCCL_SOCKET_IFNAME, NCCL_IB_DISABLE and
 * NCCL_DEBUG. Fails as toolkit_derive() does, and @out is as it was then. */
MUST_USE enum status toolkit_derive_extra(const struct toolkit_input *in,
                                          struct fault *why,
                                          struct env_list *out);

#endif /* PROTO_TOOLKIT_H */
