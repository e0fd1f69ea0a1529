/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that expat reads: small answers, and pages that the scanner left
 * alone. Names are taken without their prefixes, so that name spaces need not
 * agree. A document type, a depth over 32 or a text over its limit ends the
 * parse. */

#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/s3_xml.h"
#include "store/s3_xml_parts.h"

enum { S3_DEPTH_MAX = 32, S3_NAME_MAX = 64 };

struct s3_walk;

/* Called at the end of each element with its direct text; false stops. */
typedef bool s3_walk_end_fn(struct s3_walk *w, struct bytes text);

struct s3_walk {
    XML_Parser parser;
    char names[S3_DEPTH_MAX][S3_NAME_MAX];
    size_t starts[S3_DEPTH_MAX]; /* Of each element's text in @text. */
    size_t depth;
    struct buf text;
    s3_walk_end_fn *start; /* May be NULL. */
    s3_walk_end_fn *end;
    void *self;
    bool has_child[S3_DEPTH_MAX];
    enum status status;  /* Of the callback that ended it. */
    bool is_error;       /* It is an error document. */
    const char *refused; /* Why it was stopped. */
};

static void s3_walk_stop(struct s3_walk *w, const char *reason)
{
    w->refused = reason;
    (void)XML_StopParser(w->parser, XML_FALSE);
}

static void s3_walk_start(void *self, const XML_Char *name,
                          const XML_Char **attributes)
{
    struct s3_walk *w = self;
    const char *colon = strrchr(name, ':');
    size_t size;

    (void)attributes;
    name = colon != NULL ? colon + 1 : name;
    size = strlen(name);
    if (w->refused != NULL) {
        return;
    }
    if (w->depth == S3_DEPTH_MAX) {
        s3_walk_stop(w, "its elements are nested too deep");
        return;
    }
    if (w->depth > 0) {
        w->has_child[w->depth - 1] = true;
    }
    w->has_child[w->depth] = false;
    /* None of those that we look for; "x:" is a name too. */
    if (size == 0 || size >= S3_NAME_MAX) {
        name = "?";
        size = 1;
    }
    memcpy(w->names[w->depth], name, size + 1);
    w->starts[w->depth++] = w->text.size;
    if (w->start != NULL && !w->start(w, BYTES(""))) {
        s3_walk_stop(w, "it is another document");
    }
}

static void s3_walk_text(void *self, const XML_Char *text, int size)
{
    struct s3_walk *w = self;

    if (w->refused == NULL && w->depth > 0) {
        buf_add(&w->text, text, (size_t)size);
    }
}

static void s3_walk_end(void *self, const XML_Char *name)
{
    struct s3_walk *w = self;
    size_t start;

    (void)name;
    if (w->refused != NULL) {
        return;
    }
    CHECK(w->depth > 0);
    start = w->starts[w->depth - 1];
    /* Its children's texts were taken off again at their own ends. */
    if (!w->end(w, (struct bytes){w->text.at == NULL ? "" : w->text.at + start,
                                  w->text.size - start})) {
        s3_walk_stop(w, "an element is not as S3 has it");
        return;
    }
    w->text.size = start;
    w->depth--;
}

static void s3_walk_doctype(void *self, const XML_Char *name,
                            const XML_Char *system, const XML_Char *public,
                            int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    s3_walk_stop(self, "it has a document type");
}

/* Walk @body. MALFORMED: it is no XML that we read; STORE: @w->is_error; else
 * what the end function left in @w->status. */
static enum status s3_walk_run(struct s3_walk *w, struct bytes body, size_t max,
                               struct fault *why)
{
    enum XML_Status done;
    enum status s = STATUS_OK;

    if (body.size > max) {
        return fault_set(why, STATUS_MALFORMED,
                         "the answer is larger than %zu bytes", max);
    }
    w->parser = XML_ParserCreate("UTF-8");
    CHECK(w->parser != NULL);
    XML_SetUserData(w->parser, w);
    XML_SetElementHandler(w->parser, s3_walk_start, s3_walk_end);
    XML_SetCharacterDataHandler(w->parser, s3_walk_text);
    XML_SetStartDoctypeDeclHandler(w->parser, s3_walk_doctype);
    done = XML_Parse(w->parser, body.at, (int)body.size, 1);
    if (w->is_error) {
        s = fault_set(why, STATUS_STORE, "the answer is an error document");
    } else if (w->status != STATUS_OK) {
        s = w->status;
    } else if (w->refused != NULL) {
        s = fault_set(why, STATUS_MALFORMED,
                      "the answer is XML that no S3 server sends: %s",
                      w->refused);
    } else if (done != XML_STATUS_OK) {
        s = fault_set(why, STATUS_MALFORMED, "the answer is not XML: %s",
                      XML_ErrorString(XML_GetErrorCode(w->parser)));
    }
    XML_ParserFree(w->parser);
    buf_fini(&w->text);
    return s;
}

static bool s3_walk_is(const struct s3_walk *w, size_t level, const char *name)
{
    return level < w->depth && strcmp(w->names[level], name) == 0;
}

/* ---- a page of a listing ------------------------------------------------ */

/* Where a text lies in the list's spare bytes, which move while they grow. */
struct s3_place {
    size_t at;
    size_t size;
};

struct s3_slow {
    struct s3_list *list;
    struct s3_place keys[STORE_LIST_MAX];
    struct s3_place etags[STORE_LIST_MAX];
    struct s3_place prefixes[STORE_LIST_MAX];
    struct s3_place next;
    struct s3_place key; /* Of the object that is being read. */
    struct s3_place etag;
    struct store_object object;
    unsigned has;   /* Fields of that object. */
    unsigned facts; /* Of the page. */
    bool is_coded;
};

enum {
    S3_KEY = 1,
    S3_SIZE = 2,
    S3_ETAG = 4,
    S3_TIME = 8,
    S3_CLASS = 16,

    S3_FACT_TRUNCATED = 1,
    S3_FACT_CODED = 2,
    S3_FACT_NEXT = 4,
};

/* What @name is, in one of the two words above; 0: of no interest. */
struct s3_word {
    const char *name;
    unsigned is;
};

static unsigned s3_slow_word(const struct s3_word *words, const char *name)
{
    while (words->name != NULL && strcmp(words->name, name) != 0) {
        words++;
    }
    return words->is;
}

/* Etags have room for quotes around them. */
static struct s3_place s3_slow_keep(struct s3_slow *p, struct bytes text)
{
    struct s3_place place;

    buf_add_char(&p->list->spare, ' ');
    place = (struct s3_place){p->list->spare.size, text.size};
    buf_add_bytes(&p->list->spare, text);
    buf_add_char(&p->list->spare, ' ');
    return place;
}

/* It goes into a header. */
static bool s3_slow_is_etag(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.at[i] < 0x20) {
            return false;
        }
    }
    return true;
}

/* A child of <Contents> has ended. */
static bool s3_slow_field(struct s3_walk *w, struct bytes text)
{
    static const struct s3_word words[] = {{"Key", S3_KEY},
                                           {"Size", S3_SIZE},
                                           {"ETag", S3_ETAG},
                                           {"LastModified", S3_TIME},
                                           {"StorageClass", S3_CLASS},
                                           {NULL, 0}};
    struct s3_slow *p = w->self;
    unsigned is = s3_slow_word(words, w->names[w->depth - 1]);

    if (is == 0) {
        return true;
    }
    if ((p->has & is) != 0 || w->has_child[w->depth - 1]) {
        return false;
    }
    p->has |= is;
    switch (is) {
    case S3_KEY:
        p->key = s3_slow_keep(p, text);
        return true;
    case S3_SIZE:
        return s3_list_size(text, &p->object.size);
    case S3_ETAG:
        p->etag = s3_slow_keep(p, text);
        return s3_slow_is_etag(text);
    case S3_TIME:
        p->object.modified_ms = s3_time_iso(text);
        return true;
    default:
        p->list->has_archived |= s3_list_is_archive(text);
        return true;
    }
}

static bool s3_slow_object(struct s3_slow *p)
{
    uint32_t i = p->list->object_count;

    if ((p->has & (S3_KEY | S3_SIZE)) != (S3_KEY | S3_SIZE) ||
        i == STORE_LIST_MAX) {
        return false;
    }
    p->list->objects[i] = p->object;
    p->keys[i] = p->key;
    p->etags[i] = p->etag;
    p->list->object_count++;
    p->object = (struct store_object){.size = 0};
    p->key = p->etag = (struct s3_place){0, 0};
    p->has = 0;
    return true;
}

static bool s3_slow_prefix(struct s3_walk *w, struct bytes text)
{
    struct s3_slow *p = w->self;

    if (p->list->prefix_count == STORE_LIST_MAX || w->has_child[w->depth - 1]) {
        return false;
    }
    p->prefixes[p->list->prefix_count++] = s3_slow_keep(p, text);
    return true;
}

/* A child of the root has ended. */
static bool s3_slow_fact(struct s3_walk *w, struct bytes text)
{
    static const struct s3_word words[] = {
        {"IsTruncated", S3_FACT_TRUNCATED},
        {"EncodingType", S3_FACT_CODED},
        {"NextContinuationToken", S3_FACT_NEXT},
        {NULL, 0}};
    struct s3_slow *p = w->self;
    unsigned is = s3_slow_word(words, w->names[w->depth - 1]);

    if (is == 0) {
        return true;
    }
    if ((p->facts & is) != 0 || w->has_child[w->depth - 1]) {
        return false;
    }
    p->facts |= is;
    if (is == S3_FACT_TRUNCATED) {
        p->list->is_truncated = bytes_is(text, "true");
        return p->list->is_truncated || bytes_is(text, "false");
    }
    if (is == S3_FACT_CODED) {
        p->is_coded = bytes_is(text, "url");
        return p->is_coded || text.size == 0;
    }
    p->next = s3_slow_keep(p, text);
    return true;
}

static bool s3_slow_start(struct s3_walk *w, struct bytes text)
{
    (void)text;
    return w->depth > 1 || strcmp(w->names[0], "ListBucketResult") == 0 ||
           strcmp(w->names[0], "Error") == 0 ||
           strcmp(w->names[0], "ErrorResponse") == 0;
}

static bool s3_slow_end(struct s3_walk *w, struct bytes text)
{
    const char *name = w->names[w->depth - 1];

    if (strcmp(w->names[0], "ListBucketResult") != 0) {
        w->is_error = w->depth == 1;
        return true;
    }
    if (w->depth == 2) {
        return strcmp(name, "Contents") == 0 ? s3_slow_object(w->self)
                                             : s3_slow_fact(w, text);
    }
    if (w->depth == 3 && s3_walk_is(w, 1, "Contents")) {
        return s3_slow_field(w, text);
    }
    if (w->depth == 3 && s3_walk_is(w, 1, "CommonPrefixes") &&
        strcmp(name, "Prefix") == 0) {
        return s3_slow_prefix(w, text);
    }
    return true;
}

static bool s3_slow_decode(const struct s3_slow *p, struct s3_place place,
                           struct bytes *out)
{
    char *at = p->list->spare.at + place.at;

    *out = (struct bytes){at, place.size};
    return s3_list_decode(at, &out->size, p->is_coded);
}

static enum status s3_slow_finish(struct s3_slow *p, struct fault *why)
{
    struct s3_list *l = p->list;
    bool is_good = true;

    for (uint32_t i = 0; i < l->object_count; i++) {
        is_good &= s3_slow_decode(p, p->keys[i], &l->objects[i].key);
        l->objects[i].etag =
            p->etags[i].size > 0
                ? s3_list_quote(l->spare.at + p->etags[i].at, p->etags[i].size)
                : (struct bytes){"", 0};
    }
    for (uint32_t i = 0; i < l->prefix_count; i++) {
        is_good &= s3_slow_decode(p, p->prefixes[i], &l->prefixes[i]);
    }
    if (p->next.size > 0) {
        l->next = (struct bytes){l->spare.at + p->next.at, p->next.size};
    }
    return is_good
               ? STATUS_OK
               : fault_set(why, STATUS_MALFORMED,
                           "a key in the listing has a '%%' without two hex "
                           "digits, and is said to be coded");
}

enum status s3_list_expat(const char *page, size_t size, struct fault *why,
                          struct s3_list *out)
{
    struct s3_slow *p = mem_new(1, sizeof(*p));
    struct s3_walk w = {.start = s3_slow_start, .end = s3_slow_end, .self = p};
    enum status s;

    p->list = out;
    s3_list_clear(out);
    buf_clear(&out->spare);
    s = s3_walk_run(&w, s3_xml_trim((struct bytes){page, size}),
                    S3_LIST_BYTES_MAX, why);
    if (s == STATUS_OK) {
        s = s3_slow_finish(p, why);
    }
    free(p);
    return s;
}

void s3_list_fini(struct s3_list *l)
{
    buf_fini(&l->spare);
}

/* ---- error documents ---------------------------------------------------- */

/* Copy what fits, as one line. */
static void s3_error_copy(struct bytes from, char *out, size_t room)
{
    size_t size = from.size < room ? from.size : room - 1;

    /* Not in the middle of a character. */
    while (size > 0 && size < from.size &&
           ((unsigned char)from.at[size] & 0xc0) == 0x80) {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)from.at[i];

        out[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    out[size] = '\0';
}

static bool s3_error_end(struct s3_walk *w, struct bytes text)
{
    struct s3_error *e = w->self;
    const char *name = w->names[w->depth - 1];
    struct {
        const char *name;
        char *at;
        size_t room;
    } fields[] = {
        {"Code", e->code, sizeof(e->code)},
        {"Message", e->message, sizeof(e->message)},
        {"Region", e->region, sizeof(e->region)},
        {"Endpoint", e->endpoint, sizeof(e->endpoint)},
        {"Bucket", e->bucket, sizeof(e->bucket)},
        {"BucketName", e->bucket, sizeof(e->bucket)},
        {"StorageClass", e->storage_class, sizeof(e->storage_class)},
        {"ServerTime", e->server_time, sizeof(e->server_time)},
        {"RequestId", e->request_id, sizeof(e->request_id)},
        {"RequestID", e->request_id, sizeof(e->request_id)},
    };

    /* STS wraps it: <ErrorResponse><Error>…</Error><RequestId>. */
    if (w->depth < 2 || (!s3_walk_is(w, w->depth - 2, "Error") &&
                         !s3_walk_is(w, w->depth - 2, "ErrorResponse"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            s3_error_copy(text, fields[i].at, fields[i].room);
        }
    }
    return true;
}

static bool s3_error_start(struct s3_walk *w, struct bytes text)
{
    (void)text;
    return w->depth > 1 || strcmp(w->names[0], "Error") == 0 ||
           strcmp(w->names[0], "ErrorResponse") == 0;
}

/* Servers tell a key as it is, control characters too, which expat refuses:
 * make them spaces. What matters in an error has none. */
static void s3_error_clean(struct bytes body, struct buf *out)
{
    buf_add_bytes(out, body);
    for (size_t i = 0; i < out->size; i++) {
        uint32_t code = (unsigned char)out->at[i];
        size_t size = 1;

        if (code == '&') {
            size = s3_xml_reference(out->at + i, out->size - i, &code);
        }
        if (size > 0 && code < 0x20) {
            memset(out->at + i, ' ', size);
        }
    }
}

bool s3_error_parse(struct bytes body, struct s3_error *out)
{
    struct buf clean = {0};
    struct s3_walk w = {
        .start = s3_error_start, .end = s3_error_end, .self = out};
    enum status s;

    *out = (struct s3_error){.code = ""};
    if (body.size > S3_XML_BYTES_MAX) {
        return false;
    }
    s3_error_clean(s3_xml_trim(body), &clean);
    s = s3_walk_run(&w, buf_bytes(&clean), S3_XML_BYTES_MAX, NULL);
    buf_fini(&clean);
    if (s != STATUS_OK) {
        *out = (struct s3_error){.code = ""};
    }
    return s == STATUS_OK && out->code[0] != '\0';
}

/* ---- texts by path ------------------------------------------------------ */

struct s3_find {
    const char *path;
    struct buf *out;
    bool is_found;
};

/* Whether the open elements are exactly @path. */
static bool s3_walk_is_at(const struct s3_walk *w, size_t depth,
                          const char *path)
{
    for (size_t i = 0; i < depth; i++) {
        size_t size = strlen(w->names[i]);

        if (strncmp(path, w->names[i], size) != 0 ||
            path[size] != (i + 1 < depth ? '/' : '\0')) {
            return false;
        }
        path += size + 1;
    }
    return depth > 0;
}

/* An error document is STORE for every reader. */
static bool s3_refuse_error(struct s3_walk *w, struct bytes text)
{
    (void)text;
    if (w->depth == 1 && (strcmp(w->names[0], "Error") == 0 ||
                          strcmp(w->names[0], "ErrorResponse") == 0)) {
        w->is_error = true;
        return false;
    }
    return true;
}

static bool s3_find_end(struct s3_walk *w, struct bytes text)
{
    struct s3_find *f = w->self;

    if (!f->is_found && s3_walk_is_at(w, w->depth, f->path)) {
        f->is_found = true;
        buf_add_bytes(f->out, text);
    }
    return true;
}

enum status s3_xml_text(struct bytes body, const char *path, struct fault *why,
                        struct buf *out)
{
    struct s3_find find = {path, out, false};
    struct s3_walk w = {
        .start = s3_refuse_error, .end = s3_find_end, .self = &find};
    size_t before = out->size;
    enum status s = s3_walk_run(&w, s3_xml_trim(body), S3_XML_BYTES_MAX, why);

    if (s == STATUS_OK && !find.is_found) {
        s = fault_set(why, STATUS_NOT_FOUND, "the answer has no %s", path);
    }
    if (s != STATUS_OK) {
        out->size = before;
    }
    return s;
}

struct s3_root {
    const char *name;
    bool is_it;
};

static bool s3_root_start(struct s3_walk *w, struct bytes text)
{
    struct s3_root *r = w->self;

    (void)text;
    r->is_it |= w->depth == 1 && strcmp(w->names[0], r->name) == 0;
    return true;
}

static bool s3_root_end(struct s3_walk *w, struct bytes text)
{
    (void)w;
    (void)text;
    return true;
}

bool s3_xml_is(struct bytes body, const char *root)
{
    struct s3_root r = {root, false};
    struct s3_walk w = {.start = s3_root_start, .end = s3_root_end, .self = &r};

    return s3_walk_run(&w, s3_xml_trim(body), S3_XML_BYTES_MAX, NULL) ==
               STATUS_OK &&
           r.is_it;
}

/* ---- repeated elements -------------------------------------------------- */

struct s3_each {
    const char *path;
    size_t depth; /* Of the element that repeats. */
    s3_xml_each_fn *each;
    void *self;
    struct fault *why;
    struct s3_xml_child children[S3_XML_CHILDREN_MAX];
    size_t count;
    struct buf text; /* Names and texts, at @places until the end. */
    struct s3_place places[S3_XML_CHILDREN_MAX][2];
};

static void s3_each_keep(struct s3_each *e, const char *name, struct bytes text)
{
    if (e->count == S3_XML_CHILDREN_MAX) {
        return; /* None of the known answers has as many. */
    }
    e->places[e->count][0] = (struct s3_place){e->text.size, strlen(name)};
    buf_add_text(&e->text, name);
    e->places[e->count][1] = (struct s3_place){e->text.size, text.size};
    buf_add_bytes(&e->text, text);
    e->count++;
}

static bool s3_each_end(struct s3_walk *w, struct bytes text)
{
    struct s3_each *e = w->self;

    if (w->depth == e->depth + 1 && s3_walk_is_at(w, e->depth, e->path)) {
        s3_each_keep(e, w->names[w->depth - 1], text);
        return true;
    }
    if (w->depth != e->depth || !s3_walk_is_at(w, e->depth, e->path)) {
        return true;
    }
    for (size_t i = 0; i < e->count; i++) {
        const struct s3_place *p = e->places[i];

        e->children[i].name = (struct bytes){e->text.at + p[0].at, p[0].size};
        e->children[i].text = (struct bytes){e->text.at + p[1].at, p[1].size};
    }
    w->status = e->each(e->self, e->children, e->count, e->why);
    e->count = 0;
    buf_clear(&e->text);
    return w->status == STATUS_OK;
}

enum status s3_xml_each(struct bytes body, const char *path,
                        s3_xml_each_fn *each, void *self, struct fault *why)
{
    struct s3_each *e = mem_new(1, sizeof(*e));
    struct s3_walk w = {
        .start = s3_refuse_error, .end = s3_each_end, .self = e};
    enum status s;

    *e = (struct s3_each){
        .path = path, .depth = 1, .each = each, .self = self, .why = why};
    for (const char *c = path; *c != '\0'; c++) {
        e->depth += *c == '/';
    }
    s = s3_walk_run(&w, s3_xml_trim(body), S3_XML_BYTES_MAX, why);
    buf_fini(&e->text);
    free(e);
    return s;
}
