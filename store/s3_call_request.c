/* SPDX-License-Identifier: Apache-2.0 */
/* What is put on the wire for each operation. Header names are written as
 * AWS's own tools write them. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/s3_call.h"

enum {
    S3_CONNECT_MS = 5000,
    S3_READ_MS = 10000,        /* First byte, and between two, of reads. */
    S3_WRITE_MS = 30000,       /* The same of writes. */
    S3_END_MS = 900000,        /* A long upload is put together. */
    S3_SIGN_BODY = 1 << 20,    /* Over plain HTTP smaller bodies are signed. */
    S3_EXPECT_BYTES = 8 << 20, /* Ask before sending so many. */
    S3_PAIRS_MAX = 16,
    S3_NUMBER_MAX = 64,
};

/* A request while it is put together; texts live in @room. */
struct s3_parts {
    const struct s3_call *c;
    const struct s3_view *view;
    struct sign_pair query[S3_PAIRS_MAX];
    struct sign_pair headers[S3_PAIRS_MAX];
    size_t query_count;
    size_t header_count;
    char room[S3_PAIRS_MAX][STORE_ETAG_MAX + S3_NUMBER_MAX];
    size_t used;
    const char *method;
    struct bytes body;
    bool is_for_bucket; /* The path has no key. */
};

/* Not the kilobytes of tables and room, which fill up from the front. */
static void s3_parts_init(struct s3_parts *p, const struct s3_call *c,
                          const struct s3_view *view)
{
    p->c = c;
    p->view = view;
    p->query_count = 0;
    p->header_count = 0;
    p->used = 0;
    p->method = "";
    p->body = BYTES("");
    p->is_for_bucket = false;
}

static void s3_query(struct s3_parts *p, const char *name, struct bytes value)
{
    CHECK(p->query_count < S3_PAIRS_MAX);
    p->query[p->query_count++] = (struct sign_pair){bytes_of(name), value};
}

static void s3_header(struct s3_parts *p, const char *name, struct bytes value)
{
    CHECK(p->header_count < S3_PAIRS_MAX);
    p->headers[p->header_count++] = (struct sign_pair){bytes_of(name), value};
}

__attribute__((format(printf, 2, 3))) static struct bytes s3_print(
    struct s3_parts *p, const char *format, ...)
{
    char *at = p->room[p->used++];
    va_list args;

    CHECK(p->used <= S3_PAIRS_MAX);
    va_start(args, format);
    vsnprintf(at, sizeof(p->room[0]), format, args);
    va_end(args);
    return bytes_of(at);
}

/* ---- conditions --------------------------------------------------------- */

/* @etag as this server wants it on a write. */
static struct bytes s3_etag(const struct s3_parts *p, const char *etag)
{
    struct bytes e = bytes_of(etag);

    if ((p->view->is_unquoted || p->c->wants_unquoted) && e.size >= 2 &&
        e.at[0] == '"' && e.at[e.size - 1] == '"') {
        return (struct bytes){e.at + 1, e.size - 2};
    }
    return e;
}

static void s3_condition(struct s3_parts *p)
{
    const struct store_request *r = &p->c->r;

    if (r->when == STORE_IF_ABSENT) {
        s3_header(p, "If-None-Match", BYTES("*"));
    } else if (r->when == STORE_IF_MATCH) {
        s3_header(p, "If-Match", s3_etag(p, r->etag));
    }
}

/* ---- reads -------------------------------------------------------------- */

static void s3_make_list(struct s3_parts *p)
{
    const struct store_request *r = &p->c->r;

    p->method = "GET";
    p->is_for_bucket = true;
    s3_query(p, "list-type", BYTES("2"));
    s3_query(p, "encoding-type", BYTES("url"));
    s3_query(p, "max-keys",
             s3_print(p, "%" PRIu32,
                      r->list_max > 0 ? r->list_max : STORE_LIST_MAX));
    if (r->key.size > 0) {
        s3_query(p, "prefix", r->key);
    }
    if (p->c->token.size > 0) {
        s3_query(p, "continuation-token", buf_bytes(&p->c->token));
    } else if (r->after.size > 0) {
        s3_query(p, "start-after", r->after);
    }
}

static void s3_make_version(struct s3_parts *p)
{
    const char *version = p->c->r.version;

    if (p->c->r.op == STORE_GET && version != NULL && version[0] != '\0') {
        s3_query(p, "versionId", bytes_of(version));
    }
}

static void s3_make_head(struct s3_parts *p)
{
    p->method = "HEAD";
    s3_make_version(p);
    if (p->view->wants_sums) {
        s3_header(p, "x-amz-checksum-mode", BYTES("ENABLED"));
    }
}

static void s3_make_get(struct s3_parts *p)
{
    const struct s3_call *c = p->c;
    uint64_t first = c->r.offset + c->got;

    p->method = "GET";
    s3_make_version(p);
    if (!c->r.is_whole || c->is_ranged || c->got > 0) {
        s3_header(p, "Range",
                  s3_print(p, "bytes=%" PRIu64 "-%" PRIu64, first,
                           c->r.offset + (c->r.size - 1)));
    } else if (p->view->wants_sums) {
        s3_header(p, "x-amz-checksum-mode", BYTES("ENABLED"));
    }
    if (c->pin[0] != '\0') {
        s3_header(p, "If-Match", bytes_of(c->pin));
    }
}

static void s3_make_read_back(struct s3_parts *p)
{
    if (p->c->r.op == STORE_PUT && p->c->r.size > 0 &&
        p->c->r.size <= S3_READ_BACK_MAX) {
        p->method = "GET";
    } else {
        s3_make_head(p);
    }
}

/* ---- writes ------------------------------------------------------------- */

static void s3_make_sum_header(struct s3_parts *p, const struct crc *sum)
{
    char text[CRC_TEXT_MAX];

    s3_header(p, s3_print(p, "x-amz-checksum-%s", crc_name(sum->kind)).at,
              s3_print(p, "%s", crc_text(sum->kind, sum->value, text)));
}

static void s3_make_body(struct s3_parts *p, struct s3_flight *f)
{
    const struct store_request *r = &p->c->r;
    struct crc sum = {.kind = p->view->sum};
    char md5[HASH_MD5_TEXT];

    p->method = "PUT";
    p->body = (struct bytes){r->body, r->size};
    sum.value = crc_add(sum.kind, 0, r->body, r->size);
    f->sum = sum;
    if (sum.kind != CRC_NONE) {
        s3_make_sum_header(p, &sum);
    } else {
        s3_header(p, "content-md5", s3_print(p, "%s", hash_md5(p->body, md5)));
    }
}

static void s3_make_put(struct s3_parts *p, struct s3_flight *f)
{
    s3_make_body(p, f);
    s3_condition(p);
}

static void s3_make_upload_query(struct s3_parts *p)
{
    s3_query(p, "uploadId", s3_upload_server_id(p->c->r.upload));
}

static void s3_make_part(struct s3_parts *p, struct s3_flight *f)
{
    s3_make_body(p, f);
    s3_query(p, "partNumber", s3_print(p, "%" PRIu32, p->c->r.part));
    s3_make_upload_query(p);
}

static const char *s3_algorithm(enum crc_kind kind)
{
    switch (kind) {
    case CRC_64NVME:
        return "CRC64NVME";
    case CRC_32C:
        return "CRC32C";
    case CRC_32:
        return "CRC32";
    case CRC_NONE:
        break;
    }
    return "";
}

static void s3_make_begin(struct s3_parts *p)
{
    p->method = "POST";
    s3_query(p, "uploads", BYTES(""));
    s3_header(p, "x-amz-meta-smshard-upload", bytes_of(p->c->nonce));
    if (p->view->sum != CRC_NONE) {
        s3_header(p, "x-amz-checksum-algorithm",
                  bytes_of(s3_algorithm(p->view->sum)));
        s3_header(p, "x-amz-checksum-type", BYTES("FULL_OBJECT"));
    }
}

/* The checksum of the whole from those of its parts, where all have one. */
static bool s3_join_sums(const struct store_request *r, struct crc *out,
                         uint64_t *size)
{
    *out = r->parts[0].sum;
    *size = r->parts[0].size;
    for (uint32_t i = 1; i < r->part_count; i++) {
        const struct store_part *part = &r->parts[i];

        if (part->sum.kind != out->kind) {
            return false;
        }
        out->value =
            crc_combine(out->kind, out->value, part->sum.value, part->size);
        *size += part->size;
    }
    return out->kind != CRC_NONE;
}

static void s3_make_end(struct s3_parts *p, struct s3_flight *f)
{
    const struct store_request *r = &p->c->r;
    struct crc whole;
    uint64_t size;

    p->method = "POST";
    s3_make_upload_query(p);
    s3_condition(p);
    buf_clear(&f->body);
    buf_add_text(&f->body,
                 "<CompleteMultipartUpload "
                 "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (uint32_t i = 0; i < r->part_count; i++) {
        buf_add_text(&f->body, "<Part><ETag>");
        s3_xml_escape(bytes_of(r->parts[i].etag), &f->body);
        buf_print(&f->body, "</ETag><PartNumber>%" PRIu32 "</PartNumber>",
                  i + 1);
        buf_add_text(&f->body, "</Part>");
    }
    buf_add_text(&f->body, "</CompleteMultipartUpload>");
    p->body = buf_bytes(&f->body);
    if (p->view->sum != CRC_NONE && s3_join_sums(r, &whole, &size) &&
        whole.kind == p->view->sum) {
        s3_make_sum_header(p, &whole);
        s3_header(p, "x-amz-checksum-type", BYTES("FULL_OBJECT"));
        s3_header(p, "x-amz-mp-object-size", s3_print(p, "%" PRIu64, size));
    }
}

static void s3_make_parts(struct s3_parts *p)
{
    p->method = "GET";
    s3_make_upload_query(p);
    s3_query(p, "max-parts", s3_print(p, "%d", STORE_LIST_MAX));
    if (p->c->r.part > 0) {
        s3_query(p, "part-number-marker",
                 s3_print(p, "%" PRIu32, p->c->r.part));
    }
}

/* A checksum of the list is mandatory, and MD5 is what all servers know. */
static void s3_make_delete_many(struct s3_parts *p, struct s3_flight *f)
{
    const struct store_request *r = &p->c->r;
    struct crc sum = {.kind = p->view->sum};
    char md5[HASH_MD5_TEXT];

    p->method = "POST";
    p->is_for_bucket = true;
    s3_query(p, "delete", BYTES(""));
    buf_clear(&f->body);
    buf_add_text(&f->body,
                 "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                 "<Quiet>true</Quiet>");
    for (uint32_t i = 0; i < r->key_count; i++) {
        buf_add_text(&f->body, "<Object><Key>");
        s3_xml_escape(r->keys[i], &f->body);
        buf_add_text(&f->body, "</Key></Object>");
    }
    buf_add_text(&f->body, "</Delete>");
    p->body = buf_bytes(&f->body);
    s3_header(p, "Content-MD5", s3_print(p, "%s", hash_md5(p->body, md5)));
    sum.value = crc_add(sum.kind, 0, p->body.at, p->body.size);
    if (sum.kind != CRC_NONE) {
        s3_make_sum_header(p, &sum);
    }
}

static void s3_make_main(struct s3_parts *p, struct s3_flight *f)
{
    switch (p->c->r.op) {
    case STORE_LIST:
        s3_make_list(p);
        return;
    case STORE_HEAD:
        s3_make_head(p);
        return;
    case STORE_GET:
        s3_make_get(p);
        return;
    case STORE_PUT:
        s3_make_put(p, f);
        return;
    case STORE_DELETE:
        p->method = "DELETE";
        s3_condition(p);
        return;
    case STORE_UPLOAD_BEGIN:
        s3_make_begin(p);
        return;
    case STORE_UPLOAD_PART:
        s3_make_part(p, f);
        return;
    case STORE_UPLOAD_END:
        s3_make_end(p, f);
        return;
    case STORE_UPLOAD_ABORT:
        p->method = "DELETE";
        s3_make_upload_query(p);
        return;
    case STORE_UPLOAD_PARTS:
        s3_make_parts(p);
        return;
    case STORE_DELETE_MANY:
        if (p->c->single > 0) {
            p->method = "DELETE";
        } else {
            s3_make_delete_many(p, f);
        }
        return;
    }
    UNREACHABLE("an operation outside its enum");
}

/* ---- the exchange ------------------------------------------------------- */

bool s3_request_is_direct(const struct s3_call *c)
{
    return c->r.op == STORE_GET && c->phase == S3_MAIN;
}

static uint32_t s3_lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void s3_make_times(const struct s3_call *c, struct http_request *h)
{
    bool is_read = c->phase != S3_MAIN || c->r.op <= STORE_GET ||
                   c->r.op == STORE_UPLOAD_PARTS;

    h->connect_ms = S3_CONNECT_MS;
    h->first_byte_ms = is_read ? S3_READ_MS : S3_WRITE_MS;
    h->stall_ms = h->first_byte_ms;
    if (c->phase == S3_MAIN && c->r.op == STORE_UPLOAD_END) {
        h->first_byte_ms = S3_END_MS;
        h->stall_ms = S3_END_MS;
    }
    if (c->r.limit_ms != 0) {
        h->connect_ms = s3_lower(h->connect_ms, c->r.limit_ms);
        h->first_byte_ms = s3_lower(h->first_byte_ms, c->r.limit_ms);
        h->stall_ms = s3_lower(h->stall_ms, c->r.limit_ms);
    }
    h->is_fresh = c->is_fresh;
    h->is_expect = c->phase == S3_MAIN && h->body.size >= S3_EXPECT_BYTES;
}

static void s3_make_http(const struct s3_call *c, const struct s3_parts *p,
                         struct s3_flight *f)
{
    f->http = (struct http_request){
        .method = p->method,
        .origin = f->view.endpoint.origin,
        .target = buf_text(&f->sign.target),
        .headers = buf_bytes(&f->sign.headers),
        .body = p->body,
    };
    if (s3_request_is_direct(c)) {
        f->http.into = (char *)c->r.into + c->got;
        f->http.into_size = c->r.size - c->got;
        f->http.sum = c->sum_kind;
    } else if (c->r.op == STORE_LIST) {
        f->http.body_max = S3_LIST_BYTES_MAX;
    } else if (c->phase == S3_READ_BACK && c->r.op == STORE_PUT) {
        f->http.body_max = c->r.size + 1; /* More is not ours. */
    }
    s3_make_times(c, &f->http);
}

/* The body's hash costs more than everything else of a large write; over TLS
 * nobody can change it on the way, and the checksum header says the rest. */
static const char *s3_payload(const struct s3_parts *p, struct signer *signer,
                              char hex[SIGN_HEX_SIZE])
{
    const struct s3_view *view = p->view;
    bool is_small = p->body.size <= S3_SIGN_BODY;

    if (p->body.size == 0) {
        return SIGN_EMPTY;
    }
    if (view->signs_payload || (is_small && !view->endpoint.is_tls) ||
        p->c->r.op == STORE_UPLOAD_END || p->c->r.op == STORE_DELETE_MANY) {
        sign_payload(signer, p->body, hex);
        return hex;
    }
    return SIGN_UNSIGNED;
}

static void s3_make_path(const struct s3_call *c, const struct s3_parts *p,
                         struct buf *out)
{
    buf_clear(out);
    buf_add_text(out, p->view->endpoint.path);
    if (!p->is_for_bucket) {
        buf_add_char(out, '/');
        buf_add_bytes(out, c->r.key);
    } else if (out->size == 0) {
        buf_add_char(out, '/');
    }
}

void s3_request_make(const struct s3_call *c, struct signer *signer,
                     uint64_t wall_ms, struct s3_flight *f)
{
    struct s3_parts p;
    const struct credentials *key = &f->view.credentials;
    char hex[SIGN_HEX_SIZE];
    struct sign_request r;

    s3_parts_init(&p, c, &f->view);
    if (c->phase == S3_LOOK) {
        s3_make_head(&p);
    } else if (c->phase == S3_READ_BACK) {
        s3_make_read_back(&p);
    } else {
        s3_make_main(&p, f);
    }
    if (f->view.is_requester_paid) {
        s3_header(&p, "x-amz-request-payer", BYTES("requester"));
    }
    s3_make_path(c, &p, &f->path);
    r = (struct sign_request){
        .method = p.method,
        .host = bytes_of(f->view.endpoint.host),
        .path = buf_bytes(&f->path),
        .query = p.query,
        .query_count = p.query_count,
        .headers = p.headers,
        .header_count = p.header_count,
        .payload = s3_payload(&p, signer, hex),
        .key = {key->access_key[0] != '\0' ? key->access_key : NULL,
                key->secret_key, key->token[0] != '\0' ? key->token : NULL},
        .region = f->view.endpoint.region,
        .service = f->view.endpoint.service,
        .wall_ms = wall_ms,
    };
    sign_headers(signer, &r, &f->sign);
    s3_make_http(c, &p, f);
}

struct s3_asked s3_request_asked(const struct s3_call *c)
{
    struct s3_asked asked = {
        .op = c->r.op, .when = c->r.when, .is_single = c->single > 0};

    if (c->phase == S3_LOOK) {
        asked.op = STORE_HEAD;
        asked.when = STORE_ALWAYS;
    } else if (c->phase == S3_READ_BACK) {
        asked.op = c->r.op == STORE_PUT && c->r.size > 0 &&
                           c->r.size <= S3_READ_BACK_MAX
                       ? STORE_GET
                       : STORE_HEAD;
        asked.when = STORE_ALWAYS;
    } else if (c->r.op == STORE_GET) {
        asked.is_ranged = !c->r.is_whole || c->is_ranged || c->got > 0;
        asked.is_pinned = c->pin[0] != '\0';
        asked.when = STORE_ALWAYS;
    }
    return asked;
}

/* ---- uploads' ids ------------------------------------------------------- */

void s3_upload_id(struct bytes server_id, const char *nonce,
                  char out[STORE_UPLOAD_MAX])
{
    snprintf(out, STORE_UPLOAD_MAX, "%s.%.*s", nonce, (int)server_id.size,
             server_id.at);
}

struct bytes s3_upload_server_id(const char *upload)
{
    const char *dot = strchr(upload, '.');

    return bytes_of(dot != NULL ? dot + 1 : upload);
}

struct bytes s3_upload_nonce(const char *upload)
{
    size_t size = strcspn(upload, ".");

    return (struct bytes){upload, upload[size] == '.' ? size : 0};
}
