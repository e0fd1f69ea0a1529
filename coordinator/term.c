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
    TERM_NUMBER_MAX = 8, /* Staggered no further than this. */
    TERM_RENEW_PART = 3, /* Renewed after this part of the ttl. */
    TERM_MARGIN_PART = 6,
    TERM_RETRY_PART = 12,
};

#define TERM_NEVER UINT64_MAX

/* A write whose outcome may be open. */
struct term_try {
    bool is_open;
    bool is_create;
    struct term_lease lease;
    char etag[TERM_ETAG_MAX]; /* What it replaces. */
    uint64_t since_ms;        /* When it was first sent. */
    uint32_t count;           /* How often it was sent. */
};

struct term {
    char host[TERM_HOST_MAX + 1];
    char endpoint[TERM_ENDPOINT_MAX + 1];
    char run[TERM_RUN_SIZE + 1];
    uint32_t number;
    uint64_t ttl_ms;
    uint64_t stagger_ms;
    uint64_t nonce_seed;
    uint64_t nonce_count;

    enum term_state state;
    uint64_t now_ms;
    enum term_do under_way;
    enum term_do next;
    uint64_t next_ms;

    struct term_lease lease;  /* As last seen or written; term 0: none. */
    char etag[TERM_ETAG_MAX]; /* Of it; "" when it is not there. */
    uint64_t since_ms;        /* When it was first seen so. */
    struct term_try try;

    uint64_t until_ms;   /* LEADING: the end of the reign, if not renewed. */
    uint64_t release_ms; /* When RELEASE came, or TERM_NEVER. */
    struct fault fault;
};

struct term *term_new(const struct term_options *options)
{
    struct term *t = mem_new(1, sizeof(*t));

    CHECK(strlen(options->host) <= TERM_HOST_MAX && options->host[0] != '\0');
    CHECK(strlen(options->endpoint) <= TERM_ENDPOINT_MAX);
    CHECK(strlen(options->run) <= TERM_RUN_SIZE && options->run[0] != '\0');
    CHECK(options->ttl_ms >= TERM_TTL_MIN_MS);
    CHECK(options->ttl_ms <= TERM_TTL_MAX_MS);
    memcpy(t->host, options->host, strlen(options->host));
    memcpy(t->endpoint, options->endpoint, strlen(options->endpoint));
    memcpy(t->run, options->run, strlen(options->run));
    t->number = options->number;
    t->ttl_ms = options->ttl_ms;
    t->stagger_ms = options->stagger_ms;
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
    return t->state == TERM_LOST || t->state == TERM_RELEASED;
}

static void term_plan(struct term *t, enum term_do next, uint64_t next_ms)
{
    t->next = next;
    t->next_ms = next_ms;
}

static void term_end(struct term *t, enum term_state state)
{
    CHECK(state == TERM_LOST || state == TERM_RELEASED);
    t->state = state;
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

static void term_new_try(struct term *t)
{
    struct term_try *try = &t->try;
    bool leads = t->state == TERM_LEADING;

    memset(try, 0, sizeof(*try));
    try->is_open = true;
    try->is_create = t->etag[0] == '\0';
    try->since_ms = t->now_ms;
    try->lease.term = leads ? t->lease.term : t->lease.term + 1;
    try->lease.ttl_ms = t->ttl_ms;
    try->lease.is_released = leads && t->release_ms != TERM_NEVER;
    memcpy(try->lease.run, t->run, sizeof(t->run));
    memcpy(try->lease.host, t->host, sizeof(t->host));
    memcpy(try->lease.endpoint, t->endpoint, sizeof(t->endpoint));
    memcpy(try->etag, t->etag, sizeof(t->etag));
    term_make_nonce(t, try->lease.nonce);
}

static void term_write(struct term *t, struct term_effects *fx)
{
    struct buf body = {0};

    if (!t->try.is_open) {
        term_new_try(t);
    }
    t->try.count++;
    term_lease_write(&t->try.lease, &body);
    CHECK(body.size <= sizeof(fx->body));
    memcpy(fx->body, body.at, body.size);
    fx->body_size = body.size;
    fx->is_create = t->try.is_create;
    memcpy(fx->etag, t->try.etag, sizeof(fx->etag));
    buf_fini(&body);
}

/* How long a write keeps its writer in power, from its start. */
static uint64_t term_reign_ms(const struct term *t)
{
    return t->ttl_ms - t->ttl_ms / TERM_MARGIN_PART;
}

static uint64_t term_retry_ms(const struct term *t)
{
    return t->now_ms + t->ttl_ms / TERM_RETRY_PART;
}

static void term_set_etag(struct term *t, const char *etag)
{
    CHECK(etag != NULL && etag[0] != '\0' && strlen(etag) < TERM_ETAG_MAX);
    memset(t->etag, 0, sizeof(t->etag));
    memcpy(t->etag, etag, strlen(etag));
}

/* The lease may be taken: do it after this host's turn. */
static void term_plan_take(struct term *t)
{
    uint64_t turn = t->number < TERM_NUMBER_MAX ? t->number : TERM_NUMBER_MAX;

    t->state = TERM_LOOKING;
    term_plan(t, TERM_DO_WRITE, t->now_ms + turn * t->stagger_ms);
}

/* Our try took place; @etag is what it made. */
static void term_take_success(struct term *t, const char *etag)
{
    uint64_t until_ms = t->try.since_ms + term_reign_ms(t);
    bool is_new = t->state != TERM_LEADING;

    CHECK(t->try.is_open);
    t->lease = t->try.lease;
    t->try.is_open = false;
    t->since_ms = t->now_ms;
    term_set_etag(t, etag);
    if (t->lease.is_released) {
        term_end(t, TERM_RELEASED);
    } else if (is_new && until_ms <= t->now_ms) {
        /* Our reign was over before we knew of it: begin another. */
        term_plan(t, TERM_DO_WRITE, t->now_ms);
    } else {
        t->state = TERM_LEADING;
        t->until_ms = until_ms;
        term_plan(t, TERM_DO_WRITE,
                  t->release_ms != TERM_NEVER
                      ? t->now_ms
                      : t->try.since_ms + t->ttl_ms / TERM_RENEW_PART);
    }
}

/* Somebody else's lease is there, or ours of an earlier launch. */
static void term_observe(struct term *t, const struct term_lease *seen,
                         const char *etag)
{
    uint64_t stale_ms;
    uint64_t again_ms = t->now_ms + t->ttl_ms / TERM_RENEW_PART;

    if (strcmp(t->etag, etag) != 0) {
        t->since_ms = t->now_ms;
        term_set_etag(t, etag);
    }
    t->lease = *seen;
    stale_ms = t->since_ms + seen->ttl_ms;
    if (seen->is_released || t->now_ms >= stale_ms) {
        term_plan_take(t);
        return;
    }
    t->state = TERM_FOLLOWING;
    term_plan(t, TERM_DO_READ, again_ms < stale_ms ? again_ms : stale_ms);
}

/* No lease is there. One that was there and has vanished may still be led:
 * its leader finds out when it renews. */
static void term_observe_absence(struct term *t)
{
    uint64_t free_ms;

    if (t->etag[0] != '\0') {
        memset(t->etag, 0, sizeof(t->etag));
        t->since_ms = t->now_ms;
    }
    free_ms = t->lease.term == 0 || t->lease.is_released
                  ? t->now_ms
                  : t->since_ms + t->lease.ttl_ms;
    if (t->now_ms >= free_ms) {
        term_plan_take(t);
    } else {
        t->state = TERM_LOOKING;
        term_plan(t, TERM_DO_READ, free_ms);
    }
}

/* The store still holds what our try wants to replace: send it again. */
static bool term_try_can_land(const struct term *t, const char *etag)
{
    return t->try.is_open && strcmp(t->try.etag, etag) == 0;
}

static void term_take_lease(struct term *t, const struct term_lease *seen,
                            const char *etag)
{
    if (t->try.is_open && strcmp(seen->nonce, t->try.lease.nonce) == 0) {
        term_take_success(t, etag);
    } else if (term_try_can_land(t, etag)) {
        term_plan(t, TERM_DO_WRITE, term_retry_ms(t));
    } else if (t->state == TERM_LEADING) {
        term_end(t, TERM_LOST);
    } else {
        t->try.is_open = false;
        term_observe(t, seen, etag);
    }
}

static void term_take_absence(struct term *t)
{
    if (term_try_can_land(t, "")) {
        term_plan(t, TERM_DO_WRITE, term_retry_ms(t));
    } else if (t->state == TERM_LEADING) {
        term_end(t, TERM_LOST);
    } else {
        t->try.is_open = false;
        term_observe_absence(t);
    }
}

/* A lease that nobody can read holds none of our nonces. It is not ours to
 * overwrite, so this host can only wait. */
static void term_take_malformed(struct term *t)
{
    if (t->state == TERM_LEADING) {
        term_end(t, TERM_LOST);
        return;
    }
    t->state = TERM_LOOKING;
    t->try.is_open = false;
    memset(t->etag, 0, sizeof(t->etag));
    t->since_ms = t->now_ms;
    term_plan(t, TERM_DO_READ, t->now_ms + t->ttl_ms / TERM_RENEW_PART);
}

static void term_take_read(struct term *t, const struct term_event *event)
{
    struct term_lease seen;

    t->fault.text[0] = '\0';
    if (event->status == STATUS_NOT_FOUND) {
        term_take_absence(t);
    } else if (event->status != STATUS_OK) {
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
    if (is_refused && t->try.count == 1) {
        t->try.is_open = false; /* It did not take place, for certain. */
        if (t->state == TERM_LEADING) {
            term_end(t, TERM_LOST);
            return;
        }
    }
    term_plan(t, TERM_DO_READ, t->now_ms);
}

static void term_take_release(struct term *t)
{
    if (t->release_ms != TERM_NEVER || term_is_over(t)) {
        return;
    }
    t->release_ms = t->now_ms;
    if (t->state != TERM_LEADING && !t->try.is_open) {
        term_end(t, TERM_RELEASED);
    } else if (t->state == TERM_LEADING && !t->try.is_open) {
        term_plan(t, TERM_DO_WRITE, t->now_ms);
    }
}

/* A try that was open when RELEASE came has been settled otherwise. */
static bool term_wants_no_reign(const struct term *t)
{
    return t->release_ms != TERM_NEVER && t->state != TERM_LEADING &&
           !term_is_over(t) && !t->try.is_open;
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
        term_end(t, TERM_LOST);
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
        term_end(t, TERM_RELEASED);
    }
}

static void term_ask(struct term *t, struct term_effects *fx)
{
    fx->request = TERM_DO_NOTHING;
    fx->is_create = false;
    fx->etag[0] = '\0';
    fx->body_size = 0;
    if (t->under_way == TERM_DO_NOTHING && t->next != TERM_DO_NOTHING &&
        t->now_ms >= t->next_ms) {
        fx->request = t->next;
        t->under_way = t->next;
        if (t->next == TERM_DO_WRITE) {
            term_write(t, fx);
        }
        term_plan(t, TERM_DO_NOTHING, TERM_NEVER);
    }
    fx->timer_ms = t->next_ms;
    if (t->state == TERM_LEADING && t->until_ms < fx->timer_ms) {
        fx->timer_ms = t->until_ms;
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
    CHECK_IMPLIES(t->try.is_create, t->try.etag[0] == '\0');
    CHECK_IMPLIES(t->state == TERM_FOLLOWING, t->lease.term > 0);
    if (t->state == TERM_LEADING) {
        CHECK(strcmp(t->lease.host, t->host) == 0);
        CHECK(strcmp(t->lease.run, t->run) == 0);
        CHECK(t->etag[0] != '\0' && !t->lease.is_released);
        CHECK_IMPLIES(t->try.is_open, t->try.lease.term == t->lease.term);
    }
}
