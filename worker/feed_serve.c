/* SPDX-License-Identifier: Apache-2.0 */
/* What each line does. A connection has one question at a time: while it waits
 * for an answer, its next line waits too. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "worker/feed_state.h"

enum { FEED_REFUSAL_MAX = 96 };

/* Answer "error TEXT" and count it. */
static void feed_error(struct feed *f, struct feed_conn *c, const char *text)
{
    f->stats.errors++;
    buf_print(&c->out, "error %s\n", text);
}

static struct holder *feed_holder(const struct feed *f, uint32_t channel)
{
    CHECK(channel < f->options.channel_count);
    return f->options.channels[channel].holder;
}

static bool feed_channel_of(const struct feed *f, struct bytes name,
                            uint32_t *out)
{
    for (uint32_t i = 0; i < f->options.channel_count; i++) {
        if (bytes_is(name, f->options.channels[i].source.name)) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* ---- next. ----------------------------------------------------------------
 */

/* A connection that keeps its units is one of many short ones: how far they
 * have come is the rank's. */
static struct feed_view *feed_view_of(struct feed *f, struct feed_conn *c)
{
    struct feed_view *of_rank = &f->views[c->rank][c->channel];
    struct feed_view *v = c->is_kept ? of_rank : &c->views[c->channel];
    uint64_t epoch = holder_epoch(feed_holder(f, c->channel), c->rank);

    if (!v->is_set) {
        *v = (struct feed_view){.is_set = true, .epoch = epoch};
        v->is_ended =
            of_rank->is_set && of_rank->epoch == epoch && of_rank->is_ended;
    }
    return v;
}

static void feed_end_epoch(struct feed *f, struct feed_conn *c,
                           struct feed_view *v)
{
    struct feed_view *of_rank = &f->views[c->rank][c->channel];

    buf_print(&c->out, "end %" PRIu64 "\n", v->epoch);
    c->wait = FEED_WAIT_NOTHING;
    v->is_ended = true;
    if (!c->is_kept && (!of_rank->is_set || of_rank->epoch <= v->epoch)) {
        *of_rank = *v;
    }
}

/* Whether @c may go on in the epoch of its rank; if not, it was answered or
 * has to wait. */
static bool feed_enter_epoch(struct feed *f, struct feed_conn *c)
{
    struct holder *h = feed_holder(f, c->channel);
    struct feed_view *v = feed_view_of(f, c);
    enum status s = STATUS_OK;

    if (v->is_ended && v->epoch == holder_epoch(h, c->rank)) {
        s = holder_begin(h, c->rank);
    }
    if (s == STATUS_STOPPED) {
        feed_reply(c, "over");
        c->wait = FEED_WAIT_NOTHING;
        return false;
    }
    if (s == STATUS_EMPTY) {
        return false;
    }
    if (v->is_ended) {
        v->epoch += v->epoch < holder_epoch(h, c->rank);
        v->is_ended = false;
    }
    if (v->epoch < holder_epoch(h, c->rank)) {
        feed_end_epoch(f, c, v);
        return false;
    }
    return true;
}

static void feed_give(struct feed_conn *c, struct feed_unit *u)
{
    u->is_handed = true;
    u->owner = c->is_kept ? 0 : c->number;
    c->wait = FEED_WAIT_NOTHING;
    buf_print(&c->out, "unit %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ",
              u->unit.epoch, u->unit.position, u->unit.lease, u->size);
    feed_line_write_path(u->path, &c->out);
    buf_add_char(&c->out, '\n');
}

/* Nothing is in sight: ask the holder, which also tells it that the rank is
 * there. */
static void feed_ask(struct feed *f, struct feed_conn *c, uint64_t now_ms)
{
    struct holder_unit unit;
    enum status s =
        holder_next(feed_holder(f, c->channel), c->rank, now_ms, &unit);

    CHECK(s == STATUS_EMPTY || s == STATUS_STOPPED);
    if (s == STATUS_STOPPED) {
        feed_end_epoch(f, c, feed_view_of(f, c));
    }
}

/* The next unit can't be read. true: it is skipped, go on. */
static bool feed_pass_over(struct feed *f, struct feed_conn *c,
                           struct feed_unit *u, uint64_t now_ms)
{
    struct holder *h = feed_holder(f, c->channel);
    struct holder_unit unit;

    if (feed_unit_tries_again(f, u)) {
        return false;
    }
    /* A full disk says nothing of the unit. */
    if (!f->options.channels[c->channel].skips ||
        u->status == STATUS_NO_SPACE) {
        feed_error(f, c, u->why.text);
        c->wait = FEED_WAIT_NOTHING;
        feed_unit_drop(f, u);
        return false;
    }
    if (holder_next(h, c->rank, now_ms, &unit) != STATUS_OK) {
        return false;
    }
    CHECK(unit.position == u->unit.position && unit.lease == u->unit.lease);
    if (holder_skip(h, c->rank, &unit, u->why.text) != STATUS_OK) {
        CHECK(holder_return(h, c->rank, &unit) == STATUS_OK);
        return false;
    }
    feed_unit_drop(f, u);
    return true;
}

/* Go one unit on. true: it was skipped, look at the next. */
static bool feed_try_next(struct feed *f, struct feed_conn *c, uint64_t now_ms)
{
    struct holder *h = feed_holder(f, c->channel);
    struct holder_unit unit;
    struct feed_unit *u;

    if (!feed_enter_epoch(f, c)) {
        return false;
    }
    if (!holder_peek(h, c->rank, 0, &unit)) {
        feed_ask(f, c, now_ms);
        return false;
    }
    u = feed_unit_need(f, &(struct feed_place){c->channel, c->rank, 0}, &unit);
    if (u != NULL && u->state == FEED_UNIT_FAILED) {
        return feed_pass_over(f, c, u, now_ms);
    }
    if (u != NULL && u->state == FEED_UNIT_HERE &&
        holder_next(h, c->rank, now_ms, &unit) == STATUS_OK) {
        CHECK(unit.position == u->unit.position && unit.lease == u->unit.lease);
        feed_give(c, u);
    }
    return false;
}

void feed_serve_next(struct feed *f, struct feed_conn *c, uint64_t now_ms)
{
    CHECK(c->wait == FEED_WAIT_NEXT);
    while (feed_try_next(f, c, now_ms)) {
    }
}

/* ---- done, commit, skip. --------------------------------------------------
 */

static void feed_finish(struct feed *f, struct feed_conn *c,
                        const struct feed_line *line)
{
    struct holder *h = feed_holder(f, c->channel);
    struct feed_unit *u =
        feed_unit_handed(f, c->channel, c->rank, line->number);
    char reason[WORK_REASON_MAX + 1];
    enum status s;

    if (u == NULL) {
        feed_error(f, c,
                   "this position was not handed to this rank, or was done "
                   "before");
        return;
    }
    if (line->verb == FEED_SKIP) {
        int size = line->text.size < WORK_REASON_MAX ? (int)line->text.size
                                                     : WORK_REASON_MAX;

        (void)snprintf(reason, sizeof(reason), "%.*s", size, line->text.at);
        s = holder_skip(h, c->rank, &u->unit, reason);
    } else {
        s = holder_done(h, c->rank, &u->unit);
    }
    if (s == STATUS_FULL) {
        feed_error(f, c, "too many units are being skipped; try again");
        return;
    }
    c->lease = u->unit.lease;
    c->position = u->unit.position;
    feed_unit_drop(f, u);
    if (s != STATUS_OK) {
        feed_reply(c, "refused");
    } else if (line->verb == FEED_COMMIT) {
        c->wait = FEED_WAIT_COMMIT;
    } else {
        feed_reply(c, "ok");
    }
}

static bool feed_is_about(const struct feed_conn *c, uint32_t channel,
                          const struct holder_outcome *o)
{
    return c->wait == FEED_WAIT_COMMIT && c->channel == channel &&
           c->lease == o->lease && c->position >= o->first &&
           c->position < o->end;
}

static void feed_serve_outcome(struct feed *f, uint32_t channel,
                               const struct holder_outcome *o)
{
    for (uint32_t i = 0; i < f->conn_count; i++) {
        struct feed_conn *c = f->conns[i];

        if (feed_is_about(c, channel, o)) {
            c->wait = FEED_WAIT_NOTHING;
            feed_reply(c, o->is_refused ? "refused" : "ok");
        }
    }
}

void feed_serve_outcomes(struct feed *f)
{
    for (uint32_t i = 0; i < f->options.channel_count; i++) {
        struct holder_outcome o;

        while (holder_take_outcome(feed_holder(f, i), &o)) {
            feed_serve_outcome(f, i, &o);
        }
    }
}

/* ---- Giving back. ---------------------------------------------------------
 */

/* Hand out anew what @rank has over connection @owner (0: kept). */
static void feed_give_back(struct feed *f, uint32_t rank, uint64_t owner)
{
    for (uint32_t i = f->unit_count; i > 0; i--) {
        struct feed_unit *u = f->units[i - 1];
        enum status s;

        if (!u->is_handed || u->rank != rank || u->owner != owner) {
            continue;
        }
        s = holder_return(feed_holder(f, u->channel), rank, &u->unit);
        u->is_handed = false;
        f->stats.returned++;
        if (s != STATUS_OK) {
            feed_unit_drop(f, u);
        }
    }
}

void feed_serve_end(struct feed *f, const struct feed_conn *c)
{
    for (uint32_t rank = 0; rank < f->options.rank_count; rank++) {
        feed_give_back(f, rank, c->number);
    }
}

/* ---- Lines. ----------------------------------------------------------------
 */

static void feed_refuse_rank(struct feed *f, struct feed_conn *c, uint64_t rank)
{
    char text[FEED_REFUSAL_MAX];

    snprintf(text, sizeof(text),
             "this host has no such rank: %" PRIu64 "; it has 0 to %" PRIu32,
             rank, f->options.rank_count - 1);
    feed_error(f, c, text);
}

static void feed_serve_rank(struct feed *f, struct feed_conn *c, uint64_t rank)
{
    if (rank >= f->options.rank_count) {
        feed_refuse_rank(f, c, rank);
        return;
    }
    if (rank != c->rank) {
        memset(c->views, 0, sizeof(c->views));
    }
    c->rank = (uint32_t)rank;
    feed_reply(c, "ok");
}

static void feed_serve_wait(struct feed *f, struct feed_conn *c, bool is_now,
                            uint64_t now_ms)
{
    c->wait = FEED_WAIT_NEXT;
    feed_serve_next(f, c, now_ms);
    if (is_now && c->wait == FEED_WAIT_NEXT) {
        c->wait = FEED_WAIT_NOTHING;
        feed_reply(c, "empty");
    }
}

void feed_serve_line(struct feed *f, struct feed_conn *c, struct bytes text,
                     uint64_t now_ms)
{
    struct feed_line line;
    struct fault why;

    CHECK(c->wait == FEED_WAIT_NOTHING);
    if (feed_line_read(text, &why, &line) != STATUS_OK) {
        feed_error(f, c, why.text);
        return;
    }
    if (line.channel.size > 0 &&
        !feed_channel_of(f, line.channel, &c->channel)) {
        feed_error(f, c, "there is no such channel");
        return;
    }
    switch (line.verb) {
    case FEED_RANK:
        feed_serve_rank(f, c, line.number);
        return;
    case FEED_KEEP:
        c->is_kept = true;
        feed_reply(c, "ok");
        return;
    case FEED_AGAIN:
        feed_give_back(f, c->rank, 0);
        feed_give_back(f, c->rank, c->number);
        feed_reply(c, "ok");
        return;
    case FEED_NEXT:
        feed_serve_wait(f, c, line.is_now, now_ms);
        return;
    case FEED_DONE:
    case FEED_COMMIT:
    case FEED_SKIP:
        feed_finish(f, c, &line);
        return;
    case FEED_STOP:
        holder_end_epoch(feed_holder(f, c->channel), c->rank);
        feed_reply(c, "ok");
        return;
    case FEED_VERBS:
    default:
        UNREACHABLE("a line that was read has a verb");
    }
}
