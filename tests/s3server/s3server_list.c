/* SPDX-License-Identifier: Apache-2.0 */
/* ListObjectsV2. A continuation token is two coded keys: the one to go on
 * after, and the one that the page before went on after. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

struct list {
    struct srv_request *r;
    uint32_t quirks;
    const char *prefix;
    const char *delimiter;
    uint64_t max;
    bool is_coded;
    struct buf after;  /* Keys up to it were told. */
    struct buf before; /* … to the page before. */
    struct buf out;
    uint64_t count;
    bool is_truncated;
    struct buf last; /* Key or common prefix that was told last. */
};

/* A name as this server codes it. */
static void list_name(const struct list *l, const char *text, struct buf *out)
{
    struct buf coded = {0};
    const char *kept =
        (l->quirks & S3SERVER_SLASH_IS_CODED) ? "-._~*" : "-._~*/";

    if (!l->is_coded) {
        srv_xml_escape(text, out);
        return;
    }
    srv_percent_encode(text, kept, &coded);
    for (const char *c = buf_text(&coded); *c != '\0'; c++) {
        if (strncmp(c, "%20", 3) == 0 && (l->quirks & S3SERVER_SPACE_IS_PLUS)) {
            buf_add_char(out, '+');
            c += 2;
        } else {
            buf_add_char(out, *c);
        }
    }
    buf_fini(&coded);
}

static void list_object(struct list *l, const struct srv_entry *e)
{
    const struct srv_version *v = e->newest;
    char time[SRV_TIME_MAX];

    buf_add_text(&l->out, "<Contents><Key>");
    list_name(l, e->key, &l->out);
    buf_add_text(&l->out, "</Key>");
    srv_xml_add(&l->out, "LastModified", srv_time_iso(v->modified_ms, time));
    buf_print(&l->out,
              (l->quirks & S3SERVER_UNQUOTED_ETAGS)
                  ? "<ETag>%s</ETag>"
                  : "<ETag>&quot;%s&quot;</ETag>",
              v->etag);
    srv_xml_number(&l->out, "Size", v->blob->size);
    buf_add_text(&l->out, "<StorageClass>STANDARD</StorageClass></Contents>");
}

/* The common prefix of @key, with its delimiter; 0: none. */
static size_t list_folder(const struct list *l, const char *key)
{
    size_t size = strlen(l->prefix);
    const char *end =
        l->delimiter[0] != '\0' ? strstr(key + size, l->delimiter) : NULL;

    return end != NULL ? (size_t)(end - key) + strlen(l->delimiter) : 0;
}

/* Tell the entry, or the folder that it is in. */
static void list_add(struct list *l, const struct srv_entry *e)
{
    size_t folder = list_folder(l, e->key);
    char *name;

    if (folder == 0) {
        list_object(l, e);
        buf_clear(&l->last);
        buf_add_text(&l->last, e->key);
        l->count++;
        return;
    }
    name = mem_copy_text(e->key, folder);
    if (strcmp(buf_text(&l->last), name) != 0) {
        buf_add_text(&l->out, "<CommonPrefixes><Prefix>");
        list_name(l, name, &l->out);
        buf_add_text(&l->out, "</Prefix></CommonPrefixes>");
        buf_clear(&l->last);
        buf_add_text(&l->last, name);
        l->count++;
    }
    free(name);
}

/* Whether a folder that was told last covers @key. */
static bool list_is_told(const struct list *l, const char *key)
{
    const char *after = buf_text(&l->after);
    size_t size = l->after.size;

    return strcmp(key, after) <= 0 ||
           (l->delimiter[0] != '\0' && size > 0 &&
            strncmp(key, after, size) == 0 && list_folder(l, after) == size);
}

static void list_walk_locked(struct list *l)
{
    const struct srv_keys *keys = &l->r->conn->s->locked.keys;
    const char *from = strcmp(buf_text(&l->after), l->prefix) > 0
                           ? buf_text(&l->after)
                           : l->prefix;
    size_t size = strlen(l->prefix);
    struct srv_entry *e = srv_keys_seek(keys, from);

    for (; e != NULL && strncmp(e->key, l->prefix, size) == 0; e = e->next[0]) {
        if (e->newest->is_marker || list_is_told(l, e->key)) {
            continue;
        }
        if (l->count == l->max) {
            l->is_truncated = true;
            break;
        }
        list_add(l, e);
    }
}

/* Move the first object of the page behind the last one. */
static void list_unsort(struct list *l)
{
    const char *end = "</Contents>";
    char *first = l->out.at != NULL ? strstr(l->out.at, end) : NULL;
    struct buf turned = {0};

    if (first == NULL) {
        return;
    }
    first += strlen(end);
    buf_add_text(&turned, first);
    buf_add(&turned, l->out.at, (size_t)(first - l->out.at));
    buf_fini(&l->out);
    l->out = turned;
}

static void list_answer(struct list *l, struct srv_answer *a)
{
    struct buf token = {0};

    srv_xml_start(a, "ListBucketResult");
    srv_xml_add(&a->body, "Name", l->r->bucket);
    buf_add_text(&a->body, "<Prefix>");
    list_name(l, l->prefix, &a->body);
    buf_add_text(&a->body, "</Prefix>");
    srv_xml_number(&a->body, "KeyCount", l->count);
    srv_xml_number(&a->body, "MaxKeys", l->max);
    if (l->is_coded) {
        srv_xml_add(&a->body, "EncodingType", "url");
    }
    srv_xml_add(&a->body, "IsTruncated", l->is_truncated ? "true" : "false");
    if (l->is_truncated) {
        srv_percent_encode(buf_text(&l->last), "", &token);
        buf_add_char(&token, '.');
        srv_percent_encode(buf_text(&l->after), "", &token);
        srv_xml_add(&a->body, "NextContinuationToken", buf_text(&token));
    }
    buf_add_bytes(&a->body, buf_bytes(&l->out));
    buf_add_text(&a->body, "</ListBucketResult>");
    buf_fini(&token);
}

static bool list_token(struct list *l, const char *token)
{
    const char *dot = strchr(token, '.');

    return dot != NULL &&
           srv_percent_decode(token, (size_t)(dot - token), false, &l->after) &&
           srv_percent_decode(dot + 1, strlen(dot + 1), false, &l->before) &&
           l->after.size > 0;
}

static bool list_read(struct list *l, struct srv_answer *a)
{
    const char *token = srv_param(l->r, "continuation-token");
    const char *after = srv_param(l->r, "start-after");
    const char *max = srv_param(l->r, "max-keys");
    const char *coding = srv_param(l->r, "encoding-type");

    l->prefix = srv_param(l->r, "prefix");
    l->delimiter = srv_param(l->r, "delimiter");
    l->prefix = l->prefix != NULL ? l->prefix : "";
    l->delimiter = l->delimiter != NULL ? l->delimiter : "";
    l->is_coded = coding != NULL && strcmp(coding, "url") == 0 &&
                  !(l->quirks & S3SERVER_NO_ENCODING);
    l->max = 1000;
    if (max != NULL && !srv_number(max, 1000000, &l->max)) {
        srv_fail(a, SRV_E_INVALID_ARGUMENT);
        return false;
    }
    l->max = l->max < 1000 ? l->max : 1000;
    if (token != NULL && !list_token(l, token)) {
        srv_fail_say(a, SRV_E_INVALID_ARGUMENT,
                     "The continuation token provided is incorrect");
        return false;
    }
    if (token == NULL && after != NULL &&
        !(l->quirks & (S3SERVER_NO_START_AFTER | S3SERVER_UNORDERED))) {
        buf_add_text(&l->after, after);
    }
    return true;
}

void srv_list(struct srv_request *r, struct srv_answer *a)
{
    struct list l = {.r = r};
    struct s3server *s = r->conn->s;

    pthread_mutex_lock(&s->lock);
    l.quirks = s->locked.quirks;
    pthread_mutex_unlock(&s->lock);
    if (srv_param(r, "list-type") == NULL ||
        strcmp(srv_param(r, "list-type"), "2") != 0) {
        srv_fail(a, SRV_E_NOT_IMPLEMENTED);
    } else if (list_read(&l, a)) {
        if (srv_act_is(r, S3SERVER_DUPLICATE_PAGE)) {
            buf_clear(&l.after);
            buf_add_text(&l.after, buf_text(&l.before));
        }
        pthread_mutex_lock(&s->lock);
        list_walk_locked(&l);
        pthread_mutex_unlock(&s->lock);
        if (srv_act_is(r, S3SERVER_UNSORTED_PAGE) ||
            (l.quirks & S3SERVER_UNORDERED)) {
            list_unsort(&l);
        }
        list_answer(&l, a);
    }
    buf_fini(&l.after);
    buf_fini(&l.before);
    buf_fini(&l.out);
    buf_fini(&l.last);
}
