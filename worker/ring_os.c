/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "worker/ring_state.h"

enum { RING_EVENTS = 64 };

/* ---- The socket. -----------------------------------------------------------
 */

/* Ours, and nobody else's: whoever can reach the socket is asked who it is, but
 * need not be able to. */
static enum status ring_check_folder(const char *folder, struct fault *why)
{
    struct stat about;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return file_fault(why, errno, "make a private folder", folder);
    }
    if (lstat(folder, &about) != 0) {
        return file_fault(why, errno, "look at the folder", folder);
    }
    if (!S_ISDIR(about.st_mode) || about.st_uid != geteuid() ||
        (about.st_mode & 077) != 0) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s: rings need a folder of mode 0700 that is this "
                         "user's; remove it, or name another one",
                         folder);
    }
    return STATUS_OK;
}

static enum status ring_listen(struct ring_host *h, const char *folder,
                               struct fault *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum status s = ring_check_folder(folder, why);

    if (s != STATUS_OK) {
        return s;
    }
    h->path = mem_print("%s/ring", folder);
    if (strlen(h->path) >= sizeof(address.sun_path)) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s: the path of a socket has at most %zu bytes; "
                         "name a folder with a shorter one",
                         h->path, sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, h->path, strlen(h->path) + 1);
    unlink(h->path);
    h->listen_fd =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->listen_fd < 0 ||
        bind(h->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(h->path, 0600) != 0 || listen(h->listen_fd, SOMAXCONN) != 0) {
        return file_fault(why, errno, "listen on the socket", h->path);
    }
    return STATUS_OK;
}

enum status ring_watch_fd(struct ring_host *h, int fd, struct ring_watch *watch,
                          uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? STATUS_OK
                                                                  : STATUS_OS;
}

void ring_unwatch_fd(struct ring_host *h, int fd)
{
    if (fd >= 0) {
        epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        close(fd);
    }
}

enum status ring_host_open(const char *folder, struct fault *why,
                           struct ring_host **out)
{
    struct ring_host *h = mem_new(1, sizeof(*h));
    struct timespec now;
    enum status s;

    h->watch = (struct ring_watch){RING_WATCH_LISTEN, h};
    h->listen_fd = -1;
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s = ring_listen(h, folder, why);
    if (s == STATUS_OK &&
        (h->epoll_fd < 0 ||
         ring_watch_fd(h, h->listen_fd, &h->watch, EPOLLIN) != STATUS_OK)) {
        s = fault_set(why, STATUS_OS, "wait for a socket: %s", strerror(errno));
    }
    if (s != STATUS_OK) {
        ring_host_close(&h);
        return s;
    }
    /* Never again the same, whoever comes after us. */
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    h->incarnation = (uint64_t)now.tv_sec << 20 | (uint64_t)now.tv_nsec >> 10;
    *out = h;
    return STATUS_OK;
}

static void ring_close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void ring_host_close(struct ring_host **host)
{
    struct ring_host *h = *host;

    if (h == NULL) {
        return;
    }
    CHECK(h->ring_count == 0);
    while (h->conn_count > 0) {
        struct ring_conn *c = h->conns[--h->conn_count];

        CHECK(c->ring == NULL);
        CHECK(ring_serve_end(c));
    }
    if (h->listen_fd >= 0) {
        unlink(h->path);
    }
    ring_close_fd(h->listen_fd);
    ring_close_fd(h->epoll_fd);
    free(h->path);
    free(h);
    *host = NULL;
}

const char *ring_host_path(const struct ring_host *h)
{
    return h->path;
}

int ring_host_fd(const struct ring_host *h)
{
    return h->epoll_fd;
}

/* ---- Waking. ---------------------------------------------------------------
 */

static void ring_write_event(int fd)
{
    const uint64_t one = 1;

    (void)!write(fd, &one, sizeof(one)); /* Full is as good as written. */
}

static void ring_futex_wake(struct ring_shared *shared)
{
    if (atomic_load(&shared->waiters) != 0) {
        syscall(SYS_futex, &shared->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
}

static void ring_wake(struct ring *r)
{
    struct ring_host *h = r->host;

    if (!ring_queue_has_news(r->queue)) {
        return;
    }
    ring_futex_wake(r->control.at);
    for (uint32_t i = 0; i < h->conn_count; i++) {
        struct ring_conn *c = h->conns[i];
        struct ring_consumer *shared;

        if (c->ring != r || c->is_old || c->is_gone) {
            continue;
        }
        shared = ring_consumer_at(r->control.at, ring_queue_layout(r->queue),
                                  c->consumer);
        if (atomic_load(&shared->is_armed) != 0) {
            atomic_store(&shared->is_armed, 0);
            ring_write_event(c->news_fd);
        }
    }
}

/* ---- Memory. ---------------------------------------------------------------
 */

static enum status ring_use_new(struct ring *r, struct fault *why,
                                struct ring_memory *old)
{
    struct ring_memory control;
    enum status s = ring_memory_new("smshard-ring",
                                    ring_queue_layout(r->queue)->control_size,
                                    false, &control);

    if (s != STATUS_OK) {
        return fault_set(why, s,
                         "%s: no shared memory for the ring of rank %u: %s",
                         r->channel, r->options.rank, strerror(errno));
    }
    *old = r->control;
    r->incarnation = ++r->host->incarnation;
    ring_queue_use(r->queue, control.at, r->tables.at, r->incarnation);
    r->control = control;
    return STATUS_OK;
}

/* The words that tell consumers to look after themselves. */
static void ring_close_control(struct ring_memory *m)
{
    struct ring_shared *shared = m->at;

    atomic_store(&shared->is_closed, 1);
    atomic_fetch_add(&shared->bell, 1);
    syscall(SYS_futex, &shared->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool ring_renew(struct ring *r)
{
    struct ring_host *h = r->host;
    struct ring_memory old;

    if (ring_use_new(r, &h->why, &old) != STATUS_OK) {
        h->failed = STATUS_OS;
        return false;
    }
    ring_close_control(&old);
    ring_memory_free(&old);
    for (uint32_t i = 0; i < h->conn_count; i++) {
        struct ring_conn *c = h->conns[i];

        if (c->ring == r && !c->is_old) {
            c->is_old = true;
            ring_serve_kick(c);
        }
    }
    return true;
}

/* ---- Rings. ----------------------------------------------------------------
 */

static enum status ring_check_options(struct ring_host *h,
                                      const struct ring_options *o,
                                      const struct ring_shape *shape,
                                      struct fault *why)
{
    struct ring_layout layout;

    for (uint32_t i = 0; i < h->ring_count; i++) {
        if (h->rings[i]->options.rank == o->rank &&
            strcmp(h->rings[i]->channel, o->channel) == 0) {
            return fault_set(why, STATUS_CONFLICT,
                             "%s: rank %u has a ring already", o->channel,
                             o->rank);
        }
    }
    if (h->ring_count == RING_RINGS_MAX) {
        return fault_set(why, STATUS_FULL, "%s: there are %d rings, no more",
                         o->channel, RING_RINGS_MAX);
    }
    if (o->consumers == 0 || o->consumers > RING_CONSUMERS_MAX ||
        (o->mode == RING_EXCLUSIVE && o->consumers != 1) ||
        strlen(o->channel) >= RING_CHANNEL_MAX || o->channel[0] == '\0' ||
        !ring_layout_make(shape, &layout)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: there is no ring for %u consumers, with %u of "
                         "%u slots of %" PRIu64 " bytes and %u units each",
                         o->channel, o->consumers, shape->slots_max,
                         shape->slot_count, shape->slot_size,
                         shape->entries_max);
    }
    return STATUS_OK;
}

static struct ring_shape ring_shape_of(const struct ring_options *o)
{
    uint32_t count = slots_count(o->slots);

    return (struct ring_shape){
        .mode = o->mode,
        .slot_count = count,
        .slots_max = o->slots_max > 0 ? o->slots_max : count,
        .queue_count = o->mode == RING_BROADCAST ? o->consumers : 1,
        .entries_max = o->entries_max > 0 ? o->entries_max : FLOW_ENTRIES_MAX,
        .slot_size = slots_size(o->slots),
    };
}

static enum status ring_start(struct ring *r, struct fault *why)
{
    struct ring_memory none;
    enum status s = ring_memory_new("smshard-tables",
                                    ring_queue_layout(r->queue)->tables_size,
                                    true, &r->tables);

    if (s == STATUS_OK) {
        r->released_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        s = r->released_fd < 0
                ? STATUS_OS
                : ring_watch_fd(r->host, r->released_fd, &r->watch, EPOLLIN);
    }
    return s == STATUS_OK
               ? ring_use_new(r, why, &none)
               : fault_set(why, s, "%s: make the ring of rank %u: %s",
                           r->channel, r->options.rank, strerror(errno));
}

enum status ring_new(struct ring_host *h, const struct ring_options *options,
                     struct fault *why, struct ring **out)
{
    struct ring_shape shape = ring_shape_of(options);
    enum status s = ring_check_options(h, options, &shape, why);
    struct ring *r;

    if (s != STATUS_OK) {
        return s;
    }
    r = mem_new(1, sizeof(*r));
    r->watch = (struct ring_watch){RING_WATCH_RELEASED, r};
    r->host = h;
    r->options = *options;
    r->channel = mem_copy(options->channel);
    r->control.fd = -1;
    r->tables.fd = -1;
    r->released_fd = -1;
    r->queue = ring_queue_new(
        &(struct ring_queue_options){.shape = shape,
                                     .consumers = options->consumers,
                                     .drops = options->drops});
    h->rings[h->ring_count++] = r;
    s = ring_start(r, why);
    if (s != STATUS_OK) {
        ring_destroy(&r);
        return s;
    }
    *out = r;
    return STATUS_OK;
}

static void ring_remove_conns(struct ring *r)
{
    struct ring_host *h = r->host;

    for (uint32_t i = h->conn_count; i > 0; i--) {
        struct ring_conn *c = h->conns[i - 1];

        if (c->ring == r) {
            c->ring = NULL; /* No need to leave what goes anyway. */
            CHECK(ring_serve_end(c));
            h->conns[i - 1] = h->conns[--h->conn_count];
        }
    }
}

void ring_destroy(struct ring **ring)
{
    struct ring *r = *ring;
    struct ring_host *h;

    if (r == NULL) {
        return;
    }
    h = r->host;
    if (r->control.fd >= 0) {
        ring_close_control(&r->control);
    }
    ring_remove_conns(r);
    for (uint32_t i = 0; i < h->ring_count; i++) {
        if (h->rings[i] == r) {
            h->rings[i] = h->rings[--h->ring_count];
        }
    }
    ring_memory_free(&r->control);
    ring_memory_free(&r->tables);
    ring_unwatch_fd(h, r->released_fd);
    ring_queue_destroy(&r->queue);
    free(r->channel);
    free(r);
    *ring = NULL;
}

/* ---- The owner's words. ----------------------------------------------------
 */

static enum status ring_said(struct ring *r, enum status s)
{
    if (s == STATUS_CHANGED) {
        r->is_dirty = true;
        ring_write_event(r->released_fd); /* So that the owner comes. */
        return STATUS_EMPTY;
    }
    ring_wake(r);
    return s;
}

enum status ring_publish(struct ring *r, const struct flow_slot *slot)
{
    return ring_said(r, ring_queue_publish(r->queue, slot));
}

enum status ring_end_epoch(struct ring *r, uint64_t epoch)
{
    return ring_said(r, ring_queue_end_epoch(r->queue, epoch));
}

enum status ring_end(struct ring *r)
{
    return ring_said(r, ring_queue_end(r->queue));
}

void ring_doubt(struct ring *r)
{
    r->is_dirty = true;
}

void ring_ask_back(struct ring *r)
{
    ring_queue_ask_back(r->queue);
    ring_wake(r);
}

bool ring_take_outcome(struct ring *r, struct ring_outcome *out)
{
    return ring_queue_take(r->queue, out);
}

bool ring_take_cursor(struct ring *r, struct ring_cursor *out)
{
    bool has = r->has_cursor;

    *out = r->cursor;
    r->has_cursor = false;
    return has;
}

struct ring_stats ring_stats(const struct ring *r)
{
    struct ring_stats stats = r->stats;

    stats.queue = ring_queue_stats(r->queue);
    return stats;
}

void ring_check(const struct ring *r)
{
    ring_queue_check(r->queue);
}

/* ---- The step. -------------------------------------------------------------
 */

static void ring_take_event(const struct ring_watch *watch)
{
    uint64_t count;

    switch (watch->kind) {
    case RING_WATCH_LISTEN:
        ring_serve_accept(watch->of);
        break;
    case RING_WATCH_CONN:
        ring_serve_packet(watch->of);
        break;
    case RING_WATCH_PID:
        ((struct ring_conn *)watch->of)->is_gone = true;
        break;
    case RING_WATCH_RELEASED:
        (void)!read(((struct ring *)watch->of)->released_fd, &count,
                    sizeof(count));
        ((struct ring *)watch->of)->is_dirty = true;
        break;
    }
}

static void ring_end_conns(struct ring_host *h)
{
    for (uint32_t i = h->conn_count; i > 0; i--) {
        if (h->conns[i - 1]->is_gone && ring_serve_end(h->conns[i - 1])) {
            h->conns[i - 1] = h->conns[--h->conn_count];
        }
    }
}

/* Look, say that we want to hear of more, and look once more: what came back in
 * between may have rung nowhere. */
static void ring_collect(struct ring *r)
{
    struct ring_shared *shared = r->control.at;

    if (ring_queue_collect(r->queue) == STATUS_OK) {
        atomic_store(&shared->is_armed, 1);
    }
    r->is_dirty =
        ring_queue_collect(r->queue) == STATUS_CHANGED && !ring_renew(r);
}

enum status ring_host_step(struct ring_host *h, struct fault *why)
{
    struct epoll_event events[RING_EVENTS];
    int count;

    h->failed = STATUS_OK;
    ring_serve_heed(h);
    count = epoll_wait(h->epoll_fd, events, RING_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        ring_take_event(events[i].data.ptr);
    }
    ring_end_conns(h);
    for (uint32_t i = 0; i < h->ring_count; i++) {
        if (h->rings[i]->is_dirty) {
            ring_collect(h->rings[i]);
        }
        ring_wake(h->rings[i]);
    }
    if (h->failed != STATUS_OK) {
        *why = h->why;
    }
    return h->failed;
}
