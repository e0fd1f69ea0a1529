/* SPDX-License-Identifier: Apache-2.0 */
/* Where an object of a channel lies below the channel's folder.
 *
 * The one rule: with P the source's prefix, a key that starts with P + "/",
 * or any key when P is empty or ends with "/", loses P and the slash; every
 * other key loses P up to and including its last slash. A key that ends with
 * "/" is a folder marker. No key can leave the channel's folder: "..", ".",
 * empty parts, a leading slash, NUL and parts over 255 bytes are refused. */

#ifndef PROTO_KEYPATH_H
#define PROTO_KEYPATH_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

/* Write to @out the part of @key that is the path. It is a view into @key.
 * INVALID: the key has no place below the folder; @why names key and part. */
MUST_USE enum status keypath_of(struct bytes prefix, struct bytes key,
                                struct fault *why, struct bytes *out);

/* Whether @key only marks a folder: it ends with "/" or has no name left. */
bool keypath_is_folder(struct bytes key);

/* Checks a run of paths for two of the same name, and for an object that is
 * also a folder. Feed it every object of a channel in key order. */
struct keypath_check;
struct keypath_check *keypath_check_new(struct bytes prefix);
void keypath_check_destroy(struct keypath_check **c);

/* Take the next key, longer than or after the last one in key order.
 * INVALID: as keypath_of(). CONFLICT: the name is taken; @why names both
 * keys. */
MUST_USE enum status keypath_check_add(struct keypath_check *c,
                                       struct bytes key, struct fault *why);

/* Say whether the whole run was free of conflicts: those between keys far
 * apart are found here. CONFLICT: @why names both keys. */
MUST_USE enum status keypath_check_end(struct keypath_check *c,
                                       struct fault *why);

#endif /* PROTO_KEYPATH_H */
