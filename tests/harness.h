/* SPDX-License-Identifier: Apache-2.0 */
/* A test is a function registered by TEST(). A file is one test program.
 *
 * Each test runs in a child process, so that a crash, a CHECK or a leak is
 * one failed test and not the end of the program. The last line is
 * `N passed, N failed`. Usage: PROGRAM [NAME-PART…]; TEST_INLINE=1 runs the
 * tests in the process itself, for a debugger. */

#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/expect.h"

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

static struct test *test_list;
static struct test **test_tail = &test_list;

#define TEST(id)                                                               \
    static void test_##id(void);                                               \
    static struct test test_entry_##id = {#id, test_##id, NULL};               \
    __attribute__((constructor)) static void test_register_##id(void)          \
    {                                                                          \
        *test_tail = &test_entry_##id;                                         \
        test_tail = &test_entry_##id.next;                                     \
    }                                                                          \
    static void test_##id(void)

/* A test that leaves more files open than it found fails, as one that leaves
 * memory does where a sanitizer looks; unless TEST_MAY_LEAVE_FILES says why
 * not. */
static inline int test_open_files(void)
{
    int count = 0;
#ifndef TEST_MAY_LEAVE_FILES
    DIR *dir = opendir("/proc/self/fd");

    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
#endif
    return count;
}

static inline int test_run_here(const struct test *t)
{
    int before = test_open_files();
    int left;

    t->run();
    left = test_open_files() - before;
    if (left > 0) {
        fprintf(stderr, "%s: left %d files open\n", t->name, left);
    }
    return left > 0;
}

/* A test that must see a CHECK fail names it here; it then has to abort. */
static inline int test_run_one(const struct test *t)
{
    int state = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        /* Whatever the caller ignores (nohup, a shell's &) is not ours. */
        signal(SIGHUP, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        exit(test_run_here(t));
    }
    if (child < 0 || waitpid(child, &state, 0) != child) {
        return 1;
    }
    if (WIFSIGNALED(state)) {
        fprintf(stderr, "%s: ended by signal %d\n", t->name, WTERMSIG(state));
    }
    return state != 0;
}

static inline int test_is_wanted(const struct test *t, int argc, char **argv)
{
    int wanted = argc < 2;

    for (int i = 1; i < argc; i++) {
        wanted = wanted || strstr(t->name, argv[i]) != NULL;
    }
    return wanted;
}

int main(int argc, char **argv)
{
    int passed = 0;
    int failed = 0;

    for (const struct test *t = test_list; t != NULL; t = t->next) {
        if (!test_is_wanted(t, argc, argv)) {
            continue;
        }
        if (getenv("TEST_INLINE") != NULL) {
            t->run();
            passed++;
        } else if (test_run_one(t) == 0) {
            passed++;
        } else {
            fprintf(stderr, "FAILED %s\n", t->name);
            failed++;
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

#endif /* TESTS_HARNESS_H */
