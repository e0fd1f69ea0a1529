/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers one after the other, each list behind its count. What grows along a
 * list is written as the difference to the row before; ends are written as
 * lengths. So most numbers take a byte or two, and the order of a list needs
 * no check of its own. */

#include "proto/work.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/varint.h"

/* ---- Writing. ------------------------------------------------------------ */

static void work_put_wants(const struct work *w, struct buf *out)
{
    uint64_t next = 0;

    CHECK(w->want_count <= WORK_WANTS_MAX);
    varint_write(w->want_count, out);
    for (uint32_t i = 0; i < w->want_count; i++) {
        CHECK(w->wants[i].rank >= next && w->wants[i].rank < WORK_WANTS_MAX);
        varint_write(w->wants[i].rank - next, out);
        varint_write(w->wants[i].units, out);
        next = (uint64_t)w->wants[i].rank + 1;
    }
}

static void work_put_leases(const struct work *w, struct buf *out)
{
    uint64_t before = 0;

    CHECK(w->lease_count <= WORK_LEASES_MAX);
    varint_write(w->lease_count, out);
    for (uint32_t i = 0; i < w->lease_count; i++) {
        const struct work_lease *l = &w->leases[i];

        CHECK(l->number > before && l->begun <= l->end);
        CHECK(l->end < UINT64_MAX);
        varint_write(l->number - before, out);
        varint_write(l->begun, out);
        varint_write(l->end - l->begun, out);
        before = l->number;
    }
}

static void work_put_done(const struct work *w, struct buf *out)
{
    uint64_t number = 0;
    uint64_t next = 0;

    CHECK(w->done_count <= WORK_DONE_MAX);
    varint_write(w->done_count, out);
    for (uint32_t i = 0; i < w->done_count; i++) {
        const struct work_done *d = &w->done[i];

        CHECK(d->number > 0 && d->number >= number);
        next = d->number > number ? 0 : next;
        CHECK(d->first >= next && d->first < d->end && d->end < UINT64_MAX);
        varint_write(d->number - number, out);
        varint_write(d->first - next, out);
        varint_write(d->end - d->first, out);
        number = d->number;
        next = d->end;
    }
}

static void work_put_skips(const struct work *w, struct buf *out)
{
    uint64_t number = 0;
    uint64_t next = 0;

    CHECK(w->skip_count <= WORK_SKIPS_MAX);
    varint_write(w->skip_count, out);
    for (uint32_t i = 0; i < w->skip_count; i++) {
        const struct work_skip *k = &w->skips[i];

        CHECK(k->number > 0 && k->number >= number);
        next = k->number > number ? 0 : next;
        CHECK(k->position >= next && k->position < UINT64_MAX - 1);
        CHECK(k->reason.size <= WORK_REASON_MAX);
        varint_write(k->number - number, out);
        varint_write(k->position - next, out);
        varint_write_text(k->reason, out);
        number = k->number;
        next = k->position + 1;
    }
}

void work_write(const struct work *w, struct buf *out)
{
    size_t before = out->size;

    CHECK(w->seq > 0);
    varint_write(w->channel, out);
    varint_write(w->epoch, out);
    varint_write(w->seq, out);
    varint_write(w->ends_epoch, out);
    work_put_wants(w, out);
    work_put_leases(w, out);
    work_put_done(w, out);
    work_put_skips(w, out);
    CHECK(out->size - before <= WORK_BODY_MAX);
}

enum {
    GRANT_IS_COMPLETE = 1,
    GRANT_IS_OVER = 2,
    GRANT_HAS_UNKEPT = 4,
    GRANT_FLAGS = 8,
};

static void grant_put_leases(const struct grant *g, struct buf *out)
{
    uint64_t before = 0;

    CHECK(g->lease_count <= WORK_LEASES_MAX);
    varint_write(g->lease_count, out);
    for (uint32_t i = 0; i < g->lease_count; i++) {
        const struct grant_lease *l = &g->leases[i];

        CHECK(l->number > before && l->rank < WORK_WANTS_MAX);
        CHECK(l->first <= l->want_end && l->want_end <= l->end);
        CHECK(l->end < UINT64_MAX);
        varint_write(l->number - before, out);
        varint_write((uint64_t)l->rank << 1 | l->is_late, out);
        varint_write(l->first, out);
        varint_write(l->end - l->first, out);
        varint_write(l->end - l->want_end, out);
        before = l->number;
    }
}

static void grant_put_refused(const struct grant *g, struct buf *out)
{
    uint64_t before = 0;

    CHECK(g->refused_count <= GRANT_REFUSED_MAX);
    varint_write(g->refused_count, out);
    for (uint32_t i = 0; i < g->refused_count; i++) {
        CHECK(g->refused[i] > before);
        varint_write(g->refused[i] - before, out);
        before = g->refused[i];
    }
}

void grant_write(const struct grant *g, struct buf *out)
{
    size_t before = out->size;

    CHECK(g->acked_seq <= g->seq && g->unkept <= g->acked_seq);
    varint_write(g->channel, out);
    varint_write(g->epoch, out);
    varint_write(g->seq, out);
    varint_write(g->acked_seq, out);
    varint_write(g->gate, out);
    varint_write((g->is_complete ? GRANT_IS_COMPLETE : 0) |
                     (g->is_over ? GRANT_IS_OVER : 0) |
                     (g->unkept > 0 ? GRANT_HAS_UNKEPT : 0),
                 out);
    varint_write(g->idle_ranks, out);
    grant_put_leases(g, out);
    grant_put_refused(g, out);
    if (g->unkept > 0) {
        varint_write(g->unkept, out);
    }
    CHECK(out->size - before <= WORK_BODY_MAX);
}

/* ---- Reading. The first thing that is wrong is kept; all that is read after
 * it is 0. ----------------------------------------------------------------- */

struct work_reader {
    struct bytes in;
    const char *wrong; /* Name of the field; NULL while all is well. */
};

/* Read a number of [@low, @high]. */
static uint64_t work_get(struct work_reader *r, const char *name, uint64_t low,
                         uint64_t high)
{
    uint64_t n = 0;

    if (r->wrong != NULL) {
        return 0;
    }
    if (!varint_read(&r->in, &n) || n < low || n > high) {
        r->wrong = name;
        return 0;
    }
    return n;
}

/* Read a number that is written as the difference to @before. */
static uint64_t work_get_after(struct work_reader *r, const char *name,
                               uint64_t before, uint64_t low)
{
    /* Ends are at most UINT64_MAX - 1, and so is all that is below. */
    uint64_t room = UINT64_MAX - 1 - before;
    uint64_t n = work_get(r, name, low, room);

    return r->wrong == NULL ? before + n : 0;
}

static uint32_t work_get_count(struct work_reader *r, const char *name,
                               uint32_t max)
{
    return (uint32_t)work_get(r, name, 0, max);
}

static void work_get_wants(struct work_reader *r, struct work *w)
{
    uint64_t next = 0;

    w->want_count = work_get_count(r, "wants", WORK_WANTS_MAX);
    for (uint32_t i = 0; i < w->want_count && r->wrong == NULL; i++) {
        if (next >= WORK_WANTS_MAX) {
            r->wrong = "rank";
            return;
        }
        next += work_get(r, "rank", 0, WORK_WANTS_MAX - 1 - next);
        w->wants[i].rank = (uint32_t)next++;
        w->wants[i].units = work_get(r, "units", 0, UINT64_MAX);
    }
}

static void work_get_leases(struct work_reader *r, struct work *w)
{
    uint64_t before = 0;

    w->lease_count = work_get_count(r, "leases", WORK_LEASES_MAX);
    for (uint32_t i = 0; i < w->lease_count && r->wrong == NULL; i++) {
        struct work_lease *l = &w->leases[i];

        l->number = work_get_after(r, "lease", before, 1);
        l->begun = work_get(r, "begun", 0, UINT64_MAX - 1);
        l->end = work_get_after(r, "end", l->begun, 0);
        before = l->number;
    }
}

static void work_get_done(struct work_reader *r, struct work *w)
{
    uint64_t number = 0;
    uint64_t next = 0;

    w->done_count = work_get_count(r, "done", WORK_DONE_MAX);
    for (uint32_t i = 0; i < w->done_count && r->wrong == NULL; i++) {
        struct work_done *d = &w->done[i];

        d->number = work_get_after(r, "done lease", number, number == 0);
        next = d->number > number ? 0 : next;
        d->first = work_get_after(r, "done first", next, 0);
        d->end = work_get_after(r, "done end", d->first, 1);
        number = d->number;
        next = d->end;
    }
}

static void work_get_skips(struct work_reader *r, struct work *w)
{
    uint64_t number = 0;
    uint64_t next = 0;

    w->skip_count = work_get_count(r, "skips", WORK_SKIPS_MAX);
    for (uint32_t i = 0; i < w->skip_count && r->wrong == NULL; i++) {
        struct work_skip *k = &w->skips[i];

        k->number = work_get_after(r, "skip lease", number, number == 0);
        next = k->number > number ? 0 : next;
        k->position = work_get_after(r, "skip position", next, 0);
        number = k->number;
        next = k->position + 1;
        if (r->wrong == NULL && next == UINT64_MAX) {
            r->wrong = "skip position";
        }
        if (r->wrong == NULL &&
            !varint_read_text(&r->in, WORK_REASON_MAX, &k->reason)) {
            r->wrong = "skip reason";
        }
    }
}

/* Tell what was wrong of a body named @body. */
static enum status work_read_end(const struct work_reader *r, const char *body,
                                 struct fault *why)
{
    if (r->wrong != NULL) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s: %s is cut short, too large or out of order", body,
                         r->wrong);
    }
    if (r->in.size > 0) {
        return fault_set(why, STATUS_MALFORMED, "%s: %zu bytes are left over",
                         body, r->in.size);
    }
    return STATUS_OK;
}

static enum status work_check_size(struct bytes in, const char *body,
                                   struct fault *why)
{
    return in.size <= WORK_BODY_MAX
               ? STATUS_OK
               : fault_set(why, STATUS_MALFORMED,
                           "%s: a body of %zu bytes, at most %d are allowed",
                           body, in.size, WORK_BODY_MAX);
}

enum status work_read(struct bytes in, struct fault *why, struct work *out)
{
    struct work_reader r = {.in = in};
    enum status s = work_check_size(in, "WORK", why);

    *out = (struct work){0};
    if (s != STATUS_OK) {
        return s;
    }
    out->channel = (uint32_t)work_get(&r, "channel", 0, UINT32_MAX);
    out->epoch = work_get(&r, "epoch", 0, UINT64_MAX);
    out->seq = work_get(&r, "seq", 1, UINT64_MAX);
    out->ends_epoch = work_get(&r, "flags", 0, 1) != 0;
    work_get_wants(&r, out);
    work_get_leases(&r, out);
    work_get_done(&r, out);
    work_get_skips(&r, out);
    s = work_read_end(&r, "WORK", why);
    if (s != STATUS_OK) {
        *out = (struct work){0};
    }
    return s;
}

static void grant_get_leases(struct work_reader *r, struct grant *g)
{
    const uint64_t rank_max = (WORK_WANTS_MAX - 1) << 1 | 1;
    uint64_t before = 0;

    g->lease_count = work_get_count(r, "leases", WORK_LEASES_MAX);
    for (uint32_t i = 0; i < g->lease_count && r->wrong == NULL; i++) {
        struct grant_lease *l = &g->leases[i];
        uint64_t rank;

        l->number = work_get_after(r, "lease", before, 1);
        rank = work_get(r, "rank", 0, rank_max);
        l->rank = (uint32_t)(rank >> 1);
        l->is_late = (rank & 1) != 0;
        l->first = work_get(r, "first", 0, UINT64_MAX - 1);
        l->end = work_get_after(r, "end", l->first, 0);
        l->want_end = l->end - work_get(r, "want_end", 0, l->end - l->first);
        before = l->number;
    }
}

static void grant_get_refused(struct work_reader *r, struct grant *g)
{
    uint64_t before = 0;

    g->refused_count = work_get_count(r, "refused", GRANT_REFUSED_MAX);
    for (uint32_t i = 0; i < g->refused_count && r->wrong == NULL; i++) {
        g->refused[i] = work_get_after(r, "refused lease", before, 1);
        before = g->refused[i];
    }
}

enum status grant_read(struct bytes in, struct fault *why, struct grant *out)
{
    struct work_reader r = {.in = in};
    enum status s = work_check_size(in, "GRANT", why);
    uint64_t flags;

    *out = (struct grant){0};
    if (s != STATUS_OK) {
        return s;
    }
    out->channel = (uint32_t)work_get(&r, "channel", 0, UINT32_MAX);
    out->epoch = work_get(&r, "epoch", 0, UINT64_MAX);
    out->seq = work_get(&r, "seq", 0, UINT64_MAX);
    out->acked_seq = work_get(&r, "acked_seq", 0, out->seq);
    out->gate = work_get(&r, "gate", 0, UINT64_MAX);
    flags = work_get(&r, "flags", 0, GRANT_FLAGS - 1);
    out->is_complete = (flags & GRANT_IS_COMPLETE) != 0;
    out->is_over = (flags & GRANT_IS_OVER) != 0;
    out->idle_ranks = work_get(&r, "idle_ranks", 0, UINT64_MAX);
    grant_get_leases(&r, out);
    grant_get_refused(&r, out);
    if ((flags & GRANT_HAS_UNKEPT) != 0) {
        out->unkept = work_get(&r, "unkept", 1, out->acked_seq);
    }
    s = work_read_end(&r, "GRANT", why);
    if (s != STATUS_OK) {
        *out = (struct grant){0};
    }
    return s;
}
