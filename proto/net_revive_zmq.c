/* SPDX-License-Identifier: Apache-2.0 */
/* ZeroMQ connects again after a connection broke, but gives an endpoint up for
 * ever after an answer that it does not like: that its key is not admitted,
 * that of another program that got the port, a message that is too large. It
 * says CONNECT_RETRIED when it goes on; where that does not follow, the
 * endpoint is connected anew, after a while that differs from client to
 * client: a handshake costs the server far more than a message. */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "proto/net_impl_zmq.h"

enum {
    NET_REVIVE_MIN_MS = 500, /* So long for a retry to be told of. */
    NET_REVIVE_SPREAD_MS = 500,
    NET_REVIVE_SOON = 3, /* So often, much earlier: a job that has just begun
                            is about to admit us. */
    NET_REVIVE_SOON_PART = 4,
    NET_REVIVE_TURN_MAX = 64,
};

void net_revive_start(struct net *n)
{
    /* Not by the handle's address: of one that was closed, which may have had
     * the same, the name is free only once ZeroMQ has ended it behind us. */
    static atomic_uint_fast64_t count;
    char where[64];
    int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED |
                 ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED;
    uint32_t spread;
    int zero = 0;

    hash_random(&spread, sizeof(spread));
    n->revive_ms = NET_REVIVE_MIN_MS + spread % NET_REVIVE_SPREAD_MS;
    snprintf(where, sizeof(where), "inproc://revive-%llu",
             (unsigned long long)atomic_fetch_add(&count, 1));
    CHECK(zmq_socket_monitor(n->raw, where, events) == 0);
    /* One of czmq's, which closes it when the process exits with it open. */
    n->monitor_sock = zsock_new(ZMQ_PAIR);
    CHECK(n->monitor_sock != NULL);
    n->monitor = zsock_resolve(n->monitor_sock);
    CHECK(zmq_setsockopt(n->monitor, ZMQ_RCVHWM, &zero, sizeof(zero)) == 0);
    CHECK(zmq_setsockopt(n->monitor, ZMQ_LINGER, &zero, sizeof(zero)) == 0);
    CHECK(zmq_connect(n->monitor, where) == 0);
    n->monitor_fd = net_open_fd(n->monitor);
}

void net_revive_fini(struct net *n)
{
    if (n->monitor != NULL) {
        CHECK(zmq_socket_monitor(n->raw, NULL, 0) == 0);
        zsock_destroy(&n->monitor_sock);
        n->monitor = NULL;
    }
}

/* Take one event: its number's frame, and the address, which says nothing. */
static bool net_revive_take(struct net *n, uint16_t *event)
{
    char frame[NET_ENDPOINT_MAX];

    if (zmq_recv(n->monitor, frame, sizeof(frame), ZMQ_DONTWAIT) < 0) {
        n->is_monitor_dry = errno == EAGAIN;
        return false;
    }
    memcpy(event, frame, sizeof(*event));
    (void)zmq_recv(n->monitor, frame, sizeof(frame), ZMQ_DONTWAIT);
    return true;
}

int net_revive_step(struct net *n)
{
    uint64_t wait_ms;
    uint64_t now_ms;
    uint16_t event;

    for (int i = 0; i < NET_REVIVE_TURN_MAX && !n->is_monitor_dry; i++) {
        if (!net_revive_take(n, &event)) {
            break;
        }
        n->down_ms =
            event == ZMQ_EVENT_DISCONNECTED ? clock_now_ms(&clock_os) : 0;
    }
    if (n->down_ms == 0) {
        return -1;
    }
    now_ms = clock_now_ms(&clock_os);
    wait_ms = n->revived < NET_REVIVE_SOON ? n->revive_ms / NET_REVIVE_SOON_PART
                                           : n->revive_ms;
    if (now_ms - n->down_ms < wait_ms) {
        return (int)(wait_ms - (now_ms - n->down_ms));
    }
    n->revived++;
    n->down_ms = 0;
    n->is_dry = false;
    /* NOT_FOUND when ZeroMQ has dropped the endpoint wholly. */
    (void)zmq_disconnect(n->raw, n->endpoint);
    CHECK(zmq_connect(n->raw, n->endpoint) == 0);
    return -1;
}
