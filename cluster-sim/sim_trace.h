/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, a line each: `seconds who what`. Every line is folded into
 * one hash, whether it is shown or not, so that two runs can be compared. The
 * last lines are kept for who wants to know how it came to a failure. */

#ifndef CLUSTER_SIM_SIM_TRACE_H
#define CLUSTER_SIM_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { SIM_TRACE_LINE_MAX = 200, SIM_TRACE_KEPT = 64 };

struct sim_trace {
    uint64_t hash;
    uint64_t count; /* Lines. */
    FILE *to;       /* NULL: they are not shown. */
    bool is_brief;  /* Details are not shown. */
    char kept[SIM_TRACE_KEPT][SIM_TRACE_LINE_MAX];
};

void sim_trace_init(struct sim_trace *t, FILE *to);

/* Add a line. @node is a host's number; UINT32_MAX: nobody's. */
__attribute__((format(printf, 4, 5))) void sim_trace(struct sim_trace *t,
                                                     uint64_t at_us,
                                                     uint32_t node,
                                                     const char *format, ...);

/* The same for what is seldom of interest. */
__attribute__((format(printf, 4, 5))) void sim_trace_detail(struct sim_trace *t,
                                                            uint64_t at_us,
                                                            uint32_t node,
                                                            const char *format,
                                                            ...);

/* Write the lines that were kept. */
void sim_trace_tail(const struct sim_trace *t, FILE *to);

#endif /* CLUSTER_SIM_SIM_TRACE_H */
