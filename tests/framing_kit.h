/* SPDX-License-Identifier: Apache-2.0 */
/* Records of an object as text, read through views of any size; and the ranges
 * that finders cut it into. */

#ifndef TESTS_FRAMING_KIT_H
#define TESTS_FRAMING_KIT_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/prng.h"
#include "proto/framing.h"
#include "proto/framing_find.h"

/* A copy of exactly its size, so that a read past the end is seen. */
struct framing_copy {
    char *at;
    size_t size;
};

static inline struct bytes framing_kit_copy(struct framing_copy *c,
                                            struct bytes from)
{
    c->at = realloc(c->at, from.size > 0 ? from.size : 1);
    CHECK(c->at != NULL);
    if (from.size > 0) {
        memcpy(c->at, from.at, from.size);
    }
    return (struct bytes){c->at, from.size};
}

static inline void framing_kit_add(struct buf *out, const char *name,
                                   struct bytes bytes)
{
    buf_print(out, "%s%zu:", name, bytes.size);
    buf_add_bytes(out, bytes);
}

/* Append the parts of a record, each with its key. */
static inline void framing_kit_flat(const struct framing_record *r,
                                    struct buf *out)
{
    for (uint32_t i = 0; i < r->part_count; i++) {
        framing_kit_add(out, "\nkey ", r->key);
        framing_kit_add(out, " ext ", r->parts[i].ext);
        framing_kit_add(out, " data ", r->parts[i].data);
    }
}

/* Append a record: "@offset", then each part. */
static inline void framing_kit_tell(const struct framing_record *r,
                                    struct bytes view, struct buf *out)
{
    buf_print(out, "\n@%llu ", (unsigned long long)r->offset);
    if (r->part_count > 0) {
        framing_kit_add(out, "key ", r->key);
        for (uint32_t i = 0; i < r->part_count; i++) {
            framing_kit_add(out, " ext ", r->parts[i].ext);
            framing_kit_add(out, " data ", r->parts[i].data);
        }
    } else if (r->is_split) {
        char *room = buf_reserve(out, r->data.size);

        framing_join((struct bytes){view.at, r->used}, room);
        buf_add_done(out, r->data.size);
    } else {
        framing_kit_add(out, "", r->data);
    }
}

struct framing_kit {
    enum framing format;
    struct bytes object;
    size_t step;    /* Of how much a view is at first; 0: of all. */
    bool is_stream; /* What is left is known at the end only. */
    bool is_flat;   /* Tell parts of tars only, not which are a sample. */
};

/* Append the records of [from, to) to @out. */
static inline enum status framing_kit_read(const struct framing_kit *k,
                                           uint64_t from, uint64_t to,
                                           struct fault *why, struct buf *out)
{
    struct framing_reader *r = malloc(sizeof(*r));
    struct framing_copy copy = {0};
    uint64_t at = from;
    uint64_t want = k->step;
    enum status s = STATUS_OK;
    bool is_over = false;

    CHECK(r != NULL && from <= to && to <= k->object.size);
    framing_start(r, k->format, from);
    while (s == STATUS_OK && !is_over) {
        struct framing_record record;
        uint64_t left = to - at;
        uint64_t size = k->step > 0 && want < left ? want : left;
        struct bytes view = framing_kit_copy(
            &copy, (struct bytes){k->object.at + at, (size_t)size});
        bool is_known = !k->is_stream || size == left;

        s = framing_next(r, view, is_known ? left : FRAMING_UNKNOWN, why,
                         &record);
        if (s == STATUS_OK && record.found == FRAMING_RECORD) {
            if (k->is_flat && k->format == FRAMING_TAR) {
                framing_kit_flat(&record, out);
            } else {
                framing_kit_tell(&record, view, out);
            }
        }
        is_over = s == STATUS_OK && record.found == FRAMING_END;
        want = k->step;
        if (s == STATUS_OK) {
            at += record.used;
            CHECK(r->offset == at);
        }
        if (s == STATUS_OK && record.found == FRAMING_MORE) {
            want = record.need > want ? record.need : want;
        }
    }
    CHECK(s != STATUS_OK || at == to);
    free(copy.at);
    free(r);
    return s;
}

/* The boundary at or behind @cut, shown as little as is asked for, or a bit
 * more. */
static inline uint64_t framing_kit_find(const struct framing_kit *k,
                                        uint64_t cut, size_t extra)
{
    struct framing_find *f = malloc(sizeof(*f));
    struct framing_copy copy = {0};
    uint64_t offset;
    uint64_t found;
    size_t size;

    CHECK(f != NULL);
    framing_find_start(f, k->format, k->object.size, cut);
    while (framing_find_wants(f, &offset, &size)) {
        size_t left;

        CHECK(size > 0 && offset < k->object.size &&
              size <= k->object.size - offset);
        left = k->object.size - (size_t)offset - size;
        size += extra < left ? extra : left;
        framing_find_look(
            f, framing_kit_copy(&copy,
                                (struct bytes){k->object.at + offset, size}));
    }
    found = framing_find_found(f);
    CHECK(found <= k->object.size && (found >= cut || cut == 0));
    free(copy.at);
    free(f);
    return found;
}

/* Append the records of all ranges between @count cuts. */
static inline enum status framing_kit_cut(const struct framing_kit *k,
                                          const uint64_t *cuts, size_t count,
                                          struct fault *why, struct buf *out)
{
    uint64_t from = framing_kit_find(k, 0, 0);
    enum status s = STATUS_OK;

    CHECK(from == 0);
    for (size_t i = 0; s == STATUS_OK && i <= count; i++) {
        uint64_t to = i < count ? framing_kit_find(k, cuts[i], i % 3 * 100)
                                : k->object.size;

        if (to < from) {
            return fault_set(why, STATUS_INVALID, "boundaries cross");
        }
        /* An empty object is one record of one range. */
        if (to > from || k->object.size == 0) {
            s = framing_kit_read(k, from, to, why, out);
        }
        from = to;
        if (k->object.size == 0) {
            break;
        }
    }
    return s;
}

#endif /* TESTS_FRAMING_KIT_H */
