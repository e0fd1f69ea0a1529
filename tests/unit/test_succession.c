/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/succession.h"

#include <poll.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/term_store.h"
#include "tests/unit/log_kit.h"

/* HANG_MS is far longer than any of it takes: only what hangs runs into it. A
 * lease that is to go stale does so soon; one that is to be renewed has time
 * for that on a machine that is busy. */
enum { HANG_MS = 60000, SOON_MS = 60, LATE_MS = 1000 };

#define RUN_A "aaaa"
#define RUN_B "bbbb"

static char root[64];
static char uri[80];

static void setup(void)
{
    snprintf(root, sizeof(root), "/tmp/test_succession.XXXXXX");
    EXPECT(mkdtemp(root) != NULL);
    snprintf(uri, sizeof(uri), "file://%s/state/", root);
}

static void clean(void)
{
    struct fault why;

    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
}

/* Host 0 would begin RUN_A, host 1 RUN_B. */
static struct term *new_term(uint32_t number, uint64_t heartbeat_ms)
{
    return term_new(&(struct term_options){
        .host = number == 0 ? "a" : "b",
        .endpoint = number == 0 ? "tcp://a:1" : "tcp://b:1",
        .run = number == 0 ? RUN_A : RUN_B,
        .number = number,
        .host_count = 2,
        .heartbeat_ms = heartbeat_ms,
        .nonce_seed = 100 + number,
        .may_succeed = true,
    });
}

static struct succession *start(uint32_t number, uint64_t heartbeat_ms)
{
    struct succession *s;
    struct fault why;

    EXPECT_EQ(succession_start(new_term(number, heartbeat_ms), uri, &why, &s),
              STATUS_OK);
    return s;
}

/* Wait until it stands in @state, in @term. */
static struct succession_news await(struct succession *s, enum term_state state,
                                    uint64_t term)
{
    struct pollfd fd = {.fd = succession_fd(s), .events = POLLIN};
    struct succession_news news;

    succession_take(s, &news);
    while (news.state != state || news.lease.term != term) {
        EXPECT_EQ(poll(&fd, 1, HANG_MS), 1);
        succession_take(s, &news);
    }
    return news;
}

static struct succession_news await_release(struct succession *s)
{
    struct pollfd fd = {.fd = succession_fd(s), .events = POLLIN};
    struct succession_news news;

    succession_take(s, &news);
    while (!news.lease.is_released) {
        EXPECT_EQ(poll(&fd, 1, HANG_MS), 1);
        succession_take(s, &news);
    }
    return news;
}

/* A host takes the lease, and is never heard of again. */
static void lead_and_die(uint32_t number)
{
    struct term *t = new_term(number, SOON_MS);
    struct term_store lease;
    struct buf prefix = {0};
    struct store *store;
    struct fault why;
    char *key;

    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &store, &prefix), STATUS_OK);
    key = mem_print("%slease", buf_text(&prefix));
    lease = (struct term_store){.store = store, .key = key};
    term_store_step(t, &lease, TERM_EVENT_TIMER);
    EXPECT_EQ(term_state(t), TERM_LEADING);
    free(key);
    buf_fini(&prefix);
    store_close(&store);
    term_destroy(&t);
}

TEST(it_leads_where_nobody_does)
{
    struct succession *s;
    struct succession_news news;

    setup();
    s = start(0, LATE_MS);
    news = await(s, TERM_LEADING, 1);
    EXPECT_STR(news.lease.host, "a");
    EXPECT_STR(news.lease.run, RUN_A);
    EXPECT_STR(news.lease.endpoint, "tcp://a:1");
    EXPECT_STR(news.fault.text, "");
    EXPECT(!news.lease.is_released);
    EXPECT(succession_left_ms(s, RUN_A) > 0);
    EXPECT(succession_left_ms(s, RUN_A) <= 2 * LATE_MS);
    EXPECT_EQ(succession_left_ms(s, RUN_B), 0);
    succession_end(&s, true);
    EXPECT(s == NULL);
    succession_end(&s, true);
    clean();
}

TEST(it_follows_who_leads)
{
    struct succession *a;
    struct succession *b;
    struct succession_news news;

    setup();
    a = start(0, LATE_MS);
    await(a, TERM_LEADING, 1);
    b = start(1, LATE_MS);
    news = await(b, TERM_FOLLOWING, 1);
    EXPECT_STR(news.lease.host, "a");
    EXPECT_STR(news.lease.endpoint, "tcp://a:1");
    succession_end(&b, true);
    succession_take(a, &news);
    EXPECT_STR(news.lease.host, "a"); /* Who follows takes nothing with it. */
    EXPECT(!news.lease.is_released);
    succession_end(&a, true);
    clean();
}

/* A host of the run takes over, and the run goes on. */
TEST(it_takes_over_the_run_it_was_let_into)
{
    struct succession *b;
    struct succession_news news;

    setup();
    lead_and_die(0);
    b = start(1, SOON_MS);
    succession_enter_run(b, RUN_A);
    news = await(b, TERM_LEADING, 2);
    EXPECT_STR(news.lease.run, RUN_A);
    EXPECT_STR(news.lease.host, "b");
    succession_end(&b, true);
    clean();
}

/* Another launch begins a run of its own. */
TEST(it_begins_a_run_where_it_was_in_none)
{
    struct succession *b;
    struct succession_news news;

    setup();
    lead_and_die(0);
    b = start(1, SOON_MS);
    succession_set_eager(b, true);
    news = await(b, TERM_LEADING, 2);
    EXPECT_STR(news.lease.run, RUN_B);
    succession_set_eager(b, false);
    succession_end(&b, true);
    clean();
}

/* The run is over: nobody of it takes it up again, but the next launch does
 * not wait. */
TEST(a_run_that_was_released_is_over)
{
    struct succession *a;
    struct succession *b;
    struct succession_news news;

    setup();
    a = start(0, LATE_MS);
    await(a, TERM_LEADING, 1);
    b = start(1, LATE_MS);
    succession_enter_run(b, RUN_A);
    await(b, TERM_FOLLOWING, 1);
    succession_set_eager(b, true);
    succession_end(&a, true);
    news = await_release(b);
    EXPECT_EQ(news.state, TERM_FOLLOWING);
    EXPECT_EQ(news.lease.term, 1);
    succession_end(&b, true);
    a = start(0, LATE_MS);
    news = await(a, TERM_LEADING, 2);
    EXPECT_STR(news.lease.run, RUN_A);
    succession_end(&a, true);
    clean();
}

/* A launch that was kept waiting does not take up what has ended. */
TEST(a_run_that_ended_while_this_launch_was_kept_waiting)
{
    struct succession *a;
    struct succession *b;
    struct succession_news news;

    setup();
    a = start(0, LATE_MS);
    await(a, TERM_LEADING, 1);
    b = start(1, LATE_MS);
    await(b, TERM_FOLLOWING, 1);
    succession_knock(b, RUN_A);
    succession_set_eager(b, true);
    succession_end(&a, true);
    news = await_release(b);
    EXPECT_EQ(news.state, TERM_FOLLOWING);
    EXPECT_EQ(news.lease.term, 1);
    succession_end(&b, true);
    clean();
}

/* A lease that can't be read is told of, and left alone. */
TEST(a_lease_that_cannot_be_read)
{
    struct succession *s;
    struct succession_news news;
    struct pollfd fd = {.events = POLLIN};
    struct fault why;
    char path[128];
    struct buf left = {0};

    setup();
    snprintf(path, sizeof(path), "%s/state/lease", root);
    EXPECT_EQ(file_write(path, BYTES("not JSON"), false, &why), STATUS_OK);
    s = start(0, SOON_MS);
    fd.fd = succession_fd(s);
    do {
        EXPECT_EQ(poll(&fd, 1, HANG_MS), 1);
        succession_take(s, &news);
    } while (news.fault.text[0] == '\0');
    EXPECT_EQ(news.state, TERM_LOOKING);
    succession_end(&s, true);
    EXPECT_EQ(file_read(path, 100, &why, &left), STATUS_OK);
    EXPECT(bytes_is(buf_bytes(&left), "not JSON"));
    buf_fini(&left);
    clean();
}

/* Something is where the lease's folder should be, for several tries. */
TEST(trouble_is_said_once)
{
    struct term *t = new_term(0, SOON_MS);
    struct term_store lease = {0};
    struct buf prefix = {0};
    struct fault why;
    char path[128];
    char log[128];
    int old;

    setup();
    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &lease.store, &prefix),
              STATUS_OK);
    lease.key = "away/lease";
    snprintf(log, sizeof(log), "%s/log", root);
    snprintf(path, sizeof(path), "%s/state/away", root);
    EXPECT_EQ(file_write(path, BYTES("no folder"), false, &why), STATUS_OK);
    old = log_catch(log);
    while (lease.reads.tries + lease.writes.tries < 5) {
        term_store_step(t, &lease, TERM_EVENT_TIMER);
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    EXPECT_EQ(file_remove_tree(path, &why), STATUS_OK);
    while (term_state(t) != TERM_LEADING || lease.reads.tries > 0 ||
           lease.writes.tries > 0) {
        term_store_step(t, &lease, TERM_EVENT_TIMER);
        EXPECT(poll(NULL, 0, 1) == 0);
    }
    log_release(old);
    EXPECT(log_count(log, "lease.trouble") > 0);
    EXPECT_EQ(log_count(log, "lease.trouble"), log_count(log, "lease.mended"));
    EXPECT(log_count(log, "lease.trouble") <= 2); /* Reads, and writes. */
    term_destroy(&t);
    store_close(&lease.store);
    buf_fini(&prefix);
    clean();
}

TEST(a_place_that_is_none)
{
    struct succession *s;
    struct fault why = {.text = ""};

    EXPECT_EQ(succession_start(new_term(0, SOON_MS), "gopher://x/", &why, &s),
              STATUS_INVALID);
    EXPECT(s == NULL && why.text[0] != '\0');
}
