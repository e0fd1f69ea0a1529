/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers to writes come to. The hard part is an answer that was
 * lost: a repeated PUT is harmless, a repeated conditional one is not, since
 * our own first attempt would make the second one fail. Then the value as it
 * is now decides. */

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/s3_call.h"

static const char s3_not_s3[] =
    "the answer is not what S3 says; is this endpoint an S3 server?";

static bool s3_is_conditional(const struct s3_call *c)
{
    return c->r.when != STORE_ALWAYS;
}

static enum s3_next s3_go_to(struct s3_call *c, enum s3_phase phase)
{
    c->phase = phase;
    return S3_AGAIN;
}

/* The object, upload or version is not there, though its bucket is. */
static bool s3_is_absent(const struct s3_answer *a)
{
    return a->status == STATUS_NOT_FOUND &&
           strcmp(a->error.code, "NoSuchBucket") != 0;
}

/* What a lost condition means to the caller. */
static enum s3_next s3_lost_condition(struct s3_call *c,
                                      const struct s3_flight *f)
{
    return c->r.when == STORE_IF_ABSENT
               ? s3_finish(c, f, STATUS_EXISTS, "it exists already")
               : s3_finish(c, f, STATUS_CHANGED,
                           "it was changed by somebody else");
}

/* A refused condition is final, unless it may be our own doing: an earlier
 * attempt that worked, or quotes that this server does not want; and servers
 * differ in what they answer when there is no object at all. */
static bool s3_is_doubtful(const struct s3_call *c, const struct s3_answer *a)
{
    bool is_refused = a->status == STATUS_EXISTS ||
                      a->status == STATUS_CHANGED ||
                      a->status == STATUS_NOT_FOUND;

    return is_refused && s3_is_conditional(c) &&
           (c->is_unsure || c->r.when == STORE_IF_MATCH);
}

/* ---- reading back ------------------------------------------------------- */

/* Whether @etag is the MD5 of @body, as that of a plain PUT is in most
 * stores. */
static bool s3_is_md5(const char *etag, struct bytes body)
{
    char hex[HASH_MD5_HEX];
    struct hash *h;

    if (strlen(etag) != HASH_MD5_HEX + 1) {
        return false;
    }
    h = hash_md5_new();
    hash_add(h, body.at, body.size);
    hash_md5_finish(&h, hex);
    return memcmp(etag + 1, hex, HASH_MD5_HEX - 1) == 0;
}

static bool s3_is_same_value(const struct s3_call *c,
                             const struct http_event *e)
{
    const struct crc *now = &c->event.sum;
    struct bytes size;
    char want[32];

    if (e->body.size > 0) {
        return e->body.size == c->r.size &&
               memcmp(e->body.at, c->r.body, c->r.size) == 0;
    }
    if (s3_is_md5(c->event.etag, (struct bytes){c->r.body, c->r.size})) {
        return true;
    }
    snprintf(want, sizeof(want), "%zu", c->r.size);
    if (!http_header(e->headers, "Content-Length", &size) ||
        !bytes_is(size, want)) {
        return false;
    }
    return c->r.size == 0 ||
           (now->kind != CRC_NONE &&
            now->value == crc_add(now->kind, 0, c->r.body, c->r.size));
}

static bool s3_is_our_upload(const struct s3_call *c,
                             const struct http_event *e)
{
    struct bytes nonce = s3_upload_nonce(c->r.upload);
    struct bytes v;

    return nonce.size > 0 &&
           http_header(e->headers, "x-amz-meta-smshard-upload", &v) &&
           bytes_is_equal(v, nonce);
}

/* The value now is somebody else's, or the old one. */
static enum s3_next s3_not_ours(struct s3_call *c, const struct s3_flight *f)
{
    if (c->r.when != STORE_IF_MATCH || strcmp(c->event.etag, c->r.etag) != 0) {
        return s3_lost_condition(c, f);
    }
    if (!c->is_unsure) { /* The server did not know its own etag. */
        if (f->view.knows_quotes || c->wants_unquoted) {
            return s3_lost_condition(c, f);
        }
        c->wants_unquoted = true;
    }
    return s3_go_to(c, S3_MAIN);
}

/* Nothing of ours is there: write it once more. */
static enum s3_next s3_write_again(struct s3_call *c, struct s3_answer *a)
{
    if (c->is_mute) { /* The answer to the write was none. */
        c->phase = S3_MAIN;
        return s3_odd(a, s3_not_s3);
    }
    return s3_go_to(c, S3_MAIN);
}

static enum s3_next s3_read_back(struct s3_call *c, const struct s3_flight *f,
                                 const struct http_event *e,
                                 struct s3_answer *a)
{
    bool is_end = c->r.op == STORE_UPLOAD_END;

    bool is_large = e->result == HTTP_TOO_LARGE; /* Then it is not ours. */

    if (s3_is_absent(a)) {
        if (c->r.when == STORE_IF_MATCH) {
            return s3_finish(c, f, STATUS_NOT_FOUND, "there is no such object");
        }
        if (is_end && c->is_upload_gone) {
            return s3_finish(c, f, STATUS_NOT_FOUND, "there is no such upload");
        }
        return s3_write_again(c, a);
    }
    if (a->status != STATUS_OK && !is_large) {
        return S3_RETRY;
    }
    s3_read_facts(c, e);
    if (c->is_unsure && !is_large &&
        (is_end ? s3_is_our_upload(c, e) : s3_is_same_value(c, e))) {
        return s3_finish(c, f, STATUS_OK, "ok");
    }
    if (is_end && c->is_upload_gone) {
        return s3_finish(c, f, STATUS_NOT_FOUND, "there is no such upload");
    }
    return s3_is_conditional(c) ? s3_not_ours(c, f) : s3_write_again(c, a);
}

/* A write was answered by 200 without what such an answer holds: only the
 * value that is there now says whether it was done. */
static enum s3_next s3_read_mute(struct s3_call *c)
{
    c->is_unsure = true;
    c->is_mute = true;
    return s3_go_to(c, S3_READ_BACK);
}

/* ---- PUT ---------------------------------------------------------------- */

enum s3_next s3_write_put(struct s3_call *c, const struct s3_flight *f,
                          const struct http_event *e, struct s3_answer *a)
{
    if (c->phase == S3_READ_BACK) {
        return s3_read_back(c, f, e, a);
    }
    if (s3_is_doubtful(c, a)) {
        return s3_go_to(c, S3_READ_BACK);
    }
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    s3_read_facts(c, e);
    if (c->event.etag[0] == '\0') { /* Told later, or not by an S3 server. */
        return s3_read_mute(c);
    }
    return s3_finish(c, f, STATUS_OK, "ok");
}

/* ---- DELETE ------------------------------------------------------------- */

/* Not every server looks at If-Match on DELETE, so we do, before. */
static enum s3_next s3_delete_look(struct s3_call *c, const struct s3_flight *f,
                                   const struct http_event *e,
                                   struct s3_answer *a)
{
    if (s3_is_absent(a) && c->is_unsure) {
        return s3_finish(c, f, STATUS_OK, "ok");
    }
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    s3_read_facts(c, e);
    return strcmp(c->event.etag, c->r.etag) == 0 ? s3_go_to(c, S3_MAIN)
                                                 : s3_lost_condition(c, f);
}

enum s3_next s3_write_delete(struct s3_call *c, const struct s3_flight *f,
                             const struct http_event *e, struct s3_answer *a)
{
    if (c->phase == S3_LOOK) {
        return s3_delete_look(c, f, e, a);
    }
    if (s3_is_absent(a) && (c->is_unsure || !s3_is_conditional(c))) {
        return s3_finish(c, f, STATUS_OK, "ok");
    }
    if (a->status == STATUS_CHANGED && !f->view.knows_quotes &&
        !c->wants_unquoted) {
        /* The HEAD before said that it is the same. */
        c->wants_unquoted = true;
        return s3_go_to(c, S3_LOOK);
    }
    return a->status == STATUS_OK ? s3_finish(c, f, STATUS_OK, "ok") : S3_RETRY;
}

/* ---- uploads ------------------------------------------------------------ */

enum s3_next s3_write_begin(struct s3_call *c, const struct s3_flight *f,
                            const struct http_event *e, struct s3_answer *a)
{
    struct buf id = {0};
    enum s3_next next;

    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    if (s3_xml_text(e->body, "InitiateMultipartUploadResult/UploadId", NULL,
                    &id) != STATUS_OK ||
        id.size == 0 || id.size + S3_NONCE_SIZE + 1 > STORE_UPLOAD_MAX) {
        next = s3_finish(c, f, STATUS_STORE,
                         "the answer to the start of an upload names none");
    } else {
        s3_upload_id(buf_bytes(&id), c->nonce, c->event.upload);
        next = s3_finish(c, f, STATUS_OK, "ok");
    }
    buf_fini(&id);
    return next;
}

enum s3_next s3_write_part(struct s3_call *c, const struct s3_flight *f,
                           const struct http_event *e, struct s3_answer *a)
{
    if (s3_is_absent(a)) {
        return s3_finish(c, f, STATUS_NOT_FOUND, "there is no such upload");
    }
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    s3_read_facts(c, e);
    if (c->event.etag[0] == '\0') {
        return s3_odd(a, s3_not_s3);
    }
    c->event.sum = f->sum;
    return s3_finish(c, f, STATUS_OK, "ok");
}

static void s3_end_etag(struct s3_call *c, const struct http_event *e)
{
    struct buf etag = {0};

    if (s3_xml_text(e->body, "CompleteMultipartUploadResult/ETag", NULL,
                    &etag) == STATUS_OK &&
        etag.size > 0 && etag.size + 3 <= STORE_ETAG_MAX) {
        bool is_bare = etag.at[0] != '"';

        snprintf(c->event.etag, STORE_ETAG_MAX, is_bare ? "\"%s\"" : "%s",
                 etag.at);
    }
    buf_fini(&etag);
}

enum s3_next s3_write_end(struct s3_call *c, const struct s3_flight *f,
                          const struct http_event *e, struct s3_answer *a)
{
    if (c->phase == S3_READ_BACK) {
        return s3_read_back(c, f, e, a);
    }
    if (s3_is_absent(a) && strcmp(a->error.code, "NoSuchKey") != 0) {
        c->is_upload_gone = true;
        return c->is_unsure ? s3_go_to(c, S3_READ_BACK)
                            : s3_finish(c, f, STATUS_NOT_FOUND,
                                        "there is no such upload");
    }
    if (s3_is_doubtful(c, a)) {
        return s3_go_to(c, S3_READ_BACK);
    }
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    s3_read_facts(c, e);
    s3_end_etag(c, e);
    if (c->event.etag[0] == '\0' ||
        !s3_xml_is(e->body, "CompleteMultipartUploadResult")) {
        return s3_read_mute(c);
    }
    return s3_finish(c, f, STATUS_OK, "ok");
}

enum s3_next s3_write_abort(struct s3_call *c, const struct s3_flight *f,
                            const struct http_event *e, struct s3_answer *a)
{
    (void)e;
    if (s3_is_absent(a) && c->is_unsure) {
        return s3_finish(c, f, STATUS_OK, "ok");
    }
    if (s3_is_absent(a)) {
        return s3_finish(c, f, STATUS_NOT_FOUND, "there is no such upload");
    }
    return a->status == STATUS_OK ? s3_finish(c, f, STATUS_OK, "ok") : S3_RETRY;
}
