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
    struct buf sums;    /* Of the parts, for a checksum of them. */
    struct buf ends;    /* Of the parts in the body: uint64_t. */
    uint32_t count;
    uint32_t number; /* Of the <Part> that is being read. */
    uint64_t last_size;
    char etag[64];
    enum srv_sum_kind kind; /* Of @sum. */
    char sum[64];           /* "": none is named. */
};

static struct srv_part *complete_find(const struct complete *c)
{
    struct srv_part *p = c->u->parts;

    while (p != NULL && p->number != c->number) {
        p = p->next;
    }
    return p;
}

/* Is the checksum that <Part> names that of the part? */
static bool complete_sum_is(const struct complete *c, const struct srv_part *p)
{
    struct srv_sums mine = {.kind = c->kind};
    struct buf text = {0};
    bool is_same;

    if (c->sum[0] == '\0') {
        return true;
    }
    srv_sum(mine.kind, p->blob->at, p->blob->size, mine.sum);
    srv_sum_text(&mine, &text);
    is_same = strcmp(text.at, c->sum) == 0;
    buf_fini(&text);
    return is_same;
}

static void complete_add(struct complete *c, const struct srv_part *p)
{
    unsigned char sum[SRV_SUM_MAX];
    uint64_t end;

    c->last_size = p->blob->size;
    c->count++;
    buf_add(&c->body, p->blob->at, p->blob->size);
    buf_add(&c->digests, p->sums.md5, sizeof(p->sums.md5));
    srv_sum(c->u->kind, p->blob->at, p->blob->size, sum);
    buf_add(&c->sums, sum, srv_sum_size(c->u->kind));
    end = c->body.size;
    buf_add(&c->ends, &end, sizeof(end));
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
    if (p == NULL || !srv_etag_is_in(c->etag, p->etag) ||
        !complete_sum_is(c, p)) {
        srv_fail(c->a, SRV_E_INVALID_PART);
        return false;
    }
    if (c->count > 0 && c->last_size < SRV_PART_MIN && !has_small) {
        srv_fail(c->a, SRV_E_TOO_SMALL);
        return false;
    }
    complete_add(c, p);
    return true;
}

static void complete_element(struct complete *c, const struct srv_xml *x)
{
    const char *text = buf_text(&x->text);

    if (strcmp(x->name, "PartNumber") == 0) {
        c->number = (uint32_t)strtoul(text, NULL, 10);
    } else if (strcmp(x->name, "ETag") == 0) {
        snprintf(c->etag, sizeof(c->etag), "%s", text);
    }
    for (int kind = 0; kind < SRV_SUM_KINDS; kind++) {
        if (strncmp(x->name, "Checksum", 8) == 0 &&
            strcmp(x->name + 8, srv_sum_element((enum srv_sum_kind)kind)) ==
                0) {
            c->kind = (enum srv_sum_kind)kind;
            snprintf(c->sum, sizeof(c->sum), "%s", text);
        }
    }
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
        complete_element(c, &x);
        if (strcmp(x.name, "Part") == 0) {
            is_good = complete_part(c, before);
            before = c->number;
            c->etag[0] = '\0';
            c->sum[0] = '\0';
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
    if (c->u->is_composite) {
        srv_sum(out->kind, c->sums.at, c->sums.size, out->sum);
        out->part_count = c->count;
    } else {
        srv_sum(out->kind, buf_text(&c->body), c->body.size, out->sum);
    }
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
    v->part_ends = mem_new(c->count, sizeof(v->part_ends[0]));
    memcpy(v->part_ends, c->ends.at, c->ends.size);
    srv_version_header(c->r, c->a, v);
    c->u->result = mem_copy(etag);
    complete_answer(c, etag);
}

void srv_upload_complete(struct srv_request *r, struct srv_answer *a)
{
    struct complete c = {.r = r, .a = a};

    pthread_mutex_lock(&r->conn->s->lock);
    srv_act_before_locked(r);
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
    buf_fini(&c.sums);
    buf_fini(&c.ends);
}
