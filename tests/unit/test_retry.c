/* SPDX-License-Identifier: Apache-2.0 */
/* The policy by itself: tables, and a store made of numbers that is asked by
 * up to 200 requests at once through one pool on simulated time. */

#include "store/retry.h"
#include "tests/harness.h"

static struct retry_pool pool;

static void setup(void)
{
    struct retry_options o = retry_defaults;

    o.persist_ms = 0;
    retry_pool_init(&pool, &o, 7);
}

static bool admit(struct retry *r, uint64_t now)
{
    uint64_t at = 0;
    bool ok = retry_pool_admit(&pool, r, now, &at);

    EXPECT(ok ? at == now : at > now);
    retry_pool_check(&pool);
    return ok;
}

static bool fail(struct retry *r, uint64_t now, enum retry_class class)
{
    bool again =
        retry_failed(&pool, r, now, (struct retry_failure){.class = class});

    retry_pool_check(&pool);
    return again;
}

/* Fail one request as @class until it gives up; its attempts. */
static uint32_t fail_all(struct retry *r, enum retry_class class)
{
    uint64_t now = 1000;

    retry_begin(r, now);
    do {
        now = r->at_ms;
        while (!admit(r, now)) {
            now++;
        }
    } while (fail(r, now, class));
    return r->attempts;
}

TEST(attempts_of_each_class)
{
    static const struct {
        enum retry_class class;
        uint32_t attempts;
        uint32_t gave_up;
    } rows[] = {
        {RETRY_NEVER, 1, 0},      {RETRY_FREE, 13, 1},     {RETRY_FIXED, 3, 1},
        {RETRY_TRANSIENT, 10, 1}, {RETRY_THROTTLE, 10, 1}, {RETRY_ODD, 4, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry r;

        setup();
        EXPECT_EQ(fail_all(&r, rows[i].class), rows[i].attempts);
        EXPECT_EQ(pool.count.gave_up, rows[i].gave_up);
    }
}

/* A store that is away for minutes: however many attempts that takes. */
TEST(minutes_of_trouble_are_outlived)
{
    static const struct {
        enum retry_class class;
        uint64_t least_ms;
        uint64_t most_ms;
    } rows[] = {{RETRY_TRANSIENT, 300000, 320000},
                {RETRY_THROTTLE, 300000, 320000},
                {RETRY_ODD, 0, 1000}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry r;

        retry_pool_init(&pool, &retry_defaults, i);
        (void)fail_all(&r, rows[i].class);
        EXPECT(r.at_ms - r.began_ms >= rows[i].least_ms);
        EXPECT(r.at_ms - r.began_ms <= rows[i].most_ms);
        EXPECT_EQ(pool.count.gave_up, 1);
    }
}

TEST(free_ones_wait_for_nothing_and_cost_nothing)
{
    struct retry r;

    setup();
    retry_begin(&r, 50);
    for (int i = 0; i < 3; i++) {
        EXPECT(admit(&r, 50));
        EXPECT(fail(&r, 50, RETRY_FREE));
        EXPECT_EQ(r.at_ms, 50);
    }
    EXPECT_EQ(pool.quota, 500);
    EXPECT(admit(&r, 50));
    EXPECT(fail(&r, 50, RETRY_FREE));
    EXPECT(r.at_ms >= 100);
    EXPECT_EQ(pool.quota, 495);
    EXPECT(!admit(&r, 60));
    EXPECT(admit(&r, 50 + 10000));
}

/* The pauses of one request, widening [*least, *most]. */
static void pauses(enum retry_class class, uint32_t base, uint32_t cap,
                   uint64_t *least, uint64_t *most)
{
    struct retry r;
    uint64_t last = base;

    retry_begin(&r, 0);
    while (r.attempts < 9) {
        uint64_t now = r.at_ms;
        uint64_t wait;

        while (!admit(&r, now)) {
            now++;
        }
        EXPECT(fail(&r, now, class));
        wait = r.at_ms - now;
        EXPECT(wait >= base && wait <= cap);
        EXPECT(wait <= 3 * last);
        last = wait;
        *least = wait < *least ? wait : *least;
        *most = wait > *most ? wait : *most;
    }
}

TEST(pauses_stay_in_their_range)
{
    static const struct {
        enum retry_class class;
        uint32_t base;
        uint32_t cap;
    } rows[] = {{RETRY_TRANSIENT, 50, 10000}, {RETRY_THROTTLE, 1000, 20000}};

    for (size_t i = 0; i < 2; i++) {
        uint64_t least = UINT64_MAX;
        uint64_t most = 0;

        for (uint64_t seed = 0; seed < 300; seed++) {
            retry_pool_init(&pool, &retry_defaults, seed);
            pauses(rows[i].class, rows[i].base, rows[i].cap, &least, &most);
        }
        EXPECT(least < rows[i].base + rows[i].base / 10);
        EXPECT(most > rows[i].cap * 6 / 10);
    }
}

TEST(what_the_server_asks_for_is_bounded)
{
    static const struct {
        uint32_t after;
        uint32_t deadline;
        uint64_t least;
        uint64_t most;
    } rows[] = {
        {0, 0, 50, 150},          {1, 0, 50, 150},
        {2000, 0, 2000, 2000},    {5050, 0, 5050, 5050},
        {3600000, 0, 5050, 5150}, {UINT32_MAX, 0, 5050, 5150},
        {4000, 700, 700, 700},    {0, 60, 50, 60},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_options o = retry_defaults;

        o.deadline_ms = rows[i].deadline;
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct retry r;

            retry_pool_init(&pool, &o, seed);
            retry_begin(&r, 100);
            EXPECT(admit(&r, 100));
            EXPECT(retry_failed(
                &pool, &r, 100,
                (struct retry_failure){RETRY_TRANSIENT, rows[i].after}));
            EXPECT(r.at_ms - 100 >= rows[i].least);
            EXPECT(r.at_ms - 100 <= rows[i].most);
        }
    }
}

TEST(nothing_starts_after_the_deadline)
{
    static const enum retry_class classes[] = {RETRY_FREE, RETRY_FIXED,
                                               RETRY_TRANSIENT, RETRY_THROTTLE};
    struct retry_options o = retry_defaults;
    struct retry r;

    o.deadline_ms = 5000;
    for (size_t i = 0; i < 4; i++) {
        retry_pool_init(&pool, &o, 1);
        retry_begin(&r, 100);
        EXPECT(admit(&r, 100));
        EXPECT(!fail(&r, 5100, classes[i]));
        EXPECT_EQ(pool.count.gave_up, 1);
    }
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t now = 100;

        retry_pool_init(&pool, &o, seed);
        retry_begin(&r, now);
        while (admit(&r, now) && fail(&r, now + 30, RETRY_TRANSIENT)) {
            now = r.at_ms;
            EXPECT(now <= 5100);
        }
    }
}

TEST(out_of_quota_is_patient_or_gives_up)
{
    for (int patient = 0; patient < 2; patient++) {
        struct retry_options o = retry_defaults;
        struct retry r;

        o.patience_ms = patient ? 10000 : 0;
        retry_pool_init(&pool, &o, 3);
        for (int i = 0; i < 100; i++) {
            retry_begin(&r, 0);
            EXPECT(admit(&r, 0) && fail(&r, 0, RETRY_TRANSIENT));
            EXPECT(r.at_ms <= 150);
        }
        EXPECT_EQ(pool.quota, 0);
        retry_begin(&r, 0);
        EXPECT(admit(&r, 0));
        EXPECT_EQ(fail(&r, 0, RETRY_TRANSIENT), patient);
        EXPECT_EQ(pool.count.out_of_quota, 1);
        EXPECT(!patient || (r.at_ms >= 10000 && r.at_ms <= 20000));
        EXPECT_EQ(pool.count.gave_up, !patient);
    }
}

TEST(success_pays_back)
{
    struct retry r;

    setup();
    retry_begin(&r, 0);
    EXPECT(admit(&r, 0) && fail(&r, 0, RETRY_TRANSIENT));
    EXPECT(admit(&r, r.at_ms) && fail(&r, r.at_ms, RETRY_TRANSIENT));
    EXPECT_EQ(pool.quota, 490);
    EXPECT(admit(&r, r.at_ms));
    retry_succeeded(&pool, &r, r.at_ms);
    EXPECT_EQ(pool.quota, 495);
    for (int i = 0; i < 10; i++) {
        retry_begin(&r, 0);
        EXPECT(admit(&r, 0));
        retry_succeeded(&pool, &r, 0);
    }
    EXPECT_EQ(pool.quota, 500);
}

/* ---- the rate ----------------------------------------------------------- */

/* Ask every ms from @now to @end; how many may start. */
static uint32_t ask_until(uint64_t now, uint64_t end, bool is_served)
{
    uint32_t count = 0;
    struct retry r;

    retry_begin(&r, now);
    for (; now < end; now++) {
        if (admit(&r, now)) {
            count++;
            if (is_served) {
                retry_succeeded(&pool, &r, now);
            }
            retry_begin(&r, now);
        }
    }
    return count;
}

static void throttle(uint64_t now)
{
    struct retry r;

    retry_begin(&r, 0);
    r.attempts = 1;
    EXPECT(fail(&r, now, RETRY_THROTTLE));
}

TEST(rate_is_halved_once_a_second)
{
    setup();
    EXPECT_EQ(ask_until(0, 1000, false), 1000);
    EXPECT(!pool.rate.is_on);
    throttle(1000);
    EXPECT(pool.rate.is_on);
    EXPECT_EQ(pool.rate.per_second, 500);
    for (uint64_t ms = 1000; ms < 2000; ms += 50) {
        throttle(ms);
    }
    EXPECT_EQ(pool.rate.per_second, 500);
    EXPECT(ask_until(1000, 2000, false) <= 500);
    throttle(2000);
    EXPECT(pool.rate.per_second <= 250);
    for (uint64_t ms = 3000; ms < 30000; ms += 1000) {
        throttle(ms);
    }
    EXPECT_EQ(pool.rate.per_second, 1);
}

TEST(rate_grows_with_successes_and_is_lifted)
{
    uint32_t got;

    setup();
    (void)ask_until(0, 1000, false);
    throttle(1000);
    for (uint64_t ms = 2000; ms <= 10000; ms += 1000) {
        throttle(ms);
    }
    EXPECT_EQ(pool.rate.per_second, 1);
    (void)ask_until(10000, 15000, false);
    EXPECT_EQ(pool.rate.per_second, 1); /* Not by time alone. */
    (void)ask_until(15000, 17000, true);
    EXPECT(pool.rate.per_second > 1 && pool.rate.per_second < 30);
    (void)ask_until(20000, 60000, true);
    got = ask_until(60000, 90000, true);
    EXPECT(got > 25000);
    /* Twice what is asked for at most: then it is gone. */
    (void)ask_until(90000, 120000, true);
    EXPECT(!pool.rate.is_on);
}

TEST(oldest_waits_shortest)
{
    struct retry old;
    struct retry r;
    uint64_t at = 0;

    setup();
    throttle(0);
    retry_begin(&old, 0);
    EXPECT(!retry_pool_admit(&pool, &old, 0, &at));
    for (uint64_t ms = 1; ms < at; ms++) {
        retry_begin(&r, ms);
        EXPECT(!admit(&r, ms));
    }
    /* A token is there; a younger one does not get it, the old one does. */
    retry_begin(&r, at);
    EXPECT(!admit(&r, at));
    EXPECT(admit(&old, at));

    /* A request that is never heard of again holds nobody up for long. */
    retry_begin(&old, 1);
    EXPECT(!retry_pool_admit(&pool, &old, at, &at));
    retry_begin(&r, at + 500);
    EXPECT(!admit(&r, at + 500));
    EXPECT(admit(&r, at + 1100));
}

/* ---- hedging ------------------------------------------------------------ */

static void note(uint32_t requests, uint32_t first_byte, uint64_t now)
{
    for (uint32_t i = 0; i < requests; i++) {
        struct retry r;

        retry_begin(&r, now);
        EXPECT(admit(&r, now));
        retry_succeeded(&pool, &r, now);
        retry_note_first_byte(&pool, first_byte);
        retry_note_body(&pool, 8 << 20, 80); /* 100 MiB/s */
    }
}

TEST(hedge_when)
{
    static const struct {
        const char *what;
        uint32_t usual; /* First byte. */
        uint64_t ran;
        uint64_t got;
        uint64_t size;
        bool is_due;
    } rows[] = {
        {"young", 20, 299, UINT64_MAX, 100, false},
        {"no head in 300 ms", 20, 300, UINT64_MAX, 100, true},
        {"usual for a slow store", 1000, 1199, UINT64_MAX, 100, false},
        {"slow for a slow store", 1000, 1200, UINT64_MAX, 100, true},
        {"half the speed", 20, 2020, 90 << 20, 256 << 20, false},
        {"a fifth of it", 20, 2020, 38 << 20, 256 << 20, true},
        {"at a stand", 20, 2020, 0, 8 << 20, true},
        {"at a stand, but young", 20, 1000, 0, 8 << 20, false},
        {"nearly here", 20, 2020, 7 << 20, 8 << 20, false},
        {"all here", 20, 60000, 8 << 20, 8 << 20, false},
        {"too small to tell", 20, 2020, 10, 100 << 10, false},
        {"longer than asked for", 20, 2020, 9 << 20, 8 << 20, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct retry_slow slow = {1000, rows[i].got, rows[i].size};

        setup();
        note(64, rows[i].usual, 0);
        if (retry_hedge(&pool, 1000 + rows[i].ran, &slow) != rows[i].is_due) {
            fprintf(stderr, "row %s\n", rows[i].what);
            EXPECT(false);
        }
    }
}

TEST(hedge_budget)
{
    struct retry_slow slow = {0, UINT64_MAX, 100};
    uint32_t hedges = 0;

    setup();
    for (int i = 0; i < 1000; i++) {
        note(1, 20, 0);
        while (retry_hedge(&pool, 60000, &slow)) {
            retry_pool_check(&pool);
            hedges++;
        }
    }
    EXPECT_EQ(hedges, 20);
}

TEST(hedge_not_after_a_throttle)
{
    struct retry_slow slow = {0, UINT64_MAX, 100};

    setup();
    note(100, 20, 0);
    throttle(20000);
    EXPECT(pool.rate.is_on);
    EXPECT(!retry_hedge(&pool, 60000, &slow)); /* A rate is set. */
    pool.rate.is_on = false;
    EXPECT(!retry_hedge(&pool, 29999, &slow));
    EXPECT(retry_hedge(&pool, 30000, &slow));
}

TEST(hedge_knows_nothing_at_first)
{
    struct retry_slow slow = {0, UINT64_MAX, 100};

    setup();
    for (int i = 0; i < 15; i++) {
        retry_note_first_byte(&pool, 20);
    }
    pool.hedge.requests = 1000;
    EXPECT(!retry_hedge(&pool, 60000, &slow));
    retry_note_first_byte(&pool, 20);
    EXPECT(retry_hedge(&pool, 60000, &slow));
}

TEST(hedge_p99_is_the_rings)
{
    setup();
    for (uint32_t i = 0; i < 256; i++) {
        retry_note_first_byte(&pool, (i * 37) % 256);
    }
    EXPECT_EQ(pool.hedge.p99_ms, 253);
    for (uint32_t i = 0; i < 256; i++) {
        retry_note_first_byte(&pool, 5);
    }
    EXPECT_EQ(pool.hedge.p99_ms, 5);
}

/* ---- the clock ---------------------------------------------------------- */

TEST(clock_moves_by_far_only)
{
    static const struct {
        uint64_t date;
        uint64_t wall;
        uint32_t took;
        bool has_moved;
        int64_t offset;
    } rows[] = {
        {0, 1000000000, 10, false, 0},
        {1000239000, 1000000000, 10, false, 0},
        {1000240000, 1000000000, 900001, false, 0},
        {1000240000, 1000000000, 10, true, 240000},
        {1000300000, 1000000000, 10, false, 240000},
        {1000000000, 1000000000, 10, true, 0},
        {999000000, 1000000000, 10, true, -1000000},
        {999100000, 1000000000, 10, false, -1000000},
    };
    struct retry_clock c = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(
            retry_clock_note(&c, rows[i].date, rows[i].wall, rows[i].took),
            rows[i].has_moved);
        EXPECT(c.offset_ms == rows[i].offset);
        EXPECT_EQ(c.is_set, i > 0);
    }
}

/* ---- the simulation ----------------------------------------------------- */

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
