/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/ledger_state.h"

static void ledger_init_hosts(struct ledger *l, const struct ledger_options *o)
{
    uint32_t rank = 0;

    l->host_count = o->host_count;
    l->hosts = mem_new(o->host_count + 1, sizeof(*l->hosts));
    for (uint32_t i = 0; i < o->host_count; i++) {
        struct ledger_host *h = &l->hosts[i];

        h->first_rank = l->rank_count;
        h->rank_count = o->host_ranks[i];
        h->weight = o->host_weights[i];
        h->first_lease = LEDGER_NONE;
        h->last_lease = LEDGER_NONE;
        CHECK(h->weight > 0 && h->weight <= LEDGER_WEIGHT_MAX);
        CHECK(h->rank_count < LEDGER_NONE / 4 - l->rank_count);
        l->rank_count += h->rank_count;
    }
    l->ranks = mem_new(l->rank_count, sizeof(*l->ranks));
    for (uint32_t i = 0; i < o->host_count; i++) {
        for (uint32_t k = 0; k < o->host_ranks[i]; k++) {
            l->ranks[rank++].host = i;
        }
    }
}

static void ledger_init_shares(struct ledger *l, const uint64_t *shares)
{
    size_t bytes = ((size_t)l->rank_count + 1) * sizeof(*shares);

    if (shares == NULL) {
        return;
    }
    CHECK(l->step_units == 0);
    CHECK(shares[0] == 0 && shares[l->rank_count] == l->positions);
    for (uint32_t i = 0; i < l->rank_count; i++) {
        CHECK(shares[i] <= shares[i + 1]);
    }
    l->shares = mem_new((size_t)l->rank_count + 1, sizeof(*shares));
    memcpy(l->shares, shares, bytes);
}

struct ledger *ledger_new(const struct ledger_options *o)
{
    struct ledger *l = mem_new(1, sizeof(*l));

    CHECK(o->positions <= UINT64_MAX / 8);
    CHECK(o->first_epoch < o->epochs);
    CHECK(o->lease_ms > 0 && o->run_ms > 0);
    l->positions = o->positions;
    l->epochs = o->epochs;
    l->first_epoch = o->first_epoch;
    l->epoch = o->first_epoch;
    l->step_units = ledger_min(o->step_units, ledger_max(o->positions, 1));
    l->lease_ms = o->lease_ms;
    l->run_ms = o->run_ms;
    l->run_units = o->run_units;
    l->skips_max = ledger_min(o->skips, LEDGER_SKIPS_MAX);
    l->next_lease = 1;
    l->epoch_lease = 1;
    l->committed = ranges_new();
    l->skipped = ranges_new();
    l->taken = ranges_new();
    l->dropped = ranges_new();
    ledger_init_hosts(l, o);
    ledger_init_shares(l, o->shares);
    ledger_leases_init(l);
    ledger_time_init(l);
    ledger_step_reset(l);
    return l;
}

void ledger_destroy(struct ledger **ledger)
{
    struct ledger *l = *ledger;

    if (l == NULL) {
        return;
    }
    ranges_destroy(&l->committed);
    ranges_destroy(&l->skipped);
    ranges_destroy(&l->taken);
    ranges_destroy(&l->dropped);
    ledger_leases_fini(l);
    free(l->hosts);
    free(l->ranks);
    free(l->shares);
    free(l->entries);
    free(l);
    *ledger = NULL;
}

void ledger_set_now(struct ledger *l, uint64_t now_ms)
{
    CHECK(now_ms >= l->now_ms);
    l->now_ms = now_ms;
}

bool ledger_next_open(const struct ledger *l, struct range in,
                      struct range *out)
{
    struct range gap;

    while (ranges_next_gap(l->committed, in, &gap)) {
        if (ranges_next_gap(l->skipped, gap, out)) {
            return true;
        }
        in.first = gap.end;
    }
    return false;
}

/* ---- Looking ------------------------------------------------------------- */

uint64_t ledger_free(const struct ledger *l)
{
    return l->positions - ranges_size(l->taken);
}

uint64_t ledger_epoch(const struct ledger *l)
{
    return l->epoch;
}

bool ledger_is_complete(const struct ledger *l)
{
    return ranges_size(l->committed) + ranges_size(l->skipped) ==
               l->positions ||
           (l->is_stopping && l->lease_count == 0);
}

bool ledger_is_over(const struct ledger *l)
{
    return ledger_is_complete(l) &&
           (l->epoch + 1 == l->epochs || l->positions == 0);
}

bool ledger_is_stopping(const struct ledger *l)
{
    return l->is_stopping;
}

uint64_t ledger_gate(const struct ledger *l)
{
    return l->step_units == 0 ? l->positions
                              : ledger_step_range(l, l->gate_step).end;
}

const struct ranges *ledger_committed(const struct ledger *l)
{
    return l->committed;
}

const struct ranges *ledger_skipped(const struct ledger *l)
{
    return l->skipped;
}

uint64_t ledger_leased(const struct ledger *l)
{
    return l->leased;
}

uint64_t ledger_lease_count(const struct ledger *l)
{
    return l->lease_count;
}

struct ledger_counts ledger_counts(const struct ledger *l)
{
    return l->counts;
}

size_t ledger_memory(const struct ledger *l)
{
    return sizeof(*l) + ranges_memory(l->committed) +
           ranges_memory(l->skipped) + ranges_memory(l->taken) +
           ranges_memory(l->dropped) +
           ((size_t)l->host_count + 1) * sizeof(*l->hosts) +
           l->rank_count * sizeof(*l->ranks) +
           (l->shares == NULL ? 0 : (size_t)l->rank_count + 1) *
               sizeof(*l->shares) +
           l->slot_room * sizeof(*l->slots) +
           ((size_t)l->place_mask + 1) * sizeof(*l->places) +
           l->entry_room * sizeof(*l->entries);
}
