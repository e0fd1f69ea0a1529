/* SPDX-License-Identifier: Apache-2.0 */
/* Strings as JSON and as Python write them. */

#include <string.h>

#include "base/json.h"
#include "base/json_node.h"
#include "base/utf8.h"

/* Escapes that JSON gives a letter. */
static char json_letter_of(uint32_t code)
{
    static const char codes[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found =
        code > 0 && code < 0x80 ? strchr(codes, (int)code) : NULL;

    return found != NULL ? letters[found - codes] : '\0';
}

static void json_add_utf8(uint32_t code, struct buf *out)
{
    char text[UTF8_SIZE_MAX];

    buf_add(out, text, utf8_write(code, text));
}

static void json_add_escape(uint32_t code, struct buf *out)
{
    if (code >= 0x10000) {
        buf_print(out, "\\u%04x",
                  (unsigned)(0xd800 + ((code - 0x10000) >> 10)));
        code = 0xdc00 + (code & 0x3ff);
    }
    buf_print(out, "\\u%04x", (unsigned)code);
}

/* What becomes of a code point that is not plain ASCII. */
enum json_charset {
    JSON_ASCII,   /* An escape. */
    JSON_UTF8,    /* Kept; an escape for a surrogate, which has no UTF-8. */
    JSON_REPLACED /* Kept; U+FFFD for a surrogate. */
};

static void json_add_code(uint32_t code, enum json_charset charset,
                          struct buf *out)
{
    char letter = json_letter_of(code);
    bool is_escaped = code < 0x20 || (code >= 0x7f && charset == JSON_ASCII);

    if (utf8_is_surrogate(code)) {
        is_escaped = charset != JSON_REPLACED;
        code = is_escaped ? code : UTF8_REPLACEMENT;
    }
    if (letter != '\0') {
        buf_add(out, (char[]){'\\', letter}, 2);
    } else if (is_escaped) {
        json_add_escape(code, out);
    } else {
        json_add_utf8(code, out);
    }
}

static void json_add_string(struct bytes text, enum json_charset charset,
                            struct buf *out)
{
    uint32_t code = 0;
    size_t size;

    buf_add_char(out, '"');
    while ((size = utf8_read_escaped(text, &code)) > 0) {
        json_add_code(code, charset, out);
        text.at += size;
        text.size -= size;
    }
    buf_add_char(out, '"');
}

void json_write_ascii(struct bytes text, struct buf *out)
{
    json_add_string(text, JSON_ASCII, out);
}

void json_write_unicode(struct bytes text, struct buf *out)
{
    json_add_string(text, JSON_UTF8, out);
}

void json_write_string(struct bytes text, struct buf *out)
{
    json_add_string(text, JSON_REPLACED, out);
}

static char json_python_letter_of(uint32_t code)
{
    switch (code) {
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\\':
        return '\\';
    default:
        return '\0';
    }
}

static void json_add_python_code(uint32_t code, char quote, struct buf *out)
{
    char letter = json_python_letter_of(code);

    if (letter != '\0' || code == (unsigned char)quote) {
        buf_add(out, (char[]){'\\', letter != '\0' ? letter : quote}, 2);
    } else if (utf8_is_printable(code)) {
        json_add_utf8(code, out);
    } else if (code < 0x100) {
        buf_print(out, "\\x%02x", (unsigned)code);
    } else if (code < 0x10000) {
        buf_print(out, "\\u%04x", (unsigned)code);
    } else {
        buf_print(out, "\\U%08x", (unsigned)code);
    }
}

static bool json_has_byte(struct bytes text, char c)
{
    return text.size > 0 && memchr(text.at, c, text.size) != NULL;
}

void json_write_python_repr(struct bytes text, struct buf *out)
{
    bool is_double = json_has_byte(text, '\'') && !json_has_byte(text, '"');
    char quote = is_double ? '"' : '\'';
    uint32_t code = 0;
    size_t size;

    buf_add_char(out, quote);
    while ((size = utf8_read_escaped(text, &code)) > 0) {
        json_add_python_code(code, quote, out);
        text.at += size;
        text.size -= size;
    }
    buf_add_char(out, quote);
}
