/* SPDX-License-Identifier: Apache-2.0 */
/* Machines by chance: what must hold of every decision, whatever is odd. */
#include "worker/placement.h"

#include "tests/harness.h"
#include "tests/unit/topo_made.h"

enum { MACHINES = 3000 };

static struct placement decide(const struct topo *t,
                               const struct placement_options *o)
{
    struct fault why = {.text = ""};
    struct placement p;

    EXPECT_EQ(placement_decide(t, o, &why, &p), STATUS_OK);
    return p;
}

static const struct placement_options prefer = {.policy = PLACEMENT_PREFER};

static bool is_usable(const struct topo *t, uint32_t node)
{
    return t->nodes[node].kind < TOPO_GPU_MEMORY &&
           !topo_cpus_is_empty(&t->nodes[node].cpus);
}

/* What was wanted said by the plain words of the rules. */
static void expect_rank(const struct topo *t, const struct placement_rank *r)
{
    const struct topo_nodes *near = &t->gpus[r->gpu].place.near;
    uint32_t usable = 0;
    uint32_t open = 0;

    for (uint32_t i = 0; i < t->node_count; i++) {
        usable += topo_nodes_has(near, i) && is_usable(t, i);
        open += topo_nodes_has(near, i) && is_usable(t, i) &&
                t->nodes[i].is_allowed;
    }
    EXPECT(r->node == TOPO_NONE || is_usable(t, r->node));
    EXPECT(r->node == TOPO_NONE || t->nodes[r->node].is_allowed);
    if (open > 0) {
        EXPECT(topo_nodes_has(near, r->node));
        EXPECT(topo_nodes_has(near, r->wanted));
        EXPECT_EQ(r->sure, usable == 1 ? PLACEMENT_EXACT : PLACEMENT_AMBIGUOUS);
    } else if (usable > 0) {
        EXPECT(topo_nodes_has(near, r->wanted));
        EXPECT(r->sure == PLACEMENT_DEGRADED ||
               r->sure == PLACEMENT_NOT_ALLOWED);
        EXPECT(r->sure != PLACEMENT_DEGRADED || r->node != TOPO_NONE);
    } else {
        EXPECT(r->sure == PLACEMENT_UNKNOWN || r->sure == PLACEMENT_EXACT);
    }
    for (uint32_t i = 0; r->sure == PLACEMENT_DEGRADED && i < t->node_count;
         i++) {
        EXPECT(!is_usable(t, i) || !t->nodes[i].is_allowed ||
               topo_distance(t, r->wanted, i) >=
                   topo_distance(t, r->wanted, r->node));
    }
    EXPECT(r->why[0] != '\0');
}

static void expect_lanes(const struct topo *t, const struct placement *p)
{
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const struct placement_lane *lane = &p->lanes[i];

        EXPECT(lane->cpu_count > 0);
        for (uint32_t k = 0; k < lane->cpu_count; k++) {
            EXPECT(topo_cpus_has(&t->allowed, lane->cpus[k]));
            EXPECT(lane->node == TOPO_NONE || lane->is_elsewhere ||
                   topo_cpus_has(&t->nodes[lane->node].cpus, lane->cpus[k]));
        }
    }
}

TEST(decisions_keep_to_the_machine)
{
    struct prng chance;
    uint32_t seen[PLACEMENT_UNBOUND + 1] = {0};

    prng_init(&chance, 1);
    for (int i = 0; i < MACHINES; i++) {
        struct topo t = topo_made_by_chance(&chance);
        struct placement p = decide(&t, &prefer);
        uint32_t named = 0;

        for (uint32_t k = 0; k < t.nic_count; k++) {
            named += t.nics[k].name[0] != '\0';
        }
        for (uint32_t k = 0; k < p.rank_count; k++) {
            seen[p.ranks[k].sure]++;
            EXPECT_EQ(p.ranks[k].nic == TOPO_NONE, named == 0);
            EXPECT(named == 0 || t.nics[p.ranks[k].nic].name[0] != '\0');
            if (p.ranks[k].gpu != TOPO_NONE) {
                expect_rank(&t, &p.ranks[k]);
            }
        }
        expect_lanes(&t, &p);
        placement_fini(&p);
        topo_fini(&t);
    }
    EXPECT(seen[PLACEMENT_EXACT] > 0 && seen[PLACEMENT_AMBIGUOUS] > 0);
    EXPECT(seen[PLACEMENT_DEGRADED] > 0 && seen[PLACEMENT_NOT_ALLOWED] > 0);
    EXPECT(seen[PLACEMENT_UNKNOWN] > 0);
}

static void shuffle_gpus(struct topo *t, struct prng *chance)
{
    for (uint32_t i = t->gpu_count; i > 1; i--) {
        uint32_t k = (uint32_t)prng_below(chance, i);
        struct topo_gpu swap = t->gpus[i - 1];

        t->gpus[i - 1] = t->gpus[k];
        t->gpus[k] = swap;
    }
}

/* The node of each GPU, by its bus; and where its rank reads from. */
static void take_nodes(const struct topo *t, const struct placement *p,
                       uint32_t nodes[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        nodes[i] = TOPO_NONE - 1;
    }
    for (uint32_t i = 0; i < p->rank_count; i++) {
        if (p->ranks[i].gpu != TOPO_NONE) {
            nodes[t->gpus[p->ranks[i].gpu].place.pci.bus] = p->ranks[i].node;
        }
    }
}

TEST(the_order_in_which_devices_are_found_changes_nothing)
{
    struct prng chance;

    prng_init(&chance, 2);
    for (int i = 0; i < MACHINES / 2; i++) {
        struct topo t = topo_made_by_chance(&chance);
        struct placement p = decide(&t, &prefer);
        uint32_t before[256];
        uint32_t after[256];

        take_nodes(&t, &p, before);
        placement_fini(&p);
        shuffle_gpus(&t, &chance);
        topo_settle(&t);
        p = decide(&t, &prefer);
        take_nodes(&t, &p, after);
        EXPECT(memcmp(before, after, sizeof(before)) == 0);
        placement_fini(&p);
        topo_fini(&t);
    }
}

TEST(which_rank_has_a_gpu_does_not_change_its_node)
{
    struct prng chance;

    prng_init(&chance, 3);
    for (int i = 0; i < MACHINES / 2; i++) {
        struct topo t = topo_made_by_chance(&chance);
        struct placement p = decide(&t, &prefer);
        struct topo_pci list[PLACEMENT_GPUS_MAX];
        struct placement_options o = prefer;
        uint32_t nodes[256];

        take_nodes(&t, &p, nodes);
        placement_fini(&p);
        o.gpus = t.gpu_count > 0 ? list : NULL;
        o.gpu_count = t.gpu_count;
        for (uint32_t k = 0; k < t.gpu_count; k++) {
            list[k] = t.gpus[(k * 5 + (uint32_t)i) % t.gpu_count].place.pci;
        }
        p = decide(&t, &o);
        for (uint32_t k = 0; k < p.rank_count && t.gpu_count > 0; k++) {
            EXPECT(topo_pci_compare(&t.gpus[p.ranks[k].gpu].place.pci,
                                    &list[k]) == 0);
            EXPECT_EQ(p.ranks[k].node, nodes[list[k].bus]);
        }
        placement_fini(&p);
        topo_fini(&t);
    }
}

TEST(off_binds_nothing_and_ranks_without_gpus_spread)
{
    struct prng chance;

    prng_init(&chance, 4);
    for (int i = 0; i < MACHINES / 4; i++) {
        struct topo t = topo_made_by_chance(&chance);
        struct placement_options o = {
            .policy = PLACEMENT_OFF,
            .ranks = 1 + (uint32_t)prng_below(&chance, PLACEMENT_RANKS_MAX)};
        struct placement p = decide(&t, &o);

        EXPECT_EQ(p.rank_count, o.ranks);
        EXPECT_EQ(p.lane_count, 1);
        for (uint32_t k = 0; k < p.rank_count; k++) {
            EXPECT_EQ(p.ranks[k].node, TOPO_NONE);
        }
        placement_fini(&p);
        o.policy = PLACEMENT_PREFER;
        t.gpu_count = 0;
        p = decide(&t, &o);
        for (uint32_t k = 1; k < p.rank_count; k++) {
            EXPECT_EQ(p.ranks[k].sure, p.ranks[0].sure);
            EXPECT(p.ranks[k].node >= p.ranks[k - 1].node);
        }
        expect_lanes(&t, &p);
        placement_fini(&p);
        topo_fini(&t);
    }
}
