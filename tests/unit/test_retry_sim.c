/* SPDX-License-Identifier: Apache-2.0 */
/* The policy against a store made of numbers, which is asked by up to 200
 * requests at once through one pool on simulated time. */

#include "store/retry.h"
#include "tests/harness.h"

enum { LANES_MAX = 200 };

enum weather { FAIR, SLOW, BROWNOUT, STORM, DEAD, WEATHERS };

/* What the store does from @from_ms on. */
struct spell {
    uint64_t from_ms;
    enum weather weather;
    uint32_t capacity; /* Requests a second; beyond it throttles. */
};

struct lane {
    struct retry retry;
    uint64_t at_ms; /* Of its next event. */
    uint64_t asked_ms;
    bool is_flying;
    uint64_t last_wait;
};

struct sim {
    struct prng prng;
    struct retry_pool pool;
    struct spell spells[4];
    struct lane lanes[LANES_MAX];
    uint32_t lane_count;
    uint64_t now;
    double tokens; /* The store's. */
    uint64_t filled_ms;
    /* By second of arrival. */
    uint32_t sent[400];
    uint32_t served[400];
    uint64_t requests;
    uint64_t attempts;
    uint64_t ok;
    uint64_t lost;
    uint64_t longest_ms; /* That a request waited to be let in. */
};

static const struct spell *sim_spell(const struct sim *s)
{
    const struct spell *found = &s->spells[0];

    for (size_t i = 0; i < 4; i++) {
        if (s->spells[i].from_ms <= s->now) {
            found = &s->spells[i];
        }
    }
    return found;
}

/* The store's answer to what arrives now, and how long it takes. */
static int sim_answer(struct sim *s, uint64_t *took)
{
    const struct spell *w = sim_spell(s);

    *took = 5 + prng_below(&s->prng, 40);
    s->tokens += (double)(s->now - s->filled_ms) * w->capacity / 1000;
    s->tokens =
        s->tokens < w->capacity / 4.0 + 1 ? s->tokens : w->capacity / 4.0 + 1;
    s->filled_ms = s->now;
    switch (w->weather) {
    case DEAD:
        return RETRY_TRANSIENT;
    case STORM:
        return RETRY_THROTTLE;
    case BROWNOUT:
        if (prng_chance(&s->prng, 1, 2)) {
            *took = 200 + prng_below(&s->prng, 3000);
            return RETRY_TRANSIENT;
        }
        break;
    case SLOW:
        *took *= 20;
        break;
    case FAIR:
    case WEATHERS:
        break;
    }
    if (s->tokens < 1) {
        return RETRY_THROTTLE;
    }
    s->tokens -= 1;
    return -1;
}

static void sim_begin(struct sim *s, struct lane *l)
{
    retry_begin(&l->retry, s->now);
    l->at_ms = s->now;
    l->asked_ms = s->now;
    s->requests++;
}

static void sim_ask(struct sim *s, struct lane *l)
{
    uint64_t at = 0;
    uint64_t took;

    if (!retry_pool_admit(&s->pool, &l->retry, s->now, &at)) {
        EXPECT(at > s->now && at <= s->now + 10000);
        l->at_ms = at;
        return;
    }
    if (s->now - l->asked_ms > s->longest_ms) {
        s->longest_ms = s->now - l->asked_ms;
    }
    s->attempts++;
    s->sent[s->now / 1000]++;
    EXPECT(l->retry.attempts <= s->pool.options.attempts_max ||
           s->now < l->retry.began_ms + s->pool.options.persist_ms + 40000);
    l->last_wait = (uint64_t)sim_answer(s, &took) + 1; /* Its answer. */
    l->is_flying = true;
    l->at_ms = s->now + took;
}

static void sim_answered(struct sim *s, struct lane *l)
{
    struct retry_failure f = {.class = (enum retry_class)(l->last_wait - 1)};

    l->is_flying = false;
    if (l->last_wait == 0) {
        retry_succeeded(&s->pool, &l->retry, s->now);
        s->served[s->now / 1000]++;
        s->ok++;
        sim_begin(s, l);
        return;
    }
    f.after_ms = prng_chance(&s->prng, 1, 8) ? 3000 : 0;
    if (!retry_failed(&s->pool, &l->retry, s->now, f)) {
        s->lost++;
        sim_begin(s, l);
        l->at_ms += 20;
        return;
    }
    EXPECT(l->retry.at_ms >= s->now && l->retry.at_ms <= s->now + 45000);
    l->at_ms = l->retry.at_ms;
    l->asked_ms = l->retry.at_ms;
}

static struct lane *sim_next(struct sim *s)
{
    struct lane *next = &s->lanes[0];

    for (uint32_t i = 1; i < s->lane_count; i++) {
        if (s->lanes[i].at_ms < next->at_ms) {
            next = &s->lanes[i];
        }
    }
    return next;
}

static void sim_start(struct sim *s, uint64_t seed, uint32_t lanes,
                      const struct retry_options *options)
{
    *s = (struct sim){.lane_count = lanes};
    prng_init(&s->prng, seed);
    retry_pool_init(&s->pool, options, seed + 1);
    for (uint32_t i = 0; i < lanes; i++) {
        s->now = prng_below(&s->prng, 20);
        sim_begin(s, &s->lanes[i]);
    }
    s->now = 0;
}

static void sim_run(struct sim *s, uint64_t end_ms, uint32_t events)
{
    while (events-- > 0) {
        struct lane *l = sim_next(s);

        if (l->at_ms >= end_ms) {
            return;
        }
        EXPECT(l->at_ms >= s->now);
        s->now = l->at_ms;
        if (l->is_flying) {
            sim_answered(s, l);
        } else {
            sim_ask(s, l);
        }
        retry_pool_check(&s->pool);
    }
}

static uint32_t sim_sum(const uint32_t *seconds, uint32_t from, uint32_t to)
{
    uint32_t sum = 0;

    for (; from < to; from++) {
        sum += seconds[from];
    }
    return sum;
}

/* Thousands of short runs in any weather: only what must always hold. */
TEST(sim_any_weather)
{
    static struct sim s;

    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct retry_options o = retry_defaults;
        struct prng p;

        prng_init(&p, seed * 977);
        o.patience_ms = prng_chance(&p, 1, 2) ? 0 : 10000;
        o.attempts_max = 1 + (uint32_t)prng_below(&p, 12);
        o.persist_ms = (uint32_t)prng_below(&p, 3) * 5000;
        o.quota = (uint32_t)prng_below(&p, 600);
        o.rate_min = 1 + (uint32_t)prng_below(&p, 5);
        sim_start(&s, seed, 1 + (uint32_t)prng_below(&p, seed % 200 + 1), &o);
        for (int i = 0; i < 4; i++) {
            s.spells[i] = (struct spell){
                .from_ms = (uint64_t)i * (500 + prng_below(&p, 3000)),
                .weather = (enum weather)prng_below(&p, WEATHERS),
                .capacity = 1 + (uint32_t)prng_below(&p, 2000),
            };
        }
        sim_run(&s, 300000, 600);
    }
}

static const struct {
    uint32_t lanes;
    uint32_t capacity;
} sim_sizes[] = {{1, 5000}, {16, 5000}, {64, 300}, {200, 8000}, {200, 40}};

enum { SIM_SIZES = sizeof(sim_sizes) / sizeof(sim_sizes[0]) };

/* A dead store for 150 s: few requests reach it, none is given up when there
 * is patience, and then work goes on. */
TEST(sim_dead_store_is_left_alone)
{
    static struct sim s;

    for (size_t i = 0; i < SIM_SIZES; i++) {
        uint32_t lanes = sim_sizes[i].lanes;
        uint32_t dead;

        sim_start(&s, i, lanes, &retry_defaults);
        s.spells[0] = (struct spell){0, FAIR, 100000};
        s.spells[1] = (struct spell){5000, DEAD, 1};
        s.spells[2] = (struct spell){50000, FAIR, 100000};
        s.spells[3] = (struct spell){60000, FAIR, 100000};
        sim_run(&s, 80000, UINT32_MAX);
        /* The quota, and then each request once in 10 s. */
        dead = sim_sum(s.sent, 6, 50);
        EXPECT(dead <= 100 + lanes * 6);
        EXPECT(lanes < 64 || sim_sum(s.sent, 20, 50) <= lanes * 3);
        EXPECT(sim_sum(s.served, 75, 80) > lanes * 5 * 20);
        EXPECT(lanes < 64 || s.lost == 0);
    }
}

/* Without patience: a request is asked once, as long as nothing succeeds. */
TEST(sim_no_amplification_without_quota)
{
    static struct sim s;
    struct retry_options o = retry_defaults;

    o.patience_ms = 0;
    sim_start(&s, 5, 100, &o);
    for (int i = 0; i < 4; i++) {
        s.spells[i] = (struct spell){0, DEAD, 1};
    }
    sim_run(&s, 30000, UINT32_MAX);
    EXPECT(s.requests > 10000);
    EXPECT(s.attempts <= s.requests + 100);
    EXPECT(s.lost > 0 && s.ok == 0);
}

/* A storm of 503 for 20 s, then a store as before: the rate comes back. */
TEST(sim_storm_passes)
{
    static struct sim s;

    for (size_t i = 0; i < SIM_SIZES; i++) {
        uint32_t before;
        uint32_t after;

        sim_start(&s, 40 + i, sim_sizes[i].lanes, &retry_defaults);
        s.spells[0] = (struct spell){0, FAIR, sim_sizes[i].capacity};
        s.spells[1] = (struct spell){20000, STORM, 1};
        s.spells[2] = (struct spell){40000, FAIR, sim_sizes[i].capacity};
        s.spells[3] = s.spells[2];
        sim_run(&s, 160000, UINT32_MAX);
        before = sim_sum(s.served, 10, 20);
        after = sim_sum(s.served, 130, 140);
        EXPECT(after * 10 >= before * 6);
        EXPECT_EQ(s.lost, 0);
    }
}

/* A store that serves less than is wanted: nearly all of it is used, few
 * requests are refused, and everyone has a share. */
TEST(sim_no_request_starves)
{
    static struct sim s;
    uint32_t served;
    uint32_t sent;

    sim_start(&s, 99, 200, &retry_defaults);
    for (int i = 0; i < 4; i++) {
        s.spells[i] = (struct spell){0, FAIR, 100};
    }
    sim_run(&s, 200000, UINT32_MAX);
    served = sim_sum(s.served, 100, 200);
    sent = sim_sum(s.sent, 100, 200);
    EXPECT(served >= 100 * 60);
    EXPECT(sent - served < sent / 4);
    EXPECT_EQ(s.lost, 0);
    EXPECT(s.longest_ms < 20000);
    for (uint32_t i = 0; i < 200; i++) {
        EXPECT(s.lanes[i].retry.began_ms > 150000);
    }
}
