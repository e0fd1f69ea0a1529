/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that have ended, and reigns that can't go on. */
#include "coordinator/reign.h"

#include "tests/harness.h"
#include "tests/unit/reign_job.h"

static struct wire_message ask_state(void)
{
    return (struct wire_message){.type = WIRE_ASK, .ask = {1, WIRE_ASK_STATE}};
}

static bool reports(struct rig *g, const char *text)
{
    uint64_t before = g->reports;

    rig_say(g, RIG_VISITOR, ask_state());
    EXPECT_EQ(g->reports, before + 1);
    return strstr(buf_text(&g->report), text) != NULL;
}

/* ---- A host has ended ----------------------------------------------------
 */

/* Host 1 ends with @exit_code, then its process and the coordinator die. */
static struct rig *open_gone(uint64_t snapshot_bytes, bool keeps,
                             uint64_t exit_code)
{
    struct rig *g = open_rig();

    g->keeps_on_failure = keeps;
    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    g->snapshot_bytes = snapshot_bytes;
    rig_kill(g, g->lead, true);
    lead(g); /* This one makes snapshots, if it is to. */
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    turn(g);
    g->guests[1].phase = WIRE_PHASE_DONE;
    g->guests[1].exit_code = exit_code;
    turn(g);
    g->guests[1].is_away = true;
    for (int i = 0; i < 4 && g->lead->r != NULL; i++) {
        turn(g);
        settle(g, g->lead);
    }
    EXPECT(!g->lead->is_over);
    EXPECT_EQ(session_host(reign_session(g->lead->r), 1).phase,
              WIRE_PHASE_DONE);
    rig_kill(g, g->lead, true);
    return g;
}

TEST(who_has_ended_and_gone_is_not_lost)
{
    for (int keeps = 0; keeps < 2; keeps++) {
        for (uint64_t bytes = 0; bytes <= 200; bytes += 200) {
            struct rig *g = open_gone(bytes, keeps == 1, 0);
            uint64_t since_ms = g->now_ms;
            struct session_outcome outcome;

            lead(g);
            play(g);
            outcome = session_outcome(reign_session(g->lead->r));
            EXPECT_EQ(outcome.status, STATUS_OK);
            EXPECT(g->guests[0].has_end);
            EXPECT_EQ(g->guests[0].end.status, STATUS_OK);
            EXPECT(g->now_ms - since_ms < RIG_TIMEOUT_MS);
            EXPECT(bytes == 0 || ledger_is_over(ledger_at(g, DEALT_KIT_TRAIN)));
            close_rig(&g);
        }
    }
}

/* The static share that it had is committed before it counts as ended. */
TEST(what_it_had_was_committed)
{
    struct rig *g = open_gone(0, true, 0);
    const struct ledger *l;

    rig_serve(g, lead(g));
    l = ledger_at(g, 1 - DEALT_KIT_TRAIN);
    EXPECT(l != NULL && ranges_size(ledger_committed(l)) > 0);
    close_rig(&g);
}

TEST(a_failure_is_kept_too)
{
    for (uint64_t bytes = 0; bytes <= 200; bytes += 200) {
        struct rig *g = open_gone(bytes, true, 3);
        struct session_outcome outcome;

        lead(g);
        play(g);
        outcome = session_outcome(reign_session(g->lead->r));
        EXPECT_EQ(outcome.status, STATUS_PEER_FAILED);
        EXPECT_EQ(outcome.exit_code, 3);
        EXPECT_STR(outcome.host, "b");
        EXPECT_STR(outcome.reason, "ended with exit code 3");
        close_rig(&g);
    }
}

/* ---- Before and after it serves ------------------------------------------
 */

TEST(who_asks_is_told_that_it_recovers)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    rig_kill(g, g->lead, true);
    lead(g);
    EXPECT_EQ(reign_state(g->lead->r), REIGN_RECOVERING);
    g->now_ms += 700;
    EXPECT(reports(g, "\"leader\":\"b\",\"phase\":\"recovering\","
                      "\"since_ms\":700,"));
    while (g->lead->do_prepare == REIGN_PREPARE_NOTHING) {
        rig_answer(g, g->lead);
    }
    EXPECT_EQ(reign_state(g->lead->r), REIGN_LOADING);
    EXPECT(reports(g, "\"phase\":\"loading\""));
    EXPECT(strstr(buf_text(&g->report), "\"outcome\":null") != NULL);
    rig_serve(g, g->lead);
    EXPECT(reports(g, "\"phase\":\"joining\""));
    play(g);
    expect_whole(g);
    close_rig(&g);
}

TEST(what_the_network_has_met_is_told)
{
    struct rig *g = open_rig();
    struct net_counts counts = {.accepted = 5, .refused = 2, .flooded = 9};
    struct wire_message m = ask_state();

    rig_serve(g, lead(g));
    memcpy(m.job, DEALT_KIT_RUN, sizeof(DEALT_KIT_RUN));
    m.term = g->lead->term;
    EXPECT(!reports(g, "\"net\""));
    rig_step(g, g->lead,
             (struct reign_event){.type = REIGN_EVENT_MESSAGE,
                                  .peer = RIG_VISITOR,
                                  .message = &m,
                                  .net = &counts});
    EXPECT(strstr(buf_text(&g->report),
                  "\"net\":{\"accepted\":5,\"admitted\":0,\"refused\":2,"
                  "\"unproved\":0,\"ended\":0,\"malformed\":0,"
                  "\"flooded\":9,\"expired\":0}}") != NULL);
    EXPECT(strstr(buf_text(&g->report),
                  "\"budget\":{\"limit_per_1000s\":0,\"window_ms\":0,"
                  "\"window_requests\":0,\"window_throttled\":0,"
                  "\"requests\":0,\"throttled\":0}") != NULL);
    close_rig(&g);
}

static const char broken_text[] = "the coordinator on b can't go on: the "
                                  "journal tells of a channel that was not "
                                  "dealt";

/* Host @number is told the reason, whatever it says. */
static void expect_told(struct rig *g, uint32_t number)
{
    struct rig_guest *h = &g->guests[number];

    h->term = g->lead->term;
    h->has_end = false;
    rig_hello(g, h);
    EXPECT(h->has_end);
    EXPECT_EQ(h->end.status, STATUS_MALFORMED);
    EXPECT_EQ(h->end.exit_code, 65);
    EXPECT_STR(h->end_text[0], "");
    EXPECT_STR(h->end_text[1], broken_text);
    h->has_end = false;
    rig_say(g, h->peer,
            (struct wire_message){.type = WIRE_DONE, .done = {.exit_code = 0}});
    EXPECT(h->has_end);
}

TEST(a_state_that_is_damaged_is_told_to_all)
{
    struct rig *g = open_rig();

    lead(g);
    play_until(g, WIRE_PHASE_RUNNING);
    turn(g);
    rig_kill(g, g->lead, true);
    buf_clear(&g->dealt);
    rig_serve(g, lead(g));
    EXPECT_EQ(reign_state(g->lead->r), REIGN_BROKEN);
    expect_told(g, 0);
    expect_told(g, 1);
    EXPECT(reports(g, "\"phase\":\"broken\""));
    EXPECT(strstr(buf_text(&g->report), broken_text) != NULL);
    EXPECT_EQ(g->lead->timer_ms, UINT64_MAX);
    g->until_ms = g->now_ms; /* Another may lead, and know better. */
    g->guests[0].has_end = false;
    rig_hello(g, &g->guests[0]);
    EXPECT(!g->guests[0].has_end);
    close_rig(&g);
}

/* Something stands where the next object of the journal is to be written, and
 * is none: the coordinator that serves can't write any more. */
TEST(a_journal_that_breaks_is_told_to_all)
{
    struct rig *g = open_rig();
    struct rig_reign *l = lead(g);
    struct kit_object *o;

    play_until(g, WIRE_PHASE_RUNNING);
    l->is_held = true;
    while (l->call_count == 0 || l->calls[0].request.ask != JOURNAL_CREATE) {
        turn(g);
    }
    o = kit_find(g->store, l->calls[0].request.key);
    EXPECT_EQ(o->etag, 0);
    buf_add_text(&o->body, "nonsense");
    o->etag = ++g->store->etags;
    l->is_held = false;
    for (int i = 0; i < 40 && reign_state(l->r) == REIGN_SERVING; i++) {
        turn(g);
    }
    EXPECT_EQ(reign_state(l->r), REIGN_BROKEN);
    for (int i = 0; i < DEALT_KIT_HOSTS; i++) {
        EXPECT(g->guests[i].has_end);
        EXPECT_EQ(g->guests[i].end.status, STATUS_MALFORMED);
        EXPECT(strncmp(g->guests[i].end_text[1],
                       "the coordinator on a can't go on: journal/", 42) == 0);
    }
    EXPECT(reports(g, "\"outcome\":{\"status\":\"MALFORMED\""));
    g->guests[0].has_end = false;
    rig_act(g, &g->guests[0]); /* It has ended, and says so. */
    EXPECT(g->guests[0].has_end);
    rig_act(g, &g->guests[1]);
    EXPECT_EQ(session_phase(reign_session(l->r)), SESSION_OVER);
    close_rig(&g);
}
