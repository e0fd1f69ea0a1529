/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the two documents that clients send. No document types, no CDATA. */

#include <stdlib.h>
#include <string.h>

#include "tests/s3server/s3server_text.h"

static bool srv_xml_number_entity(const char *text, struct buf *out)
{
    bool is_hex = text[0] == 'x';
    char *end;
    unsigned long c = strtoul(text + is_hex, &end, is_hex ? 16 : 10);

    if (end == text + is_hex || *end != '\0' || c == 0 || c > 0x10ffff) {
        return false;
    }
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_char(out, (char)(0xc0 | c >> 6));
        buf_add_char(out, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_add_char(out, (char)(0xe0 | c >> 12));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (c & 63)));
    } else {
        buf_add_char(out, (char)(0xf0 | c >> 18));
        buf_add_char(out, (char)(0x80 | (c >> 12 & 63)));
        buf_add_char(out, (char)(0x80 | (c >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (c & 63)));
    }
    return true;
}

static bool srv_xml_entity(struct srv_xml *x)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''},
    };
    const char *end = memchr(x->at, ';', (size_t)(x->end - x->at));
    char name[16] = "";

    if (end == NULL || (size_t)(end - x->at) >= sizeof(name)) {
        return false;
    }
    memcpy(name, x->at, (size_t)(end - x->at));
    x->at = end + 1;
    if (name[0] == '#') {
        return srv_xml_number_entity(name + 1, &x->text);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, name) == 0) {
            buf_add_char(&x->text, known[i].c);
            return true;
        }
    }
    return false;
}

/* Read text up to a '<', which is skipped. */
static bool srv_xml_text(struct srv_xml *x)
{
    while (x->at < x->end && *x->at != '<') {
        char c = *x->at++;

        if (c != '&') {
            buf_add_char(&x->text, c);
        } else if (!srv_xml_entity(x)) {
            x->is_bad = true;
            return false;
        }
    }
    if (x->at == x->end) {
        return false;
    }
    x->at++;
    return true;
}

static bool srv_xml_tag(struct srv_xml *x)
{
    const char *end = memchr(x->at, '>', (size_t)(x->end - x->at));
    size_t size;

    if (end == NULL) {
        x->is_bad = true;
        return false;
    }
    x->is_end = *x->at == '/';
    x->at += x->is_end;
    x->is_empty = end > x->at && end[-1] == '/';
    size = (size_t)(end - x->at);
    for (size_t i = 0; i < size; i++) {
        if (strchr(" \t\r\n/", x->at[i]) != NULL) {
            size = i;
        }
    }
    x->is_bad = size == 0 || size >= sizeof(x->name);
    if (x->is_bad) {
        return false;
    }
    memcpy(x->name, x->at, size);
    x->name[size] = '\0';
    x->at = end + 1;
    return true;
}

bool srv_xml_next(struct srv_xml *x)
{
    buf_clear(&x->text);
    if (x->is_empty && !x->is_end) {
        x->is_end = true;
        x->is_empty = false;
        return true;
    }
    for (;;) {
        if (!srv_xml_text(x)) {
            return false;
        }
        if (x->at < x->end && (*x->at == '?' || *x->at == '!')) {
            const char *end = memchr(x->at, '>', (size_t)(x->end - x->at));

            x->is_bad = end == NULL || *x->at == '!';
            if (x->is_bad) {
                return false;
            }
            x->at = end + 1;
            continue;
        }
        return srv_xml_tag(x);
    }
}
