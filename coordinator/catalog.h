/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's objects, sorted by key bytes: key, size, etag. Taken once for
 * the whole job, immutable, named by the SHA-256 of its content.
 *
 * Keys are prefix-coded in blocks, so that 10⁹ of them fit where 10⁸ would
 * lie plainly; any object is reached by its index in O(one block). It is made
 * by appending in key order (catalog_builder) and read by index or by a
 * cursor. As bytes it is a run of segments that can be written and read one
 * at a time; the name is a function of the objects alone, not of how they
 * were cut into segments.
 *
 * No I/O, no thread; a finished catalog is read-only and may be shared. */

#ifndef COORDINATOR_CATALOG_H
#define COORDINATOR_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    CATALOG_KEY_MAX = 1024,
    CATALOG_ETAG_MAX = 127,
    CATALOG_NAME_SIZE = 65,          /* Hex of the hash, with its NUL. */
    CATALOG_SEGMENT_BYTES = 8 << 20, /* About; a segment ends after this. */
};

/* More objects than this are refused. */
#define CATALOG_OBJECTS_MAX UINT64_C(4000000000)

struct catalog;
struct catalog_builder;

struct catalog_object {
    struct bytes key;
    uint64_t size;
    struct bytes etag;
};

/* Start an empty catalog; ended by catalog_builder_finish() or _destroy(). */
MUST_USE enum status catalog_builder_new(struct catalog_builder **out);

/* Append one object, copied. Keys must grow strictly.
 * INVALID: out of order, repeated, too long (@why names the key). FULL: no
 * memory, or too many. */
MUST_USE enum status catalog_builder_add(struct catalog_builder *b,
                                         const struct catalog_object *object,
                                         struct fault *why);

/* Turn *@b into a catalog and set it to NULL. FULL: no memory. */
MUST_USE enum status catalog_builder_finish(struct catalog_builder **b,
                                            struct catalog **out);
void catalog_builder_destroy(struct catalog_builder **b);

void catalog_destroy(struct catalog **c);

uint64_t catalog_count(const struct catalog *c);
uint64_t catalog_bytes(const struct catalog *c); /* Sum of the sizes. */
const char *catalog_name(const struct catalog *c);

/* Memory that the catalog takes, and of it what the coded keys take. */
size_t catalog_memory(const struct catalog *c);
size_t catalog_key_memory(const struct catalog *c);

/* Walks a catalog forwards. Open struct on the caller's stack; its views die
 * with the next call. */
struct catalog_cursor {
    const struct catalog *catalog;
    uint64_t next;  /* The index that catalog_next() will yield. */
    size_t at;      /* Private: where its bytes start. */
    size_t etag_at; /* Private. */
    char key[CATALOG_KEY_MAX];
    size_t key_size;
    char etag[CATALOG_ETAG_MAX + 1];
};

/* Put @cursor before the object @index (0 to the count). */
void catalog_seek(const struct catalog *c, uint64_t index,
                  struct catalog_cursor *cursor);

/* Yield the next object. false at the end. */
bool catalog_next(struct catalog_cursor *cursor, struct catalog_object *out);

/* The number of segments, and segment @i appended to @out with its own
 * checksum. Segments are self-contained and in key order. */
uint32_t catalog_segment_count(const struct catalog *c);
void catalog_segment_write(const struct catalog *c, uint32_t i,
                           struct buf *out);

/* Append the objects of one written segment to @b.
 * MALFORMED: the bytes are not a segment, or torn, or not in order. */
MUST_USE enum status catalog_builder_add_segment(struct catalog_builder *b,
                                                 struct bytes segment,
                                                 struct fault *why);

/* CHECK every invariant: O(objects). */
void catalog_check(const struct catalog *c);

#endif /* COORDINATOR_CATALOG_H */
