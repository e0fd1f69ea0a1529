/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/augmented.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/json.h"
#include "base/mem.h"

enum { AUGMENTED_SHOW_MAX = 80 }; /* Of what stands in a message. */

/* The name that a line has while it is read: "x:1:COLUMN: what". */
#define AUGMENTED_X "x"
#define AUGMENTED_X_LINE AUGMENTED_X ":1"

static bool augmented_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool augmented_is_blank(struct bytes line)
{
    size_t i = 0;

    while (i < line.size && augmented_is_space(line.at[i])) {
        i++;
    }
    return i == line.size;
}

bool augmented_next(struct bytes *rest, uint64_t *number, struct bytes *line)
{
    bool is_blank = true;

    while (rest->size > 0 && is_blank) {
        const char *end = memchr(rest->at, '\n', rest->size);
        size_t size = end != NULL ? (size_t)(end - rest->at) : rest->size;
        size_t cut = size + (end != NULL);

        *line = (struct bytes){rest->at, size};
        *rest = (struct bytes){rest->at + cut, rest->size - cut};
        ++*number;
        is_blank = augmented_is_blank(*line);
    }
    return !is_blank;
}

/* ---- Keys that stand twice. -----------------------------------------------
 * A document keeps the last of them, so they are looked for in the text, which
 * is known to be JSON. */

/* The end of the string that begins at @at, behind its quote. */
static size_t augmented_string_end(struct bytes text, size_t at)
{
    for (at++; at < text.size && text.at[at] != '"'; at++) {
        at += text.at[at] == '\\' ? 1 : 0;
    }
    return at + 1;
}

/* Yield the next key of the outermost object, as it is written. */
static bool augmented_next_key(struct bytes text, size_t *at, uint32_t *depth,
                               struct bytes *key)
{
    bool is_due = false;

    while (*at < text.size) {
        char c = text.at[*at];
        size_t start = *at;

        if (c == '"') {
            *at = augmented_string_end(text, start);
            if (is_due) {
                *key = (struct bytes){text.at + start, *at - start};
                return true;
            }
            continue;
        }
        *depth += c == '{' || c == '[' ? 1 : 0;
        *depth -= c == '}' || c == ']' ? 1 : 0;
        is_due = *depth == 1 &&
                 (c == '{' || c == ',' || (is_due && augmented_is_space(c)));
        ++*at;
    }
    return false;
}

static int augmented_compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* One of the @count keys of @text that stands twice; empty where the two are
 * written differently. */
static struct bytes augmented_repeated(struct bytes text, size_t count)
{
    struct bytes *keys = mem_new(count, sizeof(*keys));
    struct bytes out = {"", 0};
    uint32_t depth = 0;
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_there = augmented_next_key(text, &at, &depth, &keys[i]);

        CHECK(is_there);
    }
    qsort(keys, count, sizeof(*keys), augmented_compare);
    for (size_t i = 1; i < count && out.size == 0; i++) {
        if (bytes_is_equal(keys[i - 1], keys[i])) {
            out = keys[i];
        }
    }
    free(keys);
    return out;
}

static enum status augmented_check_keys(struct bytes text, size_t distinct,
                                        struct fault *why)
{
    struct bytes key;
    uint32_t depth = 0;
    size_t count = 0;
    size_t at = 0;

    while (augmented_next_key(text, &at, &depth, &key)) {
        count++;
    }
    CHECK(count >= distinct);
    if (count == distinct) {
        return STATUS_OK;
    }
    key = augmented_repeated(text, count);
    if (key.size == 0) {
        return fault_set(why, STATUS_INVALID,
                         ": a key stands twice, written in two ways; leave one "
                         "of them");
    }
    return fault_set(
        why, STATUS_INVALID, ": the key %.*s stands twice; leave one of them",
        (int)(key.size < AUGMENTED_SHOW_MAX ? key.size : AUGMENTED_SHOW_MAX),
        key.at);
}

/* ---- Values. --------------------------------------------------------------
 */

static bool augmented_is_ref(const char *attribute)
{
    return bytes_has_suffix(bytes_of(attribute), BYTES("-ref"));
}

static enum status augmented_check_ref(const char *attribute,
                                       const struct json *v, struct fault *why)
{
    struct bytes text = json_string(v);

    if (!json_is(v, JSON_STRING) ||
        memmem(text.at, text.size, "://", 3) == NULL) {
        return fault_set(why, STATUS_INVALID,
                         ": attribute \"%s\" is not the URI of an object",
                         attribute);
    }
    if (memchr(text.at, '\0', text.size) != NULL) {
        return fault_set(why, STATUS_INVALID,
                         ": attribute \"%s\" holds a NUL byte", attribute);
    }
    return STATUS_OK;
}

static void augmented_write_value(const struct json *v, struct buf *out)
{
    if (json_is(v, JSON_STRING)) {
        buf_add_bytes(out, json_string(v));
    } else {
        json_write(v, JSON_PYTHON_COMPACT, out);
    }
}

/* Views come last: the text that they point to grows. */
static enum status augmented_fill(const struct augmented *a,
                                  const struct json *root, struct fault *why,
                                  struct augmented_line *out)
{
    size_t ends[AUGMENTED_ATTRIBUTES_MAX];
    size_t at = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        const struct json *v = json_get(root, a->attributes[i]);
        bool is_ref = augmented_is_ref(a->attributes[i]);
        enum status s = STATUS_OK;

        if (v == NULL) {
            return fault_set(why, STATUS_INVALID,
                             ": attribute \"%s\" is missing", a->attributes[i]);
        }
        if (is_ref) {
            s = augmented_check_ref(a->attributes[i], v, why);
        }
        if (s != STATUS_OK) {
            return s;
        }
        augmented_write_value(v, &out->texts);
        out->values[i].is_ref = is_ref;
        ends[i] = out->texts.size;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        out->values[i].text =
            (struct bytes){buf_text(&out->texts) + at, ends[i] - at};
        at = ends[i];
    }
    return STATUS_OK;
}

static enum status augmented_parse(const struct augmented *a, struct bytes line,
                                   struct fault *why,
                                   struct augmented_line *out)
{
    struct json_doc *doc = NULL;
    enum status s = json_parse(line, AUGMENTED_X, why, &doc);

    if (s != STATUS_OK) { /* What stands for the line is in front. */
        size_t cut = strlen(AUGMENTED_X_LINE);

        memmove(why->text, why->text + cut, strlen(why->text + cut) + 1);
        return s;
    }
    if (!json_is(json_root(doc), JSON_OBJECT)) {
        s = fault_set(why, STATUS_INVALID,
                      ": it is not a JSON object: {\"attribute\": value, …}");
    }
    if (s == STATUS_OK) {
        s = augmented_check_keys(line, json_count(json_root(doc)), why);
    }
    if (s == STATUS_OK) {
        s = augmented_fill(a, json_root(doc), why, out);
    }
    json_destroy(&doc);
    return s;
}

enum status augmented_read(const struct augmented *a, struct bytes line,
                           uint64_t number, struct fault *why,
                           struct augmented_line *out)
{
    struct fault what = {.text = ""};
    enum status s;

    CHECK(a->count > 0 && a->count <= AUGMENTED_ATTRIBUTES_MAX);
    buf_clear(&out->texts);
    if (line.size > AUGMENTED_LINE_MAX) {
        s = fault_set(&what, STATUS_INVALID,
                      ": it has %zu bytes; a line may have %d", line.size,
                      AUGMENTED_LINE_MAX);
    } else {
        s = augmented_parse(a, line, &what, out);
    }
    return s == STATUS_OK ? s
                          : fault_set(why, s, "%s:%" PRIu64 "%s", a->name,
                                      number, what.text);
}

void augmented_line_fini(struct augmented_line *l)
{
    buf_fini(&l->texts);
    *l = (struct augmented_line){0};
}
