/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/mount_point.h"
#include "worker/mount_state_fuse.h"

enum {
    MOUNT_CELLS = 48, /* Slots are cut until there are so many, */
    MOUNT_CELL_MIN = 1 << 20,
    MOUNT_CELLS_FEW = 8, /* or, where there is little, so many. */
    MOUNT_CELL_LEAST = 16 << 10,
    MOUNT_BACKGROUND = 64,
    MOUNT_AHEAD_KIB = 2048, /* Of the system: two requests of the largest. */
    MOUNT_THREADS = 8,
};

/* ---- what FUSE says -------------------------------------------------------
 */

/* Its messages, of which the last one says why a mount failed. */
static struct {
    pthread_mutex_t lock;
    char last[256];
} mount_words = {.lock = PTHREAD_MUTEX_INITIALIZER};

__attribute__((format(printf, 2, 0))) static void mount_log(
    enum fuse_log_level level, const char *format, va_list args)
{
    char text[sizeof(mount_words.last)];
    char quoted[2 * sizeof(text)];

    (void)level;
    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    pthread_mutex_lock(&mount_words.lock);
    memcpy(mount_words.last, text, sizeof(text));
    pthread_mutex_unlock(&mount_words.lock);
    log_event(LOG_INFO, "mount.fuse", "text=%s",
              log_quote(text, quoted, sizeof(quoted)));
}

static enum status mount_fault(const struct mount *m, struct fault *why)
{
    pthread_mutex_lock(&mount_words.lock);
    (void)fault_set(why, STATUS_OS,
                    "%s: could not be mounted: %s; in a container it takes "
                    "--device /dev/fuse --cap-add SYS_ADMIN; or use File or "
                    "Pipe mode",
                    m->folder,
                    mount_words.last[0] != '\0' ? mount_words.last
                                                : "no reason was given");
    pthread_mutex_unlock(&mount_words.lock);
    return STATUS_OS;
}

static void mount_init(void *self, struct fuse_conn_info *conn)
{
    struct mount *m = self;

    atomic_store(&m->has_begun, true);
    conn->max_read = m->read_max;
    conn->max_readahead = MOUNT_AHEAD_KIB << 10;
    conn->max_background = MOUNT_BACKGROUND;
    conn->congestion_threshold = MOUNT_BACKGROUND;
    conn->want |=
        conn->capable &
        (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
         FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_NO_OPENDIR_SUPPORT);
    /* Sizes and times do not change. */
    conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ);
}

/* ---- threads --------------------------------------------------------------
 */

/* All that is to be read now. false: it is over. */
static bool mount_serve(struct mount *m, struct fuse_buf *buf)
{
    while (!atomic_load(&m->is_stopping)) {
        int size = fuse_session_receive_buf(m->session, buf);

        if (size == -EAGAIN) {
            return true;
        }
        if (size == -EINTR) {
            continue;
        }
        if (size <= 0) {
            return false; /* Somebody has unmounted it. */
        }
        fuse_session_process_buf(m->session, buf);
        if (atomic_exchange(&m->has_begun, false)) {
            mount_point_read_ahead(m->folder, MOUNT_AHEAD_KIB);
        }
    }
    return false;
}

/* Each waits for itself, so that a request wakes one of them. */
static int mount_new_epoll(const struct mount *m)
{
    struct epoll_event wakes_one = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    struct epoll_event wakes_all = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    CHECK(epoll >= 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fuse_session_fd(m->session),
                    &wakes_one) == 0);
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, m->stop, &wakes_all) == 0);
    return epoll;
}

static void *mount_run(void *self)
{
    struct mount *m = self;
    struct fuse_buf buf = {.mem = NULL};
    struct epoll_event event;
    int epoll = mount_new_epoll(m);

    while (mount_serve(m, &buf)) {
        (void)epoll_wait(epoll, &event, 1, -1);
    }
    close(epoll);
    free(buf.mem);
    return NULL;
}

static enum status mount_start_threads(struct mount *m, struct fault *why)
{
    uint32_t wanted = m->o.threads;
    sigset_t all;
    sigset_t before;
    int error;

    if (wanted == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);

        wanted = cores < 2               ? 2
                 : cores > MOUNT_THREADS ? MOUNT_THREADS
                                         : (uint32_t)cores;
    }
    wanted = wanted < MOUNT_THREADS_MAX ? wanted : MOUNT_THREADS_MAX;
    /* Signals are for the threads that wait for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&m->waiter, NULL, mount_wait, m);
    m->has_waiter = error == 0;
    while (error == 0 && m->thread_count < wanted) {
        error =
            pthread_create(&m->threads[m->thread_count], NULL, mount_run, m);
        m->thread_count += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? STATUS_OK
                      : fault_set(why, STATUS_OS, "%s: start a thread: %s",
                                  m->folder, strerror(error));
}

/* ---- memory ---------------------------------------------------------------
 */

/* Cut the slots, so that there are cells enough for several readers. */
static void mount_cut(struct mount *m)
{
    uint64_t bytes = slots_size(m->o.slots);
    uint64_t count = m->slot_count;

    m->cells_each = 1;
    while (count * m->cells_each < MOUNT_CELLS && bytes > MOUNT_CELL_MIN) {
        m->cells_each *= 2;
        bytes /= 2;
    }
    while (count * m->cells_each < MOUNT_CELLS_FEW &&
           bytes > MOUNT_CELL_LEAST) {
        m->cells_each *= 2;
        bytes /= 2;
    }
    m->cell_bytes = (uint32_t)bytes;
}

static enum status mount_take_slots(struct mount *m, struct fault *why)
{
    size_t size = slots_size(m->o.slots);
    uint32_t slot;

    CHECK((size & (size - 1)) == 0 && size <= UINT32_MAX);
    m->slots = mem_new(m->o.slots_max, sizeof(m->slots[0]));
    while (m->slot_count < m->o.slots_max && m->slot_count < MOUNT_CELLS_MAX &&
           (slot = slots_take(m->o.slots)) != SLOTS_NONE) {
        m->slots[m->slot_count++] = slot;
    }
    mount_cut(m);
    if (m->slot_count * m->cells_each >= MOUNT_CELLS_MIN) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_FULL,
                     "%s: %u slots of %zu bytes are too little for a mount; "
                     "raise --memory",
                     m->channel, m->slot_count, size);
}

/* ---- the order as listed ---------------------------------------------------
 */

static uint64_t mount_as_listed(void *self, uint64_t epoch, uint64_t number)
{
    (void)self;
    (void)epoch;
    return number;
}

static uint64_t mount_size_of(void *self, uint64_t object)
{
    const struct mount *m = self;
    struct mount_object io = {.size = 0};

    m->o.index.at(m->o.index.self, object, &io);
    return io.size;
}

static struct mount *mount_new(const struct mount_options *o)
{
    struct mount *m = mem_new(1, sizeof(*m));

    m->o = *o;
    m->folder = mem_copy(o->folder);
    m->channel = mem_copy(o->channel);
    m->tree = mount_tree_new(&m->o.index, o->prefix);
    m->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    if (o->order.count == 0) {
        m->o.order = (struct mount_order){.count = o->index.count,
                                          .object = mount_as_listed,
                                          .position = mount_as_listed};
    }
    m->stat.st_nlink = 1;
    m->stat.st_uid = getuid();
    m->stat.st_gid = getgid();
    m->stat.st_mtim.tv_sec = (time_t)o->time_s;
    m->stat.st_ctim = m->stat.st_mtim;
    m->stat.st_atim = m->stat.st_mtim;
    return m;
}

static enum status mount_new_ahead(struct mount *m, struct fault *why)
{
    m->locked.ahead = mount_ahead_new(&(struct mount_ahead_options){
        .cells = m->slot_count * m->cells_each < MOUNT_CELLS_MAX
                     ? m->slot_count * m->cells_each
                     : MOUNT_CELLS_MAX,
        .cell_bytes = m->cell_bytes,
        .order = m->o.order,
        .size_of = mount_size_of,
        .self = m,
    });
    m->read_max = mount_ahead_read_max(m->locked.ahead);
    m->locked.port = fetch_open(m->o.fetch);
    return m->locked.port != NULL && m->stop >= 0
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "%s: wait for reads: %s", m->folder,
                           strerror(errno));
}

/* ---- mounting --------------------------------------------------------------
 */

static enum status mount_open_session(struct mount *m, struct fault *why)
{
    static const struct fuse_lowlevel_ops ops = {
        .init = mount_init,
        .lookup = mount_lookup,
        .getattr = mount_getattr,
        .opendir = mount_opendir,
        .readdir = mount_readdir,
        .readdirplus = mount_readdirplus,
        .statfs = mount_statfs,
        .open = mount_open,
        .read = mount_read,
        .release = mount_release,
    };
    /* Others than the super-user may not let others in. */
    char *options =
        mem_print("ro,nosuid,nodev,noatime,fsname=smshard,subtype=smshard,"
                  "default_permissions,max_read=%u%s",
                  m->read_max, geteuid() == 0 ? ",allow_other" : "");
    char *words[] = {mem_copy("smshard"), mem_copy("-o"), options};
    struct fuse_args args = {.argc = 3, .argv = words};

    fuse_set_log_func(mount_log);
    m->session = fuse_session_new(&args, &ops, sizeof(ops), m);
    fuse_opt_free_args(&args);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        free(words[i]);
    }
    if (m->session == NULL) {
        return mount_fault(m, why);
    }
    if (fuse_session_mount(m->session, m->folder) != 0) {
        fuse_session_destroy(m->session);
        m->session = NULL;
        return mount_fault(m, why);
    }
    return STATUS_OK;
}

/* Threads that wait for a request must not be stuck with one that another has
 * taken. */
static enum status mount_open_device(struct mount *m, struct fault *why)
{
    int fd = fuse_session_fd(m->session);
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return fault_set(why, STATUS_OS, "%s: fcntl: %s", m->folder,
                         strerror(errno));
    }
    return mount_start_threads(m, why);
}

enum status mount_start(const struct mount_options *o, struct fault *why,
                        struct mount **out)
{
    struct mount *m = mount_new(o);
    enum status s = mount_point_has_fuse(why);

    if (s == STATUS_OK) {
        s = mount_point_prepare(m->folder, why);
    }
    if (s == STATUS_OK) {
        s = mount_take_slots(m, why);
    }
    if (s == STATUS_OK) {
        s = mount_new_ahead(m, why);
    }
    if (s == STATUS_OK) {
        s = mount_open_session(m, why);
    }
    if (s == STATUS_OK) {
        s = mount_open_device(m, why);
    }
    if (s == STATUS_OK) {
        log_event(LOG_INFO, "mount.ready",
                  "channel=%s folder=%s objects=%llu cells=%u cell-kib=%u",
                  m->channel, m->folder, (unsigned long long)o->index.count,
                  m->slot_count * m->cells_each, m->cell_bytes >> 10);
    } else {
        mount_stop(&m);
    }
    *out = m;
    return s;
}

/* ---- the end ---------------------------------------------------------------
 */

static void mount_end_threads(struct mount *m)
{
    uint64_t one = 1;

    atomic_store(&m->is_stopping, true);
    CHECK(m->stop < 0 || write(m->stop, &one, sizeof(one)) == sizeof(one));
    while (m->thread_count > 0) {
        CHECK(pthread_join(m->threads[--m->thread_count], NULL) == 0);
    }
    if (m->has_waiter) {
        CHECK(pthread_join(m->waiter, NULL) == 0);
    }
}

static void mount_free(struct mount *m)
{
    while (m->locked.spare != NULL) {
        struct mount_request *r = m->locked.spare;

        m->locked.spare = r->next;
        free(r);
    }
    for (uint32_t i = 0; i < m->slot_count; i++) {
        slots_give(m->o.slots, m->slots[i]);
    }
    mount_ahead_destroy(&m->locked.ahead);
    mount_tree_destroy(&m->tree);
    CHECK(pthread_mutex_destroy(&m->lock) == 0);
    if (m->stop >= 0) {
        close(m->stop);
    }
    free(m->slots);
    free(m->folder);
    free(m->channel);
    free(m);
}

void mount_stop(struct mount **mp)
{
    struct mount *m = *mp;

    if (m == NULL) {
        return;
    }
    mount_end_threads(m);
    if (m->session != NULL) {
        mount_end_reads(m);
        /* Ends the connection, and takes the folder off even when it is in
         * use. */
        fuse_session_unmount(m->session);
        fuse_session_destroy(m->session);
        mount_point_bury(m->folder);
    }
    fetch_close(&m->locked.port);
    mount_free(m);
    *mp = NULL;
}

struct mount_stats mount_stats(struct mount *m)
{
    struct mount_stats stats;

    pthread_mutex_lock(&m->lock);
    stats.ahead = mount_ahead_stats(m->locked.ahead);
    stats.failed = m->locked.failed;
    stats.why = m->locked.why;
    pthread_mutex_unlock(&m->lock);
    return stats;
}
