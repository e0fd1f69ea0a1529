/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: GET, HEAD, PUT, DELETE; and where each request goes. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

/* ---- headers ------------------------------------------------------------ */

void srv_etag_header(const struct srv_request *r, struct srv_answer *a,
                     const char *etag)
{
    bool is_bare = srv_has_quirk(r, S3SERVER_UNQUOTED_ETAGS);

    srv_set(a, "ETag", is_bare ? "%s" : "\"%s\"", etag);
}

void srv_etag_xml(const struct srv_request *r, const char *etag,
                  struct buf *out)
{
    bool is_bare = srv_has_quirk(r, S3SERVER_UNQUOTED_ETAGS);

    buf_print(out, is_bare ? "<ETag>%s</ETag>" : "<ETag>&quot;%s&quot;</ETag>",
              etag);
}

void srv_sum_header(struct srv_answer *a, const struct srv_sums *sums)
{
    struct buf text = {0};
    char name[64];

    srv_sum_text(sums, &text);
    snprintf(name, sizeof(name), "x-amz-checksum-%s", srv_sum_name(sums->kind));
    srv_set(a, name, "%s", buf_text(&text));
    buf_fini(&text);
}

static void srv_sum_headers(struct srv_answer *a, const struct srv_version *v)
{
    srv_sum_header(a, &v->sums);
    srv_set(a, "x-amz-checksum-type", "%s",
            v->sums.part_count > 0 ? "COMPOSITE" : "FULL_OBJECT");
}

char *srv_meta(const struct srv_request *r)
{
    struct buf meta = {0};

    for (size_t i = 0; i < r->headers.count; i++) {
        const struct srv_pair *h = &r->headers.at[i];

        if (strncasecmp(h->name, "x-amz-meta-", 11) == 0 ||
            strcasecmp(h->name, "content-type") == 0) {
            buf_print(&meta, "%s: %s\r\n", h->name, h->value);
        }
    }
    return meta.at != NULL ? buf_take(&meta) : mem_copy("");
}

void srv_version_header(const struct srv_request *r, struct srv_answer *a,
                        const struct srv_version *v)
{
    if (srv_has_quirk(r, S3SERVER_VERSIONS)) {
        srv_set(a, "x-amz-version-id", "%s", v->id);
    }
}

/* ---- versions ----------------------------------------------------------- */

struct srv_version *srv_commit_locked(struct srv_request *r, const char *key,
                                      struct srv_blob *blob, const char *etag)
{
    struct s3server *s = r->conn->s;
    bool keeps = (s->locked.quirks & S3SERVER_VERSIONS) != 0;
    struct srv_version *v = mem_new(1, sizeof(*v));
    unsigned char md5[16];

    v->blob = blob;
    v->modified_ms = r->now_ms;
    v->sums.kind = SRV_CRC64NVME;
    snprintf(v->id, sizeof(v->id), keeps ? "v%" PRIu64 : "null",
             ++s->locked.id);
    if (etag != NULL) {
        snprintf(v->etag, sizeof(v->etag), "%s", etag);
    } else {
        srv_md5(blob->at, blob->size, md5);
        srv_hex(md5, sizeof(md5), v->etag);
        srv_sum(SRV_CRC64NVME, blob->at, blob->size, v->sums.sum);
    }
    srv_keys_add(&s->locked.keys, key, v, keeps);
    return v;
}

static struct srv_version *srv_find_locked(const struct srv_request *r)
{
    const char *id = srv_param(r, "versionId");
    struct srv_entry *e = srv_keys_find(&r->conn->s->locked.keys, r->key);
    struct srv_version *v = e != NULL ? e->newest : NULL;

    while (id != NULL && v != NULL && strcmp(v->id, id) != 0) {
        v = v->older;
    }
    return v;
}

/* ---- GET, HEAD ---------------------------------------------------------- */

/* "bytes=a-b", "bytes=a-", "bytes=-n". false: there is none that counts. */
static bool srv_range(const struct srv_request *r, uint64_t size,
                      uint64_t *from, uint64_t *last)
{
    const char *text = srv_header(r, "range");
    char *end;

    *from = 0;
    *last = size - 1;
    if (text == NULL || strncmp(text, "bytes=", 6) != 0 ||
        srv_act_is(r, S3SERVER_IGNORE_RANGE) ||
        srv_has_quirk(r, S3SERVER_NO_RANGE)) {
        return false;
    }
    text += 6;
    if (*text == '-') {
        uint64_t count = strtoull(text + 1, &end, 10);

        *from = count < size ? size - count : 0;
        return *end == '\0' && end > text + 1;
    }
    *from = strtoull(text, &end, 10);
    if (end == text || *end != '-') {
        return false;
    }
    if (end[1] != '\0') {
        *last = strtoull(end + 1, &end, 10);
        if (*end != '\0' || *last < *from) {
            return false;
        }
    }
    *last = *last < size ? *last : size - 1;
    return true;
}

static void srv_get_range(const struct srv_request *r, struct srv_answer *a,
                          uint64_t size)
{
    uint64_t last;
    uint64_t shift = 0;

    if (!srv_range(r, size, &a->from, &last)) {
        a->from = 0;
        a->size = size;
        return;
    }
    if (a->from >= size) {
        srv_fail(a, SRV_E_INVALID_RANGE);
        srv_extra(a, "RangeRequested", srv_header(r, "range"));
        srv_xml_number(&a->extra, "ActualObjectSize", size);
        srv_set(a, "Content-Range", "bytes */%" PRIu64, size);
        return;
    }
    if (srv_act_is(r, S3SERVER_WRONG_RANGE)) {
        shift = r->fault->f.bytes;
    }
    a->code = 206;
    a->size = last - a->from + 1;
    srv_set(a, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
            a->from + shift, last + shift, size);
}

/* GET ?partNumber=N: the bytes that part N has brought. */
static void srv_get_part(const struct srv_request *r, struct srv_answer *a,
                         const struct srv_version *v)
{
    uint64_t count = v->part_count > 0 ? v->part_count : 1;
    uint64_t end = v->blob->size;
    uint64_t n;

    if (!srv_number(srv_param(r, "partNumber"), SRV_PARTS_MAX, &n) || n == 0) {
        srv_fail(a, SRV_E_INVALID_ARGUMENT);
        return;
    }
    if (srv_header(r, "range") != NULL) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "Range and partNumber are not for one request");
        return;
    }
    if (n > count) {
        srv_fail(a, SRV_E_PART_NUMBER);
        srv_xml_number(&a->extra, "ActualPartCount", count);
        return;
    }
    if (v->part_count > 0) {
        a->from = n > 1 ? v->part_ends[n - 2] : 0;
        end = v->part_ends[n - 1];
        srv_set(a, "x-amz-mp-parts-count", "%u", v->part_count);
    }
    a->size = end - a->from;
    if (a->size > 0) {
        a->code = 206;
        srv_set(a, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%zu",
                a->from, end - 1, v->blob->size);
    }
}

static void srv_get_facts(const struct srv_request *r, struct srv_answer *a,
                          const struct srv_version *v, uint32_t quirks)
{
    const char *mode = srv_header(r, "x-amz-checksum-mode");
    char time[SRV_TIME_MAX];

    srv_set(a, "ETag", (quirks & S3SERVER_UNQUOTED_ETAGS) ? "%s" : "\"%s\"",
            v->etag);
    srv_set(a, "Last-Modified", "%s", srv_time_http(v->modified_ms, time));
    srv_set(a, "Accept-Ranges", "bytes");
    if (quirks & S3SERVER_VERSIONS) {
        srv_set(a, "x-amz-version-id", "%s", v->id);
    }
    if (v->meta != NULL) {
        buf_add_text(&a->headers, v->meta);
    }
    if (mode != NULL && strcasecmp(mode, "ENABLED") == 0 &&
        srv_header(r, "range") == NULL && !(quirks & S3SERVER_NO_CHECKSUMS)) {
        srv_sum_headers(a, v);
    }
}

/* There is no object: none at all, or a marker that says so. */
static void srv_get_nothing(const struct srv_request *r, struct srv_answer *a,
                            const struct srv_version *marker)
{
    bool is_named = srv_param(r, "versionId") != NULL;

    if (marker != NULL && is_named) {
        srv_fail(a, SRV_E_METHOD);
    } else {
        srv_fail(a, is_named ? SRV_E_NO_VERSION : SRV_E_NO_KEY);
    }
    if (marker != NULL) {
        srv_set(a, "x-amz-delete-marker", "true");
        srv_version_header(r, a, marker);
    }
}

void srv_get(struct srv_request *r, struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    bool is_part = srv_param(r, "partNumber") != NULL &&
                   !srv_has_quirk(r, S3SERVER_NO_RANGE);
    struct srv_version *v;
    uint32_t quirks;

    pthread_mutex_lock(&s->lock);
    srv_act_before_locked(r);
    quirks = s->locked.quirks;
    v = srv_find_locked(r);
    if (v == NULL || v->is_marker) {
        srv_get_nothing(r, a, v);
    } else if (srv_when_read(r, v, a)) {
        a->blob = srv_blob_hold(v->blob);
        srv_get_facts(r, a, v, quirks);
        if (is_part) {
            srv_get_part(r, a, v);
        } else {
            srv_get_range(r, a, v->blob->size);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- PUT ---------------------------------------------------------------- */

void srv_put(struct srv_request *r, struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    enum srv_sum_kind kind;
    struct srv_version *v;
    char etag[48];

    if (strlen(r->key) > SRV_KEY_MAX) {
        srv_fail(a, SRV_E_KEY_TOO_LONG);
        return;
    }
    if (!srv_claim_check(r, a, &kind)) {
        return;
    }
    srv_hex(r->sums.md5, 16, etag);
    pthread_mutex_lock(&s->lock);
    srv_act_before_locked(r);
    if (!srv_when_write_locked(r, r->key, a)) {
        pthread_mutex_unlock(&s->lock);
        return;
    }
    v = srv_commit_locked(r, r->key, srv_blob_new(&r->body), etag);
    v->meta = srv_meta(r);
    v->sums.kind = kind == SRV_SUM_KINDS ? SRV_CRC64NVME : kind;
    srv_sum(v->sums.kind, v->blob->at, v->blob->size, v->sums.sum);
    if (!(s->locked.quirks & S3SERVER_NO_CHECKSUMS)) {
        srv_sum_headers(a, v);
    }
    srv_version_header(r, a, v);
    pthread_mutex_unlock(&s->lock);
    srv_etag_header(r, a, etag);
}

/* ---- where it goes ------------------------------------------------------ */

static void srv_handle_bucket(struct srv_request *r, struct srv_answer *a)
{
    if (r->conn->s->is_express && srv_is(r, "GET") &&
        srv_param(r, "session") != NULL) {
        srv_session_create(r, a);
    } else if (srv_is(r, "GET") && srv_param(r, "uploads") != NULL) {
        srv_upload_list(r, a);
    } else if (srv_is(r, "GET")) {
        srv_list(r, a);
    } else if (srv_is(r, "HEAD")) {
        srv_set(a, "x-amz-bucket-region", "%s", r->conn->s->region);
    } else if (srv_is(r, "POST") && srv_param(r, "delete") != NULL) {
        srv_delete_many(r, a);
    } else {
        srv_fail(a, SRV_E_METHOD);
    }
}

static void srv_handle_upload(struct srv_request *r, struct srv_answer *a)
{
    if (srv_is(r, "PUT")) {
        srv_upload_part(r, a);
    } else if (srv_is(r, "POST")) {
        srv_upload_complete(r, a);
    } else if (srv_is(r, "DELETE")) {
        srv_upload_abort(r, a);
    } else if (srv_is(r, "GET")) {
        srv_upload_parts(r, a);
    } else {
        srv_fail(a, SRV_E_METHOD);
    }
}

void srv_handle(struct srv_request *r, struct srv_answer *a)
{
    if (strcmp(r->bucket, r->conn->s->bucket) != 0) {
        srv_fail(a, SRV_E_NO_BUCKET);
    } else if (r->key[0] == '\0') {
        srv_handle_bucket(r, a);
    } else if (srv_param(r, "uploadId") != NULL) {
        srv_handle_upload(r, a);
    } else if (srv_is(r, "POST") && srv_param(r, "uploads") != NULL) {
        srv_upload_create(r, a);
    } else if (srv_is(r, "GET") || srv_is(r, "HEAD")) {
        srv_get(r, a);
    } else if (srv_is(r, "PUT")) {
        srv_put(r, a);
    } else if (srv_is(r, "DELETE")) {
        srv_delete(r, a);
    } else {
        srv_fail(a, SRV_E_METHOD);
    }
}
