/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/mount_state_fuse.h"

enum { BYTES_SAY_MS = 5000 }; /* A line in the log at most so often. */

static struct mount_ahead_file *bytes_file(const struct fuse_file_info *fi)
{
    return (struct mount_ahead_file *)(uintptr_t)fi->fh;
}

static uint8_t *bytes_cell(const struct mount *m, uint32_t cell)
{
    return (uint8_t *)slots_at(m->o.slots, m->slots[cell / m->cells_each]) +
           (size_t)(cell % m->cells_each) * m->cell_bytes;
}

/* ---- what the core wants ------------------------------------------------- */

static void bytes_fetch_locked(struct mount *m, const struct mount_act *act)
{
    struct mount_object object = {.size = 0};
    struct fetch_request r = {
        .tag = act->cell,
        .source = m->o.source,
        .lane = m->o.lane,
        .offset = act->from,
        .size = act->size,
        .is_whole = act->is_whole,
        .into = bytes_cell(m, act->cell),
        .due = act->due_in_ms == 0
                   ? FETCH_NOW
                   : fetch_clock_ms(m->o.fetch) + act->due_in_ms,
    };

    m->o.index.at(m->o.index.self, act->object, &object);
    r.key = object.key;
    r.etag = object.etag;
    fetch_submit(m->locked.port, &r);
}

static void bytes_act_locked(struct mount *m)
{
    struct mount_act act;

    while (mount_ahead_act(m->locked.ahead, &act)) {
        switch (act.kind) {
        case MOUNT_ACT_FETCH:
            bytes_fetch_locked(m, &act);
            break;
        case MOUNT_ACT_HURRY:
            fetch_hurry(m->locked.port, act.cell, FETCH_NOW);
            break;
        case MOUNT_ACT_CANCEL:
            fetch_cancel(m->locked.port, act.cell);
            break;
        case MOUNT_ACT_NONE:
        default:
            UNREACHABLE("no act");
        }
    }
}

/* ---- answers ------------------------------------------------------------- */

static struct mount_request *bytes_request_locked(struct mount *m)
{
    struct mount_request *r = m->locked.spare;

    if (r == NULL) {
        return mem_new(1, sizeof(*r));
    }
    m->locked.spare = r->next;
    return r;
}

/* The next one that waits no more; those before it were answered. */
static struct mount_request *bytes_ripe_locked(struct mount *m)
{
    struct mount_ahead_read *read = mount_ahead_ripe(m->locked.ahead);

    return read != NULL ? read->owner : NULL;
}

/* Say it, but not for each. */
static void bytes_say_failed(struct mount *m, enum status status)
{
    uint64_t now_ms = clock_now_ms(&clock_os);
    uint64_t count = 0;
    struct fault why;
    char reason[2 * FAULT_TEXT_MAX];

    pthread_mutex_lock(&m->lock);
    m->locked.failed++;
    if (m->locked.said == 0 || now_ms - m->locked.said_ms >= BYTES_SAY_MS) {
        count = m->locked.failed - m->locked.said;
        m->locked.said = m->locked.failed;
        m->locked.said_ms = now_ms;
        why = m->locked.why;
    }
    pthread_mutex_unlock(&m->lock);
    if (count > 0) {
        log_event(LOG_ERROR, "mount.unreadable",
                  "channel=%s reads=%llu status=%s reason=%s", m->channel,
                  (unsigned long long)count, status_name(status),
                  log_quote(why.text, reason, sizeof(reason)));
    }
}

/* Straight from the cells. */
static void bytes_reply(struct mount *m, struct mount_request *r)
{
    struct iovec parts[MOUNT_VIEWS_MAX];

    if (r->read.status != STATUS_OK) {
        if (r->read.status != STATUS_STOPPED) {
            bytes_say_failed(m, r->read.status);
        }
        (void)fuse_reply_err(r->req, EIO);
        return;
    }
    for (uint32_t i = 0; i < r->read.view_count; i++) {
        const struct mount_view *v = &r->read.views[i];

        parts[i] = (struct iovec){bytes_cell(m, v->cell) + v->at, v->size};
    }
    (void)fuse_reply_iov(r->req, parts, (int)r->read.view_count);
}

static void bytes_release_locked(struct mount *m, struct mount_request *r)
{
    mount_ahead_release(m->locked.ahead, &r->read);
    bytes_act_locked(m);
    r->next = m->locked.spare;
    m->locked.spare = r;
}

/* Answer @first, if there is one, and all that wait no more. */
static void bytes_answer(struct mount *m, struct mount_request *first)
{
    struct mount_request *r = first;

    while (r != NULL) {
        bytes_reply(m, r);
        pthread_mutex_lock(&m->lock);
        bytes_release_locked(m, r);
        r = bytes_ripe_locked(m);
        pthread_mutex_unlock(&m->lock);
    }
}

/* ---- requests ------------------------------------------------------------ */

void mount_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = fuse_req_userdata(req);
    struct mount_ahead_file *file;
    struct mount_node node;

    if (mount_tree_get(m->tree, ino, &node) != STATUS_OK || node.is_folder) {
        (void)fuse_reply_err(req, ENOENT);
        return;
    }
    if ((fi->flags & O_ACCMODE) != O_RDONLY) {
        (void)fuse_reply_err(req, EROFS);
        return;
    }
    pthread_mutex_lock(&m->lock);
    file = mount_ahead_open(m->locked.ahead, node.object, node.size);
    pthread_mutex_unlock(&m->lock);
    fi->fh = (uintptr_t)file;
    fi->keep_cache = 1;
    fi->noflush = 1;
    if (fuse_reply_open(req, fi) != 0) { /* Who asked has gone. */
        pthread_mutex_lock(&m->lock);
        mount_ahead_close(m->locked.ahead, file);
        bytes_act_locked(m);
        pthread_mutex_unlock(&m->lock);
    }
}

void mount_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = fuse_req_userdata(req);
    struct mount_request *ripe;

    (void)ino;
    pthread_mutex_lock(&m->lock);
    mount_ahead_close(m->locked.ahead, bytes_file(fi));
    bytes_act_locked(m);
    ripe = bytes_ripe_locked(m);
    pthread_mutex_unlock(&m->lock);
    (void)fuse_reply_err(req, 0);
    bytes_answer(m, ripe);
}

void mount_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                struct fuse_file_info *fi)
{
    struct mount *m = fuse_req_userdata(req);
    struct mount_request *r;
    enum status s;

    (void)ino;
    if (size > m->read_max || off < 0) {
        (void)fuse_reply_err(req, EINVAL);
        return;
    }
    pthread_mutex_lock(&m->lock);
    r = bytes_request_locked(m);
    r->req = req;
    r->read.owner = r;
    mount_ahead_time(m->locked.ahead, clock_now_ms(&clock_os));
    s = mount_ahead_read(m->locked.ahead, bytes_file(fi), (uint64_t)off,
                         (uint32_t)size, &r->read);
    bytes_act_locked(m);
    if (s != STATUS_OK) {
        r = bytes_ripe_locked(m);
    }
    pthread_mutex_unlock(&m->lock);
    bytes_answer(m, r);
}

/* ---- the thread that waits ------------------------------------------------
 */

/* Take what the fetch has brought. Returns a read that waits no more. */
static struct mount_request *bytes_take(struct mount *m)
{
    struct mount_request *ripe;
    struct fetch_event e;

    pthread_mutex_lock(&m->lock);
    while (fetch_take(m->locked.port, &e)) {
        if (e.status != STATUS_OK && e.status != STATUS_STOPPED) {
            m->locked.why = e.why;
        }
        mount_ahead_done(m->locked.ahead, (uint32_t)e.tag, e.status);
        bytes_act_locked(m);
    }
    ripe = bytes_ripe_locked(m);
    pthread_mutex_unlock(&m->lock);
    return ripe;
}

void *mount_wait(void *self)
{
    struct mount *m = self;
    struct pollfd fds[] = {{.fd = fetch_fd(m->locked.port), .events = POLLIN},
                           {.fd = m->stop, .events = POLLIN}};

    while (!atomic_load(&m->is_stopping)) {
        (void)poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
        bytes_answer(m, bytes_take(m));
    }
    return NULL;
}

void mount_end_reads(struct mount *m)
{
    struct mount_request *ripe;

    pthread_mutex_lock(&m->lock);
    mount_ahead_stop(m->locked.ahead);
    ripe = bytes_ripe_locked(m);
    pthread_mutex_unlock(&m->lock);
    bytes_answer(m, ripe);
}
