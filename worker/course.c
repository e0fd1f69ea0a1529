/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/course.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/ranges.h"

enum { COURSE_TURN_MAX = 4096 }; /* Units put for a rank in one step. */

/* A unit that can't be read, delivered ahead of its lease. */
struct course_skip {
    struct course_skip *next;
    uint64_t position;
    char *reason;
};

/* How far a rank is in an epoch that was delivered ahead of its leases. */
struct course_epoch {
    struct course_epoch *next;
    uint64_t epoch;
    struct ranges *done;       /* Positions that were consumed; */
    struct course_skip *skips; /* these of them are skipped, */
    struct ranges *said;       /* and these said, and not refused; */
    bool was_cut;              /* nothing more comes. */
};

struct course_way {
    struct course_rank dealt;
    uint64_t epoch;  /* That units are put of. */
    uint64_t at;     /* Static: the next one to put. */
    bool is_ended;   /* The epoch's end was put, */
    bool wants_next; /* and the next one is wanted. */
    bool is_own_end; /* All own were put. */
    bool is_cut;     /* Nothing more of @cut_epoch is delivered: its leases go
                        back until it is over. */
    uint64_t cut_epoch;
    bool is_over;                /* The last end was put. */
    bool is_ahead;               /* Units are put as they were dealt. */
    struct course_epoch *epochs; /* Ahead, oldest first. */
    struct holder_unit held;     /* The holder's, to be matched. */
    bool has_held;
};

struct course {
    struct course_options options;
    struct course_way *ways;
    uint64_t skipped;
};

struct course *course_new(const struct course_options *options)
{
    struct course *c = mem_new(1, sizeof(*c));

    CHECK(options->rank_count > 0 && options->epochs > 0);
    c->options = *options;
    c->ways = mem_new(options->rank_count, sizeof(c->ways[0]));
    for (uint32_t i = 0; options->ranks != NULL && i < options->rank_count;
         i++) {
        CHECK(options->ranks[i].own <= options->ranks[i].all);
        c->ways[i].dealt = options->ranks[i];
    }
    return c;
}

static void course_drop_skip(struct course_skip **at)
{
    struct course_skip *skip = *at;

    *at = skip->next;
    free(skip->reason);
    free(skip);
}

static void course_drop_epoch(struct course_way *w)
{
    struct course_epoch *first = w->epochs;

    w->epochs = first->next;
    while (first->skips != NULL) {
        course_drop_skip(&first->skips);
    }
    ranges_destroy(&first->done);
    ranges_destroy(&first->said);
    free(first);
}

void course_destroy(struct course **c)
{
    if (*c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*c)->options.rank_count; i++) {
        while ((*c)->ways[i].epochs != NULL) {
            course_drop_epoch(&(*c)->ways[i]);
        }
    }
    free((*c)->ways);
    free(*c);
    *c = NULL;
}

/* ---- What was told. -------------------------------------------------------
 */

static struct course_epoch *course_find_epoch(struct course_way *w,
                                              uint64_t epoch)
{
    struct course_epoch *e = w->epochs;

    while (e != NULL && e->epoch != epoch) {
        e = e->next;
    }
    return e;
}

/* One that was delivered ahead: its lease says so later. If the epoch was cut
 * by another rank, nobody wants to know. */
static void course_note_done(struct course *c, const struct supply_told *told)
{
    struct course_way *w = &c->ways[told->rank];
    struct course_epoch *e = course_find_epoch(w, told->epoch);
    struct range one = {told->position, told->position + 1};

    if (e == NULL) {
        return;
    }
    CHECK(ranges_add(e->done, one) == 1);
    if (told->word == SUPPLY_SKIP) {
        struct course_skip *skip = mem_new(1, sizeof(*skip));

        skip->position = told->position;
        skip->reason = mem_copy(told->reason);
        skip->next = e->skips;
        e->skips = skip;
    }
}

static enum status course_take_unit(struct course *c,
                                    const struct supply_told *told)
{
    struct holder_unit unit = {told->epoch, told->position, told->lease, false};
    enum status s = STATUS_OK;

    c->skipped += told->word == SUPPLY_SKIP;
    if (told->lease == 0) {
        if (told->word != SUPPLY_BACK) {
            course_note_done(c, told);
        }
        return STATUS_OK;
    }
    if (told->word == SUPPLY_DONE) {
        s = holder_done(c->options.holder, told->rank, &unit);
    } else if (told->word == SUPPLY_SKIP) {
        s = holder_skip(c->options.holder, told->rank, &unit, told->reason);
    } else {
        s = holder_return(c->options.holder, told->rank, &unit);
    }
    CHECK(s != STATUS_INVALID);
    return s;
}

/* The rank's @epoch ends here. */
static void course_cut(struct course *c, uint32_t rank, uint64_t epoch)
{
    struct course_way *w = &c->ways[rank];

    if (holder_epoch(c->options.holder, rank) == epoch) {
        w->is_cut = true;
        w->cut_epoch = epoch;
        holder_end_epoch(c->options.holder, rank);
    }
}

/* As long as the holder is in an epoch that was cut: what is leased goes
 * back. */
static void course_give_back(struct course *c, uint32_t rank)
{
    struct holder *h = c->options.holder;
    struct course_way *w = &c->ways[rank];

    if (w->is_cut && (holder_epoch(h, rank) != w->cut_epoch ||
                      holder_epoch_is_over(h, rank))) {
        w->is_cut = false;
    }
    if (w->is_cut) {
        holder_give_back(h, rank);
    }
}

static void course_take_stop(struct course *c, const struct supply_told *told)
{
    struct course_way *w = &c->ways[told->rank];
    struct course_epoch *e = course_find_epoch(w, told->epoch);

    if (e != NULL) {
        e->was_cut = true;
    } else {
        course_cut(c, told->rank, told->epoch);
    }
    if (w->epoch == told->epoch && c->options.ranks != NULL && !w->is_ended) {
        w->at = w->dealt.all; /* Its end is next. */
        w->is_own_end = true;
    }
}

static enum status course_take(struct course *c, struct fault *why)
{
    struct supply_told told;

    while (supply_told(c->options.supply, &told)) {
        switch (told.word) {
        case SUPPLY_DONE:
        case SUPPLY_SKIP:
        case SUPPLY_BACK:
            if (course_take_unit(c, &told) == STATUS_FULL) {
                return fault_set(why, STATUS_FULL,
                                 "too many units can't be read at once; the "
                                 "last one: %s",
                                 told.reason);
            }
            break;
        case SUPPLY_BEGIN:
            c->ways[told.rank].wants_next = true;
            break;
        case SUPPLY_STOP:
            course_take_stop(c, &told);
            break;
        case SUPPLY_FAIL:
            return fault_set(why, told.status, "%s", told.reason);
        }
    }
    return STATUS_OK;
}

/* ---- What is put. ---------------------------------------------------------
 */

static enum status course_put(struct course *c, uint32_t rank,
                              struct supply_unit *unit, uint64_t at)
{
    enum status s =
        c->options.unit(c->options.unit_self, rank, unit->epoch, at, unit);

    if (s == STATUS_OK) {
        supply_put(c->options.supply, rank, unit);
    }
    return s;
}

static void course_end_epoch(struct course *c, uint32_t rank)
{
    struct course_way *w = &c->ways[rank];

    w->is_ended = true;
    w->is_over = w->epoch + 1 >= c->options.epochs;
    supply_put_end(c->options.supply, rank, w->epoch, w->is_over);
}

/* Padding, behind all that is the rank's own. false: there is no room. */
static bool course_put_padding(struct course *c, uint32_t rank,
                               enum status *status)
{
    struct course_way *w = &c->ways[rank];

    while (c->options.ranks != NULL && w->at < w->dealt.all) {
        struct supply_unit unit = {.epoch = w->epoch, .is_repeat = true};

        if (!supply_has_room(c->options.supply, rank)) {
            return false;
        }
        *status = course_put(c, rank, &unit, w->at++);
        if (*status != STATUS_OK) {
            return false;
        }
    }
    return true;
}

/* Put the next one that the holder hands out. EMPTY: there is none, or no
 * room; STOPPED: the epoch has no more. */
static enum status course_put_next(struct course *c, uint32_t rank,
                                   uint64_t now_ms)
{
    struct course_way *w = &c->ways[rank];
    struct holder_unit from;
    struct supply_unit unit;
    enum status s;

    if (w->is_cut || !supply_has_room(c->options.supply, rank)) {
        return STATUS_EMPTY;
    }
    s = holder_next(c->options.holder, rank, now_ms, &from);
    w->epoch = holder_epoch(c->options.holder, rank);
    if (s != STATUS_OK) {
        return s;
    }
    unit = (struct supply_unit){
        .epoch = from.epoch,
        .position = from.position,
        .lease = from.lease,
    };
    return course_put(c, rank, &unit, from.position - w->dealt.first);
}

/* Put what the holder hands out. */
static enum status course_put_held(struct course *c, uint32_t rank,
                                   uint64_t now_ms)
{
    struct course_way *w = &c->ways[rank];
    enum status s = STATUS_OK;

    for (int i = 0; i < COURSE_TURN_MAX && s == STATUS_OK && !w->is_own_end;
         i++) {
        s = course_put_next(c, rank, now_ms);
        if (s == STATUS_STOPPED) {
            w->is_own_end = true;
            w->at = w->dealt.own;
        }
    }
    if (s != STATUS_OK && s != STATUS_EMPTY && s != STATUS_STOPPED) {
        return s;
    }
    s = STATUS_OK;
    if (w->is_own_end && course_put_padding(c, rank, &s)) {
        course_end_epoch(c, rank);
    }
    return s;
}

/* Put what was dealt. */
static enum status course_put_dealt(struct course *c, uint32_t rank)
{
    struct course_way *w = &c->ways[rank];
    enum status s = STATUS_OK;

    for (int i = 0; i < COURSE_TURN_MAX && w->at < w->dealt.own; i++) {
        struct supply_unit unit = {.epoch = w->epoch,
                                   .position = w->dealt.first + w->at};

        if (!supply_has_room(c->options.supply, rank)) {
            return STATUS_OK;
        }
        s = course_put(c, rank, &unit, w->at++);
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (w->at >= w->dealt.own && course_put_padding(c, rank, &s)) {
        course_end_epoch(c, rank);
    }
    return s;
}

/* The rank has seen its end, and there is a next epoch. */
static void course_begin(struct course *c, uint32_t rank)
{
    struct course_way *w = &c->ways[rank];
    struct course_epoch **tail = &w->epochs;
    struct course_epoch *e;

    if (c->options.ranks == NULL) {
        if (holder_begin(c->options.holder, rank) != STATUS_OK) {
            return; /* Not yet. */
        }
        w->epoch = holder_epoch(c->options.holder, rank);
    } else {
        w->is_ahead = true;
        w->epoch++;
        e = mem_new(1, sizeof(*e));
        e->epoch = w->epoch;
        e->done = ranges_new();
        e->said = ranges_new();
        while (*tail != NULL) {
            tail = &(*tail)->next;
        }
        *tail = e;
    }
    w->at = 0;
    w->wants_next = false;
    w->is_ended = false;
    w->is_own_end = false;
}

/* ---- What is said later. --------------------------------------------------
 */

/* The holder has nothing now of the oldest epoch. Whether to look again. */
static bool course_pass_epoch(struct course *c, uint32_t rank, enum status s)
{
    struct holder *h = c->options.holder;
    struct course_way *w = &c->ways[rank];

    if (s != STATUS_STOPPED) {
        return false;
    }
    if (holder_epoch(h, rank) >= w->epochs->epoch &&
        holder_epoch_is_over(h, rank)) {
        course_drop_epoch(w);
    }
    return holder_begin(h, rank) == STATUS_OK;
}

/* The holder has a unit that was not consumed; none will be, if the epoch was
 * cut: give it back. */
static void course_take_back(struct course *c, uint32_t rank)
{
    struct course_way *w = &c->ways[rank];
    enum status s;

    if (w->epochs->was_cut || w->held.epoch < w->epochs->epoch) {
        s = holder_return(c->options.holder, rank, &w->held);
        CHECK(s != STATUS_INVALID);
        w->has_held = false;
        course_cut(c, rank, w->held.epoch);
    }
}

/* The held unit was consumed, or skipped: say so. false: not now. */
static bool course_say_held(struct course *c, uint32_t rank)
{
    struct holder *h = c->options.holder;
    struct course_way *w = &c->ways[rank];
    struct course_epoch *e = w->epochs;
    const struct course_skip *skip = e->skips;
    struct range one = {w->held.position, w->held.position + 1};
    enum status s;

    while (skip != NULL && skip->position != w->held.position) {
        skip = skip->next;
    }
    s = skip == NULL ? holder_done(h, rank, &w->held)
                     : holder_skip(h, rank, &w->held, skip->reason);
    CHECK(s != STATUS_INVALID);
    if (s == STATUS_FULL) {
        return false;
    }
    if (s == STATUS_OK) {
        ranges_add(e->said, one);
    }
    w->has_held = false;
    return true;
}

/* Say what was consumed ahead and has its lease by now. */
static void course_match(struct course *c, uint32_t rank, uint64_t now_ms)
{
    struct holder *h = c->options.holder;
    struct course_way *w = &c->ways[rank];
    bool goes_on = true;

    while (goes_on && w->epochs != NULL && !w->is_cut) {
        struct course_epoch *e = w->epochs;

        if (!w->has_held) {
            enum status s = holder_next(h, rank, now_ms, &w->held);

            if (s != STATUS_OK) {
                goes_on = course_pass_epoch(c, rank, s);
                continue;
            }
            w->has_held = true;
        }
        if (w->held.epoch < e->epoch ||
            !ranges_has(e->done, w->held.position)) {
            course_take_back(c, rank);
            return;
        }
        goes_on = course_say_held(c, rank);
    }
}

/* ---- Both. ----------------------------------------------------------------
 */

/* What was refused is to be said again, under another lease. */
static void course_take_outcomes(struct course *c)
{
    struct holder_outcome o;

    while (holder_take_outcome(c->options.holder, &o)) {
        struct course_epoch *e = course_find_epoch(&c->ways[o.rank], o.epoch);

        if (o.is_refused && e != NULL) {
            ranges_remove(e->said, (struct range){o.first, o.end});
        }
    }
}

static enum status course_step_rank(struct course *c, uint32_t rank,
                                    uint64_t now_ms)
{
    struct course_way *w = &c->ways[rank];

    course_give_back(c, rank);
    if (w->is_ended && !w->is_over && w->wants_next) {
        course_begin(c, rank);
    }
    if (w->is_ahead) {
        course_match(c, rank, now_ms);
    }
    if (w->is_ended) {
        return STATUS_OK;
    }
    return w->is_ahead ? course_put_dealt(c, rank)
                       : course_put_held(c, rank, now_ms);
}

enum status course_step(struct course *c, uint64_t now_ms, struct fault *why)
{
    enum status s;

    supply_told_heed(c->options.supply);
    course_take_outcomes(c);
    s = course_take(c, why);
    for (uint32_t i = 0; s == STATUS_OK && i < c->options.rank_count; i++) {
        s = course_step_rank(c, i, now_ms);
        if (s != STATUS_OK) {
            s = fault_set(why, s,
                          "rank %u of this host, epoch %" PRIu64
                          ": a unit is not among what was dealt",
                          (unsigned)i, c->ways[i].epoch);
        }
    }
    return s;
}

struct course_stats course_stats(const struct course *c)
{
    struct course_stats out = {.epoch = UINT64_MAX, .skipped = c->skipped};

    out.is_over = true;
    for (uint32_t i = 0; i < c->options.rank_count; i++) {
        const struct course_way *w = &c->ways[i];
        uint64_t ahead = 0;

        for (const struct course_epoch *e = w->epochs; e != NULL; e = e->next) {
            ahead++;
            out.unsaid += ranges_size(e->done) - ranges_size(e->said);
        }
        out.epoch = w->epoch < out.epoch ? w->epoch : out.epoch;
        out.ahead = ahead > out.ahead ? ahead : out.ahead;
        out.is_over = out.is_over && w->is_over;
    }
    return out;
}

void course_check(const struct course *c)
{
    for (uint32_t i = 0; i < c->options.rank_count; i++) {
        const struct course_way *w = &c->ways[i];

        struct range own = {w->dealt.first, w->dealt.first + w->dealt.own};

        CHECK(w->epochs == NULL || w->is_ahead);
        CHECK(!w->is_ahead || c->options.ranks != NULL);
        for (const struct course_epoch *e = w->epochs; e != NULL; e = e->next) {
            CHECK(ranges_count_in(e->done, own) == ranges_size(e->done));
            CHECK(ranges_size(e->said) <= ranges_size(e->done));
            CHECK(e->next == NULL || e->next->epoch == e->epoch + 1);
            CHECK(e->epoch <= w->epoch);
        }
    }
}
