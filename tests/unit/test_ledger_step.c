/* SPDX-License-Identifier: Apache-2.0 */
/* Steps: of each, every live rank gets an equal part. */

#include "coordinator/ledger.h"

#include "tests/unit/ledger_kit.h"

/* All that was granted to @rank of [first, end). */
static uint64_t part_of(const struct ledger *l, uint32_t rank,
                        struct range step)
{
    struct ledger_lease lease = {0};
    uint64_t sum = 0;

    while (ledger_next_lease(l, rank, lease.number, &lease)) {
        if (lease.range.first >= step.first && lease.range.end <= step.end) {
            sum += lease.range.end - lease.range.first;
        }
    }
    return sum;
}

/* One rank a host, all ask till nothing is to be had. */
static void all_ask(struct ledger *l, uint32_t ranks)
{
    for (int turn = 0; turn < LEDGER_RANK_LEASES_MAX + 1; turn++) {
        for (uint32_t r = 0; r < ranks; r++) {
            (void)kit_want(l, r, 0);
            ledger_check(l);
        }
    }
}

static void finish_below_gate(struct ledger *l, uint32_t hosts)
{
    uint64_t gate = ledger_gate(l);

    for (uint32_t i = 0; i < hosts; i++) {
        struct ledger_lease lease = {0};

        while (ledger_next_lease(l, i, lease.number, &lease)) {
            if (lease.range.end <= gate) {
                kit_finish(l, &lease, 0);
            }
        }
    }
}

TEST(parts_are_equal)
{
    static const struct {
        uint32_t ranks;
        uint64_t step;
        uint64_t positions;
    } rows[] = {
        {1, 4, 16},  {3, 12, 40}, {4, 10, 33},   {7, 3, 20},     {8, 1, 5},
        {5, 64, 64}, {6, 50, 49}, {2, 1000, 90}, {64, 100, 250},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ledger *l = kit_new(&(struct kit){.positions = rows[i].positions,
                                                 .step_units = rows[i].step,
                                                 .hosts = rows[i].ranks,
                                                 .ranks = 1});
        uint64_t at = 0;

        while (!ledger_is_over(l)) {
            struct range step = {at, at + rows[i].step};
            uint64_t least = UINT64_MAX;
            uint64_t most = 0;

            step.end =
                step.end < rows[i].positions ? step.end : rows[i].positions;
            EXPECT_EQ(ledger_gate(l), step.end);
            all_ask(l, rows[i].ranks);
            for (uint32_t r = 0; r < rows[i].ranks; r++) {
                uint64_t part = part_of(l, r, step);

                least = part < least ? part : least;
                most = part > most ? part : most;
            }
            EXPECT(most - least <= 1);
            EXPECT(ledger_leased(l) <= 2 * rows[i].step);
            finish_below_gate(l, rows[i].ranks);
            at = step.end;
        }
        EXPECT_EQ(at, rows[i].positions);
        EXPECT_EQ(ledger_gate(l), at);
        kit_end(&l);
    }
}

/* Who comes late finds its part; nobody gets a second one meanwhile. */
TEST(a_part_is_kept)
{
    struct ledger *l = kit_new(&(struct kit){
        .positions = 100, .step_units = 10, .hosts = 2, .ranks = 1});
    struct ledger_lease a = kit_grant(l, 0, 0, 0);
    struct ledger_lease b = kit_grant(l, 0, 0, 0);

    EXPECT_RANGE(a.range, 0, 5);
    EXPECT_RANGE(b.range, 10, 15); /* Of the next step, ahead. */
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY);
    EXPECT_EQ(ledger_gate(l), 10);
    kit_finish(l, &a, 0);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY);
    a = kit_grant(l, 1, 2, 0);
    EXPECT_RANGE(a.range, 5, 7);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY);
    b = kit_grant(l, 1, 0, 0);
    EXPECT_RANGE(b.range, 7, 10); /* The rest of its part. */
    kit_finish(l, &a, 0);
    EXPECT_EQ(ledger_gate(l), 10);
    kit_finish(l, &b, 0);
    EXPECT_EQ(ledger_gate(l), 20);
    b = kit_grant(l, 0, 0, 0);
    EXPECT_RANGE(b.range, 20, 25);
    kit_end(&l);
}

/* What a lost rank has left goes to all, once each has had its part. */
TEST(a_loss_is_shared)
{
    struct ledger *l = kit_new(&(struct kit){
        .positions = 12, .step_units = 12, .hosts = 4, .ranks = 1});
    struct ledger_lease a = kit_grant(l, 0, 0, 0);
    struct ledger_lease b;

    EXPECT_RANGE(a.range, 0, 3);
    EXPECT_RANGE(kit_grant(l, 1, 0, 0).range, 3, 6);
    EXPECT_EQ(kit_commit(l, &a, 0, 1, 0), STATUS_OK);
    ledger_lose(l, 0, 0);
    EXPECT_EQ(kit_want(l, 1, 0), STATUS_EMPTY); /* 2 and 3 wait. */
    b = kit_grant(l, 2, 0, 0);
    EXPECT_RANGE(b.range, 1, 3); /* 4 of 8, as far as it goes, */
    EXPECT_EQ(kit_want(l, 1, 0), STATUS_EMPTY);
    b = kit_grant(l, 3, 0, 0);
    EXPECT_RANGE(b.range, 6, 10);
    b = kit_grant(l, 2, 0, 0);
    EXPECT_RANGE(b.range, 10, 12); /* and the rest. */
    EXPECT_EQ(part_of(l, 1, (struct range){0, 12}), 3);
    EXPECT_EQ(part_of(l, 2, (struct range){0, 12}), 4);
    EXPECT_EQ(part_of(l, 3, (struct range){0, 12}), 4);
    kit_end(&l);
}

TEST(a_second_helping)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 9, .step_units = 9, .hosts = 3, .ranks = 1});

    kit_grant(l, 0, 0, 0);
    kit_grant(l, 1, 0, 0);
    EXPECT_RANGE(kit_grant(l, 2, 0, 0).range, 6, 9);
    EXPECT_EQ(kit_want(l, 2, 0), STATUS_EMPTY);
    ledger_lose(l, 1, 0);
    EXPECT_RANGE(kit_grant(l, 2, 0, 0).range, 3, 5); /* Half of it. */
    EXPECT_RANGE(kit_grant(l, 0, 0, 0).range, 5, 6);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY);
    kit_end(&l);
}

/* Nor does the one who comes last get more than an equal part of the step. */
TEST(the_last_one_gets_no_more)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 8, .step_units = 8, .hosts = 4, .ranks = 1});

    for (uint32_t r = 0; r < 3; r++) {
        EXPECT_RANGE(kit_grant(l, r, 0, 0).range, 2 * r, 2 * r + 2);
    }
    ledger_lose(l, 0, 0);
    EXPECT_RANGE(kit_grant(l, 3, 0, 0).range, 0, 2);
    EXPECT_RANGE(kit_grant(l, 3, 0, 0).range, 6, 7); /* 3 of 8 for 3 ranks. */
    EXPECT_RANGE(kit_grant(l, 1, 0, 0).range, 7, 8);
    kit_end(&l);
}

TEST(a_silent_rank_is_not_waited_for_any_more)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 8, .step_units = 8, .hosts = 2, .ranks = 1});
    struct ledger_lease a = kit_grant(l, 0, 0, 0);

    EXPECT_RANGE(a.range, 0, 4);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY);
    ledger_hear(l, 0, 10);
    ledger_tick(l, KIT_LEASE_MS);
    a = kit_grant(l, 0, 0, KIT_LEASE_MS);
    EXPECT_RANGE(a.range, 4, 8);
    kit_end(&l);
}

/* A new coordinator goes on with those that had a part, and knows it. */
TEST(parts_are_known_after_a_replay)
{
    const struct kit k = {
        .positions = 40, .step_units = 10, .hosts = 2, .ranks = 1};
    struct ledger *l = kit_new(&k);
    struct ledger *next = kit_idle(&k);
    struct ledger_lease a = kit_grant(l, 0, 0, 0);
    const struct ledger_entry *entries;
    struct fault why;
    size_t count;

    kit_finish(l, &a, 0);
    entries = ledger_take_entries(l, &count);
    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(ledger_apply(next, &entries[i], &why), STATUS_OK);
    }
    ledger_resume(next, 7);
    EXPECT(ledger_is_live(next, 0) && !ledger_is_live(next, 1));
    ledger_hear(next, 1, 7);
    a = kit_grant(next, 0, 0, 7);
    EXPECT_RANGE(a.range, 10, 15); /* It has had its part of the first. */
    a = kit_grant(next, 1, 0, 7);
    EXPECT_RANGE(a.range, 5, 10);
    kit_end(&l);
    kit_end(&next);
}
