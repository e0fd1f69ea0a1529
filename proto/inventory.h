/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of objects that somebody else has made: an S3 Inventory, which is a
 * manifest.json and the CSV files that it names, and the CSV manifest of S3
 * Batch Operations. What they mean; no I/O.
 *
 * An inventory is of one bucket at one moment, in no order. Rows of versions
 * that are not the newest, and of delete markers, stand among the others where
 * it was made with all versions. */

#ifndef PROTO_INVENTORY_H
#define PROTO_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/csv.h"

enum {
    INVENTORY_MD5_SIZE = 33,  /* Hex, with its NUL. */
    INVENTORY_WORD_MAX = 120, /* Bytes of an etag or version. */
    INVENTORY_DATE_SIZE = 24, /* "2026-01-31T12:00:00Z", with its NUL. */
};

/* What to do when an object is not as it was: a message's end. */
#define INVENTORY_STALE_ADVICE                                                 \
    "have a newer one made, or take \"Listing\" out of the channel, so that "  \
    "its source is listed now"

/* What of a row is read. */
enum inventory_column {
    INVENTORY_BUCKET,
    INVENTORY_KEY,
    INVENTORY_VERSION,
    INVENTORY_IS_LATEST,
    INVENTORY_IS_DELETE_MARKER,
    INVENTORY_SIZE,
    INVENTORY_ETAG,
    INVENTORY_COLUMNS,
};

struct inventory_schema {
    uint32_t count;               /* Of columns in a row. */
    int8_t at[INVENTORY_COLUMNS]; /* Where; -1: it is not there. */
};

struct inventory_file {
    char *key; /* In the destination bucket. */
    uint64_t size;
    char md5[INVENTORY_MD5_SIZE]; /* Lower case. */
};

struct inventory {
    char *source;        /* The bucket that it is of. */
    char *destination;   /* The bucket that its files are in, by name. */
    uint64_t created_ms; /* Since 1970. */
    struct inventory_schema schema;
    struct inventory_file *files;
    size_t file_count;
};

/* Read the manifest.json @text, called @name in messages, into *@out, freed by
 * inventory_fini(). MALFORMED: not JSON; INVALID: a field is missing or wrong;
 * UNSUPPORTED: its files are not CSV. */
MUST_USE enum status inventory_parse(struct bytes text, const char *name,
                                     struct fault *why, struct inventory *out);
void inventory_fini(struct inventory *i);

/* What rows of a Batch manifest hold whose first row is @row. INVALID: not
 * Bucket,Key or Bucket,Key,VersionId. */
MUST_USE enum status inventory_batch_schema(const struct csv_row *row,
                                            struct fault *why,
                                            struct inventory_schema *out);

/* A row, as views into the csv_row. */
struct inventory_row {
    struct bytes bucket;  /* Empty: there is no such column. */
    struct csv_field key; /* Still percent-encoded. */
    struct bytes version; /* Empty: not told. */
    struct bytes etag;    /* Without quotes; empty: not told. */
    uint64_t size;
    bool has_size;
    bool is_skipped; /* No object, or not the newest version: no more of the
                        row was read than its bucket and key. */
};

/* INVALID: another number of columns than the schema's, or a value that can
 * not be; @why names the row. */
MUST_USE enum status inventory_read_row(const struct inventory_schema *schema,
                                        const struct csv_row *row,
                                        struct fault *why,
                                        struct inventory_row *out);

/* Write the moment @ms as UTC, to the second, and return @out. Years after
 * 9999 are written as that. */
const char *inventory_date(uint64_t ms, char out[INVENTORY_DATE_SIZE]);

/* Whether @name is a folder of one inventory: "2026-01-31T12-00Z". */
bool inventory_is_folder(struct bytes name);

/* Read the MD5 in the text of a manifest.checksum, lower case. false: none. */
bool inventory_read_checksum(struct bytes text, char out[INVENTORY_MD5_SIZE]);

#endif /* PROTO_INVENTORY_H */
