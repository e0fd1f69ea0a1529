/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    FILE_READ_STEP = 1 << 16,
    FILE_SHOW_MAX = 640, /* Of a path in a message; the reason needs room. */
};

static enum status file_status(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return STATUS_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return STATUS_DENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* A limit on the size of files is a full disk to a writer. */
        return STATUS_NO_SPACE;
    case EEXIST:
        return STATUS_CONFLICT;
    default:
        return STATUS_IO;
    }
}

enum status file_fault(struct fault *why, int error, const char *verb,
                       const char *path)
{
    size_t size = strlen(path);
    const char *tail =
        size > FILE_SHOW_MAX ? path + size - FILE_SHOW_MAX : path;

    return fault_set(why, file_status(error), "%s%s: %s: %s%s",
                     tail != path ? "..." : "", tail, verb, strerror(error),
                     file_status(error) == STATUS_NO_SPACE
                         ? "; make room or choose another folder"
                         : "");
}

static int file_open(const char *path, int flags, mode_t mode)
{
    int fd;

    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Read until the end or until more than @max bytes are there. */
static enum status file_read_all(int fd, size_t max, struct buf *out)
{
    size_t total = 0;

    while (total <= max) {
        size_t step = max - total < FILE_READ_STEP ? max - total + 1
                                                   : (size_t)FILE_READ_STEP;
        ssize_t got = read(fd, buf_reserve(out, step), step);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return STATUS_IO;
        }
        if (got == 0) {
            return STATUS_OK;
        }
        buf_add_done(out, (size_t)got);
        total += (size_t)got;
    }
    return STATUS_FULL;
}

enum status file_read(const char *path, size_t max, struct fault *why,
                      struct buf *out)
{
    size_t before = out->size;
    int fd = file_open(path, O_RDONLY | O_NOCTTY, 0);
    enum status s;

    CHECK(max < SIZE_MAX);
    if (fd < 0) {
        return file_fault(why, errno, "open", path);
    }
    s = file_read_all(fd, max, out);
    if (s == STATUS_IO) {
        s = file_fault(why, errno, "read", path);
    } else if (s == STATUS_FULL) {
        fault_set(why, s, "%s: larger than the %zu bytes allowed here", path,
                  max);
    }
    close(fd);
    if (s != STATUS_OK) {
        out->size = before;
        buf_reserve(out, 0)[0] = '\0';
    }
    return s;
}

/* Return the length of @path without its last part, 0 when it has none. */
static size_t file_parent_size(const char *path)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    while (size > 0 && path[size - 1] != '/') {
        size--;
    }
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    return size;
}

/* Return the folder that holds @path, "." where it names none; the caller
 * frees it. */
static char *file_parent(const char *path)
{
    size_t size = file_parent_size(path);

    return size > 0 ? mem_copy_text(path, size) : mem_copy(".");
}

static enum status file_make_one(const char *path, struct fault *why)
{
    struct stat st;
    int error;

    if (mkdir(path, 0755) == 0) {
        return STATUS_OK;
    }
    error = errno;
    /* What mkdir says of a folder that is there differs (EEXIST, EROFS,
     * EACCES on automounts), so the question is asked directly. */
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return STATUS_OK;
    }
    if (error == EEXIST) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s: is not a folder, and one is needed there", path);
    }
    return file_fault(why, error, "make the folder", path);
}

enum status file_make_folder(const char *path, struct fault *why)
{
    char *copy = mem_copy(path);
    enum status s = STATUS_OK;

    for (char *p = copy + 1; copy[0] != '\0' && s == STATUS_OK; p++) {
        char end = *p;

        if (end != '/' && end != '\0') {
            continue;
        }
        *p = '\0';
        s = file_make_one(copy, why);
        *p = end;
        if (end == '\0') {
            break;
        }
    }
    free(copy);
    return s;
}

static enum status file_write_all(int fd, struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(fd, bytes.at, bytes.size);

        if (put < 0 && errno != EINTR) {
            return STATUS_IO;
        }
        if (put > 0) {
            bytes.at += put;
            bytes.size -= (size_t)put;
        }
    }
    return STATUS_OK;
}

static enum status file_sync_folder(const char *path, struct fault *why)
{
    int fd = file_open(path, O_RDONLY | O_DIRECTORY, 0);
    enum status s = STATUS_OK;

    if (fd < 0) {
        return file_fault(why, errno, "open the folder", path);
    }
    /* EINVAL: a file system that has no such call for folders. */
    if (fsync(fd) != 0 && errno != EINVAL) {
        s = file_fault(why, errno, "sync the folder", path);
    }
    close(fd);
    return s;
}

/* Write @bytes to the new file @temp. */
static enum status file_write_temp(const char *temp, struct bytes bytes,
                                   bool is_durable, struct fault *why)
{
    int fd = file_open(temp, O_WRONLY | O_CREAT | O_EXCL, 0666);
    enum status s = STATUS_OK;

    if (fd < 0) {
        return file_fault(why, errno, "create", temp);
    }
    if (file_write_all(fd, bytes) != STATUS_OK) {
        s = file_fault(why, errno, "write", temp);
    } else if (is_durable && fsync(fd) != 0) {
        s = file_fault(why, errno, "sync", temp);
    }
    if (close(fd) != 0 && s == STATUS_OK) {
        s = file_fault(why, errno, "close", temp);
    }
    return s;
}

enum status file_write(const char *path, struct bytes bytes, bool is_durable,
                       struct fault *why)
{
    char *folder = file_parent(path);
    uint64_t nonce = 0;
    char *temp = NULL;
    enum status s = file_make_folder(folder, why);

    if (s != STATUS_OK) {
        goto out;
    }
    hash_random(&nonce, sizeof(nonce));
    temp = mem_print("%s/.smshard-%016llx", folder, (unsigned long long)nonce);
    s = file_write_temp(temp, bytes, is_durable, why);
    if (s == STATUS_OK && rename(temp, path) != 0) {
        s = errno == EISDIR || errno == ENOTDIR
                ? fault_set(why, STATUS_CONFLICT,
                            "%s: is a folder, and a file is to be there", path)
                : file_fault(why, errno, "rename to it", path);
    }
    if (s != STATUS_OK) {
        unlink(temp);
    } else if (is_durable) {
        s = file_sync_folder(folder, why);
    }
out:
    free(temp);
    free(folder);
    return s;
}

/* Remove what @path holds but for folders with something in them; the first
 * of those is appended to @path. Returns whether there was one. */
static enum status file_empty_folder(struct buf *path, struct fault *why,
                                     bool *is_deeper)
{
    size_t size = path->size;
    DIR *dir = opendir(buf_text(path));
    struct dirent *e;
    enum status s = STATUS_OK;

    *is_deeper = false;
    if (dir == NULL) {
        return errno == ENOENT
                   ? STATUS_OK
                   : file_fault(why, errno, "open the folder", buf_text(path));
    }
    while (s == STATUS_OK && !*is_deeper && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        buf_print(path, "/%s", e->d_name);
        if (unlink(buf_text(path)) != 0 && errno != ENOENT) {
            /* Linux says EISDIR, POSIX says EPERM. */
            int error = errno;

            if (error != EISDIR && error != EPERM) {
                s = file_fault(why, error, "remove", buf_text(path));
            } else if (rmdir(buf_text(path)) != 0 && errno != ENOENT) {
                *is_deeper = errno == ENOTEMPTY || errno == EEXIST;
                s = *is_deeper
                        ? STATUS_OK
                        : file_fault(why, error, "remove", buf_text(path));
            }
        }
        if (!*is_deeper) {
            path->size = size;
            path->at[size] = '\0';
        }
    }
    closedir(dir);
    return s;
}

/* Not recursive: one path that grows and shrinks; a folder is read again
 * after one below it went, with its files already gone. */
static enum status file_remove_folder(const char *root, struct fault *why)
{
    struct buf path = {0};
    enum status s = STATUS_OK;
    bool is_deeper = false;

    buf_add_text(&path, root);
    while (s == STATUS_OK && path.size >= strlen(root)) {
        s = file_empty_folder(&path, why, &is_deeper);
        if (s != STATUS_OK || is_deeper) {
            continue;
        }
        if (rmdir(buf_text(&path)) != 0 && errno != ENOENT) {
            s = file_fault(why, errno, "remove", buf_text(&path));
        }
        path.size =
            path.size == strlen(root) ? 0 : file_parent_size(buf_text(&path));
        path.at[path.size] = '\0';
    }
    buf_fini(&path);
    return s;
}

enum status file_remove_tree(const char *path, struct fault *why)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? STATUS_OK
                   : file_fault(why, errno, "look at", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return file_remove_folder(path, why);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return file_fault(why, errno, "remove", path);
    }
    return STATUS_OK;
}

enum status file_free_bytes(const char *path, struct fault *why,
                            unsigned long long *out)
{
    char *at = mem_copy(path);
    struct statvfs v;
    enum status s = STATUS_OK;

    while (statvfs(at, &v) != 0 && s == STATUS_OK) {
        char *parent = file_parent(at);

        if ((errno != ENOENT && errno != ENOTDIR) || strcmp(parent, at) == 0) {
            s = file_fault(why, errno, "ask for free space", at);
        }
        free(at);
        at = parent;
    }
    if (s == STATUS_OK) {
        *out = (unsigned long long)v.f_bavail * v.f_frsize;
    }
    free(at);
    return s;
}

bool file_is_there(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
