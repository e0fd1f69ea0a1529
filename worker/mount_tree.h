/* SPDX-License-Identifier: Apache-2.0 */
/* A folder tree served straight from sorted keys, without building one. A pure
 * core.
 *
 * A folder is the range of keys that start with its path and a slash; what is
 * in it is found by leaping from one child to the next. So a tree of 10⁹ keys
 * takes no memory and is there at once. Keys become paths as proto/keypath.h
 * says, and have passed its check; a key without a place is not seen. Where
 * the prefix is the start of names and a folder too, a folder may be of two
 * ranges, which are merged.
 *
 * An inode's number says which object it is, or of which object it is the
 * folder at which depth; a place in a folder is the object that was seen
 * last. Both mean the same after a restart.
 *
 * Threads: any, since nothing is kept. */

#ifndef WORKER_MOUNT_TREE_H
#define WORKER_MOUNT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "proto/keypath.h"

enum { MOUNT_OBJECT_ROOM = 2048, MOUNT_TREE_ROOT = 1 };

/* One object. The views may point into @room and live until the struct is
 * used again or ends. */
struct mount_object {
    struct bytes key;
    struct bytes etag; /* Empty: any. */
    uint64_t size;
    _Alignas(16) char room[MOUNT_OBJECT_ROOM]; /* The callback's: all zero when
                                                  the struct is new. */
};

/* The objects, sorted by key bytes; immutable. */
struct mount_index {
    void *self;
    uint64_t count;
    /* Write the object @i. Called on any thread. A struct that was used for
     * the object before is worth a fast path: most calls come so. */
    void (*at)(void *self, uint64_t i, struct mount_object *io);
};

struct mount_tree;

/* @index must outlive it; @prefix is copied. */
struct mount_tree *mount_tree_new(const struct mount_index *index,
                                  struct bytes prefix);
void mount_tree_destroy(struct mount_tree **t);

struct mount_node {
    uint64_t ino;
    bool is_folder;
    uint64_t object; /* Of a file. */
    uint64_t size;
};

/* NOT_FOUND: no such inode. */
MUST_USE enum status mount_tree_get(const struct mount_tree *t, uint64_t ino,
                                    struct mount_node *out);

/* NOT_FOUND: no folder, or nothing of that name is in it. */
MUST_USE enum status mount_tree_lookup(const struct mount_tree *t,
                                       uint64_t folder, struct bytes name,
                                       struct mount_node *out);

enum { MOUNT_WALK_RUNS = 2 };

/* A walk over what is in a folder. Open, for the stack; all fields private. */
struct mount_walk {
    const struct mount_tree *tree;
    char path[KEYPATH_KEY_MAX + 1]; /* Of the folder, with its slash. */
    size_t path_size;
    struct {
        uint64_t at;
        bool is_over;
        bool is_loaded; /* @object is that at @at. */
        struct mount_object object;
    } runs[MOUNT_WALK_RUNS];
    char name[KEYPATH_PART_MAX + 1];
};

struct mount_entry {
    struct mount_node node;
    struct bytes name; /* With a NUL behind; lives until the next one. */
    uint64_t place;    /* To go on behind it; never 0. */
};

/* Begin behind @place; 0: at the start. NOT_FOUND: no such folder or place. */
MUST_USE enum status mount_walk_begin(const struct mount_tree *t,
                                      uint64_t folder, uint64_t place,
                                      struct mount_walk *out);

/* The next one; names come in the order of their bytes, a folder's with a
 * slash at its end. false: that was all. */
bool mount_walk_next(struct mount_walk *w, struct mount_entry *out);

#endif /* WORKER_MOUNT_TREE_H */
