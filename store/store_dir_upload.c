/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart uploads: .smshard/upload-ID/ holds `key`, whose lock says that
 * the handle that began it lives, and the parts as 00001, 00002, …
 *
 * Parts are not synced: END copies them into one file (where the file system
 * can, by sharing their blocks) and publishes that like any PUT. The parts
 * stay until END succeeds, so that it can be tried again. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/store_dir_fs.h"

enum { DIR_COPY_BYTES = 1 << 20, DIR_BEGIN_TRIES = 100 };

/* Write "<folder of @id>/<name>", below the root. */
static void dir_upload_path(const char *id, const char *name,
                            char out[DIR_NAME_MAX])
{
    snprintf(out, DIR_NAME_MAX, "%s/%s%.32s%s%.8s", DIR_SPACE, DIR_UPLOAD, id,
             name[0] != '\0' ? "/" : "", name);
}

static void dir_part_path(const char *id, uint32_t part, char out[DIR_NAME_MAX])
{
    char name[16];

    snprintf(name, sizeof(name), "%05u", part);
    dir_upload_path(id, name, out);
}

static enum status dir_upload_remove(const struct dir_store *d, const char *id,
                                     struct fault *why)
{
    char name[DIR_NAME_MAX];
    char *path;
    enum status s;

    dir_upload_path(id, "", name);
    path = mem_print("%s%s", d->root_path, name);
    s = file_remove_tree(path, why);
    free(path);
    return s;
}

/* Close what holds the upload @id, if it is one of this handle's. */
static void dir_upload_forget(struct dir_store *d, const char *id)
{
    for (struct dir_upload **at = &d->uploads; *at != NULL; at = &(*at)->next) {
        struct dir_upload *u = *at;

        if (strcmp(u->id, id) == 0) {
            *at = u->next;
            close(u->owner);
            free(u);
            return;
        }
    }
}

void dir_drop_uploads(struct dir_store *d)
{
    while (d->uploads != NULL) {
        /* What stays here is swept by the next writer. */
        (void)(dir_upload_remove(d, d->uploads->id, NULL) == STATUS_OK);
        dir_upload_forget(d, d->uploads->id);
    }
}

/* An upload without its key file is half made or half removed. */
static void dir_sweep_keyless(struct dir_store *d, const char *id)
{
    char folder[DIR_NAME_MAX];
    char key[DIR_NAME_MAX];
    struct stat st;

    dir_upload_path(id, "", folder);
    dir_upload_path(id, "key", key);
    /* Empty: its owner, if it lives, makes the folder again. */
    if (unlinkat(d->root, folder, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return;
    }
    if (fstatat(d->root, key, &st, 0) != 0 && errno == ENOENT) {
        (void)(dir_upload_remove(d, id, NULL) == STATUS_OK);
    }
}

void dir_sweep_upload(struct dir_store *d, const char *name)
{
    const char *id = name + strlen(DIR_UPLOAD);
    char key[DIR_NAME_MAX];
    int fd;

    if (strlen(id) != DIR_ID_SIZE - 1) {
        return;
    }
    dir_upload_path(id, "key", key);
    fd = openat(d->root, key, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT) {
            dir_sweep_keyless(d, id);
        }
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        (void)(dir_upload_remove(d, id, NULL) == STATUS_OK);
    }
    close(fd);
}

/* --- begin --------------------------------------------------------------- */

/* Move @t, locked and with the key in it, into a new upload's folder. */
static enum status dir_upload_make(struct dir_call *c, struct dir_temp *t,
                                   const char *id)
{
    char folder[DIR_NAME_MAX];
    char key[DIR_NAME_MAX];

    dir_upload_path(id, "", folder);
    dir_upload_path(id, "key", key);
    for (int i = 0; i < DIR_BEGIN_TRIES; i++) {
        if (mkdirat(c->d->root, folder, 0777) != 0 && errno != EEXIST) {
            return dir_fault(c, errno, "make a folder for its parts");
        }
        if (renameat(c->d->root, t->name, c->d->root, key) == 0) {
            t->name[0] = '\0';
            return STATUS_OK;
        }
        if (errno != ENOENT) {
            return dir_fault(c, errno, "begin an upload");
        }
    }
    return dir_refuse(c, STATUS_STORE, "its upload folder vanishes");
}

enum status dir_begin(struct dir_call *c)
{
    struct dir_temp t = {.fd = -1};
    char id[DIR_ID_SIZE];
    struct dir_upload *u;
    enum status s = dir_temp_open(c, &t);

    dir_make_id(id);
    if (s == STATUS_OK) {
        s = dir_temp_write(c, &t, c->r->key);
    }
    if (s == STATUS_OK) {
        s = dir_upload_make(c, &t, id);
    }
    if (s != STATUS_OK) {
        dir_temp_close(c, &t);
        return s;
    }
    u = mem_new(1, sizeof(*u));
    u->owner = t.fd;
    memcpy(u->id, id, sizeof(id));
    u->next = c->d->uploads;
    c->d->uploads = u;
    memcpy(c->e->upload, id, sizeof(id));
    return STATUS_OK;
}

/* --- parts --------------------------------------------------------------- */

/* Check that the call's upload is there, and is one of the call's key. */
static enum status dir_upload_find(struct dir_call *c)
{
    const char *id = c->r->upload;
    char path[DIR_NAME_MAX];
    char key[STORE_KEY_MAX + 1] = "";
    ssize_t got = -1;
    int fd = -1;

    if (strlen(id) == DIR_ID_SIZE - 1 &&
        strspn(id, "0123456789abcdef") == DIR_ID_SIZE - 1) {
        dir_upload_path(id, "key", path);
        fd = openat(c->d->root, path, O_RDONLY | O_CLOEXEC);
    }
    if (fd >= 0) {
        got = read(fd, key, sizeof(key));
        close(fd);
    }
    if (got < 0 ||
        !bytes_is_equal((struct bytes){key, (size_t)got}, c->r->key)) {
        return dir_refuse(c, STATUS_NOT_FOUND, "there is no such upload");
    }
    return STATUS_OK;
}

enum status dir_part(struct dir_call *c)
{
    struct dir_temp t = {.fd = -1};
    char path[DIR_NAME_MAX];
    enum status s = dir_upload_find(c);

    if (s == STATUS_OK) {
        s = dir_temp_open(c, &t);
    }
    if (s == STATUS_OK) {
        s = dir_temp_write(c, &t, (struct bytes){c->r->body, c->r->size});
    }
    if (s == STATUS_OK) {
        s = dir_temp_seal(c, &t, 0, false);
    }
    if (s == STATUS_OK) {
        dir_part_path(c->r->upload, c->r->part, path);
        if (renameat(c->d->root, t.name, c->d->root, path) != 0) {
            s = dir_fault(c, errno, "keep a part");
        }
    }
    dir_temp_close(c, &t);
    return s;
}

/* Names are numbers of five digits, so all of them are looked for. */
enum status dir_parts(struct dir_call *c)
{
    enum status s = dir_upload_find(c);

    for (uint32_t i = c->r->part + 1; s == STATUS_OK && i <= STORE_PARTS_MAX;
         i++) {
        struct store_listed_part listed = {.number = i};
        char path[DIR_NAME_MAX];
        struct stat st;

        dir_part_path(c->r->upload, i, path);
        if (fstatat(c->d->root, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (store_page_part_count(c->page) == STORE_LIST_MAX) {
            c->e->has_more = true;
            break;
        }
        listed.part.size = (uint64_t)st.st_size;
        dir_etag(&st, listed.part.etag);
        store_page_add_part(c->page, &listed);
    }
    return s;
}

/* --- end ----------------------------------------------------------------- */

/* Copy the rest of @from through memory. */
static enum status dir_copy_slow(struct dir_call *c, int from,
                                 struct dir_temp *to)
{
    char *room = mem_new(DIR_COPY_BYTES, 1);
    enum status s = STATUS_OK;
    ssize_t got = 1;

    while (s == STATUS_OK && got != 0) {
        got = read(from, room, DIR_COPY_BYTES);
        if (got > 0) {
            s = dir_temp_write(c, to, (struct bytes){room, (size_t)got});
        } else if (got < 0 && errno != EINTR) {
            s = dir_fault(c, errno, "read a part");
        }
    }
    free(room);
    return s;
}

static enum status dir_copy(struct dir_call *c, int from, struct dir_temp *to,
                            uint64_t size)
{
    while (size > 0) {
        ssize_t put =
            copy_file_range(from, NULL, to->fd, NULL, (size_t)size, 0);

        if (put > 0) {
            size -= (uint64_t)put;
        } else if (put < 0 && (errno == ENOSPC || errno == EDQUOT)) {
            return dir_fault(c, errno, "join the parts");
        } else if (put == 0 || errno != EINTR) {
            /* Not on this file system. Both offsets are where it stopped. */
            return dir_copy_slow(c, from, to);
        }
    }
    return STATUS_OK;
}

/* Append part @i, counted from 0, to @to. */
static enum status dir_join_part(struct dir_call *c, uint32_t i,
                                 struct dir_temp *to)
{
    char path[DIR_NAME_MAX];
    struct stat st;
    int fd;
    enum status s;

    dir_part_path(c->r->upload, i + 1, path);
    fd = openat(c->d->root, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT) {
        return dir_fault(c, errno, "open a part");
    }
    if (fd < 0 || fstat(fd, &st) != 0 ||
        !dir_is_etag(&st, c->r->parts[i].etag)) {
        s = dir_refuse(c, STATUS_INVALID, "part %u is not there with that etag",
                       i + 1);
    } else {
        s = dir_copy(c, fd, to, (uint64_t)st.st_size);
    }
    if (fd >= 0) {
        close(fd);
    }
    return s;
}

enum status dir_end(struct dir_call *c)
{
    struct dir_temp t = {.fd = -1};
    enum status s = dir_upload_find(c);

    if (s == STATUS_OK) {
        s = dir_temp_open(c, &t);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < c->r->part_count; i++) {
        s = dir_join_part(c, i, &t);
    }
    if (s == STATUS_OK) {
        s = dir_publish(c, &t);
    }
    dir_temp_close(c, &t);
    if (s == STATUS_OK) {
        /* The value is there; parts that stay are swept later. */
        (void)(dir_upload_remove(c->d, c->r->upload, NULL) == STATUS_OK);
        dir_upload_forget(c->d, c->r->upload);
    }
    return s;
}

enum status dir_abort(struct dir_call *c)
{
    enum status s = dir_upload_find(c);

    if (s != STATUS_OK) {
        return s;
    }
    s = dir_upload_remove(c->d, c->r->upload, &c->e->why);
    dir_upload_forget(c->d, c->r->upload);
    return s;
}
