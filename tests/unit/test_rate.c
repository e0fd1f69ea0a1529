/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rate.h"

#include "tests/harness.h"

TEST(without_a_limit_all_go)
{
    struct rate r = {0};
    uint64_t ticket = 0;
    uint64_t at = 0;

    for (int i = 0; i < 1000; i++) {
        EXPECT(rate_may_go(&r, 5, &ticket, &at));
        EXPECT_EQ(ticket, 0);
    }
    rate_check(&r);
}

/* How many of @ask a millisecond go from @from_ms on, in @for_ms. */
static uint64_t count(struct rate *r, uint64_t from_ms, uint64_t for_ms,
                      int ask)
{
    uint64_t tickets[64] = {0};
    uint64_t went = 0;
    uint64_t at;

    for (uint64_t now = from_ms; now < from_ms + for_ms; now++) {
        for (int i = 0; i < ask; i++) {
            if (rate_may_go(r, now, &tickets[i], &at)) {
                tickets[i] = 0;
                went++;
            }
        }
        rate_check(r);
    }
    return went;
}

TEST(as_many_go_as_the_rate_says)
{
    static const struct {
        uint64_t rate;
        uint64_t for_ms;
        uint64_t least;
        uint64_t most;
    } rows[] = {
        {1, 1100000, 1, 2},           {350, 100000, 34, 36},
        {1000, 10000, 9, 11},         {100000, 10000, 990, 1011},
        {5000000, 2000, 9900, 10501}, {RATE_MAX, 10, 576, 576},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rate r = {0};
        uint64_t went;

        rate_set(&r, rows[i].rate, 1000);
        went = count(&r, 1000, rows[i].for_ms, rows[i].rate < 5000 ? 1 : 64);
        EXPECT(went >= rows[i].least);
        EXPECT(went <= rows[i].most);
    }
}

TEST(numbers_come_up_in_the_order_in_which_they_were_drawn)
{
    struct rate r = {0};
    uint64_t tickets[8] = {0};
    uint64_t at = 0;
    int next = 0;

    rate_set(&r, 2000, 0);
    for (int i = 0; i < 8; i++) {
        EXPECT(!rate_may_go(&r, 0, &tickets[i], &at));
        EXPECT_EQ(at, (uint64_t)(i + 1) * 500 < 1000 ? 501 : 1000);
    }
    for (uint64_t now = 1; now < 10000; now++) {
        for (int i = 7; i >= 0; i--) {
            if (tickets[i] != 0 && rate_may_go(&r, now, &tickets[i], &at)) {
                EXPECT_EQ(i, next++);
                tickets[i] = 0;
            }
        }
        if (now == 1500) { /* Nobody loses its place by that. */
            rate_set(&r, 1000, now);
            EXPECT_EQ(next, 3);
        }
    }
    EXPECT_EQ(next, 8);
}

TEST(a_pause_is_not_made_up_for)
{
    struct rate r = {0};

    rate_set(&r, 100000, 0); /* 100 a second: 10 at once. */
    EXPECT_EQ(count(&r, 60000, 1, 64), 10);
}

TEST(who_waits_goes_when_the_limit_is_lifted)
{
    struct rate r = {0};
    uint64_t tickets[3] = {0};
    uint64_t at;

    rate_set(&r, 1, 0);
    for (int i = 0; i < 3; i++) {
        EXPECT(!rate_may_go(&r, 0, &tickets[i], &at));
    }
    rate_set(&r, 0, 10);
    EXPECT(rate_may_go(&r, 10, &tickets[2], &at));
    rate_set(&r, 1, 20); /* They were drawn before. */
    EXPECT(rate_may_go(&r, 20, &tickets[0], &at));
    EXPECT(rate_may_go(&r, 20, &tickets[1], &at));
    tickets[0] = 0;
    EXPECT(!rate_may_go(&r, 20, &tickets[0], &at));
    rate_set(&r, UINT64_MAX, 30);
    EXPECT_EQ(r.per_1000s, RATE_MAX);
}

TEST(the_process_has_one)
{
    uint64_t ticket = 0;
    uint64_t at = 0;

    EXPECT(!rate_process_is_on());
    rate_process_set(1000, 0);
    EXPECT(rate_process_is_on());
    EXPECT(!rate_process_may_go(0, &ticket, &at));
    EXPECT(rate_process_may_go(1001, &ticket, &at));
    rate_process_set(0, 1001);
    EXPECT(!rate_process_is_on());
    rate_process_add(2, 0);
    rate_process_add(1, 1);
    EXPECT_EQ(rate_process_counts().requests, 3);
    EXPECT_EQ(rate_process_counts().throttled, 1);
}
