/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/catalog_block.h"

#include <string.h>

#include "base/check.h"

/* What the repeated form may cost more than the shortest one before the
 * lengths are told anew: about what telling them takes. */
enum { BLOCK_SLACK = 3 };

size_t block_varint_write(uint64_t value, uint8_t *at)
{
    size_t size = 0;

    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    return size;
}

bool block_varint_read(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t value = 0;

    for (uint32_t shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static size_t block_common_start(struct bytes a, struct bytes b)
{
    size_t most = a.size < b.size ? a.size : b.size;
    size_t i = 0;

    while (i + 8 <= most && memcmp(a.at + i, b.at + i, 8) == 0) {
        i += 8;
    }
    while (i < most && a.at[i] == b.at[i]) {
        i++;
    }
    return i;
}

static size_t block_common_end(struct bytes a, struct bytes b, size_t most)
{
    size_t i = 0;

    while (i < most && a.at[a.size - 1 - i] == b.at[b.size - 1 - i]) {
        i++;
    }
    return i;
}

static bool block_may_repeat(const struct block_writer *w, size_t key_size,
                             size_t prefix, size_t tail)
{
    size_t shorter = w->last_key_size < key_size ? w->last_key_size : key_size;
    size_t old;

    if (w->count == 0 || w->prefix > prefix || w->tail > tail ||
        w->prefix + w->tail > shorter) {
        return false;
    }
    old = key_size - w->prefix - w->tail;
    return old < BLOCK_EXPLICIT &&
           old <= key_size - prefix - tail + BLOCK_SLACK;
}

static void block_add_key(struct block_writer *w, struct bytes key,
                          size_t prefix)
{
    struct bytes last = {w->last_key, w->last_key_size};
    size_t shorter = last.size < key.size ? last.size : key.size;
    uint8_t *at = w->keys + w->key_bytes;
    size_t tail = 0;
    size_t size;

    if (w->count == 0) {
        prefix = 0;
    } else {
        tail = block_common_end(last, key, shorter - prefix);
    }
    if (block_may_repeat(w, key.size, prefix, tail)) {
        at[0] = (uint8_t)(key.size - w->prefix - w->tail);
        size = 1;
    } else {
        w->prefix = prefix;
        w->tail = tail;
        at[0] = BLOCK_EXPLICIT;
        size = 1;
        size += block_varint_write(prefix, at + size);
        size += block_varint_write(tail, at + size);
        size += block_varint_write(key.size - prefix - tail, at + size);
    }
    prefix = w->prefix;
    memcpy(at + size, key.at + prefix, key.size - prefix - w->tail);
    w->key_bytes += (uint32_t)(size + key.size - prefix - w->tail);
}

static void block_add_etag(struct block_writer *w, struct bytes etag)
{
    bool is_same = w->count > 0 && etag.size > 0 &&
                   etag.size == w->last_etag_size &&
                   memcmp(etag.at, w->last_etag, etag.size) == 0;

    w->has_etag = w->has_etag || etag.size > 0;
    w->etag_bytes +=
        (uint32_t)etag_write(etag, is_same, w->etags + w->etag_bytes);
    w->last_etag_size = etag.size;
    if (etag.size > 0 && !is_same) {
        memcpy(w->last_etag, etag.at, etag.size);
    }
}

bool block_add(struct block_writer *w, const struct catalog_object *object)
{
    struct bytes key = object->key;
    struct bytes last = {w->last_key, w->last_key_size};
    size_t prefix = block_common_start(last, key);

    CHECK(w->count < BLOCK_OBJECTS);
    CHECK(key.size > 0 && key.size <= CATALOG_KEY_MAX);
    if (w->has_last && (prefix == key.size ||
                        (prefix < last.size &&
                         (uint8_t)last.at[prefix] > (uint8_t)key.at[prefix]))) {
        return false;
    }
    block_add_key(w, key, prefix);
    memcpy(w->last_key + prefix, key.at + prefix, key.size - prefix);
    w->last_key_size = key.size;
    w->has_last = true;
    block_add_etag(w, object->etag);
    w->sizes[w->count++] = object->size;
    w->size_max = w->size_max > object->size ? w->size_max : object->size;
    return true;
}

static uint32_t block_width(uint64_t size_max)
{
    uint32_t width = 0;

    for (; size_max > 0; size_max >>= 8) {
        width++;
    }
    return width;
}

size_t block_bytes(const struct block_writer *w)
{
    return BLOCK_HEAD + (size_t)w->count * block_width(w->size_max) +
           (w->has_etag ? w->etag_bytes : 0) + w->key_bytes;
}

void block_write(struct block_writer *w, uint8_t *out)
{
    uint32_t width = block_width(w->size_max);
    uint32_t etag_bytes = w->has_etag ? w->etag_bytes : 0;
    uint8_t *at = out + BLOCK_HEAD;

    CHECK(w->count > 0 && etag_bytes <= UINT16_MAX);
    out[0] = (uint8_t)w->count;
    out[1] = (uint8_t)width;
    out[2] = (uint8_t)etag_bytes;
    out[3] = (uint8_t)(etag_bytes >> 8);
    for (int i = 0; i < 4; i++) {
        out[4 + i] = (uint8_t)(w->key_bytes >> (8 * i));
    }
    for (uint32_t i = 0; i < w->count; i++) {
        for (uint32_t b = 0; b < width; b++) {
            *at++ = (uint8_t)(w->sizes[i] >> (8 * b));
        }
    }
    memcpy(at, w->etags, etag_bytes);
    memcpy(at + etag_bytes, w->keys, w->key_bytes);
    CHECK(at + etag_bytes + w->key_bytes == out + block_bytes(w));
    w->count = 0;
    w->etag_bytes = 0;
    w->key_bytes = 0;
    w->has_etag = false;
    w->size_max = 0;
}

bool block_open(const uint8_t *at, size_t size, struct block *out)
{
    size_t need;

    if (size < BLOCK_HEAD) {
        return false;
    }
    *out = (struct block){.count = at[0],
                          .width = at[1],
                          .etag_bytes = (uint32_t)(at[2] | at[3] << 8),
                          .key_bytes = (uint32_t)at[4] | (uint32_t)at[5] << 8 |
                                       (uint32_t)at[6] << 16 |
                                       (uint32_t)at[7] << 24,
                          .sizes = at + BLOCK_HEAD};
    if (out->count < 1 || out->count > BLOCK_OBJECTS || out->width > 8) {
        return false;
    }
    need = BLOCK_HEAD + (size_t)out->count * out->width + out->etag_bytes +
           (size_t)out->key_bytes;
    if (need > size) {
        return false;
    }
    out->end = at + need;
    out->keys = out->end - out->key_bytes;
    out->etags = out->etag_bytes > 0 ? out->keys - out->etag_bytes : NULL;
    return true;
}

void block_seek(const struct block *block, struct catalog_cursor *cursor)
{
    cursor->block.sizes = block->sizes;
    cursor->block.width = block->width;
    cursor->block.etags = block->etags;
    cursor->block.keys = block->keys;
    cursor->block.end = block->end;
    cursor->block.left = block->count;
    cursor->block.prefix = 0;
    cursor->block.tail = 0;
    cursor->key_size = 0;
    cursor->etag_size = 0;
}

/* Read how the next key differs from the last one. */
static bool block_read_lengths(struct catalog_cursor *cursor, size_t *fresh)
{
    const uint8_t **at = &cursor->block.keys;
    const uint8_t *end = cursor->block.end;
    uint64_t prefix;
    uint64_t tail;
    uint64_t middle;

    if (*at >= end) {
        return false;
    }
    *fresh = *(*at)++;
    if (*fresh < BLOCK_EXPLICIT) {
        return true;
    }
    if (*fresh != BLOCK_EXPLICIT || !block_varint_read(at, end, &prefix) ||
        !block_varint_read(at, end, &tail) ||
        !block_varint_read(at, end, &middle) || prefix > CATALOG_KEY_MAX ||
        tail > CATALOG_KEY_MAX || middle > CATALOG_KEY_MAX) {
        return false;
    }
    cursor->block.prefix = (size_t)prefix;
    cursor->block.tail = (size_t)tail;
    *fresh = (size_t)middle;
    return true;
}

static bool block_next_key(struct catalog_cursor *cursor)
{
    size_t fresh;
    size_t size;
    size_t prefix;
    size_t tail;

    if (!block_read_lengths(cursor, &fresh)) {
        return false;
    }
    prefix = cursor->block.prefix;
    tail = cursor->block.tail;
    size = prefix + fresh + tail;
    if (prefix + tail > cursor->key_size || size == 0 ||
        size > CATALOG_KEY_MAX ||
        (size_t)(cursor->block.end - cursor->block.keys) < fresh) {
        return false;
    }
    if (size != cursor->key_size && tail > 0) {
        memmove(cursor->key + prefix + fresh,
                cursor->key + cursor->key_size - tail, tail);
    }
    memcpy(cursor->key + prefix, cursor->block.keys, fresh);
    cursor->block.keys += fresh;
    cursor->key_size = size;
    return true;
}

bool block_next(struct catalog_cursor *cursor, struct catalog_object *out)
{
    CHECK(cursor->block.left > 0);
    if (!block_next_key(cursor)) {
        return false;
    }
    if (cursor->block.etags != NULL &&
        !etag_read(&cursor->block.etags, cursor->block.end, cursor->etag,
                   &cursor->etag_size)) {
        return false;
    }
    out->key = (struct bytes){cursor->key, cursor->key_size};
    out->size = block_size_at(cursor->block.sizes, cursor->block.width, 0);
    out->etag = (struct bytes){cursor->etag, cursor->etag_size};
    cursor->block.sizes += cursor->block.width;
    cursor->block.left--;
    return true;
}
