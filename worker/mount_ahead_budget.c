/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory pays. Readers that outrun the store wait whatever lies
 * ahead of them, so that waiting alone is no reason for more: twice the memory
 * is tried, and kept where more is read by a quarter than at best before: a
 * store that is far away brings twice as much, and a busy machine is not to be
 * taken for one. What does not pay is tried again, at longer and longer
 * intervals. */
#include "base/check.h"
#include "worker/mount_ahead_state.h"

enum {
    BUDGET_FIRST = 16 << 20,
    BUDGET_TRIAL = 3, /* Budgets that are read until it is judged. */
    BUDGET_PAYS = 4,  /* One in so many. */
    BUDGET_FADES = 32,
    BUDGET_LOOKS = 2, /* At what there is, before it is doubled; */
    BUDGET_RESTS = 8, /* after what did not pay, */
    BUDGET_RESTS_MAX = 512,
};

void budget_init(struct mount_ahead *a)
{
    uint64_t cells = a->o.cells - plan_reserve(a);
    struct mount_budget *b = &a->budget;

    b->most = cells * a->o.cell_bytes;
    b->bytes = b->most < BUDGET_FIRST ? b->most : BUDGET_FIRST;
    b->rest = BUDGET_LOOKS;
    b->rests = BUDGET_RESTS;
}

void mount_ahead_time(struct mount_ahead *a, uint64_t now_ms)
{
    CHECK(now_ms >= a->budget.now_ms);
    a->budget.now_ms = now_ms;
}

static void budget_grow(struct mount_budget *b)
{
    b->before = b->bytes;
    b->bytes = 2 * b->bytes < b->most ? 2 * b->bytes : b->most;
}

/* The trial has come to its end with so many bytes a second. */
static void budget_judge(struct mount_budget *b, uint64_t rate)
{
    bool pays = rate >= b->rate + b->rate / BUDGET_PAYS;

    if (b->before > 0 && !pays) {
        b->bytes = b->before;
        b->before = 0;
        b->rest = b->rests;
        b->rests =
            2 * b->rests < BUDGET_RESTS_MAX ? 2 * b->rests : BUDGET_RESTS_MAX;
        return;
    }
    if (b->before > 0) {
        b->before = 0;
        b->rate = 0;
        b->rest = BUDGET_LOOKS;
    }
    b->rate -= b->rate / BUDGET_FADES;
    b->rate = rate > b->rate ? rate : b->rate;
    if (b->rest > 0) {
        b->rest--;
    } else if (b->bytes < b->most) {
        budget_grow(b);
    }
}

void budget_read(struct mount_ahead *a, bool has_waited)
{
    struct mount_budget *b = &a->budget;
    uint64_t bytes = a->stats.bytes - b->since_bytes;
    uint64_t took_ms = b->now_ms - b->since_ms;

    b->is_wanted = b->is_wanted || has_waited;
    if (bytes < BUDGET_TRIAL * b->bytes) {
        return;
    }
    if (b->is_wanted) {
        /* Without a clock everything pays. */
        budget_judge(b, took_ms > 0 ? bytes * 1000 / took_ms : b->rate * 2);
    }
    b->is_wanted = false;
    b->since_bytes = a->stats.bytes;
    b->since_ms = b->now_ms;
}

uint64_t budget_each(const struct mount_ahead *a, uint32_t readers)
{
    return a->budget.bytes / (readers > 0 ? readers : 1);
}

/* Cells with memory behind them; beside what is ahead there is what is being
 * read, and what others may come back to. */
uint64_t budget_cells(const struct mount_ahead *a)
{
    return MOUNT_CELLS_MIN + 2 * a->budget.bytes / a->o.cell_bytes;
}
