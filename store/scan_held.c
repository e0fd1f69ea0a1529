/* SPDX-License-Identifier: Apache-2.0 */
/* An entry: shared, size of the rest, the rest; size; time as a zigzag
 * difference; etag. Numbers are varints. No entry crosses a chunk. */

#include "store/scan_held.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/scan_cut.h"

enum {
    SCAN_VARINT_MAX = 10,
    SCAN_ENTRY_MAX = STORE_KEY_MAX + STORE_ETAG_MAX + 6 * SCAN_VARINT_MAX,
    SCAN_CHUNK_MIN = 4 << 10,
    SCAN_CHUNK_MAX = 64 << 10,
    SCAN_MD5 = 16,
};

/* How an etag is kept. */
enum {
    SCAN_ETAG_RAW,
    SCAN_ETAG_MD5,  /* "32 hex digits", quoted. */
    SCAN_ETAG_PART, /* The same and -N. */
};

struct scan_chunk {
    struct scan_chunk *next;
    size_t used;
    size_t room;
    bool is_fresh; /* Its first entry builds on none before it. */
    uint8_t at[];
};

/* ---- coding ------------------------------------------------------------- */

static uint8_t *scan_put(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t)(value | 0x80);
    }
    *at++ = (uint8_t)value;
    return at;
}

static const uint8_t *scan_get(const uint8_t *at, uint64_t *value)
{
    *value = 0;
    for (int shift = 0;; shift += 7) {
        *value |= (uint64_t)(*at & 0x7f) << shift;
        if ((*at++ & 0x80) == 0) {
            return at;
        }
        CHECK(shift < 63);
    }
}

static int scan_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool scan_read_md5(struct bytes etag, uint8_t out[SCAN_MD5])
{
    if (etag.size < 2 + 2 * SCAN_MD5 || etag.at[0] != '"' ||
        etag.at[etag.size - 1] != '"') {
        return false;
    }
    for (size_t i = 0; i < SCAN_MD5; i++) {
        int high = scan_hex(etag.at[1 + 2 * i]);
        int low = scan_hex(etag.at[2 + 2 * i]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* The N of "-N" that follows the digest; 0: something else. */
static uint32_t scan_read_parts(struct bytes etag)
{
    size_t i = 1 + 2 * SCAN_MD5;
    uint32_t n = 0;

    if (etag.at[i++] != '-' || etag.at[i] == '0') {
        return 0;
    }
    for (; i + 1 < etag.size; i++) {
        if (etag.at[i] < '0' || etag.at[i] > '9' || n > STORE_PARTS_MAX) {
            return 0;
        }
        n = n * 10 + (uint32_t)(etag.at[i] - '0');
    }
    return n;
}

static uint8_t *scan_put_etag(uint8_t *at, struct bytes etag)
{
    uint8_t md5[SCAN_MD5];
    uint32_t parts = 0;

    if (scan_read_md5(etag, md5)) {
        bool is_bare = etag.size == 2 + 2 * SCAN_MD5;

        parts = is_bare ? 0 : scan_read_parts(etag);
        if (is_bare || parts > 0) {
            *at++ = is_bare ? SCAN_ETAG_MD5 : SCAN_ETAG_PART;
            memcpy(at, md5, SCAN_MD5);
            return is_bare ? at + SCAN_MD5 : scan_put(at + SCAN_MD5, parts);
        }
    }
    *at++ = SCAN_ETAG_RAW;
    at = scan_put(at, etag.size);
    if (etag.size > 0) {
        memcpy(at, etag.at, etag.size);
    }
    return at + etag.size;
}

static const uint8_t *scan_get_etag(const uint8_t *at, char out[STORE_ETAG_MAX],
                                    size_t *size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t kind = *at++;
    uint64_t number;

    if (kind == SCAN_ETAG_RAW) {
        at = scan_get(at, &number);
        *size = (size_t)number;
        CHECK(*size < STORE_ETAG_MAX);
        memcpy(out, at, *size);
        return at + *size;
    }
    out[0] = '"';
    for (size_t i = 0; i < SCAN_MD5; i++) {
        out[1 + 2 * i] = digits[at[i] >> 4];
        out[2 + 2 * i] = digits[at[i] & 15];
    }
    at += SCAN_MD5;
    *size = 1 + 2 * SCAN_MD5;
    if (kind == SCAN_ETAG_PART) {
        at = scan_get(at, &number);
        *size += (size_t)snprintf(out + *size, STORE_ETAG_MAX - *size,
                                  "-%" PRIu64, number);
    }
    out[(*size)++] = '"';
    return at;
}

static uint64_t scan_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t scan_unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

/* ---- the queue ---------------------------------------------------------- */

static struct scan_chunk *scan_chunk_for_entry(struct scan_held *h)
{
    struct scan_chunk *c = h->last;
    size_t room;

    if (c != NULL && c->room - c->used >= SCAN_ENTRY_MAX) {
        return c;
    }
    room = c == NULL ? SCAN_CHUNK_MIN : c->room * 2;
    room = room < SCAN_CHUNK_MAX ? room : SCAN_CHUNK_MAX;
    c = malloc(sizeof(*c) + room);
    if (c == NULL) {
        return NULL;
    }
    c->next = NULL;
    c->used = 0;
    c->room = room;
    c->is_fresh = h->last == NULL;
    if (h->last == NULL) {
        h->first = c;
    } else {
        h->last->next = c;
    }
    h->last = c;
    h->bytes += sizeof(*c) + room;
    return c;
}

enum status scan_held_add(struct scan_held *h, const struct store_object *o)
{
    struct scan_chunk *c = scan_chunk_for_entry(h);
    size_t shared = scan_common(o->key, (struct bytes){h->key, h->key_size});
    size_t rest = o->key.size - shared;
    uint8_t *at;

    CHECK(o->key.size <= STORE_KEY_MAX && o->etag.size < STORE_ETAG_MAX);
    if (c == NULL) {
        return STATUS_FULL;
    }
    at = scan_put(c->at + c->used, shared);
    at = scan_put(at, rest);
    memcpy(at, o->key.at + shared, rest);
    at = scan_put(at + rest, o->size);
    at = scan_put(at, scan_zigzag((int64_t)(o->modified_ms - h->modified_ms)));
    at = scan_put_etag(at, o->etag);
    c->used = (size_t)(at - c->at);
    CHECK(c->used <= c->room);
    memcpy(h->key + shared, o->key.at + shared, rest);
    h->key_size = o->key.size;
    h->modified_ms = o->modified_ms;
    h->count++;
    return STATUS_OK;
}

/* What one entry is read into. */
struct scan_entry {
    struct store_object object;
    char key[STORE_KEY_MAX];
    char etag[STORE_ETAG_MAX];
};

static const uint8_t *scan_entry_read(struct scan_entry *e, const uint8_t *at)
{
    uint64_t shared;
    uint64_t rest;
    uint64_t moved;

    at = scan_get(at, &shared);
    at = scan_get(at, &rest);
    CHECK(shared + rest <= STORE_KEY_MAX && shared <= e->object.key.size);
    memcpy(e->key + shared, at, rest);
    at = scan_get(at + rest, &e->object.size);
    at = scan_get(at, &moved);
    e->object.modified_ms += (uint64_t)scan_unzigzag(moved);
    e->object.key = (struct bytes){e->key, (size_t)(shared + rest)};
    e->object.etag.at = e->etag;
    return scan_get_etag(at, e->etag, &e->object.etag.size);
}

static void scan_held_pop(struct scan_held *h)
{
    struct scan_chunk *c = h->first;

    h->first = c->next;
    if (h->first == NULL) {
        h->last = NULL;
    }
    h->bytes -= sizeof(*c) + c->room;
    free(c);
}

enum status scan_held_tell(struct scan_held *h, store_each_fn *each, void *self,
                           struct fault *why)
{
    struct scan_entry entry = {.object = {.size = 0}};
    enum status s = STATUS_OK;

    while (s == STATUS_OK && h->first != NULL) {
        const uint8_t *at = h->first->at;
        const uint8_t *end = at + h->first->used;

        if (h->first->is_fresh) {
            entry.object = (struct store_object){.size = 0};
        }
        while (s == STATUS_OK && at < end) {
            at = scan_entry_read(&entry, at);
            s = each(self, &entry.object, why);
            h->count--;
        }
        scan_held_pop(h);
    }
    if (s == STATUS_OK) {
        CHECK(h->count == 0 && h->bytes == 0);
        h->key_size = 0;
        h->modified_ms = 0;
    }
    return s;
}

void scan_held_join(struct scan_held *h, struct scan_held *from)
{
    if (h->last == NULL) {
        *h = *from;
    } else if (from->last != NULL) {
        h->last->next = from->first;
        h->last = from->last;
        h->count += from->count;
        h->bytes += from->bytes;
        memcpy(h->key, from->key, from->key_size);
        h->key_size = from->key_size;
        h->modified_ms = from->modified_ms;
    }
    *from = (struct scan_held){.first = NULL};
}

void scan_held_fini(struct scan_held *h)
{
    while (h->first != NULL) {
        scan_held_pop(h);
    }
    *h = (struct scan_held){.first = NULL};
}
