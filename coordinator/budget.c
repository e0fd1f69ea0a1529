/* SPDX-License-Identifier: Apache-2.0 */
/* Words are gathered for a window of some beats. At its end the limit is moved
 * and divided: each host's wish is twice what it uses, with a part of the fair
 * share to begin with, or all if it uses up what it has; a level is found at
 * which the wishes, cut there, sum up to the limit. */
#include "coordinator/budget.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    BUDGET_WINDOW_BEATS = 2,
    BUDGET_LIVE_WINDOWS = 5,   /* Silent for longer: it has no part. */
    BUDGET_SETTLE_WINDOWS = 2, /* After a cut, until it shows. */
    BUDGET_MANY_PART = 50,     /* Throttled: more than one of so many. */
    BUDGET_KEEP_PERCENT = 90,  /* Of what is served. */
    BUDGET_QUICK_PART = 4,
    BUDGET_FADE_PART = 16,
    BUDGET_SLOW_PART = 50, /* Of the best rate, in a window. */
    BUDGET_FORGET_MS = 180000,
    BUDGET_HOST_MIN = 100,     /* For each live host, in 1000 s. */
    BUDGET_LEVELS = 4,         /* Rounds to find the level. */
    BUDGET_WORD_MAX = 1 << 24, /* Nobody asks more between two words. */
};

#define BUDGET_ALL UINT64_MAX
#define BUDGET_MS UINT64_C(1000000) /* In 1000 s. */

struct budget_host {
    bool is_known;
    bool is_live; /* At the end of the last window. */
    uint64_t heard_ms;
    struct budget_word sum; /* As it told last. */
    uint64_t requests;      /* In this window. */
    uint64_t use;           /* A mean of its rates. */
    uint64_t wish;
    uint64_t rate;
};

struct budget {
    uint32_t host_count;
    uint64_t window_ms;
    uint64_t now_ms;
    uint64_t since_ms;
    struct budget_word window;
    struct budget_word last;
    uint64_t last_ms; /* How long it was. */
    struct budget_word sum;
    uint64_t limit; /* 0: none. */
    uint64_t
        best; /* What is served when the limit is too high; 0: not known. */
    uint64_t settled_ms;   /* No cut before. */
    uint64_t throttled_ms; /* When last. */
    uint64_t live;
    struct budget_host *hosts;
};

struct budget *budget_new(const struct budget_options *options)
{
    struct budget *b = mem_new(1, sizeof(*b));

    CHECK(options->host_count > 0 && options->beat_ms > 0);
    b->host_count = options->host_count;
    b->window_ms = BUDGET_WINDOW_BEATS * options->beat_ms;
    b->now_ms = options->now_ms;
    b->since_ms = options->now_ms;
    b->hosts = mem_new(b->host_count, sizeof(*b->hosts));
    return b;
}

void budget_destroy(struct budget **b)
{
    if (*b != NULL) {
        free((*b)->hosts);
        free(*b);
        *b = NULL;
    }
}

static uint64_t budget_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t budget_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- The limit ------------------------------------------------------------
 */

static bool budget_is_used(const struct budget *b, uint64_t used)
{
    return used >= b->limit / 4 * 3;
}

static void budget_cut(struct budget *b, uint64_t used, uint64_t served)
{
    uint64_t kept = served / 100 * BUDGET_KEEP_PERCENT;

    b->throttled_ms = b->now_ms;
    if (b->now_ms < b->settled_ms) {
        return; /* Of what was asked before the last cut had come to all. */
    }
    if (b->limit > 0 && budget_is_used(b, used)) {
        b->best = budget_max(b->best - b->best / BUDGET_FADE_PART, served);
    }
    /* Little may be served because little was asked: halve it, no more. */
    kept = budget_max(kept, b->limit / 2);
    b->limit = b->limit == 0 ? kept : budget_min(b->limit, kept);
    b->limit = budget_max(b->limit, b->live * BUDGET_HOST_MIN);
    b->settled_ms = b->now_ms + BUDGET_SETTLE_WINDOWS * b->window_ms;
}

/* The nearer to where it was too high, the slower; quickly after an outage. */
static uint64_t budget_step(const struct budget *b)
{
    if (b->limit < b->best / 2) {
        return b->limit;
    }
    return b->limit < b->best / 4 * 3 || b->best == 0
               ? b->limit / BUDGET_QUICK_PART + 1
               : b->best / BUDGET_SLOW_PART + 1;
}

static void budget_grow(struct budget *b, uint64_t used)
{
    if (b->now_ms - b->throttled_ms >= BUDGET_FORGET_MS) {
        b->limit = 0;
        b->best = 0;
    } else if (budget_is_used(b, used)) {
        b->limit += budget_step(b);
    }
}

static void budget_move(struct budget *b, uint64_t elapsed_ms)
{
    const struct budget_word *w = &b->window;
    uint64_t used = w->requests * BUDGET_MS / elapsed_ms;
    uint64_t served = (w->requests - w->throttled) * BUDGET_MS / elapsed_ms;

    if (w->throttled * BUDGET_MANY_PART > w->requests) {
        budget_cut(b, used, served);
    } else if (b->limit > 0) {
        budget_grow(b, used);
    }
}

/* ---- Its parts ------------------------------------------------------------
 */

static void budget_measure(struct budget *b, uint64_t elapsed_ms)
{
    b->live = 0;
    for (uint32_t i = 0; i < b->host_count; i++) {
        struct budget_host *h = &b->hosts[i];

        h->use = (h->use + h->requests * BUDGET_MS / elapsed_ms) / 2;
        h->requests = 0;
        h->is_live = h->is_known && b->now_ms - h->heard_ms <=
                                        BUDGET_LIVE_WINDOWS * b->window_ms;
        b->live += h->is_live;
    }
}

static void budget_wish(struct budget *b, uint64_t fair)
{
    for (uint32_t i = 0; i < b->host_count; i++) {
        struct budget_host *h = &b->hosts[i];
        bool is_short = h->rate > 0 && h->use >= h->rate / 4 * 3;

        h->wish = is_short ? BUDGET_ALL : 2 * h->use + fair / 4;
        if (!h->is_live) {
            h->wish = 0;
        }
    }
}

/* The level comes from below: each round can only find more to give. */
static uint64_t budget_level(const struct budget *b, uint64_t level)
{
    for (int round = 0; round < BUDGET_LEVELS; round++) {
        uint64_t left = b->limit;
        uint64_t above = 0;

        for (uint32_t i = 0; i < b->host_count; i++) {
            uint64_t wish = b->hosts[i].wish;

            above += wish > level;
            left -= wish > level ? 0 : budget_min(wish, left);
        }
        if (above == 0) {
            return b->limit;
        }
        level = budget_max(level, left / above);
    }
    return level;
}

static void budget_divide(struct budget *b)
{
    uint64_t fair = b->limit / budget_max(b->live, 1);
    uint64_t level;

    if (b->limit == 0) {
        for (uint32_t i = 0; i < b->host_count; i++) {
            b->hosts[i].rate = 0;
        }
        return;
    }
    budget_wish(b, fair);
    level = budget_level(b, fair);
    for (uint32_t i = 0; i < b->host_count; i++) {
        struct budget_host *h = &b->hosts[i];
        uint64_t rate = h->is_live ? budget_min(h->wish, level) : fair / 4;

        h->rate = budget_max(rate, 1);
    }
}

/* ---- Words ----------------------------------------------------------------
 */

static void budget_close(struct budget *b)
{
    uint64_t elapsed_ms = b->now_ms - b->since_ms;

    budget_measure(b, elapsed_ms);
    budget_move(b, elapsed_ms);
    budget_divide(b);
    b->last = b->window;
    b->last_ms = elapsed_ms;
    b->window = (struct budget_word){0, 0};
    b->since_ms = b->now_ms;
}

static void budget_count(struct budget *b, struct budget_host *h,
                         const struct budget_word *word)
{
    uint64_t requests =
        budget_min(word->requests - h->sum.requests, BUDGET_WORD_MAX);
    uint64_t throttled =
        budget_min(word->throttled - h->sum.throttled, requests);

    h->requests += requests;
    b->window.requests += requests;
    b->window.throttled += throttled;
    b->sum.requests += requests;
    b->sum.throttled += throttled;
}

void budget_hear(struct budget *b, uint32_t host,
                 const struct budget_word *word, uint64_t now_ms)
{
    struct budget_host *h = &b->hosts[host];

    CHECK(host < b->host_count && now_ms >= b->now_ms);
    b->now_ms = now_ms;
    if (h->is_known && word->requests >= h->sum.requests &&
        word->throttled >= h->sum.throttled) {
        budget_count(b, h, word);
    }
    h->is_known = true;
    h->sum = *word;
    h->heard_ms = now_ms;
    if (now_ms - b->since_ms >= b->window_ms) {
        budget_close(b);
    }
}

uint64_t budget_rate(const struct budget *b, uint32_t host)
{
    CHECK(host < b->host_count);
    return b->hosts[host].rate;
}

struct budget_state budget_state(const struct budget *b)
{
    return (struct budget_state){b->limit, b->last.requests, b->last.throttled,
                                 b->last_ms, b->sum};
}

void budget_check(const struct budget *b)
{
    uint64_t sum = 0;
    uint64_t requests = 0;

    for (uint32_t i = 0; i < b->host_count; i++) {
        const struct budget_host *h = &b->hosts[i];

        CHECK((h->rate > 0) == (b->limit > 0));
        CHECK(h->heard_ms <= b->now_ms);
        sum += h->is_live ? h->rate : 0;
        requests += h->requests;
    }
    CHECK(sum <= b->limit + b->host_count);
    CHECK(requests == b->window.requests);
    CHECK(b->window.throttled <= b->window.requests);
    CHECK(b->sum.throttled <= b->sum.requests);
    CHECK(b->since_ms <= b->now_ms);
}
