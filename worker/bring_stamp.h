/* SPDX-License-Identifier: Apache-2.0 */
/* The stamp of a channel: which folder smshard made, and of which share
 * (bring_stamp_fs.c).
 *
 * A folder is known by inode and birth time, which a rename keeps, so that
 * the stamp can be written before the rename: at no moment does our folder
 * stand without its stamp, nor somebody else's with one. */

#ifndef WORKER_BRING_STAMP_H
#define WORKER_BRING_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/hash.h"
#include "base/status.h"

enum { BRING_STAMP_LINES_MAX = 2 };

struct bring_folder_id {
    uint64_t device; /* 0 for a folder that can be renamed. */
    uint64_t inode;
    int64_t born_ns; /* Since 1970; 0 where the file system does not know. */
};

struct bring_stamp_line {
    struct bring_folder_id id;
    bool is_whole; /* Not while entries are moved into it one by one. */
    char share[HASH_HEX_SIZE]; /* The hash of the channel's stamp. */
};

struct bring_stamp {
    struct bring_stamp_line lines[BRING_STAMP_LINES_MAX];
    uint32_t count;
};

/* Read the folder's id; @has_device for a mount point, whose inode is the
 * same for any file system mounted there. */
MUST_USE enum status bring_stamp_id(const char *folder, bool has_device,
                                    struct fault *why,
                                    struct bring_folder_id *out);

/* Read the stamp file at @path. One that is not there or not well formed is
 * one without lines. DENIED, IO. */
MUST_USE enum status bring_stamp_read(const char *path, struct fault *why,
                                      struct bring_stamp *out);

MUST_USE enum status bring_stamp_write(const char *path,
                                       const struct bring_stamp *stamp,
                                       struct fault *why);

/* Return the line of the folder @id, or NULL. */
const struct bring_stamp_line *bring_stamp_find(
    const struct bring_stamp *stamp, const struct bring_folder_id *id);

#endif /* WORKER_BRING_STAMP_H */
