/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "coordinator/ledger_state.h"

static void ledger_check_lease(const struct ledger *l,
                               const struct ledger_held *held)
{
    struct range tail = {held->top, held->range.end};
    uint64_t done = ranges_count_in(l->committed, held->range) +
                    ranges_count_in(l->skipped, held->range);

    CHECK(held->number >= l->epoch_lease && held->number < l->next_lease);
    CHECK(ledger_held(l, held->number) == held);
    CHECK(!ranges_has(l->dropped, held->number));
    CHECK(held->range.first < held->range.end);
    CHECK(held->range.end <= l->positions);
    CHECK(held->left > 0 && held->left == ledger_length(held->range) - done);
    CHECK(ranges_count_in(l->taken, held->range) == ledger_length(held->range));
    CHECK(held->top >= held->range.first && held->top <= held->range.end);
    CHECK(ranges_count_in(l->committed, tail) == 0);
    CHECK(ranges_count_in(l->skipped, tail) == 0);
    CHECK(held->want_end > held->range.first);
    CHECK(held->want_end <= held->range.end);
    CHECK(held->range.end <= l->ranks[held->rank].watermark);
    CHECK(ledger_allows_run(l, held->rank, held->range));
}

/* Count a host's leases, and those of its ranks. */
static uint32_t ledger_check_host(const struct ledger *l, uint32_t host,
                                  struct ranges *spans)
{
    const struct ledger_host *h = &l->hosts[host];
    const struct ledger_held *held;
    uint32_t previous = LEDGER_NONE;
    uint32_t count = 0;
    uint32_t counted = 0;

    for (uint32_t slot = h->first_lease; slot != LEDGER_NONE;
         slot = held->next) {
        held = &l->slots[slot];
        CHECK(held->previous == previous);
        CHECK_IMPLIES(previous != LEDGER_NONE,
                      l->slots[previous].number < held->number);
        CHECK(l->ranks[held->rank].host == host);
        ledger_check_lease(l, held);
        CHECK(ranges_add(spans, held->range) == ledger_length(held->range));
        previous = slot;
        count++;
    }
    CHECK(h->last_lease == previous);
    for (uint32_t i = 0; i < h->rank_count; i++) {
        const struct ledger_rank *r = &l->ranks[h->first_rank + i];

        CHECK(r->host == host);
        CHECK(r->lease_count <= LEDGER_RANK_LEASES_MAX);
        CHECK_IMPLIES(r->is_hungry, h->is_live && r->lease_count == 0);
        CHECK_IMPLIES(r->owed > 0, h->is_live);
        counted += r->lease_count;
    }
    CHECK(count == counted);
    return count;
}

static void ledger_check_hosts(const struct ledger *l)
{
    struct ranges *spans = ranges_new();
    uint32_t leases = 0;
    uint64_t hungry = 0;

    for (uint32_t i = 0; i < l->host_count; i++) {
        leases += ledger_check_host(l, i, spans);
    }
    for (uint32_t i = 0; i < l->rank_count; i++) {
        hungry += l->ranks[i].is_hungry;
    }
    CHECK(leases == l->lease_count);
    CHECK(hungry == l->hungry);
    CHECK(ranges_size(spans) >= l->leased);
    ranges_destroy(&spans);
}

/* The ring holds just the live hosts, the one heard of longest ago first. */
static void ledger_check_ring(const struct ledger *l)
{
    uint32_t previous = l->host_count;
    uint64_t until_ms = 0;
    uint64_t ranks = 0;
    uint64_t weight = 0;
    uint32_t live = 0;

    for (uint32_t i = l->hosts[l->host_count].younger; i != l->host_count;
         i = l->hosts[i].younger) {
        const struct ledger_host *h = &l->hosts[i];

        CHECK(h->is_live && h->older == previous);
        CHECK(h->until_ms >= until_ms);
        CHECK(h->until_ms <= l->now_ms + l->lease_ms);
        until_ms = h->until_ms;
        ranks += h->rank_count;
        weight += (uint64_t)h->rank_count * h->weight;
        previous = i;
        live++;
    }
    CHECK(l->hosts[l->host_count].older == previous);
    CHECK(ranks == l->live_ranks && weight == l->live_weight);
    for (uint32_t i = 0; i < l->host_count; i++) {
        live -= l->hosts[i].is_live;
    }
    CHECK(live == 0);
}

static void ledger_check_step(const struct ledger *l, unsigned i)
{
    const struct ledger_step *s = &l->steps[i];
    struct range range = ledger_step_range(l, l->gate_step + i);
    struct ledger_step want = {0};

    want.free = ledger_length(range) - ranges_count_in(l->taken, range);
    want.done = ranges_count_in(l->committed, range) +
                ranges_count_in(l->skipped, range);
    for (uint32_t rank = 0; rank < l->rank_count; rank++) {
        const struct ledger_rank *r = &l->ranks[rank];

        CHECK(r->had_step <= l->gate_step + LEDGER_STEPS);
        if (l->hosts[r->host].is_live) {
            want.had += r->had_step > l->gate_step + i;
            want.owed += r->had_step == l->gate_step + i + 1 ? r->owed : 0;
        }
    }
    CHECK(s->free == want.free && s->done == want.done);
    CHECK(s->had == want.had && s->owed == want.owed);
    CHECK(s->owed <= s->free);
    CHECK_IMPLIES(i == 0 && ledger_length(range) > 0,
                  s->done < ledger_length(range));
}

void ledger_check(const struct ledger *l)
{
    uint64_t done = ranges_size(l->committed) + ranges_size(l->skipped);
    struct range range;

    ranges_check(l->committed);
    ranges_check(l->skipped);
    ranges_check(l->taken);
    ranges_check(l->dropped);
    CHECK(l->epoch >= l->first_epoch && l->epoch < l->epochs);
    CHECK(ranges_size(l->taken) == done + l->leased);
    CHECK(ranges_size(l->taken) <= l->positions);
    CHECK(l->skips_used <= LEDGER_SKIPS_MAX);
    CHECK(ranges_size(l->skipped) <= l->skips_used);
    for (uint64_t at = 0; ranges_next(l->committed, at, &range);
         at = range.end) {
        CHECK(range.end <= l->positions);
        CHECK(ranges_count_in(l->skipped, range) == 0);
        CHECK(ranges_count_in(l->taken, range) == ledger_length(range));
    }
    CHECK(l->counts.grants == l->next_lease - 1);
    ledger_leases_check(l);
    ledger_check_hosts(l);
    ledger_check_ring(l);
    for (unsigned i = 0; l->step_units > 0 && i < LEDGER_STEPS; i++) {
        ledger_check_step(l, i);
    }
}
