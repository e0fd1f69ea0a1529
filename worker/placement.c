/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/placement.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/placement_parts.h"

/* ---- Ranks and GPUs ------------------------------------------------------ */

/* One consumer's worth of a GPU. */
struct placement_seat {
    uint32_t gpu;
    uint32_t part;
};

struct placement_seats {
    struct placement_seat at[PLACEMENT_RANKS_MAX];
    uint32_t count;
    bool is_cut; /* There were more. */
};

static uint32_t placement_find_gpu(const struct topo *t,
                                   const struct topo_pci *pci)
{
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        if (topo_pci_compare(&t->gpus[i].place.pci, pci) == 0) {
            return i;
        }
    }
    return TOPO_NONE;
}

static void placement_add_seat(uint32_t gpu, uint32_t part,
                               struct placement_seats *out)
{
    if (out->count == PLACEMENT_RANKS_MAX) {
        out->is_cut = true;
        return;
    }
    out->at[out->count++] = (struct placement_seat){gpu, part};
}

/* An address that is listed again means the next part of that GPU. */
static enum status placement_seat_listed(const struct topo *t,
                                         const struct placement_options *o,
                                         struct fault *why,
                                         struct placement_seats *out)
{
    for (uint32_t i = 0; i < o->gpu_count; i++) {
        const struct topo_pci *pci = &o->gpus[i];
        uint32_t gpu = placement_find_gpu(t, pci);
        uint32_t before = 0;

        if (gpu == TOPO_NONE) {
            return fault_set(why, STATUS_NOT_FOUND,
                             "list of GPUs: %04x:%02x:%02x.%x is no GPU of "
                             "this machine; 'smshard topo' shows those that "
                             "are",
                             pci->domain, pci->bus, pci->device, pci->function);
        }
        for (uint32_t k = 0; k < i; k++) {
            before += topo_pci_compare(&o->gpus[k], pci) == 0;
        }
        placement_add_seat(gpu, before % t->gpus[gpu].parts, out);
    }
    return STATUS_OK;
}

static enum status placement_seat(const struct topo *t,
                                  const struct placement_options *o,
                                  struct fault *why,
                                  struct placement_seats *out)
{
    out->count = 0;
    out->is_cut = false;
    if (o->gpus != NULL) {
        return placement_seat_listed(t, o, why, out);
    }
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        for (uint32_t part = 0; part < t->gpus[i].parts && !out->is_cut;
             part++) {
            placement_add_seat(i, part, out);
        }
    }
    return STATUS_OK;
}

/* ---- Lanes --------------------------------------------------------------- */

static bool placement_has_cpus(const struct topo *t, uint32_t node)
{
    struct topo_cpus cpus = topo_cpus_both(&t->nodes[node].cpus, &t->allowed);

    return !topo_cpus_is_empty(&cpus);
}

/* Choose the processors for @lane; none only where the machine tells none. */
static struct topo_cpus placement_lane_cpus(const struct topo *t,
                                            struct placement_lane *lane)
{
    struct topo_cpus cpus = t->allowed;
    uint32_t from = lane->node;

    lane->is_elsewhere = false;
    if (from != TOPO_NONE && !placement_has_cpus(t, from)) {
        lane->is_elsewhere = true;
        from = placement_nearest(t, from, placement_has_cpus);
    }
    if (from != TOPO_NONE) {
        cpus = topo_cpus_both(&t->nodes[from].cpus, &t->allowed);
    }
    return topo_cpus_is_empty(&cpus) ? t->cpus : cpus;
}

static void placement_fill_lane(const struct topo *t,
                                struct placement_lane *lane)
{
    struct topo_cpus cpus = placement_lane_cpus(t, lane);

    lane->cpu_count = 0;
    lane->cpus = mem_new(topo_cpus_count(&cpus) + 1, sizeof(lane->cpus[0]));
    for (uint32_t cpu = topo_cpus_next(&cpus, 0); cpu != TOPO_NONE;
         cpu = topo_cpus_next(&cpus, cpu + 1)) {
        lane->cpus[lane->cpu_count++] = cpu;
    }
}

static uint32_t placement_lane_of(const struct topo *t, uint32_t node,
                                  struct placement *p)
{
    for (uint32_t i = 0; i < p->lane_count; i++) {
        if (p->lanes[i].node == node) {
            return i;
        }
    }
    p->lanes[p->lane_count] = (struct placement_lane){.node = node};
    placement_fill_lane(t, &p->lanes[p->lane_count]);
    return p->lane_count++;
}

/* ---- The whole ----------------------------------------------------------- */

static void placement_note_table(const struct topo *t,
                                 const struct placement_options *o,
                                 struct placement *p)
{
    for (uint32_t i = 0; i < o->table_count; i++) {
        const struct topo_pci *pci = &o->table[i].pci;

        if (placement_find_gpu(t, pci) == TOPO_NONE) {
            placement_say(p->note,
                          "the table names %04x:%02x:%02x.%x, which is no GPU "
                          "here",
                          pci->domain, pci->bus, pci->device, pci->function);
            return;
        }
    }
}

static enum status placement_count(const struct placement_options *o,
                                   const struct placement_seats *seats,
                                   struct fault *why, struct placement *p)
{
    p->rank_count = o->ranks;
    if (o->ranks > PLACEMENT_RANKS_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%u ranks on one host; at most %d", o->ranks,
                         PLACEMENT_RANKS_MAX);
    }
    if (o->ranks == 0) {
        p->rank_count = seats->count > 0 ? seats->count : 1;
    }
    if (seats->is_cut) {
        placement_say(p->note, "more than %d GPUs; the rest is left out",
                      PLACEMENT_RANKS_MAX);
    } else if (seats->count > 0 && p->rank_count > seats->count) {
        placement_say(p->note, "%u ranks share %u GPU%s", p->rank_count,
                      seats->count, seats->count == 1 ? "" : "s");
    }
    return STATUS_OK;
}

static enum status placement_check_strict(const struct placement *p,
                                          struct fault *why)
{
    for (uint32_t i = 0; i < p->rank_count; i++) {
        const struct placement_rank *r = &p->ranks[i];

        if (r->sure == PLACEMENT_DEGRADED || r->sure == PLACEMENT_NOT_ALLOWED ||
            r->sure == PLACEMENT_UNKNOWN) {
            return fault_set(why, STATUS_CONFLICT,
                             "placement is strict, and rank %u has no sure "
                             "node: %s",
                             r->rank, r->why);
        }
    }
    return STATUS_OK;
}

enum status placement_decide(const struct topo *t,
                             const struct placement_options *options,
                             struct fault *why, struct placement *out)
{
    struct placement_seats seats;
    struct placement_view v = {.t = t, .o = options};
    enum status s;

    topo_check(t);
    *out = (struct placement){.policy = options->policy};
    s = placement_seat(t, options, why, &seats);
    if (s == STATUS_OK) {
        s = placement_count(options, &seats, why, out);
    }
    if (s != STATUS_OK) {
        out->rank_count = 0;
        return s;
    }
    placement_note_table(t, options, out);
    v.ranks = out->rank_count;
    out->ranks = mem_new(out->rank_count, sizeof(out->ranks[0]));
    out->lanes = mem_new(out->rank_count, sizeof(out->lanes[0]));
    for (uint32_t i = 0; i < out->rank_count; i++) {
        struct placement_rank *r = &out->ranks[i];

        *r = (struct placement_rank){.rank = i, .gpu = TOPO_NONE};
        if (seats.count > 0) {
            r->gpu = seats.at[i % seats.count].gpu;
            r->part = seats.at[i % seats.count].part;
        }
        placement_choose_node(&v, r);
        placement_choose_nic(&v, r);
        r->lane = placement_lane_of(t, r->node, out);
    }
    placement_check(out, t);
    return options->policy == PLACEMENT_STRICT
               ? placement_check_strict(out, why)
               : STATUS_OK;
}

void placement_fini(struct placement *p)
{
    for (uint32_t i = 0; i < p->lane_count; i++) {
        free(p->lanes[i].cpus);
    }
    free(p->lanes);
    free(p->ranks);
    *p = (struct placement){.ranks = NULL};
}

int placement_node(const struct topo *t, const struct placement_rank *r)
{
    return r->node != TOPO_NONE ? (int)t->nodes[r->node].number : PLACEMENT_ANY;
}

void placement_check(const struct placement *p, const struct topo *t)
{
    for (uint32_t i = 0; i < p->rank_count; i++) {
        const struct placement_rank *r = &p->ranks[i];

        CHECK(r->rank == i && r->lane < p->lane_count);
        CHECK(p->lanes[r->lane].node == r->node);
        CHECK(r->gpu == TOPO_NONE || r->gpu < t->gpu_count);
        CHECK(r->nic == TOPO_NONE || r->nic < t->nic_count);
        CHECK(r->node == TOPO_NONE ||
              (r->node < t->node_count && t->nodes[r->node].is_allowed));
        CHECK_IMPLIES(p->policy == PLACEMENT_OFF, r->node == TOPO_NONE);
    }
    for (uint32_t i = 0; i < p->lane_count; i++) {
        CHECK(p->lanes[i].cpu_count > 0 || topo_cpus_is_empty(&t->cpus));
        for (uint32_t k = 1; k < p->lanes[i].cpu_count; k++) {
            CHECK(p->lanes[i].cpus[k - 1] < p->lanes[i].cpus[k]);
        }
    }
}
