/* SPDX-License-Identifier: Apache-2.0 */
/* Who lives. Live hosts stand in a ring in the order in which they were heard
 * of; all are lost after the same time, so the first one is always the next to
 * be lost. */

#include "base/check.h"
#include "coordinator/ledger_state.h"

void ledger_time_init(struct ledger *l)
{
    l->hosts[l->host_count].older = l->host_count;
    l->hosts[l->host_count].younger = l->host_count;
}

static void ledger_ring_take(struct ledger *l, uint32_t host)
{
    struct ledger_host *h = &l->hosts[host];

    l->hosts[h->older].younger = h->younger;
    l->hosts[h->younger].older = h->older;
}

static void ledger_ring_add(struct ledger *l, uint32_t host)
{
    struct ledger_host *h = &l->hosts[host];

    h->younger = l->host_count;
    h->older = l->hosts[l->host_count].older;
    l->hosts[h->older].younger = host;
    l->hosts[l->host_count].older = host;
    h->until_ms = l->now_ms + l->lease_ms;
}

static void ledger_begin_life(struct ledger *l, uint32_t host)
{
    struct ledger_host *h = &l->hosts[host];

    h->is_live = true;
    l->live_ranks += h->rank_count;
    l->live_weight += (uint64_t)h->rank_count * h->weight;
    for (uint32_t i = 0; i < h->rank_count; i++) {
        ledger_step_enter(l, h->first_rank + i);
    }
    ledger_ring_add(l, host);
}

static void ledger_end_life(struct ledger *l, uint32_t host)
{
    struct ledger_host *h = &l->hosts[host];

    h->is_live = false;
    l->live_ranks -= h->rank_count;
    l->live_weight -= (uint64_t)h->rank_count * h->weight;
    for (uint32_t i = 0; i < h->rank_count; i++) {
        ledger_step_leave(l, h->first_rank + i);
        ledger_feed(l, h->first_rank + i);
    }
    ledger_ring_take(l, host);
}

void ledger_hear(struct ledger *l, uint32_t host, uint64_t now_ms)
{
    CHECK(host < l->host_count);
    ledger_set_now(l, now_ms);
    if (!l->hosts[host].is_live) {
        ledger_begin_life(l, host);
        return;
    }
    if (l->hosts[host].until_ms != now_ms + l->lease_ms) {
        ledger_ring_take(l, host);
        ledger_ring_add(l, host);
    }
}

static void ledger_end_host(struct ledger *l, uint32_t host)
{
    const struct ledger_host *h = &l->hosts[host];

    if (!h->is_live) {
        CHECK(h->first_lease == LEDGER_NONE);
        return;
    }
    while (h->first_lease != LEDGER_NONE) {
        ledger_do(l, &(struct ledger_entry){
                         .type = LEDGER_DROP,
                         .lease = l->slots[h->first_lease].number});
    }
    ledger_end_life(l, host);
}

void ledger_lose(struct ledger *l, uint32_t host, uint64_t now_ms)
{
    CHECK(host < l->host_count);
    ledger_set_now(l, now_ms);
    ledger_end_host(l, host);
    ledger_settle(l);
}

/* Whether a rank of @host has had something in this epoch. */
static bool ledger_has_had(const struct ledger *l, uint32_t host)
{
    const struct ledger_host *h = &l->hosts[host];
    bool has_had = false;

    for (uint32_t i = 0; i < h->rank_count; i++) {
        has_had = has_had || l->ranks[h->first_rank + i].watermark > 0;
    }
    return has_had;
}

void ledger_enter(struct ledger *l, uint32_t host, uint64_t now_ms)
{
    CHECK(host < l->host_count);
    ledger_set_now(l, now_ms);
    ledger_end_host(l, host);
    if (ledger_has_had(l, host)) {
        ledger_do(l,
                  &(struct ledger_entry){.type = LEDGER_ENTER, .rank = host});
    }
    ledger_begin_life(l, host);
    ledger_settle(l);
}

void ledger_tick(struct ledger *l, uint64_t now_ms)
{
    uint32_t oldest;

    ledger_set_now(l, now_ms);
    oldest = l->hosts[l->host_count].younger;
    while (oldest != l->host_count && l->hosts[oldest].until_ms <= now_ms) {
        ledger_end_host(l, oldest);
        oldest = l->hosts[l->host_count].younger;
    }
    ledger_settle(l);
    ledger_straggle(l);
}

uint64_t ledger_timer_ms(const struct ledger *l)
{
    uint32_t oldest = l->hosts[l->host_count].younger;
    uint64_t at = ledger_straggle_timer_ms(l);

    if (ledger_is_complete(l) && !ledger_is_over(l)) {
        return 0;
    }
    return oldest == l->host_count ? at
                                   : ledger_min(at, l->hosts[oldest].until_ms);
}

void ledger_woke(struct ledger *l, uint64_t now_ms)
{
    ledger_set_now(l, now_ms);
    for (uint32_t at = l->hosts[l->host_count].younger; at != l->host_count;
         at = l->hosts[at].younger) {
        l->hosts[at].until_ms = now_ms + l->lease_ms;
    }
}

bool ledger_is_live(const struct ledger *l, uint32_t host)
{
    return host < l->host_count && l->hosts[host].is_live;
}

/* ---- The epoch ----------------------------------------------------------- */

void ledger_base(struct ledger *l, struct range range)
{
    struct range gap = {range.first, range.first};

    CHECK(l->next_lease == 1 && l->epoch == l->first_epoch);
    CHECK(range.first <= range.end && range.end <= l->positions);
    while (ranges_next_gap(l->committed, (struct range){gap.end, range.end},
                           &gap)) {
        ledger_do(l, &(struct ledger_entry){.type = LEDGER_BASE, .range = gap});
    }
}

void ledger_stop(struct ledger *l)
{
    if (!l->is_stopping && !ledger_is_complete(l)) {
        ledger_do(l, &(struct ledger_entry){.type = LEDGER_STOP});
        ledger_settle(l);
    }
}

void ledger_resume(struct ledger *l, uint64_t now_ms)
{
    CHECK(l->live_ranks == 0);
    ledger_set_now(l, now_ms);
    for (uint32_t i = 0; i < l->host_count; i++) {
        const struct ledger_host *h = &l->hosts[i];
        bool is_due = h->first_lease != LEDGER_NONE;

        for (uint32_t k = 0; k < h->rank_count; k++) {
            const struct ledger_rank *r = &l->ranks[h->first_rank + k];

            is_due = is_due || r->had_step > l->gate_step;
            ledger_pace_begin(l, h->first_rank + k);
        }
        if (is_due) {
            ledger_begin_life(l, i);
        }
    }
}
