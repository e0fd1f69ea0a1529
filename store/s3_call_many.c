/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that tell of many things: the parts of an upload, and the keys that
 * a deletion of many did not delete. */

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/s3_call.h"

/* ---- PARTS -------------------------------------------------------------- */

static uint64_t s3_many_number(struct bytes text, uint64_t max)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || value > max) {
            return max + 1;
        }
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    return text.size > 0 ? value : max + 1;
}

static void s3_many_sum(const struct s3_xml_child *children, size_t count,
                        struct crc *out)
{
    static const struct {
        const char *name;
        enum crc_kind kind;
    } sums[] = {{"ChecksumCRC64NVME", CRC_64NVME},
                {"ChecksumCRC32C", CRC_32C},
                {"ChecksumCRC32", CRC_32}};

    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        struct bytes text = s3_xml_child(children, count, sums[i].name);

        if (crc_parse(sums[i].kind, text, &out->value)) {
            out->kind = sums[i].kind;
            return;
        }
    }
}

static enum status s3_many_part(void *self, const struct s3_xml_child *children,
                                size_t count, struct fault *why)
{
    struct s3_call *c = self;
    struct bytes etag = s3_xml_child(children, count, "ETag");
    uint64_t number = s3_many_number(
        s3_xml_child(children, count, "PartNumber"), STORE_PARTS_MAX);
    uint64_t size =
        s3_many_number(s3_xml_child(children, count, "Size"), UINT64_MAX / 16);
    struct store_listed_part *p = &c->page->parts[c->event.part_count];
    uint32_t last = c->event.part_count > 0 ? p[-1].number : c->r.part;

    if (c->event.part_count == STORE_LIST_MAX || number <= last ||
        number > STORE_PARTS_MAX || size > UINT64_MAX / 16 ||
        etag.size >= STORE_ETAG_MAX) {
        return fault_set(why, STATUS_STORE,
                         "the list of the upload's parts is none");
    }
    *p = (struct store_listed_part){.number = (uint32_t)number};
    p->part.size = size;
    memcpy(p->part.etag, etag.at, etag.size);
    s3_many_sum(children, count, &p->part.sum);
    c->event.part_count++;
    return STATUS_OK;
}

enum s3_next s3_write_parts(struct s3_call *c, const struct s3_flight *f,
                            const struct http_event *e, struct s3_answer *a)
{
    struct buf more = {0};

    if (a->status == STATUS_NOT_FOUND) {
        return s3_finish(c, f, STATUS_NOT_FOUND, "there is no such upload");
    }
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    if (c->page->parts == NULL) {
        c->page->parts = mem_new(STORE_LIST_MAX, sizeof(*c->page->parts));
    }
    c->event.part_count = 0;
    if (s3_xml_each(e->body, "ListPartsResult/Part", s3_many_part, c, NULL) !=
            STATUS_OK ||
        s3_xml_text(e->body, "ListPartsResult/IsTruncated", NULL, &more) !=
            STATUS_OK) {
        buf_fini(&more);
        return s3_finish(c, f, STATUS_STORE,
                         "the list of the upload's parts is none");
    }
    c->event.has_more = strcmp(buf_text(&more), "true") == 0;
    c->event.parts = c->page->parts;
    buf_fini(&more);
    return s3_finish(c, f, STATUS_OK, "ok");
}

/* ---- DELETE_MANY -------------------------------------------------------- */

struct s3_many_errors {
    struct s3_call *c;
    const struct s3_flight *f;
    enum retry_class retry; /* Of those that another attempt may help. */
};

static enum status s3_many_error(void *self,
                                 const struct s3_xml_child *children,
                                 size_t count, struct fault *why)
{
    struct s3_many_errors *m = self;
    struct bytes code = s3_xml_child(children, count, "Code");
    struct bytes key = s3_xml_child(children, count, "Key");
    struct bytes message = s3_xml_child(children, count, "Message");
    struct s3_call *c = m->c;

    (void)why;
    if (bytes_is(code, "NoSuchKey")) {
        return STATUS_OK;
    }
    if (bytes_is(code, "InternalError") || bytes_is(code, "SlowDown") ||
        bytes_is(code, "ServiceUnavailable")) {
        m->retry =
            bytes_is(code, "InternalError") ? RETRY_TRANSIENT : RETRY_THROTTLE;
    }
    if (c->event.failed++ == 0) {
        (void)s3_finish(
            c, m->f,
            bytes_is(code, "AccessDenied") ? STATUS_DENIED : STATUS_STORE,
            "%.*s was not deleted: %.*s: %.*s",
            (int)(key.size < 300 ? key.size : 300), key.at,
            (int)(code.size < 64 ? code.size : 64), code.at,
            (int)(message.size < 256 ? message.size : 256), message.at);
    }
    return STATUS_OK;
}

/* A server without the operation is asked key by key. */
static enum s3_next s3_many_single(struct s3_call *c, const struct s3_flight *f,
                                   const struct s3_answer *a)
{
    bool is_gone = a->status == STATUS_OK || a->status == STATUS_NOT_FOUND;

    if (!is_gone && (a->retry != RETRY_NEVER || a->fix != S3_FIX_NONE)) {
        return S3_RETRY;
    }
    if (!is_gone && c->event.failed++ == 0) {
        (void)s3_finish(c, f, a->status, "%.*s was not deleted: %s: %s",
                        (int)(c->r.key.size < 300 ? c->r.key.size : 300),
                        c->r.key.at, a->error.code, a->advice);
    }
    if (c->single == c->r.key_count) {
        return c->event.failed > 0 ? S3_FINISH
                                   : s3_finish(c, f, STATUS_OK, "ok");
    }
    c->r.key = c->r.keys[c->single++];
    c->turns = 0;
    return S3_AGAIN;
}

enum s3_next s3_write_delete_many(struct s3_call *c, const struct s3_flight *f,
                                  const struct http_event *e,
                                  struct s3_answer *a)
{
    struct s3_many_errors m = {c, f, RETRY_NEVER};
    enum status s;

    if (c->single > 0) {
        return s3_many_single(c, f, a);
    }
    if (a->status == STATUS_UNSUPPORTED ||
        strcmp(a->error.code, "MalformedXML") == 0 ||
        (a->status == STATUS_NOT_FOUND && a->error.code[0] == '\0')) {
        c->single = 1;
        c->r.key = c->r.keys[0];
        return S3_AGAIN;
    }
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    c->event.failed = 0;
    s = s3_xml_each(e->body, "DeleteResult/Error", s3_many_error, &m, NULL);
    if (s != STATUS_OK) {
        /* A key with control bytes makes ill-formed XML, for one. */
        c->single = 1;
        c->event.failed = 0;
        c->r.key = c->r.keys[0];
        return S3_AGAIN;
    }
    if (!s3_xml_is(e->body, "DeleteResult")) {
        return s3_odd(a, "the answer is not what S3 says; is this endpoint an "
                         "S3 server?");
    }
    if (m.retry != RETRY_NEVER) {
        a->status = STATUS_STORE;
        a->retry = m.retry;
        a->advice = "some keys could not be deleted; try again later";
        return S3_RETRY;
    }
    return c->event.failed > 0 ? S3_FINISH : s3_finish(c, f, STATUS_OK, "ok");
}
