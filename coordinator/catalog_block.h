/* SPDX-License-Identifier: Apache-2.0 */
/* The coded form of up to BLOCK_OBJECTS neighbours of a catalog; private to
 * catalog*.c. In memory and in a segment it is the same bytes:
 *
 *   u8   objects, 1 to BLOCK_OBJECTS
 *   u8   width of a size, 0 to 8
 *   u16  bytes of etags      u32  bytes of keys        (little-endian)
 *   sizes, each as wide as the largest needs
 *   etags, each a tag and what the tag asks for (catalog_etag.c); no byte at
 *          all when no object has one
 *   keys, each told from the one before it (the first from the empty key):
 *          what both start with, what both end with, and what is new between.
 *          A byte below BLOCK_EXPLICIT is the size of the new part, start and
 *          end being as long as last time; else the byte BLOCK_EXPLICIT and
 *          the three lengths. Numbered keys take about three bytes so.
 *
 * Reading trusts nothing: a block may come from a disk or a peer. */

#ifndef COORDINATOR_CATALOG_BLOCK_H
#define COORDINATOR_CATALOG_BLOCK_H

#include "coordinator/catalog.h"

enum {
    BLOCK_OBJECTS = 64,
    BLOCK_HEAD = 8,
    BLOCK_EXPLICIT = 0x80,
    BLOCK_VARINT_MAX = 10,
    /* A tag, the longest text, its length. */
    BLOCK_ETAG_MAX = CATALOG_ETAG_MAX + 2,
    BLOCK_KEY_MAX = CATALOG_KEY_MAX + 1 + 3 * BLOCK_VARINT_MAX,
    BLOCK_BYTES_MAX =
        BLOCK_HEAD + BLOCK_OBJECTS * (8 + BLOCK_ETAG_MAX + BLOCK_KEY_MAX),
};

/* A block being filled, with the object before for comparison. */
struct block_writer {
    uint32_t count;
    uint32_t etag_bytes;
    uint32_t key_bytes;
    bool has_etag;
    uint64_t size_max;
    size_t prefix; /* Of the last key written. */
    size_t tail;
    bool has_last;
    size_t last_key_size;
    size_t last_etag_size;
    char last_key[CATALOG_KEY_MAX];
    char last_etag[CATALOG_ETAG_MAX];
    uint64_t sizes[BLOCK_OBJECTS];
    uint8_t etags[BLOCK_OBJECTS * BLOCK_ETAG_MAX];
    uint8_t keys[BLOCK_OBJECTS * BLOCK_KEY_MAX];
};

/* Add one object of allowed sizes to a block that is not full. false: its key
 * does not come after the last one. */
bool block_add(struct block_writer *w, const struct catalog_object *object);

/* Bytes of the block as it stands; write it, and start the next one. */
size_t block_bytes(const struct block_writer *w);
void block_write(struct block_writer *w, uint8_t *out);

/* A block lying somewhere, split into its parts. */
struct block {
    uint32_t count;
    uint32_t width;
    uint32_t etag_bytes;
    uint32_t key_bytes;
    const uint8_t *sizes;
    const uint8_t *etags; /* NULL: nobody has one. */
    const uint8_t *keys;
    const uint8_t *end;
};

/* Split what starts at @at. false: no block lies wholly within @size. */
bool block_open(const uint8_t *at, size_t size, struct block *out);

/* The size at place @i of sizes that are @width wide. */
static inline uint64_t block_size_at(const uint8_t *sizes, uint32_t width,
                                     uint32_t i)
{
    const uint8_t *at = sizes + (size_t)i * width;
    uint64_t size = 0;

    for (uint32_t b = 0; b < width; b++) {
        size |= (uint64_t)at[b] << (8 * b);
    }
    return size;
}

/* Put @cursor before the first object of @block, and yield its next object
 * (there is one: block.left is not 0). false: not well coded. */
void block_seek(const struct block *block, struct catalog_cursor *cursor);
bool block_next(struct catalog_cursor *cursor, struct catalog_object *out);

/* Append the code of @etag to @at and return its size; @is_same says that it
 * equals the one before. */
size_t etag_write(struct bytes etag, bool is_same, uint8_t *at);

/* Read the code at *@at, which ends before @end, into @etag (which holds the
 * one before); move *@at behind it. false: not well coded. */
bool etag_read(const uint8_t **at, const uint8_t *end, char *etag,
               size_t *etag_size);

/* Append @value in 7-bit groups, low ones first; return the bytes written. */
size_t block_varint_write(uint64_t value, uint8_t *at);
bool block_varint_read(const uint8_t **at, const uint8_t *end, uint64_t *out);

#endif /* COORDINATOR_CATALOG_BLOCK_H */
