/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/mount_ahead.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/mount_ahead_state.h"

/* ---- life ---------------------------------------------------------------- */

static void reads_init(struct mount_reads *list)
{
    list->first = NULL;
    list->tail = &list->first;
}

static void reads_add(struct mount_reads *list, struct mount_ahead_read *r)
{
    r->next = NULL;
    *list->tail = r;
    list->tail = &r->next;
}

static struct mount_ahead_read *reads_take(struct mount_reads *list)
{
    struct mount_ahead_read *r = list->first;

    if (r != NULL) {
        list->first = r->next;
        if (list->first == NULL) {
            list->tail = &list->first;
        }
        r->next = NULL;
    }
    return r;
}

/* Two reads have room, with what their pieces exceed them. */
static uint32_t read_max_of(const struct mount_ahead *a)
{
    uint64_t half = (uint64_t)a->o.cells / 2 * a->o.cell_bytes;
    uint64_t most = (uint64_t)a->grid * (MOUNT_VIEWS_MAX - 2);
    uint32_t max = 4096;

    most = most < half ? most : half;
    while (2 * max <= most) {
        max *= 2;
    }
    return max;
}

struct mount_ahead *mount_ahead_new(const struct mount_ahead_options *o)
{
    struct mount_ahead *a = mem_new(1, sizeof(*a));

    CHECK(o->cells >= MOUNT_CELLS_MIN && o->cells <= MOUNT_CELLS_MAX);
    CHECK(o->cell_bytes >= 4096 && (o->cell_bytes & (o->cell_bytes - 1)) == 0);
    a->o = *o;
    a->grid = o->cell_bytes < MOUNT_GRID_MAX ? o->cell_bytes : MOUNT_GRID_MAX;
    a->read_max = read_max_of(a);
    a->pieces = mem_new(o->cells, sizeof(a->pieces[0]));
    a->first_act = PIECE_NONE;
    reach_init(a);
    reads_init(&a->waiting);
    reads_init(&a->starving);
    reads_init(&a->ripe);
    return a;
}

void mount_ahead_destroy(struct mount_ahead **ap)
{
    struct mount_ahead *a = *ap;

    if (a == NULL) {
        return;
    }
    CHECK(a->waiting.first == NULL && a->starving.first == NULL);
    CHECK(a->ripe.first == NULL && a->pinned == 0);
    while (a->files != NULL) {
        struct mount_ahead_file *file = a->files;

        a->files = file->next;
        free(file);
    }
    free(a->pieces);
    free(a);
    *ap = NULL;
}

uint32_t mount_ahead_read_max(const struct mount_ahead *a)
{
    return a->read_max;
}

struct mount_ahead_stats mount_ahead_stats(const struct mount_ahead *a)
{
    return a->stats;
}

/* ---- files --------------------------------------------------------------- */

struct mount_ahead_file *mount_ahead_open(struct mount_ahead *a,
                                          uint64_t object, uint64_t size)
{
    struct mount_ahead_file *file = mem_new(1, sizeof(*file));

    file->object = object;
    file->size = size;
    file->next = a->files;
    if (file->next != NULL) {
        file->next->prev = file;
    }
    a->files = file;
    a->stats.files++;
    return file;
}

void mount_ahead_close(struct mount_ahead *a, struct mount_ahead_file *file)
{
    plan_close(a, file);
    if (file->prev != NULL) {
        file->prev->next = file->next;
    } else {
        a->files = file->next;
    }
    if (file->next != NULL) {
        file->next->prev = file->prev;
    }
    a->stats.files--;
    free(file);
    reads_retry(a);
    order_plan(a);
}

/* ---- admission ----------------------------------------------------------- */

/* A piece that a read needs: one that is there, or one to be fetched. */
struct read_step {
    struct mount_piece *piece;
    uint64_t from;
    uint64_t end;
};

struct read_plan {
    struct read_step steps[MOUNT_VIEWS_MAX];
    uint32_t count;
    uint32_t missing;
};

static uint64_t round_up(uint64_t at, uint64_t grid)
{
    return (at + grid - 1) / grid * grid;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is to be fetched from @at on, up to the next piece. */
static struct read_step read_gap(const struct mount_ahead *a,
                                 const struct mount_ahead_read *r, uint64_t at)
{
    struct read_step step = {.from = at - at % a->grid};

    step.end = least(round_up(r->end, a->grid), r->file->size);
    step.end = least(step.end, step.from + a->o.cell_bytes);
    step.end = piece_next(a, r->file->object, at, step.end);
    return step;
}

/* What is there is pinned, so that it does not make room. */
static void read_plan_make(struct mount_ahead *a,
                           const struct mount_ahead_read *r,
                           struct read_plan *plan)
{
    uint64_t at = r->from;

    plan->count = 0;
    plan->missing = 0;
    while (at < r->end) {
        struct mount_piece *p = piece_find(a, r->file->object, at);
        struct read_step step;

        CHECK(plan->count < MOUNT_VIEWS_MAX);
        if (p != NULL) {
            step = (struct read_step){p, p->from, p->from + p->size};
            piece_pin(a, p);
        } else {
            step = read_gap(a, r, at);
            plan->missing++;
        }
        at = step.end;
        plan->steps[plan->count++] = step;
    }
}

static void read_plan_drop(struct mount_ahead *a, const struct read_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].piece != NULL) {
            piece_unpin(a, plan->steps[i].piece);
        }
    }
}

static void read_step_begin(struct mount_ahead *a, struct mount_ahead_read *r,
                            struct read_step *step)
{
    if (step->piece != NULL) {
        piece_hurry(a, step->piece);
        return;
    }
    step->piece = piece_take(a, false);
    CHECK(step->piece != NULL);
    piece_fetch(a, step->piece,
                &(struct mount_range){r->file->object, r->file->size,
                                      step->from, step->end},
                0);
    piece_pin(a, step->piece);
}

static void read_begin(struct mount_ahead *a, struct mount_ahead_read *r,
                       struct read_plan *plan)
{
    r->pending = 0;
    r->view_count = plan->count;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct read_step *step = &plan->steps[i];
        uint64_t from = step->from > r->from ? step->from : r->from;

        read_step_begin(a, r, step);
        r->pending += step->piece->state == PIECE_FETCHING;
        r->views[i] = (struct mount_view){
            .cell = piece_cell(a, step->piece),
            .at = (uint32_t)(from - step->from),
            .size = (uint32_t)(least(step->end, r->end) - from),
        };
    }
    r->has_waited = r->has_waited || r->pending > 0;
}

/* Give the read all its pieces. false: there are not cells enough; then some
 * that are only fetched ahead make room. */
static bool read_admit(struct mount_ahead *a, struct mount_ahead_read *r)
{
    struct read_plan plan;
    uint32_t has;

    read_plan_make(a, r, &plan);
    has = piece_count_free(a);
    if (plan.missing > has) {
        read_plan_drop(a, &plan);
        piece_cancel(a, plan.missing - has);
        return false;
    }
    read_begin(a, r, &plan);
    return true;
}

/* Nobody else has a piece: all of them make room. */
static void read_force(struct mount_ahead *a, struct mount_ahead_read *r)
{
    for (uint32_t i = 0; i < a->o.cells; i++) {
        if (a->pieces[i].state == PIECE_READY) {
            piece_free(a, &a->pieces[i]);
        }
    }
    CHECK(read_admit(a, r));
}

static void reads_park(struct mount_ahead *a, struct mount_ahead_read *r)
{
    reads_add(r->pending > 0 ? &a->waiting : &a->ripe, r);
}

void reads_retry(struct mount_ahead *a)
{
    while (a->starving.first != NULL) {
        struct mount_ahead_read *r = a->starving.first;

        if (!read_admit(a, r)) {
            if (a->pinned > 0 || a->fetching > 0) {
                return;
            }
            read_force(a, r);
        }
        (void)reads_take(&a->starving);
        reads_park(a, r);
    }
}

/* ---- reads --------------------------------------------------------------- */

enum status mount_ahead_read(struct mount_ahead *a,
                             struct mount_ahead_file *file, uint64_t from,
                             uint32_t size, struct mount_ahead_read *r)
{
    void *owner = r->owner;
    bool has_room;

    CHECK(size <= a->read_max);
    from = least(from, file->size);
    *r = (struct mount_ahead_read){
        .owner = owner,
        .file = file,
        .from = from,
        .end = least(from + size, file->size),
    };
    a->stats.reads++;
    a->stats.bytes += r->end - r->from;
    if (r->from == r->end) {
        return STATUS_OK;
    }
    has_room = a->starving.first == NULL && read_admit(a, r);
    if (!has_room) {
        r->has_waited = true;
        reads_add(&a->starving, r);
        reads_retry(a);
    } else if (r->pending > 0) {
        reads_park(a, r);
    }
    a->stats.waited += r->has_waited;
    a->stats.parked += r->has_waited;
    reach_read(a, r->has_waited);
    plan_read(a, r);
    order_plan(a);
    return r->has_waited ? STATUS_EMPTY : STATUS_OK;
}

struct mount_ahead_read *mount_ahead_ripe(struct mount_ahead *a)
{
    struct mount_ahead_read *r = reads_take(&a->ripe);

    a->stats.parked -= r != NULL;
    return r;
}

void mount_ahead_release(struct mount_ahead *a, struct mount_ahead_read *r)
{
    for (uint32_t i = 0; i < r->view_count; i++) {
        struct mount_piece *p = &a->pieces[r->views[i].cell];

        p->served += r->status == STATUS_OK ? r->views[i].size : 0;
        if (p->served >= p->size) {
            piece_set_ahead(a, p, false);
        }
        piece_unpin(a, p);
    }
    r->view_count = 0;
    reads_retry(a);
    order_plan(a);
}

static void reads_stop(struct mount_ahead *a, struct mount_reads *list)
{
    struct mount_ahead_read *r;

    while ((r = reads_take(list)) != NULL) {
        r->status = STATUS_STOPPED;
        reads_add(&a->ripe, r);
    }
}

void mount_ahead_stop(struct mount_ahead *a)
{
    a->is_stopped = true;
    reads_stop(a, &a->waiting);
    reads_stop(a, &a->starving);
}

/* ---- check --------------------------------------------------------------- */

static void piece_check(const struct mount_ahead *a,
                        const struct mount_piece *p)
{
    CHECK_IMPLIES(p->state == PIECE_FREE, p->pins == 0 && !p->is_ahead);
    CHECK_IMPLIES(p->state == PIECE_FAILED, p->pins > 0);
    CHECK_IMPLIES(p->state != PIECE_FREE, p->size > 0 && p->is_warm);
    CHECK_IMPLIES(p->act != MOUNT_ACT_NONE, p->state == PIECE_FETCHING);
    CHECK(p->size <= a->o.cell_bytes && p->from % a->grid == 0);
    if (p->state != PIECE_FETCHING && p->state != PIECE_READY) {
        return;
    }
    for (uint32_t i = 0; i < a->o.cells; i++) {
        const struct mount_piece *q = &a->pieces[i];

        if (q != p && q->object == p->object &&
            (q->state == PIECE_FETCHING || q->state == PIECE_READY)) {
            CHECK(q->from + q->size <= p->from || p->from + p->size <= q->from);
        }
    }
}

void mount_ahead_check(const struct mount_ahead *a)
{
    uint32_t warm = 0;
    uint32_t ahead = 0;
    uint32_t fetching = 0;
    uint32_t pinned = 0;
    uint32_t sequential = 0;

    for (uint32_t i = 0; i < a->o.cells; i++) {
        piece_check(a, &a->pieces[i]);
        warm += a->pieces[i].is_warm;
        ahead += a->pieces[i].is_ahead;
        fetching += a->pieces[i].state == PIECE_FETCHING;
        pinned += a->pieces[i].pins > 0;
    }
    for (const struct mount_ahead_file *f = a->files; f != NULL; f = f->next) {
        sequential += f->window > 0;
    }
    CHECK(warm == a->warm && a->reach.bytes <= a->reach.most);
    CHECK(ahead == a->ahead && fetching == a->fetching);
    CHECK(pinned == a->pinned && sequential == a->sequential);
    for (const struct mount_ahead_read *r = a->waiting.first; r != NULL;
         r = r->next) {
        CHECK(r->pending > 0 && r->pending <= r->view_count);
    }
    CHECK_IMPLIES(a->starving.first != NULL && !a->is_stopped,
                  a->pinned > 0 || a->fetching > 0);
}
