/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing_inventory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/gunzip.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/listing_lookup.h"
#include "cli/listing_origin.h"
#include "cli/listing_table.h"
#include "proto/csv.h"
#include "proto/inventory.h"
#include "store/percent.h"
#include "store/store_uri.h"

enum {
    ROWS_PROGRESS_EVERY = 100000,
    ROWS_KEY_MAX = 1024,
    ROWS_KEY_SHOWN = 300,
    ROWS_OLD_DAYS = 7,
};

#define ROWS_BYTES_MAX (UINT64_C(1) << 42) /* Of one file, unpacked. */

/* What becomes of the rows. */
struct listing_rows {
    const struct listing_inventory *asked;
    struct listing_origin origin;
    struct listing_table *table;
    struct inventory_schema schema;
    bool has_schema;
    bool is_s3;
    char *bucket; /* That rows must be of; NULL: any. */

    /* The file that is being read; NULL where none is. */
    struct hash *hash;
    struct gunzip *gunzip; /* NULL: it is plain text. */
    struct csv *csv;

    uint64_t skipped; /* Delete markers and versions that are not the newest. */
    uint64_t outside; /* Of another bucket or prefix. */
    uint64_t repeated;
    bool must_look; /* A size or an etag was not told. */
    uint64_t next;  /* To be looked up, an index. */
    uint64_t looked_up;
};

static void rows_progress(const struct listing_rows *r, uint64_t count)
{
    if (count % ROWS_PROGRESS_EVERY == 0) {
        r->asked->progress(r->asked->self, count);
    }
}

/* ---- One row. */

static enum status rows_refuse_key(const struct csv_row *row, struct bytes key,
                                   const char *what, struct fault *why)
{
    return fault_set(
        why, STATUS_INVALID, "row %" PRIu64 ": the key \"%.*s\" %s",
        row->number,
        (int)(key.size < ROWS_KEY_SHOWN ? key.size : ROWS_KEY_SHOWN), key.at,
        what);
}

/* Decode the key in its place. */
static enum status rows_decode(const struct csv_row *row,
                               struct inventory_row *from, struct fault *why,
                               struct bytes *key)
{
    *key = (struct bytes){from->key.at, from->key.size};
    if (!percent_decode(from->key.at, &from->key.size)) {
        return rows_refuse_key(row, *key,
                               "has a % without two hex digits; keys must be "
                               "URL-encoded",
                               why);
    }
    key->size = from->key.size;
    if (key->size == 0 || key->size > ROWS_KEY_MAX ||
        memchr(key->at, '\0', key->size) != NULL) {
        return rows_refuse_key(
            row, *key, "is empty, over 1024 bytes, or holds a NUL byte", why);
    }
    return STATUS_OK;
}

static enum status rows_keep(struct listing_rows *r,
                             const struct inventory_row *row, struct bytes key,
                             struct fault *why)
{
    char etag[LISTING_TABLE_WORD_MAX] = "";
    struct listing_entry entry = {
        .key = key,
        .version = row->version,
        .size = row->size,
        .has_size = row->has_size,
    };

    /* S3 itself puts quotes around it in every answer. */
    if (r->is_s3 && row->etag.size > 0) {
        snprintf(etag, sizeof(etag), "\"%.*s\"", (int)row->etag.size,
                 row->etag.at);
    }
    entry.etag = bytes_of(etag);
    r->must_look = r->must_look || !entry.has_size || entry.etag.size == 0;
    rows_progress(r, listing_table_count(r->table) + 1);
    return listing_table_add(r->table, &entry, why);
}

static enum status rows_take(struct listing_rows *r, const struct csv_row *row,
                             struct fault *why)
{
    struct inventory_row found;
    struct bytes key;
    enum status s = STATUS_OK;

    if (!r->has_schema) {
        s = inventory_batch_schema(row, why, &r->schema);
        r->has_schema = true;
    }
    if (s == STATUS_OK) {
        s = inventory_read_row(&r->schema, row, why, &found);
    }
    if (s == STATUS_OK) {
        s = rows_decode(row, &found, why, &key);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (!bytes_has_prefix(key, r->asked->prefix) ||
        (r->bucket != NULL && found.bucket.size > 0 &&
         !bytes_is(found.bucket, r->bucket))) {
        r->outside++;
        return STATUS_OK;
    }
    if (found.is_skipped) {
        r->skipped++;
        return STATUS_OK;
    }
    return rows_keep(r, &found, key, why);
}

/* ---- One file. */

static enum status rows_take_text(struct listing_rows *r, struct bytes text,
                                  struct fault *why)
{
    const struct csv_row *row = NULL;
    enum status s;

    csv_give(r->csv, text);
    do {
        s = csv_next(r->csv, why, &row);
        if (s == STATUS_OK && row != NULL) {
            s = rows_take(r, row, why);
        }
    } while (s == STATUS_OK && row != NULL);
    return s;
}

static enum status rows_take_gzip(struct listing_rows *r, struct bytes piece,
                                  struct fault *why)
{
    struct bytes text = {0};
    enum status s;

    gunzip_give(r->gunzip, piece);
    do {
        s = gunzip_next(r->gunzip, why, &text);
        if (s == STATUS_OK && text.size > 0) {
            s = rows_take_text(r, text, why);
        }
    } while (s == STATUS_OK && text.size > 0);
    return s;
}

static void rows_start_file(struct listing_rows *r, struct bytes start)
{
    r->hash = hash_md5_new();
    r->csv = csv_new();
    r->gunzip = gunzip_is_gzip(start) ? gunzip_new(ROWS_BYTES_MAX) : NULL;
}

static void rows_close_file(struct listing_rows *r)
{
    hash_destroy(&r->hash);
    gunzip_destroy(&r->gunzip);
    csv_destroy(&r->csv);
}

static enum status rows_check_md5(struct listing_rows *r, size_t i,
                                  struct fault *why)
{
    char have[HASH_MD5_HEX];
    const char *want;

    hash_md5_finish(&r->hash, have);
    if (r->origin.is_batch) {
        return STATUS_OK;
    }
    want = r->origin.inventory.files[i].md5;
    return strcmp(have, want) == 0
               ? STATUS_OK
               : fault_set(why, STATUS_INVALID,
                           "its MD5 is %s and its manifest says %s; it is "
                           "damaged or was replaced",
                           have, want);
}

static enum status rows_end_file(struct listing_rows *r, size_t i,
                                 struct fault *why)
{
    const struct csv_row *row = NULL;
    enum status s = r->gunzip != NULL ? gunzip_end(r->gunzip, why) : STATUS_OK;

    if (s == STATUS_OK) {
        s = csv_end(r->csv, why, &row);
    }
    if (s == STATUS_OK && row != NULL) {
        s = rows_take(r, row, why);
    }
    if (s == STATUS_OK) {
        s = rows_check_md5(r, i, why);
    }
    rows_close_file(r);
    return s;
}

static enum status rows_piece(void *self, size_t i, struct bytes piece,
                              struct fault *why)
{
    struct listing_rows *r = self;
    enum status s;

    if (r->hash == NULL) {
        rows_start_file(r, piece);
    }
    hash_add(r->hash, piece.at, piece.size);
    if (piece.size == 0) {
        s = rows_end_file(r, i, why);
    } else if (r->gunzip != NULL) {
        s = rows_take_gzip(r, piece, why);
    } else {
        s = rows_take_text(r, piece, why);
    }
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "%s%s", store_root_uri(r->origin.store),
                              r->origin.files[i].key);
}

/* ---- What the rows do not tell. */

static enum status rows_stale(const struct listing_rows *r, struct bytes key,
                              enum status s, struct fault *why)
{
    char shown[STORE_URI_SHOW_MAX];

    return fault_set(
        why, s, "%s: it is %s %s; " INVENTORY_STALE_ADVICE,
        store_uri_show(store_root_uri(r->asked->store), key, shown),
        s == STATUS_NOT_FOUND ? "gone, and is named by" : "another now than in",
        r->origin.name);
}

static bool rows_next(void *self, uint64_t *tag, struct bytes *key)
{
    struct listing_rows *r = self;
    char room[LISTING_TABLE_WORD_MAX];

    while (r->next < listing_table_count(r->table)) {
        struct listing_entry entry;

        *tag = r->next++;
        listing_table_at(r->table, *tag, room, &entry);
        if (!entry.has_size || entry.etag.size == 0) {
            *key = entry.key;
            return true;
        }
    }
    return false;
}

static bool rows_is_other(const struct listing_entry *entry,
                          const struct store_event *event)
{
    return (entry->has_size && entry->size != event->size) ||
           (entry->etag.size > 0 && !bytes_is(entry->etag, event->etag)) ||
           (entry->version.size > 0 && event->version[0] != '\0' &&
            !bytes_is(entry->version, event->version));
}

static enum status rows_answer(void *self, const struct store_event *event,
                               struct fault *why)
{
    struct listing_rows *r = self;
    char room[LISTING_TABLE_WORD_MAX];
    struct listing_entry entry;

    listing_table_at(r->table, event->tag, room, &entry);
    if (event->status == STATUS_NOT_FOUND) {
        return rows_stale(r, entry.key, STATUS_NOT_FOUND, why);
    }
    if (event->status != STATUS_OK) {
        *why = event->why;
        return fault_prefix(why, event->status, "%s names it", r->origin.name);
    }
    if (rows_is_other(&entry, event)) {
        return rows_stale(r, entry.key, STATUS_CHANGED, why);
    }
    r->looked_up++;
    rows_progress(r, r->looked_up);
    return listing_table_set(r->table, event->tag, event->size,
                             bytes_of(event->etag), why);
}

/* ---- All of it. */

/* The bucket that S3Uri names by its own name, or NULL. */
static char *rows_bucket(const char *root)
{
    static const char scheme[] = "s3://";
    static const char alias[] = "-s3alias"; /* Of an access point. */
    struct bytes name = bytes_of(root);

    if (!bytes_has_prefix(name, bytes_of(scheme))) {
        return NULL;
    }
    name.at += sizeof(scheme) - 1;
    name.size -= sizeof(scheme); /* And the slash at the end. */
    if (bytes_has_prefix(name, BYTES("arn:")) ||
        bytes_has_suffix(name, bytes_of(alias))) {
        return NULL;
    }
    return mem_copy_text(name.at, name.size);
}

static enum status rows_check_bucket(const struct listing_rows *r,
                                     struct fault *why)
{
    const char *source = r->origin.inventory.source;

    if (r->bucket == NULL || source == NULL || strcmp(r->bucket, source) == 0) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_INVALID,
                     "%s: %s is of the bucket %s, and S3Uri names the bucket "
                     "%s",
                     r->asked->channel->listing, r->origin.name, source,
                     r->bucket);
}

static enum status rows_read(struct listing_rows *r, struct fault *why)
{
    struct listing_stream stream = {
        .each = rows_piece,
        .self = r,
    };
    enum status s = listing_origin_find(r->asked->channel->listing,
                                        r->asked->stop, why, &r->origin);

    if (s == STATUS_OK) {
        s = rows_check_bucket(r, why);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (!r->origin.is_batch) {
        r->schema = r->origin.inventory.schema;
        r->has_schema = true;
    }
    stream.store = r->origin.store;
    stream.files = r->origin.files;
    stream.count = r->origin.count;
    return listing_stream_run(&stream, why);
}

static enum status rows_tell(const struct listing_rows *r, struct fault *why)
{
    uint64_t count = listing_table_count(r->table);
    enum status s = STATUS_OK;

    for (uint64_t i = 0; s == STATUS_OK && i < count; i++) {
        char room[LISTING_TABLE_WORD_MAX];
        struct listing_entry entry;

        listing_table_at(r->table, i, room, &entry);
        s = r->asked->each(
            r->asked->self,
            &(struct catalog_object){entry.key, entry.size, entry.etag}, why);
    }
    return s;
}

static void rows_log(const struct listing_rows *r)
{
    const char *channel = r->asked->channel->name;
    char date[INVENTORY_DATE_SIZE];
    uint64_t now = clock_wall_ms(&clock_os);
    uint64_t age = now > r->origin.made_ms ? now - r->origin.made_ms : 0;
    uint64_t days = age / 86400000;

    inventory_date(r->origin.made_ms, date);
    log_event(LOG_INFO, "listing.read",
              "channel=%s kind=%s date=%s objects=%" PRIu64 " skipped=%" PRIu64
              " outside=%" PRIu64 " repeated=%" PRIu64 " looked_up=%" PRIu64,
              channel, r->origin.is_batch ? "manifest" : "inventory", date,
              listing_table_count(r->table), r->skipped, r->outside,
              r->repeated, r->looked_up);
    if (days >= ROWS_OLD_DAYS) {
        log_event(LOG_WARN, "listing.old",
                  "channel=%s date=%s days=%" PRIu64
                  " advice=\"what came since is not in it\"",
                  channel, date, days);
    }
}

static enum status rows_run(struct listing_rows *r, struct fault *why)
{
    struct listing_lookup lookup = {r->asked->store, rows_next, rows_answer, r};
    enum status s = rows_read(r, why);

    if (s == STATUS_OK) {
        s = listing_table_sort(r->table, why, &r->repeated);
    }
    if (s == STATUS_OK && r->must_look) {
        s = listing_look_up(&lookup, why);
    }
    if (s == STATUS_OK) {
        rows_log(r);
        s = rows_tell(r, why);
    }
    return s;
}

enum status listing_inventory_run(const struct listing_inventory *l,
                                  struct fault *why, char **name)
{
    struct listing_rows r = {.asked = l, .table = listing_table_new()};
    const char *root = store_root_uri(l->store);
    enum status s;

    CHECK(l->channel->listing != NULL);
    r.is_s3 = strncmp(root, "s3://", 5) == 0;
    r.bucket = rows_bucket(root);
    s = rows_run(&r, why);
    *name = NULL;
    if (s == STATUS_OK) {
        *name = mem_copy(r.origin.name);
    }
    rows_close_file(&r);
    listing_table_destroy(&r.table);
    listing_origin_fini(&r.origin);
    free(r.bucket);
    return s;
}
