/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding as SigV4 has it: all but A-Z a-z 0-9 - . _ ~ becomes %XX
 * with upper-case digits. Pure. */

#ifndef STORE_PERCENT_H
#define STORE_PERCENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"

/* Append @raw, encoded. A path keeps its '/', a query does not. */
void percent_encode(struct bytes raw, bool keeps_slash, struct buf *out);

/* Decode @size bytes at @at in place, '+' as a space, and return the new
 * size. false: a '%' without two hex digits after it; @at is spoilt then. */
bool percent_decode(char *at, size_t *size);

#endif /* STORE_PERCENT_H */
