/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting: the greeting, the descriptors, the mappings. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "worker/client/smshard_open.h"

enum { SMSHARD_RETRY_MS = 20 };

uint64_t smshard_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- Whose handle it is. ---------------------------------------------------
 */

enum { SMSHARD_MARK = 4096 };

void smshard_mark(struct smshard *s)
{
    void *at = mmap(NULL, SMSHARD_MARK, PROT_READ | PROT_WRITE,
                    // cppcheck-suppress invalidFunctionArg ; no file is mapped
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    s->pid = (int)getpid();
    if (at == MAP_FAILED) {
        return;
    }
    if (madvise(at, SMSHARD_MARK, MADV_WIPEONFORK) != 0) {
        munmap(at, SMSHARD_MARK);
        return;
    }
    s->is_ours = at;
    *s->is_ours = 1;
}

bool smshard_is_ours(const struct smshard *s)
{
    return s->is_ours != NULL ? *s->is_ours != 0 : s->pid == (int)getpid();
}

void smshard_unmark(struct smshard *s)
{
    if (s->is_ours != NULL) {
        munmap((void *)(uintptr_t)s->is_ours, SMSHARD_MARK);
    }
}

/* ---- The socket. -----------------------------------------------------------
 */

static int smshard_connect(struct smshard *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(s->socket) >= sizeof(address.sun_path)) {
        return smshard_fail(s, SMSHARD_INVALID, "%s: too long for a socket",
                            s->socket);
    }
    memcpy(address.sun_path, s->socket, strlen(s->socket) + 1);
    s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        return smshard_fail(s, SMSHARD_SYSTEM, "make a socket: %s",
                            strerror(errno));
    }
    if (connect(s->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        return smshard_fail(s, SMSHARD_RESET,
                            "%s: no worker listens there: %s; is this process "
                            "started by smshard run?",
                            s->socket, strerror(errno));
    }
    return SMSHARD_OK;
}

static int smshard_say_hello(struct smshard *s)
{
    struct ring_hello hello;

    memset(&hello, 0, sizeof(hello));
    hello.magic = RING_MAGIC;
    hello.abi = RING_ABI;
    memcpy(hello.version, smshard_version(), strlen(smshard_version()) + 1);
    memcpy(hello.channel, s->channel, sizeof(hello.channel));
    hello.rank = s->rank;
    hello.mode = s->mode;
    hello.member = s->member;
    hello.want = s->want;
    if (s->has_unit) {
        hello.incarnation = s->incarnation;
        hello.epoch = s->epoch;
        hello.position = s->position;
        hello.released = s->units;
    }
    if (send(s->fd, &hello, sizeof(hello), MSG_NOSIGNAL) !=
        (ssize_t)sizeof(hello)) {
        return smshard_fail(s, SMSHARD_RESET, "%s: the worker has gone",
                            s->socket);
    }
    smshard_hook(SMSHARD_AT_HELLO);
    return SMSHARD_OK;
}

/* Keep the descriptors that came, all or none. */
static bool smshard_take_fds(struct smshard *s, struct msghdr *m)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(m);
    int fds[RING_FDS];
    size_t count = 0;

    if (head != NULL && head->cmsg_level == SOL_SOCKET &&
        head->cmsg_type == SCM_RIGHTS && head->cmsg_len >= CMSG_LEN(0)) {
        count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        count = count < RING_FDS ? count : RING_FDS;
        memcpy(fds, CMSG_DATA(head), count * sizeof(int));
    }
    if (count == RING_FDS) {
        memcpy(s->fds, fds, sizeof(fds));
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    return false;
}

static int smshard_wait_reply(struct smshard *s, uint64_t until_ns)
{
    struct timeval wait = {.tv_sec = 1};
    uint64_t now = smshard_now_ns();

    if (now >= until_ns && s->was_busy) {
        return SMSHARD_TIMEOUT;
    }
    if (now >= until_ns) {
        return smshard_fail(s, SMSHARD_TIMEOUT,
                            "%s: the worker did not answer in time", s->socket);
    }
    if (until_ns - now < 1000000000U) {
        wait.tv_sec = 0;
        wait.tv_usec = (suseconds_t)((until_ns - now) / 1000 + 1);
    }
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    return SMSHARD_OK;
}

static int smshard_hear(struct smshard *s, uint64_t until_ns,
                        struct ring_reply *reply)
{
    struct iovec part = {reply, sizeof(*reply)};
    union {
        char bytes[CMSG_SPACE(RING_FDS * sizeof(int))];
        struct cmsghdr head;
    } extra;
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    bool has_fds;
    ssize_t got;

    do {
        int status = smshard_wait_reply(s, until_ns);

        if (status != SMSHARD_OK) {
            return status;
        }
        m.msg_control = extra.bytes;
        m.msg_controllen = sizeof(extra.bytes);
        got = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC);
    } while (got < 0 && (errno == EAGAIN || errno == EINTR));
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
        return smshard_fail(s, SMSHARD_RESET, "%s: the worker has gone",
                            s->socket);
    }
    has_fds = got > 0 && smshard_take_fds(s, &m); /* Whoever sent them. */
    if (got != (ssize_t)sizeof(*reply) || reply->magic != RING_MAGIC ||
        reply->abi != RING_ABI) {
        return smshard_fail(s, SMSHARD_REFUSED,
                            "%s: what answers there is no worker of this "
                            "version (libsmshard %s)",
                            s->socket, smshard_version());
    }
    reply->text[sizeof(reply->text) - 1] = '\0';
    if (reply->answer != RING_WELCOME) {
        s->was_busy = reply->answer == RING_BUSY;
        return smshard_fail(
            s, reply->answer == RING_BUSY ? SMSHARD_TIMEOUT : SMSHARD_REFUSED,
            "%s", reply->text);
    }
    return has_fds
               ? SMSHARD_OK
               : smshard_fail(s, SMSHARD_SYSTEM,
                              "%s: the memory's descriptors did not come: are "
                              "too many files open?",
                              s->channel);
}

/* ---- The memory. -----------------------------------------------------------
 */

static void *smshard_map(int fd, size_t size, int protection)
{
    struct stat about;
    int seals = fcntl(fd, F_GET_SEALS);
    void *at;

    /* Memory that could shrink would kill us one day. */
    if (fstat(fd, &about) != 0 || about.st_size < 0 ||
        (size_t)about.st_size < size || seals < 0 ||
        (seals & F_SEAL_SHRINK) == 0) {
        errno = EINVAL;
        return NULL;
    }
    at = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    madvise(at, size, MADV_DONTFORK);
    return at;
}

static int smshard_map_all(struct smshard *s)
{
    const struct ring_layout *l = &s->layout;

    s->data = smshard_map(s->fds[RING_FD_DATA], l->data_size, PROT_READ);
    s->tables = smshard_map(s->fds[RING_FD_TABLES], l->tables_size, PROT_READ);
    s->control = smshard_map(s->fds[RING_FD_CONTROL], l->control_size,
                             PROT_READ | PROT_WRITE);
    if (s->data == NULL || s->tables == NULL || s->control == NULL) {
        return smshard_fail(s, SMSHARD_SYSTEM, "%s: map the ring's memory: %s",
                            s->channel, strerror(errno));
    }
    s->shared = s->control;
    for (int i = RING_FD_DATA; i <= RING_FD_CONTROL; i++) {
        close(s->fds[i]); /* The mappings keep the memory. */
        s->fds[i] = -1;
    }
    smshard_hook(SMSHARD_AT_MAPPED);
    return SMSHARD_OK;
}

static int smshard_make_books(struct smshard *s)
{
    const struct ring_shape *shape = &s->layout.shape;

    s->held = calloc(shape->slot_count, sizeof(*s->held));
    s->given =
        calloc((size_t)shape->slot_count * ((shape->entries_max + 63) / 64),
               sizeof(*s->given));
    if (s->held == NULL || s->given == NULL) {
        return smshard_fail(s, SMSHARD_SYSTEM, "%s: no memory", s->channel);
    }
    return SMSHARD_OK;
}

static int smshard_take_reply(struct smshard *s, const struct ring_reply *reply)
{
    int status;

    if (!ring_layout_make(&reply->shape, &s->layout) ||
        reply->consumer >= RING_CONSUMERS_MAX || reply->hold_max == 0 ||
        (reply->shape.mode == RING_BROADCAST &&
         reply->consumer >= reply->shape.queue_count)) {
        return smshard_fail(s, SMSHARD_REFUSED,
                            "%s: the worker describes a ring that can't be",
                            s->channel);
    }
    s->consumer = reply->consumer;
    s->queue = reply->shape.mode == RING_BROADCAST ? reply->consumer : 0;
    s->hold_max = reply->hold_max;
    s->incarnation = reply->incarnation;
    s->cursor = reply->start;
    s->ended = s->connections == 0 ? reply->ended : s->ended;
    s->connections++;
    status = smshard_map_all(s);
    return status == SMSHARD_OK ? smshard_make_books(s) : status;
}

/* ---- Together. -------------------------------------------------------------
 */

void smshard_detach(struct smshard *s)
{
    bool is_ours = smshard_is_ours(s);

    /* In a child the memory is not there: by now it may be something else's. */
    if (is_ours && s->data != NULL) {
        munmap((void *)(uintptr_t)s->data, s->layout.data_size);
    }
    if (is_ours && s->tables != NULL) {
        munmap((void *)(uintptr_t)s->tables, s->layout.tables_size);
    }
    if (is_ours && s->control != NULL) {
        munmap(s->control, s->layout.control_size);
    }
    s->data = NULL;
    s->tables = NULL;
    s->control = NULL;
    s->shared = NULL;
    for (int i = 0; i < RING_FDS; i++) {
        if (s->fds[i] >= 0) {
            close(s->fds[i]);
        }
        s->fds[i] = -1;
    }
    if (s->wait_fd >= 0) {
        close(s->wait_fd);
    }
    s->wait_fd = -1;
    smshard_hook(SMSHARD_AT_CLOSE);
    /* Last: to the worker that says that nothing is looked at any more. */
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
    free(s->held);
    free(s->given);
    s->held = NULL;
    s->given = NULL;
    s->held_count = 0;
    s->chain = 0;
    s->reading.is_open = false;
    s->is_reset = true;
}

static int smshard_attach_once(struct smshard *s, uint64_t until_ns)
{
    struct ring_reply reply;
    int status = smshard_connect(s);

    if (status == SMSHARD_OK) {
        status = smshard_say_hello(s);
    }
    if (status == SMSHARD_OK) {
        status = smshard_hear(s, until_ns, &reply);
    }
    if (status == SMSHARD_OK) {
        smshard_hook(SMSHARD_AT_WELCOME);
        status = smshard_take_reply(s, &reply);
    }
    return status;
}

int smshard_attach(struct smshard *s, int timeout_ms)
{
    uint64_t until = timeout_ms < 0
                         ? UINT64_MAX
                         : smshard_now_ns() + (uint64_t)timeout_ms * 1000000U;
    bool may_come = s->connections > 0; /* A worker that starts anew. */

    s->was_busy = false;
    for (;;) {
        int status = smshard_attach_once(s, until);

        if (status == SMSHARD_OK) {
            s->is_reset = false;
            return status;
        }
        smshard_detach(s);
        if ((status != SMSHARD_TIMEOUT &&
             (status != SMSHARD_RESET || !may_come)) ||
            smshard_now_ns() >= until) {
            return status;
        }
        nanosleep(&(struct timespec){.tv_nsec = SMSHARD_RETRY_MS * 1000000L},
                  NULL);
    }
}

bool smshard_is_connected(struct smshard *s)
{
    char byte;
    ssize_t got = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

void smshard_ring_worker(const struct smshard *s)
{
    const uint64_t one = 1;

    if (s->fds[RING_FD_RELEASED] >= 0) {
        (void)!write(s->fds[RING_FD_RELEASED], &one, sizeof(one));
        smshard_hook(SMSHARD_AT_RUNG);
    }
}
