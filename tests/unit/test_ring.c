/* SPDX-License-Identifier: Apache-2.0 */
/* Rings between real processes. */
#include "tests/ring_kit.h"

static void expect_codes(int code)
{
    for (uint32_t i = 0; i < rk.child_count; i++) {
        EXPECT_EQ(rk.codes[i], code);
    }
}

TEST(one_consumer_has_all_in_order)
{
    rk_begin(RING_EXCLUSIVE, 1, 200);
    rk.epochs = 3;
    rk_open_host();
    rk_spawn("hold=1");
    rk_run();
    expect_codes(0);
    rk_expect_all();
    EXPECT_EQ(atomic_load(&rk.log->disorder), 0);
    EXPECT_EQ(atomic_load(&rk.log->ends), 3);
    EXPECT_EQ(atomic_load(&rk.log->overs), 1);
    for (uint64_t i = 0; i < 600; i++) {
        EXPECT_EQ(atomic_load(&rk.log->units[i].seen), 1);
        EXPECT_EQ(atomic_load(&rk.log->units[i].released), 1);
    }
    rk_end();
}

TEST(four_share_and_lose_nothing)
{
    rk_begin(RING_SHARE, 4, 500);
    rk.epochs = 2;
    rk_open_host();
    for (int i = 0; i < 4; i++) {
        rk_spawn("hold=1");
    }
    rk_run();
    expect_codes(0);
    rk_expect_all();
    EXPECT_EQ(atomic_load(&rk.log->ends), 8);
    EXPECT_EQ(atomic_load(&rk.log->overs), 4);
    for (uint64_t i = 0; i < 1000; i++) {
        EXPECT_EQ(atomic_load(&rk.log->units[i].seen), 1);
    }
    rk_end();
}

TEST(three_see_everything_in_broadcast)
{
    rk_begin(RING_BROADCAST, 3, 300);
    rk.epochs = 2;
    rk.ends_early = true;
    rk_open_host();
    for (int i = 0; i < 3; i++) {
        rk_spawn("member=%d hold=%d", i, i + 1);
    }
    rk_run();
    expect_codes(0);
    rk_expect_all();
    EXPECT_EQ(atomic_load(&rk.log->ends), 6);
    EXPECT_EQ(atomic_load(&rk.log->disorder), 0);
    for (uint64_t i = 0; i < 600; i++) {
        EXPECT_EQ(atomic_load(&rk.log->units[i].seen), 3);
    }
    rk_end();
}

TEST(samples_are_given_back_in_any_order)
{
    rk_begin(RING_EXCLUSIVE, 1, 300);
    rk.ends_early = true;
    rk_open_host();
    rk_spawn("hold=20 poll=1");
    rk_run();
    expect_codes(0);
    rk_expect_all();
    rk_end();
}
