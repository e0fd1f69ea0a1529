/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner: elements without attributes, texts up to the next '<', nothing
 * else. Whatever it meets beside that it leaves to expat, before a byte of
 * the page was changed; keys are decoded in place only after the whole page
 * was understood. */

#include <string.h>

#include "store/percent.h"
#include "store/s3_xml.h"
#include "store/s3_xml_parts.h"

enum { S3_SKIP_DEPTH = 4, S3_SCAN_NAME_MAX = 48 };

struct s3_scan {
    char *at;
    char *end;
    struct s3_list *list;
    bool is_coded; /* EncodingType is url. */
};

/* A text inside the page. */
struct s3_span {
    char *at;
    size_t size;
};

static bool s3_is(struct s3_span span, const char *text, size_t size)
{
    return span.size == size && memcmp(span.at, text, size) == 0;
}
#define S3_IS(span, literal) s3_is(span, literal, sizeof(literal) - 1)

static void s3_skip_space(struct s3_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' ||
                              *s->at == '\r' || *s->at == '\t')) {
        s->at++;
    }
}

/* Read "<name>" or "</name>" (its name with the slash). */
static bool s3_take_tag(struct s3_scan *s, struct s3_span *name)
{
    char *start = s->at;
    size_t left = (size_t)(s->end - s->at);
    size_t max = left < S3_SCAN_NAME_MAX ? left : S3_SCAN_NAME_MAX;
    size_t i = 1;

    if (left < 3 || start[0] != '<') {
        return false;
    }
    while (i < max && start[i] != '>') {
        char c = start[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9' && i > 1) || (c == '/' && i == 1);

        if (!is_plain) { /* Attributes, prefixes, comments, "<x/>". */
            return false;
        }
        i++;
    }
    if (i == max || i < 2) {
        return false;
    }
    *name = (struct s3_span){start + 1, i - 1};
    s->at = start + i + 1;
    return true;
}

/* Read a text up to '<' and the closing tag of @name. */
static bool s3_take_text(struct s3_scan *s, struct s3_span name,
                         struct s3_span *text)
{
    char *close = memchr(s->at, '<', (size_t)(s->end - s->at));

    if (close == NULL || (size_t)(s->end - close) < name.size + 3 ||
        close[1] != '/' || memcmp(close + 2, name.at, name.size) != 0 ||
        close[name.size + 2] != '>') {
        return false;
    }
    *text = (struct s3_span){s->at, (size_t)(close - s->at)};
    s->at = close + name.size + 3;
    return true;
}

/* Bytes that mean themselves in XML, and the five entities. */
static bool s3_is_plain_text(struct s3_span t)
{
    for (size_t i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.at[i];
        char ignored;

        if (c < 0x20 || c >= 0x7f ||
            (c == '&' && s3_xml_entity(t.at + i, t.size - i, &ignored) == 0)) {
            return false;
        }
        if (c == ']' && t.size - i >= 3 && memcmp(t.at + i, "]]>", 3) == 0) {
            return false; /* Not well formed. */
        }
    }
    return true;
}

/* Skip what is inside the element whose tag was just read, and its end. */
static bool s3_skip_element(struct s3_scan *s, struct s3_span name)
{
    struct s3_span open[S3_SKIP_DEPTH];
    struct s3_span tag;
    size_t depth = 1;

    open[0] = name;
    while (depth > 0) {
        char *next = memchr(s->at, '<', (size_t)(s->end - s->at));

        if (next == NULL || !s3_is_plain_text((struct s3_span){
                                s->at, (size_t)(next - s->at)})) {
            return false;
        }
        s->at = next;
        if (!s3_take_tag(s, &tag)) {
            return false;
        }
        if (tag.at[0] != '/') {
            if (depth == S3_SKIP_DEPTH) {
                return false;
            }
            open[depth++] = tag;
            continue;
        }
        depth--;
        if (!s3_is((struct s3_span){tag.at + 1, tag.size - 1}, open[depth].at,
                   open[depth].size)) {
            return false;
        }
    }
    return true;
}

static bool s3_take_size(struct s3_span t, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < t.size; i++) {
        unsigned digit = (unsigned)(unsigned char)t.at[i] - '0';

        if (digit > 9) {
            return false;
        }
        *out = *out * 10 + digit;
    }
    return t.size > 0 && t.size <= 18;
}

/* ---- one object --------------------------------------------------------- */

enum {
    S3_HAS_KEY = 1,
    S3_HAS_SIZE = 2,
    S3_HAS_ETAG = 4,
    S3_HAS_TIME = 8,
    S3_HAS_CLASS = 16,
};

/* Take one child of <Contents>, whose tag is @name. A field that comes twice
 * is for expat to judge. */
static bool s3_scan_field(struct s3_scan *s, struct s3_span name,
                          struct store_object *o, unsigned *has)
{
    struct s3_span text;
    unsigned is = S3_IS(name, "Key")            ? S3_HAS_KEY
                  : S3_IS(name, "Size")         ? S3_HAS_SIZE
                  : S3_IS(name, "ETag")         ? S3_HAS_ETAG
                  : S3_IS(name, "LastModified") ? S3_HAS_TIME
                  : S3_IS(name, "StorageClass") ? S3_HAS_CLASS
                                                : 0;

    if (is == 0) {
        return s3_skip_element(s, name);
    }
    if ((*has & is) != 0 || !s3_take_text(s, name, &text) ||
        !s3_is_plain_text(text)) {
        return false;
    }
    *has |= is;
    switch (is) {
    case S3_HAS_KEY:
        o->key = (struct bytes){text.at, text.size};
        return true;
    case S3_HAS_SIZE:
        return s3_take_size(text, &o->size);
    case S3_HAS_ETAG:
        o->etag = (struct bytes){text.at, text.size};
        return true;
    case S3_HAS_TIME:
        o->modified_ms = s3_time_iso((struct bytes){text.at, text.size});
        return true;
    default:
        s->list->has_archived |=
            s3_list_is_archive((struct bytes){text.at, text.size});
        return true;
    }
}

static bool s3_scan_object(struct s3_scan *s)
{
    struct store_object o = {.key = {"", 0}, .etag = {"", 0}};
    struct s3_span tag;
    unsigned has = 0;

    for (;;) {
        s3_skip_space(s);
        if (!s3_take_tag(s, &tag)) {
            return false;
        }
        if (tag.at[0] == '/') {
            break;
        }
        if (!s3_scan_field(s, tag, &o, &has)) {
            return false;
        }
    }
    if (!S3_IS(tag, "/Contents") || (has & 3) != 3 ||
        s->list->object_count == STORE_LIST_MAX) {
        return false;
    }
    s->list->objects[s->list->object_count++] = o;
    return true;
}

static bool s3_scan_prefix(struct s3_scan *s)
{
    struct s3_span tag;
    struct s3_span text;

    s3_skip_space(s);
    if (!s3_take_tag(s, &tag) || !S3_IS(tag, "Prefix") ||
        !s3_take_text(s, tag, &text) || !s3_is_plain_text(text) ||
        s->list->prefix_count == STORE_LIST_MAX) {
        return false;
    }
    s->list->prefixes[s->list->prefix_count++] =
        (struct bytes){text.at, text.size};
    s3_skip_space(s);
    return s3_take_tag(s, &tag) && S3_IS(tag, "/CommonPrefixes");
}

/* ---- the page ----------------------------------------------------------- */

/* A child of the root that is not an object. */
static bool s3_scan_fact(struct s3_scan *s, struct s3_span name)
{
    struct s3_span text;

    if (!S3_IS(name, "IsTruncated") && !S3_IS(name, "EncodingType") &&
        !S3_IS(name, "NextContinuationToken")) {
        return s3_skip_element(s, name);
    }
    if (!s3_take_text(s, name, &text) || !s3_is_plain_text(text)) {
        return false;
    }
    if (S3_IS(name, "IsTruncated")) {
        s->list->is_truncated = S3_IS(text, "true");
        return S3_IS(text, "true") || S3_IS(text, "false");
    }
    if (S3_IS(name, "EncodingType")) {
        s->is_coded = S3_IS(text, "url");
        return s->is_coded || text.size == 0;
    }
    s->list->next = (struct bytes){text.at, text.size};
    return true;
}

static bool s3_scan_root(struct s3_scan *s)
{
    static const char root[] = "<ListBucketResult";
    char *close;

    s3_skip_space(s);
    if (s->end - s->at > 5 && memcmp(s->at, "<?xml", 5) == 0) {
        close = memchr(s->at, '>', (size_t)(s->end - s->at));
        if (close == NULL || close - s->at > 64 || close[-1] != '?' ||
            memchr(s->at, 'U', (size_t)(close - s->at)) == NULL) {
            return false; /* Another encoding than UTF-8, maybe. */
        }
        s->at = close + 1;
        s3_skip_space(s);
    }
    if ((size_t)(s->end - s->at) < sizeof(root) ||
        memcmp(s->at, root, sizeof(root) - 1) != 0) {
        return false;
    }
    s->at += sizeof(root) - 1;
    close = memchr(s->at, '>', (size_t)(s->end - s->at));
    if (close == NULL) {
        return false;
    }
    /* Nothing, or the one name space that it has. */
    if (close > s->at) {
        static const char space[] =
            " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

        if (!s3_is((struct s3_span){s->at, (size_t)(close - s->at)}, space,
                   sizeof(space) - 1)) {
            return false;
        }
    }
    s->at = close + 1;
    return true;
}

static bool s3_scan_children(struct s3_scan *s)
{
    struct s3_span tag;

    for (;;) {
        s3_skip_space(s);
        if (!s3_take_tag(s, &tag)) {
            return false;
        }
        if (S3_IS(tag, "Contents")) {
            if (!s3_scan_object(s)) {
                return false;
            }
        } else if (S3_IS(tag, "CommonPrefixes")) {
            if (!s3_scan_prefix(s)) {
                return false;
            }
        } else if (tag.at[0] == '/') {
            s3_skip_space(s);
            return S3_IS(tag, "/ListBucketResult") && s->at == s->end;
        } else if (!s3_scan_fact(s, tag)) {
            return false;
        }
    }
}

/* The page is ours to change. */
static char *s3_own(struct bytes view)
{
    union {
        const char *view;
        char *own;
    } u = {view.at};

    return u.own;
}

static bool s3_decode(const struct s3_scan *s, struct bytes *view)
{
    char *at = s3_own(*view);
    size_t size = s3_xml_unescape(at, view->size);

    if (s->is_coded && !percent_decode(at, &size)) {
        return false;
    }
    view->size = size;
    return true;
}

static enum status s3_decode_all(struct s3_scan *s)
{
    struct s3_list *l = s->list;

    for (uint32_t i = 0; i < l->object_count; i++) {
        struct store_object *o = &l->objects[i];

        if (o->etag.size > 0) {
            char *at = s3_own(o->etag);

            o->etag = s3_list_quote(at, s3_xml_unescape(at, o->etag.size));
        }
        if (!s3_decode(s, &o->key)) {
            return STATUS_MALFORMED;
        }
    }
    for (uint32_t i = 0; i < l->prefix_count; i++) {
        if (!s3_decode(s, &l->prefixes[i])) {
            return STATUS_MALFORMED;
        }
    }
    l->next.size = s3_xml_unescape(s3_own(l->next), l->next.size);
    return STATUS_OK;
}

enum status s3_list_scan(char *page, size_t size, struct s3_list *out)
{
    struct s3_scan s = {page, page + size, out, false};

    out->object_count = 0;
    out->prefix_count = 0;
    out->is_truncated = false;
    out->is_unordered = false;
    out->has_archived = false;
    out->next = (struct bytes){page, 0};
    if (!s3_scan_root(&s) || !s3_scan_children(&s)) {
        return STATUS_UNSUPPORTED;
    }
    return s3_decode_all(&s);
}
