/* SPDX-License-Identifier: Apache-2.0 */
/* Who takes part: the job's hosts, which of them this is, and their groups.
 *
 * Looked for in this order, the first that answers wins:
 *   SMSHARD_HOSTS  names with commas between, "node[01-16],gpu7"; this one is
 *             SMSHARD_CURRENT_HOST, else SM_CURRENT_HOST or the hostname when
 *             listed, else the JOB_COMPLETION_INDEX-th
 *   SM_HOSTS with SM_CURRENT_HOST, then resourceconfig.json
 *   Slurm     the step's nodes, else the job's; SLURMD_NODENAME or SLURM_NODEID
 *   Open MPI  OMPI_COMM_WORLD_*: hosts of equal LOCAL_SIZE, called "host-K"
 *   torchrun  GROUP_RANK of GROUP_WORLD_SIZE, or RANK of WORLD_SIZE with
 *             MASTER_ADDR, called "host-K"
 *   Kubernetes  an indexed job: JOB_COMPLETION_INDEX of SMSHARD_HOST_COUNT,
 *             called as its pods are, "<job>-K"
 * else one host. smshard is started once a host; of the launchers' processes
 * on one host, any but the first is refused.
 *
 * A host's number is its place in the job. The platform lists names as text
 * ("algo-10" before "algo-2"), so where all names in SM_HOSTS or
 * resourceconfig.json are one stem and distinct numbers, the number in the
 * name gives the place; everywhere else the list does.
 *
 * No I/O: texts and a lookup of variables in, struct out. */

#ifndef PROTO_HOSTS_H
#define PROTO_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "proto/job.h"

enum {
    HOSTS_MAX = 16384,
    HOSTS_NAME_MAX = 253,
    HOSTS_GROUPS_MAX = 64,
};

struct hosts_group {
    char *name;
    char *instance_type; /* NULL when not said. */
    uint32_t *hosts;     /* Numbers, ascending. */
    uint32_t host_count;
};

struct hosts {
    char **names;        /* By number: names[0] is the first host. */
    uint32_t *listed;    /* listed[i] is the number of the i-th host as the
                            contract lists them (SM_HOSTS order). */
    uint32_t count;      /* 1 to HOSTS_MAX. */
    uint32_t current;    /* The number of this host. */
    char *interface;     /* network_interface_name; NULL when not said. */
    char *instance_type; /* current_instance_type or NULL. */
    char *group;         /* current_group_name or NULL. */
    struct hosts_group groups[HOSTS_GROUPS_MAX];
    uint32_t group_count;
    uint32_t local_ranks; /* Ranks a host as the launcher says; 0: not said. */
    uint32_t *by_name;    /* Private: numbers, sorted by name. */
    const char *origin;   /* "SM_HOSTS", "resourceconfig.json", "Slurm", … */
};

struct hosts_input {
    const struct job_text *resource; /* resourceconfig.json or NULL. */
    job_variable_fn *variable;
    void *variable_self;
    const char *hostname; /* This machine's own name, for the last resort. */
};

/* Fill *@out, freed by hosts_fini().
 * INVALID: the current host is not among the hosts, a bad name, a bad list,
 * too many; CONFLICT: a host twice; MALFORMED: not JSON. */
MUST_USE enum status hosts_make(const struct hosts_input *input,
                                struct fault *why, struct hosts *out);
void hosts_fini(struct hosts *h);

/* Return the number of the host @name, or h->count when there is none. */
uint32_t hosts_find(const struct hosts *h, const char *name);

/* Write the numbers of the hosts that @channel is for into @out (room for
 * h->count), ascending, and return how many.
 * 0: none of the channel's groups is in the job. */
uint32_t hosts_of_channel(const struct hosts *h,
                          const struct job_channel *channel, uint32_t *out);

#endif /* PROTO_HOSTS_H */
