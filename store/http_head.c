/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_head.h"

#include <string.h>
#include <strings.h>

/* One header as it stands in its line. */
struct head_line {
    struct bytes name;
    struct bytes value;
};

/* What the lines have said so far. */
struct head_facts {
    bool has_length;
    uint64_t length;
    bool has_encoding;
    bool is_close;
    bool is_keep_alive;
};

static bool head_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool head_is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool head_is_token(char c)
{
    return head_is_digit(c) || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool head_is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static struct bytes head_trim(struct bytes b)
{
    while (b.size > 0 && head_is_space(b.at[0])) {
        b.at++;
        b.size--;
    }
    while (b.size > 0 && head_is_space(b.at[b.size - 1])) {
        b.size--;
    }
    return b;
}

static bool head_same(struct bytes a, const char *text)
{
    return a.size == strlen(text) && strncasecmp(a.at, text, a.size) == 0;
}

/* ---- the end of it ------------------------------------------------------ */

/* Return the size of the head that starts @data, 0 if its empty line is not
 * there. All up to @seen is known to hold none. */
static size_t head_find_end(struct bytes data, size_t *seen)
{
    size_t from = *seen;

    while (from < data.size) {
        const char *end = memchr(data.at + from, '\n', data.size - from);
        size_t next;

        if (end == NULL) {
            *seen = data.size;
            break;
        }
        next = (size_t)(end - data.at) + 1;
        if (next < data.size && data.at[next] == '\n') {
            return next + 1;
        }
        if (next + 1 < data.size && data.at[next] == '\r' &&
            data.at[next + 1] == '\n') {
            return next + 2;
        }
        if (next + 2 > data.size) {
            *seen = next - 1; /* What follows this LF decides. */
            break;
        }
        from = next;
    }
    return 0;
}

/* ---- the status line ---------------------------------------------------- */

static bool head_starts_well(struct bytes data)
{
    static const char start[] = "HTTP/1.";
    size_t size = sizeof(start) - 1;

    return memcmp(data.at, start, data.size < size ? data.size : size) == 0;
}

static bool head_status(struct bytes line, struct http_head *out, int *minor)
{
    const char *p = line.at;

    if (line.size < 12 || !head_starts_well(line) || !head_is_digit(p[7]) ||
        p[8] != ' ' || p[9] < '1' || !head_is_digit(p[9]) ||
        !head_is_digit(p[10]) || !head_is_digit(p[11]) ||
        (line.size > 12 && p[12] != ' ')) {
        return false;
    }
    for (size_t i = 12; i < line.size; i++) {
        if (!head_is_text(p[i])) {
            return false;
        }
    }
    *minor = p[7] - '0';
    out->code = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    return true;
}

/* ---- the header lines --------------------------------------------------- */

static const char *head_split(struct bytes line, struct head_line *out)
{
    size_t name = 0;

    if (line.size > 0 && head_is_space(line.at[0])) {
        return "a header is folded";
    }
    while (name < line.size && head_is_token(line.at[name])) {
        name++;
    }
    if (name == 0 || name == line.size || line.at[name] != ':') {
        return "a line is no header";
    }
    for (size_t i = name + 1; i < line.size; i++) {
        if (!head_is_text(line.at[i])) {
            return "a header holds a control byte";
        }
    }
    out->name = (struct bytes){line.at, name};
    out->value =
        head_trim((struct bytes){line.at + name + 1, line.size - name - 1});
    return NULL;
}

static bool head_number(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)(text.at[i] - '0');

        if (!head_is_digit(text.at[i]) || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return text.size > 0;
}

/* Cut the next element off the comma-separated @list. */
static bool head_element(struct bytes *list, struct bytes *out)
{
    const char *comma;
    size_t size;

    if (list->size == 0) {
        return false;
    }
    comma = memchr(list->at, ',', list->size);
    size = comma != NULL ? (size_t)(comma - list->at) : list->size;
    *out = head_trim((struct bytes){list->at, size});
    size += comma != NULL;
    list->at += size;
    list->size -= size;
    return true;
}

static const char *head_length(struct bytes value, struct head_facts *f)
{
    struct bytes element;
    uint64_t length;

    if (value.size == 0) {
        return "an empty Content-Length";
    }
    while (head_element(&value, &element)) {
        if (!head_number(element, &length)) {
            return "Content-Length is no number";
        }
        if (f->has_length && f->length != length) {
            return "two different Content-Length";
        }
        f->has_length = true;
        f->length = length;
    }
    return NULL;
}

static const char *head_encoding(struct bytes value, struct head_facts *f)
{
    if (f->has_encoding || !head_same(value, "chunked")) {
        return "a Transfer-Encoding that is not \"chunked\"";
    }
    f->has_encoding = true;
    return NULL;
}

static void head_connection(struct bytes value, struct head_facts *f)
{
    struct bytes element;

    while (head_element(&value, &element)) {
        f->is_close = f->is_close || head_same(element, "close");
        f->is_keep_alive = f->is_keep_alive || head_same(element, "keep-alive");
    }
}

static const char *head_note(const struct head_line *line, struct head_facts *f)
{
    if (head_same(line->name, "content-length")) {
        return head_length(line->value, f);
    }
    if (head_same(line->name, "transfer-encoding")) {
        return head_encoding(line->value, f);
    }
    if (head_same(line->name, "connection")) {
        head_connection(line->value, f);
    }
    return NULL;
}

/* ---- all of it ---------------------------------------------------------- */

/* Cut the next line off @rest, which holds whole lines only. */
static struct bytes head_line(struct bytes *rest)
{
    const char *end = memchr(rest->at, '\n', rest->size);
    size_t size = end != NULL ? (size_t)(end - rest->at) : rest->size;
    struct bytes line = {rest->at, size};

    size += end != NULL;
    rest->at += size;
    rest->size -= size;
    if (line.size > 0 && line.at[line.size - 1] == '\r') {
        line.size--;
    }
    return line;
}

static const char *head_read(struct bytes rest, struct http_head *out)
{
    struct head_facts f = {0};
    struct head_line line;
    const char *why = NULL;
    int minor = 0;

    if (!head_status(head_line(&rest), out, &minor)) {
        return "the status line is not HTTP/1";
    }
    out->headers = rest;
    while (rest.size > 0) {
        struct bytes text = head_line(&rest);

        if (text.size == 0) {
            out->headers.size = (size_t)(text.at - out->headers.at);
            break;
        }
        why = head_split(text, &line);
        why = why != NULL ? why : head_note(&line, &f);
        if (why != NULL) {
            return why;
        }
    }
    if (f.has_encoding && minor == 0) {
        return "Transfer-Encoding in HTTP/1.0";
    }
    /* With both, chunks count; but whoever stood between may have seen it
     * otherwise, so nothing after it is believed. */
    out->is_chunked = f.has_encoding;
    out->has_length = f.has_length && !f.has_encoding;
    out->length = out->has_length ? f.length : 0;
    out->is_kept = !f.is_close && (minor >= 1 || f.is_keep_alive) &&
                   !(f.has_length && f.has_encoding);
    return NULL;
}

enum http_head_state http_head_parse(struct bytes data, size_t *seen,
                                     struct http_head *out, const char **why)
{
    *out = (struct http_head){0};
    *why = NULL;
    if (data.size == 0) {
        return HTTP_HEAD_MORE;
    }
    if (!head_starts_well(data)) {
        *why = "the status line is not HTTP/1";
        return HTTP_HEAD_BAD;
    }
    out->size = head_find_end(data, seen);
    if (out->size == 0) {
        return HTTP_HEAD_MORE;
    }
    *why = head_read((struct bytes){data.at, out->size}, out);
    return *why != NULL ? HTTP_HEAD_BAD : HTTP_HEAD_WHOLE;
}

bool http_head_is_bare(int code, const char *method)
{
    return code < 200 || code == 204 || code == 304 ||
           strcmp(method, "HEAD") == 0;
}
