/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/json.h"
#include "worker/topo.h"

static void topo_json_cpus(const struct topo_cpus *set, struct buf *out)
{
    buf_add_char(out, '"');
    topo_cpus_print(set, out);
    buf_add_char(out, '"');
}

static void topo_json_text(const char *key, const char *text, struct buf *out)
{
    buf_print(out, "\"%s\": ", key);
    json_write_string(bytes_of(text), out);
}

static void topo_json_nodes(const struct topo *t, struct buf *out)
{
    buf_add_text(out, "\"nodes\": [");
    for (uint32_t i = 0; i < t->node_count; i++) {
        const struct topo_node *n = &t->nodes[i];

        buf_print(out, "%s{\"node\": %u, ", i > 0 ? ", " : "", n->number);
        topo_json_text("memory", topo_memory_word(n->kind), out);
        buf_print(out,
                  ", \"bytes\": %" PRIu64 ", \"bandwidth_mib_s\": %" PRIu64
                  ", \"allowed\": %s, \"cpus\": ",
                  n->bytes, n->bandwidth, n->is_allowed ? "true" : "false");
        topo_json_cpus(&n->cpus, out);
        buf_add_text(out, ", \"distances\": [");
        for (uint32_t k = 0; t->distances != NULL && k < t->node_count; k++) {
            buf_print(out, "%s%u", k > 0 ? ", " : "", topo_distance(t, i, k));
        }
        buf_add_text(out, "]}");
    }
    buf_add_char(out, ']');
}

static void topo_json_place(const struct topo *t, const struct topo_place *p,
                            struct buf *out)
{
    const char *comma = "";

    buf_add_text(out, "\"pci\": ");
    if (p->has_pci) {
        buf_add_char(out, '"');
        topo_pci_print(&p->pci, out);
        buf_add_char(out, '"');
    } else {
        buf_add_text(out, "null");
    }
    buf_add_text(out, ", \"near\": [");
    for (uint32_t i = 0; i < t->node_count; i++) {
        if (topo_nodes_has(&p->near, i)) {
            buf_print(out, "%s%u", comma, t->nodes[i].number);
            comma = ", ";
        }
    }
    buf_add_text(out, "], \"path\": [");
    for (uint32_t i = 0; i < p->depth; i++) {
        buf_print(out, "%s%u", i > 0 ? ", " : "", p->path[i]);
    }
    buf_add_char(out, ']');
}

static void topo_json_gpus(const struct topo *t, struct buf *out)
{
    buf_add_text(out, "\"gpus\": [");
    for (uint32_t i = 0; i < t->gpu_count; i++) {
        const struct topo_gpu *g = &t->gpus[i];

        buf_add_text(out, i > 0 ? ", {" : "{");
        topo_json_place(t, &g->place, out);
        buf_add_text(out, ", ");
        topo_json_text("name", g->name, out);
        buf_print(out,
                  ", \"vendor\": \"%04x\", \"device\": \"%04x\", \"class\": "
                  "\"%04x\", \"parts\": %u}",
                  g->vendor, g->device, g->class, g->parts);
    }
    buf_add_char(out, ']');
}

static void topo_json_nics(const struct topo *t, struct buf *out)
{
    buf_add_text(out, "\"nics\": [");
    for (uint32_t i = 0; i < t->nic_count; i++) {
        const struct topo_nic *n = &t->nics[i];

        buf_add_text(out, i > 0 ? ", {" : "{");
        topo_json_text("name", n->name, out);
        buf_add_text(out, ", ");
        topo_json_place(t, &n->place, out);
        buf_print(out,
                  ", \"vendor\": \"%04x\", \"device\": \"%04x\", \"class\": "
                  "\"%04x\", \"mbit_s\": %" PRIu64 ", ",
                  n->vendor, n->device, n->class, n->mbps);
        topo_json_text("link", topo_link_word(n->link), out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void topo_write_json(const struct topo *t, struct buf *out)
{
    topo_json_text("from", t->from, out);
    buf_print(out, ", \"this_machine\": %s, \"cpus\": ",
              t->is_this_machine ? "true" : "false");
    topo_json_cpus(&t->cpus, out);
    buf_add_text(out, ", \"cpus_allowed\": ");
    topo_json_cpus(&t->allowed, out);
    buf_add_text(out, ", ");
    topo_json_nodes(t, out);
    buf_add_text(out, ", ");
    topo_json_gpus(t, out);
    buf_add_text(out, ", ");
    topo_json_nics(t, out);
}
