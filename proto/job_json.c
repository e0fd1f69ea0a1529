/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a document by dotted path, with file and line in what is said. */

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "proto/job_parse.h"
#include "proto/suggest.h"

enum { JOB_JSON_PART_MAX = 64 };

static const char *job_json_type(enum json_type type)
{
    switch (type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return "true or false";
    case JSON_INT:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    }
    UNREACHABLE("no such type");
}

void job_origin_of(const char *file, const struct json *v,
                   char out[JOB_ORIGIN_MAX])
{
    snprintf(out, JOB_ORIGIN_MAX, "%.300s:%u", file, json_line(v));
}

const char *job_json_label(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL ? dot + 1 : path;
}

static enum status job_json_refuse(struct job_maker *m, const struct json *v,
                                   const char *what, enum json_type wanted)
{
    return fault_set(
        m->why, STATUS_INVALID, "%s:%u: %s%s%s%s is %s, not %s", m->file,
        json_line(v), m->channel != NULL ? "channel " : "",
        m->channel != NULL ? m->channel : "", m->channel != NULL ? ": " : "",
        what, job_json_type(json_type(v)), job_json_type(wanted));
}

/* Copy the first part of @path. */
static void job_json_part(const char *path, char out[JOB_JSON_PART_MAX])
{
    size_t size = strcspn(path, ".");

    CHECK(size < JOB_JSON_PART_MAX);
    memcpy(out, path, size);
    out[size] = '\0';
}

enum status job_json_find(struct job_maker *m, const struct json *v,
                          const char *path, enum json_type type,
                          const struct json **out)
{
    char part[JOB_JSON_PART_MAX] = "";

    *out = NULL;
    for (const char *rest = path; *rest != '\0';) {
        if (!json_is(v, JSON_OBJECT)) {
            return job_json_refuse(m, v, part, JSON_OBJECT);
        }
        job_json_part(rest, part);
        rest += strlen(part);
        rest += *rest == '.';
        v = json_get(v, part);
        if (json_type(v) == JSON_NULL) {
            return STATUS_OK;
        }
    }
    if (type != JSON_NULL && !json_is(v, type)) {
        return job_json_refuse(m, v, part, type);
    }
    *out = v;
    return STATUS_OK;
}

enum status job_json_text(struct job_maker *m, const struct json *v,
                          enum job_kind kind, const struct job_place *at,
                          struct bytes *out)
{
    enum json_type type = json_type(v);
    enum json_type wanted = kind == JOB_KIND_NUMBER || kind == JOB_KIND_COUNT
                                ? JSON_INT
                            : kind == JOB_KIND_FLAG ? JSON_BOOL
                                                    : JSON_STRING;

    if (type == JSON_STRING) {
        *out = json_string(v);
    } else if (type == JSON_INT && wanted == JSON_INT) {
        *out = json_digits(v);
    } else if (type == JSON_BOOL && wanted == JSON_BOOL) {
        *out = json_is_true(v) ? BYTES("yes") : BYTES("no");
    } else {
        return job_refuse(m->why, at, "is %s, not %s", job_json_type(type),
                          job_json_type(wanted));
    }
    return STATUS_OK;
}

enum status job_json_read(struct job_maker *m, const struct job_text *text,
                          struct json_doc **out)
{
    enum status s = json_parse(text->text, text->name, m->why, out);

    m->file = text->name;
    if (s != STATUS_OK) {
        return s;
    }
    if (!json_is(json_root(*out), JSON_OBJECT)) {
        s = job_json_refuse(m, json_root(*out), "the document", JSON_OBJECT);
        json_destroy(out);
    }
    return s;
}

enum status job_read_key(struct job_maker *m, const struct json *v,
                         const char *path, enum job_key k, enum job_layer layer)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, NULL, job_json_label(path), layer};
    const struct json *member;
    struct bytes text = {0};
    enum status s = job_json_find(m, v, path, JSON_NULL, &member);

    if (s != STATUS_OK || member == NULL) {
        return s;
    }
    job_origin_of(m->file, member, origin);
    s = job_json_text(m, member, job_key_row(k)->kind, &at, &text);
    return s == STATUS_OK ? job_set_key(m->job, k, text, &at, m->why) : s;
}

enum status job_check_words(struct job_maker *m, const struct json *v,
                            const char *const *words, size_t count)
{
    char origin[JOB_ORIGIN_MAX];
    struct job_place at = {origin, m->channel, "Smshard", JOB_LAYER_DOCUMENT};

    for (size_t i = 0; i < json_count(v); i++) {
        struct bytes key = json_key_at(v, i);
        const char *near = NULL;
        bool is_known = false;

        for (size_t j = 0; j < count; j++) {
            is_known = is_known || bytes_is(key, words[j]);
        }
        if (is_known) {
            continue;
        }
        job_origin_of(m->file, json_at(v, i), origin);
        near = suggest_nearest(key, words, count);
        return job_refuse(m->why, &at, "has no setting \"%.*s\"%s%s%s",
                          (int)(key.size < 64 ? key.size : 64), key.at,
                          near != NULL ? "; did you mean \"" : "",
                          near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    return STATUS_OK;
}
