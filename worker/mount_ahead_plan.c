/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "worker/mount_ahead_state.h"

enum {
    PLAN_SLACK = 4 << 20,  /* Reads of one sequence come in some disorder. */
    PLAN_NEXT = 128 << 10, /* A sequence begins with less of it. */
    PLAN_STRAYS = 3,       /* In a row, and it has ended. */
    PLAN_FIRST = 1 << 20,  /* The first window. */
    PLAN_PIECE_MIN = 256 << 10,
    PLAN_PIECES = 4, /* Of a window, as long as they are not too small. */
};

uint32_t plan_reserve(const struct mount_ahead *a)
{
    uint32_t reserve = a->o.cells / 4;

    return reserve > 2 ? reserve : 2;
}

static uint64_t plan_limit(const struct mount_ahead *a)
{
    return reach_each(a, a->sequential);
}

static uint64_t plan_piece(const struct mount_ahead *a, uint64_t window)
{
    uint64_t size = window / PLAN_PIECES;

    size = size > PLAN_PIECE_MIN ? size : PLAN_PIECE_MIN;
    size = size < a->o.cell_bytes ? size : a->o.cell_bytes;
    return size / a->grid * a->grid;
}

/* Fetch what comes next, as far as the window goes. */
static void plan_window(struct mount_ahead *a, struct mount_ahead_file *f)
{
    uint64_t limit = plan_limit(a);
    uint64_t window = f->window < limit ? f->window : limit;
    uint64_t goal = f->end + window < f->size ? f->end + window : f->size;
    uint64_t piece = plan_piece(a, window);
    uint64_t at = f->front > f->end ? f->front : f->end;

    while (at < goal) {
        struct mount_piece *p = piece_find(a, f->object, at);
        uint64_t end = at - at % a->grid + piece;

        if (p != NULL) {
            at = p->from + p->size;
            continue;
        }
        at -= at % a->grid;
        end = end < f->size ? end : f->size;
        if (end > goal || a->ahead >= a->o.cells - plan_reserve(a) ||
            (p = piece_take(a, true)) == NULL) {
            break; /* Few large pieces are better than many small ones. */
        }
        end = piece_next(a, f->object, at, end);
        piece_fetch(a, p, &(struct mount_range){f->object, f->size, at, end},
                    1 + (uint32_t)((at > f->end ? at - f->end : 0) >> 20));
        piece_set_ahead(a, p, true);
        at = end;
    }
    for (const struct mount_piece *p = piece_find(a, f->object, at); p != NULL;
         p = piece_find(a, f->object, at)) {
        at = p->from + p->size; /* Fetched already, for the order. */
    }
    f->front = at;
}

/* What was fetched ahead for @f below @end has no reason any more. */
static void plan_forget(struct mount_ahead *a, const struct mount_ahead_file *f,
                        uint64_t end)
{
    for (uint32_t i = 0; i < a->o.cells && a->ahead > 0; i++) {
        struct mount_piece *p = &a->pieces[i];

        if (p->is_ahead && p->object == f->object && p->from + p->size <= end) {
            piece_forget(a, p);
        }
    }
}

static bool plan_is_shared(const struct mount_ahead *a,
                           const struct mount_ahead_file *file)
{
    for (const struct mount_ahead_file *f = a->files; f != NULL; f = f->next) {
        if (f != file && f->object == file->object && f->window > 0) {
            return true;
        }
    }
    return false;
}

/* Below that nobody reads the object any more. */
static uint64_t plan_floor(const struct mount_ahead *a,
                           const struct mount_ahead_file *file)
{
    uint64_t floor = file->end;

    for (const struct mount_ahead_file *f = a->files; f != NULL; f = f->next) {
        if (f->object == file->object && f->window > 0 && f->end < floor) {
            floor = f->end;
        }
    }
    return floor > PLAN_SLACK ? floor - PLAN_SLACK : 0;
}

static void plan_end(struct mount_ahead *a, struct mount_ahead_file *f)
{
    if (f->window > 0) {
        f->window = 0;
        a->sequential--;
    }
    if (f->has_read && a->ahead > 0 && !plan_is_shared(a, f)) {
        plan_forget(a, f, UINT64_MAX);
    }
    f->front = 0;
}

void plan_close(struct mount_ahead *a, struct mount_ahead_file *file)
{
    plan_end(a, file);
}

static bool plan_goes_on(const struct mount_ahead_file *f,
                         const struct mount_ahead_read *r, bool is_first)
{
    if (is_first) {
        return r->from == 0; /* Most files are read from end to end. */
    }
    if (f->window == 0) {
        return r->from >= f->end && r->from <= f->end + PLAN_NEXT;
    }
    return r->from <= f->end + PLAN_SLACK && r->end + PLAN_SLACK >= f->end;
}

/* @r is not of the sequence; others may be. */
static void plan_stray(struct mount_ahead *a, struct mount_ahead_file *f,
                       const struct mount_ahead_read *r)
{
    f->strays++;
    if (f->window == 0 || f->strays >= PLAN_STRAYS) {
        plan_end(a, f);
        f->end = r->end;
    }
}

static void plan_grow(struct mount_ahead *a, struct mount_ahead_file *f,
                      const struct mount_ahead_read *r)
{
    uint64_t limit = plan_limit(a);

    if (f->window == 0) {
        f->window = PLAN_FIRST;
        a->sequential++;
        f->grown = r->end;
    } else if (r->has_waited && r->from >= f->grown) {
        f->window = 2 * f->window < limit ? 2 * f->window : limit;
        f->window = f->window > PLAN_FIRST ? f->window : PLAN_FIRST;
        f->grown = f->front;
    }
}

void plan_read(struct mount_ahead *a, const struct mount_ahead_read *r)
{
    struct mount_ahead_file *f = r->file;
    bool is_first = !f->has_read;

    f->has_read = true;
    if (is_first) {
        order_open(a, r);
    }
    if (!plan_goes_on(f, r, is_first)) {
        plan_stray(a, f, r);
        return;
    }
    f->strays = 0;
    f->end = r->end > f->end ? r->end : f->end;
    plan_grow(a, f, r);
    if (r->from / PLAN_SLACK != r->end / PLAN_SLACK) { /* Now and then. */
        plan_forget(a, f, plan_floor(a, f));
    }
    plan_window(a, f);
}
