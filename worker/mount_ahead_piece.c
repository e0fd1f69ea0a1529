/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for a piece goes over all of them: at most 1024, in practice about a
 * hundred, in a row in memory. */
#include "base/check.h"
#include "worker/mount_ahead_state.h"

uint32_t piece_cell(const struct mount_ahead *a, const struct mount_piece *p)
{
    return (uint32_t)(p - a->pieces);
}

static bool piece_is_there(const struct mount_piece *p)
{
    return p->state == PIECE_FETCHING || p->state == PIECE_READY;
}

struct mount_piece *piece_find(const struct mount_ahead *a, uint64_t object,
                               uint64_t at)
{
    for (uint32_t i = 0; i < a->o.cells; i++) {
        struct mount_piece *p = &a->pieces[i];

        if (p->object == object && at >= p->from && at - p->from < p->size &&
            piece_is_there(p)) {
            return p;
        }
    }
    return NULL;
}

uint64_t piece_next(const struct mount_ahead *a, uint64_t object, uint64_t at,
                    uint64_t end)
{
    for (uint32_t i = 0; i < a->o.cells; i++) {
        const struct mount_piece *p = &a->pieces[i];

        if (p->object == object && p->from > at && p->from < end &&
            piece_is_there(p)) {
            end = p->from;
        }
    }
    return end;
}

static bool piece_makes_room(const struct mount_piece *p, bool is_ahead)
{
    return p->state == PIECE_FREE || (p->state == PIECE_READY && p->pins == 0 &&
                                      !(is_ahead && p->is_ahead));
}

uint32_t piece_count_free(const struct mount_ahead *a)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < a->o.cells; i++) {
        count += piece_makes_room(&a->pieces[i], false);
    }
    return count;
}

/* Its memory was never used, and enough of it was. */
static bool piece_is_spare(const struct mount_ahead *a,
                           const struct mount_piece *p)
{
    return p->state == PIECE_FREE && !p->is_warm && a->warm >= reach_cells(a);
}

/* What was read is in the system's page cache, and of no use here; but its
 * memory is still in the processor's. */
static bool piece_is_spent(const struct mount_piece *p)
{
    return p->state == PIECE_READY && p->served >= p->size;
}

static uint32_t piece_rank(const struct mount_ahead *a,
                           const struct mount_piece *p)
{
    return piece_is_spent(p)        ? 0
           : piece_is_spare(a, p)   ? 3
           : p->state == PIECE_FREE ? 1
           : !p->is_ahead           ? 2
                                    : 4;
}

/* Which of the two is to go. */
static bool piece_goes_before(const struct mount_ahead *a,
                              const struct mount_piece *p,
                              const struct mount_piece *q)
{
    uint32_t rank = piece_rank(a, p);

    if (rank != piece_rank(a, q)) {
        return rank < piece_rank(a, q);
    }
    if (p->state == PIECE_FREE) {
        return p->is_warm && !q->is_warm;
    }
    /* Of what is kept for later, the one fetched last is needed last. */
    return piece_is_spent(p) || p->is_ahead ? p->used_at > q->used_at
                                            : p->used_at < q->used_at;
}

struct mount_piece *piece_take(struct mount_ahead *a, bool is_ahead)
{
    struct mount_piece *best = NULL;

    for (uint32_t i = 0; i < a->o.cells; i++) {
        struct mount_piece *p = &a->pieces[i];

        if (piece_makes_room(p, is_ahead) &&
            (best == NULL || piece_goes_before(a, p, best))) {
            best = p;
        }
    }
    if (best != NULL && best->state != PIECE_FREE) {
        piece_free(a, best);
    }
    return best;
}

/* ---- acts ---------------------------------------------------------------- */

static void piece_add_act(struct mount_ahead *a, struct mount_piece *p,
                          enum mount_act_kind kind)
{
    uint32_t cell = piece_cell(a, p);

    if (p->act == MOUNT_ACT_NONE) {
        p->next_act = PIECE_NONE;
        if (a->first_act == PIECE_NONE) {
            a->first_act = cell;
        } else {
            a->pieces[a->last_act].next_act = cell;
        }
        a->last_act = cell;
        p->act = kind;
    } else if (kind == MOUNT_ACT_CANCEL && p->act == MOUNT_ACT_HURRY) {
        p->act = kind;
    }
    /* A fetch that was not begun yet is begun as it is now wanted. */
}

bool mount_ahead_act(struct mount_ahead *a, struct mount_act *out)
{
    struct mount_piece *p;

    if (a->first_act == PIECE_NONE) {
        return false;
    }
    p = &a->pieces[a->first_act];
    *out = (struct mount_act){
        .kind = p->act,
        .cell = a->first_act,
        .object = p->object,
        .from = p->from,
        .size = p->size,
        .is_whole = p->is_whole,
        .due_in_ms = p->due_in_ms,
    };
    a->first_act = p->next_act;
    p->act = MOUNT_ACT_NONE;
    CHECK(p->state == PIECE_FETCHING);
    return true;
}

/* ---- a piece's life ------------------------------------------------------ */

void piece_set_ahead(struct mount_ahead *a, struct mount_piece *p,
                     bool is_ahead)
{
    a->is_order_due = a->is_order_due || (p->is_ahead && !is_ahead);
    a->ahead += is_ahead;
    a->ahead -= p->is_ahead;
    p->is_ahead = is_ahead;
}

void piece_free(struct mount_ahead *a, struct mount_piece *p)
{
    CHECK(p->pins == 0 && p->act == MOUNT_ACT_NONE);
    CHECK(p->state != PIECE_FREE && p->state != PIECE_FETCHING);
    if (p->state == PIECE_READY && p->served < p->size) {
        a->stats.wasted += p->size - p->served;
    }
    piece_set_ahead(a, p, false);
    *p = (struct mount_piece){.state = PIECE_FREE, .is_warm = true};
}

void piece_fetch(struct mount_ahead *a, struct mount_piece *p,
                 const struct mount_range *range, uint32_t due_in_ms)
{
    CHECK(p->state == PIECE_FREE && range->from < range->end);
    CHECK(range->end - range->from <= a->o.cell_bytes);
    CHECK(range->end <= range->object_size);
    a->warm += !p->is_warm;
    *p = (struct mount_piece){
        .state = PIECE_FETCHING,
        .is_warm = true,
        .object = range->object,
        .from = range->from,
        .size = (uint32_t)(range->end - range->from),
        .is_whole = range->from == 0 && range->end == range->object_size,
        .due_in_ms = due_in_ms,
        .used_at = ++a->clock,
    };
    a->fetching++;
    a->stats.asked += p->size;
    piece_add_act(a, p, MOUNT_ACT_FETCH);
}

void piece_pin(struct mount_ahead *a, struct mount_piece *p)
{
    a->pinned += p->pins == 0;
    p->pins++;
    p->used_at = ++a->clock;
}

void piece_unpin(struct mount_ahead *a, struct mount_piece *p)
{
    CHECK(p->pins > 0);
    p->pins--;
    a->pinned -= p->pins == 0;
    if (p->pins == 0 && p->state == PIECE_FAILED) {
        piece_free(a, p);
    }
}

void piece_hurry(struct mount_ahead *a, struct mount_piece *p)
{
    if (p->state == PIECE_FETCHING && p->due_in_ms > 0) {
        p->due_in_ms = 0;
        piece_add_act(a, p, MOUNT_ACT_HURRY);
    }
}

void piece_forget(struct mount_ahead *a, struct mount_piece *p)
{
    piece_set_ahead(a, p, false);
    if (p->state == PIECE_FETCHING && p->pins == 0 && !p->is_cancelled &&
        p->act != MOUNT_ACT_FETCH) {
        p->is_cancelled = true;
        piece_add_act(a, p, MOUNT_ACT_CANCEL);
    }
}

/* O(count * cells); the count is that of one read's pieces. */
void piece_cancel(struct mount_ahead *a, uint32_t count)
{
    for (uint32_t i = 0; i < a->o.cells; i++) {
        const struct mount_piece *p = &a->pieces[i];

        count -= count > 0 && p->state == PIECE_FETCHING && p->is_cancelled &&
                 p->pins == 0;
    }
    while (count-- > 0) {
        struct mount_piece *last = NULL;

        for (uint32_t i = 0; i < a->o.cells; i++) {
            struct mount_piece *p = &a->pieces[i];

            if (p->state == PIECE_FETCHING && p->pins == 0 &&
                !p->is_cancelled && p->act != MOUNT_ACT_FETCH &&
                (last == NULL || p->used_at > last->used_at)) {
                last = p;
            }
        }
        if (last == NULL) {
            return;
        }
        piece_forget(a, last);
    }
}

/* Those who wait for it have it, or the reason why not. */
static void piece_tell(struct mount_ahead *a, uint32_t cell, enum status status)
{
    for (struct mount_ahead_read *r = a->waiting.first; r != NULL;
         r = r->next) {
        for (uint32_t i = 0; i < r->view_count; i++) {
            if (r->views[i].cell != cell) {
                continue;
            }
            CHECK(r->pending > 0);
            r->pending--;
            if (status != STATUS_OK && r->status == STATUS_OK) {
                r->status = status;
            }
        }
    }
}

static void piece_end(struct mount_ahead *a, struct mount_piece *p,
                      enum status status)
{
    bool is_stop = status == STATUS_STOPPED && p->is_cancelled;

    a->fetching--;
    p->state = status == STATUS_OK ? PIECE_READY : PIECE_FAILED;
    a->stats.failed += status != STATUS_OK && !is_stop;
    piece_tell(a, piece_cell(a, p), status);
    if (status != STATUS_OK && p->pins == 0) {
        piece_free(a, p);
    }
}

static void reads_ripen(struct mount_ahead *a)
{
    struct mount_ahead_read **at = &a->waiting.first;

    while (*at != NULL) {
        struct mount_ahead_read *r = *at;

        if (r->pending > 0) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = NULL;
        *a->ripe.tail = r;
        a->ripe.tail = &r->next;
    }
    a->waiting.tail = at;
}

void mount_ahead_done(struct mount_ahead *a, uint32_t cell, enum status status)
{
    struct mount_piece *p = &a->pieces[cell];

    CHECK(cell < a->o.cells && p->state == PIECE_FETCHING);
    CHECK(p->act == MOUNT_ACT_NONE);
    if (status == STATUS_STOPPED && p->is_cancelled && p->pins > 0 &&
        !a->is_stopped) {
        /* Somebody has come to want it meanwhile. */
        p->is_cancelled = false;
        p->due_in_ms = 0;
        piece_add_act(a, p, MOUNT_ACT_FETCH);
        return;
    }
    piece_end(a, p, status);
    reads_ripen(a);
    reads_retry(a);
    order_plan(a);
}
