/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a store among other things, and requests that are ended early,
 * over every store. */
#include "store/store_wait.h"

#include <poll.h>

#include "base/file.h"
#include "store/store_stop.h"
#include "tests/s3_kit.h"

enum { MANY = 12, FOREVER = 60000 };

static char rooms[MANY][16];

static struct store *open_at(const char *uri)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &s, &prefix), STATUS_OK);
    buf_fini(&prefix);
    return s;
}

static void put(struct store *s)
{
    struct store_event e;

    EXPECT_EQ(kit_ask(s,
                      (struct store_request){.op = STORE_PUT,
                                             .key = BYTES("k"),
                                             .body = "0123456789",
                                             .size = 10},
                      &e),
              STATUS_OK);
}

static void get(struct store *s, uint64_t tag)
{
    struct store_request r = {.op = STORE_GET,
                              .tag = tag,
                              .key = BYTES("k"),
                              .size = 10,
                              .into = rooms[tag]};

    EXPECT_EQ(store_submit(s, &r), STATUS_OK);
}

/* Poll without waiting, and wait as the store says. */
static struct store_event wait_event(struct store *s)
{
    struct pollfd fds[STORE_FDS_MAX];
    struct store_event e;
    struct store_wait w;

    while (store_poll(s, 0, &e, 1) == 0) {
        store_wait_for(s, &w);
        EXPECT(w.fd_count <= STORE_FDS_MAX);
        EXPECT(w.fd_count > 0 || w.timeout_ms == 0);
        for (uint32_t i = 0; i < w.fd_count; i++) {
            fds[i] = (struct pollfd){.fd = w.fds[i], .events = POLLIN};
        }
        (void)poll(fds, w.fd_count, w.timeout_ms < 0 ? FOREVER : w.timeout_ms);
    }
    return e;
}

static void expect_idle(struct store *s)
{
    struct store_wait w = {.fd_count = 7};

    store_wait_for(s, &w);
    EXPECT_EQ(w.fd_count, 0);
    EXPECT_EQ(w.timeout_ms, -1);
}

static void wait_for_all(struct store *s)
{
    uint32_t seen = 0;

    put(s);
    expect_idle(s);
    for (uint64_t i = 0; i < MANY; i++) {
        get(s, i);
    }
    for (int i = 0; i < MANY; i++) {
        struct store_event e = wait_event(s);

        EXPECT_EQ(e.status, STATUS_OK);
        EXPECT(memcmp(rooms[e.tag], "0123456789", 10) == 0);
        EXPECT(!e.is_hedged && !e.is_hedge_won);
        seen |= 1U << e.tag;
    }
    EXPECT_EQ(seen, (1U << MANY) - 1);
    expect_idle(s);
}

/* Every second one is ended before it begins; each has its event. */
static void cancel_some(struct store *s)
{
    for (uint64_t i = 0; i < MANY; i++) {
        get(s, i);
    }
    for (uint64_t i = 0; i < MANY; i += 2) {
        store_cancel(s, i);
    }
    store_cancel(s, 777);
    for (int i = 0; i < MANY; i++) {
        struct store_event e = wait_event(s);

        EXPECT_EQ(e.status, e.tag % 2 == 0 ? STATUS_STOPPED : STATUS_OK);
        EXPECT_EQ(e.op, STORE_GET);
        EXPECT(e.tag % 2 != 0 || strstr(e.why.text, "cancelled") != NULL);
    }
    EXPECT_EQ(store_inflight(s), 0);
    expect_idle(s);
}

static void refused_is_there_at_once(struct store *s)
{
    struct store_request r = {
        .op = STORE_GET, .key = BYTES(""), .size = 10, .into = rooms[0]};
    struct store_wait w;

    EXPECT_EQ(store_submit(s, &r), STATUS_OK);
    store_wait_for(s, &w);
    EXPECT_EQ(w.timeout_ms, 0);
    EXPECT_EQ(wait_event(s).status, STATUS_INVALID);
}

static void run_all(const char *uri)
{
    struct store *s = open_at(uri);

    wait_for_all(s);
    cancel_some(s);
    refused_is_there_at_once(s);
    store_close(&s);
}

TEST(memory)
{
    run_all("mem://a/");
}

TEST(a_directory)
{
    char path[] = "/tmp/test_store_wait.XXXXXX";

    EXPECT(mkdtemp(path) != NULL);
    run_all(path);
    EXPECT_EQ(file_remove_tree(path, NULL), STATUS_OK);
}

TEST(s3)
{
    kit_start(&(struct s3server_options){.quirks = 0});
    run_all("s3://bucket/");
    kit_stop();
}

/* Bodies on their way, answers that do not come, pauses before an attempt: all
 * end at once, and nothing is written to their memory after that. */
TEST(s3_ends_what_hangs)
{
    static const struct s3server_fault faults[] = {
        {.act = S3SERVER_STALL, .bytes = 3},
        {.act = S3SERVER_DELAY, .ms = 1000000},
        {.act = S3SERVER_ANSWER, .code = 503, .error = "SlowDown"}};
    struct store_event e;
    struct store *s;

    kit_start(&(struct s3server_options){.quirks = 0});
    s = open_at("s3://bucket/");
    put(s);
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t before = s3server_requests(kit_server, "GET", NULL);

        s3server_fault(kit_server, &faults[i]);
        get(s, i);
        while (s3server_requests(kit_server, "GET", NULL) == before) {
            EXPECT_EQ(store_poll(s, 10, &e, 1), 0);
        }
        store_cancel(s, i);
        EXPECT_EQ(store_poll(s, 0, &e, 1), 1);
        EXPECT_EQ(e.tag, i);
        EXPECT_EQ(e.status, STATUS_STOPPED);
        s3server_clear(kit_server);
    }
    get(s, 5);
    EXPECT_EQ(wait_event(s).status, STATUS_OK);
    store_close(&s);
    kit_stop();
}

/* A handle that is stopped is looked at often, and then has answers. */
TEST(s3_that_is_stopped)
{
    static atomic_bool stop;
    struct store_wait w;
    struct store *s;

    kit_start(&(struct s3server_options){.quirks = 0});
    s = open_at("s3://bucket/");
    put(s);
    store_set_stop(s, &stop);
    s3server_fault(kit_server, &(struct s3server_fault){.act = S3SERVER_DELAY,
                                                        .ms = 1000000});
    get(s, 1);
    store_wait_for(s, &w);
    EXPECT(w.timeout_ms >= 0 && w.timeout_ms <= 1000);
    atomic_store(&stop, true);
    EXPECT_EQ(wait_event(s).status, STATUS_STOPPED);
    get(s, 2);
    store_cancel(s, 2);
    EXPECT_EQ(wait_event(s).status, STATUS_STOPPED);
    expect_idle(s);
    store_close(&s);
    kit_stop();
}

/* What curl carries is waited for, too. */
TEST(s3_waits_for_every_kind)
{
    struct store_request head = {.op = STORE_HEAD, .key = BYTES("k")};
    struct store *s;

    kit_start(&(struct s3server_options){.quirks = 0});
    s = open_at("s3://bucket/");
    put(s);
    s3server_fault(kit_server, &(struct s3server_fault){.method = "HEAD",
                                                        .count = 1,
                                                        .act = S3SERVER_DELAY,
                                                        .ms = 30});
    EXPECT_EQ(store_submit(s, &head), STATUS_OK);
    get(s, 1);
    EXPECT_EQ(wait_event(s).status, STATUS_OK);
    EXPECT_EQ(wait_event(s).status, STATUS_OK);
    store_close(&s);
    kit_stop();
}
