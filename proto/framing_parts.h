/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of framing share. */

#ifndef PROTO_FRAMING_PARTS_H
#define PROTO_FRAMING_PARTS_H

#include "proto/framing.h"

enum {
    FRAMING_RECORDIO_MAGIC_SIZE = 4,
    FRAMING_RECORDIO_HEAD = 8,
    FRAMING_RECORDIO_BITS = 29, /* Of a length; the rest is the kind. */
    FRAMING_TFRECORD_HEAD = 12,
    FRAMING_TFRECORD_TAIL = 4,
    FRAMING_TAR_BLOCK = 512,

    /* Fields of a tar's header. */
    FRAMING_TAR_NAME = 100,
    FRAMING_TAR_SIZE_AT = 124,
    FRAMING_TAR_SIZE_SIZE = 12,
    FRAMING_TAR_SUM_AT = 148,
    FRAMING_TAR_SUM_SIZE = 8,
    FRAMING_TAR_TYPE_AT = 156,
    FRAMING_TAR_MAGIC_AT = 257,
    FRAMING_TAR_MAGIC_SIZE = 6,
    FRAMING_TAR_PREFIX_AT = 345,
    FRAMING_TAR_PREFIX = 155,
};

#define FRAMING_RECORDIO_MAGIC 0xced7230aU

/* What a recordio part is of its record. */
enum framing_cut {
    FRAMING_CUT_WHOLE,
    FRAMING_CUT_FIRST,
    FRAMING_CUT_MIDDLE,
    FRAMING_CUT_LAST,
};

uint32_t framing_get_u32(const char *at);
uint64_t framing_get_u64(const char *at);
void framing_put_u32(char *at, uint32_t value);
void framing_put_u64(char *at, uint64_t value);

/* @size, made a multiple of @step, which is a power of 2. */
uint64_t framing_round_up(uint64_t size, uint64_t step);

/* Tfrecord's form of the CRC32C @crc. */
uint32_t framing_mask(uint64_t crc);

/* Whether the 12 bytes at @at are a length and its checksum. */
bool framing_tfrecord_is_head(const char *at);

/* Say that @need bytes are wanted from where @out->used ends, of @left. OK;
 * MALFORMED: there will not be so many. */
MUST_USE enum status framing_want(const struct framing_reader *r, uint64_t need,
                                  uint64_t left, struct fault *why,
                                  struct framing_record *out);

typedef enum status framing_next_fn(struct framing_reader *r, struct bytes view,
                                    uint64_t left, struct fault *why,
                                    struct framing_record *out);
framing_next_fn framing_raw_next;
framing_next_fn framing_lines_next;
framing_next_fn framing_recordio_next;
framing_next_fn framing_tfrecord_next;
framing_next_fn framing_tar_next;

/* ---- One member of a tar, with the headers that say more of it. */

struct framing_member {
    bool is_zero;     /* A block of zeros, which is no member. */
    bool is_counted;  /* Of a sample: a regular file whose name counts. */
    uint64_t need;    /* So many bytes have to be seen; else 0, and */
    uint64_t data_at; /* here are its data, */
    uint64_t size;    /* so many, */
    uint64_t end;     /* and here the next member. */
    struct bytes key;
    struct bytes ext;
    struct bytes name; /* A view into the bytes, or into @room. */
    char room[FRAMING_NAME_MAX];
};

/* Look at the member at the start of @bytes, which is the byte @offset of the
 * object; the data need not be there. MALFORMED, INVALID. */
MUST_USE enum status framing_tar_member(struct bytes bytes, uint64_t offset,
                                        struct fault *why,
                                        struct framing_member *out);

/* Whether the block at @at has the checksum of a header. */
bool framing_tar_is_header(const char *at);

/* The checksum that belongs there. */
uint32_t framing_tar_sum(const char *at);

/* Whether the name stays within the folder that it is unpacked in. */
bool framing_tar_may_name(struct bytes name);

#endif /* PROTO_FRAMING_PARTS_H */
