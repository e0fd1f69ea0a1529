/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/take_link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

enum { TAKE_ANSWER_MAX = 64 << 10, TAKE_READ = 4096 };

struct take_link {
    int fd;
    struct buf in;
    size_t taken; /* Of @in, by the last answer. */
};

enum status take_link_open(const char *path, struct fault *why,
                           struct take_link **out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct take_link *l;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: the path is too long for a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    l = mem_new(1, sizeof(*l));
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 ||
        connect(l->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;
        enum status s =
            error == EACCES || error == EPERM ? STATUS_DENIED : STATUS_LOST;

        take_link_close(&l);
        return fault_set(why, s,
                         "%s: connect to the feed: %s; is 'smshard run' still "
                         "there?",
                         path, strerror(error));
    }
    *out = l;
    return STATUS_OK;
}

void take_link_close(struct take_link **l)
{
    if (*l == NULL) {
        return;
    }
    if ((*l)->fd >= 0) {
        close((*l)->fd);
    }
    buf_fini(&(*l)->in);
    free(*l);
    *l = NULL;
}

static enum status take_link_lost(int error, struct fault *why)
{
    return fault_set(why, STATUS_LOST, "the feed has gone: %s",
                     error != 0 ? strerror(error) : "it closed the connection");
}

static enum status take_link_write(struct take_link *l, const char *line,
                                   struct fault *why)
{
    size_t size = strlen(line);

    while (size > 0) {
        ssize_t put = send(l->fd, line, size, MSG_NOSIGNAL);

        if (put < 0 && errno != EINTR) {
            return take_link_lost(errno, why);
        }
        line += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
    }
    return STATUS_OK;
}

static enum status take_link_read(struct take_link *l, struct fault *why,
                                  struct bytes *out)
{
    const char *end;

    memmove(l->in.at, l->in.at + l->taken, l->in.size - l->taken);
    l->in.size -= l->taken;
    l->taken = 0;
    while ((end = memchr(l->in.at, '\n', l->in.size)) == NULL) {
        ssize_t got = recv(l->fd, buf_reserve(&l->in, TAKE_READ), TAKE_READ, 0);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            return take_link_lost(got == 0 ? 0 : errno, why);
        }
        buf_add_done(&l->in, got > 0 ? (size_t)got : 0);
        if (l->in.size > TAKE_ANSWER_MAX) {
            return fault_set(why, STATUS_MALFORMED,
                             "the feed's answer has no end");
        }
    }
    l->taken = (size_t)(end - l->in.at) + 1;
    *out = (struct bytes){l->in.at, l->taken - 1};
    return STATUS_OK;
}

enum status take_link_ask(struct take_link *l, struct fault *why,
                          struct feed_answer *out, const char *format, ...)
{
    struct bytes answer;
    struct buf line = {0};
    char text[FEED_LINE_MAX];
    va_list args;
    enum status s;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_print(&line, "%s\n", text);
    buf_reserve(&l->in, 1); /* So that there is something to search. */
    s = take_link_write(l, buf_text(&line), why);
    buf_fini(&line);
    if (s == STATUS_OK) {
        s = take_link_read(l, why, &answer);
    }
    return s == STATUS_OK ? feed_answer_read(answer, why, out) : s;
}
