/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a multipart upload. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

struct complete {
    struct srv_request *r;
    struct srv_answer *a;
    struct srv_upload *u;
    struct buf body;
    struct buf digests; /* Of the parts, for the etag. */
    uint32_t count;
    uint32_t number; /* Of the <Part> that is being read. */
    uint64_t last_size;
    char etag[64];
};

static struct srv_part *complete_find(const struct complete *c)
{
    struct srv_part *p = c->u->parts;

    while (p != NULL && p->number != c->number) {
        p = p->next;
    }
    return p;
}

/* Take in one <Part>. */
static bool complete_part(struct complete *c, uint32_t before)
{
    bool has_small = (c->r->conn->s->locked.quirks & S3SERVER_SMALL_PARTS) != 0;
    struct srv_part *p = complete_find(c);

    if (c->number <= before) {
        srv_fail(c->a, SRV_E_INVALID_PART_ORDER);
        return false;
    }
    if (p == NULL || !srv_etag_is_in(c->etag, p->etag)) {
        srv_fail(c->a, SRV_E_INVALID_PART);
        return false;
    }
    if (c->count > 0 && c->last_size < SRV_PART_MIN && !has_small) {
        srv_fail(c->a, SRV_E_TOO_SMALL);
        return false;
    }
    c->last_size = p->blob->size;
    c->count++;
    buf_add(&c->body, p->blob->at, p->blob->size);
    buf_add(&c->digests, p->sums.md5, sizeof(p->sums.md5));
    return true;
}

static bool complete_read(struct complete *c)
{
    struct srv_xml x = {.at = buf_text(&c->r->body)};
    uint32_t before = 0;
    bool is_good = true;

    x.end = x.at + c->r->body.size;
    while (is_good && srv_xml_next(&x)) {
        if (!x.is_end) {
            continue;
        }
        if (strcmp(x.name, "PartNumber") == 0) {
            c->number = (uint32_t)strtoul(buf_text(&x.text), NULL, 10);
        } else if (strcmp(x.name, "ETag") == 0) {
            snprintf(c->etag, sizeof(c->etag), "%s", buf_text(&x.text));
        } else if (strcmp(x.name, "Part") == 0) {
            is_good = complete_part(c, before);
            before = c->number;
        }
    }
    if (is_good && (x.is_bad || c->count == 0)) {
        srv_fail(c->a, SRV_E_MALFORMED_XML);
        is_good = false;
    }
    buf_fini(&x.text);
    return is_good;
}

/* The checksum of the whole, where the request names one. */
static bool complete_sum(struct complete *c, struct srv_sums *out)
{
    struct buf text = {0};
    const char *named;
    char name[64];
    bool is_good;

    *out = (struct srv_sums){.kind = c->u->kind};
    srv_sum(out->kind, buf_text(&c->body), c->body.size, out->sum);
    srv_sum_text(out, &text);
    snprintf(name, sizeof(name), "x-amz-checksum-%s", srv_sum_name(out->kind));
    named = srv_header(c->r, name);
    is_good = named == NULL || strcmp(named, buf_text(&text)) == 0;
    if (!is_good) {
        srv_fail_say(c->a, SRV_E_BAD_DIGEST,
                     "The %s you specified did not match.",
                     srv_sum_element(out->kind));
    }
    buf_fini(&text);
    return is_good;
}

static bool complete_size(struct complete *c)
{
    const char *named = srv_header(c->r, "x-amz-mp-object-size");
    uint64_t size = 0;

    if (named != NULL &&
        (!srv_number(named, UINT64_MAX / 2, &size) || size != c->body.size)) {
        srv_fail_say(c->a, SRV_E_INVALID_REQUEST,
                     "The object's size is not x-amz-mp-object-size.");
        return false;
    }
    return true;
}

static void complete_answer(struct complete *c, const char *etag)
{
    srv_xml_start(c->a, "CompleteMultipartUploadResult");
    srv_xml_add(&c->a->body, "Bucket", c->r->bucket);
    srv_xml_add(&c->a->body, "Key", c->r->key);
    buf_print(&c->a->body, "<ETag>&quot;%s&quot;</ETag>", etag);
    buf_add_text(&c->a->body, "</CompleteMultipartUploadResult>");
}

static void complete_commit(struct complete *c)
{
    unsigned char md5[16];
    struct srv_sums sums;
    struct srv_version *v;
    char etag[48];

    if (!complete_read(c) || !complete_size(c) || !complete_sum(c, &sums) ||
        !srv_when_write_locked(c->r, c->r->key, c->a)) {
        return;
    }
    srv_md5(buf_text(&c->digests), c->digests.size, md5);
    srv_hex(md5, 16, etag);
    snprintf(etag + 32, sizeof(etag) - 32, "-%u", c->count);
    v = srv_commit_locked(c->r, c->r->key, srv_blob_new(&c->body), etag);
    v->sums = sums;
    v->meta = mem_copy(c->u->meta);
    v->part_count = c->count;
    c->u->result = mem_copy(etag);
    complete_answer(c, etag);
}

void srv_upload_complete(struct srv_request *r, struct srv_answer *a)
{
    struct complete c = {.r = r, .a = a};

    pthread_mutex_lock(&r->conn->s->lock);
    c.u = srv_upload_find_locked(r);
    if (c.u == NULL) {
        srv_fail(a, SRV_E_NO_UPLOAD);
    } else if (c.u->result != NULL) { /* Again, as after a lost answer. */
        complete_answer(&c, c.u->result);
    } else {
        complete_commit(&c);
    }
    pthread_mutex_unlock(&r->conn->s->lock);
    buf_fini(&c.body);
    buf_fini(&c.digests);
}
