/* SPDX-License-Identifier: Apache-2.0 */
/* How a message is described: a row of fields, each with its kind, its place
 * in the struct and its limits. Private to wire*.c; the rows themselves are
 * in wire_map.h. */

#ifndef PROTO_WIRE_SHAPE_H
#define PROTO_WIRE_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum wire_kind {
    WIRE_UINT,  /* uint64_t */
    WIRE_NAME,  /* struct bytes without control bytes. */
    WIRE_TEXT,  /* struct bytes without NUL. */
    WIRE_BYTES, /* struct bytes of any kind. */
    WIRE_LIST,  /* An array in the struct, and a uint32_t that counts it. */
};

struct wire_field {
    const char *name;
    enum wire_kind kind;
    size_t offset;
    uint64_t min; /* Of the number, the text's bytes or the list's rows. */
    uint64_t max;
    size_t total_offset; /* UINT: of the number it must not exceed; its own
                            offset when there is none. */
    size_t count_offset; /* LIST: of its count. */
    size_t stride;       /* LIST: from one row to the next. */
    const struct wire_field *fields; /* LIST: of a row; none is a LIST. */
    size_t field_count;
};

struct wire_shape {
    const char *name;
    const struct wire_field *fields;
    size_t field_count;
};

/* Return the shape of @type, NULL when there is no such type. */
const struct wire_shape *wire_shape(uint64_t type);

/* Return where the fields of @m begin, whatever its type. */
void *wire_body(struct wire_message *m);
const void *wire_body_const(const struct wire_message *m);

/* Return whether @job is WIRE_JOB_SIZE lower-case hex digits. */
bool wire_is_job(struct bytes job);

#endif /* PROTO_WIRE_SHAPE_H */
