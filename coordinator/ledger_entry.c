/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/ledger_entry.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/varint.h"

/* Which fields a type has. */
static const struct {
    const char *name;
    bool has_lease;
    bool has_rank;
    bool has_range;
} ledger_entry_types[LEDGER_ENTRY_TYPES] = {
    [0] = {"none", false, false, false},
    [LEDGER_GRANT] = {"grant", true, true, true},
    [LEDGER_COMMIT] = {"commit", true, false, true},
    [LEDGER_CUT] = {"cut", true, false, true},
    [LEDGER_DROP] = {"drop", true, false, false},
    [LEDGER_SKIP] = {"skip", true, false, true},
    [LEDGER_BASE] = {"base", false, false, true},
    [LEDGER_ENTER] = {"enter", false, true, false},
    [LEDGER_STOP] = {"stop", false, false, false},
    [LEDGER_EPOCH] = {"epoch", false, false, false},
};

const char *ledger_entry_name(enum ledger_entry_type type)
{
    return ledger_entry_types[type < LEDGER_ENTRY_TYPES ? type : 0].name;
}

void ledger_entry_write(const struct ledger_entry *entry, struct buf *out)
{
    CHECK(entry->type > 0 && entry->type < LEDGER_ENTRY_TYPES);
    varint_write(entry->type, out);
    if (ledger_entry_types[entry->type].has_lease) {
        varint_write(entry->lease, out);
    }
    if (ledger_entry_types[entry->type].has_rank) {
        varint_write(entry->rank, out);
    }
    if (ledger_entry_types[entry->type].has_range) {
        CHECK(entry->range.first < entry->range.end);
        varint_write(entry->range.first, out);
        varint_write(entry->range.end - entry->range.first, out);
    }
}

static bool ledger_entry_read_range(struct bytes *in, struct range *out)
{
    uint64_t length;

    if (!varint_read(in, &out->first) || !varint_read(in, &length) ||
        length == 0 || length > UINT64_MAX - out->first) {
        return false;
    }
    out->end = out->first + length;
    return true;
}

enum status ledger_entry_read(struct bytes *in, struct fault *why,
                              struct ledger_entry *out)
{
    struct bytes rest = *in;
    struct ledger_entry e = {0};
    uint64_t type;
    uint64_t rank = 0;

    if (!varint_read(&rest, &type) || type == 0 || type >= LEDGER_ENTRY_TYPES) {
        return fault_set(why, STATUS_MALFORMED, "an entry of no known type");
    }
    e.type = (enum ledger_entry_type)type;
    if (ledger_entry_types[type].has_lease && !varint_read(&rest, &e.lease)) {
        return fault_set(why, STATUS_MALFORMED, "%s: its lease is cut",
                         ledger_entry_name(e.type));
    }
    if (ledger_entry_types[type].has_rank &&
        (!varint_read(&rest, &rank) || rank > UINT32_MAX)) {
        return fault_set(why, STATUS_MALFORMED, "%s: its rank is none",
                         ledger_entry_name(e.type));
    }
    e.rank = (uint32_t)rank;
    if (ledger_entry_types[type].has_range &&
        !ledger_entry_read_range(&rest, &e.range)) {
        return fault_set(why, STATUS_MALFORMED, "%s: its range is none",
                         ledger_entry_name(e.type));
    }
    *in = rest;
    *out = e;
    return STATUS_OK;
}
