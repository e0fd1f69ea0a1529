/* SPDX-License-Identifier: Apache-2.0 */
/* Entries are packed one behind the other into large chunks; what is sorted
 * are pointers to them. An etag of 32 hex digits takes 16 bytes. */

#include "cli/listing_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    TABLE_CHUNK = 4 << 20,
    TABLE_HEAD = 13, /* Bytes of a table_head that are written. */
    TABLE_MD5 = 16,
    TABLE_HEX = 2 * TABLE_MD5,
    TABLE_KEY_SHOWN = 300,
};

enum {
    TABLE_HAS_SIZE = 1,
    TABLE_IS_MD5 = 2,    /* 16 bytes, then what follows the digits. */
    TABLE_IS_QUOTED = 4, /* The etag's quotes are not written. */
};

/* Then key, version and etag. */
struct table_head {
    uint64_t size;
    uint16_t key_size;
    uint8_t version_size;
    uint8_t etag_size;
    uint8_t flags;
};

/* As it is written. */
struct table_etag {
    uint8_t flags;
    uint8_t size;
    char text[LISTING_TABLE_WORD_MAX];
};

struct table_chunk {
    struct table_chunk *next;
    char bytes[TABLE_CHUNK];
};

struct listing_table {
    struct table_chunk *chunks; /* The newest first. */
    size_t used;                /* Of the newest. */
    char **entries;
    uint64_t count;
    uint64_t room;
};

struct listing_table *listing_table_new(void)
{
    struct listing_table *t = calloc(1, sizeof(*t));

    CHECK(t != NULL);
    return t;
}

void listing_table_destroy(struct listing_table **t)
{
    if (*t == NULL) {
        return;
    }
    while ((*t)->chunks != NULL) {
        struct table_chunk *next = (*t)->chunks->next;

        free((*t)->chunks);
        (*t)->chunks = next;
    }
    free((*t)->entries);
    free(*t);
    *t = NULL;
}

/* ---- Etags. */

static int table_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static bool table_pack(struct bytes text, char *out)
{
    if (text.size < TABLE_HEX) {
        return false;
    }
    for (size_t i = 0; i < TABLE_MD5; i++) {
        int high = table_digit(text.at[2 * i]);
        int low = table_digit(text.at[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (char)(high << 4 | low);
    }
    return true;
}

static void table_etag_write(struct bytes etag, struct table_etag *out)
{
    size_t done = 0;

    CHECK(etag.size < LISTING_TABLE_WORD_MAX);
    out->flags = 0;
    if (etag.size >= 2 && etag.at[0] == '"' && etag.at[etag.size - 1] == '"') {
        out->flags = TABLE_IS_QUOTED;
        etag = (struct bytes){etag.at + 1, etag.size - 2};
    }
    if (table_pack(etag, out->text)) {
        out->flags |= TABLE_IS_MD5;
        done = TABLE_MD5;
        etag = (struct bytes){etag.at + TABLE_HEX, etag.size - TABLE_HEX};
    }
    if (etag.size > 0) {
        memcpy(out->text + done, etag.at, etag.size);
    }
    out->size = (uint8_t)(done + etag.size);
}

static size_t table_etag_read(const struct table_head *head, const char *at,
                              char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t from = 0;
    size_t to = 0;

    if ((head->flags & TABLE_IS_QUOTED) != 0) {
        out[to++] = '"';
    }
    if ((head->flags & TABLE_IS_MD5) != 0) {
        for (; from < TABLE_MD5; from++) {
            out[to++] = digits[(uint8_t)at[from] >> 4];
            out[to++] = digits[(uint8_t)at[from] & 15];
        }
    }
    memcpy(out + to, at + from, head->etag_size - from);
    to += head->etag_size - from;
    if ((head->flags & TABLE_IS_QUOTED) != 0) {
        out[to++] = '"';
    }
    CHECK(to < LISTING_TABLE_WORD_MAX);
    return to;
}

/* ---- Entries. */

static struct table_head table_head_of(const char *entry)
{
    struct table_head head;

    memcpy(&head, entry, TABLE_HEAD);
    return head;
}

/* Room for @size bytes in the newest chunk, or NULL. */
static char *table_room(struct listing_table *t, size_t size)
{
    char *at;

    CHECK(size <= TABLE_CHUNK);
    if (t->chunks == NULL || size > TABLE_CHUNK - t->used) {
        struct table_chunk *chunk = malloc(sizeof(*chunk));

        if (chunk == NULL) {
            return NULL;
        }
        chunk->next = t->chunks;
        t->chunks = chunk;
        t->used = 0;
    }
    at = t->chunks->bytes + t->used;
    t->used += size;
    return at;
}

static enum status table_full(struct fault *why)
{
    return fault_set(why, STATUS_FULL, "no memory for the objects' names");
}

/* Grows by half: what is left over counts in each object's bytes. */
static bool table_grow(struct listing_table *t)
{
    uint64_t room = t->room + t->room / 2 + 1024;
    char **entries;

    if (t->count < t->room) {
        return true;
    }
    entries = realloc(t->entries, room * sizeof(entries[0]));
    if (entries == NULL) {
        return false;
    }
    t->entries = entries;
    t->room = room;
    return true;
}

/* Write @entry to a place of its own; NULL: no memory. */
static char *table_write(struct listing_table *t,
                         const struct listing_entry *entry)
{
    struct table_etag etag;
    struct table_head head;
    char *at;

    CHECK(entry->key.size > 0 && entry->key.size <= UINT16_MAX);
    CHECK(entry->version.size < LISTING_TABLE_WORD_MAX);
    table_etag_write(entry->etag, &etag);
    head = (struct table_head){
        .size = entry->size,
        .key_size = (uint16_t)entry->key.size,
        .version_size = (uint8_t)entry->version.size,
        .etag_size = etag.size,
        .flags = (uint8_t)(etag.flags | (entry->has_size ? TABLE_HAS_SIZE : 0)),
    };
    at = table_room(t, TABLE_HEAD + entry->key.size + entry->version.size +
                           etag.size);
    if (at != NULL) {
        char *to = at + TABLE_HEAD;

        memcpy(at, &head, TABLE_HEAD);
        memcpy(to, entry->key.at, entry->key.size);
        to += entry->key.size;
        if (entry->version.size > 0) {
            memcpy(to, entry->version.at, entry->version.size);
        }
        memcpy(to + entry->version.size, etag.text, etag.size);
    }
    return at;
}

enum status listing_table_add(struct listing_table *t,
                              const struct listing_entry *entry,
                              struct fault *why)
{
    char *at = table_grow(t) ? table_write(t, entry) : NULL;

    if (at == NULL) {
        return table_full(why);
    }
    t->entries[t->count++] = at;
    return STATUS_OK;
}

uint64_t listing_table_count(const struct listing_table *t)
{
    return t->count;
}

void listing_table_at(const struct listing_table *t, uint64_t i,
                      char room[LISTING_TABLE_WORD_MAX],
                      struct listing_entry *out)
{
    const char *at = t->entries[i];
    struct table_head head = table_head_of(at);
    const char *key = at + TABLE_HEAD;
    const char *version = key + head.key_size;

    *out = (struct listing_entry){
        .key = {key, head.key_size},
        .version = {version, head.version_size},
        .etag = {room,
                 table_etag_read(&head, version + head.version_size, room)},
        .size = head.size,
        .has_size = (head.flags & TABLE_HAS_SIZE) != 0,
    };
}

enum status listing_table_set(struct listing_table *t, uint64_t i,
                              uint64_t size, struct bytes etag,
                              struct fault *why)
{
    char room[LISTING_TABLE_WORD_MAX];
    struct listing_entry entry;
    char *at;

    listing_table_at(t, i, room, &entry);
    entry.etag = etag;
    entry.size = size;
    entry.has_size = true;
    at = table_write(t, &entry);
    if (at == NULL) {
        return table_full(why);
    }
    t->entries[i] = at;
    return STATUS_OK;
}

/* ---- The order. */

static struct bytes table_key(const char *entry)
{
    return (struct bytes){entry + TABLE_HEAD, table_head_of(entry).key_size};
}

static int table_compare(const void *a, const void *b)
{
    return bytes_compare(table_key(*(char *const *)a),
                         table_key(*(char *const *)b));
}

static bool table_is_same(const char *a, const char *b)
{
    struct table_head head = table_head_of(a);

    return memcmp(a, b, TABLE_HEAD) == 0 &&
           memcmp(a + TABLE_HEAD, b + TABLE_HEAD,
                  (size_t)head.key_size + head.version_size + head.etag_size) ==
               0;
}

enum status listing_table_sort(struct listing_table *t, struct fault *why,
                               uint64_t *repeated)
{
    uint64_t kept = 0;

    if (t->count > 0) {
        qsort(t->entries, t->count, sizeof(t->entries[0]), table_compare);
    }
    for (uint64_t i = 0; i < t->count; i++) {
        char *entry = t->entries[i];
        struct bytes key = table_key(entry);

        if (kept == 0 ||
            !bytes_is_equal(key, table_key(t->entries[kept - 1]))) {
            t->entries[kept++] = entry;
        } else if (!table_is_same(entry, t->entries[kept - 1])) {
            return fault_set(
                why, STATUS_CONFLICT,
                "%.*s is named more than once, with different "
                "sizes, etags or versions",
                (int)(key.size < TABLE_KEY_SHOWN ? key.size : TABLE_KEY_SHOWN),
                key.at);
        }
    }
    *repeated = t->count - kept;
    t->count = kept;
    return STATUS_OK;
}
