/* SPDX-License-Identifier: Apache-2.0 */
/* An S3 server of our own in this process (tests/s3server), and the
 * environment that leads the store to it. */

#ifndef TESTS_S3_KIT_H
#define TESTS_S3_KIT_H

#include <sys/wait.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/store_sync.h"
#include "tests/harness.h"
#include "tests/s3server/s3server.h"

static struct s3server *kit_server;

/* Point the environment to the server at @url. */
static inline void kit_environment(const char *url)
{
    static const char *const away[] = {
        "AWS_PROFILE",      "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE",       "http_proxy",
        "https_proxy",      "all_proxy",           "HTTPS_PROXY",
        "ALL_PROXY",        "AWS_MAX_ATTEMPTS"};

    for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++) {
        unsetenv(away[i]);
    }
    setenv("AWS_ENDPOINT_URL_S3", url, 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    setenv("AWS_REGION", "us-east-1", 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    setenv("AWS_CONFIG_FILE", "/nonexistent", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent", 1);
}

/* Start the server and point the environment to it. */
static inline void kit_start(const struct s3server_options *options)
{
    alarm(240);
    kit_server = s3server_start(options);
    kit_environment(s3server_url(kit_server));
    if (options->is_tls) {
        setenv("AWS_CA_BUNDLE", s3server_ca_file(kit_server), 1);
    }
}

static inline void kit_stop(void)
{
    s3server_stop(&kit_server);
}

static inline struct store *kit_open(void)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    if (store_open("s3://bucket/", STORE_WRITE, &why, &s, &prefix) !=
        STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    buf_fini(&prefix);
    return s;
}

enum { KIT_LARGE = 300000 };

static char *kit_large;
static char kit_room[KIT_LARGE + 16];

static inline void kit_start_large(uint32_t quirks)
{
    kit_start(&(struct s3server_options){.quirks = quirks});
    kit_large = mem_new(KIT_LARGE, 1);
    for (size_t i = 0; i < KIT_LARGE; i++) {
        kit_large[i] = (char)(i * 7 + (i >> 8));
    }
    s3server_put(kit_server, "k", "0123456789", 10);
    s3server_put(kit_server, "large", kit_large, KIT_LARGE);
}

static inline void kit_stop_large(struct store **s)
{
    store_close(s);
    kit_stop();
    free(kit_large);
}

static inline enum status kit_ask(struct store *s, struct store_request r,
                                  struct store_event *e)
{
    enum status status = store_sync(s, &r, e);

    if (status != STATUS_OK && getenv("TEST_SAY") != NULL) {
        fprintf(stderr, "%s\n", e->why.text);
    }
    return status;
}

static inline struct store_request kit_get_large(void)
{
    return (struct store_request){.op = STORE_GET,
                                  .key = BYTES("large"),
                                  .into = kit_room,
                                  .size = KIT_LARGE,
                                  .is_whole = true};
}

/* Which row it is, for a person who waits. */
static inline void kit_say(const char *name)
{
    if (getenv("TEST_SAY") != NULL) {
        fprintf(stderr, "%s\n", name);
    }
}

/* Run @run of each of the @count rows of @size bytes, in a process of its own
 * (what was learned of a bucket stays in a process) and all at a time (most of
 * it is pauses). Returns whether all went well. */
static inline bool kit_apart(void (*run)(const void *row), const void *rows,
                             size_t count, size_t size)
{
    pid_t children[64];
    bool is_well = true;

    CHECK(count <= 64);
    fflush(NULL);
    for (size_t i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            run((const char *)rows + i * size);
            exit(0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        int state = 1;

        if (waitpid(children[i], &state, 0) != children[i] || state != 0) {
            fprintf(stderr, "row %zu ended with state %#x\n", i,
                    (unsigned)state);
            is_well = false;
        }
    }
    return is_well;
}

#endif /* TESTS_S3_KIT_H */
