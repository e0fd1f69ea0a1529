/* SPDX-License-Identifier: Apache-2.0 */
/* Audit: proves from what the journal holds that each position of each epoch
 * was committed once, or shows where not.
 *
 * It does not believe the ledger, but keeps books of its own from the entries:
 * which leases live, what was committed under them, what was left when an
 * epoch ended. A commit outside a live lease, a lease over positions that are
 * held or committed, a second commit: each is a finding. What is missing at
 * the end of an epoch that was not stopped early is a gap.
 *
 * The proof is of what ranks said they had consumed, as the coordinators
 * accepted it. Findings and gaps are counted without limit and listed up to
 * AUDIT_LIST_MAX of each.
 *
 * Pure; memory as the ledger's, and a row for each rank of each process.
 * Threads: none. */

#ifndef COORDINATOR_AUDIT_H
#define COORDINATOR_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/ranges.h"
#include "base/status.h"

enum {
    AUDIT_LIST_MAX = 1000,
    AUDIT_CHANNELS_MAX = 1024,
    AUDIT_RANKS_MAX = 64 << 20, /* Of a channel. */
};

struct audit;

struct audit *audit_new(void);
void audit_destroy(struct audit **a);

/* Take a stored object: audit objects by their first number, then the journal
 * objects that are left. Numbers that were taken before are passed over.
 * MALFORMED, VERSION: it can't be read, is of another run, a number before it
 * is missing, or a record makes no sense; @why says which. The audit is then
 * not exact, whatever follows. */
MUST_USE enum status audit_add_object(struct audit *a, struct bytes object,
                                      struct fault *why);

/* Take one record, written under @term. MALFORMED. */
MUST_USE enum status audit_add_record(struct audit *a, uint64_t term,
                                      struct bytes record, struct fault *why);

enum audit_finding_type {
    AUDIT_DOUBLE,  /* Committed a second time in its epoch. */
    AUDIT_OUTSIDE, /* Committed or skipped without a live lease over it. */
    AUDIT_OVERLAP, /* Leased while held, committed or skipped. */
    AUDIT_ODD,     /* Another entry that does not fit what was before. */
    AUDIT_FINDINGS,
};

struct audit_finding {
    enum audit_finding_type type;
    uint32_t channel;
    uint64_t epoch;
    uint64_t term;
    uint64_t lease; /* 0: of none. */
    struct range range;
    const char *what; /* "committed a second time" */
};

/* One epoch of a channel, in positions. */
struct audit_epoch {
    uint64_t number;
    uint64_t committed; /* At least once, under a lease. */
    uint64_t base;      /* Committed before this run. */
    uint64_t skipped;
    uint64_t missing; /* Neither of them, so far. */
    uint64_t found[AUDIT_FINDINGS];
    uint64_t leases;
    bool is_stopped; /* Ended early, as was asked: what is missing is no gap. */
    bool is_ended;   /* The next one has begun, or all is there. */
};

/* What one rank of one process has done of a channel. */
struct audit_holder {
    uint32_t channel;
    const char *host; /* "" when no record tells. */
    const char *incarnation;
    uint64_t attempt;
    uint32_t host_number; /* UINT32_MAX when no record tells. */
    uint32_t rank;        /* Of the host; else of the channel. */
    uint64_t leases;
    uint64_t committed; /* Positions. */
    uint64_t skipped;
    uint64_t drops; /* Leases that ended with something left. */
};

/* No finding, no gap in an epoch that has ended, nothing unread. If the job is
 * over, the last epoch that was begun counts as ended. */
bool audit_is_exact(const struct audit *a);
bool audit_is_over(const struct audit *a); /* The job is. */

uint32_t audit_channel_count(const struct audit *a);
uint64_t audit_epoch_count(const struct audit *a, uint32_t channel);
struct audit_epoch audit_epoch(const struct audit *a, uint32_t channel,
                               uint64_t i);

/* Whether what is @missing of @epoch of @channel is a gap. */
bool audit_has_gap(const struct audit *a, uint32_t channel,
                   const struct audit_epoch *epoch);

/* The listed ones: false when there are no more. */
bool audit_finding(const struct audit *a, size_t i, struct audit_finding *out);
bool audit_holder(const struct audit *a, size_t i, struct audit_holder *out);
struct audit_gap {
    uint32_t channel;
    uint64_t epoch;
    struct range range;
};
bool audit_gap(const struct audit *a, size_t i, struct audit_gap *out);

/* A unit that was skipped. @i-th of those that are listed. */
struct audit_skipped {
    uint32_t channel;
    uint64_t epoch;
    uint64_t position; /* In the order of the epoch. */
    const char *key;   /* Of the object; NULL until audit_name_skip(). */
    const char *reason;
};
bool audit_skipped(const struct audit *a, size_t i, struct audit_skipped *out);

/* The journal tells positions only: say which object the @i-th skipped unit
 * is, for the two below. */
void audit_name_skip(struct audit *a, size_t i, struct bytes key);

/* Append the audit as a table for people, as one line of JSON. */
void audit_print(const struct audit *a, struct buf *out);
void audit_json(const struct audit *a, struct buf *out);

#endif /* COORDINATOR_AUDIT_H */
