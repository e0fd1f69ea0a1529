/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "proto/wire_map.h"

const char *wire_phase_word(enum wire_phase p)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        WIRE_PHASE_MAP(X)
#undef X
    };

    CHECK((unsigned)p < WIRE_PHASES);
    return words[p];
}

const char *wire_phase_text(enum wire_phase p)
{
    static const char *const texts[] = {
#define X(name, word, text) text,
        WIRE_PHASE_MAP(X)
#undef X
    };

    CHECK((unsigned)p < WIRE_PHASES);
    return texts[p];
}

const struct wire_shape *wire_shape(uint64_t type)
{
    if (type >= WIRE_TYPES || wire_shapes[type].fields == NULL) {
        return NULL;
    }
    return &wire_shapes[type];
}

const char *wire_type_name(enum wire_type t)
{
    const struct wire_shape *shape = wire_shape((uint64_t)t);

    return shape != NULL ? shape->name : "UNKNOWN";
}

void *wire_body(struct wire_message *m)
{
    return &m->hello;
}

const void *wire_body_const(const struct wire_message *m)
{
    return &m->hello;
}

bool wire_is_job(struct bytes job)
{
    for (size_t i = 0; i < job.size; i++) {
        char c = job.at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return job.size == WIRE_JOB_SIZE;
}

static enum status wire_check_number(const struct wire_field *f,
                                     const char *base, struct fault *why)
{
    uint64_t value;
    uint64_t total;

    memcpy(&value, base + f->offset, sizeof(value));
    memcpy(&total, base + f->total_offset, sizeof(total));
    if (value < f->min || value > f->max) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s is %" PRIu64 ", not %" PRIu64 " to %" PRIu64,
                         f->name, value, f->min, f->max);
    }
    if (value > total) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s is %" PRIu64 ", more than the total %" PRIu64,
                         f->name, value, total);
    }
    return STATUS_OK;
}

static bool wire_is_allowed(enum wire_kind kind, unsigned char byte)
{
    return kind == WIRE_BYTES  ? true
           : kind == WIRE_TEXT ? byte != 0
                               : byte >= 0x20 && byte != 0x7f;
}

static enum status wire_check_text(const struct wire_field *f, const char *base,
                                   struct fault *why)
{
    struct bytes text;

    memcpy(&text, base + f->offset, sizeof(text));
    if (text.size < f->min || text.size > f->max) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s has %zu bytes, not %" PRIu64 " to %" PRIu64,
                         f->name, text.size, f->min, f->max);
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!wire_is_allowed(f->kind, (unsigned char)text.at[i])) {
            return fault_set(why, STATUS_MALFORMED,
                             "%s holds the byte 0x%02x, which is not allowed",
                             f->name, (unsigned char)text.at[i]);
        }
    }
    return STATUS_OK;
}

static enum status wire_check_row(const struct wire_field *f, size_t count,
                                  const char *base, struct fault *why)
{
    for (size_t i = 0; i < count; i++) {
        enum status s = STATUS_OK;

        if (f[i].kind == WIRE_UINT) {
            s = wire_check_number(&f[i], base, why);
        } else if (f[i].kind != WIRE_LIST) {
            s = wire_check_text(&f[i], base, why);
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

static enum status wire_check_list(const struct wire_field *f, const char *base,
                                   struct fault *why)
{
    uint32_t count;

    memcpy(&count, base + f->count_offset, sizeof(count));
    if (count > f->max) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s has %" PRIu32 " rows, more than %" PRIu64, f->name,
                         count, f->max);
    }
    for (uint32_t i = 0; i < count; i++) {
        enum status s = wire_check_row(f->fields, f->field_count,
                                       base + f->offset + i * f->stride, why);

        if (s != STATUS_OK) {
            return fault_prefix(why, s, "%s[%" PRIu32 "]", f->name, i);
        }
    }
    return STATUS_OK;
}

static enum status wire_check_fields(const struct wire_shape *shape,
                                     const char *base, struct fault *why)
{
    enum status s =
        wire_check_row(shape->fields, shape->field_count, base, why);

    for (size_t i = 0; s == STATUS_OK && i < shape->field_count; i++) {
        if (shape->fields[i].kind == WIRE_LIST) {
            s = wire_check_list(&shape->fields[i], base, why);
        }
    }
    return s;
}

enum status wire_check(const struct wire_message *m, struct fault *why)
{
    const struct wire_shape *shape = wire_shape((uint64_t)m->type);
    size_t job_size = strnlen(m->job, sizeof(m->job));
    enum status s;

    if (shape == NULL) {
        return fault_set(why, STATUS_MALFORMED, "there is no message type %u",
                         (unsigned)m->type);
    }
    if (!wire_is_job((struct bytes){m->job, job_size})) {
        return fault_set(why, STATUS_MALFORMED,
                         "%s: the run's id is not %d lower-case hex digits",
                         shape->name, WIRE_JOB_SIZE);
    }
    s = wire_check_fields(shape, wire_body_const(m), why);
    return s == STATUS_OK ? s : fault_prefix(why, s, "%s", shape->name);
}
