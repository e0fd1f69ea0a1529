/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_resume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/keypath.h"

enum {
    BRING_BOOK_FILE_MAX = 1 << 30,
    BRING_BOOT_MAX = 64,
    BRING_BLOCK = 512, /* Of st_blocks. */
};

#define BRING_BOOT_FILE "/proc/sys/kernel/random/boot_id"

struct bring_resume {
    char *folder;
    const struct bring_channel *channel;
    struct buf boot; /* Empty: not known, so there are no books. */
    struct bring_book *book;
    uint64_t bytes;
    int fd; /* Of the own book; -1: none. */
    bool has_lines;
    struct buf line;
};

/* ---- the folders -------------------------------------------------------- */

/* Read a folder's name. 0: it is not one of ours. */
static uint64_t bring_resume_parse(const char *name)
{
    char *end = NULL;
    uint64_t number;

    if (name[0] < '1' || name[0] > '9') {
        return 0;
    }
    errno = 0;
    number = strtoull(name, &end, 10);
    return errno == 0 && *end == '\0' && number < UINT32_MAX ? number : 0;
}

/* The first number after @after and before @before; 0: none. */
static uint64_t bring_resume_next(const char *folder, uint64_t after,
                                  uint64_t before)
{
    DIR *dir = opendir(folder);
    const struct dirent *e;
    uint64_t next = 0;

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        uint64_t number = bring_resume_parse(e->d_name);

        if (number > after && number < before && (next == 0 || number < next)) {
            next = number;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return next;
}

uint64_t bring_resume_number(const char *folder)
{
    uint64_t last = 0;
    uint64_t number = bring_resume_next(folder, 0, UINT64_MAX);

    while (number != 0) {
        last = number;
        number = bring_resume_next(folder, number, UINT64_MAX);
    }
    return last + 1;
}

/* ---- the books ---------------------------------------------------------- */

static struct bring_book_head bring_resume_head(const struct bring_resume *r)
{
    return (struct bring_book_head){
        .boot = buf_text(&r->boot),
        .root_uri = r->channel->root_uri,
        .prefix = r->channel->prefix,
    };
}

static void bring_resume_read_boot(struct buf *out)
{
    struct fault why;

    if (file_read(BRING_BOOT_FILE, BRING_BOOT_MAX, &why, out) != STATUS_OK) {
        buf_clear(out);
    }
    while (out->size > 0 && out->at[out->size - 1] <= ' ') {
        out->at[--out->size] = '\0';
    }
}

/* What can't be gone on with only takes room. */
static void bring_resume_drop(const struct bring_resume *r, uint64_t number)
{
    char *path = mem_print("%s/%" PRIu64, r->folder, number);
    struct fault why;

    (void)!file_remove_tree(path, &why);
    free(path);
}

static void bring_resume_read(struct bring_resume *r, uint64_t number)
{
    char *path = mem_print("%s/%" PRIu64 "/book", r->folder, number);
    struct bring_book_head head = bring_resume_head(r);
    struct buf text = {0};
    struct fault why;
    size_t taken = 0;

    if (r->boot.size > 0 &&
        file_read(path, BRING_BOOK_FILE_MAX, &why, &text) == STATUS_OK) {
        taken =
            bring_book_read(r->book, buf_bytes(&text), &head, (uint32_t)number);
    }
    if (taken == 0) {
        bring_resume_drop(r, number);
    }
    buf_fini(&text);
    free(path);
}

static void bring_resume_begin(struct bring_resume *r, uint64_t number)
{
    char *path = mem_print("%s/%" PRIu64 "/book", r->folder, number);
    struct bring_book_head head = bring_resume_head(r);

    if (r->boot.size > 0) {
        r->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
                     0600);
        bring_book_write_head(&head, &r->line);
    }
    free(path);
}

void bring_resume_write(struct bring_resume *r,
                        const struct bring_book_line *line)
{
    ssize_t put;

    if (r->fd < 0) {
        return;
    }
    bring_book_write(line, &r->line); /* The first one follows the head. */
    put = write(r->fd, r->line.at, r->line.size);
    if (put != (ssize_t)r->line.size) {
        log_event(LOG_WARN, "bring.no-book", "channel=%s reason=\"%s\"",
                  r->channel->name, put < 0 ? strerror(errno) : "disk full");
        close(r->fd);
        r->fd = -1;
        return;
    }
    r->has_lines = true;
    buf_clear(&r->line);
}

/* ---- what is there ------------------------------------------------------ */

static char *bring_resume_path(const struct bring_resume *r,
                               const struct bring_book_entry *e,
                               struct bytes path)
{
    return mem_print("%s/%" PRIu32 "/" BRING_RESUME_FILES "/%.*s", r->folder,
                     e->book, (int)path.size, path.at);
}

static bool bring_resume_is_there(const char *file,
                                  const struct bring_book_entry *e,
                                  struct stat *st)
{
    return lstat(file, st) == 0 && S_ISREG(st->st_mode) &&
           st->st_ino == e->inode &&
           (!e->is_whole || (uint64_t)st->st_size == e->size);
}

static void bring_resume_count(void *self, const struct bring_book_entry *e)
{
    struct bring_resume *r = self;
    struct bytes path;
    struct fault why;
    struct stat st;
    char *file;

    if (keypath_of(r->channel->prefix, e->key, &why, &path) != STATUS_OK) {
        return;
    }
    file = bring_resume_path(r, e, path);
    if (bring_resume_is_there(file, e, &st)) {
        r->bytes += (uint64_t)st.st_blocks * BRING_BLOCK;
    }
    free(file);
}

const struct bring_book_entry *bring_resume_find(
    const struct bring_resume *r, const struct bring_object *object)
{
    const struct bring_book_entry *e =
        bring_book_find(r->book, (struct bytes){object->key, object->key_size});

    return e != NULL && e->size == object->size &&
                   bytes_is(e->etag, object->etag)
               ? e
               : NULL;
}

bool bring_resume_take(struct bring_resume *r,
                       const struct bring_book_entry *entry, struct bytes path,
                       const char *file)
{
    char *from = bring_resume_path(r, entry, path);
    struct stat st;
    bool is_taken = bring_resume_is_there(from, entry, &st) &&
                    access(file, F_OK) != 0 && rename(from, file) == 0;

    free(from);
    return is_taken;
}

/* ---- from start to end -------------------------------------------------- */

struct bring_resume *bring_resume_new(const char *folder, uint64_t number,
                                      const struct bring_channel *channel)
{
    struct bring_resume *r = mem_new(1, sizeof(*r));
    uint64_t at = 0;

    r->folder = mem_copy(folder);
    r->channel = channel;
    r->book = bring_book_new();
    r->fd = -1;
    bring_resume_read_boot(&r->boot);
    while ((at = bring_resume_next(folder, at, number)) != 0) {
        bring_resume_read(r, at);
    }
    bring_book_each(r->book, bring_resume_count, r);
    bring_resume_begin(r, number);
    return r;
}

void bring_resume_destroy(struct bring_resume **rp)
{
    struct bring_resume *r = *rp;

    if (r == NULL) {
        return;
    }
    if (r->fd >= 0) {
        close(r->fd);
    }
    bring_book_destroy(&r->book);
    buf_fini(&r->boot);
    buf_fini(&r->line);
    free(r->folder);
    free(r);
    *rp = NULL;
}

uint64_t bring_resume_bytes(const struct bring_resume *r)
{
    return r->bytes;
}

bool bring_resume_is_useful(const struct bring_resume *r)
{
    return r->has_lines || bring_book_count(r->book) > 0;
}
