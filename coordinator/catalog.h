/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's objects, sorted by key bytes: key, size, etag. Taken once for
 * the whole job, immutable, named by the SHA-256 of its content.
 *
 * Keys are prefix-coded in blocks, so that 10⁹ of them fit where 10⁸ would
 * lie plainly; any object is reached by its index in O(one block), its size
 * in O(1). It is made by appending in key order (catalog_builder) and read by
 * index or by a cursor. As bytes it is a run of segments that can be written
 * and read one at a time; the name is a function of the objects alone, not of
 * how they were cut into segments.
 *
 * No I/O, no thread. A finished catalog is read-only and may be shared, once
 * its name was asked for. */

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
    CATALOG_SEGMENT_BYTES = 8 << 20, /* A segment is no larger. */
};

/* More objects than this are refused, */
#define CATALOG_OBJECTS_MAX UINT64_C(4000000000)
/* and more bytes than this in all of them. */
#define CATALOG_BYTES_MAX (UINT64_C(1) << 62)

struct catalog;
struct catalog_builder;

struct catalog_object {
    struct bytes key;
    uint64_t size;
    struct bytes etag; /* As the store gave it, quotes and all; may be empty. */
};

/* Start an empty catalog; ended by catalog_builder_finish() or _destroy(). */
MUST_USE enum status catalog_builder_new(struct catalog_builder **out);

/* Append one object, copied. Keys must grow strictly.
 * INVALID: out of order, repeated, empty or too long (@why names the key).
 * FULL: no memory, or too many; the builder can then only be destroyed. */
MUST_USE enum status catalog_builder_add(struct catalog_builder *b,
                                         const struct catalog_object *object,
                                         struct fault *why);

/* Turn *@b into a catalog and set it to NULL. FULL: no memory; *@b stays. */
MUST_USE enum status catalog_builder_finish(struct catalog_builder **b,
                                            struct catalog **out);
void catalog_builder_destroy(struct catalog_builder **b);

void catalog_destroy(struct catalog **c);

uint64_t catalog_count(const struct catalog *c);
uint64_t catalog_bytes(const struct catalog *c); /* Sum of the sizes. */

/* The hex name. The first call makes it, which reads the whole catalog
 * (about 50 ns an object), and must be over before threads share it. */
const char *catalog_name(const struct catalog *c);

/* Memory that the catalog takes, and of it what the coded keys take. */
size_t catalog_memory(const struct catalog *c);
size_t catalog_key_memory(const struct catalog *c);

/* The size of the object @index, which is below the count. O(1). */
uint64_t catalog_size(const struct catalog *c, uint64_t index);

/* Write the sizes of @count objects from @first on. */
void catalog_sizes(const struct catalog *c, uint64_t first, size_t count,
                   uint64_t *out);

/* Walks a catalog forwards. Open struct on the caller's stack; its views die
 * with the next call. */
struct catalog_cursor {
    const struct catalog *catalog;
    uint64_t next; /* The index that catalog_next() will yield. */

    /* Private: what is left of the block, and the object before. */
    struct {
        const uint8_t *sizes;
        const uint8_t *etags;
        const uint8_t *keys;
        const uint8_t *end;
        uint32_t left;
        uint32_t width;
        size_t prefix;
        size_t tail;
    } block;
    size_t key_size;
    size_t etag_size;
    char key[CATALOG_KEY_MAX];
    char etag[CATALOG_ETAG_MAX + 1];
};

/* Put @cursor before the object @index (0 to the count). */
void catalog_seek(const struct catalog *c, uint64_t index,
                  struct catalog_cursor *cursor);

/* Yield the next object. false at the end. */
bool catalog_next(struct catalog_cursor *cursor, struct catalog_object *out);

/* The number of segments (0 of an empty catalog), and segment @i appended to
 * @out with its own checksum. Segments are self-contained and in key order. */
uint32_t catalog_segment_count(const struct catalog *c);
void catalog_segment_write(const struct catalog *c, uint32_t i,
                           struct buf *out);

/* Append the objects of one written segment to @b.
 * MALFORMED: the bytes are not a segment, or torn, or not in order.
 * VERSION: written by another version. FULL: as catalog_builder_add().
 * After any of them the builder can only be destroyed. */
MUST_USE enum status catalog_builder_add_segment(struct catalog_builder *b,
                                                 struct bytes segment,
                                                 struct fault *why);

/* CHECK every invariant: O(objects). */
void catalog_check(const struct catalog *c);

#endif /* COORDINATOR_CATALOG_H */
