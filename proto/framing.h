/* SPDX-License-Identifier: Apache-2.0 */
/* Records in memory: what of an object's bytes is one record.
 *
 *   raw       the whole object is one record
 *   lines     what a '\n' ends, without it; the last one may lack it
 *   recordio  parts of magic, length, data and padding to 4 bytes; a record
 *             that holds the magic at a multiple of 4 is split there
 *   tfrecord  length and its CRC32C, data and its CRC32C
 *   tar       members of one name up to the first dot of its last part are one
 *             sample; "__x__" and names without a dot are left out
 *
 * A reader is given a view from where the next record starts, as long as it
 * is at hand, and answers with one record as views into it; or with how long
 * the view has to be. So nothing is copied that lies in one piece, nothing is
 * allocated, and how bytes come is the caller's business.
 *
 * Pure. A reader belongs to one thread; it and what was given to it are the
 * caller's. */

#ifndef PROTO_FRAMING_H
#define PROTO_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

#define FRAMING_MAP(X)                                                         \
    X(RAW, "raw")                                                              \
    X(LINES, "lines")                                                          \
    X(RECORDIO, "recordio")                                                    \
    X(TFRECORD, "tfrecord")                                                    \
    X(TAR, "tar")

enum framing {
#define X(name, text) FRAMING_##name,
    FRAMING_MAP(X)
#undef X
};

enum {
    FRAMING_NAME_MAX = 1024, /* Of a tar's member. */
    FRAMING_PARTS_MAX = 64,  /* Members of a sample. */
    FRAMING_EXT_ROOM = 4096, /* Of a sample's endings, all together. */
    FRAMING_PAX_MAX = 1 << 20,
};

#define FRAMING_UNKNOWN UINT64_MAX

const char *framing_name(enum framing f);

/* INVALID: no format has the name @text; @why lists them. */
MUST_USE enum status framing_parse(const char *text, struct fault *why,
                                   enum framing *out);

/* One member of a sample. */
struct framing_part {
    struct bytes ext; /* Behind the first dot, in lower case: "seg.png". */
    struct bytes data;
};

enum framing_found {
    FRAMING_RECORD, /* Go on behind its @used bytes. */
    FRAMING_MORE,   /* The view ends within a record: go on behind its @used
                       bytes (0 as a rule) with a view of at least @need. */
    FRAMING_END,    /* There is no further record. */
};

/* Views live as long as the bytes given and, @key and @ext of a tar, until the
 * next call. */
struct framing_record {
    enum framing_found found;
    size_t used;
    uint64_t need;
    uint64_t offset;   /* Of its first byte in the object. */
    struct bytes data; /* Of a tar: of its first part. */
    bool is_split;     /* Recordio in parts: data.at is NULL, and
                          framing_join() makes data.size bytes of it. */
    struct bytes key;  /* Of a tar: without its ending; else empty. */
    const struct framing_part *parts; /* Of a tar. */
    uint32_t part_count;
};

struct framing_reader {
    enum framing format;
    uint64_t offset; /* In the object, of the next record. */

    /* Private. */
    uint64_t skip; /* Bytes of a member that is left out. */
    struct framing_part parts[FRAMING_PARTS_MAX];
    uint32_t part_count;
    size_t key_size;
    size_t ext_size;
    char key[FRAMING_NAME_MAX];
    char ext[FRAMING_EXT_ROOM];
};

/* Read records that start at @offset of an object, which is 0 or what a
 * finder has found (framing_find.h). */
void framing_start(struct framing_reader *r, enum framing format,
                   uint64_t offset);

/* Find the next record in @view, of which @left bytes are to come in all
 * (those of the view too) before the range ends; FRAMING_UNKNOWN while nobody
 * knows. @left is never less than the view's size.
 *
 * MALFORMED: the bytes are not of the format, a checksum is wrong, or the
 * range ends within a record; INVALID: a member's name could leave its folder,
 * two members have the same one, or it is of a kind that is not read; FULL: a
 * sample has more members or longer names than are kept. @why names the byte.
 * The reader is as it was before. */
MUST_USE enum status framing_next(struct framing_reader *r, struct bytes view,
                                  uint64_t left, struct fault *why,
                                  struct framing_record *out);

/* Write the data.size bytes of a split record to @into. @from is its view:
 * the first @used bytes. */
void framing_join(struct bytes from, char *into);

/* The name up to the first dot of its last part, and what is behind it. false:
 * the name has no ending, or is to be left out. */
bool framing_split_name(struct bytes name, struct bytes *key,
                        struct bytes *ext);

#endif /* PROTO_FRAMING_H */
