/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory_limit.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "tests/harness.h"

static void write_file(const char *root, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    f = fopen(path, "w");
    EXPECT(f != NULL);
    fputs(text, f);
    fclose(f);
}

TEST(the_least_of_a_group_and_those_above_counts)
{
    char root[] = "/tmp/test_memory_limit.XXXXXX";
    char path[256];

    EXPECT(mkdtemp(root) != NULL);
    snprintf(path, sizeof(path), "%s/a", root);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/a/b", root);
    mkdir(path, 0700);
    EXPECT_EQ(memory_limit_below(root, "/a/b", 1000), 1000);
    write_file(root, "a/b/memory.max", "max\n");
    EXPECT_EQ(memory_limit_below(root, "/a/b", 1000), 1000);
    write_file(root, "a/memory.max", "700\n");
    EXPECT_EQ(memory_limit_below(root, "/a/b", 1000), 700);
    write_file(root, "a/b/memory.max", "800\n");
    EXPECT_EQ(memory_limit_below(root, "/a/b", 1000), 700);
    EXPECT_EQ(memory_limit_below(root, "/", 1000), 1000);
    write_file(root, "memory.limit_in_bytes", "30\n"); /* Version 1. */
    EXPECT_EQ(memory_limit_below(root, "/a/b", 1000), 30);
    write_file(root, "a/memory.max", "9223372036854771712\n");
    write_file(root, "a/b/memory.max", "9223372036854771712\n");
    write_file(root, "memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(memory_limit_below(root, "/a/b", 1000), 1000);
}

TEST(this_process_may_use_some)
{
    EXPECT(memory_limit() >= 1 << 20);
}
