/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/s3server/s3server_srv.h"

enum { LINGER_MS = 2000 };

bool srv_conn_fill(struct srv_conn *c, uint32_t ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    bool has_bytes = c->tls != NULL && srv_tls_has_bytes(c);
    long got;

    if (!has_bytes && poll(&p, 1, (int)ms) != 1) {
        return false;
    }
    got = c->tls != NULL ? srv_tls_read(c, c->in, sizeof(c->in))
                         : recv(c->fd, c->in, sizeof(c->in), 0);
    c->in_from = 0;
    c->in_to = got > 0 ? (size_t)got : 0;
    return got > 0;
}

bool srv_conn_read(struct srv_conn *c, void *out, size_t size)
{
    char *to = out;

    while (size > 0) {
        size_t here = c->in_to - c->in_from;

        if (here == 0) {
            if (!srv_conn_fill(c, SRV_READ_MS)) {
                return false;
            }
            continue;
        }
        here = here < size ? here : size;
        memcpy(to, c->in + c->in_from, here);
        c->in_from += here;
        to += here;
        size -= here;
    }
    return true;
}

bool srv_conn_write(struct srv_conn *c, const void *at, size_t size)
{
    const char *from = at;

    while (size > 0) {
        long put = c->tls != NULL ? srv_tls_write(c, from, size)
                                  : send(c->fd, from, size, MSG_NOSIGNAL);

        if (put <= 0) {
            return false;
        }
        from += put;
        size -= (size_t)put;
    }
    return true;
}

bool srv_conn_wait(struct srv_conn *c, int64_t ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

    return poll(&p, 1, (int)ms) == 0 && !atomic_load(&c->s->is_stopping);
}

/* What the client still sends is read away first: a close with unread bytes
 * would be a reset, which can overtake the answer. */
void srv_conn_finish(struct srv_conn *c, bool is_polite)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    if (c->is_reset) {
        return; /* A FIN must not come first. */
    }
    if (is_polite && c->tls != NULL) {
        srv_tls_bye(c);
    }
    shutdown(c->fd, SHUT_WR);
    while (poll(&p, 1, LINGER_MS) == 1 &&
           recv(c->fd, c->in, sizeof(c->in), 0) > 0) {
    }
}

void srv_conn_reset(struct srv_conn *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    c->is_reset = true;
}

void srv_conn_close(struct srv_conn *c)
{
    srv_tls_free(c);
    pthread_mutex_lock(&c->s->lock);
    close(c->fd);
    c->fd = -1;
    c->is_done = true;
    pthread_mutex_unlock(&c->s->lock);
}
