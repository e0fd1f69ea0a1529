/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <sys/stat.h>

#include "tests/harness.h"

static char root[] = "/tmp/smshard-file.XXXXXX";

static const char *at(const char *name)
{
    static char paths[4][256];
    static int next;

    next = (next + 1) % 4;
    snprintf(paths[next], sizeof(paths[next]), "%s/%s", root, name);
    return paths[next];
}

static void start(void)
{
    EXPECT(mkdtemp(root) != NULL);
}

static void finish(void)
{
    struct fault why;

    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
    EXPECT(!file_is_there(root));
    EXPECT_EQ(file_remove_tree(root, &why), STATUS_OK);
}

TEST(what_is_written_is_read)
{
    struct buf text = {0};
    struct fault why;

    start();
    EXPECT_EQ(file_write(at("a/b/c"), BYTES("one\0two"), true, &why),
              STATUS_OK);
    EXPECT_EQ(file_read(at("a/b/c"), 7, &why, &text), STATUS_OK);
    EXPECT(bytes_is_equal(buf_bytes(&text), BYTES("one\0two")));
    EXPECT_EQ(file_write(at("a/b/c"), BYTES("three"), false, &why), STATUS_OK);
    buf_clear(&text);
    EXPECT_EQ(file_read(at("a/b/c"), 100, &why, &text), STATUS_OK);
    EXPECT_STR(buf_text(&text), "three");
    buf_fini(&text);
    finish();
}

TEST(each_failure_names_the_path)
{
    struct buf text = {0};
    struct fault why;

    start();
    EXPECT_EQ(file_read(at("none"), 7, &why, &text), STATUS_NOT_FOUND);
    EXPECT(strstr(why.text, "none") != NULL);
    EXPECT_EQ(file_write(at("file"), BYTES("12345678"), false, &why),
              STATUS_OK);
    EXPECT_EQ(file_read(at("file"), 7, &why, &text), STATUS_FULL);
    EXPECT(strstr(why.text, "file") != NULL);
    EXPECT_EQ(file_make_folder(at("file/below"), &why), STATUS_CONFLICT);
    EXPECT(strstr(why.text, "file") != NULL);
    buf_fini(&text);
    finish();
}

TEST(folders_are_made_once_and_removed_with_all_below)
{
    struct fault why;
    unsigned long long bytes = 0;

    start();
    EXPECT_EQ(file_make_folder(at("x/y/z"), &why), STATUS_OK);
    EXPECT_EQ(file_make_folder(at("x/y/z"), &why), STATUS_OK);
    EXPECT(file_is_folder(at("x/y/z")));
    EXPECT(!file_is_folder(at("x/none")));
    EXPECT_EQ(file_write(at("keep"), BYTES("k"), false, &why), STATUS_OK);
    EXPECT(symlink(at("keep"), at("x/y/link")) == 0);
    EXPECT_EQ(file_remove_tree(at("x"), &why), STATUS_OK);
    EXPECT(!file_is_there(at("x")));
    EXPECT(file_is_there(at("keep")));
    EXPECT_EQ(file_free_bytes(at("not/yet/there"), &why, &bytes), STATUS_OK);
    EXPECT(bytes > 0);
    finish();
}
