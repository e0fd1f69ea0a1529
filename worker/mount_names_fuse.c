/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "worker/mount_state_fuse.h"

/* Nothing of it can change. */
#define NAMES_VALID_S (365.0 * 86400)

enum { NAMES_BLOCK = 4096, NAMES_DOTS = 2 };

static struct stat names_stat(const struct mount *m,
                              const struct mount_node *node)
{
    struct stat st = m->stat;

    st.st_ino = node->ino;
    st.st_mode = node->is_folder ? S_IFDIR | 0555 : S_IFREG | 0444;
    st.st_size = (off_t)node->size;
    st.st_blocks = (blkcnt_t)((node->size + 511) / 512);
    return st;
}

static struct fuse_entry_param names_entry(const struct mount *m,
                                           const struct mount_node *node)
{
    return (struct fuse_entry_param){
        .ino = node->ino,
        .attr = names_stat(m, node),
        .attr_timeout = NAMES_VALID_S,
        .entry_timeout = NAMES_VALID_S,
    };
}

void mount_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const struct mount *m = fuse_req_userdata(req);
    struct fuse_entry_param e = {.entry_timeout = NAMES_VALID_S};
    struct mount_node node;

    /* That there is no such name is remembered too. */
    if (mount_tree_lookup(m->tree, parent, bytes_of(name), &node) ==
        STATUS_OK) {
        e = names_entry(m, &node);
    }
    (void)fuse_reply_entry(req, &e);
}

void mount_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    const struct mount *m = fuse_req_userdata(req);
    struct mount_node node;
    struct stat st;

    (void)fi;
    if (mount_tree_get(m->tree, ino, &node) != STATUS_OK) {
        (void)fuse_reply_err(req, ENOENT);
        return;
    }
    st = names_stat(m, &node);
    (void)fuse_reply_attr(req, &st, NAMES_VALID_S);
}

/* So a folder is opened without us from the second time on, and its names are
 * kept. */
void mount_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    (void)fi;
    (void)fuse_reply_err(req, ENOSYS);
}

/* ---- folders ------------------------------------------------------------- */

/* An answer in the making. */
struct names_list {
    fuse_req_t req;
    const struct mount *m;
    bool has_attributes;
    char *at;
    size_t room;
    size_t used;
};

/* false: it has no room. */
static bool names_add(struct names_list *l, const struct mount_node *node,
                      const char *name, uint64_t place)
{
    struct fuse_entry_param e = names_entry(l->m, node);
    char *to = l->at + l->used;
    size_t left = l->room - l->used;
    size_t size =
        l->has_attributes
            ? fuse_add_direntry_plus(l->req, to, left, name, &e, (off_t)place)
            : fuse_add_direntry(l->req, to, left, name, &e.attr, (off_t)place);

    if (size > left) {
        return false;
    }
    l->used += size;
    return true;
}

/* "." and ".."; the system knows what they are. */
static bool names_add_dots(struct names_list *l, fuse_ino_t ino, uint64_t place)
{
    struct mount_node node = {.ino = ino, .is_folder = true};

    for (; place < NAMES_DOTS; place++) {
        if (!names_add(l, &node, place == 0 ? "." : "..", place + 1)) {
            return false;
        }
    }
    return true;
}

static enum status names_fill(struct names_list *l, fuse_ino_t ino,
                              uint64_t place)
{
    struct mount_walk walk;
    struct mount_entry e;
    enum status s = mount_walk_begin(
        l->m->tree, ino, place > NAMES_DOTS ? place - NAMES_DOTS : 0, &walk);

    if (s != STATUS_OK || !names_add_dots(l, ino, place)) {
        return s;
    }
    while (mount_walk_next(&walk, &e) &&
           names_add(l, &e.node, e.name.at, e.place + NAMES_DOTS)) {
    }
    return STATUS_OK;
}

static void names_reply(struct names_list *l, fuse_ino_t ino, uint64_t place)
{
    l->m = fuse_req_userdata(l->req);
    l->at = mem_new(l->room, 1);
    if (names_fill(l, ino, place) != STATUS_OK) {
        (void)fuse_reply_err(l->req, ENOENT);
    } else {
        (void)fuse_reply_buf(l->req, l->at, l->used);
    }
    free(l->at);
}

void mount_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                   struct fuse_file_info *fi)
{
    struct names_list l = {.req = req, .room = size};

    (void)fi;
    names_reply(&l, ino, (uint64_t)off);
}

void mount_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    struct names_list l = {.req = req, .room = size, .has_attributes = true};

    (void)fi;
    names_reply(&l, ino, (uint64_t)off);
}

void mount_statfs(fuse_req_t req, fuse_ino_t ino)
{
    const struct mount *m = fuse_req_userdata(req);
    struct statvfs st = {
        .f_bsize = NAMES_BLOCK,
        .f_frsize = NAMES_BLOCK,
        .f_blocks = (m->o.bytes + NAMES_BLOCK - 1) / NAMES_BLOCK,
        .f_files = m->o.index.count,
        .f_namemax = KEYPATH_PART_MAX,
        .f_flag = ST_RDONLY,
    };

    (void)ino;
    (void)fuse_reply_statfs(req, &st);
}
