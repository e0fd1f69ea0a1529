/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of credentials: variables as lines, files as texts, a clock
 * that stands still. */

#ifndef TESTS_CREDENTIALS_KIT_H
#define TESTS_CREDENTIALS_KIT_H

#include <stdatomic.h>

#include "base/file.h"
#include "store/credentials_fetch.h"
#include "store/credentials_holder.h"
#include "tests/credentials_answers.h"
#include "tests/http_stub.h"

enum { KIT_VARIABLES_MAX = 16 };

struct kit {
    struct stub stub;
    const char *variables[KIT_VARIABLES_MAX]; /* "NAME=value". */
    char *own[KIT_VARIABLES_MAX];
    size_t count;
    struct aws_config *config;
    atomic_ullong wall_ms; /* Also the monotonic time. */
    struct clock clock;
    char folder[64]; /* "": not made. */
};

static inline const char *kit_env(void *self, const char *name)
{
    const struct kit *k = self;
    size_t size = strlen(name);

    for (size_t i = 0; i < k->count; i++) {
        if (strncmp(k->variables[i], name, size) == 0 &&
            k->variables[i][size] == '=') {
            return k->variables[i] + size + 1;
        }
    }
    return NULL;
}

static inline uint64_t kit_time(void *self)
{
    return atomic_load(&((struct kit *)self)->wall_ms);
}

static const struct clock_ops kit_clock_ops = {kit_time, kit_time};

static inline void kit_start(struct kit *k)
{
    memset(k, 0, sizeof(*k));
    atomic_store(&k->wall_ms, KIT_NOW);
    k->clock = (struct clock){&kit_clock_ops, k};
    stub_start(&k->stub);
}

static inline void kit_set(struct kit *k, const char *name, const char *value)
{
    char *text = mem_print("%s=%s", name, value);

    EXPECT(k->count < KIT_VARIABLES_MAX);
    k->own[k->count] = text;
    k->variables[k->count++] = text;
}

/* @name is @path of the stub. */
static inline void kit_set_url(struct kit *k, const char *name,
                               const char *path)
{
    char *text = mem_print("%s%s", k->stub.server.origin, path);

    kit_set(k, name, text);
    free(text);
}

/* After the variables are set. */
static inline void kit_parse(struct kit *k, const char *config,
                             const char *credentials)
{
    const struct aws_config_source source = {kit_env, k};
    const struct aws_config_texts texts = {
        .config = bytes_of(config), .credentials = bytes_of(credentials)};
    struct fault why = {""};

    enum status s;

    aws_config_destroy(&k->config);
    s = aws_config_parse(&source, &texts, &why, &k->config);
    if (s != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    EXPECT_EQ(s, STATUS_OK);
}

/* Write @text to @name below a folder of the test's own, into @path. */
static inline void kit_write(struct kit *k, const char *name, const char *text,
                             char path[256])
{
    struct fault why;

    if (k->folder[0] == '\0') {
        snprintf(k->folder, sizeof(k->folder), "/tmp/credentials-XXXXXX");
        EXPECT(mkdtemp(k->folder) != NULL);
    }
    snprintf(path, 256, "%s/%s", k->folder, name);
    EXPECT_EQ(file_write(path, bytes_of(text), false, &why), STATUS_OK);
}

static inline void kit_stop(struct kit *k)
{
    struct fault why;

    aws_config_destroy(&k->config);
    stub_stop(&k->stub);
    for (size_t i = 0; i < k->count; i++) {
        free(k->own[i]);
    }
    if (k->folder[0] != '\0') {
        EXPECT_EQ(file_remove_tree(k->folder, &why), STATUS_OK);
    }
}

/* One fetch of what is set up. The message never holds the secret. */
static inline enum status kit_fetch(struct kit *k, uint32_t answer_ms,
                                    struct fault *why, struct credentials *out)
{
    struct credentials_chain chain = {0};
    struct credentials_fetcher f = {.config = k->config,
                                    .clock = &k->clock,
                                    .answer_ms = answer_ms,
                                    .process_ms = 20000};
    enum status s;

    memset(out, 0, sizeof(*out));
    *why = (struct fault){""};
    prng_init(&f.prng, 1);
    s = credentials_chain_find(k->config, why, &chain);
    if (s == STATUS_OK) {
        s = credentials_fetch(&f, &chain, why, out);
    }
    EXPECT_EQ(why->text[0] != '\0', s != STATUS_OK);
    EXPECT(strstr(why->text, "SECR") == NULL);
    EXPECT(strchr(why->text, '\n') == NULL);
    return s;
}

static inline void kit_expect(struct kit *k, const char *access_key,
                              struct credentials *out)
{
    struct fault why;
    enum status s = kit_fetch(k, 0, &why, out);

    if (s != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    EXPECT_EQ(s, STATUS_OK);
    EXPECT_STR(out->access_key, access_key);
}

/* The fetch fails with @want, and the line holds @part. */
static inline void kit_expect_fault(struct kit *k, enum status want,
                                    const char *part)
{
    struct credentials out;
    struct fault why;
    enum status s = kit_fetch(k, 0, &why, &out);

    if (s != want || strstr(why.text, part) == NULL) {
        fprintf(stderr, "%s: %s\n", status_name(s), why.text);
    }
    EXPECT_STR(status_name(s), status_name(want));
    EXPECT(strstr(why.text, part) != NULL);
    EXPECT_STR(out.access_key, "");
    EXPECT_STR(out.secret_key, "");
}

/* Instance metadata that answers as it should. */
static inline void kit_imds(struct kit *k, const char *keys)
{
    stub_add(&k->stub, "PUT /latest/api/token ", 200, "imds-token", 0);
    stub_add(&k->stub, "GET /latest/meta-data/iam/security-credentials/ ", 200,
             "trainer\n", 0);
    stub_add(&k->stub,
             "GET /latest/meta-data/iam/security-credentials/trainer ", 200,
             keys, 0);
}

#endif /* TESTS_CREDENTIALS_KIT_H */
