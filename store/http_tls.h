/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over a socket that never waits: the client's end, TLS 1.2 and later,
 * the peer's chain and its name always checked. A connection is one thread's.
 */

#ifndef STORE_HTTP_TLS_H
#define STORE_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/http_link.h"

struct http_tls;      /* What all connections share, of all threads. */
struct http_tls_link; /* One connection. */

/* Trust the PEM file @ca_bundle; NULL: what the system trusts. What was read
 * for one user serves all, on any thread, until the last one releases it.
 * NOT_FOUND, INVALID: the file. OS. */
MUST_USE enum status http_tls_acquire(const char *ca_bundle, struct fault *why,
                                      struct http_tls **out);
void http_tls_release(struct http_tls **t); /* NULL is left alone. */

/* A connection on @fd, which stays the caller's, to @host: a name or an
 * address. NULL: out of memory. @t must outlive it. */
struct http_tls_link *http_tls_open(struct http_tls *t, int fd,
                                    const char *host);

/* One step each, like their namesakes in http_link.h; @why has HTTP_WHY_MAX
 * bytes and is written with END and BROKEN. */
enum http_link_state http_tls_shake(struct http_tls_link *l, char *why);
enum http_link_state http_tls_read(struct http_tls_link *l, void *to,
                                   size_t size, size_t *got, char *why);
enum http_link_state http_tls_write(struct http_tls_link *l, const void *from,
                                    size_t size, size_t *put, char *why);

/* Whether the failed handshake broke at the transport: the certificate and
 * the agreement are not to blame. */
bool http_tls_is_cut(const struct http_tls_link *l);

/* Whether bytes of the peer were read off the socket but not handed out. */
bool http_tls_has_more(const struct http_tls_link *l);

/* Free it; with @is_polite the peer is told first, if that needs no wait. */
void http_tls_close(struct http_tls_link **l, bool is_polite);

#endif /* STORE_HTTP_TLS_H */
