/* SPDX-License-Identifier: Apache-2.0 */
/* A view of bytes that somebody else owns. It may hold any byte, NUL too, and
 * is not terminated. */

#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
    const char *at;
    size_t size;
};

/* A view of a string literal. */
#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

/* Return a view of the string @text, without its NUL. */
struct bytes bytes_of(const char *text);

/* Return less than, equal to or greater than 0, comparing as unsigned bytes;
 * a prefix sorts first. This is the order of object keys. */
int bytes_compare(struct bytes a, struct bytes b);

bool bytes_is_equal(struct bytes a, struct bytes b);
bool bytes_has_prefix(struct bytes a, struct bytes prefix);
bool bytes_has_suffix(struct bytes a, struct bytes suffix);

/* Return whether @a equals the string @text. */
bool bytes_is(struct bytes a, const char *text);

#endif /* BASE_BYTES_H */
