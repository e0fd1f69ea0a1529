/* SPDX-License-Identifier: Apache-2.0 */
/* Courses of several hosts against the coordinator's ledger: every unit of an
 * epoch that was not cut is committed once, and none that was not consumed. */
#include "worker/course.h"

#include "tests/unit/course_reader.h"

/* ---- Hosts. --------------------------------------------------------------
 */

static enum status kit_unit(void *self, uint32_t rank, uint64_t epoch,
                            uint64_t at, struct supply_unit *out)
{
    uint32_t host = (uint32_t)((struct kit_host *)self - kit.host);

    if (epoch >= kit.epochs ||
        at >= (kit.is_static ? kit_dealt(host, rank)->all : kit.units)) {
        return STATUS_INVALID;
    }
    out->key = BYTES("k");
    out->size = 10;
    return STATUS_OK;
}

static void kit_end_host(uint32_t host)
{
    struct kit_host *h = &kit.host[host];

    course_destroy(&h->course);
    supply_destroy(&h->supply);
    holder_destroy(&h->holder);
    memset(h, 0, sizeof(*h));
}

static void kit_launch(uint32_t host)
{
    struct kit_host *h = &kit.host[host];

    kit_end_host(host);
    for (uint32_t r = 0; r < kit.ranks; r++) {
        h->readers[r].next = kit_dealt(host, r)->first;
    }
    h->holder = holder_new(&(struct holder_options){
        .channel = 1,
        .rank_count = kit.ranks,
        .ahead_units = 4,
        .lease_ms = KIT_LEASE_MS,
        .beat_ms = 200,
        .gap_ms = 10,
        .now_ms = kit.now_ms,
    });
    h->supply =
        supply_new(&(struct supply_options){kit.ranks, KIT_QUEUE / 2, 100});
    h->course = course_new(&(struct course_options){
        .holder = h->holder,
        .supply = h->supply,
        .rank_count = kit.ranks,
        .epochs = kit.epochs,
        .ranks = kit.is_static ? kit_dealt(host, 0) : NULL,
        .skips = true,
        .unit = kit_unit,
        .unit_self = h,
    });
    ledger_enter(kit.ledger, host, kit.now_ms);
    kit_take_entries();
}

static void turn(uint32_t host)
{
    struct kit_host *h = &kit.host[host];
    enum status s = course_step(h->course, kit.now_ms, &kit.why);

    if (s != STATUS_OK) {
        kit.status = s;
    }
    course_check(h->course);
    holder_check(h->holder);
    kit_talk(host);
}

static void pass(uint64_t ms)
{
    for (uint64_t end_ms = kit.now_ms + ms; kit.now_ms < end_ms;) {
        kit.now_ms += KIT_STEP_MS;
        ledger_tick(kit.ledger, kit.now_ms);
        kit_take_entries();
        for (uint32_t i = 0; i < kit.hosts; i++) {
            turn(i);
        }
    }
}

/* Every reader that does not rest reads all that it can get meanwhile. */
static void read_for(uint64_t ms)
{
    for (uint64_t i = 0; i < ms / KIT_STEP_MS; i++) {
        for (uint32_t k = 0; k < kit.hosts * kit.ranks; k++) {
            if (!kit_reader(k / kit.ranks, k % kit.ranks)->is_resting) {
                kit_read(k / kit.ranks, k % kit.ranks);
            }
        }
        pass(KIT_STEP_MS);
    }
}

/* Equal shares; the last rank has what is over. */
static void deal(uint64_t *shares)
{
    uint32_t ranks = kit.hosts * kit.ranks;

    for (uint32_t i = 0; i < ranks; i++) {
        shares[i + 1] = kit.units * (i + 1) / ranks;
        kit.dealt[i] = (struct course_rank){
            .first = shares[i],
            .own = shares[i + 1] - shares[i],
            .all = shares[i + 1] - shares[i] + kit.padding,
        };
        if (!kit.is_static) {
            kit.dealt[i] = (struct course_rank){0};
        }
    }
}

/* What @options leaves at 0 is: one host and rank, 12 units, 3 epochs. */
static void open_kit(struct kit options)
{
    uint64_t shares[KIT_HOSTS * KIT_RANKS + 1] = {0};
    uint32_t host_ranks[KIT_HOSTS];
    uint32_t weights[KIT_HOSTS];

    kit = options;
    kit.hosts = kit.hosts > 0 ? kit.hosts : 1;
    kit.ranks = kit.ranks > 0 ? kit.ranks : 1;
    kit.units = kit.units > 0 ? kit.units : 12;
    kit.epochs = kit.epochs > 0 ? kit.epochs : 3;
    kit.now_ms = 100000;
    deal(shares);
    for (uint32_t i = 0; i < kit.hosts; i++) {
        host_ranks[i] = kit.ranks;
        weights[i] = 100;
    }
    kit.ledger = ledger_new(&(struct ledger_options){
        .positions = kit.units,
        .epochs = kit.epochs,
        .first_epoch = kit.epoch,
        .host_count = kit.hosts,
        .host_ranks = host_ranks,
        .host_weights = weights,
        .shares = kit.is_static ? shares : NULL,
        .lease_ms = KIT_LEASE_MS,
        .run_ms = 100,
        .run_units = 5,
        .skips = kit.skips,
    });
    for (uint32_t i = 0; i < kit.hosts; i++) {
        kit_launch(i);
    }
}

static void close_kit(void)
{
    for (uint32_t i = 0; i < kit.hosts; i++) {
        kit_end_host(i);
    }
    ledger_destroy(&kit.ledger);
}

static void expect_committed(uint64_t epoch, uint64_t units)
{
    uint64_t count = 0;

    for (uint64_t p = 0; p < kit.units; p++) {
        count += kit.committed[epoch][p];
    }
    EXPECT_EQ(count, units);
}

/* All is read, said and over. */
static void expect_over(uint64_t first_epoch)
{
    for (uint64_t e = first_epoch; e < kit.epochs; e++) {
        if (!kit.was_cut[e]) {
            expect_committed(e, kit.units);
        }
    }
    for (uint32_t i = 0; i < kit.hosts; i++) {
        struct course_stats s = course_stats(kit.host[i].course);

        EXPECT(s.is_over);
        EXPECT_EQ(s.epoch, kit.epochs - 1);
        EXPECT_EQ(s.unsaid, 0);
        EXPECT_EQ(s.ahead, 0);
        EXPECT(holder_is_settled(kit.host[i].holder));
    }
    EXPECT(ledger_is_over(kit.ledger));
    EXPECT_EQ(kit.status, STATUS_OK);
}

TEST(all_epochs_of_several_hosts_and_ranks)
{
    for (int is_static = 0; is_static < 2; is_static++) {
        open_kit((struct kit){
            .hosts = 3, .ranks = 2, .units = 40, .is_static = is_static == 1});
        read_for(3000);
        expect_over(0);
        for (uint64_t p = 0; p < 3 * kit.units; p++) {
            EXPECT_EQ(kit.consumed[p / kit.units][p % kit.units], 1);
        }
        EXPECT_EQ(kit_reader(2, 1)->ends, 3);
        close_kit();
    }
}

TEST(nothing_to_deal_is_an_epoch_too)
{
    open_kit((struct kit){.hosts = 3, .units = 1, .is_static = true});
    read_for(2000);
    expect_over(0);
    EXPECT_EQ(kit_reader(0, 0)->ends, 3);
    close_kit();
}

/* All of the first host's epoch: its own six, then the padding. */
static void read_padded(void)
{
    struct kit_reader *r = kit_reader(0, 0);

    while (!r->is_at_end) {
        while (r->count == 0 && kit_take(0, 0) && !r->is_at_end) {
            EXPECT_EQ(r->queue[0].is_repeat, r->done == 6);
            kit_tell(0, 0, SUPPLY_DONE);
        }
        pass(KIT_STEP_MS);
    }
    EXPECT_EQ(r->done, 6);
    EXPECT_EQ(r->pad, 3);
    kit_begin(0, 0);
}

TEST(padding_comes_behind_and_is_never_said)
{
    open_kit((struct kit){.hosts = 2, .is_static = true, .padding = 3});
    for (uint64_t e = 0; e < 3; e++) {
        read_padded();
    }
    read_for(2000);
    expect_over(0);
    close_kit();
}

TEST(a_rank_does_not_wait_for_the_leases_of_later_epochs)
{
    struct course_stats s;

    open_kit((struct kit){.hosts = 2, .ranks = 2, .is_static = true});
    kit_reader(1, 1)->is_resting = true;
    read_for(1000);
    s = course_stats(kit.host[0].course);
    EXPECT(s.is_over);
    EXPECT_EQ(s.epoch, 2);
    EXPECT_EQ(s.ahead, 2);
    EXPECT_EQ(s.unsaid, 12);
    EXPECT_EQ(kit_reader(1, 0)->ends, 3);
    EXPECT_EQ(course_stats(kit.host[1].course).epoch, 0);
    EXPECT_EQ(ledger_epoch(kit.ledger), 0);
    kit_reader(1, 1)->is_resting = false;
    read_for(2000);
    expect_over(0);
    close_kit();
}

/* It would deliver twice what somebody else may have by then. */
TEST(a_dynamic_epoch_begins_on_all_hosts_at_once)
{
    open_kit((struct kit){.hosts = 2});
    kit_take(1, 0);
    kit_reader(1, 0)->is_resting = true;
    read_for(200);
    EXPECT(kit_take(1, 0));
    read_for(200);
    EXPECT_EQ(kit_reader(0, 0)->ends, 0);
    EXPECT_EQ(ledger_epoch(kit.ledger), 0);
    kit_reader(1, 0)->is_resting = false;
    read_for(2000);
    expect_over(0);
    close_kit();
}

/* A rank that got nothing of an epoch has seen it all the same. */
TEST(who_is_slow_is_not_led_past_an_epoch)
{
    open_kit((struct kit){.hosts = 2});
    pass(20);
    kit.host[1].mute_ms = kit.now_ms + 2 * KIT_LEASE_MS;
    kit_reader(1, 0)->is_resting = true;
    read_for(3 * KIT_LEASE_MS); /* The other one takes what it had. */
    EXPECT(ledger_epoch(kit.ledger) > 0);
    kit_reader(1, 0)->is_resting = false;
    read_for(3000);
    expect_over(0);
    EXPECT_EQ(kit_reader(1, 0)->ends, 3);
    close_kit();
}

/* ---- What does not go well. -----------------------------------------------
 */

/* To the end of the first host's epoch @epoch. */
static void read_epoch(uint64_t epoch)
{
    while (kit_reader(0, 0)->ends == epoch) {
        kit_read(0, 0);
        if (kit_reader(1, 0)->ends <= epoch) {
            kit_read(1, 0);
        }
        pass(KIT_STEP_MS);
    }
}

TEST(units_may_be_skipped)
{
    for (int is_static = 0; is_static < 2; is_static++) {
        open_kit(
            (struct kit){.hosts = 2, .skips = 9, .is_static = is_static == 1});
        for (uint64_t e = 0; e < 3; e++) {
            while (!kit_take(0, 0)) {
                pass(KIT_STEP_MS);
            }
            kit_tell(0, 0, SUPPLY_SKIP);
            read_epoch(e);
        }
        read_for(1000);
        expect_over(0);
        EXPECT_EQ(course_stats(kit.host[0].course).skipped, 3);
        EXPECT_EQ(course_stats(kit.host[1].course).skipped, 0);
        close_kit();
    }
}

TEST(a_unit_that_comes_back_is_handed_out_anew)
{
    open_kit((struct kit){.hosts = 1, .epochs = 2});
    pass(100);
    for (int i = 0; i < 3; i++) {
        EXPECT(kit_take(0, 0));
    }
    kit_tell(0, 0, SUPPLY_DONE);
    kit_back_all(0, 0);
    expect_committed(0, 0);
    read_for(1500);
    expect_over(0);
    for (uint64_t p = 0; p < kit.units; p++) {
        EXPECT_EQ(kit.consumed[0][p], 1);
    }
    close_kit();
}

/* Read some of the rank's epoch, then stop it. */
static void read_and_stop(uint32_t host, uint64_t units)
{
    while (kit_reader(host, 0)->done < units) {
        if (!kit_take(host, 0)) {
            pass(KIT_STEP_MS);
        } else {
            kit_tell(host, 0, SUPPLY_DONE);
        }
    }
    kit_take(host, 0);
    kit_take(host, 0);
    kit_stop(host, 0);
}

TEST(an_epoch_that_was_cut_ends_for_all_where_units_are_leased)
{
    open_kit((struct kit){.hosts = 2, .units = 48});
    kit_reader(1, 0)->is_resting = true;
    read_and_stop(0, 2);
    kit_reader(1, 0)->is_resting = false;
    read_for(500);
    EXPECT(kit_reader(0, 0)->ends > 0 && kit_reader(1, 0)->ends > 0);
    EXPECT(ledger_epoch(kit.ledger) > 0);
    read_for(2000);
    expect_over(0);
    EXPECT(kit.committed[0][0] == 1);
    EXPECT(kit.committed[0][kit.units - 1] == 0);
    close_kit();
}

TEST(the_last_epoch_may_be_cut)
{
    for (int is_static = 0; is_static < 2; is_static++) {
        open_kit((struct kit){.epochs = 1, .is_static = is_static == 1});
        read_and_stop(0, 5);
        read_for(500);
        expect_over(0);
        expect_committed(0, 5);
        close_kit();
    }
}

/* Who stops early has no padding to read either. */
TEST(the_end_comes_next_when_a_rank_has_stopped)
{
    struct kit_reader *r = kit_reader(0, 0);

    open_kit((struct kit){.units = 24, .is_static = true, .padding = 3});
    read_and_stop(0, 2);
    r->is_early = false; /* Look at what comes. */
    while (!r->is_at_end) {
        while (kit_take(0, 0) && !r->is_at_end) {
            EXPECT(!r->queue[0].is_repeat);
            kit_tell(0, 0, SUPPLY_BACK);
        }
        pass(KIT_STEP_MS);
    }
    kit_begin(0, 0);
    read_for(1000);
    expect_over(0);
    close_kit();
}

/* What was dealt to the others is theirs still; and nobody waits. */
TEST(who_stops_early_does_not_wait_for_what_was_dealt_to_others)
{
    for (uint64_t at = 0; at < 2; at++) {
        open_kit((struct kit){.hosts = 2, .is_static = true, .padding = 1});
        pass(100); /* Both have their leases. */
        kit_reader(1, 0)->is_resting = true;
        for (uint64_t e = 0; e < at; e++) {
            while (kit_reader(0, 0)->ends == e) {
                kit_read(0, 0);
                pass(KIT_STEP_MS);
            }
        }
        read_and_stop(0, 2);
        read_for(500);
        EXPECT_EQ(kit_reader(0, 0)->ends, 3);
        EXPECT_EQ(ledger_epoch(kit.ledger), 0);
        kit_reader(1, 0)->is_resting = false;
        read_for(2000);
        expect_over(0);
        for (uint64_t e = 0; e < 3; e++) {
            for (uint64_t p = 6; p < 12; p++) {
                EXPECT_EQ(kit.consumed[e][p], 1);
            }
        }
        close_kit();
    }
}

/* The others' leases of the epoch come too late: they deliver it, and that is
 * not said. */
TEST(an_epoch_may_be_cut_before_another_rank_has_begun_it)
{
    open_kit((struct kit){.hosts = 2, .is_static = true});
    pass(100);
    kit_reader(1, 0)->is_resting = true;
    kit_read(0, 0);
    while (kit_reader(0, 0)->ends == 0) {
        kit_read(0, 0);
        pass(KIT_STEP_MS);
    }
    kit.host[1].mute_ms = 0;
    read_and_stop(0, 2); /* Epoch 1. */
    read_for(300);
    while (kit_reader(1, 0)->ends == 0) {
        kit_read(1, 0);
        turn(1); /* Its last word of epoch 0; */
    }
    for (int i = 0; i < 30; i++) {
        turn(0); /* and only the first host hears what follows. */
        kit.now_ms += KIT_STEP_MS;
    }
    EXPECT(ledger_epoch(kit.ledger) >= 1);
    kit_reader(1, 0)->is_resting = false;
    read_for(2000);
    expect_over(0);
    for (uint64_t p = 6; p < 12; p++) {
        EXPECT_EQ(kit.consumed[1][p], 1);
    }
    close_kit();
}

TEST(what_was_said_under_a_lease_that_was_lost_is_said_again)
{
    open_kit((struct kit){.hosts = 2, .is_static = true});
    kit_reader(1, 0)->is_resting = true;
    while (kit_reader(0, 0)->ends < 1) {
        read_for(KIT_STEP_MS);
    }
    kit_reader(0, 0)->is_resting = true;
    kit_reader(1, 0)->is_resting = false;
    read_for(500); /* Epoch 1 has begun: the first host has its lease. */
    EXPECT_EQ(ledger_epoch(kit.ledger), 1);
    kit.host[0].mute_ms = kit.now_ms + 2 * KIT_LEASE_MS;
    kit_reader(0, 0)->is_resting = false;
    read_for(3 * KIT_LEASE_MS);
    EXPECT(ledger_counts(kit.ledger).drops > 0);
    read_for(2000);
    expect_over(0);
    for (uint64_t p = 0; p < kit.units; p++) {
        EXPECT_EQ(kit.consumed[1][p], 1); /* Though it was said twice. */
    }
    close_kit();
}

TEST(a_launch_into_a_running_job_begins_where_the_job_is)
{
    for (int is_static = 0; is_static < 2; is_static++) {
        open_kit((struct kit){
            .hosts = 2, .epochs = 5, .epoch = 3, .is_static = is_static == 1});
        pass(100);
        read_for(2000);
        expect_over(3);
        expect_committed(2, 0);
        EXPECT_EQ(kit_reader(0, 0)->ends, 2);
        close_kit();
    }
}

TEST(a_host_may_be_launched_again)
{
    for (int is_static = 0; is_static < 2; is_static++) {
        open_kit((struct kit){.hosts = 2, .is_static = is_static == 1});
        kit_reader(1, 0)->is_resting = true;
        read_for(100);
        kit_take(1, 0);
        kit_tell(1, 0, SUPPLY_DONE);
        pass(100);
        kit_launch(1);
        read_for(3000);
        expect_over(0);
        EXPECT_EQ(kit.consumed[0][is_static == 1 ? 6 : 0], 1);
        close_kit();
    }
}

TEST(a_channel_that_can_not_be_delivered_says_why)
{
    open_kit((struct kit){0});
    supply_tell(kit.host[0].supply,
                &(struct supply_told){.word = SUPPLY_FAIL,
                                      .status = STATUS_DENIED,
                                      .reason = "a/b: 403"});
    pass(KIT_STEP_MS);
    EXPECT_EQ(kit.status, STATUS_DENIED);
    EXPECT_STR(kit.why.text, "a/b: 403");
    kit.status = STATUS_OK;
    kit.units = 3; /* What the ledger deals is more than there is. */
    pass(200);
    EXPECT_EQ(kit.status, STATUS_INVALID);
    EXPECT_STR(kit.why.text, "rank 0 of this host, epoch 0: a unit is not "
                             "among what was dealt");
    kit.units = 12;
    close_kit();
}

/* ---- Random histories. ----------------------------------------------------
 */

struct habits {
    uint64_t stops; /* One turn in so many; 0: never. */
    uint64_t backs;
    uint64_t launches;
    uint64_t mutes;
};

static void read_at_random(uint32_t host, uint32_t rank, struct habits habits)
{
    struct kit_reader *r = kit_reader(host, rank);
    bool has_read = r->done + r->pad + r->count > 0;

    if (kit_chance(host + rank == 0 ? 8 : 2)) {
        kit_take(host, rank);
    }
    if (r->count > 0 && kit_chance(2)) {
        bool is_torn = kit.skips > 0 && !r->queue[0].is_repeat &&
                       kit_chance(30) && kit.skips-- > 0;

        kit_tell(host, rank, is_torn ? SUPPLY_SKIP : SUPPLY_DONE);
    }
    if (habits.stops > 0 && has_read && !r->is_early && !r->is_over &&
        kit_chance(habits.stops)) {
        kit_stop(host, rank);
    }
    if (habits.backs > 0 && r->count > 0 && !r->is_at_end &&
        r->queue[0].lease > 0 && !r->queue[r->count - 1].is_repeat &&
        kit_chance(habits.backs)) {
        kit_back_all(host, rank);
    }
    if (r->is_at_end && r->count == 0 && kit_chance(3)) {
        kit_begin(host, rank);
    }
}

static bool all_are_over(void)
{
    bool is_over = ledger_is_over(kit.ledger);

    for (uint32_t k = 0; k < kit.hosts * kit.ranks; k++) {
        struct kit_reader *r = kit_reader(k / kit.ranks, k % kit.ranks);

        is_over = is_over && r->is_over && !r->is_at_end && r->count == 0;
    }
    return is_over;
}

static void play(struct habits habits)
{
    for (uint32_t i = 0; i < kit.hosts; i++) {
        for (uint32_t r = 0; r < kit.ranks; r++) {
            read_at_random(i, r, habits);
        }
        if (habits.launches > 0 && kit_chance(habits.launches)) {
            kit_launch(i);
        }
        if (habits.mutes > 0 && kit_chance(habits.mutes)) {
            kit.host[i].mute_ms =
                kit.now_ms + prng_below(&kit.prng, 2ULL * KIT_LEASE_MS);
        }
    }
    pass(KIT_STEP_MS);
}

static void play_history(uint64_t seed, bool is_static)
{
    struct prng p;
    struct habits habits = {0};
    struct kit options = {.is_static = is_static};

    prng_init(&p, seed);
    options.hosts = 1 + (uint32_t)prng_below(&p, KIT_HOSTS);
    options.ranks = 1 + (uint32_t)prng_below(&p, KIT_RANKS);
    options.units = 1 + prng_below(&p, KIT_UNITS);
    options.epochs = 1 + prng_below(&p, KIT_EPOCHS);
    options.padding = is_static ? prng_below(&p, 3) : 0;
    options.skips = prng_below(&p, 4);
    options.loses = prng_below(&p, 2) == 0 ? 0 : 4;
    if (prng_below(&p, 2) == 0) {
        habits.stops = 60;
    } else {
        habits.backs = 15;
    }
    habits.launches = prng_below(&p, 3) == 0 ? 300 : 0;
    habits.mutes = prng_below(&p, 3) == 0 ? 200 : 0;
    options.prng = p;
    open_kit(options);
    for (int i = 0; i < 300; i++) {
        play(habits);
    }
    kit.loses = 0;
    for (int i = 0; i < 6000 && !all_are_over(); i++) {
        play((struct habits){0});
    }
    EXPECT(all_are_over());
    pass(2 * KIT_LEASE_MS + 500); /* What was said last is heard. */
    expect_over(0);
    close_kit();
}

static void play_all(bool is_static)
{
    const char *only = getenv("KIT_SEED");

    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t seed = only != NULL ? strtoull(only, NULL, 10) : i;

        if (only != NULL) {
            i = 100;
        }
        play_history(seed, is_static);
    }
}

TEST(random_histories_of_leases)
{
    play_all(false);
}

TEST(random_histories_of_what_was_dealt)
{
    play_all(true);
}
