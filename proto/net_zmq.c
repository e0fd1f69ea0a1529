/* SPDX-License-Identifier: Apache-2.0 */
/* The network over ZeroMQ: a ROUTER serves, DEALERs connect, a message is one
 * frame. Peers are known by the routing ids that the ROUTER makes up, five
 * bytes of a zero and a counter; a connection that comes back is a new peer.
 *
 * Peers are not trusted: a message of several frames comes out empty, which
 * no decoder takes for one of ours. A limit that is accepted: libzmq collects
 * the frames of one message before it hands them over and bounds each, not
 * their number, so that a peer inside the job's network can still fill our
 * memory. */

#include "proto/net.h"

#include <czmq.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/net_addr.h"

enum {
    NET_ZMQ_ID_SIZE = 5,
    NET_ZMQ_QUEUE_MAX = 1000, /* Messages to or from one peer. */
    NET_ZMQ_BACKLOG = 4096,   /* A whole job may connect at once. */
    NET_ZMQ_BEAT_MS = 5000,
    NET_ZMQ_DEAD_MS = 15000, /* Of silence on a connection. */
    NET_ZMQ_HANDSHAKE_MS = 10000,
    NET_ZMQ_CONNECT_MS = 5000,
    NET_ZMQ_RETRY_MIN_MS = 100,
    NET_ZMQ_RETRY_MAX_MS = 2000,
    NET_ZMQ_LINGER_MS = 0, /* Until net_close() says otherwise. */
};

struct net {
    zsock_t *sock;
    bool is_server;
};

/* czmq makes its context on first use, takes over SIGINT and SIGTERM, and
 * logs to stdout, unless told not to. */
static void net_zmq_start(void)
{
    zsys_handler_set(NULL);
    zsys_init();
    zsys_set_logstream(NULL);
}

static struct net *net_zmq_new(int type, size_t message_max)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct net *n = mem_new(1, sizeof(*n));

    CHECK(message_max > 0 && message_max <= INT_MAX);
    CHECK(pthread_once(&once, net_zmq_start) == 0);
    n->sock = zsock_new(type);
    CHECK(n->sock != NULL);
    n->is_server = type == ZMQ_ROUTER;
    zsock_set_maxmsgsize(n->sock, (int)message_max);
    zsock_set_sndhwm(n->sock, NET_ZMQ_QUEUE_MAX);
    zsock_set_rcvhwm(n->sock, NET_ZMQ_QUEUE_MAX);
    zsock_set_linger(n->sock, NET_ZMQ_LINGER_MS);
    zsock_set_ipv6(n->sock, 1);
    zsock_set_handshake_ivl(n->sock, NET_ZMQ_HANDSHAKE_MS);
    zsock_set_heartbeat_ivl(n->sock, NET_ZMQ_BEAT_MS);
    zsock_set_heartbeat_timeout(n->sock, NET_ZMQ_DEAD_MS);
    zsock_set_heartbeat_ttl(n->sock, NET_ZMQ_DEAD_MS);
    zsock_set_tcp_keepalive(n->sock, 1);
    zsock_set_tcp_keepalive_idle(n->sock, 30);
    zsock_set_tcp_keepalive_intvl(n->sock, 10);
    zsock_set_tcp_keepalive_cnt(n->sock, 3);
    return n;
}

/* ---- Listen and connect ------------------------------------------------- */

static enum status net_zmq_bind_fault(const struct net_listen *o, int error,
                                      struct fault *why)
{
    const char *address = o->address[0] != '\0' ? o->address : "any address";

    switch (error) {
    case EADDRINUSE:
        return fault_set(why, STATUS_OS,
                         "port %u on %s is taken by another program; choose "
                         "another --port, or 0 for one that is free",
                         o->port, address);
    case EADDRNOTAVAIL:
    case ENODEV:
        return fault_set(why, STATUS_OS,
                         "%s is not an address of this machine; see --bind",
                         address);
    case EACCES:
        return fault_set(why, STATUS_OS,
                         "port %u on %s may not be used by this user; choose "
                         "a --port above 1023",
                         o->port, address);
    default:
        return fault_set(why, STATUS_OS, "port %u on %s can not be opened: %s",
                         o->port, address, zmq_strerror(error));
    }
}

static bool net_zmq_is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ||
           strcmp(host, "::") == 0;
}

/* Bind @n to @host, numeric or "" for all. */
static enum status net_zmq_bind(struct net *n, const struct net_listen *o,
                                const char *host, struct fault *why)
{
    char where[NET_ENDPOINT_MAX];

    if (net_zmq_is_any(host)) {
        snprintf(where, sizeof(where), "tcp://*:%u", o->port);
    } else if (net_addr_join(host, o->port, why, where) != STATUS_OK) {
        return STATUS_INVALID;
    }
    if (zmq_bind(zsock_resolve(n->sock), where) != 0) {
        return net_zmq_bind_fault(o, errno, why);
    }
    return STATUS_OK;
}

/* Return the port that @n is bound to. */
static uint16_t net_zmq_port(struct net *n)
{
    char *bound = zsock_last_endpoint(n->sock);
    const char *colon = bound != NULL ? strrchr(bound, ':') : NULL;
    unsigned long port;

    CHECK(colon != NULL);
    port = strtoul(colon + 1, NULL, 10);
    CHECK(port > 0 && port <= UINT16_MAX);
    zstr_free(&bound);
    return (uint16_t)port;
}

/* Return what clients are to be told as the host of a server on @host. */
static const char *net_zmq_told(const char *host, const char *told,
                                char own[NET_ADDR_MAX])
{
    if (told != NULL) {
        return told;
    }
    if (!net_zmq_is_any(host)) {
        return host;
    }
    return net_addr_of_this(own) ? own : "127.0.0.1";
}

enum status net_listen(const struct net_listen *options, struct fault *why,
                       struct net **out, char endpoint[NET_ENDPOINT_MAX])
{
    char host[NET_ADDR_MAX] = "";
    char own[NET_ADDR_MAX];
    struct net *n;
    enum status s;

    if (options->address[0] != '\0') {
        s = net_addr_resolve(options->address, why, host);
        if (s != STATUS_OK) {
            return STATUS_OS;
        }
    }
    n = net_zmq_new(ZMQ_ROUTER, options->message_max);
    zsock_set_router_mandatory(n->sock, 1);
    zsock_set_backlog(n->sock, NET_ZMQ_BACKLOG);
    s = net_zmq_bind(n, options, host, why);
    if (s == STATUS_OK) {
        s = net_addr_join(net_zmq_told(host, options->told, own),
                          net_zmq_port(n), why, endpoint);
    }
    if (s != STATUS_OK) {
        net_close(&n, 0);
        return s;
    }
    *out = n;
    return STATUS_OK;
}

enum status net_connect(const char *endpoint, size_t message_max,
                        struct fault *why, struct net **out)
{
    char host[NET_HOST_MAX];
    uint16_t port;
    struct net *n;
    enum status s = net_addr_split(endpoint, why, host, &port);

    if (s != STATUS_OK) {
        return s;
    }
    n = net_zmq_new(ZMQ_DEALER, message_max);
    zsock_set_reconnect_ivl(n->sock, NET_ZMQ_RETRY_MIN_MS);
    zsock_set_reconnect_ivl_max(n->sock, NET_ZMQ_RETRY_MAX_MS);
    zsock_set_connect_timeout(n->sock, NET_ZMQ_CONNECT_MS);
    /* Not ZMQ_IMMEDIATE: what is said before the connection stands, HELLO
     * above all, waits for it instead of being refused. */
    if (zmq_connect(zsock_resolve(n->sock), endpoint) != 0) {
        int error = errno;

        net_close(&n, 0);
        return fault_set(why, STATUS_INVALID, "%s: %s", endpoint,
                         zmq_strerror(error));
    }
    *out = n;
    return STATUS_OK;
}

void net_close(struct net **n, int linger_ms)
{
    if (*n == NULL) {
        return;
    }
    zsock_set_linger((*n)->sock, linger_ms);
    zsock_destroy(&(*n)->sock);
    free(*n);
    *n = NULL;
}

/* ---- Messages ----------------------------------------------------------- */

/* Send one frame without waiting. Returns 0 or an errno. */
static int net_zmq_put(struct net *n, const void *at, size_t size, int flags)
{
    int rc;

    do {
        rc = zmq_send(zsock_resolve(n->sock), at, size, flags | ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? errno : 0;
}

/* Take one frame without waiting. false: there is none. */
static bool net_zmq_take(struct net *n, zmq_msg_t *frame)
{
    int rc;

    do {
        rc = zmq_msg_recv(frame, zsock_resolve(n->sock), ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

static uint64_t net_zmq_peer(zmq_msg_t *frame)
{
    const uint8_t *id = zmq_msg_data(frame);

    if (zmq_msg_size(frame) != NET_ZMQ_ID_SIZE || id[0] != 0) {
        return NET_PEER_NONE;
    }
    return (uint64_t)id[1] << 24 | (uint64_t)id[2] << 16 |
           (uint64_t)id[3] << 8 | id[4];
}

static enum status net_zmq_put_peer(struct net *n, uint64_t peer)
{
    uint8_t id[NET_ZMQ_ID_SIZE] = {0, (uint8_t)(peer >> 24),
                                   (uint8_t)(peer >> 16), (uint8_t)(peer >> 8),
                                   (uint8_t)peer};
    int error;

    if (peer > UINT32_MAX) {
        return STATUS_NOT_FOUND;
    }
    error = net_zmq_put(n, id, sizeof(id), ZMQ_SNDMORE);
    if (error == 0) {
        return STATUS_OK;
    }
    return error == EAGAIN ? STATUS_FULL : STATUS_NOT_FOUND;
}

enum status net_send(struct net *n, uint64_t peer, struct bytes message)
{
    int error;

    if (n->is_server) {
        enum status s = net_zmq_put_peer(n, peer);

        if (s != STATUS_OK) {
            return s;
        }
    } else {
        CHECK(peer == 0);
    }
    error = net_zmq_put(n, message.at, message.size, 0);
    if (error == 0) {
        return STATUS_OK;
    }
    return error == EAGAIN ? STATUS_FULL : STATUS_NOT_FOUND;
}

unsigned net_wait(struct net *n, int timeout_ms, const int *fds,
                  size_t fd_count)
{
    zmq_pollitem_t items[1 + NET_FDS_MAX] = {
        {.socket = zsock_resolve(n->sock), .events = ZMQ_POLLIN}};
    size_t bits[1 + NET_FDS_MAX] = {0};
    unsigned ready = 0;
    int count = 1;

    CHECK(fd_count <= NET_FDS_MAX);
    for (size_t i = 0; i < fd_count; i++) {
        if (fds[i] >= 0) {
            bits[count] = i + 1;
            items[count++] =
                (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
        }
    }
    if (zmq_poll(items, count, timeout_ms) <= 0) {
        return 0;
    }
    /* An end that was closed comes as ZMQ_POLLERR: readable, too. */
    for (int i = 0; i < count; i++) {
        ready |= items[i].revents != 0 ? 1U << bits[i] : 0;
    }
    return ready;
}

enum status net_receive(struct net *n, uint64_t *peer, struct buf *out)
{
    zmq_msg_t frame;
    enum status s = STATUS_NOT_FOUND;
    unsigned frames = 0;

    buf_clear(out);
    *peer = 0;
    zmq_msg_init(&frame);
    if (!net_zmq_take(n, &frame)) {
        goto out;
    }
    s = STATUS_OK;
    if (n->is_server) {
        *peer = net_zmq_peer(&frame);
        if (!zmq_msg_more(&frame) || !net_zmq_take(n, &frame)) {
            goto out;
        }
    }
    for (;;) {
        if (frames++ == 0) {
            buf_add(out, zmq_msg_data(&frame), zmq_msg_size(&frame));
        }
        if (!zmq_msg_more(&frame) || !net_zmq_take(n, &frame)) {
            break;
        }
    }
    if (frames > 1 || *peer == NET_PEER_NONE) {
        buf_clear(out);
    }
out:
    zmq_msg_close(&frame);
    return s;
}
