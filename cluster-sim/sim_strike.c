/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "cluster-sim/sim_parts.h"

/* Longer than any request takes, however late it takes effect. */
#define SIM_DRAIN_US UINT64_C(40000000)

static void sim_strike_pause(struct sim *s, struct sim_host *h,
                             uint64_t until_us)
{
    if (!h->is_up || h->paused_until_us != 0) {
        return;
    }
    h->paused_until_us = until_us;
    sim_say(s, h->number, "stands still until %" PRIu64 " ms", until_us / 1000);
    sim_clock_add(s->clock, (struct sim_event){.kind = SIM_WAKE,
                                               .at_us = until_us,
                                               .node = h->number});
}

static void sim_strike_crash(struct sim *s, struct sim_host *h,
                             uint64_t until_us)
{
    if (!h->is_up) {
        return;
    }
    sim_host_die(s, h);
    sim_clock_add(s->clock, (struct sim_event){.kind = SIM_START,
                                               .at_us = until_us,
                                               .node = h->number});
}

/* One host stays, whatever happens. */
static void sim_strike_leave(struct sim *s, struct sim_host *h)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < s->nodes; i++) {
        left += s->hosts[i].has_left;
    }
    if (s->is_resuming || h->has_left || h->has_ended || left + 1 >= s->nodes) {
        return;
    }
    h->has_left = true;
    sim_say(s, h->number, "leaves for good");
    if (h->is_up) {
        sim_host_die(s, h);
    }
}

/* All die at once. Others come when nothing of them is under way any more. */
static void sim_strike_resize(struct sim *s)
{
    if (s->options.model != SIM_MODEL_JOB || sim_truth_is_ended(s)) {
        return;
    }
    sim_say(s, SIM_NOBODY, "all die; %" PRIu32 " others will come",
            s->hosts_next);
    s->is_resuming = true;
    for (uint32_t i = 0; i < s->nodes; i++) {
        s->hosts[i].has_left = true;
        if (s->hosts[i].is_up) {
            sim_host_die(s, &s->hosts[i]);
        }
    }
    sim_clock_add(s->clock,
                  (struct sim_event){.kind = SIM_RESUME,
                                     .at_us = sim_now_us(s) + SIM_DRAIN_US});
}

void sim_strike_resume(struct sim *s)
{
    s->is_resuming = false;
    s->options.hosts = s->hosts_next;
    sim_truth_destroy(&s->prior);
    s->prior = s->truth;
    s->truth = NULL;
    for (uint32_t i = 0; i < s->hosts_next; i++) {
        struct sim_host *h = &s->hosts[i];

        h->has_left = false;
        h->has_ended = false;
        h->ranks = 1 + (uint32_t)sim_below(s, s->options.ranks);
        h->weight = 50 + (uint32_t)sim_below(s, 100);
        sim_clock_add(s->clock, (struct sim_event){.kind = SIM_START,
                                                   .node = i,
                                                   .at_us = sim_now_us(s)});
    }
}

static void sim_strike_cut(struct sim *s, const struct sim_incident *i,
                           uint64_t until_us)
{
    bool is_both = i->kind == SIM_FAULT_CUT;

    if (i->node == i->other) {
        return;
    }

    sim_say(s, i->node, "%s h%" PRIu32 " until %" PRIu64 " ms%s",
            is_both ? "is cut off from" : "does not reach", i->other,
            until_us / 1000, i->is_lossy ? ", lossy" : "");
    sim_net_cut(s->net, i->node, i->other, until_us, i->is_lossy);
    if (is_both) {
        sim_net_cut(s->net, i->other, i->node, until_us, i->is_lossy);
    }
}

static void sim_strike_store(struct sim *s, const struct sim_incident *i,
                             uint64_t until_us)
{
    if (i->kind == SIM_FAULT_STORE_AWAY) {
        sim_say(s, i->is_for_one ? i->node : SIM_NOBODY,
                "the store is away until %" PRIu64 " ms", until_us / 1000);
        sim_store_go_away(s->store, i->is_for_one ? i->node : SIM_NODES_MAX,
                          until_us);
    } else {
        sim_say(s, SIM_NOBODY, "the store is busy until %" PRIu64 " ms",
                until_us / 1000);
        sim_store_be_busy(s->store, until_us, 500 + (uint32_t)i->amount);
    }
}

/* Whom it hits. */
static uint32_t sim_strike_node(const struct sim *s,
                                const struct sim_incident *i)
{
    for (uint32_t h = 0; i->hits_leader && h < s->nodes; h++) {
        if (sim_host_acts(s, &s->hosts[h])) {
            return h;
        }
    }
    return i->node;
}

void sim_strike(struct sim *s, const struct sim_incident *incident)
{
    struct sim_incident now = *incident;
    struct sim_incident *i = &now;
    struct sim_host *h;
    uint64_t until_us = sim_now_us(s) + i->for_us;

    i->node = sim_strike_node(s, incident);
    h = &s->hosts[i->node];

    switch (i->kind) {
    case SIM_FAULT_CUT:
    case SIM_FAULT_CUT_ONE_WAY:
        sim_strike_cut(s, i, until_us);
        break;
    case SIM_FAULT_PAUSE:
        sim_strike_pause(s, h, until_us);
        break;
    case SIM_FAULT_CRASH:
    case SIM_FAULT_WIPE:
        sim_strike_crash(s, h, until_us);
        break;
    case SIM_FAULT_KILL_LEADER:
        s->kill_after = i->amount;
        break;
    case SIM_FAULT_JUMP:
        h->wall_ms += i->jump_ms;
        sim_say(s, i->node, "its wall clock jumps by %" PRId64 " ms",
                i->jump_ms);
        break;
    case SIM_FAULT_STORE_AWAY:
    case SIM_FAULT_STORE_BUSY:
        sim_strike_store(s, i, until_us);
        break;
    case SIM_FAULT_LEAVE:
        /* A job waits for hosts that never came. */
        if (s->options.model != SIM_MODEL_JOB || sim_truth_has_plan(s)) {
            sim_strike_leave(s, h);
        }
        break;
    case SIM_FAULT_RESIZE:
        sim_strike_resize(s);
        break;
    case SIM_FAULT_RANKS:
        sim_work_restart_ranks(s, h);
        break;
    case SIM_FAULT_LOSS:
    case SIM_FAULT_DELAY:
    case SIM_FAULT_REPEAT:
    case SIM_FAULT_REORDER:
    case SIM_FAULT_BREAK:
    case SIM_FAULT_DRIFT:
    case SIM_FAULT_STORE_SLOW:
    case SIM_FAULT_STORE_FAIL:
    case SIM_FAULT_STORE_LOST:
    case SIM_FAULT_STORE_LATE:
    case SIM_FAULT_STORE_STALE:
    case SIM_FAULT_STORE_STALE_LOG:
    case SIM_FAULT_STORE_SHORT:
    case SIM_FAULT_LATE:
    case SIM_FAULT_POISON:
    case SIM_FAULT_STOP:
    case SIM_FAULT_PAIR:
    case SIM_FAULTS:
        UNREACHABLE("not of a moment");
    }
}

void sim_strike_calm(struct sim *s)
{
    sim_say(s, SIM_NOBODY, "calm");
    s->is_calm = true;
    s->kill_after = s->options.kill_at == 0 ? 0 : s->kill_after;
    memset(&s->weather, 0, sizeof(s->weather));
    sim_store_calm(s->store);
    sim_net_calm(s->net);
    for (uint32_t i = 0; i < s->nodes; i++) {
        sim_clock_add(s->clock, (struct sim_event){.kind = SIM_START,
                                                   .node = i,
                                                   .at_us = sim_now_us(s)});
    }
}
