/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that come in any order, kept until all are here and then told in
 * the order of their keys. What is not known of one (size, etag) can be put in
 * later.
 *
 * Memory: the key's bytes and 37 for each object whose etag is an MD5, and 16
 * times the number of objects while they are sorted. All is freed by
 * listing_table_destroy(). */

#ifndef CLI_LISTING_TABLE_H
#define CLI_LISTING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { LISTING_TABLE_WORD_MAX = 128 };

struct listing_table;

struct listing_entry {
    struct bytes key;     /* 1 to 1,024 bytes. */
    struct bytes etag;    /* At most 127 bytes; empty: not known. */
    struct bytes version; /* At most 127 bytes; empty: not known. */
    uint64_t size;
    bool has_size;
};

struct listing_table *listing_table_new(void);
void listing_table_destroy(struct listing_table **t);

/* Keep a copy of @entry. FULL: no memory. */
MUST_USE enum status listing_table_add(struct listing_table *t,
                                       const struct listing_entry *entry,
                                       struct fault *why);

/* Sort by key, and keep once what was added more than once; *@repeated counts
 * what was dropped. CONFLICT: two entries of one key differ; @why names it. */
MUST_USE enum status listing_table_sort(struct listing_table *t,
                                        struct fault *why, uint64_t *repeated);

uint64_t listing_table_count(const struct listing_table *t);

/* Write the @i-th entry. Its key and version live until the table changes,
 * its etag is written to @room. */
void listing_table_at(const struct listing_table *t, uint64_t i,
                      char room[LISTING_TABLE_WORD_MAX],
                      struct listing_entry *out);

/* Put in the size and etag of the @i-th entry. FULL: no memory. */
MUST_USE enum status listing_table_set(struct listing_table *t, uint64_t i,
                                       uint64_t size, struct bytes etag,
                                       struct fault *why);

#endif /* CLI_LISTING_TABLE_H */
