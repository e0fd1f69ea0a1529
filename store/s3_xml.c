/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_xml.h"

#include <string.h>

#include "base/utf8.h"
#include "store/percent.h"
#include "store/s3_xml_parts.h"

static const struct {
    const char *text;
    char c;
} s3_entities[] = {
    {"&quot;", '"'}, {"&amp;", '&'},   {"&lt;", '<'},
    {"&gt;", '>'},   {"&apos;", '\''},
};

/* The value of a hex digit, or -1. */
static int s3_xml_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* "&#38;" and "&#x26;". XML 1.0 has none for control characters; servers send
 * them all the same. */
static size_t s3_xml_number(const char *at, size_t size, uint32_t *code)
{
    bool is_hex = size > 2 && at[2] == 'x';
    size_t first = is_hex ? 3 : 2;
    size_t i = first;

    *code = 0;
    /* Eight digits are enough for all, and too few for an overflow. */
    while (i < size && i < first + 8) {
        int digit = s3_xml_digit(at[i]);

        if (digit < 0 || (!is_hex && digit > 9)) {
            break;
        }
        *code = *code * (is_hex ? 16 : 10) + (uint32_t)digit;
        i++;
    }
    if (i == first || i >= size || at[i] != ';' || *code == 0 ||
        *code > 0x10ffff || utf8_is_surrogate(*code) || *code == 0xfffe ||
        *code == 0xffff) {
        return 0;
    }
    return i + 1;
}

size_t s3_xml_reference(const char *at, size_t size, uint32_t *code)
{
    if (size > 2 && memcmp(at, "&#", 2) == 0) {
        return s3_xml_number(at, size, code);
    }
    for (size_t i = 0; i < sizeof(s3_entities) / sizeof(s3_entities[0]); i++) {
        size_t length = strlen(s3_entities[i].text);

        if (size >= length && memcmp(at, s3_entities[i].text, length) == 0) {
            *code = (unsigned char)s3_entities[i].c;
            return length;
        }
    }
    return 0;
}

size_t s3_xml_unescape(char *at, size_t size)
{
    const char *first = memchr(at, '&', size);
    size_t to;

    if (first == NULL) {
        return size;
    }
    to = (size_t)(first - at);
    for (size_t from = to; from < size;) {
        uint32_t code = 0;
        size_t length = at[from] == '&'
                            ? s3_xml_reference(at + from, size - from, &code)
                            : 0;

        if (length == 0) {
            at[to++] = at[from++];
        } else { /* No reference is shorter than what it stands for. */
            char bytes[UTF8_SIZE_MAX];
            size_t count = utf8_write(code, bytes);

            memcpy(at + to, bytes, count);
            to += count;
            from += length;
        }
    }
    return to;
}

struct bytes s3_xml_trim(struct bytes body)
{
    while (body.size > 0 && memchr(" \r\n\t", body.at[0], 4) != NULL) {
        body.at++;
        body.size--;
    }
    return body;
}

void s3_xml_escape(struct bytes raw, struct buf *out)
{
    for (size_t i = 0; i < raw.size; i++) {
        unsigned char c = (unsigned char)raw.at[i];
        bool is_done = false;

        for (size_t j = 0; j < sizeof(s3_entities) / sizeof(s3_entities[0]);
             j++) {
            if (s3_entities[j].c == (char)c) {
                buf_add_text(out, s3_entities[j].text);
                is_done = true;
            }
        }
        if (!is_done && (c < 0x20 || c == 0x7f)) {
            buf_print(out, "&#x%X;", c);
        } else if (!is_done) {
            buf_add_char(out, (char)c);
        }
    }
}

/* ---- pages -------------------------------------------------------------- */

void s3_list_clear(struct s3_list *l)
{
    l->object_count = 0;
    l->prefix_count = 0;
    l->is_truncated = false;
    l->is_unordered = false;
    l->has_archived = false;
    l->next = (struct bytes){"", 0};
}

bool s3_list_size(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';

        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return text.size > 0 && text.size <= 18; /* No overflow. */
}

bool s3_list_decode(char *at, size_t *size, bool is_coded)
{
    if (!is_coded ||
        (memchr(at, '%', *size) == NULL && memchr(at, '+', *size) == NULL)) {
        return true;
    }
    return percent_decode(at, size);
}

struct bytes s3_list_quote(char *at, size_t size)
{
    if (size > 0 && at[0] != '"' && !(size > 2 && memcmp(at, "W/", 2) == 0)) {
        at[-1] = '"';
        at[size] = '"';
        return (struct bytes){at - 1, size + 2};
    }
    return (struct bytes){at, size};
}

bool s3_list_is_archive(struct bytes storage_class)
{
    return bytes_is(storage_class, "GLACIER") ||
           bytes_is(storage_class, "DEEP_ARCHIVE");
}

static bool s3_list_is_key(struct bytes key)
{
    return key.size > 0 && key.size <= STORE_KEY_MAX &&
           memchr(key.at, '\0', key.size) == NULL;
}

/* Keys are whole: set is_unordered and refuse what can't be a page. */
static enum status s3_list_finish(struct s3_list *l, struct fault *why)
{
    bool is_good = true;

    for (uint32_t i = 0; i < l->object_count; i++) {
        is_good &= s3_list_is_key(l->objects[i].key);
        l->is_unordered |= i > 0 && bytes_compare(l->objects[i - 1].key,
                                                  l->objects[i].key) >= 0;
    }
    for (uint32_t i = 0; i < l->prefix_count; i++) {
        is_good &= s3_list_is_key(l->prefixes[i]);
    }
    if (!is_good) {
        return fault_set(why, STATUS_MALFORMED,
                         "a key in the listing is empty, longer than %d bytes "
                         "or holds a NUL byte",
                         STORE_KEY_MAX);
    }
    if (l->is_truncated && l->next.size == 0 && l->object_count == 0 &&
        l->prefix_count == 0) {
        return fault_set(why, STATUS_MALFORMED,
                         "the listing is truncated and does not say where it "
                         "goes on");
    }
    return STATUS_OK;
}

enum status s3_list_parse(char *page, size_t size, struct fault *why,
                          struct s3_list *out)
{
    enum status s;

    if (size > S3_LIST_BYTES_MAX) {
        return fault_set(why, STATUS_MALFORMED,
                         "the page of the listing is larger than %d bytes",
                         S3_LIST_BYTES_MAX);
    }
    s = s3_list_scan(page, size, out);
    if (s == STATUS_UNSUPPORTED) {
        s = s3_list_expat(page, size, why, out);
    } else if (s != STATUS_OK) {
        (void)fault_set(why, s,
                        "a key in the listing has a '%%' without two hex "
                        "digits, and is said to be coded");
    }
    return s == STATUS_OK ? s3_list_finish(out, why) : s;
}

struct bytes s3_xml_child(const struct s3_xml_child *children, size_t count,
                          const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_is(children[i].name, name)) {
            return children[i].text;
        }
    }
    return (struct bytes){"", 0};
}

/* ---- times -------------------------------------------------------------- */

/* Days since 1970 of a date of the Gregorian calendar, year by year of March,
 * so that the leap day is the last one. */
static int64_t s3_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
           719469;
}

static bool s3_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* A date and a time of day, each field as it was written. */
struct s3_time {
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
};

/* Two digits; more than 99 when they are none. */
static inline int64_t s3_pair(const char *at)
{
    unsigned tens = (unsigned)(unsigned char)at[0] - '0';
    unsigned ones = (unsigned)(unsigned char)at[1] - '0';

    return tens > 9 || ones > 9 ? 100 : (int64_t)(tens * 10 + ones);
}

static int64_t s3_year(const char *at)
{
    int64_t century = s3_pair(at);
    int64_t year = s3_pair(at + 2);

    return century > 99 || year > 99 ? 0 : century * 100 + year;
}

/* "hh:mm:ss" */
static bool s3_clock(const char *at, struct s3_time *out)
{
    out->hour = s3_pair(at);
    out->minute = s3_pair(at + 3);
    out->second = s3_pair(at + 6);
    return at[2] == ':' && at[5] == ':';
}

/* Milliseconds since 1970; 0: there is no such time. A leap second is that
 * after it. */
static uint64_t s3_time_of(const struct s3_time *t)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};
    int64_t last;

    if (t->year < 1970 || t->month < 1 || t->month > 12) {
        return 0;
    }
    last = days[t->month - 1] + (t->month == 2 && s3_is_leap(t->year));
    if (t->day < 1 || t->day > last || t->hour > 23 || t->minute > 59 ||
        t->second > 60) {
        return 0;
    }
    return (uint64_t)(s3_days(t->year, t->month, t->day) * 86400 +
                      t->hour * 3600 + t->minute * 60 + t->second) *
           1000;
}

/* "Z", "+hh:mm" or nothing, in minutes. false: something else. */
static bool s3_offset(struct bytes text, int64_t *minutes)
{
    int64_t hour;
    int64_t minute;

    *minutes = 0;
    if (text.size == 0 || (text.size == 1 && text.at[0] == 'Z')) {
        return true;
    }
    if (text.size != 6 || text.at[3] != ':' ||
        (text.at[0] != '+' && text.at[0] != '-')) {
        return false;
    }
    hour = s3_pair(text.at + 1);
    minute = s3_pair(text.at + 4);
    *minutes = (hour * 60 + minute) * (text.at[0] == '+' ? 1 : -1);
    return hour <= 23 && minute <= 59;
}

/* Take ".fraction" from the front of @rest, as milliseconds. */
static int64_t s3_fraction(struct bytes *rest)
{
    int64_t sum = 0;
    size_t i = 1;

    if (rest->size == 0 || rest->at[0] != '.') {
        return 0;
    }
    for (int64_t weight = 100; i < rest->size; i++, weight /= 10) {
        unsigned digit = (unsigned)(unsigned char)rest->at[i] - '0';

        if (digit > 9) {
            break;
        }
        sum += (int64_t)digit * weight;
    }
    rest->at += i;
    rest->size -= i;
    return sum;
}

uint64_t s3_time_iso(struct bytes text)
{
    struct s3_time t;
    struct bytes rest;
    int64_t minutes;
    int64_t total;

    if (text.size < 19 || text.at[4] != '-' || text.at[7] != '-' ||
        text.at[10] != 'T' || !s3_clock(text.at + 11, &t)) {
        return 0;
    }
    t.year = s3_year(text.at);
    t.month = s3_pair(text.at + 5);
    t.day = s3_pair(text.at + 8);
    total = (int64_t)s3_time_of(&t);
    rest = (struct bytes){text.at + 19, text.size - 19};
    total += total == 0 ? 0 : s3_fraction(&rest);
    if (!s3_offset(rest, &minutes) || total <= minutes * 60000) {
        return 0;
    }
    return (uint64_t)(total - minutes * 60000);
}

uint64_t s3_time_http(struct bytes text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct s3_time t = {.month = 0};

    if (text.size != 29 || memcmp(text.at + 3, ", ", 2) != 0 ||
        memcmp(text.at + 25, " GMT", 4) != 0 || !s3_clock(text.at + 17, &t)) {
        return 0;
    }
    t.day = s3_pair(text.at + 5);
    t.year = s3_year(text.at + 12);
    for (int64_t i = 0; i < 12; i++) {
        if (memcmp(text.at + 8, months + 3 * i, 3) == 0) {
            t.month = i + 1;
        }
    }
    return s3_time_of(&t);
}
