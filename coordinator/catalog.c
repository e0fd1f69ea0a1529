/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "coordinator/catalog_impl.h"

enum {
    /* What one object adds to what is hashed, beside key and etag. */
    CATALOG_HASH_HEAD = 2 + 8 + 1,
    CATALOG_HASH_ROOM = 1 << 16,
};

void catalog_destroy(struct catalog **c)
{
    if (*c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < (*c)->chunk_count; i++) {
        free((*c)->chunks[i].at);
    }
    for (uint32_t i = 0; i < (*c)->page_count; i++) {
        free((*c)->pages[i]);
    }
    free((*c)->chunks);
    free((*c)->pages);
    free((*c)->name);
    free(*c);
    *c = NULL;
}

uint64_t catalog_count(const struct catalog *c)
{
    return c->count;
}

uint64_t catalog_bytes(const struct catalog *c)
{
    return c->bytes;
}

size_t catalog_key_memory(const struct catalog *c)
{
    return (size_t)c->key_bytes;
}

size_t catalog_memory(const struct catalog *c)
{
    size_t sum = sizeof(*c) + CATALOG_NAME_SIZE +
                 c->chunk_room * sizeof(*c->chunks) +
                 c->page_room * sizeof(*c->pages) +
                 (size_t)c->page_count * CATALOG_PAGE_BLOCKS * sizeof(uint64_t);

    for (uint32_t i = 0; i < c->chunk_count; i++) {
        sum += c->chunks[i].room;
    }
    return sum;
}

void catalog_block_at(const struct catalog *c, uint64_t i, struct block *out)
{
    uint64_t place;
    const struct catalog_chunk *chunk;
    uint32_t offset;

    CHECK(i < c->block_count);
    place = c->pages[i / CATALOG_PAGE_BLOCKS][i % CATALOG_PAGE_BLOCKS];
    chunk = &c->chunks[place >> CATALOG_CHUNK_SHIFT];
    offset = (uint32_t)(place & ((1 << CATALOG_CHUNK_SHIFT) - 1));
    CHECK(block_open(chunk->at + offset, chunk->used - offset, out));
}

uint64_t catalog_size(const struct catalog *c, uint64_t index)
{
    struct block block;

    CHECK(index < c->count);
    catalog_block_at(c, index / BLOCK_OBJECTS, &block);
    return block_size_at(block.sizes, block.width,
                         (uint32_t)(index % BLOCK_OBJECTS));
}

void catalog_sizes(const struct catalog *c, uint64_t first, size_t count,
                   uint64_t *out)
{
    CHECK(first <= c->count && count <= c->count - first);
    while (count > 0) {
        uint32_t i = (uint32_t)(first % BLOCK_OBJECTS);
        struct block block;

        catalog_block_at(c, first / BLOCK_OBJECTS, &block);
        for (; i < block.count && count > 0; i++, count--, first++) {
            *out++ = block_size_at(block.sizes, block.width, i);
        }
    }
}

void catalog_seek(const struct catalog *c, uint64_t index,
                  struct catalog_cursor *cursor)
{
    struct catalog_object skipped;

    CHECK(index <= c->count);
    cursor->catalog = c;
    cursor->next = index - index % BLOCK_OBJECTS;
    cursor->block.left = 0;
    while (cursor->next < index) {
        CHECK(catalog_next(cursor, &skipped));
    }
}

bool catalog_next(struct catalog_cursor *cursor, struct catalog_object *out)
{
    const struct catalog *c = cursor->catalog;
    struct block block;

    if (cursor->next >= c->count) {
        return false;
    }
    if (cursor->block.left == 0) {
        catalog_block_at(c, cursor->next / BLOCK_OBJECTS, &block);
        block_seek(&block, cursor);
    }
    CHECK(block_next(cursor, out));
    cursor->next++;
    return true;
}

/* Append the form of @object that is hashed; it is the same for ever. */
static uint8_t *catalog_hash_form(const struct catalog_object *object,
                                  uint8_t *at)
{
    *at++ = (uint8_t)object->key.size;
    *at++ = (uint8_t)(object->key.size >> 8);
    memcpy(at, object->key.at, object->key.size);
    at += object->key.size;
    for (int i = 0; i < 8; i++) {
        *at++ = (uint8_t)(object->size >> (8 * i));
    }
    *at++ = (uint8_t)object->etag.size;
    memcpy(at, object->etag.at, object->etag.size);
    return at + object->etag.size;
}

static void catalog_make_name(const struct catalog *c)
{
    static const char kind[] = "smshard catalog 1\n";
    static const size_t most =
        CATALOG_HASH_HEAD + CATALOG_KEY_MAX + CATALOG_ETAG_MAX;
    uint8_t *buffer = malloc(CATALOG_HASH_ROOM);
    uint8_t *at = buffer;
    struct hash *hash = hash_new();
    struct catalog_cursor cursor;
    struct catalog_object object;
    uint8_t digest[HASH_SIZE];

    CHECK(buffer != NULL);
    hash_add(hash, kind, sizeof(kind) - 1);
    catalog_seek(c, 0, &cursor);
    while (catalog_next(&cursor, &object)) {
        at = catalog_hash_form(&object, at);
        if ((size_t)(buffer + CATALOG_HASH_ROOM - at) < most) {
            hash_add(hash, buffer, (size_t)(at - buffer));
            at = buffer;
        }
    }
    hash_add(hash, buffer, (size_t)(at - buffer));
    hash_finish(&hash, digest);
    hash_hex(digest, c->name);
    free(buffer);
}

const char *catalog_name(const struct catalog *c)
{
    if (c->name[0] == '\0') {
        catalog_make_name(c);
    }
    return c->name;
}

static void catalog_check_chunks(const struct catalog *c)
{
    uint64_t objects = 0;

    for (uint32_t i = 0; i < c->chunk_count; i++) {
        CHECK(c->chunks[i].used > 0);
        CHECK(c->chunks[i].used <= c->chunks[i].room);
        CHECK(c->chunks[i].room <= CATALOG_CHUNK_BYTES);
        CHECK(c->chunks[i].objects > 0);
        objects += c->chunks[i].objects;
    }
    CHECK(objects == c->count);
    CHECK(c->block_count == (c->count + BLOCK_OBJECTS - 1) / BLOCK_OBJECTS);
    CHECK(c->block_count <= (uint64_t)c->page_count * CATALOG_PAGE_BLOCKS);
}

void catalog_check(const struct catalog *c)
{
    struct catalog_cursor cursor;
    struct catalog_object object;
    char last[CATALOG_KEY_MAX];
    size_t last_size = 0;
    uint64_t bytes = 0;

    catalog_check_chunks(c);
    catalog_seek(c, 0, &cursor);
    while (catalog_next(&cursor, &object)) {
        CHECK(bytes_compare((struct bytes){last, last_size}, object.key) < 0);
        CHECK(catalog_size(c, cursor.next - 1) == object.size);
        memcpy(last, object.key.at, object.key.size);
        last_size = object.key.size;
        bytes += object.size;
        CHECK_IMPLIES(cursor.block.left == 0,
                      cursor.block.keys == cursor.block.end);
    }
    CHECK(cursor.next == c->count);
    CHECK(bytes == c->bytes);
}
