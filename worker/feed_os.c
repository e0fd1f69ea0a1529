/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/feed_state.h"

enum { FEED_EVENTS = 64, FEED_READ = 16 << 10 };

void feed_reply(struct feed_conn *c, const char *text)
{
    buf_print(&c->out, "%s\n", text);
}

/* ---- The socket. ----------------------------------------------------------
 */

/* Make a private folder below @below, so that nobody can reach the socket
 * before its mode is set. */
static enum status feed_make_folder(struct feed *f, const char *below,
                                    struct fault *why)
{
    enum status s = file_make_folder(below, why);

    if (s != STATUS_OK) {
        return s;
    }
    free(f->folder);
    free(f->path);
    f->path = NULL;
    f->folder = mem_print("%s/smshard-XXXXXX", below);
    if (mkdtemp(f->folder) == NULL) {
        s = file_fault(why, errno, "make a private folder", below);
        free(f->folder);
        f->folder = NULL;
        return s;
    }
    f->path = mem_print("%s/socket", f->folder);
    return STATUS_OK;
}

static enum status feed_place(struct feed *f, struct sockaddr_un *address,
                              struct fault *why)
{
    enum status s = feed_make_folder(f, f->options.folder, why);

    if (s != STATUS_OK) {
        return s;
    }
    CHECK(f->path != NULL);
    if (strlen(f->path) >= sizeof(address->sun_path)) {
        rmdir(f->folder);
        s = feed_make_folder(f, "/tmp", why);
        if (s != STATUS_OK) {
            return s;
        }
        CHECK(f->path != NULL && strlen(f->path) < sizeof(address->sun_path));
    }
    memcpy(address->sun_path, f->path, strlen(f->path) + 1);
    return STATUS_OK;
}

static enum status feed_watch(struct feed *f, int fd, void *what,
                              struct fault *why)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

    return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "wait for a socket: %s",
                           strerror(errno));
}

static enum status feed_listen(struct feed *f, struct fault *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum status s = feed_place(f, &address, why);

    if (s != STATUS_OK) {
        return s;
    }
    f->listen_fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (f->listen_fd < 0 ||
        bind(f->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(f->path, 0600) != 0 || listen(f->listen_fd, SOMAXCONN) != 0) {
        return file_fault(why, errno, "listen on the socket", f->path);
    }
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (f->epoll_fd < 0) {
        return fault_set(why, STATUS_OS, "make an epoll descriptor: %s",
                         strerror(errno));
    }
    s = feed_watch(f, f->listen_fd, f, why);
    return s == STATUS_OK
               ? feed_watch(f, feed_fetch_fd(f->fetch), f->fetch, why)
               : s;
}

enum status feed_new(const struct feed_options *options, struct fault *why,
                     struct feed **out)
{
    struct feed *f = mem_new(1, sizeof(*f));
    struct feed_source *sources =
        mem_new(options->channel_count + 1, sizeof(*sources));
    enum status s;

    CHECK(options->channel_count <= FEED_CHANNELS_MAX);
    CHECK(options->rank_count > 0 && options->rank_count <= WORK_WANTS_MAX);
    f->options = *options;
    f->listen_fd = -1;
    f->epoll_fd = -1;
    f->sources = sources;
    for (uint32_t i = 0; i < options->channel_count; i++) {
        CHECK(options->channels[i].ahead_units > 0);
        CHECK(options->channels[i].ahead_units <= FEED_AHEAD_MAX);
        sources[i] = options->channels[i].source;
    }
    s = feed_fetch_start(
        &(struct feed_fetch_options){.sources = sources,
                                     .source_count = options->channel_count,
                                     .fetch = options->fetch,
                                     .fetch_source = options->fetch_source,
                                     .parts = options->parts},
        why, &f->fetch);
    if (s == STATUS_OK) {
        s = feed_listen(f, why);
    }
    if (s != STATUS_OK) {
        feed_destroy(&f);
        return s;
    }
    *out = f;
    return STATUS_OK;
}

/* ---- Connections. ----------------------------------------------------------
 */

/* A child between fork() and exec still has the descriptor, and with it its
 * place in our set: closing alone would not take it out. */
static void feed_conn_destroy(struct feed *f, struct feed_conn *c)
{
    epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    free(c);
}

static void feed_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void feed_destroy(struct feed **feed)
{
    struct feed *f = *feed;

    if (f == NULL) {
        return;
    }
    for (uint32_t i = 0; i < f->conn_count; i++) {
        feed_conn_destroy(f, f->conns[i]);
    }
    feed_fetch_stop(&f->fetch);
    for (uint32_t i = 0; i < f->unit_count; i++) {
        free(f->units[i]);
    }
    feed_close(f->listen_fd);
    feed_close(f->epoll_fd);
    if (f->folder != NULL) {
        unlink(f->path);
        rmdir(f->folder);
    }
    free(f->folder);
    free(f->path);
    free(f->sources);
    free(f);
    *feed = NULL;
}

static void feed_accept_one(struct feed *f, int fd)
{
    static const char full[] = "error there are too many connections\n";
    struct feed_conn *c;

    if (f->conn_count == FEED_CONNECTIONS_MAX) {
        f->stats.turned++;
        (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    c = mem_new(1, sizeof(*c));
    c->fd = fd;
    c->number = ++f->stats.connections;
    c->events = EPOLLIN;
    if (feed_watch(f, fd, c, NULL) != STATUS_OK) {
        feed_conn_destroy(f, c);
        return;
    }
    f->conns[f->conn_count++] = c;
}

static void feed_listen_arm(struct feed *f, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = f};

    CHECK(epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, f->listen_fd, &event) == 0);
}

/* The socket stays readable while nobody can be accepted: left armed, it
 * would keep the owner's loop turning. */
static void feed_accept_pause(struct feed *f, int error, uint64_t now_ms)
{
    if (!f->is_full_told) {
        log_event(LOG_WARN, "feed.full",
                  "connected=%u why=\"no further connection can be taken: "
                  "%s\"",
                  (unsigned)f->conn_count, strerror(error));
    }
    f->is_full_told = true;
    f->is_full = true;
    f->full_end_ms = now_ms + FEED_PAUSE_MS;
    feed_listen_arm(f, 0);
}

static void feed_accept_resume(struct feed *f)
{
    if (f->is_full) {
        f->is_full = false;
        feed_listen_arm(f, EPOLLIN);
    }
}

static void feed_accept(struct feed *f, uint64_t now_ms)
{
    int fd;

    while ((fd = accept4(f->listen_fd, NULL, NULL,
                         SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        feed_accept_one(f, fd);
    }
    if (errno == EAGAIN) {
        f->is_full_told = false;
    } else if (errno != EINTR && errno != ECONNABORTED) {
        feed_accept_pause(f, errno, now_ms);
    }
}

/* Read once; a line that has not come whole stays in the buffer. */
static void feed_conn_read(struct feed_conn *c)
{
    ssize_t got;

    if (c->is_ending || c->in.size > FEED_LINE_MAX) {
        return;
    }
    got = recv(c->fd, buf_reserve(&c->in, FEED_READ), FEED_READ, MSG_DONTWAIT);
    if (got > 0) {
        buf_add_done(&c->in, (size_t)got);
    } else if (got == 0) {
        c->is_ending = true;
        buf_add_char(&c->in, '\n'); /* For a last line without one. */
    } else if (errno != EAGAIN && errno != EINTR) {
        c->is_gone = true;
    }
}

static void feed_conn_write(struct feed_conn *c)
{
    ssize_t put = 0;
    size_t done = 0;

    while (done < c->out.size &&
           (put = send(c->fd, c->out.at + done, c->out.size - done,
                       MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) {
        done += (size_t)put;
    }
    if (done < c->out.size && put < 0 && errno != EAGAIN && errno != EINTR) {
        c->is_gone = true;
    }
    if (done > 0) {
        memmove(c->out.at, c->out.at + done, c->out.size - done);
        c->out.size -= done;
    }
}

/* Take the lines that have come, one by one, while none of them waits. */
static void feed_conn_lines(struct feed *f, struct feed_conn *c,
                            uint64_t now_ms)
{
    size_t at = 0;

    while (c->wait == FEED_WAIT_NOTHING && at < c->in.size &&
           c->out.size < FEED_OUT_MAX) {
        struct bytes rest = {c->in.at + at, c->in.size - at};
        const char *end = memchr(rest.at, '\n', rest.size);

        if (end == NULL) {
            break;
        }
        rest.size = (size_t)(end - rest.at);
        at += rest.size + 1;
        if (rest.size > 0) {
            feed_serve_line(f, c, rest, now_ms);
        }
    }
    if (at > 0) {
        memmove(c->in.at, c->in.at + at, c->in.size - at);
        c->in.size -= at;
    }
    if (c->in.size > FEED_LINE_MAX &&
        memchr(c->in.at, '\n', FEED_LINE_MAX + 1) == NULL &&
        c->wait == FEED_WAIT_NOTHING) {
        f->stats.errors++;
        feed_reply(c, "error the line is too long");
        c->in.size = 0;
        c->is_ending = true;
    }
}

/* Whether all that was asked is answered, and nothing more comes. */
static bool feed_conn_is_over(const struct feed_conn *c)
{
    return c->is_gone ||
           (c->is_ending && c->wait == FEED_WAIT_NOTHING && c->out.size == 0 &&
            (c->in.size == 0 || memchr(c->in.at, '\n', c->in.size) == NULL));
}

static void feed_conn_arm(const struct feed *f, struct feed_conn *c)
{
    bool reads = !c->is_ending && c->in.size <= FEED_LINE_MAX &&
                 c->wait == FEED_WAIT_NOTHING && c->out.size < FEED_OUT_MAX;
    struct epoll_event event = {.data.ptr = c};

    event.events = (reads ? EPOLLIN : 0U) | (c->out.size > 0 ? EPOLLOUT : 0U);
    if (event.events != c->events) {
        CHECK(epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0);
        c->events = event.events;
    }
}

/* ---- The step. --------------------------------------------------------------
 */

static void feed_conn_event(struct feed *f, struct feed_conn *c,
                            uint32_t events, uint64_t now_ms)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        feed_conn_read(c);
    }
    feed_conn_lines(f, c, now_ms);
    /* The other end is closed both ways: nobody reads an answer. What it has
     * said counts all the same. */
    while ((events & EPOLLHUP) != 0 && !c->is_ending && !c->is_gone &&
           c->wait == FEED_WAIT_NOTHING) {
        feed_conn_read(c);
        feed_conn_lines(f, c, now_ms);
    }
    c->is_gone = c->is_gone || (events & (EPOLLHUP | EPOLLERR)) != 0;
}

static void feed_take_events(struct feed *f, uint64_t now_ms)
{
    struct epoll_event events[FEED_EVENTS];
    int count = epoll_wait(f->epoll_fd, events, FEED_EVENTS, 0);

    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;

        if (what == f) {
            feed_accept(f, now_ms);
        } else if (what != f->fetch) {
            feed_conn_event(f, what, events[i].events, now_ms);
        }
    }
}

/* Answer who waits; go on with the lines behind. */
static void feed_serve_waiting(struct feed *f, uint64_t now_ms)
{
    f->stats.waiting = 0;
    for (uint32_t i = 0; i < f->conn_count; i++) {
        struct feed_conn *c = f->conns[i];

        if (!c->is_gone && c->wait == FEED_WAIT_NEXT) {
            feed_serve_next(f, c, now_ms);
        }
        if (!c->is_gone) {
            feed_conn_lines(f, c, now_ms);
        }
        f->stats.waiting += c->wait == FEED_WAIT_NEXT;
    }
}

static void feed_end_connections(struct feed *f)
{
    for (uint32_t i = f->conn_count; i > 0; i--) {
        struct feed_conn *c = f->conns[i - 1];

        if (!c->is_gone) {
            feed_conn_write(c);
        }
        if (feed_conn_is_over(c)) {
            feed_serve_end(f, c);
            feed_conn_destroy(f, c);
            f->conns[i - 1] = f->conns[--f->conn_count];
            feed_accept_resume(f);
        } else {
            feed_conn_arm(f, c);
        }
    }
    f->stats.connected = f->conn_count;
}

enum status feed_step(struct feed *f, uint64_t now_ms, struct fault *why)
{
    enum status s;

    feed_unit_take(f);
    feed_serve_outcomes(f);
    if (f->is_full && now_ms >= f->full_end_ms) {
        feed_accept_resume(f);
    }
    feed_take_events(f, now_ms);
    feed_end_connections(f);
    feed_serve_waiting(f, now_ms);
    feed_unit_look_ahead(f);
    feed_end_connections(f);
    s = f->failed;
    if (s != STATUS_OK) {
        *why = f->failed_why;
    }
    f->failed = STATUS_OK;
    return s;
}

/* ---- Looking.
 * ---------------------------------------------------------------- */

const char *feed_path(const struct feed *f)
{
    return f->path;
}

int feed_fd(const struct feed *f)
{
    return f->epoll_fd;
}

uint64_t feed_timer_ms(const struct feed *f)
{
    uint64_t first = f->is_full ? f->full_end_ms : UINT64_MAX;

    for (uint32_t i = 0; i < f->options.channel_count; i++) {
        uint64_t timer = holder_timer_ms(f->options.channels[i].holder);

        first = timer < first ? timer : first;
    }
    return first;
}

struct feed_stats feed_stats(const struct feed *f)
{
    return f->stats;
}
