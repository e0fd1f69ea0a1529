/* SPDX-License-Identifier: Apache-2.0 */
/* The network card of a rank: the nearest one that carries TCP. */

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/placement_parts.h"

enum { PLACEMENT_ETHERNET = 0x0200 };

typedef bool placement_nic_fn(const struct topo_nic *n);

static bool placement_nic_is_whole(const struct topo_nic *n)
{
    return !n->is_part;
}

static bool placement_nic_is_not_down(const struct topo_nic *n)
{
    return n->link != TOPO_LINK_DOWN;
}

/* Not InfiniBand, and no radio; a virtual device is of no class. */
static bool placement_nic_is_ethernet(const struct topo_nic *n)
{
    return n->class == PLACEMENT_ETHERNET || n->class == 0;
}

/* Take away those that are not so, unless that would be all. */
static void placement_filter_nics(const struct topo *t,
                                  placement_nic_fn *is_good, bool *is_left)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < t->nic_count; i++) {
        count += is_left[i] && is_good(&t->nics[i]);
    }
    for (uint32_t i = 0; count > 0 && i < t->nic_count; i++) {
        is_left[i] = is_left[i] && is_good(&t->nics[i]);
    }
}

/* How good a card is for a rank, compared in this order. */
struct placement_worth {
    enum topo_closeness closeness; /* Lower is better. */
    uint32_t distance;             /* Of nodes; lower is better. */
    bool is_up;
    uint64_t mbps;
};

static int placement_compare(const struct placement_worth *a,
                             const struct placement_worth *b)
{
    if (a->closeness != b->closeness) {
        return a->closeness < b->closeness ? -1 : 1;
    }
    if (a->distance != b->distance) {
        return a->distance < b->distance ? -1 : 1;
    }
    if (a->is_up != b->is_up) {
        return a->is_up ? -1 : 1;
    }
    return (a->mbps < b->mbps) - (a->mbps > b->mbps);
}

/* From the rank's node to the nearest one of the card's; 0: not known. */
static uint32_t placement_nic_distance(const struct topo *t, uint32_t node,
                                       const struct topo_nic *n)
{
    uint32_t best = 0;

    for (uint32_t i = 0; node != TOPO_NONE && i < t->node_count; i++) {
        uint32_t d =
            topo_nodes_has(&n->place.near, i) ? topo_distance(t, node, i) : 0;

        best = d > 0 && (best == 0 || d < best) ? d : best;
    }
    return best;
}

static struct placement_worth placement_worth(const struct topo *t,
                                              const struct placement_rank *r,
                                              const struct topo_nic *n)
{
    struct topo_place from = {.depth = 0};

    if (r->gpu != TOPO_NONE) {
        from = t->gpus[r->gpu].place;
    }
    /* What the table says is known better than what the bus says. */
    if (r->wanted != TOPO_NONE && !topo_nodes_has(&from.near, r->wanted)) {
        from.near = (struct topo_nodes){0};
        topo_nodes_add(&from.near, r->wanted);
    }
    return (struct placement_worth){
        .closeness = topo_closeness(&from, &n->place),
        .distance = placement_nic_distance(t, r->wanted, n),
        .is_up = n->link == TOPO_LINK_UP,
        .mbps = n->mbps,
    };
}

/* Choose among those left; ranks take turns on equal ones. */
static void placement_pick_nic(const struct topo *t, const bool *is_left,
                               struct placement_rank *r)
{
    uint32_t *equal = mem_new(t->nic_count, sizeof(equal[0]));
    struct placement_worth best = {.mbps = 0};
    uint32_t count = 0;

    for (uint32_t i = 0; i < t->nic_count; i++) {
        struct placement_worth worth = placement_worth(t, r, &t->nics[i]);
        int order = count > 0 ? placement_compare(&worth, &best) : -1;

        if (!is_left[i] || order > 0) {
            continue;
        }
        count = order < 0 ? 0 : count;
        best = worth;
        equal[count++] = i;
    }
    if (count > 0) {
        r->nic = equal[r->rank % count];
        r->nic_closeness = best.closeness;
    }
    free(equal);
}

void placement_choose_nic(const struct placement_view *v,
                          struct placement_rank *r)
{
    const struct topo *t = v->t;
    bool *is_left = mem_new(t->nic_count + 1, sizeof(is_left[0]));

    r->nic = TOPO_NONE;
    r->nic_closeness = TOPO_NEAR_UNKNOWN;
    for (uint32_t i = 0; i < t->nic_count; i++) {
        is_left[i] = t->nics[i].name[0] != '\0';
    }
    placement_filter_nics(t, placement_nic_is_whole, is_left);
    placement_filter_nics(t, placement_nic_is_not_down, is_left);
    placement_filter_nics(t, placement_nic_is_ethernet, is_left);
    if (t->nic_count > 0) {
        placement_pick_nic(t, is_left, r);
    }
    free(is_left);
}
