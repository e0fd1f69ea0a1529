/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_book.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "store/percent.h"

/* CHECKSUM SP REST LF; the rest is what the formats below say. */
#define BRING_BOOK_HEAD "book 1 "
#define BRING_BOOK_WHOLE_FORMAT "whole %" PRIu64 " %" PRIu64 " "
#define BRING_BOOK_OPEN_FORMAT                                                 \
    "open %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u "
#define BRING_BOOK_PART_FORMAT "part %" PRIu64 " %" PRIu64 " %" PRIx64

enum {
    BRING_BOOK_CHECK = 9,        /* Eight digits and a blank. */
    BRING_BOOK_TABLE_MIN = 1024, /* A power of two. */
    BRING_BOOK_NUMBERS_MAX = 120,
};

struct bring_book {
    struct bring_book_entry **table; /* By key. */
    struct bring_book_entry **open;  /* By id, of the book that is read. */
    size_t open_count;
    size_t room;
    size_t count;
};

/* ---- writing ------------------------------------------------------------ */

static uint32_t bring_book_sum(struct bytes rest)
{
    return (uint32_t)crc_add(CRC_32C, 0, rest.at, rest.size);
}

/* Make what was added since @from a line: put its checksum before it. */
static void bring_book_close(struct buf *out, size_t from)
{
    struct bytes rest = {out->at + from + BRING_BOOK_CHECK,
                         out->size - from - BRING_BOOK_CHECK};
    char sum[BRING_BOOK_CHECK + 1];

    snprintf(sum, sizeof(sum), "%08x ", bring_book_sum(rest));
    memcpy(out->at + from, sum, BRING_BOOK_CHECK);
    buf_add_char(out, '\n');
}

static size_t bring_book_open(struct buf *out)
{
    size_t from = out->size;

    buf_add_text(out, "00000000 ");
    return from;
}

void bring_book_write_head(const struct bring_book_head *head, struct buf *out)
{
    size_t from = bring_book_open(out);

    buf_add_text(out, BRING_BOOK_HEAD);
    percent_encode(bytes_of(head->boot), false, out);
    buf_add_char(out, ' ');
    percent_encode(bytes_of(head->root_uri), true, out);
    buf_add_char(out, ' ');
    percent_encode(head->prefix, true, out);
    bring_book_close(out, from);
}

void bring_book_write(const struct bring_book_line *line, struct buf *out)
{
    size_t from = bring_book_open(out);

    if (line->kind == BRING_BOOK_PART) {
        buf_print(out, BRING_BOOK_PART_FORMAT, line->id, line->part, line->sum);
        bring_book_close(out, from);
        return;
    }
    CHECK(line->etag.size > 0 && line->key.size > 0);
    if (line->kind == BRING_BOOK_WHOLE) {
        buf_print(out, BRING_BOOK_WHOLE_FORMAT, line->size, line->inode);
    } else {
        buf_print(out, BRING_BOOK_OPEN_FORMAT, line->id, line->size,
                  line->inode, line->part_bytes, (unsigned)line->kind_of_sum);
    }
    percent_encode(line->etag, false, out);
    buf_add_char(out, ' ');
    percent_encode(line->key, true, out);
    bring_book_close(out, from);
}

/* ---- the table ---------------------------------------------------------- */

struct bring_book *bring_book_new(void)
{
    struct bring_book *b = mem_new(1, sizeof(*b));

    b->room = BRING_BOOK_TABLE_MIN;
    b->table = mem_new(b->room, sizeof(struct bring_book_entry *));
    return b;
}

static void bring_book_free(struct bring_book_entry *e)
{
    free(e->has_part);
    free(e->sums);
    free(e);
}

void bring_book_destroy(struct bring_book **bp)
{
    struct bring_book *b = *bp;

    if (b == NULL) {
        return;
    }
    for (size_t i = 0; i < b->room; i++) {
        while (b->table[i] != NULL) {
            struct bring_book_entry *e = b->table[i];

            b->table[i] = e->next;
            bring_book_free(e);
        }
    }
    free(b->table);
    free(b);
    *bp = NULL;
}

static size_t bring_book_hash(struct bytes key)
{
    uint64_t h = key.size;
    size_t i = 0;

    for (; i + sizeof(h) <= key.size; i += sizeof(h)) {
        uint64_t word;

        memcpy(&word, key.at + i, sizeof(word));
        h = prng_mix(h ^ word);
    }
    for (; i < key.size; i++) {
        h = prng_mix(h ^ (unsigned char)key.at[i]);
    }
    return h;
}

static struct bring_book_entry **bring_book_place(const struct bring_book *b,
                                                  struct bytes key)
{
    struct bring_book_entry **at =
        &b->table[bring_book_hash(key) & (b->room - 1)];

    while (*at != NULL && !bytes_is_equal((*at)->key, key)) {
        at = &(*at)->next;
    }
    return at;
}

static void bring_book_widen(struct bring_book *b)
{
    struct bring_book_entry **old = b->table;
    size_t room = b->room;

    b->room = 2 * room;
    b->table = mem_new(b->room, sizeof(struct bring_book_entry *));
    for (size_t i = 0; i < room; i++) {
        while (old[i] != NULL) {
            struct bring_book_entry *e = old[i];
            struct bring_book_entry **at;

            old[i] = e->next;
            at = &b->table[bring_book_hash(e->key) & (b->room - 1)];
            e->next = *at;
            *at = e;
        }
    }
    free(old);
}

static void bring_book_put(struct bring_book *b, struct bring_book_entry *e)
{
    struct bring_book_entry **at = bring_book_place(b, e->key);
    struct bring_book_entry *old = *at;

    if (old != NULL) {
        e->next = old->next;
        *at = e;
        if (old->id < b->open_count && b->open[old->id] == old) {
            b->open[old->id] = NULL;
        }
        bring_book_free(old);
        return;
    }
    e->next = NULL;
    *at = e;
    if (++b->count > b->room) {
        bring_book_widen(b);
    }
}

size_t bring_book_count(const struct bring_book *b)
{
    return b->count;
}

const struct bring_book_entry *bring_book_find(const struct bring_book *b,
                                               struct bytes key)
{
    return *bring_book_place(b, key);
}

void bring_book_each(const struct bring_book *b, bring_book_each_fn *each,
                     void *self)
{
    for (size_t i = 0; i < b->room; i++) {
        for (struct bring_book_entry *e = b->table[i]; e != NULL; e = e->next) {
            each(self, e);
        }
    }
}

/* ---- reading ------------------------------------------------------------ */

/* Take a word that ends with a blank or the end of @rest, decoded, to @out. */
static bool bring_book_word(struct bytes *rest, struct buf *out)
{
    const char *end = memchr(rest->at, ' ', rest->size);
    size_t size = end != NULL ? (size_t)(end - rest->at) : rest->size;
    size_t from = out->size;
    size_t decoded = size;

    buf_add(out, rest->at, size);
    size += end != NULL;
    rest->at += size;
    rest->size -= size;
    if (decoded == 0 || !percent_decode(out->at + from, &decoded)) {
        return false;
    }
    out->size = from + decoded;
    return true;
}

/* Make an entry of what @line says and the two words in @rest. NULL: they are
 * none. */
static struct bring_book_entry *bring_book_entry(
    const struct bring_book_line *line, struct bytes rest, uint32_t number)
{
    struct buf words = {0};
    struct bring_book_entry *e = NULL;
    size_t etag_size;

    if (bring_book_word(&rest, &words)) {
        etag_size = words.size;
        if (bring_book_word(&rest, &words) && rest.size == 0) {
            char *at;

            e = mem_new(1, sizeof(*e) + words.size);
            at = (char *)(e + 1);
            memcpy(at, words.at, words.size);
            e->etag = (struct bytes){at, etag_size};
            e->key = (struct bytes){at + etag_size, words.size - etag_size};
            e->id = line->id;
            e->size = line->size;
            e->inode = line->inode;
            e->book = number;
        }
    }
    buf_fini(&words);
    return e;
}

static bool bring_book_read_whole(struct bring_book *b, const char *text,
                                  struct bytes rest, uint32_t number)
{
    struct bring_book_line line = {0};
    struct bring_book_entry *e;
    int used = 0;

    if (sscanf(text, BRING_BOOK_WHOLE_FORMAT "%n", &line.size, &line.inode,
               &used) != 2 ||
        used == 0) {
        return false;
    }
    e = bring_book_entry(
        &line, (struct bytes){rest.at + used, rest.size - (size_t)used},
        number);
    if (e != NULL) {
        e->is_whole = true;
        bring_book_put(b, e);
    }
    return e != NULL;
}

/* Remember it for its parts. */
static void bring_book_add_open(struct bring_book *b,
                                struct bring_book_entry *e)
{
    if (e->id >= b->open_count) {
        size_t count = e->id + 1 + b->open_count;

        b->open = mem_grow(b->open, count, sizeof(struct bring_book_entry *));
        memset(b->open + b->open_count, 0,
               (count - b->open_count) * sizeof(struct bring_book_entry *));
        b->open_count = count;
    }
    b->open[e->id] = e;
}

static bool bring_book_read_open(struct bring_book *b, const char *text,
                                 struct bytes rest, uint32_t number)
{
    struct bring_book_line line = {0};
    struct bring_book_entry *e;
    unsigned kind = 0;
    int used = 0;

    if (sscanf(text, BRING_BOOK_OPEN_FORMAT "%n", &line.id, &line.size,
               &line.inode, &line.part_bytes, &kind, &used) != 5 ||
        used == 0 || line.part_bytes == 0 || kind > CRC_32 ||
        line.id >= BRING_BOOK_PARTS_MAX ||
        line.size / line.part_bytes >= BRING_BOOK_PARTS_MAX) {
        return false;
    }
    e = bring_book_entry(
        &line, (struct bytes){rest.at + used, rest.size - (size_t)used},
        number);
    if (e != NULL) {
        e->kind_of_sum = (enum crc_kind)kind;
        e->part_bytes = line.part_bytes;
        e->part_count =
            line.size / line.part_bytes + (line.size % line.part_bytes != 0);
        e->has_part = mem_new(e->part_count + 1, 1);
        e->sums = mem_new(e->part_count + 1, sizeof(uint64_t));
        bring_book_put(b, e);
        bring_book_add_open(b, e);
    }
    return e != NULL;
}

static bool bring_book_read_part(struct bring_book *b, const char *text,
                                 size_t size)
{
    struct bring_book_entry *e;
    uint64_t id = 0;
    uint64_t part = 0;
    uint64_t sum = 0;
    int used = 0;

    if (sscanf(text, BRING_BOOK_PART_FORMAT "%n", &id, &part, &sum, &used) !=
            3 ||
        (size_t)used != size) {
        return false;
    }
    e = id < b->open_count ? b->open[id] : NULL;
    if (e != NULL && part < e->part_count) {
        e->has_part[part] = 1;
        e->sums[part] = sum;
    }
    return true;
}

/* Take the line that @rest is without its checksum and end. */
static bool bring_book_read_line(struct bring_book *b, struct bytes rest,
                                 uint32_t number)
{
    char text[BRING_BOOK_NUMBERS_MAX + 1];
    size_t size =
        rest.size < BRING_BOOK_NUMBERS_MAX ? rest.size : BRING_BOOK_NUMBERS_MAX;

    memcpy(text, rest.at, size);
    text[size] = '\0';
    return text[0] == 'w'   ? bring_book_read_whole(b, text, rest, number)
           : text[0] == 'o' ? bring_book_read_open(b, text, rest, number)
                            : bring_book_read_part(b, text, rest.size);
}

/* Cut the next line off @text, without checksum and end. false: it is torn. */
static bool bring_book_cut(struct bytes *text, struct bytes *rest)
{
    const char *end =
        text->size > 0 ? memchr(text->at, '\n', text->size) : NULL;
    char want[BRING_BOOK_CHECK + 1];
    size_t size = end != NULL ? (size_t)(end - text->at) : 0;

    if (size <= BRING_BOOK_CHECK) {
        return false;
    }
    *rest =
        (struct bytes){text->at + BRING_BOOK_CHECK, size - BRING_BOOK_CHECK};
    snprintf(want, sizeof(want), "%08x ", bring_book_sum(*rest));
    if (memcmp(want, text->at, BRING_BOOK_CHECK) != 0) {
        return false;
    }
    text->at += size + 1;
    text->size -= size + 1;
    return true;
}

static bool bring_book_is_mine(struct bytes *text,
                               const struct bring_book_head *head)
{
    struct buf want = {0};
    bool is_mine;

    bring_book_write_head(head, &want);
    is_mine = bytes_has_prefix(*text, buf_bytes(&want));
    if (is_mine) {
        text->at += want.size;
        text->size -= want.size;
    }
    buf_fini(&want);
    return is_mine;
}

size_t bring_book_read(struct bring_book *b, struct bytes text,
                       const struct bring_book_head *head, uint32_t number)
{
    size_t size = text.size;
    struct bytes rest;

    if (!bring_book_is_mine(&text, head)) {
        return 0;
    }
    while (bring_book_cut(&text, &rest) &&
           bring_book_read_line(b, rest, number)) {
    }
    free(b->open);
    b->open = NULL;
    b->open_count = 0;
    return size - text.size;
}
