/* SPDX-License-Identifier: Apache-2.0 */
/* The network over ZeroMQ: a ROUTER serves, DEALERs connect, a message is one
 * frame. Peers are known by the routing ids that the ROUTER makes up, five
 * bytes of a zero and a counter; a connection that comes back is a new peer.
 *
 * Peers are not trusted: a message of several frames comes out empty, which
 * no decoder takes for one of ours. A limit that is accepted: libzmq collects
 * the frames of one message before it hands them over and bounds each, not
 * their number, so that a peer with an admitted key can still fill our
 * memory. */

#include "proto/net.h"

#include <errno.h>
#include <poll.h>

#include "base/check.h"
#include "base/clock.h"
#include "proto/net_impl_zmq.h"

enum {
    NET_ZMQ_ID_SIZE = 5,
    NET_ZMQ_DROPS_MAX = 256, /* Messages that one call throws away. */
};

/* ---- Messages ----------------------------------------------------------- */

/* Send one frame without waiting. Returns 0 or an errno. */
static int net_zmq_put(struct net *n, const void *at, size_t size, int flags)
{
    int rc;

    n->is_dry = false;
    do {
        rc = zmq_send(n->raw, at, size, flags | ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? errno : 0;
}

/* Take one frame without waiting. false: there is none. */
static bool net_zmq_take(struct net *n, zmq_msg_t *frame)
{
    int rc;

    do {
        rc = zmq_msg_recv(frame, n->raw, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    n->is_dry = rc < 0 && errno == EAGAIN;
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

/* The shorter of two waits, of which -1 has no end. */
static int net_zmq_sooner(int a_ms, int b_ms)
{
    if (a_ms < 0 || b_ms < 0) {
        return a_ms < 0 ? b_ms : a_ms;
    }
    return a_ms < b_ms ? a_ms : b_ms;
}

static bool net_zmq_has_message(struct net *n)
{
    int events = 0;
    size_t size = sizeof(events);
    int rc;

    if (n->is_dry) {
        return false;
    }
    do {
        rc = zmq_getsockopt(n->raw, ZMQ_EVENTS, &events, &size);
    } while (rc != 0 && errno == EINTR);
    n->is_dry = rc == 0 && (events & ZMQ_POLLIN) == 0;
    return rc == 0 && !n->is_dry;
}

/* Look after a client's connection. Returns how long it may be left alone. */
static int net_zmq_tend(struct net *n)
{
    int wait_ms = net_revive_step(n);

    return n->is_monitor_dry ? wait_ms : 0;
}

/* Wait for a message or one of the @items; the first is the socket's, the last
 * its monitor's. Not with zmq_poll(), which asks each socket before and after:
 * as many system calls as all else that a message needs. Returns whether a
 * message is here, and whether to wait on: what came was none. */
static bool net_zmq_wait(struct net *n, struct pollfd *items, nfds_t count,
                         int timeout_ms, bool *is_none)
{
    bool has_message = net_zmq_has_message(n);
    int got = poll(items, count, has_message ? 0 : timeout_ms);

    *is_none = false;
    if (got <= 0) {
        for (nfds_t i = 0; i < count; i++) {
            items[i].revents = 0;
        }
        return has_message;
    }
    n->is_dry = n->is_dry && items[0].revents == 0;
    n->is_monitor_dry = n->is_monitor_dry && items[count - 1].revents == 0;
    has_message = has_message || net_zmq_has_message(n);
    *is_none = !has_message && got == 1 && items[0].revents != 0;
    return has_message;
}

/* What is left of a wait until @end_ms; -1 has no end. */
static int net_zmq_left(int timeout_ms, uint64_t end_ms)
{
    uint64_t now_ms;

    if (timeout_ms <= 0) {
        return timeout_ms;
    }
    now_ms = clock_now_ms(&clock_os);
    return now_ms < end_ms ? (int)(end_ms - now_ms) : 0;
}

unsigned net_wait(struct net *n, int timeout_ms, const int *fds,
                  size_t fd_count)
{
    struct pollfd items[2 + NET_FDS_MAX] = {{.fd = n->fd, .events = POLLIN}};
    int left_ms = timeout_ms;
    bool is_none;
    unsigned ready = 0;
    uint64_t end_ms;

    CHECK(fd_count <= NET_FDS_MAX);
    for (size_t i = 0; i < fd_count; i++) {
        items[1 + i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    items[1 + fd_count] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (n->monitor != NULL) {
        items[1 + fd_count].fd = n->monitor_fd;
        timeout_ms = net_zmq_sooner(timeout_ms, net_zmq_tend(n));
        left_ms = timeout_ms;
    }
    end_ms =
        timeout_ms > 0 ? clock_now_ms(&clock_os) + (unsigned)timeout_ms : 0;
    do {
        ready = net_zmq_wait(n, items, 2 + fd_count, left_ms, &is_none) ? 1 : 0;
        left_ms = is_none ? net_zmq_left(timeout_ms, end_ms) : 0;
    } while (left_ms != 0);
    /* An end that was closed comes as POLLHUP: readable, too. */
    for (size_t i = 0; i < fd_count; i++) {
        ready |= items[1 + i].revents != 0 ? 2U << i : 0;
    }
    return ready;
}

/* Take what follows @frame in its message. false: there was something. */
static bool net_zmq_was_last(struct net *n, zmq_msg_t *frame)
{
    bool was_last = true;

    while (zmq_msg_more(frame) && net_zmq_take(n, frame)) {
        was_last = false;
    }
    return was_last;
}

/* Take one message into @out, which is empty. REFUSED: nobody is to hear it.
 * NOT_FOUND: there is none. */
static enum status net_zmq_receive(struct net *n, uint64_t *peer,
                                   struct buf *out)
{
    enum status s = STATUS_NOT_FOUND;
    zmq_msg_t frame;

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
        s = net_guard_judge(n, *peer, &frame) == NET_HEAR ? s : STATUS_REFUSED;
    }
    if (s == STATUS_OK && *peer != NET_PEER_NONE) {
        buf_add(out, zmq_msg_data(&frame), zmq_msg_size(&frame));
    }
    if (!net_zmq_was_last(n, &frame) || *peer == NET_PEER_NONE) {
        buf_clear(out);
        n->counts.malformed++;
    }
out:
    zmq_msg_close(&frame);
    return s;
}

enum status net_receive(struct net *n, uint64_t *peer, struct buf *out)
{
    enum status s = STATUS_REFUSED;

    buf_clear(out);
    for (int i = 0; s == STATUS_REFUSED && i < NET_ZMQ_DROPS_MAX; i++) {
        s = net_zmq_receive(n, peer, out);
    }
    return s == STATUS_REFUSED ? STATUS_NOT_FOUND : s;
}

/* ---- Who is heard ------------------------------------------------------- */

void net_admit(struct net *n, const struct net_admitted *set, size_t count)
{
    CHECK(n->gate != NULL);
    net_gate_admit(n->gate, set, count);
}

uint32_t net_sender_tag(const struct net *n)
{
    return n->tag;
}

int net_strangers_fd(const struct net *n)
{
    return n->gate != NULL ? net_gate_strangers_fd(n->gate) : -1;
}

void net_strangers_clear(struct net *n)
{
    if (n->gate != NULL) {
        net_gate_strangers_clear(n->gate);
    }
}

void net_counts(struct net *n, struct net_counts *out)
{
    *out = n->counts;
    if (n->gate != NULL) {
        net_gate_counts(n->gate, out);
    }
}
