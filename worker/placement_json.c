/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "worker/placement.h"

static void placement_json_text(const char *key, const char *text,
                                struct buf *out)
{
    buf_print(out, "\"%s\": ", key);
    json_write_string(bytes_of(text), out);
}

static void placement_json_node(const char *key, const struct topo *t,
                                uint32_t node, struct buf *out)
{
    if (node == TOPO_NONE) {
        buf_print(out, "\"%s\": null", key);
    } else {
        buf_print(out, "\"%s\": %u", key, t->nodes[node].number);
    }
}

static void placement_json_gpu(const struct topo *t,
                               const struct placement_rank *r, struct buf *out)
{
    buf_print(out, "{\"rank\": %u, \"gpu\": ", r->rank);
    if (r->gpu == TOPO_NONE) {
        buf_add_text(out, "null");
    } else {
        buf_add_char(out, '"');
        topo_pci_print(&t->gpus[r->gpu].place.pci, out);
        buf_add_char(out, '"');
    }
    buf_print(out, ", \"part\": %u, ", r->part);
}

void placement_write_rank(const struct placement *p, const struct topo *t,
                          uint32_t rank, struct buf *out)
{
    const struct placement_rank *r = &p->ranks[rank];

    placement_json_gpu(t, r, out);
    placement_json_node("wanted", t, r->wanted, out);
    buf_add_text(out, ", ");
    placement_json_node("node", t, r->node, out);
    buf_add_text(out, ", ");
    placement_json_text("sure", placement_sure_word(r->sure), out);
    buf_add_text(out, ", ");
    placement_json_text("why", r->why, out);
    buf_print(out, ", \"lane\": %u, \"nic\": ", r->lane);
    if (r->nic == TOPO_NONE) {
        buf_add_text(out, "null");
    } else {
        json_write_string(bytes_of(t->nics[r->nic].name), out);
    }
    buf_add_text(out, ", ");
    placement_json_text("nic_near", topo_closeness_word(r->nic_closeness), out);
}

void placement_write_lanes(const struct placement *p, const struct topo *t,
                           struct buf *out)
{
    buf_add_text(out, "\"lanes\": [");
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const struct placement_lane *lane = &p->lanes[i];
        struct topo_cpus cpus = {{0}};

        for (uint32_t k = 0; k < lane->cpu_count; k++) {
            topo_cpus_add(&cpus, lane->cpus[k]);
        }
        buf_add_text(out, i > 0 ? ", {" : "{");
        placement_json_node("node", t, lane->node, out);
        buf_add_text(out, ", \"cpus\": \"");
        topo_cpus_print(&cpus, out);
        buf_print(out, "\", \"elsewhere\": %s}",
                  lane->is_elsewhere ? "true" : "false");
    }
    buf_add_char(out, ']');
}
