/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/topo_picture.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"

enum { TOPO_DISTANCES_MAX = 16 }; /* A wider table helps nobody. */

static const double topo_gib = 1024.0 * 1024 * 1024;

/* The node below which a device is drawn: the first with processors that it
 * is near to. */
static uint32_t topo_home(const struct topo *t, const struct topo_place *place)
{
    uint32_t home = TOPO_NONE;

    for (uint32_t i = 0; i < t->node_count; i++) {
        if (topo_nodes_has(&place->near, i) &&
            (home == TOPO_NONE || topo_cpus_is_empty(&t->nodes[home].cpus))) {
            home = i;
        }
    }
    return home;
}

static void topo_picture_pad(struct buf *out, size_t size)
{
    while (out->size < size) {
        buf_add_char(out, ' ');
    }
}

static void topo_picture_address(const struct topo_place *place,
                                 struct buf *out)
{
    if (place->has_pci) {
        topo_pci_print(&place->pci, out);
    } else {
        buf_add_text(out, "not on PCI  ");
    }
}

/* "  near 0,2", where there is more than one. */
static void topo_picture_near(const struct topo *t,
                              const struct topo_place *place, struct buf *out)
{
    const char *comma = "  near nodes ";

    if (topo_nodes_count(&place->near) < 2) {
        return;
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        if (topo_nodes_has(&place->near, i)) {
            buf_print(out, "%s%u", comma, t->nodes[i].number);
            comma = ",";
        }
    }
}

typedef bool topo_rank_fn(const struct placement_rank *r, uint32_t what);

static bool topo_rank_has_gpu(const struct placement_rank *r, uint32_t gpu)
{
    return r->gpu == gpu;
}

static bool topo_rank_has_nic(const struct placement_rank *r, uint32_t nic)
{
    return r->nic == nic;
}

static bool topo_rank_has_node(const struct placement_rank *r, uint32_t node)
{
    return r->node == node;
}

/* Append @lead and the ranks for which @is_so, as "ranks 0-3,7". */
static void topo_picture_ranks(const struct placement *p, topo_rank_fn *is_so,
                               uint32_t what, const char *lead, struct buf *out)
{
    struct topo_cpus set = {{0}};
    uint32_t count;

    for (uint32_t i = 0; i < p->rank_count; i++) {
        if (is_so(&p->ranks[i], what)) {
            topo_cpus_add(&set, i);
        }
    }
    count = topo_cpus_count(&set);
    if (count > 0) {
        buf_print(out, "%srank%s ", lead, count > 1 ? "s" : "");
        topo_cpus_print(&set, out);
    }
}

static void topo_picture_gpus(const struct topo_picture *p, uint32_t home,
                              struct buf *out)
{
    const struct topo *t = p->topo;

    for (uint32_t i = 0; i < t->gpu_count; i++) {
        const struct topo_gpu *g = &t->gpus[i];

        if (topo_home(t, &g->place) != home) {
            continue;
        }
        buf_add_text(out, "  |  GPU  ");
        topo_picture_address(&g->place, out);
        buf_print(out, "  %-28s", g->name);
        if (g->parts > 1) {
            buf_print(out, "  %u parts", g->parts);
        }
        topo_picture_ranks(p->placement, topo_rank_has_gpu, i, "  ", out);
        topo_picture_near(t, &g->place, out);
        buf_add_char(out, '\n');
    }
}

static void topo_picture_nic(const struct topo_nic *n, struct buf *out)
{
    size_t start = out->size;

    buf_add_text(out, n->name[0] != '\0' ? n->name : "(no name)");
    if (n->mbps >= 1000) {
        buf_print(out, ", %" PRIu64 " Gb/s", n->mbps / 1000);
    } else if (n->mbps > 0) {
        buf_print(out, ", %" PRIu64 " Mb/s", n->mbps);
    }
    if (n->link != TOPO_LINK_UNKNOWN) {
        buf_print(out, ", %s", topo_link_word(n->link));
    }
    if (n->is_part) {
        buf_add_text(out, ", part of another");
    }
    topo_picture_pad(out, start + 28);
}

static void topo_picture_nics(const struct topo_picture *p, uint32_t home,
                              struct buf *out)
{
    const struct topo *t = p->topo;

    for (uint32_t i = 0; i < t->nic_count; i++) {
        const struct topo_nic *n = &t->nics[i];

        if (topo_home(t, &n->place) != home) {
            continue;
        }
        buf_add_text(out, "  |  NIC  ");
        topo_picture_address(&n->place, out);
        buf_add_text(out, "  ");
        topo_picture_nic(n, out);
        topo_picture_ranks(p->placement, topo_rank_has_nic, i, "  ", out);
        topo_picture_near(t, &n->place, out);
        buf_add_char(out, '\n');
    }
}

static void topo_picture_node(const struct topo_picture *p, uint32_t node,
                              struct buf *out)
{
    const struct topo_node *n = &p->topo->nodes[node];

    buf_print(out, "  node %u: %s %.1f GiB, ", n->number,
              topo_memory_word(n->kind), (double)n->bytes / topo_gib);
    if (topo_cpus_is_empty(&n->cpus)) {
        buf_add_text(out, "no processors");
    } else {
        buf_add_text(out, "processors ");
        topo_cpus_print(&n->cpus, out);
    }
    buf_add_text(out, n->is_allowed ? "\n" : "; may not be used here\n");
    topo_picture_gpus(p, node, out);
    topo_picture_nics(p, node, out);
    topo_picture_ranks(p->placement, topo_rank_has_node, node, "  |  rings of ",
                       out);
    buf_add_text(out, out->at[out->size - 1] == '\n' ? "" : "\n");
}

/* What is near to none, or nobody knows to which. */
static void topo_picture_rest(const struct topo_picture *p, struct buf *out)
{
    static const char title[] = "  no known node\n";
    size_t before;

    buf_add_text(out, title);
    before = out->size;
    topo_picture_gpus(p, TOPO_NONE, out);
    topo_picture_nics(p, TOPO_NONE, out);
    topo_picture_ranks(p->placement, topo_rank_has_node, TOPO_NONE,
                       "  |  rings of ", out);
    if (out->size == before) {
        out->size -= strlen(title);
        out->at[out->size] = '\0';
    } else if (out->at[out->size - 1] != '\n') {
        buf_add_char(out, '\n');
    }
}

static void topo_picture_distances(const struct topo *t, struct buf *out)
{
    if (t->distances == NULL || t->node_count < 2 ||
        t->node_count > TOPO_DISTANCES_MAX) {
        return;
    }
    buf_add_text(out, "\ndistance");
    for (uint32_t i = 0; i < t->node_count; i++) {
        buf_print(out, " %4u", t->nodes[i].number);
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        buf_print(out, "\n    %4u", t->nodes[i].number);
        for (uint32_t k = 0; k < t->node_count; k++) {
            buf_print(out, " %4u", topo_distance(t, i, k));
        }
    }
    buf_add_char(out, '\n');
}

static void topo_picture_number(const struct topo *t, uint32_t node,
                                struct buf *out)
{
    if (node == TOPO_NONE) {
        buf_add_text(out, "  any ");
    } else {
        buf_print(out, "  %-4u", t->nodes[node].number);
    }
}

static void topo_picture_rank(const struct topo_picture *p, uint32_t rank,
                              struct buf *out)
{
    const struct topo *t = p->topo;
    const struct placement_rank *r = &p->placement->ranks[rank];
    size_t start;

    buf_print(out, "%4u  ", rank);
    start = out->size;
    if (r->gpu == TOPO_NONE) {
        buf_add_text(out, "none");
    } else {
        topo_pci_print(&t->gpus[r->gpu].place.pci, out);
        if (t->gpus[r->gpu].parts > 1) {
            buf_print(out, "/%u", r->part);
        }
    }
    topo_picture_pad(out, start + 14);
    topo_picture_number(t, r->wanted, out);
    topo_picture_number(t, r->node, out);
    buf_print(out, "  %-11s", placement_sure_word(r->sure));
    if (r->nic == TOPO_NONE) {
        buf_print(out, "  %-22s", "any");
    } else {
        start = out->size;
        buf_print(out, "  %s (%s)", t->nics[r->nic].name,
                  topo_closeness_word(r->nic_closeness));
        topo_picture_pad(out, start + 24);
    }
    buf_print(out, "  %s\n", p->got != NULL ? p->got[rank].text : p->got_none);
}

/* The reasons that are not the plain one, each once. */
static void topo_picture_reasons(const struct placement *p, struct buf *out)
{
    for (uint32_t i = 0; i < p->rank_count; i++) {
        bool is_new = p->ranks[i].sure != PLACEMENT_EXACT;

        for (uint32_t k = 0; k < i && is_new; k++) {
            is_new = strcmp(p->ranks[k].why, p->ranks[i].why) != 0;
        }
        if (is_new) {
            buf_print(out, "%s: %s\n", placement_sure_word(p->ranks[i].sure),
                      p->ranks[i].why);
        }
    }
    for (uint32_t i = 0; i < p->lane_count; i++) {
        if (p->lanes[i].is_elsewhere) {
            buf_print(out,
                      "lane %u: the node has no processor that may be "
                      "used; it runs on others\n",
                      i);
        }
    }
    if (p->note[0] != '\0') {
        buf_print(out, "note: %s\n", p->note);
    }
}

static void topo_picture_head(const struct topo_picture *p, struct buf *out)
{
    const struct topo *t = p->topo;

    buf_print(out,
              "%s: %u node%s, %u of %u processors, %u GPU%s, %u network "
              "card%s\nplacement %s, %u rank%s\n\n",
              t->from, t->node_count, t->node_count == 1 ? "" : "s",
              topo_cpus_count(&t->allowed), topo_cpus_count(&t->cpus),
              t->gpu_count, t->gpu_count == 1 ? "" : "s", t->nic_count,
              t->nic_count == 1 ? "" : "s",
              placement_policy_word(p->placement->policy),
              p->placement->rank_count,
              p->placement->rank_count == 1 ? "" : "s");
}

/* Remove the blanks of columns before the ends of lines, from @start on. */
static void topo_picture_trim(struct buf *out, size_t start)
{
    size_t to = start;

    for (size_t i = start; i < out->size; i++) {
        if (out->at[i] == '\n') {
            while (to > start && out->at[to - 1] == ' ') {
                to--;
            }
        }
        out->at[to++] = out->at[i];
    }
    out->size = to;
    out->at[to] = '\0';
}

void topo_picture_write(const struct topo_picture *p, struct buf *out)
{
    size_t start = out->size;

    topo_picture_head(p, out);
    for (uint32_t i = 0; i < p->topo->node_count; i++) {
        topo_picture_node(p, i, out);
    }
    topo_picture_rest(p, out);
    topo_picture_distances(p->topo, out);
    buf_add_text(out, "\nrank  GPU             wanted ring  sure         "
                      "network card             got\n");
    for (uint32_t i = 0; i < p->placement->rank_count; i++) {
        topo_picture_rank(p, i, out);
    }
    topo_picture_reasons(p->placement, out);
    topo_picture_trim(out, start);
}

/* ---- JSON ---------------------------------------------------------------- */

static void topo_picture_json_got(const struct place_got *got, struct buf *out)
{
    if (got == NULL) {
        buf_add_text(out, ", \"got\": null}");
        return;
    }
    buf_print(out,
              ", \"got\": {\"bound\": \"%s\", \"seen\": \"%s\", \"pages\": "
              "%" PRIu64 ", \"pages_there\": %" PRIu64
              ", \"page_size\": %zu, \"text\": ",
              place_bound_word(got->bound), place_seen_word(got->seen),
              got->pages, got->pages_there, got->page_size);
    json_write_string(bytes_of(got->text), out);
    buf_add_text(out, "}}");
}

void topo_picture_write_json(const struct topo_picture *p, struct buf *out)
{
    buf_add_char(out, '{');
    topo_write_json(p->topo, out);
    buf_print(out, ", \"placement\": \"%s\", \"note\": ",
              placement_policy_word(p->placement->policy));
    json_write_string(bytes_of(p->placement->note), out);
    buf_add_text(out, ", ");
    placement_write_lanes(p->placement, p->topo, out);
    buf_add_text(out, ", \"ranks\": [");
    for (uint32_t i = 0; i < p->placement->rank_count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        placement_write_rank(p->placement, p->topo, i, out);
        topo_picture_json_got(p->got != NULL ? &p->got[i] : NULL, out);
    }
    buf_add_text(out, "]}\n");
}
