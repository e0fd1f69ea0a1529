/* SPDX-License-Identifier: Apache-2.0 */
/* A whole cluster in one thread, on simulated time, from one seed: the very
 * cores that ship, on a network and a store that fail as the seed says.
 *
 * A run is a storm, in which faults strike, and then a calm in which the job
 * has to come to its end. After each step the cores that moved and the
 * promises of the whole are checked. The same options give the same trace on
 * every compiler and in every build. */

#ifndef CLUSTER_SIM_SIM_H
#define CLUSTER_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "cluster-sim/sim_fault.h"
#include "cluster-sim/sim_story.h"

#define SIM_MODEL_MAP(X)                                                       \
    X(TERM, "term", "only who leads")                                          \
    X(JOURNAL, "journal", "who leads, and what it has written")                \
    X(JOB, "job", "whole hosts")

enum sim_model {
#define X(name, word, text) SIM_MODEL_##name,
    SIM_MODEL_MAP(X)
#undef X
        SIM_MODELS
};

const char *sim_model_word(enum sim_model m);

#define SIM_MODE_MAP(X)                                                        \
    X(ANY, "any")                                                              \
    X(DYNAMIC, "dynamic")                                                      \
    X(STEPPED, "stepped")                                                      \
    X(STATIC, "static")

enum sim_mode {
#define X(name, word) SIM_MODE_##name,
    SIM_MODE_MAP(X)
#undef X
        SIM_MODES
};

const char *sim_mode_word(enum sim_mode m);

/* Zeros are drawn from the seed. */
struct sim_options {
    uint64_t seed;
    enum sim_model model;
    uint64_t faults; /* Those that may be used. */
    uint32_t hosts;
    uint32_t ranks; /* Of a host. */
    enum sim_mode mode;
    uint64_t units;
    uint64_t storm_ms;
    uint64_t kill_at; /* The coordinator dies at this step of its reign. */
    FILE *trace;      /* NULL: not shown. */
    const struct sim_story *story; /* NULL: all is drawn. */
};

struct sim_result {
    uint64_t hash;   /* Of the trace. */
    uint64_t events; /* How many there were. */
    uint64_t end_ms; /* Simulated. */
    uint64_t terms;  /* How many coordinators there were. */
};

/* Run it. OK; INTERNAL: a promise was broken, @why says which and when; a
 * core's own check that fails ends the process. */
MUST_USE enum status sim_run(const struct sim_options *options,
                             struct fault *why, struct sim_result *out);

#endif /* CLUSTER_SIM_SIM_H */
