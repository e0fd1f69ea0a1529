/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/toolkit_value.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

void toolkit_value_fini(struct toolkit_value *v)
{
    buf_fini(&v->text);
    v->kind = TOOLKIT_NONE;
}

struct toolkit_value toolkit_value_of(const struct json *v)
{
    struct toolkit_value made = {.kind = TOOLKIT_OTHER};

    if (json_is(v, JSON_STRING)) {
        made.kind = TOOLKIT_STR;
        buf_add_bytes(&made.text, json_string(v));
    } else if (json_type(v) == JSON_NULL) {
        made.kind = TOOLKIT_NONE;
    } else {
        json_write(v, JSON_PYTHON_COMPACT, &made.text);
    }
    return made;
}

struct toolkit_value toolkit_value_str(const char *text)
{
    struct toolkit_value made = {.kind = TOOLKIT_STR};

    buf_add_text(&made.text, text);
    return made;
}

struct toolkit_value toolkit_value_bool(bool b)
{
    struct toolkit_value made = {.kind = TOOLKIT_OTHER};

    buf_add_text(&made.text, b ? "true" : "false");
    return made;
}

struct toolkit_value toolkit_value_int(unsigned long long i)
{
    struct toolkit_value made = {.kind = TOOLKIT_OTHER};

    buf_print(&made.text, "%llu", i);
    return made;
}

void toolkit_value_write(const struct toolkit_value *v, struct buf *out)
{
    switch (v->kind) {
    case TOOLKIT_NONE:
        buf_add_text(out, "null");
        return;
    case TOOLKIT_STR:
        json_write_ascii(buf_bytes(&v->text), out);
        return;
    case TOOLKIT_OTHER:
        buf_add_bytes(out, buf_bytes(&v->text));
        return;
    }
}

bool toolkit_is_true(const struct json *v)
{
    double real;

    switch (json_type(v)) {
    case JSON_NULL:
        return false;
    case JSON_BOOL:
        return json_is_true(v);
    case JSON_INT:
        return !bytes_is(json_digits(v), "0");
    case JSON_REAL:
        real = json_real(v);
        return real < 0 || real > 0 || real != real;
    case JSON_STRING:
        return json_string(v).size > 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_count(v) > 0;
    }
    return false;
}

static void toolkit_add_code(uint32_t code, struct buf *out)
{
    char text[UTF8_SIZE_MAX];

    buf_add(out, text, utf8_write(code, text));
}

enum status toolkit_add_os_text(struct bytes text, const char *what,
                                struct fault *why, struct buf *out)
{
    uint32_t code = 0;
    size_t size;

    while ((size = utf8_read_escaped(text, &code)) > 0) {
        if (code == 0) {
            return fault_set(why, STATUS_INVALID,
                             "%s: holds a NUL character, which neither a "
                             "variable nor an argument can",
                             what);
        }
        if (code >= 0xdc80 && code <= 0xdcff) {
            buf_add_char(out, (char)(code - 0xdc00));
        } else if (utf8_is_surrogate(code)) {
            return fault_set(why, STATUS_INVALID,
                             "%s: holds half of a surrogate pair (U+%04X), "
                             "which has no UTF-8",
                             what, (unsigned)code);
        } else {
            buf_add(out, text.at, size);
        }
        text.at += size;
        text.size -= size;
    }
    return STATUS_OK;
}

void toolkit_add_upper(struct bytes text, struct buf *out)
{
    uint32_t code = 0;
    size_t size;

    while ((size = utf8_read_escaped(text, &code)) > 0) {
        uint32_t upper[UTF8_UPPER_MAX];
        size_t count = utf8_upper(code, upper);

        for (size_t i = 0; i < count; i++) {
            toolkit_add_code(upper[i], out);
        }
        text.at += size;
        text.size -= size;
    }
}

void toolkit_add_path(struct bytes folder, struct bytes name, struct buf *out)
{
    if (bytes_has_prefix(name, BYTES("/"))) {
        buf_add_bytes(out, name);
        return;
    }
    buf_add_bytes(out, folder);
    if (folder.size > 0 && !bytes_has_suffix(folder, BYTES("/"))) {
        buf_add_char(out, '/');
    }
    buf_add_bytes(out, name);
}

static int toolkit_compare_items(const void *a, const void *b)
{
    const struct toolkit_item *x = a;
    const struct toolkit_item *y = b;
    int order = bytes_compare(x->key, y->key);

    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

void toolkit_sort_items(struct toolkit_item *items, size_t count)
{
    if (count > 1) {
        qsort(items, count, sizeof(*items), toolkit_compare_items);
    }
}

struct toolkit_item *toolkit_sorted_members(const struct json *object)
{
    size_t count = json_count(object);
    struct toolkit_item *items = mem_new(count, sizeof(*items));

    for (size_t i = 0; i < count; i++) {
        items[i] = (struct toolkit_item){.key = json_key_at(object, i),
                                         .value = json_at(object, i),
                                         .place = i};
    }
    toolkit_sort_items(items, count);
    return items;
}

void toolkit_write_items(const struct toolkit_item *items, size_t count,
                         struct buf *out)
{
    bool is_first = true;

    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && bytes_is_equal(items[i].key, items[i + 1].key)) {
            continue;
        }
        if (!is_first) {
            buf_add_char(out, ',');
        }
        is_first = false;
        json_write_ascii(items[i].key, out);
        buf_add_char(out, ':');
        json_write(items[i].value, JSON_PYTHON_COMPACT, out);
    }
    buf_add_char(out, '}');
}
