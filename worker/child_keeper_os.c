/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/child_keeper_os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEEPER_LOOK_MS = 50, KEEPER_FILES_MAX = 4096 };

/* ---- In the keeper. */

/* A number that has gone and come again can't be the group's: all of it would
 * have to end, and another lead one of that number, within one look. */
static void keeper_end_group(pid_t group)
{
    struct timespec pause = {0, KEEPER_LOOK_MS * 1000000L};

    for (int ms = 0; ms < CHILD_KEEPER_GRACE_MS; ms += KEEPER_LOOK_MS) {
        if (kill(-group, 0) != 0) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    kill(-group, SIGKILL);
}

static _Noreturn void keeper_main(int fd)
{
    sigset_t all;
    pid_t group = 0;
    pid_t next;
    ssize_t got;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setsid();
    /* Not by the name of which a person may kill smshard. */
    prctl(PR_SET_NAME, "keeper");
    if (chdir("/") != 0) {
        _exit(1);
    }
    for (int i = 0; i < KEEPER_FILES_MAX; i++) {
        if (i != fd) {
            close(i);
        }
    }
    while ((got = read(fd, &next, sizeof(next))) != 0) {
        if (got == (ssize_t)sizeof(next)) {
            group = next;
        } else if (errno != EINTR) {
            _exit(1);
        }
    }
    if (group > 0) {
        keeper_end_group(group);
    }
    _exit(0);
}

/* ---- In smshard. */

struct child_keeper child_keeper_start(void)
{
    struct child_keeper k = {.pid = 0, .fd = -1};
    int fds[2];
    pid_t pid;

    if (getpid() == 1 || pipe2(fds, O_CLOEXEC) != 0) {
        return k;
    }
    pid = fork();
    if (pid == 0) {
        close(fds[1]);
        keeper_main(fds[0]);
    }
    close(fds[0]);
    if (pid < 0) {
        close(fds[1]);
        return k;
    }
    k.pid = pid;
    k.fd = fds[1];
    return k;
}

void child_keeper_tell(const struct child_keeper *k, pid_t group)
{
    /* Written at once or, where the keeper was killed, in vain. */
    if (k->pid > 0 && write(k->fd, &group, sizeof(group)) < 0) {
        return;
    }
}

void child_keeper_stop(struct child_keeper *k)
{
    if (k->pid == 0) {
        return;
    }
    child_keeper_tell(k, 0);
    close(k->fd);
    while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    k->pid = 0;
    k->fd = -1;
}
