/* SPDX-License-Identifier: Apache-2.0 */
/* One value at a time: the tables, what each kind allows, and the setters. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "proto/job_parse.h"

static const struct job_row job_field_rows[JOB_FIELDS_COUNT] = {
#define X(id, flag, doc, kind, longest, def, scope, meaning)                   \
    {flag,    doc, "SMSHARD_" #id,    JOB_KIND_##kind,                         \
     longest, def, JOB_SCOPE_##scope, meaning},
    JOB_FIELDS_MAP(X)
#undef X
};

static const struct job_row job_key_rows[JOB_KEYS_COUNT] = {
#define X(id, flag, doc, kind, longest, def, scope, meaning)                   \
    {flag,    doc, "SMSHARD_" #id,    JOB_KIND_##kind,                         \
     longest, def, JOB_SCOPE_##scope, meaning},
    JOB_KEYS_MAP(X)
#undef X
};

const struct job_row *job_field_row(enum job_field f)
{
    CHECK(f < JOB_FIELDS_COUNT);
    return &job_field_rows[f];
}

const struct job_row *job_key_row(enum job_key k)
{
    CHECK(k < JOB_KEYS_COUNT);
    return &job_key_rows[k];
}

size_t job_characters(struct bytes text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++) {
        count += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    }
    return count;
}

enum status job_refuse(struct fault *why, const struct job_place *at,
                       const char *format, ...)
{
    char rest[FAULT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof(rest), format, args);
    va_end(args);
    return fault_set(
        why, STATUS_INVALID, "%s: %s%s%s%s%s%s", at->origin,
        at->channel != NULL ? "channel " : "",
        at->channel != NULL ? at->channel : "", at->channel != NULL ? ": " : "",
        at->label != NULL ? at->label : "", at->label != NULL ? " " : "", rest);
}

static enum status job_check_word(const char *const *words, struct bytes text,
                                  const struct job_place *at, struct fault *why)
{
    struct buf list = {0};
    uint32_t index;
    enum status s;

    if (job_word_find(words, text, &index)) {
        return STATUS_OK;
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        buf_print(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    s = job_refuse(why, at, "\"%.*s\" is not one of %s",
                   (int)(text.size < 64 ? text.size : 64), text.at,
                   buf_text(&list));
    buf_fini(&list);
    return s;
}

/* Read a whole number of up to 64 bits; a negative one keeps its bits. */
static bool job_parse_number(struct bytes text, uint64_t *out)
{
    bool is_negative = text.size > 0 && text.at[0] == '-';
    uint64_t most = is_negative ? (uint64_t)INT64_MAX + 1 : UINT64_MAX;
    uint64_t value = 0;

    if (text.size == (is_negative ? 1 : 0)) {
        return false;
    }
    for (size_t i = is_negative ? 1 : 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)((unsigned char)text.at[i] - '0');

        if (digit > 9 || value > (most - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = is_negative ? UINT64_C(0) - value : value;
    return true;
}

static enum status job_check_flag(struct bytes text, const struct job_place *at,
                                  struct fault *why)
{
    static const char *const words[] = {"yes", "no", "true", "false", NULL};

    return job_check_word(words, text, at, why);
}

static bool job_flag_is_on(struct bytes text)
{
    return bytes_is(text, "yes") || bytes_is(text, "true");
}

static bool job_is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

static bool job_name_is_allowed(struct bytes name)
{
    if (name.size == 0 || name.size > JOB_NAME_MAX ||
        !job_is_alnum(name.at[0]) || !job_is_alnum(name.at[name.size - 1])) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (!job_is_alnum(name.at[i]) && name.at[i] != '-') {
            return false;
        }
    }
    return true;
}

bool job_name_is_valid(const char *name)
{
    return job_name_is_allowed(bytes_of(name));
}

enum status job_check_uri(struct bytes uri, const struct job_place *at,
                          struct fault *why)
{
    int size = (int)(uri.size < 200 ? uri.size : 200);
    bool is_file = bytes_has_prefix(uri, BYTES("file://"));
    size_t start = bytes_has_prefix(uri, BYTES("s3://"))      ? 5
                   : bytes_has_prefix(uri, BYTES("https://")) ? 8
                                                              : 7;

    if (start == 7 && !is_file) {
        return job_refuse(why, at,
                          "\"%.*s\" does not start with s3://, https:// or "
                          "file://",
                          size, uri.at);
    }
    if (job_characters(uri) > JOB_URI_MAX) {
        return job_refuse(why, at, "has %zu characters, %d are allowed",
                          job_characters(uri), JOB_URI_MAX);
    }
    for (size_t i = 0; i < uri.size; i++) {
        if ((unsigned char)uri.at[i] < 0x20 || uri.at[i] == 0x7f) {
            return job_refuse(why, at, "\"%.*s\" holds a control byte", size,
                              uri.at);
        }
    }
    if (is_file && (uri.size == start || uri.at[start] != '/')) {
        return job_refuse(why, at,
                          "\"%.*s\" is no absolute path; write file:///path",
                          size, uri.at);
    }
    if (!is_file && (uri.size == start || uri.at[start] == '/')) {
        return job_refuse(why, at, "\"%.*s\" names no bucket", size, uri.at);
    }
    return STATUS_OK;
}

enum status job_check_value(const struct job_row *row, const char *const *words,
                            struct bytes text, const struct job_place *at,
                            struct fault *why)
{
    uint64_t number;
    int size = (int)(text.size < 80 ? text.size : 80);

    switch (row->kind) {
    case JOB_KIND_URI:
        return job_check_uri(text, at, why);
    case JOB_KIND_WORD:
        return job_check_word(words, text, at, why);
    case JOB_KIND_FLAG:
        return job_check_flag(text, at, why);
    case JOB_KIND_NUMBER:
        if (!job_parse_number(text, &number)) {
            return job_refuse(why, at,
                              "\"%.*s\" is not a whole number of 64 bits", size,
                              text.at);
        }
        return STATUS_OK;
    case JOB_KIND_COUNT:
        if (!job_parse_number(text, &number) || text.at[0] == '-' ||
            number > row->longest) {
            return job_refuse(why, at,
                              "\"%.*s\" is not a whole number from 0 to %zu",
                              size, text.at, row->longest);
        }
        return STATUS_OK;
    case JOB_KIND_NAME:
        if (!job_name_is_allowed(text)) {
            return job_refuse(why, at,
                              "\"%.*s\" is not a job name: 1 to %d letters, "
                              "digits and '-', no '-' at either end",
                              size, text.at, JOB_NAME_MAX);
        }
        return STATUS_OK;
    case JOB_KIND_TEXT:
    case JOB_KIND_LIST:
        break;
    }
    if (text.size == 0 || memchr(text.at, '\0', text.size) != NULL) {
        return job_refuse(why, at,
                          text.size == 0 ? "is empty" : "holds a NUL byte");
    }
    if (job_characters(text) > row->longest) {
        return job_refuse(why, at, "has %zu characters, %zu are allowed",
                          job_characters(text), row->longest);
    }
    return STATUS_OK;
}

/* Keep @text as what was said. false: something stronger was said before. */
static bool job_value_take(struct job_value *value, const char *text,
                           size_t size, const struct job_place *at)
{
    if (value->text != NULL && value->layer > (int)at->layer) {
        return false;
    }
    free(value->text);
    free(value->origin);
    value->text = mem_copy_text(text, size);
    value->origin = mem_copy(at->origin);
    value->layer = (int)at->layer;
    return true;
}

static void job_put_text(char **to, struct bytes text)
{
    free(*to);
    *to = mem_copy_text(text.at, text.size);
}

static void job_put_word(struct job_channel *c, enum job_field f, uint32_t w)
{
    switch ((int)f) {
    case JOB_FIELD_SOURCE:
        c->source = (enum job_source)w;
        break;
    case JOB_FIELD_DISTRIBUTION:
        c->distribution = (enum job_distribution)w;
        break;
    case JOB_FIELD_MODE:
        c->mode = (enum job_mode)w;
        break;
    case JOB_FIELD_WRAPPER:
        c->wrapper = (enum job_wrapper)w;
        break;
    case JOB_FIELD_COMPRESSION:
        c->compression = (enum job_compression)w;
        break;
    case JOB_FIELD_DEAL:
        c->deal = (enum job_deal)w;
        break;
    case JOB_FIELD_EVEN:
        c->even = (enum job_even)w;
        break;
    case JOB_FIELD_RECORDS:
        c->records = (enum framing)w;
        break;
    case JOB_FIELD_RING_MODE:
        c->ring.mode = (enum job_ring_mode)w;
        break;
    case JOB_FIELD_RING_LOST:
        c->ring.drops = w == 1;
        break;
    case JOB_FIELD_FS_TYPE:
        c->file_system.type = (enum job_file_system)w;
        break;
    case JOB_FIELD_FS_ACCESS:
        c->file_system.may_write = w == 1;
        break;
    default:
        UNREACHABLE("a field without words");
    }
}

static void job_put_other(struct job_channel *c, enum job_field f,
                          struct bytes text)
{
    switch ((int)f) {
    case JOB_FIELD_URI:
        job_put_text(&c->uri, text);
        break;
    case JOB_FIELD_SEED:
        c->has_shuffle = job_parse_number(text, &c->shuffle_seed);
        break;
    case JOB_FIELD_CONTENT_TYPE:
        job_put_text(&c->content_type, text);
        break;
    case JOB_FIELD_SPLIT:
        c->may_split = job_flag_is_on(text);
        break;
    case JOB_FIELD_ALLOW_EMPTY:
        c->may_be_empty = job_flag_is_on(text);
        break;
    case JOB_FIELD_LISTING:
        job_put_text(&c->listing, text);
        break;
    case JOB_FIELD_EPOCHS:
        CHECK(job_parse_number(text, &c->epochs));
        break;
    case JOB_FIELD_STEP_UNITS:
        CHECK(job_parse_number(text, &c->step_units));
        break;
    case JOB_FIELD_SKIP:
        CHECK(job_parse_number(text, &c->skips));
        break;
    case JOB_FIELD_RING_CONSUMERS:
        CHECK(job_parse_number(text, &c->ring.consumers));
        break;
    case JOB_FIELD_FS_ID:
        job_put_text(&c->file_system.id, text);
        break;
    case JOB_FIELD_FS_PATH:
        job_put_text(&c->file_system.path, text);
        break;
    default:
        UNREACHABLE("a field with words or items");
    }
}

/* "Converse" is a word of the contract that no part of smshard will serve. */
static enum status job_refuse_converse(const struct job_place *at,
                                       struct fault *why)
{
    enum status s = job_refuse(why, at,
                               "\"Converse\" is for the platform's own model "
                               "tuning and is not served; use S3Prefix, "
                               "ManifestFile or AugmentedManifestFile");

    CHECK(s == STATUS_INVALID);
    return STATUS_UNSUPPORTED;
}

/* Divide @text at its commas. */
static enum status job_set_listed(struct job_channel *c, enum job_field f,
                                  struct bytes text, const struct job_place *at,
                                  struct fault *why)
{
    struct bytes items[JOB_ATTRIBUTES_MAX + 1];
    size_t count = 0;
    const char *end = text.at + text.size;

    for (const char *p = text.at; count < JOB_ATTRIBUTES_MAX + 1;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        items[count++] =
            (struct bytes){p, (size_t)((comma != NULL ? comma : end) - p)};
        if (comma == NULL) {
            break;
        }
        p = comma + 1;
    }
    return job_set_list(c, f, (struct job_items){items, count}, at, why);
}

enum status job_set_field(struct job_channel *c, enum job_field f,
                          struct bytes text, const struct job_place *at,
                          struct fault *why)
{
    const struct job_row *row = job_field_row(f);
    const char *const *words = job_field_words(f);
    uint32_t word = 0;
    enum status s;

    if (row->kind == JOB_KIND_LIST) {
        return job_set_listed(c, f, text, at, why);
    }
    if (f == JOB_FIELD_SOURCE && bytes_is(text, "Converse")) {
        return job_refuse_converse(at, why);
    }
    s = job_check_value(row, words, text, at, why);
    if (s != STATUS_OK) {
        return s;
    }
    if (row->kind == JOB_KIND_WORD && job_word_find(words, text, &word)) {
        text = bytes_of(words[word]);
    }
    if (row->kind == JOB_KIND_FLAG) {
        text = job_flag_is_on(text) ? BYTES("yes") : BYTES("no");
    }
    if (!job_value_take(&c->values[f], text.at, text.size, at)) {
        return STATUS_OK;
    }
    if (row->kind == JOB_KIND_WORD) {
        job_put_word(c, f, word);
    } else {
        job_put_other(c, f, text);
    }
    return STATUS_OK;
}

static enum status job_check_items(enum job_field f, struct job_items items,
                                   const struct job_place *at,
                                   struct fault *why)
{
    size_t most = f == JOB_FIELD_GROUPS ? (size_t)JOB_CHANNEL_GROUPS_MAX
                                        : (size_t)JOB_ATTRIBUTES_MAX;

    if (items.count > most) {
        return job_refuse(why, at, "has more than %zu names", most);
    }
    for (size_t i = 0; i < items.count; i++) {
        enum status s =
            job_check_value(job_field_row(f), NULL, items.at[i], at, why);

        if (s != STATUS_OK) {
            return s;
        }
        for (size_t j = 0; j < i; j++) {
            if (bytes_is_equal(items.at[i], items.at[j])) {
                return job_refuse(why, at, "names \"%.*s\" twice",
                                  (int)items.at[i].size, items.at[i].at);
            }
        }
    }
    return STATUS_OK;
}

enum status job_set_list(struct job_channel *c, enum job_field f,
                         struct job_items items, const struct job_place *at,
                         struct fault *why)
{
    char **to = f == JOB_FIELD_GROUPS ? c->groups : c->attributes;
    uint32_t *to_count =
        f == JOB_FIELD_GROUPS ? &c->group_count : &c->attribute_count;
    enum status s = job_check_items(f, items, at, why);
    struct buf text = {0};

    if (s != STATUS_OK || items.count == 0) {
        return s;
    }
    for (size_t i = 0; i < items.count; i++) {
        buf_print(&text, "%s%.*s", i > 0 ? "," : "", (int)items.at[i].size,
                  items.at[i].at);
    }
    if (job_value_take(&c->values[f], text.at, text.size, at)) {
        for (uint32_t i = 0; i < *to_count; i++) {
            free(to[i]);
        }
        for (size_t i = 0; i < items.count; i++) {
            to[i] = mem_copy_text(items.at[i].at, items.at[i].size);
        }
        *to_count = (uint32_t)items.count;
    }
    buf_fini(&text);
    return STATUS_OK;
}

static enum status job_check_count(enum job_key k, struct bytes text,
                                   const struct job_place *at,
                                   struct fault *why)
{
    uint64_t number = 0;
    size_t most = job_key_row(k)->longest;

    if (!job_parse_number(text, &number) || number == 0 || text.at[0] == '-' ||
        number > most) {
        return job_refuse(
            why, at, "\"%.*s\" is not a whole number from 1 to %zu",
            (int)(text.size < 64 ? text.size : 64), text.at, most);
    }
    return STATUS_OK;
}

/* What a key takes beyond its kind. */
static enum status job_check_key(enum job_key k, struct bytes text,
                                 const struct job_place *at, struct fault *why)
{
    enum status s =
        job_check_value(job_key_row(k), job_output_words, text, at, why);

    if (s != STATUS_OK) {
        return s;
    }
    if (k == JOB_KEY_CHECKPOINT_PATH && text.at[0] != '/') {
        return job_refuse(why, at, "\"%.*s\" is not an absolute path",
                          (int)(text.size < 200 ? text.size : 200), text.at);
    }
    if (job_key_row(k)->kind == JOB_KIND_NUMBER) {
        return job_check_count(k, text, at, why);
    }
    return STATUS_OK;
}

static void job_put_key(struct job *job, enum job_key k, struct bytes text)
{
    uint64_t number = 0;

    switch (k) {
    case JOB_KEY_JOB_NAME:
        job_put_text(&job->name, text);
        break;
    case JOB_KEY_OUTPUT:
        job_put_text(&job->output_uri, text);
        break;
    case JOB_KEY_OUTPUT_COMPRESSION:
        job->output_is_compressed = bytes_is(text, "GZIP");
        break;
    case JOB_KEY_CHECKPOINT:
        job_put_text(&job->checkpoint_uri, text);
        break;
    case JOB_KEY_CHECKPOINT_PATH:
        job_put_text(&job->checkpoint_path, text);
        break;
    case JOB_KEY_HOST_COUNT:
        job->host_count =
            job_parse_number(text, &number) ? (uint32_t)number : 0;
        break;
    case JOB_KEY_INSTANCE_TYPE:
        job_put_text(&job->instance_type, text);
        break;
    case JOB_KEY_RUN_SECONDS:
        job->run_seconds_max = job_parse_number(text, &number) ? number : 0;
        break;
    case JOB_KEYS_COUNT:
        UNREACHABLE("a key that is none");
    }
}

enum status job_set_key(struct job *job, enum job_key k, struct bytes text,
                        const struct job_place *at, struct fault *why)
{
    enum status s = job_check_key(k, text, at, why);
    uint32_t word;

    if (s != STATUS_OK) {
        return s;
    }
    if (k == JOB_KEY_OUTPUT_COMPRESSION &&
        job_word_find(job_output_words, text, &word)) {
        text = bytes_of(job_output_words[word]);
    }
    if (job_value_take(&job->values[k], text.at, text.size, at)) {
        job_put_key(job, k, text);
    }
    return STATUS_OK;
}
