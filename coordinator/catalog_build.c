/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "coordinator/catalog_impl.h"

enum { CATALOG_ROOM_MIN = 4096 };

struct catalog_builder {
    struct catalog *catalog;
    struct block_writer block;
};

enum status catalog_builder_new(struct catalog_builder **out)
{
    struct catalog_builder *b = calloc(1, sizeof(*b));

    *out = NULL;
    if (b == NULL) {
        return STATUS_FULL;
    }
    b->catalog = calloc(1, sizeof(*b->catalog));
    if (b->catalog != NULL) {
        b->catalog->name = calloc(1, CATALOG_NAME_SIZE);
    }
    if (b->catalog == NULL || b->catalog->name == NULL) {
        catalog_builder_destroy(&b);
        return STATUS_FULL;
    }
    *out = b;
    return STATUS_OK;
}

void catalog_builder_destroy(struct catalog_builder **b)
{
    if (*b != NULL) {
        catalog_destroy(&(*b)->catalog);
        free(*b);
        *b = NULL;
    }
}

/* Double the list at *@list, of elements of @size, when it is full. */
static bool catalog_grow_list(void **list, uint32_t count, uint32_t *room,
                              size_t size)
{
    uint32_t more = *room < 8 ? 8 : *room * 2;
    void *grown;

    if (count < *room) {
        return true;
    }
    grown = realloc(*list, (size_t)more * size);
    if (grown == NULL) {
        return false;
    }
    *list = grown;
    *room = more;
    return true;
}

/* The first chunk grows by doubling, so that a small catalog stays small. */
static bool catalog_new_chunk(struct catalog *c)
{
    uint32_t room = c->chunk_count == 0 ? (uint32_t)CATALOG_ROOM_MIN
                                        : (uint32_t)CATALOG_CHUNK_BYTES;
    void *chunks = c->chunks;
    uint8_t *at;

    if (!catalog_grow_list(&chunks, c->chunk_count, &c->chunk_room,
                           sizeof(*c->chunks))) {
        return false;
    }
    c->chunks = chunks;
    at = malloc(room);
    if (at == NULL) {
        return false;
    }
    c->chunks[c->chunk_count++] =
        (struct catalog_chunk){.at = at, .room = room};
    return true;
}

/* Make room for @size bytes at the end of the last chunk. */
static bool catalog_make_room(struct catalog *c, size_t size)
{
    struct catalog_chunk *last;
    size_t room;
    uint8_t *at;

    CHECK(size <= CATALOG_CHUNK_BYTES);
    if ((c->chunk_count == 0 ||
         c->chunks[c->chunk_count - 1].used + size > CATALOG_CHUNK_BYTES) &&
        !catalog_new_chunk(c)) {
        return false;
    }
    last = &c->chunks[c->chunk_count - 1];
    for (room = last->room; room < last->used + size;) {
        room = room * 2 < CATALOG_CHUNK_BYTES ? room * 2
                                              : (size_t)CATALOG_CHUNK_BYTES;
    }
    if (room == last->room) {
        return true;
    }
    at = realloc(last->at, room);
    if (at == NULL) {
        return false;
    }
    last->at = at;
    last->room = (uint32_t)room;
    return true;
}

static bool catalog_make_page(struct catalog *c)
{
    void *pages = c->pages;

    if (c->block_count < (uint64_t)c->page_count * CATALOG_PAGE_BLOCKS) {
        return true;
    }
    if (!catalog_grow_list(&pages, c->page_count, &c->page_room,
                           sizeof(*c->pages))) {
        return false;
    }
    c->pages = pages;
    c->pages[c->page_count] = malloc(CATALOG_PAGE_BLOCKS * sizeof(uint64_t));
    if (c->pages[c->page_count] == NULL) {
        return false;
    }
    c->page_count++;
    return true;
}

/* Move the block from the writer to the last chunk. false: no memory. */
static bool catalog_flush(struct catalog_builder *b)
{
    struct catalog *c = b->catalog;
    size_t size = block_bytes(&b->block);
    struct catalog_chunk *last;

    if (!catalog_make_page(c) || !catalog_make_room(c, size)) {
        return false;
    }
    last = &c->chunks[c->chunk_count - 1];
    c->pages[c->block_count / CATALOG_PAGE_BLOCKS]
            [c->block_count % CATALOG_PAGE_BLOCKS] =
        (uint64_t)(c->chunk_count - 1) << CATALOG_CHUNK_SHIFT | last->used;
    c->block_count++;
    c->key_bytes += b->block.key_bytes;
    last->objects += b->block.count;
    block_write(&b->block, last->at + last->used);
    last->used += (uint32_t)size;
    return true;
}

static enum status catalog_fault_order(const struct block_writer *w,
                                       struct bytes key, struct fault *why)
{
    struct bytes last = {w->last_key, w->last_key_size};

    if (bytes_is_equal(last, key)) {
        return fault_set(why, STATUS_INVALID, "%.*s: the key comes twice",
                         (int)key.size, key.at);
    }
    return fault_set(why, STATUS_INVALID,
                     "%.*s: the key comes after %.*s, which is greater",
                     (int)(key.size < 300 ? key.size : 300), key.at,
                     (int)(last.size < 300 ? last.size : 300), last.at);
}

static enum status catalog_validate(const struct catalog *c,
                                    const struct catalog_object *object,
                                    struct fault *why)
{
    int shown = object->key.size < 100 ? (int)object->key.size : 100;

    if (object->key.size == 0) {
        return fault_set(why, STATUS_INVALID, "a key is empty");
    }
    if (object->key.size > CATALOG_KEY_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%.*s…: the key has %zu bytes, of %d allowed", shown,
                         object->key.at, object->key.size, CATALOG_KEY_MAX);
    }
    if (object->etag.size > CATALOG_ETAG_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%.*s: the etag has %zu bytes, of %d allowed", shown,
                         object->key.at, object->etag.size, CATALOG_ETAG_MAX);
    }
    if (c->count >= CATALOG_OBJECTS_MAX) {
        return fault_set(why, STATUS_FULL,
                         "more than 4000000000 objects; use a longer prefix "
                         "or pack them");
    }
    if (object->size > CATALOG_BYTES_MAX - c->bytes) {
        return fault_set(why, STATUS_FULL, "more than 2^62 bytes of objects");
    }
    return STATUS_OK;
}

enum status catalog_builder_add(struct catalog_builder *b,
                                const struct catalog_object *object,
                                struct fault *why)
{
    struct catalog *c = b->catalog;
    enum status s = catalog_validate(c, object, why);

    if (s != STATUS_OK) {
        return s;
    }
    if (b->block.count == BLOCK_OBJECTS && !catalog_flush(b)) {
        return fault_set(why, STATUS_FULL,
                         "no memory for more than %llu objects",
                         (unsigned long long)c->count);
    }
    if (!block_add(&b->block, object)) {
        return catalog_fault_order(&b->block, object->key, why);
    }
    c->count++;
    c->bytes += object->size;
    return STATUS_OK;
}

enum status catalog_builder_finish(struct catalog_builder **b,
                                   struct catalog **out)
{
    struct catalog *c = (*b)->catalog;
    struct catalog_chunk *last;
    uint8_t *trimmed;

    *out = NULL;
    if ((*b)->block.count > 0 && !catalog_flush(*b)) {
        return STATUS_FULL;
    }
    if (c->chunk_count > 0) {
        last = &c->chunks[c->chunk_count - 1];
        trimmed = realloc(last->at, last->used);
        if (trimmed != NULL) {
            last->at = trimmed;
            last->room = last->used;
        }
    }
    (*b)->catalog = NULL;
    catalog_builder_destroy(b);
    *out = c;
    return STATUS_OK;
}
