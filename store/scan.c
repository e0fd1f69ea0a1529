/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges form a list in the order of their keys, without a gap: what is
 * in none of them was told. The first one is told straight through; when it
 * ends, the next one's held objects are told and it becomes the first.
 *
 * A range may be cut once for each page it has listed, so that requests that
 * turn out to be for nothing stay below those that do not. */

#include "store/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "store/scan_chain.h"
#include "store/scan_cut.h"
#include "store/scan_held.h"

enum {
    SCAN_EVENTS = 8,
    SCAN_LEARN = 64,    /* Keys of a page that are looked at. */
    SCAN_STUCK_MAX = 8, /* Pages in a row that bring a range no further. */
    SCAN_FAILS_MAX = 4, /* Throttled ones in a row. */
    SCAN_BACKOFF_MAX = 31,
};

/* A range is cut when it seems to have so many pages left. */
static const double SCAN_PAGES_MIN = 1.5;

/* Keys in (lo, hi] are still to come. */
struct scan_range {
    struct scan_range *next;
    struct buf lo;    /* Last key taken, or where it was cut; "" at first. */
    struct buf hi;    /* "": to the end. */
    struct buf first; /* Of the last page's keys. */
    bool is_begun;    /* It has told a key: lo is one. */
    bool is_busy;
    bool is_done;
    struct buf begin; /* Its first key, */
    struct buf over;  /* and the first one that it saw beyond its end. */
    bool was_cut;     /* Since its last page. */
    uint32_t level;   /* scan_span.level */
    uint32_t wait;    /* Pages until it is cut again. */
    uint32_t backoff; /* Of the last wait. */
    uint32_t stuck;
    uint32_t fails;
    struct scan_held held;
};

struct scan {
    struct store *store;
    const struct scan_options *options;
    store_each_fn *each;
    void *self;
    struct fault *why;
    struct scan_range *ranges; /* The first one is told straight through. */
    struct scan_range *flying[SCAN_LANES_MAX];
    uint32_t inflight;
    struct scan_lanes lanes;
    struct scan_alphabet alphabet;
    struct buf told;    /* The end of what is no longer in a range, */
    struct buf over;    /* and the key that its range saw next. */
    bool has_over;      /* Something is in no range any more. */
    bool is_disordered; /* The store does not list by bytes. */
    uint64_t told_count;
    struct buf told_last;
    bool is_whole; /* Ranges are cut no more. */
    uint64_t held_bytes;
    struct scan_result result;
};

/* ---- the list of ranges ------------------------------------------------- */

static struct scan_range *scan_range_new(struct scan_range *next)
{
    struct scan_range *r = mem_new(1, sizeof(*r));

    r->next = next;
    return r;
}

/* Free the range at *@at and take it out of the list. */
static void scan_range_drop(struct scan *w, struct scan_range **at)
{
    struct scan_range *r = *at;

    CHECK(!r->is_busy);
    *at = r->next;
    w->held_bytes -= r->held.bytes;
    scan_held_fini(&r->held);
    buf_fini(&r->lo);
    buf_fini(&r->hi);
    buf_fini(&r->first);
    buf_fini(&r->begin);
    buf_fini(&r->over);
    free(r);
}

static struct scan_range *scan_before(struct scan *w,
                                      const struct scan_range *r)
{
    struct scan_range *p = w->ranges;

    while (p != NULL && p->next != r) {
        p = p->next;
    }
    return p;
}

static void scan_buf_set(struct buf *b, struct bytes bytes)
{
    buf_clear(b);
    buf_add_bytes(b, bytes);
}

/* Stop: the ranges can't be trusted. */
static enum status scan_disorder(struct scan *w)
{
    w->is_disordered = true;
    return STATUS_STORE;
}

/* Whether @r begins with the key that the range before it saw beyond its own
 * end. Otherwise the store lists in another order than that of bytes (or
 * somebody wrote there just now), and keys may lie between two ranges. */
static bool scan_fits(struct bytes over, const struct scan_range *r)
{
    return bytes_is_equal(over,
                          buf_bytes(r->begin.size > 0 ? &r->begin : &r->over));
}

static enum status scan_each(void *self, const struct store_object *o,
                             struct fault *why)
{
    struct scan *w = self;

    w->told_count++;
    scan_buf_set(&w->told_last, o->key);
    return w->each(w->self, o, why);
}

/* Neighbours that are done become one, so that the list stays short. */
static enum status scan_join(struct scan *w)
{
    for (struct scan_range *r = w->ranges; r != NULL && r->next != NULL;) {
        if (r->is_done && r->next->is_done) {
            if (!scan_fits(buf_bytes(&r->over), r->next)) {
                return scan_disorder(w);
            }
            if (r->begin.size == 0) {
                scan_buf_set(&r->begin, buf_bytes(&r->next->begin));
            }
            scan_buf_set(&r->over, buf_bytes(&r->next->over));
            scan_held_join(&r->held, &r->next->held);
            scan_buf_set(&r->lo, buf_bytes(&r->next->lo));
            r->is_begun |= r->next->is_begun;
            scan_range_drop(w, &r->next);
        } else {
            r = r->next;
        }
    }
    return STATUS_OK;
}

/* Tell what is due. */
static enum status scan_tell(struct scan *w)
{
    enum status s = scan_join(w);

    while (s == STATUS_OK && w->ranges != NULL) {
        struct scan_range *r = w->ranges;

        if (w->has_over && (r->is_done || r->is_begun)) {
            w->has_over = false;
            if (!scan_fits(buf_bytes(&w->over), r)) {
                return scan_disorder(w);
            }
        }
        w->held_bytes -= r->held.bytes;
        s = scan_held_tell(&r->held, scan_each, w, w->why);
        w->held_bytes += r->held.bytes;
        if (s != STATUS_OK || !r->is_done) {
            break;
        }
        if (r->is_begun) {
            scan_buf_set(&w->told, buf_bytes(&r->lo));
        }
        scan_buf_set(&w->over, buf_bytes(&r->over));
        w->has_over = true;
        scan_range_drop(w, &w->ranges);
    }
    return s;
}

/* ---- a page ------------------------------------------------------------- */

static enum status scan_take(struct scan *w, struct scan_range *r,
                             const struct store_object *o)
{
    uint64_t before = r->held.bytes;
    enum status s;

    w->result.objects++;
    if (r == w->ranges && !w->has_over) {
        return scan_each(w, o, w->why);
    }
    s = scan_held_add(&r->held, o);
    w->held_bytes += r->held.bytes - before;
    if (w->held_bytes > w->result.held_bytes) {
        w->result.held_bytes = w->held_bytes;
    }
    if (s != STATUS_OK) {
        return fault_set(w->why, s,
                         "%s%.*s: no memory to hold the listing; %llu bytes "
                         "of it are held",
                         store_root_uri(w->store), (int)w->options->prefix.size,
                         w->options->prefix.at,
                         (unsigned long long)w->held_bytes);
    }
    return s;
}

/* Another page that brings @r no further: one chain may still get on. */
static enum status scan_stuck(struct scan *w, struct scan_range *r)
{
    return ++r->stuck <= SCAN_STUCK_MAX ? STATUS_OK : scan_disorder(w);
}

static bool scan_is_sorted(const struct store_event *e)
{
    for (uint32_t i = 1; i < e->object_count; i++) {
        if (bytes_compare(e->objects[i - 1].key, e->objects[i].key) >= 0) {
            return false;
        }
    }
    return true;
}

/* Those of @e's objects that are in @r: [*@from, *@to). */
static void scan_find(const struct scan_range *r, const struct store_event *e,
                      uint32_t *from, uint32_t *to)
{
    *from = 0;
    while (*from < e->object_count && r->lo.size > 0 &&
           bytes_compare(e->objects[*from].key, buf_bytes(&r->lo)) <= 0) {
        (*from)++;
    }
    *to = e->object_count;
    while (*to > *from && r->hi.size > 0 &&
           bytes_compare(e->objects[*to - 1].key, buf_bytes(&r->hi)) > 0) {
        (*to)--;
    }
}

static void scan_learn_page(struct scan *w, const struct store_object *objects,
                            uint32_t count)
{
    size_t from = scan_common(objects[0].key, objects[count - 1].key);
    uint32_t step = count / SCAN_LEARN + 1;

    for (uint32_t i = 0; i < count; i += step) {
        scan_learn(&w->alphabet, objects[i].key, from);
    }
}

/* @r has moved: it may be cut again, and the one before was cut well. */
static void scan_moved(struct scan *w, struct scan_range *r,
                       const struct store_object *objects, uint32_t count)
{
    struct scan_range *before = r->is_begun ? NULL : scan_before(w, r);

    if (before != NULL) {
        before->backoff = 0;
    }
    scan_buf_set(&r->first, objects[0].key);
    scan_buf_set(&r->lo, objects[count - 1].key);
    scan_learn_page(w, objects, count);
    r->is_begun = true;
    r->was_cut = false;
    r->stuck = 0;
    r->wait -= r->wait > 0;
}

static void scan_was_empty(struct scan *w, const struct scan_range *r)
{
    struct scan_range *before = scan_before(w, r);

    w->result.empty++;
    if (before != NULL && !r->is_begun) {
        before->backoff = 2 * before->backoff + 1;
        if (before->backoff > SCAN_BACKOFF_MAX) {
            before->backoff = SCAN_BACKOFF_MAX;
        }
        before->wait = before->backoff;
    }
}

static enum status scan_take_range(struct scan *w, struct scan_range *r,
                                   const struct store_event *e)
{
    enum status s = STATUS_OK;
    uint32_t from;
    uint32_t to;

    scan_find(r, e, &from, &to);
    if (to > from && r->begin.size == 0) {
        scan_buf_set(&r->begin, e->objects[from].key);
    }
    if (to < e->object_count) {
        scan_buf_set(&r->over, e->objects[to].key);
    }
    for (uint32_t i = from; s == STATUS_OK && i < to; i++) {
        s = scan_take(w, r, &e->objects[i]);
    }
    r->is_done = to < e->object_count || !e->has_more;
    if (to > from) {
        scan_moved(w, r, e->objects + from, to - from);
    } else if (r->is_done) {
        scan_was_empty(w, r);
    } else {
        s = scan_stuck(w, r);
    }
    return s;
}

static enum status scan_page(struct scan *w, struct scan_range *r,
                             const struct store_event *e)
{
    r->fails = 0;
    if (e->is_unordered || !scan_is_sorted(e)) {
        return scan_disorder(w);
    }
    return scan_take_range(w, r, e);
}

/* ---- failures ----------------------------------------------------------- */

/* A range that was cut off and never listed goes back to where it was cut:
 * perhaps the store does not like what it was to begin after. */
static void scan_give_back(struct scan *w, struct scan_range *r)
{
    struct scan_range *before = scan_before(w, r);

    w->is_whole = true;
    if (before == NULL) {
        scan_buf_set(&r->lo, buf_bytes(&w->told));
        r->is_begun = true;
        return;
    }
    scan_buf_set(&before->hi, buf_bytes(&r->hi));
    before->is_done = false;
    buf_clear(&before->over);
    scan_range_drop(w, &before->next);
}

static enum status scan_failed(struct scan *w, struct scan_range *r,
                               const struct store_event *e)
{
    bool is_cut_off = !r->is_begun && r->lo.size > 0;

    if (e->is_throttled && ++r->fails < SCAN_FAILS_MAX) {
        return STATUS_OK;
    }
    if (is_cut_off) {
        scan_give_back(w, r);
        return STATUS_OK;
    }
    if (w->why != NULL) {
        *w->why = e->why;
    }
    return e->status;
}

static enum status scan_event(struct scan *w, const struct store_event *e)
{
    struct scan_range *r;
    enum status s;

    CHECK(e->tag < SCAN_LANES_MAX && w->flying[e->tag] != NULL);
    r = w->flying[e->tag];
    w->flying[e->tag] = NULL;
    w->inflight--;
    r->is_busy = false;
    scan_lanes_answered(&w->lanes, w->inflight, e->is_throttled);
    s = e->status == STATUS_OK ? scan_page(w, r, e) : scan_failed(w, r, e);
    return s == STATUS_OK ? scan_tell(w) : s;
}

/* ---- work for a lane ---------------------------------------------------- */

static struct scan_span scan_span(const struct scan *w,
                                  const struct scan_range *r)
{
    return (struct scan_span){w->options->prefix, buf_bytes(&r->first),
                              buf_bytes(&r->lo), buf_bytes(&r->hi), r->level};
}

/* The range with most left in it that may be cut. */
static struct scan_range *scan_widest(const struct scan *w)
{
    struct scan_range *widest = NULL;
    double most = SCAN_PAGES_MIN;

    for (struct scan_range *r = w->ranges; r != NULL; r = r->next) {
        struct scan_span span;
        double left;

        if (!r->is_begun || r->is_done || r->was_cut || r->wait > 0) {
            continue;
        }
        span = scan_span(w, r);
        left = scan_pages_left(&w->alphabet, &span);
        if (left > most) {
            most = left;
            widest = r;
        }
    }
    return widest;
}

/* Cut a range; return the upper part, or NULL: nothing is to be cut. */
static struct scan_range *scan_cut_one(struct scan *w)
{
    struct scan_cut cut;
    struct scan_range *r;
    struct scan_range *upper;

    while (!w->is_whole && (r = scan_widest(w)) != NULL) {
        struct scan_span span = scan_span(w, r);

        r->was_cut = true;
        if (!scan_cut_find(&w->alphabet, &span, &cut)) {
            continue;
        }
        upper = scan_range_new(r->next);
        r->next = upper;
        buf_add(&upper->lo, cut.at, cut.size);
        buf_add_bytes(&upper->hi, buf_bytes(&r->hi));
        scan_buf_set(&r->hi, buf_bytes(&upper->lo));
        upper->level = cut.is_guess ? r->level + 1 : 0;
        r->level = 0;
        return upper;
    }
    return NULL;
}

static struct scan_range *scan_idle(const struct scan *w)
{
    struct scan_range *r = w->ranges;

    while (r != NULL && (r->is_busy || r->is_done)) {
        r = r->next;
    }
    return r;
}

static bool scan_submit(struct scan *w, struct scan_range *r)
{
    uint32_t lane = 0;
    struct store_request request = {
        .op = STORE_LIST,
        .key = w->options->prefix,
        .after = buf_bytes(&r->lo),
        .list_max = w->options->page,
    };

    while (w->flying[lane] != NULL) {
        lane++;
    }
    CHECK(lane < w->lanes.most);
    request.tag = lane;
    if (store_submit(w->store, &request) != STATUS_OK) {
        return false;
    }
    w->flying[lane] = r;
    r->is_busy = true;
    w->inflight++;
    w->result.requests++;
    if (w->inflight > w->result.lanes) {
        w->result.lanes = w->inflight;
    }
    return true;
}

static void scan_submit_all(struct scan *w)
{
    while (w->inflight < w->lanes.now) {
        struct scan_range *r = scan_idle(w);

        if (r == NULL) {
            r = scan_cut_one(w);
        }
        if (r == NULL || !scan_submit(w, r)) {
            break;
        }
    }
    CHECK(w->inflight > 0 || w->ranges == NULL);
}

/* ---- the whole ---------------------------------------------------------- */

static enum status scan_loop(struct scan *w, struct store_event *events)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK && w->ranges != NULL) {
        size_t count;

        scan_submit_all(w);
        count = store_poll(w->store, -1, events, SCAN_EVENTS);
        for (size_t i = 0; s == STATUS_OK && i < count; i++) {
            s = scan_event(w, &events[i]);
        }
    }
    while (store_inflight(w->store) > 0) {
        (void)store_poll(w->store, -1, events, SCAN_EVENTS);
    }
    return s;
}

/* A store on this machine serves one request after the other. */
static uint32_t scan_most(struct store *s, const struct scan_options *o)
{
    struct bytes root = bytes_of(store_root_uri(s));

    if (o->lanes > 0) {
        return o->lanes < SCAN_LANES_MAX ? o->lanes : SCAN_LANES_MAX;
    }
    return bytes_has_prefix(root, BYTES("file:")) ||
                   bytes_has_prefix(root, BYTES("mem:"))
               ? 1
               : SCAN_LANES_MAX;
}

enum status scan_run(struct store *s, const struct scan_options *o,
                     store_each_fn *each, void *self, struct fault *why)
{
    struct scan *w = mem_new(1, sizeof(*w));
    struct store_event *events = mem_new(SCAN_EVENTS, sizeof(*events));
    enum status status;

    CHECK(store_inflight(s) == 0);
    w->store = s;
    w->options = o;
    w->each = each;
    w->self = self;
    w->why = why;
    w->ranges = scan_range_new(NULL);
    scan_lanes_init(&w->lanes, scan_most(s, o));
    status = scan_loop(w, events);
    if (w->is_disordered) {
        status = scan_chain_run(
            &(struct scan_chain_options){s, o, each, self, w->told_count,
                                         buf_bytes(&w->told_last)},
            why, &w->result);
    }
    if (o->result != NULL) {
        *o->result = w->result;
    }
    while (w->ranges != NULL) {
        w->ranges->is_busy = false;
        scan_range_drop(w, &w->ranges);
    }
    buf_fini(&w->told);
    buf_fini(&w->over);
    buf_fini(&w->told_last);
    free(events);
    free(w);
    return status;
}
