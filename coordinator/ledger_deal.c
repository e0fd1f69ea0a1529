/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "coordinator/ledger_state.h"

/* Dynamic: the next free run above all that the rank had, so that each rank's
 * sequence follows the order; or else the first one that there is. */
static bool ledger_pick_dynamic(const struct ledger *l, uint32_t rank,
                                uint64_t most, struct range *out)
{
    struct range above = {l->ranks[rank].watermark, l->positions};
    struct range all = {0, l->positions};

    if (!ranges_next_gap(l->taken, above, out) &&
        !ranges_next_gap(l->taken, all, out)) {
        return false;
    }
    most = ledger_min(most, ledger_pace_run(l, rank));
    out->end =
        ledger_min(out->end, out->first + ledger_min(most, l->positions));
    return true;
}

static bool ledger_pick_static(const struct ledger *l, uint32_t rank,
                               uint64_t most, struct range *out)
{
    struct range share = {l->shares[rank], l->shares[rank + 1]};

    if (!ranges_next_gap(l->taken, share, out)) {
        return false;
    }
    out->end =
        ledger_min(out->end, out->first + ledger_min(most, l->positions));
    return true;
}

static bool ledger_pick(const struct ledger *l, uint32_t rank, uint64_t most,
                        struct ledger_part *out)
{
    out->owed = 0;
    if (l->shares != NULL) {
        return ledger_pick_static(l, rank, most, &out->range);
    }
    if (l->step_units > 0) {
        return ledger_step_pick(l, rank, most, out);
    }
    return ledger_pick_dynamic(l, rank, most, &out->range);
}

/* Whether this epoch has nothing more for @rank, whatever happens. What others
 * hold may come back, so the end of one's own share is an end only there. */
static bool ledger_is_done(const struct ledger *l, uint32_t rank)
{
    struct range open;

    if (l->is_stopping || ledger_is_complete(l)) {
        return true;
    }
    return l->shares != NULL &&
           !ledger_next_open(
               l, (struct range){l->shares[rank], l->shares[rank + 1]}, &open);
}

enum status ledger_want(struct ledger *l, const struct ledger_want *want,
                        struct ledger_lease *out)
{
    uint64_t most = want->units == 0 ? UINT64_MAX : want->units;
    struct ledger_part part;

    ledger_set_now(l, want->now_ms);
    if (want->rank >= l->rank_count ||
        !l->hosts[l->ranks[want->rank].host].is_live) {
        return STATUS_INVALID;
    }
    ledger_settle(l);
    if (ledger_is_done(l, want->rank)) {
        return STATUS_STOPPED;
    }
    if (l->ranks[want->rank].lease_count == LEDGER_RANK_LEASES_MAX) {
        return STATUS_FULL;
    }
    if (ledger_yields(l, want->rank) ||
        !ledger_pick(l, want->rank, most, &part)) {
        ledger_starve(l, want->rank);
        return STATUS_EMPTY;
    }
    ledger_do(l, &(struct ledger_entry){.type = LEDGER_GRANT,
                                        .lease = l->next_lease,
                                        .rank = want->rank,
                                        .range = part.range});
    ledger_feed(l, want->rank);
    ledger_step_owe(l, want->rank, part.owed);
    CHECK(ledger_find_lease(l, l->next_lease - 1, out));
    return STATUS_OK;
}
