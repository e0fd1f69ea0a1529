/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/framing.h"

#include <inttypes.h>

#include "base/check.h"
#include "proto/framing_parts.h"

static const char *const framing_names[] = {
#define X(name, text) [FRAMING_##name] = (text),
    FRAMING_MAP(X)
#undef X
};

enum { FRAMING_COUNT = sizeof(framing_names) / sizeof(framing_names[0]) };

const char *framing_name(enum framing f)
{
    CHECK((unsigned)f < FRAMING_COUNT);
    return framing_names[f];
}

enum status framing_parse(const char *text, struct fault *why,
                          enum framing *out)
{
    for (unsigned i = 0; i < FRAMING_COUNT; i++) {
        if (bytes_is(bytes_of(text), framing_names[i])) {
            *out = (enum framing)i;
            return STATUS_OK;
        }
    }
    return fault_set(why, STATUS_INVALID,
                     "'%s' is no format of records; it is one of raw, lines, "
                     "recordio, tfrecord and tar",
                     text);
}

uint32_t framing_get_u32(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

uint64_t framing_get_u64(const char *at)
{
    return framing_get_u32(at) | (uint64_t)framing_get_u32(at + 4) << 32;
}

void framing_put_u32(char *at, uint32_t value)
{
    for (unsigned i = 0; i < sizeof(value); i++) {
        at[i] = (char)(unsigned char)(value >> (8 * i));
    }
}

void framing_put_u64(char *at, uint64_t value)
{
    framing_put_u32(at, (uint32_t)value);
    framing_put_u32(at + 4, (uint32_t)(value >> 32));
}

uint64_t framing_round_up(uint64_t size, uint64_t step)
{
    return (size + step - 1) & ~(step - 1);
}

void framing_start(struct framing_reader *r, enum framing format,
                   uint64_t offset)
{
    CHECK((unsigned)format < FRAMING_COUNT);
    r->format = format;
    r->offset = offset;
    r->skip = 0;
    r->part_count = 0;
    r->key_size = 0;
    r->ext_size = 0;
}

enum status framing_want(const struct framing_reader *r, uint64_t need,
                         uint64_t left, struct fault *why,
                         struct framing_record *out)
{
    uint64_t more = left - out->used;

    if (left != FRAMING_UNKNOWN && need > more) {
        return fault_set(
            why, STATUS_MALFORMED,
            "byte %" PRIu64 ": the last %s record is torn: %" PRIu64
            " bytes are left of at least %" PRIu64,
            r->offset + out->used, framing_name(r->format), more, need);
    }
    out->found = FRAMING_MORE;
    out->need = need;
    return STATUS_OK;
}

enum status framing_next(struct framing_reader *r, struct bytes view,
                         uint64_t left, struct fault *why,
                         struct framing_record *out)
{
    static framing_next_fn *const next[FRAMING_COUNT] = {
        [FRAMING_RAW] = framing_raw_next,
        [FRAMING_LINES] = framing_lines_next,
        [FRAMING_RECORDIO] = framing_recordio_next,
        [FRAMING_TFRECORD] = framing_tfrecord_next,
        [FRAMING_TAR] = framing_tar_next,
    };
    enum status s;

    CHECK((unsigned)r->format < FRAMING_COUNT);
    CHECK(left >= view.size);
    *out = (struct framing_record){.found = FRAMING_END, .offset = r->offset};
    s = next[r->format](r, view, left, why, out);
    if (s == STATUS_OK) {
        CHECK(out->used <= view.size);
        CHECK_IMPLIES(out->found == FRAMING_MORE,
                      out->need > view.size - out->used);
        r->offset += out->used;
    }
    return s;
}
