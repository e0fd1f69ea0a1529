/* SPDX-License-Identifier: Apache-2.0 */
/* The rate that the process may have, as its S3 handles keep to it. Time is
 * only ever asked for having passed. */
#include "base/clock.h"
#include "store/rate.h"
#include "tests/s3_kit.h"

static void submit(struct store *s, uint64_t tag, uint32_t limit_ms)
{
    struct store_request r = {
        .op = STORE_HEAD, .key = BYTES("k"), .tag = tag, .limit_ms = limit_ms};

    EXPECT_EQ(store_submit(s, &r), STATUS_OK);
}

/* Wait for @count events; return the sum of their tags. */
static uint64_t collect(struct store *s, uint32_t count)
{
    struct store_event events[STORE_EVENTS_MAX];
    uint64_t tags = 0;

    while (count > 0) {
        size_t got = store_poll(s, -1, events, STORE_EVENTS_MAX);

        for (size_t i = 0; i < got; i++) {
            EXPECT_EQ(events[i].status, STATUS_OK);
            tags += events[i].tag;
        }
        EXPECT(got <= count);
        count -= (uint32_t)got;
    }
    return tags;
}

static uint64_t now_ms(void)
{
    return clock_now_ms(&clock_os);
}

TEST(what_has_a_limit_of_time_goes_first)
{
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    rate_process_set(1, now_ms()); /* One in 1000 s. */
    submit(s, 1, 0);
    submit(s, 10, 60000);
    EXPECT_EQ(collect(s, 1), 10);
    EXPECT_EQ(s3server_requests(kit_server, "HEAD", NULL), 1);
    EXPECT_EQ(store_inflight(s), 1);
    rate_process_set(0, now_ms());
    EXPECT_EQ(collect(s, 1), 1);
    EXPECT_EQ(s3server_requests(kit_server, "HEAD", NULL), 2);
    kit_stop_large(&s);
}

/* Two handles together, with answers that say to slow down among them. */
TEST(all_handles_share_the_rate)
{
    enum { REQUESTS = 30, PER_SECOND = 50 };
    const struct s3server_fault slow = {.method = "HEAD",
                                        .skip = 25,
                                        .count = 1,
                                        .act = S3SERVER_ANSWER,
                                        .code = 503,
                                        .error = "SlowDown"};
    struct rate_counts before = rate_process_counts();
    struct rate_counts counts;
    struct store *s[2];
    uint64_t start;

    kit_start_large(0);
    s[0] = kit_open();
    s[1] = kit_open();
    s3server_fault(kit_server, &slow);
    start = now_ms();
    rate_process_set(PER_SECOND * 1000, start);
    for (int i = 0; i < REQUESTS; i++) {
        submit(s[i % 2], 1, 0);
    }
    collect(s[0], REQUESTS / 2);
    collect(s[1], REQUESTS / 2);
    /* 31 asked, of which 5 may be ahead. */
    EXPECT(now_ms() - start >= (REQUESTS + 1 - 5) * 1000 / PER_SECOND);
    counts = rate_process_counts();
    EXPECT_EQ(counts.requests - before.requests, REQUESTS + 1);
    EXPECT_EQ(counts.throttled - before.throttled, 1);
    EXPECT_EQ(s3server_requests(kit_server, "HEAD", NULL), REQUESTS + 1);
    store_close(&s[1]);
    kit_stop_large(&s[0]);
}

TEST(what_is_given_up_does_not_hold_up_the_others)
{
    struct store *gone;
    struct store *s;

    kit_start_large(0);
    gone = kit_open();
    s = kit_open();
    rate_process_set(20000, now_ms());
    for (int i = 0; i < 3; i++) {
        submit(gone, 1, 0);
    }
    (void)store_poll(gone, 0, &(struct store_event){0}, 1);
    store_close(&gone);
    submit(s, 1, 0);
    EXPECT_EQ(collect(s, 1), 1);
    kit_stop_large(&s);
}
