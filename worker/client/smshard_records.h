/* SPDX-License-Identifier: Apache-2.0 */
/* Records within samples: what of a unit's bytes is one line, one record, one
 * sample of a tar (docs/records.md). For smshard.h, of whose library it is.
 *
 * A decoder is given the samples of a ring in their order and says where their
 * records lie, many at a time. Nothing is copied that lies in one piece; a
 * record that begins in one part of a unit and ends in another is put together
 * in memory of the decoder's.
 *
 *     while ((status = smshard_decode(d, &sample, &records)) == SMSHARD_OK)
 *         use(&records);
 *
 * SMSHARD_END: go on with the next sample. A decoder belongs to one thread at
 * a time, and to the caller. */

#ifndef SMSHARD_RECORDS_H
#define SMSHARD_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct smshard_decoder;
struct smshard_sample;

enum smshard_record_flag {
    SMSHARD_RECORD_FIRST = 1,  /* Begins a record: all do but a tar's further
                                  members. */
    SMSHARD_RECORD_JOINED = 2, /* @at counts in records.joined. */
};

/* A record; of a tar: a member of a sample. */
struct smshard_record {
    uint64_t at; /* In the sample's data. */
    uint64_t size;
    uint32_t key; /* Of a tar, in records.names: the sample's name, */
    uint32_t ext; /* and what is behind its first dot, in lower case. */
    uint16_t key_size;
    uint16_t ext_size;
    uint32_t flags;
};

/* Live until the next call, what lies in the sample until that is released. */
struct smshard_records {
    const struct smshard_record *records;
    size_t count;
    const char *names;
    size_t names_size;
    const char *joined;
    size_t joined_size;
};

/* @format: "raw", "lines", "recordio", "tfrecord" or "tar". OK; INVALID: there
 * is no such format; SYSTEM. A line about it in @why, or NULL. */
int smshard_decoder_new(const char *format, char *why, size_t why_size,
                        struct smshard_decoder **out);

/* Find the next records of @sample. OK: some; END: there are no more in it;
 * MALFORMED: the unit is damaged, and the rest of it is passed over; INVALID:
 * the sample does not go on where the last one ended; SYSTEM: no memory. */
int smshard_decode(struct smshard_decoder *d,
                   const struct smshard_sample *sample,
                   struct smshard_records *out);

/* Why the last call failed; lives until the next one. */
const char *smshard_decoder_error(const struct smshard_decoder *d);

void smshard_decoder_free(struct smshard_decoder **d);

#ifdef __cplusplus
}
#endif

#endif /* SMSHARD_RECORDS_H */
