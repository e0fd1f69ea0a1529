/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "tests/harness.h"

enum { GB = 1000000000 };

static struct progress_sum sum_of(uint64_t done, uint64_t found)
{
    return (struct progress_sum){
        .units = 40,
        .units_done = done / GB,
        .bytes = UINT64_C(40) * GB,
        .bytes_done = done,
        .bytes_found = found,
    };
}

/* Add a second of so many bytes, so many times. */
static void go_on(struct progress *p, struct progress_sum *sum,
                  uint64_t *now_ms, uint64_t rate, uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        *now_ms += 1000;
        sum->bytes_done += rate;
        progress_add(p, sum, *now_ms);
    }
}

TEST(nothing_is_known_at_first)
{
    struct progress p = {0};
    struct progress_sum sum = sum_of(0, 0);
    char line[PROGRESS_LINE_MAX];

    EXPECT(progress_rate(&p) == 0);
    EXPECT(progress_left(&p, &sum) == -1);
    progress_add(&p, &sum, 5000);
    EXPECT(progress_rate(&p) == 0);
    EXPECT_STR(progress_line(&p, &sum, line),
               "0 bytes of 40 GB (0 %), 0 of 40 objects");
    progress_add(&p, &sum, 5999); /* Too soon for another one. */
    EXPECT(progress_rate(&p) == 0 && p.count == 1);
    progress_add(&p, &sum, 6000);
    EXPECT(progress_left(&p, &sum) == -1);
    EXPECT_STR(progress_line(&p, &sum, line),
               "0 bytes of 40 GB (0 %), 0 of 40 objects, 0 bytes/s");
}

TEST(rate_and_what_is_left)
{
    struct progress p = {0};
    struct progress_sum sum = sum_of(0, 0);
    char line[PROGRESS_LINE_MAX];
    uint64_t now_ms = 0;

    progress_add(&p, &sum, now_ms);
    go_on(&p, &sum, &now_ms, GB, 5);
    EXPECT(progress_rate(&p) == GB);
    EXPECT(progress_left(&p, &sum) == 35);
    sum.units_done = 5;
    EXPECT_STR(progress_line(&p, &sum, line),
               "5.0 GB of 40 GB (12 %), 5 of 40 objects, 1.0 GB/s, 35 s left");
    /* Old samples leave, and the rate is that of now. */
    go_on(&p, &sum, &now_ms, GB / 2, PROGRESS_SAMPLES);
    EXPECT(progress_rate(&p) * 2 == GB);
    go_on(&p, &sum, &now_ms, 0, PROGRESS_SAMPLES);
    EXPECT(progress_rate(&p) == 0);
    EXPECT(progress_left(&p, &sum) == -1);
    sum.bytes_done = sum.bytes;
    EXPECT(progress_left(&p, &sum) == 0);
}

TEST(what_was_there_is_no_rate)
{
    struct progress p = {0};
    struct progress_sum sum = sum_of(0, 0);
    uint64_t now_ms = 0;

    progress_add(&p, &sum, now_ms);
    sum.bytes_done = UINT64_C(30) * GB;
    sum.bytes_found = UINT64_C(30) * GB;
    go_on(&p, &sum, &now_ms, GB, 2);
    EXPECT(progress_rate(&p) == GB);
    EXPECT(progress_left(&p, &sum) == 8);
}

TEST(what_is_read_again_is_no_rate_either)
{
    struct progress p = {0};
    struct progress_sum sum = sum_of(GB, 0);

    progress_add(&p, &sum, 0);
    sum.bytes_done = 0;
    progress_add(&p, &sum, 1000);
    EXPECT(progress_rate(&p) == 0);
}

TEST(the_line_fits)
{
    struct progress p = {0};
    struct progress_sum sum = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX,
                               UINT64_MAX - 1, 0};
    char line[PROGRESS_LINE_MAX];

    progress_add(&p, &sum, 0);
    sum.bytes_done = UINT64_MAX;
    progress_add(&p, &sum, 1000);
    EXPECT(strlen(progress_line(&p, &sum, line)) == PROGRESS_LINE_MAX - 1);
    sum = (struct progress_sum){0};
    EXPECT_STR(progress_line(&(struct progress){0}, &sum, line),
               "0 bytes of 0 bytes (100 %), 0 of 0 objects");
}

TEST(a_log_is_told_less_and_less)
{
    static const uint64_t want[] = {5000, 10000, 20000, 40000, 60000, 60000};

    for (uint32_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        EXPECT_EQ(progress_log_ms(i), want[i]);
    }
    EXPECT_EQ(progress_log_ms(UINT32_MAX), 60000);
}
