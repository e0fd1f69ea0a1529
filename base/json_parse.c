/* SPDX-License-Identifier: Apache-2.0 */
/* The reader. Values wait in one list until the bracket that holds them is
 * closed; then they are copied to where they stay. Strings and digits go to
 * one text that is as long as the input, since no escape is shorter than what
 * it stands for. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json_node.h"
#include "base/mem.h"
#include "base/utf8.h"

/* As sys.get_int_max_str_digits() of Python. */
enum { JSON_NESTED_DIGITS_MAX = 4300 };

/* A bracket that is open. */
struct json_frame {
    size_t holder; /* Its own value; its members come after it. */
    bool is_object;
};

struct json_parser {
    struct bytes text;
    size_t at;
    uint32_t line;
    bool is_nested;
    const char *name;
    struct fault *why;
    struct json_doc *doc;
    char *text_end; /* Where the next string of the document goes. */
    struct json_member *pending;
    size_t count;
    size_t room;
    size_t depth;
    struct json_frame frames[JSON_DEPTH_MAX];
};

/* Say what is wrong at byte @at. Columns count code points, from 1. */
static enum status json_fail(struct json_parser *p, size_t at, enum status s,
                             const char *what)
{
    size_t line = 1;
    size_t column = 1;

    for (size_t i = 0; i < at && i < p->text.size; i++) {
        if (p->text.at[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)p->text.at[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    return fault_set(p->why, s, "%s:%zu:%zu: %s", p->name, line, column, what);
}

static enum status json_malformed(struct json_parser *p, const char *what)
{
    if (p->at >= p->text.size) {
        what = "the text ends too early";
    }
    return json_fail(p, p->at, STATUS_MALFORMED, what);
}

/* The byte at hand; NUL, which is no JSON, stands for the end too. */
static char json_peek(const struct json_parser *p)
{
    return p->at < p->text.size ? p->text.at[p->at] : '\0';
}

static void json_skip_space(struct json_parser *p)
{
    for (; p->at < p->text.size; p->at++) {
        char c = p->text.at[p->at];

        if (c == '\n') {
            p->line++;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static bool json_skip_word(struct json_parser *p, struct bytes word)
{
    struct bytes rest = {p->text.at + p->at, p->text.size - p->at};

    if (!bytes_has_prefix(rest, word)) {
        return false;
    }
    p->at += word.size;
    return true;
}

/* The value that was pushed last. */
static struct json *json_last(struct json_parser *p)
{
    CHECK(p->count > 0);
    return &p->pending[p->count - 1].value;
}

static void json_push(struct json_parser *p, struct bytes key)
{
    if (p->count == p->room) {
        p->room = p->room == 0 ? 64 : p->room * 2;
        p->pending = mem_grow(p->pending, p->room, sizeof(*p->pending));
    }
    p->pending[p->count++] = (struct json_member){.key = key};
}

/* Four hex digits at @at; -1: there are none. */
static int32_t json_read_hex(const struct json_parser *p, size_t at)
{
    int32_t value = 0;

    if (p->text.size < 4 || at > p->text.size - 4) {
        return -1;
    }
    for (size_t i = at; i < at + 4; i++) {
        char c = p->text.at[i];
        char lower = (char)(c | 0x20);

        if (c >= '0' && c <= '9') {
            value = value * 16 + (c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            value = value * 16 + (lower - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

/* At the 'u' of an escape. A pair of surrogates becomes one code point. */
static enum status json_read_unicode(struct json_parser *p)
{
    int32_t code = json_read_hex(p, p->at + 1);
    int32_t low;

    if (code < 0) {
        return json_malformed(p, "\\u needs four hexadecimal digits");
    }
    p->at += 5;
    if (code >= 0xd800 && code < 0xdc00 && json_peek(p) == '\\' &&
        p->at + 1 < p->text.size && p->text.at[p->at + 1] == 'u') {
        low = json_read_hex(p, p->at + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            p->at += 6;
        }
    }
    p->text_end += utf8_write((uint32_t)code, p->text_end);
    return STATUS_OK;
}

/* After a backslash. */
static enum status json_read_escape(struct json_parser *p)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char c = json_peek(p);
    const char *found;

    if (c == 'u') {
        return json_read_unicode(p);
    }
    found = c != '\0' ? strchr(from, c) : NULL;
    if (found == NULL) {
        return json_malformed(p, "no such escape in a string");
    }
    *p->text_end++ = to[found - from];
    p->at++;
    return STATUS_OK;
}

/* A byte above ASCII in a string. */
static enum status json_read_utf8(struct json_parser *p)
{
    struct bytes rest = {p->text.at + p->at, p->text.size - p->at};
    uint32_t code = 0;
    size_t size = utf8_read(rest, &code);

    if (size == 0 || (utf8_is_surrogate(code) && !p->is_nested)) {
        return json_malformed(p, "the bytes are not UTF-8");
    }
    memcpy(p->text_end, rest.at, size);
    p->text_end += size;
    p->at += size;
    return STATUS_OK;
}

static enum status json_read_char(struct json_parser *p)
{
    unsigned char c = (unsigned char)json_peek(p);

    if (c == '\\') {
        p->at++;
        return json_read_escape(p);
    }
    if (c >= 0x80) {
        return json_read_utf8(p);
    }
    if (c < 0x20) {
        return json_malformed(p, "a control character in a string must be "
                                 "written as an escape");
    }
    *p->text_end++ = (char)c;
    p->at++;
    return STATUS_OK;
}

/* At a quote. */
static enum status json_read_string(struct json_parser *p, struct bytes *out)
{
    const char *start = p->text_end;
    size_t quote = p->at;
    enum status s;

    CHECK(json_peek(p) == '"');
    p->at++;
    while (p->at < p->text.size && p->text.at[p->at] != '"') {
        s = json_read_char(p);
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (p->at >= p->text.size) {
        return json_fail(p, quote, STATUS_MALFORMED,
                         "the string has no closing quote");
    }
    p->at++;
    *out = (struct bytes){start, (size_t)(p->text_end - start)};
    return STATUS_OK;
}

static size_t json_skip_digits(struct json_parser *p)
{
    size_t from = p->at;

    while (json_peek(p) >= '0' && json_peek(p) <= '9') {
        p->at++;
    }
    return p->at - from;
}

static enum status json_skip_fraction(struct json_parser *p)
{
    if (json_peek(p) == '.') {
        p->at++;
        if (json_skip_digits(p) == 0) {
            return json_malformed(p, "a digit must follow the point");
        }
    }
    if (json_peek(p) == 'e' || json_peek(p) == 'E') {
        p->at++;
        if (json_peek(p) == '+' || json_peek(p) == '-') {
            p->at++;
        }
        if (json_skip_digits(p) == 0) {
            return json_malformed(p, "the exponent has no digit");
        }
    }
    return STATUS_OK;
}

static void json_keep_digits(struct json_parser *p, struct bytes digits)
{
    struct json *v = json_last(p);

    /* Python has no negative zero among the integers. */
    if (bytes_is(digits, "-0")) {
        digits = BYTES("0");
    }
    v->type = JSON_INT;
    v->as.text = (struct bytes){p->text_end, digits.size};
    memcpy(p->text_end, digits.at, digits.size);
    p->text_end += digits.size;
}

/* At a digit or a minus sign. */
static enum status json_read_number(struct json_parser *p)
{
    size_t from = p->at;
    size_t digits;
    struct bytes text;
    enum status s;

    p->at += json_peek(p) == '-';
    digits = p->at;
    if (json_skip_digits(p) == 0) {
        return json_malformed(p, "a digit must follow the minus sign");
    }
    if (p->text.at[digits] == '0' && p->at - digits > 1) {
        return json_fail(p, from, STATUS_MALFORMED,
                         "a number must not start with 0");
    }
    digits = p->at - digits;
    text = (struct bytes){p->text.at + from, p->at - from};
    s = json_skip_fraction(p);
    if (s != STATUS_OK) {
        return s;
    }
    if (text.size == p->at - from) {
        if (p->is_nested && digits > JSON_NESTED_DIGITS_MAX) {
            return json_fail(p, from, STATUS_MALFORMED, "the integer is long");
        }
        json_keep_digits(p, text);
        return STATUS_OK;
    }
    text.size = p->at - from;
    json_last(p)->type = JSON_REAL;
    json_last(p)->as.real = json_read_double(text);
    return STATUS_OK;
}

/* Try the words of JSON and those that Python adds. */
static bool json_read_word(struct json_parser *p)
{
    static const struct {
        struct bytes word;
        struct json value;
    } words[] = {
        {{"null", 4}, {.type = JSON_NULL}},
        {{"true", 4}, {.type = JSON_BOOL, .is_true = true}},
        {{"false", 5}, {.type = JSON_BOOL}},
        {{"NaN", 3}, {.type = JSON_REAL, .as.real = NAN}},
        {{"Infinity", 8}, {.type = JSON_REAL, .as.real = INFINITY}},
        {{"-Infinity", 9}, {.type = JSON_REAL, .as.real = -INFINITY}},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (json_skip_word(p, words[i].word)) {
            *json_last(p) = words[i].value;
            return true;
        }
    }
    return false;
}

/* Read what is not a bracket into the value that was pushed last. */
static enum status json_read_scalar(struct json_parser *p)
{
    char c = json_peek(p);

    if (c == '"') {
        json_last(p)->type = JSON_STRING;
        return json_read_string(p, &json_last(p)->as.text);
    }
    if (json_read_word(p)) {
        return STATUS_OK;
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return json_read_number(p);
    }
    return json_malformed(p, "this is not a JSON value");
}

/* Move the members of the last open bracket to where they stay. */
static void json_close(struct json_parser *p)
{
    const struct json_frame *f = &p->frames[--p->depth];
    struct json_member *from = p->pending + f->holder + 1;
    struct json *v = &p->pending[f->holder].value;
    size_t count = p->count - f->holder - 1;

    if (f->is_object) {
        count = json_drop_equal_keys(from, count);
    }
    v->as.members.at = json_doc_keep(p->doc, from, count);
    v->as.members.count = count;
    p->count = f->holder + 1;
    p->at++;
}

/* Read `"key" :` and push the member. */
static enum status json_read_key(struct json_parser *p)
{
    struct bytes key = {0};
    enum status s;

    json_skip_space(p);
    if (json_peek(p) != '"') {
        return json_malformed(p, "a key in double quotes must stand here");
    }
    s = json_read_string(p, &key);
    if (s != STATUS_OK) {
        return s;
    }
    json_skip_space(p);
    if (json_peek(p) != ':') {
        return json_malformed(p, "a ':' must follow the key");
    }
    p->at++;
    json_push(p, key);
    return STATUS_OK;
}

/* Push the next member of the last open bracket. */
static enum status json_next_member(struct json_parser *p)
{
    if (p->frames[p->depth - 1].is_object) {
        return json_read_key(p);
    }
    json_push(p, (struct bytes){0});
    return STATUS_OK;
}

/* At '[' or '{'. */
static enum status json_open(struct json_parser *p)
{
    bool is_object = json_peek(p) == '{';

    if (p->depth == JSON_DEPTH_MAX) {
        return json_fail(p, p->at, STATUS_FULL, "brackets are nested too deep");
    }
    json_last(p)->type = is_object ? JSON_OBJECT : JSON_ARRAY;
    p->frames[p->depth++] = (struct json_frame){p->count - 1, is_object};
    p->at++;
    json_skip_space(p);
    if (json_peek(p) == (is_object ? '}' : ']')) {
        return STATUS_OK;
    }
    return json_next_member(p);
}

/* After a value: close brackets until a comma asks for the next one. */
static enum status json_read_ends(struct json_parser *p)
{
    while (p->depth > 0) {
        bool is_object = p->frames[p->depth - 1].is_object;

        json_skip_space(p);
        if (json_peek(p) == ',') {
            p->at++;
            return json_next_member(p);
        }
        if (json_peek(p) != (is_object ? '}' : ']')) {
            return json_malformed(p, is_object
                                         ? "a ',' or '}' must stand here"
                                         : "a ',' or ']' must stand here");
        }
        json_close(p);
    }
    return STATUS_OK;
}

/* Whether the bracket that was just opened has nothing in it. */
static bool json_is_empty(const struct json_parser *p)
{
    return p->depth > 0 && p->frames[p->depth - 1].holder + 1 == p->count;
}

static enum status json_read_value(struct json_parser *p)
{
    uint32_t line;
    enum status s;

    json_skip_space(p);
    line = p->line;
    if (json_peek(p) == '[' || json_peek(p) == '{') {
        json_last(p)->line = line;
        s = json_open(p);
        return s != STATUS_OK || !json_is_empty(p) ? s : json_read_ends(p);
    }
    s = json_read_scalar(p);
    json_last(p)->line = line;
    return s != STATUS_OK ? s : json_read_ends(p);
}

static enum status json_read_text(struct json_parser *p)
{
    enum status s;

    json_push(p, (struct bytes){0});
    do {
        s = json_read_value(p);
    } while (s == STATUS_OK && p->depth > 0);
    if (s != STATUS_OK) {
        return s;
    }
    json_skip_space(p);
    if (p->at < p->text.size) {
        return json_malformed(p, "nothing may follow the value");
    }
    CHECK(p->count == 1);
    json_doc_set_root(p->doc, &p->pending[0].value);
    return STATUS_OK;
}

static enum status json_run(struct json_parser *p, struct json_doc **out)
{
    enum status s;

    p->line = 1;
    p->doc = json_doc_new(p->name, p->text.size, &p->text_end);
    s = json_read_text(p);
    free(p->pending);
    if (s != STATUS_OK) {
        json_destroy(&p->doc);
        return s;
    }
    *out = p->doc;
    return STATUS_OK;
}

enum status json_parse(struct bytes text, const char *name, struct fault *why,
                       struct json_doc **out)
{
    struct json_parser p = {.text = text, .name = name, .why = why};

    if (text.at == NULL) { /* To which nothing can be added. */
        p.text = BYTES("");
    }
    if (bytes_has_prefix(text, BYTES("\xef\xbb\xbf"))) {
        p.text.at += 3;
        p.text.size -= 3;
    }
    return json_run(&p, out);
}

enum status json_parse_nested(struct bytes text, const char *name,
                              struct fault *why, struct json_doc **out)
{
    struct json_parser p = {
        .text = text, .name = name, .why = why, .is_nested = true};

    return json_run(&p, out);
}
