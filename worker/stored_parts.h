/* SPDX-License-Identifier: Apache-2.0 */
/* Stored parts: where a large object is cut for reading.
 *
 * A store keeps an object that came in parts as those parts, and serves a
 * request faster that does not cross from one to the next. How large they were
 * is not told with a listing; that there were N is, by the etag's tail, and
 * writers take whole MiB. Where several sizes give N the roundest is taken: a
 * wrong one costs nothing but the alignment. Pure. */

#ifndef WORKER_STORED_PARTS_H
#define WORKER_STORED_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* The size of the parts that an object of @size came in; 0: not known. */
uint64_t stored_parts_size(struct bytes etag, uint64_t size);

/* How much of the object is read at once from @at on, where at most @room and
 * @left bytes can be, both more than 0; @part: stored_parts_size(). A part
 * that is larger than @room is read in pieces of one size, of several that fit
 * as many as do. */
uint64_t stored_parts_next(uint64_t part, uint64_t at, uint64_t left,
                           uint64_t room);

/* How large the pieces are, all of one size but the last, in which an object of
 * @size is read whole: it depends on @etag, @size and @room, whole MiB, alone.
 * No more than @room and more than a quarter of it. Where the parts are known,
 * a piece is so many of them, or one of them is so many pieces; but for sizes
 * that have no such number near, which no writer takes. */
uint64_t stored_parts_piece(struct bytes etag, uint64_t size, uint64_t room);

#endif /* WORKER_STORED_PARTS_H */
