/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/reign.h"

#include "base/json.h"

#include "tests/harness.h"
#include "tests/unit/reign_play.h"

/* A whole job takes less. */
enum { TURNS_MAX = 400 };

static struct rig *open_rig(void)
{
    struct rig *g = mem_new(1, sizeof(*g));

    g->store = mem_new(1, sizeof(*g->store));
    g->now_ms = 1000;
    g->skips = DEALT_KIT_SKIPS;
    g->guests[0] = (struct rig_guest){
        .peer = 100, .incarnation = "aa", .phase = WIRE_PHASE_JOINED};
    g->guests[1] = (struct rig_guest){
        .peer = 200, .incarnation = "bb", .phase = WIRE_PHASE_JOINED};
    return g;
}

static void close_rig(struct rig **rig)
{
    struct rig *g = *rig;

    for (uint32_t i = 0; i < g->reign_count; i++) {
        rig_kill(g, &g->reigns[i], false);
    }
    for (size_t i = 0; i < g->store->object_count; i++) {
        buf_fini(&g->store->objects[i].body);
    }
    buf_fini(&g->dealt);
    buf_fini(&g->report);
    free(g->store);
    free(g);
    *rig = NULL;
}

/* The next reign begins; host 0 leads the odd terms, host 1 the even ones. */
static struct rig_reign *lead_of(struct rig *g, uint32_t host_count)
{
    static const char *const hosts[] = {"a", "b", "c"};
    struct rig_reign *l = &g->reigns[g->reign_count++];

    EXPECT(g->reign_count <= RIG_REIGNS_MAX);
    *l = (struct rig_reign){.term = g->reign_count};
    l->r = reign_new(&(struct reign_options){
        .session =
            {
                .job_name = "job",
                .run = DEALT_KIT_RUN,
                .leader = hosts[(l->term - 1) % 2],
                .term = l->term,
                .hosts = hosts,
                .host_count = host_count,
                .now_ms = g->now_ms,
                .join_timeout_ms = 2 * RIG_TIMEOUT_MS,
                .heartbeat_ms = RIG_HEARTBEAT_MS,
                .host_timeout_ms = RIG_TIMEOUT_MS,
                .grace_ms = 2000,
                .skew_max_ms = 1000,
                .keeps_on_failure = g->keeps_on_failure,
            },
        .number = (uint32_t)((l->term - 1) % 2),
        .nonce = 1000 + l->term,
        .gap_ms = 10,
        .snapshot_bytes = g->snapshot_bytes != 0 ? g->snapshot_bytes : 1 << 20,
        .run_ms = 2000,
        .run_units = 8,
        .has_conditions = true,
        .acks_early = g->acks_early,
    });
    g->lead = l;
    rig_step(g, l, (struct reign_event){.type = REIGN_EVENT_TIMER});
    return l;
}

static struct rig_reign *lead(struct rig *g)
{
    return lead_of(g, DEALT_KIT_HOSTS);
}

static void turn(struct rig *g)
{
    g->now_ms += RIG_TURN_MS;
    rig_serve(g, g->lead);
    if (g->lead->r != NULL && g->now_ms >= g->lead->timer_ms) {
        rig_step(g, g->lead, (struct reign_event){.type = REIGN_EVENT_TIMER});
    }
    rig_serve(g, g->lead);
    for (uint32_t i = 0; i < DEALT_KIT_HOSTS && g->lead->r != NULL; i++) {
        if (!g->guests[i].is_away) {
            rig_act(g, &g->guests[i]);
        }
    }
}

/* Let @l write all that it has decided. */
static void settle(struct rig *g, struct rig_reign *l)
{
    for (int i = 0; i < 4; i++) {
        g->now_ms += 20;
        rig_step(g, l, (struct reign_event){.type = REIGN_EVENT_TIMER});
        rig_serve(g, l);
    }
}

/* Take turns until the job is over or its coordinator is dead. */
static void play(struct rig *g)
{
    for (int i = 0; g->lead->r != NULL && !g->lead->is_over; i++) {
        EXPECT(i < TURNS_MAX);
        turn(g);
    }
}

/* Take turns until each host that is not away is in @phase. */
static void play_until(struct rig *g, enum wire_phase phase)
{
    bool is_there = false;

    for (int i = 0; !is_there; i++) {
        EXPECT(i < TURNS_MAX);
        turn(g);
        is_there = true;
        for (uint32_t h = 0; h < DEALT_KIT_HOSTS; h++) {
            is_there = is_there &&
                       (g->guests[h].is_away || g->guests[h].phase >= phase);
        }
    }
}

static const struct ledger *ledger_at(const struct rig *g, uint32_t channel)
{
    return reign_ledger(g->lead->r, channel);
}

/* All is delivered, each unit once, and nobody's lease was forgotten. */
static void expect_whole(const struct rig *g)
{
    EXPECT(ledger_is_over(ledger_at(g, DEALT_KIT_TRAIN)));
    EXPECT_EQ(ranges_size(ledger_committed(ledger_at(g, DEALT_KIT_EVAL))),
              DEALT_KIT_EVAL_UNITS);
    for (int e = 0; e < DEALT_KIT_EPOCHS; e++) {
        for (int i = 0; i < DEALT_KIT_UNITS; i++) {
            EXPECT_EQ(g->delivered[e][i], 1);
        }
    }
    for (int i = 0; i < DEALT_KIT_HOSTS; i++) {
        EXPECT_EQ(g->guests[i].lost, 0);
        EXPECT_EQ(g->guests[i].refused, 0);
        EXPECT(g->guests[i].has_end);
        EXPECT_EQ(g->guests[i].end.status, STATUS_OK);
        EXPECT_EQ(g->guests[i].end.exit_code, 0);
    }
}

TEST(a_first_reign_leads_to_the_end)
{
    struct rig *g = open_rig();
    struct rig_reign *l = lead(g);

    EXPECT_EQ(reign_state(l->r), REIGN_RECOVERING);
    EXPECT(reign_session(l->r) == NULL);
    EXPECT(ledger_at(g, 0) == NULL);
    rig_serve(g, l);
    EXPECT_EQ(reign_state(l->r), REIGN_SERVING);
    EXPECT_EQ(session_phase(reign_session(l->r)), SESSION_JOINING);
    play_until(g, WIRE_PHASE_RUNNING);
    EXPECT(ledger_at(g, DEALT_KIT_TRAIN) != NULL);
    EXPECT(ledger_at(g, DEALT_KIT_CHANNELS) == NULL);
    EXPECT(ledger_at(g, WIRE_CHANNELS_MAX) == NULL);
    play(g);
    EXPECT_EQ(session_phase(reign_session(l->r)), SESSION_OVER);
    EXPECT_STR(reign_fault(l->r), "");
    expect_whole(g);
    close_rig(&g);
}

/* ---- Nothing is told before it is durable -------------------------------- */

TEST(grants_wait_for_the_journal)
{
    struct rig *g = open_rig();
    struct rig_reign *l = lead(g);
    uint64_t pulses;

    play_until(g, WIRE_PHASE_RUNNING);
    l->is_held = true;
    pulses = g->guests[1].pulses;
    for (int i = 0; i < 5; i++) {
        turn(g);
    }
    EXPECT_EQ(g->guests[0].grants, 0);
    EXPECT_EQ(g->guests[1].grants, 0);
    EXPECT(g->guests[1].pulses > pulses);
    EXPECT(ledger_lease_count(ledger_at(g, DEALT_KIT_TRAIN)) > 0);
    l->is_held = false;
    rig_serve(g, l);
    EXPECT(g->guests[0].grants > 0 && g->guests[1].grants > 0);
    EXPECT(g->guests[0].lease_count > 0 && g->guests[1].lease_count > 0);
    /* Of those that waited only the first and the last are left. */
    EXPECT(g->guests[0].grants <= 2);
    EXPECT_EQ(g->guests[0].grant.seq, g->guests[0].seq);
    play(g);
    expect_whole(g);
    close_rig(&g);
}

TEST(the_end_waits_for_the_journal)
{
    struct rig *g = open_rig();
    struct rig_reign *l = lead(g);

    play_until(g, WIRE_PHASE_RUNNING);
    while (!g->guests[0].is_over || g->guests[0].phase < WIRE_PHASE_DONE) {
        l->is_held = g->guests[0].is_over;
        turn(g);
    }
    l->is_held = true;
    play_until(g, WIRE_PHASE_DONE);
    for (int i = 0; i < 5; i++) {
        turn(g);
        EXPECT(!g->guests[0].has_end && !g->guests[1].has_end && !l->is_over);
    }
    l->is_held = false;
    play(g);
    expect_whole(g);
    close_rig(&g);
}

/* ---- The next one goes on ------------------------------------------------ */

/* Play a job whose first coordinator dies with its request @die_at. false: it
 * came to the end before that. */
static bool survive(struct rig *g, uint64_t die_at, bool dies_before)
{
    bool has_died;

    g->die_at = die_at;
    g->dies_before = dies_before;
    lead(g);
    play(g);
    has_died = g->lead->r == NULL;
    if (has_died) {
        g->now_ms += 2 * RIG_HEARTBEAT_MS;
        lead(g);
        play(g);
    }
    expect_whole(g);
    return has_died;
}

static void survive_each(uint64_t snapshot_bytes, bool acks_early)
{
    bool has_died = true;
    uint64_t died = 0;

    for (uint64_t at = 1; has_died; at++) {
        for (int before = 0; before < 2; before++) {
            struct rig *g = open_rig();

            g->snapshot_bytes = snapshot_bytes;
            g->acks_early = acks_early;
            has_died = survive(g, at, before == 1);
            died += has_died;
            close_rig(&g);
        }
    }
    EXPECT(died > 40);
}

TEST(a_death_at_any_request)
{
    survive_each(0, false);
}

TEST(a_death_at_any_request_with_snapshots)
{
    survive_each(600, false);
}

TEST(a_death_at_any_request_with_early_acks)
{
    survive_each(600, true);
}

TEST(several_deaths)
{
    for (uint64_t step = 5; step < 25; step++) {
        struct rig *g = open_rig();

        g->snapshot_bytes = 600;
        for (uint64_t i = 1; i < RIG_REIGNS_MAX; i++) {
            g->die_at = g->requests + step;
            lead(g);
            play(g);
        }
        g->die_at = 0;
        if (g->lead->r == NULL) {
            lead(g);
            play(g);
        }
        expect_whole(g);
        close_rig(&g);
    }
}

/* The outcome is the first one's, though nobody was told of it. */
TEST(an_outcome_is_kept)
{
    for (int is_told = 0; is_told < 2; is_told++) {
        struct rig *g = open_rig();
        struct rig_reign *l = lead(g);

        g->snapshot_bytes = is_told == 0 ? 0 : 400;
        play_until(g, WIRE_PHASE_RUNNING);
        g->guests[1].phase = WIRE_PHASE_DONE;
        g->guests[1].exit_code = 3;
        if (is_told == 0) {
            settle(g, l);
            rig_act(g, &g->guests[1]);
            EXPECT(!g->guests[1].has_end && l->call_count > 0);
            rig_kill(g, l, true);
        } else {
            turn(g);
            turn(g);
            EXPECT(g->guests[1].has_end);
            rig_kill(g, l, false);
        }
        g->guests[1].exit_code = 0;
        lead(g);
        play(g);
        for (int i = 0; i < DEALT_KIT_HOSTS; i++) {
            EXPECT(g->guests[i].has_end);
            EXPECT_EQ(g->guests[i].end.status, STATUS_PEER_FAILED);
            EXPECT_EQ(g->guests[i].end.exit_code, 3);
            EXPECT_STR(g->guests[i].end_text[0], "b");
            EXPECT_STR(g->guests[i].end_text[1], "ended with exit code 3");
        }
        close_rig(&g);
    }
}

/* Who was in is known: another process of that host is not let in, and loses
 * nothing for the first one. */
TEST(incarnations_are_kept)
{
    struct rig *g = open_rig();
    struct rig_guest other = {
        .peer = 300, .incarnation = "cc", .phase = WIRE_PHASE_JOINED};
    struct rig_guest first;
    uint64_t leases;

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    turn(g);
    rig_kill(g, g->lead, true);
    rig_serve(g, lead(g));
    leases = ledger_lease_count(ledger_at(g, DEALT_KIT_TRAIN));
    EXPECT(leases > 0);
    first = g->guests[1];
    g->guests[1] = other;
    rig_hello(g, &g->guests[1]);
    EXPECT_EQ(g->guests[1].refuse, STATUS_CLAIMED);
    EXPECT_EQ(g->guests[1].term, 0);
    g->guests[1] = first;
    EXPECT_EQ(ledger_lease_count(ledger_at(g, DEALT_KIT_TRAIN)), leases);
    play(g);
    expect_whole(g);
    close_rig(&g);
}

/* ---- The one before stops ------------------------------------------------ */

TEST(an_old_reign_is_deposed)
{
    struct rig *g = open_rig();
    struct rig_reign *old = lead(g);
    uint64_t sends;

    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    old->is_held = true; /* Its process sleeps with a write on its way. */
    turn(g);
    EXPECT(old->call_count > 0);
    rig_serve(g, lead(g));
    EXPECT_EQ(reign_state(g->lead->r), REIGN_SERVING);
    turn(g);
    turn(g);
    sends = old->sends;
    old->is_held = false;
    rig_serve(g, old);
    EXPECT_EQ(reign_state(old->r), REIGN_DEPOSED);
    rig_step(g, old, (struct reign_event){.type = REIGN_EVENT_TIMER});
    EXPECT_EQ(old->sends, sends);
    EXPECT_EQ(old->timer_ms, UINT64_MAX);
    EXPECT_EQ(old->call_count, 0);
    play(g);
    expect_whole(g);
    close_rig(&g);
}

/* It has heard words meanwhile, and decided; nobody may learn of it. */
TEST(an_old_reign_says_nothing_of_what_it_decides)
{
    struct rig *g = open_rig();
    struct rig_reign *old = lead(g);
    struct rig_reign *new;
    uint64_t grants;

    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    old->is_held = true;
    new = lead(g);
    rig_serve(g, new);
    g->lead = old;
    grants = g->guests[0].grants + g->guests[1].grants;
    for (int i = 0; i < 4; i++) {
        turn(g);
    }
    EXPECT(old->call_count > 0);
    EXPECT_EQ(g->guests[0].grants + g->guests[1].grants, grants);
    old->is_held = false;
    rig_serve(g, old);
    EXPECT_EQ(reign_state(old->r), REIGN_DEPOSED);
    EXPECT_EQ(g->guests[0].grants + g->guests[1].grants, grants);
    g->lead = new;
    play(g);
    expect_whole(g);
    close_rig(&g);
}

/* ---- Words --------------------------------------------------------------- */

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

    reign_report(g->lead->r, &text);
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

/* The store is away while what was dealt is looked for. */
TEST(loading_is_tried_again)
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
    g->lead->do_prepare = REIGN_PREPARE_NOTHING;
    rig_step(g, g->lead,
             (struct reign_event){.type = REIGN_EVENT_PREPARED,
                                  .status = STATUS_STORE,
                                  .text = "away"});
    EXPECT_EQ(g->lead->do_prepare, REIGN_LOAD);
    EXPECT_EQ(reign_state(g->lead->r), REIGN_LOADING);
    play(g);
    expect_whole(g);
    close_rig(&g);
}
