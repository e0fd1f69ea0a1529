/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner: elements without attributes, texts up to the next '<', nothing
 * else. Whatever it meets beside that it leaves to expat, before a byte of
 * the page was changed; texts are decoded in place only after the whole page
 * was understood.
 *
 * It is fast because a text is looked at once, eight bytes at a time, and
 * because the tags of an object are compared as constants. Their order does
 * not matter. */

#include <string.h>

#include "base/utf8.h"
#include "store/s3_xml.h"
#include "store/s3_xml_parts.h"

enum { S3_SKIP_DEPTH = 4, S3_SCAN_NAME_MAX = 48 };

struct s3_scan {
    char *at;
    char *end;
    struct s3_list *list;
    unsigned has; /* Facts about the page that were told. */
    bool is_coded;
};

/* A text inside the page. */
struct s3_span {
    char *at;
    size_t size;
};

static struct bytes s3_view(struct s3_span span)
{
    return (struct bytes){span.at, span.size};
}

/* Take @text, if the page goes on with it. Inline, so that the comparison is
 * made of a few words. */
static inline bool s3_take(struct s3_scan *s, const char *text, size_t size)
{
    if ((size_t)(s->end - s->at) < size || memcmp(s->at, text, size) != 0) {
        return false;
    }
    s->at += size;
    return true;
}
#define S3_TAKE(scan, literal) s3_take(scan, literal, sizeof(literal) - 1)

static void s3_skip_space(struct s3_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' ||
                              *s->at == '\r' || *s->at == '\t')) {
        s->at++;
    }
}

/* ---- texts -------------------------------------------------------------- */

#define S3_EACH_BYTE(c) (0x0101010101010101u * (c))

/* Marks with its top bit each byte that is zero. A mark above the lowest one
 * may be wrong. */
static inline uint64_t s3_zeros(uint64_t word)
{
    return (word - S3_EACH_BYTE(1)) & ~word & S3_EACH_BYTE(0x80);
}

/* Marks the first of eight bytes that is not a plain one of a text: a control
 * byte, one of "<&]", or not ASCII. */
static inline uint64_t s3_odd(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;
    uint64_t word = (uint64_t)c[0] | (uint64_t)c[1] << 8 |
                    (uint64_t)c[2] << 16 | (uint64_t)c[3] << 24 |
                    (uint64_t)c[4] << 32 | (uint64_t)c[5] << 40 |
                    (uint64_t)c[6] << 48 | (uint64_t)c[7] << 56;
    uint64_t control = (word - S3_EACH_BYTE(0x20)) & ~word;

    return ((control | word) & S3_EACH_BYTE(0x80)) |
           s3_zeros(word ^ S3_EACH_BYTE('<')) |
           s3_zeros(word ^ S3_EACH_BYTE('&')) |
           s3_zeros(word ^ S3_EACH_BYTE(']'));
}

/* How many bytes the odd thing at @at takes; 0: it is not ours. At least
 * eight bytes follow. */
static size_t s3_odd_size(const char *at, const char *end)
{
    struct bytes rest = {at, (size_t)(end - at)};
    uint32_t code = 0;
    size_t size;

    if (*at == '&') {
        return memcmp(at, "&quot;", 6) == 0
                   ? 6
                   : s3_xml_reference(at, rest.size, &code);
    }
    if (*at == ']') {
        return memcmp(at, "]]>", 3) == 0 ? 0 : 1;
    }
    if ((unsigned char)*at < 0x20) {
        return 0;
    }
    size = utf8_read(rest, &code);
    return utf8_is_surrogate(code) || code == 0xfffe || code == 0xffff ? 0
                                                                       : size;
}

/* Take a text up to the next '<'. false: it holds what is not ours. */
static bool s3_take_text(struct s3_scan *s, struct s3_span *text)
{
    char *at = s->at;

    /* The end of the root, which is longer, comes after every text. */
    while (s->end - at >= 8) {
        uint64_t odd = s3_odd(at);
        size_t size;

        if (odd == 0) {
            at += 8;
            continue;
        }
        at += __builtin_ctzll(odd) / 8;
        if (*at == '<') {
            *text = (struct s3_span){s->at, (size_t)(at - s->at)};
            s->at = at;
            return true;
        }
        if (s->end - at < 8) {
            return false;
        }
        size = s3_odd_size(at, s->end);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return false;
}

/* ---- elements of no interest -------------------------------------------- */

/* Letters, digits too where they may stand. */
static bool s3_is_name(unsigned char c, bool has_digits)
{
    static const uint64_t letters = 0x07fffffe07fffffe;
    static const uint64_t digits = 0x03ff000000000000;

    return (c >= 64 && c < 128 && (letters >> (c - 64) & 1) != 0) ||
           (c < 64 && has_digits && (digits >> c & 1) != 0);
}

/* Take "<name>" or "</name>" (its name with the slash). */
static bool s3_take_tag(struct s3_scan *s, struct s3_span *name)
{
    char *start = s->at;
    size_t left = (size_t)(s->end - start);
    size_t max = left < S3_SCAN_NAME_MAX ? left : S3_SCAN_NAME_MAX;
    size_t first = max > 2 && start[1] == '/' ? 2 : 1;
    size_t i = first;

    if (max < 3 || start[0] != '<') {
        return false;
    }
    while (i < max && s3_is_name((unsigned char)start[i], i > first)) {
        i++;
    }
    /* Attributes, prefixes, comments, "<x/>" are not ours. */
    if (i == max || i == first || start[i] != '>') {
        return false;
    }
    *name = (struct s3_span){start + 1, i - 1};
    s->at = start + i + 1;
    return true;
}

/* Take the end of the element @name. */
static bool s3_take_end(struct s3_scan *s, struct s3_span name)
{
    char *at = s->at;

    if ((size_t)(s->end - at) < name.size + 3 || at[0] != '<' || at[1] != '/' ||
        memcmp(at + 2, name.at, name.size) != 0 || at[name.size + 2] != '>') {
        return false;
    }
    s->at += name.size + 3;
    return true;
}

/* Skip what is inside the element whose tag was just read, and its end. */
static bool s3_skip_element(struct s3_scan *s, struct s3_span name)
{
    struct s3_span open[S3_SKIP_DEPTH];
    struct s3_span text;
    size_t depth = 0;

    open[0] = name;
    for (;;) {
        s3_skip_space(s);
        if (!s3_take_text(s, &text)) {
            return false;
        }
        if (s3_take_end(s, open[depth])) {
            if (depth == 0) {
                return true;
            }
            depth--;
        } else if (++depth == S3_SKIP_DEPTH || !s3_take_tag(s, &open[depth]) ||
                   open[depth].at[0] == '/') {
            return false;
        }
    }
}

static bool s3_skip_unknown(struct s3_scan *s)
{
    struct s3_span name;

    return s3_take_tag(s, &name) && name.at[0] != '/' &&
           s3_skip_element(s, name);
}

/* ---- one object --------------------------------------------------------- */

enum s3_field {
    S3_OTHER = 0,
    S3_KEY = 1,
    S3_SIZE = 2,
    S3_ETAG = 4,
    S3_TIME = 8,
    S3_CLASS = 16,
    S3_END = 32,
};

/* Take the tag of a field that we want. OTHER: it is none, nothing was
 * taken. */
static inline enum s3_field s3_take_field(struct s3_scan *s)
{
    if (s->end - s->at < 2) {
        return S3_OTHER;
    }
    switch (s->at[1]) {
    case 'K':
        return S3_TAKE(s, "<Key>") ? S3_KEY : S3_OTHER;
    case 'L':
        return S3_TAKE(s, "<LastModified>") ? S3_TIME : S3_OTHER;
    case 'E':
        return S3_TAKE(s, "<ETag>") ? S3_ETAG : S3_OTHER;
    case 'S':
        return S3_TAKE(s, "<Size>")           ? S3_SIZE
               : S3_TAKE(s, "<StorageClass>") ? S3_CLASS
                                              : S3_OTHER;
    case '/':
        return S3_TAKE(s, "</Contents>") ? S3_END : S3_OTHER;
    default:
        return S3_OTHER;
    }
}

/* An etag without control characters: it goes into a header. */
static bool s3_is_etag(struct s3_span text)
{
    const char *end = text.at + text.size;
    const char *at = memchr(text.at, '&', text.size);

    /* A text does not end in the middle of a reference. */
    while (at != NULL && at[1] != '#') {
        at = memchr(at + 1, '&', (size_t)(end - at) - 1);
    }
    return at == NULL;
}

/* Take the text of @field and the end of its element. */
static inline bool s3_take_value(struct s3_scan *s, enum s3_field field,
                                 struct store_object *o)
{
    struct s3_span text;

    if (!s3_take_text(s, &text)) {
        return false;
    }
    switch (field) {
    case S3_KEY:
        o->key = s3_view(text);
        return S3_TAKE(s, "</Key>");
    case S3_SIZE:
        return s3_list_size(s3_view(text), &o->size) && S3_TAKE(s, "</Size>");
    case S3_ETAG:
        o->etag = s3_view(text);
        return s3_is_etag(text) && S3_TAKE(s, "</ETag>");
    case S3_TIME:
        o->modified_ms = s3_time_iso(s3_view(text));
        return S3_TAKE(s, "</LastModified>");
    case S3_CLASS:
        s->list->has_archived |= s3_list_is_archive(s3_view(text));
        return S3_TAKE(s, "</StorageClass>");
    case S3_OTHER:
    case S3_END:
    default:
        return false;
    }
}

/* Take an object, whose tag was just read. A field that comes twice is for
 * expat to judge. */
static bool s3_scan_object(struct s3_scan *s)
{
    struct store_object o = {.key = {"", 0}, .etag = {"", 0}};
    enum s3_field field;
    unsigned has = 0;

    for (;;) {
        s3_skip_space(s);
        field = s3_take_field(s);
        if (field == S3_END) {
            break;
        }
        if (field == S3_OTHER) {
            if (!s3_skip_unknown(s)) {
                return false;
            }
            continue;
        }
        if ((has & field) != 0 || !s3_take_value(s, field, &o)) {
            return false;
        }
        has |= field;
    }
    if ((has & (S3_KEY | S3_SIZE)) != (S3_KEY | S3_SIZE) ||
        s->list->object_count == STORE_LIST_MAX) {
        return false;
    }
    s->list->objects[s->list->object_count++] = o;
    return true;
}

static bool s3_scan_prefix(struct s3_scan *s)
{
    struct s3_span text;

    s3_skip_space(s);
    if (!S3_TAKE(s, "<Prefix>") || !s3_take_text(s, &text) ||
        !S3_TAKE(s, "</Prefix>") || s->list->prefix_count == STORE_LIST_MAX) {
        return false;
    }
    s->list->prefixes[s->list->prefix_count++] = s3_view(text);
    s3_skip_space(s);
    return S3_TAKE(s, "</CommonPrefixes>");
}

/* ---- the page ----------------------------------------------------------- */

enum {
    S3_FACT_TRUNCATED = 1,
    S3_FACT_CODED = 2,
    S3_FACT_NEXT = 4,
};

/* Take a fact's text and the end of its element, once. */
static bool s3_take_fact(struct s3_scan *s, unsigned fact, const char *name,
                         struct bytes *text)
{
    struct s3_span tag = {NULL, strlen(name)};
    struct s3_span span;

    if ((s->has & fact) != 0) {
        return false;
    }
    s->has |= fact;
    tag.at = s->at - tag.size - 1; /* "<name>" was just taken. */
    if (!s3_take_text(s, &span) || !s3_take_end(s, tag)) {
        return false;
    }
    *text = s3_view(span);
    return true;
}

/* Take a child of the root that is neither object nor prefix. */
static bool s3_scan_fact(struct s3_scan *s)
{
    struct bytes text;

    if (S3_TAKE(s, "<IsTruncated>")) {
        if (!s3_take_fact(s, S3_FACT_TRUNCATED, "IsTruncated", &text)) {
            return false;
        }
        s->list->is_truncated = bytes_is(text, "true");
        return s->list->is_truncated || bytes_is(text, "false");
    }
    if (S3_TAKE(s, "<EncodingType>")) {
        if (!s3_take_fact(s, S3_FACT_CODED, "EncodingType", &text)) {
            return false;
        }
        s->is_coded = bytes_is(text, "url");
        return s->is_coded || text.size == 0;
    }
    if (S3_TAKE(s, "<NextContinuationToken>")) {
        return s3_take_fact(s, S3_FACT_NEXT, "NextContinuationToken",
                            &s->list->next);
    }
    return s3_skip_unknown(s);
}

/* The declarations that servers send, or none. */
static void s3_skip_declaration(struct s3_scan *s)
{
    (void)(S3_TAKE(s, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>") ||
           S3_TAKE(s, "<?xml version=\"1.0\" encoding=\"utf-8\"?>") ||
           S3_TAKE(s, "<?xml version='1.0' encoding='UTF-8'?>") ||
           S3_TAKE(s, "<?xml version='1.0' encoding='utf-8'?>") ||
           S3_TAKE(s, "<?xml version=\"1.0\"?>") ||
           S3_TAKE(s, "<?xml version=\"1.0\" encoding=\"UTF-8\" "
                      "standalone=\"yes\"?>"));
}

/* Take the root's tag: with no attribute, or with a name space. */
static bool s3_scan_root(struct s3_scan *s)
{
    char quote;

    s3_skip_space(s);
    s3_skip_declaration(s);
    s3_skip_space(s);
    if (S3_TAKE(s, "<ListBucketResult>")) {
        return true;
    }
    if (!S3_TAKE(s, "<ListBucketResult xmlns=") || s->at == s->end) {
        return false;
    }
    quote = *s->at++;
    while (s->at < s->end && (s3_is_name((unsigned char)*s->at, true) ||
                              memchr(":/.-", *s->at, 4) != NULL)) {
        s->at++;
    }
    return (quote == '"' && S3_TAKE(s, "\">")) ||
           (quote == '\'' && S3_TAKE(s, "'>"));
}

static bool s3_scan_page(struct s3_scan *s)
{
    if (!s3_scan_root(s)) {
        return false;
    }
    for (;;) {
        bool is_good;

        s3_skip_space(s);
        if (S3_TAKE(s, "<Contents>")) {
            is_good = s3_scan_object(s);
        } else if (S3_TAKE(s, "<CommonPrefixes>")) {
            is_good = s3_scan_prefix(s);
        } else if (S3_TAKE(s, "</ListBucketResult>")) {
            s3_skip_space(s);
            return s->at == s->end;
        } else {
            is_good = s3_scan_fact(s);
        }
        if (!is_good) {
            return false;
        }
    }
}

/* ---- decoding ----------------------------------------------------------- */

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

    view->size = s3_xml_unescape(at, view->size);
    return s3_list_decode(at, &view->size, s->is_coded);
}

static void s3_decode_etag(struct bytes *etag)
{
    char *at = s3_own(*etag);
    size_t size = etag->size;

    /* Nearly every one is two quotes around what means itself. */
    if (size >= 12 && memcmp(at, "&quot;", 6) == 0 &&
        memcmp(at + size - 6, "&quot;", 6) == 0 &&
        memchr(at + 6, '&', size - 12) == NULL) {
        at[5] = '"';
        at[size - 6] = '"';
        *etag = (struct bytes){at + 5, size - 10};
    } else if (size > 0) {
        *etag = s3_list_quote(at, s3_xml_unescape(at, size));
    }
}

static bool s3_decode_all(struct s3_scan *s)
{
    struct s3_list *l = s->list;
    bool is_good = true;

    for (uint32_t i = 0; i < l->object_count; i++) {
        s3_decode_etag(&l->objects[i].etag);
        is_good &= s3_decode(s, &l->objects[i].key);
    }
    for (uint32_t i = 0; i < l->prefix_count; i++) {
        is_good &= s3_decode(s, &l->prefixes[i]);
    }
    l->next.size = s3_xml_unescape(s3_own(l->next), l->next.size);
    return is_good;
}

enum status s3_list_scan(char *page, size_t size, struct s3_list *out)
{
    struct s3_scan s = {page, page + size, out, 0, false};

    s3_list_clear(out);
    out->next.at = page; /* May be written to, even when it is empty. */
    if (!s3_scan_page(&s)) {
        return STATUS_UNSUPPORTED;
    }
    return s3_decode_all(&s) ? STATUS_OK : STATUS_MALFORMED;
}
