/* SPDX-License-Identifier: Apache-2.0 */
/* Bring what the command wrote to the store: every regular file below some
 * folders to keys below some prefixes (save_fs.c), each file whole or not at
 * all. Names stay as they are; empty folders are not kept; links to files are
 * followed while they stay inside the folder; other links, sockets and the
 * like are named in the log and skipped; what is named *.sagemaker-ignore,
 * *.sagemaker-uploading or *.sagemaker-uploaded, file or folder, is not sent.
 *
 * A file that is written to while it is read is read once more; if that does
 * not help either, what was read is saved and the log says so.
 *
 * Threads: one of its own from save_start() to save_finish(). */

#ifndef WORKER_SAVE_H
#define WORKER_SAVE_H

#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"

enum { SAVE_TREES_MAX = 8 };

/* One folder, or one file, and where it goes. The file "a/b" below the folder
 * "a" goes to @uri (a "/" is added where it has none) and "b". The file "f"
 * itself goes to @uri, or to @uri and "f" when that ends with "/". A @path
 * that is not there is an empty folder. */
struct save_tree {
    const char *path;
    const char *uri; /* "file:///out/job/output/algo-1/model/" */
};

struct save_progress {
    uint64_t units;
    uint64_t bytes;
};

struct save;

/* Start saving; @trees are copied. @notes is a folder of this host, made when
 * needed, where uploads under way are noted, so that a later save goes on with
 * what a kill broke off or gives it up; NULL: none are. OS. */
MUST_USE enum status save_start(const struct save_tree *trees,
                                uint32_t tree_count, const char *notes,
                                struct fault *why, struct save **out);

/* Readable once it has ended. */
int save_fd(const struct save *s);

/* What is in the store so far. */
struct save_progress save_progress(const struct save *s);

/* Wait for the end, free *@s. OK; else the first failure, after all other
 * files were tried: DENIED, NO_SPACE, INVALID (a name that can't be a key),
 * CONFLICT, STORE, TIMEOUT, IO, OS; @why names the file and how many could not
 * be saved. */
MUST_USE enum status save_finish(struct save **s, struct fault *why);

#endif /* WORKER_SAVE_H */
