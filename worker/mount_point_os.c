/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/mount_point.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

enum { POINT_MOUNTS_MAX = 16 << 20, POINT_LAYERS_MAX = 16 };

/* ---- what is mounted ----------------------------------------------------- */

/* The next word of a line, up to a blank. */
static struct bytes point_word(struct bytes *rest)
{
    struct bytes word = *rest;

    word.size = 0;
    while (word.size < rest->size && word.at[word.size] != ' ') {
        word.size++;
    }
    rest->at += word.size;
    rest->size -= word.size;
    if (rest->size > 0) {
        rest->at++;
        rest->size--;
    }
    return word;
}

static bool point_is_octal(const char *at)
{
    return at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' &&
           at[2] >= '0' && at[2] <= '7';
}

/* Whether @word, in which blanks and the like are written as \040, is @path. */
static bool point_is_path(struct bytes word, const char *path)
{
    size_t i = 0;

    while (i < word.size) {
        char c = word.at[i++];

        if (c == '\\' && word.size - i >= 3 && point_is_octal(word.at + i)) {
            c = (char)((word.at[i] - '0') << 6 | (word.at[i + 1] - '0') << 3 |
                       (word.at[i + 2] - '0'));
            i += 3;
        }
        if (c != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* 36 35 98:0 /root /mount/point rw,relatime master:1 - type source options */
static struct mount_point point_line(struct bytes line, const char *folder)
{
    struct mount_point found = {{"", 0}, {"", 0}};
    struct bytes word;

    (void)point_word(&line);
    (void)point_word(&line);
    found.device = point_word(&line);
    (void)point_word(&line);
    if (!point_is_path(point_word(&line), folder)) {
        return found;
    }
    do {
        word = point_word(&line);
    } while (line.size > 0 && !bytes_is(word, "-"));
    found.type = point_word(&line);
    return found;
}

struct mount_point mount_point_find(struct bytes mounts, const char *folder)
{
    struct mount_point last = {{"", 0}, {"", 0}};

    while (mounts.size > 0) {
        const char *end = memchr(mounts.at, '\n', mounts.size);
        size_t size = end != NULL ? (size_t)(end - mounts.at) : mounts.size;
        struct mount_point found =
            point_line((struct bytes){mounts.at, size}, folder);

        last = found.type.size > 0 ? found : last;
        size += end != NULL;
        mounts.at += size;
        mounts.size -= size;
    }
    return last;
}

/* @folder as the system names it. It can't be asked when it is a dead mount, so
 * it is resolved without its last name. NULL: there is no such folder. */
static char *point_resolve(const char *folder)
{
    char *copy = mem_copy(folder);
    char *name = copy;
    char *whole = NULL;
    char *parent;
    size_t size = strlen(copy);

    while (size > 1 && copy[size - 1] == '/') {
        copy[--size] = '\0';
    }
    if (strrchr(copy, '/') != NULL) {
        name = strrchr(copy, '/') + 1;
        *(name - 1) = '\0';
    }
    parent = realpath(name == copy ? "." : copy[0] == '\0' ? "/" : copy, NULL);
    if (parent != NULL) {
        whole =
            mem_print("%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    }
    free(parent);
    free(copy);
    return whole;
}

/* What is mounted on @folder, with views into @text. */
static struct mount_point point_on(const char *folder, struct buf *text)
{
    struct mount_point found = {{"", 0}, {"", 0}};
    char *path = point_resolve(folder);

    if (path != NULL && file_read("/proc/self/mountinfo", POINT_MOUNTS_MAX,
                                  NULL, text) == STATUS_OK) {
        found = mount_point_find((struct bytes){text->at, text->size}, path);
    }
    free(path);
    return found;
}

/* The type of what is mounted on @folder, or NULL. */
static char *point_type_of(const char *folder)
{
    struct buf text = {0};
    struct mount_point on = point_on(folder, &text);
    char *type =
        on.type.size > 0 ? mem_copy_text(on.type.at, on.type.size) : NULL;

    buf_fini(&text);
    return type;
}

/* ---- the folder ---------------------------------------------------------- */

static enum status point_check_empty(const char *folder, struct fault *why)
{
    DIR *dir = opendir(folder);
    struct dirent *e;
    enum status s = STATUS_OK;

    if (dir == NULL) {
        return file_fault(why, errno, "open", folder);
    }
    while (s == STATUS_OK && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            s = fault_set(why, STATUS_CONFLICT,
                          "%s: is not empty, there is \"%s\": a mount would "
                          "hide it; remove it or mount somewhere else",
                          folder, e->d_name);
        }
    }
    closedir(dir);
    return s;
}

static void point_clear(const char *folder)
{
    pid_t child;

    if (umount2(folder, MNT_DETACH) == 0 || geteuid() == 0) {
        return;
    }
    /* Others have a helper for that, which is allowed to. */
    child = fork();
    if (child == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", folder,
               (char *)NULL);
        _exit(127);
    }
    (void)waitpid(child, NULL, 0);
}

/* The folder's attributes may be known to the system all the same; what
 * statvfs() tells never is. */
static bool point_is_dead(const char *folder)
{
    struct statvfs fs;

    return statvfs(folder, &fs) != 0 &&
           (errno == ENOTCONN || errno == ECONNABORTED);
}

void mount_point_bury(const char *folder)
{
    char *type = point_is_dead(folder) ? point_type_of(folder) : NULL;

    if (type != NULL && strcmp(type, MOUNT_POINT_TYPE) == 0) {
        point_clear(folder);
    }
    free(type);
}

/* What is mounted there is ours and dead, or is not to be touched. */
static enum status point_check_mounts(const char *folder, struct fault *why)
{
    for (int i = 0; i < POINT_LAYERS_MAX; i++) {
        char *type = point_type_of(folder);
        bool is_dead = point_is_dead(folder);

        if (type == NULL) {
            return STATUS_OK;
        }
        if (strcmp(type, MOUNT_POINT_TYPE) != 0 || !is_dead) {
            (void)fault_set(
                why, STATUS_CONFLICT,
                "%s: %s of type %s is mounted there already; %s", folder,
                is_dead ? "something dead" : "something", type,
                strcmp(type, MOUNT_POINT_TYPE) == 0
                    ? "another smshard serves it: end that first"
                    : "unmount it (umount -l) or choose another folder");
            free(type);
            return STATUS_CONFLICT;
        }
        free(type);
        log_event(LOG_WARN, "mount.stale", "folder=%s", folder);
        point_clear(folder);
    }
    return fault_set(why, STATUS_CONFLICT,
                     "%s: a dead mount could not be removed; try umount -l",
                     folder);
}

enum status mount_point_prepare(const char *folder, struct fault *why)
{
    enum status s = point_check_mounts(folder, why);
    struct stat st;

    if (s != STATUS_OK) {
        return s;
    }
    if (stat(folder, &st) == 0 && !S_ISDIR(st.st_mode)) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s: is no folder; nothing can be mounted on it",
                         folder);
    }
    s = file_make_folder(folder, why);
    return s == STATUS_OK ? point_check_empty(folder, why) : s;
}

/* ---- the system ---------------------------------------------------------- */

enum status mount_point_has_fuse(struct fault *why)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    int error = errno;

    if (fd >= 0) {
        close(fd);
        return STATUS_OK;
    }
    return fault_set(why,
                     error == EACCES || error == EPERM ? STATUS_DENIED
                                                       : STATUS_UNSUPPORTED,
                     "/dev/fuse: %s: FastFile needs FUSE; give the container "
                     "--device /dev/fuse --cap-add SYS_ADMIN (and the host "
                     "modprobe fuse), or use File or Pipe mode",
                     strerror(error));
}

void mount_point_read_ahead(const char *folder, unsigned kib)
{
    struct buf text = {0};
    struct mount_point on = point_on(folder, &text);
    char *path = mem_print("/sys/class/bdi/%.*s/read_ahead_kb",
                           (int)on.device.size, on.device.at);
    char *size = mem_print("%u", kib);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, size, strlen(size)) < 0) {
        /* Then requests are smaller, which costs some time. */
        log_event(LOG_DEBUG, "mount.readahead", "folder=%s reason=\"%s\"",
                  folder, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(size);
    free(path);
    buf_fini(&text);
}
