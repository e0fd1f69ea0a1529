/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/env_list.h"

#include "tests/harness.h"

static void set(struct env_list *list, const char *name, const char *value)
{
    EXPECT_EQ(env_list_set(list, bytes_of(name), bytes_of(value), NULL),
              STATUS_OK);
}

static void expect_lines(struct env_list *list, const char *const *want)
{
    char **envp = env_list_envp(list);
    size_t i = 0;

    for (; want[i] != NULL; i++) {
        EXPECT(envp[i] != NULL);
        EXPECT_STR(envp[i], want[i]);
        EXPECT(envp[i] == env_list_line(list, i));
    }
    EXPECT(envp[i] == NULL);
    EXPECT_EQ(env_list_count(list), i);
}

TEST(lines_are_sorted_by_name)
{
    struct env_list *list = env_list_new();

    set(list, "SM_HP_A-B", "1");
    set(list, "SM_HP_A", "2");
    set(list, "SM_CHANNEL_MY.VAL", "/x=y");
    set(list, "B", "");
    expect_lines(list, (const char *const[]){"B=", "SM_CHANNEL_MY.VAL=/x=y",
                                             "SM_HP_A=2", "SM_HP_A-B=1", NULL});
    EXPECT_STR(env_list_get(list, "SM_CHANNEL_MY.VAL"), "/x=y");
    EXPECT_STR(env_list_get(list, "B"), "");
    EXPECT(env_list_get(list, "SM_HP") == NULL);
    EXPECT(env_list_get(list, "ZZZ") == NULL);
    env_list_destroy(&list);
    EXPECT(list == NULL);
    env_list_destroy(&list);
}

TEST(values_are_replaced_and_removed)
{
    struct env_list *list = env_list_new();

    expect_lines(list, (const char *const[]){NULL});
    set(list, "A", "1");
    set(list, "B", "2");
    set(list, "A", "3");
    expect_lines(list, (const char *const[]){"A=3", "B=2", NULL});
    env_list_remove(list, "C");
    env_list_remove(list, "A");
    expect_lines(list, (const char *const[]){"B=2", NULL});
    env_list_destroy(&list);
}

TEST(what_execve_can_not_hold_is_refused)
{
    static const struct {
        struct bytes name;
        struct bytes value;
    } rows[] = {
        {{"", 0}, {"x", 1}},
        {{"A=B", 3}, {"x", 1}},
        {{"A\0B", 3}, {"x", 1}},
        {{"A", 1}, {"x\0y", 3}},
    };
    struct env_list *list = env_list_new();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {""};

        EXPECT_EQ(env_list_set(list, rows[i].name, rows[i].value, &why),
                  STATUS_INVALID);
        EXPECT(why.text[0] != '\0');
    }
    EXPECT_EQ(env_list_count(list), 0);
    env_list_destroy(&list);
}

TEST(lists_are_merged)
{
    char a[] = "A=1", b[] = "B=2", again[] = "A=9", no[] = "nothing",
         empty[] = "=x";
    char *envp[] = {a, b, again, no, empty, NULL};
    struct env_list *list = env_list_new();
    struct env_list *other = env_list_new();

    set(list, "A", "old");
    set(list, "Z", "z");
    env_list_add_envp(list, envp);
    expect_lines(list, (const char *const[]){"A=1", "B=2", "Z=z", NULL});
    set(other, "B", "3");
    set(other, "C", "4");
    env_list_add(list, other);
    expect_lines(list, (const char *const[]){"A=1", "B=3", "C=4", "Z=z", NULL});
    env_list_destroy(&other);
    env_list_destroy(&list);
}

TEST(many_names)
{
    struct env_list *list = env_list_new();

    for (unsigned i = 0; i < 2000; i++) {
        char name[32];

        snprintf(name, sizeof(name), "N%04u", i * 7919 % 2000);
        set(list, name, name);
    }
    EXPECT_EQ(env_list_count(list), 2000);
    EXPECT_STR(env_list_line(list, 0), "N0000=N0000");
    EXPECT_STR(env_list_line(list, 1999), "N1999=N1999");
    EXPECT_STR(env_list_get(list, "N1234"), "N1234");
    env_list_destroy(&list);
}
