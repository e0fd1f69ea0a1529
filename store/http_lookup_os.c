/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

/* Shared by the loop and the thread; whoever leaves last frees it. */
struct http_lookup {
    char *host;
    char *port;
    int wake_fd;
    pthread_mutex_t lock;
    struct {
        bool is_done;
        bool is_abandoned;
        struct http_lookup_answer answer;
    } locked;
};

static void lookup_free(struct http_lookup *l)
{
    pthread_mutex_destroy(&l->lock);
    free(l->host);
    free(l->port);
    free(l);
}

static void lookup_copy(const struct addrinfo *list,
                        struct http_lookup_answer *out)
{
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        struct http_place *place = &out->places[out->count];

        if (out->count == HTTP_PLACES_MAX) {
            return;
        }
        if (a->ai_addrlen <= HTTP_PLACE_BYTES) {
            place->family = a->ai_family;
            place->size = a->ai_addrlen;
            memcpy(place->at, a->ai_addr, a->ai_addrlen);
            out->count++;
        }
    }
}

static void lookup_ask(const char *host, const char *port, int flags,
                       struct http_lookup_answer *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, port, &hints, &list);

    out->count = 0;
    if (error == 0) {
        lookup_copy(list, out);
        freeaddrinfo(list);
    }
    snprintf(out->why, sizeof(out->why), "%s",
             error == 0 ? "the name has no address" : gai_strerror(error));
}

static void lookup_finish(struct http_lookup *l,
                          const struct http_lookup_answer *answer)
{
    uint64_t one = 1;
    bool is_abandoned;

    pthread_mutex_lock(&l->lock);
    is_abandoned = l->locked.is_abandoned;
    l->locked.is_done = true;
    l->locked.answer = *answer;
    if (!is_abandoned) {
        ssize_t n = write(l->wake_fd, &one, sizeof(one));

        (void)n; /* A full counter has woken it already. */
    }
    pthread_mutex_unlock(&l->lock);
    if (is_abandoned) {
        lookup_free(l);
    }
}

static void *lookup_run(void *self)
{
    struct http_lookup *l = self;
    struct http_lookup_answer answer = {.count = 0};

    lookup_ask(l->host, l->port, 0, &answer);
    lookup_finish(l, &answer);
    return NULL;
}

/* The thread takes no signal: those are for the loops that wait for them. */
static bool lookup_start(struct http_lookup *l)
{
    pthread_t thread;
    sigset_t all;
    sigset_t old;
    bool is_started;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    is_started = pthread_create(&thread, NULL, lookup_run, l) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (is_started) {
        pthread_detach(thread);
    }
    return is_started;
}

struct http_lookup *http_lookup_new(const char *host, const char *port,
                                    int wake_fd)
{
    struct http_lookup *l = mem_new(1, sizeof(*l));

    l->host = mem_copy(host);
    l->port = mem_copy(port);
    l->wake_fd = wake_fd;
    CHECK(pthread_mutex_init(&l->lock, NULL) == 0);
    if (!lookup_start(l)) {
        lookup_free(l);
        return NULL;
    }
    return l;
}

bool http_lookup_take(struct http_lookup *l, struct http_lookup_answer *out)
{
    bool is_done;

    pthread_mutex_lock(&l->lock);
    is_done = l->locked.is_done;
    if (is_done) {
        *out = l->locked.answer;
    }
    pthread_mutex_unlock(&l->lock);
    return is_done;
}

void http_lookup_destroy(struct http_lookup **l)
{
    struct http_lookup *old = *l;
    bool is_done;

    *l = NULL;
    if (old == NULL) {
        return;
    }
    pthread_mutex_lock(&old->lock);
    is_done = old->locked.is_done;
    old->locked.is_abandoned = true;
    pthread_mutex_unlock(&old->lock);
    if (is_done) {
        lookup_free(old);
    }
}

bool http_lookup_literal(const char *host, const char *port,
                         struct http_place *out)
{
    struct http_lookup_answer answer = {.count = 0};

    lookup_ask(host, port, AI_NUMERICHOST, &answer);
    if (answer.count > 0) {
        *out = answer.places[0];
    }
    return answer.count > 0;
}
