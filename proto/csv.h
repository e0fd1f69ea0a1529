/* SPDX-License-Identifier: Apache-2.0 */
/* CSV, row by row as it comes in: pieces of any size in, rows out.
 *
 * Fields stand between commas, plain or in quotes; in quotes a quote is
 * doubled, and commas and line ends are text. A row ends with \n or \r\n; the
 * last one may end with the text. An empty line is no row. Pure; memory is
 * bounded by CSV_ROW_MAX. */

#ifndef PROTO_CSV_H
#define PROTO_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    CSV_COLUMNS_MAX = 64,
    CSV_ROW_MAX = 256 << 10, /* Bytes of a row's fields. */
};

/* A field's text without its quotes. It may be changed in place. */
struct csv_field {
    char *at;
    size_t size;
};

struct csv_row {
    uint64_t number; /* From 1. */
    uint32_t count;  /* Of @fields; 0: no row. */
    struct csv_field fields[CSV_COLUMNS_MAX];
};

struct csv;

struct csv *csv_new(void);
void csv_destroy(struct csv **c);

/* Give it the next piece, which must stay until csv_next() has yielded all of
 * its rows. The piece before must have been yielded. */
void csv_give(struct csv *c, struct bytes piece);

/* Set *@out to the next row, which lives until the next call, or to NULL when
 * more has to be given. MALFORMED: a quote where none can be, a lone \r; FULL:
 * too many columns or bytes. @why names the row. After any of them it can only
 * be destroyed. */
MUST_USE enum status csv_next(struct csv *c, struct fault *why,
                              const struct csv_row **out);

/* Nothing more comes: set *@out to the last row, if it had no line end, else
 * to NULL. MALFORMED: it ends inside quotes. */
MUST_USE enum status csv_end(struct csv *c, struct fault *why,
                             const struct csv_row **out);

#endif /* PROTO_CSV_H */
