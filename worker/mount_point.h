/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that a mount is put on (mount_point_os.c). Private to mount. */

#ifndef WORKER_MOUNT_POINT_H
#define WORKER_MOUNT_POINT_H

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

/* What the system calls our mounts. */
#define MOUNT_POINT_TYPE "fuse.smshard"

/* Make @folder a free and empty one; a dead mount of ours is removed first.
 * CONFLICT: it is not empty, no folder, or a mount. DENIED, NO_SPACE, IO. */
MUST_USE enum status mount_point_prepare(const char *folder, struct fault *why);

/* The last mount on @folder, whose path is absolute and resolved, in a text
 * like /proc/self/mountinfo: views into it. Empty: none is there. */
struct mount_point {
    struct bytes type;
    struct bytes device; /* 0:41 */
};
struct mount_point mount_point_find(struct bytes mounts, const char *folder);

/* Whether FUSE can be used. UNSUPPORTED, DENIED: @why says what to do. */
MUST_USE enum status mount_point_has_fuse(struct fault *why);

/* Let the system read ahead of a reader by more than its default. Does not
 * touch what is mounted. */
void mount_point_read_ahead(const char *folder, unsigned kib);

/* Take off a dead mount of ours. */
void mount_point_bury(const char *folder);

#endif /* WORKER_MOUNT_POINT_H */
