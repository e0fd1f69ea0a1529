/* SPDX-License-Identifier: Apache-2.0 */
/* Machines for tests of the decision, made by hand or by chance. */

#ifndef TESTS_UNIT_TOPO_MADE_H
#define TESTS_UNIT_TOPO_MADE_H

#include <stdio.h>

#include "base/mem.h"
#include "base/prng.h"
#include "worker/topo.h"

enum { TOPO_MADE_CPUS = 4 }; /* Of each node that has any. */

/* @count nodes of 4 processors each, numbered 0, 10, 20, …; all allowed. The
 * distance of two is 10 more a step. */
static inline struct topo topo_made(uint32_t count)
{
    struct topo t = {.node_count = count, .is_this_machine = false};

    t.nodes = mem_new(count, sizeof(t.nodes[0]));
    t.distances = mem_new((size_t)count * count, sizeof(t.distances[0]));
    for (uint32_t i = 0; i < count; i++) {
        t.nodes[i].number = i * 10;
        t.nodes[i].bytes = UINT64_C(64) << 30;
        t.nodes[i].is_allowed = true;
        for (uint32_t k = 0; k < TOPO_MADE_CPUS; k++) {
            topo_cpus_add(&t.nodes[i].cpus, i * TOPO_MADE_CPUS + k);
            topo_cpus_add(&t.cpus, i * TOPO_MADE_CPUS + k);
        }
        for (uint32_t k = 0; k < count; k++) {
            t.distances[i * count + k] = 10 + 10 * (i > k ? i - k : k - i);
        }
    }
    t.allowed = t.cpus;
    snprintf(t.from, sizeof(t.from), "a test");
    return t;
}

/* Add a GPU on bus @bus that is near to node @node; TOPO_NONE: unknown. */
static inline struct topo_gpu *topo_made_gpu(struct topo *t, uint8_t bus,
                                             uint32_t node)
{
    struct topo_gpu *g;

    t->gpus = mem_grow(t->gpus, t->gpu_count + 1, sizeof(t->gpus[0]));
    g = &t->gpus[t->gpu_count++];
    *g = (struct topo_gpu){.parts = 1, .vendor = 0x10de};
    g->place.has_pci = true;
    g->place.pci.bus = bus;
    g->place.path[0] = bus;
    g->place.depth = 1;
    if (node != TOPO_NONE) {
        topo_nodes_add(&g->place.near, node);
    }
    return g;
}

static inline struct topo_nic *topo_made_nic(struct topo *t, const char *name,
                                             uint8_t bus, uint32_t node)
{
    struct topo_nic *n;

    t->nics = mem_grow(t->nics, t->nic_count + 1, sizeof(t->nics[0]));
    n = &t->nics[t->nic_count++];
    *n = (struct topo_nic){.class = 0x0200};
    snprintf(n->name, sizeof(n->name), "%s", name);
    n->place.has_pci = true;
    n->place.pci.bus = bus;
    n->place.pci.function = 1;
    n->place.path[0] = bus;
    n->place.depth = 1;
    if (node != TOPO_NONE) {
        topo_nodes_add(&n->place.near, node);
    }
    return n;
}

/* A machine of 1 to 8 nodes in which anything may be odd. */
static inline struct topo topo_made_by_chance(struct prng *chance)
{
    struct topo t = topo_made(1 + (uint32_t)prng_below(chance, 8));
    uint32_t gpus = (uint32_t)prng_below(chance, 9);
    uint32_t nics = (uint32_t)prng_below(chance, 5);

    for (uint32_t i = 0; i < t.node_count; i++) {
        struct topo_node *n = &t.nodes[i];

        n->kind = (enum topo_memory)prng_below(chance, TOPO_NO_MEMORY + 1);
        n->kind = prng_below(chance, 2) == 0 ? n->kind : TOPO_DRAM;
        n->bytes = n->kind == TOPO_NO_MEMORY ? 0 : n->bytes;
        n->is_allowed = prng_below(chance, 4) > 0;
        if (prng_below(chance, 5) == 0) {
            n->cpus = t.nodes[0].cpus;
        } else if (prng_below(chance, 5) == 0) {
            n->cpus = (struct topo_cpus){{0}};
        }
    }
    for (uint32_t i = 0; i < gpus; i++) {
        struct topo_gpu *g =
            topo_made_gpu(&t, (uint8_t)(0x10 + i * 8),
                          (uint32_t)prng_below(chance, t.node_count));

        g->parts = prng_below(chance, 6) == 0 ? 3 : 1;
        if (prng_below(chance, 3) == 0) {
            topo_nodes_add(&g->place.near,
                           (uint32_t)prng_below(chance, t.node_count));
        }
    }
    for (uint32_t i = 0; i < nics; i++) {
        struct topo_nic *n =
            topo_made_nic(&t, i == 2 ? "" : "eth", (uint8_t)(0x10 + i * 16),
                          (uint32_t)prng_below(chance, t.node_count));

        n->link = (enum topo_link)prng_below(chance, 3);
        n->is_part = prng_below(chance, 4) == 0;
    }
    if (prng_below(chance, 3) == 0) {
        free(t.distances);
        t.distances = NULL;
    }
    t.allowed = (struct topo_cpus){{0}};
    for (uint32_t cpu = 0; cpu < t.node_count * TOPO_MADE_CPUS; cpu++) {
        if (cpu == 0 || prng_below(chance, 2) == 0) {
            topo_cpus_add(&t.allowed, cpu);
        }
    }
    topo_settle(&t);
    return t;
}

#endif /* TESTS_UNIT_TOPO_MADE_H */
