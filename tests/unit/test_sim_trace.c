/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_trace.h"

#include "cluster-sim/sim.h"

#include "tests/harness.h"

TEST(a_line_tells_when_who_and_what)
{
    struct sim_trace t;
    char text[256] = "";
    FILE *to = fmemopen(text, sizeof(text), "w");

    EXPECT(to != NULL);
    sim_trace_init(&t, to);
    sim_trace(&t, 1234567, 3, "wakes %d", 7);
    sim_trace(&t, 99999999999, UINT32_MAX, "calm");
    fclose(to);
    EXPECT_STR(text, "     1.234 h3     wakes 7\n 99999.999 -      calm\n");
}

TEST(every_line_counts_in_the_hash)
{
    struct sim_trace a;
    struct sim_trace b;

    sim_trace_init(&a, NULL);
    sim_trace_init(&b, NULL);
    sim_trace(&a, 5, 1, "x");
    sim_trace(&b, 5, 1, "x");
    EXPECT_EQ(a.hash, b.hash);
    sim_trace(&a, 5, 1, "x");
    sim_trace(&b, 5, 2, "x");
    EXPECT(a.hash != b.hash);
}

TEST(a_seed_is_played_the_same_again)
{
    for (uint32_t model = 0; model < SIM_MODELS; model++) {
        struct sim_options options = {
            .seed = 17, .model = model, .faults = SIM_FAULT_ALL};
        struct sim_result first;
        struct sim_result again;
        struct fault why;

        EXPECT_EQ(sim_run(&options, &why, &first), STATUS_OK);
        EXPECT_EQ(sim_run(&options, &why, &again), STATUS_OK);
        EXPECT_EQ(first.hash, again.hash);
        EXPECT_EQ(first.events, again.events);
        options.seed++;
        EXPECT_EQ(sim_run(&options, &why, &again), STATUS_OK);
        EXPECT(first.hash != again.hash);
    }
}
