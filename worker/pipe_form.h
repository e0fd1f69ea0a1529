/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an object's bytes on their way into a FIFO: nothing, gzip
 * undone, made a RecordIO record, or both. Private to the pipe. Pure.
 *
 * A record needs the whole object: what does not lie in one slot is gathered
 * here, up to @gather_max bytes. */

#ifndef WORKER_PIPE_FORM_H
#define WORKER_PIPE_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

struct pipe_form;

struct pipe_form *pipe_form_new(bool is_gzip, bool is_wrapped,
                                uint64_t gather_max);
void pipe_form_destroy(struct pipe_form **f);

/* Take the next piece of an object, which must stay until pipe_form_next()
 * has yielded all of it. The first piece begins a new object, whatever was
 * before. */
void pipe_form_give(struct pipe_form *f, struct bytes piece, bool is_first,
                    bool is_last);

/* Yield what is to be written next, until the next call; empty: the piece is
 * used up. MALFORMED: the object is not gzip, or damaged; FULL: it is too
 * large for a record, or for @gather_max. Then a first piece is next. */
MUST_USE enum status pipe_form_next(struct pipe_form *f, struct fault *why,
                                    struct bytes *out);

#endif /* WORKER_PIPE_FORM_H */
