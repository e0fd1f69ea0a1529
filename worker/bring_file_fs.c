/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "proto/inventory.h"
#include "proto/keypath.h"

enum { BRING_FILE_MODE = 0644, BRING_MODE_MASK = 07777 };

/* ---- faults ------------------------------------------------------------- */

enum status bring_file_stopped(const struct bring_file *f)
{
    return fault_set(f->why, STATUS_STOPPED, "%s: bringing was stopped",
                     f->target->channel->name);
}

static enum status bring_file_no_space(const struct bring_file *f)
{
    unsigned long long free_bytes = 0;
    enum status s = file_free_bytes(f->target->staging, NULL, &free_bytes);

    return fault_set(f->why, STATUS_NO_SPACE,
                     "%s: %.*s: the disk is full: the object has %" PRIu64
                     " bytes and %llu are free below %s; free some or choose "
                     "another base folder",
                     f->target->channel->name, BRING_KEY_SHOWN, f->object->key,
                     f->object->size, s == STATUS_OK ? free_bytes : 0,
                     f->target->staging);
}

static enum status bring_file_conflict(const struct bring_file *f)
{
    return fault_set(f->why, STATUS_CONFLICT,
                     "%s: %.*s: its place \"%.*s\" is taken by another object "
                     "or by a folder of one; rename one of them or choose a "
                     "longer prefix",
                     f->target->channel->name, BRING_KEY_SHOWN, f->object->key,
                     (int)f->path.size, f->path.at);
}

enum status bring_file_fault(const struct bring_file *f, int error,
                             const char *verb, const char *path)
{
    enum status s;

    if (error == EEXIST || error == ENOTDIR || error == EISDIR) {
        return bring_file_conflict(f);
    }
    s = file_fault(f->why, error, verb, path);
    if (s == STATUS_NO_SPACE) {
        return bring_file_no_space(f);
    }
    return fault_prefix(f->why, s, "%s: %.*s", f->target->channel->name,
                        BRING_KEY_SHOWN, f->object->key);
}

/* A list that somebody else has made is as old as it is. */
static enum status bring_file_stale(const struct bring_file *f, enum status s)
{
    const struct bring_channel *c = f->target->channel;

    return fault_set(
        f->why, s, "%s: %s%.*s: it is %s %s; " INVENTORY_STALE_ADVICE, c->name,
        c->root_uri, BRING_KEY_SHOWN, f->object->key,
        s == STATUS_NOT_FOUND ? "gone, and is named by" : "another now than in",
        c->named_by);
}

enum status bring_file_gone(const struct bring_file *f)
{
    return f->target->channel->named_by != NULL
               ? bring_file_stale(f, STATUS_NOT_FOUND)
               : STATUS_NOT_FOUND;
}

enum status bring_file_changed(const struct bring_file *f)
{
    if (f->target->channel->named_by != NULL) {
        return bring_file_stale(f, STATUS_CHANGED);
    }
    return fault_set(f->why, STATUS_CHANGED,
                     "%s: %s%.*s: it was overwritten or shortened since it "
                     "was listed; start the job again, and let nobody write "
                     "to its source",
                     f->target->channel->name, f->target->channel->root_uri,
                     BRING_KEY_SHOWN, f->object->key);
}

enum status bring_file_damaged(const struct bring_file *f, const char *kind)
{
    return fault_set(f->why, STATUS_STORE,
                     "%s: %s%.*s: its bytes do not match the checksum that "
                     "the store keeps of them (%s), read twice; the object or "
                     "the way to it is damaged",
                     f->target->channel->name, f->target->channel->root_uri,
                     BRING_KEY_SHOWN, f->object->key, kind);
}

/* ---- folders ------------------------------------------------------------ */

static enum status bring_file_make_one(struct bring_file *f, const char *folder)
{
    struct stat st;

    if (mkdir(folder, 0755) == 0) {
        /* Whatever the umask is: the command may run as somebody else. */
        return chmod(folder, 0755) == 0
                   ? STATUS_OK
                   : bring_file_fault(f, errno, "set the mode", folder);
    }
    if (errno == EEXIST && lstat(folder, &st) == 0 && S_ISDIR(st.st_mode)) {
        return STATUS_OK;
    }
    return bring_file_fault(f, errno, "make the folder", folder);
}

/* Make @folder and what of its parents lies below @root. */
static enum status bring_file_make_folder(struct bring_file *f,
                                          const char *root, struct bytes folder)
{
    struct buf *made = f->made;
    struct buf path = {0};
    enum status s = STATUS_OK;
    size_t at;

    buf_add_text(&path, root);
    buf_add_char(&path, '/');
    at = path.size;
    buf_add_bytes(&path, folder);
    if (bytes_is_equal(buf_bytes(&path), buf_bytes(made))) {
        buf_fini(&path);
        return STATUS_OK;
    }
    while (s == STATUS_OK && at < path.size) {
        size_t part = strcspn(path.at + at, "/");
        char end = path.at[at + part];

        path.at[at + part] = '\0';
        s = bring_file_make_one(f, path.at);
        path.at[at + part] = end;
        at += part + (end != '\0');
    }
    buf_clear(made);
    if (s == STATUS_OK) {
        buf_add_bytes(made, buf_bytes(&path));
    }
    buf_fini(&path);
    return s;
}

/* The path's folder, with its slash; empty when it has none. */
static struct bytes bring_file_parent(const struct bring_file *f)
{
    struct bytes parent = f->path;

    while (parent.size > 0 && parent.at[parent.size - 1] != '/') {
        parent.size--;
    }
    return parent;
}

enum status bring_file_make_marker(struct bring_file *f)
{
    const struct bring_target *t = f->target;

    return bring_file_make_folder(f, t->folder != NULL ? t->folder : t->staging,
                                  f->path);
}

/* ---- the file ----------------------------------------------------------- */

enum status bring_file_init(struct bring_file *f)
{
    const struct bring_channel *c = f->target->channel;
    struct bytes key = {f->object->key, f->object->key_size};
    enum status s = keypath_of(c->prefix, key, f->why, &f->path);

    f->fd = -1;
    return s == STATUS_OK ? s : fault_prefix(f->why, s, "%s", c->name);
}

enum status bring_file_name(struct bring_file *f)
{
    f->file =
        mem_print("%s/%.*s", f->target->staging, (int)f->path.size, f->path.at);
    return bring_file_make_folder(f, f->target->staging, bring_file_parent(f));
}

enum status bring_file_make(struct bring_file *f)
{
    enum status s = bring_file_name(f);

    if (s != STATUS_OK) {
        return s;
    }
    f->fd =
        open(f->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, BRING_FILE_MODE);
    return f->fd >= 0 ? STATUS_OK
                      : bring_file_fault(f, errno, "create", f->file);
}

enum status bring_file_close(struct bring_file *f, uint64_t *inode)
{
    enum status s = STATUS_OK;
    struct stat st;
    int fd = f->fd;

    f->fd = -1;
    /* Whatever the umask is, as for folders. */
    if (fstat(fd, &st) != 0 ||
        ((st.st_mode & BRING_MODE_MASK) != BRING_FILE_MODE &&
         fchmod(fd, BRING_FILE_MODE) != 0)) {
        s = bring_file_fault(f, errno, "set the mode", f->file);
    } else if (inode != NULL) {
        *inode = st.st_ino;
    }
    /* Some file systems tell of a full disk only here. */
    if (close(fd) != 0 && s == STATUS_OK) {
        s = bring_file_fault(f, errno, "close", f->file);
    }
    return s;
}

/* ---- a kept channel ----------------------------------------------------- */

static char *bring_file_place(const struct bring_file *f)
{
    return mem_print("%s/%.*s", f->target->folder, (int)f->path.size,
                     f->path.at);
}

bool bring_file_is_kept(const struct bring_file *f)
{
    char *file = bring_file_place(f);
    struct stat st;
    bool is_kept = lstat(file, &st) == 0 && S_ISREG(st.st_mode) &&
                   (uint64_t)st.st_size == f->object->size;

    free(file);
    return is_kept;
}

enum status bring_file_keep(struct bring_file *f)
{
    char *file = bring_file_place(f);
    enum status s;

    s = bring_file_make_folder(f, f->target->folder, bring_file_parent(f));
    if (s == STATUS_OK && rename(f->file, file) != 0) {
        s = bring_file_fault(f, errno, "rename to it", file);
    }
    free(file);
    return s;
}
