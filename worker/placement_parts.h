/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the decision, among themselves. */

#ifndef WORKER_PLACEMENT_PARTS_H
#define WORKER_PLACEMENT_PARTS_H

#include "worker/placement.h"

/* What every step looks at. */
struct placement_view {
    const struct topo *t;
    const struct placement_options *o;
    uint32_t ranks;
};

__attribute__((format(printf, 2, 3))) void placement_say(char *why,
                                                         const char *format,
                                                         ...);

/* Fill wanted, node, sure and why of @r, whose GPU is known
 * (placement_node.c). */
void placement_choose_node(const struct placement_view *v,
                           struct placement_rank *r);

/* Fill nic and nic_closeness of @r, whose node is known (placement_nic.c). */
void placement_choose_nic(const struct placement_view *v,
                          struct placement_rank *r);

/* The nearest node to @node for which @is_good says so; the lowest one of
 * several. TOPO_NONE: there is none, or no distance is known. */
typedef bool placement_good_fn(const struct topo *t, uint32_t node);
uint32_t placement_nearest(const struct topo *t, uint32_t node,
                           placement_good_fn *is_good);

#endif /* WORKER_PLACEMENT_PARTS_H */
