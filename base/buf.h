/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow: the owner beside the view in bytes.h.
 *
 * A zeroed struct is an empty buffer. What it holds is always followed by a
 * NUL that is not counted, so that @at can be printed. For the control plane:
 * out of memory ends the process (mem.h). */

#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "base/bytes.h"

struct buf {
    char *at;    /* NULL while nothing was ever added. */
    size_t size; /* Without the closing NUL. */
    size_t room; /* Private: what @at points to. */
};

/* Free what @b holds and make it empty. */
void buf_fini(struct buf *b);

/* Make @b empty, keeping its memory. */
void buf_clear(struct buf *b);

/* Return where @size more bytes can be written; buf_add_done() counts them. */
char *buf_reserve(struct buf *b, size_t size);
void buf_add_done(struct buf *b, size_t size);

void buf_add(struct buf *b, const void *at, size_t size);
void buf_add_text(struct buf *b, const char *text);
void buf_add_bytes(struct buf *b, struct bytes bytes);
void buf_add_char(struct buf *b, char c);

__attribute__((format(printf, 2, 3))) void buf_print(struct buf *b,
                                                     const char *format, ...);

/* Return a view of what @b holds now; it dies with the next change. */
struct bytes buf_bytes(const struct buf *b);

/* Return the string in @b, "" when nothing was ever added. */
const char *buf_text(const struct buf *b);

/* Give the string to the caller, who frees it; @b is empty after. */
char *buf_take(struct buf *b);

#endif /* BASE_BUF_H */
