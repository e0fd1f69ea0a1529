/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/budget.h"

#include "base/mem.h"
#include "tests/harness.h"

enum { BEAT = 2000, HOSTS = 10 };

struct kit {
    struct budget *b;
    uint64_t now;
    struct budget_word sums[HOSTS];
};

static struct kit kit_new(void)
{
    struct kit k = {.now = 1000};

    k.b = budget_new(&(struct budget_options){HOSTS, BEAT, k.now});
    for (uint32_t i = 0; i < HOSTS; i++) {
        budget_hear(k.b, i, &k.sums[i], k.now);
    }
    return k;
}

/* A window in which each host asks @requests[i] times, of which @throttled in
 * a hundred are told to slow down. */
static void window(struct kit *k, const uint64_t *requests, uint64_t throttled)
{
    for (int beat = 0; beat < 2; beat++) {
        k->now += BEAT;
        for (uint32_t i = 0; i < HOSTS; i++) {
            k->sums[i].requests += requests[i] / 2;
            k->sums[i].throttled += requests[i] / 2 * throttled / 100;
            budget_hear(k->b, i, &k->sums[i], k->now);
            budget_check(k->b);
        }
    }
}

static void windows(struct kit *k, uint64_t count, uint64_t requests,
                    uint64_t throttled)
{
    uint64_t each[HOSTS];

    for (uint32_t i = 0; i < HOSTS; i++) {
        each[i] = requests;
    }
    for (uint64_t i = 0; i < count; i++) {
        window(k, each, throttled);
    }
}

/* 500/s are served, as much again is not. */
static struct kit kit_throttled(void)
{
    struct kit k = kit_new();

    windows(&k, 2, 400, 0);
    windows(&k, 6, 400, 50);
    return k;
}

static uint64_t limit(const struct kit *k)
{
    return budget_state(k->b).limit;
}

TEST(no_limit_while_nothing_is_throttled)
{
    struct kit k = kit_new();

    windows(&k, 10, 400, 0);
    EXPECT_EQ(limit(&k), 0);
    EXPECT_EQ(budget_rate(k.b, 0), 0);
    EXPECT(budget_state(k.b).requests > 0);
    windows(&k, 10, 400, 1); /* A few are no news. */
    EXPECT_EQ(limit(&k), 0);
    budget_destroy(&k.b);
    EXPECT(k.b == NULL);
    budget_destroy(&k.b);
}

TEST(the_limit_is_a_little_less_than_what_is_served)
{
    struct kit k = kit_throttled();

    EXPECT(limit(&k) >= 400000 && limit(&k) <= 500000);
    for (uint32_t i = 0; i < HOSTS; i++) {
        EXPECT(budget_rate(k.b, i) >= limit(&k) / HOSTS - 1);
        EXPECT(budget_rate(k.b, i) <= limit(&k) / HOSTS);
    }
    budget_destroy(&k.b);
}

TEST(one_cut_until_it_shows)
{
    struct kit k = kit_throttled();
    uint64_t before = limit(&k);
    uint64_t cut_ms = 0;

    for (int i = 0; i < 60; i++) {
        windows(&k, 1, 100, 100); /* Nothing at all is served. */
        EXPECT(limit(&k) >= before / 2);
        if (limit(&k) < before) {
            EXPECT(cut_ms == 0 || k.now - cut_ms >= UINT64_C(4) * BEAT);
            cut_ms = k.now;
        }
        before = limit(&k);
    }
    EXPECT_EQ(limit(&k), HOSTS * 100);
    budget_destroy(&k.b);
}

TEST(it_grows_while_it_is_used_and_is_forgotten)
{
    struct kit k = kit_throttled();
    uint64_t first;

    windows(&k, 1, 10, 0);
    first = limit(&k);
    windows(&k, 20, 10, 0);
    EXPECT_EQ(limit(&k), first); /* Nobody needs more. */
    for (int i = 0; i < 5; i++) {
        windows(&k, 1, limit(&k) / HOSTS * 4 / 1000, 0);
    }
    first = limit(&k); /* Near to where it was too high. */
    windows(&k, 10, first / HOSTS * 4 / 1000, 0);
    EXPECT(limit(&k) > first + first / 10);
    EXPECT(limit(&k) < first + first / 3);
    windows(&k, 20, 10, 0); /* Minutes. */
    EXPECT_EQ(limit(&k), 0);
    EXPECT_EQ(budget_rate(k.b, 3), 0);
    budget_destroy(&k.b);
}

TEST(after_an_outage_it_comes_back_quickly)
{
    struct kit k = kit_throttled();
    uint64_t good;
    uint64_t steps = 0;

    good = limit(&k);
    windows(&k, 20, 40, 100);
    EXPECT(limit(&k) < good / 100);
    for (; limit(&k) < good / 4 && steps < 100; steps++) {
        windows(&k, 1, limit(&k) / HOSTS * 4 / 1000 + 2, 0);
    }
    EXPECT(steps < 10);
    budget_destroy(&k.b);
}

TEST(who_needs_little_leaves_the_rest)
{
    struct kit k = kit_throttled();
    uint64_t requests[HOSTS];
    uint64_t sum = 0;

    for (uint32_t i = 0; i < HOSTS; i++) {
        requests[i] = i < 5 ? 4 : 1000; /* One a second, or all it gets. */
    }
    for (int n = 0; n < 6; n++) {
        window(&k, requests, 0);
    }
    for (uint32_t i = 0; i < HOSTS; i++) {
        uint64_t rate = budget_rate(k.b, i);

        sum += rate;
        if (i < 5) {
            EXPECT(rate >= 2000); /* Twice as much at once. */
            EXPECT(rate < limit(&k) / HOSTS / 2);
        } else {
            EXPECT(rate > limit(&k) / HOSTS * 3 / 2);
        }
    }
    EXPECT(sum <= limit(&k) && sum >= limit(&k) / 100 * 95);
    for (uint32_t i = 0; i < HOSTS; i++) {
        requests[i] = 1000; /* All want much again. */
    }
    for (int n = 0; n < 6; n++) {
        window(&k, requests, 0);
    }
    for (uint32_t i = 0; i < HOSTS; i++) {
        EXPECT(budget_rate(k.b, i) >= limit(&k) / HOSTS / 10 * 9);
    }
    budget_destroy(&k.b);
}

/* Nine hosts are gone; the tenth gets all. */
TEST(the_dead_have_no_part)
{
    struct kit k = kit_throttled();

    for (int n = 0; n < 20; n++) {
        k.now += BEAT;
        k.sums[9].requests += 10000;
        budget_hear(k.b, 9, &k.sums[9], k.now);
        budget_check(k.b);
    }
    EXPECT(budget_rate(k.b, 9) >= limit(&k) / 10 * 9);
    EXPECT(budget_rate(k.b, 0) > 0); /* Should it be back. */
    budget_destroy(&k.b);
}

TEST(lost_and_repeated_words_and_other_processes)
{
    struct kit k = kit_new();

    for (int n = 0; n < 3; n++) {
        k.sums[0] = (struct budget_word){500, 10};
        budget_hear(k.b, 0, &k.sums[0], k.now); /* Again and again. */
    }
    k.sums[0] = (struct budget_word){300, 300}; /* Another process. */
    budget_hear(k.b, 0, &k.sums[0], k.now);
    k.sums[0] = (struct budget_word){400, 0}; /* Nonsense: less. */
    budget_hear(k.b, 0, &k.sums[0], k.now);
    k.now += 2 * BEAT;
    budget_hear(k.b, 0, &k.sums[0], k.now);
    EXPECT_EQ(budget_state(k.b).requests, 500);
    EXPECT_EQ(budget_state(k.b).throttled, 10);
    EXPECT_EQ(budget_state(k.b).window_ms, 2 * BEAT);
    EXPECT_EQ(budget_state(k.b).sum.requests, 500);
    EXPECT_EQ(budget_state(k.b).sum.throttled, 10);
    k.sums[0] = (struct budget_word){UINT64_MAX, UINT64_MAX};
    budget_hear(k.b, 0, &k.sums[0], k.now);
    budget_check(k.b);
    k.now += 2 * BEAT;
    budget_hear(k.b, 0, &k.sums[0], k.now);
    budget_check(k.b);
    EXPECT(budget_state(k.b).requests < UINT64_C(1) << 32);
    budget_destroy(&k.b);
}
