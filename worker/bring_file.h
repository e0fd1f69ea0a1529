/* SPDX-License-Identifier: Apache-2.0 */
/* One object's file: its folders, its making, its modes, and what is said when
 * something is wrong with it (bring_file_fs.c). For whoever brings objects.
 *
 * Threads: none of its own; one at a time. */

#ifndef WORKER_BRING_FILE_H
#define WORKER_BRING_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "worker/bring_target.h"

enum { BRING_KEY_SHOWN = 300 }; /* Bytes of a key in a message. */

struct bring_file {
    struct bring_target *target;
    const struct bring_object *object;
    struct fault *why;
    struct buf *made;  /* The last folder that was made; kept by the owner. */
    struct bytes path; /* Below the channel's folder. */
    char *file;        /* Where it is written: freed by the owner. */
    int fd;
};

/* Find the object's path. INVALID: it has no place. */
MUST_USE enum status bring_file_init(struct bring_file *f);

/* Make the file, and the folders it is in, below the target's staging; it must
 * not be there. CONFLICT, NO_SPACE, DENIED, IO. */
MUST_USE enum status bring_file_make(struct bring_file *f);

/* Name it and its folders, as above, but do not make it. */
MUST_USE enum status bring_file_name(struct bring_file *f);

/* Set its mode and close it; its inode into *@inode, unless that is NULL. */
MUST_USE enum status bring_file_close(struct bring_file *f, uint64_t *inode);

/* For a kept channel: whether the object is in its place already. */
bool bring_file_is_kept(const struct bring_file *f);

/* And move the file there. */
MUST_USE enum status bring_file_keep(struct bring_file *f);

/* For a folder marker: make that. */
MUST_USE enum status bring_file_make_marker(struct bring_file *f);

/* ---- faults, with channel and key */

enum status bring_file_stopped(const struct bring_file *f);
enum status bring_file_changed(const struct bring_file *f);
enum status bring_file_gone(const struct bring_file *f); /* By a list. */
enum status bring_file_damaged(const struct bring_file *f, const char *kind);

/* Of errno @error of a call on @path. */
enum status bring_file_fault(const struct bring_file *f, int error,
                             const char *verb, const char *path);

#endif /* WORKER_BRING_FILE_H */
