/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of a tar: members whose names are the same up to the ending. */

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "proto/framing_parts.h"

static char framing_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool framing_is_same_ext(struct bytes a, struct bytes lower)
{
    if (a.size != lower.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (framing_lower(a.at[i]) != lower.at[i]) {
            return false;
        }
    }
    return true;
}

static void framing_begin_sample(struct framing_reader *r,
                                 const struct framing_member *m)
{
    CHECK(m->key.size <= sizeof(r->key));
    memcpy(r->key, m->key.at, m->key.size);
    r->key_size = m->key.size;
    r->ext_size = 0;
}

static bool framing_is_of_sample(const struct framing_reader *r,
                                 const struct framing_member *m)
{
    return bytes_is_equal(m->key, (struct bytes){r->key, r->key_size});
}

/* Add the member, whose data begin at @data, to the sample. */
static enum status framing_add_part(struct framing_reader *r,
                                    const struct framing_member *m,
                                    const char *data, struct fault *why)
{
    struct framing_part *part = &r->parts[r->part_count];
    char *ext = r->ext + r->ext_size;

    for (uint32_t i = 0; i < r->part_count; i++) {
        if (framing_is_same_ext(m->ext, r->parts[i].ext)) {
            return fault_set(why, STATUS_INVALID,
                             "%.*s: a sample has two members of this name",
                             (int)m->name.size, m->name.at);
        }
    }
    if (r->part_count == FRAMING_PARTS_MAX ||
        m->ext.size > sizeof(r->ext) - r->ext_size) {
        return fault_set(why, STATUS_FULL,
                         "%.*s: a sample has more than %d members, or %d "
                         "bytes of endings",
                         (int)m->name.size, m->name.at, FRAMING_PARTS_MAX,
                         FRAMING_EXT_ROOM);
    }
    for (size_t i = 0; i < m->ext.size; i++) {
        ext[i] = framing_lower(m->ext.at[i]);
    }
    part->ext = (struct bytes){ext, m->ext.size};
    part->data = (struct bytes){data, (size_t)m->size};
    r->ext_size += m->ext.size;
    r->part_count++;
    return STATUS_OK;
}

static void framing_end_sample(struct framing_reader *r, size_t used,
                               struct framing_record *out)
{
    out->used = used;
    if (r->part_count > 0) {
        out->found = FRAMING_RECORD;
        out->key = (struct bytes){r->key, r->key_size};
        out->parts = r->parts;
        out->part_count = r->part_count;
        out->data = r->parts[0].data;
    }
}

/* Where the reader stands in the bytes. */
struct framing_walk {
    struct framing_reader *reader;
    struct bytes view;
    uint64_t left;
    size_t at;
    size_t start; /* Of the sample; @at while there is none. */
    bool is_over; /* There is an answer. */
};

/* The view ends here. What is before the first member of a sample is not
 * wanted any more. */
static enum status framing_walk_want(struct framing_walk *w, uint64_t need,
                                     struct fault *why,
                                     struct framing_record *out)
{
    w->is_over = true;
    out->used = w->reader->part_count > 0 ? w->start : w->at;
    return framing_want(w->reader, w->at - out->used + need, w->left, why, out);
}

/* A member that is left out: its data need not be seen, unless they lie
 * within a sample. */
static enum status framing_walk_pass(struct framing_walk *w, uint64_t end,
                                     struct fault *why,
                                     struct framing_record *out)
{
    uint64_t here = w->view.size - w->at;

    if (end <= here) {
        w->at += (size_t)end;
        return STATUS_OK;
    }
    if (w->reader->part_count > 0 ||
        (w->left != FRAMING_UNKNOWN && end > w->left - w->at)) {
        return framing_walk_want(w, end, why, out);
    }
    w->reader->skip = end - here;
    w->at = w->view.size;
    return framing_walk_want(w, 1, why, out);
}

static enum status framing_walk_member(struct framing_walk *w,
                                       const struct framing_member *m,
                                       struct fault *why,
                                       struct framing_record *out)
{
    struct framing_reader *r = w->reader;
    enum status s;

    if (!m->is_counted) {
        return framing_walk_pass(w, m->end, why, out);
    }
    if (r->part_count > 0 && !framing_is_of_sample(r, m)) {
        w->is_over = true;
        framing_end_sample(r, w->at, out);
        return STATUS_OK;
    }
    if (m->end > w->view.size - w->at) {
        return framing_walk_want(w, m->end, why, out);
    }
    if (r->part_count == 0) {
        w->start = w->at;
        out->offset = r->offset + w->at;
        framing_begin_sample(r, m);
    }
    s = framing_add_part(r, m, w->view.at + w->at + m->data_at, why);
    w->at += (size_t)m->end;
    return s;
}

static enum status framing_walk_step(struct framing_walk *w, struct fault *why,
                                     struct framing_record *out)
{
    struct framing_member m;
    uint64_t offset = w->reader->offset + w->at;
    enum status s;

    if (w->left == w->at) {
        w->is_over = true;
        framing_end_sample(w->reader, w->at, out);
        return STATUS_OK;
    }
    if (w->view.size - w->at < FRAMING_TAR_BLOCK) {
        return framing_walk_want(w, FRAMING_TAR_BLOCK, why, out);
    }
    s = framing_tar_member(
        (struct bytes){w->view.at + w->at, w->view.size - w->at}, offset, why,
        &m);
    if (s != STATUS_OK) {
        return s;
    }
    if (m.need > 0) {
        return framing_walk_want(w, m.need, why, out);
    }
    if (m.is_zero) {
        w->at += FRAMING_TAR_BLOCK;
        w->is_over = w->reader->part_count > 0;
        framing_end_sample(w->reader, w->at, out);
        return STATUS_OK;
    }
    return framing_walk_member(w, &m, why, out);
}

enum status framing_tar_next(struct framing_reader *r, struct bytes view,
                             uint64_t left, struct fault *why,
                             struct framing_record *out)
{
    struct framing_walk w = {.reader = r, .view = view, .left = left};
    uint64_t skip = r->skip;
    enum status s = STATUS_OK;

    w.at = skip < view.size ? (size_t)skip : view.size;
    r->skip -= w.at;
    r->part_count = 0;
    if (r->skip > 0) {
        s = framing_walk_want(&w, 1, why, out);
    }
    while (s == STATUS_OK && !w.is_over) {
        s = framing_walk_step(&w, why, out);
    }
    if (s != STATUS_OK) {
        r->skip = skip;
    }
    return s;
}
