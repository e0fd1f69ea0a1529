/* SPDX-License-Identifier: Apache-2.0 */
/* The book of a bring: which objects, and which parts of large ones, are on
 * the disk whole. A pure core: lines in, lines out.
 *
 * A bring writes a line when the bytes it stands for have been written, so
 * that the one after a crash need not bring them again. Each line has its own
 * checksum; reading ends at the first that is torn. A line counts for one
 * value of one key (its etag), in one file (its inode). The head says which
 * boot of the system it was written in: what was written before the last one
 * may have never reached the disk, and counts for nothing.
 *
 * Threads: none of its own. */

#ifndef WORKER_BRING_BOOK_H
#define WORKER_BRING_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/crc.h"

enum { BRING_BOOK_PARTS_MAX = 1 << 24 }; /* Of one object. */

/* Which book it is. Texts without line ends or blanks but @share. */
struct bring_book_head {
    const char *boot;
    const char *root_uri;
    struct bytes prefix;
};

enum bring_book_kind {
    BRING_BOOK_WHOLE, /* All of an object. */
    BRING_BOOK_OPEN,  /* A large one has begun; its parts follow. */
    BRING_BOOK_PART,  /* One of them. */
};

struct bring_book_line {
    enum bring_book_kind kind;
    uint64_t id;         /* OPEN, PART: joins them. */
    uint64_t size;       /* WHOLE, OPEN: of the object, */
    uint64_t inode;      /* of its file, */
    struct bytes etag;   /* of its value; not empty. */
    struct bytes key;    /* WHOLE, OPEN. */
    uint64_t part_bytes; /* OPEN. */
    uint64_t part;       /* PART: its index. */
    uint64_t sum;        /* PART: its checksum, of the kind in OPEN. */
    enum crc_kind kind_of_sum;
};

/* Append the head, and a line. */
void bring_book_write_head(const struct bring_book_head *head, struct buf *out);
void bring_book_write(const struct bring_book_line *line, struct buf *out);

/* What a book says of one object. */
struct bring_book_entry {
    struct bring_book_entry *next; /* Private. */
    uint64_t id;
    uint64_t size;
    uint64_t inode;
    struct bytes etag;
    struct bytes key;
    uint32_t book; /* As it was given to read. */
    bool is_whole;
    uint64_t part_bytes; /* Not whole: what there is of it. */
    uint64_t part_count;
    enum crc_kind kind_of_sum;
    uint8_t *has_part;
    uint64_t *sums;
};

struct bring_book;

struct bring_book *bring_book_new(void);
void bring_book_destroy(struct bring_book **b);

/* Take @text, a book with the number @number, up to its first line that is
 * torn. What it says of a key replaces what was known. A book with another
 * head says nothing. Returns the bytes that were taken. */
size_t bring_book_read(struct bring_book *b, struct bytes text,
                       const struct bring_book_head *head, uint32_t number);

size_t bring_book_count(const struct bring_book *b);

/* What is known of @key; NULL: nothing. It is the book's. */
const struct bring_book_entry *bring_book_find(const struct bring_book *b,
                                               struct bytes key);

/* Call @each with all, in no order. */
typedef void bring_book_each_fn(void *self, const struct bring_book_entry *e);
void bring_book_each(const struct bring_book *b, bring_book_each_fn *each,
                     void *self);

#endif /* WORKER_BRING_BOOK_H */
