/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/store_queue.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/log_kit.h"

/* Far longer than any of it takes: only what hangs runs into it. */
enum { HANG_MS = 60000, MANY = 8 };

static char root[64];
static char uri[80];

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/test_store_queue.XXXXXX");
    EXPECT(mkdtemp(root) != NULL);
    snprintf(uri, sizeof(uri), "file://%s/state/", root);
}

static void clean(void)
{
    struct fault why;

    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
}

static struct store_queue *start(void)
{
    struct store_queue *q;
    struct fault why;

    EXPECT_EQ(store_queue_start(uri, "runs/ab/", &why, &q), STATUS_OK);
    return q;
}

static void add(struct store_queue *q, uint32_t tag, enum journal_ask ask,
                const char *key)
{
    struct journal_request r = {
        .tag = tag, .ask = ask, .etag = "", .body = BYTES("one")};

    snprintf(r.key, sizeof(r.key), "%s", key);
    store_queue_add(q, &r);
}

static bool has_news(const struct store_queue *q, int wait_ms)
{
    struct pollfd fd = {.fd = store_queue_fd(q), .events = POLLIN};

    return poll(&fd, 1, wait_ms) == 1;
}

static struct journal_event take(struct store_queue *q)
{
    struct journal_event e;

    while (!store_queue_take(q, &e)) {
        EXPECT(has_news(q, HANG_MS));
    }
    EXPECT_EQ(e.type, JOURNAL_EVENT_STORED);
    return e;
}

/* Ask, and return how it went. */
static struct journal_event ask(struct store_queue *q,
                                const struct journal_request *request)
{
    static uint32_t tag;
    struct journal_request r = *request;
    struct journal_event e;

    r.tag = ++tag;
    store_queue_add(q, &r);
    e = take(q);
    EXPECT_EQ(e.tag, r.tag);
    EXPECT(e.status != STATUS_OK || r.ask == JOURNAL_DELETE ||
           e.etag[0] != '\0');
    return e;
}

TEST(every_ask)
{
    struct journal_request r = {
        .ask = JOURNAL_CREATE, .key = "journal/1", .body = BYTES("first")};
    struct journal_event e;
    struct store_queue *q;
    char first[JOURNAL_ETAG_MAX];

    setup();
    q = start();
    EXPECT_EQ(ask(q, &r).status, STATUS_OK);
    EXPECT_EQ(ask(q, &r).status, STATUS_EXISTS);
    r.ask = JOURNAL_GET;
    e = ask(q, &r);
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT(bytes_is(e.body, "first"));
    snprintf(first, sizeof(first), "%s", e.etag);
    r.ask = JOURNAL_REPLACE;
    r.etag = first;
    r.body = BYTES("second, which is longer");
    e = ask(q, &r);
    EXPECT_EQ(e.status, STATUS_OK);
    EXPECT(strcmp(e.etag, first) != 0);
    EXPECT_EQ(ask(q, &r).status, STATUS_CHANGED);
    r.ask = JOURNAL_WRITE;
    r.etag = NULL;
    r.body = BYTES("third");
    EXPECT_EQ(ask(q, &r).status, STATUS_OK);
    r.ask = JOURNAL_GET;
    EXPECT(bytes_is(ask(q, &r).body, "third"));
    r.ask = JOURNAL_DELETE;
    EXPECT_EQ(ask(q, &r).status, STATUS_OK);
    EXPECT_EQ(ask(q, &r).status, STATUS_OK);
    r.ask = JOURNAL_GET;
    EXPECT_EQ(ask(q, &r).status, STATUS_NOT_FOUND);
    r.ask = JOURNAL_REPLACE;
    r.etag = first;
    EXPECT_EQ(ask(q, &r).status, STATUS_NOT_FOUND);
    store_queue_end(&q);
    EXPECT(q == NULL);
    clean();
}

/* The folder of the run is below the state, and the name of a key is kept. */
TEST(keys_are_below_the_folder)
{
    struct store_queue *q;
    char path[160];

    setup();
    q = start();
    add(q, 1, JOURNAL_WRITE, "journal/000017");
    EXPECT_EQ(take(q).status, STATUS_OK);
    snprintf(path, sizeof(path), "%s/state/runs/ab/journal/000017", root);
    EXPECT(file_is_there(path));
    store_queue_end(&q);
    clean();
}

/* Outcomes of MANY requests, in any order; a body of GET is the tag's digit. */
static void take_all(struct store_queue *q, bool has_body)
{
    bool is_taken[MANY] = {false};
    struct journal_event e;

    for (int i = 0; i < MANY; i++) {
        e = take(q);
        EXPECT(e.tag < MANY && !is_taken[e.tag]);
        is_taken[e.tag] = true;
        EXPECT_EQ(e.status, STATUS_OK);
        if (has_body) {
            EXPECT_EQ(e.body.size, 1);
            EXPECT_EQ(e.body.at[0], (int)('0' + e.tag));
        }
    }
    EXPECT(!store_queue_take(q, &e));
    EXPECT(!has_news(q, 0)); /* There is nothing more to take. */
}

/* The body is copied: who asks may change it at once. */
TEST(many_at_once)
{
    char body[] = "0";
    struct journal_request r = {.ask = JOURNAL_WRITE, .body = {body, 1}};
    struct store_queue *q;
    struct journal_event e;

    setup();
    q = start();
    EXPECT(!store_queue_take(q, &e));
    EXPECT(!has_news(q, 0));
    for (uint32_t i = 0; i < MANY; i++) {
        r.tag = i;
        body[0] = (char)('0' + i);
        snprintf(r.key, sizeof(r.key), "journal/%u", (unsigned)i);
        store_queue_add(q, &r);
    }
    take_all(q, false);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(r.key, sizeof(r.key), "journal/%u", (unsigned)i);
        add(q, i, JOURNAL_GET, r.key);
    }
    take_all(q, true);
    store_queue_end(&q);
    clean();
}

TEST(an_end_with_requests_open)
{
    setup();
    for (int i = 0; i < 8; i++) {
        struct store_queue *q = start();

        for (uint32_t k = 0; k < JOURNAL_ASKS_MAX; k++) {
            add(q, k, k % 2 == 0 ? JOURNAL_WRITE : JOURNAL_GET, "snapshot");
        }
        if (i % 2 == 1) {
            EXPECT(take(q).tag < JOURNAL_ASKS_MAX);
        }
        store_queue_end(&q);
        EXPECT(q == NULL);
    }
    clean();
}

/* Something is in the way: neither an answer nor the end of the queue. */
TEST(a_store_that_fails)
{
    struct store_queue *q;
    struct fault why;
    char path[160];
    enum status s;

    setup();
    q = start();
    snprintf(path, sizeof(path), "%s/state/runs/ab", root);
    EXPECT_EQ(file_write(path, BYTES("no folder"), false, &why), STATUS_OK);
    add(q, 1, JOURNAL_CREATE, "journal/1");
    s = take(q).status;
    EXPECT(s != STATUS_OK && s != STATUS_EXISTS && s != STATUS_NOT_FOUND &&
           s != STATUS_CHANGED);
    EXPECT_EQ(file_remove_tree(path, &why), STATUS_OK);
    add(q, 2, JOURNAL_CREATE, "journal/1");
    EXPECT_EQ(take(q).status, STATUS_OK);
    store_queue_end(&q);
    clean();
}

struct idle {
    atomic_int turns;
    int wanted;
};

static bool idle_turn(void *self, struct store *store, const char *prefix)
{
    struct idle *i = self;

    EXPECT(store != NULL && strcmp(prefix, "") == 0);
    return atomic_fetch_add(&i->turns, 1) + 1 < i->wanted;
}

/* What is asked is done all the same, and the work is done to its end. */
TEST(work_for_when_nothing_is_asked)
{
    struct idle endless = {.wanted = INT32_MAX};
    struct idle some = {.wanted = 3};
    struct store_queue *q;

    setup();
    q = start();
    store_queue_set_idle(q, idle_turn, &endless);
    for (uint32_t i = 0; i < 100; i++) {
        add(q, i, JOURNAL_WRITE, "snapshot");
        EXPECT_EQ(take(q).status, STATUS_OK);
    }
    while (atomic_load(&endless.turns) < 3) {
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    store_queue_end(&q);
    q = start();
    store_queue_set_idle(q, idle_turn, &some);
    while (atomic_load(&some.turns) < 3) {
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    add(q, 1, JOURNAL_WRITE, "snapshot");
    EXPECT_EQ(take(q).status, STATUS_OK);
    store_queue_end(&q);
    EXPECT_EQ(atomic_load(&some.turns), 3);
    clean();
}

/* A store that is away for long is not told of at each try. */
TEST(trouble_is_said_once)
{
    struct store_queue *q;
    struct fault why;
    char path[160];
    char log[160];
    int old;

    setup();
    q = start();
    snprintf(log, sizeof(log), "%s/log", root);
    snprintf(path, sizeof(path), "%s/state/runs/ab", root);
    EXPECT_EQ(file_write(path, BYTES("no folder"), false, &why), STATUS_OK);
    old = log_catch(log);
    for (uint32_t i = 0; i < 5; i++) {
        add(q, i, JOURNAL_CREATE, "journal/1");
        EXPECT(take(q).status != STATUS_OK);
    }
    EXPECT_EQ(file_remove_tree(path, &why), STATUS_OK);
    for (uint32_t i = 0; i < 3; i++) {
        add(q, i, JOURNAL_CREATE, "journal/1");
        EXPECT_EQ(take(q).status, i == 0 ? STATUS_OK : STATUS_EXISTS);
    }
    store_queue_end(&q);
    log_release(old);
    EXPECT_EQ(log_count(log, "journal.trouble request=create"), 1);
    EXPECT_EQ(log_count(log, "journal.mended request=create"), 1);
    EXPECT_EQ(log_count(log, "failures=5"), 1);
    EXPECT_EQ(log_count(log, "\n"), 2);
    clean();
}

TEST(a_place_that_is_none)
{
    struct store_queue *q;
    struct fault why = {.text = ""};

    EXPECT_EQ(store_queue_start("gopher://x/", "runs/ab/", &why, &q),
              STATUS_INVALID);
    EXPECT(q == NULL && why.text[0] != '\0');
    store_queue_end(&q);
}
