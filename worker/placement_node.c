/* SPDX-License-Identifier: Apache-2.0 */
/* The memory node of a rank. Each rule takes away candidates; one that would
 * take away all of them is left out, and the answer says so. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "worker/placement_parts.h"

/* Nodes that are still possible, ascending. */
struct placement_nodes {
    uint32_t at[TOPO_NODES_MAX];
    uint32_t count;
};

void placement_say(char *why, const char *format, ...)
{
    size_t size = strlen(why);
    va_list args;

    CHECK(size < PLACEMENT_WHY_MAX);
    va_start(args, format);
    vsnprintf(why + size, PLACEMENT_WHY_MAX - size, format, args);
    va_end(args);
}

/* Ordinary memory with processors of its own: what is chosen unasked. */
static bool placement_is_usable(const struct topo *t, uint32_t node)
{
    const struct topo_node *n = &t->nodes[node];

    return n->kind != TOPO_NO_MEMORY && n->kind != TOPO_GPU_MEMORY &&
           !topo_cpus_is_empty(&n->cpus);
}

static bool placement_is_open(const struct topo *t, uint32_t node)
{
    return placement_is_usable(t, node) && t->nodes[node].is_allowed;
}

/* The same, and some of its processors may be used. */
static bool placement_is_whole(const struct topo *t, uint32_t node)
{
    struct topo_cpus cpus = topo_cpus_both(&t->nodes[node].cpus, &t->allowed);

    return placement_is_open(t, node) && !topo_cpus_is_empty(&cpus);
}

/* Collect the nodes of @near (NULL: of the machine) that are good. */
static struct placement_nodes placement_collect(const struct topo *t,
                                                const struct topo_nodes *near,
                                                placement_good_fn *is_good)
{
    struct placement_nodes out;

    out.count = 0;
    for (uint32_t i = 0; i < t->node_count; i++) {
        if ((near == NULL || topo_nodes_has(near, i)) && is_good(t, i)) {
            out.at[out.count++] = i;
        }
    }
    return out;
}

/* Whether @a is the better one of two nodes at the same processors. */
static bool placement_is_better(const struct topo_node *a,
                                const struct topo_node *b)
{
    return a->kind != b->kind ? a->kind < b->kind : a->bytes > b->bytes;
}

static bool placement_has_better(const struct topo *t,
                                 const struct placement_nodes *nodes,
                                 uint32_t node)
{
    const struct topo_node *n = &t->nodes[node];

    for (uint32_t i = 0; i < nodes->count; i++) {
        const struct topo_node *other = &t->nodes[nodes->at[i]];

        if (nodes->at[i] != node &&
            topo_cpus_is_equal(&other->cpus, &n->cpus) &&
            (placement_is_better(other, n) ||
             (!placement_is_better(n, other) && nodes->at[i] < node))) {
            return true;
        }
    }
    return false;
}

/* Keep the best memory at each group of processors. */
static struct placement_nodes placement_keep_best(
    const struct topo *t, const struct placement_nodes *from)
{
    struct placement_nodes out;

    out.count = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        if (!placement_has_better(t, from, from->at[i])) {
            out.at[out.count++] = from->at[i];
        }
    }
    return out;
}

/* How many GPUs before this one are near to just the same: they take turns.
 * It depends on the machine alone, not on which ranks there are. */
static uint32_t placement_turn(const struct topo *t, uint32_t gpu)
{
    uint32_t turn = 0;

    for (uint32_t i = 0; i < gpu; i++) {
        turn += memcmp(&t->gpus[i].place.near, &t->gpus[gpu].place.near,
                       sizeof(t->gpus[i].place.near)) == 0;
    }
    return turn;
}

static uint32_t placement_pick(const struct topo *t,
                               const struct placement_nodes *from, uint32_t gpu)
{
    struct placement_nodes best = placement_keep_best(t, from);

    CHECK(best.count > 0);
    return best.at[placement_turn(t, gpu) % best.count];
}

uint32_t placement_nearest(const struct topo *t, uint32_t node,
                           placement_good_fn *is_good)
{
    uint32_t best = TOPO_NONE;

    for (uint32_t i = 0; i < t->node_count; i++) {
        uint32_t d = topo_distance(t, node, i);

        if (i != node && d > 0 && is_good(t, i) &&
            (best == TOPO_NONE || d < topo_distance(t, node, best))) {
            best = i;
        }
    }
    return best;
}

/* The wanted node may not be had: take the nearest that may. */
static void placement_fall_back(const struct topo *t, struct placement_rank *r)
{
    struct placement_nodes open = placement_collect(t, NULL, placement_is_open);
    uint32_t number = t->nodes[r->wanted].number;

    r->node = placement_nearest(t, r->wanted, placement_is_open);
    if (r->node != TOPO_NONE) {
        r->sure = PLACEMENT_DEGRADED;
        placement_say(r->why,
                      "node %u may not be used here; node %u is the nearest "
                      "that may (distance %u)",
                      number, t->nodes[r->node].number,
                      topo_distance(t, r->wanted, r->node));
        return;
    }
    r->sure = PLACEMENT_NOT_ALLOWED;
    r->node = open.count == 1 ? open.at[0] : TOPO_NONE;
    if (r->node != TOPO_NONE) {
        placement_say(r->why,
                      "node %u may not be used here; node %u is the only one "
                      "that may",
                      number, t->nodes[r->node].number);
    } else {
        placement_say(r->why,
                      "node %u may not be used here, and no distances are "
                      "known: any node",
                      number);
    }
}

static void placement_list(const struct topo *t,
                           const struct placement_nodes *nodes, char *why)
{
    for (uint32_t i = 0; i < nodes->count && i < 8; i++) {
        placement_say(why, "%s%u", i > 0 ? "," : "",
                      t->nodes[nodes->at[i]].number);
    }
    if (nodes->count > 8) {
        placement_say(why, ",...");
    }
}

/* Several are as near; at least one of them may be had. */
static void placement_choose_among(const struct topo *t,
                                   const struct placement_nodes *near,
                                   const struct placement_nodes *open,
                                   struct placement_rank *r)
{
    struct placement_nodes best = placement_keep_best(t, open);
    const struct topo_node *n;

    r->node = placement_pick(t, open, r->gpu);
    r->sure = PLACEMENT_AMBIGUOUS;
    n = &t->nodes[r->node];
    placement_say(r->why, "nodes ");
    placement_list(t, near, r->why);
    placement_say(r->why, " are as near to the GPU; ");
    if (open->count < near->count && open->count == 1) {
        placement_say(r->why, "only node %u of them may be used", n->number);
    } else if (best.count > 1) {
        placement_say(r->why, "node %u has its turn", n->number);
    } else {
        placement_say(r->why, "node %u is %s, %.0f GiB", n->number,
                      topo_memory_word(n->kind),
                      (double)n->bytes / (1024.0 * 1024 * 1024));
    }
}

/* Nobody says what the GPU is near to. */
static void placement_choose_unknown(const struct topo *t,
                                     struct placement_rank *r)
{
    struct placement_nodes usable =
        placement_collect(t, NULL, placement_is_usable);
    struct placement_nodes open = placement_collect(t, NULL, placement_is_open);

    /* Memories of several kinds at the same processors are one place. */
    usable = placement_keep_best(t, &usable);
    open = placement_keep_best(t, &open);
    r->sure = PLACEMENT_UNKNOWN;
    if (open.count == 1) {
        r->node = r->wanted = open.at[0];
        r->sure = usable.count == 1 ? PLACEMENT_EXACT : PLACEMENT_UNKNOWN;
        placement_say(r->why, "node %u is the only one%s",
                      t->nodes[r->node].number,
                      usable.count == 1 ? "" : " that may be used here");
    } else if (usable.count == 0) {
        placement_say(r->why, "the system does not tell its nodes: any node");
    } else {
        placement_say(r->why, "the system does not tell which node the GPU is "
                              "near to: any node; a --placement-table can");
    }
}

static void placement_choose_near(const struct topo *t,
                                  struct placement_rank *r)
{
    const struct topo_nodes *set = &t->gpus[r->gpu].place.near;
    struct placement_nodes near =
        placement_collect(t, set, placement_is_usable);
    struct placement_nodes open = placement_collect(t, set, placement_is_open);

    if (near.count == 0) {
        placement_choose_unknown(t, r);
        return;
    }
    r->wanted = placement_pick(t, &near, r->gpu);
    if (open.count == 0) {
        placement_fall_back(t, r);
    } else if (near.count == 1) {
        r->node = r->wanted;
        r->sure = PLACEMENT_EXACT;
        placement_say(r->why, "the GPU is at node %u",
                      t->nodes[r->node].number);
    } else {
        placement_choose_among(t, &near, &open, r);
    }
}

/* No GPU: neighbours among the ranks share a node. */
static void placement_choose_spread(const struct placement_view *v,
                                    struct placement_rank *r)
{
    struct placement_nodes open =
        placement_collect(v->t, NULL, placement_is_whole);

    if (open.count == 0) {
        open = placement_collect(v->t, NULL, placement_is_open);
    }
    open = placement_keep_best(v->t, &open);
    if (open.count < 2) {
        placement_choose_unknown(v->t, r);
        return;
    }
    r->node = r->wanted = open.at[(uint64_t)r->rank * open.count / v->ranks];
    r->sure = PLACEMENT_SPREAD;
    placement_say(r->why, "no GPU; %u rank%s over %u nodes", v->ranks,
                  v->ranks == 1 ? "" : "s", open.count);
}

static const struct placement_override *placement_find(
    const struct placement_options *o, const struct topo_pci *pci)
{
    for (uint32_t i = o->table_count; i > 0; i--) {
        if (topo_pci_compare(&o->table[i - 1].pci, pci) == 0) {
            return &o->table[i - 1];
        }
    }
    return NULL;
}

/* Do as the table says. false: it says nothing, or what can't be. */
static bool placement_obey(const struct placement_view *v,
                           struct placement_rank *r)
{
    const struct topo *t = v->t;
    const struct placement_override *said =
        placement_find(v->o, &t->gpus[r->gpu].place.pci);
    uint32_t node;

    if (said == NULL) {
        return false;
    }
    r->sure = PLACEMENT_OVERRIDE;
    if (said->node == PLACEMENT_ANY) {
        placement_say(r->why, "the table says any node");
        return true;
    }
    node = topo_find_node(t, (uint32_t)said->node);
    if (node == TOPO_NONE || t->nodes[node].kind == TOPO_NO_MEMORY ||
        t->nodes[node].kind == TOPO_GPU_MEMORY) {
        placement_say(r->why, "the table says node %d, which %s; ", said->node,
                      node == TOPO_NONE ? "is not there"
                                        : "has no memory for it");
        return false;
    }
    r->wanted = node;
    if (t->nodes[node].is_allowed) {
        r->node = node;
        placement_say(r->why, "the table says node %d", said->node);
    } else {
        placement_fall_back(t, r);
    }
    return true;
}

void placement_choose_node(const struct placement_view *v,
                           struct placement_rank *r)
{
    r->wanted = TOPO_NONE;
    r->node = TOPO_NONE;
    r->why[0] = '\0';
    if (r->gpu == TOPO_NONE) {
        placement_choose_spread(v, r);
    } else if (!placement_obey(v, r)) {
        placement_choose_near(v->t, r);
    }
    if (v->o->policy == PLACEMENT_OFF) {
        char said[PLACEMENT_WHY_MAX];

        memcpy(said, r->why, sizeof(said));
        r->why[0] = '\0';
        placement_say(r->why, "placement is off; else: %s", said);
        r->node = TOPO_NONE;
        r->sure = PLACEMENT_UNBOUND;
    }
}
