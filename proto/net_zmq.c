/* SPDX-License-Identifier: Apache-2.0 */
/* The network seam on ZeroMQ: a ROUTER on the server, a DEALER on the client.
 *
 * A peer's number is the routing id that the ROUTER makes for a connection:
 * five bytes, a zero and a counter. ROUTER_MANDATORY tells us when a peer has
 * gone, instead of dropping what is sent to it. ZeroMQ's own heartbeats end
 * connections that are half open. */

#include <czmq.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/net.h"
#include "proto/net_addr.h"

enum {
    NET_HWM = 4096,
    NET_ID_SIZE = 5,
    NET_PING_MS = 5000,
    NET_PING_TIMEOUT_MS = 20000,
    NET_RECONNECT_MS = 100,
    NET_RECONNECT_MAX_MS = 2000,
};

struct net {
    zsock_t *socket;
    bool is_server;
};

/* Options that both ends share, to be set before bind or connect. */
static zsock_t *net_socket(int type, size_t message_max)
{
    zsock_t *socket;

    zsys_handler_set(NULL); /* Signals are not ZeroMQ's business here. */
    socket = zsock_new(type);
    CHECK(socket != NULL);
    zsock_set_linger(socket, 0);
    zsock_set_sndhwm(socket, NET_HWM);
    zsock_set_rcvhwm(socket, NET_HWM);
    zsock_set_ipv6(socket, 1);
    zsock_set_maxmsgsize(socket, (int)message_max);
    zsock_set_heartbeat_ivl(socket, NET_PING_MS);
    zsock_set_heartbeat_timeout(socket, NET_PING_TIMEOUT_MS);
    zsock_set_tcp_keepalive(socket, 1);
    return socket;
}

static const char *net_open_bracket(const char *address)
{
    return strchr(address, ':') != NULL ? "[" : "";
}

static const char *net_close_bracket(const char *address)
{
    return strchr(address, ':') != NULL ? "]" : "";
}

/* Find what to bind to: digits, the address of an interface or of a name; all
 * addresses when @name is not one of this machine's. */
static enum status net_find_address(const char *name, struct fault *why,
                                    char out[NET_ADDR_MAX])
{
    if (name[0] == '\0') {
        snprintf(out, NET_ADDR_MAX, "*");
        return STATUS_OK;
    }
    if (net_addr_is_numeric(name)) {
        snprintf(out, NET_ADDR_MAX, "%s", name);
        return STATUS_OK;
    }
    if (net_addr_of_interface(name, out) || net_addr_of_name(name, out)) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_OS,
                     "%s is neither a network interface with an address nor "
                     "the name of a host; give an address with --bind",
                     name);
}

static enum status net_bind_fault(int error, const char *address, uint16_t port,
                                  struct fault *why)
{
    if (error == EADDRINUSE) {
        return fault_set(why, STATUS_OS,
                         "port %u on %s is taken by another program; choose "
                         "another --port, or 0 for one that is free",
                         port, address);
    }
    if (error == EADDRNOTAVAIL || error == ENODEV) {
        return fault_set(why, STATUS_OS,
                         "%s is not an address of this machine; see --bind",
                         address);
    }
    return fault_set(why, STATUS_OS, "listening on %s port %u: %s", address,
                     port, zmq_strerror(error));
}

static enum status net_bind(zsock_t *socket, const char *address, uint16_t port,
                            struct fault *why, int *bound)
{
    const char *open = net_open_bracket(address);
    const char *close = net_close_bracket(address);

    errno = 0;
    if (port == 0) {
        *bound = zsock_bind(socket, "tcp://%s%s%s:*", open, address, close);
    } else {
        *bound = zsock_bind(socket, "tcp://%s%s%s:%u", open, address, close,
                            (unsigned)port);
    }
    return *bound > 0 ? STATUS_OK
                      : net_bind_fault(zmq_errno(), address, port, why);
}

enum status net_listen(const struct net_listen *options, struct fault *why,
                       struct net **out, char endpoint[NET_ENDPOINT_MAX])
{
    char address[NET_ADDR_MAX];
    const char *told;
    struct net *n;
    int port = 0;
    enum status s = net_find_address(options->address, why, address);

    *out = NULL;
    if (s != STATUS_OK) {
        return s;
    }
    told = options->told != NULL ? options->told : address;
    n = mem_new(1, sizeof(*n));
    n->is_server = true;
    n->socket = net_socket(ZMQ_ROUTER, options->message_max);
    zsock_set_router_mandatory(n->socket, 1);
    s = net_bind(n->socket, address, options->port, why, &port);
    if (s != STATUS_OK) {
        net_close(&n, 0);
        return s;
    }
    snprintf(endpoint, NET_ENDPOINT_MAX, "tcp://%s%s%s:%d",
             net_open_bracket(told), told, net_close_bracket(told), port);
    *out = n;
    return STATUS_OK;
}

enum status net_connect(const char *endpoint, size_t message_max,
                        struct fault *why, struct net **out)
{
    struct net *n = mem_new(1, sizeof(*n));

    *out = NULL;
    n->socket = net_socket(ZMQ_DEALER, message_max);
    zsock_set_reconnect_ivl(n->socket, NET_RECONNECT_MS);
    zsock_set_reconnect_ivl_max(n->socket, NET_RECONNECT_MAX_MS);
    if (zsock_connect(n->socket, "%s", endpoint) != 0) {
        net_close(&n, 0);
        return fault_set(why, STATUS_INVALID, "%s is not an endpoint: %s",
                         endpoint, zmq_strerror(zmq_errno()));
    }
    *out = n;
    return STATUS_OK;
}

void net_close(struct net **n, int linger_ms)
{
    if (*n == NULL) {
        return;
    }
    if ((*n)->socket != NULL) {
        zsock_set_linger((*n)->socket, linger_ms);
        zsock_destroy(&(*n)->socket);
    }
    free(*n);
    *n = NULL;
}

static void net_write_id(uint64_t peer, uint8_t id[NET_ID_SIZE])
{
    for (int i = 0; i < NET_ID_SIZE; i++) {
        id[i] = (uint8_t)(peer >> (8 * (NET_ID_SIZE - 1 - i)));
    }
}

static uint64_t net_read_id(const uint8_t *id)
{
    uint64_t peer = 0;

    for (int i = 0; i < NET_ID_SIZE; i++) {
        peer = peer << 8 | id[i];
    }
    return peer;
}

static enum status net_send_status(void)
{
    return zmq_errno() == EHOSTUNREACH ? STATUS_NOT_FOUND : STATUS_FULL;
}

enum status net_send(struct net *n, uint64_t peer, struct bytes message)
{
    void *raw = zsock_resolve(n->socket);
    uint8_t id[NET_ID_SIZE];

    if (n->is_server) {
        net_write_id(peer, id);
        if (zmq_send(raw, id, sizeof(id), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) {
            return net_send_status();
        }
    }
    if (zmq_send(raw, message.at, message.size, ZMQ_DONTWAIT) < 0) {
        return net_send_status();
    }
    return STATUS_OK;
}

unsigned net_wait(struct net *n, int timeout_ms, const int *fds,
                  size_t fd_count)
{
    zmq_pollitem_t items[NET_FDS_MAX + 1] = {
        {.socket = zsock_resolve(n->socket), .events = ZMQ_POLLIN}};
    size_t places[NET_FDS_MAX + 1] = {0};
    int count = 1;
    unsigned ready = 0;

    CHECK(fd_count <= NET_FDS_MAX);
    for (size_t i = 0; i < fd_count; i++) {
        if (fds[i] >= 0) {
            places[count] = i + 1;
            items[count++] =
                (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
        }
    }
    if (zmq_poll(items, count, timeout_ms) <= 0) {
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (items[i].revents & ZMQ_POLLIN) {
            ready |= 1U << places[i];
        }
    }
    return ready;
}

/* Whether the frames that came are one message as ours are sent. */
static bool net_take_frames(const struct net *n, zmsg_t *frames, uint64_t *peer,
                            struct buf *out)
{
    zframe_t *frame = zmsg_first(frames);

    *peer = 0;
    if (zmsg_size(frames) != (n->is_server ? 2U : 1U)) {
        return false;
    }
    if (n->is_server) {
        if (zframe_size(frame) != NET_ID_SIZE) {
            return false;
        }
        *peer = net_read_id(zframe_data(frame));
        frame = zmsg_next(frames);
    }
    buf_clear(out);
    buf_add(out, zframe_data(frame), zframe_size(frame));
    return true;
}

enum status net_receive(struct net *n, uint64_t *peer, struct buf *out)
{
    bool is_ours = false;

    while (!is_ours) {
        zmsg_t *frames;

        if (!(zsock_events(n->socket) & ZMQ_POLLIN)) {
            return STATUS_NOT_FOUND;
        }
        frames = zmsg_recv(n->socket);
        if (frames == NULL) {
            return STATUS_NOT_FOUND;
        }
        is_ours = net_take_frames(n, frames, peer, out);
        zmsg_destroy(&frames);
    }
    return STATUS_OK;
}
