/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/ledger.h"

#include "base/prng.h"
#include "tests/unit/ledger_kit.h"

/* ---- Who gets what --------------------------------------------------------
 */

TEST(dynamic_deals_in_order)
{
    struct ledger *l = kit_new(&(struct kit){
        .positions = 100, .hosts = 2, .ranks = 2, .run_units = 5});
    struct ledger_lease a = kit_grant(l, 0, 0, 0);
    struct ledger_lease b = kit_grant(l, 3, 3, 0);
    struct ledger_lease c = kit_grant(l, 0, 0, 0);

    EXPECT_RANGE(a.range, 0, 5);
    EXPECT_RANGE(b.range, 5, 8);
    EXPECT_RANGE(c.range, 8, 13);
    EXPECT_EQ(a.number, 1);
    EXPECT_EQ(b.number, 2);
    EXPECT_EQ(b.host, 1);
    EXPECT_EQ(b.left, 3);
    EXPECT_EQ(b.want_end, 8);
    EXPECT_EQ(ledger_leased(l), 13);
    EXPECT_EQ(ledger_lease_count(l), 3);
    kit_end(&l);
}

/* What a lost host leaves goes in its order to those below it; to a rank that
 * is beyond, only when nothing else is left, and then flagged. */
TEST(dynamic_after_a_loss)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 30, .hosts = 3, .ranks = 1, .run_units = 5});
    struct ledger_lease a = kit_grant(l, 0, 5, 0); /* 0-5 */
    struct ledger_lease b = kit_grant(l, 1, 5, 0); /* 5-10 */
    struct ledger_lease c = kit_grant(l, 2, 5, 0); /* 10-14 */
    struct ledger_lease again;

    EXPECT_EQ(kit_commit(l, &b, 6, 8, 0), STATUS_OK);
    ledger_lose(l, 1, 0);
    again = kit_grant(l, 0, 0, 0);
    EXPECT_RANGE(again.range, 5, 6);
    EXPECT(!again.is_late);
    again = kit_grant(l, 2, 5, 0);
    EXPECT_RANGE(again.range, 14, 19);
    EXPECT(!again.is_late);
    while (again.range.end < 30) {
        kit_finish(l, &again, 0);
        again = kit_grant(l, 2, 5, 0);
    }
    kit_finish(l, &again, 0);
    again = kit_grant(l, 2, 0, 0);
    EXPECT_RANGE(again.range, 8, 9);
    EXPECT(again.is_late);
    EXPECT_EQ(ledger_counts(l).late, 1);
    EXPECT_EQ(ledger_counts(l).drops, 1);
    EXPECT_EQ(kit_commit(l, &b, 8, 9, 0), STATUS_LOST);
    EXPECT_EQ(kit_commit(l, &a, 0, 5, 0), STATUS_OK);
    EXPECT_EQ(kit_commit(l, &c, 10, 14, 0), STATUS_OK);
    kit_end(&l);
}

TEST(a_rank_has_four_leases)
{
    struct ledger *l = kit_new(&(struct kit){
        .positions = 100, .hosts = 1, .ranks = 2, .run_units = 1});
    struct ledger_lease first = kit_grant(l, 0, 0, 0);

    for (int i = 1; i < LEDGER_RANK_LEASES_MAX; i++) {
        kit_grant(l, 0, 0, 0);
    }
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_FULL);
    EXPECT_EQ(kit_want(l, 1, 0), STATUS_OK);
    kit_finish(l, &first, 0);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_OK);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_FULL);
    EXPECT_EQ(kit_want(l, 2, 0), STATUS_INVALID);
    ledger_lose(l, 0, 0);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_INVALID);
    kit_end(&l);
}

/* Thousands of leases, which end and begin in an order without a pattern. */
TEST(many_leases)
{
    enum { RANKS = 64 * 16, LEASES = 4 * RANKS };
    struct ledger *l = kit_new(&(struct kit){
        .positions = 1 << 20, .hosts = 64, .ranks = 16, .run_units = 2});
    static struct ledger_lease leases[LEASES];
    struct prng p;

    prng_init(&p, 1);
    for (uint32_t i = 0; i < 10 * LEASES; i++) {
        uint32_t at = (uint32_t)prng_below(&p, LEASES);
        struct ledger_word word = kit_word(&leases[at], leases[at].range.first,
                                           leases[at].range.end, 0);

        if (leases[at].number == 0) {
            EXPECT_EQ(ledger_want(l, &(struct ledger_want){at % RANKS, 0, 0},
                                  &leases[at]),
                      STATUS_OK);
        } else {
            EXPECT_EQ(ledger_commit(l, &word), STATUS_OK);
            EXPECT(!ledger_find_lease(l, word.lease, &leases[at]));
            leases[at].number = 0;
        }
        if (i % 512 == 0) {
            ledger_check(l);
        }
    }
    kit_end(&l);
}

/* First by weight, then by rate, in the end by what is left. */
TEST(runs_follow_weight_and_rate)
{
    static const uint32_t weights[] = {100, 400};
    struct ledger *l = kit_new(&(struct kit){
        .positions = 1000000, .hosts = 2, .ranks = 1, .weights = weights});
    struct ledger_lease slow = kit_grant(l, 0, 0, 0);
    struct ledger_lease fast = kit_grant(l, 1, 0, 0);

    EXPECT_EQ(slow.left, 8);
    EXPECT_EQ(fast.left, 32);
    kit_finish(l, &slow, 200); /* 8 in 200 ms; a run aims at 100 ms. */
    slow = kit_grant(l, 0, 0, 200);
    EXPECT_EQ(slow.left, 3); /* 4, less what rounding takes. */
    kit_finish(l, &fast, 200);
    fast = kit_grant(l, 1, 0, 200);
    EXPECT_EQ(fast.left, 15);
    kit_end(&l);
}

TEST(the_last_runs_are_short)
{
    struct ledger *l =
        kit_new(&(struct kit){.positions = 40, .hosts = 4, .ranks = 1});
    uint64_t last = UINT64_MAX;
    uint64_t sum = 0;

    for (uint32_t i = 0; sum < 40; i++) {
        struct ledger_lease lease = kit_grant(l, i % 4, 0, 0);

        EXPECT(lease.left <= last);
        last = lease.left;
        sum += lease.left;
        kit_finish(l, &lease, 0);
    }
    EXPECT_EQ(last, 1);
    EXPECT(ledger_is_over(l));
    kit_end(&l);
}

TEST(static_shares)
{
    static const uint64_t shares[] = {0, 10, 10, 25};
    struct ledger *l = kit_new(&(struct kit){
        .positions = 25, .hosts = 3, .ranks = 1, .shares = shares});
    struct ledger_lease a = kit_grant(l, 0, 0, 0);
    struct ledger_lease c = kit_grant(l, 2, 0, 0);

    EXPECT_RANGE(a.range, 0, 10);
    EXPECT_RANGE(c.range, 10, 25);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY); /* It may lose it yet. */
    EXPECT_EQ(kit_want(l, 1, 0), STATUS_STOPPED);
    EXPECT_EQ(kit_commit(l, &c, 12, 20, 0), STATUS_OK);
    ledger_enter(l, 2, 0);
    c = kit_grant(l, 2, 0, 0);
    EXPECT_RANGE(c.range, 10, 12); /* Gap by gap. */
    EXPECT(!c.is_late);            /* Its ranks are new. */
    kit_finish(l, &c, 0);
    c = kit_grant(l, 2, 0, 0);
    EXPECT_RANGE(c.range, 20, 25);
    kit_finish(l, &c, 0);
    EXPECT_EQ(kit_want(l, 2, 0), STATUS_STOPPED);
    kit_finish(l, &a, 0);
    EXPECT(ledger_is_over(l));
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_STOPPED);
    kit_end(&l);
}

/* ---- Words of holders -----------------------------------------------------
 */

enum what { COMMIT, BACK, SKIP };

static enum status said(struct ledger *l, enum what what,
                        const struct ledger_word *word)
{
    switch (what) {
    case COMMIT:
        return ledger_commit(l, word);
    case BACK:
        return ledger_give_back(l, word);
    case SKIP:
        break;
    }
    return ledger_skip(l, word);
}

TEST(words_about_a_lease)
{
    static const struct {
        enum what what;
        uint32_t host;
        uint64_t lease;
        uint64_t first;
        uint64_t end;
        enum status want;
        uint64_t left; /* Of lease 1 after that. */
    } rows[] = {
        {COMMIT, 0, 1, 2, 4, STATUS_OK, 8},
        {COMMIT, 0, 1, 2, 4, STATUS_OK, 8}, /* Again. */
        {COMMIT, 0, 1, 1, 5, STATUS_OK, 6}, /* In part. */
        {COMMIT, 0, 1, 8, 11, STATUS_INVALID, 6},
        {COMMIT, 0, 1, 5, 5, STATUS_INVALID, 6},
        {COMMIT, 0, 1, 6, 5, STATUS_INVALID, 6},
        {COMMIT, 1, 1, 5, 6, STATUS_LOST, 6}, /* Another host's. */
        {COMMIT, 0, 2, 5, 6, STATUS_LOST, 6}, /* Not given yet. */
        {COMMIT, 0, 0, 5, 6, STATUS_LOST, 6},
        {SKIP, 0, 1, 6, 7, STATUS_OK, 5},
        {SKIP, 0, 1, 6, 7, STATUS_OK, 5},
        {COMMIT, 0, 1, 6, 7, STATUS_OK, 5},
        {SKIP, 0, 1, 4, 5, STATUS_INVALID, 5},
        {SKIP, 0, 1, 7, 9, STATUS_INVALID, 5},
        {SKIP, 1, 1, 7, 8, STATUS_LOST, 5},
        {SKIP, 0, 1, 7, 8, STATUS_FULL, 5},
        {BACK, 1, 1, 8, 0, STATUS_LOST, 5},
        {BACK, 0, 1, 10, 0, STATUS_OK, 5},
        {BACK, 0, 1, 6, 0, STATUS_INVALID, 5}, /* 6 is skipped. */
        {BACK, 0, 1, 8, 0, STATUS_OK, 3},
        {BACK, 0, 1, 8, 0, STATUS_OK, 3},
        {COMMIT, 0, 1, 8, 9, STATUS_INVALID, 3},
        {COMMIT, 0, 1, 0, 8, STATUS_OK, 0},
        {COMMIT, 0, 1, 0, 8, STATUS_OK, 0}, /* It is over by now. */
        {COMMIT, 1, 1, 0, 8, STATUS_OK, 0},
        {COMMIT, 0, 1, 7, 9, STATUS_LOST, 0}, /* 8 was given back. */
        {COMMIT, 0, 1, 3, 3, STATUS_LOST, 0},
        {COMMIT, 0, 1, 0, 99, STATUS_LOST, 0},
        {BACK, 0, 1, 4, 0, STATUS_OK, 0},
        {SKIP, 0, 1, 6, 7, STATUS_OK, 0},
        {SKIP, 0, 1, 9, 10, STATUS_LOST, 0},
    };
    static const uint64_t shares[] = {0, 10, 10};
    struct ledger *l = kit_new(&(struct kit){
        .positions = 10, .hosts = 2, .ranks = 1, .skips = 1, .shares = shares});
    struct ledger_lease lease;

    kit_grant(l, 0, 0, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ledger_word word = {
            rows[i].host, rows[i].lease, {rows[i].first, rows[i].end}, 0};
        enum status s = said(l, rows[i].what, &word);
        if (s != rows[i].want) {
            fprintf(stderr, "row %zu: %s\n", i, status_name(s));
        }
        EXPECT_EQ(s, rows[i].want);
        EXPECT_EQ(ledger_find_lease(l, 1, &lease), rows[i].left > 0);
        EXPECT(rows[i].left == 0 || lease.left == rows[i].left);
        ledger_check(l);
    }
    EXPECT_EQ(ledger_counts(l).commits, 7);
    EXPECT_EQ(ledger_counts(l).duplicates, 2 + 2 + 1 + 5 + 8 + 8);
    EXPECT_EQ(ledger_counts(l).cuts, 1);
    kit_end(&l);
}

TEST(words_of_an_earlier_epoch)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 4, .hosts = 2, .ranks = 1, .epochs = 3});
    struct ledger_lease a = kit_grant(l, 0, 1, 0);
    struct ledger_lease b = kit_grant(l, 1, 1, 0);
    struct ledger_lease c;

    kit_finish(l, &a, 0);
    ledger_enter(l, 1, 0); /* b is dropped. */
    for (int i = 0; i < 3; i++) {
        c = kit_grant(l, 0, 1, 0);
        kit_finish(l, &c, 0);
    }
    EXPECT_EQ(ledger_epoch(l), 1);
    EXPECT_EQ(ranges_size(ledger_committed(l)), 0);
    EXPECT_EQ(kit_commit(l, &a, 0, 1, 0), STATUS_OK);
    EXPECT_EQ(kit_commit(l, &b, 1, 2, 0), STATUS_LOST);
    EXPECT_EQ(ranges_size(ledger_committed(l)), 0);
    EXPECT_EQ(ledger_counts(l).duplicates, 1);
    EXPECT_EQ(ledger_counts(l).refused, 1);
    kit_end(&l);
}

/* A lease that was given back whole is not one that was committed. */
TEST(given_back_whole)
{
    struct ledger *l =
        kit_new(&(struct kit){.positions = 50, .hosts = 2, .ranks = 1});
    struct ledger_lease a = kit_grant(l, 0, 2, 0);
    struct ledger_word word = kit_word(&a, 0, 0, 0);
    struct ledger_lease b;

    EXPECT_EQ(ledger_give_back(l, &word), STATUS_OK);
    EXPECT_EQ(ledger_lease_count(l), 0);
    b = kit_grant(l, 1, 2, 0);
    EXPECT_RANGE(b.range, 0, 2);
    kit_finish(l, &b, 0);
    EXPECT_EQ(kit_commit(l, &a, 0, 2, 0), STATUS_LOST);
    kit_end(&l);
}

/* ---- Time -----------------------------------------------------------------
 */

TEST(silent_hosts_are_lost)
{
    struct ledger *l =
        kit_new(&(struct kit){.positions = 50, .hosts = 3, .ranks = 1});
    struct ledger_lease a = kit_grant(l, 0, 1, 0);
    struct ledger_lease b = kit_grant(l, 1, 1, 0);

    EXPECT_EQ(ledger_timer_ms(l), KIT_LEASE_MS);
    ledger_hear(l, 0, 10);
    ledger_hear(l, 2, 20);
    ledger_tick(l, KIT_LEASE_MS - 1);
    EXPECT_EQ(ledger_lease_count(l), 2);
    EXPECT_EQ(ledger_timer_ms(l), KIT_LEASE_MS);
    ledger_tick(l, KIT_LEASE_MS);
    EXPECT(!ledger_is_live(l, 1));
    EXPECT_EQ(ledger_timer_ms(l), KIT_LEASE_MS + 10);
    EXPECT_EQ(kit_commit(l, &b, 1, 2, KIT_LEASE_MS), STATUS_LOST);
    EXPECT_EQ(kit_commit(l, &a, 0, 1, KIT_LEASE_MS), STATUS_OK);
    ledger_hear(l, 1, KIT_LEASE_MS + 5); /* It lives, without the lease. */
    EXPECT_EQ(kit_commit(l, &b, 1, 2, KIT_LEASE_MS + 5), STATUS_LOST);
    b = kit_grant(l, 1, 1, KIT_LEASE_MS + 5);
    EXPECT_RANGE(b.range, 2, 3); /* Above all it had, while there is some. */
    EXPECT_EQ(ledger_timer_ms(l), KIT_LEASE_MS + 10);
    ledger_tick(l, 10 * KIT_LEASE_MS);
    EXPECT_EQ(ledger_lease_count(l), 0);
    EXPECT_EQ(ledger_timer_ms(l), UINT64_MAX);
    kit_end(&l);
}

TEST(what_was_slept_through_is_nobodys_silence)
{
    struct ledger *l =
        kit_new(&(struct kit){.positions = 50, .hosts = 2, .ranks = 1});
    const uint64_t woke_ms = 10 * KIT_LEASE_MS;

    kit_grant(l, 0, 1, 0);
    ledger_woke(l, woke_ms);
    ledger_tick(l, woke_ms);
    EXPECT_EQ(ledger_lease_count(l), 1);
    ledger_tick(l, woke_ms + KIT_LEASE_MS - 1);
    EXPECT(ledger_is_live(l, 0));
    ledger_tick(l, woke_ms + KIT_LEASE_MS);
    EXPECT_EQ(ledger_lease_count(l), 0);
    kit_end(&l);
}

/* Two have nothing: the one that holds much is asked for half of the rest, and
 * that is dealt once it has come back. */
TEST(stragglers_are_asked)
{
    struct ledger *l = kit_new(&(struct kit){
        .positions = 101, .hosts = 2, .ranks = 1, .run_units = 100});
    struct ledger_lease a;
    struct ledger_lease b;
    struct ledger_word word;

    a = kit_grant(l, 0, 8, 0);
    kit_finish(l, &a, 100); /* 8 in 100 ms. */
    while (kit_want(l, 0, 100) == STATUS_OK) {
    }
    b = kit_grant(l, 1, 0, 100);
    kit_finish(l, &b, 100);
    EXPECT(ledger_next_lease(l, 0, 0, &a));
    while (kit_want(l, 1, 100) == STATUS_OK) {
        EXPECT(ledger_next_lease(l, 1, 0, &b));
        kit_finish(l, &b, 100);
    }
    EXPECT_EQ(kit_commit(l, &a, a.range.first, a.range.first + 1, 100),
              STATUS_OK);
    EXPECT_EQ(ledger_timer_ms(l), 100);
    ledger_hear(l, 0, 600);
    ledger_hear(l, 1, 600);
    ledger_tick(l, 600);
    for (uint64_t n = 0; ledger_next_lease(l, 0, n, &a); n = a.number) {
        if (a.want_end < a.range.end) {
            break;
        }
    }
    EXPECT(a.want_end > a.range.first && a.want_end < a.range.end);
    EXPECT_EQ(ledger_counts(l).cuts, 0);
    EXPECT_EQ(kit_want(l, 1, 600), STATUS_EMPTY);
    word = kit_word(&a, a.want_end, 0, 600);
    EXPECT_EQ(ledger_give_back(l, &word), STATUS_OK);
    EXPECT_EQ(ledger_counts(l).cuts, 1);
    EXPECT_EQ(ledger_timer_ms(l), 600 + KIT_LEASE_MS); /* Something is free. */
    b = kit_grant(l, 1, 0, 600);
    EXPECT_EQ(b.range.first, a.want_end);
    kit_end(&l);
}

/* Host 0 has all, host 1 nothing: what comes back is not for host 0 again,
 * whether it has something left or not, as long as host 1 asks. */
TEST(a_tail_is_not_for_who_gave_it_back)
{
    for (uint64_t done = 0; done < 2; done++) {
        struct ledger *l =
            kit_new(&(struct kit){.positions = 5, .hosts = 2, .ranks = 1});
        struct ledger_lease a = kit_grant(l, 0, 2, 0);
        struct ledger_lease b = a;
        struct ledger_word word = kit_word(&a, 1, 0, 300);

        EXPECT_RANGE(a.range, 0, 2);
        while (kit_want(l, 0, 0) == STATUS_OK) {
        }
        EXPECT_EQ(kit_want(l, 1, 0), STATUS_EMPTY);
        while (ledger_next_lease(l, 0, a.number, &b)) {
            kit_finish(l, &b, 100);
        }
        if (done > 0) {
            EXPECT_EQ(kit_commit(l, &a, 0, done, 100), STATUS_OK);
        }
        EXPECT_EQ(kit_want(l, 1, 200), STATUS_EMPTY);
        EXPECT_EQ(ledger_give_back(l, &word), STATUS_OK);
        EXPECT_EQ(ledger_lease_count(l), 1 - done);
        EXPECT_EQ(kit_want(l, 0, 300), STATUS_EMPTY);
        EXPECT_EQ(kit_want(l, 0, 200 + KIT_LEASE_MS / 2 - 1), STATUS_EMPTY);
        /* Host 1 asks; or it does so no more. */
        b = kit_grant(l, done == 0 ? 1 : 0, 0, done == 0 ? 699 : 800);
        EXPECT_RANGE(b.range, 1, 2);
        kit_end(&l);
    }
}

/* ---- Epochs ----------------------------------------------------------------
 */

TEST(epochs_follow)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 3, .hosts = 1, .ranks = 1, .epochs = 2});

    for (uint64_t i = 0; i < 6; i++) {
        struct ledger_lease lease = kit_grant(l, 0, 1, 0);

        EXPECT_EQ(ledger_epoch(l), i / 3);
        EXPECT_RANGE(lease.range, i % 3, i % 3 + 1);
        EXPECT(!lease.is_late);
        EXPECT(!ledger_is_over(l));
        kit_finish(l, &lease, 0);
    }
    EXPECT(ledger_is_complete(l) && ledger_is_over(l));
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_STOPPED);
    EXPECT_EQ(ledger_counts(l).commits, 6);
    kit_end(&l);
}

TEST(an_epoch_ends_early)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 30, .hosts = 2, .ranks = 1, .epochs = 2});
    struct ledger_lease a = kit_grant(l, 0, 2, 0);
    struct ledger_lease b = kit_grant(l, 1, 2, 0);

    ledger_stop(l);
    ledger_stop(l);
    EXPECT(ledger_is_stopping(l) && !ledger_is_complete(l));
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_STOPPED);
    kit_finish(l, &a, 0);
    EXPECT_EQ(ledger_epoch(l), 0);
    ledger_lose(l, b.host, 0);
    EXPECT_EQ(ledger_epoch(l), 1);
    EXPECT(!ledger_is_stopping(l));
    a = kit_grant(l, 0, 2, 0);
    EXPECT_RANGE(a.range, 0, 2);
    ledger_stop(l);
    kit_finish(l, &a, 0);
    EXPECT_EQ(ledger_epoch(l), 1);
    EXPECT(ledger_is_over(l));
    kit_end(&l);
}

TEST(nothing_to_deal)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 0, .hosts = 1, .ranks = 1, .epochs = 1000});
    size_t count;

    EXPECT(ledger_is_over(l));
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_STOPPED);
    ledger_tick(l, 5);
    ledger_take_entries(l, &count);
    EXPECT_EQ(count, 0);
    kit_end(&l);
}

TEST(a_base_is_not_dealt)
{
    struct ledger *l = kit_new(
        &(struct kit){.positions = 9, .hosts = 1, .ranks = 1, .epochs = 2});
    const struct ledger_entry *entries;
    struct ledger_lease a;
    size_t count;

    ledger_base(l, (struct range){0, 3});
    ledger_base(l, (struct range){2, 6});
    ledger_base(l, (struct range){7, 9});
    entries = ledger_take_entries(l, &count);
    EXPECT_EQ(count, 3);
    EXPECT_EQ(entries[1].type, LEDGER_BASE);
    EXPECT_RANGE(entries[1].range, 3, 6);
    a = kit_grant(l, 0, 0, 0);
    EXPECT_RANGE(a.range, 6, 7);
    EXPECT_EQ(kit_want(l, 0, 0), STATUS_EMPTY);
    kit_finish(l, &a, 0);
    EXPECT_EQ(ledger_epoch(l), 1);
    EXPECT_EQ(ledger_counts(l).commits, 1);
    kit_end(&l);
}

TEST(a_whole_base_begins_the_next_epoch)
{
    struct ledger *l = kit_idle(
        &(struct kit){.positions = 9, .hosts = 1, .ranks = 1, .epochs = 2});

    EXPECT_EQ(ledger_timer_ms(l), UINT64_MAX);
    ledger_base(l, (struct range){0, 9});
    EXPECT_EQ(ledger_timer_ms(l), 0);
    ledger_tick(l, 3);
    EXPECT_EQ(ledger_epoch(l), 1);
    EXPECT_EQ(ledger_timer_ms(l), UINT64_MAX);
    kit_end(&l);
}
