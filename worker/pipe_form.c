/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pipe_form.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/gunzip.h"
#include "base/mem.h"
#include "proto/framing_write.h"

struct pipe_form {
    bool is_gzip;
    bool is_wrapped;
    uint64_t gather_max;
    struct gunzip *gunzip; /* Of the object that is under way. */
    struct bytes piece;    /* Given, and not yet taken. */
    bool is_last;
    bool has_ended;    /* The object's last byte was yielded. */
    struct buf whole;  /* Gathered. */
    struct buf record; /* What is made of it. */
};

struct pipe_form *pipe_form_new(bool is_gzip, bool is_wrapped,
                                uint64_t gather_max)
{
    struct pipe_form *f = mem_new(1, sizeof(*f));

    *f = (struct pipe_form){
        .is_gzip = is_gzip,
        .is_wrapped = is_wrapped,
        .gather_max = gather_max,
        .has_ended = true,
    };
    return f;
}

void pipe_form_destroy(struct pipe_form **f)
{
    if (*f == NULL) {
        return;
    }
    gunzip_destroy(&(*f)->gunzip);
    buf_fini(&(*f)->whole);
    buf_fini(&(*f)->record);
    free(*f);
    *f = NULL;
}

void pipe_form_give(struct pipe_form *f, struct bytes piece, bool is_first,
                    bool is_last)
{
    if (is_first) {
        gunzip_destroy(&f->gunzip);
        buf_clear(&f->whole);
        f->has_ended = false;
        if (f->is_gzip) {
            f->gunzip = gunzip_new(UINT64_MAX);
        }
    }
    f->piece = piece;
    f->is_last = is_last;
    if (f->gunzip != NULL && piece.size > 0) {
        gunzip_give(f->gunzip, piece);
    }
}

/* The next plain bytes of the piece; empty: there are no more. */
static enum status pipe_form_plain(struct pipe_form *f, struct fault *why,
                                   struct bytes *out)
{
    enum status s;

    *out = f->piece;
    if (f->gunzip == NULL || f->piece.size == 0) {
        f->piece.size = 0;
        return STATUS_OK;
    }
    s = gunzip_next(f->gunzip, why, out);
    if (s == STATUS_OK && out->size == 0) {
        f->piece.size = 0;
    }
    return s;
}

/* The object is whole, if its last piece was used up. */
static enum status pipe_form_end(struct pipe_form *f, struct fault *why)
{
    if (!f->is_last || f->has_ended) {
        return STATUS_OK;
    }
    f->has_ended = true;
    return f->gunzip != NULL ? gunzip_end(f->gunzip, why) : STATUS_OK;
}

static enum status pipe_form_gather(struct pipe_form *f, struct bytes plain,
                                    struct fault *why)
{
    uint64_t max = f->gather_max < FRAMING_RECORDIO_MAX ? f->gather_max
                                                        : FRAMING_RECORDIO_MAX;

    if (plain.size > max || f->whole.size > max - plain.size) {
        return fault_set(why, STATUS_FULL,
                         "is more than %" PRIu64 " bytes, which is the most "
                         "that a RecordIO record may have here; raise "
                         "--memory, or leave RecordWrapperType out",
                         max);
    }
    buf_add_bytes(&f->whole, plain);
    return STATUS_OK;
}

static void pipe_form_wrap(struct pipe_form *f, struct bytes data,
                           struct bytes *out)
{
    size_t size = (size_t)framing_recordio_size(data);

    buf_clear(&f->record);
    size = framing_recordio_write(data, buf_reserve(&f->record, size));
    buf_add_done(&f->record, size);
    *out = buf_bytes(&f->record);
}

static enum status pipe_form_record(struct pipe_form *f, struct fault *why,
                                    struct bytes *out)
{
    struct bytes plain;
    enum status s = pipe_form_plain(f, why, &plain);

    while (s == STATUS_OK && plain.size > 0) {
        s = pipe_form_gather(f, plain, why);
        if (s == STATUS_OK) {
            s = pipe_form_plain(f, why, &plain);
        }
    }
    *out = (struct bytes){"", 0};
    if (s != STATUS_OK || !f->is_last || f->has_ended) {
        return s;
    }
    s = pipe_form_end(f, why);
    if (s == STATUS_OK) {
        pipe_form_wrap(f, buf_bytes(&f->whole), out);
    }
    return s;
}

enum status pipe_form_next(struct pipe_form *f, struct fault *why,
                           struct bytes *out)
{
    enum status s;

    if (f->is_wrapped) {
        return pipe_form_record(f, why, out);
    }
    s = pipe_form_plain(f, why, out);
    return s == STATUS_OK && out->size == 0 ? pipe_form_end(f, why) : s;
}
