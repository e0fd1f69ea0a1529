/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes may read a share, each a batch of it at a time: each of
 * these is a head that goes along the order. It is one once three files came as
 * expected, and none any more when it was not heard of for long. */
#include "base/check.h"
#include "worker/mount_ahead_state.h"

enum {
    ORDER_NEAR = 4,    /* Files that may be left out, or come late. */
    ORDER_STREAK = 3,  /* In order, until it is believed. */
    ORDER_QUIET = 128, /* Openings without a head, until it is none. */
    ORDER_FIRST = 4 << 20,
};

static bool head_is_live(const struct mount_ahead *a,
                         const struct mount_head *h)
{
    return h->streak >= ORDER_STREAK && a->openings - h->used_at < ORDER_QUIET;
}

static uint64_t order_limit(const struct mount_ahead *a)
{
    uint32_t heads = 0;

    for (uint32_t i = 0; i < MOUNT_HEADS_MAX; i++) {
        heads += head_is_live(a, &a->heads[i]);
    }
    return reach_each(a, heads);
}

static bool head_is_near(const struct mount_head *h, uint64_t place)
{
    return h->streak > 0 && place + ORDER_NEAR >= h->next &&
           place <= h->next + ORDER_NEAR;
}

/* The head that @object is expected by, and its place; else one that is to
 * begin there. */
static struct mount_head *order_head(struct mount_ahead *a, uint64_t object,
                                     uint64_t *place)
{
    const struct mount_order *o = &a->o.order;
    struct mount_head *oldest = &a->heads[0];
    uint64_t newest = 0; /* The last epoch that was heard of. */

    for (uint32_t i = 0; i < MOUNT_HEADS_MAX; i++) {
        struct mount_head *h = &a->heads[i];
        uint64_t epoch = h->next / o->count;

        /* At the end of an epoch: the last of it, or the first of the next. */
        for (uint64_t e = epoch - (epoch > 0); h->streak > 0 && e <= epoch + 1;
             e++) {
            uint64_t at = o->position(o->self, e, object);

            *place = e * o->count + at;
            if (at < o->count && head_is_near(h, *place)) {
                return h;
            }
        }
        if (h->used_at >= a->heads[newest].used_at) {
            newest = i;
        }
        oldest = h->used_at < oldest->used_at ? h : oldest;
    }
    newest = a->heads[newest].next / o->count;
    *place = o->position(o->self, newest, object);
    if (*place >= o->count) {
        return NULL;
    }
    *place += newest * o->count;
    oldest->streak = 0;
    return oldest;
}

/* Whether somebody will come by @place. */
static bool order_is_expected(const struct mount_ahead *a, uint64_t place)
{
    for (uint32_t i = 0; i < MOUNT_HEADS_MAX; i++) {
        const struct mount_head *h = &a->heads[i];

        if (head_is_live(a, h) && place + ORDER_NEAR >= h->next &&
            place <= h->front) {
            return true;
        }
    }
    return false;
}

/* What lies at hand for @object is its reader's from now on; what is of no
 * head is nobody's. */
static void order_sweep(struct mount_ahead *a, uint64_t object)
{
    for (uint32_t i = 0; i < a->o.cells; i++) {
        struct mount_piece *p = &a->pieces[i];

        if (p->order == 0 || p->state == PIECE_FREE) {
            continue;
        }
        if (p->object == object) {
            p->order = 0;
        } else if (p->is_ahead && !order_is_expected(a, p->order - 1)) {
            piece_forget(a, p);
        }
    }
}

static void head_begin(struct mount_head *h, uint64_t place)
{
    *h = (struct mount_head){
        .next = place,
        .front = place + 1,
        .window = ORDER_FIRST,
        .grown = place + 1,
    };
}

static void head_grow(struct mount_ahead *a, struct mount_head *h,
                      uint64_t place)
{
    uint64_t limit = order_limit(a);

    if (place >= h->grown) {
        h->window = 2 * h->window < limit ? 2 * h->window : limit;
        h->grown = h->front;
    }
}

void order_open(struct mount_ahead *a, const struct mount_ahead_read *r)
{
    struct mount_head *h;
    uint64_t place;

    if (a->o.order.count == 0) {
        return;
    }
    a->openings++;
    h = order_head(a, r->file->object, &place);
    if (h == NULL) {
        return;
    }
    if (h->streak == 0) {
        head_begin(h, place);
    } else if (r->has_waited) {
        head_grow(a, h, place);
    }
    h->streak += h->streak < ORDER_STREAK;
    h->used_at = a->openings;
    h->next = place + 1 > h->next ? place + 1 : h->next;
    if (h->front < h->next) {
        h->front = h->next;
        h->at = 0;
    }
    order_sweep(a, r->file->object);
    a->is_order_due = true;
}

/* ---- planning ------------------------------------------------------------ */

static uint64_t head_bytes(const struct mount_ahead *a,
                           const struct mount_head *h)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < a->o.cells; i++) {
        const struct mount_piece *p = &a->pieces[i];

        if (p->is_ahead && p->order > h->next && p->order <= h->front + 1) {
            bytes += p->size;
        }
    }
    return bytes;
}

/* A file that is read from end to end comes before those after it. */
static uint64_t head_window(const struct mount_ahead *a,
                            const struct mount_head *h)
{
    for (const struct mount_ahead_file *f = a->files; f != NULL; f = f->next) {
        if (f->window > 0 && f->front < f->size) {
            return h->window < a->o.cell_bytes ? h->window : a->o.cell_bytes;
        }
    }
    return h->window;
}

static bool order_is_open(const struct mount_ahead *a, uint64_t object)
{
    for (const struct mount_ahead_file *f = a->files; f != NULL; f = f->next) {
        if (f->object == object && f->has_read) {
            return true;
        }
    }
    return false;
}

static void head_pass(struct mount_head *h)
{
    h->front++;
    h->at = 0;
}

/* Fetch the next piece. The bytes that it has, 0 where there is nothing to
 * fetch; false: there is no room. */
static bool head_step(struct mount_ahead *a, struct mount_head *h,
                      uint64_t ahead, uint64_t *bytes)
{
    const struct mount_order *o = &a->o.order;
    uint64_t object =
        o->object(o->self, h->front / o->count, h->front % o->count);
    uint64_t size = a->o.size_of(a->o.self, object);
    uint64_t end = h->at + a->o.cell_bytes;
    struct mount_piece *p;

    *bytes = 0;
    if (h->at >= size || order_is_open(a, object)) {
        head_pass(h);
        return true;
    }
    p = piece_find(a, object, h->at);
    if (p != NULL) {
        h->at = p->from + p->size;
        return true;
    }
    p = piece_take(a, true);
    if (p == NULL) {
        return false;
    }
    end = piece_next(a, object, h->at, end < size ? end : size);
    piece_fetch(a, p, &(struct mount_range){object, size, h->at, end},
                1 + (uint32_t)(ahead >> 20));
    piece_set_ahead(a, p, true);
    p->order = h->front + 1;
    *bytes = end - h->at;
    h->at = end;
    return true;
}

static void head_plan(struct mount_ahead *a, struct mount_head *h)
{
    uint64_t ahead = head_bytes(a, h);
    uint64_t window = head_window(a, h);
    uint64_t bytes;

    while (ahead < window && h->front - h->next < a->o.cells &&
           a->ahead < a->o.cells - plan_reserve(a) &&
           head_step(a, h, ahead, &bytes)) {
        ahead += bytes;
    }
}

void order_plan(struct mount_ahead *a)
{
    if (!a->is_order_due || a->starving.first != NULL || a->is_stopped) {
        return;
    }
    a->is_order_due = false;
    for (uint32_t i = 0; i < MOUNT_HEADS_MAX; i++) {
        if (head_is_live(a, &a->heads[i])) {
            head_plan(a, &a->heads[i]);
        }
    }
}
