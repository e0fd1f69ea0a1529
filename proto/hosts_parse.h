/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that find the hosts share. Private to proto/hosts*.c. */

#ifndef PROTO_HOSTS_PARSE_H
#define PROTO_HOSTS_PARSE_H

#include "base/bytes.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"
#include "proto/hosts.h"

/* Names in the order in which they were listed. */
struct hosts_list {
    char **names;
    uint32_t count;
    uint32_t room;
};

void hosts_list_fini(struct hosts_list *l);

/* Append a name, copied. INVALID: not a host's name, or one too many;
 * @from is what stands in the message. */
MUST_USE enum status hosts_list_add(struct hosts_list *l, struct bytes name,
                                    const char *from, struct fault *why);

/* Append "a,b[1-3,07-12]c". INVALID: not such a list. */
MUST_USE enum status hosts_list_expand(struct hosts_list *l, const char *text,
                                       const char *from, struct fault *why);

struct hosts_maker {
    const struct hosts_input *input;
    struct fault *why;
    struct hosts *h;
    struct hosts_list list;
};

/* A variable; NULL when unset or empty. */
const char *hosts_variable(const struct hosts_maker *m, const char *name);

/* Set *@out to the number in a variable, or to @otherwise when it is unset.
 * INVALID: not a number, or more than @most. */
MUST_USE enum status hosts_variable_number(const struct hosts_maker *m,
                                           const char *name, uint32_t most,
                                           uint32_t otherwise, uint32_t *out);

/* Move the list into the hosts, numbered as they stand or, if @by_number, by
 * the number in their names. CONFLICT: a host twice. */
MUST_USE enum status hosts_take(struct hosts_maker *m, const char *from,
                                bool by_number);

/* Set the current host. INVALID: it is not among them. */
MUST_USE enum status hosts_set_current(struct hosts_maker *m, const char *name,
                                       const char *from);

/* Each source: *@out is whether it answered. */
typedef enum status hosts_source_fn(struct hosts_maker *m, bool *out);
hosts_source_fn hosts_from_own;
hosts_source_fn hosts_from_platform;
hosts_source_fn hosts_from_resource;
hosts_source_fn hosts_from_slurm;
hosts_source_fn hosts_from_mpi;
hosts_source_fn hosts_from_torchrun;
hosts_source_fn hosts_from_kubernetes;
hosts_source_fn hosts_from_nothing;

#endif /* PROTO_HOSTS_PARSE_H */
