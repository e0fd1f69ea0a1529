/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/client/smshard_records.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/framing.h"
#include "worker/client/smshard.h"

enum {
    RECORDS_MAX = 256, /* Of one call; a tar's sample may go beyond. With more
                        * what a caller makes of them leaves its cache. */
    RECORDS_ROOM = RECORDS_MAX + FRAMING_PARTS_MAX,
    RECORDS_NAMES_MAX = 64 << 10,
    RECORDS_NAMES_ROOM =
        RECORDS_NAMES_MAX + FRAMING_NAME_MAX + FRAMING_EXT_ROOM + 1,
};

struct records_memory {
    char *at;
    size_t size;
    size_t room;
};

struct smshard_decoder {
    struct framing_reader reader;
    struct fault why;

    /* The unit: */
    uint64_t epoch;
    uint64_t position;
    uint64_t offset; /* Where its next sample begins. */
    bool is_open;    /* It goes on there. */
    bool is_bad;     /* Its rest is passed over. */
    int pending;     /* Said when the records before are given out. */

    /* The sample: */
    const char *data; /* NULL: none was begun. */
    size_t size;
    size_t used;
    uint64_t left; /* Bytes of the unit from where @used is. */

    struct records_memory carry;  /* A record's beginning, */
    uint64_t need;                /* of which so much has to be seen. */
    struct records_memory joined; /* What a call gave out. */
    size_t count;
    size_t names_size;
    struct smshard_record records[RECORDS_ROOM];
    char names[RECORDS_NAMES_ROOM];
};

int smshard_decoder_new(const char *format, char *why, size_t why_size,
                        struct smshard_decoder **out)
{
    struct fault fault = {""};
    enum framing framing = FRAMING_RAW;

    *out = NULL;
    if (framing_parse(format, &fault, &framing) != STATUS_OK) {
        if (why != NULL && why_size > 0) {
            (void)snprintf(why, why_size, "%s", fault.text);
        }
        return SMSHARD_INVALID;
    }
    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        return SMSHARD_SYSTEM;
    }
    framing_start(&(*out)->reader, framing, 0);
    return SMSHARD_OK;
}

void smshard_decoder_free(struct smshard_decoder **d)
{
    if (*d != NULL) {
        free((*d)->carry.at);
        free((*d)->joined.at);
        free(*d);
        *d = NULL;
    }
}

const char *smshard_decoder_error(const struct smshard_decoder *d)
{
    return d->why.text;
}

/* ---- Memory. ---------------------------------------------------------------
 */

static bool records_make_room(struct records_memory *m, uint64_t more)
{
    size_t room = m->room;
    char *at;

    if (more > SIZE_MAX / 2 - m->size) {
        return false;
    }
    if (more <= room - m->size) {
        return true;
    }
    room =
        room * 2 > m->size + (size_t)more ? room * 2 : m->size + (size_t)more;
    at = realloc(m->at, room);
    if (at == NULL) {
        return false;
    }
    m->at = at;
    m->room = room;
    return true;
}

static int records_no_memory(struct smshard_decoder *d, uint64_t size)
{
    d->is_bad = true;
    (void)fault_set(&d->why, STATUS_OS,
                    "no memory for a record of %" PRIu64 " bytes in parts",
                    size);
    return SMSHARD_SYSTEM;
}

static bool records_add(struct records_memory *m, const char *at, size_t size)
{
    if (!records_make_room(m, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(m->at + m->size, at, size);
        m->size += size;
    }
    return true;
}

/* ---- What was found. -------------------------------------------------------
 */

static uint32_t records_add_name(struct smshard_decoder *d, struct bytes name)
{
    size_t at = d->names_size;

    if (name.size > 0) {
        memcpy(d->names + at, name.at, name.size);
        d->names_size += name.size;
    }
    return (uint32_t)at;
}

static struct smshard_record *records_put(struct smshard_decoder *d, size_t at,
                                          size_t size, uint32_t flags)
{
    struct smshard_record *r = &d->records[d->count++];

    *r = (struct smshard_record){.at = at, .size = size, .flags = flags};
    return r;
}

/* An ending, which mostly is that of the same member of the sample before.
 * Others lie elsewhere: none is without a byte. */
static void records_put_ext(struct smshard_decoder *d, struct smshard_record *r,
                            struct bytes ext, uint32_t part_count)
{
    const struct smshard_record *before = r - part_count;

    r->ext_size = (uint16_t)ext.size;
    if (d->count > part_count && before->ext_size == ext.size &&
        memcmp(d->names + before->ext, ext.at, ext.size) == 0) {
        r->ext = before->ext;
    } else {
        r->ext = records_add_name(d, ext);
        d->names_size += ext.size == 0;
    }
}

static void records_put_parts(struct smshard_decoder *d, const char *base,
                              const struct framing_record *found,
                              uint32_t flags)
{
    uint32_t key = records_add_name(d, found->key);

    for (uint32_t i = 0; i < found->part_count; i++) {
        const struct framing_part *part = &found->parts[i];
        struct smshard_record *r = records_put(
            d, (size_t)(part->data.at - base), part->data.size,
            i == 0 ? flags : flags & ~(uint32_t)SMSHARD_RECORD_FIRST);

        r->key = key;
        r->key_size = (uint16_t)found->key.size;
        records_put_ext(d, r, part->ext, found->part_count);
    }
}

/* A recordio record in pieces: the bytes at @from, which may be the
 * joined ones themselves. */
static bool records_put_split(struct smshard_decoder *d, const char *from,
                              const struct framing_record *found,
                              uint32_t flags)
{
    bool is_joined = from == d->joined.at;
    size_t at = d->joined.size;

    if (!records_make_room(&d->joined, found->data.size)) {
        return false;
    }
    framing_join((struct bytes){is_joined ? d->joined.at : from, found->used},
                 d->joined.at + at);
    d->joined.size += found->data.size;
    (void)records_put(d, at, found->data.size, flags | SMSHARD_RECORD_JOINED);
    return true;
}

/* Offsets are counted from @base; @found is of the view at @from. */
static int records_found(struct smshard_decoder *d, const char *base,
                         const char *from, const struct framing_record *found)
{
    uint32_t flags = SMSHARD_RECORD_FIRST;

    if (found->is_split) {
        return records_put_split(d, from, found, flags)
                   ? SMSHARD_OK
                   : records_no_memory(d, found->data.size);
    }
    flags |= base == d->joined.at ? SMSHARD_RECORD_JOINED : 0;
    if (found->part_count > 0) {
        records_put_parts(d, base, found, flags);
    } else {
        (void)records_put(d,
                          found->data.size > 0 ? (size_t)(found->data.at - base)
                                               : (size_t)0,
                          found->data.size, flags);
    }
    return SMSHARD_OK;
}

static bool records_is_full(const struct smshard_decoder *d)
{
    return d->count >= RECORDS_MAX || d->names_size >= RECORDS_NAMES_MAX;
}

static int records_malformed(struct smshard_decoder *d)
{
    d->is_bad = true;
    return SMSHARD_MALFORMED;
}

static void records_use(struct smshard_decoder *d, size_t size)
{
    d->used += size;
    d->left -= size;
}

/* ---- A record that an earlier sample began. --------------------------------
 */

/* It was found in the carry, of which @old bytes are not of this sample. */
static int records_carried(struct smshard_decoder *d, size_t old,
                           const struct framing_record *found)
{
    struct records_memory carry = d->carry;

    d->carry = d->joined;
    d->joined = carry;
    d->carry.size = 0;
    if (found->used >= old) {
        records_use(d, found->used - old);
    } else if (records_add(&d->carry, carry.at + found->used,
                           old - found->used)) {
        d->need = d->carry.size + 1;
    } else {
        return records_no_memory(d, old);
    }
    return records_found(d, carry.at, carry.at, found);
}

/* Nothing yet. Forget what is done with; what is this sample's is looked at
 * again. */
static void records_forget(struct smshard_decoder *d, size_t old,
                           const struct framing_record *found)
{
    if (found->used >= old) {
        d->carry.size = 0;
        records_use(d, found->used - old);
        return;
    }
    d->carry.size = old - found->used;
    memmove(d->carry.at, d->carry.at + found->used, d->carry.size);
    d->need = found->need;
}

/* How much of the sample is to be put behind the carry. */
static size_t records_wants(const struct smshard_decoder *d)
{
    uint64_t want = d->need - d->carry.size;
    size_t here = d->size - d->used;

    /* Lines want one byte more than there are, each time. */
    if (d->reader.format == FRAMING_LINES && want < d->carry.size) {
        want = d->carry.size;
    }
    return want < here ? (size_t)want : here;
}

/* OK: a record, or nothing is carried any more; END: the sample ends before
 * the record does. */
static int records_go_on(struct smshard_decoder *d)
{
    struct framing_record found = {.found = FRAMING_MORE};

    while (d->carry.size > 0 && found.found == FRAMING_MORE) {
        size_t old = d->carry.size;
        size_t more = records_wants(d);

        if (!records_add(&d->carry, d->data + d->used, more)) {
            return records_no_memory(d, d->need);
        }
        if (d->carry.size < d->need && d->left > more) {
            records_use(d, more);
            return SMSHARD_END;
        }
        if (framing_next(&d->reader, (struct bytes){d->carry.at, d->carry.size},
                         d->left + old, &d->why, &found) != STATUS_OK) {
            return records_malformed(d);
        }
        if (found.found == FRAMING_RECORD) {
            return records_carried(d, old, &found);
        }
        records_forget(d, old, &found);
    }
    return SMSHARD_OK;
}

/* ---- Records where they lie. -----------------------------------------------
 */

static int records_walk(struct smshard_decoder *d)
{
    while (!records_is_full(d)) {
        const char *at = d->data + d->used;
        struct bytes view = {at, d->size - d->used};
        struct framing_record found;
        int status;

        if (framing_next(&d->reader, view, d->left, &d->why, &found) !=
            STATUS_OK) {
            return records_malformed(d);
        }
        records_use(d, found.used);
        if (found.found == FRAMING_END) {
            records_use(d, d->size - d->used);
            return SMSHARD_END;
        }
        if (found.found == FRAMING_MORE) {
            d->need = found.need;
            if (!records_add(&d->carry, d->data + d->used, d->size - d->used)) {
                return records_no_memory(d, found.need);
            }
            records_use(d, d->size - d->used);
            return SMSHARD_END;
        }
        status = records_found(d, d->data, at, &found);
        if (status != SMSHARD_OK) {
            return status;
        }
    }
    return SMSHARD_OK;
}

/* ---- Samples. --------------------------------------------------------------
 */

static bool records_is_same(const struct smshard_decoder *d,
                            const struct smshard_sample *s)
{
    return d->data == s->data && d->size == s->size && d->epoch == s->epoch &&
           d->position == s->position && d->offset == s->offset + s->size;
}

static int records_begin(struct smshard_decoder *d,
                         const struct smshard_sample *s)
{
    bool goes_on = d->is_open && d->epoch == s->epoch &&
                   d->position == s->position && d->offset == s->offset;

    if (s->offset > s->unit_size || s->size > s->unit_size - s->offset ||
        (s->offset > 0 && !goes_on)) {
        d->is_open = false;
        (void)fault_set(&d->why, STATUS_INVALID,
                        "a part of unit %" PRIu64 " from its byte %" PRIu64
                        " on, which the last one does not lead to",
                        s->position, s->offset);
        return SMSHARD_INVALID;
    }
    if (s->offset == 0) {
        framing_start(&d->reader, d->reader.format, 0);
        d->is_bad = false;
        d->carry.size = 0;
    }
    d->epoch = s->epoch;
    d->position = s->position;
    d->offset = s->offset + s->size;
    d->is_open = d->offset < s->unit_size;
    d->data = s->data;
    d->size = s->size;
    d->used = 0;
    d->left = s->unit_size - s->offset;
    return SMSHARD_OK;
}

static int records_decode(struct smshard_decoder *d)
{
    int status = records_go_on(d);

    if (status != SMSHARD_OK || d->carry.size > 0) {
        return status;
    }
    return records_walk(d);
}

int smshard_decode(struct smshard_decoder *d,
                   const struct smshard_sample *sample,
                   struct smshard_records *out)
{
    int status = SMSHARD_OK;

    *out = (struct smshard_records){.count = 0};
    d->count = 0;
    d->names_size = 0;
    d->joined.size = 0;
    if (!records_is_same(d, sample)) {
        status = records_begin(d, sample);
    } else {
        status = d->pending;
    }
    d->pending = SMSHARD_OK;
    if (status == SMSHARD_OK) {
        status = d->is_bad ? SMSHARD_END : records_decode(d);
    }
    if (status != SMSHARD_OK && d->count == 0) {
        d->data = NULL;
        return status;
    }
    d->pending = status;
    *out =
        (struct smshard_records){d->records,    d->count,     d->names,
                                 d->names_size, d->joined.at, d->joined.size};
    return SMSHARD_OK;
}
