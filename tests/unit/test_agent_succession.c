/* SPDX-License-Identifier: Apache-2.0 */
/* What a host does when another coordinator takes over, or none answers. */
#include "worker/agent.h"

#include <signal.h>

#include "tests/harness.h"
#include "tests/unit/agent_kit.h"

/* As open_at(), and what follows RUNNING as well. */
static struct bench open_far(enum agent_state state)
{
    struct bench b = open_at(state < AGENT_RUNNING ? state : AGENT_RUNNING);

    if (state == AGENT_STOPPING) {
        kick(&b, SIGTERM);
    }
    if (state >= AGENT_SAVING) {
        exited(&b, 3, 0);
    }
    if (state >= AGENT_REPORTING) {
        get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
    }
    EXPECT_EQ(agent_state(b.agent), state);
    return b;
}

static void follow(struct bench *b, const char *leader)
{
    b->term++;
    step(b, (struct agent_event){.type = AGENT_EVENT_COORDINATOR,
                                 .leader = leader,
                                 .term = b->term});
}

/* One row a state: what it is called, what the new one hears at once. */
TEST(another_coordinator_is_told_where_it_stands)
{
    static const struct {
        enum wire_phase phase;
        const char *said;
    } rows[] = {
        [AGENT_JOINING] = {WIRE_PHASE_ABSENT, "HELLO "},
        [AGENT_WAITING] = {WIRE_PHASE_JOINED, "HELLO BEAT "},
        [AGENT_BRINGING] = {WIRE_PHASE_BRINGING, "HELLO BEAT "},
        [AGENT_READY] = {WIRE_PHASE_READY, "HELLO BEAT "},
        [AGENT_RUNNING] = {WIRE_PHASE_RUNNING, "HELLO BEAT "},
        [AGENT_STOPPING] = {WIRE_PHASE_STOPPING, "HELLO BEAT "},
        [AGENT_SAVING] = {WIRE_PHASE_SAVING, "HELLO BEAT "},
        [AGENT_REPORTING] = {WIRE_PHASE_DONE, "HELLO BEAT DONE "},
    };

    for (int i = AGENT_JOINING; i < AGENT_OVER; i++) {
        struct bench b = open_far((enum agent_state)i);

        follow(&b, "algo-2");
        EXPECT_STR(asked(&b), rows[i].said);
        EXPECT_EQ(b.fx.sends[0].hello.phase, rows[i].phase);
        EXPECT(bytes_is(b.fx.sends[0].hello.incarnation, "1f"));
        EXPECT_EQ(agent_state(b.agent), i);
        b.term--; /* The old one's words have come too late. */
        hear_end(&b, STATUS_LOST, "algo-3", "late");
        EXPECT_EQ(agent_state(b.agent), i);
        b.term++;
        tick(&b, HEARTBEAT); /* Nobody has answered: once more. */
        EXPECT_STR(asked(&b), rows[i].said);
        hear(&b, (struct wire_message){.type = WIRE_WELCOME,
                                       .welcome = {HEARTBEAT, HOST_TIMEOUT}});
        tick(&b, HEARTBEAT);
        EXPECT_STR(asked(&b), i <= AGENT_WAITING ? "BEAT " : rows[i].said + 6);
        end(&b);
    }
}

/* It is asked for no longer than any other coordinator. */
TEST(the_new_coordinator_may_be_silent_too)
{
    struct bench b = open_at(AGENT_RUNNING);

    tick(&b, HEARTBEAT);
    tick(&b, HOST_TIMEOUT - 1);
    follow(&b, "algo-2");
    tick(&b, HOST_TIMEOUT - 1);
    EXPECT_STR(asked(&b), "HELLO BEAT ");
    tick(&b, 1);
    EXPECT_STR(asked(&b), "kill15 ");
    exited(&b, 0, 0);
    get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
    EXPECT_STR(outcome(&b), "LOST 75 the coordinator on algo-2 was not heard "
                            "of for 10 s");
    end(&b);
}

TEST(a_run_that_ends_without_this_host)
{
    static const struct {
        const char *asked;
        const char *outcome; /* Once nothing runs any more. */
    } rows[] = {
        [AGENT_JOINING] = {"+over ", "LOST 75 the coordinator on algo-9 ended "
                                     "the job without this launch of algo-1"},
        [AGENT_WAITING] = {"+over ", "LOST 75 the coordinator on algo-9 ended "
                                     "the job without this host"},
        [AGENT_BRINGING] = {"+cancel ", "LOST 75 "},
        [AGENT_READY] = {"+over ", "LOST 75 "},
        [AGENT_RUNNING] = {"kill15 ", "LOST 3 "},
        [AGENT_STOPPING] = {"", "LOST 3 "},
        [AGENT_SAVING] = {"", "OK 3 the command exited with 3"},
        [AGENT_REPORTING] = {"+over ", "OK 3 the command exited with 3"},
    };

    for (int i = AGENT_JOINING; i < AGENT_OVER; i++) {
        struct bench b = open_far((enum agent_state)i);

        step(&b, (struct agent_event){.type = AGENT_EVENT_OVER});
        EXPECT_STR(asked(&b), rows[i].asked);
        if (i == AGENT_BRINGING) {
            get(&b, AGENT_EVENT_BROUGHT, STATUS_STOPPED, NULL);
        } else if (i == AGENT_RUNNING || i == AGENT_STOPPING) {
            exited(&b, 3, 0);
        }
        if (i >= AGENT_RUNNING && i <= AGENT_SAVING) {
            get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
        }
        EXPECT_STR(asked(&b), "+over "); /* Nobody is there to be told. */
        EXPECT(strncmp(outcome(&b), rows[i].outcome, strlen(rows[i].outcome)) ==
               0);
        end(&b);
    }
}

/* Another process is this host now: what this one's command has written is
 * not saved over what that one saves. */
TEST(who_was_replaced_saves_nothing)
{
    struct bench b = open_at(AGENT_RUNNING);

    step(&b,
         (struct agent_event){.type = AGENT_EVENT_OVER, .is_replaced = true});
    EXPECT_STR(asked(&b), "kill15 ");
    exited(&b, 0, 0);
    EXPECT_STR(asked(&b), "+over ");
    EXPECT_EQ(agent_outcome(b.agent).status, STATUS_CLAIMED);
    EXPECT(strstr(outcome(&b), "another one has its place") != NULL);
    end(&b);
    b = open_at(AGENT_RUNNING);
    hear_refuse(&b, STATUS_CLAIMED);
    EXPECT_STR(asked(&b), "kill15 ");
    exited(&b, 3, 0);
    EXPECT_STR(asked(&b), "+over ");
    end(&b);
}

/* A host that has reported waits for END, but not against a person's will. */
TEST(a_stop_signal_ends_the_wait_for_the_end)
{
    static const int rows[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

    for (int i = 0; i < 4; i++) {
        struct bench b = open_far(AGENT_REPORTING);

        kick(&b, SIGUSR1);
        EXPECT_STR(asked(&b), "");
        kick(&b, rows[i]);
        EXPECT_STR(asked(&b), "+over ");
        EXPECT_STR(outcome(&b), "OK 3 the command exited with 3");
        end(&b);
    }
}

/* Whoever has slept has not been silent to, as long as it has not asked. */
TEST(silence_counts_from_the_first_unanswered_word)
{
    struct bench b = open_at(AGENT_RUNNING);

    tick(&b, HEARTBEAT);
    hear(&b, (struct wire_message){.type = WIRE_PULSE});
    tick(&b, 10 * HOST_TIMEOUT);
    EXPECT_STR(asked(&b), "BEAT ");
    EXPECT(!agent_is_unanswered(b.agent));
    tick(&b, HEARTBEAT + HEARTBEAT / 2);
    EXPECT(!agent_is_unanswered(b.agent));
    tick(&b, 1);
    EXPECT(agent_is_unanswered(b.agent));
    tick(&b, HOST_TIMEOUT - HEARTBEAT - HEARTBEAT / 2 - 2);
    EXPECT_STR(asked(&b), "HELLO BEAT ");
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1);
    hear(&b, (struct wire_message){.type = WIRE_PULSE});
    EXPECT(!agent_is_unanswered(b.agent));
    tick(&b, HOST_TIMEOUT);
    EXPECT_EQ(agent_state(b.agent), AGENT_RUNNING);
    tick(&b, HOST_TIMEOUT);
    EXPECT_STR(asked(&b), "HELLO BEAT kill15 ");
    end(&b);
}
