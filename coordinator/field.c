/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/field.h"

#include <string.h>

#include "base/check.h"

/* What every reader of JSON keeps exactly. */
#define FIELD_NUMBER_MAX (INT64_C(1) << 53)

static bool field_is_clean(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

enum status field_text(const struct json *object, const char *key,
                       struct fault *why, size_t room, char *out)
{
    const struct json *value = json_get(object, key);
    struct bytes text = json_string(value);

    CHECK(room > 0);
    if (!json_is(value, JSON_STRING) || text.size == 0) {
        return fault_set(why, STATUS_MALFORMED, "\"%s\" is not a text", key);
    }
    if (text.size >= room) {
        return fault_set(why, STATUS_MALFORMED, "\"%s\" has %zu bytes of %zu",
                         key, text.size, room - 1);
    }
    if (!field_is_clean(text)) {
        return fault_set(why, STATUS_MALFORMED, "\"%s\" holds a control byte",
                         key);
    }
    memcpy(out, text.at, text.size);
    out[text.size] = '\0';
    return STATUS_OK;
}

enum status field_number(const struct json *object, const char *key,
                         struct fault *why, uint64_t *out)
{
    int64_t value = 0;

    if (!json_int64(json_get(object, key), &value) || value < 0 ||
        value > FIELD_NUMBER_MAX) {
        return fault_set(why, STATUS_MALFORMED,
                         "\"%s\" is not a number from 0 to 2^53", key);
    }
    *out = (uint64_t)value;
    return STATUS_OK;
}

void field_write_key(struct buf *out, const char *key)
{
    char last = out->size > 0 ? out->at[out->size - 1] : '{';

    if (last != '{' && last != '[') {
        buf_add_char(out, ',');
    }
    json_write_string(bytes_of(key), out);
    buf_add_char(out, ':');
}

void field_write_text(struct buf *out, const char *key, const char *value)
{
    field_write_key(out, key);
    json_write_string(bytes_of(value), out);
}

void field_write_number(struct buf *out, const char *key, uint64_t value)
{
    field_write_key(out, key);
    buf_print(out, "%llu", (unsigned long long)value);
}
