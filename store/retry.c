/* SPDX-License-Identifier: Apache-2.0 */
/* Pauses are drawn from [base, 3 x the last pause], so that many clients that
 * failed together do not come back together.
 *
 * The quota makes quick retries scarce, not life short: out of it, a request
 * waits long instead of failing, because a training job has to outlive
 * minutes of trouble, and a request every ten seconds is no load. */

#include "store/retry.h"

#include <string.h>

#include "base/check.h"

enum {
    RETRY_COST = 5,
    RETRY_CUT_MS = 1000,    /* Answers to what was sent before a cut still
                               come in and are no news. */
    RETRY_CALM_MS = 10000,  /* No limit is lifted so soon after a throttle. */
    RETRY_CLAIM_MS = 1000,  /* How late the oldest request may ask again. */
    RETRY_BURST_MS = 100,   /* Tokens kept at most, as time. */
    RETRY_SKEW_MS = 240000, /* The server allows 15 min. */
    RETRY_SLOW_MS = 900000, /* Such an answer tells nothing of a clock. */
};

static const double RETRY_GROW = 0.1; /* Requests a second, by a success. */

const struct retry_options retry_defaults = {
    .attempts_max = 10,
    .persist_ms = 300000,
    .deadline_ms = 0,
    .base_ms = 50,
    .cap_ms = 10000,
    .throttle_base_ms = 1000,
    .throttle_cap_ms = 20000,
    .quota = 500,
    .patience_ms = 10000,
    .rate_min = 1,
};

void retry_pool_init(struct retry_pool *p, const struct retry_options *options,
                     uint64_t seed)
{
    *p = (struct retry_pool){.options = *options, .quota = options->quota};
    prng_init(&p->prng, seed);
    p->rate.oldest = UINT64_MAX;
    p->rate.second = UINT64_MAX;
    retry_pool_check(p);
}

static void retry_check_rate(const struct retry_pool *p)
{
    CHECK_IMPLIES(p->rate.is_on, p->rate.per_second >= p->options.rate_min);
    CHECK_IMPLIES(p->rate.is_on, p->is_throttled);
    CHECK(p->rate.tokens >= 0);
    CHECK(p->rate.tokens <= 1 + p->rate.per_second * RETRY_BURST_MS / 1000);
    CHECK(p->rate.oldest <= p->rate.second);
}

void retry_pool_check(const struct retry_pool *p)
{
    const struct retry_options *o = &p->options;

    CHECK(o->attempts_max >= 1 && o->rate_min >= 1);
    CHECK(o->base_ms >= 1 && o->base_ms <= o->cap_ms);
    CHECK(o->throttle_base_ms >= 1);
    CHECK(o->throttle_base_ms <= o->throttle_cap_ms);
    CHECK(p->quota >= 0 && p->quota <= o->quota);
    CHECK(p->hedge.hedges * 50 <= p->hedge.requests);
    CHECK_IMPLIES(p->hedge.first_bytes == 0, p->hedge.p99_ms == 0);
    CHECK(p->count.throttles == 0 || p->is_throttled);
    retry_check_rate(p);
}

void retry_begin(struct retry *r, uint64_t now_ms)
{
    *r = (struct retry){.began_ms = now_ms, .at_ms = now_ms};
}

/* ---- the rate ----------------------------------------------------------- */

static void retry_use(struct retry_pool *p, uint64_t now_ms, uint32_t count)
{
    if (now_ms >= p->used.began_ms + 2000) {
        p->used.last = 0;
        p->used.count = 0;
        p->used.began_ms = now_ms;
    } else if (now_ms >= p->used.began_ms + 1000) {
        p->used.last = p->used.count;
        p->used.count = 0;
        p->used.began_ms += 1000;
    }
    p->used.count += count;
}

/* Attempts a second, lately. */
static double retry_used(struct retry_pool *p, uint64_t now_ms)
{
    retry_use(p, now_ms, 0);
    return p->used.last > p->used.count ? p->used.last : p->used.count;
}

static void retry_rate_cap(struct retry_pool *p)
{
    double most = 1 + p->rate.per_second * RETRY_BURST_MS / 1000;

    p->rate.tokens = p->rate.tokens < most ? p->rate.tokens : most;
}

static void retry_rate_cut(struct retry_pool *p, uint64_t now_ms)
{
    double used = retry_used(p, now_ms);
    double from = used;

    if (p->rate.is_on && now_ms < p->rate.cut_ms + RETRY_CUT_MS) {
        return;
    }
    if (p->rate.is_on && p->rate.per_second < from) {
        from = p->rate.per_second;
    }
    if (!p->rate.is_on) {
        p->rate.tokens = 0;
        p->rate.filled_ms = now_ms;
        p->rate.oldest = UINT64_MAX;
        p->rate.second = UINT64_MAX;
    }
    p->rate.is_on = true;
    p->rate.cut_ms = now_ms;
    p->rate.per_second =
        from / 2 > p->options.rate_min ? from / 2 : p->options.rate_min;
    retry_rate_cap(p);
}

/* The part that falls with the rate brings a low one up quickly. */
static void retry_rate_grow(struct retry_pool *p, uint64_t now_ms)
{
    double more = RETRY_GROW + 1 / p->rate.per_second;

    if (!p->rate.is_on || now_ms < p->rate.cut_ms + RETRY_CUT_MS) {
        return;
    }
    p->rate.per_second += more < 1 ? more : 1;
    if (now_ms >= p->throttled_ms + RETRY_CALM_MS &&
        p->rate.per_second > 2 * retry_used(p, now_ms)) {
        p->rate.is_on = false;
    }
}

static void retry_rate_fill(struct retry_pool *p, uint64_t now_ms)
{
    if (now_ms > p->rate.filled_ms) {
        p->rate.tokens +=
            (double)(now_ms - p->rate.filled_ms) * p->rate.per_second / 1000;
        p->rate.filled_ms = now_ms;
        retry_rate_cap(p);
    }
}

/* Whoever waits longest has the next token, as long as it still asks. */
static void retry_rate_pass(struct retry_pool *p, uint64_t now_ms)
{
    p->rate.oldest = p->rate.second;
    p->rate.second = UINT64_MAX;
    p->rate.claim_ms = now_ms + RETRY_CLAIM_MS;
}

static void retry_rate_queue(struct retry_pool *p, uint64_t due_ms)
{
    if (due_ms < p->rate.oldest) {
        p->rate.second = p->rate.oldest;
        p->rate.oldest = due_ms;
    } else if (due_ms > p->rate.oldest && due_ms < p->rate.second) {
        p->rate.second = due_ms;
    }
}

static bool retry_rate_take(struct retry_pool *p, const struct retry *r,
                            uint64_t now_ms, uint64_t *at_ms)
{
    double need;

    retry_rate_fill(p, now_ms);
    if (p->rate.oldest != UINT64_MAX && now_ms > p->rate.claim_ms) {
        retry_rate_pass(p, now_ms);
    }
    need = r->at_ms <= p->rate.oldest ? 1 : 2;
    if (p->rate.tokens >= need) {
        p->rate.tokens -= 1;
        if (r->at_ms == p->rate.oldest) {
            retry_rate_pass(p, now_ms);
        }
        return true;
    }
    retry_rate_queue(p, r->at_ms);
    need = (need - p->rate.tokens) * 1000 / p->rate.per_second;
    *at_ms = now_ms + 1 + (uint64_t)need;
    if (r->at_ms == p->rate.oldest) {
        p->rate.claim_ms = *at_ms + RETRY_CLAIM_MS;
    }
    return false;
}

bool retry_pool_admit(struct retry_pool *p, struct retry *r, uint64_t now_ms,
                      uint64_t *at_ms)
{
    CHECK(at_ms != &r->at_ms); /* By which it is known among the waiting. */
    if (now_ms < r->at_ms) {
        *at_ms = r->at_ms;
        return false;
    }
    if (p->rate.is_on && !retry_rate_take(p, r, now_ms, at_ms)) {
        return false;
    }
    retry_use(p, now_ms, 1);
    p->hedge.requests += r->attempts == 0;
    r->attempts++;
    *at_ms = now_ms;
    return true;
}

/* ---- outcomes ----------------------------------------------------------- */

void retry_succeeded(struct retry_pool *p, struct retry *r, uint64_t now_ms)
{
    int64_t quota = p->quota + (r->paid > 0 ? r->paid : 1);

    CHECK(r->attempts > 0);
    p->quota = quota < p->options.quota ? quota : p->options.quota;
    r->paid = 0;
    retry_rate_grow(p, now_ms);
}

static bool retry_give_up(struct retry_pool *p)
{
    p->count.gave_up++;
    return false;
}

static uint64_t retry_left(const struct retry_pool *p, const struct retry *r,
                           uint64_t now_ms)
{
    uint64_t end = r->began_ms + p->options.deadline_ms;

    if (p->options.deadline_ms == 0) {
        return UINT64_MAX;
    }
    return end > now_ms ? end - now_ms : 0;
}

/* From [base, 3 x the last one], at most cap. */
static uint32_t retry_draw(struct retry_pool *p, struct retry *r,
                           enum retry_class class)
{
    const struct retry_options *o = &p->options;
    bool is_throttle = class == RETRY_THROTTLE;
    uint32_t base = is_throttle ? o->throttle_base_ms : o->base_ms;
    uint32_t cap = is_throttle ? o->throttle_cap_ms : o->cap_ms;
    uint64_t last = r->wait_ms > base ? r->wait_ms : base;
    uint64_t wait = base + prng_below(&p->prng, 3 * last - base + 1);

    r->wait_ms = (uint32_t)(wait < cap ? wait : cap);
    return r->wait_ms;
}

/* Out of quota: false when that ends the request, a long pause otherwise. */
static bool retry_pay(struct retry_pool *p, struct retry *r, uint64_t *wait)
{
    uint32_t patience = p->options.patience_ms;

    r->paid = 0;
    if (p->quota >= RETRY_COST) {
        p->quota -= RETRY_COST;
        r->paid = RETRY_COST;
        return true;
    }
    p->count.out_of_quota++;
    if (patience == 0) {
        return false;
    }
    patience += (uint32_t)prng_below(&p->prng, (uint64_t)patience + 1);
    *wait = *wait > patience ? *wait : patience;
    return true;
}

static bool retry_is_enough(const struct retry_pool *p, const struct retry *r,
                            uint64_t now_ms)
{
    return r->attempts - r->free - r->fixed >= p->options.attempts_max &&
           now_ms >= r->began_ms + p->options.persist_ms;
}

static bool retry_paused(struct retry_pool *p, struct retry *r, uint64_t now_ms,
                         struct retry_failure failure)
{
    uint64_t left = retry_left(p, r, now_ms);
    uint64_t wait = retry_draw(p, r, failure.class);
    uint64_t most;

    if (retry_is_enough(p, r, now_ms) || left < p->options.base_ms ||
        !retry_pay(p, r, &wait)) {
        return retry_give_up(p);
    }
    most = wait + RETRY_AFTER_MAX_MS;
    if (failure.after_ms > wait) {
        wait = failure.after_ms < most ? failure.after_ms : most;
    }
    r->at_ms = now_ms + (wait < left ? wait : left);
    p->count.retries++;
    return true;
}

static bool retry_at_once(struct retry_pool *p, struct retry *r,
                          uint64_t now_ms)
{
    if (retry_left(p, r, now_ms) == 0) {
        return retry_give_up(p);
    }
    r->at_ms = now_ms;
    p->count.retries++;
    return true;
}

bool retry_failed(struct retry_pool *p, struct retry *r, uint64_t now_ms,
                  struct retry_failure failure)
{
    CHECK(r->attempts > r->free + r->fixed);
    switch (failure.class) {
    case RETRY_NEVER:
        return false;
    case RETRY_FREE:
        if (r->free < RETRY_FREE_MAX) {
            r->free++;
            return retry_at_once(p, r, now_ms);
        }
        failure.class = RETRY_TRANSIENT;
        return retry_paused(p, r, now_ms, failure);
    case RETRY_FIXED:
        if (r->fixed >= RETRY_FIXED_MAX) {
            return retry_give_up(p);
        }
        r->fixed++;
        return retry_at_once(p, r, now_ms);
    case RETRY_THROTTLE:
        p->count.throttles++;
        p->is_throttled = true;
        p->throttled_ms = now_ms;
        retry_rate_cut(p, now_ms);
        return retry_paused(p, r, now_ms, failure);
    case RETRY_ODD:
        if (r->odd >= RETRY_ODD_MAX) {
            return retry_give_up(p);
        }
        r->odd++;
        return retry_paused(p, r, now_ms, failure);
    case RETRY_TRANSIENT:
        return retry_paused(p, r, now_ms, failure);
    }
    UNREACHABLE("a class outside its enum");
}

/* ---- the clock ---------------------------------------------------------- */

bool retry_clock_note(struct retry_clock *c, uint64_t date_ms, uint64_t wall_ms,
                      uint32_t took_ms)
{
    int64_t offset = (int64_t)date_ms - (int64_t)wall_ms;
    int64_t moved = offset - c->offset_ms;

    if (date_ms == 0 || took_ms > RETRY_SLOW_MS) {
        return false;
    }
    c->is_set = true;
    if (moved > -RETRY_SKEW_MS && moved < RETRY_SKEW_MS) {
        return false;
    }
    c->offset_ms = offset;
    return true;
}
