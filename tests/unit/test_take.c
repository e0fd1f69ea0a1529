/* SPDX-License-Identifier: Apache-2.0 */
/* `smshard take` against a real feed. Each call of it is a process that is
 * forked before the feed has threads, and waits to be told the socket. */

#include <signal.h>

#include "cli/commands.h"
#include "cli/take_link.h"
#include "tests/feed_kit_client.h"

enum { TAKERS_MAX = 16, TAKER_ARGS_MAX = 12, TAKER_OUT_MAX = 8192 };

struct taker {
    pid_t pid;
    int go;
    int out;
    char text[TAKER_OUT_MAX]; /* What it printed, both ways. */
};

static const char *local_rank; /* Of those that are made from now on. */
static struct taker takers[TAKERS_MAX];
static unsigned taker_count;

static void taker_be(int go, int out, char **argv)
{
    char path[KIT_PATH_MAX] = "";
    int argc = 0;

    EXPECT(read(go, path, sizeof(path) - 1) > 0);
    EXPECT(setenv("SMSHARD_SOCKET", path, 1) == 0);
    unsetenv("LOCAL_RANK");
    EXPECT(local_rank == NULL || setenv("LOCAL_RANK", local_rank, 1) == 0);
    EXPECT(dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0);
    while (argv[argc] != NULL) {
        argc++;
    }
    exit(take_main(argc, argv));
}

/* Prepare `smshard take @args…`, NULL at the end. */
static struct taker *taker_make(const char *const *args)
{
    struct taker *t = &takers[taker_count++];
    char *argv[TAKER_ARGS_MAX + 2] = {mem_copy("take")};
    int go[2];
    int out[2];

    EXPECT(taker_count <= TAKERS_MAX);
    for (unsigned i = 0; args[i] != NULL; i++) {
        EXPECT(i < TAKER_ARGS_MAX);
        argv[i + 1] = mem_copy(args[i]);
    }
    EXPECT(pipe(go) == 0 && pipe(out) == 0);
    fflush(NULL);
    t->pid = fork();
    EXPECT(t->pid >= 0);
    if (t->pid == 0) {
        close(go[1]);
        close(out[0]);
        taker_be(go[0], out[1], argv);
    }
    for (unsigned i = 0; argv[i] != NULL; i++) {
        free(argv[i]);
    }
    close(go[0]);
    close(out[1]);
    t->go = go[1];
    t->out = out[0];
    return t;
}

#define TAKER(...) taker_make((const char *const[]){__VA_ARGS__, NULL})

/* Let it run to its end while the feed is served; return its exit code. */
static int taker_run(struct taker *t)
{
    const char *path = feed_path(fk.feed);
    size_t size = 0;
    ssize_t got;
    int state;

    EXPECT(write(t->go, path, strlen(path)) == (ssize_t)strlen(path));
    close(t->go);
    do {
        fk_step_until(t->out);
        got = read(t->out, t->text + size, sizeof(t->text) - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    t->text[size] = '\0';
    close(t->out);
    EXPECT(waitpid(t->pid, &state, 0) == t->pid);
    EXPECT(WIFEXITED(state));
    fk_settle();
    return WEXITSTATUS(state);
}

static void expect_said(const struct taker *t, const char *part)
{
    EXPECT(kit_says(t->text, part));
}

TEST(one_unit_after_the_other)
{
    struct taker *t[] = {
        TAKER("train"),
        TAKER("train", "--format", "json"),
        TAKER("train", "--now"),
        TAKER("train", "--done", "0"),
        TAKER("train", "--done", "0"),
        TAKER("--rank", "0", "train", "--skip", "1", "--reason", "it\nis torn"),
        TAKER("train"),
        TAKER("train", "--again"),
    };
    char want[KIT_PATH_MAX + 256];

    fk_start(2, 2, 1);
    EXPECT_EQ(taker_run(t[0]), 0);
    snprintf(want, sizeof(want), "%s/.smshard.units/", fk.folder);
    EXPECT(strncmp(t[0]->text, want, strlen(want)) == 0);
    expect_said(t[0], "/u 0\n");
    EXPECT_EQ(taker_run(t[1]), 0);
    snprintf(want, sizeof(want),
             "{\"epoch\": 0, \"position\": 1, \"lease\": 1, \"size\": 11, "
             "\"path\": \"%s/.smshard.units/",
             fk.folder);
    EXPECT(strncmp(t[1]->text, want, strlen(want)) == 0);
    expect_said(t[1], "/u 1\"}\n");
    EXPECT_EQ(taker_run(t[2]), 75);
    expect_said(t[2], "no unit is here now");
    EXPECT_EQ(taker_run(t[3]), 0);
    EXPECT_STR(t[3]->text, "");
    EXPECT_EQ(taker_run(t[4]), 65);
    expect_said(t[4], "was done before");
    EXPECT_EQ(taker_run(t[5]), 0);
    EXPECT_EQ(fk.skipped, 1);
    EXPECT_EQ(taker_run(t[6]), 66);
    expect_said(t[6], "train: epoch 0 has ended");
    EXPECT_EQ(taker_run(t[7]), 0);
    expect_said(t[7], "/u 0\n");
    fk_end();
}

TEST(a_command_for_each_unit_of_all_epochs)
{
    struct taker *t = TAKER("train", "--each", "sh", "-c",
                            "wc -c <\"$1\" && test -z \"$2\"", "sh", "{}");
    struct taker *last = TAKER("train", "--each", "--", "cat");
    struct taker *over = TAKER("train");

    fk_start(3, 2, 1);
    EXPECT_EQ(taker_run(t), 0);
    EXPECT_STR(t->text, "10\n11\n12\n10\n11\n12\n");
    EXPECT_EQ(fk.epoch, 2);
    EXPECT_EQ(taker_run(last), 0); /* Over already. */
    EXPECT_EQ(taker_run(over), 69);
    expect_said(over, "all epochs are over");
    fk_end();
}

TEST(a_path_comes_last_where_none_is_named)
{
    struct taker *t = TAKER("train", "--each", "--", "echo", "--flag");

    fk_start(1, 1, 1);
    EXPECT_EQ(taker_run(t), 0);
    EXPECT(strncmp(t->text, "--flag /", 8) == 0);
    expect_said(t, "/u 0\n");
    fk_end();
}

TEST(a_command_that_fails_ends_it_and_the_unit_is_handed_out_anew)
{
    struct taker *t = TAKER("train", "--each", "sh", "-c", "exit 7");
    struct taker *gone = TAKER("train", "--each", "/nowhere/at/all");
    struct taker *again = TAKER("train");

    fk_start(3, 1, 1);
    EXPECT_EQ(taker_run(t), 7);
    expect_said(t, "position 0: the command ended with 7");
    EXPECT_EQ(taker_run(gone), 127);
    EXPECT_EQ(taker_run(again), 0);
    expect_said(again, "/u 0\n");
    fk_end();
}

TEST(a_signal_that_ends_the_command_is_told_as_shells_do)
{
    struct taker *t = TAKER("train", "--each", "sh", "-c", "kill -USR1 $$");

    fk_start(3, 1, 1);
    EXPECT_EQ(taker_run(t), 128 + SIGUSR1);
    fk_end();
}

TEST(the_rank_is_that_of_the_launcher_unless_given)
{
    struct taker *of_0 = TAKER("train");
    struct taker *given;
    struct taker *of_1;

    local_rank = "1";
    of_1 = TAKER("train");
    given = TAKER("--rank", "0", "train");
    fk_start(16, 1, 2);
    fk.run = 8;
    EXPECT_EQ(taker_run(of_0), 0);
    expect_said(of_0, "/u 0\n");
    EXPECT_EQ(taker_run(of_1), 0);
    expect_said(of_1, "/u 8\n");
    EXPECT_EQ(taker_run(given), 0);
    expect_said(given, "/u 1\n");
    fk_end();
}

TEST(units_whose_command_fails_are_skipped_where_that_is_wanted)
{
    struct taker *t = TAKER("train", "--each", "--on-error", "skip", "sh", "-c",
                            "case $0 in *1) exit 3; esac");

    fk_start(3, 1, 1);
    EXPECT_EQ(taker_run(t), 0);
    EXPECT_EQ(fk.skipped, 1);
    fk_end();
}

TEST(what_does_not_count_is_told_and_no_failure_of_the_loop)
{
    struct taker *t = TAKER("train");
    struct taker *done = TAKER("train", "--done", "0");

    fk_start(3, 1, 1);
    EXPECT_EQ(taker_run(t), 0);
    fk.refuses = true;
    EXPECT_EQ(taker_run(done), 76);
    expect_said(done, "another one has the unit");
    fk_end();
}

TEST(the_command_line_is_checked)
{
    const struct {
        const char *args[6];
        int code;
        const char *text;
    } rows[] = {
        {{NULL}, 64, "which channel"},
        {{"a b"}, 64, "is no channel's name"},
        {{"train", "--no"}, 64, "unknown flag --no"},
        {{"train", "x"}, 64, "unexpected 'x'"},
        {{"train", "--each"}, 64, "which command"},
        {{"train", "--done", "1", "--now"}, 64, "exclude each other"},
        {{"train", "--done", "x"}, 64, "--done: 'x'"},
        {{"train", "--format", "xml"}, 64, "'xml' is not path or json"},
        {{"train", "--each", "--on-error", "x", "true"},
         64,
         "not fail or skip"},
        {{"train", "--rank", "9"}, 65, "no such rank"},
        {{"test"}, 65, "no such channel"},
    };
    struct taker *t[sizeof(rows) / sizeof(rows[0])];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t[i] = taker_make(rows[i].args);
    }
    fk_start(3, 1, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(taker_run(t[i]), rows[i].code);
        expect_said(t[i], rows[i].text);
    }
    fk_end();
}

TEST(a_feed_that_is_not_there_is_told)
{
    struct take_link *link = NULL;
    struct fault why;

    EXPECT_EQ(take_link_open("/nowhere/socket", &why, &link), STATUS_LOST);
    EXPECT(kit_says(why.text, "is 'smshard run' still there?"));
    EXPECT(link == NULL);
    take_link_close(&link);
}
