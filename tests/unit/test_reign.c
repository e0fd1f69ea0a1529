/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/reign.h"

#include "tests/harness.h"
#include "tests/unit/reign_job.h"

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

/* The outcome is the first one's, for those who were not told, too. */
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
            EXPECT(!g->guests[0].is_over && l->call_count > 0);
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

/* ---- The lease has run out ----------------------------------------------- */

/* Another host may lead: what it might contradict is not said. */
TEST(nothing_is_granted_beyond_the_lease)
{
    struct rig *g = open_rig();
    uint64_t pulses;
    uint64_t grants;

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    settle(g, g->lead);
    pulses = g->guests[1].pulses;
    grants = g->guests[0].grants + g->guests[1].grants;
    g->until_ms = g->now_ms;
    for (int i = 0; i < 5; i++) {
        turn(g);
        settle(g, g->lead);
    }
    EXPECT_EQ(g->guests[0].grants + g->guests[1].grants, grants);
    EXPECT(g->guests[1].pulses > pulses);
    EXPECT_EQ(reign_state(g->lead->r), REIGN_SERVING);
    g->until_ms = UINT64_MAX; /* It was renewed. */
    play(g);
    expect_whole(g);
    close_rig(&g);
}

TEST(nobody_is_refused_or_sent_home_beyond_the_lease)
{
    struct rig *g = open_rig();
    struct rig_guest first;

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    g->until_ms = 1;
    first = g->guests[1];
    g->guests[1] = (struct rig_guest){.peer = 300, .incarnation = "cc"};
    rig_hello(g, &g->guests[1]);
    EXPECT_EQ(g->guests[1].refuse, STATUS_OK);
    g->guests[1] = first;
    g->guests[1].phase = WIRE_PHASE_DONE;
    g->guests[1].exit_code = 3;
    for (int i = 0; i < 5; i++) {
        turn(g);
        settle(g, g->lead);
    }
    EXPECT(!g->guests[0].has_end && !g->guests[1].has_end);
    g->until_ms = 0;
    play(g);
    EXPECT(g->guests[0].has_end && g->guests[1].has_end);
    EXPECT_EQ(g->guests[0].end.exit_code, 3);
    close_rig(&g);
}
