/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/child_exec_os.h"
#include "worker/child_keeper_os.h"

enum { CHILD_SIGNAL_BASE = 128 };

struct child {
    sigset_t mask_before;
    struct sigaction pipe_before;
    struct sigaction chld_before;
    int fd;    /* A signalfd. */
    pid_t pid; /* Of the command, and its group; 0 when none runs. */
    bool has_terminal;
    struct child_keeper keeper;
};

static const int child_signals[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
                                    SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};

/* nohup and a shell's `&` ignore these for us; that is an order. */
static bool child_is_left_ignored(int signal)
{
    struct sigaction action;

    return (signal == SIGHUP || signal == SIGINT || signal == SIGQUIT) &&
           sigaction(signal, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

static void child_taken_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGCHLD);
    for (size_t i = 0; i < sizeof(child_signals) / sizeof(int); i++) {
        if (!child_is_left_ignored(child_signals[i])) {
            sigaddset(out, child_signals[i]);
        }
    }
}

enum status child_init(struct fault *why, struct child **out)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    struct child *c = mem_new(1, sizeof(*c));
    sigset_t taken;
    sigset_t blocked;

    child_taken_signals(&taken);
    c->fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (c->fd < 0) {
        free(c);
        return fault_set(why, STATUS_OS, "make a signal descriptor: %s",
                         strerror(errno));
    }
    c->keeper = child_keeper_start();
    sigaction(SIGPIPE, &action, &c->pipe_before);
    /* Were it ignored, the system would collect the command, not we. */
    action.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &action, &c->chld_before);
    /* While the command has the terminal, our own lines must not stop us. */
    blocked = taken;
    sigaddset(&blocked, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &blocked, &c->mask_before);
    /* Orphans come to us; where the system can't, they go where they went. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
    *out = c;
    return STATUS_OK;
}

int child_fd(const struct child *c)
{
    return c->fd;
}

enum status child_start(struct child *c, char *const *argv, char *const *envp,
                        struct fault *why)
{
    struct child_exec exec = {
        .argv = argv,
        .envp = envp,
        .mask = &c->mask_before,
        .death_signal = c->keeper.pid > 0 ? SIGTERM : SIGKILL,
        .keeper_fd = c->keeper.fd,
        .has_terminal = tcgetpgrp(STDIN_FILENO) == getpgrp()};
    pid_t pid = 0;
    enum status s;

    CHECK(c->pid == 0);
    s = child_exec(&exec, why, &pid);
    c->has_terminal = exec.has_terminal;
    if (s == STATUS_OK) {
        c->pid = pid;
        return s;
    }
    child_keeper_tell(&c->keeper, 0);
    if (c->has_terminal) {
        child_exec_foreground(getpgrp());
    }
    return s;
}

void child_signal(struct child *c, int signal)
{
    if (c->pid > 0) {
        (void)kill(-c->pid, signal);
    }
}

/* The command has ended and is not collected yet, so its number, and with it
 * the group's, can't belong to anybody else. */
static struct child_event child_end(struct child *c, const siginfo_t *info)
{
    struct child_event event = {.news = CHILD_EXITED};

    kill(-c->pid, SIGKILL);
    child_keeper_tell(&c->keeper, 0);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
    if (c->has_terminal) {
        child_exec_foreground(getpgrp());
    }
    event.exit_code = info->si_status;
    if (info->si_code != CLD_EXITED) {
        event.signal = info->si_status;
        event.exit_code = CHILD_SIGNAL_BASE + info->si_status;
    }
    return event;
}

/* Collect every process that ended, orphans too. */
static struct child_event child_reap(struct child *c)
{
    struct child_event event = {.news = CHILD_NOTHING};
    const int kinds = WEXITED | WSTOPPED | WNOHANG;
    siginfo_t info = {0};

    while (waitid(P_ALL, 0, &info, kinds | WNOWAIT) == 0 && info.si_pid != 0) {
        bool has_ended = info.si_code != CLD_STOPPED;

        if (has_ended && info.si_pid == c->pid) {
            event = child_end(c, &info);
        } else {
            waitid(P_PID, (id_t)info.si_pid, &info, kinds);
        }
        if (!has_ended && info.si_pid == c->pid && c->has_terminal &&
            info.si_status == SIGTSTP) {
            kill(-c->pid, SIGCONT);
        }
        info = (siginfo_t){0};
    }
    return event;
}

struct child_event child_take(struct child *c)
{
    struct child_event event = {.news = CHILD_NOTHING};
    struct signalfd_siginfo got;

    while (event.news == CHILD_NOTHING &&
           read(c->fd, &got, sizeof(got)) == (ssize_t)sizeof(got)) {
        if (got.ssi_signo == SIGCHLD) {
            event = child_reap(c);
        } else {
            event = (struct child_event){.news = CHILD_SIGNALLED,
                                         .signal = (int)got.ssi_signo};
        }
    }
    return event;
}

void child_destroy(struct child **c)
{
    if (*c == NULL) {
        return;
    }
    if ((*c)->pid > 0) {
        siginfo_t info = {0};

        child_signal(*c, SIGKILL);
        while (waitid(P_PID, (id_t)(*c)->pid, &info, WEXITED | WNOWAIT) != 0 &&
               errno == EINTR) {
        }
        child_end(*c, &info);
    }
    child_keeper_stop(&(*c)->keeper);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    close((*c)->fd);
    sigaction(SIGPIPE, &(*c)->pipe_before, NULL);
    sigaction(SIGCHLD, &(*c)->chld_before, NULL);
    pthread_sigmask(SIG_SETMASK, &(*c)->mask_before, NULL);
    free(*c);
    *c = NULL;
}
