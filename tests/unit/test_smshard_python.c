/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client/smshard_python.h"

#include <stddef.h>

#include "base/buf.h"
#include "tests/harness.h"

static struct buf played; /* What was called, in turn. */
static char error_word[] = "error";
static char none_word[] = "none";
static char value_word[] = "value";
static char argument[] = "x";
static char *raised;

static int play_ensure(void)
{
    buf_print(&played, "ensure ");
    return 7;
}

static void play_release(int state)
{
    buf_print(&played, "release %d", state);
}

static void play_fetch(void **error, void **value, void **trace)
{
    *error = raised;
    *value = value_word;
    *trace = NULL;
    raised = none_word;
    buf_print(&played, "fetch ");
}

static void play_restore(void *error, void *value, void *trace)
{
    raised = error;
    buf_print(&played, "restore %s %s ", (char *)value,
              trace == NULL ? "-" : "?");
}

static void play_managed(void *managed)
{
    buf_print(&played, "managed %s while %s ", (char *)managed, raised);
}

static void play_versioned(void *managed)
{
    buf_print(&played, "versioned %s while %s ", (char *)managed, raised);
}

static void play_forget(void *capsule)
{
    buf_print(&played, "forget %s while %s ", (char *)capsule, raised);
}

TEST(what_is_raised_is_put_aside_and_comes_back)
{
    static const struct {
        void (*call)(void *);
        const char *want;
    } rows[] = {
        {smshard_python_delete_managed, "managed x while none "},
        {smshard_python_delete_versioned, "versioned x while none "},
        {smshard_python_forget, "forget x while none "},
    };

    smshard_python_set(&(struct smshard_python){
        play_ensure, play_release, play_fetch, play_restore, play_managed,
        play_versioned, play_forget});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf want = {0};

        raised = error_word;
        buf_print(&want, "ensure fetch %srestore value - release 7",
                  rows[i].want);
        rows[i].call(argument);
        EXPECT_STR(buf_text(&played), buf_text(&want));
        EXPECT_STR(raised, "error");
        buf_fini(&want);
        buf_fini(&played);
    }
}
