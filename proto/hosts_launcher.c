/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts as launchers tell them in variables: our own, Slurm, Open MPI,
 * torchrun, Kubernetes; and the one host that is always there. */

#include <stdio.h>
#include <string.h>

#include "proto/hosts_parse.h"

/* A launcher that names its hosts only by number. */
struct hosts_counted {
    const char *from;
    const char *stem; /* "host-" */
    uint32_t count;
    uint32_t current;
};

/* One smshard a host: @variable counts the processes on this one. */
static enum status hosts_check_first(const struct hosts_maker *m,
                                     const char *variable, const char *advice)
{
    uint32_t local;
    enum status s =
        hosts_variable_number(m, variable, UINT32_MAX - 1, 0, &local);

    if (s == STATUS_OK && local > 0) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s is %u: smshard starts the ranks of its host "
                         "itself and is started once a host; use %s",
                         variable, local, advice);
    }
    return s;
}

static void hosts_set_ranks(struct hosts *h, uint32_t ranks)
{
    h->local_ranks = ranks <= JOB_RANKS_MAX ? ranks : 0;
}

static enum status hosts_take_counted(struct hosts_maker *m,
                                      const struct hosts_counted *c)
{
    enum status s = STATUS_OK;

    if (c->count == 0 || c->count > HOSTS_MAX || c->current >= c->count) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s: this is host %u of %u; at most %d are allowed, "
                         "counted from 0",
                         c->from, c->current, c->count, HOSTS_MAX);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < c->count; i++) {
        char name[HOSTS_NAME_MAX + 16];
        int size = snprintf(name, sizeof(name), "%.240s%u", c->stem, i);

        s = hosts_list_add(&m->list, (struct bytes){name, (size_t)size},
                           c->from, m->why);
    }
    if (s == STATUS_OK) {
        s = hosts_take(m, c->from, false);
    }
    m->h->current = c->current;
    return s;
}

/* Whichever of the names that this host may go by is listed. */
static bool hosts_find_self(struct hosts_maker *m)
{
    const char *names[] = {hosts_variable(m, "SM_CURRENT_HOST"),
                           m->input->hostname};

    for (size_t i = 0; i < 2; i++) {
        if (names[i] != NULL && hosts_find(m->h, names[i]) < m->h->count) {
            m->h->current = hosts_find(m->h, names[i]);
            return true;
        }
    }
    return m->h->count == 1;
}

static enum status hosts_own_current(struct hosts_maker *m)
{
    const char *current = hosts_variable(m, "SMSHARD_CURRENT_HOST");
    uint32_t index;
    enum status s;

    if (current != NULL) {
        return hosts_set_current(m, current, "SMSHARD_CURRENT_HOST");
    }
    if (hosts_find_self(m)) {
        return STATUS_OK;
    }
    s = hosts_variable_number(m, "JOB_COMPLETION_INDEX", HOSTS_MAX, HOSTS_MAX,
                              &index);
    if (s == STATUS_OK && index < m->h->count) {
        m->h->current = index;
        return STATUS_OK;
    }
    return s != STATUS_OK
               ? s
               : fault_set(m->why, STATUS_INVALID,
                           "SMSHARD_HOSTS does not list this host, \"%.253s\"; "
                           "set SMSHARD_CURRENT_HOST to one that it lists",
                           m->input->hostname != NULL ? m->input->hostname
                                                      : "");
}

enum status hosts_from_own(struct hosts_maker *m, bool *out)
{
    const char *list = hosts_variable(m, "SMSHARD_HOSTS");
    enum status s;

    if (list == NULL) {
        return STATUS_OK;
    }
    *out = true;
    s = hosts_list_expand(&m->list, list, "SMSHARD_HOSTS", m->why);
    if (s == STATUS_OK) {
        s = hosts_take(m, "SMSHARD_HOSTS", false);
    }
    return s == STATUS_OK ? hosts_own_current(m) : s;
}

static enum status hosts_slurm_current(struct hosts_maker *m)
{
    const char *name = hosts_variable(m, "SLURMD_NODENAME");
    uint32_t index;
    enum status s =
        hosts_variable_number(m, "SLURM_NODEID", HOSTS_MAX, HOSTS_MAX, &index);

    if (s != STATUS_OK) {
        return s;
    }
    if (name != NULL) {
        return hosts_set_current(m, name, "SLURMD_NODENAME");
    }
    if (index < m->h->count) {
        m->h->current = index;
        return STATUS_OK;
    }
    return fault_set(m->why, STATUS_INVALID,
                     "Slurm: neither SLURMD_NODENAME nor SLURM_NODEID tells "
                     "which of %u hosts this is; start smshard with srun",
                     m->h->count);
}

/* What the launcher says of ranks: GPUs, else tasks. */
static enum status hosts_slurm_ranks(struct hosts_maker *m)
{
    uint32_t ranks = 0;
    enum status s =
        hosts_variable_number(m, "SLURM_GPUS_ON_NODE", 1 << 16, 0, &ranks);

    if (s == STATUS_OK && ranks == 0) {
        s = hosts_variable_number(m, "SLURM_NTASKS_PER_NODE", 1 << 16, 0,
                                  &ranks);
        /* One task a node is how smshard itself is started. */
        ranks = ranks > 1 ? ranks : 0;
    }
    hosts_set_ranks(m->h, ranks);
    return s;
}

/* A list that the environment cut short must not pass for the whole. */
static enum status hosts_slurm_count(struct hosts_maker *m, const char *name)
{
    uint32_t count;
    enum status s =
        hosts_variable_number(m, name, UINT32_MAX - 1, m->h->count, &count);

    if (s == STATUS_OK && count != m->h->count) {
        return fault_set(m->why, STATUS_INVALID,
                         "Slurm: %s is %u, but %u hosts are listed", name,
                         count, m->h->count);
    }
    return s;
}

enum status hosts_from_slurm(struct hosts_maker *m, bool *out)
{
    const char *list = hosts_variable(m, "SLURM_STEP_NODELIST");
    const char *count = "SLURM_STEP_NUM_NODES";
    enum status s;

    if (list == NULL) {
        list = hosts_variable(m, "SLURM_JOB_NODELIST");
        count = "SLURM_JOB_NUM_NODES";
    }
    if (list == NULL) {
        return STATUS_OK;
    }
    *out = true;
    s = hosts_check_first(m, "SLURM_LOCALID", "srun --ntasks-per-node=1");
    if (s == STATUS_OK) {
        s = hosts_list_expand(&m->list, list, "Slurm", m->why);
    }
    if (s == STATUS_OK) {
        s = hosts_take(m, "Slurm", false);
    }
    if (s == STATUS_OK) {
        s = hosts_slurm_count(m, count);
    }
    if (s == STATUS_OK) {
        s = hosts_slurm_current(m);
    }
    return s == STATUS_OK ? hosts_slurm_ranks(m) : s;
}

/* @rank of @size processes, @local on each host. */
static enum status hosts_take_ranked(struct hosts_maker *m, const char *from,
                                     uint32_t size, uint32_t rank,
                                     uint32_t local)
{
    struct hosts_counted c = {from, "host-", 0, 0};

    if (local == 0 || size % local != 0) {
        return fault_set(m->why, STATUS_INVALID,
                         "%s: %u processes are not %u on every host", from,
                         size, local);
    }
    c.count = size / local;
    c.current = rank / local;
    hosts_set_ranks(m->h, local > 1 ? local : 0);
    return hosts_take_counted(m, &c);
}

enum status hosts_from_mpi(struct hosts_maker *m, bool *out)
{
    uint32_t size = 0;
    uint32_t rank = 0;
    uint32_t local = 0;
    enum status s;

    if (hosts_variable(m, "OMPI_COMM_WORLD_SIZE") == NULL ||
        hosts_variable(m, "OMPI_COMM_WORLD_RANK") == NULL) {
        return STATUS_OK;
    }
    *out = true;
    s = hosts_check_first(m, "OMPI_COMM_WORLD_LOCAL_RANK",
                          "mpirun --map-by ppr:1:node");
    if (s == STATUS_OK) {
        s = hosts_variable_number(m, "OMPI_COMM_WORLD_SIZE", 1 << 24, 0, &size);
    }
    if (s == STATUS_OK) {
        s = hosts_variable_number(m, "OMPI_COMM_WORLD_RANK", 1 << 24, 0, &rank);
    }
    if (s == STATUS_OK) {
        s = hosts_variable_number(m, "OMPI_COMM_WORLD_LOCAL_SIZE", 1 << 24, 1,
                                  &local);
    }
    return s == STATUS_OK ? hosts_take_ranked(m, "Open MPI", size, rank, local)
                          : s;
}

enum status hosts_from_torchrun(struct hosts_maker *m, bool *out)
{
    bool has_groups = hosts_variable(m, "GROUP_RANK") != NULL &&
                      hosts_variable(m, "GROUP_WORLD_SIZE") != NULL;
    bool has_ranks = hosts_variable(m, "RANK") != NULL &&
                     hosts_variable(m, "WORLD_SIZE") != NULL &&
                     hosts_variable(m, "MASTER_ADDR") != NULL;
    uint32_t size = 0;
    uint32_t rank = 0;
    uint32_t local = 1;
    enum status s;

    if (!has_groups && !has_ranks) {
        return STATUS_OK;
    }
    *out = true;
    s = hosts_check_first(m, "LOCAL_RANK", "torchrun --nproc-per-node=1");
    if (s == STATUS_OK) {
        s = hosts_variable_number(
            m, has_groups ? "GROUP_WORLD_SIZE" : "WORLD_SIZE", 1 << 24, 0,
            &size);
    }
    if (s == STATUS_OK) {
        s = hosts_variable_number(m, has_groups ? "GROUP_RANK" : "RANK",
                                  1 << 24, 0, &rank);
    }
    if (s == STATUS_OK && !has_groups) {
        s = hosts_variable_number(m, "LOCAL_WORLD_SIZE", 1 << 24, 1, &local);
    }
    return s == STATUS_OK ? hosts_take_ranked(m, "torchrun", size, rank, local)
                          : s;
}

/* Write the name of an indexed job's pods up to their index: the hostname
 * without it, or "host-" where the hostname is another. */
static void hosts_pod_stem(const struct hosts_maker *m, uint32_t index,
                           char out[HOSTS_NAME_MAX + 1])
{
    const char *pod = hosts_variable(m, "HOSTNAME");
    char tail[16];
    size_t size;
    size_t tail_size = (size_t)snprintf(tail, sizeof(tail), "-%u", index);

    pod = pod != NULL ? pod : m->input->hostname;
    size = pod != NULL ? strlen(pod) : 0;
    if (pod != NULL && size > tail_size && size <= 240 &&
        strcmp(pod + size - tail_size, tail) == 0) {
        snprintf(out, HOSTS_NAME_MAX + 1, "%.*s-", (int)(size - tail_size),
                 pod);
    } else {
        snprintf(out, HOSTS_NAME_MAX + 1, "host-");
    }
}

enum status hosts_from_kubernetes(struct hosts_maker *m, bool *out)
{
    char stem[HOSTS_NAME_MAX + 1];
    struct hosts_counted c = {"Kubernetes", stem, 0, 0};
    enum status s;

    if (hosts_variable(m, "JOB_COMPLETION_INDEX") == NULL) {
        return STATUS_OK;
    }
    *out = true;
    s = hosts_variable_number(m, "JOB_COMPLETION_INDEX", HOSTS_MAX, 0,
                              &c.current);
    if (s == STATUS_OK) {
        s = hosts_variable_number(m, "SMSHARD_HOST_COUNT", HOSTS_MAX, 0,
                                  &c.count);
    }
    if (s == STATUS_OK && c.count == 0) {
        /* Each pod taking itself for the whole job would be worse. */
        return fault_set(m->why, STATUS_INVALID,
                         "Kubernetes: this is pod %u of an indexed job; set "
                         "SMSHARD_HOST_COUNT to the job's completions, or "
                         "SMSHARD_HOSTS",
                         c.current);
    }
    hosts_pod_stem(m, c.current, stem);
    return s == STATUS_OK ? hosts_take_counted(m, &c) : s;
}

enum status hosts_from_nothing(struct hosts_maker *m, bool *out)
{
    const char *name = m->input->hostname;
    enum status s = STATUS_INVALID;

    *out = true;
    if (name != NULL) {
        s = hosts_list_add(&m->list, bytes_of(name), "hostname", NULL);
    }
    if (s != STATUS_OK) {
        s = hosts_list_add(&m->list, BYTES("localhost"), "hostname", m->why);
    }
    return s == STATUS_OK ? hosts_take(m, "hostname", false) : s;
}
