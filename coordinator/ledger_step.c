/* SPDX-License-Identifier: Apache-2.0 */
/* Steps: the gate's and the one after it are dealt. Of each it is counted how
 * much is free, and how many live ranks have had their part; so a part is
 * worked out without a look at the ranks.
 *
 * A rank's part is the free positions over the ranks that wait for theirs,
 * rounded up: the first ones get one more than the last. It is no more than
 * an equal part of the whole step, so that what a lost host leaves behind goes
 * to all and not to those who come last. Where a part is scattered or cut
 * short by what the rank asked for, the rest is kept for it (owed). */

#include "base/check.h"
#include "coordinator/ledger_state.h"

struct range ledger_step_range(const struct ledger *l, uint64_t step)
{
    uint64_t first = ledger_min(step * l->step_units, l->positions);

    return (struct range){first,
                          ledger_min(first + l->step_units, l->positions)};
}

static uint64_t ledger_step_length(const struct ledger *l, uint64_t step)
{
    return ledger_length(ledger_step_range(l, step));
}

/* Count anew what is free and done of the step at window place @i. */
static void ledger_step_recount(struct ledger *l, unsigned i)
{
    struct range range = ledger_step_range(l, l->gate_step + i);

    l->steps[i].free = ledger_length(range) - ranges_count_in(l->taken, range);
    l->steps[i].done = ranges_count_in(l->committed, range) +
                       ranges_count_in(l->skipped, range);
}

static uint64_t ledger_step_count(const struct ledger *l)
{
    return (l->positions + l->step_units - 1) / l->step_units;
}

/* The step of the first open position from @from on; or behind the last. */
static uint64_t ledger_step_first_open(const struct ledger *l, uint64_t from)
{
    struct range open;

    if (!ledger_next_open(l, (struct range){from, l->positions}, &open)) {
        return ledger_step_count(l);
    }
    return open.first / l->step_units;
}

/* Let the gate go on to the next step that is not all done. Nobody can have
 * had a part of a step that was not dealt so far. */
static void ledger_step_advance(struct ledger *l)
{
    uint64_t end = ledger_step_range(l, l->gate_step).end;
    uint64_t next = ledger_step_first_open(l, end);
    uint64_t by = next - l->gate_step;

    CHECK(by > 0 && l->steps[0].owed == 0);
    l->gate_step = next;
    for (unsigned i = 0; i < LEDGER_STEPS; i++) {
        if (i + by < LEDGER_STEPS) {
            l->steps[i] = l->steps[i + by];
        } else {
            l->steps[i] = (struct ledger_step){0};
            ledger_step_recount(l, i);
        }
    }
}

void ledger_step_reset(struct ledger *l)
{
    if (l->step_units == 0) {
        return;
    }
    l->gate_step = ledger_step_first_open(l, 0);
    for (unsigned i = 0; i < LEDGER_STEPS; i++) {
        l->steps[i] = (struct ledger_step){0};
        ledger_step_recount(l, i);
    }
}

/* How much of @range is in the step at window place @i. */
static uint64_t ledger_step_share(const struct ledger *l, unsigned i,
                                  struct range range)
{
    return ledger_length(
        ledger_common(ledger_step_range(l, l->gate_step + i), range));
}

void ledger_step_taken(struct ledger *l, struct range range)
{
    for (unsigned i = 0; l->step_units > 0 && i < LEDGER_STEPS; i++) {
        l->steps[i].free -= ledger_step_share(l, i, range);
    }
}

void ledger_step_freed(struct ledger *l, struct range range)
{
    for (unsigned i = 0; l->step_units > 0 && i < LEDGER_STEPS; i++) {
        l->steps[i].free += ledger_step_share(l, i, range);
    }
}

void ledger_step_done(struct ledger *l, struct range range)
{
    if (l->step_units == 0) {
        return;
    }
    for (unsigned i = 0; i < LEDGER_STEPS; i++) {
        l->steps[i].done += ledger_step_share(l, i, range);
    }
    if (l->steps[0].done == ledger_step_length(l, l->gate_step)) {
        ledger_step_advance(l);
    }
}

void ledger_step_granted(struct ledger *l, uint32_t rank, struct range range)
{
    struct ledger_rank *r = &l->ranks[rank];
    uint64_t had;

    if (l->step_units == 0) {
        return;
    }
    had = range.first / l->step_units + 1;
    for (unsigned i = 0; l->hosts[r->host].is_live && i < LEDGER_STEPS; i++) {
        uint64_t step = l->gate_step + i;

        l->steps[i].had += r->had_step <= step && step < had;
    }
    r->had_step = ledger_max(r->had_step, had);
}

void ledger_step_enter(struct ledger *l, uint32_t rank)
{
    for (unsigned i = 0; l->step_units > 0 && i < LEDGER_STEPS; i++) {
        l->steps[i].had += l->ranks[rank].had_step > l->gate_step + i;
    }
}

void ledger_step_leave(struct ledger *l, uint32_t rank)
{
    ledger_step_owe(l, rank, 0);
    for (unsigned i = 0; l->step_units > 0 && i < LEDGER_STEPS; i++) {
        l->steps[i].had -= l->ranks[rank].had_step > l->gate_step + i;
    }
}

void ledger_step_owe(struct ledger *l, uint32_t rank, uint64_t owed)
{
    struct ledger_rank *r = &l->ranks[rank];
    struct ledger_step *step;

    if (r->owed == owed) {
        return;
    }
    CHECK(r->had_step > l->gate_step);
    CHECK(r->had_step <= l->gate_step + LEDGER_STEPS);
    step = &l->steps[r->had_step - 1 - l->gate_step];
    step->owed = step->owed - r->owed + owed;
    r->owed = owed;
}

/* ---- Choosing ------------------------------------------------------------ */

static uint64_t ledger_divide_up(uint64_t a, uint64_t by)
{
    return a / by + (a % by > 0);
}

/* How much of the step at window place @i is @rank's next lease to be; it may
 * be scattered. *@is_part: it is its part, or the rest of that. */
static uint64_t ledger_step_due(const struct ledger *l, unsigned i,
                                uint32_t rank, bool *is_part)
{
    const struct ledger_rank *r = &l->ranks[rank];
    const struct ledger_step *s = &l->steps[i];
    uint64_t step = l->gate_step + i;
    uint64_t spare = s->free - s->owed;
    uint64_t waiting = l->live_ranks - s->had;

    *is_part = true;
    if (r->had_step <= step) {
        return ledger_min(
            ledger_divide_up(spare, waiting),
            ledger_divide_up(ledger_step_length(l, step), l->live_ranks));
    }
    if (r->had_step == step + 1 && r->owed > 0) {
        return r->owed;
    }
    *is_part = false;
    return waiting > 0 ? 0 : ledger_divide_up(spare, l->live_ranks);
}

bool ledger_step_pick(const struct ledger *l, uint32_t rank, uint64_t most,
                      struct ledger_part *out)
{
    for (unsigned i = 0; i < LEDGER_STEPS; i++) {
        bool is_part;
        uint64_t due = ledger_step_due(l, i, rank, &is_part);
        uint64_t length;

        if (due == 0) {
            continue;
        }
        if (!ranges_next_gap(l->taken, ledger_step_range(l, l->gate_step + i),
                             &out->range)) {
            UNREACHABLE("a step has something free that is not there");
        }
        length = ledger_min(ledger_min(due, most), ledger_length(out->range));
        out->range.end = out->range.first + length;
        out->owed = is_part ? due - length : l->ranks[rank].owed;
        return true;
    }
    return false;
}
