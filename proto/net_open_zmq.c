/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/limit.h"
#include "base/mem.h"
#include "proto/net_addr.h"
#include "proto/net_impl_zmq.h"

enum {
    NET_OPEN_QUEUE_MAX = 1000, /* Messages to or from one peer. */
    NET_OPEN_TAKEN_MAX = 64,   /* The same, from one client: of any size. */
    NET_OPEN_BACKLOG = 4096,   /* A whole job may connect at once. */
    NET_OPEN_BEAT_MS = 5000,
    NET_OPEN_DEAD_MS = 15000, /* Of silence on a connection. */
    NET_OPEN_HANDSHAKE_MS = 10000,
    NET_OPEN_CONNECT_MS = 5000,
    NET_OPEN_RETRY_MIN_MS = 100,
    NET_OPEN_KEYED_MIN_MS = 250, /* A handshake costs the server far more. */
    NET_OPEN_RETRY_MAX_MS = 2000,
    NET_OPEN_LINGER_MS = 0, /* Until net_close() says otherwise. */
};

/* czmq makes its context on first use, takes over SIGINT and SIGTERM, and
 * logs to stdout, unless told not to. */
static void net_open_start(void)
{
    zsys_handler_set(NULL);
    zsys_init();
    zsys_set_logstream(NULL);
}

int net_open_fd(void *socket)
{
    int fd;
    size_t size = sizeof(fd);

    CHECK(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0);
    return fd;
}

static struct net *net_open_new(int type, size_t message_max)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct net *n = mem_new(1, sizeof(*n));

    CHECK(message_max > 0 && message_max <= INT_MAX - NET_CURVE_COST);
    CHECK(pthread_once(&once, net_open_start) == 0);
    n->sock = zsock_new(type);
    CHECK(n->sock != NULL);
    n->raw = zsock_resolve(n->sock);
    n->fd = net_open_fd(n->raw);
    n->is_server = type == ZMQ_ROUTER;
    n->message_max = message_max;
    zsock_set_maxmsgsize(n->sock, (int)message_max);
    zsock_set_sndhwm(n->sock, NET_OPEN_QUEUE_MAX);
    zsock_set_rcvhwm(n->sock, NET_OPEN_QUEUE_MAX);
    zsock_set_linger(n->sock, NET_OPEN_LINGER_MS);
    zsock_set_ipv6(n->sock, 1);
    zsock_set_handshake_ivl(n->sock, NET_OPEN_HANDSHAKE_MS);
    zsock_set_heartbeat_ivl(n->sock, NET_OPEN_BEAT_MS);
    zsock_set_heartbeat_timeout(n->sock, NET_OPEN_DEAD_MS);
    zsock_set_heartbeat_ttl(n->sock, NET_OPEN_DEAD_MS);
    zsock_set_tcp_keepalive(n->sock, 1);
    zsock_set_tcp_keepalive_idle(n->sock, 30);
    zsock_set_tcp_keepalive_intvl(n->sock, 10);
    zsock_set_tcp_keepalive_cnt(n->sock, 3);
    return n;
}

/* ---- Keys --------------------------------------------------------------- */

static void net_open_set_key(struct net *n, int option, const char *key)
{
    CHECK(net_keys_is_key(bytes_of(key)));
    CHECK(zmq_setsockopt(n->raw, option, key, NET_KEY_SIZE) == 0);
}

static void net_open_set_keys(struct net *n, const struct net_keys *keys)
{
    int is_server = n->is_server;

    CHECK(n->message_max >= NET_KEYED_MESSAGE_MIN);
    CHECK(zmq_setsockopt(n->raw, ZMQ_CURVE_SERVER, &is_server,
                         sizeof(is_server)) == 0);
    net_open_set_key(n, ZMQ_CURVE_PUBLICKEY, keys->public_key);
    net_open_set_key(n, ZMQ_CURVE_SECRETKEY, keys->secret);
    zsock_set_maxmsgsize(n->sock, (int)n->message_max + NET_CURVE_COST);
}

/* Bound what a client may cost, and with keys let nobody in. */
static void net_open_guard(struct net *n, const struct net_listen *o)
{
    n->rate_max = o->rate_max;
    zsock_set_rcvhwm(n->sock, NET_OPEN_TAKEN_MAX);
    if (o->handshake_ms > 0) {
        zsock_set_handshake_ivl(n->sock, o->handshake_ms);
    }
    if (o->keys != NULL) {
        limit_raise_files();
        net_open_set_keys(n, o->keys);
        n->gate = net_gate_open(zsys_init(), n->raw);
    }
    if (o->keys != NULL || o->rate_max > 0) {
        n->slots = mem_new(NET_GUARD_SLOTS, sizeof(*n->slots));
        for (size_t i = 0; i < NET_GUARD_SLOTS; i++) {
            n->slots[i].peer = NET_PEER_NONE;
        }
    }
}

/* ---- Listen and connect ------------------------------------------------- */

static enum status net_open_bind_fault(const struct net_listen *o, int error,
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

static bool net_open_is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 ||
           strcmp(host, "::") == 0;
}

/* Bind @n to @host, numeric or "" for all. */
static enum status net_open_bind(struct net *n, const struct net_listen *o,
                                 const char *host, struct fault *why)
{
    char where[NET_ENDPOINT_MAX];

    if (net_open_is_any(host)) {
        snprintf(where, sizeof(where), "tcp://*:%u", o->port);
    } else if (net_addr_join(host, o->port, why, where) != STATUS_OK) {
        return STATUS_INVALID;
    }
    if (zmq_bind(n->raw, where) != 0) {
        return net_open_bind_fault(o, errno, why);
    }
    return STATUS_OK;
}

/* Return the port that @n is bound to. */
static uint16_t net_open_port(struct net *n)
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
static const char *net_open_told(const char *host, const char *told,
                                 char own[NET_ADDR_MAX])
{
    if (told != NULL) {
        return told;
    }
    if (!net_open_is_any(host)) {
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
    n = net_open_new(ZMQ_ROUTER, options->message_max);
    zsock_set_router_mandatory(n->sock, 1);
    zsock_set_backlog(n->sock, NET_OPEN_BACKLOG);
    net_open_guard(n, options);
    s = net_open_bind(n, options, host, why);
    if (s == STATUS_OK) {
        s = net_addr_join(net_open_told(host, options->told, own),
                          net_open_port(n), why, endpoint);
    }
    if (s != STATUS_OK) {
        net_close(&n, 0);
        return s;
    }
    *out = n;
    return STATUS_OK;
}

static enum status net_open_check(const struct net_connect *o,
                                  struct fault *why)
{
    char host[NET_HOST_MAX];
    uint16_t port;
    enum status s = net_addr_split(o->endpoint, why, host, &port);

    if (s == STATUS_OK && o->keys != NULL &&
        (o->server_key == NULL || !net_keys_is_key(bytes_of(o->server_key)))) {
        s = fault_set(why, STATUS_INVALID,
                      "the coordinator at %s has published no key; hosts of "
                      "one job must run one version of smshard",
                      o->endpoint);
    }
    return s;
}

enum status net_connect(const struct net_connect *options, struct fault *why,
                        struct net **out)
{
    struct net *n;
    enum status s = net_open_check(options, why);

    if (s != STATUS_OK) {
        return s;
    }
    n = net_open_new(ZMQ_DEALER, options->message_max);
    snprintf(n->endpoint, sizeof(n->endpoint), "%s", options->endpoint);
    zsock_set_reconnect_ivl(n->sock, NET_OPEN_RETRY_MIN_MS);
    zsock_set_reconnect_ivl_max(n->sock, NET_OPEN_RETRY_MAX_MS);
    zsock_set_connect_timeout(n->sock, NET_OPEN_CONNECT_MS);
    if (options->keys != NULL) {
        net_open_set_keys(n, options->keys);
        net_open_set_key(n, ZMQ_CURVE_SERVERKEY, options->server_key);
        zsock_set_reconnect_ivl(n->sock, NET_OPEN_KEYED_MIN_MS);
    }
    net_revive_start(n);
    /* Not ZMQ_IMMEDIATE: what is said before the connection stands, HELLO
     * above all, waits for it instead of being refused. */
    if (zmq_connect(n->raw, n->endpoint) != 0) {
        int error = errno;

        net_close(&n, 0);
        return fault_set(why, STATUS_INVALID, "%s: %s", options->endpoint,
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
    net_gate_close(&(*n)->gate);
    net_revive_fini(*n);
    zsock_set_linger((*n)->sock, linger_ms);
    zsock_destroy(&(*n)->sock);
    free((*n)->slots);
    free(*n);
    *n = NULL;
}
