/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the small JSON objects that we keep in the store (lease, claim),
 * read into fixed places and checked, since anybody may have written them. */

#ifndef COORDINATOR_FIELD_H
#define COORDINATOR_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/status.h"

/* Copy the string member @key to @out, which has room for @room bytes with the
 * NUL. MALFORMED: it is missing, empty, too long, or holds a control byte. */
MUST_USE enum status field_text(const struct json *object, const char *key,
                                struct fault *why, size_t room, char *out);

/* Read the integer member @key. MALFORMED: missing, or not 0 to 2^53. */
MUST_USE enum status field_number(const struct json *object, const char *key,
                                  struct fault *why, uint64_t *out);

/* Append `"key":` with a comma before it unless an object has just begun, and
 * the value. */
void field_write_text(struct buf *out, const char *key, const char *value);
void field_write_number(struct buf *out, const char *key, uint64_t value);
void field_write_key(struct buf *out, const char *key);

#endif /* COORDINATOR_FIELD_H */
