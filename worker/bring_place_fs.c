/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "worker/bring_resume.h"
#include "worker/bring_stamp.h"

/* Staging in a place that can't be renamed over. */
#define BRING_PLACE_PART ".smshard.part"

struct bring_place {
    char share[HASH_HEX_SIZE];
    char *folder;
    char *all; /* What holds the staging, and that of earlier brings. */
    uint64_t number;
    char *staging;
    char *old;
    char *stamp_path;
    char *manifest;
    char *manifest_temp;
    bool is_fixed; /* A mount point or a link: it can't be renamed over. */
    bool is_kept;
    struct bring_stamp_line old_line; /* Of an older share that is there. */
    bool has_old;
};

/* ---- Looking. */

static bool bring_place_is_ours(const struct bring_place *p, const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           (p->is_fixed && (strcmp(name, BRING_PLACE_PART) == 0 ||
                            strcmp(name, "lost+found") == 0));
}

/* Whether the folder holds anything but what every file system has. */
static enum status bring_place_is_empty(const struct bring_place *p,
                                        struct fault *why, bool *out)
{
    DIR *dir = opendir(p->folder);
    const struct dirent *e;

    if (dir == NULL) {
        return file_fault(why, errno, "open the folder", p->folder);
    }
    *out = true;
    while (*out && (e = readdir(dir)) != NULL) {
        *out = bring_place_is_ours(p, e->d_name);
    }
    closedir(dir);
    return STATUS_OK;
}

static enum status bring_place_conflict(const struct bring_place *p,
                                        const char *what, struct fault *why)
{
    return fault_set(why, STATUS_CONFLICT,
                     "%s %s; move it away or choose another base folder",
                     p->folder, what);
}

/* Find out whether the folder, which holds something, is one that we made. */
static enum status bring_place_look_inside(struct bring_place *p,
                                           struct fault *why)
{
    struct bring_stamp stamp;
    struct bring_folder_id id;
    const struct bring_stamp_line *line;
    enum status s = bring_stamp_read(p->stamp_path, why, &stamp);

    if (s == STATUS_OK) {
        s = bring_stamp_id(p->folder, p->is_fixed, why, &id);
    }
    if (s != STATUS_OK) {
        return s;
    }
    line = bring_stamp_find(&stamp, &id);
    if (line == NULL) {
        return bring_place_conflict(
            p, "is not empty and was not brought by smshard", why);
    }
    p->is_kept = line->is_whole && strcmp(line->share, p->share) == 0;
    p->has_old = !p->is_kept;
    p->old_line = *line;
    return STATUS_OK;
}

/* A mount of the same file system shows only in the mount attribute, one of
 * another also in the device, which older systems have to do with. */
static bool bring_place_is_mount(const char *data_dir, const char *folder)
{
    struct statx at;
    struct statx above;

    if (statx(AT_FDCWD, folder, AT_SYMLINK_NOFOLLOW, STATX_INO, &at) != 0 ||
        statx(AT_FDCWD, data_dir, 0, STATX_INO, &above) != 0) {
        return false;
    }
    return (at.stx_attributes & at.stx_attributes_mask &
            STATX_ATTR_MOUNT_ROOT) != 0 ||
           at.stx_dev_major != above.stx_dev_major ||
           at.stx_dev_minor != above.stx_dev_minor;
}

static enum status bring_place_look(struct bring_place *p, const char *data_dir,
                                    struct fault *why)
{
    struct stat st;
    bool is_empty = true;
    enum status s;

    if (lstat(p->folder, &st) != 0) {
        return errno == ENOENT ? STATUS_OK
                               : file_fault(why, errno, "look at", p->folder);
    }
    if (!file_is_folder(p->folder)) {
        return bring_place_conflict(p, "is not a folder", why);
    }
    p->is_fixed =
        S_ISLNK(st.st_mode) || bring_place_is_mount(data_dir, p->folder);
    s = bring_place_is_empty(p, why, &is_empty);
    if (s != STATUS_OK || is_empty) {
        return s;
    }
    return bring_place_look_inside(p, why);
}

static enum status bring_place_check_name(const struct bring_channel *channel,
                                          struct fault *why)
{
    const char *name = channel->name;

    if (name[0] == '\0' || strchr(name, '/') != NULL ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strcmp(name, BRING_STATE_FOLDER) == 0) {
        return fault_set(why, STATUS_INVALID,
                         "channel \"%s\": a folder can't have this name; "
                         "choose another",
                         name);
    }
    return STATUS_OK;
}

enum status bring_place_new(const char *data_dir,
                            const struct bring_channel *channel,
                            struct fault *why, struct bring_place **out)
{
    const char *name = channel->name;
    struct bring_place *p;
    uint8_t digest[HASH_SIZE];
    enum status s = bring_place_check_name(channel, why);

    if (s != STATUS_OK) {
        return s;
    }
    p = mem_new(1, sizeof(*p));
    hash_of(bytes_of(channel->stamp), digest);
    hash_hex(digest, p->share);
    p->folder = mem_print("%s/%s", data_dir, name);
    p->stamp_path =
        mem_print("%s/" BRING_STATE_FOLDER "/%s.stamp", data_dir, name);
    p->old = mem_print("%s/" BRING_STATE_FOLDER "/%s.old", data_dir, name);
    p->manifest = mem_print("%s/%s-manifest", data_dir, name);
    p->manifest_temp =
        mem_print("%s/" BRING_STATE_FOLDER "/%s.manifest", data_dir, name);
    s = bring_place_look(p, data_dir, why);
    p->all = p->is_fixed ? mem_print("%s/" BRING_PLACE_PART, p->folder)
                         : mem_print("%s/" BRING_STATE_FOLDER "/%s.part",
                                     data_dir, name);
    p->number = bring_resume_number(p->all);
    p->staging =
        mem_print("%s/%" PRIu64 "/" BRING_RESUME_FILES, p->all, p->number);
    if (s == STATUS_OK && file_is_folder(p->manifest)) {
        s = fault_set(why, STATUS_CONFLICT,
                      "%s is a folder and the manifest is to be there; move "
                      "it away or choose another base folder",
                      p->manifest);
    }
    if (s != STATUS_OK) {
        bring_place_destroy(&p);
        return s;
    }
    *out = p;
    return STATUS_OK;
}

void bring_place_destroy(struct bring_place **p)
{
    if (*p == NULL) {
        return;
    }
    free((*p)->folder);
    free((*p)->all);
    free((*p)->staging);
    free((*p)->old);
    free((*p)->stamp_path);
    free((*p)->manifest);
    free((*p)->manifest_temp);
    free(*p);
    *p = NULL;
}

bool bring_place_is_kept(const struct bring_place *p)
{
    return p->is_kept;
}

const char *bring_place_folder(const struct bring_place *p)
{
    return p->folder;
}

const char *bring_place_staging(const struct bring_place *p)
{
    return p->staging;
}

const char *bring_place_all_staging(const struct bring_place *p)
{
    return p->all;
}

uint64_t bring_place_number(const struct bring_place *p)
{
    return p->number;
}

const char *bring_place_manifest(const struct bring_place *p)
{
    return p->manifest_temp;
}

/* ---- Changing. */

enum status bring_place_prepare(struct bring_place *p, struct fault *why)
{
    enum status s = bring_place_clear(p, !p->is_kept, why);

    if (s == STATUS_OK) {
        s = file_remove_tree(p->old, why);
    }
    if (s == STATUS_OK) {
        s = file_make_folder(p->staging, why);
    }
    /* Whatever the umask is: the command may run as somebody else. */
    if (s == STATUS_OK && chmod(p->staging, 0755) != 0) {
        s = file_fault(why, errno, "set the mode", p->staging);
    }
    return s;
}

enum status bring_place_clear(struct bring_place *p, bool keeps_files,
                              struct fault *why)
{
    bool is_left = keeps_files && file_is_folder(p->all);
    enum status s = is_left ? STATUS_OK : file_remove_tree(p->all, why);

    if (s == STATUS_OK) {
        s = file_remove_tree(p->manifest_temp, why);
    }
    return s;
}

static enum status bring_place_rename(const char *from, const char *to,
                                      struct fault *why)
{
    if (rename(from, to) == 0) {
        return STATUS_OK;
    }
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
        return fault_set(why, STATUS_CONFLICT,
                         "%s was put there while its channel was brought; "
                         "move it away and try again",
                         to);
    }
    return file_fault(why, errno, "rename to it", to);
}

static void bring_place_new_line(const struct bring_place *p, bool is_whole,
                                 struct bring_stamp_line *out)
{
    out->is_whole = is_whole;
    memcpy(out->share, p->share, sizeof(out->share));
}

/* The stamp names both folders from before the first rename on. Its line for
 * the old one may stay: no other folder will have that inode and birth. */
static enum status bring_place_swap(struct bring_place *p, struct fault *why)
{
    struct bring_stamp stamp = {.count = 1};
    enum status s = bring_stamp_id(p->staging, false, why, &stamp.lines[0].id);

    bring_place_new_line(p, true, &stamp.lines[0]);
    if (p->has_old) {
        stamp.lines[stamp.count++] = p->old_line;
    }
    if (s == STATUS_OK) {
        s = bring_stamp_write(p->stamp_path, &stamp, why);
    }
    if (s == STATUS_OK && p->has_old) {
        s = bring_place_rename(p->folder, p->old, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    s = bring_place_rename(p->staging, p->folder, why);
    if (s != STATUS_OK && p->has_old && rename(p->old, p->folder) == 0) {
        p->has_old = false;
    }
    return s;
}

/* What is done with each entry of a folder. */
typedef enum status bring_place_entry_fn(const struct bring_place *p,
                                         const char *name, struct fault *why);

static enum status bring_place_each(const struct bring_place *p,
                                    const char *folder,
                                    bring_place_entry_fn *each,
                                    struct fault *why)
{
    DIR *dir = opendir(folder);
    const struct dirent *e;
    enum status s = STATUS_OK;

    if (dir == NULL) {
        return file_fault(why, errno, "open the folder", folder);
    }
    while (s == STATUS_OK && (e = readdir(dir)) != NULL) {
        s = each(p, e->d_name, why);
    }
    closedir(dir);
    return s;
}

static enum status bring_place_drop_entry(const struct bring_place *p,
                                          const char *name, struct fault *why)
{
    char *path;
    enum status s;

    if (bring_place_is_ours(p, name)) {
        return STATUS_OK;
    }
    path = mem_print("%s/%s", p->folder, name);
    s = file_remove_tree(path, why);
    free(path);
    return s;
}

static enum status bring_place_move_entry(const struct bring_place *p,
                                          const char *name, struct fault *why)
{
    char *from;
    char *to;
    enum status s;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return STATUS_OK;
    }
    from = mem_print("%s/%s", p->staging, name);
    to = mem_print("%s/%s", p->folder, name);
    s = bring_place_rename(from, to, why);
    free(from);
    free(to);
    return s;
}

/* Not atomic: no call can swap what a mount point holds. */
static enum status bring_place_refill(struct bring_place *p, struct fault *why)
{
    struct bring_stamp stamp = {.count = 1};
    enum status s = bring_stamp_id(p->folder, true, why, &stamp.lines[0].id);

    bring_place_new_line(p, false, &stamp.lines[0]);
    if (s == STATUS_OK) {
        s = bring_stamp_write(p->stamp_path, &stamp, why);
    }
    if (s == STATUS_OK && p->has_old) {
        s = bring_place_each(p, p->folder, bring_place_drop_entry, why);
        p->has_old = false;
    }
    if (s == STATUS_OK) {
        s = bring_place_each(p, p->staging, bring_place_move_entry, why);
    }
    stamp.lines[0].is_whole = true;
    if (s == STATUS_OK) {
        s = bring_stamp_write(p->stamp_path, &stamp, why);
    }
    return s;
}

enum status bring_place_commit(struct bring_place *p, struct fault *why)
{
    enum status s = STATUS_OK;

    if (!p->is_kept) {
        s = p->is_fixed ? bring_place_refill(p, why) : bring_place_swap(p, why);
    }
    if (s == STATUS_OK) {
        s = bring_place_rename(p->manifest_temp, p->manifest, why);
    }
    if (s == STATUS_OK && p->has_old) {
        s = file_remove_tree(p->old, why);
    }
    return s;
}
