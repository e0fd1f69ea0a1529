/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a folder: every key is the path of a file below it. For local
 * disks and for file systems that hosts share.
 *
 * The store is its root folder. Conditional writes are atomic between all
 * handles opened at the same root, in any process on any host that sees the
 * file system; IF_ABSENT is so against any other program too. Handles that
 * write the same files through different roots have no common lock.
 *
 * What can not be a key here, INVALID for every operation but LIST: one that
 * begins or ends with '/', has an empty part, a part "." or "..", a part of
 * more than 255 bytes, or a part ".smshard", the store's own folder, which
 * no operation shows. `a` and `a/b` can not both be there: CONFLICT.
 *
 * Folders come and go with the objects in them: an empty one is no object,
 * is in nobody's way, and goes with a DELETE of the last object below it.
 * A listing follows symbolic links, refuses one that leads to a folder above
 * itself, and passes over what is neither file nor folder, links that lead
 * nowhere among them.
 *
 * A multipart upload is given up when the handle that began it closes or
 * its process ends. The clock of the file system is not told (store_ms 0). */

#ifndef STORE_STORE_DIR_H
#define STORE_STORE_DIR_H

#include "store/store.h"

/* Open the folder @path, which is absolute and ends in '/'. For STORE_WRITE
 * it is made, and must be one that we can write.
 * NOT_FOUND, DENIED, CONFLICT (not a folder), NO_SPACE, IO. */
MUST_USE enum status store_dir_open(const char *path, enum store_use use,
                                    struct fault *why, struct store **out);

#endif /* STORE_STORE_DIR_H */
