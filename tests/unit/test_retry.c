/* SPDX-License-Identifier: Apache-2.0 */
/* The policy by itself, as tables. */

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
        {RETRY_NEVER, 1, 0},      {RETRY_FREE, 13, 1},     {RETRY_FIXED, 5, 1},
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
