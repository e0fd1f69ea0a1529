/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pipe_fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static char *pipe_fifo_path(const char *folder, const char *channel,
                            uint64_t number)
{
    return mem_print("%s/%s_%" PRIu64, folder, channel, number);
}

/* Whoever still has the old one open is not in our way. */
static enum status pipe_fifo_replace(const char *path, struct fault *why)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return file_fault(why, errno, "look at", path);
    }
    if (!S_ISFIFO(st.st_mode)) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s: is there already and is no FIFO; remove it, or "
                         "give the channel another name",
                         path);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return file_fault(why, errno, "remove the old FIFO", path);
    }
    return mkfifo(path, 0666) == 0
               ? STATUS_OK
               : file_fault(why, errno, "make the FIFO", path);
}

enum status pipe_fifo_make(const char *folder, const char *channel,
                           uint64_t number, struct fault *why)
{
    char *path = pipe_fifo_path(folder, channel, number);
    enum status s = STATUS_OK;

    if (mkfifo(path, 0666) != 0) {
        s = errno == EEXIST ? pipe_fifo_replace(path, why)
                            : file_fault(why, errno, "make the FIFO", path);
    }
    free(path);
    return s;
}

void pipe_fifo_remove(const char *folder, const char *channel, uint64_t number)
{
    char *path = pipe_fifo_path(folder, channel, number);
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
        unlink(path);
    }
    free(path);
}

enum status pipe_fifo_open(const char *folder, const char *channel,
                           uint64_t number, struct fault *why, int *out)
{
    char *path = pipe_fifo_path(folder, channel, number);
    enum status s = STATUS_OK;

    *out = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (*out < 0) {
        s = errno == ENXIO ? STATUS_EMPTY
                           : file_fault(why, errno, "open the FIFO", path);
    } else {
        /* A smaller one is slower, not wrong. */
        (void)fcntl(*out, F_SETPIPE_SZ, PIPE_FIFO_BYTES);
    }
    free(path);
    return s;
}

enum status pipe_fifo_write(int fd, struct bytes data, struct fault *why,
                            size_t *put)
{
    ssize_t n = write(fd, data.at, data.size);

    *put = n > 0 ? (size_t)n : 0;
    if (n >= 0 || errno == EAGAIN || errno == EINTR) {
        return STATUS_OK;
    }
    return errno == EPIPE ? STATUS_LOST
                          : file_fault(why, errno, "write to", "the FIFO");
}

size_t pipe_fifo_held(int fd)
{
    int held = 0;

    return ioctl(fd, FIONREAD, &held) == 0 && held > 0 ? (size_t)held : 0;
}
