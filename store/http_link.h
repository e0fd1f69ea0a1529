/* SPDX-License-Identifier: Apache-2.0 */
/* The pipe under a connection of http_get: a socket that never waits, with or
 * without TLS. Each call is one step; the loop decides when to come back.
 * Private to http_get. One thread. */

#ifndef STORE_HTTP_LINK_H
#define STORE_HTTP_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include "store/http.h"
#include "store/http_places.h"

enum http_link_state {
    HTTP_LINK_OK,
    HTTP_LINK_READ,   /* Come back when the socket is readable, */
    HTTP_LINK_WRITE,  /* or writable. */
    HTTP_LINK_END,    /* The peer has said that it is done. */
    HTTP_LINK_BROKEN, /* Reset, or closed without a word under TLS. */
    HTTP_LINK_OS,     /* Connecting: out of files, ports, memory. */
};

struct http_tls;

/* Zeroed but for the fd of -1: closed. */
struct http_link {
    int fd;
    struct http_tls_link *tls; /* NULL: plain. */
    char why[HTTP_WHY_MAX];    /* With END, BROKEN and OS. */
};

/* Begin to connect. WRITE: it is under way; OK, BROKEN, OS. */
enum http_link_state http_link_connect(struct http_link *l,
                                       const struct http_place *to);

/* The socket is writable: OK or BROKEN, OS. */
enum http_link_state http_link_connected(struct http_link *l);

/* Begin TLS with @host. false: out of memory. */
bool http_link_secure(struct http_link *l, struct http_tls *t,
                      const char *host);

/* Go on with the handshake: OK, READ, WRITE, END, BROKEN. */
enum http_link_state http_link_shake(struct http_link *l);

/* With OK, @got or @put is above 0. */
enum http_link_state http_link_read(struct http_link *l, void *to, size_t size,
                                    size_t *got);
enum http_link_state http_link_write(struct http_link *l, const void *from,
                                     size_t size, size_t *put);

/* Whether the peer has sent nothing, not even its end. */
bool http_link_is_quiet(const struct http_link *l);

/* "192.0.2.1:443", "[::1]:80". */
void http_link_address(const struct http_place *place, char *out, size_t size);

/* NULL-safe in spirit: a closed one stays closed. */
void http_link_close(struct http_link *l, bool is_polite);

#endif /* STORE_HTTP_LINK_H */
