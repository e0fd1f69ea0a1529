/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/holder.h"

#include "tests/harness.h"

enum { LEASE = 8000, TRUSTED = 7000, BEAT = 1000, GAP = 50 };

static struct work work;
static struct grant grant;
static struct holder_unit unit;

static struct holder *make(uint32_t ranks)
{
    return holder_new(&(struct holder_options){.channel = 3,
                                               .rank_count = ranks,
                                               .ahead_units = 4,
                                               .lease_ms = LEASE,
                                               .beat_ms = BEAT,
                                               .gap_ms = GAP});
}

/* The WORK that is due at @now. */
static const struct work *said(struct holder *h, uint64_t now)
{
    EXPECT(holder_work(h, now, &work));
    holder_check(h);
    return &work;
}

/* An answer to the last WORK, which acknowledges all of it. */
static struct grant *answer(uint64_t epoch)
{
    grant = (struct grant){.channel = 3,
                           .epoch = epoch,
                           .seq = work.seq,
                           .acked_seq = work.seq,
                           .gate = UINT64_MAX};
    return &grant;
}

static void lease(uint64_t number, uint32_t rank, uint64_t first, uint64_t end)
{
    grant.leases[grant.lease_count++] = (struct grant_lease){
        .number = number,
        .rank = rank,
        .first = first,
        .end = end,
        .want_end = end,
    };
}

static void take(struct holder *h)
{
    holder_take(h, &grant);
    holder_check(h);
}

/* A holder of one rank with the lease 7 over [@first, @end). */
static struct holder *make_with(uint64_t first, uint64_t end)
{
    struct holder *h = make(1);

    EXPECT_EQ(holder_next(h, 0, 0, &unit), STATUS_EMPTY);
    said(h, 0);
    answer(0);
    lease(7, 0, first, end);
    take(h);
    return h;
}

static uint64_t next(struct holder *h, uint32_t rank, uint64_t now)
{
    EXPECT_EQ(holder_next(h, rank, now, &unit), STATUS_OK);
    holder_check(h);
    return unit.position;
}

static struct holder_unit at(uint64_t number, uint64_t position)
{
    return (struct holder_unit){.lease = number, .position = position};
}

static enum status done(struct holder *h, uint32_t rank, uint64_t number,
                        uint64_t position)
{
    struct holder_unit u = at(number, position);
    enum status s = holder_done(h, rank, &u);

    holder_check(h);
    return s;
}

static void expect_outcome(struct holder *h, uint64_t first, uint64_t end,
                           bool is_refused)
{
    struct holder_outcome o;

    EXPECT(holder_take_outcome(h, &o));
    EXPECT_EQ(o.first, first);
    EXPECT_EQ(o.end, end);
    EXPECT_EQ(o.is_refused, is_refused);
}

static void expect_no_outcome(struct holder *h)
{
    struct holder_outcome o;

    EXPECT(!holder_take_outcome(h, &o));
}

/* ---- Handing out. -------------------------------------------------------- */

TEST(a_rank_that_asks_gets_its_positions_in_order)
{
    struct holder *h = make(2);

    said(h, 0);
    EXPECT_EQ(work.seq, 1);
    EXPECT_EQ(work.channel, 3);
    EXPECT_EQ(work.want_count, 0); /* Nobody has asked. */
    EXPECT_EQ(holder_next(h, 1, 0, &unit), STATUS_EMPTY);
    said(h, GAP);
    EXPECT_EQ(work.want_count, 1);
    EXPECT_EQ(work.wants[0].rank, 1);
    answer(0);
    lease(7, 1, 10, 12);
    lease(9, 1, 5, 6);
    take(h);
    EXPECT_EQ(next(h, 1, 60), 5);
    EXPECT_EQ(unit.lease, 9);
    EXPECT_EQ(next(h, 1, 60), 10);
    EXPECT_EQ(unit.lease, 7);
    EXPECT_EQ(next(h, 1, 60), 11);
    EXPECT_EQ(holder_next(h, 1, 60, &unit), STATUS_EMPTY);
    EXPECT_EQ(holder_next(h, 0, 60, &unit), STATUS_EMPTY);
    EXPECT_EQ(holder_stats(h, 60).handed, 3);
    EXPECT_EQ(holder_stats(h, 60).open, 3);
    EXPECT_EQ(holder_stats(h, 60).waiting, 0);
    holder_destroy(&h);
    EXPECT(h == NULL);
}

TEST(a_late_lease_is_told_so)
{
    struct holder *h = make_with(5, 6);

    EXPECT_EQ(next(h, 0, 0), 5);
    EXPECT(!unit.is_late);
    said(h, BEAT);
    answer(0);
    lease(7, 0, 5, 6);
    lease(8, 0, 2, 3);
    grant.leases[1].is_late = true;
    take(h);
    EXPECT_EQ(next(h, 0, BEAT), 2);
    EXPECT(unit.is_late);
    holder_destroy(&h);
}

TEST(nothing_is_handed_out_once_the_lease_is_not_sure)
{
    struct holder *h = make_with(0, 10);

    EXPECT_EQ(next(h, 0, TRUSTED - 1), 0);
    EXPECT_EQ(holder_next(h, 0, TRUSTED, &unit), STATUS_EMPTY);
    EXPECT(holder_stats(h, TRUSTED).is_paused);
    said(h, TRUSTED);
    EXPECT_EQ(holder_next(h, 0, TRUSTED, &unit), STATUS_EMPTY);
    answer(0);
    lease(7, 0, 0, 10);
    take(h);
    /* From when it was sent, not from when the answer came. */
    EXPECT_EQ(next(h, 0, 2 * TRUSTED - 1), 1);
    EXPECT_EQ(holder_next(h, 0, 2 * TRUSTED, &unit), STATUS_EMPTY);
    holder_destroy(&h);
}

TEST(an_answer_to_an_old_work_renews_from_its_own_time)
{
    struct holder *h = make_with(0, 10);
    struct grant old;

    said(h, 1000);
    answer(0);
    lease(7, 0, 0, 10);
    old = grant;
    said(h, 6000);
    holder_take(h, &old);
    EXPECT_EQ(next(h, 0, 1000 + TRUSTED - 1), 0);
    EXPECT_EQ(holder_next(h, 0, 1000 + TRUSTED, &unit), STATUS_EMPTY);
    holder_destroy(&h);
}

TEST(the_gate_holds_back)
{
    struct holder *h = make_with(0, 10);

    said(h, BEAT);
    answer(1);
    grant.gate = 2;
    lease(8, 0, 1, 5);
    take(h);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_STOPPED);
    EXPECT_EQ(holder_begin(h, 0), STATUS_OK);
    EXPECT_EQ(next(h, 0, BEAT), 1);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    EXPECT(holder_peek(h, 0, 0, &unit));
    EXPECT_EQ(unit.position, 2);
    said(h, 2 * BEAT);
    answer(1);
    grant.gate = 4;
    lease(8, 0, 1, 5);
    take(h);
    EXPECT_EQ(next(h, 0, 2 * BEAT), 2);
    holder_destroy(&h);
}

TEST(peek_tells_what_comes)
{
    struct holder *h = make_with(4, 7);

    EXPECT(holder_peek(h, 0, 0, &unit));
    EXPECT_EQ(unit.position, 4);
    EXPECT(holder_peek(h, 0, 6, &unit));
    EXPECT_EQ(unit.position, 6);
    EXPECT_EQ(unit.lease, 7);
    EXPECT(!holder_peek(h, 0, 7, &unit));
    EXPECT_EQ(next(h, 0, 0), 4);
    EXPECT(holder_peek(h, 0, 0, &unit));
    EXPECT_EQ(unit.position, 5);
    holder_destroy(&h);
}

/* ---- Asking. ------------------------------------------------------------- */

TEST(work_is_sent_at_each_beat_and_after_news_not_sooner_than_the_gap)
{
    struct holder *h = make_with(0, 10);

    EXPECT_EQ(holder_timer_ms(h), BEAT);
    EXPECT(!holder_work(h, BEAT - 1, &work));
    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(holder_timer_ms(h), BEAT);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    EXPECT_EQ(holder_timer_ms(h), GAP);
    EXPECT(!holder_work(h, GAP - 1, &work));
    said(h, GAP);
    EXPECT_EQ(work.seq, 2);
    EXPECT_EQ(holder_timer_ms(h), GAP + BEAT);
    said(h, GAP + BEAT);
    EXPECT_EQ(work.seq, 3);
    holder_destroy(&h);
}

TEST(a_rank_asks_when_it_has_few_left)
{
    struct holder *h = make_with(0, 5);

    said(h, BEAT);
    EXPECT_EQ(work.want_count, 0); /* 5 left, 4 are enough. */
    EXPECT_EQ(next(h, 0, BEAT), 0);
    EXPECT_EQ(holder_timer_ms(h), 2 * BEAT);
    EXPECT_EQ(next(h, 0, BEAT), 1);
    EXPECT_EQ(holder_timer_ms(h), BEAT + GAP);
    said(h, BEAT + GAP);
    EXPECT_EQ(work.want_count, 1);
    EXPECT_EQ(next(h, 0, BEAT), 2); /* Has asked: no news. */
    EXPECT_EQ(holder_timer_ms(h), 2 * BEAT + GAP);
    holder_destroy(&h);
}

TEST(a_rank_with_four_leases_asks_for_no_more)
{
    struct holder *h = make_with(0, 1);

    for (uint32_t i = 1; i < HOLDER_RANK_LEASES_MAX; i++) {
        said(h, i * BEAT);
        EXPECT_EQ(work.want_count, 1);
        answer(0);
        for (uint64_t k = 0; k <= i; k++) {
            lease(7 + k, 0, k, k + 1);
        }
        take(h);
        EXPECT_EQ(next(h, 0, BEAT), i - 1);
    }
    said(h, 4 * BEAT);
    EXPECT_EQ(work.lease_count, 4);
    EXPECT_EQ(work.want_count, 0);
    holder_destroy(&h);
}

/* ---- Done, and what becomes of it. --------------------------------------- */

TEST(done_is_told_until_it_is_acknowledged)
{
    struct holder *h = make_with(0, 10);

    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_EQ(next(h, 0, 0), i);
    }
    EXPECT_EQ(done(h, 0, 7, 1), STATUS_OK);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    EXPECT_EQ(done(h, 0, 7, 1), STATUS_INVALID);
    EXPECT_EQ(done(h, 0, 7, 4), STATUS_INVALID);
    EXPECT_EQ(done(h, 0, 8, 1), STATUS_INVALID);
    said(h, GAP);
    EXPECT_EQ(work.done_count, 1);
    EXPECT_EQ(work.done[0].number, 7);
    EXPECT_EQ(work.done[0].first, 0);
    EXPECT_EQ(work.done[0].end, 2);
    EXPECT_EQ(work.leases[0].begun, 4);
    answer(0);
    grant.acked_seq = 1; /* Not durable yet. */
    lease(7, 0, 0, 10);
    take(h);
    expect_no_outcome(h);
    EXPECT_EQ(done(h, 0, 7, 2), STATUS_OK);
    said(h, 2 * GAP);
    EXPECT_EQ(work.done_count, 2);
    EXPECT_EQ(work.done[1].first, 2);
    answer(0);
    grant.acked_seq = 2; /* The first of them. */
    lease(7, 0, 0, 10);
    take(h);
    expect_outcome(h, 0, 2, false);
    expect_no_outcome(h);
    said(h, BEAT + 2 * GAP);
    EXPECT_EQ(work.done_count, 1);
    EXPECT_EQ(holder_stats(h, 0).acked, 2);
    EXPECT_EQ(holder_stats(h, 0).done, 3);
    EXPECT_EQ(holder_stats(h, 0).open, 1);
    holder_destroy(&h);
}

TEST(a_refused_lease_ends_and_what_was_done_is_refused)
{
    struct holder *h = make_with(0, 10);

    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_EQ(next(h, 0, 0), i);
    }
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    said(h, GAP);
    answer(0);
    EXPECT_EQ(done(h, 0, 7, 2), STATUS_OK); /* Not told. */
    grant.refused[grant.refused_count++] = 7;
    take(h);
    expect_outcome(h, 0, 1, true);
    expect_outcome(h, 2, 3, true);
    expect_no_outcome(h);
    EXPECT_EQ(done(h, 0, 7, 1), STATUS_LOST);
    EXPECT_EQ(holder_next(h, 0, GAP, &unit), STATUS_EMPTY);
    said(h, 2 * GAP + BEAT);
    EXPECT_EQ(work.lease_count, 0);
    EXPECT_EQ(work.done_count, 0);
    EXPECT_EQ(work.want_count, 1);
    holder_destroy(&h);
}

TEST(a_named_lease_that_is_not_listed_is_finished)
{
    struct holder *h = make_with(0, 1);

    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    said(h, GAP);
    answer(0);
    take(h);
    expect_outcome(h, 0, 1, false);
    said(h, GAP + BEAT);
    EXPECT_EQ(work.lease_count, 0);
    holder_destroy(&h);
}

/* The answer to a WORK that did not know the lease yet says nothing of it, but
 * only when another answer to the same WORK was on the way. */
TEST(two_answers_to_one_work_may_change_places)
{
    struct holder *h = make(1);
    struct grant first;

    EXPECT_EQ(holder_next(h, 0, 0, &unit), STATUS_EMPTY);
    said(h, 0);
    answer(0);
    first = grant;
    lease(7, 0, 0, 5);
    take(h);
    EXPECT_EQ(next(h, 0, 0), 0);
    holder_take(h, &first);
    EXPECT_EQ(next(h, 0, 0), 1);
    said(h, BEAT);
    answer(0); /* It was named, and is over. */
    first = grant;
    lease(7, 0, 0, 5);
    holder_take(h, &first);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    take(h); /* Does not bring it back. */
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    holder_destroy(&h);
}

TEST(a_lease_that_is_missing_from_a_newer_answer_is_over)
{
    struct holder *h = make(1);
    struct grant second;

    EXPECT_EQ(holder_next(h, 0, 0, &unit), STATUS_EMPTY);
    said(h, 0);
    answer(0);
    lease(7, 0, 0, 5);
    said(h, BEAT);
    second = grant;
    second.seq = 2;
    second.lease_count = 0;
    take(h);
    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    holder_take(h, &second); /* Lost before we named it. */
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    expect_no_outcome(h);
    said(h, 2 * BEAT); /* What was done is asked for all the same. */
    EXPECT_EQ(work.lease_count, 0);
    EXPECT_EQ(work.done_count, 1);
    answer(0);
    grant.refused[grant.refused_count++] = 7;
    take(h);
    expect_outcome(h, 0, 1, true);
    holder_destroy(&h);
}

TEST(old_answers_and_strange_ones_are_left)
{
    struct holder *h = make_with(0, 10);
    struct grant old;

    said(h, BEAT);
    answer(0);
    old = grant; /* Would end the lease. */
    said(h, 2 * BEAT);
    answer(0);
    lease(7, 0, 0, 10);
    take(h);
    holder_take(h, &old);
    EXPECT_EQ(next(h, 0, 2 * BEAT), 0);
    said(h, 3 * BEAT);
    answer(0);
    grant.seq = work.seq + 1;
    take(h);
    grant.seq = 0;
    take(h);
    grant.seq = work.seq;
    grant.channel = 2;
    take(h);
    EXPECT_EQ(next(h, 0, 2 * BEAT), 1);
    grant.channel = 3; /* A rank that is not here, and a number again. */
    lease(5, 0, 100, 110);
    lease(7, 0, 0, 10);
    lease(8, 1, 200, 210);
    take(h);
    EXPECT_EQ(holder_stats(h, 0).waiting, 8);
    holder_destroy(&h);
}

TEST(no_more_is_told_at_a_time_than_fits_and_the_oldest_first)
{
    struct holder *h = make_with(0, 2000);
    struct holder_outcome o;
    uint64_t acked = 0;

    for (uint64_t i = 0; i < 1200; i++) {
        EXPECT_EQ(next(h, 0, 0), i);
    }
    for (uint64_t i = 0; i < 1200; i += 2) {
        EXPECT_EQ(done(h, 0, 7, i), STATUS_OK);
    }
    said(h, GAP);
    EXPECT_EQ(work.done_count, WORK_DONE_MAX);
    EXPECT_EQ(work.done[WORK_DONE_MAX - 1].end, 2 * WORK_DONE_MAX - 1);
    said(h, GAP + BEAT);
    EXPECT_EQ(work.done_count, WORK_DONE_MAX);
    EXPECT_EQ(work.done[0].first, 0);
    answer(0);
    lease(7, 0, 0, 2000);
    take(h);
    EXPECT_EQ(holder_timer_ms(h), 2 * GAP + BEAT); /* The rest is news. */
    said(h, 2 * GAP + BEAT);
    EXPECT_EQ(work.done_count, 600 - WORK_DONE_MAX);
    answer(0);
    lease(7, 0, 0, 2000);
    take(h);
    while (holder_take_outcome(h, &o)) {
        EXPECT(!o.is_refused);
        acked += o.end - o.first;
    }
    EXPECT_EQ(acked, 600);
    holder_destroy(&h);
}

TEST(skips_are_told_with_their_reasons)
{
    struct holder *h = make_with(0, 100);
    struct holder_unit u = at(7, 0);
    char reason[2 * WORK_REASON_MAX];

    memset(reason, 'x', sizeof(reason));
    reason[sizeof(reason) - 1] = '\0';
    EXPECT_EQ(holder_skip(h, 0, &u, "torn"), STATUS_INVALID);
    for (uint64_t i = 0; i < HOLDER_SKIP_MAX + 1; i++) {
        EXPECT_EQ(next(h, 0, 0), i);
        EXPECT_EQ(holder_skip(h, 0, &unit, i == 0 ? reason : "torn"),
                  i < HOLDER_SKIP_MAX ? STATUS_OK : STATUS_FULL);
        holder_check(h);
    }
    EXPECT_EQ(holder_skip(h, 0, &u, "torn"), STATUS_INVALID);
    said(h, GAP);
    EXPECT_EQ(work.skip_count, WORK_SKIPS_MAX);
    EXPECT_EQ(work.skips[0].position, 0);
    EXPECT_EQ(work.skips[0].reason.size, WORK_REASON_MAX);
    EXPECT(bytes_is(work.skips[1].reason, "torn"));
    answer(0);
    lease(7, 0, 0, 100);
    take(h);
    expect_outcome(h, 0, 1, false);
    said(h, 2 * GAP);
    EXPECT_EQ(work.skips[0].position, WORK_SKIPS_MAX);
    answer(0);
    grant.refused[grant.refused_count++] = 7;
    take(h);
    EXPECT_EQ(holder_stats(h, 0).refused, HOLDER_SKIP_MAX - WORK_SKIPS_MAX);
    EXPECT_EQ(holder_stats(h, 0).acked, WORK_SKIPS_MAX);
    holder_destroy(&h);
}

TEST(what_a_process_had_is_handed_out_anew)
{
    struct holder *h = make_with(0, 5);
    struct holder_unit u;

    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_EQ(next(h, 0, 0), i);
    }
    EXPECT_EQ(done(h, 0, 7, 1), STATUS_OK);
    u = at(7, 3);
    EXPECT_EQ(holder_return(h, 0, &u), STATUS_OK);
    EXPECT_EQ(holder_return(h, 0, &u), STATUS_INVALID);
    EXPECT_EQ(done(h, 0, 7, 3), STATUS_INVALID);
    EXPECT_EQ(next(h, 0, 0), 3);
    holder_restart(h, 0);
    holder_check(h);
    EXPECT_EQ(holder_stats(h, 0).waiting, 4);
    EXPECT_EQ(holder_stats(h, 0).open, 0);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_INVALID);
    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    EXPECT_EQ(next(h, 0, 0), 2);
    EXPECT_EQ(next(h, 0, 0), 3);
    EXPECT_EQ(next(h, 0, 0), 4);
    holder_destroy(&h);
}

/* ---- The tail of a straggler. -------------------------------------------- */

TEST(a_wanted_tail_is_given_back_at_once)
{
    struct holder *h = make_with(0, 10);

    EXPECT_EQ(next(h, 0, 0), 0);
    said(h, BEAT);
    answer(0);
    lease(7, 0, 0, 10);
    grant.leases[0].want_end = 5;
    take(h);
    EXPECT_EQ(holder_timer_ms(h), BEAT);
    said(h, BEAT);
    EXPECT_EQ(work.leases[0].begun, 1);
    EXPECT_EQ(work.leases[0].end, 5);
    EXPECT_EQ(next(h, 0, BEAT), 1);
    EXPECT_EQ(next(h, 0, BEAT), 2);
    answer(0);
    lease(7, 0, 0, 10);
    grant.leases[0].want_end = 1;
    take(h);
    said(h, BEAT);
    EXPECT_EQ(work.leases[0].end, 3); /* No less than was begun. */
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    answer(0);
    lease(7, 0, 0, 10);
    take(h);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    EXPECT_EQ(holder_timer_ms(h), 2 * BEAT); /* No news. */
    holder_destroy(&h);
}

/* ---- Epochs. ------------------------------------------------------------- */

TEST(each_rank_is_told_of_each_end_once)
{
    struct holder *h = make(2);

    EXPECT_EQ(holder_next(h, 0, 0, &unit), STATUS_EMPTY);
    EXPECT_EQ(holder_begin(h, 0), STATUS_OK); /* It was not stopped. */
    said(h, 0);
    answer(4);
    lease(7, 0, 0, 2);
    take(h);
    EXPECT_EQ(holder_epoch(h, 1), 4);
    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(unit.epoch, 4);
    said(h, BEAT);
    answer(4);
    grant.idle_ranks = 1;
    lease(7, 0, 0, 2);
    take(h);
    EXPECT_EQ(next(h, 0, BEAT), 1); /* What is left of its queue. */
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_STOPPED);
    EXPECT_EQ(holder_begin(h, 0), STATUS_EMPTY);
    EXPECT_EQ(holder_next(h, 1, BEAT, &unit), STATUS_EMPTY);
    said(h, 2 * BEAT);
    EXPECT_EQ(work.want_count, 1);
    EXPECT_EQ(work.wants[0].rank, 1);
    answer(6); /* Cut off for a whole epoch. */
    take(h);
    EXPECT_EQ(holder_begin(h, 0), STATUS_OK);
    EXPECT_EQ(holder_timer_ms(h), 2 * BEAT + GAP); /* It asks soon. */
    EXPECT_EQ(holder_epoch(h, 0), 5);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_STOPPED);
    EXPECT_EQ(holder_begin(h, 0), STATUS_OK);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    EXPECT_EQ(holder_epoch(h, 0), 6);
    EXPECT_EQ(holder_next(h, 1, BEAT, &unit), STATUS_STOPPED);
    EXPECT_EQ(holder_epoch(h, 1), 4);
    said(h, 3 * BEAT);
    answer(6);
    grant.is_complete = true;
    grant.is_over = true;
    take(h);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_STOPPED);
    EXPECT_EQ(holder_begin(h, 0), STATUS_STOPPED);
    EXPECT_EQ(holder_begin(h, 1), STATUS_OK);
    EXPECT(holder_stats(h, 0).is_over);
    holder_destroy(&h);
}

TEST(a_new_epoch_ends_the_leases_of_the_old_one)
{
    struct holder *h = make_with(0, 10);

    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(next(h, 0, 0), 1);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    said(h, BEAT);
    answer(1);
    EXPECT_EQ(done(h, 0, 7, 1), STATUS_OK);
    take(h);
    expect_outcome(h, 0, 1, false);
    expect_no_outcome(h);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_STOPPED);
    said(h, 2 * BEAT);
    EXPECT_EQ(work.epoch, 1);
    EXPECT_EQ(work.lease_count, 0);
    EXPECT_EQ(work.done_count, 1);
    answer(1);
    grant.refused[grant.refused_count++] = 7;
    take(h);
    expect_outcome(h, 1, 2, true);
    answer(0); /* An epoch does not come back. */
    lease(9, 0, 0, 10);
    take(h);
    EXPECT_EQ(holder_begin(h, 0), STATUS_OK);
    EXPECT_EQ(holder_next(h, 0, BEAT, &unit), STATUS_EMPTY);
    holder_destroy(&h);
}

TEST(the_wish_to_end_an_epoch_is_told_until_it_has_ended)
{
    struct holder *h = make_with(0, 10);

    holder_end_epoch(h, 0);
    said(h, GAP);
    EXPECT(work.ends_epoch);
    answer(0);
    lease(7, 0, 0, 10);
    take(h);
    said(h, GAP + BEAT);
    EXPECT(work.ends_epoch);
    answer(1);
    take(h);
    said(h, GAP + 2 * BEAT);
    EXPECT(!work.ends_epoch);
    holder_end_epoch(h, 0); /* The rank is in the old one still. */
    said(h, GAP + 3 * BEAT);
    EXPECT(!work.ends_epoch);
    holder_destroy(&h);
}

TEST(a_new_coordinator_is_told_all_at_once)
{
    struct holder *h = make_with(0, 10);

    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    said(h, BEAT);
    holder_new_term(h);
    EXPECT_EQ(holder_timer_ms(h), BEAT);
    said(h, BEAT);
    EXPECT_EQ(work.done_count, 1);
    EXPECT_EQ(work.lease_count, 1);
    EXPECT_EQ(next(h, 0, BEAT), 1);
    holder_destroy(&h);
}

/* An answer with a gate and the lease 7 over [0, 10). */
static void take_gate(struct holder *h, uint64_t gate)
{
    answer(0);
    grant.gate = gate;
    lease(7, 0, 0, 10);
    take(h);
}

/* When the WORK that is answered was sent is known of the last few alone. */
TEST(an_answer_that_is_too_old_renews_nothing)
{
    const uint64_t kept = 64;
    struct holder *h = make_with(0, 10);
    uint64_t now = 0;

    for (uint64_t i = 0; i < kept; i++) {
        now += BEAT;
        said(h, now);
    }
    answer(0);
    grant.seq -= kept;
    grant.acked_seq = grant.seq;
    lease(7, 0, 0, 10);
    take(h);
    EXPECT_EQ(holder_next(h, 0, now, &unit), STATUS_EMPTY);
    EXPECT(holder_stats(h, now).is_paused);
    take_gate(h, UINT64_MAX);
    EXPECT_EQ(next(h, 0, now), 0);
    holder_destroy(&h);
}

/* Of two answers the later one may be the older one, but for its number. */
TEST(nothing_goes_back_within_an_epoch)
{
    struct holder *h = make(2);

    EXPECT_EQ(holder_next(h, 0, 0, &unit), STATUS_EMPTY);
    said(h, 0);
    answer(0);
    grant.gate = 8;
    grant.idle_ranks = 2;
    lease(7, 0, 0, 10);
    take(h);
    said(h, BEAT);
    take_gate(h, 1);
    EXPECT_EQ(next(h, 0, BEAT), 0);
    EXPECT_EQ(next(h, 0, BEAT), 1);
    EXPECT_EQ(holder_next(h, 1, BEAT, &unit), STATUS_STOPPED);
    holder_destroy(&h);
}

TEST(what_is_not_kept_is_told_again)
{
    struct holder *h = make_with(0, 10);

    EXPECT_EQ(next(h, 0, 0), 0);
    EXPECT_EQ(done(h, 0, 7, 0), STATUS_OK);
    EXPECT_EQ(done(h, 0, 0, 0), STATUS_INVALID); /* No lease has that number. */
    said(h, GAP);
    answer(0);
    grant.unkept = 1;
    lease(7, 0, 0, 10);
    take(h);
    expect_outcome(h, 0, 1, false);
    said(h, 2 * BEAT);
    EXPECT_EQ(work.done_count, 1);
    take_gate(h, UINT64_MAX);
    expect_no_outcome(h); /* Once is enough. */
    said(h, 4 * BEAT);
    EXPECT_EQ(work.done_count, 0);
    holder_destroy(&h);
}

TEST(what_the_gate_holds_back_is_not_at_hand)
{
    struct holder *h = make(1);

    EXPECT_EQ(holder_next(h, 0, 0, &unit), STATUS_EMPTY);
    said(h, 0);
    take_gate(h, 3);
    said(h, BEAT);
    EXPECT_EQ(work.want_count, 1);
    take_gate(h, 4);
    said(h, 2 * BEAT);
    EXPECT_EQ(work.want_count, 0);
    holder_destroy(&h);
}
