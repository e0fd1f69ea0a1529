/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite over every store that there is. */
#include "base/file.h"
#include "store/store.h"
#include "store/store_mem.h"

#include "tests/conformance/conformance.h"
#include "tests/harness.h"

static char mem_name[64];
static char dir_path[] = "/tmp/smshard-store.XXXXXX";
static int rounds;

static void mem_start(void)
{
    snprintf(mem_name, sizeof(mem_name), "conformance-%d", rounds++);
}

static struct store *mem_open(void)
{
    return store_mem_open(mem_name);
}

static void mem_finish(void)
{
}

static void dir_start(void)
{
    EXPECT(mkdtemp(dir_path) != NULL);
}

static struct store *dir_open(void)
{
    struct store *s = NULL;
    struct buf prefix = {0};
    struct fault why;

    EXPECT_EQ(store_open(dir_path, STORE_WRITE, &why, &s, &prefix), STATUS_OK);
    EXPECT_EQ(prefix.size, 0);
    buf_fini(&prefix);
    return s;
}

static void dir_finish(void)
{
    struct fault why;
    char own[64];

    /* What is the store's own goes with its last handle. */
    snprintf(own, sizeof(own), "%s/.smshard", dir_path);
    EXPECT(!file_is_there(own));
    EXPECT_EQ(file_remove_tree(dir_path, &why), STATUS_OK);
}

static const struct conformance_store mem = {
    .start = mem_start, .open = mem_open, .finish = mem_finish};
static const struct conformance_store dir = {
    .start = dir_start, .open = dir_open, .finish = dir_finish};

#define X(name)                                                                \
    TEST(mem_##name)                                                           \
    {                                                                          \
        conformance_run(&mem, conformance_##name);                             \
    }                                                                          \
    TEST(dir_##name)                                                           \
    {                                                                          \
        conformance_run(&dir, conformance_##name);                             \
    }
CONFORMANCE_MAP(X)
#undef X

/* One row a URI: what stands before a key, and the prefix of the location. */
TEST(uris_are_split_as_the_header_says)
{
    static const struct {
        const char *rest;
        enum store_use use;
        const char *root;
        const char *prefix;
    } rows[] = {
        {"/data/train", STORE_READ, "/data/", "train"},
        {"/data/train/", STORE_READ, "/data/train/", ""},
        {"/data/out/a", STORE_WRITE, "/data/out/a/", ""},
        {"/data/out/a/", STORE_WRITE, "/data/out/a/", ""},
    };
    char want[128];
    char uri[128];
    struct fault why;

    dir_start();
    snprintf(uri, sizeof(uri), "%s/data/train", dir_path);
    EXPECT_EQ(file_make_folder(uri, &why), STATUS_OK);
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *s = NULL;
        struct buf prefix = {0};

        snprintf(uri, sizeof(uri), "%s%s%s", i % 2 ? "file://" : "", dir_path,
                 rows[i / 2].rest);
        EXPECT_EQ(store_open(uri, rows[i / 2].use, &why, &s, &prefix),
                  STATUS_OK);
        snprintf(want, sizeof(want), "file://%s%s", dir_path, rows[i / 2].root);
        EXPECT_STR(store_root_uri(s), want);
        EXPECT_STR(buf_text(&prefix), rows[i / 2].prefix);
        store_close(&s);
        buf_fini(&prefix);
    }
    EXPECT_EQ(file_remove_tree(dir_path, &why), STATUS_OK);
}

TEST(uris_that_are_not_served_are_named)
{
    static const struct {
        const char *uri;
        enum status want;
    } rows[] = {
        {"ftp://host/x", STATUS_INVALID},
        {"relative/path", STATUS_INVALID},
        {"", STATUS_INVALID},
        {"file:///no/such/folder/here/", STATUS_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *s = NULL;
        struct buf prefix = {0};
        struct fault why = {.text = ""};

        EXPECT_EQ(store_open(rows[i].uri, STORE_READ, &why, &s, &prefix),
                  rows[i].want);
        EXPECT(s == NULL && why.text[0] != '\0');
        buf_fini(&prefix);
    }
}
