/* SPDX-License-Identifier: Apache-2.0 */
/* The network seam: whole messages between one coordinator and many peers.
 * net_zmq.c is the real one; the simulator has its own.
 *
 * A server is bound to an endpoint and hears from peers, each known by a
 * number that is never used again while the server lives. A client talks to
 * one server, which it calls peer 0; connecting never fails and is tried
 * again for ever, and what was sent before waits for it. Messages to one peer
 * stay in order; a message may be lost when a connection breaks. A client
 * that connects again is a new peer to the server.
 *
 * A handle belongs to one thread. Once there was a handle, a forked child may
 * only call exec or _exit. No signal handler is installed. */

#ifndef PROTO_NET_H
#define PROTO_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/net_addr.h"

enum { NET_FDS_MAX = 8 };

/* A peer that can not be answered: it chose its own routing id. What it says
 * comes out empty. */
#define NET_PEER_NONE UINT64_MAX

struct net;

/* Listen on @address and @port (0: one that is free). The address is an IPv4
 * or IPv6 address, an interface such as "eth0", a name that resolves to an
 * address of this machine, or "" for all addresses. The endpoint as clients
 * must be told it is written to @endpoint, e.g. "tcp://10.0.0.5:40123": with
 * @told as its host when not NULL, else with the address listened on, or with
 * net_addr_of_this() when that is all addresses.
 * OS: the port is taken, or @address is none of these or not this machine's;
 * @why says which. INVALID: @told is not a host. */
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

/* Close; what was sent gets up to @linger_ms to leave, in the background: only
 * exit() waits for it. A server's port is free soon after. NULL is left
 * alone. */
void net_close(struct net **n, int linger_ms);

/* Queue @message for @peer. FULL: too much is waiting for it; NOT_FOUND: a
 * server's peer has gone. */
MUST_USE enum status net_send(struct net *n, uint64_t peer,
                              struct bytes message);

/* Wait up to @timeout_ms (-1: for ever) until a message is here or one of the
 * @fds is readable. Returns a bit set: bit 0 for a message, bit i+1 for
 * fds[i]; a negative one is left out. A signal may end the wait early with 0.
 */
unsigned net_wait(struct net *n, int timeout_ms, const int *fds,
                  size_t fd_count);

/* Take one message without waiting: its bytes replace those in @out. One that
 * was not sent by net_send() comes out empty. NOT_FOUND: there is none now. */
MUST_USE enum status net_receive(struct net *n, uint64_t *peer,
                                 struct buf *out);

#endif /* PROTO_NET_H */
