/* SPDX-License-Identifier: Apache-2.0 */
/* A server on loopback whose every word a test decides (http_peer.h), and the
 * client's side. Stop the server when the client's handle is gone. */

#ifndef TESTS_HTTP_KIT_H
#define TESTS_HTTP_KIT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "base/mem.h"
#include "tests/http_peer.h"

enum { KIT_HANG_S = 240 };

/* ---- the server */

/* Without a proxy, whatever the tests run under. */
static inline void kit_clear_environment(void)
{
    static const char *const names[] = {
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
        "ALL_PROXY",  "no_proxy",    "NO_PROXY",    "HTTP_PROXY"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
}

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
    kit_clear_environment();
    s->serve = serve;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->port = kit_bind(s->fd);
    snprintf(s->origin, sizeof(s->origin), "http://127.0.0.1:%u", s->port);
    EXPECT(listen(s->fd, KIT_PEERS_MAX) == 0);
    EXPECT(pthread_mutex_init(&s->lock, NULL) == 0);
    EXPECT(pthread_cond_init(&s->moved, NULL) == 0);
    EXPECT(pthread_create(&s->thread, NULL, server_accept, s) == 0);
}

/* Wait for all peers. What they wrote down can be read after. */
static inline void server_join(struct server *s)
{
    if (s->fd < 0) {
        return;
    }
    EXPECT(shutdown(s->fd, SHUT_RDWR) == 0);
    EXPECT(pthread_join(s->thread, NULL) == 0);
    for (int i = 0; i < s->locked.count; i++) {
        EXPECT(pthread_join(s->locked.peers[i].thread, NULL) == 0);
    }
    close(s->fd);
    s->fd = -1;
}

static inline void server_stop(struct server *s)
{
    server_join(s);
    buf_fini(&s->locked.heads);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
}

/* ---- the client */

static inline void expect_bytes(struct bytes got, const char *want)
{
    char *text = mem_copy_text(got.size > 0 ? got.at : "", got.size);

    EXPECT_STR(text, want);
    free(text);
}

static inline void expect_result(const struct http_event *e,
                                 enum http_result want)
{
    if (e->result != want) {
        fprintf(stderr, "%s: %s\n", http_result_name(e->result), e->why);
    }
    EXPECT_STR(http_result_name(e->result), http_result_name(want));
    EXPECT_EQ(e->why[0] != '\0', want != HTTP_DONE);
}

static inline struct http client_new(struct http_options options)
{
    struct http h;
    struct fault why;

    EXPECT_EQ(http_curl_new(&options, &why, &h), STATUS_OK);
    return h;
}

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
