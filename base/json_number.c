/* SPDX-License-Identifier: Apache-2.0 */
/* Doubles as text. The C library does the rounding; it is never shown a
 * decimal point, which is a comma in some locales, only digits and exponent. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/json.h"
#include "base/json_node.h"

enum {
    JSON_PRECISION_MAX = 17, /* Digits that tell any two doubles apart. */
    JSON_EXPONENT_MAX = 1000000000
};

/* digits[0].digits[1]digits[2]… × 10^exponent */
struct json_decimal {
    char digits[JSON_PRECISION_MAX + 1];
    int exponent;
};

/* Read `e-12` at @text; what is beyond reason becomes ±JSON_EXPONENT_MAX. */
static long long json_read_exponent(struct bytes text)
{
    bool is_negative = text.size > 1 && text.at[1] == '-';
    long long value = 0;

    for (size_t i = 1; i < text.size; i++) {
        if (text.at[i] >= '0' && text.at[i] <= '9') {
            value = value * 10 + (text.at[i] - '0');
        }
        if (value > JSON_EXPONENT_MAX) {
            value = JSON_EXPONENT_MAX;
        }
    }
    return is_negative ? -value : value;
}

double json_read_double(struct bytes text)
{
    struct buf plain = {0};
    long long exponent = 0;
    bool is_fraction = false;
    double value;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];

        if (c == 'e' || c == 'E') {
            exponent +=
                json_read_exponent((struct bytes){text.at + i, text.size - i});
            break;
        }
        if (c == '.') {
            is_fraction = true;
        } else {
            buf_add_char(&plain, c);
            exponent -= is_fraction;
        }
    }
    buf_print(&plain, "e%lld", exponent);
    value = strtod(buf_text(&plain), NULL);
    buf_fini(&plain);
    return value;
}

static bool json_decimal_is(const struct json_decimal *d, double value)
{
    char text[64];

    snprintf(text, sizeof(text), "%se%d", d->digits,
             d->exponent - (int)strlen(d->digits) + 1);
    return strtod(text, NULL) == value;
}

/* Round @value to @precision digits. */
static void json_decimal_round(double value, int precision,
                               struct json_decimal *out)
{
    char text[64];
    size_t count = 0;
    const char *p = text;

    snprintf(text, sizeof(text), "%.*e", precision - 1, value);
    for (; *p != 'e'; p++) {
        CHECK(*p != '\0');
        if (*p >= '0' && *p <= '9') {
            CHECK(count < JSON_PRECISION_MAX);
            out->digits[count++] = *p;
        }
    }
    out->digits[count] = '\0';
    out->exponent = (int)strtol(p + 1, NULL, 10);
}

/* Add one to the last digit. */
static void json_decimal_step(struct json_decimal *d)
{
    size_t i = strlen(d->digits);

    while (i > 0 && d->digits[i - 1] == '9') {
        d->digits[--i] = '0';
    }
    if (i > 0) {
        d->digits[i - 1]++;
        return;
    }
    d->digits[0] = '1';
    d->exponent++;
}

/* Find the fewest digits that read back as @value, a finite one above 0.
 *
 * Below a power of two the doubles are closer than above it. There the
 * nearest decimal may lie below and belong to another double while its upper
 * neighbour reads back: that one is the shortest, and what Python prints. */
static void json_decimal_shortest(double value, struct json_decimal *out)
{
    for (int precision = 1; precision <= JSON_PRECISION_MAX; precision++) {
        json_decimal_round(value, precision, out);
        if (json_decimal_is(out, value)) {
            return;
        }
        json_decimal_step(out);
        if (json_decimal_is(out, value)) {
            return;
        }
    }
    UNREACHABLE("17 digits tell any two doubles apart");
}

static void json_add_plain(const struct json_decimal *d, struct buf *out)
{
    int count = (int)strlen(d->digits);

    for (int i = d->exponent < 0 ? d->exponent : 0;
         i < count || i <= d->exponent + 1; i++) {
        if (i == d->exponent + 1) {
            buf_add_char(out, '.');
        }
        buf_add_char(out, i >= 0 && i < count ? d->digits[i] : '0');
    }
}

static void json_add_scientific(const struct json_decimal *d, struct buf *out)
{
    buf_add_char(out, d->digits[0]);
    if (d->digits[1] != '\0') {
        buf_print(out, ".%s", d->digits + 1);
    }
    buf_print(out, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
}

void json_write_double(double value, struct buf *out)
{
    struct json_decimal d = {.digits = "0"};

    if (isnan(value)) {
        buf_add_text(out, "nan");
        return;
    }
    if (signbit(value)) {
        buf_add_char(out, '-');
        value = -value;
    }
    if (isinf(value)) {
        buf_add_text(out, "inf");
        return;
    }
    if (value > 0) {
        json_decimal_shortest(value, &d);
    }
    if (d.exponent < -4 || d.exponent >= 16) {
        json_add_scientific(&d, out);
    } else {
        json_add_plain(&d, out);
    }
}
