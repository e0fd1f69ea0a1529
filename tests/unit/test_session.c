/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/session.h"

#include "base/json.h"

#include "tests/harness.h"
#include "tests/unit/session_kit.h"

TEST(a_job_from_hello_to_end)
{
    struct bench b = open_with(2, false);

    say(&b, 1, hello(1, 2));
    EXPECT_STR(sent(&b), "1:WELCOME");
    EXPECT_EQ(b.fx.sends[0].message.welcome.heartbeat_ms, 1000);
    EXPECT_STR(b.fx.sends[0].message.job, "abc");
    say(&b, 2, hello(2, 2));
    EXPECT(b.fx.do_prepare);
    beat(&b, 1, WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "1:PULSE");
    EXPECT(!b.fx.do_prepare);
    b.shares[1].output = BYTES("file:///o/");
    prepared(&b);
    EXPECT_STR(sent(&b), "1:SHARE 2:SHARE");
    EXPECT(bytes_is(b.fx.sends[1].message.share.output, "file:///o/"));
    beat(&b, 1, WIRE_PHASE_BRINGING);
    ready(&b, 1);
    EXPECT_STR(sent(&b), "");
    ready(&b, 2);
    EXPECT_STR(sent(&b), "1:START 2:START");
    beat(&b, 1, WIRE_PHASE_RUNNING);
    done(&b, 2, 0, "");
    EXPECT_STR(sent(&b), "");
    EXPECT(!b.fx.is_over);
    done(&b, 1, 0, "");
    EXPECT_STR(sent(&b), "1:END 2:END");
    EXPECT_EQ(b.fx.sends[0].message.end.status, STATUS_OK);
    EXPECT(b.fx.is_over);
    EXPECT_EQ(b.fx.timer_ms, UINT64_MAX);
    EXPECT_STR(outcome(&b), "OK 0 : ");
    done(&b, 1, 0, "");
    EXPECT_STR(sent(&b), "1:END");
    end(&b);
}

TEST(who_does_not_belong_is_refused)
{
    struct bench b = open_with(3, false);
    struct wire_message m = hello(9, 3);

    say(&b, 9, m);
    EXPECT_STR(refusal(&b),
               "REFUSED host algo-9 is not among the job's 3 hosts");
    say(&b, 9, hello(2, 4));
    EXPECT_STR(refusal(&b),
               "INVALID host algo-2 was told of 4 hosts, algo-1 of 3");
    m = hello(2, 3);
    m.hello.wall_ms = WALL + 2001;
    say(&b, 9, m);
    EXPECT_STR(refusal(&b),
               "SKEW the clock of host algo-2 is 2.001 s ahead of that of "
               "algo-1; set the clocks, or allow more skew");
    m.hello.wall_ms = WALL - 3000;
    say(&b, 9, m);
    EXPECT_STR(refusal(&b),
               "SKEW the clock of host algo-2 is 3.000 s behind that of "
               "algo-1; set the clocks, or allow more skew");
    m.hello.wall_ms = WALL - 2000;
    say(&b, 9, m);
    EXPECT_STR(sent(&b), "9:WELCOME");
    m.hello.host = BYTES("x\ny");
    say(&b, 10, m);
    EXPECT_STR(refusal(&b), "REFUSED host x?y is not among the job's 3 hosts");
    end(&b);
}

TEST(a_second_launch_of_a_host)
{
    struct bench b = open_with(2, false);
    struct wire_message again = hello(1, 2);

    say(&b, 1, hello(1, 2));
    say(&b, 1, hello(1, 2)); /* The same one, repeated. */
    EXPECT_STR(sent(&b), "1:WELCOME");
    say(&b, 5, hello(1, 2)); /* And through a new connection. */
    EXPECT_STR(sent(&b), "5:WELCOME");
    beat(&b, 1, WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), ""); /* Nobody knows peer 1 now. */

    again.hello.incarnation = BYTES("2f");
    again.hello.attempt = 2;
    b.now_ms += HOST_TIMEOUT - 1;
    say(&b, 6, again);
    EXPECT_STR(refusal(&b), "CLAIMED host algo-1 takes part already, in "
                            "another process, heard of 29999 ms ago");
    b.now_ms += 1;
    say(&b, 6, again);
    EXPECT_STR(sent(&b), "6:WELCOME");
    EXPECT_EQ(session_host(b.session, 0).attempt, 2);
    EXPECT_EQ(session_host(b.session, 0).ranks, 8);
    say(&b, 2, hello(2, 2));
    EXPECT(b.fx.do_prepare);
    say(&b, 7, hello(1, 2)); /* The first launch: not dead after all. */
    EXPECT_STR(refusal(&b), "CLAIMED host algo-1 takes part already, in "
                            "another process, heard of 0 ms ago");
    end(&b);
}

TEST(silent_while_joining_is_not_counted_but_may_come_back)
{
    struct bench b = open_with(2, false);

    say(&b, 1, hello(1, 2));
    tick(&b, HOST_TIMEOUT);
    EXPECT_EQ(session_host(b.session, 0).phase, WIRE_PHASE_LOST);
    say(&b, 2, hello(2, 2));
    EXPECT(!b.fx.do_prepare);
    beat(&b, 1, WIRE_PHASE_JOINED);
    EXPECT(b.fx.do_prepare);
    end(&b);
}

TEST(hosts_that_never_come_are_named)
{
    static const struct {
        uint32_t count;
        const char *want;
    } rows[] = {
        {2, "1 of 2 hosts did not come within 60 s: algo-2"},
        {6, "5 of 6 hosts did not come within 60 s: algo-2, algo-3, algo-4, "
            "algo-5, algo-6"},
        {12, "11 of 12 hosts did not come within 60 s: algo-2, algo-3, "
             "algo-4, algo-5, algo-6 and 6 more"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b = open_with(rows[i].count, true);

        for (int beats = 0; beats < 3; beats++) {
            say(&b, 1, hello(1, rows[i].count));
            tick(&b, JOIN_TIMEOUT / 3);
        }
        EXPECT_STR(sent(&b), "1:END");
        EXPECT_STR(session_outcome(b.session).reason, rows[i].want);
        EXPECT_EQ(session_outcome(b.session).exit_code, 75);
        EXPECT_STR(session_outcome(b.session).host, "");
        EXPECT_EQ(session_phase(b.session), SESSION_ENDING);
        say(&b, 2, hello(2, rows[i].count));
        EXPECT_EQ(b.fx.sends[0].message.refuse.status, STATUS_REFUSED);
        end(&b);
    }
}

TEST(a_refused_host_is_missed_with_the_reason)
{
    struct bench b = open_with(2, false);

    say(&b, 2, hello(2, 7));
    tick(&b, JOIN_TIMEOUT);
    EXPECT_STR(session_outcome(b.session).reason,
               "2 of 2 hosts did not come within 60 s: algo-1, algo-2 "
               "(refused: host algo-2 was told of 7 hosts, algo-1 of 2)");
    EXPECT(b.fx.is_over);
    end(&b);
}

TEST(late_launches_are_refused)
{
    struct bench b = open_running(2, false);
    struct wire_message again = hello(2, 2);

    again.hello.incarnation = BYTES("2f");
    done(&b, 2, 0, "");
    say(&b, 9, again);
    EXPECT_STR(refusal(&b),
               "REFUSED the job has begun without this launch of algo-2");
    done(&b, 1, 0, "");
    say(&b, 9, again);
    EXPECT_STR(refusal(&b), "REFUSED the job is over already: success");
    end(&b);
}

TEST(prepare_that_fails_ends_the_job_everywhere)
{
    for (int keeps = 0; keeps < 2; keeps++) {
        struct bench b = open_with(2, keeps);

        join_all(&b);
        step(&b, (struct session_event){.type = SESSION_EVENT_PREPARED,
                                        .status = STATUS_EMPTY,
                                        .text = "train: no object"});
        EXPECT_STR(sent(&b), "1:END 2:END");
        EXPECT_EQ(b.fx.sends[1].message.end.status, STATUS_EMPTY);
        EXPECT_EQ(b.fx.sends[1].message.end.exit_code, 66);
        EXPECT(bytes_is(b.fx.sends[1].message.end.reason, "train: no object"));
        EXPECT_EQ(b.fx.sends[1].message.end.host.size, 0);
        done(&b, 1, 66, "train: no object");
        EXPECT_STR(sent(&b), "1:END");
        EXPECT(!b.fx.is_over);
        done(&b, 2, 66, "train: no object");
        EXPECT_STR(sent(&b), "2:END");
        EXPECT(b.fx.is_over);
        EXPECT_STR(outcome(&b), "EMPTY 66 : train: no object");
        end(&b);
    }
}

TEST(lost_words_are_said_again_when_a_beat_shows_it)
{
    struct bench b = open_with(2, false);

    join_all(&b);
    prepared(&b);
    beat(&b, 1, WIRE_PHASE_JOINED);
    EXPECT_STR(sent(&b), "1:PULSE 1:SHARE");
    beat(&b, 1, WIRE_PHASE_BRINGING);
    EXPECT_STR(sent(&b), "1:PULSE");
    beat(&b, 1, WIRE_PHASE_READY); /* Its READY was lost. */
    ready(&b, 2);
    EXPECT_STR(sent(&b), "1:START 2:START");
    beat(&b, 1, WIRE_PHASE_READY);
    EXPECT_STR(sent(&b), "1:PULSE 1:START");
    beat(&b, 2, WIRE_PHASE_JOINED); /* Nonsense, but harmless. */
    EXPECT_EQ(session_host(b.session, 1).phase, WIRE_PHASE_READY);
    done(&b, 2, 9, "bad");
    EXPECT_STR(sent(&b), "1:END 2:END 2:END");
    beat(&b, 1, WIRE_PHASE_RUNNING); /* Its END was lost. */
    EXPECT_STR(sent(&b), "1:PULSE 1:END");
    beat(&b, 1, WIRE_PHASE_SAVING);
    EXPECT_STR(sent(&b), "1:PULSE");
    end(&b);
}

TEST(a_late_beat_is_answered_but_not_believed)
{
    struct bench b = open_with(2, false);
    struct wire_message late = {
        .type = WIRE_BEAT, .beat = {.phase = WIRE_PHASE_JOINED, .number = 4}};
    struct wire_message newer = {
        .type = WIRE_BEAT, .beat = {.phase = WIRE_PHASE_BRINGING, .number = 5}};

    join_all(&b);
    prepared(&b);
    say(&b, 1, newer);
    say(&b, 1, late);
    EXPECT_STR(sent(&b), "1:PULSE"); /* And no SHARE once more. */
    EXPECT_EQ(b.fx.sends[0].message.pulse.number, 4);
    end(&b);
}

TEST(a_pulse_tells_what_the_host_may_ask_of_stores)
{
    struct bench b = open_with(2, false);
    struct wire_message m = {.type = WIRE_BEAT,
                             .beat = {.phase = WIRE_PHASE_BRINGING}};
    uint64_t rates[3] = {0};

    join_all(&b);
    prepared(&b);
    for (int i = 0; i < 12; i++) {
        b.now_ms += 1000;
        m.beat.number++;
        m.beat.requests += 1000;
        m.beat.throttled += 500;
        for (uint64_t peer = 1; peer <= 2; peer++) {
            say(&b, peer, m);
            EXPECT_EQ(b.fx.sends[0].message.type, WIRE_PULSE);
            rates[peer] = b.fx.sends[0].message.pulse.rate;
        }
        EXPECT(i > 0 || rates[1] == 0);
    }
    EXPECT(rates[1] > 0 && rates[1] < 1000000);
    EXPECT_EQ(rates[1], rates[2]);
    end(&b);
}

TEST(beats_at_the_wrong_time_do_not_move_the_job)
{
    struct bench b = open_with(2, false);

    join_all(&b);
    beat(&b, 1, WIRE_PHASE_READY);
    beat(&b, 2, WIRE_PHASE_RUNNING);
    beat(&b, 2, WIRE_PHASE_LOST);
    ready(&b, 1);
    EXPECT_EQ(session_host(b.session, 0).phase, WIRE_PHASE_JOINED);
    prepared(&b);
    beat(&b, 1, WIRE_PHASE_RUNNING);
    beat(&b, 2, WIRE_PHASE_RUNNING);
    EXPECT_EQ(session_phase(b.session), SESSION_BRINGING);
    end(&b);
}

TEST(the_first_failure_is_the_reason)
{
    struct bench b = open_running(3, false);

    done(&b, 2, 3, "the command exited with 3");
    EXPECT_STR(sent(&b), "1:END 2:END 3:END 2:END");
    EXPECT_STR(outcome(&b), "PEER_FAILED 3 algo-2: the command exited with 3");
    EXPECT(bytes_is(b.fx.sends[0].message.end.host, "algo-2"));
    done(&b, 1, 143, "the command was ended by signal 15");
    done(&b, 3, 4, "");
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "PEER_FAILED 3 algo-2: the command exited with 3");
    end(&b);
}

TEST(with_keep_the_others_go_on)
{
    struct bench b = open_running(3, true);

    done(&b, 2, 3, "the command exited with 3");
    EXPECT_STR(sent(&b), "");
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    b.now_ms += 20000;
    beat(&b, 1, WIRE_PHASE_RUNNING);
    tick(&b, 20000);
    EXPECT_EQ(session_host(b.session, 2).phase, WIRE_PHASE_LOST);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    done(&b, 1, 0, "");
    EXPECT_STR(sent(&b), "1:END 2:END");
    EXPECT_EQ(b.fx.sends[0].message.end.status, STATUS_OK); /* It did well. */
    EXPECT_EQ(b.fx.sends[1].message.end.status, STATUS_PEER_FAILED);
    EXPECT_EQ(b.fx.sends[1].message.end.exit_code, 3);
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "PEER_FAILED 3 algo-2: the command exited with 3");
    end(&b);
}

TEST(a_silent_host_is_lost)
{
    struct bench b = open_running(2, false);

    tick(&b, HOST_TIMEOUT - 1);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1000);
    beat(&b, 1, WIRE_PHASE_RUNNING);
    tick(&b, 1000);
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    EXPECT_STR(sent(&b), "1:END");
    beat(&b, 2, WIRE_PHASE_RUNNING);
    EXPECT_STR(refusal(&b), "LOST host algo-2 has been given up: not heard of "
                            "for 30 s");
    say(&b, 2, hello(2, 2));
    EXPECT_STR(refusal(&b), "LOST host algo-2 has been given up: not heard of "
                            "for 30 s");
    end(&b);
}

TEST(what_was_slept_through_is_nobodys_silence)
{
    struct bench b = open_running(2, false);

    tick(&b, HOST_TIMEOUT - 2);
    beat(&b, 1, WIRE_PHASE_RUNNING);
    b.now_ms += 10ULL * HOST_TIMEOUT;
    step(&b, (struct session_event){.type = SESSION_EVENT_WOKE,
                                    .slept_ms = 10ULL * HOST_TIMEOUT});
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1000);
    tick(&b, 1);
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    beat(&b, 1, WIRE_PHASE_RUNNING);
    tick(&b, 999);
    EXPECT_STR(outcome(&b), "LOST 75 algo-2: not heard of for 30 s");
    end(&b);
}

TEST(who_does_not_report_is_given_up)
{
    struct bench b = open_running(2, false);

    done(&b, 2, 1, "bad");
    for (uint64_t i = 0; i < 34; i++) {
        beat(&b, 1, WIRE_PHASE_STOPPING);
        tick(&b, 1000);
        EXPECT(!b.fx.is_over);
    }
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1000);
    beat(&b, 1, WIRE_PHASE_STOPPING);
    tick(&b, 1000);
    EXPECT(b.fx.is_over);
    EXPECT_STR(outcome(&b), "PEER_FAILED 1 algo-2: bad");
    done(&b, 1, 143, "");
    EXPECT_STR(refusal(&b), "LOST host algo-1 has been given up: did not end "
                            "within 35 s");
    end(&b);
}

TEST(a_host_that_ends_too_early_is_a_failure)
{
    struct bench b = open_with(2, false);

    join_all(&b);
    prepared(&b);
    done(&b, 1, 0, "");
    EXPECT_STR(outcome(&b), "PEER_FAILED 65 algo-1: ended before its command "
                            "was to start");
    end(&b);
}

TEST(bad_messages_are_counted_and_some_are_answered)
{
    struct bench b = open_with(1, false);
    struct wire_message zero = {.type = WIRE_BEAT};
    struct wire_message other = hello(1, 1);

    step(&b, (struct session_event){.type = SESSION_EVENT_BAD,
                                    .peer = 3,
                                    .status = STATUS_MALFORMED,
                                    .message = &zero});
    EXPECT_STR(sent(&b), "");
    step(&b, (struct session_event){.type = SESSION_EVENT_BAD,
                                    .peer = 3,
                                    .status = STATUS_VERSION,
                                    .message = &zero,
                                    .text = "version 9"});
    EXPECT_STR(refusal(&b), "VERSION version 9");
    EXPECT_STR(b.fx.sends[0].message.job, "abc");
    other.term = 3;
    memcpy(other.job, "abc", 4);
    step(&b, (struct session_event){
                 .type = SESSION_EVENT_MESSAGE, .peer = 1, .message = &other});
    EXPECT_EQ(b.fx.send_count, 0); /* Who is late learns it from the lease. */
    end(&b);
}

TEST(peers_come_and_go)
{
    enum { HOSTS = 300 };
    struct bench b = open_with(HOSTS, false);

    for (uint64_t round = 0; round < 20; round++) {
        for (uint32_t i = 1; i < HOSTS; i++) {
            say(&b, round * 7919 + i * 64, hello(i, HOSTS));
            EXPECT_EQ(b.fx.send_count, 1);
        }
    }
    for (uint32_t i = 1; i < HOSTS; i++) {
        beat(&b, 19 * 7919 + i * 64, WIRE_PHASE_JOINED);
        EXPECT_EQ(b.fx.send_count, 1);
        beat(&b, 18 * 7919 + i * 64 + 1, WIRE_PHASE_JOINED);
        EXPECT_EQ(b.fx.send_count, 0);
    }
    end(&b);
}

TEST(the_report_is_one_line_of_json)
{
    struct bench b = open_with(2, false);
    struct wire_message ask = {.type = WIRE_ASK, .ask = {.number = 7}};

    join_all(&b);
    prepared(&b);
    b.now_ms += 500;
    say(&b, 2,
        (struct wire_message){
            .type = WIRE_BEAT,
            .beat = {.phase = WIRE_PHASE_BRINGING,
                     .number = UINT64_MAX,
                     .progress = {{BYTES("train"), 1, 2, 30, 40}},
                     .progress_count = 1,
                     .streams = {{BYTES("train"), 3, WIRE_STREAM_RING, 2, 9, 8,
                                  700, 70, 5, 90, BYTES("node 1")},
                                 {BYTES("val"), WIRE_RANKS_MAX,
                                  WIRE_STREAM_PIPE, .placed = BYTES("")}},
                     .stream_count = 2}});
    say(&b, 99, ask);
    EXPECT_EQ(b.fx.sends[0].peer, 99);
    EXPECT_EQ(b.fx.sends[0].message.report.number, 7);
    EXPECT_STR(
        b.fx.sends[0].message.report.json.at,
        "{\"job\":\"job\",\"run\":\"abc\",\"term\":4,\"leader\":\"algo-1\","
        "\"phase\":\"bringing\",\"since_ms\":500,\"detail\":\"full\","
        "\"hosts\":["
        "{\"name\":\"algo-1\",\"number\":0,\"phase\":\"joined\",\"ranks\":8,"
        "\"attempt\":1,\"silent_ms\":500,\"channels\":[],\"streams\":[],"
        "\"saved_units\":0,\"saved_bytes\":0,\"exit_code\":null,\"reason\":"
        "\"\"},"
        "{\"name\":\"algo-2\",\"number\":1,\"phase\":\"bringing\",\"ranks\":8,"
        "\"attempt\":1,\"silent_ms\":0,\"channels\":[{\"name\":\"train\","
        "\"units_done\":1,\"units\":2,\"bytes_done\":30,\"bytes\":40}],"
        "\"streams\":[{\"channel\":\"train\",\"rank\":3,\"mode\":\"Ring\","
        "\"epoch\":2,\"units\":9,\"units_done\":8,\"bytes\":700,"
        "\"bytes_per_s\":70,\"waits_for_store\":5,"
        "\"waits_for_consumer\":90,\"placed\":\"node 1\"},"
        "{\"channel\":\"val\",\"rank\":null,\"mode\":\"Pipe\","
        "\"epoch\":0,\"units\":0,\"units_done\":0,\"bytes\":0,"
        "\"bytes_per_s\":0,\"waits_for_store\":0,"
        "\"waits_for_consumer\":0,\"placed\":\"\"}],"
        "\"saved_units\":0,\"saved_bytes\":0,\"exit_code\":null,"
        "\"reason\":\"\"}],"
        "\"in_phase\":{\"absent\":0,\"joined\":1,\"bringing\":1,\"ready\":0,"
        "\"running\":0,\"stopping\":0,\"saving\":0,\"done\":0,\"lost\":0},"
        "\"totals\":{\"channels\":[{\"name\":\"train\",\"units_done\":1,"
        "\"units\":2,\"bytes_done\":30,\"bytes\":40}],\"saved_units\":0,"
        "\"saved_bytes\":0},\"refused\":0,\"bad_messages\":0,"
        "\"budget\":{\"limit_per_1000s\":0,\"window_ms\":0,"
        "\"window_requests\":0,\"window_throttled\":0,\"requests\":0,"
        "\"throttled\":0},"
        "\"outcome\":null}");
    done(&b, 2, 74, "train: disk \"full\"");
    say(&b, 99, ask);
    EXPECT(
        strstr(b.fx.sends[0].message.report.json.at,
               "\"exit_code\":74,\"reason\":\"train: disk \\\"full\\\"\"}],") !=
        NULL);
    EXPECT(strstr(b.fx.sends[0].message.report.json.at,
                  "\"outcome\":{\"status\":\"PEER_FAILED\",\"exit_code\":74,"
                  "\"host\":\"algo-2\",\"reason\":\"train: disk "
                  "\\\"full\\\"\"}}") != NULL);
    end(&b);
}

/* The last step has begun to tell all hosts @type: few at a time, each host
 * once, and without waiting. */
static void told_in_portions(struct bench *b, enum wire_type type)
{
    uint32_t told = 0;
    uint32_t steps = 0;

    for (bool goes_on = true; goes_on; steps++) {
        EXPECT(b->fx.send_count <= 512);
        for (uint32_t i = 0; i < b->fx.send_count; i++) {
            EXPECT_EQ(b->fx.sends[i].message.type, type);
            EXPECT_EQ(b->fx.sends[i].peer, ++told);
        }
        goes_on = b->fx.timer_ms == b->now_ms;
        if (goes_on) {
            session_step(b->session,
                         &(struct session_event){.type = SESSION_EVENT_TIMER,
                                                 .now_ms = b->now_ms,
                                                 .wall_ms = WALL},
                         &b->fx);
        }
    }
    EXPECT_EQ(told, b->count);
    EXPECT(steps > 1);
}

TEST(as_many_hosts_as_there_can_be)
{
    enum { HOSTS = 16384 };
    struct bench b = open_with(HOSTS, false);
    struct json_doc *doc = NULL;
    struct fault why;
    static struct wire_message m;

    m.type = WIRE_BEAT;
    m.beat.phase = WIRE_PHASE_JOINED;
    m.beat.number = 1;
    m.beat.progress_count = WIRE_CHANNELS_MAX;
    for (uint32_t i = 0; i < WIRE_CHANNELS_MAX; i++) {
        m.beat.progress[i].channel =
            (struct bytes){&"abcdefghijklmnopqrst"[i], 1};
        m.beat.progress[i].units = UINT64_C(1) << 40;
    }
    memcpy(m.job, "abc", 4);
    m.term = 4;
    for (uint32_t i = 1; i <= HOSTS; i++) {
        struct wire_message h = hello(i, HOSTS);

        memcpy(h.job, "abc", 4);
        h.term = 4;
        for (int which = 0; which < 2; which++) {
            session_step(
                b.session,
                &(struct session_event){.type = SESSION_EVENT_MESSAGE,
                                        .now_ms = b.now_ms,
                                        .wall_ms = WALL,
                                        .peer = i,
                                        .message = which == 0 ? &h : &m},
                &b.fx);
            EXPECT_EQ(b.fx.send_count, 1);
        }
    }
    prepared(&b);
    told_in_portions(&b, WIRE_SHARE);
    say(&b, HOSTS + 1, (struct wire_message){.type = WIRE_ASK});
    EXPECT(b.fx.sends[0].message.report.json.size <= WIRE_STATUS_MAX);
    EXPECT_EQ(
        json_parse(b.fx.sends[0].message.report.json, "report", &why, &doc),
        STATUS_OK);
    EXPECT(bytes_is(json_string(json_get(json_root(doc), "detail")), "hosts"));
    EXPECT_EQ(json_count(json_get(json_root(doc), "hosts")), HOSTS);
    json_destroy(&doc);
    step(&b, (struct session_event){.type = SESSION_EVENT_FAIL,
                                    .status = STATUS_IO,
                                    .text = "no"});
    told_in_portions(&b, WIRE_END);
    end(&b);
}
