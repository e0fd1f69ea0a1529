/* SPDX-License-Identifier: Apache-2.0 */
/* The directory store: opening, names, etags and reads. Below the root:
 *
 *   any/key                  the value of the key any/key
 *   .smshard/tmp/ID          a value that is being written
 *   .smshard/lock            the lock, where other hosts may see the folder
 *   .smshard/upload-ID/key   a multipart upload's key, locked by its owner
 *   .smshard/upload-ID/NNNNN its parts
 *
 * A PUT writes a temporary file, syncs it, and under the root's lock checks
 * the condition and renames: a reader sees the old value or the new one, and
 * kill -9 at any point leaves one of them. Locks are flock(2) locks, which
 * the kernel releases with their process. It is never the value itself that
 * is locked: that would keep it open across the rename, where NFS clients
 * move it aside first, so that the key is gone for a moment.
 *
 * The etag is (modification time in ns, size, inode). Files that users made
 * have one too. It never comes back: a PUT gives its file a time later than
 * that of the value it replaces, while both exist and so have two inodes;
 * after a DELETE it is the clock's nanosecond. Accepted limits: a file
 * written in place twice within one tick of its file system's clock, to the
 * same size, keeps its etag; a file system that keeps whole seconds and uses
 * an inode again within one of them could repeat an etag after a DELETE;
 * a machine that works on its own disk while others reach that disk through
 * it, by NFS say, has no lock in common with them: it must mount it too.
 *
 * Requests run in poll on the owner's thread: a file system that hangs blocks
 * the poll, as does a process that is stopped while it holds the root's lock.
 * File names are bytes and are kept as they are. */

#include "store/store_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/store_dir_fs.h"
#include "store/store_uri.h"

enum { DIR_LOOK_TRIES = 2 };

/* --- faults -------------------------------------------------------------- */

enum status dir_refuse(struct dir_call *c, enum status s, const char *reason,
                       ...)
{
    char name[STORE_URI_SHOW_MAX];
    char text[256];
    va_list args;

    va_start(args, reason);
    vsnprintf(text, sizeof(text), reason, args);
    va_end(args);
    return fault_set(&c->e->why, s, "%s: %s",
                     store_uri_show(c->d->root_uri, c->r->key, name), text);
}

enum status dir_fault(struct dir_call *c, int error, const char *verb)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
        return dir_refuse(c, STATUS_NOT_FOUND, "%s: %s", verb, strerror(error));
    case EACCES:
    case EPERM:
    case EROFS:
        return dir_refuse(c, STATUS_DENIED,
                          "%s: %s; user %u needs the right to do that", verb,
                          strerror(error), (unsigned)geteuid());
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return dir_refuse(c, STATUS_NO_SPACE,
                          "%s: %s; make room or use another place", verb,
                          strerror(error));
    case ENAMETOOLONG:
        return dir_refuse(c, STATUS_INVALID, "%s: %s", verb, strerror(error));
    case EXDEV:
        return dir_refuse(c, STATUS_UNSUPPORTED,
                          "%s: it is on another file system than the root of "
                          "the store; open the store below that mount",
                          verb);
    default:
        return dir_refuse(c, STATUS_STORE, "%s: %s", verb, strerror(error));
    }
}

/* --- etags --------------------------------------------------------------- */

int64_t dir_mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

uint64_t dir_mtime_ms(const struct stat *st)
{
    int64_t ns = dir_mtime_ns(st);

    return ns > 0 ? (uint64_t)ns / 1000000 : 0;
}

void dir_etag(const struct stat *st, char out[STORE_ETAG_MAX])
{
    snprintf(out, STORE_ETAG_MAX, "%" PRIx64 "-%" PRIx64 "-%" PRIx64,
             (uint64_t)dir_mtime_ns(st), (uint64_t)st->st_size,
             (uint64_t)st->st_ino);
}

bool dir_is_etag(const struct stat *st, const char *etag)
{
    char mine[STORE_ETAG_MAX];

    dir_etag(st, mine);
    return strcmp(mine, etag) == 0;
}

/* --- looking ------------------------------------------------------------- */

static enum dir_kind dir_kind_of(const struct stat *st)
{
    if (S_ISREG(st->st_mode)) {
        return DIR_FILE;
    }
    return S_ISDIR(st->st_mode) ? DIR_FOLDER : DIR_OTHER;
}

static enum dir_kind dir_kind_of_error(const struct dir_store *d,
                                       const char *path, int error)
{
    struct stat st;

    switch (error) {
    case ENOENT:
    case ELOOP:
        /* A name that is there and leads nowhere is in the way of a PUT. */
        return fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISLNK(st.st_mode)
                   ? DIR_OTHER
                   : DIR_NOTHING;
    case ENOTDIR:
        return DIR_BLOCKED;
    case ENXIO: /* A socket. */
    case ENODEV:
        return DIR_OTHER;
    default:
        errno = error;
        return DIR_UNKNOWN;
    }
}

/* Open what is at @path. *@fd is -1 unless it is a file.
 *
 * It is opened, not only looked up, because a network file system asks its
 * server at an open and answers lookups from memory. No link left: the file
 * was replaced since its name was found, by another host perhaps; again. */
static enum dir_kind dir_open_value(const struct dir_store *d, const char *path,
                                    struct stat *st, int *fd)
{
    enum dir_kind kind = DIR_NOTHING;

    for (int i = 0; i < DIR_LOOK_TRIES; i++) {
        *fd =
            openat(d->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (*fd < 0 && errno == ESTALE) {
            continue;
        }
        if (*fd < 0) {
            return dir_kind_of_error(d, path, errno);
        }
        kind = fstat(*fd, st) == 0 ? dir_kind_of(st) : DIR_UNKNOWN;
        if (kind == DIR_FILE && st->st_nlink > 0) {
            return DIR_FILE;
        }
        close(*fd);
        *fd = -1;
        if (kind != DIR_FILE) {
            return kind;
        }
    }
    errno = ESTALE;
    return DIR_UNKNOWN;
}

enum dir_kind dir_look(const struct dir_store *d, const char *path,
                       struct stat *out)
{
    int fd;
    enum dir_kind kind = dir_open_value(d, path, out, &fd);

    if (fd >= 0) {
        close(fd);
    }
    /* A file that we can not read still has a size and an etag. */
    if (kind == DIR_UNKNOWN && errno == EACCES &&
        fstatat(d->root, path, out, 0) == 0) {
        return dir_kind_of(out);
    }
    return kind;
}

/* --- reads --------------------------------------------------------------- */

/* As dir_open_value() does, for a reader, who holds no lock: where writers
 * come faster than it can look it queues with them once. */
static enum dir_kind dir_open_read(struct dir_call *c, struct stat *st, int *fd)
{
    enum dir_kind kind = dir_open_value(c->d, c->path, st, fd);
    int lock = -1;
    int error;

    if (kind != DIR_UNKNOWN || errno != ESTALE) {
        return kind;
    }
    if (dir_lock(c, &lock) != STATUS_OK) {
        errno = ESTALE;
        return kind;
    }
    kind = dir_open_value(c->d, c->path, st, fd);
    error = errno;
    if (lock >= 0) {
        close(lock);
    }
    errno = error;
    return kind;
}

static enum status dir_no_value(struct dir_call *c, enum dir_kind kind)
{
    if (kind == DIR_UNKNOWN) {
        return dir_fault(c, errno, "open");
    }
    return dir_refuse(c, STATUS_NOT_FOUND, "there is no such object%s",
                      kind == DIR_FOLDER  ? ", but a folder of that name"
                      : kind == DIR_OTHER ? ", but something that is no file"
                                          : "");
}

static void dir_tell(struct dir_call *c, const struct stat *st)
{
    dir_etag(st, c->e->etag);
    c->e->size = (uint64_t)st->st_size;
    c->e->modified_ms = dir_mtime_ms(st);
}

static enum status dir_head(struct dir_call *c)
{
    struct stat st;
    int fd = -1;
    enum dir_kind kind = dir_open_read(c, &st, &fd);

    if (fd >= 0) {
        close(fd);
    } else if (kind == DIR_UNKNOWN && errno == EACCES) {
        kind = dir_look(c->d, c->path, &st);
    }
    if (kind != DIR_FILE) {
        return dir_no_value(c, kind);
    }
    dir_tell(c, &st);
    return STATUS_OK;
}

static enum status dir_read_range(struct dir_call *c, int fd, size_t size)
{
    const struct store_request *r = c->r;

    while (c->e->got < size) {
        ssize_t got = pread(fd, (char *)r->into + c->e->got, size - c->e->got,
                            (off_t)(r->offset + c->e->got));

        if (got < 0 && errno != EINTR) {
            return dir_fault(c, errno, "read");
        }
        if (got == 0) {
            return dir_refuse(c, STATUS_CHANGED,
                              "it was cut short while it was read");
        }
        c->e->got += got > 0 ? (size_t)got : 0;
    }
    return STATUS_OK;
}

static enum status dir_read_value(struct dir_call *c, int fd,
                                  const struct stat *st)
{
    const struct store_request *r = c->r;
    uint64_t size = (uint64_t)st->st_size;
    struct stat after;
    enum status s;

    dir_tell(c, st);
    if (r->etag != NULL && !dir_is_etag(st, r->etag)) {
        return dir_refuse(c, STATUS_CHANGED, "it was changed by somebody else");
    }
    if (r->offset > 0 && r->offset >= size) {
        return dir_refuse(c, STATUS_INVALID,
                          "byte %" PRIu64 " was asked for and it has %" PRIu64,
                          r->offset, size);
    }
    size -= r->offset;
    s = dir_read_range(c, fd, size < r->size ? (size_t)size : r->size);
    if (s != STATUS_OK) {
        return s;
    }
    /* Another program may write the file in place: never half and half. */
    if (fstat(fd, &after) != 0) {
        return dir_fault(c, errno, "look at");
    }
    if (!dir_is_etag(&after, c->e->etag)) {
        return dir_refuse(c, STATUS_CHANGED,
                          "another program wrote it while it was read");
    }
    return STATUS_OK;
}

static enum status dir_get(struct dir_call *c)
{
    struct stat st;
    int fd;
    enum dir_kind kind = dir_open_read(c, &st, &fd);
    enum status s;

    if (kind != DIR_FILE) {
        return dir_no_value(c, kind);
    }
    s = dir_read_value(c, fd, &st);
    close(fd);
    return s;
}

/* --- the handle ---------------------------------------------------------- */

/* Return NULL, or why @key can not be a path. */
static const char *dir_find_wrong(struct bytes key)
{
    const char *end = key.at + key.size;

    for (const char *at = key.at; at <= end; at++) {
        const char *stop = memchr(at, '/', (size_t)(end - at));
        struct bytes part = {at, (size_t)((stop != NULL ? stop : end) - at)};

        if (part.size == 0) {
            return "a file's key has no empty part: no '/' at either end and "
                   "no \"//\"";
        }
        if (bytes_is(part, ".") || bytes_is(part, "..")) {
            return "a file's key has no part \".\" or \"..\"";
        }
        if (part.size > DIR_PART_MAX) {
            return "each part of a file's key has at most 255 bytes";
        }
        if (bytes_is(part, DIR_SPACE)) {
            return "the name .smshard is kept for the store itself";
        }
        at += part.size;
    }
    return NULL;
}

static enum status dir_open_root(struct dir_store *d, struct fault *why)
{
    int flags = O_DIRECTORY | O_CLOEXEC;
    enum store_use use = d->use;

    if (use == STORE_WRITE) {
        enum status s = file_make_folder(d->root_path, why);

        if (s != STATUS_OK) {
            return s;
        }
    }
    /* A source below a folder that may only be passed through is fine. */
    d->root = open(d->root_path, flags | (use == STORE_READ ? O_PATH : 0));
    if (d->root < 0) {
        return file_fault(why, errno, "open the folder", d->root_path);
    }
    if (use == STORE_WRITE &&
        faccessat(d->root, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return file_fault(why, errno, "write in the folder", d->root_path);
    }
    d->is_local = use == STORE_WRITE && dir_is_local(d->root);
    return STATUS_OK;
}

/* A root that was removed takes no file any more, also where a folder of its
 * name has come since: open what is there now, or make it where we write. */
static enum status dir_find_root(struct dir_store *d, struct fault *why)
{
    int old = d->root;
    struct fault unread;
    struct stat st;
    enum status s;

    if (fstat(old, &st) != 0 || st.st_nlink > 0) {
        return STATUS_OK;
    }
    s = dir_open_root(d, d->use == STORE_WRITE ? why : &unread);
    if (s == STATUS_OK) {
        dir_drop_walk(d);
        d->is_swept = false;
        close(old);
        return STATUS_OK;
    }
    if (d->root >= 0) {
        close(d->root);
    }
    d->root = old;
    return d->use == STORE_WRITE ? s : STATUS_OK;
}

static void dir_run(void *self, const struct store_request *request,
                    struct store_page *page, struct store_event *event)
{
    static enum status (*const calls[])(struct dir_call *) = {
        [STORE_LIST] = dir_list,
        [STORE_HEAD] = dir_head,
        [STORE_GET] = dir_get,
        [STORE_PUT] = dir_put,
        [STORE_DELETE] = dir_delete,
        [STORE_UPLOAD_BEGIN] = dir_begin,
        [STORE_UPLOAD_PART] = dir_part,
        [STORE_UPLOAD_END] = dir_end,
        [STORE_UPLOAD_ABORT] = dir_abort,
        [STORE_UPLOAD_PARTS] = dir_parts,
    };
    struct dir_call c = {self, request, event, page, ""};
    const char *wrong = NULL;

    CHECK(request->key.size <= STORE_KEY_MAX);
    if (request->op != STORE_LIST) {
        wrong = dir_find_wrong(request->key);
        memcpy(c.path, request->key.at, request->key.size);
    }
    if (wrong != NULL) {
        event->status = dir_refuse(&c, STATUS_INVALID, "%s", wrong);
        return;
    }
    event->status = dir_find_root(c.d, &event->why);
    if (event->status != STATUS_OK) {
        return;
    }
    if (request->op > STORE_GET) {
        /* A listing that goes on must show what this handle wrote. */
        dir_drop_walk(c.d);
        dir_sweep(c.d);
    }
    event->status = calls[request->op](&c);
}

static void dir_destroy(void *self)
{
    struct dir_store *d = self;

    dir_drop_uploads(d);
    dir_drop_walk(d);
    if (d->root >= 0) {
        dir_leave_no_trace(d);
        close(d->root);
    }
    free(d->root_path);
    free(d->root_uri);
    free(d);
}

enum status store_dir_open(const char *path, enum store_use use,
                           struct fault *why, struct store **out)
{
    static const struct store_serial_ops ops = {dir_run, dir_destroy};
    struct dir_store *d = mem_new(1, sizeof(*d));
    enum status s;

    CHECK(path[0] == '/' && path[strlen(path) - 1] == '/');
    d->root_path = mem_copy(path);
    d->root_uri = mem_print("file://%s", path);
    d->root = -1;
    d->use = use;
    s = dir_open_root(d, why);
    if (s != STATUS_OK) {
        dir_destroy(d);
        return s;
    }
    *out = store_serial_wrap(&ops, d, d->root_uri);
    return STATUS_OK;
}
