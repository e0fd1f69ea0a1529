/* SPDX-License-Identifier: Apache-2.0 */
/* Random objects of every format, with data that look like records. */

#ifndef TESTS_FRAMING_MADE_H
#define TESTS_FRAMING_MADE_H

#include "base/buf.h"
#include "base/crc.h"
#include "base/prng.h"
#include "proto/framing_write.h"
#include "tests/expect.h"

enum { DATA_MAX = 3000 };

/* Bytes with what could be taken for a record's start. */
static inline size_t random_data(struct prng *p, char *out, size_t max)
{
    size_t size = (size_t)prng_below(p, prng_chance(p, 1, 3) ? 8 : max);
    uint64_t kind = prng_below(p, 4);

    for (size_t i = 0; i < size; i++) {
        out[i] = kind == 0 ? '\0' : (char)(unsigned char)prng_next(p);
        if (kind == 1) {
            out[i] = "\x0a\x23\xd7\xce"[i % 4];
        }
    }
    return size;
}

static inline void random_name(struct prng *p, unsigned sample, char *out,
                               size_t size)
{
    static const char *const ends[] = {".jpg", ".cls", ".a.b", ".Json", ""};
    static const char *const folders[] = {"", "x/", "x.y/z/", "./"};
    int width = prng_chance(p, 1, 6) ? 180 : 4;

    snprintf(out, size, "%s%0*u%s", folders[sample % 4], width, sample,
             ends[prng_below(p, 5)]);
}

static inline void add_record(struct prng *p, enum framing format, unsigned i,
                              struct buf *out)
{
    char head[FRAMING_HEAD_MAX];
    char tail[FRAMING_TAIL_MAX];
    char data[DATA_MAX];
    char name[300];
    size_t size = random_data(p, data, sizeof(data));
    size_t used;

    if (format == FRAMING_RECORDIO) {
        struct bytes record = {data, size};

        used = (size_t)framing_recordio_size(record);
        EXPECT_EQ(framing_recordio_write(record, buf_reserve(out, used)), used);
        buf_add_done(out, used);
        return;
    }
    random_name(p, i, name, sizeof(name));
    EXPECT_EQ(framing_write_head(format, bytes_of(name), size, head, &used),
              STATUS_OK);
    buf_add(out, head, used);
    buf_add(out, data, size);
    used =
        framing_write_tail(format, size, crc_add(CRC_32C, 0, data, size), tail);
    buf_add(out, tail, used);
}

/* Of fewer than @most records. */
static inline void random_object(struct prng *p, enum framing format,
                                 unsigned most, struct buf *out)
{
    static const char zeros[10240];
    unsigned count = (unsigned)prng_below(p, most);
    unsigned sample = 0;

    buf_clear(out);
    for (unsigned i = 0; i < count; i++) {
        size_t before = out->size;

        /* Members of a sample have different endings; the same one twice
         * would be an error. */
        sample += format != FRAMING_TAR || prng_chance(p, 2, 3);
        add_record(p, format, sample, out);
        if (format == FRAMING_TAR && out->size == before) {
            sample++;
        }
    }
    if (format == FRAMING_TAR) {
        buf_add(out, zeros, (size_t)prng_below(p, 21) * 512);
    }
}

#endif /* TESTS_FRAMING_MADE_H */
