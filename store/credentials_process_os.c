/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

enum { PROCESS_STEP_MS = 100, PROCESS_READ = 4096 };

/* One that runs. */
struct process_run {
    const struct credentials_fetcher *f;
    struct credentials_process *out;
    pid_t pid;
    int ends[2]; /* Of its stdout and stderr; -1: closed. */
    uint64_t until_ms;
};

static void process_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static bool process_pipes(int out[2], int err[2])
{
    if (pipe2(out, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(err, O_CLOEXEC) != 0) {
        process_close(&out[0]);
        process_close(&out[1]);
        return false;
    }
    return true;
}

/* A group of its own, so that all of it can be killed; no signal of ours
 * blocked or ignored. */
static void process_attributes(posix_spawnattr_t *a)
{
    sigset_t none;
    sigset_t all;

    sigemptyset(&none);
    sigfillset(&all);
    CHECK(posix_spawnattr_init(a) == 0);
    CHECK(posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
                                          POSIX_SPAWN_SETSIGMASK |
                                          POSIX_SPAWN_SETSIGDEF) == 0);
    CHECK(posix_spawnattr_setpgroup(a, 0) == 0);
    CHECK(posix_spawnattr_setsigmask(a, &none) == 0);
    CHECK(posix_spawnattr_setsigdefault(a, &all) == 0);
}

static int process_spawn(char *const *argv, int out, int err, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int error;

    process_attributes(&attributes);
    CHECK(posix_spawn_file_actions_init(&files) == 0);
    error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                             O_RDONLY, 0);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
    }
    if (error == 0) {
        error = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
    }
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* Take what is at end @i. */
static enum status process_read(struct process_run *r, int i, struct fault *why)
{
    struct buf *to = i == 0 ? &r->out->out : &r->out->err;
    size_t most =
        i == 0 ? CREDENTIALS_PROCESS_OUT_MAX : CREDENTIALS_PROCESS_ERR_MAX;
    char piece[PROCESS_READ];
    ssize_t got = read(r->ends[i], piece, sizeof(piece));
    size_t size = got > 0 ? (size_t)got : 0;
    enum status s = STATUS_OK;

    if (got < 0 && errno == EINTR) {
        return STATUS_OK;
    }
    if (got <= 0) {
        process_close(&r->ends[i]);
        return STATUS_OK;
    }
    if (to->size + size > most && i == 0) {
        s = fault_set(why, STATUS_MALFORMED, "it prints more than %zu bytes",
                      most);
    } else {
        buf_add(to, piece, size < most - to->size ? size : most - to->size);
    }
    explicit_bzero(piece, sizeof(piece));
    return s;
}

static bool process_may_go_on(const struct process_run *r, struct fault *why)
{
    const struct credentials_fetcher *f = r->f;

    if (clock_now_ms(&clock_os) >= r->until_ms) {
        fault_set(why, STATUS_TIMEOUT,
                  "it did not end within %u s: run it by hand; does it ask "
                  "for something?",
                  f->process_ms / 1000);
        return false;
    }
    if (f->wait != NULL && !f->wait(f->wait_self, 0)) {
        fault_set(why, STATUS_TIMEOUT, "given up: smshard ends");
        return false;
    }
    return true;
}

/* Until both ends are closed. */
static enum status process_listen(struct process_run *r, struct fault *why)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK && (r->ends[0] >= 0 || r->ends[1] >= 0)) {
        struct pollfd fds[2] = {{.fd = r->ends[0], .events = POLLIN},
                                {.fd = r->ends[1], .events = POLLIN}};

        if (!process_may_go_on(r, why)) {
            return STATUS_TIMEOUT;
        }
        if (poll(fds, 2, PROCESS_STEP_MS) <= 0) {
            continue;
        }
        for (int i = 0; i < 2 && s == STATUS_OK; i++) {
            s = fds[i].revents != 0 ? process_read(r, i, why) : STATUS_OK;
        }
    }
    return s;
}

/* Wait until it has ended, but not for ever: it may have closed its ends and
 * sleep. Whoever collects all children of this process may be faster. */
static enum status process_collect(struct process_run *r, struct fault *why)
{
    int state = 0;
    pid_t got;

    while ((got = waitpid(r->pid, &state, WNOHANG)) == 0 ||
           (got < 0 && errno == EINTR)) {
        if (!process_may_go_on(r, why)) {
            return STATUS_TIMEOUT;
        }
        (void)poll(NULL, 0, 1);
    }
    r->out->code = got < 0              ? -1
                   : WIFSIGNALED(state) ? 128 + WTERMSIG(state)
                                        : WEXITSTATUS(state);
    r->pid = 0;
    return STATUS_OK;
}

enum status credentials_process_run(const struct credentials_fetcher *f,
                                    char *const *argv, struct fault *why,
                                    struct credentials_process *out)
{
    struct process_run r = {.f = f, .out = out, .ends = {-1, -1}};
    int to_out[2] = {-1, -1};
    int to_err[2] = {-1, -1};
    enum status s;
    int error;

    if (!process_pipes(to_out, to_err)) {
        return fault_set(why, STATUS_OS, "make a pipe: %s", strerror(errno));
    }
    error = process_spawn(argv, to_out[1], to_err[1], &r.pid);
    process_close(&to_out[1]);
    process_close(&to_err[1]);
    r.ends[0] = to_out[0];
    r.ends[1] = to_err[0];
    r.until_ms = clock_now_ms(&clock_os) + f->process_ms;
    if (error != 0) {
        r.pid = 0;
        s = fault_set(why, STATUS_INVALID, "can not be started: %s",
                      strerror(error));
    } else {
        s = process_listen(&r, why);
    }
    if (s == STATUS_OK) {
        s = process_collect(&r, why);
    }
    if (r.pid > 0) {
        (void)kill(-r.pid, SIGKILL);
        while (waitpid(r.pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    process_close(&r.ends[0]);
    process_close(&r.ends[1]);
    return s;
}
