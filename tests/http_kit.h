/* SPDX-License-Identifier: Apache-2.0 */
/* A server on loopback for the tests of HTTP: every connection gets a thread
 * that runs the test's function, which reads and writes what it likes. And a
 * client's loop. Stop the server after the client's handle is gone. */

#ifndef TESTS_HTTP_KIT_H
#define TESTS_HTTP_KIT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "store/http.h"
#include "tests/harness.h"

enum { KIT_PEERS_MAX = 256, KIT_HANG_S = 60 };

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

/* ---- life */

static inline void *server_serve(void *self)
{
    struct peer *p = self;
    struct server *s = p->server;

    s->serve(p);
    close(p->fd);
    buf_fini(&p->head);
    buf_fini(&p->body);
    pthread_mutex_lock(&s->lock);
    s->locked.open--;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static inline void *server_accept(void *self)
{
    struct server *s = self;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        struct peer *p;

        pthread_mutex_lock(&s->lock);
        EXPECT(s->locked.count < KIT_PEERS_MAX);
        p = &s->locked.peers[s->locked.count];
        *p = (struct peer){.server = s, .fd = fd, .number = s->locked.count++};
        if (++s->locked.open > s->locked.open_max) {
            s->locked.open_max = s->locked.open;
        }
        pthread_mutex_unlock(&s->lock);
        EXPECT(pthread_create(&p->thread, NULL, server_serve, p) == 0);
    }
    return NULL;
}

/* Listen on a port of the system's choice. Returns the port. */
static inline uint16_t kit_bind(int fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);

    EXPECT(fd >= 0);
    EXPECT(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    EXPECT(getsockname(fd, (struct sockaddr *)&at, &size) == 0);
    return ntohs(at.sin_port);
}

static inline void server_start(struct server *s, peer_fn *serve)
{
    memset(s, 0, sizeof(*s));
    alarm(KIT_HANG_S);
    s->serve = serve;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(s->origin, sizeof(s->origin), "http://127.0.0.1:%u",
             kit_bind(s->fd));
    EXPECT(listen(s->fd, KIT_PEERS_MAX) == 0);
    EXPECT(pthread_mutex_init(&s->lock, NULL) == 0);
    EXPECT(pthread_cond_init(&s->moved, NULL) == 0);
    EXPECT(pthread_create(&s->thread, NULL, server_accept, s) == 0);
}

static inline void server_stop(struct server *s)
{
    EXPECT(shutdown(s->fd, SHUT_RDWR) == 0);
    EXPECT(pthread_join(s->thread, NULL) == 0);
    for (int i = 0; i < s->locked.count; i++) {
        EXPECT(pthread_join(s->locked.peers[i].thread, NULL) == 0);
    }
    close(s->fd);
    buf_fini(&s->locked.heads);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
}

/* ---- the client */

/* Wait once; returns what poll() gave. */
static inline size_t client_turn(const struct http *h, struct http_event *out,
                                 size_t max)
{
    struct pollfd wait = {.fd = h->ops->fd(h->self), .events = POLLIN};

    (void)poll(&wait, 1, h->ops->wait_ms(h->self));
    return h->ops->poll(h->self, out, max);
}

/* One request; the event's views are good until the next poll. */
static inline struct http_event client_ask(const struct http *h,
                                           const struct http_request *r)
{
    struct http_event event;

    h->ops->submit(h->self, r);
    while (client_turn(h, &event, 1) == 0) {
    }
    EXPECT_EQ(event.tag, r->tag);
    return event;
}

/* GET of @target. */
static inline struct http_request client_get(const char *origin,
                                             const char *target)
{
    return (struct http_request){.tag = 7,
                                 .method = "GET",
                                 .origin = origin,
                                 .target = target,
                                 .headers = BYTES("Host: h\r\n")};
}

#endif /* TESTS_HTTP_KIT_H */
