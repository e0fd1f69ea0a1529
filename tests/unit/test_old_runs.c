/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/old_runs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/store_mem.h"
#include "store/store_sync.h"
#include "tests/unit/log_kit.h"

#define ID(digit) digit digit digit digit digit digit digit digit
#define RUN(digit) ID(digit) ID(digit) ID(digit) ID(digit)

static struct {
    char root[64];
    char uri[80];
    char log[80];
    struct store *store;
    struct buf prefix;
    bool is_led;
} kit;

static void setup(void)
{
    struct fault why;

    snprintf(kit.root, sizeof(kit.root), "/tmp/test_old_runs.XXXXXX");
    EXPECT(mkdtemp(kit.root) != NULL);
    snprintf(kit.uri, sizeof(kit.uri), "file://%s/j/state/", kit.root);
    snprintf(kit.log, sizeof(kit.log), "%s/log", kit.root);
    EXPECT_EQ(store_open(kit.uri, STORE_WRITE, &why, &kit.store, &kit.prefix),
              STATUS_OK);
    kit.is_led = true;
}

static void clean(void)
{
    struct fault why;

    store_close(&kit.store);
    buf_fini(&kit.prefix);
    EXPECT_EQ(file_remove_tree(kit.root, &why), STATUS_OK);
}

static const char *path_of(const char *key)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/j/state/%s", kit.root, key);
    return path;
}

static bool is_there(const char *key)
{
    return file_is_there(path_of(key));
}

/* An object of @date_s seconds after 1970. */
static void put(const char *key, int date_s)
{
    struct timespec times[2] = {{.tv_sec = date_s}, {.tv_sec = date_s}};
    struct fault why;

    EXPECT_EQ(file_write(path_of(key), BYTES("x"), false, &why), STATUS_OK);
    EXPECT(utimensat(AT_FDCWD, path_of(key), times, 0) == 0);
}

static bool is_led(void *self)
{
    EXPECT(self == &kit);
    return kit.is_led;
}

static struct old_runs *new_runs(const char *run)
{
    return old_runs_new(
        &(struct old_runs_options){.run = run, .is_led = is_led, .self = &kit});
}

/* Returns how many turns it took. */
static unsigned tidy(const char *run)
{
    struct old_runs *o = new_runs(run);
    unsigned turns = 1;

    while (old_runs_turn(o, kit.store, buf_text(&kit.prefix))) {
        turns++;
    }
    old_runs_destroy(&o);
    EXPECT(o == NULL);
    return turns;
}

/* The run 5 is led; by their ids the runs are in another order than by date,
 * and each has an object as old as the oldest. */
TEST(all_but_the_last_two_go)
{
    setup();
    put("runs/" RUN("5") "/dealt", 10);
    put("runs/" RUN("1") "/journal/2", 20);
    put("runs/" RUN("4") "/dealt", 20);
    put("runs/" RUN("4") "/journal/1", 50);
    put("runs/" RUN("2") "/audit/1-2", 60);
    put("runs/" RUN("3") "/dealt", 40);
    put("runs/" RUN("3") "/journal/1", 20);
    put("runs/" RUN("3") "/snapshot", 20);
    put("runs/of-somebody/else", 1);
    put("runs/file", 1);
    put("runs/" RUN("0") "0/longer", 1);
    put("runs/" RUN("x") "/of-somebody", 1);
    put("runs/" RUN("6") "/dealt", 0); /* Nobody knows of when it is. */
    put("lease", 1);
    tidy(RUN("5"));
    EXPECT(is_there("runs/" RUN("5") "/dealt"));
    EXPECT(is_there("runs/" RUN("2") "/audit/1-2"));
    EXPECT(is_there("runs/" RUN("4") "/dealt"));
    EXPECT(is_there("runs/" RUN("4") "/journal/1"));
    EXPECT(!is_there("runs/" RUN("1")));
    EXPECT(!is_there("runs/" RUN("3")));
    EXPECT(is_there("runs/of-somebody/else"));
    EXPECT(is_there("runs/file"));
    EXPECT(is_there("runs/" RUN("0") "0/longer"));
    EXPECT(is_there("runs/" RUN("x") "/of-somebody"));
    EXPECT(is_there("runs/" RUN("6") "/dealt"));
    EXPECT(is_there("lease"));
    EXPECT_EQ(tidy(RUN("5")), 1); /* Nothing is left to do. */
    clean();
}

TEST(as_old_as_one_that_is_kept)
{
    setup();
    put("runs/" RUN("1") "/dealt", 10);
    put("runs/" RUN("2") "/dealt", 20);
    put("runs/" RUN("3") "/dealt", 20);
    put("runs/" RUN("4") "/dealt", 30);
    put("runs/" RUN("5") "/dealt", 40);
    tidy(RUN("5"));
    EXPECT(!is_there("runs/" RUN("1")));
    EXPECT(is_there("runs/" RUN("2") "/dealt"));
    EXPECT(is_there("runs/" RUN("3") "/dealt"));
    EXPECT(is_there("runs/" RUN("4") "/dealt"));
    clean();
}

/* Who has lost the lease may have listed the run that is led by now. */
TEST(without_the_lease_nothing_goes)
{
    setup();
    put("runs/" RUN("1") "/dealt", 10);
    put("runs/" RUN("2") "/dealt", 20);
    put("runs/" RUN("3") "/dealt", 30);
    put("runs/" RUN("4") "/dealt", 40);
    kit.is_led = false;
    EXPECT_EQ(tidy(RUN("4")), 1);
    EXPECT(is_there("runs/" RUN("1") "/dealt"));
    kit.is_led = true;
    tidy(RUN("4"));
    EXPECT(!is_there("runs/" RUN("1")));
    clean();
}

/* A turn is bounded, and what was begun is gone on with by the next. */
TEST(a_large_run_goes_in_steps)
{
    enum { OBJECTS = 2 * OLD_RUNS_STEP + 10 };
    struct old_runs *o;
    char key[80];

    setup();
    for (int i = 0; i < OBJECTS; i++) {
        snprintf(key, sizeof(key), "runs/%s/journal/%06d", RUN("1"), i);
        put(key, 10);
    }
    put("runs/" RUN("2") "/dealt", 20);
    put("runs/" RUN("3") "/dealt", 30);
    o = new_runs(RUN("4"));
    EXPECT(old_runs_turn(o, kit.store, buf_text(&kit.prefix)));
    EXPECT(is_there("runs/" RUN("1") "/journal/000000"));
    EXPECT(old_runs_turn(o, kit.store, buf_text(&kit.prefix)));
    EXPECT(!is_there("runs/" RUN("1") "/journal/000000"));
    EXPECT(is_there("runs/" RUN("1") "/journal/000200"));
    old_runs_destroy(&o);
    EXPECT(tidy(RUN("4")) >= 3);
    EXPECT(!is_there("runs/" RUN("1")));
    EXPECT(is_there("runs/" RUN("2") "/dealt"));
    clean();
}

/* Many launches before this was done: some go now, the rest with the next. */
TEST(more_runs_than_are_looked_at)
{
    char key[80];

    setup();
    for (int i = 0; i < OLD_RUNS_MAX + 5; i++) {
        snprintf(key, sizeof(key), "runs/%032x/dealt", (unsigned)i);
        put(key, 1000 + i);
    }
    tidy(RUN("f"));
    tidy(RUN("f"));
    for (int i = 0; i < OLD_RUNS_MAX + 5; i++) {
        snprintf(key, sizeof(key), "runs/%032x/dealt", (unsigned)i);
        EXPECT_EQ(is_there(key), i >= OLD_RUNS_MAX + 3);
    }
    clean();
}

/* In memory, where requests can be made to fail: @in counts them. */
static void fail_at(uint64_t in)
{
    static const char *const runs[] = {RUN("1"), RUN("2"), RUN("3")};
    struct store *store;
    struct old_runs *o;
    struct fault why;
    unsigned turns = 1;
    int old;

    setup();
    store = store_mem_open("tidy");
    for (int i = 0; i < 3; i++) {
        uint64_t put_ms;
        char key[80];

        snprintf(key, sizeof(key), "runs/%s/dealt", runs[i]);
        EXPECT_EQ(store_sync_put(store,
                                 &(struct store_sync_put){key, BYTES("x"),
                                                          STORE_ALWAYS, NULL},
                                 &why),
                  STATUS_OK);
        put_ms = clock_wall_ms(&clock_os); /* Or before: no two are of one. */
        while (clock_wall_ms(&clock_os) == put_ms) {
        }
    }
    store_mem_fail("tidy", (struct store_mem_failure){
                               .in = in, .count = 1, .status = STATUS_DENIED});
    o = new_runs(RUN("4"));
    old = log_catch(kit.log);
    while (old_runs_turn(o, store, "")) {
        turns++;
    }
    log_release(old);
    EXPECT_EQ(turns, in == 1 ? 1 : 2);
    EXPECT_EQ(log_count(kit.log, "warn runs.left reason="), 1);
    EXPECT_EQ(log_count(kit.log, "\n"), 1);
    old_runs_destroy(&o);
    store_close(&store);
    clean();
}

TEST(a_failure_ends_it_with_one_line)
{
    for (uint64_t in = 1; in <= 3; in++) { /* LIST, LIST, DELETE. */
        fail_at(in);
    }
}
