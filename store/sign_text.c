/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical request's parts. Encoded names and values lie in one work
 * buffer; what is sorted are their places in it, because the buffer moves
 * while it grows. */

#include "store/sign_parts.h"

#include <stdint.h>

#include "base/check.h"
#include "store/percent.h"

/* One name and value inside the work buffer. */
struct sign_item {
    size_t name;
    size_t name_size;
    size_t value;
    size_t value_size;
};

struct sign_items {
    struct sign_item at[SIGN_PAIRS_MAX];
    size_t count;
    struct buf *text;
};

void sign_pairs_add(struct sign_pairs *pairs, struct bytes name,
                    struct bytes value)
{
    CHECK(pairs->count < SIGN_PAIRS_MAX);
    pairs->at[pairs->count++] = (struct sign_pair){name, value};
}

/* ---- the path ----------------------------------------------------------- */

/* Append one segment and its slash, or go one up for "..". @out begins with
 * a slash and always ends with one. */
static void sign_add_segment(struct bytes segment, struct buf *out)
{
    if (bytes_is(segment, "..")) {
        do {
            out->size -= out->size > 1;
        } while (out->at[out->size - 1] != '/');
    } else if (segment.size > 0 && !bytes_is(segment, ".")) {
        buf_add_bytes(out, segment);
        buf_add_char(out, '/');
    }
}

/* Append @path without dot segments and doubled slashes. Encoding leaves dots
 * and slashes alone, so an encoded path will do. */
static void sign_normalize(struct bytes path, struct buf *out)
{
    struct bytes segment = {path.at, 0};

    buf_add_char(out, '/');
    for (size_t i = 0; i < path.size; i++) {
        if (path.at[i] != '/') {
            segment.size++;
            continue;
        }
        sign_add_segment(segment, out);
        segment = (struct bytes){path.at + i + 1, 0};
    }
    sign_add_segment(segment, out);
    if (out->size > 1 && segment.size > 0 && !bytes_is(segment, ".") &&
        !bytes_is(segment, "..")) {
        out->size--; /* The last segment had no slash behind it. */
    }
}

void sign_text_path(const struct sign_request *r, struct bytes sent,
                    struct buf *work, struct buf *out)
{
    struct bytes path = sent;

    if (r->is_normalized) {
        buf_clear(work);
        sign_normalize(sent, work);
        path = buf_bytes(work);
    }
    if (r->is_encoded_twice) {
        percent_encode(path, true, out);
    } else {
        buf_add_bytes(out, path);
    }
}

/* ---- sorting ------------------------------------------------------------ */

static struct bytes sign_name(const struct sign_items *l, size_t i)
{
    return (struct bytes){l->text->at + l->at[i].name, l->at[i].name_size};
}

static struct bytes sign_value(const struct sign_items *l, size_t i)
{
    return (struct bytes){l->text->at + l->at[i].value, l->at[i].value_size};
}

/* Sort by name, then by value unless @is_by_name; equal ones keep their
 * order. Insertion: n <= SIGN_PAIRS_MAX. */
static void sign_sort(struct sign_items *l, bool is_by_name)
{
    for (size_t i = 1; i < l->count; i++) {
        for (size_t j = i; j > 0; j--) {
            struct sign_item item = l->at[j];
            int order = bytes_compare(sign_name(l, j - 1), sign_name(l, j));

            if (order == 0 && !is_by_name) {
                order = bytes_compare(sign_value(l, j - 1), sign_value(l, j));
            }
            if (order <= 0) {
                break;
            }
            l->at[j] = l->at[j - 1];
            l->at[j - 1] = item;
        }
    }
}

/* ---- the query ---------------------------------------------------------- */

static void sign_add_query_item(struct sign_items *l,
                                const struct sign_pair *pair)
{
    struct sign_item *item = &l->at[l->count++];

    item->name = l->text->size;
    percent_encode(pair->name, false, l->text);
    item->name_size = l->text->size - item->name;
    item->value = l->text->size;
    percent_encode(pair->value, false, l->text);
    item->value_size = l->text->size - item->value;
}

void sign_text_query(const struct sign_pairs *query, struct buf *work,
                     struct buf *out)
{
    struct sign_items list;

    list.count = 0;
    list.text = work;
    buf_clear(work);
    for (size_t i = 0; i < query->count; i++) {
        sign_add_query_item(&list, &query->at[i]);
    }
    sign_sort(&list, false);
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0) {
            buf_add_char(out, '&');
        }
        buf_add_bytes(out, sign_name(&list, i));
        buf_add_char(out, '=');
        buf_add_bytes(out, sign_value(&list, i));
    }
}

/* ---- headers ------------------------------------------------------------ */

static bool sign_is_break(char c)
{
    return c == '\n' || c == '\r' || c == '\0';
}

/* Append @value without white space around it, runs of it as one space. */
static void sign_add_trimmed(struct bytes value, struct buf *out)
{
    char *to = buf_reserve(out, value.size);
    size_t size = 0;

    for (size_t i = 0; i < value.size; i++) {
        char c = value.at[i];

        if (c != ' ' && c != '\t' && !sign_is_break(c)) {
            to[size++] = c;
        } else if (size > 0 && to[size - 1] != ' ') {
            to[size++] = ' ';
        }
    }
    buf_add_done(out, size - (size > 0 && to[size - 1] == ' '));
}

static void sign_add_header_item(struct sign_items *l,
                                 const struct sign_pair *pair)
{
    struct sign_item *item = &l->at[l->count++];
    char *name = buf_reserve(l->text, pair->name.size);

    item->name = l->text->size;
    item->name_size = pair->name.size;
    for (size_t i = 0; i < pair->name.size; i++) {
        char c = pair->name.at[i];

        name[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    buf_add_done(l->text, item->name_size);
    item->value = l->text->size;
    sign_add_trimmed(pair->value, l->text);
    item->value_size = l->text->size - item->value;
}

static void sign_add_header_name(struct bytes name, struct buf *out,
                                 struct buf *names)
{
    buf_add_bytes(out, name);
    buf_add_char(out, ':');
    if (names->size > 0) {
        buf_add_char(names, ';');
    }
    buf_add_bytes(names, name);
}

void sign_text_headers(const struct sign_pairs *headers, struct buf *work,
                       struct buf *out, struct buf *names)
{
    struct sign_items list;

    list.count = 0;
    list.text = work;
    buf_clear(work);
    buf_clear(names);
    for (size_t i = 0; i < headers->count; i++) {
        sign_add_header_item(&list, &headers->at[i]);
    }
    sign_sort(&list, true);
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0 &&
            bytes_is_equal(sign_name(&list, i), sign_name(&list, i - 1))) {
            out->size--; /* The newline of the value before. */
            buf_add_char(out, ',');
        } else {
            sign_add_header_name(sign_name(&list, i), out, names);
        }
        buf_add_bytes(out, sign_value(&list, i));
        buf_add_char(out, '\n');
    }
}

void sign_text_line(struct bytes name, struct bytes value, struct buf *out)
{
    char *to;

    buf_add_bytes(out, name);
    buf_add_text(out, ": ");
    to = buf_reserve(out, value.size);
    for (size_t i = 0; i < value.size; i++) {
        to[i] = sign_is_break(value.at[i]) ? ' ' : value.at[i];
    }
    buf_add_done(out, value.size);
    buf_add_text(out, "\r\n");
}

/* ---- the date ----------------------------------------------------------- */

static bool sign_is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Turn days since 1970 into a date. A loop over the years: some fifty, or
 * some thousand when a server's clock is absurd. */
static void sign_civil(uint64_t days, unsigned out[3])
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30,
                                        31, 31, 30, 31, 30, 31};
    unsigned year = 1970;
    unsigned month = 0;

    for (; days >= 365u + sign_is_leap(year); year++) {
        days -= 365u + sign_is_leap(year);
    }
    for (;; month++) {
        bool is_longer = month == 1 && sign_is_leap(year);
        unsigned length = lengths[month] + (is_longer ? 1u : 0u);

        if (days < length) {
            break;
        }
        days -= length;
    }
    out[0] = year;
    out[1] = month + 1;
    out[2] = (unsigned)days + 1;
}

/* Write @value as @size digits; returns what follows them. */
static char *sign_digits(char *at, uint64_t value, size_t size)
{
    for (size_t i = size; i > 0; i--, value /= 10) {
        at[i - 1] = (char)('0' + value % 10);
    }
    return at + size;
}

void sign_date(uint64_t wall_ms, char out[SIGN_DATE_SIZE])
{
    static const uint64_t last = UINT64_C(253402300799); /* Of year 9999. */
    uint64_t now = wall_ms / 1000 < last ? wall_ms / 1000 : last;
    unsigned date[3];
    char *at = out;

    sign_civil(now / 86400, date);
    at = sign_digits(at, date[0], 4);
    at = sign_digits(at, date[1], 2);
    at = sign_digits(at, date[2], 2);
    *at++ = 'T';
    at = sign_digits(at, now / 3600 % 24, 2);
    at = sign_digits(at, now / 60 % 60, 2);
    at = sign_digits(at, now % 60, 2);
    *at++ = 'Z';
    *at = '\0';
}
