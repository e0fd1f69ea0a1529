/* SPDX-License-Identifier: Apache-2.0 */
/* Gzip for tests: one member of some text. */

#ifndef TESTS_GZIP_KIT_H
#define TESTS_GZIP_KIT_H

#include <isa-l.h>

#include "base/buf.h"
#include "base/check.h"

/* Append @text as one member. */
static inline void gzip_text(struct bytes text, struct buf *out)
{
    struct isal_zstream stream;
    size_t room = text.size + text.size / 8 + 1024;
    union {
        const char *view;
        uint8_t *bytes;
    } in = {text.at};

    isal_deflate_init(&stream);
    stream.end_of_stream = 1;
    stream.flush = NO_FLUSH;
    stream.gzip_flag = IGZIP_GZIP;
    stream.next_in = in.bytes;
    stream.avail_in = (uint32_t)text.size;
    stream.next_out = (uint8_t *)buf_reserve(out, room);
    stream.avail_out = (uint32_t)room;
    CHECK(isal_deflate(&stream) == COMP_OK);
    CHECK(stream.avail_in == 0 && stream.avail_out > 0);
    buf_add_done(out, stream.total_out);
}

#endif /* TESTS_GZIP_KIT_H */
