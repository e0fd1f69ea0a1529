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
    rk_await(4);
    rk_run();
    expect_codes(0);
    rk_expect_all();
    /* One that slept through both hears of the second. */
    EXPECT(atomic_load(&rk.log->ends) >= 4 && atomic_load(&rk.log->ends) <= 8);
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

/* ---- Ends that come too soon. ----------------------------------------------
 */

TEST(what_the_dead_held_is_delivered_again)
{
    rk_begin(RING_SHARE, 3, 300);
    rk_open_host();
    rk_spawn("hold=20 stop=30");
    rk_run();
    rk_spawn("hold=1");
    rk_run();
    EXPECT_EQ(rk.codes[0], 0);
    EXPECT_EQ(rk.codes[1], 0);
    rk_expect_all();
    EXPECT(ring_stats(rk.ring).queue.redelivered > 0);
    EXPECT_EQ(ring_stats(rk.ring).gone, 2);
    rk_end();
}

TEST(what_the_dead_held_is_dropped_where_that_was_said)
{
    rk_begin(RING_EXCLUSIVE, 1, 100);
    rk.options.drops = true;
    rk_open_host();
    rk_spawn("hold=10 stop=8");
    rk_run();
    rk_spawn("hold=1");
    rk_run();
    expect_codes(0);
    rk_expect_all();
    EXPECT(rk.dropped > 0);
    EXPECT_EQ(ring_stats(rk.ring).queue.redelivered, 0);
    rk_end();
}

TEST(who_hangs_keeps_what_it_has_until_it_is_killed)
{
    struct ring_stats stats;

    rk_begin(RING_EXCLUSIVE, 1, 60);
    rk_open_host();
    rk_spawn("hold=8 hang=5");
    while (atomic_load(&rk.log->ready) == 0) {
        rk_step(5);
    }
    for (int i = 0; i < 20; i++) {
        rk_step(1);
    }
    stats = ring_stats(rk.ring);
    EXPECT(stats.queue.leased > 0);
    EXPECT_EQ(stats.queue.redelivered, 0);
    kill(rk.children[0], SIGKILL);
    rk_run();
    EXPECT_EQ(rk.codes[0], 1000 + SIGKILL);
    rk_spawn("hold=1");
    rk_run();
    EXPECT_EQ(rk.codes[1], 0);
    rk_expect_all();
    EXPECT(ring_stats(rk.ring).queue.redelivered > 0);
    rk_end();
}

/* ---- Hands that write where they may not. ----------------------------------
 */

TEST(who_scribbles_is_turned_out_and_the_rest_goes_on)
{
    struct ring_options other;
    struct ring_stats stats;
    struct ring *beside;
    struct fault why;

    rk_begin(RING_SHARE, 2, 200);
    rk_open_host();
    other = rk.options;
    other.rank = 1;
    EXPECT(ring_new(rk.host, &other, &why, &beside) == STATUS_OK);
    rk_spawn("mark=1 scribble=1 wait=2");
    while (atomic_load(&rk.log->ready) == 0) {
        rk_step(5);
    }
    rk_spawn("reopen=3 mark=1");
    rk_run();
    EXPECT_EQ(rk.codes[0], 3);
    EXPECT_EQ(rk.codes[1], 0);
    rk_expect_all();
    stats = ring_stats(rk.ring);
    EXPECT_EQ(stats.queue.changed, 1);
    EXPECT(stats.kicked >= 1);
    EXPECT_EQ(ring_stats(beside).queue.changed, 0);
    ring_destroy(&beside);
    rk_end();
}

TEST(who_is_alone_and_scribbles_may_come_again)
{
    rk_begin(RING_EXCLUSIVE, 1, 200);
    rk_open_host();
    rk_spawn("scribble=40 reopen=1");
    rk_run();
    EXPECT_EQ(rk.codes[0], 0);
    rk_expect_all();
    EXPECT_EQ(ring_stats(rk.ring).queue.changed, 1);
    rk_end();
}

TEST(a_forked_child_is_told_so)
{
    rk_begin(RING_EXCLUSIVE, 1, 50);
    rk_open_host();
    rk_spawn("hold=2 fork=5");
    rk_run();
    expect_codes(0);
    rk_expect_all();
    rk_end();
}

/* ---- Another worker. -------------------------------------------------------
 */

/* The worker that comes after one that was lost: other slots, same socket. */
static void restart(void)
{
    struct slots_options slots = {
        .kind = SLOTS_SHARED, .count = RK_SLOTS, .size = RK_SLOT, .node = -1};
    struct fault why;

    ring_destroy(&rk.ring);
    ring_host_close(&rk.host);
    rk_give_all();
    slots_destroy(&rk.slots); /* Consumers keep the memory. */
    rk.filled.entry_count = 0;
    rk.offset = 0;
    EXPECT(slots_new(&slots, &why, &rk.slots) == STATUS_OK);
    rk.options.slots = rk.slots;
    rk_open_host();
}

TEST(another_worker_goes_on_where_the_consumer_is)
{
    struct ring_cursor cursor;
    struct fault why;

    rk_begin(RING_EXCLUSIVE, 1, 300);
    rk_open_host();
    rk_spawn("hold=1 reopen=1");
    while (rk.committed < 100) {
        rk_step(5);
    }
    restart();
    while (!ring_take_cursor(rk.ring, &cursor)) {
        EXPECT(ring_host_step(rk.host, &why) == STATUS_OK);
        EXPECT_EQ(rk_reap(), 1);
    }
    EXPECT(cursor.epoch == 0 && cursor.position + 1 >= rk.committed);
    rk.committed = cursor.position + 1;
    rk.fresh = rk.committed;
    for (uint64_t i = 0; i < rk.units; i++) {
        rk.state[i] = (struct rk_unit){.committed = i < rk.fresh};
    }
    rk_run();
    expect_codes(0);
    rk_expect_all();
    for (uint64_t i = 0; i < rk.units; i++) {
        EXPECT_EQ(atomic_load(&rk.log->units[i].seen), 1);
    }
    rk_end();
}
