/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of bring and save: a folder that goes away, files and
 * objects of known content, a listed channel. */

#ifndef TESTS_WORKER_KIT_H
#define TESTS_WORKER_KIT_H

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/prng.h"
#include "store/store.h"
#include "store/store_mem.h"
#include "store/store_sync.h"
#include "tests/harness.h"

enum { KIT_TEXT_MAX = 2048, KIT_PATH_MAX = 4096, KIT_HANG_S = 120 };

static char kit_base[] = "/tmp/test-worker-XXXXXX";

#define EXPECT_OK(call, fault)                                                 \
    do {                                                                       \
        enum status ok_ = (call);                                              \
        if (ok_ != STATUS_OK) {                                                \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__,             \
                    status_name(ok_), (fault).text);                           \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

/* Whether @text holds @part; says what it holds instead. */
static inline bool kit_says(const char *text, const char *part)
{
    bool is_so = strstr(text, part) != NULL;

    if (!is_so) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", text, part);
    }
    return is_so;
}

/* Leaves even when the test fails. */
static inline void kit_leave(void)
{
    struct fault why;

    if (file_remove_tree(kit_base, &why) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
}

/* Make the folder; the alarm only ends a test that would hang for ever. */
static inline void kit_enter(void)
{
    alarm(KIT_HANG_S);
    EXPECT(mkdtemp(kit_base) != NULL);
    EXPECT(chmod(kit_base, 0755) == 0);
    atexit(kit_leave);
}

/* "BASE/@name"; lives until the eighth call after. */
static inline const char *kit_path(const char *name)
{
    static char paths[8][KIT_PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    snprintf(path, KIT_PATH_MAX, "%s/%s", kit_base, name);
    return path;
}

/* @size bytes that differ for each @seed; the caller frees them. */
static inline char *kit_content(uint64_t seed, size_t size)
{
    struct prng p;
    char *at = malloc(size + 8);

    EXPECT(at != NULL);
    prng_init(&p, seed);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = prng_next(&p);

        memcpy(at + i, &word, 8);
    }
    return at;
}

static inline void kit_write(const char *name, uint64_t seed, size_t size)
{
    char *at = kit_content(seed, size);
    struct bytes bytes = {at, size};
    struct fault why;

    EXPECT_OK(file_write(kit_path(name), bytes, false, &why), why);
    free(at);
}

static inline void kit_expect_file(const char *name, uint64_t seed, size_t size)
{
    struct buf got = {0};
    char *want = kit_content(seed, size);
    struct fault why;

    EXPECT_OK(file_read(kit_path(name), size + 1, &why, &got), why);
    EXPECT_EQ(got.size, size);
    EXPECT(size == 0 || memcmp(got.at, want, size) == 0);
    buf_fini(&got);
    free(want);
}

static inline void kit_expect_text(const char *name, const char *text)
{
    struct buf got = {0};
    struct fault why;

    EXPECT_OK(file_read(kit_path(name), 1 << 20, &why, &got), why);
    EXPECT_STR(buf_text(&got), text);
    buf_fini(&got);
}

static inline bool kit_is_there(const char *name)
{
    return file_is_there(kit_path(name));
}

static inline struct store *kit_open(const char *uri)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_OK(store_open(uri, STORE_WRITE, &why, &s, &prefix), why);
    EXPECT_EQ(prefix.size, 0);
    buf_fini(&prefix);
    return s;
}

static inline void kit_put(struct store *s, const char *key, uint64_t seed,
                           size_t size)
{
    char *at = kit_content(seed, size);
    struct store_sync_put put = {.key = key, .body = {at, size}};
    struct fault why;

    EXPECT_OK(store_sync_put(s, &put, &why), why);
    free(at);
}

static inline void kit_expect_object(struct store *s, const char *key,
                                     uint64_t seed, size_t size)
{
    struct store_sync_get get = {.key = key, .max = size + 1};
    struct buf got = {0};
    char *want = kit_content(seed, size);
    struct fault why;

    EXPECT_OK(store_sync_get(s, &get, &why, &got), why);
    EXPECT_EQ(got.size, size);
    EXPECT(size == 0 || memcmp(got.at, want, size) == 0);
    buf_fini(&got);
    free(want);
}

static inline enum status kit_add_key(void *self,
                                      const struct store_object *object,
                                      struct fault *why)
{
    struct buf *keys = self;

    (void)why;
    buf_add_bytes(keys, object->key);
    buf_add_char(keys, '\n');
    return STATUS_OK;
}

/* The keys of the whole store, a line each. */
static inline void kit_expect_keys(struct store *s, const char *keys)
{
    struct buf got = {0};
    struct fault why;

    EXPECT_OK(store_sync_list(s, "", kit_add_key, &got, &why), why);
    EXPECT_STR(buf_text(&got), keys);
    buf_fini(&got);
}

static inline void kit_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    EXPECT(poll(&p, 1, -1) == 1);
}

#endif /* TESTS_WORKER_KIT_H */
