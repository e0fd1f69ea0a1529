/* SPDX-License-Identifier: Apache-2.0 */
/* Raw requests to the S3 test server: one server a test, one answer kept. */

#ifndef TESTS_S3SERVER_KIT_H
#define TESTS_S3SERVER_KIT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "tests/harness.h"
#include "tests/s3server/s3server.h"

static struct s3server *server;
static struct buf got; /* All that came until the end of the connection. */

static inline int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(
        (uint16_t)strtoul(strrchr(s3server_url(server), ':') + 1, NULL, 10));
    EXPECT(fd >= 0);
    EXPECT(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    return fd;
}

static inline void say(int fd, const char *text)
{
    EXPECT(send(fd, text, strlen(text), MSG_NOSIGNAL) == (long)strlen(text));
}

/* Read up to @most bytes or the end; the last result of recv(). */
static inline long hear(int fd, size_t most)
{
    long here = 1;

    buf_clear(&got);
    while (here > 0 && got.size < most) {
        here = recv(fd, buf_reserve(&got, 65536), 65536, 0);
        buf_add_done(&got, here > 0 ? (size_t)here : 0);
    }
    return here;
}

/* @text is a request without its end; the answer is in @got. */
static inline const char *ask(const char *text, const char *body)
{
    struct buf out = {0};
    int fd = dial();

    buf_print(&out, "%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
              text, strlen(body), body);
    say(fd, out.at);
    EXPECT(hear(fd, SIZE_MAX) == 0);
    close(fd);
    buf_fini(&out);
    return buf_text(&got);
}

static inline const char *request(const char *line, const char *more,
                                  const char *body)
{
    struct buf out = {0};

    buf_print(&out, "%s HTTP/1.1\r\nHost: h\r\n%s", line, more);
    ask(out.at, body);
    buf_fini(&out);
    return buf_text(&got);
}

static inline const char *request_body(void)
{
    const char *end = strstr(buf_text(&got), "\r\n\r\n");

    EXPECT(end != NULL);
    return end + 4;
}

static inline int code(void)
{
    EXPECT(strncmp(buf_text(&got), "HTTP/1.1 ", 9) == 0);
    return (int)strtol(got.at + 9, NULL, 10);
}

static inline bool has(const char *text)
{
    return strstr(buf_text(&got), text) != NULL;
}

static inline void end(void)
{
    s3server_stop(&server);
    buf_fini(&got);
}

#endif /* TESTS_S3SERVER_KIT_H */
