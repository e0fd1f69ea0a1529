/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are folders too, and names taken twice, in sorted paths.
 *
 * A file "a" comes before every "a/…" and all between them start with "a", so
 * only those earlier files matter that the newest path starts with. They are
 * kept as lengths of the newest path. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/keypath.h"

/* Inside: below P + "/". The key is P, a slash and the path; outside it is
 * the folder that P lies in and the path. */
enum keypath_run { KEYPATH_OUTSIDE, KEYPATH_INSIDE, KEYPATH_RUNS };

struct keypath_open {
    uint16_t size; /* Of the path. */
    uint8_t run;
};

/* Paths fed in order. */
struct keypath_names {
    char last[KEYPATH_KEY_MAX];
    size_t last_size;
    struct keypath_open open[KEYPATH_KEY_MAX + 1];
    size_t open_count;
};

/* Where a path of the other run could be, seen from the name that P ends
 * with: just that name, before its slash, after it. */
enum keypath_zone {
    KEYPATH_SAME,
    KEYPATH_BEFORE,
    KEYPATH_AFTER,
    KEYPATH_ZONES
};

struct keypath_check {
    char *prefix;
    size_t prefix_size;
    size_t folder_size; /* Of the folder that P lies in, with its slash. */
    char last[KEYPATH_KEY_MAX];
    size_t last_size;
    bool is_started;
    bool is_seen[KEYPATH_RUNS][KEYPATH_ZONES];
    struct keypath_names names[KEYPATH_RUNS];
};

static struct bytes keypath_prefix(const struct keypath_check *c)
{
    return (struct bytes){c->prefix, c->prefix_size};
}

/* The runs differ only when P ends within a name. */
static enum keypath_run keypath_run_of(const struct keypath_check *c,
                                       struct bytes key)
{
    return c->folder_size < c->prefix_size && key.size > c->prefix_size &&
                   key.at[c->prefix_size] == '/'
               ? KEYPATH_INSIDE
               : KEYPATH_OUTSIDE;
}

struct keypath_check *keypath_check_new(struct bytes prefix)
{
    struct keypath_check *c = mem_new(1, sizeof(*c));

    c->prefix = mem_copy_text(prefix.size > 0 ? prefix.at : "", prefix.size);
    c->prefix_size = prefix.size;
    c->folder_size = prefix.size;
    while (c->folder_size > 0 && c->prefix[c->folder_size - 1] != '/') {
        c->folder_size--;
    }
    return c;
}

void keypath_check_destroy(struct keypath_check **c)
{
    if (*c != NULL) {
        free((*c)->prefix);
        free(*c);
        *c = NULL;
    }
}

static enum status keypath_collide(const struct keypath_check *c,
                                   struct bytes path, enum keypath_run run,
                                   struct bytes key, struct fault *why)
{
    size_t before = run == KEYPATH_INSIDE ? c->prefix_size : c->folder_size;

    return fault_set(why, STATUS_CONFLICT,
                     "keys \"%.*s%s%.*s\" and \"%.*s\": both want the name "
                     "\"%.*s\" below the channel's folder",
                     (int)before, c->prefix, run == KEYPATH_INSIDE ? "/" : "",
                     (int)path.size, path.at, (int)key.size, key.at,
                     (int)path.size, path.at);
}

static size_t keypath_common(struct bytes a, struct bytes b)
{
    size_t least = a.size < b.size ? a.size : b.size;
    size_t size = 0;

    while (size < least && a.at[size] == b.at[size]) {
        size++;
    }
    return size;
}

/* Take the next path in order. CONFLICT: it, or a folder on the way to it,
 * is a file already. */
static enum status keypath_names_add(const struct keypath_check *c,
                                     struct keypath_names *n, struct bytes path,
                                     struct bytes key, struct fault *why)
{
    size_t common = keypath_common((struct bytes){n->last, n->last_size}, path);

    while (n->open_count > 0 && n->open[n->open_count - 1].size > common) {
        n->open_count--;
    }
    for (size_t i = 0; i < n->open_count; i++) {
        const struct keypath_open *open = &n->open[i];

        if (open->size == path.size || path.at[open->size] == '/') {
            return keypath_collide(c, (struct bytes){path.at, open->size},
                                   (enum keypath_run)open->run, key, why);
        }
    }
    memcpy(n->last + common, path.at + common, path.size - common);
    n->last_size = path.size;
    if (!keypath_is_folder(path)) {
        CHECK(n->open_count <= KEYPATH_KEY_MAX);
        n->open[n->open_count++] = (struct keypath_open){
            (uint16_t)path.size, (uint8_t)keypath_run_of(c, key)};
    }
    return STATUS_OK;
}

/* Remember where @path lies for the other run. A path outside starts with
 * the name that P ends with, and so must one inside to meet it. */
static void keypath_note(struct keypath_check *c, enum keypath_run run,
                         struct bytes path)
{
    struct bytes name = {c->prefix + c->folder_size,
                         c->prefix_size - c->folder_size};
    enum keypath_zone zone = KEYPATH_SAME;

    if (name.size == 0 || !bytes_has_prefix(path, name)) {
        return;
    }
    if (path.size > name.size && path.at[name.size] != '/') {
        zone = (unsigned char)path.at[name.size] < '/' ? KEYPATH_BEFORE
                                                       : KEYPATH_AFTER;
    }
    c->is_seen[run][zone] = true;
}

static enum status keypath_check_order(struct keypath_check *c,
                                       struct bytes key, struct fault *why)
{
    struct bytes last = {c->last, c->last_size};

    if (c->is_started && bytes_compare(last, key) >= 0) {
        return fault_set(why, STATUS_INVALID,
                         "key \"%.*s\" does not come after \"%.*s\"",
                         (int)(key.size < 300 ? key.size : 300), key.at,
                         (int)(last.size < 300 ? last.size : 300), last.at);
    }
    if (key.size > 0) {
        memcpy(c->last, key.at, key.size);
    }
    c->last_size = key.size;
    c->is_started = true;
    return STATUS_OK;
}

enum status keypath_check_add(struct keypath_check *c, struct bytes key,
                              struct fault *why)
{
    struct bytes path;
    enum keypath_run run = keypath_run_of(c, key);
    enum status s = keypath_of(keypath_prefix(c), key, why, &path);

    if (s == STATUS_OK) {
        s = keypath_check_order(c, key, why);
    }
    if (s != STATUS_OK || path.size == 0) {
        return s;
    }
    s = keypath_names_add(c, &c->names[run], path, key, why);
    if (s != STATUS_OK) {
        return s;
    }
    keypath_note(c, run, path);
    /* The one key that is P itself is a file of that name, and it came
     * first: no walk is needed to see it met. */
    if (run == KEYPATH_INSIDE && c->is_seen[KEYPATH_OUTSIDE][KEYPATH_SAME] &&
        c->is_seen[KEYPATH_INSIDE][KEYPATH_SAME]) {
        path.size = c->prefix_size - c->folder_size;
        return keypath_collide(c, path, KEYPATH_OUTSIDE, key, why);
    }
    return STATUS_OK;
}

enum status keypath_check_end(struct keypath_check *c, struct fault *why)
{
    for (int zone = KEYPATH_BEFORE; zone < KEYPATH_ZONES; zone++) {
        if (c->is_seen[KEYPATH_INSIDE][zone] &&
            c->is_seen[KEYPATH_OUTSIDE][zone]) {
            return fault_set(why, STATUS_CONFLICT,
                             "prefix \"%.*s\" is both a folder and the start "
                             "of other names, and what is in it may take "
                             "their place; end the prefix with \"/\"",
                             (int)(c->prefix_size < 300 ? c->prefix_size : 300),
                             c->prefix);
        }
    }
    return STATUS_OK;
}

/* One of the two walks: the next key and path of its run. */
struct keypath_side {
    keypath_next_fn *next;
    void *walk;
    enum keypath_run run;
    bool has_path;
    struct bytes key;
    struct bytes path;
};

static enum status keypath_side_step(struct keypath_check *c,
                                     struct keypath_side *side,
                                     struct fault *why)
{
    do {
        side->has_path = side->next(side->walk, &side->key);
    } while (side->has_path && keypath_run_of(c, side->key) != side->run);
    return side->has_path
               ? keypath_of(keypath_prefix(c), side->key, why, &side->path)
               : STATUS_OK;
}

/* Take the lesser of the two sides' paths and step that side. */
static enum status keypath_merge_step(struct keypath_check *c,
                                      struct keypath_side sides[2],
                                      struct fault *why)
{
    size_t least = 0;
    enum status s = STATUS_OK;

    if (!sides[0].has_path ||
        (sides[1].has_path &&
         bytes_compare(sides[1].path, sides[0].path) < 0)) {
        least = 1;
    }
    if (sides[least].path.size > 0) {
        s = keypath_names_add(c, &c->names[0], sides[least].path,
                              sides[least].key, why);
    }
    return s == STATUS_OK ? keypath_side_step(c, &sides[least], why) : s;
}

enum status keypath_check_walk(struct bytes prefix, keypath_next_fn *next,
                               void *first, void *second, struct fault *why)
{
    struct keypath_check *c = keypath_check_new(prefix);
    struct keypath_side sides[2] = {
        {next, first, KEYPATH_OUTSIDE, false, {0}, {0}},
        {next, second, KEYPATH_INSIDE, false, {0}, {0}}};
    enum status s = keypath_side_step(c, &sides[0], why);

    if (s == STATUS_OK) {
        s = keypath_side_step(c, &sides[1], why);
    }
    while (s == STATUS_OK && (sides[0].has_path || sides[1].has_path)) {
        s = keypath_merge_step(c, sides, why);
    }
    keypath_check_destroy(&c);
    return s;
}
