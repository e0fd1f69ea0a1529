/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/record.h"

#include "base/check.h"
#include "base/varint.h"

enum {
    RECORD_NAME_MAX = 1024,
    RECORD_REASON_MAX = 4096,
    RECORD_RANKS_MAX = 32 << 10,
};

static void record_write_body(const struct record *r, struct buf *out)
{
    switch (r->type) {
    case RECORD_PLAN:
        varint_write(r->plan.channel, out);
        varint_write_text(r->plan.name, out);
        varint_write_text(r->plan.catalog, out);
        varint_write(r->plan.is_dynamic, out);
        varint_write(r->plan.positions, out);
        varint_write(r->plan.epochs, out);
        varint_write(r->plan.first_epoch, out);
        varint_write(r->plan.step_units, out);
        varint_write(r->plan.skips, out);
        varint_write_text(r->plan.ranks, out);
        break;
    case RECORD_LEDGER:
        varint_write(r->ledger.channel, out);
        ledger_entry_write(&r->ledger.entry, out);
        break;
    case RECORD_HOST:
        varint_write(r->host.number, out);
        varint_write(r->host.ranks, out);
        varint_write(r->host.attempt, out);
        varint_write_text(r->host.name, out);
        varint_write_text(r->host.incarnation, out);
        break;
    case RECORD_SKIPPED:
        varint_write(r->skipped.channel, out);
        varint_write(r->skipped.position, out);
        varint_write_text(r->skipped.reason, out);
        break;
    case RECORD_OVER:
        varint_write(r->over.status, out);
        varint_write(r->over.exit_code, out);
        varint_write_text(r->over.host, out);
        varint_write_text(r->over.reason, out);
        break;
    case RECORD_DONE:
        varint_write(r->done.number, out);
        varint_write(r->done.exit_code, out);
        varint_write(r->done.status, out);
        varint_write_text(r->done.reason, out);
        break;
    case RECORD_TYPES:
        UNREACHABLE("no such record");
    }
}

void record_write(const struct record *record, struct buf *out)
{
    CHECK(record->type >= RECORD_PLAN && record->type < RECORD_TYPES);
    varint_write(record->type, out);
    record_write_body(record, out);
}

static bool record_read_32(struct bytes *in, uint32_t *out)
{
    uint64_t value;

    if (!varint_read(in, &value) || value > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* So many numbers are well formed. */
static bool record_read_ranks(struct bytes *in, struct bytes *out)
{
    struct bytes left;
    uint64_t ranks;

    if (!varint_read_text(in, RECORD_RANKS_MAX, out)) {
        return false;
    }
    left = *out;
    while (varint_read(&left, &ranks)) {
    }
    return left.size == 0;
}

static bool record_read_plan(struct bytes *in, struct record_plan *out)
{
    uint64_t is_dynamic;

    if (!record_read_32(in, &out->channel) ||
        !varint_read_text(in, RECORD_NAME_MAX, &out->name) ||
        !varint_read_text(in, RECORD_NAME_MAX, &out->catalog) ||
        !varint_read(in, &is_dynamic) || is_dynamic > 1) {
        return false;
    }
    out->is_dynamic = is_dynamic == 1;
    return varint_read(in, &out->positions) && varint_read(in, &out->epochs) &&
           varint_read(in, &out->first_epoch) &&
           varint_read(in, &out->step_units) && varint_read(in, &out->skips) &&
           record_read_ranks(in, &out->ranks);
}

static bool record_read_body(struct bytes *in, struct record *r,
                             struct fault *why)
{
    switch (r->type) {
    case RECORD_PLAN:
        return record_read_plan(in, &r->plan);
    case RECORD_LEDGER:
        return record_read_32(in, &r->ledger.channel) &&
               ledger_entry_read(in, why, &r->ledger.entry) == STATUS_OK;
    case RECORD_HOST:
        return record_read_32(in, &r->host.number) &&
               record_read_32(in, &r->host.ranks) &&
               varint_read(in, &r->host.attempt) &&
               varint_read_text(in, RECORD_NAME_MAX, &r->host.name) &&
               varint_read_text(in, RECORD_NAME_MAX, &r->host.incarnation);
    case RECORD_SKIPPED:
        return record_read_32(in, &r->skipped.channel) &&
               varint_read(in, &r->skipped.position) &&
               varint_read_text(in, RECORD_REASON_MAX, &r->skipped.reason);
    case RECORD_OVER:
        return varint_read(in, &r->over.status) &&
               record_read_32(in, &r->over.exit_code) &&
               varint_read_text(in, RECORD_NAME_MAX, &r->over.host) &&
               varint_read_text(in, RECORD_REASON_MAX, &r->over.reason);
    case RECORD_DONE:
        return record_read_32(in, &r->done.number) &&
               record_read_32(in, &r->done.exit_code) &&
               varint_read(in, &r->done.status) &&
               varint_read_text(in, RECORD_REASON_MAX, &r->done.reason);
    case RECORD_TYPES:
        break;
    }
    return false;
}

enum status record_read(struct bytes in, struct fault *why, struct record *out)
{
    uint64_t type;

    *out = (struct record){0};
    if (!varint_read(&in, &type) || type < RECORD_PLAN ||
        type >= RECORD_TYPES) {
        return fault_set(why, STATUS_MALFORMED,
                         "a record of a kind that is not known");
    }
    out->type = (enum record_type)type;
    if (!record_read_body(&in, out, why) || in.size != 0) {
        return fault_set(why, STATUS_MALFORMED, "a damaged record of kind %u",
                         (unsigned)type);
    }
    return STATUS_OK;
}
