/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_fault.h"

#include "tests/harness.h"

TEST(faults_are_read_by_name)
{
    static const struct {
        const char *list;
        enum status status;
        uint64_t want;
    } rows[] = {
        {"", STATUS_OK, 0},
        {"none", STATUS_OK, 0},
        {"all", STATUS_OK, SIM_FAULT_ALL},
        {"loss", STATUS_OK, SIM_FAULT_BIT(SIM_FAULT_LOSS)},
        {"loss,cut-one-way", STATUS_OK,
         SIM_FAULT_BIT(SIM_FAULT_LOSS) | SIM_FAULT_BIT(SIM_FAULT_CUT_ONE_WAY)},
        {"all,-loss", STATUS_OK,
         SIM_FAULT_ALL & ~SIM_FAULT_BIT(SIM_FAULT_LOSS)},
        {"all,store-stale-log", STATUS_OK,
         SIM_FAULT_ALL | SIM_FAULT_BIT(SIM_FAULT_STORE_STALE_LOG)},
        {"los", STATUS_INVALID, 0},
        {"loss,,cut", STATUS_INVALID, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {.text = ""};
        uint64_t got = 0;

        EXPECT_EQ(sim_fault_parse(rows[i].list, &why, &got), rows[i].status);
        EXPECT_EQ(got, rows[i].want);
        EXPECT_EQ(why.text[0] != '\0', rows[i].status != STATUS_OK);
    }
}

TEST(a_plan_uses_only_what_it_may_and_all_of_it_some_time)
{
    uint64_t seen = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        uint64_t may = seed % 2 == 0 ? SIM_FAULT_ALL
                                     : SIM_FAULT_BIT(SIM_FAULT_CUT) |
                                           SIM_FAULT_BIT(SIM_FAULT_LOSS);
        struct sim_plan plan;
        struct prng luck;

        prng_init(&luck, seed);
        sim_plan_draw(&luck, may, 5, 30000000, &plan);
        EXPECT_EQ(plan.faults & ~may, 0);
        EXPECT((plan.weather.loss > 0) ==
               ((plan.faults & SIM_FAULT_BIT(SIM_FAULT_LOSS)) != 0));
        for (uint32_t i = 0; i < plan.count; i++) {
            const struct sim_incident *in = &plan.incidents[i];

            EXPECT((plan.faults & SIM_FAULT_BIT(in->kind)) != 0);
            EXPECT(in->node < 5 && in->other < 5 && in->at_us < 30000000);
        }
        seen |= plan.faults;
    }
    EXPECT_EQ(seen, SIM_FAULT_ALL);
}

TEST(the_same_seed_draws_the_same_plan)
{
    struct sim_plan a;
    struct sim_plan b;
    struct prng luck;

    prng_init(&luck, 99);
    sim_plan_draw(&luck, SIM_FAULT_ALL, 4, 1000000, &a);
    prng_init(&luck, 99);
    sim_plan_draw(&luck, SIM_FAULT_ALL, 4, 1000000, &b);
    EXPECT_EQ(a.faults, b.faults);
    EXPECT_EQ(a.count, b.count);
    for (uint32_t i = 0; i < a.count; i++) {
        EXPECT_EQ(a.incidents[i].at_us, b.incidents[i].at_us);
        EXPECT_EQ(a.incidents[i].kind, b.incidents[i].kind);
    }
}
