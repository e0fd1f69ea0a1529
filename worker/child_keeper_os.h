/* SPDX-License-Identifier: Apache-2.0 */
/* A small process that outlives smshard by a moment, for child_os.c: when
 * smshard has died without its clean-up (SIGKILL, out of memory), it ends what
 * the command has started. The system itself asks the command to end, by
 * SIGTERM; what is left of its group KEEPER_GRACE_MS later is killed.
 *
 * It is forked while smshard has no thread and little memory, holds no
 * descriptor but its end of a pipe, and no folder. Where it can't be made, and
 * where smshard is process 1, whose end is everybody's, there is none. */

#ifndef WORKER_CHILD_KEEPER_OS_H
#define WORKER_CHILD_KEEPER_OS_H

#include <sys/types.h>

enum { CHILD_KEEPER_GRACE_MS = 5000 };

struct child_keeper {
    pid_t pid; /* 0: there is none. */
    int fd;    /* Where it hears of groups, as child_keeper_tell() says; -1. */
};

struct child_keeper child_keeper_start(void);

/* From now on it is @group that has to go; 0: none. */
void child_keeper_tell(const struct child_keeper *k, pid_t group);

/* End it, with nothing to do, and wait for it. */
void child_keeper_stop(struct child_keeper *k);

#endif /* WORKER_CHILD_KEEPER_OS_H */
