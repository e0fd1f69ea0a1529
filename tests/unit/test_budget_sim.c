/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand hosts that want far more than a store serves, with the very cores
 * that ship: each host's retries and tickets, and the budget that they share.
 */
#include "base/mem.h"
#include "coordinator/budget.h"
#include "store/rate.h"
#include "store/retry.h"
#include "tests/harness.h"

enum {
    HOSTS = 1000,
    LANES = 4,
    SERVED = 3500, /* A second. */
    TICK_MS = 20,
    BEAT_MS = 2000,
    ANSWER_MS = 40,
};

struct lane {
    struct retry retry;
    uint64_t ticket;
    uint64_t due_ms;
    bool is_flying;
    bool is_served;
};

struct host {
    struct retry_pool pool;
    struct rate rate;
    struct budget_word sum;
    struct lane lanes[LANES];
    uint32_t wants; /* Lanes that are in use. */
    uint64_t served;
};

struct sim {
    struct budget *b;
    struct host *hosts;
    uint64_t now;
    uint64_t tokens; /* The store's, times 1000. */
    uint64_t served;
    uint64_t throttled;
};

static struct sim sim_new(void)
{
    struct sim s = {.now = 0};

    s.b = budget_new(&(struct budget_options){HOSTS, BEAT_MS, 0});
    s.hosts = mem_new(HOSTS, sizeof(*s.hosts));
    for (uint32_t i = 0; i < HOSTS; i++) {
        retry_pool_init(&s.hosts[i].pool, &retry_defaults, i + 1);
        s.hosts[i].wants = LANES;
        for (uint32_t k = 0; k < LANES; k++) {
            retry_begin(&s.hosts[i].lanes[k].retry, 0);
        }
    }
    return s;
}

static void sim_end(struct sim *s)
{
    budget_destroy(&s->b);
    free(s->hosts);
}

static void sim_answer(struct sim *s, struct host *h, struct lane *l)
{
    l->is_flying = false;
    if (l->is_served) {
        retry_succeeded(&h->pool, &l->retry, s->now);
        retry_begin(&l->retry, s->now);
        h->served++;
        l->due_ms = s->now;
        return;
    }
    h->sum.throttled++;
    if (!retry_failed(&h->pool, &l->retry, s->now,
                      (struct retry_failure){RETRY_THROTTLE, 0})) {
        retry_begin(&l->retry, s->now);
    }
    l->due_ms = l->retry.at_ms;
}

static void sim_ask(struct sim *s, struct host *h, struct lane *l)
{
    if (!rate_may_go(&h->rate, s->now, &l->ticket, &l->due_ms) ||
        !retry_pool_admit(&h->pool, &l->retry, s->now, &l->due_ms)) {
        return;
    }
    l->ticket = 0;
    l->is_flying = true;
    l->due_ms = s->now + ANSWER_MS;
    h->sum.requests++;
    l->is_served = s->tokens >= 1000;
    s->tokens -= l->is_served ? 1000 : 0;
    s->served += l->is_served;
    s->throttled += !l->is_served;
}

/* Of each host in turn, so that nobody is always the first at the store. */
static void sim_tick(struct sim *s, bool has_budget)
{
    uint64_t tick = s->now / TICK_MS;

    s->tokens += SERVED * TICK_MS;
    s->tokens = s->tokens < 700000 ? s->tokens : 700000; /* 200 ms. */
    for (uint32_t n = 0; n < HOSTS; n++) {
        uint32_t i = (uint32_t)((n + tick * 37) % HOSTS);
        struct host *h = &s->hosts[i];

        for (uint32_t k = 0; k < LANES; k++) {
            struct lane *l = &h->lanes[k];

            if (l->is_flying && l->due_ms <= s->now) {
                sim_answer(s, h, l);
            }
            if (k < h->wants && !l->is_flying && l->due_ms <= s->now) {
                sim_ask(s, h, l);
            }
        }
        if (has_budget && (tick + i) % (BEAT_MS / TICK_MS) == 0) {
            budget_hear(s->b, i, &h->sum, s->now);
            rate_set(&h->rate, budget_rate(s->b, i), s->now);
        }
    }
    s->now += TICK_MS;
}

/* What was served and throttled in each second, over @seconds. */
struct seen {
    uint64_t served;
    uint64_t throttled;
    uint64_t least; /* Served in any 10 s, a second. */
};

static struct seen sim_run(struct sim *s, uint64_t seconds, bool has_budget)
{
    struct seen seen = {.least = UINT64_MAX};
    uint64_t served = s->served;
    uint64_t throttled = s->throttled;
    uint64_t ten = s->served;

    for (uint64_t i = 1; i <= seconds * 1000 / TICK_MS; i++) {
        sim_tick(s, has_budget);
        if (i % (10000 / TICK_MS) == 0) {
            uint64_t here = (s->served - ten) / 10;

            seen.least = here < seen.least ? here : seen.least;
            ten = s->served;
        }
    }
    budget_check(s->b);
    seen.served = (s->served - served) / seconds;
    seen.throttled = (s->throttled - throttled) / seconds;
    return seen;
}

static uint64_t sim_unfair(const struct sim *s, const uint64_t *before)
{
    uint64_t sum = 0;
    uint64_t unfair = 0;

    for (uint32_t i = 0; i < HOSTS; i++) {
        sum += s->hosts[i].served - before[i];
    }
    for (uint32_t i = 0; i < HOSTS; i++) {
        uint64_t own = s->hosts[i].served - before[i];

        unfair += own < sum / HOSTS / 2 || own > sum / HOSTS * 2;
    }
    return unfair;
}

TEST(a_thousand_hosts_share_what_a_store_serves)
{
    struct sim s = sim_new();
    uint64_t before[HOSTS];
    struct seen seen;

    sim_run(&s, 40, true); /* The limit is found in that time. */
    for (uint32_t i = 0; i < HOSTS; i++) {
        before[i] = s.hosts[i].served;
    }
    seen = sim_run(&s, 200, true);
    EXPECT(seen.served >= SERVED * 95 / 100);
    EXPECT(seen.least >= SERVED * 85 / 100);
    EXPECT(seen.throttled <= SERVED * 2 / 100);
    EXPECT_EQ(sim_unfair(&s, before), 0);
    sim_end(&s);
}

/* What the test above is worth: alone, hosts find no peace. */
TEST(without_a_budget_a_store_throttles_on)
{
    struct sim s = sim_new();
    struct seen seen;

    sim_run(&s, 40, false);
    seen = sim_run(&s, 60, false);
    EXPECT(seen.throttled > SERVED * 5 / 100);
    sim_end(&s);
}

/* Nine in ten end their work; the others get what is free. */
TEST(who_is_left_gets_more)
{
    struct sim s = sim_new();
    uint64_t served;

    sim_run(&s, 40, true);
    for (uint32_t i = 100; i < HOSTS; i++) {
        s.hosts[i].wants = 0;
    }
    sim_run(&s, 60, true);
    served = s.hosts[7].served;
    sim_run(&s, 20, true);
    EXPECT(s.hosts[7].served - served >= UINT64_C(20) * SERVED / HOSTS * 4);
    sim_end(&s);
}
