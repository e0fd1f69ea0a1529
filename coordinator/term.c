/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done next is one request and its time (next, next_ms). Each
 * outcome sets it anew; a timer only looks whether the time has come.
 *
 * A write is a "try": it keeps its body, condition and nonce until it is known
 * whether it took place, however often it has to be sent. So a late copy of
 * it can do no harm: all copies have the same condition, which is gone once
 * the first has taken effect. */
#include "coordinator/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"

enum {
    TERM_TTL_BEATS = 2,
    TERM_MARGIN_PART = 6,   /* Of the ttl, which a leader does without. */
    TERM_STAGGER_PART = 16, /* Of a beat: from one turn to the next. */
    TERM_TURN_MAX = 32,     /* Staggered no further than this. */
    TERM_OUTSIDER_TTLS = 2, /* How much longer it waits. */
    TERM_EAGER_TURNS = 3,   /* Whose turn is so near reads often. */
    TERM_RETRY_PART = 6,
    TERM_LAZY_BEATS = 6, /* And up to two more, so that reads spread out. */
    TERM_LAZY_SPREAD = 64,
};

#define TERM_NEVER UINT64_MAX

/* A write whose outcome may be open. */
struct term_try {
    bool is_open;
    struct term_lease lease;
    char etag[TERM_ETAG_MAX]; /* What it replaces; "": nothing is there. */
    uint64_t since_ms;        /* When it was first sent. */
};

struct term {
    char host[TERM_HOST_MAX + 1];
    char endpoint[TERM_ENDPOINT_MAX + 1];
    char key[TERM_KEY_SIZE + 1];
    char own_run[TERM_RUN_SIZE + 1]; /* That it would begin. */
    bool has_begun;                  /* That one: the next needs a new id. */
    char in_run[TERM_RUN_SIZE + 1];  /* That it has been let into, or "". */
    char at_run[TERM_RUN_SIZE + 1];  /* That has kept it waiting, or "". */
    uint32_t number;
    uint32_t host_count;
    uint64_t ttl_ms;
    uint64_t beat_ms; /* Half the ttl. */
    bool may_succeed;
    bool is_told_eager;
    uint64_t nonce_seed;
    uint64_t nonce_count;

    enum term_state state;
    uint64_t now_ms;
    enum term_do under_way;
    uint64_t asked_ms; /* When that, or the one before, was sent. */
    enum term_do next;
    uint64_t next_ms;

    bool has_looked;          /* At least one read was answered. */
    struct term_lease lease;  /* As last seen or written; term 0: none. */
    char etag[TERM_ETAG_MAX]; /* Of it; "" when it is not there. */
    uint64_t since_ms;        /* When it was first seen so. */
    struct term_try try;

    uint64_t until_ms;   /* LEADING: the end of the reign, if not renewed. */
    uint64_t release_ms; /* When RELEASE came, or TERM_NEVER. */
    struct fault fault;
};

static void term_set_text(char *out, size_t room, const char *text)
{
    size_t size = strlen(text);

    CHECK(size < room);
    memset(out, 0, room);
    memcpy(out, text, size);
}

struct term *term_new(const struct term_options *options)
{
    struct term *t = mem_new(1, sizeof(*t));
    uint64_t ttl_ms = TERM_TTL_BEATS * options->heartbeat_ms;

    CHECK(options->host[0] != '\0' && options->run[0] != '\0');
    CHECK(options->number < options->host_count);
    CHECK(options->heartbeat_ms >= 1);
    CHECK(options->heartbeat_ms <= TERM_TTL_MAX_MS / TERM_TTL_BEATS);
    term_set_text(t->host, sizeof(t->host), options->host);
    term_set_text(t->endpoint, sizeof(t->endpoint), options->endpoint);
    term_set_text(t->own_run, sizeof(t->own_run), options->run);
    if (options->key != NULL) {
        term_set_text(t->key, sizeof(t->key), options->key);
    }
    t->number = options->number;
    t->host_count = options->host_count;
    t->ttl_ms = ttl_ms > TERM_TTL_MIN_MS ? ttl_ms : TERM_TTL_MIN_MS;
    t->beat_ms = t->ttl_ms / TERM_TTL_BEATS;
    t->may_succeed = options->may_succeed;
    t->nonce_seed = options->nonce_seed;
    t->next = TERM_DO_READ;
    t->release_ms = TERM_NEVER;
    return t;
}

void term_destroy(struct term **t)
{
    free(*t);
    *t = NULL;
}

static bool term_is_over(const struct term *t)
{
    return t->state == TERM_RELEASED;
}

/* The lease is ours, as far as is known. */
static bool term_is_mine(const struct term *t)
{
    return t->state == TERM_LEADING || t->state == TERM_SUSPENDED;
}

/* This host has been let into the run that the lease names. */
static bool term_is_member(const struct term *t)
{
    return t->lease.term > 0 && strcmp(t->in_run, t->lease.run) == 0;
}

/* The run that the lease names is over, and was this host's, or might have
 * been: it has no part in what comes next. */
static bool term_has_missed(const struct term *t)
{
    return t->lease.is_released &&
           (term_is_member(t) || strcmp(t->at_run, t->lease.run) == 0);
}

/* How many go before this host when the lease is to be taken. */
static uint64_t term_turn(const struct term *t)
{
    uint64_t count = t->host_count;

    return term_is_member(t)
               ? (t->number + count - t->lease.number % count + count - 1) %
                     count
               : t->number;
}

static bool term_is_eager(const struct term *t)
{
    return t->is_told_eager || term_turn(t) < TERM_EAGER_TURNS;
}

/* From when on this host may take the lease if it stays as it is. */
static uint64_t term_free_ms(const struct term *t)
{
    uint64_t turn = term_turn(t);
    uint64_t free_ms = t->since_ms;
    bool is_member = term_is_member(t);

    if ((t->number != 0 && !t->may_succeed) || term_has_missed(t)) {
        return TERM_NEVER;
    }
    if (t->lease.term > 0 && !t->lease.is_released) {
        free_ms += t->lease.ttl_ms;
        free_ms += is_member ? 0 : TERM_OUTSIDER_TTLS * t->lease.ttl_ms;
    }
    turn = turn < TERM_TURN_MAX ? turn : TERM_TURN_MAX;
    return free_ms + turn * t->beat_ms / TERM_STAGGER_PART;
}

static void term_plan(struct term *t, enum term_do next, uint64_t next_ms)
{
    t->next = next;
    t->next_ms = next_ms;
}

static void term_end(struct term *t)
{
    t->state = TERM_RELEASED;
    t->try.is_open = false;
    term_plan(t, TERM_DO_NOTHING, TERM_NEVER);
}

static void term_make_nonce(struct term *t, char out[TERM_RUN_SIZE + 1])
{
    uint64_t high = prng_mix(t->nonce_seed + ++t->nonce_count);
    uint64_t low =
        prng_mix(high ^ t->nonce_seed ^ UINT64_C(0x9e3779b97f4a7c15));

    snprintf(out, TERM_RUN_SIZE + 1, "%016llx%016llx", (unsigned long long)high,
             (unsigned long long)low);
}

/* A run is begun once: one that this host has led, and that others have
 * replaced, would otherwise come back to life. */
static const char *term_begin_run(struct term *t)
{
    if (t->has_begun) {
        term_make_nonce(t, t->own_run);
        t->has_begun = false;
    }
    return t->own_run;
}

static void term_new_try(struct term *t)
{
    struct term_try *try = &t->try;
    struct term_lease *lease = &try->lease;
    bool is_mine = term_is_mine(t);
    const char *run =
        is_mine || term_is_member(t) ? t->lease.run : term_begin_run(t);

    memset(try, 0, sizeof(*try));
    try->is_open = true;
    try->since_ms = t->now_ms;
    lease->term = is_mine ? t->lease.term : t->lease.term + 1;
    lease->ttl_ms = t->ttl_ms;
    lease->number = t->number;
    lease->is_released = is_mine && t->release_ms != TERM_NEVER;
    term_set_text(lease->run, sizeof(lease->run), run);
    memcpy(lease->host, t->host, sizeof(t->host));
    memcpy(lease->endpoint, t->endpoint, sizeof(t->endpoint));
    memcpy(lease->key, t->key, sizeof(t->key));
    memcpy(try->etag, t->etag, sizeof(t->etag));
    term_make_nonce(t, lease->nonce);
}

static void term_write(struct term *t, struct term_effects *fx)
{
    struct buf body = {0};

    if (!t->try.is_open) {
        term_new_try(t);
    }
    term_lease_write(&t->try.lease, &body);
    CHECK(body.size <= sizeof(fx->body));
    memcpy(fx->body, body.at, body.size);
    fx->body_size = body.size;
    fx->is_unconditional = !t->may_succeed;
    fx->is_create = t->may_succeed && t->try.etag[0] == '\0';
    memcpy(fx->etag, t->try.etag, sizeof(fx->etag));
    buf_fini(&body);
}

/* How long a write keeps its writer in power, from its start. */
static uint64_t term_reign_ms(const struct term *t)
{
    return t->ttl_ms - t->ttl_ms / TERM_MARGIN_PART;
}

/* All hosts of a large job must not press a store that has trouble. */
static uint64_t term_retry_ms(const struct term *t)
{
    bool is_urgent = term_is_mine(t) || t->try.is_open || term_is_eager(t);

    return t->now_ms + t->beat_ms / (is_urgent ? TERM_RETRY_PART : 1);
}

/* When the lease is to be read again while another host may lead. */
static uint64_t term_watch_ms(const struct term *t)
{
    uint64_t spread = t->number % TERM_LAZY_SPREAD;
    uint64_t wait_ms = TERM_LAZY_BEATS * t->beat_ms +
                       2 * t->beat_ms * spread / TERM_LAZY_SPREAD;

    if (term_is_eager(t)) {
        wait_ms = t->beat_ms / 2;
    } else if (t->state == TERM_LOOKING) {
        wait_ms = 2 * t->beat_ms;
    }
    return t->asked_ms + wait_ms;
}

/* Nothing can be done yet. The first in turn need not read again before it
 * takes: a renewal that it has not seen makes its write fail. */
static void term_plan_watch(struct term *t)
{
    uint64_t watch_ms = term_watch_ms(t);
    uint64_t free_ms = term_free_ms(t);
    bool is_first = t->may_succeed && term_is_member(t) && term_turn(t) == 0;

    if (free_ms > watch_ms || (term_is_member(t) && !term_is_eager(t))) {
        term_plan(t, TERM_DO_READ, watch_ms);
    } else {
        term_plan(t, is_first ? TERM_DO_WRITE : TERM_DO_READ, free_ms);
    }
}

/* The lease has just been seen as it is, or as absent. */
static void term_plan_seen(struct term *t)
{
    t->has_looked = true;
    if (t->now_ms >= term_free_ms(t)) {
        t->state = TERM_LOOKING;
        term_plan(t, TERM_DO_WRITE, t->now_ms);
    } else {
        term_plan_watch(t);
    }
}

/* Where nothing guards a write, it comes only after a look. */
static void term_plan_own(struct term *t, uint64_t next_ms)
{
    term_plan(t, t->may_succeed ? TERM_DO_WRITE : TERM_DO_READ, next_ms);
}

static void term_set_etag(struct term *t, const char *etag)
{
    CHECK(etag[0] != '\0');
    term_set_text(t->etag, sizeof(t->etag), etag);
}

/* Our try took place; @etag is what it made. */
static void term_take_success(struct term *t, const char *etag)
{
    uint64_t since_ms = t->try.since_ms;

    CHECK(t->try.is_open);
    t->lease = t->try.lease;
    t->try.is_open = false;
    t->since_ms = t->now_ms;
    term_set_etag(t, etag);
    t->has_begun = t->has_begun || strcmp(t->lease.run, t->own_run) == 0;
    memcpy(t->in_run, t->lease.run, sizeof(t->in_run));
    if (t->lease.is_released) {
        term_end(t);
        return;
    }
    t->until_ms = since_ms + term_reign_ms(t);
    t->state = t->until_ms > t->now_ms ? TERM_LEADING : TERM_SUSPENDED;
    term_plan_own(t, t->release_ms != TERM_NEVER ? t->now_ms
                                                 : since_ms + t->beat_ms / 2);
}

/* Somebody else's lease is there, or ours of an earlier launch. */
static void term_observe(struct term *t, const struct term_lease *seen,
                         const char *etag)
{
    bool is_live;

    if (strcmp(t->etag, etag) != 0) {
        t->since_ms = t->now_ms;
        term_set_etag(t, etag);
    }
    t->lease = *seen;
    is_live = seen->is_released ? term_has_missed(t)
                                : t->now_ms < t->since_ms + seen->ttl_ms;
    t->state = is_live ? TERM_FOLLOWING : TERM_LOOKING;
    term_plan_seen(t);
}

/* No lease is there. One that was there and has vanished may still be led:
 * its leader finds out when it renews. */
static void term_observe_absence(struct term *t)
{
    if (t->etag[0] != '\0' || !t->has_looked) {
        memset(t->etag, 0, sizeof(t->etag));
        t->since_ms = t->now_ms;
    }
    t->state = TERM_LOOKING;
    term_plan_seen(t);
}

/* @seen is our own last write. Where writes are unconditional, an older one
 * that was late may have replaced it. */
static bool term_is_own(const struct term *t, const struct term_lease *seen)
{
    if (!term_is_mine(t)) {
        return false;
    }
    return strcmp(seen->nonce, t->lease.nonce) == 0 ||
           (!t->may_succeed && seen->term == t->lease.term &&
            strcmp(seen->run, t->lease.run) == 0 &&
            strcmp(seen->host, t->lease.host) == 0);
}

static void term_take_lease(struct term *t, const struct term_lease *seen,
                            const char *etag)
{
    bool is_own = term_is_own(t, seen);

    if (t->try.is_open && strcmp(seen->nonce, t->try.lease.nonce) == 0) {
        term_take_success(t, etag);
    } else if (t->try.is_open && (strcmp(t->try.etag, etag) == 0 ||
                                  (is_own && !t->may_succeed))) {
        /* The store still holds what it wants to replace: send it again. */
        term_plan(t, TERM_DO_WRITE, term_retry_ms(t));
    } else if (is_own) {
        t->try.is_open = false;
        term_set_etag(t, etag);
        term_plan(t, TERM_DO_WRITE, t->now_ms);
    } else {
        t->try.is_open = false;
        term_observe(t, seen, etag);
    }
}

static void term_take_absence(struct term *t)
{
    if (t->try.is_open && t->try.etag[0] == '\0') {
        term_plan(t, TERM_DO_WRITE, term_retry_ms(t));
    } else {
        t->try.is_open = false;
        term_observe_absence(t);
    }
}

/* A lease that nobody can read holds none of our nonces. It is not ours to
 * overwrite, so this host can only wait. */
static void term_take_malformed(struct term *t)
{
    t->state = TERM_LOOKING;
    t->try.is_open = false;
    t->has_looked = true;
    memset(t->etag, 0, sizeof(t->etag));
    t->since_ms = t->now_ms;
    term_plan(t, TERM_DO_READ, term_watch_ms(t));
}

static void term_take_read(struct term *t, const struct term_event *event)
{
    struct term_lease seen;

    t->fault.text[0] = '\0';
    if (event->status == STATUS_NOT_FOUND) {
        term_take_absence(t);
    } else if (event->status != STATUS_OK) {
        if (!term_is_member(t)) {
            t->since_ms = t->now_ms; /* Its leader can't write either. */
        }
        term_plan(t, TERM_DO_READ, term_retry_ms(t));
    } else if (term_lease_read(event->body, &t->fault, &seen) != STATUS_OK) {
        term_take_malformed(t);
    } else {
        term_take_lease(t, &seen, event->etag);
    }
}

static void term_take_written(struct term *t, const struct term_event *event)
{
    bool is_refused = event->status == STATUS_EXISTS ||
                      event->status == STATUS_CHANGED ||
                      event->status == STATUS_NOT_FOUND;

    CHECK(t->try.is_open);
    if (event->status == STATUS_OK) {
        term_take_success(t, event->etag);
        return;
    }
    /* Refused by another's write, or by our own whose answer was lost below
     * us: the nonce tells, and until it has, nobody acts. */
    if (is_refused && t->state == TERM_LEADING) {
        t->state = TERM_SUSPENDED;
    }
    term_plan(t, TERM_DO_READ, t->now_ms);
}

static void term_take_release(struct term *t)
{
    if (t->release_ms != TERM_NEVER) {
        return;
    }
    t->release_ms = t->now_ms;
    if (term_is_mine(t) && !t->try.is_open) {
        term_plan_own(t, t->now_ms);
    }
}

/* RELEASE came, and there is no reign to end or no more time for it. */
static bool term_wants_no_reign(const struct term *t)
{
    return t->release_ms != TERM_NEVER && !term_is_over(t) &&
           ((!term_is_mine(t) && !t->try.is_open) ||
            t->now_ms >= t->release_ms + t->ttl_ms);
}

static void term_take(struct term *t, const struct term_event *event)
{
    enum term_do under_way = t->under_way;

    if (event->type == TERM_EVENT_READ || event->type == TERM_EVENT_WRITTEN) {
        CHECK(under_way ==
              (event->type == TERM_EVENT_READ ? TERM_DO_READ : TERM_DO_WRITE));
        CHECK_IMPLIES(event->status == STATUS_OK, event->etag != NULL);
        t->under_way = TERM_DO_NOTHING;
    }
    if (t->state == TERM_LEADING && t->now_ms >= t->until_ms) {
        t->state = TERM_SUSPENDED;
    }
    if (term_is_over(t)) {
        return;
    }
    if (event->type == TERM_EVENT_READ) {
        term_take_read(t, event);
    } else if (event->type == TERM_EVENT_WRITTEN) {
        term_take_written(t, event);
    } else if (event->type == TERM_EVENT_RELEASE) {
        term_take_release(t);
    }
    if (term_wants_no_reign(t)) {
        term_end(t);
    }
}

static void term_ask(struct term *t, struct term_effects *fx)
{
    fx->request = TERM_DO_NOTHING;
    fx->is_create = false;
    fx->is_unconditional = false;
    fx->etag[0] = '\0';
    fx->body_size = 0;
    if (t->under_way == TERM_DO_NOTHING && t->next != TERM_DO_NOTHING &&
        t->now_ms >= t->next_ms) {
        fx->request = t->next;
        t->under_way = t->next;
        t->asked_ms = t->now_ms;
        if (t->next == TERM_DO_WRITE) {
            term_write(t, fx);
        }
        term_plan(t, TERM_DO_NOTHING, TERM_NEVER);
    }
    fx->timer_ms = t->next_ms;
    if (t->state == TERM_LEADING && t->until_ms < fx->timer_ms) {
        fx->timer_ms = t->until_ms;
    }
    if (!term_is_over(t) && t->release_ms != TERM_NEVER &&
        t->release_ms + t->ttl_ms < fx->timer_ms) {
        fx->timer_ms = t->release_ms + t->ttl_ms;
    }
}

void term_step(struct term *t, const struct term_event *event,
               struct term_effects *fx)
{
    CHECK(event->now_ms >= t->now_ms);
    t->now_ms = event->now_ms;
    term_take(t, event);
    term_ask(t, fx);
}

/* Whose turn it is has changed: plan the next look anew. */
static void term_replan(struct term *t)
{
    bool watches = t->state == TERM_FOLLOWING || t->state == TERM_LOOKING;

    if (watches && t->has_looked && !t->try.is_open &&
        t->under_way == TERM_DO_NOTHING) {
        term_plan_watch(t);
    }
}

void term_enter_run(struct term *t, const char *run)
{
    CHECK(run[0] != '\0');
    if (!term_is_mine(t)) {
        term_set_text(t->in_run, sizeof(t->in_run), run);
        term_replan(t);
    }
}

void term_knock(struct term *t, const char *run)
{
    CHECK(run[0] != '\0');
    term_set_text(t->at_run, sizeof(t->at_run), run);
    term_replan(t);
}

void term_set_eager(struct term *t, bool is_eager)
{
    if (t->is_told_eager != is_eager) {
        t->is_told_eager = is_eager;
        term_replan(t);
    }
}

enum term_state term_state(const struct term *t)
{
    return t->state;
}

const struct term_lease *term_lease(const struct term *t)
{
    return &t->lease;
}

uint64_t term_until_ms(const struct term *t)
{
    CHECK(t->state == TERM_LEADING);
    return t->release_ms < t->until_ms ? t->release_ms : t->until_ms;
}

const char *term_fault(const struct term *t)
{
    return t->fault.text;
}

void term_check(const struct term *t)
{
    CHECK(t->state >= TERM_LOOKING && t->state <= TERM_RELEASED);
    CHECK_IMPLIES(term_is_over(t), t->next == TERM_DO_NOTHING);
    CHECK_IMPLIES(term_is_over(t), !t->try.is_open);
    CHECK_IMPLIES(!term_is_over(t), t->next != TERM_DO_NOTHING ||
                                        t->under_way != TERM_DO_NOTHING);
    CHECK_IMPLIES(t->under_way == TERM_DO_WRITE,
                  t->try.is_open || term_is_over(t));
    CHECK_IMPLIES(t->state == TERM_FOLLOWING, t->lease.term > 0);
    CHECK_IMPLIES(!t->may_succeed && t->number != 0,
                  !term_is_mine(t) && !t->try.is_open);
    if (term_is_mine(t)) {
        CHECK(strcmp(t->lease.host, t->host) == 0);
        CHECK(strcmp(t->lease.run, t->in_run) == 0);
        CHECK(t->etag[0] != '\0' && !t->lease.is_released);
        CHECK_IMPLIES(t->try.is_open, t->try.lease.term == t->lease.term);
    }
}
