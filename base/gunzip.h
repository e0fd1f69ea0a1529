/* SPDX-License-Identifier: Apache-2.0 */
/* Gzip, undone as it comes in: pieces of any size in, pieces of bounded size
 * out, checksums and lengths of every member checked (gunzip_isal.c).
 *
 * A file may be several members one after another; their contents are one
 * text. What follows the last member and is no member is refused, as is an
 * end in the middle. Memory is bounded whatever comes. One thread each. */

#ifndef BASE_GUNZIP_H
#define BASE_GUNZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

struct gunzip;

/* Start one that yields at most @max bytes; freed by gunzip_destroy(). */
struct gunzip *gunzip_new(uint64_t max);
void gunzip_destroy(struct gunzip **g);

/* Give it the next piece, which must stay until gunzip_next() has yielded all
 * of it. The piece before must have been yielded. */
void gunzip_give(struct gunzip *g, struct bytes piece);

/* Yield the next piece, which lives until the next call; an empty one when
 * more has to be given. MALFORMED: not gzip, or damaged; FULL: more than @max
 * came out. After any of them it can only be destroyed. */
MUST_USE enum status gunzip_next(struct gunzip *g, struct fault *why,
                                 struct bytes *out);

/* MALFORMED: what was given ends in the middle of a member, or was nothing. */
MUST_USE enum status gunzip_end(const struct gunzip *g, struct fault *why);

/* Whether @start, the first bytes of a file, looks like gzip. */
bool gunzip_is_gzip(struct bytes start);

#endif /* BASE_GUNZIP_H */
