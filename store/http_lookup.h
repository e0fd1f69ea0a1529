/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a name, looked up on a thread of its own, because
 * getaddrinfo(3) waits as long as it likes. A loop starts one, is woken by
 * its eventfd, and takes the answer; or gives up: the thread then ends on its
 * own, whenever its call returns. */

#ifndef STORE_HTTP_LOOKUP_H
#define STORE_HTTP_LOOKUP_H

#include <stdbool.h>

#include "store/http_places.h"

struct http_lookup;

struct http_lookup_answer {
    struct http_place places[HTTP_PLACES_MAX];
    size_t count;  /* 0: none, */
    char why[128]; /* and this phrase says why. */
};

/* Start to look @host up. @wake_fd, an eventfd, is written to when the answer
 * is there; it must live until the destroy. NULL: the system has no thread. */
struct http_lookup *http_lookup_new(const char *host, const char *port,
                                    int wake_fd);

/* Whether the answer is there; if so it is copied to @out. */
bool http_lookup_take(struct http_lookup *l, struct http_lookup_answer *out);

/* Never waits. */
void http_lookup_destroy(struct http_lookup **l);

/* Read an address ("192.0.2.1", "::1"); nothing is looked up. */
bool http_lookup_literal(const char *host, const char *port,
                         struct http_place *out);

#endif /* STORE_HTTP_LOOKUP_H */
