/* SPDX-License-Identifier: Apache-2.0 */
/* What each entry changes, and when it is allowed. Deciding and replaying go
 * through the same changes. */

#include <inttypes.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/ledger_state.h"

enum { LEDGER_ENTRIES_MIN = 64 };

/* ---- Changes ------------------------------------------------------------- */

static void ledger_take(struct ledger *l, struct range range)
{
    CHECK(ranges_add(l->taken, range) == ledger_length(range));
    ledger_step_taken(l, range);
}

static void ledger_release(struct ledger *l, struct ledger_held *held,
                           struct range range)
{
    CHECK(ranges_remove(l->taken, range) == ledger_length(range));
    ledger_step_freed(l, range);
    held->left -= ledger_length(range);
    l->leased -= ledger_length(range);
}

/* @range of @held was committed or skipped. */
static void ledger_close(struct ledger *l, struct ledger_held *held,
                         struct range range)
{
    uint64_t units = ledger_length(range);

    held->left -= units;
    held->top = ledger_max(held->top, range.end);
    l->leased -= units;
    if (held->left == 0) {
        ledger_unhold(l, held);
    }
    ledger_step_done(l, range);
}

static void ledger_change_grant(struct ledger *l, const struct ledger_entry *e)
{
    struct ledger_rank *rank = &l->ranks[e->rank];
    struct ledger_held *held = ledger_hold(l, e->lease, e->rank);

    held->range = e->range;
    held->left = ledger_length(e->range);
    held->top = e->range.first;
    held->want_end = e->range.end;
    held->is_late = e->range.first < rank->watermark;
    rank->watermark = ledger_max(rank->watermark, e->range.end);
    l->next_lease++;
    l->leased += held->left;
    l->counts.grants++;
    l->counts.late += held->is_late;
    ledger_take(l, e->range);
    ledger_step_granted(l, e->rank, e->range);
}

static void ledger_change_commit(struct ledger *l, const struct ledger_entry *e)
{
    CHECK(ranges_add(l->committed, e->range) == ledger_length(e->range));
    l->counts.commits += ledger_length(e->range);
    ledger_close(l, ledger_held(l, e->lease), e->range);
}

static void ledger_change_skip(struct ledger *l, const struct ledger_entry *e)
{
    CHECK(ranges_add(l->skipped, e->range) == 1);
    l->skips_used++;
    ledger_close(l, ledger_held(l, e->lease), e->range);
}

static void ledger_end_dropped(struct ledger *l, struct ledger_held *held)
{
    ranges_add(l->dropped, (struct range){held->number, held->number + 1});
    ledger_unhold(l, held);
}

static void ledger_change_cut(struct ledger *l, const struct ledger_entry *e)
{
    struct ledger_held *held = ledger_held(l, e->lease);

    ledger_release(l, held, e->range);
    held->range.end = e->range.first;
    held->want_end = e->range.first;
    l->counts.cuts++;
    if (ledger_length(held->range) == 0) {
        ledger_end_dropped(l, held);
    } else if (held->left == 0) {
        ledger_unhold(l, held);
    }
}

static void ledger_change_drop(struct ledger *l, const struct ledger_entry *e)
{
    struct ledger_held *held = ledger_held(l, e->lease);
    struct range open = {held->range.first, held->range.first};

    while (
        ledger_next_open(l, (struct range){open.end, held->range.end}, &open)) {
        ledger_release(l, held, open);
    }
    CHECK(held->left == 0);
    l->counts.drops++;
    ledger_end_dropped(l, held);
}

static void ledger_change_base(struct ledger *l, const struct ledger_entry *e)
{
    CHECK(ranges_add(l->committed, e->range) == ledger_length(e->range));
    ledger_take(l, e->range);
    ledger_step_done(l, e->range);
}

static void ledger_change_enter(struct ledger *l, const struct ledger_entry *e)
{
    const struct ledger_host *h = &l->hosts[e->rank];

    CHECK(!h->is_live);
    for (uint32_t i = 0; i < h->rank_count; i++) {
        l->ranks[h->first_rank + i] = (struct ledger_rank){.host = e->rank};
    }
}

static void ledger_change_stop(struct ledger *l, const struct ledger_entry *e)
{
    (void)e;
    l->is_stopping = true;
}

static void ledger_change_epoch(struct ledger *l, const struct ledger_entry *e)
{
    (void)e;
    CHECK(l->lease_count == 0 && l->leased == 0);
    l->epoch++;
    l->is_stopping = false;
    l->epoch_lease = l->next_lease;
    ranges_clear(l->committed);
    ranges_clear(l->skipped);
    ranges_clear(l->taken);
    for (uint32_t i = 0; i < l->rank_count; i++) {
        l->ranks[i].watermark = 0;
        l->ranks[i].had_step = 0;
        l->ranks[i].owed = 0;
        l->ranks[i].is_hungry = false;
    }
    l->hungry = 0;
    ledger_step_reset(l);
}

/* ---- What is allowed ----------------------------------------------------- */

static bool ledger_is_run(const struct ledger *l, struct range range)
{
    return range.first < range.end && range.end <= l->positions;
}

static bool ledger_is_inside(struct range in, struct range range)
{
    return range.first < range.end && range.first >= in.first &&
           range.end <= in.end;
}

bool ledger_allows_run(const struct ledger *l, uint32_t rank,
                       struct range range)
{
    uint64_t step;

    if (l->shares != NULL) {
        return range.first >= l->shares[rank] &&
               range.end <= l->shares[rank + 1];
    }
    if (l->step_units == 0) {
        return true;
    }
    step = range.first / l->step_units;
    return step < l->gate_step + LEDGER_STEPS &&
           range.end <= ledger_step_range(l, step).end;
}

static bool ledger_allows_grant(const struct ledger *l,
                                const struct ledger_entry *e)
{
    return e->lease == l->next_lease && e->rank < l->rank_count &&
           l->ranks[e->rank].lease_count < LEDGER_RANK_LEASES_MAX &&
           !l->is_stopping && ledger_is_run(l, e->range) &&
           ranges_count_in(l->taken, e->range) == 0 &&
           ledger_allows_run(l, e->rank, e->range);
}

static bool ledger_allows_commit(const struct ledger *l,
                                 const struct ledger_entry *e)
{
    const struct ledger_held *held = ledger_held(l, e->lease);

    return held != NULL && ledger_is_inside(held->range, e->range) &&
           ranges_count_in(l->committed, e->range) == 0 &&
           ranges_count_in(l->skipped, e->range) == 0;
}

static bool ledger_allows_skip(const struct ledger *l,
                               const struct ledger_entry *e)
{
    return ledger_allows_commit(l, e) && ledger_length(e->range) == 1 &&
           l->skips_used < LEDGER_SKIPS_MAX;
}

static bool ledger_allows_cut(const struct ledger *l,
                              const struct ledger_entry *e)
{
    const struct ledger_held *held = ledger_held(l, e->lease);

    return held != NULL && ledger_is_inside(held->range, e->range) &&
           e->range.end == held->range.end && e->range.first >= held->top;
}

static bool ledger_allows_drop(const struct ledger *l,
                               const struct ledger_entry *e)
{
    return ledger_held(l, e->lease) != NULL;
}

static bool ledger_allows_base(const struct ledger *l,
                               const struct ledger_entry *e)
{
    return l->next_lease == 1 && l->epoch == l->first_epoch &&
           !l->is_stopping && ledger_is_run(l, e->range) &&
           ranges_count_in(l->committed, e->range) == 0;
}

static bool ledger_allows_enter(const struct ledger *l,
                                const struct ledger_entry *e)
{
    return e->rank < l->host_count &&
           l->hosts[e->rank].first_lease == LEDGER_NONE;
}

static bool ledger_allows_stop(const struct ledger *l,
                               const struct ledger_entry *e)
{
    (void)e;
    return !l->is_stopping;
}

static bool ledger_allows_epoch(const struct ledger *l,
                                const struct ledger_entry *e)
{
    (void)e;
    return ledger_is_complete(l) && !ledger_is_over(l);
}

static const struct {
    bool (*is_allowed)(const struct ledger *l, const struct ledger_entry *e);
    void (*change)(struct ledger *l, const struct ledger_entry *e);
} ledger_rules[LEDGER_ENTRY_TYPES] = {
    [LEDGER_GRANT] = {ledger_allows_grant, ledger_change_grant},
    [LEDGER_COMMIT] = {ledger_allows_commit, ledger_change_commit},
    [LEDGER_CUT] = {ledger_allows_cut, ledger_change_cut},
    [LEDGER_DROP] = {ledger_allows_drop, ledger_change_drop},
    [LEDGER_SKIP] = {ledger_allows_skip, ledger_change_skip},
    [LEDGER_BASE] = {ledger_allows_base, ledger_change_base},
    [LEDGER_ENTER] = {ledger_allows_enter, ledger_change_enter},
    [LEDGER_STOP] = {ledger_allows_stop, ledger_change_stop},
    [LEDGER_EPOCH] = {ledger_allows_epoch, ledger_change_epoch},
};

/* ---- Entries ------------------------------------------------------------- */

void ledger_do(struct ledger *l, const struct ledger_entry *entry)
{
    if (l->entry_count == l->entry_room) {
        l->entry_room =
            l->entry_room == 0 ? LEDGER_ENTRIES_MIN : l->entry_room * 2;
        l->entries = mem_grow(l->entries, l->entry_room, sizeof(*l->entries));
    }
    l->entries[l->entry_count++] = *entry;
    ledger_rules[entry->type].change(l, entry);
}

void ledger_settle(struct ledger *l)
{
    if (ledger_is_complete(l) && !ledger_is_over(l)) {
        ledger_do(l, &(struct ledger_entry){.type = LEDGER_EPOCH});
    }
}

const struct ledger_entry *ledger_take_entries(struct ledger *l, size_t *count)
{
    *count = l->entry_count;
    l->entry_count = 0;
    return l->entries;
}

enum status ledger_apply(struct ledger *l, const struct ledger_entry *entry,
                         struct fault *why)
{
    CHECK(l->live_ranks == 0);
    if (entry->type == 0 || entry->type >= LEDGER_ENTRY_TYPES ||
        !ledger_rules[entry->type].is_allowed(l, entry)) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s of lease %" PRIu64 ", rank %" PRIu32
                         ", positions %" PRIu64 "-%" PRIu64
                         " does not follow from the ledger before it",
                         ledger_entry_name(entry->type), entry->lease,
                         entry->rank, entry->range.first, entry->range.end);
    }
    ledger_rules[entry->type].change(l, entry);
    return STATUS_OK;
}
