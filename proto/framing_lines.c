/* SPDX-License-Identifier: Apache-2.0 */
/* What has no header: the whole object, and lines. */

#include <string.h>

#include "proto/framing_parts.h"

static enum status framing_take(struct bytes data, size_t used,
                                struct framing_record *out)
{
    out->found = FRAMING_RECORD;
    out->data = data;
    out->used = used;
    return STATUS_OK;
}

/* One more than there is: nobody knows where the record ends. */
static enum status framing_grow(const struct framing_reader *r,
                                struct bytes view, uint64_t left,
                                struct fault *why, struct framing_record *out)
{
    return framing_want(r, (uint64_t)view.size + 1, left, why, out);
}

enum status framing_raw_next(struct framing_reader *r, struct bytes view,
                             uint64_t left, struct fault *why,
                             struct framing_record *out)
{
    /* An empty object is a record too, but only once. */
    if (r->skip > 0 || r->offset > 0) {
        return left == 0 ? STATUS_OK
                         : fault_set(why, STATUS_INVALID,
                                     "a raw object can't be read from its "
                                     "middle");
    }
    if (left == FRAMING_UNKNOWN) {
        return framing_grow(r, view, left, why, out);
    }
    if (left > view.size) {
        return framing_want(r, left, left, why, out);
    }
    r->skip = 1;
    return framing_take(view, view.size, out);
}

enum status framing_lines_next(struct framing_reader *r, struct bytes view,
                               uint64_t left, struct fault *why,
                               struct framing_record *out)
{
    const char *end = view.size > 0 ? memchr(view.at, '\n', view.size) : NULL;

    if (end != NULL) {
        size_t size = (size_t)(end - view.at);

        return framing_take((struct bytes){view.at, size}, size + 1, out);
    }
    if (left > view.size) {
        return framing_grow(r, view, left, why, out);
    }
    return view.size > 0 ? framing_take(view, view.size, out) : STATUS_OK;
}
