/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …": the known word nearest to one that was mistyped. */

#ifndef PROTO_SUGGEST_H
#define PROTO_SUGGEST_H

#include <stddef.h>

#include "base/bytes.h"

enum { SUGGEST_WORD_MAX = 64 };

/* Return the one of @words that takes the fewest edits (insert, delete,
 * replace, swap of neighbours; case does not count) to become @word, the
 * first of equals; NULL when none is near enough to be a likely slip. */
const char *suggest_nearest(struct bytes word, const char *const *words,
                            size_t count);

#endif /* PROTO_SUGGEST_H */
