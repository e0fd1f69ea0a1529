/* SPDX-License-Identifier: Apache-2.0 */
/* The network seam: whole messages between one coordinator and many peers.
 * net_zmq.c is the real one; the simulator has its own.
 *
 * A server is bound to an endpoint and hears from peers, each known by a
 * number that is never used again while the server lives. A client talks to
 * one server, which it calls peer 0; connecting never fails and is tried
 * again for ever. Messages to one peer stay in order; a message may be lost
 * when a connection breaks. A handle belongs to one thread. */

#ifndef PROTO_NET_H
#define PROTO_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { NET_ENDPOINT_MAX = 320, NET_FDS_MAX = 4 };

struct net;

/* Listen on @address (an IPv4 or IPv6 address or a name; "" for all) and
 * @port (0: one that is free). The endpoint as clients must be told it is
 * written to @endpoint, e.g. "tcp://10.0.0.5:40123", with @told in place of
 * the address when not NULL.
 * OS: the port is taken, or the address is not this machine's; @why says so. */
struct net_listen {
    const char *address;
    uint16_t port;
    const char *told;
    size_t message_max; /* Larger ones drop their sender's connection. */
};
MUST_USE enum status net_listen(const struct net_listen *options,
                                struct fault *why, struct net **out,
                                char endpoint[NET_ENDPOINT_MAX]);

/* Talk to the server at @endpoint. INVALID: it is not an endpoint. */
MUST_USE enum status net_connect(const char *endpoint, size_t message_max,
                                 struct fault *why, struct net **out);

/* Close; what was sent gets up to @linger_ms to leave. NULL is left alone. */
void net_close(struct net **n, int linger_ms);

/* Queue @message for @peer. FULL: too much is waiting for it; NOT_FOUND: a
 * server's peer has gone. */
MUST_USE enum status net_send(struct net *n, uint64_t peer,
                              struct bytes message);

/* Wait up to @timeout_ms (-1: for ever) until a message is here or one of the
 * @fds is readable. Returns a bit set: bit 0 for a message, bit i+1 for
 * fds[i]. A signal may end the wait early with 0. */
unsigned net_wait(struct net *n, int timeout_ms, const int *fds,
                  size_t fd_count);

/* Take one message without waiting: its bytes replace those in @out.
 * NOT_FOUND: there is none now. */
MUST_USE enum status net_receive(struct net *n, uint64_t *peer,
                                 struct buf *out);

#endif /* PROTO_NET_H */
