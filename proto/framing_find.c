/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/framing_find.h"

#include <string.h>

#include "base/check.h"
#include "proto/framing_parts.h"

/* How far a trail has led. */
enum framing_trail {
    FRAMING_SEARCH,    /* None: @at is searched from on. */
    FRAMING_UNTRUSTED, /* At what looks like the start of a record; of a tar's
                          member, which more headers may belong to. */
    FRAMING_UNNAMED,   /* Of a tar: its next member tells a sample's name, */
    FRAMING_NAMED,     /* and this is it. */
};

static void framing_found(struct framing_find *f, uint64_t at)
{
    f->is_found = true;
    f->at = at < f->size ? at : f->size;
}

/* What is wanted from @at on; at the end of the object nothing is. */
static void framing_look_at(struct framing_find *f, uint64_t at, size_t want)
{
    if (at >= f->size) {
        framing_found(f, f->size);
        return;
    }
    f->at = at;
    f->want = want < f->size - at ? want : (size_t)(f->size - at);
}

static uint32_t framing_step(enum framing format)
{
    switch (format) {
    case FRAMING_TAR:
        return FRAMING_TAR_BLOCK;
    case FRAMING_RECORDIO:
        return FRAMING_RECORDIO_MAGIC_SIZE;
    case FRAMING_RAW:
    case FRAMING_LINES:
    case FRAMING_TFRECORD:
        break;
    }
    return 1;
}

void framing_find_start(struct framing_find *f, enum framing format,
                        uint64_t size, uint64_t cut)
{
    CHECK(cut <= size);
    f->format = format;
    f->size = size;
    f->is_found = false;
    f->trail = FRAMING_SEARCH;
    f->key_size = 0;
    f->want = 0;
    if (cut == 0) {
        framing_found(f, 0);
    } else if (format == FRAMING_RAW) {
        framing_found(f, size);
    } else if (format == FRAMING_LINES) {
        /* The cut may lie just behind a line's end. */
        framing_look_at(f, cut - 1, FRAMING_FIND_LOOK);
    } else {
        framing_look_at(f, framing_round_up(cut, framing_step(format)),
                        FRAMING_FIND_LOOK);
    }
}

bool framing_find_wants(const struct framing_find *f, uint64_t *offset,
                        size_t *size)
{
    *offset = f->at;
    *size = f->want;
    return !f->is_found;
}

uint64_t framing_find_found(const struct framing_find *f)
{
    CHECK(f->is_found);
    return f->at;
}

/* ---- Each format. */

static void framing_find_line(struct framing_find *f, struct bytes bytes)
{
    const char *end = memchr(bytes.at, '\n', bytes.size);

    if (end != NULL) {
        framing_found(f, f->at + (uint64_t)(end - bytes.at) + 1);
    } else {
        framing_look_at(f, f->at + bytes.size, FRAMING_FIND_LOOK);
    }
}

/* Search on, or end where no record fits any more. */
static void framing_search(struct framing_find *f, uint64_t at, size_t least)
{
    f->trail = FRAMING_SEARCH;
    if (at > f->size || f->size - at < least) {
        framing_found(f, f->size);
    } else {
        framing_look_at(f, at, FRAMING_FIND_LOOK);
    }
}

static void framing_find_recordio(struct framing_find *f, struct bytes bytes)
{
    size_t at = 0;

    for (; bytes.size - at >= FRAMING_RECORDIO_HEAD;
         at += FRAMING_RECORDIO_MAGIC_SIZE) {
        const char *head = bytes.at + at;
        uint32_t cut = framing_get_u32(head + FRAMING_RECORDIO_MAGIC_SIZE) >>
                       FRAMING_RECORDIO_BITS;

        if (framing_get_u32(head) == FRAMING_RECORDIO_MAGIC &&
            cut <= FRAMING_CUT_FIRST) {
            framing_found(f, f->at + at);
            return;
        }
    }
    framing_search(f, f->at + at, FRAMING_RECORDIO_HEAD);
}

/* Whether a tfrecord may start at @at, and where the next one would. */
static bool framing_tfrecord_may(const struct framing_find *f, const char *head,
                                 uint64_t at, uint64_t *next)
{
    const uint64_t around = FRAMING_TFRECORD_HEAD + FRAMING_TFRECORD_TAIL;
    uint64_t length = framing_get_u64(head);

    if (f->size - at < around || length > f->size - at - around ||
        !framing_tfrecord_is_head(head)) {
        return false;
    }
    *next = at + around + length;
    return true;
}

/* What was at @first leads here. */
static void framing_tfrecord_follow(struct framing_find *f, struct bytes bytes)
{
    uint64_t next;

    if (bytes.size >= FRAMING_TFRECORD_HEAD &&
        framing_tfrecord_may(f, bytes.at, f->at, &next)) {
        framing_found(f, f->first);
    } else {
        framing_search(f, f->first + 1, FRAMING_TFRECORD_HEAD);
    }
}

static void framing_find_tfrecord(struct framing_find *f, struct bytes bytes)
{
    uint64_t next;
    size_t at = 0;

    if (f->trail == FRAMING_UNTRUSTED) {
        framing_tfrecord_follow(f, bytes);
        return;
    }
    for (; bytes.size - at >= FRAMING_TFRECORD_HEAD; at++) {
        if (!framing_tfrecord_may(f, bytes.at + at, f->at + at, &next)) {
            continue;
        }
        f->first = f->at + at;
        if (next == f->size) {
            framing_found(f, f->first);
        } else {
            f->trail = FRAMING_UNTRUSTED;
            framing_look_at(f, next, FRAMING_TFRECORD_HEAD);
        }
        return;
    }
    framing_search(f, f->at + at, FRAMING_TFRECORD_HEAD);
}

/* ---- Tar: follow the members up to one that starts a sample. */

static bool framing_is_key(const struct framing_find *f, struct bytes key)
{
    return bytes_is_equal(key, (struct bytes){f->key, f->key_size});
}

/* Take the member at @f->at. */
static void framing_follow_member(struct framing_find *f,
                                  const struct framing_member *m)
{
    if (f->trail == FRAMING_UNTRUSTED) {
        f->trail = FRAMING_UNNAMED;
    } else if (f->trail == FRAMING_NAMED && m->is_counted &&
               !framing_is_key(f, m->key)) {
        framing_found(f, f->at);
    } else if (m->is_counted) {
        CHECK(m->key.size <= sizeof(f->key));
        memcpy(f->key, m->key.at, m->key.size);
        f->key_size = m->key.size;
        f->trail = FRAMING_NAMED;
    }
}

/* The next header is not at hand; where none fits, that is the end. */
static void framing_look_again(struct framing_find *f)
{
    bool is_end = f->size - f->at < FRAMING_TAR_BLOCK;

    framing_look_at(f, is_end ? f->size : f->at, FRAMING_FIND_LOOK);
}

/* Look at one member. Returns how much of @bytes is done with; 0: an answer or
 * a wish stands in @f. */
static size_t framing_tar_look(struct framing_find *f, struct bytes bytes)
{
    struct framing_member m;

    if (bytes.size < FRAMING_TAR_BLOCK) {
        framing_look_again(f);
        return 0;
    }
    if (framing_tar_member(bytes, f->at, NULL, &m) != STATUS_OK ||
        m.need > f->size - f->at || m.end > f->size - f->at) {
        framing_search(f, f->first + FRAMING_TAR_BLOCK, FRAMING_TAR_BLOCK);
        return 0;
    }
    if (m.need > 0) {
        framing_look_at(f, f->at, (size_t)m.need);
        return 0;
    }
    if (m.is_zero) {
        /* The end of an archive, maybe of one within a member. */
        framing_search(f, f->at + FRAMING_TAR_BLOCK, FRAMING_TAR_BLOCK);
        return 0;
    }
    framing_follow_member(f, &m);
    if (f->is_found) {
        return 0;
    }
    if (m.end >= bytes.size) {
        framing_look_at(f, f->at + m.end, FRAMING_FIND_LOOK);
        return 0;
    }
    f->at += m.end;
    return (size_t)m.end;
}

/* The first block that looks like a header. false: there is none here. */
static bool framing_tar_search(struct framing_find *f, struct bytes *bytes)
{
    while (bytes->size >= FRAMING_TAR_BLOCK) {
        if (framing_tar_is_header(bytes->at)) {
            f->trail = FRAMING_UNTRUSTED;
            f->first = f->at;
            return true;
        }
        f->at += FRAMING_TAR_BLOCK;
        bytes->at += FRAMING_TAR_BLOCK;
        bytes->size -= FRAMING_TAR_BLOCK;
    }
    framing_search(f, f->at, FRAMING_TAR_BLOCK);
    return false;
}

static void framing_find_tar(struct framing_find *f, struct bytes bytes)
{
    size_t done;

    if (f->trail == FRAMING_SEARCH && !framing_tar_search(f, &bytes)) {
        return;
    }
    while ((done = framing_tar_look(f, bytes)) > 0) {
        bytes.at += done;
        bytes.size -= done;
    }
}

void framing_find_look(struct framing_find *f, struct bytes bytes)
{
    CHECK(!f->is_found && bytes.size >= f->want);
    CHECK(bytes.size <= f->size - f->at);
    switch (f->format) {
    case FRAMING_LINES:
        framing_find_line(f, bytes);
        return;
    case FRAMING_RECORDIO:
        framing_find_recordio(f, bytes);
        return;
    case FRAMING_TFRECORD:
        framing_find_tfrecord(f, bytes);
        return;
    case FRAMING_TAR:
        framing_find_tar(f, bytes);
        return;
    case FRAMING_RAW:
        break;
    }
    UNREACHABLE("a raw object has no boundary to find");
}
