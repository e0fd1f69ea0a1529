/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to msgpack and back, driven by the table of wire_map.h.
 *
 * Decoding does not build msgpack objects, which would cost memory that the
 * sender chooses. It instantiates msgpack-c's parser with callbacks that put
 * each value straight into its field: the parser keeps its state in a small
 * fixed struct, every array is compared with the table as soon as its header
 * is read, and nothing is allocated at all. */

#include "proto/wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Deeper than what wire_enter() lets in. */
#define MSGPACK_EMBED_STACK_SIZE 8

#include <msgpack/pack.h>
#include <msgpack/unpack.h>
#include <msgpack/unpack_define.h>

#include "base/check.h"
#include "proto/wire_shape.h"

static const struct bytes WIRE_MAGIC = {"smsh", 4};

/* What comes before the fields. */
enum {
    WIRE_HEAD_MAGIC,
    WIRE_HEAD_VERSION,
    WIRE_HEAD_JOB,
    WIRE_HEAD_TERM,
    WIRE_HEAD_TYPE,
    WIRE_HEADS,
};

/* ---- Encode ------------------------------------------------------------- */

static int wire_write(void *self, const char *at, size_t size)
{
    buf_add(self, at, size);
    return 0;
}

static void wire_put_text(msgpack_packer *pk, struct bytes text)
{
    msgpack_pack_str(pk, text.size);
    msgpack_pack_str_body(pk, text.at, text.size);
}

/* Put a number, a text or bytes. */
static void wire_put_value(msgpack_packer *pk, const struct wire_field *f,
                           const char *base)
{
    struct bytes text;
    uint64_t number;

    if (f->kind == WIRE_UINT) {
        memcpy(&number, base + f->offset, sizeof(number));
        msgpack_pack_uint64(pk, number);
        return;
    }
    memcpy(&text, base + f->offset, sizeof(text));
    if (f->kind == WIRE_BYTES) {
        msgpack_pack_bin(pk, text.size);
        msgpack_pack_bin_body(pk, text.at, text.size);
        return;
    }
    wire_put_text(pk, text);
}

static void wire_put_list(msgpack_packer *pk, const struct wire_field *f,
                          const char *base)
{
    uint32_t count;

    memcpy(&count, base + f->count_offset, sizeof(count));
    msgpack_pack_array(pk, count);
    for (uint32_t i = 0; i < count; i++) {
        const char *row = base + f->offset + i * f->stride;

        msgpack_pack_array(pk, f->field_count);
        for (size_t j = 0; j < f->field_count; j++) {
            wire_put_value(pk, &f->fields[j], row);
        }
    }
}

void wire_encode(const struct wire_message *m, struct buf *out)
{
    const struct wire_shape *shape = wire_shape((uint64_t)m->type);
    const char *base = wire_body_const(m);
    size_t before = out->size;
    msgpack_packer pk;
    struct fault why;

    if (wire_check(m, &why) != STATUS_OK) {
        UNREACHABLE(why.text);
    }
    msgpack_packer_init(&pk, out, wire_write);
    msgpack_pack_array(&pk, WIRE_HEADS + shape->field_count);
    wire_put_text(&pk, WIRE_MAGIC);
    msgpack_pack_uint64(&pk, WIRE_VERSION);
    wire_put_text(&pk, bytes_of(m->job));
    msgpack_pack_uint64(&pk, m->term);
    msgpack_pack_uint64(&pk, (uint64_t)m->type);
    for (size_t i = 0; i < shape->field_count; i++) {
        if (shape->fields[i].kind == WIRE_LIST) {
            wire_put_list(&pk, &shape->fields[i], base);
        } else {
            wire_put_value(&pk, &shape->fields[i], base);
        }
    }
    CHECK(out->size - before <= WIRE_MESSAGE_MAX);
}

/* ---- Decode: what to do with each value --------------------------------- */

/* A row of fields that is being filled. */
struct wire_place {
    const struct wire_field *fields;
    size_t count;
    size_t next;
    char *base;
};

/* Which array the next value is in. */
enum wire_depth { WIRE_OUTSIDE, WIRE_IN_MESSAGE, WIRE_IN_LIST, WIRE_IN_ROW };

struct wire_reader {
    const char *job; /* NULL: any. */
    struct wire_message *out;
    struct fault *why;
    enum status status; /* Why it was refused. */
    enum wire_depth depth;
    size_t size;                    /* Values of the message's array. */
    unsigned heads;                 /* How many of the head were read. */
    const struct wire_shape *shape; /* Once the type was read. */
    struct wire_place message;
    struct wire_place row;
    const struct wire_field *list; /* In a list: which one, */
    uint32_t rows_left;            /* and how many of its rows are to come. */
};

/* Handed on by address: copying what was just written piece by piece would
 * wait for it each time. */
struct wire_value {
    enum { WIRE_IS_NUMBER, WIRE_IS_TEXT, WIRE_IS_BYTES } is;
    uint64_t number;
    struct bytes text; /* Or bytes. */
};

/* Refuse the message: end the parser with -1. */
__attribute__((format(printf, 3, 4))) static int wire_refuse(
    struct wire_reader *r, enum status s, const char *format, ...)
{
    char text[FAULT_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (r->shape != NULL) {
        r->status = fault_set(r->why, s, "%s: %s", r->shape->name, text);
    } else {
        r->status = fault_set(r->why, s, "%s", text);
    }
    return -1;
}

static int wire_take_version(struct wire_reader *r, const struct wire_value *v)
{
    if (v->is != WIRE_IS_NUMBER) {
        return wire_refuse(r, STATUS_MALFORMED, "the version is not a number");
    }
    if (v->number != WIRE_VERSION) {
        return wire_refuse(r, STATUS_VERSION,
                           "the peer speaks version %" PRIu64
                           " of the protocol, this host version %d: install "
                           "the same smshard on every host",
                           v->number, WIRE_VERSION);
    }
    /* Until here another version may have another shape. */
    if (r->size <= WIRE_HEADS) {
        return wire_refuse(r, STATUS_MALFORMED,
                           "a message of %zu values is too short", r->size);
    }
    return 0;
}

static int wire_take_job(struct wire_reader *r, const struct wire_value *v)
{
    if (v->is != WIRE_IS_TEXT || !wire_is_job(v->text)) {
        return wire_refuse(r, STATUS_MALFORMED,
                           "the run's id is not %d lower-case hex digits",
                           WIRE_JOB_SIZE);
    }
    memcpy(r->out->job, v->text.at, WIRE_JOB_SIZE);
    if (r->job != NULL && strcmp(r->job, r->out->job) != 0) {
        return wire_refuse(r, STATUS_WRONG_JOB,
                           "the message is of run %s, this is run %s",
                           r->out->job, r->job);
    }
    return 0;
}

static int wire_take_type(struct wire_reader *r, const struct wire_value *v)
{
    const struct wire_shape *shape =
        v->is == WIRE_IS_NUMBER ? wire_shape(v->number) : NULL;

    if (shape == NULL) {
        return wire_refuse(r, STATUS_MALFORMED,
                           "there is no message type %" PRIu64, v->number);
    }
    r->shape = shape;
    if (r->size != WIRE_HEADS + shape->field_count) {
        return wire_refuse(r, STATUS_MALFORMED, "it has %zu fields, not %zu",
                           r->size - WIRE_HEADS, shape->field_count);
    }
    r->out->type = (enum wire_type)v->number;
    r->message = (struct wire_place){shape->fields, shape->field_count, 0,
                                     wire_body(r->out)};
    return 0;
}

static int wire_take_head(struct wire_reader *r, const struct wire_value *v)
{
    switch (r->heads++) {
    case WIRE_HEAD_MAGIC:
        return v->is == WIRE_IS_TEXT && bytes_is_equal(v->text, WIRE_MAGIC)
                   ? 0
                   : wire_refuse(r, STATUS_MALFORMED,
                                 "not a message of smshard");
    case WIRE_HEAD_VERSION:
        return wire_take_version(r, v);
    case WIRE_HEAD_JOB:
        return wire_take_job(r, v);
    case WIRE_HEAD_TERM:
        r->out->term = v->number;
        return v->is == WIRE_IS_NUMBER
                   ? 0
                   : wire_refuse(r, STATUS_MALFORMED,
                                 "the term is not a number");
    case WIRE_HEAD_TYPE:
        return wire_take_type(r, v);
    default:
        UNREACHABLE("the head has five values");
    }
}

/* The row is full: the next value belongs to what is around it. */
static void wire_leave_row(struct wire_reader *r)
{
    r->row.base += r->list->stride;
    r->rows_left--;
    r->depth = r->rows_left > 0 ? WIRE_IN_LIST : WIRE_IN_MESSAGE;
}

static bool wire_is_of_kind(const struct wire_value *v, enum wire_kind kind)
{
    switch (kind) {
    case WIRE_UINT:
        return v->is == WIRE_IS_NUMBER;
    case WIRE_NAME:
    case WIRE_TEXT:
        return v->is == WIRE_IS_TEXT;
    case WIRE_BYTES:
        return v->is == WIRE_IS_BYTES;
    case WIRE_LIST:
    default:
        return false;
    }
}

static int wire_take(struct wire_reader *r, const struct wire_value *v)
{
    struct wire_place *p = r->depth == WIRE_IN_ROW ? &r->row : &r->message;
    const struct wire_field *f;

    if (r->depth == WIRE_OUTSIDE || r->depth == WIRE_IN_LIST) {
        return wire_refuse(r, STATUS_MALFORMED, "a value stands for an array");
    }
    if (r->heads < WIRE_HEADS) {
        return wire_take_head(r, v);
    }
    CHECK(p->next < p->count);
    f = &p->fields[p->next++];
    if (!wire_is_of_kind(v, f->kind)) {
        return wire_refuse(r, STATUS_MALFORMED, "%s is of the wrong kind",
                           f->name);
    }
    if (v->is != WIRE_IS_NUMBER) {
        memcpy(p->base + f->offset, &v->text, sizeof(v->text));
    } else {
        memcpy(p->base + f->offset, &v->number, sizeof(v->number));
    }
    if (r->depth == WIRE_IN_ROW && p->next == p->count) {
        wire_leave_row(r);
    }
    return 0;
}

static int wire_enter_list(struct wire_reader *r, uint32_t count)
{
    const struct wire_field *f;

    if (r->heads < WIRE_HEADS) {
        return wire_refuse(r, STATUS_MALFORMED, "its head holds an array");
    }
    CHECK(r->message.next < r->message.count);
    f = &r->message.fields[r->message.next++];
    if (f->kind != WIRE_LIST || count > f->max) {
        return wire_refuse(r, STATUS_MALFORMED,
                           "%s is an array of %" PRIu32 ", at most %" PRIu64
                           " allowed",
                           f->name, count, f->kind == WIRE_LIST ? f->max : 0);
    }
    memcpy(r->message.base + f->count_offset, &count, sizeof(count));
    r->list = f;
    r->rows_left = count;
    r->row.base = r->message.base + f->offset;
    r->depth = count > 0 ? WIRE_IN_LIST : WIRE_IN_MESSAGE;
    return 0;
}

static int wire_enter_row(struct wire_reader *r, uint32_t count)
{
    if (count != r->list->field_count) {
        return wire_refuse(r, STATUS_MALFORMED,
                           "a row of %s has %" PRIu32 " fields, not %zu",
                           r->list->name, count, r->list->field_count);
    }
    r->row.fields = r->list->fields;
    r->row.count = count;
    r->row.next = 0;
    r->depth = WIRE_IN_ROW;
    return 0;
}

static int wire_enter(struct wire_reader *r, uint32_t count)
{
    switch (r->depth) {
    case WIRE_OUTSIDE:
        if (count < 2) {
            return wire_refuse(r, STATUS_MALFORMED, "not a message of smshard");
        }
        r->size = count;
        r->depth = WIRE_IN_MESSAGE;
        return 0;
    case WIRE_IN_MESSAGE:
        return wire_enter_list(r, count);
    case WIRE_IN_LIST:
        return wire_enter_row(r, count);
    case WIRE_IN_ROW:
    default:
        return wire_refuse(r, STATUS_MALFORMED, "it is nested too deep");
    }
}

/* ---- Decode: msgpack-c's parser over it --------------------------------- */

/* The parser's object is not needed: values are where they belong by then. */
typedef int wire_none;

#define msgpack_unpack_struct(name) struct wire_parser##name
#define msgpack_unpack_func(ret, name) static inline ret wire_parser##name
#define msgpack_unpack_callback(name) wire_on##name
#define msgpack_unpack_object wire_none
#define msgpack_unpack_user struct wire_reader *

#define WIRE_ON_UINT(name, type)                                               \
    static int wire_on##name(struct wire_reader **r, type v, wire_none *o)     \
    {                                                                          \
        *o = 0;                                                                \
        return wire_take(*r, &(struct wire_value){.number = v});               \
    }
WIRE_ON_UINT(_uint8, uint8_t)
WIRE_ON_UINT(_uint16, uint16_t)
WIRE_ON_UINT(_uint32, uint32_t)
WIRE_ON_UINT(_uint64, uint64_t)

static int wire_on_other(struct wire_reader *r, wire_none *o)
{
    *o = 0;
    return wire_refuse(r, STATUS_MALFORMED,
                       "it holds a value of a kind that is not used");
}

#define WIRE_ON_SIMPLE(name)                                                   \
    static int wire_on##name(struct wire_reader **r, wire_none *o)             \
    {                                                                          \
        return wire_on_other(*r, o);                                           \
    }
WIRE_ON_SIMPLE(_nil)
WIRE_ON_SIMPLE(_true)
WIRE_ON_SIMPLE(_false)

#define WIRE_ON_OTHER(name, type)                                              \
    static int wire_on##name(struct wire_reader **r, type v, wire_none *o)     \
    {                                                                          \
        (void)v;                                                               \
        return wire_on_other(*r, o);                                           \
    }
WIRE_ON_OTHER(_int8, int8_t)
WIRE_ON_OTHER(_int16, int16_t)
WIRE_ON_OTHER(_int32, int32_t)
WIRE_ON_OTHER(_int64, int64_t)
WIRE_ON_OTHER(_float, float)
WIRE_ON_OTHER(_double, double)
WIRE_ON_OTHER(_map, unsigned)

#define WIRE_ON_BLOB(name)                                                     \
    static int wire_on##name(struct wire_reader **r, const char *base,         \
                             const char *at, unsigned size, wire_none *o)      \
    {                                                                          \
        (void)base;                                                            \
        (void)at;                                                              \
        (void)size;                                                            \
        return wire_on_other(*r, o);                                           \
    }
WIRE_ON_BLOB(_ext)

static int wire_on_bin(struct wire_reader **r, const char *base, const char *at,
                       unsigned size, wire_none *o)
{
    struct bytes bytes = {size > 0 ? at : base, size};

    *o = 0;
    return wire_take(*r,
                     &(struct wire_value){.is = WIRE_IS_BYTES, .text = bytes});
}

static int wire_on_str(struct wire_reader **r, const char *base, const char *at,
                       unsigned size, wire_none *o)
{
    /* The parser gives an empty text no place. */
    struct bytes text = {size > 0 ? at : base, size};

    *o = 0;
    return wire_take(*r,
                     &(struct wire_value){.is = WIRE_IS_TEXT, .text = text});
}

static int wire_on_array(struct wire_reader **r, unsigned count, wire_none *o)
{
    *o = 0;
    return wire_enter(*r, count);
}

static int wire_on_array_item(struct wire_reader **r, wire_none *array,
                              wire_none item)
{
    (void)r;
    *array = item;
    return 0;
}

static int wire_on_map_item(struct wire_reader **r, wire_none *map,
                            wire_none key, wire_none value)
{
    (void)r;
    *map = key + value;
    return -1;
}

static wire_none wire_on_root(struct wire_reader **r)
{
    (void)r;
    return 0;
}

#include <msgpack/unpack_template.h>

static enum status wire_read(struct wire_reader *r, struct bytes in)
{
    struct wire_parser_context parser;
    size_t used = 0;
    int outcome;

    memset(&parser, 0, sizeof(parser));
    wire_parser_init(&parser);
    parser.user = r;
    outcome = wire_parser_execute(&parser, in.at, in.size, &used);
    if (outcome < 0) {
        return r->status != STATUS_OK
                   ? r->status
                   : fault_set(r->why, STATUS_MALFORMED, "not msgpack");
    }
    if (outcome == 0) {
        return fault_set(r->why, STATUS_MALFORMED,
                         "it ends in the middle, after %zu bytes", in.size);
    }
    if (used != in.size) {
        return fault_set(r->why, STATUS_MALFORMED, "%zu bytes are left over",
                         in.size - used);
    }
    CHECK(r->shape != NULL && r->message.next == r->message.count);
    CHECK(r->depth == WIRE_IN_MESSAGE);
    return wire_check(r->out, r->why);
}

enum status wire_decode(struct bytes in, const char *job, struct fault *why,
                        struct wire_message *out)
{
    struct wire_reader reader = {.job = job, .out = out, .why = why};
    enum status s;

    *out = (struct wire_message){0};
    if (in.size == 0 || in.size > WIRE_MESSAGE_MAX) {
        return fault_set(why, STATUS_MALFORMED,
                         "a message of %zu bytes, not 1 to %d", in.size,
                         WIRE_MESSAGE_MAX);
    }
    s = wire_read(&reader, in);
    if (s != STATUS_OK) {
        *out = (struct wire_message){0};
    }
    return s;
}
