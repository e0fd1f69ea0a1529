/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of a host's rings. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/ring_state.h"

/* ---- Answers. --------------------------------------------------------------
 */

static void ring_reply_init(struct ring_reply *reply, enum ring_answer answer)
{
    memset(reply, 0, sizeof(*reply)); /* Holes too: it leaves the process. */
    reply->magic = RING_MAGIC;
    reply->abi = RING_ABI;
    reply->answer = answer;
}

static bool ring_send(int fd, const struct ring_reply *reply, const int *fds,
                      size_t fd_count)
{
    struct iovec part = {(void *)(uintptr_t)reply, sizeof(*reply)};
    union {
        char bytes[CMSG_SPACE(RING_FDS * sizeof(int))];
        struct cmsghdr head;
    } extra = {{0}};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count > 0) {
        m.msg_control = extra.bytes;
        m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        extra.head.cmsg_level = SOL_SOCKET;
        extra.head.cmsg_type = SCM_RIGHTS;
        extra.head.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&extra.head), fds, fd_count * sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)sizeof(*reply);
}

__attribute__((format(printf, 3, 4))) static void ring_refuse(
    struct ring_conn *c, enum ring_answer answer, const char *format, ...)
{
    struct ring_reply reply;
    va_list args;

    ring_reply_init(&reply, answer);
    va_start(args, format);
    vsnprintf(reply.text, sizeof(reply.text), format, args);
    va_end(args);
    (void)!ring_send(c->fd, &reply, NULL, 0);
    c->is_gone = true;
    if (c->ring != NULL) {
        c->ring->stats.refused += answer == RING_REFUSED;
        c->ring = NULL;
    }
}

/* ---- Coming. ---------------------------------------------------------------
 */

static void ring_conn_free(struct ring_conn *c)
{
    ring_unwatch_fd(c->host, c->fd);
    ring_unwatch_fd(c->host, c->pid_fd);
    if (c->news_fd >= 0) {
        close(c->news_fd);
    }
    free(c);
}

static void ring_accept_one(struct ring_host *h, int fd)
{
    struct ring_conn *c;

    if (h->conn_count == RING_CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    c = mem_new(1, sizeof(*c));
    *c = (struct ring_conn){.watch = {RING_WATCH_CONN, c},
                            .pid_watch = {RING_WATCH_PID, c},
                            .host = h,
                            .fd = fd,
                            .pid_fd = -1,
                            .news_fd = -1};
    if (ring_watch_fd(h, fd, &c->watch, EPOLLIN) != STATUS_OK) {
        ring_conn_free(c);
        return;
    }
    h->conns[h->conn_count++] = c;
}

static void ring_arm(struct ring_host *h, bool is_deaf)
{
    struct epoll_event event = {.events = is_deaf ? 0 : EPOLLIN,
                                .data.ptr = &h->watch};

    CHECK(epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, h->listen_fd, &event) == 0);
    h->is_deaf = is_deaf;
}

/* The socket stays readable while nobody can be accepted: left armed, it would
 * keep the owner's loop turning. */
void ring_serve_accept(struct ring_host *h)
{
    int fd;

    while ((fd = accept4(h->listen_fd, NULL, NULL,
                         SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        ring_accept_one(h, fd);
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        h->failed = fault_set(&h->why, STATUS_OS,
                              "%s: no further consumer can be taken: %s",
                              h->path, strerror(errno));
        ring_arm(h, true);
    }
}

void ring_serve_heed(struct ring_host *h)
{
    if (h->is_deaf) {
        ring_arm(h, false);
    }
}

/* ---- Hello. ----------------------------------------------------------------
 */

/* Whether the packet is a hello of our own version, whoever sent it. */
static bool ring_understand(struct ring_conn *c, struct ring_hello *hello,
                            size_t size)
{
    const size_t fixed = offsetof(struct ring_hello, channel);

    if (size < fixed || hello->magic != RING_MAGIC) {
        ring_refuse(c, RING_REFUSED, "that is not how a ring is asked for");
        return false;
    }
    hello->version[sizeof(hello->version) - 1] = '\0';
    if (hello->abi != RING_ABI || size != sizeof(*hello)) {
        ring_refuse(c, RING_REFUSED,
                    "the consumer (libsmshard %s) speaks version %u of the "
                    "ring, this worker version %d: use the libsmshard that "
                    "came with it",
                    hello->version, hello->abi, RING_ABI);
        return false;
    }
    hello->channel[sizeof(hello->channel) - 1] = '\0';
    return true;
}

static bool ring_is_allowed(struct ring_conn *c)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
        (peer.uid != 0 && peer.uid != geteuid())) {
        ring_refuse(c, RING_REFUSED,
                    "user %u may not read what user %u's worker delivers",
                    peer.uid, geteuid());
        return false;
    }
    if (peer.pid > 0) { /* 0: it is of a pid namespace that we can't see. */
        c->pid_fd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
    }
    if (c->pid_fd >= 0) {
        (void)!ring_watch_fd(c->host, c->pid_fd, &c->pid_watch, EPOLLIN);
    }
    return true;
}

static bool ring_find(struct ring_conn *c, const struct ring_hello *hello)
{
    struct ring_host *h = c->host;
    uint32_t of_channel = 0;

    for (uint32_t i = 0; i < h->ring_count; i++) {
        struct ring *r = h->rings[i];

        if (strcmp(r->channel, hello->channel) != 0) {
            continue;
        }
        of_channel++;
        if (r->options.rank == hello->rank) {
            c->ring = r;
            return true;
        }
    }
    if (of_channel == 0) {
        ring_refuse(c, RING_REFUSED, "no channel %s is delivered as a ring",
                    hello->channel);
    } else {
        ring_refuse(c, RING_REFUSED,
                    "%s: there is no rank %u on this host; it has %u",
                    hello->channel, hello->rank, of_channel);
    }
    return false;
}

static const char *ring_mode_name(uint32_t mode)
{
    static const char *const names[] = {"any", "exclusive", "share",
                                        "broadcast"};

    return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

/* Some process that reads the ring; 0: it can't be seen. */
static int ring_reader(const struct ring *r)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof(peer);

    for (uint32_t i = 0; i < r->host->conn_count; i++) {
        const struct ring_conn *c = r->host->conns[i];

        if (c->ring == r && c->news_fd >= 0 &&
            getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
            return (int)peer.pid;
        }
    }
    return 0;
}

/* It may try again: who is there now may go. */
static void ring_say_busy(struct ring_conn *c, uint32_t member)
{
    const struct ring *r = c->ring;
    bool is_one = r->options.mode == RING_BROADCAST && member != RING_ANY;

    if (r->options.mode == RING_EXCLUSIVE) {
        ring_refuse(c, RING_BUSY,
                    "%s: rank %u is delivered in mode exclusive, and process "
                    "%d reads it; modes share and broadcast are for several",
                    r->channel, r->options.rank, ring_reader(r));
    } else if (is_one) {
        ring_refuse(c, RING_BUSY, "%s: rank %u: member %u of %u is there",
                    r->channel, r->options.rank, member, r->options.consumers);
    } else {
        ring_refuse(c, RING_BUSY,
                    "%s: rank %u has as many consumers as it may have: %u",
                    r->channel, r->options.rank, r->options.consumers);
    }
}

static enum status ring_join(struct ring_conn *c,
                             const struct ring_hello *hello,
                             struct ring_joined *out)
{
    struct ring *r = c->ring;
    enum status s;

    if (hello->mode != 0 && hello->mode != r->options.mode) {
        ring_refuse(c, RING_REFUSED,
                    "%s: rank %u is delivered in mode %s, not %s", r->channel,
                    r->options.rank, ring_mode_name(r->options.mode),
                    ring_mode_name(hello->mode));
        return STATUS_INVALID;
    }
    s = ring_queue_join(r->queue, hello->member, out);
    if (s == STATUS_INVALID) {
        ring_refuse(c, RING_REFUSED, "%s: there is no member %u; it has %u",
                    r->channel, hello->member, r->options.consumers);
    } else if (s != STATUS_OK) {
        r->is_dirty = r->is_dirty || s == STATUS_CHANGED;
        ring_say_busy(c, hello->member);
    }
    return s;
}

static bool ring_welcome(struct ring_conn *c, const struct ring_hello *hello,
                         const struct ring_joined *joined)
{
    struct ring *r = c->ring;
    const struct ring_shape *shape = &ring_queue_layout(r->queue)->shape;
    struct ring_reply reply;
    int fds[RING_FDS];

    c->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->news_fd < 0) {
        return false;
    }
    fds[RING_FD_DATA] = slots_fd(r->options.slots);
    fds[RING_FD_TABLES] = r->tables.fd;
    fds[RING_FD_CONTROL] = r->control.fd;
    fds[RING_FD_NEWS] = c->news_fd;
    fds[RING_FD_RELEASED] = r->released_fd;
    ring_reply_init(&reply, RING_WELCOME);
    reply.consumer = joined->consumer;
    reply.shape = *shape;
    reply.hold_max = hello->want > 0 && hello->want < shape->slots_max
                         ? hello->want
                         : shape->slots_max;
    reply.incarnation = r->incarnation;
    reply.start = joined->start;
    reply.ended = joined->ended;
    return ring_send(c->fd, &reply, fds, RING_FDS);
}

static void ring_note_cursor(struct ring *r, uint32_t consumer,
                             const struct ring_hello *hello)
{
    if (hello->incarnation == 0 || hello->incarnation == r->incarnation ||
        hello->released == 0) {
        return;
    }
    r->has_cursor = true;
    r->cursor = (struct ring_cursor){.consumer = consumer,
                                     .incarnation = hello->incarnation,
                                     .epoch = hello->epoch,
                                     .position = hello->position,
                                     .released = hello->released};
}

static void ring_hello(struct ring_conn *c, struct ring_hello *hello,
                       size_t size)
{
    struct ring_joined joined;
    struct ring *r;

    if (!ring_is_allowed(c) || !ring_understand(c, hello, size) ||
        !ring_find(c, hello) || ring_join(c, hello, &joined) != STATUS_OK) {
        return;
    }
    r = c->ring;
    c->consumer = joined.consumer;
    r->stats.connected++;
    ring_note_cursor(r, c->consumer, hello);
    if (!ring_welcome(c, hello, &joined)) {
        c->is_gone = true;
    }
}

/* ---- Going. ----------------------------------------------------------------
 */

void ring_serve_kick(struct ring_conn *c)
{
    struct epoll_event event = {.data.ptr = &c->watch};

    if (c->is_kicked || c->is_gone) {
        return;
    }
    c->is_kicked = true;
    c->ring->stats.kicked++;
    shutdown(c->fd, SHUT_WR);
    /* EPOLLHUP alone: whatever it says is left unread. */
    CHECK(epoll_ctl(c->host->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0);
}

void ring_serve_packet(struct ring_conn *c)
{
    struct ring_hello hello = {0};
    ssize_t got = recv(c->fd, &hello, sizeof(hello), MSG_DONTWAIT | MSG_TRUNC);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        c->is_gone = true;
    } else if (c->ring == NULL) {
        ring_hello(c, &hello, (size_t)got);
    } else {
        ring_serve_kick(c);
    }
}

/* It can't touch the memory any more. false: not now. */
static bool ring_conn_leave(struct ring_conn *c)
{
    struct ring *r = c->ring;

    r->is_dirty = true; /* It may have died before it rang. */
    if (!c->is_old &&
        ring_queue_leave(r->queue, c->consumer) == STATUS_CHANGED &&
        !ring_renew(r)) {
        return false;
    }
    if (c->is_old) {
        ring_queue_leave_old(r->queue);
    }
    r->stats.gone++;
    return true;
}

bool ring_serve_end(struct ring_conn *c)
{
    if (c->ring != NULL && !ring_conn_leave(c)) {
        return false;
    }
    ring_conn_free(c);
    return true;
}
