/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/feed.h"

#include <sys/resource.h>

#include "tests/feed_kit_client.h"
#include "worker/feed_line.h"
#include "worker/feed_state.h"

/* Step until the file has gone. */
static void fk_await_gone(const char *path)
{
    while (access(path, F_OK) == 0) {
        fk_step();
        EXPECT(poll(NULL, 0, 1) == 0);
    }
}

TEST(one_process_goes_through_all_epochs)
{
    char path[KIT_PATH_MAX];
    int fd;

    fk_start(10, 2, 1);
    fd = fk_connect();
    EXPECT_STR(fk_ask(fd, "rank 0"), "ok");
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        for (uint64_t i = 0; i < 10; i++) {
            EXPECT_EQ(fk_next(fd, path), i);
            EXPECT_STR(fk_say(fd, i % 2 == 0 ? "commit" : "done", i), "ok");
            fk_await_gone(path);
        }
        EXPECT_STR(fk_ask(fd, "next train"), epoch == 0 ? "end 0" : "end 1");
    }
    EXPECT_STR(fk_ask(fd, "next train"), "over");
    EXPECT_STR(fk_ask(fd, "next train"), "over");
    close(fd);
    fk_settle();
    EXPECT_EQ(feed_stats(fk.feed).connections, 1);
    EXPECT_EQ(feed_stats(fk.feed).connected, 0);
    EXPECT_EQ(feed_stats(fk.feed).fetched, 20);
    EXPECT_EQ(feed_stats(fk.feed).errors, 0);
    fk_end();
}

TEST(the_socket_is_for_this_user_alone)
{
    struct stat st;
    char folder[KIT_PATH_MAX];

    fk_start(1, 1, 1);
    EXPECT(stat(feed_path(fk.feed), &st) == 0);
    EXPECT(S_ISSOCK(st.st_mode));
    EXPECT_EQ(st.st_mode & 0777, 0600);
    snprintf(folder, sizeof(folder), "%s", feed_path(fk.feed));
    *strrchr(folder, '/') = '\0';
    EXPECT(stat(folder, &st) == 0);
    EXPECT_EQ(st.st_mode & 0777, 0700);
    EXPECT(strncmp(folder, kit_path(".smshard"),
                   strlen(kit_path(".smshard"))) == 0);
    fk_end();
}

TEST(a_path_too_long_for_a_socket_goes_to_tmp)
{
    char long_name[120];
    struct feed_options options;
    struct feed *feed = NULL;

    fk_start(1, 1, 1);
    memset(long_name, 'x', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    options = (struct feed_options){.folder = kit_path(long_name),
                                    .channels = &fk.channel,
                                    .rank_count = 1,
                                    .fetch = fk.fetch,
                                    .parts = 1,
                                    .object = fk_object};
    EXPECT_OK(feed_new(&options, &fk.why, &feed), fk.why);
    EXPECT(strncmp(feed_path(feed), "/tmp/smshard-", 13) == 0);
    EXPECT(file_is_there(feed_path(feed)));
    feed_destroy(&feed);
    fk_end();
}

TEST(ranks_have_units_of_their_own)
{
    int a;
    int b;
    uint64_t of_b;

    fk_start(16, 1, 2);
    a = fk_connect();
    b = fk_connect();
    EXPECT_STR(fk_ask(b, "rank 1"), "ok");
    EXPECT_STR(fk_ask(b, "rank 2"),
               "error this host has no such rank: 2; it has 0 to 1");
    EXPECT_EQ(fk_next(a, NULL), 0);
    of_b = fk_next(b, NULL);
    EXPECT(of_b >= 4);
    EXPECT_EQ(fk_next(a, NULL), 1);
    EXPECT_STR(fk_say(a, "done", of_b),
               "error this position was not handed to this rank, or was done "
               "before");
    EXPECT_STR(fk_say(b, "commit", of_b), "ok");
    EXPECT_STR(fk_say(b, "done", of_b),
               "error this position was not handed to this rank, or was done "
               "before");
    EXPECT_EQ(feed_stats(fk.feed).errors, 3);
    close(a);
    close(b);
    fk_end();
}

TEST(two_processes_of_one_rank_share_it_and_both_hear_each_end)
{
    int a;
    int b;

    fk_start(4, 2, 1);
    a = fk_connect();
    b = fk_connect();
    EXPECT_EQ(fk_next(a, NULL), 0);
    EXPECT_EQ(fk_next(b, NULL), 1);
    EXPECT_EQ(fk_next(a, NULL), 2);
    EXPECT_EQ(fk_next(b, NULL), 3);
    fk_write(a, "next train\n");
    fk_settle();
    EXPECT_EQ(feed_stats(fk.feed).waiting, 1);
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_STR(fk_say(b, "commit", i), "ok");
    }
    EXPECT_STR(fk_read(a), "end 0");
    EXPECT_EQ(fk_next(a, NULL), 0);
    EXPECT_STR(fk_ask(b, "next train"), "end 0");
    EXPECT_EQ(fk_next(b, NULL), 1);
    close(a);
    close(b);
    fk_end();
}

TEST(what_a_lost_connection_had_is_handed_out_anew)
{
    int a;
    int b;

    fk_start(4, 1, 1);
    a = fk_connect();
    b = fk_connect();
    EXPECT_EQ(fk_next(a, NULL), 0);
    EXPECT_EQ(fk_next(b, NULL), 1);
    EXPECT_EQ(fk_next(a, NULL), 2);
    /* What was said before it went counts. */
    fk_write(a, "done train 0\n");
    close(a);
    fk_settle();
    EXPECT_EQ(feed_stats(fk.feed).connected, 1);
    EXPECT_EQ(feed_stats(fk.feed).returned, 1);
    EXPECT_EQ(fk_next(b, NULL), 2);
    EXPECT_EQ(fk_next(b, NULL), 3);
    EXPECT_STR(fk_say(b, "done", 1), "ok"); /* It kept its own. */
    close(b);
    fk_end();
}

TEST(kept_units_outlive_their_connections)
{
    int fd;

    fk_start(4, 2, 1);
    for (uint64_t i = 0; i < 4; i++) {
        fd = fk_connect();
        EXPECT_STR(fk_ask(fd, "keep"), "ok");
        EXPECT_EQ(fk_next(fd, NULL), i);
        close(fd);
    }
    fd = fk_connect();
    EXPECT_STR(fk_ask(fd, "keep"), "ok");
    EXPECT_STR(fk_ask(fd, "again"), "ok");
    EXPECT_EQ(fk_next(fd, NULL), 0);
    for (uint64_t i = 1; i < 4; i++) {
        EXPECT_EQ(fk_next(fd, NULL), i);
    }
    close(fd);
    fd = fk_connect();
    EXPECT_STR(fk_ask(fd, "keep"), "ok");
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_STR(fk_say(fd, "commit", i), "ok");
    }
    EXPECT_STR(fk_ask(fd, "next train"), "end 0");
    close(fd);
    fd = fk_connect(); /* The end was told to the rank: on it goes. */
    EXPECT_STR(fk_ask(fd, "keep"), "ok");
    EXPECT_EQ(fk_next(fd, NULL), 0);
    close(fd);
    fk_end();
}

TEST(what_is_refused_is_told)
{
    int fd;

    fk_start(8, 1, 1);
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    EXPECT_EQ(fk_next(fd, NULL), 1);
    fk.refuses = true;
    EXPECT_STR(fk_say(fd, "commit", 0), "refused");
    EXPECT_STR(fk_say(fd, "done", 1), "refused");
    close(fd);
    fk_end();
}

TEST(an_epoch_ends_early_when_asked)
{
    int fd;

    fk_start(100, 2, 1);
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    EXPECT_STR(fk_ask(fd, "stop train"), "ok");
    fk_settle();
    EXPECT_STR(fk_say(fd, "commit", 0), "ok");
    while (fk.epoch == 0) { /* What was leased is still given. */
        uint64_t position = fk_next(fd, NULL);

        EXPECT(position < 20);
        EXPECT_STR(fk_say(fd, "commit", position), "ok");
    }
    EXPECT_STR(fk_ask(fd, "next train"), "end 0");
    EXPECT_EQ(fk_next(fd, NULL), 0);
    close(fd);
    fk_end();
}

TEST(bad_lines_are_answered_and_counted)
{
    static char long_line[3 * FEED_LINE_MAX];
    int fd;

    fk_start(2, 1, 1);
    fd = fk_connect();
    EXPECT(strncmp(fk_ask(fd, "GET / HTTP/1.1"), "error 'GET' is none", 19) ==
           0);
    EXPECT_STR(fk_ask(fd, "next test"), "error there is no such channel");
    EXPECT_STR(fk_ask(fd, "done train 0"),
               "error this position was not handed to this rank, or was done "
               "before");
    EXPECT_EQ(feed_stats(fk.feed).errors, 3);
    EXPECT_EQ(fk_next(fd, NULL), 0);
    memset(long_line, 'x', sizeof(long_line) - 1);
    fk_write(fd, long_line);
    EXPECT_STR(fk_read(fd), "error the line is too long");
    EXPECT_STR(fk_read(fd), ""); /* Closed. */
    fk_settle();
    EXPECT_EQ(feed_stats(fk.feed).errors, 4);
    EXPECT_EQ(feed_stats(fk.feed).connected, 0);
    close(fd);
    fk_end();
}

TEST(lines_may_be_sent_ahead_and_in_pieces)
{
    int fd;

    fk_start(4, 1, 1);
    fd = fk_connect();
    fk_write(fd, "rank 0\nnext train\ndone train 0\r\n\nnext tra");
    EXPECT_STR(fk_read(fd), "ok");
    EXPECT(strncmp(fk_read(fd), "unit 0 0 ", 9) == 0);
    EXPECT_STR(fk_read(fd), "ok");
    fk_write(fd, "in");
    EXPECT(shutdown(fd, SHUT_WR) == 0); /* The last line has no end. */
    EXPECT(strncmp(fk_read(fd), "unit 0 1 ", 9) == 0);
    EXPECT_STR(fk_read(fd), "");
    close(fd);
    fk_end();
}

TEST(too_many_connections_are_turned_away)
{
    static int fds[FEED_CONNECTIONS_MAX + 1];

    fk_start(2, 1, 1);
    for (uint32_t i = 0; i < FEED_CONNECTIONS_MAX; i++) {
        fds[i] = fk_connect();
        fk_step();
    }
    fds[FEED_CONNECTIONS_MAX] = fk_connect();
    EXPECT_STR(fk_read(fds[FEED_CONNECTIONS_MAX]),
               "error there are too many connections");
    EXPECT_EQ(feed_stats(fk.feed).turned, 1);
    close(fds[0]);
    close(fds[FEED_CONNECTIONS_MAX]);
    fk_settle();
    fds[0] = fk_connect();
    EXPECT_EQ(fk_next(fds[0], NULL), 0);
    for (uint32_t i = 0; i < FEED_CONNECTIONS_MAX; i++) {
        close(fds[i]);
    }
    fk_end();
}

TEST(a_unit_that_is_not_there_is_an_error_and_tried_again)
{
    struct store_sync_put put = {.key = "p/u 1"};
    const char *line;
    char *content = kit_content(1, 11);
    int fd;

    fk_start(3, 1, 1);
    EXPECT_OK(store_sync_delete(fk.store, "p/u 1", &fk.why), fk.why);
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    line = fk_ask(fd, "next train");
    EXPECT(strncmp(line, "error ", 6) == 0 && strstr(line, "u 1") != NULL);
    EXPECT(fk.failures > 0);
    EXPECT_EQ(fk.failed, STATUS_NOT_FOUND);
    put.body = (struct bytes){content, 11};
    EXPECT_OK(store_sync_put(fk.store, &put, &fk.why), fk.why);
    /* The try that the error began may have been too early. */
    line = fk_ask(fd, "next train");
    if (strncmp(line, "error ", 6) == 0) {
        line = fk_ask(fd, "next train");
    }
    EXPECT(strncmp(line, "unit 0 1 ", 9) == 0);
    EXPECT_EQ(fk_next(fd, NULL), 2);
    close(fd);
    free(content);
    fk_end();
}

TEST(where_that_is_allowed_it_is_skipped)
{
    int fd;

    fk_start(4, 1, 1);
    fk.channel.skips = true;
    EXPECT_OK(store_sync_delete(fk.store, "p/u 0", &fk.why), fk.why);
    EXPECT_OK(store_sync_delete(fk.store, "p/u 3", &fk.why), fk.why);
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 1);
    EXPECT_STR(fk_say(fd, "skip", 1), "ok"); /* Without a reason. */
    EXPECT_EQ(fk_next(fd, NULL), 2);
    EXPECT_STR(fk_say(fd, "done", 2), "ok");
    EXPECT_STR(fk_ask(fd, "next train"), "end 0");
    EXPECT_EQ(fk.skipped, 3);
    EXPECT_EQ(fk.failures, 0);
    EXPECT_EQ(feed_stats(fk.feed).failed, 2);
    alarm(60);
    while (feed_fetch_count(fk.feed->fetch) > 0) { /* Nothing is kept. */
        fk_step();
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    close(fd);
    fk_end();
}

/* The coordinator has forgotten the leases: what was not committed is leased
 * anew. */
static void fk_lose_leases(void)
{
    fk.refuses = true;
    fk_settle();
    fk.refuses = false;
    for (uint64_t n = 1; n <= fk.top; n++) {
        fk.leases[n].left = 0;
    }
    fk.next = 0;
}

TEST(what_is_said_is_of_the_newest_lease)
{
    int fd;

    fk_start(2, 1, 1);
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    EXPECT_EQ(fk_next(fd, NULL), 1);
    fk_lose_leases();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    EXPECT_EQ(fk_next(fd, NULL), 1);
    EXPECT_STR(fk_say(fd, "commit", 1), "ok");
    EXPECT_STR(fk_say(fd, "commit", 1), "refused"); /* The older one. */
    EXPECT_STR(fk_say(fd, "commit", 0), "ok");
    close(fd);
    fk_end();
}

/* Two processes of a rank may be an epoch apart: what the slower one has is
 * known so long. */
TEST(units_are_forgotten_an_epoch_later)
{
    int a;
    int b;

    fk_start(4, 3, 1);
    a = fk_connect();
    b = fk_connect();
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT_EQ(fk_next(a, NULL), i);
    }
    fk_lose_leases();
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        for (uint64_t i = 0; i < 4; i++) {
            EXPECT_EQ(fk_next(b, NULL), i);
            EXPECT_STR(fk_say(b, "commit", i), "ok");
        }
        EXPECT_STR(fk_ask(b, "next train"), epoch == 0 ? "end 0" : "end 1");
        EXPECT_STR(fk_ask(b, "next train now"), "empty"); /* It has begun. */
        fk_settle();
        EXPECT_STR(fk_say(a, "done", epoch + 2),
                   epoch == 0 ? "refused"
                              : "error this position was not handed to this "
                                "rank, or was done before");
    }
    close(a);
    close(b);
    fk_end();
}

/* Said while the answer to the one before is on its way. */
TEST(a_commit_waits_for_its_own_outcome)
{
    static struct work w;
    char byte;
    int a;
    int b;

    fk_start(4, 1, 1);
    a = fk_connect();
    b = fk_connect();
    EXPECT_EQ(fk_next(a, NULL), 0);
    EXPECT_EQ(fk_next(b, NULL), 1);
    fk_settle();
    fk.is_mute = true;
    fk_write(a, "commit train 0\n");
    fk_settle();
    while (!holder_work(fk.holder, fk.now_ms, &w) || w.done_count == 0) {
        fk_step();
    }
    fk_write(b, "commit train 1\n");
    fk_settle();
    fk_grant(&w);
    fk_settle();
    EXPECT_STR(fk_read(a), "ok");
    EXPECT(recv(b, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    fk.is_mute = false;
    EXPECT_STR(fk_read(b), "ok");
    close(a);
    close(b);
    fk_end();
}

TEST(the_next_unit_is_fetched_whatever_its_size)
{
    int fd;

    fk_start(8, 1, 1);
    fk.run = 8;
    fk.channel.ahead_bytes = 0;
    alarm(60); /* It would be waited for for ever. */
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    while (feed_stats(fk.feed).fetched < 2) {
        fk_step();
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    fk_settle();
    EXPECT_EQ(feed_fetch_count(fk.feed->fetch), 2);
    close(fd);
    fk_end();
}

TEST(now_does_not_wait)
{
    int fd;

    fk_start(2, 1, 1);
    fk.is_mute = true;
    fd = fk_connect();
    EXPECT_STR(fk_ask(fd, "next train now"), "empty");
    fk.is_mute = false;
    EXPECT_EQ(fk_next(fd, NULL), 0);
    EXPECT_EQ(fk_next(fd, NULL), 1);
    EXPECT_STR(fk_ask(fd, "next train now"), "empty");
    EXPECT_STR(fk_say(fd, "commit", 0), "ok");
    EXPECT_STR(fk_say(fd, "commit", 1), "ok");
    EXPECT_STR(fk_ask(fd, "next train now"), "end 0");
    close(fd);
    fk_end();
}

TEST(only_so_much_is_fetched_ahead)
{
    int fd;

    fk_start(50, 1, 1);
    fk.run = 50;
    fd = fk_connect();
    EXPECT_EQ(fk_next(fd, NULL), 0);
    while (feed_stats(fk.feed).fetched < 1 + 3) {
        fk_step();
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    fk_settle();
    EXPECT_EQ(feed_stats(fk.feed).fetched, 1 + 3);
    close(fd);
    fk_end();
}

TEST(what_an_earlier_process_left_goes_and_what_is_others_stays)
{
    kit_enter();
    kit_write("data/train/mine", 1, 10);
    kit_write("data/train/.smshard.units/7/left", 1, 10);
    {
        const struct feed_source source = {.name = "train",
                                           .folder = kit_path("data/train"),
                                           .root_uri = "mem://none/"};
        struct feed_fetch *f = NULL;
        struct fault why;

        EXPECT_OK(feed_fetch_start(
                      &(struct feed_fetch_options){
                          .sources = &source, .source_count = 1, .parts = 1},
                      &why, &f),
                  why);
        EXPECT(!kit_is_there("data/train/.smshard.units/7"));
        feed_fetch_stop(&f);
    }
    EXPECT(kit_is_there("data/train/mine"));
    EXPECT(!kit_is_there("data/train/.smshard.units"));
}

/* Those that wait change places again and again, and some are dropped. */
TEST(what_is_hurried_comes_once_as_all_the_others)
{
    static uint64_t tickets[50];
    struct feed_fetch *f = NULL;
    struct bring_object object;
    struct feed_fetched got;
    uint64_t count = 0;

    fk_start(50, 1, 1);
    feed_destroy(&fk.feed);
    EXPECT_OK(feed_fetch_start(
                  &(struct feed_fetch_options){.sources = &fk.channel.source,
                                               .source_count = 1,
                                               .fetch = fk.fetch,
                                               .parts = 1},
                  &fk.why, &f),
              fk.why);
    for (uint64_t i = 0; i < 50; i++) {
        EXPECT_EQ(fk_object(&fk, 0, i, 0, &object), STATUS_OK);
        tickets[i] = feed_fetch_want(f, 0, &object, 1000 + i);
        EXPECT(tickets[i] > 0);
        feed_fetch_hurry(f, tickets[i], 900 - i);
    }
    for (uint64_t i = 50; i > 0; i--) {
        feed_fetch_hurry(f, tickets[i - 1], 500 + i);
        feed_fetch_hurry(f, tickets[i - 1], 2000); /* Not sooner. */
    }
    for (uint64_t i = 0; i < 50; i += 5) {
        feed_fetch_drop(f, tickets[i]);
    }
    while (count < 40) {
        struct pollfd fd = {.fd = feed_fetch_fd(f), .events = POLLIN};

        EXPECT(poll(&fd, 1, -1) == 1);
        while (feed_fetch_take(f, &got)) {
            EXPECT_OK(got.status, got.why);
            EXPECT((got.ticket - tickets[0]) % 5 != 0);
            EXPECT(file_is_there(got.path));
            feed_fetch_drop(f, got.ticket);
            count++;
        }
    }
    while (feed_fetch_count(f) > 0) {
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    feed_fetch_stop(&f);
    fetch_stop(&fk.fetch);
    holder_destroy(&fk.holder);
    store_close(&fk.store);
}

/* Leave the process no descriptor more than those it has, or all again. */
static void limit_descriptors(bool is_full)
{
    static struct rlimit before;
    struct rlimit now;
    int next;

    if (!is_full) {
        EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        return;
    }
    EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    now = before;
    next = dup(0);
    EXPECT(next >= 0 && close(next) == 0);
    now.rlim_cur = (rlim_t)next;
    EXPECT(setrlimit(RLIMIT_NOFILE, &now) == 0);
}

static bool feed_is_ready(void)
{
    struct pollfd fd = {.fd = feed_fd(fk.feed), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* Who can't be accepted waits, and the owner's loop does not turn meanwhile.
 */
TEST(without_a_descriptor_left_clients_wait)
{
    int first;
    int waits;
    uint64_t until_ms;

    fk_start(2, 1, 1);
    first = fk_connect();
    fk_settle();
    waits = fk_connect();
    limit_descriptors(true);
    EXPECT(feed_is_ready());
    fk_step();
    EXPECT(!feed_is_ready());
    until_ms = feed_timer_ms(fk.feed);
    EXPECT(until_ms > fk.now_ms);
    EXPECT_EQ(feed_stats(fk.feed).connections, 1);
    fk.now_ms = until_ms; /* Still none: once more. */
    fk_step();
    EXPECT(!feed_is_ready());
    EXPECT_EQ(feed_stats(fk.feed).connections, 1);
    close(first); /* By this client, and by the feed: now there is one. */
    fk_step();
    fk_step();
    EXPECT_EQ(feed_stats(fk.feed).connections, 2);
    limit_descriptors(false);
    EXPECT_STR(fk_ask(waits, "rank 0"), "ok");
    close(waits);
    fk_end();
}

/* Descriptors may come free elsewhere: the time brings the next try. */
TEST(a_client_that_waited_is_taken_by_the_timer)
{
    int waits;

    fk_start(2, 1, 1);
    waits = fk_connect();
    limit_descriptors(true);
    fk_step();
    EXPECT(!feed_is_ready());
    limit_descriptors(false);
    fk_step();
    EXPECT_EQ(feed_stats(fk.feed).connections, 0);
    fk.now_ms = feed_timer_ms(fk.feed);
    fk_step();
    EXPECT_EQ(feed_stats(fk.feed).connections, 1);
    EXPECT_STR(fk_ask(waits, "rank 0"), "ok");
    close(waits);
    fk_end();
}
