/* SPDX-License-Identifier: Apache-2.0 */
/* What is under .smshard/: temporary files, a lock where the root folder has
 * none, and the removal of what dead processes left.
 *
 * A temporary file is locked by whoever writes it. Who else gets that lock
 * knows the owner dead and removes the file. Between its creation and its
 * lock an owner can lose it to a sweeper; it sees that by the file having no
 * link, and makes another. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/store_dir_fs.h"

enum { DIR_TRIES = 100 };

void dir_make_id(char out[DIR_ID_SIZE])
{
    uint64_t id[2];

    hash_random(id, sizeof(id));
    snprintf(out, DIR_ID_SIZE, "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
}

/* Return 0 or the errno of making the store's own folders. */
static int dir_make_space(const struct dir_store *d)
{
    if (mkdirat(d->root, DIR_SPACE, 0777) != 0 && errno != EEXIST) {
        return errno;
    }
    if (mkdirat(d->root, DIR_TEMPS, 0777) != 0 && errno != EEXIST) {
        return errno;
    }
    return 0;
}

static int dir_flock(int fd, int how)
{
    int rc;

    do {
        rc = flock(fd, how);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

/* Return whether errno says that the file system has no locks at all. */
static bool dir_has_no_locks(void)
{
    return errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK;
}

/* Create @name for writing, and the store's own folders at need. */
static int dir_create(const struct dir_store *d, const char *name, int flags)
{
    int fd = -1;

    for (int i = 0; i < DIR_TRIES; i++) {
        fd = openat(d->root, name, flags | O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != ENOENT) {
            break;
        }
        /* A handle that closes may take the folders away in between. */
        errno = dir_make_space(d);
        if (errno != 0 && errno != ENOENT) {
            break;
        }
    }
    return fd;
}

/* --- temporary files ----------------------------------------------------- */

enum status dir_temp_open(struct dir_call *c, struct dir_temp *out)
{
    for (int i = 0; i < DIR_TRIES; i++) {
        char id[DIR_ID_SIZE];
        struct stat st;

        dir_make_id(id);
        snprintf(out->name, sizeof(out->name), "%s/%s", DIR_TEMPS, id);
        out->fd = dir_create(c->d, out->name, O_EXCL);
        if (out->fd < 0) {
            return dir_fault(c, errno, "create a temporary file for it");
        }
        if (dir_flock(out->fd, LOCK_EX) != 0 && !dir_has_no_locks()) {
            int error = errno;

            dir_temp_close(c, out);
            return dir_fault(c, error, "lock a temporary file for it");
        }
        if (fstat(out->fd, &st) == 0 && st.st_nlink > 0) {
            return STATUS_OK;
        }
        dir_temp_close(c, out);
    }
    return dir_refuse(c, STATUS_STORE, "its temporary files vanish");
}

enum status dir_temp_write(struct dir_call *c, struct dir_temp *t,
                           struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(t->fd, bytes.at, bytes.size);

        if (put < 0 && errno != EINTR) {
            return dir_fault(c, errno, "write");
        }
        if (put > 0) {
            bytes.at += put;
            bytes.size -= (size_t)put;
        }
    }
    return STATUS_OK;
}

static int dir_set_mtime(int fd, int64_t ns, struct stat *st)
{
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000},
    };

    return futimens(fd, times) == 0 ? fstat(fd, st) : -1;
}

enum status dir_temp_seal(struct dir_call *c, struct dir_temp *t,
                          int64_t after_ns, bool is_durable)
{
    struct timespec now;
    struct stat st;
    int64_t ns;

    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    ns = ns > after_ns ? ns : after_ns + 1;
    if (dir_set_mtime(t->fd, ns, &st) != 0) {
        return dir_fault(c, errno, "set its time");
    }
    /* Some file systems keep whole seconds only. */
    if (dir_mtime_ns(&st) <= after_ns &&
        dir_set_mtime(t->fd, (after_ns / 1000000000 + 1) * 1000000000, &st) !=
            0) {
        return dir_fault(c, errno, "set its time");
    }
    if (is_durable && fsync(t->fd) != 0) {
        return dir_fault(c, errno, "sync");
    }
    dir_etag(&st, c->e->etag);
    return STATUS_OK;
}

void dir_temp_close(struct dir_call *c, struct dir_temp *t)
{
    if (t->name[0] != '\0') {
        unlinkat(c->d->root, t->name, 0);
        t->name[0] = '\0';
    }
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
}

/* --- the lock of the store ------------------------------------------------ */

/* Return whether a folder's lock is one for all who can see the folder: on
 * file systems of one machine. Elsewhere (NFS, Lustre, FUSE, SMB) the kernel
 * grants it without asking the server, to every host at once; such a file
 * system carries the locks of files only, if any. */
bool dir_is_local(int root)
{
    enum { ZFS_MAGIC = 0x2fc12fc1 };
    struct statfs fs;

    if (fstatfs(root, &fs) != 0) {
        return false;
    }
    switch ((uint32_t)fs.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case ZFS_MAGIC:
        return true;
    default:
        return false;
    }
}

/* One lock for all keys of a root: it is held for a look and a rename, as a
 * rule not while bytes are written or synced. Where it can, it is the root
 * folder's own, which leaves no file behind. Else it is a file that stays:
 * who removes it while others wait for it would let two in. */
static int dir_open_lock(const struct dir_store *d)
{
    if (d->is_local) {
        return openat(d->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return dir_create(d, DIR_LOCK, 0);
}

enum status dir_lock(struct dir_call *c, int *out)
{
    *out = dir_open_lock(c->d);
    if (*out < 0) {
        return dir_fault(c, errno, "open its store's lock");
    }
    if (dir_flock(*out, LOCK_EX) == 0) {
        return STATUS_OK;
    }
    if (!dir_has_no_locks()) {
        int error = errno;

        close(*out);
        return dir_fault(c, error, "take its store's lock");
    }
    close(*out);
    *out = -1;
    if (c->r->when == STORE_IF_MATCH) {
        return dir_refuse(c, STATUS_UNSUPPORTED,
                          "this file system has no locks between processes, "
                          "so a value can not be replaced under a condition; "
                          "mount it with locks (flock)");
    }
    return STATUS_OK;
}

/* --- sweeping ------------------------------------------------------------ */

static void dir_sweep_temp(const struct dir_store *d, const char *name)
{
    char path[DIR_NAME_MAX];
    int fd;

    if (strlen(name) >= DIR_ID_SIZE) {
        return;
    }
    snprintf(path, sizeof(path), "%s/%.40s", DIR_TEMPS, name);
    fd = openat(d->root, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (dir_flock(fd, LOCK_EX | LOCK_NB) == 0) {
        unlinkat(d->root, path, 0);
    }
    close(fd);
}

static DIR *dir_open_folder(const struct dir_store *d, const char *path)
{
    int fd = openat(d->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL && fd >= 0) {
        close(fd);
    }
    return dir;
}

/* What can not be swept costs space and nothing else, so that no status
 * comes of it; whoever writes next tries again. */
void dir_sweep(struct dir_store *d)
{
    static const char *const folders[] = {DIR_TEMPS, DIR_SPACE};

    if (d->is_swept) {
        return;
    }
    d->is_swept = true;
    for (int i = 0; i < 2; i++) {
        DIR *dir = dir_open_folder(d, folders[i]);
        struct dirent *e;

        while (dir != NULL && (e = readdir(dir)) != NULL) {
            if (i == 0 && e->d_name[0] != '.') {
                dir_sweep_temp(d, e->d_name);
            } else if (strncmp(e->d_name, DIR_UPLOAD, strlen(DIR_UPLOAD)) ==
                       0) {
                dir_sweep_upload(d, e->d_name);
            }
        }
        if (dir != NULL) {
            closedir(dir);
        }
    }
}

void dir_leave_no_trace(struct dir_store *d)
{
    if (d->is_swept) {
        /* Both fail where something is in them: somebody is still at work. */
        unlinkat(d->root, DIR_TEMPS, AT_REMOVEDIR);
        unlinkat(d->root, DIR_SPACE, AT_REMOVEDIR);
    }
}
