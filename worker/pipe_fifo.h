/* SPDX-License-Identifier: Apache-2.0 */
/* FIFOs of one channel, by number (pipe_fifo_os.c). Private to the pipe. */

#ifndef WORKER_PIPE_FIFO_H
#define WORKER_PIPE_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { PIPE_FIFO_BYTES = 1 << 20 };

/* Make FIFO @number. One that an earlier process has left is replaced.
 * CONFLICT: something else has its name. */
MUST_USE enum status pipe_fifo_make(const char *folder, const char *channel,
                                    uint64_t number, struct fault *why);
void pipe_fifo_remove(const char *folder, const char *channel, uint64_t number);

/* Open it for writing, without waiting, into *@out. EMPTY: nobody reads. */
MUST_USE enum status pipe_fifo_open(const char *folder, const char *channel,
                                    uint64_t number, struct fault *why,
                                    int *out);

/* Write what fits now. OK, @put may be 0; LOST: nobody reads any more; OS. */
MUST_USE enum status pipe_fifo_write(int fd, struct bytes data,
                                     struct fault *why, size_t *put);

/* How many bytes lie in it. */
size_t pipe_fifo_held(int fd);

#endif /* WORKER_PIPE_FIFO_H */
