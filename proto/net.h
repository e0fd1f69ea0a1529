/* SPDX-License-Identifier: Apache-2.0 */
/* The network seam: whole messages between one coordinator and many peers.
 * net_zmq.c is the real one; the simulator has its own.
 *
 * A server is bound to an endpoint and hears from peers, each known by a
 * number that is never used again while the server lives. A client talks to
 * one server, which it calls peer 0; connecting never fails and is tried
 * again for ever, whatever the other end answers, as long as the owner comes
 * to net_wait(). What was sent before waits for it. Messages to one peer stay
 * in order; a message may be lost when a connection breaks or is refused. A
 * client that connects again is a new peer to the server.
 *
 * With keys, both ends prove theirs and all is encrypted (CURVE). A server
 * hears only clients whose key it has admitted; one that it refuses tries
 * again, so that a key which is admitted later works by itself.
 *
 * A handle belongs to one thread, but for net_admit() and the strangers. Once
 * there was a handle, a forked child may only call exec or _exit. No signal
 * handler is installed. */

#ifndef PROTO_NET_H
#define PROTO_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/net_addr.h"
#include "proto/net_keys.h"

enum {
    NET_FDS_MAX = 8,
    NET_ADMITTED_MAX = 1 << 16,   /* Keys that a server admits. */
    NET_KEYED_MESSAGE_MIN = 1024, /* Least message_max with keys. */
};

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
    const struct net_keys *keys; /* The server's own; copied. NULL: anybody is
                                    heard, in the clear. */
    uint32_t rate_max; /* Messages a second from one peer; those above are
                          dropped. 0: any number. */
    int handshake_ms;  /* Who has not proved its key by then is dropped. 0:
                          10 s. */
};
MUST_USE enum status net_listen(const struct net_listen *options,
                                struct fault *why, struct net **out,
                                char endpoint[NET_ENDPOINT_MAX]);

/* Talk to the server at @endpoint. INVALID: it is not an endpoint, or
 * @server_key is not a key. */
struct net_connect {
    const char *endpoint;
    size_t message_max;
    const struct net_keys *keys; /* The client's own; copied. NULL: talk in the
                                    clear. */
    const char *server_key;      /* With @keys: the server's public key. */
};
MUST_USE enum status net_connect(const struct net_connect *options,
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
 * fds[i]; a negative one is left out. A signal, or a connection that comes or
 * goes, may end the wait early with 0. */
unsigned net_wait(struct net *n, int timeout_ms, const int *fds,
                  size_t fd_count);

/* Take one message without waiting: its bytes replace those in @out. One that
 * was not sent by net_send() comes out empty. NOT_FOUND: there is none now. */
MUST_USE enum status net_receive(struct net *n, uint64_t *peer,
                                 struct buf *out);

/* ---- Who is heard ------------------------------------------------------- */

/* One key that a server admits, and what the owner calls it. */
struct net_admitted {
    char key[NET_KEY_SIZE];
    uint32_t tag;
};

/* Admit exactly the @count keys of @set from now on (copied; of two equal keys
 * one counts). Connections of others that stand are no longer heard. CHECKs
 * that @n is a server with keys and @count at most NET_ADMITTED_MAX. May be
 * called by another thread while @n is not closed. */
void net_admit(struct net *n, const struct net_admitted *set, size_t count);

/* The tag of the key under which the last received message came; 0 without
 * keys. */
uint32_t net_sender_tag(const struct net *n);

/* A descriptor that is readable once a key came that is not admitted, until
 * net_strangers_clear(). For an owner who can look up more keys. -1 without
 * keys. Both may be used by another thread while @n is not closed. */
int net_strangers_fd(const struct net *n);
void net_strangers_clear(struct net *n);

/* What a server has met since it was made. */
#define NET_COUNTS_MAP(X)                                                      \
    X(accepted, "connections that came")                                       \
    X(admitted,                                                                \
      "connections that proved a key that is admitted, or was later")          \
    X(refused, "connections with a key that is not admitted")                  \
    X(unproved, "of those accepted, how many proved no key: no ZeroMQ, no "    \
                "security, another server's key, too slow, or still about to") \
    X(ended, "connections that ended, whoever ended them")                     \
    X(malformed, "messages that no net_send() makes")                          \
    X(flooded, "messages above a peer's rate, dropped")                        \
    X(expired, "messages under a key that is no longer admitted, dropped")
struct net_counts {
#define X(name, meaning) uint64_t name;
    NET_COUNTS_MAP(X)
#undef X
};

/* Write the counts of @n to @out. The first five stay 0 without keys. */
void net_counts(struct net *n, struct net_counts *out);

#endif /* PROTO_NET_H */
