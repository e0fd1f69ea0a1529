/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of one object, and DeleteObjects. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

enum { DELETE_MOST = 1000 };

/* The key goes, or gets a marker, which is returned. */
static const struct srv_version *delete_locked(struct srv_request *r,
                                               const char *key)
{
    struct s3server *s = r->conn->s;
    struct srv_version *v;

    if (!(s->locked.quirks & S3SERVER_VERSIONS)) {
        srv_keys_remove(&s->locked.keys, key);
        return NULL;
    }
    v = mem_new(1, sizeof(*v));
    v->is_marker = true;
    v->modified_ms = r->now_ms;
    snprintf(v->id, sizeof(v->id), "v%" PRIu64, ++s->locked.id);
    srv_keys_add(&s->locked.keys, key, v, true);
    return v;
}

void srv_delete(struct srv_request *r, struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    const char *id = srv_param(r, "versionId");
    const struct srv_version *marker = NULL;

    a->code = 204;
    pthread_mutex_lock(&s->lock);
    srv_act_before_locked(r);
    if (!srv_when_delete(r, srv_header(r, "if-match"),
                         srv_keys_now(&s->locked.keys, r->key))) {
        srv_fail(a, SRV_E_PRECONDITION);
    } else if (id != NULL) {
        (void)srv_keys_remove_version(&s->locked.keys, r->key, id);
        srv_set(a, "x-amz-version-id", "%s", id);
    } else {
        marker = delete_locked(r, r->key);
    }
    if (marker != NULL) {
        srv_set(a, "x-amz-delete-marker", "true");
        srv_version_header(r, a, marker);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- many --------------------------------------------------------------- */

struct delete_item {
    char *key;
    char *version;
    char *etag;
};

struct delete_list {
    struct delete_item items[DELETE_MOST];
    size_t count;
    bool is_quiet;
    bool is_bad;
};

static void delete_element(const struct srv_xml *x, struct delete_list *l)
{
    struct delete_item *item = l->count > 0 ? &l->items[l->count - 1] : NULL;
    char **to = NULL;

    if (strcmp(x->name, "Quiet") == 0) {
        l->is_quiet = strcmp(buf_text(&x->text), "true") == 0;
    } else if (item != NULL && strcmp(x->name, "Key") == 0) {
        to = &item->key;
    } else if (item != NULL && strcmp(x->name, "VersionId") == 0) {
        to = &item->version;
    } else if (item != NULL && strcmp(x->name, "ETag") == 0) {
        to = &item->etag;
    }
    if (to != NULL && *to == NULL) {
        *to = mem_copy(buf_text(&x->text));
    }
}

/* All of it before anything is deleted. */
static void delete_read(const struct srv_request *r, struct delete_list *l)
{
    struct srv_xml x = {.at = buf_text(&r->body)};
    bool is_closed = false;

    x.end = x.at + r->body.size;
    while (!l->is_bad && srv_xml_next(&x)) {
        is_closed = x.is_end && strcmp(x.name, "Delete") == 0;
        if (x.is_end) {
            delete_element(&x, l);
        } else if (strcmp(x.name, "Object") == 0) {
            l->is_bad = l->count == DELETE_MOST;
            l->count += !l->is_bad;
        }
    }
    l->is_bad = l->is_bad || x.is_bad || !is_closed || l->count == 0;
    for (size_t i = 0; i < l->count; i++) {
        l->is_bad = l->is_bad || l->items[i].key == NULL;
    }
    buf_fini(&x.text);
}

static void delete_say(const struct delete_item *item, const char *code,
                       struct buf *out)
{
    const char *element = code != NULL ? "Error" : "Deleted";

    buf_print(out, "<%s>", element);
    srv_xml_add(out, "Key", item->key);
    if (item->version != NULL) {
        srv_xml_add(out, "VersionId", item->version);
    }
    if (code != NULL) {
        srv_xml_add(out, "Code", code);
        srv_xml_add(out, "Message", "This one could not be deleted.");
    }
    buf_print(out, "</%s>", element);
}

/* The code of the error; NULL: it is deleted. */
static const char *delete_one_locked(struct srv_request *r,
                                     const struct delete_item *item)
{
    struct srv_keys *keys = &r->conn->s->locked.keys;
    const struct s3server_fault *f = r->fault != NULL ? &r->fault->f : NULL;

    if (f != NULL && f->act == S3SERVER_DELETE_ERROR &&
        (f->message == NULL || strstr(item->key, f->message) != NULL)) {
        return f->error != NULL ? f->error : "InternalError";
    }
    if (!srv_when_delete(r, item->etag, srv_keys_now(keys, item->key))) {
        return "PreconditionFailed";
    }
    if (item->version != NULL) {
        (void)srv_keys_remove_version(keys, item->key, item->version);
    } else {
        (void)delete_locked(r, item->key);
    }
    return NULL;
}

static void delete_all(struct srv_request *r, const struct delete_list *l,
                       struct srv_answer *a)
{
    struct s3server *s = r->conn->s;

    srv_xml_start(a, "DeleteResult");
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < l->count; i++) {
        const char *code = delete_one_locked(r, &l->items[i]);

        if (code != NULL || !l->is_quiet) {
            delete_say(&l->items[i], code, &a->body);
        }
    }
    pthread_mutex_unlock(&s->lock);
    buf_add_text(&a->body, "</DeleteResult>");
}

void srv_delete_many(struct srv_request *r, struct srv_answer *a)
{
    struct delete_list *l;
    enum srv_sum_kind kind;

    if (!srv_claim_check(r, a, &kind)) {
        return;
    }
    if (kind == SRV_SUM_KINDS && srv_header(r, "content-md5") == NULL) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "Missing required header for this request: Content-MD5");
        return;
    }
    l = mem_new(1, sizeof(*l));
    delete_read(r, l);
    if (l->is_bad) {
        srv_fail(a, SRV_E_MALFORMED_XML);
    } else {
        delete_all(r, l, a);
    }
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].key);
        free(l->items[i].version);
        free(l->items[i].etag);
    }
    free(l);
}
