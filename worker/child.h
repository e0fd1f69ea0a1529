/* SPDX-License-Identifier: Apache-2.0 */
/* The user's command as a child process (child_os.c): started with exactly
 * the given arguments and environment, never through a shell; its stdin,
 * stdout and stderr are ours, untouched. It runs in a process group of its
 * own, so that a signal reaches all it has started; on a terminal that group
 * is put into the foreground, and a stop from the keyboard (^Z) is undone at
 * once: one host of a job can't pause.
 *
 * When the command ends, what is left of its group is killed: a helper left
 * behind would hold the GPU and the container. A process that has moved to a
 * session of its own is left alone. When smshard itself is killed, the command
 * gets SIGTERM at once, and a small process that child_init() has forked kills
 * what is left of its group 5 s later: the next attempt never runs beside it.
 * As the first process of a container smshard needs none.
 *
 * As the first process of a container, and as a sub-reaper elsewhere, smshard
 * collects every orphan. Signals are taken as events from a file descriptor;
 * child_init() must run before any thread starts, so that all threads block
 * them. One owner thread, which must not end before the command does. */

#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/status.h"

struct child;

/* Block the signals that are passed on (TERM INT HUP QUIT USR1 USR2 CONT
 * WINCH; not HUP, INT and QUIT where the caller ignores them, as nohup does),
 * ignore PIPE, and make *@out, freed by child_destroy(). OS. */
MUST_USE enum status child_init(struct fault *why, struct child **out);

/* Kill the command's group if it runs, wait for it, give the signals back to
 * what they were and free *@c. NULL is left alone. */
void child_destroy(struct child **c);

/* Readable when child_take() has something to say. */
int child_fd(const struct child *c);

/* Start @argv (found through PATH of @envp when it has no slash). None may
 * run yet. The command gets the signal mask of before child_init() and default
 * actions, but for those that were ignored then.
 * NO_COMMAND: it is not there; NOT_EXECUTABLE: it can't be run (mode, format,
 * missing interpreter, a folder, too long an environment); OS. The message
 * names the command. */
MUST_USE enum status child_start(struct child *c, char *const *argv,
                                 char *const *envp, struct fault *why);

enum child_news {
    CHILD_NOTHING,
    CHILD_SIGNALLED, /* smshard got @signal, to be passed on or not. */
    CHILD_EXITED,    /* The command ended: @exit_code, or by @signal. */
};
struct child_event {
    enum child_news news;
    int signal;    /* 0 when the command ended by itself. */
    int exit_code; /* 128 + signal when ended by one. */
};

/* Take what happened, one thing a call, without waiting. */
struct child_event child_take(struct child *c);

/* Send @signal to the command's whole group. Nothing when none runs. */
void child_signal(struct child *c, int signal);

#endif /* WORKER_CHILD_H */
