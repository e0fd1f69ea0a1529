/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a server on loopback, for the tests of HTTP: it gets a
 * thread that runs the test's function, which reads and writes what it likes.
 * http_kit.h has the server and the client. */

#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "store/http.h"
#include "tests/harness.h"

enum { KIT_PEERS_MAX = 256 };

struct server;

struct peer {
    struct server *server;
    pthread_t thread;
    int fd;
    int number;        /* Connections are counted from 0. */
    struct buf head;   /* Of the last request, with its empty line. */
    struct buf body;   /* Of the last request. */
    size_t body_bytes; /* What of it came. */
};

typedef void peer_fn(struct peer *p);

struct server {
    peer_fn *serve;
    int fd;
    pthread_t thread;
    uint16_t port;
    char origin[64];
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct {
        struct peer peers[KIT_PEERS_MAX];
        int count; /* Connections so far. */
        int open;
        int open_max;
        int marks; /* server_mark(). */
        struct buf heads;
    } locked;
};

/* ---- what a peer does */

static inline void peer_say_bytes(const struct peer *p, const char *at,
                                  size_t size)
{
    while (size > 0) {
        ssize_t n = send(p->fd, at, size, MSG_NOSIGNAL);

        if (n <= 0) {
            return;
        }
        at += n;
        size -= (size_t)n;
    }
}

static inline void peer_say(const struct peer *p, const char *text)
{
    peer_say_bytes(p, text, strlen(text));
}

static inline void peer_read_body(struct peer *p)
{
    struct bytes value;
    size_t size = 0;

    if (http_header(buf_bytes(&p->head), "content-length", &value)) {
        size = strtoul(value.at, NULL, 10);
    }
    while (p->body_bytes < size) {
        size_t left = size - p->body_bytes;
        ssize_t n = recv(p->fd, buf_reserve(&p->body, left), left, 0);

        if (n <= 0) {
            return;
        }
        buf_add_done(&p->body, (size_t)n);
        p->body_bytes += (size_t)n;
    }
}

/* Read a head. false: the client has closed. */
static inline bool peer_read_head(struct peer *p)
{
    char c;

    buf_clear(&p->head);
    buf_clear(&p->body);
    p->body_bytes = 0;
    while (!bytes_has_suffix(buf_bytes(&p->head), BYTES("\r\n\r\n"))) {
        if (recv(p->fd, &c, 1, 0) != 1) {
            return false;
        }
        buf_add_char(&p->head, c);
    }
    pthread_mutex_lock(&p->server->lock);
    buf_add_bytes(&p->server->locked.heads, buf_bytes(&p->head));
    pthread_mutex_unlock(&p->server->lock);
    return true;
}

static inline bool peer_request(struct peer *p)
{
    if (!peer_read_head(p)) {
        return false;
    }
    peer_read_body(p);
    return true;
}

/* The next close() sends a reset. */
static inline void peer_reset(const struct peer *p)
{
    struct linger now = {1, 0};

    EXPECT(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0);
}

/* ---- what both sides wait for */

static inline void server_mark(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    s->locked.marks++;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

static inline void server_wait_marks(struct server *s, int count)
{
    pthread_mutex_lock(&s->lock);
    while (s->locked.marks < count) {
        pthread_cond_wait(&s->moved, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

#endif /* TESTS_HTTP_PEER_H */
