/* SPDX-License-Identifier: Apache-2.0 */
/* Real processes. Everything waits on a descriptor; the alarm only ends a
 * test that would hang for ever. */
#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/limit.h"
#define TEST_MAY_LEAVE_FILES /* Of the commands that it plays. */
#include "tests/harness.h"

enum { HANG_S = 120, TEXT_MAX = 4096, STRING_MAX = 128 * 1024 };

static char *const plain_env[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};

/* The command's stdin and stdout, seen from here. */
struct ends {
    int in;
    int out;
};

static struct child *open_child(void)
{
    struct child *c = NULL;
    struct fault why;

    alarm(HANG_S);
    EXPECT_EQ(child_init(&why, &c), STATUS_OK);
    return c;
}

/* Put pipes where the command will find its stdin and stdout. */
static struct ends open_ends(void)
{
    int in[2];
    int out[2];

    EXPECT(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    EXPECT(dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1);
    close(in[0]);
    close(out[1]);
    return (struct ends){.in = in[1], .out = out[0]};
}

/* Drop our copies, so that the end of the command is the end of the pipe. */
static void leave_ends(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    EXPECT(dup2(null, 0) == 0 && dup2(null, 1) == 1);
    close(null);
}

static void start(struct child *c, char *const *argv)
{
    struct fault why;
    enum status s = child_start(c, argv, plain_env, &why);

    if (s != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
    }
    EXPECT_EQ(s, STATUS_OK);
}

static void start_shell(struct child *c, const char *script)
{
    char text[TEXT_MAX];
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, text, NULL};

    snprintf(text, sizeof(text), "%s", script);
    start(c, argv);
}

static struct child_event wait_news(struct child *c)
{
    struct child_event event = child_take(c);

    while (event.news == CHILD_NOTHING) {
        struct pollfd p = {.fd = child_fd(c), .events = POLLIN};

        EXPECT(poll(&p, 1, -1) == 1);
        event = child_take(c);
    }
    return event;
}

static void expect_exit(struct child *c, int code)
{
    struct child_event event = wait_news(c);

    EXPECT_EQ(event.news, CHILD_EXITED);
    EXPECT_EQ(event.exit_code, code);
}

/* Read until a newline. */
static void read_line(int fd, char *out, size_t size)
{
    size_t used = 0;
    char c = 0;

    while (used + 1 < size && read(fd, &c, 1) == 1 && c != '\n') {
        out[used++] = c;
    }
    out[used] = '\0';
}

static size_t read_to_end(int fd, char *out, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while ((got = read(fd, out + used, size - used)) > 0) {
        used += (size_t)got;
    }
    EXPECT_EQ(got, 0);
    return used;
}

static void expect_end(int fd)
{
    char c;

    EXPECT_EQ(read(fd, &c, 1), 0);
}

TEST(passes_exit_codes_and_signals_on)
{
    static const struct {
        const char *script;
        int exit_code;
        int signal;
    } rows[] = {
        {"exit 0", 0, 0},
        {"exit 1", 1, 0},
        {"exit 77", 77, 0},
        {"exit 255", 255, 0},
        {"kill -TERM $$", 143, SIGTERM},
        {"kill -KILL $$", 137, SIGKILL},
        {"kill -USR1 $$", 138, SIGUSR1},
        {"kill -PIPE $$", 141, SIGPIPE},
        {"kill -INT $$", 130, SIGINT},
    };
    struct child *c = open_child();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct child_event event;

        start_shell(c, rows[i].script);
        event = wait_news(c);
        EXPECT_EQ(event.news, CHILD_EXITED);
        EXPECT_EQ(event.exit_code, rows[i].exit_code);
        EXPECT_EQ(event.signal, rows[i].signal);
        EXPECT_EQ(child_take(c).news, CHILD_NOTHING);
    }
    child_destroy(&c);
    EXPECT(c == NULL);
    child_destroy(&c);
}

/* ---- Commands that can't be run. */

static char folder[] = "/tmp/test-child-XXXXXX";

static const char *put_file(const char *name, const char *text, mode_t mode)
{
    static char path[TEXT_MAX];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "we");
    EXPECT(f != NULL);
    EXPECT(fputs(text, f) >= 0);
    EXPECT(fclose(f) == 0);
    EXPECT(chmod(path, mode) == 0);
    return path;
}

static void remove_folder(void)
{
    char *argv[] = {(char[]){"rm"}, (char[]){"-rf"}, folder, NULL};
    struct child *c = open_child();

    start(c, argv);
    expect_exit(c, 0);
    child_destroy(&c);
}

static void expect_refused(const char *command, enum status want,
                           const char *part)
{
    struct child *c = open_child();
    char text[TEXT_MAX];
    char *argv[] = {text, NULL};
    struct fault why = {.text = ""};

    snprintf(text, sizeof(text), "%s", command);
    EXPECT_EQ(child_start(c, argv, plain_env, &why), want);
    if (strstr(why.text, part) == NULL || strstr(why.text, command) == NULL) {
        fprintf(stderr, "got \"%s\"\n", why.text);
    }
    EXPECT(strstr(why.text, part) != NULL);
    EXPECT(strstr(why.text, command) != NULL);
    /* The handle is as good as before. */
    start_shell(c, "exit 5");
    expect_exit(c, 5);
    child_destroy(&c);
}

TEST(names_a_command_that_is_not_there)
{
    expect_refused("no-such-command", STATUS_NO_COMMAND, "PATH");
    expect_refused("/no/such/command", STATUS_NO_COMMAND, "no such file");
    expect_refused("/etc/passwd/x", STATUS_NO_COMMAND, "no such file");
    expect_refused("", STATUS_NO_COMMAND, "no such command");
    EXPECT_EQ(status_exit_code(STATUS_NO_COMMAND), 127);
}

TEST(names_a_command_that_can_not_be_run)
{
    EXPECT(mkdtemp(folder) != NULL);
    expect_refused(put_file("mode", "#!/bin/sh\nexit 0\n", 0644),
                   STATUS_NOT_EXECUTABLE, "chmod +x");
    expect_refused(put_file("format", "echo hello\n", 0755),
                   STATUS_NOT_EXECUTABLE, "#! line");
    expect_refused(put_file("interpreter", "#!/no/such/interpreter\n", 0755),
                   STATUS_NOT_EXECUTABLE, "interpreter");
    expect_refused(folder, STATUS_NOT_EXECUTABLE, "it is a folder");
    EXPECT_EQ(status_exit_code(STATUS_NOT_EXECUTABLE), 126);
    remove_folder();
}

TEST(names_a_command_that_is_being_written)
{
    const char *path;
    int fd;

    EXPECT(mkdtemp(folder) != NULL);
    path = put_file("busy", "#!/bin/sh\nexit 0\n", 0755);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    expect_refused(path, STATUS_NOT_EXECUTABLE, "busy");
    close(fd);
    remove_folder();
}

TEST(finds_the_command_as_a_shell_would)
{
    struct child *c;
    struct fault why;
    char path[TEXT_MAX];
    char *envp[] = {path, NULL};
    char *argv[] = {(char[]){"thing"}, NULL};

    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/a", folder);
    EXPECT(mkdir(path, 0755) == 0);
    snprintf(path, sizeof(path), "%s/b", folder);
    EXPECT(mkdir(path, 0755) == 0);
    put_file("a/thing", "not to be run", 0644);
    c = open_child();

    snprintf(path, sizeof(path), "PATH=/no/such:%s/a:%s/b", folder, folder);
    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_NOT_EXECUTABLE);
    put_file("b/thing", "nor this", 0644);
    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_NOT_EXECUTABLE);
    EXPECT(strstr(why.text, "/a/thing") != NULL); /* Which came first. */
    put_file("b/thing", "#!/bin/sh\nexit 6\n", 0755);
    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_OK);
    expect_exit(c, 6);

    /* An empty part is the current folder. */
    EXPECT(chdir(folder) == 0 && chdir("b") == 0);
    snprintf(path, sizeof(path), "PATH=/no/such:");
    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_OK);
    expect_exit(c, 6);

    /* Without PATH, what every system has is found. */
    argv[0] = (char[]){"true"};
    snprintf(path, sizeof(path), "A=b");
    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_OK);
    expect_exit(c, 0);
    child_destroy(&c);
    EXPECT(chdir("/") == 0);
    remove_folder();
}

TEST(names_the_variable_that_is_too_long)
{
    struct child *c = open_child();
    char *big = malloc(STRING_MAX + 64);
    char *envp[] = {(char[]){"PATH=/bin"}, big, NULL};
    char *argv[] = {(char[]){"true"}, NULL};
    struct fault why;

    EXPECT(big != NULL);
    memset(big, 'x', STRING_MAX + 63);
    memcpy(big, "SM_HOSTS=", 9);
    big[STRING_MAX + 63] = '\0';
    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_NOT_EXECUTABLE);
    EXPECT(strstr(why.text, "SM_HOSTS") != NULL);
    child_destroy(&c);
    free(big);
}

/* ---- What the command gets. */

TEST(gives_the_environment_byte_for_byte)
{
    char *const envp[] = {(char[]){"PATH=/usr/bin:/bin"},
                          (char[]){"SM_HP_BATCH-SIZE=32"},
                          (char[]){"SM_CHANNEL_MY-VAL.X=/a b/$HOME"},
                          (char[]){"EMPTY="},
                          (char[]){"NEWLINE=a\nb"},
                          (char[]){"UTF=\xc3\xa9\xff"},
                          NULL};
    char *const argv[] = {(char[]){"env"}, (char[]){"-0"}, NULL};
    struct child *c = open_child();
    struct ends ends = open_ends();
    char got[TEXT_MAX];
    struct fault why;
    size_t used = 0;
    size_t size;

    EXPECT_EQ(child_start(c, argv, envp, &why), STATUS_OK);
    leave_ends();
    size = read_to_end(ends.out, got, sizeof(got));
    for (size_t i = 0; envp[i] != NULL; i++) {
        EXPECT(used + strlen(envp[i]) < size);
        EXPECT_STR(got + used, envp[i]);
        used += strlen(envp[i]) + 1;
    }
    EXPECT_EQ(used, size);
    expect_exit(c, 0);
    child_destroy(&c);
}

TEST(gives_the_arguments_without_a_shell)
{
    char *const argv[] = {(char[]){"printf"}, (char[]){"<%s>"},
                          (char[]){"a b"},    (char[]){"$HOME"},
                          (char[]){"*"},      (char[]){""},
                          (char[]){"'\""},    NULL};
    struct child *c = open_child();
    struct ends ends = open_ends();
    char got[TEXT_MAX] = "";

    start(c, argv);
    leave_ends();
    got[read_to_end(ends.out, got, sizeof(got) - 1)] = '\0';
    EXPECT_STR(got, "<a b><$HOME><*><><'\">");
    expect_exit(c, 0);
    child_destroy(&c);
}

TEST(leaves_stdin_and_stdout_untouched)
{
    enum { SIZE = 300 * 1000 };
    static char sent[SIZE];
    static char got[SIZE + 1];
    struct child *c = open_child();
    char name[] = "/tmp/test-child-XXXXXX";
    char *const argv[] = {(char[]){"cat"}, NULL};
    struct ends ends = open_ends();
    int fd = mkstemp(name);

    for (size_t i = 0; i < SIZE; i++) {
        sent[i] = (char)(i * 2654435761U >> 13);
    }
    EXPECT(fd >= 0 && unlink(name) == 0);
    EXPECT_EQ(write(fd, sent, SIZE), SIZE);
    EXPECT(lseek(fd, 0, SEEK_SET) == 0 && dup2(fd, 0) == 0);
    start(c, argv);
    leave_ends();
    EXPECT_EQ(read_to_end(ends.out, got, sizeof(got)), SIZE);
    EXPECT(memcmp(sent, got, SIZE) == 0);
    expect_exit(c, 0);
    close(fd);
    child_destroy(&c);
}

TEST(keeps_its_descriptors_to_itself)
{
    struct child *c = open_child();
    char script[TEXT_MAX];

    snprintf(script, sizeof(script), "test ! -e /proc/self/fd/%d", child_fd(c));
    start_shell(c, script);
    expect_exit(c, 0);
    child_destroy(&c);
}

TEST(gives_a_clean_signal_mask_and_default_actions)
{
    char *const argv[] = {(char[]){"cat"}, (char[]){"/proc/self/status"}, NULL};
    struct child *c = open_child();
    struct ends ends = open_ends();
    char got[TEXT_MAX] = "";
    const char *ignored;

    start(c, argv);
    leave_ends();
    got[read_to_end(ends.out, got, sizeof(got) - 1)] = '\0';
    EXPECT(strstr(got, "SigBlk:\t0000000000000000\n") != NULL);
    /* Signals 32 and 33 are the C library's own; make(1) ignores them. */
    ignored = strstr(got, "SigIgn:");
    EXPECT(ignored != NULL);
    EXPECT_EQ(strtoull(ignored + strlen("SigIgn:"), NULL, 16) & 0x7fffffff, 0);
    EXPECT(strstr(got, "SigCgt:\t0000000000000000\n") != NULL);
    expect_exit(c, 0);
    child_destroy(&c);
}

/* ---- Signals. */

TEST(takes_signals_as_events)
{
    static const int signals[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
                                  SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};
    struct child *c;

    for (size_t i = 0; i < sizeof(signals) / sizeof(int); i++) {
        signal(signals[i], SIG_DFL);
    }
    c = open_child();
    for (size_t i = 0; i < sizeof(signals) / sizeof(int); i++) {
        struct child_event event;

        EXPECT_EQ(child_take(c).news, CHILD_NOTHING);
        kill(getpid(), signals[i]);
        event = child_take(c);
        EXPECT_EQ(event.news, CHILD_SIGNALLED);
        EXPECT_EQ(event.signal, signals[i]);
    }
    child_signal(c, SIGKILL); /* Nothing runs: nothing happens. */
    child_destroy(&c);
}

TEST(honours_nohup)
{
    struct child *c;

    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_IGN); /* A shell's `&`. */
    c = open_child();
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGQUIT);
    EXPECT_EQ(child_take(c).news, CHILD_NOTHING);
    start_shell(c, "kill -HUP $$; kill -QUIT $$; exit 3");
    expect_exit(c, 3);
    child_destroy(&c);
}

TEST(leaves_us_as_it_found_us)
{
    struct child *c;
    sigset_t before;
    sigset_t after;
    int fd = dup(0);

    close(fd);
    memset(&before, 0, sizeof(before)); /* The system knows of less. */
    memset(&after, 0, sizeof(after));
    sigprocmask(SIG_SETMASK, NULL, &before);
    c = open_child();
    start_shell(c, "exit 3");
    expect_exit(c, 3);
    child_destroy(&c);
    sigprocmask(SIG_SETMASK, NULL, &after);
    EXPECT(memcmp(&before, &after, sizeof(before)) == 0);
    EXPECT_EQ(dup(0), fd); /* None is left open below. */
}

/* Programs that use select() break with more than they know. */
TEST(the_command_has_the_limit_of_files_that_we_had)
{
    struct rlimit limit;
    struct child *c;

    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max > 256);
    limit.rlim_cur = 256;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(limit_raise_files() > 256);
    c = open_child();
    start_shell(c, "test $(ulimit -Sn) = 256");
    expect_exit(c, 0);
    child_destroy(&c);
}

TEST(signals_reach_grandchildren)
{
    struct child *c = open_child();
    struct ends ends = open_ends();
    char line[TEXT_MAX];

    /* The outer shell outlives the signal, so the inner one's answer shows
     * that it got it by itself. */
    start_shell(c, "trap : USR1; sh -c '"
                   "trap \"echo got; exit 0\" USR1; echo up; "
                   "while :; do sleep 1000 & wait $!; done' & "
                   "while kill -0 $! 2>&-; do wait $!; done; exit 4");
    leave_ends();
    read_line(ends.out, line, sizeof(line));
    EXPECT_STR(line, "up");
    child_signal(c, SIGUSR1);
    read_line(ends.out, line, sizeof(line));
    EXPECT_STR(line, "got");
    expect_exit(c, 4);
    expect_end(ends.out);
    child_destroy(&c);
}

TEST(leaves_none_of_the_group_behind)
{
    struct child *c = open_child();
    struct ends ends = open_ends();

    start_shell(c, "trap '' TERM HUP INT; sleep 1000 & sleep 1000 & exit 2");
    leave_ends();
    expect_exit(c, 2);
    expect_end(ends.out);
    child_destroy(&c);
}

TEST(destroy_ends_a_running_command)
{
    struct child *c = open_child();
    struct ends ends = open_ends();
    char line[TEXT_MAX];

    start_shell(c, "trap '' TERM; sleep 1000 & echo up; wait");
    leave_ends();
    read_line(ends.out, line, sizeof(line));
    child_destroy(&c);
    expect_end(ends.out);
}

TEST(collects_orphans)
{
    struct child *c = open_child();
    struct ends ends = open_ends();
    char line[TEXT_MAX];
    pid_t orphan;

    start_shell(c, "(sh -c 'echo $$; read x' <&0 &); exec cat >&2");
    leave_ends();
    read_line(ends.out, line, sizeof(line));
    orphan = (pid_t)strtol(line, NULL, 10);
    EXPECT(orphan > 1 && kill(orphan, 0) == 0);
    close(ends.in); /* Ends both: the orphan and the command. */
    expect_exit(c, 0);
    while (kill(orphan, 0) == 0) {
        struct pollfd p = {.fd = child_fd(c), .events = POLLIN};

        EXPECT(poll(&p, 1, -1) == 1);
        EXPECT_EQ(child_take(c).news, CHILD_NOTHING);
    }
    EXPECT_EQ(errno, ESRCH);
    EXPECT_EQ(waitpid(-1, NULL, WNOHANG), 0); /* But the keeper. */
    child_destroy(&c);
}

/* A shell that @text tells what to do, below a process that is killed once it
 * has said "up". Returns what is read of both after that. */
static int die_above(const char *text)
{
    struct ends ends = open_ends();
    char line[TEXT_MAX];
    pid_t middle;

    fflush(NULL);
    middle = fork();
    if (middle == 0) {
        struct child *c = open_child();

        close(ends.out);
        close(ends.in);
        start_shell(c, text);
        leave_ends();
        pause(); /* Until it is killed. */
        _exit(0);
    }
    leave_ends();
    alarm(HANG_S);
    read_line(ends.out, line, sizeof(line));
    EXPECT_STR(line, "up");
    EXPECT(kill(middle, SIGKILL) == 0);
    EXPECT(waitpid(middle, NULL, 0) == middle);
    return ends.out;
}

TEST(the_command_dies_with_us)
{
    expect_end(die_above("trap '' HUP; echo up; exec cat"));
}

/* It may say goodbye, and take along what it has put elsewhere. */
TEST(the_command_is_asked_before)
{
    char line[TEXT_MAX];
    int out = die_above("trap 'echo bye; exit' TERM; echo up; while :; do "
                        "sleep 0.01; done");

    read_line(out, line, sizeof(line));
    EXPECT_STR(line, "bye");
    expect_end(out);
}

TEST(what_it_has_started_dies_with_us)
{
    expect_end(die_above("(trap '' TERM HUP; echo up; exec cat) & wait"));
}

TEST(and_what_does_not_listen)
{
    expect_end(die_above("trap '' TERM HUP; echo up; exec cat"));
}

/* ---- A terminal. */

/* Become the leader of a session on a new terminal; return its other end. */
static int open_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int slave;

    EXPECT(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    EXPECT(setsid() == getpid());
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    EXPECT(slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
    EXPECT(dup2(slave, 0) == 0);
    close(slave);
    EXPECT_EQ(tcgetpgrp(0), getpgrp());
    return master;
}

TEST(the_terminal_is_lent_and_taken_back)
{
    int master = open_terminal();
    struct child *c = open_child();
    struct fault why;
    char *none[] = {(char[]){"no-such-command"}, NULL};

    EXPECT_EQ(child_start(c, none, plain_env, &why), STATUS_NO_COMMAND);
    EXPECT_EQ(tcgetpgrp(0), getpgrp());
    start_shell(c, "read x; test \"$x\" = hello");
    EXPECT(tcgetpgrp(0) != getpgrp());
    EXPECT_EQ(write(master, "hello\n", 6), 6);
    expect_exit(c, 0);
    EXPECT_EQ(tcgetpgrp(0), getpgrp());
    child_destroy(&c);
}

TEST(the_keyboard_reaches_the_command)
{
    int master = open_terminal();
    struct child *c = open_child();
    struct pollfd stopped = {.fd = child_fd(c), .events = POLLIN};
    int out[2];
    char line[TEXT_MAX];

    EXPECT(pipe2(out, O_CLOEXEC) == 0 && dup2(out[1], 1) == 1);
    /* ^Z is undone: the command answers after it. */
    start_shell(c, "echo up; read x; echo \"$x\"; exec cat");
    read_line(out[0], line, sizeof(line));
    EXPECT_EQ(write(master, "\x1a", 1), 1);
    EXPECT(poll(&stopped, 1, -1) == 1);
    EXPECT_EQ(child_take(c).news, CHILD_NOTHING);
    EXPECT_EQ(write(master, "hi\n", 3), 3);
    read_line(out[0], line, sizeof(line));
    EXPECT_STR(line, "hi");
    /* ^C ends it, and is not ours. */
    EXPECT_EQ(write(master, "\x03", 1), 1);
    expect_exit(c, 130);
    EXPECT_EQ(child_take(c).news, CHILD_NOTHING);
    child_destroy(&c);
}
