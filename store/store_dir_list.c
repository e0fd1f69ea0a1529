/* SPDX-License-Identifier: Apache-2.0 */
/* LIST: a walk in the order of the keys.
 *
 * A folder's names are read at once and sorted with '/' after those of
 * folders, so that the walk meets keys in the order of their bytes: "a-b",
 * "a/x", "a0". Names that can not lead to a wanted key are dropped as they are
 * read. Memory is that of the names of the folders on the path of the walk.
 *
 * The handle keeps the walk between pages: a page that goes on where the last
 * one ended costs only its own keys, and a million files in one folder are
 * read and sorted once. Such a page shows objects as they are now, but may
 * not know files that other processes added since their folder was read. Any
 * other page, and any page after a write by this handle, starts anew. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/store_dir_fs.h"

enum { DIR_NFS_HEX = 24 };

struct dir_entry {
    size_t start; /* In its level's text. */
    uint16_t size;
    bool is_folder; /* Its name ends in '/'. */
};

/* A folder on the path of the walk. */
struct dir_level {
    struct buf text;
    struct dir_entry *entries;
    size_t count;
    size_t room;
    size_t next;
    size_t base; /* How much of the walk's path leads here. */
    dev_t device;
    ino_t inode;
};

struct dir_walk {
    struct buf prefix;
    struct buf after; /* All keys up to here were told. */
    struct buf path;  /* "", or a folder with its '/', then a name. */
    struct dir_level *levels;
    size_t depth;
    size_t room;
};

/* --- what is wanted ------------------------------------------------------ */

/* Return whether keys that are @name, or below it where it ends in '/', may
 * be wanted. */
static bool dir_walk_wants(const struct dir_walk *w, struct bytes name,
                           bool is_folder)
{
    struct bytes prefix = buf_bytes(&w->prefix);
    struct bytes after = buf_bytes(&w->after);

    if (!bytes_has_prefix(name, prefix) &&
        !(is_folder && bytes_has_prefix(prefix, name))) {
        return false;
    }
    return bytes_compare(name, after) > 0 ||
           (is_folder && bytes_has_prefix(after, name));
}

/* Return whether an NFS client made @name for a file that was removed while
 * it was open: ".nfs" and 24 hex digits. */
static bool dir_is_nfs_ghost(const char *name)
{
    return strncmp(name, ".nfs", 4) == 0 &&
           strspn(name + 4, "0123456789abcdef") == DIR_NFS_HEX &&
           name[4 + DIR_NFS_HEX] == '\0';
}

static bool dir_is_hidden(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           strcmp(name, DIR_SPACE) == 0 || dir_is_nfs_ghost(name);
}

/* --- levels -------------------------------------------------------------- */

static void dir_level_fini(struct dir_level *l)
{
    buf_fini(&l->text);
    free(l->entries);
}

static void dir_level_add(struct dir_level *l, struct bytes name,
                          bool is_folder)
{
    if (l->count == l->room) {
        l->room = l->room > 0 ? l->room * 2 : 16;
        l->entries = mem_grow(l->entries, l->room, sizeof(*l->entries));
    }
    l->entries[l->count++] = (struct dir_entry){
        .start = l->text.size,
        .size = (uint16_t)name.size,
        .is_folder = is_folder,
    };
    buf_add_bytes(&l->text, name);
}

static int dir_entry_order(const void *a, const void *b, void *text)
{
    const struct dir_entry *left = a;
    const struct dir_entry *right = b;
    const char *at = text;

    return bytes_compare((struct bytes){at + left->start, left->size},
                         (struct bytes){at + right->start, right->size});
}

/* Return what the entry is by its type, or by looking where a link leads. */
static enum dir_kind dir_entry_kind(const struct dir_store *d,
                                    const struct dirent *e, const char *path)
{
    struct stat st;

    if (e->d_type == DT_REG) {
        return DIR_FILE;
    }
    if (e->d_type == DT_DIR) {
        return DIR_FOLDER;
    }
    if ((e->d_type != DT_LNK && e->d_type != DT_UNKNOWN) ||
        fstatat(d->root, path, &st, 0) != 0) {
        return DIR_OTHER;
    }
    return S_ISREG(st.st_mode)   ? DIR_FILE
           : S_ISDIR(st.st_mode) ? DIR_FOLDER
                                 : DIR_OTHER;
}

/* Add the entry @e of the folder that w->path names, if it is wanted. */
static void dir_walk_take(struct dir_walk *w, const struct dir_store *d,
                          const struct dirent *e, struct dir_level *l)
{
    enum dir_kind kind;
    struct bytes key;

    if (dir_is_hidden(e->d_name)) {
        return;
    }
    buf_add_text(&w->path, e->d_name);
    kind = dir_entry_kind(d, e, buf_text(&w->path));
    if (kind == DIR_FOLDER) {
        buf_add_char(&w->path, '/');
    }
    key = buf_bytes(&w->path);
    if (kind != DIR_OTHER && dir_walk_wants(w, key, kind == DIR_FOLDER)) {
        struct bytes name = {key.at + l->base, key.size - l->base};

        dir_level_add(l, name, kind == DIR_FOLDER);
    }
    w->path.size = l->base;
    w->path.at[l->base] = '\0';
}

/* Fail on the path of the walk, which the request does not name. */
static enum status dir_walk_fault(struct dir_call *c, const struct dir_walk *w,
                                  enum status s, const char *reason)
{
    struct store_request r = *c->r;
    struct dir_call at = {c->d, &r, c->e, NULL, ""};

    r.key = buf_bytes(&w->path);
    return dir_refuse(&at, s, "%s", reason);
}

static enum status dir_walk_errno(struct dir_call *c, const struct dir_walk *w,
                                  int error)
{
    struct store_request r = *c->r;
    struct dir_call at = {c->d, &r, c->e, NULL, ""};

    r.key = buf_bytes(&w->path);
    return dir_fault(&at, error, "list the folder");
}

static enum status dir_walk_read(struct dir_call *c, struct dir_walk *w,
                                 DIR *dir, struct dir_level *l)
{
    struct dirent *e;

    for (errno = 0; (e = readdir(dir)) != NULL; errno = 0) {
        dir_walk_take(w, c->d, e, l);
    }
    if (errno != 0 && errno != ENOENT) {
        return dir_walk_errno(c, w, errno);
    }
    if (l->count > 1) {
        qsort_r(l->entries, l->count, sizeof(*l->entries), dir_entry_order,
                l->text.at);
    }
    return STATUS_OK;
}

static bool dir_walk_is_on_path(const struct dir_walk *w, const struct stat *st)
{
    for (size_t i = 0; i < w->depth; i++) {
        if (w->levels[i].device == st->st_dev &&
            w->levels[i].inode == st->st_ino) {
            return true;
        }
    }
    return false;
}

static void dir_walk_push(struct dir_walk *w, const struct dir_level *l)
{
    if (w->depth == w->room) {
        w->room = w->room > 0 ? w->room * 2 : 8;
        w->levels = mem_grow(w->levels, w->room, sizeof(*w->levels));
    }
    w->levels[w->depth++] = *l;
}

/* Read the open folder that w->path names and go down into it. */
static enum status dir_walk_enter_open(struct dir_call *c, struct dir_walk *w,
                                       DIR *dir)
{
    struct dir_level l = {.base = w->path.size};
    struct stat st;
    enum status s;

    if (fstat(dirfd(dir), &st) != 0) {
        return dir_walk_errno(c, w, errno);
    }
    if (dir_walk_is_on_path(w, &st)) {
        return dir_walk_fault(c, w, STATUS_INVALID,
                              "this link leads to a folder above itself, so "
                              "that the listing would have no end; remove it");
    }
    l.device = st.st_dev;
    l.inode = st.st_ino;
    s = dir_walk_read(c, w, dir, &l);
    if (s != STATUS_OK || l.count == 0) {
        dir_level_fini(&l);
        return s;
    }
    dir_walk_push(w, &l);
    return STATUS_OK;
}

/* A folder that vanished or is empty is passed over. */
static enum status dir_walk_enter(struct dir_call *c, struct dir_walk *w)
{
    const char *path = w->path.size > 0 ? buf_text(&w->path) : ".";
    int fd = openat(c->d->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    enum status s;

    if (dir == NULL) {
        int error = errno;

        if (fd >= 0) {
            close(fd);
        }
        return w->path.size > 0 && (error == ENOENT || error == ENOTDIR)
                   ? STATUS_OK
                   : dir_walk_errno(c, w, error);
    }
    s = dir_walk_enter_open(c, w, dir);
    closedir(dir);
    return s;
}

/* --- the walk ------------------------------------------------------------ */

/* Set w->path to the entry that is next. */
static const struct dir_entry *dir_walk_next(struct dir_walk *w,
                                             struct dir_level *l)
{
    const struct dir_entry *e = &l->entries[l->next];

    w->path.size = l->base;
    buf_add(&w->path, l->text.at + e->start, e->size);
    return e;
}

/* Go to the next object and describe it in @out; NULL after the last. It is
 * not passed: the next call finds it again. */
static enum status dir_walk_peek(struct dir_call *c, struct dir_walk *w,
                                 struct stat *out, bool *is_there)
{
    enum status s = STATUS_OK;

    *is_there = false;
    while (w->depth > 0 && s == STATUS_OK) {
        struct dir_level *l = &w->levels[w->depth - 1];

        if (l->next == l->count) {
            dir_level_fini(l);
            w->depth--;
            continue;
        }
        const struct dir_entry *e = dir_walk_next(w, l);

        if (w->path.size > STORE_KEY_MAX) {
            return dir_walk_fault(c, w, STATUS_INVALID,
                                  "the path is longer than the 1024 bytes "
                                  "that a key can have; use shorter names");
        }
        if (e->is_folder) {
            l->next++;
            s = dir_walk_enter(c, w);
            continue;
        }
        if (fstatat(c->d->root, buf_text(&w->path), out, 0) == 0 &&
            S_ISREG(out->st_mode)) {
            *is_there = true;
            return STATUS_OK;
        }
        l->next++; /* It vanished, or is another thing now. */
    }
    return s;
}

static void dir_walk_pass(struct dir_walk *w)
{
    w->levels[w->depth - 1].next++;
}

void dir_drop_walk(struct dir_store *d)
{
    struct dir_walk *w = d->walk;

    if (w == NULL) {
        return;
    }
    while (w->depth > 0) {
        dir_level_fini(&w->levels[--w->depth]);
    }
    free(w->levels);
    buf_fini(&w->prefix);
    buf_fini(&w->after);
    buf_fini(&w->path);
    free(w);
    d->walk = NULL;
}

/* Take up the kept walk if it is the one asked for, else begin one. */
static enum status dir_walk_begin(struct dir_call *c)
{
    const struct store_request *r = c->r;
    struct dir_walk *w = c->d->walk;

    if (w != NULL && r->after.size > 0 &&
        bytes_is_equal(buf_bytes(&w->prefix), r->key) &&
        bytes_is_equal(buf_bytes(&w->after), r->after)) {
        return STATUS_OK;
    }
    dir_drop_walk(c->d);
    w = mem_new(1, sizeof(*w));
    c->d->walk = w;
    buf_add_bytes(&w->prefix, r->key);
    buf_add_bytes(&w->after, r->after);
    buf_add_text(&w->path, "");
    return dir_walk_enter(c, w);
}

static void dir_list_add(struct dir_call *c, const struct stat *st)
{
    char etag[STORE_ETAG_MAX];

    dir_etag(st, etag);
    store_page_add(c->page, &(struct store_object){
                                .key = buf_bytes(&c->d->walk->path),
                                .size = (uint64_t)st->st_size,
                                .etag = bytes_of(etag),
                                .modified_ms = dir_mtime_ms(st),
                            });
    dir_walk_pass(c->d->walk);
}

static enum status dir_list_page(struct dir_call *c)
{
    uint32_t max = c->r->list_max > 0 ? c->r->list_max : STORE_LIST_MAX;
    enum status s = dir_walk_begin(c);

    while (s == STATUS_OK) {
        struct stat st;
        bool is_there;

        s = dir_walk_peek(c, c->d->walk, &st, &is_there);
        if (s != STATUS_OK || !is_there) {
            break;
        }
        if (store_page_count(c->page) == max) {
            c->e->has_more = true;
            break;
        }
        dir_list_add(c, &st);
    }
    return s;
}

enum status dir_list(struct dir_call *c)
{
    enum status s = dir_list_page(c);

    if (s != STATUS_OK || !c->e->has_more) {
        dir_drop_walk(c->d);
        return s;
    }
    buf_clear(&c->d->walk->after);
    buf_add_bytes(&c->d->walk->after, store_page_last(c->page));
    return STATUS_OK;
}
