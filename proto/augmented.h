/* SPDX-License-Identifier: Apache-2.0 */
/* Augmented manifests: JSON lines, each an object of which some attributes are
 * delivered, in the order in which the channel names them.
 *
 * An attribute whose name ends in "-ref" holds the URI of an object: the
 * object's bytes are meant. Any other means its value as text: a string as it
 * is, without quotes; a list or an object as compact JSON with sorted keys;
 * a number, true, false and null as JSON writes them.
 *
 * Lines of white space alone are no lines. A key that stands twice is refused:
 * nobody can know which of them was meant. No I/O. */

#ifndef PROTO_AUGMENTED_H
#define PROTO_AUGMENTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    AUGMENTED_ATTRIBUTES_MAX = 16,
    AUGMENTED_LINE_MAX = 1 << 20, /* Bytes. */
};

/* What is wanted of each line. */
struct augmented {
    const char *name; /* The manifest's, in messages. */
    const char *const *attributes;
    uint32_t count; /* 1 to AUGMENTED_ATTRIBUTES_MAX. */
};

struct augmented_value {
    bool is_ref;
    struct bytes text; /* The value, or the object's URI. */
};

/* One line's values, as many as attributes. Zeroed at first; each line that
 * is read into it takes the place of the one before. */
struct augmented_line {
    struct augmented_value values[AUGMENTED_ATTRIBUTES_MAX];
    struct buf texts; /* Private. */
};

/* Cut the next line that is not empty from the front of @rest; @number counts
 * all lines, and is 0 before the first. false: there is none. */
bool augmented_next(struct bytes *rest, uint64_t *number, struct bytes *line);

/* Read the line @number. MALFORMED: not JSON; INVALID: no object, too long, a
 * key twice, an attribute is missing, or a -ref that is no URI; FULL: nested
 * too deeply. @why names manifest, line and attribute. */
MUST_USE enum status augmented_read(const struct augmented *a,
                                    struct bytes line, uint64_t number,
                                    struct fault *why,
                                    struct augmented_line *out);

void augmented_line_fini(struct augmented_line *l);

#endif /* PROTO_AUGMENTED_H */
