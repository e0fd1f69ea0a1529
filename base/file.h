/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, for settings and small results (file_os.c). Paths are UTF-8
 * strings; messages name the path. Blocking; any thread. */

#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/status.h"

/* Read the whole of @path, at most @max bytes, appended to @out.
 * NOT_FOUND, DENIED, FULL (larger than @max), IO. */
MUST_USE enum status file_read(const char *path, size_t max, struct fault *why,
                               struct buf *out);

/* Make @path hold @bytes: written beside it, then renamed over it, so that a
 * reader sees the old or the new, whole. Parents are made. With
 * @is_durable both file and folder are synced first.
 * DENIED, NO_SPACE, IO. */
MUST_USE enum status file_write(const char *path, struct bytes bytes,
                                bool is_durable, struct fault *why);

/* Make the folder @path and its parents, mode 0755. OK when it is there.
 * CONFLICT: something else has the name. DENIED, NO_SPACE, IO. */
MUST_USE enum status file_make_folder(const char *path, struct fault *why);

/* Remove @path and all below it, following no link. OK when it is not there. */
MUST_USE enum status file_remove_tree(const char *path, struct fault *why);

/* Free space for an ordinary user on the file system of @path (or of its
 * nearest parent that is there), in bytes. */
MUST_USE enum status file_free_bytes(const char *path, struct fault *why,
                                     unsigned long long *out);

bool file_is_there(const char *path);
bool file_is_folder(const char *path);

/* Turn errno @error of a call on @path into a status and a line that says
 * "@path: <verb>: <reason>". */
enum status file_fault(struct fault *why, int error, const char *verb,
                       const char *path);

#endif /* BASE_FILE_H */
