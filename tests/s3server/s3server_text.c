/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/s3server/s3server_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int srv_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool srv_percent_decode(const char *at, size_t size, bool has_plus,
                        struct buf *out)
{
    for (size_t i = 0; i < size; i++) {
        int high;
        int low;

        if (at[i] != '%') {
            buf_add_char(out, has_plus && at[i] == '+' ? ' ' : at[i]);
            continue;
        }
        high = size - i > 2 ? srv_digit(at[i + 1]) : -1;
        low = size - i > 2 ? srv_digit(at[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            return false;
        }
        buf_add_char(out, (char)(high * 16 + low));
        i += 2;
    }
    return true;
}

void srv_percent_encode(const char *text, const char *kept, struct buf *out)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c < 128 && isalnum(c)) || strchr(kept, c) != NULL) {
            buf_add_char(out, *text);
        } else {
            buf_print(out, "%%%02X", c);
        }
    }
}

void srv_hex(const unsigned char *at, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = "0123456789abcdef"[at[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[at[i] & 15];
    }
    out[2 * size] = '\0';
}

static const char srv_base64_set[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void srv_base64(const void *at, size_t size, struct buf *out)
{
    const unsigned char *from = at;

    for (size_t i = 0; i < size; i += 3) {
        size_t here = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)from[i] << 16;

        bits |= here > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= here > 2 ? from[i + 2] : 0;
        for (size_t k = 0; k < 4; k++) {
            char c = srv_base64_set[bits >> (18 - 6 * k) & 63];

            buf_add_char(out, k <= here ? c : '=');
        }
    }
}

bool srv_unbase64(const char *text, unsigned char *out, size_t room,
                  size_t *size)
{
    size_t length = strlen(text);
    size_t pads = 0;

    *size = 0;
    while (pads < 2 && pads < length && text[length - 1 - pads] == '=') {
        pads++;
    }
    if (length % 4 != 0 || length / 4 * 3 - pads > room) {
        return false;
    }
    for (size_t i = 0; i < length; i += 4) {
        uint32_t bits = 0;

        for (size_t k = 0; k < 4; k++) {
            const char *c = i + k < length - pads
                                ? strchr(srv_base64_set, text[i + k])
                                : srv_base64_set;

            if (c == NULL) {
                return false;
            }
            bits = bits << 6 | (uint32_t)(c - srv_base64_set);
        }
        for (size_t k = 0; k < 3 && *size < length / 4 * 3 - pads; k++) {
            out[(*size)++] = (unsigned char)(bits >> (16 - 8 * k));
        }
    }
    return true;
}

void srv_xml_escape(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '&') {
            buf_add_text(out, "&amp;");
        } else if (c == '<') {
            buf_add_text(out, "&lt;");
        } else if (c == '>') {
            buf_add_text(out, "&gt;");
        } else if (c == '"') {
            buf_add_text(out, "&quot;");
        } else if (c < 32) {
            buf_print(out, "&#x%x;", c);
        } else {
            buf_add_char(out, *text);
        }
    }
}

void srv_xml_add(struct buf *out, const char *name, const char *value)
{
    buf_print(out, "<%s>", name);
    srv_xml_escape(value, out);
    buf_print(out, "</%s>", name);
}

void srv_xml_number(struct buf *out, const char *name, uint64_t value)
{
    buf_print(out, "<%s>%" PRIu64 "</%s>", name, value, name);
}

static struct tm srv_time_parts(uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;

    gmtime_r(&seconds, &parts);
    return parts;
}

const char *srv_time_iso(uint64_t ms, char out[SRV_TIME_MAX])
{
    struct tm parts = srv_time_parts(ms);

    (void)strftime(out, SRV_TIME_MAX, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
    return out;
}

const char *srv_time_http(uint64_t ms, char out[SRV_TIME_MAX])
{
    struct tm parts = srv_time_parts(ms);

    (void)strftime(out, SRV_TIME_MAX, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return out;
}

const char *srv_time_basic(uint64_t ms, char out[SRV_TIME_MAX])
{
    struct tm parts = srv_time_parts(ms);

    (void)strftime(out, SRV_TIME_MAX, "%Y%m%dT%H%M%SZ", &parts);
    return out;
}

static uint64_t srv_time_read(const char *text, const char *format)
{
    struct tm parts = {0};
    const char *end = strptime(text, format, &parts);

    return end != NULL && *end == '\0' ? (uint64_t)timegm(&parts) * 1000 : 0;
}

uint64_t srv_time_of_basic(const char *text)
{
    return strlen(text) == 16 ? srv_time_read(text, "%Y%m%dT%H%M%SZ") : 0;
}

uint64_t srv_time_of_http(const char *text)
{
    return srv_time_read(text, "%a, %d %b %Y %H:%M:%S GMT");
}

bool srv_number(const char *text, uint64_t most, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 19 || text[digits] != '\0') {
        return false;
    }
    *out = strtoull(text, NULL, 10);
    return *out <= most;
}
