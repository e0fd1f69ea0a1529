/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's records, as the journal keeps them: what was dealt, what
 * each ledger decided, which processes were here, how they and the job ended.
 *
 * Views point into the bytes that were read. No I/O. */

#ifndef COORDINATOR_RECORD_H
#define COORDINATOR_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/ledger.h"

enum record_type {
    RECORD_PLAN = 1, /* A channel, when it has been dealt. */
    RECORD_LEDGER,   /* A change of a channel's ledger. */
    RECORD_HOST,     /* A process has come in for a host. */
    RECORD_SKIPPED,  /* Why a unit was skipped. */
    RECORD_OVER,     /* The job's outcome. */
    RECORD_DONE,     /* A host has ended, and how. */
    RECORD_TYPES,
};

struct record_plan {
    uint32_t channel;
    struct bytes name;
    struct bytes catalog;
    bool is_dynamic;
    uint64_t positions;
    uint64_t epochs;
    uint64_t first_epoch;
    uint64_t step_units;
    uint64_t skips;
    struct bytes ranks; /* How many each host has in this channel, one varint
                           after the other; "" when that is not said. */
};

struct record_ledger {
    uint32_t channel;
    struct ledger_entry entry;
};

struct record_host {
    uint32_t number;
    uint32_t ranks;
    uint64_t attempt;
    struct bytes name;
    struct bytes incarnation;
};

struct record_skipped {
    uint32_t channel;
    uint64_t position;
    struct bytes reason;
};

struct record_over {
    uint64_t status; /* An enum status. */
    uint32_t exit_code;
    struct bytes host; /* "" for the whole job's. */
    struct bytes reason;
};

struct record_done {
    uint32_t number;
    uint32_t exit_code;
    uint64_t status; /* An enum status. */
    struct bytes reason;
};

struct record {
    enum record_type type;
    union {
        struct record_plan plan;
        struct record_ledger ledger;
        struct record_host host;
        struct record_skipped skipped;
        struct record_over over;
        struct record_done done;
    };
};

/* Append @record. */
void record_write(const struct record *record, struct buf *out);

/* Read one record, which must be all of @in. MALFORMED. */
MUST_USE enum status record_read(struct bytes in, struct fault *why,
                                 struct record *out);

#endif /* COORDINATOR_RECORD_H */
