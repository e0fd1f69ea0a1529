/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that go on where another coordinator has stopped, and hosts that
 * come back. */
#include "coordinator/session.h"

#include "tests/harness.h"
#include "tests/unit/session_kit.h"

/* Host 1 and host 2 were let in before. */
static const char *const both[] = {"1f", "1f"};

static struct bench open_resumed(bool keeps)
{
    return open_as(2, (struct session_options){.incarnations = both,
                                               .keeps_on_failure = keeps});
}

static struct bench open_ended(const struct session_outcome *ended)
{
    return open_as(
        2, (struct session_options){.incarnations = both, .ended = ended});
}

static const struct session_outcome lost_two = {STATUS_LOST, 75, "algo-2",
                                                "not heard of for 30 s"};
static const struct session_outcome well = {STATUS_OK, 0, "", ""};

/* Host @number says HELLO in process @incarnation, and where it stands. */
static void come(struct bench *b, uint32_t number, const char *incarnation,
                 enum wire_phase phase)
{
    struct wire_message m = hello(number, b->count);

    m.hello.incarnation = bytes_of(incarnation);
    m.hello.phase = phase;
    say(b, number, m);
}

/* The notices of the last step, as "0:ENTER 1:GONE". */
static const char *news(const struct bench *b)
{
    static const char *const names[] = {"ENTER", "START", "DONE", "GONE"};
    static char text[256];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < b->fx.notice_count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d:%s",
                                 i == 0 ? "" : " ", (int)b->fx.notices[i].host,
                                 names[b->fx.notices[i].news]);
    }
    return text;
}

static enum wire_phase phase_of(const struct bench *b, uint32_t number)
{
    return session_host(b->session, number - 1).phase;
}

/* ---- Resumed ------------------------------------------------------------- */

TEST(each_host_says_where_it_stands)
{
    struct bench b = open_resumed(false);

    EXPECT_EQ(session_phase(b.session), SESSION_JOINING);
    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    EXPECT_STR(sent(&b), "1:WELCOME");
    EXPECT_STR(news(&b), "0:ENTER");
    EXPECT_EQ(phase_of(&b, 1), WIRE_PHASE_RUNNING);
    EXPECT_EQ(session_phase(b.session), SESSION_JOINING);
    come(&b, 2, "1f", WIRE_PHASE_READY);
    EXPECT(!b.fx.do_prepare);
    EXPECT_STR(sent(&b), "2:WELCOME 2:START");
    EXPECT_STR(news(&b), "1:ENTER 1:START");
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    done(&b, 1, 0, "");
    done(&b, 2, 0, "");
    EXPECT_STR(news(&b), "1:DONE");
    EXPECT_STR(outcome(&b), "OK 0 : ");
    EXPECT(b.fx.is_over);
    end(&b);
}

TEST(who_has_no_share_yet_is_given_one)
{
    struct bench b = open_resumed(false);

    come(&b, 1, "1f", WIRE_PHASE_JOINED);
    come(&b, 2, "1f", WIRE_PHASE_BRINGING);
    EXPECT_EQ(session_phase(b.session), SESSION_BRINGING);
    beat(&b, 1, WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "1:PULSE 1:SHARE");
    ready(&b, 1);
    EXPECT_STR(sent(&b), "");
    ready(&b, 2);
    EXPECT_STR(sent(&b), "1:START 2:START");
    end(&b);
}

/* A HELLO does not end anything: DONE does. */
TEST(a_host_that_has_ended_reports_again)
{
    struct bench b = open_resumed(false);

    come(&b, 1, "1f", WIRE_PHASE_DONE);
    EXPECT_EQ(phase_of(&b, 1), WIRE_PHASE_JOINED);
    done(&b, 1, 0, "");
    EXPECT_EQ(phase_of(&b, 1), WIRE_PHASE_DONE);
    EXPECT_STR(news(&b), "0:DONE");
    come(&b, 2, "1f", WIRE_PHASE_SAVING);
    done(&b, 2, 0, "");
    EXPECT_STR(outcome(&b), "OK 0 : ");
    EXPECT_STR(sent(&b), "1:END 2:END");
    end(&b);
}

TEST(who_is_not_back_in_time_is_lost)
{
    struct bench b = open_resumed(false);

    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    tick(&b, HOST_TIMEOUT - 1);
    EXPECT_EQ(session_phase(b.session), SESSION_JOINING);
    beat(&b, 1, WIRE_PHASE_RUNNING);
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1);
    tick(&b, 1);
    EXPECT_STR(news(&b), "1:GONE");
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    EXPECT_STR(sent(&b), "1:END");
    end(&b);
}

TEST(the_others_go_on_without_it)
{
    struct bench b = open_resumed(true);

    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    b.now_ms += HOST_TIMEOUT - 1;
    beat(&b, 1, WIRE_PHASE_RUNNING);
    tick(&b, 1);
    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_LOST);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_RUNNING);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

/* While the process that is known may come back, another is not let in. */
TEST(another_process_has_to_wait)
{
    struct bench b = open_resumed(true);

    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(refusal(&b), "CLAIMED host algo-2 takes part already, in "
                            "another process, heard of 0 ms ago");
    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    b.now_ms += HOST_TIMEOUT - 1;
    beat(&b, 1, WIRE_PHASE_RUNNING);
    tick(&b, 1);
    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_STR(news(&b), "1:ENTER");
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_EQ(b.fx.sends[0].message.refuse.status, STATUS_CLAIMED);
    end(&b);
}

/* Nobody is known of host 2. */
TEST(a_host_that_was_not_in_may_come)
{
    static const char *const first[] = {"1f", ""};
    struct bench b =
        open_as(2, (struct session_options){.incarnations = first});

    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_STR(news(&b), "1:ENTER");
    EXPECT_STR(session_host(b.session, 1).incarnation, "2e");
    end(&b);
}

TEST(a_sleep_while_hosts_are_awaited)
{
    struct bench b = open_resumed(false);

    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    b.now_ms += 2 * HOST_TIMEOUT;
    step(&b, (struct session_event){.type = SESSION_EVENT_WOKE,
                                    .slept_ms = 2 * HOST_TIMEOUT});
    tick(&b, 0);
    EXPECT_EQ(session_phase(b.session), SESSION_JOINING);
    tick(&b, HOST_TIMEOUT - 1);
    EXPECT_EQ(session_phase(b.session), SESSION_JOINING);
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    end(&b);
}

/* More is excused than there was: nobody is heard of in the future. */
TEST(a_sleep_that_is_told_too_long)
{
    struct bench b = open_resumed(false);

    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    step(&b, (struct session_event){.type = SESSION_EVENT_WOKE,
                                    .slept_ms = UINT64_MAX});
    tick(&b, HOST_TIMEOUT - 1);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    tick(&b, 1000);
    EXPECT_EQ(session_phase(b.session), SESSION_OVER);
    end(&b);
}

/* ---- Some have ended ----------------------------------------------------- */

static const struct session_done two_is_done[] = {{.is_done = false},
                                                  {true, STATUS_OK, 0, ""}};
static const struct session_done two_has_failed[] = {
    {.is_done = false}, {true, STATUS_OK, 3, "it broke"}};
static const struct session_done all_are_done[] = {{true, STATUS_OK, 0, ""},
                                                   {true, STATUS_OK, 0, ""}};

static struct bench open_done(const struct session_done *done, bool keeps)
{
    return open_as(2, (struct session_options){.incarnations = both,
                                               .done = done,
                                               .keeps_on_failure = keeps});
}

/* Host 2 is gone by now, and nobody waits for it. */
TEST(who_had_ended_need_not_come_back)
{
    struct bench b = open_done(two_is_done, false);

    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_DONE);
    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    b.now_ms += HOST_TIMEOUT - 1;
    beat(&b, 1, WIRE_PHASE_RUNNING);
    tick(&b, 1);
    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_DONE);
    done(&b, 1, 0, "");
    EXPECT_STR(sent(&b), "1:END");
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

/* It is here after all, and is told END like the others. */
TEST(who_had_ended_may_ask_for_the_end)
{
    struct bench b = open_done(two_is_done, false);

    come(&b, 1, "1f", WIRE_PHASE_SAVING);
    done(&b, 1, 0, "");
    EXPECT_EQ(session_phase(b.session), SESSION_OVER);
    EXPECT(!b.fx.is_over);
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 2000);
    come(&b, 2, "1f", WIRE_PHASE_DONE);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_STR(news(&b), "");
    EXPECT(!b.fx.is_over);
    done(&b, 2, 0, "");
    EXPECT_STR(sent(&b), "2:END");
    EXPECT(b.fx.is_over);
    end(&b);
}

TEST(who_had_ended_has_two_beats_to_ask)
{
    struct bench b = open_done(all_are_done, false);

    tick(&b, 0);
    EXPECT_EQ(session_phase(b.session), SESSION_OVER);
    tick(&b, 1999);
    EXPECT(!b.fx.is_over);
    tick(&b, 1);
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

TEST(another_process_of_a_host_that_had_ended)
{
    struct bench b = open_done(two_is_done, true);

    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(refusal(&b),
               "REFUSED the job has begun without this launch of algo-2");
    end(&b);
}

/* In keep mode it stays the job's outcome; else the host is awaited, since
 * its failure ends the job for those who are not back yet. */
TEST(a_failure_that_was_kept)
{
    struct bench b = open_done(two_has_failed, true);

    EXPECT_STR(outcome(&b), "PEER_FAILED 3 algo-2: it broke");
    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    end(&b);
    b = open_done(two_has_failed, false);
    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_ABSENT);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

/* Of a process that was never let in nothing is believed. */
TEST(an_end_of_nobody)
{
    static const char *const first[] = {"1f", ""};
    struct bench b = open_as(2, (struct session_options){
                                    .incarnations = first,
                                    .done = two_is_done,
                                });

    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_ABSENT);
    end(&b);
}

TEST(an_end_that_all_had_come_to)
{
    struct bench b = open_as(2, (struct session_options){.incarnations = both,
                                                         .done = all_are_done,
                                                         .ended = &well});

    session_check(b.session);
    EXPECT_EQ(session_phase(b.session), SESSION_OVER);
    tick(&b, 0);
    EXPECT(!b.fx.is_over && !b.fx.do_keep_end);
    come(&b, 2, "1f", WIRE_PHASE_DONE);
    done(&b, 2, 0, "");
    EXPECT_STR(sent(&b), "2:END");
    tick(&b, 2000);
    EXPECT(b.fx.is_over);
    end(&b);
}

/* ---- It has ended -------------------------------------------------------- */

TEST(an_outcome_is_told_to_who_asks)
{
    struct bench b = open_ended(&lost_two);

    EXPECT_EQ(session_phase(b.session), SESSION_ENDING);
    come(&b, 1, "1f", WIRE_PHASE_RUNNING);
    EXPECT(!b.fx.do_keep_end && !b.fx.do_prepare);
    beat(&b, 1, WIRE_PHASE_RUNNING);
    EXPECT_STR(sent(&b), "1:PULSE 1:END");
    EXPECT_EQ(b.fx.sends[1].message.end.status, STATUS_LOST);
    EXPECT(bytes_is(b.fx.sends[1].message.end.host, "algo-2"));
    done(&b, 1, 0, "");
    EXPECT_STR(sent(&b), "1:END");
    EXPECT(!b.fx.is_over);
    tick(&b, HOST_TIMEOUT);
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    end(&b);
}

/* The host whose loss it was lives, and is told the same. */
TEST(what_has_ended_is_not_forgiven)
{
    struct bench b = open_ended(&lost_two);

    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    beat(&b, 2, WIRE_PHASE_RUNNING);
    EXPECT_EQ(b.fx.sends[1].message.end.status, STATUS_LOST);
    end(&b);
}

TEST(a_good_end_stays_good)
{
    struct bench b = open_ended(&well);

    come(&b, 1, "1f", WIRE_PHASE_JOINED);
    done(&b, 1, 3, "it broke");
    EXPECT_STR(sent(&b), "1:END");
    EXPECT_EQ(b.fx.sends[0].message.end.status, STATUS_OK);
    tick(&b, HOST_TIMEOUT);
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

/* ---- The end is kept first ----------------------------------------------- */

static struct bench open_kept(void)
{
    struct bench b = open_as(2, (struct session_options){.keeps_end = true});

    join_all(&b);
    prepared(&b);
    ready(&b, 1);
    ready(&b, 2);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    EXPECT(!b.fx.do_keep_end);
    return b;
}

/* Another coordinator would find it, too: nobody has to wait. */
TEST(a_failure_is_told_while_it_is_being_kept)
{
    struct bench b = open_kept();

    done(&b, 2, 3, "it broke");
    EXPECT_STR(sent(&b), "1:END 2:END 2:END");
    EXPECT_EQ(b.fx.sends[0].message.end.exit_code, 3);
    EXPECT(b.fx.do_keep_end);
    done(&b, 1, 143, "stopped");
    EXPECT_STR(sent(&b), "1:END");
    EXPECT(b.fx.do_keep_end && !b.fx.is_over);
    step(&b, (struct session_event){.type = SESSION_EVENT_END_KEPT});
    EXPECT_STR(sent(&b), "1:END 2:END");
    EXPECT(!b.fx.do_keep_end && b.fx.is_over);
    end(&b);
}

TEST(a_good_end_is_kept_before_it_is_told)
{
    struct bench b = open_kept();

    done(&b, 1, 0, "");
    EXPECT(!b.fx.do_keep_end);
    done(&b, 2, 0, "");
    EXPECT_STR(sent(&b), "");
    EXPECT_EQ(session_phase(b.session), SESSION_OVER);
    EXPECT(b.fx.do_keep_end && !b.fx.is_over);
    step(&b, (struct session_event){.type = SESSION_EVENT_END_KEPT});
    EXPECT_STR(sent(&b), "1:END 2:END");
    EXPECT(b.fx.is_over);
    done(&b, 2, 0, ""); /* It has missed that. */
    EXPECT_STR(sent(&b), "2:END");
    end(&b);
}

/* ---- Lost, and back ------------------------------------------------------ */

/* Host 2 of @count is lost; the others are heard. */
static struct bench open_lost(uint32_t count)
{
    struct bench b = open_running(count, true);

    b.now_ms += HOST_TIMEOUT - 1;
    for (uint32_t i = 1; i <= count; i++) {
        if (i != 2) {
            beat(&b, i, WIRE_PHASE_RUNNING);
        }
    }
    tick(&b, 1000);
    EXPECT_STR(news(&b), "1:GONE");
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    return b;
}

TEST(a_lost_host_comes_back)
{
    struct bench b = open_lost(2);

    beat(&b, 2, WIRE_PHASE_RUNNING);
    EXPECT_STR(sent(&b), ""); /* It has to say HELLO. */
    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_LOST);
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_EQ(phase_of(&b, 2), WIRE_PHASE_RUNNING);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    done(&b, 1, 0, "");
    done(&b, 2, 0, "");
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

TEST(another_process_takes_the_place_of_a_lost_one)
{
    struct bench b = open_lost(2);

    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_STR(news(&b), "1:ENTER");
    EXPECT_STR(outcome(&b), "OK 0 : ");
    beat(&b, 2, WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "2:PULSE 2:SHARE");
    ready(&b, 2);
    beat(&b, 2, WIRE_PHASE_READY);
    EXPECT_STR(sent(&b), "2:PULSE 2:START");
    EXPECT_STR(news(&b), "1:START");
    end(&b);
}

/* Its silence is as long as it has to be, but nobody has looked since. */
TEST(another_process_comes_at_the_very_moment)
{
    struct bench b = open_running(2, true);

    b.now_ms += HOST_TIMEOUT - 1;
    beat(&b, 1, WIRE_PHASE_RUNNING);
    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(refusal(&b), "CLAIMED host algo-2 takes part already, in "
                            "another process, heard of 29999 ms ago");
    b.now_ms += 1;
    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "2:WELCOME");
    EXPECT_STR(news(&b), "1:GONE 1:ENTER");
    EXPECT_STR(outcome(&b), "OK 0 : ");
    end(&b);
}

/* Another host has failed as well: that remains. */
TEST(what_others_did_is_not_forgiven)
{
    struct bench b = open_lost(3);

    done(&b, 3, 4, "it broke");
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_STR(outcome(&b), "PEER_FAILED 4 algo-3: it broke");
    end(&b);
}

TEST(when_all_the_others_have_ended_it_is_too_late)
{
    struct bench b = open_lost(2);

    done(&b, 1, 0, "");
    EXPECT(b.fx.is_over);
    come(&b, 2, "1f", WIRE_PHASE_RUNNING);
    EXPECT_STR(refusal(&b), "LOST host algo-2 has been given up: not heard of "
                            "for 30 s");
    come(&b, 2, "2e", WIRE_PHASE_JOINED);
    EXPECT_STR(refusal(&b),
               "REFUSED the job is over already: not heard of for 30 s");
    end(&b);
}

/* ---- The state was deleted -------------------------------------------------
 */

/* Nothing was dealt, as far as this coordinator can see, and a host has its
 * share: whoever is here and still comes is told, and nobody waits. */
TEST(a_host_with_a_share_of_a_run_that_dealt_none)
{
    static const enum wire_phase has_share[] = {
        WIRE_PHASE_BRINGING, WIRE_PHASE_READY, WIRE_PHASE_RUNNING};
    static const enum wire_phase has_none[] = {
        WIRE_PHASE_JOINED, WIRE_PHASE_STOPPING, WIRE_PHASE_SAVING};

    for (size_t i = 0; i < 3; i++) {
        struct bench b = open_with(2, true);

        come(&b, 1, "1f", WIRE_PHASE_JOINED);
        EXPECT_STR(outcome(&b), "OK 0 : ");
        come(&b, 2, "2f", has_share[i]);
        EXPECT_STR(outcome(&b),
                   "STORE 69 : host algo-2 has its share, and nothing that "
                   "this run has dealt is in the job's state any more; who "
                   "has deleted that? start the job again");
        EXPECT_EQ(session_phase(b.session), SESSION_ENDING);
        EXPECT(!b.fx.do_prepare);
        EXPECT_STR(sent(&b), "2:WELCOME 1:END 2:END");
        end(&b);
    }
    for (size_t i = 0; i < 3; i++) {
        struct bench b = open_with(2, true);

        come(&b, 2, "2f", has_none[i]);
        EXPECT_STR(outcome(&b), "OK 0 : ");
        end(&b);
    }
}
