/* SPDX-License-Identifier: Apache-2.0 */
/* Which units are here as files, and which are to come. All lists are short,
 * some units for each rank; but each step looks for each of them. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "worker/feed_state.h"

struct feed_unit *feed_unit_handed(const struct feed *f, uint32_t channel,
                                   uint32_t rank, uint64_t position)
{
    struct feed_unit *found = NULL;

    for (uint32_t i = 0; i < f->unit_count; i++) {
        struct feed_unit *u = f->units[i];

        /* A position comes again under a newer lease. */
        if (u->is_handed && u->channel == channel && u->rank == rank &&
            u->unit.position == position &&
            (found == NULL || u->unit.lease > found->unit.lease)) {
            found = u;
        }
    }
    return found;
}

static uint32_t feed_unit_row(uint32_t channel, const struct holder_unit *unit)
{
    return (uint32_t)prng_mix(unit->position ^ prng_mix(unit->lease) ^
                              channel) &
           (FEED_UNITS_TABLE - 1);
}

static struct feed_unit *feed_unit_find(const struct feed *f, uint32_t channel,
                                        const struct holder_unit *unit)
{
    struct feed_unit *u = f->by_unit[feed_unit_row(channel, unit)];

    while (u != NULL &&
           (u->channel != channel || u->unit.lease != unit->lease ||
            u->unit.position != unit->position)) {
        u = u->chain;
    }
    return u;
}

static void feed_unit_link(struct feed *f, struct feed_unit *u)
{
    struct feed_unit **row = &f->by_unit[feed_unit_row(u->channel, &u->unit)];

    u->chain = *row;
    *row = u;
}

static void feed_unit_unlink(struct feed *f, const struct feed_unit *u)
{
    struct feed_unit **at = &f->by_unit[feed_unit_row(u->channel, &u->unit)];

    while (*at != u) {
        CHECK(*at != NULL);
        at = &(*at)->chain;
    }
    *at = u->chain;
}

/* It can't be read: skip it if that is allowed, else tell the owner. */
static void feed_unit_fail(struct feed *f, struct feed_unit *u, enum status s)
{
    u->state = FEED_UNIT_FAILED;
    u->status = s;
    f->stats.failed++;
    if (!f->options.channels[u->channel].skips && f->failed == STATUS_OK) {
        f->failed = s;
        f->failed_why = u->why;
    }
}

/* Start to fetch @u, which comes after @ahead others. */
static void feed_unit_fetch(struct feed *f, struct feed_unit *u, uint32_t ahead)
{
    uint64_t due = feed_fetch_clock_ms(f->fetch) + ahead * FEED_UNIT_MS;
    const struct feed_channel *c = &f->options.channels[u->channel];
    struct bring_object object;
    enum status s = f->options.object(f->options.object_self, u->channel,
                                      u->unit.position, u->unit.epoch, &object);

    u->state = FEED_UNIT_COMING;
    u->is_next = ahead == 0;
    if (s == STATUS_OK) {
        u->size = object.size;
        u->ticket = feed_fetch_want(f->fetch, u->channel, &object, due);
        if (u->ticket == 0) {
            s = STATUS_FULL;
        }
    }
    if (s != STATUS_OK) {
        feed_unit_fail(f, u,
                       fault_set(&u->why, s,
                                 "%s: there is no object for position %llu: %s",
                                 c->source.name,
                                 (unsigned long long)u->unit.position,
                                 status_text(s)));
    }
}

/* What a rank comes to next goes before what others want later. */
static void feed_unit_hurry(struct feed *f, struct feed_unit *u)
{
    if (u->state == FEED_UNIT_COMING && !u->is_next) {
        u->is_next = true;
        feed_fetch_hurry(f->fetch, u->ticket, feed_fetch_clock_ms(f->fetch));
    }
}

struct feed_unit *feed_unit_need(struct feed *f, const struct feed_place *at,
                                 const struct holder_unit *unit)
{
    struct feed_unit *u = feed_unit_find(f, at->channel, unit);

    if (u != NULL || f->unit_count == FEED_UNITS_MAX ||
        feed_fetch_count(f->fetch) == FEED_TICKETS_MAX) {
        return u;
    }
    u = mem_new(1, sizeof(*u));
    u->unit = *unit;
    u->channel = at->channel;
    u->rank = at->rank;
    f->units[f->unit_count++] = u;
    feed_unit_link(f, u);
    feed_unit_fetch(f, u, at->ahead);
    return u;
}

bool feed_unit_tries_again(struct feed *f, struct feed_unit *u)
{
    bool may_help = u->status == STATUS_NO_SPACE && !u->is_asked &&
                    feed_fetch_count(f->fetch) < FEED_TICKETS_MAX;

    CHECK(u->state == FEED_UNIT_FAILED && u->ticket == 0);
    u->is_asked = true;
    if (may_help) {
        feed_unit_fetch(f, u, 0);
    }
    return may_help;
}

static void feed_unit_free(struct feed *f, struct feed_unit *u)
{
    feed_unit_unlink(f, u);
    if (u->ticket > 0) {
        feed_fetch_drop(f->fetch, u->ticket);
    }
    free(u);
}

void feed_unit_drop(struct feed *f, struct feed_unit *u)
{
    uint32_t at = 0;

    while (at < f->unit_count && f->units[at] != u) {
        at++;
    }
    CHECK(at < f->unit_count);
    f->units[at] = f->units[--f->unit_count];
    feed_unit_free(f, u);
}

static struct feed_unit *feed_unit_of(const struct feed *f, uint64_t ticket)
{
    for (uint32_t i = 0; i < f->unit_count; i++) {
        if (f->units[i]->ticket == ticket) {
            return f->units[i];
        }
    }
    return NULL;
}

void feed_unit_take(struct feed *f)
{
    struct feed_fetched got;

    while (feed_fetch_take(f->fetch, &got)) {
        struct feed_unit *u = feed_unit_of(f, got.ticket);

        CHECK(u != NULL);
        if (got.status == STATUS_OK) {
            u->state = FEED_UNIT_HERE;
            u->path = got.path;
            f->stats.fetched++;
            f->stats.bytes += u->size;
            continue;
        }
        feed_fetch_drop(f->fetch, u->ticket);
        u->ticket = 0;
        u->why = got.why;
        feed_unit_fail(f, u, got.status);
    }
}

static uint64_t feed_unit_bytes(const struct feed *f, uint32_t channel)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < f->unit_count; i++) {
        const struct feed_unit *u = f->units[i];

        bytes += u->channel == channel && !u->is_handed ? u->size : 0;
    }
    return bytes;
}

/* A look ahead in one channel. */
struct feed_look {
    uint32_t channel;
    uint32_t ahead;
    uint64_t bytes;                /* Foreseen so far. */
    uint64_t from[WORK_WANTS_MAX]; /* Of each rank: what it has not looked at;
                                      UINT64_MAX: there is no more. */
};

static void feed_unit_see(struct feed *f, struct feed_look *l, uint32_t rank,
                          const struct holder_unit *unit)
{
    const struct feed_channel *c = &f->options.channels[l->channel];
    struct feed_unit *u = feed_unit_find(f, l->channel, unit);

    /* The next one of a rank is fetched in any case. */
    if (u == NULL && (l->ahead == 0 || l->bytes < c->ahead_bytes)) {
        u = feed_unit_need(f, &(struct feed_place){l->channel, rank, l->ahead},
                           unit);
        l->bytes += u != NULL ? u->size : 0;
    } else if (u != NULL && l->ahead == 0) {
        feed_unit_hurry(f, u);
    }
    if (u != NULL) {
        u->is_seen = true;
    }
}

/* Look at one unit more of each rank. false: there is none. */
static bool feed_unit_look(struct feed *f, struct feed_look *l)
{
    const struct feed_channel *c = &f->options.channels[l->channel];
    bool is_any = false;

    for (uint32_t rank = 0; rank < f->options.rank_count; rank++) {
        struct holder_unit unit;

        if (l->from[rank] == UINT64_MAX ||
            !holder_peek(c->holder, rank, l->from[rank], &unit)) {
            l->from[rank] = UINT64_MAX;
            continue;
        }
        l->from[rank] = unit.position + 1;
        feed_unit_see(f, l, rank, &unit);
        is_any = true;
    }
    return is_any;
}

/* Whether nobody will say anything of @u any more: its epoch has long ended. */
static bool feed_unit_is_forgotten(const struct feed *f,
                                   const struct feed_unit *u)
{
    uint64_t epoch =
        holder_epoch(f->options.channels[u->channel].holder, u->rank);
    uint64_t behind = u->owner == 0 ? 0 : 1;

    return u->is_handed && u->unit.epoch + behind < epoch;
}

/* Let go what will not be asked for. */
static void feed_unit_sweep(struct feed *f)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < f->unit_count; i++) {
        struct feed_unit *u = f->units[i];

        if ((!u->is_handed && !u->is_seen) || feed_unit_is_forgotten(f, u)) {
            feed_unit_free(f, u);
        } else {
            f->units[kept++] = u;
        }
    }
    f->unit_count = kept;
}

void feed_unit_look_ahead(struct feed *f)
{
    for (uint32_t i = 0; i < f->unit_count; i++) {
        f->units[i]->is_seen = false;
    }
    for (uint32_t i = 0; i < f->options.channel_count; i++) {
        struct feed_look look = {.channel = i, .bytes = feed_unit_bytes(f, i)};

        while (look.ahead < f->options.channels[i].ahead_units &&
               feed_unit_look(f, &look)) {
            look.ahead++;
        }
    }
    feed_unit_sweep(f);
}
