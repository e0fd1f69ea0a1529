/* SPDX-License-Identifier: Apache-2.0 */
/* What a reign makes of what hosts and visitors say, or do not say. */
#include "coordinator/reign.h"

#include "tests/harness.h"
#include "tests/unit/reign_job.h"

/* Two hosts hold what the other host has committed: it is acknowledged, but
 * said to be kept by them alone. */
TEST(early_acks)
{
    struct rig *g = open_rig();
    struct rig_guest *b = &g->guests[1];
    struct rig_reign *l;
    uint64_t grants;

    g->acks_early = true;
    l = lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    while (b->lease_count == 0 || b->leases[0].end - b->leases[0].begun < 4) {
        turn(g);
    }
    settle(g, l);
    l->is_held = true;
    rig_deliver_units(g, b);
    b->idle_ranks = UINT64_MAX; /* It wants nothing, so nothing is granted. */
    grants = b->grants;
    rig_work(g, b);
    EXPECT_EQ(b->grants, grants + 1);
    EXPECT_EQ(b->grant.acked_seq, b->seq);
    EXPECT(b->grant.unkept > 0);
    EXPECT(b->done_count > 0);
    /* Its own host's is not: only one holds it. */
    grants = g->guests[0].grants;
    g->guests[0].idle_ranks = UINT64_MAX;
    rig_work(g, &g->guests[0]);
    EXPECT_EQ(g->guests[0].grants, grants);
    l->is_held = false;
    settle(g, l);
    EXPECT(g->guests[0].grants > grants);
    EXPECT(b->done_count > 0);
    rig_work(g, b);
    settle(g, l);
    rig_work(g, b);
    settle(g, l);
    EXPECT(b->grant.unkept <= 1);
    b->idle_ranks = 0;
    g->guests[0].idle_ranks = 0;
    play(g);
    expect_whole(g);
    close_rig(&g);
}

static void ask(struct rig *g, enum wire_what what)
{
    rig_say(g, RIG_VISITOR,
            (struct wire_message){.type = WIRE_ASK,
                                  .ask = {.number = 5, .what = what}});
}

TEST(a_cursor_is_told_when_it_is_durable)
{
    struct rig *g = open_rig();
    struct rig_reign *l = lead(g);

    rig_serve(g, l);
    ask(g, WIRE_ASK_CURSOR);
    EXPECT_EQ(g->reports, 0); /* There is nothing to tell yet. */
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    turn(g);
    l->is_held = true;
    turn(g);
    ask(g, WIRE_ASK_CURSOR);
    EXPECT_EQ(g->reports, 0);
    ask(g, WIRE_ASK_STATE);
    EXPECT_EQ(g->reports, 1);
    EXPECT(strstr(buf_text(&g->report), "\"ledgers\"") != NULL);
    turn(g);
    EXPECT_EQ(g->reports, 1);
    l->is_held = false;
    rig_serve(g, l);
    EXPECT_EQ(g->reports, 2);
    EXPECT(strstr(buf_text(&g->report), "\"committed\"") != NULL);
    ask(g, WIRE_ASK_CURSOR); /* All is durable: it is told at once. */
    EXPECT_EQ(g->reports, 3);
    play(g);
    expect_whole(g);
    close_rig(&g);
}

/* More questions than there are places: the others go unanswered. */
TEST(questions_for_the_cursor_have_a_limit)
{
    struct rig *g = open_rig();
    struct rig_reign *l = lead(g);

    play_until(g, WIRE_PHASE_RUNNING);
    l->is_held = true;
    turn(g);
    for (int i = 0; i < 20; i++) {
        ask(g, WIRE_ASK_CURSOR);
    }
    EXPECT_EQ(g->reports, 0);
    l->is_held = false;
    settle(g, l);
    EXPECT_EQ(g->reports, 8);
    close_rig(&g);
}

static uint64_t bad_messages(struct rig *g)
{
    struct buf text = {0};
    const char *at;
    uint64_t count;

    reign_report(g->lead->r, NULL, &text);
    at = strstr(buf_text(&text), "\"bad_messages\":");
    EXPECT(at != NULL);
    count = strtoull(at + strlen("\"bad_messages\":"), NULL, 10);
    buf_fini(&text);
    return count;
}

static void say_work(struct rig *g, uint64_t channel, struct bytes body)
{
    rig_say(g, g->guests[1].peer,
            (struct wire_message){.type = WIRE_WORK, .work = {channel, body}});
}

TEST(words_that_make_no_sense)
{
    struct rig *g = open_rig();
    struct work *w = mem_new(1, sizeof(*w));
    struct buf body = {0};
    uint64_t grants;
    uint64_t bad;

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    settle(g, g->lead);
    bad = bad_messages(g);
    grants = g->guests[1].grants;
    *w = (struct work){.seq = 1000};
    work_write(w, &body);
    say_work(g, DEALT_KIT_TRAIN, BYTES("nonsense"));
    EXPECT_EQ(bad_messages(g), bad + 1);
    say_work(g, DEALT_KIT_EVAL, buf_bytes(&body)); /* It is another's. */
    EXPECT_EQ(bad_messages(g), bad + 2);
    say_work(g, DEALT_KIT_CHANNELS, buf_bytes(&body));
    EXPECT_EQ(bad_messages(g), bad + 3);
    say_work(g, UINT64_MAX, buf_bytes(&body));
    EXPECT_EQ(bad_messages(g), bad + 4);
    EXPECT_EQ(g->guests[1].grants, grants);
    g->guests[1].seq = 1000;
    say_work(g, DEALT_KIT_TRAIN, buf_bytes(&body));
    settle(g, g->lead);
    EXPECT_EQ(bad_messages(g), bad + 4);
    EXPECT_EQ(g->guests[1].grants, grants + 1);
    play(g);
    expect_whole(g);
    buf_fini(&body);
    free(w);
    close_rig(&g);
}

TEST(an_older_word_is_dropped)
{
    struct rig *g = open_rig();
    struct rig_guest *b = &g->guests[1];
    struct work *w = mem_new(1, sizeof(*w));
    uint64_t grants;

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    rig_fill_work(g, b, w);
    rig_send_work(g, b, w);
    settle(g, g->lead);
    grants = b->grants;
    rig_send_work(g, b, w);
    settle(g, g->lead);
    EXPECT_EQ(b->grants, grants);
    w->seq--;
    rig_send_work(g, b, w);
    settle(g, g->lead);
    EXPECT_EQ(b->grants, grants);
    w->seq += 2;
    b->seq = w->seq;
    rig_send_work(g, b, w);
    settle(g, g->lead);
    EXPECT_EQ(b->grants, grants + 1);
    play(g);
    expect_whole(g);
    free(w);
    close_rig(&g);
}

/* Leases that were never granted are refused, each named. */
TEST(many_leases_that_are_not_held)
{
    struct rig *g = open_rig();
    struct rig_guest *b = &g->guests[1];
    struct work *w = mem_new(1, sizeof(*w));

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    rig_fill_work(g, b, w);
    w->want_count = 0;
    w->done_count = 0;
    for (uint64_t i = 0; i < WORK_DONE_MAX; i++) {
        w->done[w->done_count++] = (struct work_done){10000 + i, 1, 2};
    }
    for (uint64_t i = 0; i < WORK_SKIPS_MAX; i++) {
        w->skips[w->skip_count++] =
            (struct work_skip){20000 + i, 1, BYTES("no such file")};
    }
    rig_send_work(g, b, w);
    settle(g, g->lead);
    EXPECT_EQ(b->grant.refused_count, WORK_DONE_MAX + WORK_SKIPS_MAX);
    free(w);
    close_rig(&g);
}

/* ---- Units that can't be read -------------------------------------------- */

/* Host 1 skips the first unit of its first lease. */
static void skip(struct rig *g)
{
    struct rig_guest *b = &g->guests[1];
    struct work *w = mem_new(1, sizeof(*w));
    struct rig_lease *l = &b->leases[0];

    EXPECT(b->lease_count > 0 && l->begun < l->end);
    rig_fill_work(g, b, w);
    w->leases[0].begun++;
    w->skips[w->skip_count++] =
        (struct work_skip){l->number, l->begun, BYTES("bad checksum")};
    g->delivered[b->epoch][l->begun++]++;
    rig_send_work(g, b, w);
    free(w);
}

TEST(a_unit_is_skipped)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    while (g->guests[1].lease_count == 0) {
        turn(g);
    }
    skip(g);
    EXPECT_EQ(ranges_size(ledger_skipped(ledger_at(g, DEALT_KIT_TRAIN))), 1);
    play(g);
    expect_whole(g);
    close_rig(&g);
}

TEST(too_many_skips_end_the_job)
{
    struct rig *g = open_rig();

    g->skips = 0;
    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    while (g->guests[1].lease_count == 0) {
        turn(g);
    }
    skip(g);
    play(g);
    for (int i = 0; i < DEALT_KIT_HOSTS; i++) {
        EXPECT(g->guests[i].has_end);
        EXPECT_EQ(g->guests[i].end.status, STATUS_IO);
        EXPECT(strstr(g->guests[i].end_text[1], "channel train: unit ") !=
               NULL);
        EXPECT(strstr(g->guests[i].end_text[1], "bad checksum") != NULL);
    }
    close_rig(&g);
}

/* ---- Silence ------------------------------------------------------------- */

/* What a lost host has left is another's. */
TEST(a_lost_host_loses_its_leases)
{
    struct rig *g = open_rig();
    uint32_t missing = 0;

    g->keeps_on_failure = true;
    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    turn(g);
    g->guests[1].is_away = true;
    play(g);
    EXPECT(ledger_is_over(ledger_at(g, DEALT_KIT_TRAIN)));
    EXPECT(ledger_counts(ledger_at(g, DEALT_KIT_TRAIN)).drops > 0);
    for (int i = 0; i < DEALT_KIT_UNITS; i++) {
        missing += g->delivered[1][i] == 0;
    }
    EXPECT_EQ(missing, 0);
    EXPECT_EQ(g->guests[0].lost, 0);
    EXPECT(g->guests[0].has_end);
    close_rig(&g);
}

/* It is lost while nobody leads: the next coordinator waits for it in vain. */
TEST(a_host_that_does_not_come_back)
{
    struct rig *g = open_rig();

    g->keeps_on_failure = true;
    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    while (g->guests[1].lease_count == 0) {
        turn(g);
    }
    settle(g, g->lead);
    rig_kill(g, g->lead, true);
    g->guests[1].is_away = true;
    lead(g);
    play(g);
    EXPECT(ledger_is_over(ledger_at(g, DEALT_KIT_TRAIN)));
    EXPECT(ledger_counts(ledger_at(g, DEALT_KIT_TRAIN)).drops > 0);
    EXPECT_EQ(g->guests[0].lost, 0);
    EXPECT(g->guests[0].has_end);
    close_rig(&g);
}

/* The coordinator's host sleeps longer than a host may be silent. */
TEST(a_sleep_is_nobodys_silence)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    turn(g);
    g->now_ms += 3 * RIG_TIMEOUT_MS;
    play(g);
    EXPECT_EQ(ledger_counts(ledger_at(g, DEALT_KIT_TRAIN)).drops, 0);
    expect_whole(g);
    close_rig(&g);
}

/* ---- What can't be led --------------------------------------------------- */

TEST(a_run_of_other_hosts_is_not_led)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    rig_kill(g, g->lead, true);
    rig_serve(g, lead_of(g, DEALT_KIT_HOSTS + 1));
    EXPECT_EQ(reign_state(g->lead->r), REIGN_BROKEN);
    EXPECT_STR(reign_fault(g->lead->r), "the run was dealt to 2 hosts, not 3");
    EXPECT_EQ(g->lead->timer_ms, UINT64_MAX);
    close_rig(&g);
}

TEST(a_journal_without_what_was_dealt)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    rig_kill(g, g->lead, true);
    buf_clear(&g->dealt);
    rig_serve(g, lead(g));
    EXPECT_EQ(reign_state(g->lead->r), REIGN_BROKEN);
    EXPECT(strstr(reign_fault(g->lead->r), "not dealt") != NULL);
    close_rig(&g);
}

static void fail_load(struct rig *g, enum status status)
{
    g->lead->do_prepare = REIGN_PREPARE_NOTHING;
    rig_step(g, g->lead,
             (struct reign_event){.type = REIGN_EVENT_PREPARED,
                                  .status = status,
                                  .text = "no luck"});
}

/* The second coordinator of a run, about to look for what was dealt. */
static struct rig *open_loading(void)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    rig_kill(g, g->lead, true);
    lead(g);
    while (g->lead->do_prepare == REIGN_PREPARE_NOTHING) {
        rig_answer(g, g->lead);
    }
    EXPECT_EQ(g->lead->do_prepare, REIGN_LOAD);
    EXPECT_EQ(reign_state(g->lead->r), REIGN_LOADING);
    return g;
}

TEST(what_was_dealt_is_damaged)
{
    static const enum status rows[] = {STATUS_MALFORMED, STATUS_VERSION,
                                       STATUS_FULL};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *g = open_loading();

        fail_load(g, rows[i]);
        EXPECT_EQ(reign_state(g->lead->r), REIGN_BROKEN);
        EXPECT_STR(reign_fault(g->lead->r), "no luck");
        close_rig(&g);
    }
}

/* The store is away while what was dealt is looked for. */
TEST(loading_is_tried_again)
{
    struct rig *g = open_loading();

    fail_load(g, STATUS_STORE);
    EXPECT_EQ(g->lead->do_prepare, REIGN_PREPARE_NOTHING);
    EXPECT_EQ(reign_state(g->lead->r), REIGN_LOADING);
    EXPECT_EQ(g->lead->timer_ms, g->now_ms + RIG_HEARTBEAT_MS);
    g->now_ms = g->lead->timer_ms;
    rig_step(g, g->lead, (struct reign_event){.type = REIGN_EVENT_TIMER});
    EXPECT_EQ(g->lead->do_prepare, REIGN_LOAD);
    play(g);
    expect_whole(g);
    close_rig(&g);
}
