/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "store/http_tls.h"

static enum http_link_state link_fail(struct http_link *l, int error)
{
    snprintf(l->why, sizeof(l->why), "%s", strerror(error));
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL:
        return HTTP_LINK_OS;
    default:
        return HTTP_LINK_BROKEN;
    }
}

enum http_link_state http_link_connect(struct http_link *l,
                                       const struct http_place *to)
{
    struct sockaddr_storage address = {0};
    int one = 1;

    CHECK(l->fd < 0 && l->tls == NULL);
    memcpy(&address, to->at, to->size);
    l->fd = socket(to->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        return link_fail(l, errno);
    }
    /* Without it a request may wait for an acknowledgement; only slower. */
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(l->fd, (struct sockaddr *)&address, to->size) == 0) {
        return HTTP_LINK_OK;
    }
    return errno == EINPROGRESS || errno == EINTR ? HTTP_LINK_WRITE
                                                  : link_fail(l, errno);
}

enum http_link_state http_link_connected(struct http_link *l)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    return error == 0 ? HTTP_LINK_OK : link_fail(l, error);
}

bool http_link_secure(struct http_link *l, struct http_tls *t, const char *host)
{
    l->tls = http_tls_open(t, l->fd, host);
    return l->tls != NULL;
}

enum http_link_state http_link_shake(struct http_link *l)
{
    return http_tls_shake(l->tls, l->why);
}

static enum http_link_state link_state(struct http_link *l, ssize_t n,
                                       enum http_link_state wait, size_t *moved)
{
    if (n > 0) {
        *moved = (size_t)n;
        return HTTP_LINK_OK;
    }
    *moved = 0;
    if (n == 0) {
        snprintf(l->why, sizeof(l->why), "the peer closed the connection");
        return HTTP_LINK_END;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return wait;
    }
    return link_fail(l, errno);
}

enum http_link_state http_link_read(struct http_link *l, void *to, size_t size,
                                    size_t *got)
{
    if (l->tls != NULL) {
        return http_tls_read(l->tls, to, size, got, l->why);
    }
    return link_state(l, recv(l->fd, to, size, 0), HTTP_LINK_READ, got);
}

enum http_link_state http_link_write(struct http_link *l, const void *from,
                                     size_t size, size_t *put)
{
    if (l->tls != NULL) {
        return http_tls_write(l->tls, from, size, put, l->why);
    }
    return link_state(l, send(l->fd, from, size, MSG_NOSIGNAL), HTTP_LINK_WRITE,
                      put);
}

bool http_link_is_quiet(const struct http_link *l)
{
    char byte;
    ssize_t n;

    if (l->tls != NULL && http_tls_has_more(l->tls)) {
        return false;
    }
    n = recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void http_link_address(const struct http_place *place, char *out, size_t size)
{
    struct sockaddr_storage address = {0};
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    memcpy(&address, place->at, place->size);
    if (getnameinfo((struct sockaddr *)&address, place->size, host,
                    sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        out[0] = '\0';
        return;
    }
    snprintf(out, size, place->family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
             port);
}

void http_link_close(struct http_link *l, bool is_polite)
{
    http_tls_close(&l->tls, is_polite);
    if (l->fd >= 0) {
        close(l->fd);
    }
    l->fd = -1;
}
