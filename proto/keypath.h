/* SPDX-License-Identifier: Apache-2.0 */
/* Where an object of a channel lies below the channel's folder.
 *
 * The one rule: with P the source's prefix, a key that starts with P + "/",
 * or any key when P is empty or ends with "/", loses P and the slash; every
 * other key loses P up to and including its last slash. A key that ends with
 * "/" is a folder marker. No key can leave the channel's folder: "..", ".",
 * empty parts, a leading slash, NUL and parts over 255 bytes are refused.
 * For a manifest P is its prefix, so that a path is the suffix wherever the
 * prefix ends with "/".
 *
 * Which paths can meet. Paths of one run (all inside P + "/", or all outside)
 * come in the order of their keys, so a run alone is checked exactly by the
 * names that may still turn out to be folders; each is the start of the next,
 * so a path's length bounds the memory. Where P is the start of names and a
 * folder too ("data/train" with data/train-1 and data/train/train-1), a path
 * of one run may meet one of the other, far away in the stream; then the two
 * runs are merged by keypath_check_walk(), exactly and in the same memory. */

#ifndef PROTO_KEYPATH_H
#define PROTO_KEYPATH_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { KEYPATH_KEY_MAX = 1024, KEYPATH_PART_MAX = 255 };

/* Write to @out the part of @key that is the path. It is a view into @key;
 * a folder marker's keeps its slash, and is empty for the folder itself.
 * INVALID: the key has no place below the folder; @why names key and part. */
MUST_USE enum status keypath_of(struct bytes prefix, struct bytes key,
                                struct fault *why, struct bytes *out);

/* Whether @key only marks a folder: it ends with "/" or has no name left. */
bool keypath_is_folder(struct bytes key);

/* Checks a run of keys for two of the same path, and for an object that is
 * also a folder. Feed it every object of a channel in key order. */
struct keypath_check;
struct keypath_check *keypath_check_new(struct bytes prefix);
void keypath_check_destroy(struct keypath_check **c);

/* Take the next key, which is after the last one in key order.
 * INVALID: as keypath_of(), or out of order. CONFLICT: the name is taken;
 * @why names both keys. */
MUST_USE enum status keypath_check_add(struct keypath_check *c,
                                       struct bytes key, struct fault *why);

/* Say whether what was added is free of conflicts for certain.
 * CONFLICT: the keys run inside and outside of P + "/" in a way that only
 * keypath_check_walk() can tell; a caller who has no second walk refuses
 * them, @why says what to do. */
MUST_USE enum status keypath_check_end(struct keypath_check *c,
                                       struct fault *why);

/* A walk over the channel's keys in key order: yields the next, a view that
 * lives until the next call on the same walk; false at the end. */
typedef bool keypath_next_fn(void *walk, struct bytes *out);

/* Check the channel's keys at once, exactly, whatever they are. @first and
 * @second are two walks over all of them, each at its start.
 * INVALID, CONFLICT: as keypath_check_add(). */
MUST_USE enum status keypath_check_walk(struct bytes prefix,
                                        keypath_next_fn *next, void *first,
                                        void *second, struct fault *why);

#endif /* PROTO_KEYPATH_H */
