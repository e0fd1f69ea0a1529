/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes that are claimed in a store: the first one, our own, another job's
 * that has ended, and what goes wrong. */
#include "cli/claims.h"

#include <time.h>

#include "base/buf.h"
#include "store/store_mem.h"
#include "store/store_sync.h"
#include "tests/harness.h"

#define OURS "0123456789abcdef0123456789abcdef"
#define THEIRS "ffffffffffffffffffffffffffffffff"
#define FOLDER "mem://out/f/"
#define THEIR_STATE "mem://theirs/state/"

static const char *const hosts[] = {"h1", "h2"};
static const uint64_t attempts[] = {3, 7};
static struct fault why;
static atomic_bool stop;

static void put(const char *uri, const char *name, struct bytes body)
{
    struct store *s = NULL;
    struct buf key = {0};

    EXPECT_EQ(store_open(uri, STORE_WRITE, &why, &s, &key), STATUS_OK);
    buf_add_text(&key, name);
    EXPECT_EQ(store_sync_put(s,
                             &(struct store_sync_put){buf_text(&key), body,
                                                      STORE_ALWAYS, NULL},
                             &why),
              STATUS_OK);
    store_close(&s);
    buf_fini(&key);
}

static struct claim claim_at(const char *name)
{
    struct store *s = NULL;
    struct buf key = {0};
    struct buf body = {0};
    struct claim out;

    EXPECT_EQ(store_open(FOLDER, STORE_READ, &why, &s, &key), STATUS_OK);
    buf_add_text(&key, name);
    EXPECT_EQ(
        store_sync_get(s, &(struct store_sync_get){buf_text(&key), 9999, NULL},
                       &why, &body),
        STATUS_OK);
    EXPECT_EQ(claim_read(buf_bytes(&body), &why, &out), STATUS_OK);
    store_close(&s);
    buf_fini(&key);
    buf_fini(&body);
    return out;
}

static enum status take(uint64_t term)
{
    struct claim mine = {.job = "job",
                         .run = OURS,
                         .state_uri = "mem://ours/state/",
                         .term = term,
                         .wall_ms = 5};

    why.text[0] = '\0';
    return claims_take(&(struct claims_options){.uri = "mem://out/f",
                                                .folder = FOLDER,
                                                .what = "OutputDataConfig",
                                                .hosts = hosts,
                                                .attempts = attempts,
                                                .host_count = 2,
                                                .mine = &mine,
                                                .stop = &stop},
                       &why);
}

/* The other job has the prefix of the second host. */
static void put_theirs(void)
{
    struct buf body = {0};

    alarm(60); /* A claim that is looked at for ever is a failure. */
    claim_write(&(struct claim){.job = "other",
                                .run = THEIRS,
                                .host = "h2",
                                .state_uri = THEIR_STATE,
                                .attempt = 1,
                                .term = 1,
                                .wall_ms = 1},
                &body);
    put(FOLDER, "claims/h2", buf_bytes(&body));
    buf_fini(&body);
}

static void put_their_lease(const char *run, bool is_released)
{
    struct term_lease lease = {.term = 1,
                               .host = "h",
                               .endpoint = "tcp://127.0.0.1:1",
                               .nonce = THEIRS,
                               .ttl_ms = 60000,
                               .is_released = is_released};
    struct buf body = {0};

    snprintf(lease.run, sizeof(lease.run), "%s", run);
    term_lease_write(&lease, &body);
    put(THEIR_STATE, "lease", buf_bytes(&body));
    buf_fini(&body);
}

static void expect_ours(void)
{
    for (int i = 0; i < 2; i++) {
        char name[32];
        struct claim c;

        snprintf(name, sizeof(name), "claims/%s", hosts[i]);
        c = claim_at(name);
        EXPECT_STR(c.job, "job");
        EXPECT_STR(c.run, OURS);
        EXPECT_STR(c.host, hosts[i]);
        EXPECT_EQ(c.attempt, attempts[i]);
    }
}

TEST(each_host_gets_a_claim_of_its_own)
{
    EXPECT_EQ(take(1), STATUS_OK);
    expect_ours();
    EXPECT_EQ(take(1), STATUS_OK); /* They are ours. */
    EXPECT_EQ(take(2), STATUS_OK);
    EXPECT_EQ(claim_at("claims/h2").term, 2);
}

TEST(what_nobody_holds_any_more_is_taken_over)
{
    for (int row = 0; row < 3; row++) {
        put_theirs();
        if (row > 0) { /* First, there is no lease at all. */
            put_their_lease(row == 1 ? THEIRS : OURS, row == 1);
        }
        EXPECT_EQ(take(1), STATUS_OK);
        expect_ours();
    }
}

TEST(nothing_is_taken_when_we_are_to_end)
{
    put_theirs();
    put_their_lease(THEIRS, false);
    atomic_store(&stop, true);
    EXPECT_EQ(take(1), STATUS_STOPPED);
    EXPECT(strstr(why.text, "OutputDataConfig") != NULL);
    EXPECT_STR(claim_at("claims/h2").job, "other");
}

/* Of the requests to the folder, the first two are for the first host. */
static void lose_race(uint64_t in, enum status status)
{
    put_theirs();
    put_their_lease(THEIRS, true);
    store_mem_fail("out", (struct store_mem_failure){
                              .in = in, .count = 1, .status = status});
    EXPECT_EQ(take(1), STATUS_OK);
    store_mem_fail("out", (struct store_mem_failure){0});
    expect_ours();
}

TEST(a_race_that_is_lost_is_run_again)
{
    lose_race(3, STATUS_NOT_FOUND); /* It went between a look and the next. */
}

TEST(a_claim_that_has_changed_is_looked_at_again)
{
    lose_race(4, STATUS_CHANGED);
}

/* Between a look at the lease and the next: the other job ends, and another
 * host is faster than we. In the place of the C library's. */
static bool is_raced;
int pause_of_claims(const struct timespec *pause,
                    struct timespec *left) __asm__("nanosleep");

int pause_of_claims(const struct timespec *pause, struct timespec *left)
{
    struct buf body = {0};

    (void)pause;
    (void)left;
    EXPECT(!is_raced);
    is_raced = true;
    put_their_lease(THEIRS, true);
    claim_write(&(struct claim){.job = "job",
                                .run = OURS,
                                .host = "h9",
                                .state_uri = "mem://ours/state/",
                                .attempt = 1,
                                .term = 1,
                                .wall_ms = 1},
                &body);
    put(FOLDER, "claims/h2", buf_bytes(&body));
    buf_fini(&body);
    return 0;
}

TEST(what_another_took_over_meanwhile_stays_its_own)
{
    put_theirs();
    put_their_lease(THEIRS, false);
    EXPECT_EQ(take(1), STATUS_CLAIMED);
    EXPECT(is_raced);
    EXPECT(strstr(why.text, "host h9 of this very job") != NULL);
    EXPECT_STR(claim_at("claims/h2").host, "h9");
}

TEST(a_store_that_refuses_is_named)
{
    store_mem_fail("out", (struct store_mem_failure){
                              .in = 1, .count = 99, .status = STATUS_DENIED});
    EXPECT_EQ(take(1), STATUS_DENIED);
    EXPECT(strstr(why.text, "OutputDataConfig mem://out/f: prefix h1/") !=
           NULL);
}
