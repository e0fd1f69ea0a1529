/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/inventory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

enum {
    INVENTORY_KEY_MAX = 1024,
    INVENTORY_SHOWN = 80, /* Bytes of a value in a message. */
};

static int inventory_shown(struct bytes text)
{
    return (int)(text.size < INVENTORY_SHOWN ? text.size : INVENTORY_SHOWN);
}

/* What is being read. */
struct inventory_reader {
    const char *name;
    struct fault *why;
    struct inventory *out;
};

static enum status inventory_refuse(const struct inventory_reader *r,
                                    const struct json *at, const char *what)
{
    return fault_set(r->why, STATUS_INVALID,
                     "%s:%u: %s; it is no manifest of an S3 Inventory", r->name,
                     json_line(at), what);
}

/* A member that is a string without NUL bytes and not empty. */
static enum status inventory_text(const struct inventory_reader *r,
                                  const struct json *object, const char *member,
                                  struct bytes *out)
{
    const struct json *v = json_get(object, member);
    char what[64];

    *out = json_string(v);
    if (out->size > 0 && memchr(out->at, '\0', out->size) == NULL) {
        return STATUS_OK;
    }
    snprintf(what, sizeof(what), "\"%s\" is missing or no text", member);
    return inventory_refuse(r, v != NULL ? v : object, what);
}

/* Read a whole number of at most 19 digits. */
static bool inventory_number(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)((unsigned char)text.at[i] - '0');

        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return text.size > 0 && text.size <= 19;
}

static bool inventory_read_md5(struct bytes text, char out[INVENTORY_MD5_SIZE])
{
    if (text.size != INVENTORY_MD5_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];

        if (c >= 'A' && c <= 'F') {
            c = (char)(c - 'A' + 'a');
        }
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return false;
        }
        out[i] = c;
    }
    out[text.size] = '\0';
    return true;
}

bool inventory_read_checksum(struct bytes text, char out[INVENTORY_MD5_SIZE])
{
    struct bytes word = {text.at, 0};

    while (word.size < text.size && (unsigned char)text.at[word.size] > ' ') {
        word.size++;
    }
    return inventory_read_md5(word, out);
}

/* ---- The schema. */

static const char *const inventory_columns[INVENTORY_COLUMNS] = {
    [INVENTORY_BUCKET] = "Bucket",
    [INVENTORY_KEY] = "Key",
    [INVENTORY_VERSION] = "VersionId",
    [INVENTORY_IS_LATEST] = "IsLatest",
    [INVENTORY_IS_DELETE_MARKER] = "IsDeleteMarker",
    [INVENTORY_SIZE] = "Size",
    [INVENTORY_ETAG] = "ETag",
};

static void inventory_clear_schema(struct inventory_schema *schema)
{
    schema->count = 0;
    memset(schema->at, -1, sizeof(schema->at));
}

static struct bytes inventory_trim(struct bytes text)
{
    while (text.size > 0 && text.at[0] == ' ') {
        text.at++;
        text.size--;
    }
    while (text.size > 0 && text.at[text.size - 1] == ' ') {
        text.size--;
    }
    return text;
}

/* Note the column @name. false: it stands there twice. */
static bool inventory_add_column(struct inventory_schema *schema,
                                 struct bytes name)
{
    for (int i = 0; i < INVENTORY_COLUMNS; i++) {
        if (bytes_is(name, inventory_columns[i])) {
            if (schema->at[i] >= 0) {
                return false;
            }
            schema->at[i] = (int8_t)schema->count;
        }
    }
    schema->count++;
    return true;
}

/* "Bucket, Key, VersionId, …" */
static enum status inventory_read_schema(const struct inventory_reader *r,
                                         const struct json *root)
{
    const struct json *v = json_get(root, "fileSchema");
    struct inventory_schema *schema = &r->out->schema;
    struct bytes left;
    enum status s = inventory_text(r, root, "fileSchema", &left);
    bool has_more = s == STATUS_OK;

    inventory_clear_schema(schema);
    while (has_more) {
        const char *comma = memchr(left.at, ',', left.size);
        size_t size = comma != NULL ? (size_t)(comma - left.at) : left.size;
        struct bytes name = inventory_trim((struct bytes){left.at, size});

        if (schema->count == CSV_COLUMNS_MAX || name.size == 0 ||
            !inventory_add_column(schema, name)) {
            return inventory_refuse(
                r, v, "\"fileSchema\" repeats a column or has too many");
        }
        has_more = comma != NULL;
        left.at += size + (has_more ? 1 : 0);
        left.size -= size + (has_more ? 1 : 0);
    }
    if (s == STATUS_OK && schema->at[INVENTORY_KEY] < 0) {
        return inventory_refuse(r, v, "\"fileSchema\" has no column Key");
    }
    return s;
}

enum status inventory_batch_schema(const struct csv_row *row, struct fault *why,
                                   struct inventory_schema *out)
{
    inventory_clear_schema(out);
    if (row->count < 2 || row->count > 3) {
        return fault_set(why, STATUS_INVALID,
                         "row %" PRIu64 ": it has %u columns; a manifest of S3 "
                         "Batch Operations has Bucket,Key or "
                         "Bucket,Key,VersionId, and one of S3 Inventory is a "
                         "manifest.json",
                         row->number, row->count);
    }
    if (bytes_is((struct bytes){row->fields[0].at, row->fields[0].size},
                 "Bucket")) {
        return fault_set(why, STATUS_INVALID,
                         "row %" PRIu64 ": it is a head; a manifest of S3 "
                         "Batch Operations has none: take it out",
                         row->number);
    }
    out->count = row->count;
    out->at[INVENTORY_BUCKET] = 0;
    out->at[INVENTORY_KEY] = 1;
    out->at[INVENTORY_VERSION] = row->count == 3 ? 2 : -1;
    return STATUS_OK;
}

/* ---- The manifest. */

static enum status inventory_read_format(const struct inventory_reader *r,
                                         const struct json *root)
{
    struct bytes format;
    enum status s = inventory_text(r, root, "fileFormat", &format);

    if (s != STATUS_OK || bytes_is(format, "CSV")) {
        return s;
    }
    return fault_set(r->why, STATUS_UNSUPPORTED,
                     "%s:%u: the inventory's files are %.*s, which is not "
                     "served; make the inventory as CSV",
                     r->name, json_line(json_get(root, "fileFormat")),
                     inventory_shown(format), format.at);
}

static enum status inventory_read_created(const struct inventory_reader *r,
                                          const struct json *root)
{
    const struct json *v = json_get(root, "creationTimestamp");
    struct bytes text = json_is(v, JSON_INT) ? json_digits(v) : json_string(v);

    return inventory_number(text, &r->out->created_ms)
               ? STATUS_OK
               : inventory_refuse(r, v != NULL ? v : root,
                                  "\"creationTimestamp\" is missing or no "
                                  "count of milliseconds");
}

static enum status inventory_read_buckets(const struct inventory_reader *r,
                                          const struct json *root)
{
    struct bytes source;
    struct bytes destination = {0};
    const char *colon;
    enum status s = inventory_text(r, root, "sourceBucket", &source);

    if (s == STATUS_OK) {
        s = inventory_text(r, root, "destinationBucket", &destination);
    }
    if (s != STATUS_OK) {
        return s;
    }
    colon = memrchr(destination.at, ':', destination.size); /* An ARN. */
    if (colon != NULL) {
        destination.size -= (size_t)(colon + 1 - destination.at);
        destination.at = colon + 1;
    }
    r->out->source = mem_copy_text(source.at, source.size);
    r->out->destination = mem_copy_text(destination.at, destination.size);
    return STATUS_OK;
}

static enum status inventory_read_file(const struct inventory_reader *r,
                                       const struct json *v,
                                       struct inventory_file *out)
{
    const struct json *size = json_get(v, "size");
    struct bytes key;
    struct bytes md5 = {0};
    int64_t bytes = -1;
    enum status s = inventory_text(r, v, "key", &key);

    if (s == STATUS_OK) {
        s = inventory_text(r, v, "MD5checksum", &md5);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (key.size > INVENTORY_KEY_MAX || !inventory_read_md5(md5, out->md5) ||
        !json_int64(size, &bytes) || bytes < 0) {
        return inventory_refuse(
            r, v, "a file has no key, size and MD5checksum as they must be");
    }
    out->key = mem_copy_text(key.at, key.size);
    out->size = (uint64_t)bytes;
    return STATUS_OK;
}

static enum status inventory_read_files(const struct inventory_reader *r,
                                        const struct json *root)
{
    const struct json *list = json_get(root, "files");
    size_t count = json_count(list);
    enum status s = STATUS_OK;

    if (!json_is(list, JSON_ARRAY)) {
        return inventory_refuse(r, list != NULL ? list : root,
                                "\"files\" is missing or no list");
    }
    r->out->files = mem_new(count > 0 ? count : 1, sizeof(r->out->files[0]));
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        s = inventory_read_file(r, json_at(list, i),
                                &r->out->files[r->out->file_count++]);
    }
    return s;
}

static enum status inventory_read(const struct inventory_reader *r,
                                  const struct json *root)
{
    enum status s = STATUS_OK;

    if (!json_is(root, JSON_OBJECT)) {
        return inventory_refuse(r, root, "it is not an object");
    }
    s = inventory_read_format(r, root);
    if (s == STATUS_OK) {
        s = inventory_read_buckets(r, root);
    }
    if (s == STATUS_OK) {
        s = inventory_read_created(r, root);
    }
    if (s == STATUS_OK) {
        s = inventory_read_schema(r, root);
    }
    return s == STATUS_OK ? inventory_read_files(r, root) : s;
}

enum status inventory_parse(struct bytes text, const char *name,
                            struct fault *why, struct inventory *out)
{
    struct json_doc *doc = NULL;
    enum status s = json_parse(text, name, why, &doc);

    *out = (struct inventory){0};
    if (s == STATUS_OK) {
        s = inventory_read(&(struct inventory_reader){name, why, out},
                           json_root(doc));
    }
    if (s != STATUS_OK) {
        inventory_fini(out);
    }
    json_destroy(&doc);
    return s;
}

void inventory_fini(struct inventory *i)
{
    for (size_t f = 0; f < i->file_count; f++) {
        free(i->files[f].key);
    }
    free(i->files);
    free(i->source);
    free(i->destination);
    *i = (struct inventory){0};
}

/* ---- Rows. */

static struct bytes inventory_field(const struct inventory_schema *schema,
                                    const struct csv_row *row,
                                    enum inventory_column column)
{
    const struct csv_field *f;

    if (schema->at[column] < 0) {
        return (struct bytes){"", 0};
    }
    f = &row->fields[schema->at[column]];
    return (struct bytes){f->at, f->size};
}

/* Read true or false, which is @missing where the column is not there. */
static enum status inventory_bool(const struct inventory_schema *schema,
                                  const struct csv_row *row,
                                  enum inventory_column column,
                                  struct fault *why, bool *value)
{
    struct bytes text = inventory_field(schema, row, column);
    bool is_true = text.size == 4 && strncasecmp(text.at, "true", 4) == 0;
    bool is_false = text.size == 5 && strncasecmp(text.at, "false", 5) == 0;

    if (schema->at[column] < 0) {
        return STATUS_OK; /* What @value is by default. */
    }
    *value = is_true;
    return is_true || is_false
               ? STATUS_OK
               : fault_set(why, STATUS_INVALID,
                           "row %" PRIu64 ": %s \"%.*s\" is not true or false",
                           row->number, inventory_columns[column],
                           inventory_shown(text), text.at);
}

/* Etags and versions go into headers. */
static bool inventory_is_word(struct bytes text, size_t most)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] <= ' ' || text.at[i] > '~' || text.at[i] == '"') {
            return false;
        }
    }
    return text.size <= most;
}

/* Some tools write the quotes that the store itself puts around an etag. */
static struct bytes inventory_unquote(struct bytes etag)
{
    if (etag.size >= 2 && etag.at[0] == '"' && etag.at[etag.size - 1] == '"') {
        return (struct bytes){etag.at + 1, etag.size - 2};
    }
    return etag;
}

/* Sizes of delete markers are empty, so those are known first. */
static enum status inventory_read_value(const struct inventory_schema *schema,
                                        const struct csv_row *row,
                                        struct fault *why,
                                        struct inventory_row *out)
{
    struct bytes size = inventory_field(schema, row, INVENTORY_SIZE);

    out->version = inventory_field(schema, row, INVENTORY_VERSION);
    out->etag = inventory_unquote(inventory_field(schema, row, INVENTORY_ETAG));
    out->has_size = size.size > 0;
    if (!inventory_is_word(out->version, INVENTORY_WORD_MAX) ||
        !inventory_is_word(out->etag, INVENTORY_WORD_MAX)) {
        return fault_set(why, STATUS_INVALID,
                         "row %" PRIu64 ": ETag or VersionId is none",
                         row->number);
    }
    if (out->has_size && !inventory_number(size, &out->size)) {
        return fault_set(why, STATUS_INVALID,
                         "row %" PRIu64 ": Size \"%.*s\" is no count of bytes",
                         row->number, inventory_shown(size), size.at);
    }
    return STATUS_OK;
}

/* What a bucket may be called, or ever could. A byte order mark, or a manifest
 * with other columns than we think, must not pass as some other bucket. */
static bool inventory_is_bucket(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') &&
            !(c >= 'a' && c <= 'z') && c != '.' && c != '-' && c != '_') {
            return false;
        }
    }
    return name.size > 0;
}

static enum status inventory_read_bucket(const struct inventory_schema *schema,
                                         const struct csv_row *row,
                                         struct fault *why, struct bytes *out)
{
    *out = inventory_field(schema, row, INVENTORY_BUCKET);
    if (schema->at[INVENTORY_BUCKET] < 0 || inventory_is_bucket(*out)) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_INVALID,
                     "row %" PRIu64 ": \"%.*s\" is no bucket's name",
                     row->number, inventory_shown(*out), out->at);
}

enum status inventory_read_row(const struct inventory_schema *schema,
                               const struct csv_row *row, struct fault *why,
                               struct inventory_row *out)
{
    bool is_latest = true;
    bool is_marker = false;
    enum status s;

    *out = (struct inventory_row){.version = {"", 0}, .etag = {"", 0}};
    if (row->count != schema->count) {
        return fault_set(why, STATUS_INVALID,
                         "row %" PRIu64 ": it has %u columns, not %u",
                         row->number, row->count, schema->count);
    }
    out->key = row->fields[schema->at[INVENTORY_KEY]];
    s = inventory_read_bucket(schema, row, why, &out->bucket);
    if (s == STATUS_OK) {
        s = inventory_bool(schema, row, INVENTORY_IS_LATEST, why, &is_latest);
    }
    if (s == STATUS_OK) {
        s = inventory_bool(schema, row, INVENTORY_IS_DELETE_MARKER, why,
                           &is_marker);
    }
    out->is_skipped = !is_latest || is_marker;
    return s != STATUS_OK || out->is_skipped
               ? s
               : inventory_read_value(schema, row, why, out);
}

/* ---- Dates. */

static bool inventory_is_leap(uint64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint64_t inventory_month_days(uint64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30,
                                   31, 31, 30, 31, 30, 31};

    return days[month] + (month == 1 && inventory_is_leap(year) ? 1u : 0u);
}

const char *inventory_date(uint64_t ms, char out[INVENTORY_DATE_SIZE])
{
    uint64_t seconds = ms / 1000 % 86400;
    uint64_t days = ms / 1000 / 86400;
    uint64_t year = 1970;
    unsigned month = 0;

    while (year < 9999 && days >= (inventory_is_leap(year) ? 366u : 365u)) {
        days -= inventory_is_leap(year) ? 366 : 365;
        year++;
    }
    while (month < 11 && days >= inventory_month_days(year, month)) {
        days -= inventory_month_days(year, month);
        month++;
    }
    snprintf(out, INVENTORY_DATE_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ",
             (unsigned)year % 10000, (month + 1) % 100,
             (unsigned)(days < 31 ? days + 1 : 31), (unsigned)(seconds / 3600),
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    return out;
}

bool inventory_is_folder(struct bytes name)
{
    static const char shape[] = "dddd-dd-ddTdd-ddZ";

    if (name.size != sizeof(shape) - 1) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        bool is_digit = name.at[i] >= '0' && name.at[i] <= '9';

        if (shape[i] == 'd' ? !is_digit : name.at[i] != shape[i]) {
            return false;
        }
    }
    return true;
}
