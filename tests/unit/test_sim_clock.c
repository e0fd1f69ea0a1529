/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_clock.h"

#include "base/prng.h"

#include "tests/harness.h"

TEST(events_come_by_time_then_as_they_were_put_in)
{
    struct sim_clock *c = sim_clock_new();
    struct prng luck;
    struct sim_event last = {.at_us = 0};
    struct sim_event e;

    prng_init(&luck, 7);
    for (uint64_t i = 0; i < 3000; i++) {
        sim_clock_add(
            c, (struct sim_event){.at_us = prng_below(&luck, 500), .arg = i});
        sim_clock_check(c);
    }
    for (int i = 0; i < 3000; i++) {
        EXPECT_EQ(sim_clock_next(c, &e), STATUS_OK);
        EXPECT(i == 0 || e.at_us > last.at_us ||
               (e.at_us == last.at_us && e.arg > last.arg));
        EXPECT_EQ(sim_clock_now_us(c), e.at_us);
        last = e;
    }
    EXPECT_EQ(sim_clock_next(c, &e), STATUS_NOT_FOUND);
    sim_clock_destroy(&c);
}

TEST(what_is_past_is_now_and_never_is_nothing)
{
    struct sim_clock *c = sim_clock_new();
    struct sim_event e;

    sim_clock_add(c, (struct sim_event){.at_us = 100});
    sim_clock_add(c, (struct sim_event){.at_us = SIM_NEVER});
    EXPECT_EQ(sim_clock_next(c, &e), STATUS_OK);
    sim_clock_add(c, (struct sim_event){.at_us = 50, .arg = 3});
    EXPECT_EQ(sim_clock_next(c, &e), STATUS_OK);
    EXPECT_EQ(e.at_us, 100);
    EXPECT_EQ(e.arg, 3);
    EXPECT_EQ(sim_clock_count(c), 0);
    sim_clock_destroy(&c);
}

TEST(a_watch_drifts_and_its_alarm_is_exact)
{
    static const int64_t drifts[] = {0, 1, -1, 10000, -10000, 200000, -200000};

    for (size_t i = 0; i < sizeof(drifts) / sizeof(drifts[0]); i++) {
        struct sim_watch w = {1000, 5000000, drifts[i]};

        for (uint64_t ms = 4000; ms < 70000; ms += 997) {
            uint64_t at_us = sim_watch_when(&w, 2000, ms);

            EXPECT(at_us >= 2000);
            EXPECT(sim_watch_ms(&w, at_us) >= ms);
            EXPECT(at_us == 2000 || sim_watch_ms(&w, at_us - 1001) < ms ||
                   at_us < 3001);
        }
    }
    EXPECT_EQ(sim_watch_when(&(struct sim_watch){0, 0, 5}, 0, UINT64_MAX),
              SIM_NEVER);
}
