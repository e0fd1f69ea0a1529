/* SPDX-License-Identifier: Apache-2.0 */
/* How a catalog lies in memory; private to catalog*.c.
 *
 * Coded blocks fill chunks of CATALOG_CHUNK_BYTES; each chunk is one segment.
 * A block never spans chunks. Every block but the last holds BLOCK_OBJECTS
 * objects, so that object i is in block i / BLOCK_OBJECTS, found through a
 * paged table. Nothing but the two short lists of pointers is ever copied to
 * grow, and the first chunk while it is small. */

#ifndef COORDINATOR_CATALOG_IMPL_H
#define COORDINATOR_CATALOG_IMPL_H

#include "coordinator/catalog_block.h"

enum {
    CATALOG_HEAD_BYTES = 24, /* Of a segment, before the chunk's bytes. */
    CATALOG_CHUNK_BYTES = CATALOG_SEGMENT_BYTES - CATALOG_HEAD_BYTES,
    CATALOG_CHUNK_SHIFT = 23, /* 2^23 is a segment. */
    CATALOG_PAGE_BLOCKS = 4096,
};
_Static_assert(CATALOG_SEGMENT_BYTES == 1 << CATALOG_CHUNK_SHIFT,
               "a place is a chunk and an offset");

struct catalog_chunk {
    uint8_t *at;
    uint32_t used;
    uint32_t room;
    uint64_t objects; /* In this chunk. */
};

struct catalog {
    uint64_t count;
    uint64_t bytes;
    uint64_t key_bytes;
    uint64_t block_count;
    struct catalog_chunk *chunks;
    uint32_t chunk_count;
    uint32_t chunk_room;
    uint64_t **pages; /* Of places: chunk << CATALOG_CHUNK_SHIFT | offset. */
    uint32_t page_count;
    uint32_t page_room;
    char *name; /* "" until it was asked for. */
};

/* Open the block @i, which is there. */
void catalog_block_at(const struct catalog *c, uint64_t i, struct block *out);

#endif /* COORDINATOR_CATALOG_IMPL_H */
