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
    REACH_FIRST = 16 << 20,
    REACH_TRIAL = 3, /* Times the reach is read until it is judged. */
    REACH_PAYS = 4,  /* One in so many. */
    REACH_FADES = 32,
    REACH_LOOKS = 2, /* At what there is, before it is doubled; */
    REACH_RESTS = 8, /* after what did not pay, */
    REACH_RESTS_MAX = 512,
};

void reach_init(struct mount_ahead *a)
{
    uint64_t cells = a->o.cells - plan_reserve(a);
    struct mount_reach *r = &a->reach;

    r->most = cells * a->o.cell_bytes;
    r->bytes = r->most < REACH_FIRST ? r->most : REACH_FIRST;
    r->rest = REACH_LOOKS;
    r->rests = REACH_RESTS;
}

void mount_ahead_time(struct mount_ahead *a, uint64_t now_ms)
{
    CHECK(now_ms >= a->reach.now_ms);
    a->reach.now_ms = now_ms;
}

static void reach_grow(struct mount_reach *r)
{
    r->before = r->bytes;
    r->bytes = 2 * r->bytes < r->most ? 2 * r->bytes : r->most;
}

/* The trial has come to its end with so many bytes a second. */
static void reach_judge(struct mount_reach *r, uint64_t rate)
{
    bool pays = rate >= r->rate + r->rate / REACH_PAYS;

    if (r->before > 0 && !pays) {
        r->bytes = r->before;
        r->before = 0;
        r->rest = r->rests;
        r->rests =
            2 * r->rests < REACH_RESTS_MAX ? 2 * r->rests : REACH_RESTS_MAX;
        return;
    }
    if (r->before > 0) {
        r->before = 0;
        r->rate = 0;
        r->rest = REACH_LOOKS;
    }
    r->rate -= r->rate / REACH_FADES;
    r->rate = rate > r->rate ? rate : r->rate;
    if (r->rest > 0) {
        r->rest--;
    } else if (r->bytes < r->most) {
        reach_grow(r);
    }
}

void reach_read(struct mount_ahead *a, bool has_waited)
{
    struct mount_reach *r = &a->reach;
    uint64_t bytes = a->stats.bytes - r->since_bytes;
    uint64_t took_ms = r->now_ms - r->since_ms;

    r->is_wanted = r->is_wanted || has_waited;
    if (bytes < REACH_TRIAL * r->bytes) {
        return;
    }
    if (r->is_wanted) {
        /* Without a clock everything pays. */
        reach_judge(r, took_ms > 0 ? bytes * 1000 / took_ms : r->rate * 2);
    }
    r->is_wanted = false;
    r->since_bytes = a->stats.bytes;
    r->since_ms = r->now_ms;
}

uint64_t reach_each(const struct mount_ahead *a, uint32_t readers)
{
    return a->reach.bytes / (readers > 0 ? readers : 1);
}

/* Cells with memory behind them; beside what is ahead there is what is being
 * read, and what others may come back to. */
uint64_t reach_cells(const struct mount_ahead *a)
{
    return MOUNT_CELLS_MIN + 2 * a->reach.bytes / a->o.cell_bytes;
}
