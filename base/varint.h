/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of one to ten bytes, seven bits each, lowest first: how journal,
 * work and ranges are written. Reading takes only the shortest form. */

#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum { VARINT_SIZE_MAX = 10 };

void varint_write(uint64_t value, struct buf *out);

/* Read a number from the front of @in and cut it off. false: it is cut short,
 * too long or not the shortest form; @in is then as it was. */
bool varint_read(struct bytes *in, uint64_t *out);

/* Append @text behind its size, and read such a one, no longer than @max,
 * as a view. */
void varint_write_text(struct bytes text, struct buf *out);
bool varint_read_text(struct bytes *in, uint64_t max, struct bytes *out);

#endif /* BASE_VARINT_H */
