/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's objects as bytes, for the journal itself and for whoever looks
 * at it from outside (`status --audit`).
 *
 *   "SMJ" version kind  run  first last term  nonce  seals  body  checksum
 *
 * Numbers and texts are as in base/varint.h; nonce and checksum (CRC64NVME of
 * all before it) are 8 bytes, lowest first. The body of a LOG is its records,
 * each a text; of an AUDIT for each number from first to last the term and a
 * text, which is that LOG's body.
 *
 * Reading trusts nothing and gives views. Pure; any thread. */

#ifndef COORDINATOR_JOURNAL_FORMAT_H
#define COORDINATOR_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    JOURNAL_RUN_SIZE = 32,
    JOURNAL_RECORD_MAX = 64 << 10,
    JOURNAL_OBJECT_MAX = 8 << 20, /* Of a LOG's or AUDIT's body, or one
                                     record more. */
    JOURNAL_SNAPSHOT_MAX = 512 << 20,
    JOURNAL_KEY_MAX = 64,
};

enum journal_kind {
    JOURNAL_KIND_LOG,
    JOURNAL_KIND_SNAPSHOT,
    JOURNAL_KIND_AUDIT,
    JOURNAL_KINDS,
};

struct journal_object {
    enum journal_kind kind;
    char run[JOURNAL_RUN_SIZE + 1];
    uint64_t first; /* LOG: its number, as @last. AUDIT: first to last number.
                       SNAPSHOT: no number below it is stored any more but
                       seals; */
    uint64_t last;  /* it holds the state after this one. */
    uint64_t term;  /* Of the writer. */
    uint64_t nonce;
    struct bytes seals; /* SNAPSHOT: the numbers up to @last at which a reign
                           began: journal_next_seal(). Else empty. */
    struct bytes body;  /* Records; of a SNAPSHOT the owner's state. */
};

/* Append @object. CHECKs what reading would refuse. */
void journal_object_write(const struct journal_object *object, struct buf *out);

/* MALFORMED: cut short, damaged, or not such an object; VERSION: of another
 * version. @why says what is wrong. *@out views @in. */
MUST_USE enum status journal_object_read(struct bytes in, struct fault *why,
                                         struct journal_object *out);

/* Append the seal @number after @before (0: it is the first), and cut the next
 * one from the front of @seals: @number is the one before, and then it. false:
 * no more (journal_object_read() has seen that they are well formed). */
void journal_add_seal(uint64_t before, uint64_t number, struct buf *seals);
bool journal_next_seal(struct bytes *seals, uint64_t *number);

/* Append a record to a LOG's body, and a LOG's body to that of an AUDIT. */
void journal_add_record(struct bytes record, struct buf *body);
void journal_add_log(uint64_t term, struct bytes log, struct buf *body);

/* One journal object inside a LOG or AUDIT. */
struct journal_log {
    uint64_t number;
    uint64_t term;
    struct bytes records;
};

/* Walks the journal objects of a LOG (one) or AUDIT. */
struct journal_walk {
    struct journal_object object;
    struct bytes left;
    uint64_t next;
    bool is_damaged;
};
void journal_walk_init(struct journal_walk *walk,
                       const struct journal_object *object);

/* false: no more, or damaged (walk->is_damaged). */
bool journal_next_log(struct journal_walk *walk, struct journal_log *out);

/* Cut the next record from the front of @records. false: no more, or damaged:
 * @records is then not empty. */
bool journal_next_record(struct bytes *records, struct bytes *record);

/* The key of an object below the run's folder ("journal/00…17"; they sort by
 * number), and what a key names. false: it is no key of ours. */
const char *journal_key(enum journal_kind kind, uint64_t first, uint64_t last,
                        char out[JOURNAL_KEY_MAX]);
bool journal_key_read(struct bytes key, enum journal_kind *kind,
                      uint64_t *first, uint64_t *last);

#endif /* COORDINATOR_JOURNAL_FORMAT_H */
