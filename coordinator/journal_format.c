/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/journal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/crc.h"
#include "base/varint.h"

enum {
    FORMAT_MAGIC_SIZE = 3,
    FORMAT_VERSION = 1,
    FORMAT_WORD_SIZE = 8,
    FORMAT_DIGITS = 20,
    FORMAT_SEALS_MAX = 16 << 20, /* Bytes. */
    FORMAT_SIZE_MIN = FORMAT_MAGIC_SIZE + 2 + FORMAT_WORD_SIZE,
};

static const char format_magic[FORMAT_MAGIC_SIZE] = {'S', 'M', 'J'};

/* An AUDIT tells of each number beside the records. */
#define FORMAT_BODY_MAX (UINT64_C(2) * JOURNAL_SNAPSHOT_MAX)

static void format_add_word(uint64_t value, struct buf *out)
{
    for (unsigned i = 0; i < FORMAT_WORD_SIZE; i++) {
        buf_add_char(out, (char)(unsigned char)(value >> (8 * i)));
    }
}

static uint64_t format_word_at(const char *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < FORMAT_WORD_SIZE; i++) {
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
    return value;
}

/* What is wrong with a heading, or NULL. */
static const char *format_wrong(const struct journal_object *o)
{
    struct bytes seals = o->seals;
    uint64_t seal = 0;

    if (o->run[0] == '\0' ||
        strspn(o->run, "0123456789abcdef") != strlen(o->run)) {
        return "its run is not hexadecimal";
    }
    if (o->first == 0 || o->last == UINT64_MAX) {
        return "its numbers are out of range";
    }
    if (o->kind == JOURNAL_KIND_SNAPSHOT ? o->first > o->last + 1
                                         : o->first > o->last) {
        return "its first number is above its last";
    }
    if (o->kind == JOURNAL_KIND_LOG && o->first != o->last) {
        return "it has more than one number";
    }
    if (o->kind != JOURNAL_KIND_SNAPSHOT && seals.size > 0) {
        return "it has seals";
    }
    while (journal_next_seal(&seals, &seal)) {
    }
    return seals.size > 0 || seal > o->last ? "its seals are damaged" : NULL;
}

void journal_object_write(const struct journal_object *object, struct buf *out)
{
    size_t start = out->size;

    CHECK(object->kind < JOURNAL_KINDS && format_wrong(object) == NULL);
    buf_add(out, format_magic, sizeof(format_magic));
    buf_add_char(out, FORMAT_VERSION);
    buf_add_char(out, (char)object->kind);
    varint_write_text(bytes_of(object->run), out);
    varint_write(object->first, out);
    varint_write(object->last, out);
    varint_write(object->term, out);
    format_add_word(object->nonce, out);
    varint_write_text(object->seals, out);
    varint_write_text(object->body, out);
    format_add_word(crc_add(CRC_64NVME, 0, out->at + start, out->size - start),
                    out);
}

static bool format_read_word(struct bytes *in, uint64_t *out)
{
    if (in->size < FORMAT_WORD_SIZE) {
        return false;
    }
    *out = format_word_at(in->at);
    *in =
        (struct bytes){in->at + FORMAT_WORD_SIZE, in->size - FORMAT_WORD_SIZE};
    return true;
}

static bool format_read_fields(struct bytes *in, struct journal_object *out)
{
    struct bytes run;

    if (!varint_read_text(in, JOURNAL_RUN_SIZE, &run) ||
        memchr(run.at, '\0', run.size) != NULL) {
        return false;
    }
    memcpy(out->run, run.at, run.size);
    return varint_read(in, &out->first) && varint_read(in, &out->last) &&
           varint_read(in, &out->term) && format_read_word(in, &out->nonce) &&
           varint_read_text(in, FORMAT_SEALS_MAX, &out->seals) &&
           varint_read_text(in, FORMAT_BODY_MAX, &out->body) && in->size == 0;
}

/* What comes before the fields, and the checksum after them. */
static enum status format_open(struct bytes *in, struct fault *why,
                               enum journal_kind *kind)
{
    size_t size = in->size;
    unsigned char version;
    unsigned char word;

    if (size < FORMAT_SIZE_MIN) {
        return fault_set(why, STATUS_MALFORMED, "cut short at %zu bytes", size);
    }
    if (memcmp(in->at, format_magic, sizeof(format_magic)) != 0) {
        return fault_set(why, STATUS_MALFORMED, "not an object of a journal");
    }
    in->size -= FORMAT_WORD_SIZE;
    if (crc_add(CRC_64NVME, 0, in->at, in->size) !=
        format_word_at(in->at + in->size)) {
        return fault_set(why, STATUS_MALFORMED,
                         "cut short or damaged: %zu bytes with a wrong "
                         "checksum",
                         size);
    }
    version = (unsigned char)in->at[FORMAT_MAGIC_SIZE];
    word = (unsigned char)in->at[FORMAT_MAGIC_SIZE + 1];
    if (version != FORMAT_VERSION) {
        return fault_set(why, STATUS_VERSION,
                         "written in version %u of the format; this program "
                         "knows version %d",
                         version, FORMAT_VERSION);
    }
    if (word >= JOURNAL_KINDS) {
        return fault_set(why, STATUS_MALFORMED, "of unknown kind %u", word);
    }
    *kind = (enum journal_kind)word;
    in->at += FORMAT_MAGIC_SIZE + 2;
    in->size -= FORMAT_MAGIC_SIZE + 2;
    return STATUS_OK;
}

enum status journal_object_read(struct bytes in, struct fault *why,
                                struct journal_object *out)
{
    struct journal_object object = {0};
    const char *wrong;
    enum status s;

    *out = object;
    s = format_open(&in, why, &object.kind);
    if (s != STATUS_OK) {
        return s;
    }
    if (!format_read_fields(&in, &object)) {
        return fault_set(why, STATUS_MALFORMED, "its heading is damaged");
    }
    wrong = format_wrong(&object);
    if (wrong != NULL) {
        return fault_set(why, STATUS_MALFORMED, "%s", wrong);
    }
    *out = object;
    return STATUS_OK;
}

void journal_add_seal(uint64_t before, uint64_t number, struct buf *seals)
{
    CHECK(number > before);
    varint_write(number - before, seals);
}

bool journal_next_seal(struct bytes *seals, uint64_t *number)
{
    struct bytes left = *seals;
    uint64_t step;

    if (!varint_read(&left, &step) || step == 0 ||
        step > UINT64_MAX - *number) {
        return false;
    }
    *seals = left;
    *number += step;
    return true;
}

void journal_add_record(struct bytes record, struct buf *body)
{
    CHECK(record.size <= JOURNAL_RECORD_MAX);
    varint_write_text(record, body);
}

void journal_add_log(uint64_t term, struct bytes log, struct buf *body)
{
    varint_write(term, body);
    varint_write_text(log, body);
}

void journal_walk_init(struct journal_walk *walk,
                       const struct journal_object *object)
{
    CHECK(object->kind != JOURNAL_KIND_SNAPSHOT);
    *walk = (struct journal_walk){
        .object = *object,
        .left = object->body,
        .next = object->first,
    };
}

bool journal_next_log(struct journal_walk *walk, struct journal_log *out)
{
    const struct journal_object *o = &walk->object;

    if (walk->next > o->last) {
        walk->is_damaged = walk->left.size > 0;
        return false;
    }
    out->number = walk->next;
    if (o->kind == JOURNAL_KIND_LOG) {
        out->term = o->term;
        out->records = walk->left;
        walk->left.size = 0;
    } else if (!varint_read(&walk->left, &out->term) ||
               !varint_read_text(&walk->left, FORMAT_BODY_MAX, &out->records)) {
        walk->is_damaged = true;
        return false;
    }
    walk->next++;
    return true;
}

bool journal_next_record(struct bytes *records, struct bytes *record)
{
    return varint_read_text(records, JOURNAL_RECORD_MAX, record);
}

const char *journal_key(enum journal_kind kind, uint64_t first, uint64_t last,
                        char out[JOURNAL_KEY_MAX])
{
    switch (kind) {
    case JOURNAL_KIND_LOG:
        CHECK(first == last);
        snprintf(out, JOURNAL_KEY_MAX, "journal/%0*" PRIu64, FORMAT_DIGITS,
                 first);
        break;
    case JOURNAL_KIND_AUDIT:
        CHECK(first <= last);
        snprintf(out, JOURNAL_KEY_MAX, "audit/%0*" PRIu64 "-%0*" PRIu64,
                 FORMAT_DIGITS, first, FORMAT_DIGITS, last);
        break;
    case JOURNAL_KIND_SNAPSHOT:
        snprintf(out, JOURNAL_KEY_MAX, "snapshot");
        break;
    case JOURNAL_KINDS:
    default:
        UNREACHABLE("a kind of object");
    }
    return out;
}

/* Cut a number of FORMAT_DIGITS from the front of @in. */
static bool format_read_digits(struct bytes *in, uint64_t *out)
{
    uint64_t value = 0;

    if (in->size < FORMAT_DIGITS) {
        return false;
    }
    for (int i = 0; i < FORMAT_DIGITS; i++) {
        char c = in->at[i];

        if (c < '0' || c > '9' || value > (UINT64_MAX - 9) / 10) {
            return false;
        }
        value = 10 * value + (uint64_t)(c - '0');
    }
    *in = (struct bytes){in->at + FORMAT_DIGITS, in->size - FORMAT_DIGITS};
    *out = value;
    return value > 0;
}

static bool format_skip(struct bytes *in, struct bytes prefix)
{
    if (!bytes_has_prefix(*in, prefix)) {
        return false;
    }
    *in = (struct bytes){in->at + prefix.size, in->size - prefix.size};
    return true;
}

bool journal_key_read(struct bytes key, enum journal_kind *kind,
                      uint64_t *first, uint64_t *last)
{
    *first = 0;
    *last = 0;
    *kind = JOURNAL_KIND_SNAPSHOT;
    if (bytes_is(key, "snapshot")) {
        return true;
    }
    if (format_skip(&key, BYTES("journal/"))) {
        *kind = JOURNAL_KIND_LOG;
        if (!format_read_digits(&key, first)) {
            return false;
        }
        *last = *first;
        return key.size == 0;
    }
    *kind = JOURNAL_KIND_AUDIT;
    return format_skip(&key, BYTES("audit/")) &&
           format_read_digits(&key, first) && format_skip(&key, BYTES("-")) &&
           format_read_digits(&key, last) && *first <= *last && key.size == 0;
}
