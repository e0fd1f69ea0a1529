/* SPDX-License-Identifier: Apache-2.0 */
/* A server on loopback that answers by a list and writes down what it was
 * asked. One answer a connection. */

#ifndef TESTS_HTTP_STUB_H
#define TESTS_HTTP_STUB_H

#include "tests/http_kit.h"

enum { STUB_REPLIES_MAX = 16, STUB_SILENCE = 0, STUB_HANG_UP = -1 };

struct stub_reply {
    const char *match; /* The request line starts so: "PUT /latest". */
    int code;          /* STUB_SILENCE: no answer; STUB_HANG_UP: FIN. */
    const char *body;
    int times; /* 0: always. The first that has times left answers. */
};

struct stub {
    struct server server; /* First: a peer finds the stub by it. */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct {
        struct stub_reply replies[STUB_REPLIES_MAX];
        int used[STUB_REPLIES_MAX];
        int count;
        int requests;
        struct buf seen; /* All heads and bodies, one after another. */
        bool is_shut;    /* Answers wait until stub_open(). */
    } locked;
};

static inline struct stub_reply stub_choose_locked(struct stub *s,
                                                   const struct peer *p)
{
    struct bytes head = buf_bytes(&p->head);

    for (int i = 0; i < s->locked.count; i++) {
        const struct stub_reply *r = &s->locked.replies[i];

        if (bytes_has_prefix(head, bytes_of(r->match)) &&
            (r->times == 0 || s->locked.used[i] < r->times)) {
            s->locked.used[i]++;
            return *r;
        }
    }
    return (struct stub_reply){.code = 404, .body = ""};
}

static inline void stub_serve(struct peer *p)
{
    struct stub *s = (struct stub *)p->server;
    struct stub_reply reply;
    struct buf out = {0};
    char c;

    if (!peer_request(p)) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    buf_add_bytes(&s->locked.seen, buf_bytes(&p->head));
    buf_add_bytes(&s->locked.seen, buf_bytes(&p->body));
    buf_add_text(&s->locked.seen, "\n----\n");
    s->locked.requests++;
    pthread_cond_broadcast(&s->moved);
    while (s->locked.is_shut) {
        pthread_cond_wait(&s->moved, &s->lock);
    }
    reply = stub_choose_locked(s, p);
    pthread_mutex_unlock(&s->lock);
    if (reply.code > 0) {
        buf_print(&out,
                  "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
                  "Connection: close\r\n\r\n%s",
                  reply.code, strlen(reply.body), reply.body);
        peer_say_bytes(p, out.at, out.size);
    }
    while (reply.code == STUB_SILENCE && recv(p->fd, &c, 1, 0) > 0) {
    }
    buf_fini(&out);
}

static inline void stub_start(struct stub *s)
{
    memset(&s->locked, 0, sizeof(s->locked));
    EXPECT(pthread_mutex_init(&s->lock, NULL) == 0);
    EXPECT(pthread_cond_init(&s->moved, NULL) == 0);
    server_start(&s->server, stub_serve);
}

static inline void stub_stop(struct stub *s)
{
    server_stop(&s->server);
    buf_fini(&s->locked.seen);
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
}

static inline void stub_add(struct stub *s, const char *match, int code,
                            const char *body, int times)
{
    pthread_mutex_lock(&s->lock);
    EXPECT(s->locked.count < STUB_REPLIES_MAX);
    s->locked.replies[s->locked.count++] =
        (struct stub_reply){match, code, body, times};
    pthread_mutex_unlock(&s->lock);
}

/* Forget answers and requests. */
static inline void stub_clear(struct stub *s)
{
    pthread_mutex_lock(&s->lock);
    memset(s->locked.used, 0, sizeof(s->locked.used));
    s->locked.count = 0;
    s->locked.requests = 0;
    buf_clear(&s->locked.seen);
    pthread_mutex_unlock(&s->lock);
}

static inline void stub_set_shut(struct stub *s, bool is_shut)
{
    pthread_mutex_lock(&s->lock);
    s->locked.is_shut = is_shut;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
}

static inline int stub_requests(struct stub *s)
{
    int count;

    pthread_mutex_lock(&s->lock);
    count = s->locked.requests;
    pthread_mutex_unlock(&s->lock);
    return count;
}

static inline void stub_wait_requests(struct stub *s, int count)
{
    pthread_mutex_lock(&s->lock);
    while (s->locked.requests < count) {
        pthread_cond_wait(&s->moved, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Whether some request held @text. */
static inline bool stub_saw(struct stub *s, const char *text)
{
    bool saw;

    pthread_mutex_lock(&s->lock);
    saw = strstr(buf_text(&s->locked.seen), text) != NULL;
    pthread_mutex_unlock(&s->lock);
    return saw;
}

#endif /* TESTS_HTTP_STUB_H */
