/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "proto/framing_parts.h"
#include "proto/framing_write.h"

static uint32_t framing_recordio_length(const char *head)
{
    return framing_get_u32(head + FRAMING_RECORDIO_MAGIC_SIZE) &
           FRAMING_RECORDIO_MAX;
}

static enum framing_cut framing_recordio_cut(const char *head)
{
    return (enum framing_cut)(
        framing_get_u32(head + FRAMING_RECORDIO_MAGIC_SIZE) >>
        FRAMING_RECORDIO_BITS);
}

static bool framing_is_last(enum framing_cut cut)
{
    return cut == FRAMING_CUT_WHOLE || cut == FRAMING_CUT_LAST;
}

/* Check the header of a part, the first of its record or not. */
static enum status framing_recordio_check(const char *head, uint64_t offset,
                                          bool is_first, struct fault *why)
{
    unsigned cut = framing_recordio_cut(head);

    if (framing_get_u32(head) != FRAMING_RECORDIO_MAGIC) {
        return fault_set(why, STATUS_MALFORMED,
                         "byte %" PRIu64 ": no recordio magic", offset);
    }
    if (is_first ? cut != FRAMING_CUT_WHOLE && cut != FRAMING_CUT_FIRST
                 : cut != FRAMING_CUT_MIDDLE && cut != FRAMING_CUT_LAST) {
        return fault_set(why, STATUS_MALFORMED,
                         "byte %" PRIu64 ": a recordio part of kind %u where "
                         "%s is due",
                         offset, cut,
                         is_first ? "a record's first" : "its next");
    }
    return STATUS_OK;
}

enum status framing_recordio_next(struct framing_reader *r, struct bytes view,
                                  uint64_t left, struct fault *why,
                                  struct framing_record *out)
{
    uint64_t at = 0;
    uint64_t size = 0;
    bool is_last = false;

    if (left == 0) {
        return STATUS_OK;
    }
    while (!is_last) {
        const char *head;
        enum status s;
        uint64_t length;

        if (view.size - at < FRAMING_RECORDIO_HEAD) {
            return framing_want(r, at + FRAMING_RECORDIO_HEAD, left, why, out);
        }
        head = view.at + at;
        s = framing_recordio_check(head, r->offset + at, at == 0, why);
        if (s != STATUS_OK) {
            return s;
        }
        is_last = framing_is_last(framing_recordio_cut(head));
        length = framing_recordio_length(head);
        size += length + (at > 0 ? FRAMING_RECORDIO_MAGIC_SIZE : 0);
        at += FRAMING_RECORDIO_HEAD +
              framing_round_up(length, FRAMING_RECORDIO_MAGIC_SIZE);
        if (at > view.size) {
            return framing_want(r, at, left, why, out);
        }
        out->is_split = out->is_split || !is_last;
    }
    out->found = FRAMING_RECORD;
    out->used = (size_t)at;
    out->data.at = out->is_split ? NULL : view.at + FRAMING_RECORDIO_HEAD;
    out->data.size = (size_t)size;
    return STATUS_OK;
}

void framing_join(struct bytes from, char *into)
{
    size_t at = 0;

    while (at < from.size) {
        const char *head = from.at + at;
        size_t length = framing_recordio_length(head);

        if (at > 0) {
            framing_put_u32(into, FRAMING_RECORDIO_MAGIC);
            into += FRAMING_RECORDIO_MAGIC_SIZE;
        }
        CHECK(length <= from.size - at - FRAMING_RECORDIO_HEAD);
        memcpy(into, head + FRAMING_RECORDIO_HEAD, length);
        into += length;
        at += FRAMING_RECORDIO_HEAD +
              (size_t)framing_round_up(length, FRAMING_RECORDIO_MAGIC_SIZE);
    }
}

/* ---- Writing. */

/* The next magic at a multiple of 4 from @at on; or the end. */
static size_t framing_find_magic(struct bytes data, size_t at)
{
    for (; at + FRAMING_RECORDIO_MAGIC_SIZE <= data.size;
         at += FRAMING_RECORDIO_MAGIC_SIZE) {
        if (framing_get_u32(data.at + at) == FRAMING_RECORDIO_MAGIC) {
            return at;
        }
    }
    return data.size;
}

uint64_t framing_recordio_size(struct bytes data)
{
    /* A magic that is left out makes room for half of the next header. */
    uint64_t size = FRAMING_RECORDIO_HEAD +
                    framing_round_up(data.size, FRAMING_RECORDIO_MAGIC_SIZE);

    for (size_t at = framing_find_magic(data, 0); at < data.size;
         at = framing_find_magic(data, at + FRAMING_RECORDIO_MAGIC_SIZE)) {
        size += FRAMING_RECORDIO_HEAD - FRAMING_RECORDIO_MAGIC_SIZE;
    }
    return size;
}

/* Write the part [from, to) and return where the next one goes. */
static char *framing_put_part(struct bytes data, size_t from, size_t to,
                              char *out)
{
    size_t size = to - from;
    size_t room = (size_t)framing_round_up(size, FRAMING_RECORDIO_MAGIC_SIZE);
    bool is_last = to == data.size;
    uint32_t cut;

    if (from == 0) {
        cut = is_last ? FRAMING_CUT_WHOLE : FRAMING_CUT_FIRST;
    } else {
        cut = is_last ? FRAMING_CUT_LAST : FRAMING_CUT_MIDDLE;
    }
    framing_put_u32(out, FRAMING_RECORDIO_MAGIC);
    framing_put_u32(out + FRAMING_RECORDIO_MAGIC_SIZE,
                    cut << FRAMING_RECORDIO_BITS | (uint32_t)size);
    out += FRAMING_RECORDIO_HEAD;
    memset(out, 0, room);
    if (size > 0) {
        memcpy(out, data.at + from, size);
    }
    return out + room;
}

size_t framing_recordio_write(struct bytes data, char *out)
{
    char *end = out;
    size_t from = 0;
    size_t to;

    CHECK(data.size <= FRAMING_RECORDIO_MAX);
    do {
        to = framing_find_magic(data, from);
        end = framing_put_part(data, from, to, end);
        from = to + FRAMING_RECORDIO_MAGIC_SIZE;
    } while (to < data.size);
    return (size_t)(end - out);
}
