/* SPDX-License-Identifier: Apache-2.0 */
/* Records, written as framing.h reads them and as everybody else does.
 *
 * A record lies between a head and a tail; its data go between them as they
 * are, so that what is large need not be in memory at once. Recordio is
 * different: data that hold the magic are split, and only
 * framing_write_record() does that. Pure; any thread. */

#ifndef PROTO_FRAMING_WRITE_H
#define PROTO_FRAMING_WRITE_H

#include "proto/framing.h"

enum {
    FRAMING_HEAD_MAX = 4096,             /* Of any record. */
    FRAMING_TAIL_MAX = 512,              /* Of any record. */
    FRAMING_TAR_END = 1024,              /* Zeros that end a tar. */
    FRAMING_RECORDIO_MAX = (1 << 29) - 1 /* Bytes of a record's part. */
};

/* Write what comes before @size bytes of data and return how much it is; @name
 * is that of a tar's member. Not of recordio.
 * INVALID: a tar's member can not have that name. */
MUST_USE enum status framing_write_head(enum framing format, struct bytes name,
                                        uint64_t size,
                                        char out[FRAMING_HEAD_MAX],
                                        size_t *out_size);

/* The same for what comes behind @size bytes of data with the CRC32C @crc
 * (which only tfrecord needs). Returns its size. */
size_t framing_write_tail(enum framing format, uint64_t size, uint64_t crc,
                          char out[FRAMING_TAIL_MAX]);

/* How many bytes a recordio record takes, at most. */
uint64_t framing_recordio_size(struct bytes data);

/* Write a whole recordio record and return its size, which is that one. @data
 * is of FRAMING_RECORDIO_MAX bytes at most. */
size_t framing_recordio_write(struct bytes data, char *out);

#endif /* PROTO_FRAMING_WRITE_H */
