/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers to LIST, HEAD and GET come to. A body is believed only
 * after its status, range, length, etag and checksum agree. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/s3_call.h"

enum {
    S3_BAD_SUMS_MAX = 2,     /* Reads of one range that may not match. */
    S3_EMPTY_PAGES_MAX = 64, /* In a row. */
};

enum s3_next s3_finish(struct s3_call *c, const struct s3_flight *f,
                       enum status s, const char *format, ...)
{
    char uri[STORE_URI_SHOW_MAX];
    char reason[FAULT_TEXT_MAX];
    va_list args;

    (void)f;
    c->event.status = s;
    if (s != STATUS_OK) {
        va_start(args, format);
        vsnprintf(reason, sizeof(reason), format, args);
        va_end(args);
        (void)fault_set(&c->event.why, s, "%s: %s", s3_call_uri(c, uri),
                        reason);
    }
    return S3_FINISH;
}

/* ---- the facts in a head ------------------------------------------------ */

/* Some servers leave the quotes out; everywhere else we have them. */
static void s3_read_etag(struct bytes headers, char out[STORE_ETAG_MAX])
{
    struct bytes v;
    bool is_bare;

    out[0] = '\0';
    if (!http_header(headers, "ETag", &v) || v.size == 0 ||
        v.size + 3 > STORE_ETAG_MAX) {
        return;
    }
    is_bare = v.at[0] != '"' && !bytes_has_prefix(v, BYTES("W/"));
    snprintf(out, STORE_ETAG_MAX, is_bare ? "\"%.*s\"" : "%.*s", (int)v.size,
             v.at);
}

static bool s3_read_number(struct bytes text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || *out > UINT64_MAX / 16) {
            return false;
        }
        *out = *out * 10 + (uint64_t)(text.at[i] - '0');
    }
    return text.size > 0;
}

static void s3_read_sum(struct bytes headers, struct crc *out)
{
    static const struct {
        enum crc_kind kind;
        const char *name;
    } sums[] = {{CRC_64NVME, "x-amz-checksum-crc64nvme"},
                {CRC_32C, "x-amz-checksum-crc32c"},
                {CRC_32, "x-amz-checksum-crc32"}};
    struct bytes type;
    struct bytes v;

    *out = (struct crc){CRC_NONE, 0};
    if (http_header(headers, "x-amz-checksum-type", &type) &&
        bytes_is(type, "COMPOSITE")) {
        return;
    }
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        if (http_header(headers, sums[i].name, &v) &&
            crc_parse(sums[i].kind, v, &out->value)) {
            out->kind = sums[i].kind;
            return;
        }
    }
}

void s3_read_facts(struct s3_call *c, const struct http_event *e)
{
    struct store_event *event = &c->event;
    struct bytes v;

    s3_read_etag(e->headers, event->etag);
    s3_read_sum(e->headers, &event->sum);
    if (http_header(e->headers, "Last-Modified", &v)) {
        event->modified_ms = s3_time_http(v);
    }
    if (http_header(e->headers, "Date", &v)) {
        event->store_ms = s3_time_http(v);
    }
    event->version[0] = '\0';
    if (http_header(e->headers, "x-amz-version-id", &v) &&
        v.size < sizeof(event->version) && !bytes_is(v, "null")) {
        memcpy(event->version, v.at, v.size);
        event->version[v.size] = '\0';
    }
}

enum s3_next s3_odd(struct s3_answer *a, const char *advice)
{
    a->status = STATUS_STORE;
    a->retry = RETRY_ODD;
    a->is_ambiguous = true;
    a->advice = advice;
    return S3_RETRY;
}

/* ---- LIST --------------------------------------------------------------- */

/* A key that is not after the one asked for: either the server does not look
 * at start-after, and tells again what the caller has had; or, in a page that
 * a token asked for, it has another order than that of bytes. Both make every
 * page but the next of a chain worthless. */
static void s3_list_skip(struct s3_call *c, const struct s3_list *l)
{
    struct bytes after = c->r.after;
    uint32_t skip = 0;

    if (after.size == 0) {
        return;
    }
    for (uint32_t i = 0; i < l->object_count; i++) {
        c->has_no_after |= bytes_compare(l->objects[i].key, after) <= 0;
    }
    while (!c->has_token && skip < l->object_count &&
           bytes_compare(l->objects[skip].key, after) <= 0) {
        skip++;
    }
    c->event.objects += skip;
    c->event.object_count -= skip;
}

static bool s3_list_is_below(const struct s3_call *c, const struct s3_list *l)
{
    for (uint32_t i = 0; i < l->object_count; i++) {
        if (!bytes_has_prefix(l->objects[i].key, c->r.key)) {
            return false;
        }
    }
    return true;
}

/* A mark that is set anew after 1, 2, 4, 8 … pages is met again in any circle
 * of tokens. */
static bool s3_list_is_circle(struct s3_call *c, struct bytes next)
{
    if (bytes_is_equal(next, buf_bytes(&c->token)) ||
        (c->mark.size > 0 && bytes_is_equal(next, buf_bytes(&c->mark)))) {
        return true;
    }
    if (c->walked++ == c->walk) {
        c->walked = 0;
        c->walk = 2 * c->walk + 1;
        buf_clear(&c->mark);
        buf_add_bytes(&c->mark, next);
    }
    return false;
}

/* Nothing new in this page, though there is more: on to the next one. */
static enum s3_next s3_list_go_on(struct s3_call *c, const struct s3_flight *f,
                                  const struct s3_list *l)
{
    if (l->next.size == 0) {
        return s3_finish(c, f, STATUS_STORE,
                         "the listing says that there is more and tells "
                         "nothing new; it can't go on");
    }
    if (s3_list_is_circle(c, l->next)) {
        return s3_finish(c, f, STATUS_STORE,
                         "the listing goes in a circle: a page names one "
                         "before it as the next one");
    }
    if (l->object_count == 0 && ++c->pages > S3_EMPTY_PAGES_MAX) {
        return s3_finish(c, f, STATUS_STORE,
                         "%d pages of the listing in a row hold no key",
                         S3_EMPTY_PAGES_MAX);
    }
    buf_clear(&c->token);
    buf_add_bytes(&c->token, l->next);
    return S3_AGAIN;
}

enum s3_next s3_read_list(struct s3_call *c, const struct s3_flight *f,
                          const struct http_event *e, struct s3_answer *a)
{
    struct s3_page *page = c->page;
    struct s3_list *l = &page->list;
    enum status s;

    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    buf_clear(&page->bytes);
    buf_add_bytes(&page->bytes, e->body);
    s = s3_list_parse(page->bytes.at, page->bytes.size, &c->event.why, l);
    if (s != STATUS_OK) {
        return s3_odd(a, "the listing is not what S3 answers; is this endpoint "
                         "an S3 server?");
    }
    if (!s3_list_is_below(c, l)) {
        return s3_finish(c, f, STATUS_STORE,
                         "the listing holds keys that do not start with the "
                         "prefix");
    }
    s3_read_facts(c, e);
    l->is_unordered |= f->view.endpoint.is_express;
    c->event.objects = l->objects;
    c->event.object_count = l->object_count;
    s3_list_skip(c, l);
    c->event.has_more = l->is_truncated;
    c->event.is_unordered = l->is_unordered || c->has_no_after;
    if (c->event.object_count == 0 && l->is_truncated) {
        return s3_list_go_on(c, f, l);
    }
    return s3_finish(c, f, STATUS_OK, "ok");
}

/* ---- HEAD --------------------------------------------------------------- */

static bool s3_read_size(struct bytes headers, uint64_t *out)
{
    struct bytes v;

    return http_header(headers, "Content-Length", &v) && s3_read_number(v, out);
}

enum s3_next s3_read_head(struct s3_call *c, const struct s3_flight *f,
                          const struct http_event *e, struct s3_answer *a)
{
    if (a->status != STATUS_OK) {
        return S3_RETRY;
    }
    s3_read_facts(c, e);
    if (!s3_read_size(e->headers, &c->event.size)) {
        return s3_finish(c, f, STATUS_STORE,
                         "the answer does not tell the object's size");
    }
    return s3_finish(c, f, STATUS_OK, "ok");
}

/* ---- GET ---------------------------------------------------------------- */

/* Cut the number before @end off @text. */
static bool s3_read_until(struct bytes *text, char end, uint64_t *out)
{
    const char *at = text->size > 0 ? memchr(text->at, end, text->size) : NULL;
    struct bytes number;

    if (at == NULL) {
        return false;
    }
    number = (struct bytes){text->at, (size_t)(at - text->at)};
    text->at += number.size + 1;
    text->size -= number.size + 1;
    return s3_read_number(number, out);
}

/* "bytes FIRST-LAST/SIZE" */
static bool s3_read_range(struct bytes headers, uint64_t *first, uint64_t *last,
                          uint64_t *size)
{
    static const char unit[] = "bytes ";
    struct bytes v;

    if (!http_header(headers, "Content-Range", &v) ||
        !bytes_has_prefix(v, BYTES("bytes "))) {
        return false;
    }
    v.at += sizeof(unit) - 1;
    v.size -= sizeof(unit) - 1;
    return s3_read_until(&v, '-', first) && s3_read_until(&v, '/', last) &&
           s3_read_number(v, size) && *first <= *last && *last < *size &&
           *size <= INT64_MAX;
}

/* A later answer, to what is left, has no checksum of the whole any more. */
static void s3_get_keep_sum(struct s3_call *c)
{
    if (c->got == 0) {
        c->kept = c->event.sum;
    } else if (c->event.sum.kind == CRC_NONE) {
        c->event.sum = c->kept;
    }
}

/* Take the head of a 200 or 206. Returns false when its bytes are not the
 * ones that were asked for; then @c is finished. */
static bool s3_get_head(struct s3_call *c, const struct s3_flight *f,
                        const struct http_event *e)
{
    uint64_t first = c->r.offset + c->got;
    uint64_t from = 0;
    uint64_t last = 0;

    s3_read_facts(c, e);
    s3_get_keep_sum(c);
    if (e->code != 206) {
        if (first > 0) {
            (void)s3_finish(c, f, STATUS_UNSUPPORTED,
                            "the server ignores ranges (it answered 200 to "
                            "one); reading by parts needs a server that "
                            "serves them");
            return false;
        }
        if (!s3_read_size(e->headers, &c->event.size)) {
            c->event.size = e->got;
        }
    } else if (!s3_read_range(e->headers, &from, &last, &c->event.size) ||
               from != first || last >= c->r.offset + c->r.size ||
               e->got > last - first + 1) {
        (void)s3_finish(c, f, STATUS_STORE,
                        "the answer's Content-Range is not the range from byte "
                        "%" PRIu64 " that was asked for; the server or a proxy "
                        "before it is broken",
                        first);
        return false;
    }
    return true;
}

/* The pin is the caller's, or the etag of our own first piece. */
static bool s3_get_pin(struct s3_call *c, const struct s3_flight *f)
{
    char *etag = c->event.etag;

    if (etag[0] == '\0') {
        memcpy(etag, c->pin, STORE_ETAG_MAX);
    }
    if (c->pin[0] == '\0') {
        memcpy(c->pin, etag, STORE_ETAG_MAX);
    }
    if (strcmp(c->pin, etag) != 0) {
        (void)s3_finish(c, f, STATUS_CHANGED,
                        "it was overwritten while it was read: etag %s, not "
                        "%s",
                        etag, c->pin);
        return false;
    }
    return true;
}

static void s3_get_add(struct s3_call *c, const struct http_event *e)
{
    CHECK(e->got <= c->r.size - c->got);
    c->got_sum = c->got == 0
                     ? e->sum
                     : crc_combine(c->sum_kind, c->got_sum, e->sum, e->got);
    c->got += e->got;
}

/* Whether the bytes agree with the checksum that the server keeps of the
 * whole value, where it told one and we have the whole. */
static bool s3_get_is_sound(const struct s3_call *c)
{
    const struct crc *kept = &c->event.sum;

    if (kept->kind == CRC_NONE || c->r.offset > 0 || c->got != c->event.size) {
        return true;
    }
    return kept->value == (kept->kind == c->sum_kind
                               ? c->got_sum
                               : crc_add(kept->kind, 0, c->r.into, c->got));
}

static enum s3_next s3_get_done(struct s3_call *c, const struct s3_flight *f,
                                struct s3_answer *a)
{
    if (!s3_get_is_sound(c)) {
        c->got = 0;
        c->is_fresh = true;
        a->status = STATUS_STORE;
        a->retry = ++c->bad_sums < S3_BAD_SUMS_MAX ? RETRY_ODD : RETRY_NEVER;
        if (a->retry == RETRY_NEVER) {
            return s3_finish(c, f, STATUS_STORE,
                             "the bytes do not match the checksum that the "
                             "store keeps of them, read %d times; the object "
                             "or the way to it is damaged",
                             S3_BAD_SUMS_MAX);
        }
        return S3_RETRY;
    }
    c->event.got = c->got;
    c->event.got_sum = c->r.sum != CRC_NONE ? c->got_sum : 0;
    return s3_finish(c, f, STATUS_OK, "ok");
}

static enum s3_next s3_get_too_large(struct s3_call *c,
                                     const struct s3_flight *f,
                                     const struct http_event *e)
{
    if (c->r.is_whole && !c->is_ranged && c->got == 0) {
        c->is_ranged = true;
        return S3_AGAIN;
    }
    if (e->code == 200) {
        return s3_finish(c, f, STATUS_UNSUPPORTED,
                         "the server ignores ranges (it answered 200 to one); "
                         "reading by parts needs a server that serves them");
    }
    return s3_finish(c, f, STATUS_STORE,
                     "the answer is longer than the range that was asked for");
}

/* Byte 0 of an empty value is no range: 416. Its facts come from a HEAD. */
static enum s3_next s3_get_empty(struct s3_call *c, const struct s3_flight *f,
                                 const struct http_event *e,
                                 struct s3_answer *a)
{
    enum s3_next next = s3_read_head(c, f, e, a);

    if (next != S3_FINISH || c->event.status != STATUS_OK) {
        return next;
    }
    if (c->r.size > 0 && c->event.size > 0) {
        return s3_finish(c, f, STATUS_STORE,
                         "the server has no range from byte 0 of an object "
                         "that has %" PRIu64,
                         c->event.size);
    }
    return s3_get_pin(c, f) ? s3_finish(c, f, STATUS_OK, "ok") : S3_FINISH;
}

/* Whether the rest of a broken answer can be asked for: its end is known, and
 * the value by its etag. */
static bool s3_get_can_go_on(const struct http_event *e)
{
    struct bytes v;

    return http_header(e->headers, "ETag", &v) &&
           (e->code == 206 || http_header(e->headers, "Content-Length", &v));
}

static void s3_get_restart(struct s3_call *c)
{
    c->got = 0;
    c->got_sum = 0;
    c->is_fresh = true;
}

enum s3_next s3_read_get(struct s3_call *c, const struct s3_flight *f,
                         const struct http_event *e, struct s3_answer *a)
{
    bool is_body = e->code == 200 || e->code == 206;
    uint64_t end;

    if (c->phase == S3_LOOK) {
        return s3_get_empty(c, f, e, a);
    }
    if (e->result == HTTP_TOO_LARGE && is_body) {
        return s3_get_too_large(c, f, e);
    }
    if (e->result == HTTP_DONE && e->code == 416 && c->r.offset == 0 &&
        c->got == 0) {
        c->phase = S3_LOOK;
        return S3_AGAIN;
    }
    if (!is_body || (e->result != HTTP_DONE && e->got == 0)) {
        return S3_RETRY;
    }
    if (e->result != HTTP_DONE && !s3_get_can_go_on(e)) {
        s3_get_restart(c);
        return S3_RETRY;
    }
    if (!s3_get_head(c, f, e) || !s3_get_pin(c, f)) {
        return S3_FINISH;
    }
    s3_get_add(c, e);
    end = c->r.offset + c->r.size;
    end = end < c->event.size ? end : c->event.size;
    if (c->r.offset + c->got < end) {
        return e->result == HTTP_DONE
                   ? s3_odd(a, "the answer is shorter than its own range")
                   : S3_RETRY;
    }
    return s3_get_done(c, f, a);
}
