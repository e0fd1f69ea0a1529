/* SPDX-License-Identifier: Apache-2.0 */
/* Keys are read as fractions to the base of the alphabet's size. Doubles are
 * exact enough: a bad cut costs one request, no key. */

#include "store/scan_cut.h"

#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
    SCAN_DIGITS = 12,
    SCAN_LANES_START = 8,
    SCAN_GROW_PAGES = 4,      /* Before the first throttle. */
    SCAN_GROW_PAGES_CUT = 20, /* After it. */
};

/* ---- the alphabet ------------------------------------------------------- */

enum scan_class { SCAN_DIGIT, SCAN_LOWER, SCAN_UPPER, SCAN_HIGH, SCAN_OTHER };

static enum scan_class scan_class(char byte)
{
    uint8_t c = (uint8_t)byte;

    if (c >= '0' && c <= '9') {
        return SCAN_DIGIT;
    }
    if (c >= 'a' && c <= 'z') {
        return SCAN_LOWER;
    }
    if (c >= 'A' && c <= 'Z') {
        return SCAN_UPPER;
    }
    return c >= 0x80 ? SCAN_HIGH : SCAN_OTHER;
}

/* How many of its bytes are less than @c. O(log n). */
static uint32_t scan_rank(const struct scan_alphabet *a, uint8_t c)
{
    uint32_t low = 0;
    uint32_t high = a->count;

    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (a->bytes[mid] < c) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void scan_learn_byte(struct scan_alphabet *a, uint8_t c)
{
    uint32_t rank = scan_rank(a, c);

    if (c == 0 || (rank < a->count && a->bytes[rank] == c)) {
        return;
    }
    CHECK(a->count < sizeof(a->bytes));
    memmove(a->bytes + rank + 1, a->bytes + rank, a->count - rank);
    a->bytes[rank] = c;
    a->count++;
}

void scan_learn(struct scan_alphabet *a, struct bytes key, size_t from)
{
    for (size_t i = from; i < key.size; i++) {
        scan_learn_byte(a, (uint8_t)key.at[i]);
        a->kinds[i] |= (uint8_t)(1 << scan_class(key.at[i]));
    }
}

size_t scan_common(struct bytes a, struct bytes b)
{
    size_t most = a.size < b.size ? a.size : b.size;
    size_t i = 0;

    while (i < most && a.at[i] == b.at[i]) {
        i++;
    }
    return i;
}

/* ---- the part of the key to cut in -------------------------------------- */

static size_t scan_run_start(struct bytes key, size_t at, size_t floor)
{
    while (at > floor && scan_class(key.at[at - 1]) == scan_class(key.at[at])) {
        at--;
    }
    return at;
}

/* Where the part begins in which the last page moved, or one more to the
 * left; separators are no parts. */
static size_t scan_part(const struct scan_span *s)
{
    size_t floor = s->prefix.size;
    size_t at = scan_common(s->first, s->lo);

    if (at >= s->lo.size) {
        at = s->lo.size - 1;
    }
    at = scan_run_start(s->lo, at < floor ? floor : at, floor);
    for (uint32_t i = 0; i < s->level && at > floor; i++) {
        do {
            at = scan_run_start(s->lo, at - 1, floor);
        } while (at > floor && scan_class(s->lo.at[at]) == SCAN_OTHER);
    }
    return at;
}

/* ---- fractions ---------------------------------------------------------- */

/* The bytes that keys have at place @at, as far as is known: one digit of a
 * fraction. */
struct scan_digit {
    uint8_t bytes[256];
    uint32_t count;
};

static void scan_digit(const struct scan_alphabet *a, size_t at,
                       struct scan_digit *out)
{
    uint8_t kinds = at < STORE_KEY_MAX ? a->kinds[at] : 0;

    out->count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        if (kinds == 0 || (kinds >> scan_class((char)a->bytes[i]) & 1) != 0) {
            out->bytes[out->count++] = a->bytes[i];
        }
    }
}

static double scan_fraction(const struct scan_alphabet *a, struct bytes key,
                            size_t from)
{
    double value = 0;
    double unit = 1;

    for (size_t i = from; i < key.size && i < from + SCAN_DIGITS; i++) {
        struct scan_digit d;
        uint32_t rank = 0;

        scan_digit(a, i, &d);
        if (d.count == 0) {
            break;
        }
        while (rank < d.count && d.bytes[rank] < (uint8_t)key.at[i]) {
            rank++;
        }
        unit /= d.count;
        value += unit * rank;
    }
    return value < 1 ? value : 1;
}

/* Close the character that @out ends in. Returns whether all is UTF-8. */
static bool scan_is_text(struct bytes text)
{
    uint32_t code;

    while (text.size > 0) {
        size_t size = utf8_read(text, &code);

        if (size == 0 || utf8_is_surrogate(code)) {
            return false;
        }
        text.at += size;
        text.size -= size;
    }
    return true;
}

static bool scan_close(struct scan_cut *c)
{
    for (int i = 0; i < UTF8_SIZE_MAX; i++) {
        uint8_t last = (uint8_t)c->at[c->size - 1];

        if (scan_is_text((struct bytes){c->at, c->size})) {
            return true;
        }
        if (last < 0x80 || c->size >= STORE_KEY_MAX) {
            return false;
        }
        c->at[c->size++] =
            (char)(last == 0xe0 ? 0xa0 : (last == 0xf0 ? 0x90 : 0x80));
    }
    return false;
}

static bool scan_is_inside(const struct scan_cut *c, const struct scan_span *s)
{
    struct bytes at = {c->at, c->size};

    return bytes_compare(at, s->lo) > 0 &&
           (s->hi.size == 0 || bytes_compare(at, s->hi) < 0);
}

/* The shortest text from @from on that is near @value. */
static bool scan_spell(const struct scan_alphabet *a, const struct scan_span *s,
                       size_t from, double value, struct scan_cut *out)
{
    bool is_text = scan_is_text(s->lo);
    char raw[SCAN_DIGITS];

    if (from + SCAN_DIGITS + UTF8_SIZE_MAX > STORE_KEY_MAX) {
        return false;
    }
    for (size_t i = 0; i < SCAN_DIGITS; i++) {
        struct scan_digit d;
        uint32_t digit;

        scan_digit(a, from + i, &d);
        if (d.count == 0) {
            return false;
        }
        digit = (uint32_t)(value * d.count);
        digit = digit < d.count ? digit : d.count - 1;
        value = value * d.count - digit;
        raw[i] = (char)d.bytes[digit];
        memcpy(out->at, s->lo.at, from);
        memcpy(out->at + from, raw, i + 1);
        out->size = from + i + 1;
        if ((!is_text || scan_close(out)) && scan_is_inside(out, s)) {
            return true;
        }
    }
    return false;
}

bool scan_cut_find(const struct scan_alphabet *a, const struct scan_span *span,
                   struct scan_cut *out)
{
    struct scan_alphabet wide = *a;
    size_t part = scan_part(span);
    size_t from = scan_common(span->lo, span->hi);
    double lo;
    double hi;

    CHECK(bytes_has_prefix(span->lo, span->prefix) && span->lo.size > 0);
    out->is_guess = span->hi.size == 0 || from < part;
    from = out->is_guess ? part : from;
    if (from >= span->lo.size && (out->is_guess || span->hi.size <= from)) {
        return false;
    }
    scan_learn(&wide, span->lo, from);
    if (!out->is_guess) {
        scan_learn(&wide, span->hi, from);
    }
    lo = scan_fraction(&wide, span->lo, from);
    hi = out->is_guess ? 1 : scan_fraction(&wide, span->hi, from);
    return scan_spell(&wide, span, from, (lo + hi) / 2, out);
}

double scan_pages_left(const struct scan_alphabet *a,
                       const struct scan_span *span)
{
    size_t from = scan_common(span->lo, span->hi);
    size_t moved = scan_common(span->first, span->lo);
    double step;

    if (span->hi.size == 0 || from < scan_part(span) || a->count == 0) {
        return SCAN_MANY;
    }
    from = from < moved ? from : moved;
    step =
        scan_fraction(a, span->lo, from) - scan_fraction(a, span->first, from);
    if (step <= 0) {
        return SCAN_MANY;
    }
    return (scan_fraction(a, span->hi, from) -
            scan_fraction(a, span->lo, from)) /
           step;
}

/* ---- lanes -------------------------------------------------------------- */

void scan_lanes_init(struct scan_lanes *l, uint32_t most)
{
    CHECK(most >= 1);
    *l = (struct scan_lanes){
        .now = most < SCAN_LANES_START ? most : SCAN_LANES_START,
        .most = most,
    };
}

void scan_lanes_answered(struct scan_lanes *l, uint32_t inflight,
                         bool is_throttled)
{
    uint32_t grow = l->was_cut ? SCAN_GROW_PAGES_CUT : SCAN_GROW_PAGES;

    if (l->old > 0) {
        l->old--;
    } else if (is_throttled) {
        l->now = l->now > 1 ? l->now / 2 : 1;
        l->was_cut = true;
        l->old = inflight;
        l->pages = 0;
    } else if (++l->pages >= grow) {
        l->pages = 0;
        l->now += l->now < l->most;
    }
    CHECK(l->now >= 1 && l->now <= l->most);
}
