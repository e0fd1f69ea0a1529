/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_xml.h"

#include <string.h>

#include "store/s3_xml_parts.h"

static const struct {
    const char *text;
    char c;
} s3_entities[] = {
    {"&quot;", '"'}, {"&amp;", '&'},   {"&lt;", '<'},
    {"&gt;", '>'},   {"&apos;", '\''},
};

size_t s3_xml_entity(const char *at, size_t size, char *out)
{
    for (size_t i = 0; i < sizeof(s3_entities) / sizeof(s3_entities[0]); i++) {
        size_t length = strlen(s3_entities[i].text);

        if (size >= length && memcmp(at, s3_entities[i].text, length) == 0) {
            *out = s3_entities[i].c;
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
        size_t length = at[from] == '&'
                            ? s3_xml_entity(at + from, size - from, &at[to])
                            : 0;

        if (length == 0) {
            at[to] = at[from];
            length = 1;
        }
        from += length;
        to++;
    }
    return to;
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

enum status s3_list_finish(struct s3_list *l, struct fault *why)
{
    l->is_unordered = false;
    for (uint32_t i = 0; i < l->object_count; i++) {
        struct bytes key = l->objects[i].key;

        if (key.size == 0 || key.size > STORE_KEY_MAX ||
            memchr(key.at, '\0', key.size) != NULL) {
            return fault_set(why, STATUS_MALFORMED,
                             "a key in the listing is empty, longer than 1024 "
                             "bytes or holds a NUL byte");
        }
        l->is_unordered |=
            i > 0 && bytes_compare(l->objects[i - 1].key, key) >= 0;
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
                        "a key in the listing is not as it was "
                        "announced");
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

/* Read @digits digits at *@at; false: there are none. */
static bool s3_digits(struct bytes text, size_t at, size_t digits, int64_t *out)
{
    *out = 0;
    if (text.size < at + digits) {
        return false;
    }
    for (size_t i = at; i < at + digits; i++) {
        unsigned c = (unsigned)(unsigned char)text.at[i] - '0';

        if (c > 9) {
            return false;
        }
        *out = *out * 10 + (int64_t)c;
    }
    return true;
}

static uint64_t s3_time_of(const int64_t date[3], const int64_t clock[3])
{
    bool is_sane = date[0] >= 1970 && date[0] <= 9999 && date[1] >= 1 &&
                   date[1] <= 12 && date[2] >= 1 && date[2] <= 31 &&
                   clock[0] <= 23 && clock[1] <= 59 && clock[2] <= 60;

    return is_sane ? (uint64_t)(s3_days(date[0], date[1], date[2]) * 86400 +
                                clock[0] * 3600 + clock[1] * 60 + clock[2]) *
                         1000
                   : 0;
}

/* "+hh:mm" as minutes; false: no offset. */
static bool s3_offset(struct bytes text, size_t at, int64_t *minutes)
{
    int64_t h;
    int64_t m;

    *minutes = 0;
    if (at == text.size || (at + 1 == text.size && text.at[at] == 'Z')) {
        return true;
    }
    if (at + 6 != text.size || !s3_digits(text, at + 1, 2, &h) ||
        !s3_digits(text, at + 4, 2, &m) || text.at[at + 3] != ':' ||
        (text.at[at] != '+' && text.at[at] != '-') || h > 23 || m > 59) {
        return false;
    }
    *minutes = text.at[at] == '+' ? h * 60 + m : -(h * 60 + m);
    return true;
}

uint64_t s3_time_iso(struct bytes text)
{
    int64_t date[3];
    int64_t clock[3];
    int64_t fraction = 0;
    int64_t minutes;
    size_t at = 19;
    uint64_t seconds;

    if (!s3_digits(text, 0, 4, &date[0]) || !s3_digits(text, 5, 2, &date[1]) ||
        !s3_digits(text, 8, 2, &date[2]) ||
        !s3_digits(text, 11, 2, &clock[0]) ||
        !s3_digits(text, 14, 2, &clock[1]) ||
        !s3_digits(text, 17, 2, &clock[2]) || text.at[10] != 'T') {
        return 0;
    }
    if (at < text.size && text.at[at] == '.') {
        int64_t digit;
        int64_t weight = 100;

        for (at++; s3_digits(text, at, 1, &digit); at++, weight /= 10) {
            fraction += digit * weight;
        }
    }
    seconds = s3_time_of(date, clock);
    if (!s3_offset(text, at, &minutes) || seconds == 0) {
        return 0;
    }
    return (uint64_t)((int64_t)seconds + fraction - minutes * 60000);
}

uint64_t s3_time_http(struct bytes text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t date[3] = {0, 0, 0};
    int64_t clock[3];

    if (text.size != 29 || text.at[3] != ',' ||
        !s3_digits(text, 5, 2, &date[2]) || !s3_digits(text, 12, 4, &date[0]) ||
        !s3_digits(text, 17, 2, &clock[0]) ||
        !s3_digits(text, 20, 2, &clock[1]) ||
        !s3_digits(text, 23, 2, &clock[2])) {
        return 0;
    }
    for (int64_t i = 0; i < 12; i++) {
        if (memcmp(text.at + 8, months + 3 * i, 3) == 0) {
            date[1] = i + 1;
        }
    }
    return s3_time_of(date, clock);
}
