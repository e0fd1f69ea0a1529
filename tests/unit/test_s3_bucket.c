/* SPDX-License-Identifier: Apache-2.0 */
/* What the process learns of a bucket on the way and mends: region, clock,
 * sessions; and the keys that it can't mend. */
#include "store/s3_bucket.h"

#include "store/store_s3.h"
#include "tests/s3_kit.h"

TEST(another_region_is_learned)
{
    struct store_event e;
    struct store *s;

    kit_start(&(struct s3server_options){.region = "eu-north-1"});
    s3server_put(kit_server, "k", "x", 1);
    s = kit_open();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(kit_ask(s,
                          (struct store_request){.op = STORE_GET,
                                                 .key = BYTES("k"),
                                                 .into = kit_room,
                                                 .size = 9},
                          &e),
                  STATUS_OK);
    }
    EXPECT_EQ(s3server_requests(kit_server, NULL, NULL), 4);
    store_close(&s);
    kit_stop();
}

TEST(another_clock_is_learned)
{
    struct store_event e;
    struct store *s;

    kit_start(&(struct s3server_options){.fixed_ms = 1700000000000});
    s3server_put(kit_server, "k", "x", 1);
    s = kit_open();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(kit_ask(s,
                          (struct store_request){.op = STORE_GET,
                                                 .key = BYTES("k"),
                                                 .into = kit_room,
                                                 .size = 9},
                          &e),
                  STATUS_OK);
    }
    EXPECT_EQ(s3server_requests(kit_server, NULL, NULL), 4);
    store_close(&s);
    kit_stop();
}

TEST(wrong_keys_are_named)
{
    static const struct {
        const char *access;
        const char *secret;
        const char *says;
    } rows[] = {{"AKIDOTHER", "secret", "InvalidAccessKeyId"},
                {"AKIDEXAMPLE", "other", "the secret key is wrong"}};

    for (size_t i = 0; i < 2; i++) {
        struct store_event e;
        struct store *s;

        kit_start(&(struct s3server_options){.token = NULL});
        setenv("AWS_ACCESS_KEY_ID", rows[i].access, 1);
        setenv("AWS_SECRET_ACCESS_KEY", rows[i].secret, 1);
        if (fork() == 0) { /* Credentials are the process's. */
            s = kit_open();
            EXPECT_EQ(kit_ask(s,
                              (struct store_request){.op = STORE_GET,
                                                     .key = BYTES("k"),
                                                     .into = kit_room,
                                                     .size = 9},
                              &e),
                      STATUS_DENIED);
            EXPECT(strstr(e.why.text, rows[i].says) != NULL);
            EXPECT(strstr(e.why.text, rows[i].secret) == NULL || i == 1);
            _exit(0);
        } else {
            int state = 1;

            EXPECT(wait(&state) > 0 && state == 0);
        }
        kit_stop();
    }
}

/* A directory bucket: requests carry a session's token, not the account's. */
TEST(sessions_of_directory_buckets)
{
    struct store_event e;
    struct store *s = NULL;
    struct fault why;
    char token[256];

    kit_start(&(struct s3server_options){.is_express = true,
                                         .bucket = "b--use1-az4--x-s3"});
    s3server_put(kit_server, "k", "x", 1);
    EXPECT_EQ(store_s3_open("b--use1-az4--x-s3", &why, &s), STATUS_OK);
    EXPECT_EQ(kit_ask(s,
                      (struct store_request){.op = STORE_GET,
                                             .key = BYTES("k"),
                                             .into = kit_room,
                                             .size = 9},
                      &e),
              STATUS_OK);
    s3server_last_header(kit_server, "x-amz-s3session-token", token);
    EXPECT(strncmp(token, "token-", 6) == 0);
    EXPECT_EQ(s3server_requests(kit_server, "GET", "session"), 1);
    store_close(&s);
    kit_stop();
}

TEST(what_is_in_a_pool)
{
    struct s3_bucket *b = NULL;
    struct retry_pool pool;
    struct fault why;
    struct store_event e;
    struct store *s;

    kit_start_large(0);
    s = kit_open();
    s3server_fault(kit_server, &(struct s3server_fault){.count = 1,
                                                        .act = S3SERVER_ANSWER,
                                                        .code = 503,
                                                        .error = "SlowDown"});
    EXPECT_EQ(kit_ask(s, kit_get_large(), &e), STATUS_OK);
    EXPECT(e.is_throttled);
    EXPECT_EQ(s3_bucket_get("bucket", &why, &b), STATUS_OK);
    s3_bucket_pool(b, &pool);
    EXPECT_EQ(pool.count.throttles, 1);
    EXPECT_EQ(pool.count.retries, 1);
    kit_stop_large(&s);
}
