/* SPDX-License-Identifier: Apache-2.0 */
/* The holder: one fetch for all, ahead of expiry, and what failures do. */

#include "base/log.h"
#include "tests/credentials_kit.h"

enum { ASKERS = 8 };

#define FIRST KIT_JSON("ASIAFIRST", "Token", KIT_LATER)
#define SECOND KIT_JSON("ASIASECOND", "Token", "2026-02-01T00:00:00Z")

struct holding {
    struct kit kit;
    struct credentials_holder *holder;
};

static void holding_open(struct holding *x)
{
    const struct credentials_options options = {.clock = &x->kit.clock,
                                                .seed = 5};

    x->holder = credentials_holder_new_with(x->kit.config, &options);
}

/* Over a container on loopback. */
static void holding_start(struct holding *x)
{
    kit_start(&x->kit);
    kit_set_url(&x->kit, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/c");
    kit_parse(&x->kit, "", "");
    holding_open(x);
}

static void holding_stop(struct holding *x)
{
    credentials_holder_destroy(&x->holder);
    EXPECT(x->holder == NULL);
    kit_stop(&x->kit);
}

static void holding_move(struct holding *x, uint64_t minutes)
{
    atomic_fetch_add(&x->kit.wall_ms, minutes * KIT_MINUTE);
}

static void holding_expect(struct holding *x, const char *key,
                           uint64_t generation)
{
    struct credentials c;
    struct fault why = {""};
    enum status s = credentials_get(x->holder, &why, &c);

    if (s != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    EXPECT_EQ(s, STATUS_OK);
    EXPECT_STR(c.access_key, key);
    EXPECT_EQ(c.generation, generation);
    credentials_wipe(&c);
    EXPECT_STR(c.secret_key, "");
}

static void holding_expect_fault(struct holding *x, enum status want,
                                 const char *part)
{
    struct credentials c;
    struct fault why = {""};

    EXPECT_STR(status_name(credentials_get(x->holder, &why, &c)),
               status_name(want));
    EXPECT(strstr(why.text, part) != NULL);
    EXPECT_STR(c.access_key, "");
}

TEST(kept_until_they_are_old)
{
    struct holding x;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200, FIRST, 1);
    stub_add(&x.kit.stub, "GET /c ", 200, SECOND, 1);
    EXPECT_EQ(stub_requests(&x.kit.stub), 0);
    holding_expect(&x, "ASIAFIRST", 1);
    holding_move(&x, 360 - 17);
    holding_expect(&x, "ASIAFIRST", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(stub_requests(&x.kit.stub), 1);
    /* Inside of the advisory time: the old ones, while new ones are fetched. */
    holding_move(&x, 4);
    stub_set_shut(&x.kit.stub, true);
    holding_expect(&x, "ASIAFIRST", 1);
    stub_wait_requests(&x.kit.stub, 2);
    holding_expect(&x, "ASIAFIRST", 1);
    stub_set_shut(&x.kit.stub, false);
    credentials_holder_settle(x.holder);
    holding_expect(&x, "ASIASECOND", 2);
    EXPECT_EQ(stub_requests(&x.kit.stub), 2);
    holding_stop(&x);
}

TEST(waited_for_when_they_are_too_old)
{
    struct holding x;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200, FIRST, 1);
    stub_add(&x.kit.stub, "GET /c ", 200, SECOND, 1);
    holding_expect(&x, "ASIAFIRST", 1);
    holding_move(&x, 360 - 9);
    holding_expect(&x, "ASIASECOND", 2);
    holding_stop(&x);
}

/* An advisory refresh that fails is tolerated, and not repeated at once; a
 * mandatory one is not. */
TEST(failures_are_tolerated_until_they_matter)
{
    struct holding x;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200, FIRST, 1);
    stub_add(&x.kit.stub, "GET /c ", 403, "", 4);
    stub_add(&x.kit.stub, "GET /c ", 200, SECOND, 0);
    holding_expect(&x, "ASIAFIRST", 1);
    holding_move(&x, 360 - 13);
    holding_expect(&x, "ASIAFIRST", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(stub_requests(&x.kit.stub), 2);
    holding_expect(&x, "ASIAFIRST", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(stub_requests(&x.kit.stub), 2);
    holding_move(&x, 1);
    holding_expect(&x, "ASIAFIRST", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(stub_requests(&x.kit.stub), 3);
    holding_move(&x, 3);
    /* Waited for, and what there is still serves. */
    holding_expect(&x, "ASIAFIRST", 1);
    EXPECT_EQ(stub_requests(&x.kit.stub), 4);
    holding_move(&x, 10);
    holding_expect_fault(&x, STATUS_DENIED, "403");
    EXPECT_EQ(stub_requests(&x.kit.stub), 5);
    /* The failure stands for a second. */
    holding_expect_fault(&x, STATUS_DENIED, "403");
    EXPECT_EQ(stub_requests(&x.kit.stub), 5);
    atomic_fetch_add(&x.kit.wall_ms, 1000);
    holding_expect(&x, "ASIASECOND", 2);
    holding_stop(&x);
}

static void *asker_get(void *self)
{
    struct holding *x = self;

    holding_expect(x, "ASIAFIRST", 1);
    return NULL;
}

static void *asker_renew(void *self)
{
    struct holding *x = self;
    struct credentials c;
    struct fault why;

    EXPECT_EQ(credentials_renew(x->holder, 1, &why, &c), STATUS_OK);
    EXPECT_EQ(c.generation, 2);
    EXPECT_STR(c.access_key, "ASIASECOND");
    return NULL;
}

static void ask_at_once(struct holding *x, void *(*ask)(void *), int request)
{
    pthread_t askers[ASKERS];

    stub_set_shut(&x->kit.stub, true);
    for (int i = 0; i < ASKERS; i++) {
        EXPECT(pthread_create(&askers[i], NULL, ask, x) == 0);
    }
    stub_wait_requests(&x->kit.stub, request);
    stub_set_shut(&x->kit.stub, false);
    for (int i = 0; i < ASKERS; i++) {
        EXPECT(pthread_join(askers[i], NULL) == 0);
    }
    EXPECT_EQ(stub_requests(&x->kit.stub), request);
}

TEST(many_askers_one_fetch)
{
    struct holding x;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200, FIRST, 1);
    stub_add(&x.kit.stub, "GET /c ", 200, SECOND, 1);
    ask_at_once(&x, asker_get, 1);
    /* The server has refused the first ones, each asker's. */
    ask_at_once(&x, asker_renew, 2);
    holding_stop(&x);
}

TEST(renewed_by_generation)
{
    struct holding x;
    struct credentials c;
    struct fault why;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200, FIRST, 1);
    stub_add(&x.kit.stub, "GET /c ", 200, SECOND, 1);
    stub_add(&x.kit.stub, "GET /c ", 403, "", 0);
    EXPECT_EQ(credentials_renew(x.holder, 0, &why, &c), STATUS_OK);
    EXPECT_EQ(c.generation, 1);
    EXPECT_EQ(credentials_renew(x.holder, 1, &why, &c), STATUS_OK);
    EXPECT_EQ(c.generation, 2);
    /* Somebody has done so since. */
    EXPECT_EQ(credentials_renew(x.holder, 1, &why, &c), STATUS_OK);
    EXPECT_EQ(c.generation, 2);
    EXPECT_EQ(stub_requests(&x.kit.stub), 2);
    EXPECT_EQ(credentials_renew(x.holder, 2, &why, &c), STATUS_DENIED);
    EXPECT_STR(c.access_key, "");
    holding_expect(&x, "ASIASECOND", 2);
    holding_stop(&x);
}

TEST(no_expiry_is_asked_for_again_now_and_then)
{
    struct holding x;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200,
             "{\"AccessKeyId\":\"AK1\",\"SecretAccessKey\":\"SECR\"}", 1);
    stub_add(&x.kit.stub, "GET /c ", 500, "", 0);
    holding_expect(&x, "AK1", 1);
    holding_move(&x, 13);
    holding_expect(&x, "AK1", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(stub_requests(&x.kit.stub), 1);
    holding_move(&x, 4);
    holding_expect(&x, "AK1", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(stub_requests(&x.kit.stub), 4);
    holding_move(&x, 10000);
    holding_expect(&x, "AK1", 1);
    holding_stop(&x);
}

TEST(constant_ones)
{
    struct holding x;
    struct credentials c;
    struct fault why;

    kit_start(&x.kit);
    kit_set(&x.kit, "AWS_ACCESS_KEY_ID", "AKENV");
    kit_set(&x.kit, "AWS_SECRET_ACCESS_KEY", "SECR");
    kit_parse(&x.kit, "", "");
    holding_open(&x);
    holding_expect(&x, "AKENV", 1);
    holding_move(&x, 100000);
    holding_expect(&x, "AKENV", 1);
    EXPECT_EQ(credentials_renew(x.holder, 1, &why, &c), STATUS_DENIED);
    EXPECT(strstr(why.text, "environment: the server says") != NULL);
    holding_expect(&x, "AKENV", 1);
    holding_stop(&x);
}

TEST(constant_ones_that_expire)
{
    struct holding x;

    kit_start(&x.kit);
    kit_set(&x.kit, "AWS_ACCESS_KEY_ID", "AKENV");
    kit_set(&x.kit, "AWS_SECRET_ACCESS_KEY", "SECR");
    kit_set(&x.kit, "AWS_CREDENTIAL_EXPIRATION", KIT_LATER);
    kit_parse(&x.kit, "", "");
    holding_open(&x);
    holding_expect(&x, "AKENV", 1);
    holding_move(&x, 359);
    holding_expect(&x, "AKENV", 1);
    holding_move(&x, 1);
    holding_expect_fault(&x, STATUS_DENIED, "environment: the credentials");
    holding_stop(&x);
}

TEST(nothing_is_set_up)
{
    struct holding x;

    kit_start(&x.kit);
    kit_set(&x.kit, "AWS_EC2_METADATA_DISABLED", "true");
    kit_parse(&x.kit, "", "");
    holding_open(&x);
    holding_expect_fault(&x, STATUS_NOT_FOUND, "SMSHARD_S3_ANONYMOUS=1");
    holding_stop(&x);
}

/* Instance metadata that is gone takes nothing away. */
TEST(metadata_that_is_gone)
{
    struct holding x;
    struct credentials c;
    struct fault why;

    kit_start(&x.kit);
    kit_set_url(&x.kit, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "");
    kit_parse(&x.kit, "", "");
    holding_open(&x);
    kit_imds(&x.kit, FIRST);
    holding_expect(&x, "ASIAFIRST", 1);
    stub_clear(&x.kit.stub);
    stub_add(&x.kit.stub, "", 500, "", 0);
    holding_move(&x, 361);
    EXPECT_EQ(credentials_get(x.holder, &why, &c), STATUS_OK);
    EXPECT_STR(c.access_key, "ASIAFIRST");
    EXPECT_EQ(stub_requests(&x.kit.stub), 1);
    EXPECT(c.expires_ms >= kit_time(&x.kit) + 17 * KIT_MINUTE);
    holding_expect(&x, "ASIAFIRST", 1);
    EXPECT_EQ(stub_requests(&x.kit.stub), 1);
    /* It is back. */
    stub_clear(&x.kit.stub);
    kit_imds(&x.kit, KIT_JSON("ASIASECOND", "Token", "2026-02-01T00:00:00Z"));
    holding_move(&x, 26);
    holding_expect(&x, "ASIASECOND", 2);
    holding_stop(&x);
}

TEST(destroyed_while_a_refresh_runs)
{
    struct holding x;

    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200, FIRST, 1);
    stub_add(&x.kit.stub, "GET /c ", STUB_HANG_UP, "", 0);
    holding_expect(&x, "ASIAFIRST", 1);
    holding_move(&x, 360 - 13);
    holding_expect(&x, "ASIAFIRST", 1);
    holding_stop(&x);
}

/* What the log says of all this never holds a secret. */
TEST(log_has_no_secret)
{
    struct holding x;
    char path[] = "/tmp/credentials-log-XXXXXX";
    struct buf text = {0};
    struct fault why;
    int fd = mkstemp(path);

    EXPECT(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    log_init("n", LOG_DEBUG);
    holding_start(&x);
    stub_add(&x.kit.stub, "GET /c ", 200,
             KIT_JSON("ASIAABCDEFGHIJKLMNOP", "Token", KIT_LATER), 1);
    stub_add(&x.kit.stub, "GET /c ", 403,
             "{\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"SECR\"}", 0);
    holding_expect(&x, "ASIAABCDEFGHIJKLMNOP", 1);
    holding_move(&x, 360 - 13);
    holding_expect(&x, "ASIAABCDEFGHIJKLMNOP", 1);
    credentials_holder_settle(x.holder);
    EXPECT_EQ(file_read(path, 1 << 20, &why, &text), STATUS_OK);
    EXPECT(remove(path) == 0);
    EXPECT(strstr(buf_text(&text), "credentials.got from=container "
                                   "key=...MNOP generation=1") != NULL);
    EXPECT(strstr(buf_text(&text), "credentials.refresh_failed") != NULL);
    EXPECT(strstr(buf_text(&text), "SECR") == NULL);
    EXPECT(strstr(buf_text(&text), "LMNOP") == NULL);
    EXPECT(strstr(buf_text(&text), "tok-") == NULL);
    buf_fini(&text);
    holding_stop(&x);
}
