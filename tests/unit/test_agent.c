/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/agent.h"

#include <signal.h>

#include "tests/harness.h"
#include "tests/unit/agent_kit.h"

TEST(a_job_from_hello_to_end)
{
    struct bench b = open_new();
    struct wire_message share = {.type = WIRE_SHARE};

    tick(&b, 0);
    EXPECT_STR(asked(&b), "HELLO ");
    EXPECT(bytes_is(b.fx.sends[0].hello.host, "algo-1"));
    EXPECT(bytes_is(b.fx.sends[0].hello.incarnation, "1f"));
    EXPECT_EQ(b.fx.sends[0].hello.attempt, 2);
    EXPECT_EQ(b.fx.sends[0].hello.wall_ms, 777);
    EXPECT_EQ(b.fx.sends[0].hello.host_count, 3);
    for (uint64_t ms = 50; ms < HEARTBEAT; ms *= 2) {
        EXPECT_EQ(b.fx.timer_ms, b.now_ms + ms); /* Soon, then less often. */
        tick(&b, ms - 1);
        EXPECT_STR(asked(&b), "");
        tick(&b, 1);
        EXPECT_STR(asked(&b), "HELLO ");
    }
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + HEARTBEAT);
    hear(&b,
         (struct wire_message){.type = WIRE_WELCOME, .welcome = {500, 9000}});
    EXPECT_STR(asked(&b), "BEAT ");
    EXPECT_EQ(b.fx.sends[0].beat.phase, WIRE_PHASE_JOINED);
    EXPECT_EQ(b.fx.sends[0].beat.number, 1);
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 500);
    hear(&b, share);
    EXPECT_STR(asked(&b), "+bring ");
    hear(&b, share); /* Repeated. */
    EXPECT_STR(asked(&b), "");
    tick(&b, 500);
    EXPECT_STR(asked(&b), "BEAT ");
    EXPECT_EQ(b.fx.sends[0].beat.phase, WIRE_PHASE_BRINGING);
    EXPECT_EQ(b.fx.sends[0].beat.number, 2);
    step(&b, (struct agent_event){
                 .type = AGENT_EVENT_BROUGHT, .units = 7, .bytes = 70});
    EXPECT_STR(asked(&b), "READY ");
    EXPECT_EQ(b.fx.sends[0].ready.units, 7);
    EXPECT_EQ(b.fx.sends[0].ready.bytes, 70);
    hear(&b, (struct wire_message){.type = WIRE_START});
    EXPECT_STR(asked(&b), "+start ");
    get(&b, AGENT_EVENT_STARTED, STATUS_OK, NULL);
    hear(&b, (struct wire_message){.type = WIRE_START});
    EXPECT_STR(asked(&b), "");
    exited(&b, 0, 0);
    EXPECT_STR(asked(&b), "+save ");
    step(&b, (struct agent_event){
                 .type = AGENT_EVENT_SAVED, .units = 3, .bytes = 30});
    EXPECT_STR(asked(&b), "DONE ");
    EXPECT_EQ(said_done(&b)->exit_code, 0);
    EXPECT_EQ(said_done(&b)->saved_units, 3);
    tick(&b, 500);
    EXPECT_STR(asked(&b), "BEAT DONE ");
    hear_end(&b, STATUS_OK, "", "");
    EXPECT_STR(asked(&b), "+over ");
    EXPECT_STR(outcome(&b), "OK 0 ");
    EXPECT_EQ(b.fx.timer_ms, NEVER);
    end(&b);
}

TEST(what_is_to_be_brought_outlives_its_message)
{
    struct bench b = open_at(AGENT_WAITING);
    char text[] = "file:///o/train";
    struct wire_message share = {
        .type = WIRE_SHARE,
        .share = {.output = {text, 10},
                  .shares = {{.channel = {text + 10, 5},
                              .share = {text + 1, 3},
                              .catalog = {text + 2, 3},
                              .root_uri = {text, 10},
                              .prefix = {text + 3, 1},
                              .named_by = {text + 11, 4},
                              .units = 3}},
                  .share_count = 1}};
    const struct wire_share_all *all;

    hear(&b, share);
    all = b.fx.do_bring;
    memset(text, 'x', sizeof(text));
    tick(&b, 1000);
    EXPECT(bytes_is(all->output, "file:///o/"));
    EXPECT_EQ(all->checkpoint.size, 0);
    EXPECT(bytes_is(all->shares[0].channel, "train"));
    EXPECT(bytes_is(all->shares[0].share, "ile"));
    EXPECT(bytes_is(all->shares[0].catalog, "le:"));
    EXPECT(bytes_is(all->shares[0].root_uri, "file:///o/"));
    EXPECT(bytes_is(all->shares[0].prefix, "e"));
    EXPECT(bytes_is(all->shares[0].named_by, "rain"));
    EXPECT_EQ(all->shares[0].units, 3);
    end(&b);
}

TEST(progress_is_told_with_the_next_beat)
{
    struct bench b = open_at(AGENT_BRINGING);
    char name[] = "train";
    struct wire_beat beat = {
        .requests = 50,
        .throttled = 7,
        .progress = {{{name, 5}, 9, 8, 70, 80}},
        .progress_count = 1,
        .streams = {{.channel = {name, 5}, .bytes = 77, .placed = {name, 2}}},
        .stream_count = 1};

    step(&b, (struct agent_event){.type = AGENT_EVENT_PROGRESS, .beat = &beat});
    EXPECT_STR(asked(&b), "");
    memset(name, 'x', sizeof(name));
    tick(&b, HEARTBEAT);
    EXPECT_EQ(b.fx.sends[0].beat.requests, 50);
    EXPECT_EQ(b.fx.sends[0].beat.throttled, 7);
    EXPECT_EQ(b.fx.sends[0].beat.progress_count, 1);
    EXPECT(bytes_is(b.fx.sends[0].beat.progress[0].channel, "train"));
    EXPECT_EQ(b.fx.sends[0].beat.progress[0].units_done, 8); /* Of 8. */
    EXPECT_EQ(b.fx.sends[0].beat.progress[0].bytes_done, 70);
    EXPECT_EQ(b.fx.sends[0].beat.stream_count, 1);
    EXPECT(bytes_is(b.fx.sends[0].beat.streams[0].channel, "train"));
    EXPECT(bytes_is(b.fx.sends[0].beat.streams[0].placed, "tr"));
    EXPECT_EQ(b.fx.sends[0].beat.streams[0].bytes, 77);
    EXPECT_EQ(b.fx.sends[0].beat.number, 2);
    end(&b);
}

TEST(progress_is_no_more_than_all_and_saves_do_not_go_back)
{
    struct bench b = open_at(AGENT_BRINGING);
    struct wire_beat beat = {.progress = {{BYTES("train"), 9, 8, 90, 80}},
                             .progress_count = 1,
                             .saved_units = 5,
                             .saved_bytes = 50};

    step(&b, (struct agent_event){.type = AGENT_EVENT_PROGRESS, .beat = &beat});
    beat.saved_units = 3;
    beat.saved_bytes = 30;
    step(&b, (struct agent_event){.type = AGENT_EVENT_PROGRESS, .beat = &beat});
    tick(&b, HEARTBEAT);
    EXPECT_EQ(b.fx.sends[0].beat.progress[0].units_done, 8);
    EXPECT_EQ(b.fx.sends[0].beat.progress[0].bytes_done, 80);
    EXPECT_EQ(b.fx.sends[0].beat.saved_units, 5);
    EXPECT_EQ(b.fx.sends[0].beat.saved_bytes, 50);
    end(&b);
}

/* A timeout that is over before the next heartbeat would be silence at once. */
TEST(times_that_can_not_be_are_not_taken)
{
    struct bench b = open_new();

    tick(&b, 0);
    hear(&b,
         (struct wire_message){.type = WIRE_WELCOME, .welcome = {5000, 4000}});
    EXPECT_EQ(agent_state(b.agent), AGENT_WAITING);
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + HEARTBEAT);
    end(&b);
}

/* Who does not listen any more does not wait for a word, over and over. */
TEST(who_is_deaf_hears_no_silence)
{
    struct bench b = open_at(AGENT_RUNNING);

    hear_refuse(&b, STATUS_SKEW);
    for (int i = 0; i < 30; i++) {
        tick(&b, HEARTBEAT);
        EXPECT(b.fx.timer_ms > b.now_ms);
    }
    end(&b);
}

TEST(the_rate_is_handed_on)
{
    struct bench b = open_at(AGENT_BRINGING);

    hear(&b, (struct wire_message){.type = WIRE_PULSE, .pulse.rate = 350});
    EXPECT(b.fx.has_rate);
    EXPECT_EQ(b.fx.rate, 350);
    tick(&b, HEARTBEAT);
    EXPECT(!b.fx.has_rate);
    hear(&b, (struct wire_message){.type = WIRE_PULSE});
    EXPECT(b.fx.has_rate);
    EXPECT_EQ(b.fx.rate, 0);
    end(&b);
}

/* One row: a state, what happens there, what is asked for, how it ends. */
struct bench_row {
    const char *name;
    enum agent_state from;
    void (*happens)(struct bench *b);
    const char *asked;
    enum agent_state to;
    const char *outcome; /* When over; NULL: see the rest of the script. */
};

static void on_term(struct bench *b)
{
    kick(b, SIGTERM);
}

static void on_int(struct bench *b)
{
    kick(b, SIGINT);
}

static void on_usr1(struct bench *b)
{
    kick(b, SIGUSR1);
}

static void on_peer_failed(struct bench *b)
{
    hear_end(b, STATUS_PEER_FAILED, "algo-2", "the command exited with 3");
}

static void on_job_failed(struct bench *b)
{
    hear_end(b, STATUS_EMPTY, "", "train: no object");
}

static void on_refused(struct bench *b)
{
    hear_refuse(b, STATUS_SKEW);
}

static void on_own_leader_failed(struct bench *b)
{
    get(b, AGENT_EVENT_LEADER, STATUS_STORE, "the lease is gone");
}

static void on_own_leader_ended(struct bench *b)
{
    get(b, AGENT_EVENT_LEADER, STATUS_OK, "");
}

static void on_bring_failed(struct bench *b)
{
    get(b, AGENT_EVENT_BROUGHT, STATUS_NO_SPACE, "train: the disk is full");
}

static void on_silence(struct bench *b)
{
    hear(b, (struct wire_message){.type = WIRE_PULSE});
    tick(b, HEARTBEAT);
    tick(b, HOST_TIMEOUT);
}

static void on_hup(struct bench *b)
{
    kick(b, SIGHUP);
}

static void on_new_term(struct bench *b)
{
    struct wire_message m = {.type = WIRE_END, .term = 5};

    step(b, (struct agent_event){.type = AGENT_EVENT_MESSAGE, .message = &m});
}

static void on_old_term(struct bench *b)
{
    struct wire_message m = {.type = WIRE_END, .term = 3};

    step(b, (struct agent_event){.type = AGENT_EVENT_MESSAGE, .message = &m});
}

TEST(before_the_command_runs)
{
    static const struct bench_row rows[] = {
        {"term while joining", AGENT_JOINING, on_term, "DONE +over ",
         AGENT_OVER,
         "STOPPED 143 stopped by signal 15 before the command was started"},
        {"int while waiting", AGENT_WAITING, on_int, "DONE ", AGENT_REPORTING,
         "STOPPED 130 stopped by signal 2 before the command was started"},
        {"usr1 while waiting", AGENT_WAITING, on_usr1, "", AGENT_WAITING, NULL},
        {"term while bringing", AGENT_BRINGING, on_term, "+cancel ",
         AGENT_STOPPING,
         "STOPPED 143 stopped by signal 15 before the command was started"},
        {"term while ready", AGENT_READY, on_term, "DONE ", AGENT_REPORTING,
         "STOPPED 143 stopped by signal 15 before the command was started"},
        {"a peer fails while waiting", AGENT_WAITING, on_peer_failed, "DONE ",
         AGENT_REPORTING, "PEER_FAILED 79 algo-2: the command exited with 3"},
        {"a peer fails while bringing", AGENT_BRINGING, on_peer_failed,
         "+cancel ", AGENT_STOPPING,
         "PEER_FAILED 79 algo-2: the command exited with 3"},
        {"the job fails while waiting", AGENT_WAITING, on_job_failed, "DONE ",
         AGENT_REPORTING, "EMPTY 66 train: no object"},
        {"refused", AGENT_JOINING, on_refused, "+over ", AGENT_OVER,
         "SKEW 75 the coordinator on algo-9 refused: because"},
        {"refused while ready", AGENT_READY, on_refused, "+over ", AGENT_OVER,
         "SKEW 75 the coordinator on algo-9 refused: because"},
        {"own leader fails", AGENT_WAITING, on_own_leader_failed, "+over ",
         AGENT_OVER, "STORE 69 the lease is gone"},
        {"own leader ends", AGENT_WAITING, on_own_leader_ended, "",
         AGENT_WAITING, NULL},
        {"bringing fails", AGENT_BRINGING, on_bring_failed, "DONE ",
         AGENT_REPORTING, "NO_SPACE 74 train: the disk is full"},
        {"silence while waiting", AGENT_WAITING, on_silence, "+over ",
         AGENT_OVER,
         "LOST 75 the coordinator on algo-9 was not heard of for 10 s"},
        {"silence while bringing", AGENT_BRINGING, on_silence,
         "HELLO BEAT +cancel ", AGENT_STOPPING,
         "LOST 75 the coordinator on algo-9 was not heard of for 10 s"},
        {"an old term's word", AGENT_READY, on_old_term, "", AGENT_READY, NULL},
        {"a term's word that we have not heard of", AGENT_READY, on_new_term,
         "", AGENT_READY, NULL},
        {"hup while waiting", AGENT_WAITING, on_hup, "DONE ", AGENT_REPORTING,
         "STOPPED 129 stopped by signal 1 before the command was started"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b = open_at(rows[i].from);

        rows[i].happens(&b);
        if (strcmp(asked(&b), rows[i].asked) != 0 ||
            agent_state(b.agent) != rows[i].to) {
            fprintf(stderr, "%s: ", rows[i].name);
        }
        EXPECT_STR(asked(&b), rows[i].asked);
        EXPECT_EQ(agent_state(b.agent), rows[i].to);
        if (agent_state(b.agent) == AGENT_STOPPING) {
            get(&b, AGENT_EVENT_BROUGHT, STATUS_STOPPED, "cancelled");
        }
        if (agent_state(b.agent) == AGENT_REPORTING) {
            hear_end(&b, STATUS_PEER_FAILED, "algo-1", "we know");
        }
        if (rows[i].outcome != NULL) {
            EXPECT_STR(outcome(&b), rows[i].outcome);
        }
        end(&b);
    }
}

/* One row: while the command runs something happens; then the command exits,
 * saving ends, and the job is over. */
TEST(while_the_command_runs)
{
    static const struct {
        const char *name;
        void (*happens)(struct bench *b);
        const char *asked;
        int exit_code;
        int signal;
        enum status saved;
        const char *outcome;
    } rows[] = {
        {"all is well", NULL, "", 0, 0, STATUS_OK, "OK 0 "},
        {"it fails", NULL, "", 3, 0, STATUS_OK,
         "OK 3 the command exited with 3"},
        {"it is killed", NULL, "", 0, 9, STATUS_OK,
         "OK 137 the command was ended by signal 9"},
        {"saving fails", NULL, "", 0, 0, STATUS_NO_SPACE, "NO_SPACE 74 why"},
        {"it fails, and saving", NULL, "", 3, 0, STATUS_IO,
         "OK 3 the command exited with 3"},
        {"term, it ends well", on_term, "kill15 ", 0, 0, STATUS_OK, "OK 0 "},
        {"term, it ends by it", on_term, "kill15 ", 0, 15, STATUS_OK,
         "OK 143 the command was ended by signal 15"},
        {"int", on_int, "kill2 ", 130, 0, STATUS_OK,
         "OK 130 the command exited with 130"},
        {"usr1", on_usr1, "kill10 ", 0, 0, STATUS_OK, "OK 0 "},
        {"a peer fails", on_peer_failed, "kill15 ", 0, 0, STATUS_OK,
         "PEER_FAILED 79 algo-2: the command exited with 3"},
        {"a peer fails, it is killed", on_peer_failed, "kill15 ", 0, 15,
         STATUS_OK, "PEER_FAILED 143 algo-2: the command exited with 3"},
        {"lost", on_silence, "HELLO BEAT kill15 ", 0, 15, STATUS_OK,
         "LOST 75 the coordinator on algo-9 was not heard of for 10 s"},
        {"refused", on_refused, "kill15 ", 0, 0, STATUS_OK,
         "SKEW 75 the coordinator on algo-9 refused: because"},
        {"own leader fails", on_own_leader_failed, "kill15 ", 0, 15, STATUS_OK,
         "STORE 69 the lease is gone"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b = open_at(AGENT_RUNNING);

        if (rows[i].happens != NULL) {
            rows[i].happens(&b);
            EXPECT_STR(asked(&b), rows[i].asked);
        }
        exited(&b, rows[i].exit_code, rows[i].signal);
        EXPECT_STR(asked(&b), "+save ");
        get(&b, AGENT_EVENT_SAVED, rows[i].saved, "why");
        if (agent_state(b.agent) == AGENT_REPORTING) {
            EXPECT_STR(asked(&b), "DONE ");
            hear_end(&b, STATUS_OK, "", "");
        }
        if (strcmp(outcome(&b), rows[i].outcome) != 0) {
            fprintf(stderr, "%s: ", rows[i].name);
        }
        EXPECT_STR(outcome(&b), rows[i].outcome);
        end(&b);
    }
}

/* The job ends because of us, and says so to us too. */
TEST(an_end_that_names_ourselves)
{
    struct bench b = open_at(AGENT_RUNNING);

    exited(&b, 0, 0);
    get(&b, AGENT_EVENT_SAVED, STATUS_DENIED, "out/x: not allowed");
    EXPECT_STR(asked(&b), "DONE ");
    hear_end(&b, STATUS_DENIED, "algo-1", "out/x: not allowed");
    EXPECT_STR(outcome(&b), "DENIED 77 algo-1: out/x: not allowed");
    end(&b);
}

TEST(what_done_says)
{
    struct bench b = open_at(AGENT_RUNNING);

    exited(&b, 3, 0);
    get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
    EXPECT_EQ(said_done(&b)->status, STATUS_OK);
    EXPECT_EQ(said_done(&b)->exit_code, 3);
    EXPECT(bytes_is(said_done(&b)->reason, "the command exited with 3"));
    end(&b);
    b = open_at(AGENT_RUNNING);
    exited(&b, 0, 0);
    get(&b, AGENT_EVENT_SAVED, STATUS_DENIED, "out/x: not allowed");
    EXPECT_EQ(said_done(&b)->status, STATUS_DENIED);
    EXPECT_EQ(said_done(&b)->exit_code, 77);
    EXPECT(bytes_is(said_done(&b)->reason, "out/x: not allowed"));
    end(&b);
}

TEST(a_command_that_does_not_start)
{
    static const struct {
        enum status status;
        const char *want;
    } rows[] = {
        {STATUS_NO_COMMAND, "NO_COMMAND 127 x: not found"},
        {STATUS_NOT_EXECUTABLE, "NOT_EXECUTABLE 126 x: not found"},
        {STATUS_OS, "OS 71 x: not found"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench b = open_at(AGENT_READY);

        hear(&b, (struct wire_message){.type = WIRE_START});
        kick(&b, SIGUSR1);
        EXPECT_STR(asked(&b), "");
        get(&b, AGENT_EVENT_STARTED, rows[i].status, "x: not found");
        EXPECT_STR(asked(&b), "DONE ");
        EXPECT_EQ(said_done(&b)->status, rows[i].status);
        hear_end(&b, STATUS_PEER_FAILED, "algo-1", "x: not found");
        EXPECT_STR(outcome(&b), rows[i].want);
        end(&b);
    }
}

TEST(signals_between_start_and_started_are_kept)
{
    struct bench b = open_at(AGENT_READY);

    hear(&b, (struct wire_message){.type = WIRE_START});
    kick(&b, SIGUSR1);
    kick(&b, SIGTERM);
    EXPECT_STR(asked(&b), "");
    get(&b, AGENT_EVENT_STARTED, STATUS_OK, NULL);
    EXPECT_STR(asked(&b), "kill10 kill15 ");
    EXPECT_EQ(agent_state(b.agent), AGENT_STOPPING);
    end(&b);
}

TEST(after_the_grace_the_command_is_killed)
{
    struct bench b = open_at(AGENT_RUNNING);

    kick(&b, SIGINT);
    EXPECT_EQ(agent_state(b.agent), AGENT_RUNNING);
    kick(&b, SIGTERM);
    EXPECT_STR(asked(&b), "kill15 ");
    tick(&b, 1000);
    hear(&b, (struct wire_message){.type = WIRE_PULSE});
    kick(&b, SIGTERM); /* Passed on; the grace does not begin anew. */
    EXPECT_STR(asked(&b), "kill15 ");
    tick(&b, GRACE - 1001);
    EXPECT_STR(asked(&b), "BEAT ");
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1);
    tick(&b, 1);
    EXPECT_STR(asked(&b), "kill9 ");
    tick(&b, GRACE);
    EXPECT(strstr(asked(&b), "kill9") == NULL);
    exited(&b, 0, 9);
    EXPECT_STR(asked(&b), "+save ");
    get(&b, AGENT_EVENT_SAVED, STATUS_OK, "");
    hear_end(&b, STATUS_OK, "", "");
    EXPECT_STR(outcome(&b), "OK 137 the command did not end within 5 s of "
                            "being asked to (--grace), and was killed");
    end(&b);
}

TEST(a_claimed_place_is_waited_for)
{
    struct bench b = open_at(AGENT_JOINING);
    uint64_t waited_ms = 0;

    hear_refuse(&b, STATUS_CLAIMED);
    EXPECT_STR(asked(&b), "");
    while (!b.fx.is_over) {
        tick(&b, HEARTBEAT);
        EXPECT_STR(asked(&b), "HELLO ");
        waited_ms += HEARTBEAT;
        hear_refuse(&b, STATUS_CLAIMED);
    }
    EXPECT_EQ(waited_ms, HOST_TIMEOUT + 2 * HEARTBEAT);
    EXPECT_STR(outcome(&b),
               "CLAIMED 73 the coordinator on algo-9 refused: because");
    end(&b);
}

TEST(joining_does_not_last_for_ever)
{
    struct bench b = open_at(AGENT_JOINING);

    tick(&b, JOIN_TIMEOUT - 1);
    EXPECT_STR(asked(&b), "HELLO ");
    EXPECT_EQ(b.fx.timer_ms, b.now_ms + 1);
    tick(&b, 1);
    EXPECT_STR(asked(&b), "DONE +over ");
    EXPECT_STR(outcome(&b), "TIMEOUT 75 waited 40 s to be let in by the "
                            "coordinator on algo-9");
    end(&b);
    b = open_at(AGENT_WAITING);
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(agent_state(b.agent), AGENT_WAITING);
        hear(&b, (struct wire_message){.type = WIRE_PULSE});
        tick(&b, JOIN_TIMEOUT / 10);
    }
    EXPECT_STR(asked(&b), "DONE ");
    EXPECT_EQ(said_done(&b)->status, STATUS_TIMEOUT);
    EXPECT(bytes_is(said_done(&b)->reason,
                    "waited 80 s to be given its share by the coordinator on "
                    "algo-9"));
    end(&b);
}

TEST(who_has_reported_waits_only_while_it_is_heard)
{
    struct bench b = open_at(AGENT_RUNNING);

    exited(&b, 3, 0);
    get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
    for (int i = 0; i < 100; i++) {
        tick(&b, HEARTBEAT);
        EXPECT_STR(asked(&b), "BEAT DONE ");
        hear(&b, (struct wire_message){.type = WIRE_PULSE});
    }
    tick(&b, HEARTBEAT);
    EXPECT_STR(asked(&b), "BEAT DONE ");
    tick(&b, HOST_TIMEOUT - 1);
    EXPECT_STR(asked(&b), "HELLO BEAT DONE ");
    tick(&b, 1);
    EXPECT_STR(asked(&b), "+over ");
    EXPECT_STR(outcome(&b), "OK 3 the command exited with 3");
    end(&b);
}

TEST(what_happens_while_saving_does_not_hide_the_commands_code)
{
    for (int code = 0; code < 2; code++) {
        struct bench b = open_at(AGENT_RUNNING);

        exited(&b, code, 0);
        on_peer_failed(&b);
        EXPECT_STR(asked(&b), "");
        get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
        EXPECT_STR(asked(&b), "DONE "); /* And waits for its END. */
        hear_end(&b, STATUS_PEER_FAILED, "algo-2", "later");
        EXPECT_EQ(agent_outcome(b.agent).exit_code, code == 0 ? 79 : 1);
        end(&b);

        b = open_at(AGENT_RUNNING);
        exited(&b, code, 0);
        tick(&b, HEARTBEAT);
        tick(&b, HOST_TIMEOUT);
        get(&b, AGENT_EVENT_SAVED, STATUS_OK, NULL);
        EXPECT_STR(asked(&b), "+over ");
        EXPECT_EQ(agent_outcome(b.agent).exit_code, code);
        end(&b);
    }
}

TEST(strange_words_do_no_harm)
{
    struct bench b = open_at(AGENT_WAITING);

    for (unsigned type = WIRE_HELLO; type < WIRE_TYPES; type++) {
        if (type != WIRE_SHARE && type != WIRE_REFUSE && type != WIRE_END) {
            hear(&b, (struct wire_message){.type = (enum wire_type)type});
            EXPECT_EQ(agent_state(b.agent), AGENT_WAITING);
        }
    }
    hear_refuse(&b, (enum status)9999);
    EXPECT_STR(outcome(&b),
               "REFUSED 76 the coordinator on algo-9 refused: because");
    hear_end(&b, STATUS_OK, "", "");
    EXPECT_STR(asked(&b), "+over ");
    end(&b);
}
