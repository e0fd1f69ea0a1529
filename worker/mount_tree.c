/* SPDX-License-Identifier: Apache-2.0 */
/* Run 0 is of the keys below the prefix and its slash; run 1, of a prefix that
 * ends within a name, of all others: its paths begin behind the prefix's last
 * slash. */
#include "worker/mount_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    TREE_INSIDE,
    TREE_OUTSIDE,
    TREE_DEPTH_BITS = 10, /* A path has at most 512 folders. */
    TREE_DEPTH_MASK = (1 << TREE_DEPTH_BITS) - 1,
    TREE_TARGET_MAX = 2 * KEYPATH_KEY_MAX + KEYPATH_PART_MAX + 8,
};

struct mount_tree {
    const struct mount_index *index;
    char *text;         /* The prefix, and a slash where it has none. */
    size_t prefix_size; /* Without that slash. */
    size_t bases[MOUNT_WALK_RUNS]; /* How much of @text comes before a path. */
    uint32_t runs;
};

struct mount_tree *mount_tree_new(const struct mount_index *index,
                                  struct bytes prefix)
{
    struct mount_tree *t = mem_new(1, sizeof(*t));
    size_t size = prefix.size;

    CHECK(index->count < UINT64_MAX >> (TREE_DEPTH_BITS + 2));
    t->index = index;
    t->text = mem_new(size + 2, 1);
    if (size > 0) {
        memcpy(t->text, prefix.at, size);
    }
    t->prefix_size = size;
    t->runs = 1;
    t->bases[TREE_INSIDE] = size;
    if (size > 0 && prefix.at[size - 1] != '/') {
        t->text[size] = '/';
        t->runs = MOUNT_WALK_RUNS;
        t->bases[TREE_INSIDE] = size + 1;
        while (size > 0 && t->text[size - 1] != '/') {
            size--;
        }
        t->bases[TREE_OUTSIDE] = size;
    }
    return t;
}

void mount_tree_destroy(struct mount_tree **t)
{
    if (*t != NULL) {
        free((*t)->text);
        free(*t);
        *t = NULL;
    }
}

/* ---- keys ---------------------------------------------------------------- */

static struct bytes tree_base(const struct mount_tree *t, uint32_t run)
{
    return (struct bytes){t->text, t->bases[run]};
}

static uint32_t tree_run_of(const struct mount_tree *t, struct bytes key)
{
    return bytes_has_prefix(key, tree_base(t, TREE_INSIDE)) ? TREE_INSIDE
                                                            : TREE_OUTSIDE;
}

static void tree_load(const struct mount_tree *t, uint64_t i,
                      struct mount_object *io)
{
    CHECK(i < t->index->count);
    t->index->at(t->index->self, i, io);
}

/* The path of @key; false: it has none. */
static bool tree_path(const struct mount_tree *t, struct bytes key,
                      struct bytes *out)
{
    uint32_t run = tree_run_of(t, key);

    if (run >= t->runs || !bytes_has_prefix(key, tree_base(t, run))) {
        return false;
    }
    *out = (struct bytes){key.at + t->bases[run], key.size - t->bases[run]};
    return true;
}

/* The first object in [@from, @to) that does not come before @key. */
static uint64_t tree_search(const struct mount_tree *t, uint64_t from,
                            uint64_t to, struct bytes key,
                            struct mount_object *io)
{
    while (from < to) {
        uint64_t mid = from + (to - from) / 2;

        tree_load(t, mid, io);
        if (bytes_compare(io->key, key) < 0) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

static uint64_t tree_bound(const struct mount_tree *t, struct bytes key,
                           struct mount_object *io)
{
    return tree_search(t, 0, t->index->count, key, io);
}

/* The first object behind @at that does not come before @key, which is mostly
 * near. */
static uint64_t tree_leap(const struct mount_tree *t, uint64_t at,
                          struct bytes key, struct mount_object *io)
{
    uint64_t step = 1;

    while (step < t->index->count - at) {
        tree_load(t, at + step, io);
        if (bytes_compare(io->key, key) >= 0) {
            return tree_search(t, at + step / 2 + 1, at + step, key, io);
        }
        step *= 2;
    }
    return tree_search(t, at + step / 2 + 1, t->index->count, key, io);
}

/* ---- inodes -------------------------------------------------------------- */

static uint64_t tree_ino(uint64_t object, uint64_t depth)
{
    return (object + 1) << TREE_DEPTH_BITS | depth;
}

/* The size of the first @depth names of @path, with their slashes; 0: it has
 * not so many. */
static size_t tree_cut(struct bytes path, uint64_t depth)
{
    for (size_t i = 0; i < path.size; i++) {
        depth -= path.at[i] == '/';
        if (depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static uint64_t tree_depth(struct bytes path)
{
    uint64_t depth = 0;

    for (size_t i = 0; i < path.size; i++) {
        depth += path.at[i] == '/';
    }
    return depth;
}

enum status mount_tree_get(const struct mount_tree *t, uint64_t ino,
                           struct mount_node *out)
{
    uint64_t object = (ino >> TREE_DEPTH_BITS) - 1;
    uint64_t depth = ino & TREE_DEPTH_MASK;
    struct mount_object io = {.size = 0};
    struct bytes path;

    *out = (struct mount_node){.ino = ino, .is_folder = true};
    if (ino == MOUNT_TREE_ROOT) {
        return STATUS_OK;
    }
    if (ino >> TREE_DEPTH_BITS == 0 || object >= t->index->count) {
        return STATUS_NOT_FOUND;
    }
    tree_load(t, object, &io);
    if (!tree_path(t, io.key, &path)) {
        return STATUS_NOT_FOUND;
    }
    if (depth > 0) {
        return tree_cut(path, depth) > 0 ? STATUS_OK : STATUS_NOT_FOUND;
    }
    out->is_folder = false;
    out->object = object;
    out->size = io.size;
    return keypath_is_folder(path) ? STATUS_NOT_FOUND : STATUS_OK;
}

/* The path of a folder, with its slash, into @room. */
static enum status tree_folder(const struct mount_tree *t, uint64_t ino,
                               char room[KEYPATH_KEY_MAX + 1], size_t *size)
{
    struct mount_object io = {.size = 0};
    struct mount_node node;
    struct bytes path;
    enum status s = mount_tree_get(t, ino, &node);

    *size = 0;
    if (s != STATUS_OK || !node.is_folder) {
        return STATUS_NOT_FOUND;
    }
    if (ino == MOUNT_TREE_ROOT) {
        return STATUS_OK;
    }
    tree_load(t, (ino >> TREE_DEPTH_BITS) - 1, &io);
    CHECK(tree_path(t, io.key, &path));
    *size = tree_cut(path, ino & TREE_DEPTH_MASK);
    if (*size > KEYPATH_KEY_MAX) {
        return STATUS_NOT_FOUND;
    }
    memcpy(room, path.at, *size);
    return STATUS_OK;
}

/* ---- lookup -------------------------------------------------------------- */

static bool tree_is_name(struct bytes name)
{
    return name.size > 0 && name.size <= KEYPATH_PART_MAX &&
           !bytes_is(name, ".") && !bytes_is(name, "..") &&
           memchr(name.at, '\0', name.size) == NULL &&
           memchr(name.at, '/', name.size) == NULL;
}

/* A key of @run: its base, @path, @name and @end. */
struct tree_target {
    char text[TREE_TARGET_MAX];
    size_t size;
};

static struct bytes tree_make(struct tree_target *to,
                              const struct mount_tree *t, uint32_t run,
                              struct bytes path)
{
    CHECK(path.size <= KEYPATH_KEY_MAX);
    to->size = 0;
    if (t->bases[run] > KEYPATH_KEY_MAX + 1) {
        return (struct bytes){NULL, 0}; /* No key starts like that. */
    }
    memcpy(to->text, t->text, t->bases[run]);
    memcpy(to->text + t->bases[run], path.at, path.size);
    to->size = t->bases[run] + path.size;
    return (struct bytes){to->text, to->size};
}

static struct bytes tree_add(struct tree_target *to, struct bytes name,
                             const char *end)
{
    size_t size = strlen(end);

    CHECK(to->size + name.size + size <= sizeof(to->text));
    memcpy(to->text + to->size, name.at, name.size);
    memcpy(to->text + to->size + name.size, end, size);
    to->size += name.size + size;
    return (struct bytes){to->text, to->size};
}

/* The file or the folder that @run has there. */
static enum status tree_find(const struct mount_tree *t, uint32_t run,
                             struct bytes path, struct bytes name,
                             struct mount_node *out)
{
    struct mount_object io = {.size = 0};
    struct tree_target target;
    struct bytes key = tree_make(&target, t, run, path);
    uint64_t i;

    if (key.at == NULL) {
        return STATUS_NOT_FOUND;
    }
    key = tree_add(&target, name, "");
    i = tree_bound(t, key, &io);
    if (i < t->index->count) {
        tree_load(t, i, &io);
        if (bytes_is_equal(io.key, key) && tree_run_of(t, io.key) == run) {
            *out = (struct mount_node){
                .ino = tree_ino(i, 0), .object = i, .size = io.size};
            return STATUS_OK;
        }
    }
    key = tree_add(&target, BYTES(""), "/");
    i = tree_search(t, i, t->index->count, key, &io);
    if (i == t->index->count) {
        return STATUS_NOT_FOUND;
    }
    tree_load(t, i, &io);
    if (!bytes_has_prefix(io.key, key) || tree_run_of(t, io.key) != run) {
        return STATUS_NOT_FOUND;
    }
    *out = (struct mount_node){.ino = tree_ino(i, tree_depth(path) + 1),
                               .is_folder = true};
    return STATUS_OK;
}

enum status mount_tree_lookup(const struct mount_tree *t, uint64_t folder,
                              struct bytes name, struct mount_node *out)
{
    char room[KEYPATH_KEY_MAX + 1];
    struct mount_node other;
    size_t size;
    bool is_found = false;

    if (!tree_is_name(name) ||
        tree_folder(t, folder, room, &size) != STATUS_OK) {
        return STATUS_NOT_FOUND;
    }
    /* A folder of both runs is known by the lesser of its numbers. */
    for (uint32_t run = 0; run < t->runs; run++) {
        if (tree_find(t, run, (struct bytes){room, size}, name, &other) ==
                STATUS_OK &&
            (!is_found || other.ino < out->ino)) {
            *out = other;
            is_found = true;
        }
    }
    return is_found ? STATUS_OK : STATUS_NOT_FOUND;
}

/* ---- walks --------------------------------------------------------------- */

/* What a run has next. */
struct tree_child {
    struct bytes name;
    bool is_folder;
};

/* Of a path within the folder. */
static struct tree_child tree_child_of(struct bytes rest)
{
    const char *slash = rest.size > 0 ? memchr(rest.at, '/', rest.size) : NULL;

    if (slash == NULL) {
        return (struct tree_child){rest, false};
    }
    rest.size = (size_t)(slash - rest.at);
    return (struct tree_child){rest, true};
}

static struct bytes walk_path(const struct mount_walk *w)
{
    return (struct bytes){w->path, w->path_size};
}

/* Leap over what starts with the folder's path, @name and a slash. */
static void walk_leap(struct mount_walk *w, uint32_t run, struct bytes name)
{
    struct tree_target target;

    (void)tree_make(&target, w->tree, run, walk_path(w));
    w->runs[run].at =
        tree_leap(w->tree, w->runs[run].at, tree_add(&target, name, "0"),
                  &w->runs[run].object); /* '0' is '/' + 1. */
    w->runs[run].is_loaded = false;
}

static void walk_step(struct mount_walk *w, uint32_t run)
{
    w->runs[run].at++;
    w->runs[run].is_loaded = false;
}

/* Whether the object that the run is at lies in the folder; loads it. */
static bool walk_is_in(struct mount_walk *w, uint32_t run)
{
    const struct mount_tree *t = w->tree;
    struct bytes key;
    size_t base = t->bases[run];

    if (w->runs[run].is_over || w->runs[run].at >= t->index->count) {
        return false;
    }
    if (!w->runs[run].is_loaded) {
        tree_load(t, w->runs[run].at, &w->runs[run].object);
        w->runs[run].is_loaded = true;
    }
    key = w->runs[run].object.key;
    return bytes_has_prefix(key, tree_base(t, run)) &&
           bytes_has_prefix((struct bytes){key.at + base, key.size - base},
                            walk_path(w));
}

/* What lies inside is not the other run's. */
static bool walk_is_strange(const struct mount_walk *w, uint32_t run)
{
    return run == TREE_OUTSIDE &&
           tree_run_of(w->tree, w->runs[run].object.key) == TREE_INSIDE;
}

static bool walk_peek(struct mount_walk *w, uint32_t run,
                      struct tree_child *out)
{
    size_t before = w->tree->bases[run] + w->path_size;

    while (walk_is_in(w, run)) {
        struct bytes key = w->runs[run].object.key;

        *out =
            tree_child_of((struct bytes){key.at + before, key.size - before});
        if (walk_is_strange(w, run)) {
            if (!out->is_folder || w->path_size > 0) {
                break; /* All of the folder is. */
            }
            walk_leap(w, run, out->name);
        } else if (tree_is_name(out->name)) {
            return true;
        } else {
            walk_step(w, run); /* A marker of the folder itself. */
        }
    }
    w->runs[run].is_over = true;
    return false;
}

static int tree_char(const struct tree_child *c, size_t i)
{
    if (i < c->name.size) {
        return (unsigned char)c->name.at[i];
    }
    return i == c->name.size && c->is_folder ? '/' : -1;
}

/* By name, a folder's with a slash at its end. */
static int tree_compare(const struct tree_child *a, const struct tree_child *b)
{
    size_t i = 0;

    while (tree_char(a, i) == tree_char(b, i) && tree_char(a, i) >= 0) {
        i++;
    }
    return tree_char(a, i) - tree_char(b, i);
}

/* Move @run behind the entry. */
static void walk_pass(struct mount_walk *w, uint32_t run,
                      const struct mount_entry *e)
{
    if (e->node.is_folder) {
        walk_leap(w, run, e->name);
    } else {
        walk_step(w, run);
    }
}

bool mount_walk_next(struct mount_walk *w, struct mount_entry *out)
{
    struct tree_child children[MOUNT_WALK_RUNS];
    uint32_t has = 0;
    uint32_t best = MOUNT_WALK_RUNS;
    uint64_t first = UINT64_MAX;

    for (uint32_t run = 0; run < w->tree->runs; run++) {
        int order = 1;

        if (!walk_peek(w, run, &children[run])) {
            continue;
        }
        if (best < MOUNT_WALK_RUNS) {
            order = tree_compare(&children[best], &children[run]);
        }
        if (order > 0) {
            has = 0;
            best = run;
            first = UINT64_MAX;
        }
        if (order >= 0) {
            has |= 1U << run;
            first = w->runs[run].at < first ? w->runs[run].at : first;
        }
    }
    if (best == MOUNT_WALK_RUNS) {
        return false;
    }
    out->name = (struct bytes){w->name, children[best].name.size};
    memcpy(w->name, children[best].name.at, out->name.size);
    w->name[out->name.size] = '\0';
    out->place = first + 1;
    out->node = (struct mount_node){.ino = tree_ino(first, 0),
                                    .object = first,
                                    .size = w->runs[best].object.size};
    if (children[best].is_folder) {
        out->node = (struct mount_node){
            .ino = tree_ino(first, tree_depth(walk_path(w)) + 1),
            .is_folder = true};
    }
    for (uint32_t run = 0; run < w->tree->runs; run++) {
        if ((has & 1U << run) != 0) {
            walk_pass(w, run, out);
        }
    }
    return true;
}

/* ---- the start of a walk --------------------------------------------------
 */

static void walk_start(struct mount_walk *w, uint32_t run)
{
    struct tree_target target;
    struct bytes key = tree_make(&target, w->tree, run, walk_path(w));

    w->runs[run].is_over = key.at == NULL;
    if (key.at != NULL) {
        w->runs[run].at = tree_bound(w->tree, key, &w->runs[run].object);
    }
}

/* Behind the child @last; in its own run that is near @from. */
static void walk_resume(struct mount_walk *w, uint32_t run,
                        const struct tree_child *last, const uint64_t *from)
{
    struct tree_target target;
    struct bytes key = tree_make(&target, w->tree, run, walk_path(w));

    w->runs[run].is_over = key.at == NULL;
    if (key.at == NULL) {
        return;
    }
    key = tree_add(&target, last->name, last->is_folder ? "0" : "\1");
    if (!last->is_folder) {
        target.text[target.size - 1] = '\0'; /* The least that comes after. */
    }
    w->runs[run].at = from != NULL
                          ? tree_leap(w->tree, *from, key, &w->runs[run].object)
                          : tree_bound(w->tree, key, &w->runs[run].object);
}

enum status mount_walk_begin(const struct mount_tree *t, uint64_t folder,
                             uint64_t place, struct mount_walk *out)
{
    struct mount_object io = {.size = 0};
    struct tree_child last;
    struct bytes path;
    enum status s;

    out->tree = t;
    memset(out->runs, 0, sizeof(out->runs));
    s = tree_folder(t, folder, out->path, &out->path_size);
    if (s != STATUS_OK || place > t->index->count) {
        return STATUS_NOT_FOUND;
    }
    for (uint32_t run = 0; place == 0 && run < t->runs; run++) {
        walk_start(out, run);
    }
    if (place == 0) {
        return STATUS_OK;
    }
    tree_load(t, place - 1, &io);
    if (!tree_path(t, io.key, &path) ||
        !bytes_has_prefix(path, walk_path(out))) {
        return STATUS_NOT_FOUND;
    }
    last = tree_child_of(
        (struct bytes){path.at + out->path_size, path.size - out->path_size});
    if (!tree_is_name(last.name)) {
        return STATUS_NOT_FOUND;
    }
    place--;
    for (uint32_t run = 0; run < t->runs; run++) {
        walk_resume(out, run, &last,
                    tree_run_of(t, io.key) == run ? &place : NULL);
    }
    return STATUS_OK;
}
