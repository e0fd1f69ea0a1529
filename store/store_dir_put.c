/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing a value, and removing one.
 *
 * Everything below happens under the root's lock. A rename alone would do for
 * IF_ABSENT too, but link(2) fails where somebody else was first, so that it
 * holds even against programs that know nothing of the lock.
 *
 * Folders are made when a rename finds none, and removed when a DELETE leaves
 * them empty; since the two may meet, either is tried again. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "store/store_dir_fs.h"

enum { DIR_PUBLISH_TRIES = 1000 };

/* One attempt: done with a status, or to be tried again. */
struct dir_attempt {
    bool is_again;
    size_t made_below; /* Folders were made below the first so many bytes of
                          the path; SIZE_MAX for none. */
};

/* --- folders ------------------------------------------------------------- */

/* Return the length of the folder that holds the first @size bytes of @path,
 * without a '/'; 0 for the root. */
static size_t dir_parent(const char *path, size_t size)
{
    while (size > 0 && path[size] != '/') {
        size--;
    }
    return size;
}

static int dir_sync_one(const struct dir_store *d, const char *folder)
{
    int fd = openat(d->root, folder[0] != '\0' ? folder : ".",
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;
    int error;

    if (fd < 0) {
        /* Gone: its last object was deleted. Else we may not open it. */
        return errno == ENOENT || errno == ENOTDIR ? 0 : syncfs(d->root);
    }
    rc = fsync(fd);
    error = errno;
    close(fd);
    errno = error;
    /* Some file systems have nothing to do for a folder and say so. */
    return rc != 0 && (errno == EINVAL || errno == ENOTSUP) ? 0 : rc;
}

/* Sync the folder that holds the key, and those above it down from
 * @made_below. */
static enum status dir_sync_folders(struct dir_call *c, size_t made_below)
{
    char folder[STORE_KEY_MAX + 1];
    size_t size = dir_parent(c->path, strlen(c->path));
    size_t stop = made_below < size ? made_below : size;

    memcpy(folder, c->path, sizeof(folder));
    for (;;) {
        folder[size] = '\0';
        if (dir_sync_one(c->d, folder) != 0) {
            return dir_fault(c, errno, "sync its folder");
        }
        if (size <= stop) {
            return STATUS_OK;
        }
        size = dir_parent(folder, size);
    }
}

static enum status dir_make_folders(struct dir_call *c, struct dir_attempt *a)
{
    char folder[STORE_KEY_MAX + 1];
    size_t above = 0;

    memcpy(folder, c->path, sizeof(folder));
    for (size_t i = 0; folder[i] != '\0'; i++) {
        if (folder[i] != '/') {
            continue;
        }
        folder[i] = '\0';
        if (mkdirat(c->d->root, folder, 0777) == 0) {
            a->made_below = a->made_below < above ? a->made_below : above;
        } else if (errno == ENOENT) {
            break; /* A deleter took it away again. */
        } else if (errno != EEXIST && errno != ENOTDIR) {
            return dir_fault(c, errno, "make its folder");
        }
        folder[i] = '/';
        above = i;
    }
    a->is_again = true;
    return STATUS_OK;
}

/* --- conditions ---------------------------------------------------------- */

static enum status dir_meet(struct dir_call *c, enum dir_kind kind,
                            const struct stat *st)
{
    if (kind == DIR_UNKNOWN) {
        return dir_fault(c, errno, "look at");
    }
    if (c->r->when == STORE_IF_ABSENT && kind == DIR_FILE) {
        return dir_refuse(c, STATUS_EXISTS, "it exists already");
    }
    if (c->r->when == STORE_IF_MATCH && kind != DIR_FILE) {
        return dir_refuse(c, STATUS_NOT_FOUND, "there is no such object");
    }
    if (c->r->when == STORE_IF_MATCH && !dir_is_etag(st, c->r->etag)) {
        return dir_refuse(c, STATUS_CHANGED, "it was changed by somebody else");
    }
    return STATUS_OK;
}

/* What stands at the key is no file: make way, or say why not. */
static enum status dir_make_way(struct dir_call *c, enum dir_kind kind)
{
    if (kind == DIR_BLOCKED) {
        return dir_refuse(c, STATUS_CONFLICT,
                          "a part of this path is a file, so nothing can be "
                          "below it; one of the two needs another name");
    }
    if (kind == DIR_OTHER) {
        return dir_refuse(c, STATUS_CONFLICT,
                          "something that is no file has this name (a link "
                          "that leads nowhere, a FIFO, a device); remove it");
    }
    if (unlinkat(c->d->root, c->path, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return STATUS_OK;
    }
    return dir_refuse(c, STATUS_CONFLICT,
                      "a folder with something in it has this name; one of "
                      "the two needs another name");
}

/* --- put ----------------------------------------------------------------- */

/* Let the key name @t, under its final name or beside its temporary one. */
static int dir_rename(struct dir_call *c, const struct dir_temp *t,
                      enum dir_kind kind)
{
    int root = c->d->root;

    if (c->r->when == STORE_IF_ABSENT && kind != DIR_FILE) {
        if (linkat(root, t->name, root, c->path, 0) == 0) {
            return 0;
        }
        if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS &&
            errno != EMLINK) {
            return -1;
        }
    }
    return renameat(root, t->name, root, c->path);
}

static enum status dir_publish_once(struct dir_call *c, struct dir_temp *t,
                                    struct dir_attempt *a)
{
    struct stat old;
    enum dir_kind kind = dir_look(c->d, c->path, &old);
    enum status s = dir_meet(c, kind, &old);

    a->is_again = false;
    if (s == STATUS_OK && kind != DIR_FILE && kind != DIR_NOTHING) {
        s = dir_make_way(c, kind);
    }
    /* The temporary file has a time already; it is set again only where the
     * old value's is later (a clock that went back, a user's touch). */
    if (s == STATUS_OK && kind == DIR_FILE) {
        struct stat st;

        if (fstat(t->fd, &st) != 0) {
            return dir_fault(c, errno, "look at");
        }
        if (dir_mtime_ns(&st) <= dir_mtime_ns(&old)) {
            s = dir_temp_seal(c, t, dir_mtime_ns(&old), true);
        }
    }
    if (s != STATUS_OK || dir_rename(c, t, kind) == 0) {
        return s;
    }
    if (errno == ENOENT) {
        return dir_make_folders(c, a);
    }
    if (errno == EEXIST || errno == EISDIR || errno == ENOTDIR ||
        errno == ENOTEMPTY) {
        a->is_again = true; /* Somebody came between; look again. */
        return STATUS_OK;
    }
    return dir_fault(c, errno, "rename to it");
}

enum status dir_publish(struct dir_call *c, struct dir_temp *t)
{
    struct dir_attempt a = {.is_again = true, .made_below = SIZE_MAX};
    int lock = -1;
    enum status s = dir_temp_seal(c, t, 0, true);

    if (s == STATUS_OK) {
        s = dir_lock(c, &lock);
    }
    for (int i = 0; s == STATUS_OK && a.is_again; i++) {
        s = i < DIR_PUBLISH_TRIES
                ? dir_publish_once(c, t, &a)
                : dir_refuse(c, STATUS_STORE, "its folder comes and goes");
    }
    if (lock >= 0) {
        close(lock);
    }
    return s == STATUS_OK ? dir_sync_folders(c, a.made_below) : s;
}

enum status dir_put(struct dir_call *c)
{
    struct dir_temp t = {.fd = -1};
    enum status s = dir_temp_open(c, &t);

    if (s == STATUS_OK) {
        s = dir_temp_write(c, &t, (struct bytes){c->r->body, c->r->size});
    }
    if (s == STATUS_OK) {
        s = dir_publish(c, &t);
    }
    /* After a rename its temporary name is gone, after a link it still is
     * there; either way it goes now. */
    dir_temp_close(c, &t);
    return s;
}

/* --- delete -------------------------------------------------------------- */

static void dir_remove_folders(struct dir_call *c)
{
    char folder[STORE_KEY_MAX + 1];
    size_t size = dir_parent(c->path, strlen(c->path));

    memcpy(folder, c->path, sizeof(folder));
    while (size > 0) {
        folder[size] = '\0';
        if (unlinkat(c->d->root, folder, AT_REMOVEDIR) != 0) {
            return; /* Not empty, as a rule. */
        }
        size = dir_parent(folder, size);
    }
}

static enum status dir_delete_locked(struct dir_call *c, bool *is_removed)
{
    struct stat st;
    enum dir_kind kind = dir_look(c->d, c->path, &st);
    enum status s = dir_meet(c, kind, &st);

    if (s != STATUS_OK || kind != DIR_FILE) {
        return s;
    }
    if (unlinkat(c->d->root, c->path, 0) != 0 && errno != ENOENT) {
        return dir_fault(c, errno, "remove");
    }
    *is_removed = true;
    return STATUS_OK;
}

enum status dir_delete(struct dir_call *c)
{
    bool is_removed = false;
    int lock;
    enum status s = dir_lock(c, &lock);

    if (s != STATUS_OK) {
        return s;
    }
    s = dir_delete_locked(c, &is_removed);
    if (lock >= 0) {
        close(lock);
    }
    if (is_removed) {
        s = dir_sync_folders(c, SIZE_MAX);
        dir_remove_folders(c);
    }
    return s;
}
