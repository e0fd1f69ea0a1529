/* SPDX-License-Identifier: Apache-2.0 */
/* Multipart uploads: their start, parts, abort, and what is there of them. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

void srv_upload_free(struct srv_upload *u)
{
    while (u->parts != NULL) {
        struct srv_part *p = u->parts;

        u->parts = p->next;
        srv_blob_drop(p->blob);
        free(p);
    }
    free(u->key);
    free(u->meta);
    free(u->result);
    free(u);
}

struct srv_upload *srv_upload_find_locked(const struct srv_request *r)
{
    const char *id = srv_param(r, "uploadId");

    for (struct srv_upload *u = r->conn->s->locked.uploads; u != NULL;
         u = u->next) {
        if (strcmp(u->id, id) == 0 && strcmp(u->key, r->key) == 0) {
            return u;
        }
    }
    return NULL;
}

static bool upload_kind(const struct srv_request *r, enum srv_sum_kind *out)
{
    const char *name = srv_header(r, "x-amz-checksum-algorithm");

    *out = SRV_CRC64NVME;
    for (int kind = 0; name != NULL && kind < SRV_SUM_KINDS; kind++) {
        *out = (enum srv_sum_kind)kind;
        if (strcasecmp(name, srv_sum_element(*out)) == 0) {
            return true;
        }
    }
    return name == NULL;
}

void srv_upload_create(struct srv_request *r, struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    const char *type = srv_header(r, "x-amz-checksum-type");
    struct srv_upload *u;
    enum srv_sum_kind kind;

    if (!upload_kind(r, &kind) ||
        (srv_has_quirk(r, S3SERVER_NO_CHECKSUMS) && srv_claim_is_named(r))) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "Checksum algorithm provided is unsupported.");
        return;
    }
    u = mem_new(1, sizeof(*u));
    u->key = mem_copy(r->key);
    u->meta = srv_meta(r);
    u->kind = kind;
    u->is_composite = type != NULL && strcmp(type, "COMPOSITE") == 0;
    u->started_ms = r->now_ms;
    pthread_mutex_lock(&s->lock);
    snprintf(u->id, sizeof(u->id), "upload.%" PRIu64 "_x-Y", ++s->locked.id);
    u->next = s->locked.uploads;
    s->locked.uploads = u;
    pthread_mutex_unlock(&s->lock);
    srv_xml_start(a, "InitiateMultipartUploadResult");
    srv_xml_add(&a->body, "Bucket", r->bucket);
    srv_xml_add(&a->body, "Key", r->key);
    srv_xml_add(&a->body, "UploadId", u->id);
    buf_add_text(&a->body, "</InitiateMultipartUploadResult>");
}

static void upload_put_locked(struct srv_upload *u, struct srv_part *part)
{
    struct srv_part **at = &u->parts;

    while (*at != NULL && (*at)->number < part->number) {
        at = &(*at)->next;
    }
    part->next = *at;
    if (*at != NULL && (*at)->number == part->number) {
        struct srv_part *old = *at;

        part->next = old->next;
        srv_blob_drop(old->blob);
        free(old);
    }
    *at = part;
}

void srv_upload_part(struct srv_request *r, struct srv_answer *a)
{
    const char *text = srv_param(r, "partNumber");
    struct s3server *s = r->conn->s;
    enum srv_sum_kind kind;
    struct srv_upload *u;
    struct srv_part *part;
    uint64_t number = 0;

    if (text == NULL || !srv_number(text, SRV_PARTS_MAX, &number) ||
        number == 0) {
        srv_fail_say(a, SRV_E_INVALID_ARGUMENT,
                     "Part number must be an integer between 1 and 10000");
        return;
    }
    if (!srv_claim_check(r, a, &kind)) {
        return;
    }
    part = mem_new(1, sizeof(*part));
    part->number = (uint32_t)number;
    part->modified_ms = r->now_ms;
    part->sums.kind = kind == SRV_SUM_KINDS ? SRV_CRC64NVME : kind;
    srv_hex(r->sums.md5, 16, part->etag);
    srv_sum(part->sums.kind, buf_text(&r->body), r->body.size, part->sums.sum);
    memcpy(part->sums.md5, r->sums.md5, sizeof(part->sums.md5));
    srv_etag_header(r, a, part->etag);
    if (!srv_has_quirk(r, S3SERVER_NO_CHECKSUMS)) {
        srv_sum_header(a, &part->sums);
    }
    part->blob = srv_blob_new(&r->body);
    pthread_mutex_lock(&s->lock);
    u = srv_upload_find_locked(r);
    if (u == NULL || u->result != NULL) {
        srv_fail(a, SRV_E_NO_UPLOAD);
        srv_blob_drop(part->blob);
        free(part);
    } else {
        upload_put_locked(u, part);
    }
    pthread_mutex_unlock(&s->lock);
}

void srv_upload_abort(struct srv_request *r, struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    struct srv_upload *u;

    a->code = 204;
    pthread_mutex_lock(&s->lock);
    u = srv_upload_find_locked(r);
    if (u == NULL || u->result != NULL) {
        srv_fail(a, SRV_E_NO_UPLOAD);
    } else {
        struct srv_upload **at = &s->locked.uploads;

        while (*at != u) {
            at = &(*at)->next;
        }
        *at = u->next;
        srv_upload_free(u);
    }
    pthread_mutex_unlock(&s->lock);
}

static void upload_list_part(const struct srv_part *p, struct buf *out)
{
    struct buf sum = {0};
    char name[32];

    srv_sum_text(&p->sums, &sum);
    snprintf(name, sizeof(name), "Checksum%s", srv_sum_element(p->sums.kind));
    buf_add_text(out, "<Part>");
    srv_xml_number(out, "PartNumber", p->number);
    buf_print(out, "<ETag>&quot;%s&quot;</ETag>", p->etag);
    srv_xml_number(out, "Size", p->blob->size);
    srv_xml_add(out, name, buf_text(&sum));
    buf_add_text(out, "</Part>");
    buf_fini(&sum);
}

void srv_upload_parts(struct srv_request *r, struct srv_answer *a)
{
    const char *marker = srv_param(r, "part-number-marker");
    const char *max_text = srv_param(r, "max-parts");
    uint64_t after = 0;
    uint64_t max = 1000;
    uint64_t count = 0;
    bool is_truncated = false;
    struct srv_upload *u;

    if ((marker != NULL && !srv_number(marker, SRV_PARTS_MAX, &after)) ||
        (max_text != NULL && !srv_number(max_text, 1000, &max))) {
        srv_fail(a, SRV_E_INVALID_ARGUMENT);
        return;
    }
    pthread_mutex_lock(&r->conn->s->lock);
    u = srv_upload_find_locked(r);
    if (u == NULL || u->result != NULL) {
        srv_fail(a, SRV_E_NO_UPLOAD);
    } else {
        srv_xml_start(a, "ListPartsResult");
        for (struct srv_part *p = u->parts; p != NULL; p = p->next) {
            if (p->number > after && count == max) {
                is_truncated = true;
            } else if (p->number > after) {
                upload_list_part(p, &a->body);
                count++;
            }
        }
        srv_xml_add(&a->body, "IsTruncated", is_truncated ? "true" : "false");
        buf_add_text(&a->body, "</ListPartsResult>");
    }
    pthread_mutex_unlock(&r->conn->s->lock);
}

void srv_upload_list(struct srv_request *r, struct srv_answer *a)
{
    char time[SRV_TIME_MAX];

    srv_xml_start(a, "ListMultipartUploadsResult");
    pthread_mutex_lock(&r->conn->s->lock);
    for (struct srv_upload *u = r->conn->s->locked.uploads; u != NULL;
         u = u->next) {
        if (u->result == NULL) {
            buf_add_text(&a->body, "<Upload>");
            srv_xml_add(&a->body, "Key", u->key);
            srv_xml_add(&a->body, "UploadId", u->id);
            srv_xml_add(&a->body, "Initiated",
                        srv_time_iso(u->started_ms, time));
            buf_add_text(&a->body, "</Upload>");
        }
    }
    pthread_mutex_unlock(&r->conn->s->lock);
    buf_add_text(&a->body, "<IsTruncated>false</IsTruncated>"
                           "</ListMultipartUploadsResult>");
}
