/* SPDX-License-Identifier: Apache-2.0 */
/* Private to toolkit*.c: instance groups, and which hosts take part in a
 * distribution. All of it is JSON that stands in SM_* as it is. */

#ifndef PROTO_TOOLKIT_GROUPS_H
#define PROTO_TOOLKIT_GROUPS_H

#include "proto/toolkit_hps.h"

struct toolkit_groups {
    struct toolkit_value current;       /* current_group_name */
    struct toolkit_value current_hosts; /* Its hosts. */
    struct toolkit_value names;
    struct toolkit_value by_name;
    struct toolkit_value distribution; /* Groups that are distributed over. */
    struct toolkit_value distribution_hosts;
    struct bytes master; /* The first of these, else of all hosts; a view. */
    bool is_hetero;
};

/* Read them. INVALID with the key. */
MUST_USE enum status toolkit_groups_init(const struct json *resource,
                                         const struct toolkit_hps *hps,
                                         struct fault *why,
                                         struct toolkit_groups *out);
void toolkit_groups_fini(struct toolkit_groups *g);

/* Say that @key of resourceconfig.json is not as it must be. */
enum status toolkit_resource_fault(struct fault *why, const char *key,
                                   const char *must);

#endif /* PROTO_TOOLKIT_GROUPS_H */
