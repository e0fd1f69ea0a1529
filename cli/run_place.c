/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_place.h"

#include "base/buf.h"
#include "base/log.h"

void run_place_read(struct run_place *p, const struct job *job)
{
    struct topo_options options = {0};
    struct fault why = {.text = ""};
    char quoted[FAULT_TEXT_MAX];
    bool is_needed = false;

    for (uint32_t i = 0; i < job->channel_count; i++) {
        is_needed = is_needed || job->channels[i].mode != JOB_FILE ||
                    job_channel_deal(&job->channels[i]) == JOB_DEAL_DYNAMIC;
    }
    if (!is_needed) {
        return;
    }
    p->is_read = topo_read(&options, &why, &p->topo) == STATUS_OK;
    if (!p->is_read) {
        log_event(LOG_WARN, "placement.unknown", "reason=%s",
                  log_quote(why.text, quoted, sizeof(quoted)));
    }
}

static void run_place_log(const struct run_place *p)
{
    for (uint32_t i = 0; i < p->placement.rank_count; i++) {
        const struct placement_rank *r = &p->placement.ranks[i];
        struct buf gpu = {0};
        char quoted[FAULT_TEXT_MAX];

        if (r->gpu != TOPO_NONE) {
            topo_pci_print(&p->topo.gpus[r->gpu].place.pci, &gpu);
        }
        log_event(LOG_INFO, "rank.placed",
                  "rank=%u gpu=%s node=%d sure=%s why=%s", (unsigned)r->rank,
                  r->gpu != TOPO_NONE ? buf_text(&gpu) : "none", p->nodes[i],
                  placement_sure_word(r->sure),
                  log_quote(r->why, quoted, sizeof(quoted)));
        buf_fini(&gpu);
    }
    if (p->placement.note[0] != '\0') {
        char quoted[FAULT_TEXT_MAX];

        log_event(LOG_WARN, "placement.odd", "note=%s",
                  log_quote(p->placement.note, quoted, sizeof(quoted)));
    }
}

/* As many threads as asked for, taking the nodes in turn. */
static void run_place_lanes(struct run_place *p, uint32_t lanes)
{
    uint32_t nodes = p->placement.lane_count;

    p->lane_count = lanes > nodes ? lanes : nodes;
    for (uint32_t i = 0; i < p->lane_count; i++) {
        const struct placement_lane *from;

        p->lanes[i] = (struct fetch_lane){0};
        if (nodes == 0 || p->placement.policy == PLACEMENT_OFF) {
            continue;
        }
        from = &p->placement.lanes[i % nodes];
        p->lanes[i].cores = from->cpus;
        p->lanes[i].core_count = from->cpu_count;
    }
}

enum status run_place_decide(struct run_place *p,
                             const struct settings *settings, uint32_t ranks,
                             struct fault *why)
{
    struct placement_override table[PLACEMENT_TABLE_MAX];
    struct placement_options options = {.ranks = ranks, .table = table};
    enum status s;

    options.policy =
        (enum placement_policy)settings_number(settings, SETTING_PLACEMENT);
    p->is_strict = options.policy == PLACEMENT_STRICT;
    for (uint32_t i = 0; i < PLACEMENT_RANKS_MAX; i++) {
        p->nodes[i] = -1;
    }
    s = placement_parse_table(settings_text(settings, SETTING_PLACEMENT_TABLE),
                              why, table, &options.table_count);
    if (s == STATUS_OK && p->is_read) {
        s = placement_decide(&p->topo, &options, why, &p->placement);
    }
    if (s != STATUS_OK) {
        return fault_prefix(why, s, "placement");
    }
    for (uint32_t i = 0; i < p->placement.rank_count; i++) {
        p->nodes[i] = options.policy == PLACEMENT_OFF
                          ? -1
                          : placement_node(&p->topo, &p->placement.ranks[i]);
    }
    run_place_lanes(p, (uint32_t)settings_number(settings, SETTING_LANES));
    run_place_log(p);
    return STATUS_OK;
}

void run_place_fini(struct run_place *p)
{
    placement_fini(&p->placement);
    topo_fini(&p->topo);
    p->is_read = false;
}
