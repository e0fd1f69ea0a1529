/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/save.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"
#include "worker/save_send.h"

enum {
    SAVE_SKIPS_LOGGED = 8, /* The rest is only counted. */
    SAVE_TEXT_MAX = 4096,
};

struct save_list {
    char **names;
    size_t count;
    size_t room;
};

struct save {
    struct {
        char *path;
        char *uri;
    } trees[SAVE_TREES_MAX];
    uint32_t tree_count;
    int end_fd;
    pthread_t thread;
    _Atomic uint64_t units;
    _Atomic uint64_t bytes;
    /* The thread's, until it has ended. */
    struct save_sender *sender;
    enum status status;
    struct fault why; /* The first failure. */
    uint64_t failed;
    uint64_t skipped;
};

/* One tree on its way. */
struct save_walk {
    struct save *save;
    char *uri;
    char *root; /* Without links. */
    struct store *store;
    struct buf prefix;
    struct save_list folders; /* Still to be read, below root. */
    bool is_hopeless;         /* The store can't be opened. */
};

static void save_list_add(struct save_list *l, char *name)
{
    if (l->count == l->room) {
        l->room = l->room > 0 ? 2 * l->room : 16;
        l->names = mem_grow(l->names, l->room, sizeof(l->names[0]));
    }
    l->names[l->count++] = name;
}

static void save_list_fini(struct save_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->names[i]);
    }
    free(l->names);
}

static void save_fail(struct save *s, enum status status,
                      const struct fault *why)
{
    CHECK(status != STATUS_OK);
    if (s->failed == 0) {
        s->status = status;
        s->why = *why;
    }
    s->failed++;
}

static void save_skip(struct save *s, const char *path, const char *reason)
{
    char text[SAVE_TEXT_MAX];

    s->skipped++;
    if (s->skipped <= SAVE_SKIPS_LOGGED) {
        log_event(LOG_WARN, "save.skipped", "file=%s why=%s",
                  log_quote(path, text, sizeof(text)), reason);
    }
}

static bool save_is_marker(const char *name)
{
    struct bytes b = bytes_of(name);

    return bytes_has_suffix(b, BYTES(".sagemaker-ignore")) ||
           bytes_has_suffix(b, BYTES(".sagemaker-uploading")) ||
           bytes_has_suffix(b, BYTES(".sagemaker-uploaded"));
}

/* Opened for the first file only: a tree without files leaves nothing. */
static bool save_open_store(struct save_walk *w)
{
    struct fault why;
    enum status s;

    if (w->store != NULL || w->is_hopeless) {
        return w->store != NULL;
    }
    s = store_open(w->uri, STORE_WRITE, &why, &w->store, &w->prefix);
    if (s != STATUS_OK) {
        w->is_hopeless = true;
        save_fail(w->save, s, &why);
        return false;
    }
    return true;
}

/* Send the file @path to the key that ends with @name. */
static void save_file(struct save_walk *w, const char *path, const char *name)
{
    struct buf key = {0};
    struct fault why;
    enum status s;

    if (!save_open_store(w)) {
        return;
    }
    buf_add_bytes(&key, buf_bytes(&w->prefix));
    buf_add_text(&key, name);
    s = save_send(w->save->sender, w->store,
                  &(struct save_file){.path = path, .key = buf_bytes(&key)},
                  &why);
    if (s == STATUS_OK) {
        atomic_fetch_add(&w->save->units, 1);
    } else {
        save_fail(w->save, s, &why);
    }
    buf_fini(&key);
}

/* Follow a link if it leads to a file inside the tree. */
static void save_link(struct save_walk *w, const char *path, const char *name)
{
    char *real = realpath(path, NULL);
    size_t size = strlen(w->root);
    struct stat st;

    if (real == NULL) {
        save_skip(w->save, path, "link-to-nothing");
    } else if (strncmp(real, w->root, size) != 0 || real[size] != '/') {
        save_skip(w->save, path, "link-to-outside");
    } else if (stat(real, &st) != 0 || !S_ISREG(st.st_mode)) {
        save_skip(w->save, path, "link-to-no-file");
    } else {
        save_file(w, real, name);
    }
    free(real);
}

/* Take one entry; @name is its path below the root and becomes ours. */
static void save_entry(struct save_walk *w, char *name)
{
    char *path = mem_print("%s/%s", w->root, name);
    struct fault why;
    struct stat st;

    if (lstat(path, &st) != 0) {
        save_fail(w->save, file_fault(&why, errno, "look at", path), &why);
    } else if (S_ISDIR(st.st_mode)) {
        save_list_add(&w->folders, name);
        name = NULL;
    } else if (S_ISREG(st.st_mode)) {
        save_file(w, path, name);
    } else if (S_ISLNK(st.st_mode)) {
        save_link(w, path, name);
    } else {
        save_skip(w->save, path, "not-a-file");
    }
    free(path);
    free(name);
}

static int save_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Read the names in @folder, which is "" or ends with "/", in their order. */
static enum status save_read_folder(const struct save_walk *w,
                                    const char *folder, struct fault *why,
                                    struct save_list *out)
{
    char *path = mem_print("%s/%s", w->root, folder);
    DIR *dir = opendir(path);
    const struct dirent *e;
    enum status s = STATUS_OK;

    if (dir == NULL) {
        s = file_fault(why, errno, "open the folder", path);
        free(path);
        return s;
    }
    errno = 0;
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !save_is_marker(e->d_name)) {
            save_list_add(out, mem_print("%s%s", folder, e->d_name));
        }
        errno = 0;
    }
    if (errno != 0) {
        s = file_fault(why, errno, "read the folder", path);
    }
    closedir(dir);
    free(path);
    if (out->count > 0) {
        qsort(out->names, out->count, sizeof(out->names[0]), save_compare);
    }
    return s;
}

static void save_folder(struct save_walk *w, const char *folder)
{
    struct save_list list = {0};
    struct fault why;
    enum status s = save_read_folder(w, folder, &why, &list);

    if (s != STATUS_OK) {
        save_fail(w->save, s, &why);
    }
    for (size_t i = 0; i < list.count; i++) {
        char *name = list.names[i];

        list.names[i] = NULL;
        save_entry(w, name);
    }
    save_list_fini(&list);
}

/* Not recursive: the folders still to be read are a list. */
static void save_folders(struct save_walk *w)
{
    save_folder(w, "");
    while (w->folders.count > 0 && !w->is_hopeless) {
        char *name = w->folders.names[--w->folders.count];
        char *folder = mem_print("%s/", name);

        save_folder(w, folder);
        free(folder);
        free(name);
    }
}

/* A single file goes to the URI itself unless that is a folder's. */
static void save_single(struct save_walk *w, const char *path)
{
    char *uri = w->uri;
    char *slash = strrchr(uri, '/');
    char *name;

    if (slash == NULL || slash[1] == '\0') {
        slash = strrchr(path, '/');
        name = mem_copy(slash != NULL ? slash + 1 : path);
    } else {
        name = mem_copy(slash + 1);
        slash[1] = '\0';
    }
    save_file(w, w->root, name);
    free(name);
}

static void save_tree(struct save *s, uint32_t i)
{
    const char *path = s->trees[i].path;
    struct save_walk w = {.save = s, .uri = s->trees[i].uri};
    struct fault why;
    struct stat st;

    w.root = realpath(path, NULL);
    if (w.root == NULL || stat(w.root, &st) != 0) {
        if (errno != ENOENT) {
            save_fail(s, file_fault(&why, errno, "look at", path), &why);
        }
    } else if (S_ISDIR(st.st_mode)) {
        save_folders(&w);
    } else if (S_ISREG(st.st_mode)) {
        save_single(&w, path);
    } else {
        save_skip(s, path, "not-a-file");
    }
    store_close(&w.store);
    buf_fini(&w.prefix);
    save_list_fini(&w.folders);
    free(w.root);
}

static void *save_main(void *self)
{
    struct save *s = self;
    uint64_t one = 1;

    for (uint32_t i = 0; i < s->tree_count; i++) {
        save_tree(s, i);
    }
    save_send_clear(s->sender);
    if (s->skipped > SAVE_SKIPS_LOGGED) {
        log_event(LOG_WARN, "save.skipped-more", "count=%" PRIu64,
                  s->skipped - SAVE_SKIPS_LOGGED);
    }
    while (write(s->end_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    return NULL;
}

static void save_destroy(struct save *s)
{
    for (uint32_t i = 0; i < s->tree_count; i++) {
        free(s->trees[i].path);
        free(s->trees[i].uri);
    }
    save_sender_destroy(&s->sender);
    if (s->end_fd >= 0) {
        close(s->end_fd);
    }
    free(s);
}

enum status save_start(const struct save_tree *trees, uint32_t tree_count,
                       const char *notes, struct fault *why, struct save **out)
{
    struct save *s = mem_new(1, sizeof(*s));
    int error;

    CHECK(tree_count <= SAVE_TREES_MAX);
    for (uint32_t i = 0; i < tree_count; i++) {
        s->trees[i].path = mem_copy(trees[i].path);
        s->trees[i].uri = mem_copy(trees[i].uri);
    }
    s->tree_count = tree_count;
    s->sender = save_sender_new(&s->bytes, notes);
    s->end_fd = eventfd(0, EFD_CLOEXEC);
    error =
        s->end_fd < 0 ? errno : pthread_create(&s->thread, NULL, save_main, s);
    if (error != 0) {
        save_destroy(s);
        return fault_set(why, STATUS_OS, "start saving: %s", strerror(error));
    }
    *out = s;
    return STATUS_OK;
}

int save_fd(const struct save *s)
{
    return s->end_fd;
}

struct save_progress save_progress(const struct save *s)
{
    return (struct save_progress){.units = atomic_load(&s->units),
                                  .bytes = atomic_load(&s->bytes)};
}

enum status save_finish(struct save **s, struct fault *why)
{
    enum status status;

    pthread_join((*s)->thread, NULL);
    status = (*s)->status;
    if (status != STATUS_OK) {
        fault_set(why, status,
                  "%.800s; saved %" PRIu64 ", could not save %" PRIu64,
                  (*s)->why.text, atomic_load(&(*s)->units), (*s)->failed);
    }
    save_destroy(*s);
    *s = NULL;
    return status;
}
