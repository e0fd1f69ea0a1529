/* SPDX-License-Identifier: Apache-2.0 */
/* One code point of UTF-8 at a time, and the few things Python knows about a
 * code point that its str methods need.
 *
 * A lone surrogate has a three-byte form here too (WTF-8), since Python's
 * strings may hold one. Pure; any thread. */

#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    UTF8_SIZE_MAX = 4,
    UTF8_UPPER_MAX = 3,       /* Code points that one may become. */
    UTF8_REPLACEMENT = 0xfffd /* Stands for bytes that are not UTF-8. */
};

/* Read the code point at the start of @text and return its size in bytes; 0:
 * empty, or not the shortest form of a code point. Surrogates are read. */
size_t utf8_read(struct bytes text, uint32_t *out);

/* As utf8_read(), but a byte that starts no code point is read alone, as
 * Python reads file names and variables: 0xdc00 + byte. 0: empty. */
size_t utf8_read_escaped(struct bytes text, uint32_t *out);

/* Write @code (at most 0x10ffff, surrogates too) and return its size. */
size_t utf8_write(uint32_t code, char out[UTF8_SIZE_MAX]);

bool utf8_is_surrogate(uint32_t code);

/* What Python's str.isprintable() says of one code point. */
bool utf8_is_printable(uint32_t code);

/* Write what Python's str.upper() makes of one code point; return how many
 * code points that is. */
size_t utf8_upper(uint32_t code, uint32_t out[UTF8_UPPER_MAX]);

#endif /* BASE_UTF8_H */
