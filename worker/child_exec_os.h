/* SPDX-License-Identifier: Apache-2.0 */
/* From arguments to a running process, for child_os.c (child_exec_os.c). */

#ifndef WORKER_CHILD_EXEC_OS_H
#define WORKER_CHILD_EXEC_OS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/fault.h"
#include "base/status.h"

struct child_exec {
    char *const *argv;
    char *const *envp;
    const sigset_t *mask; /* The signal mask that the command gets. */
    int death_signal;     /* That it gets when smshard dies. */
    int keeper_fd;        /* Hears its number before it runs; or -1. */
    bool has_terminal;    /* Give it the foreground of the terminal on 0. */
};

/* Start the command in a process group of its own, named by *@out. Returns
 * when it runs or could not be run; nothing is left of it then.
 * NO_COMMAND, NOT_EXECUTABLE, OS. */
MUST_USE enum status child_exec(const struct child_exec *exec,
                                struct fault *why, pid_t *out);

/* Make @group the foreground of the terminal on descriptor 0. Harmless where
 * there is none. */
void child_exec_foreground(pid_t group);

#endif /* WORKER_CHILD_EXEC_OS_H */
