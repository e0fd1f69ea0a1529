/* SPDX-License-Identifier: Apache-2.0 */
/* What an audit is made of. For audit*.c only. */

#ifndef COORDINATOR_AUDIT_STATE_H
#define COORDINATOR_AUDIT_STATE_H

#include "coordinator/audit.h"
#include "coordinator/journal_format.h"
#include "coordinator/record.h"

#define AUDIT_NONE UINT32_MAX

/* A process that was a host. */
struct audit_process {
    uint32_t host;
    uint32_t ranks;
    uint64_t attempt;
    char *name;
    char *incarnation;
};

/* What a rank of it has done: struct audit_holder, but for the names. */
struct audit_row {
    uint32_t channel;
    uint32_t process; /* Or AUDIT_NONE. */
    uint32_t rank;
    uint64_t leases;
    uint64_t committed;
    uint64_t skipped;
    uint64_t drops;
};

struct audit_lease {
    uint64_t number;
    uint32_t rank;
    uint32_t row;
    struct range range;
    uint64_t left; /* 0: it is over. */
};

struct audit_channel {
    bool is_planned;
    char *name;
    char *catalog;
    uint64_t positions;
    uint64_t epoch_max; /* How many epochs there are. */
    uint64_t epoch_first;

    struct ranges *committed; /* In the epoch that is open, */
    struct ranges *base;      /* before it, */
    struct ranges *skipped;
    struct ranges *held; /* under live leases and neither. */
    struct audit_epoch *epochs;
    uint64_t epoch_count; /* With the open one. */
    uint64_t epoch_room;

    struct audit_lease *leases; /* By number; some are over. */
    size_t lease_count;
    size_t lease_room;
    size_t lease_live;
    uint64_t lease_last; /* The largest number. */

    uint32_t *host_ranks; /* By host, of this channel; NULL: as HOST says. */
    uint32_t host_count;
    uint32_t *rows; /* By rank, or AUDIT_NONE. */
    uint32_t rank_room;
};

struct audit_skip {
    uint32_t channel;
    uint64_t epoch;
    uint64_t position;
    char *key; /* NULL: not known. */
    char *reason;
};

struct audit {
    char run[JOURNAL_RUN_SIZE + 1];
    uint64_t next; /* The journal number that comes. */
    uint64_t records;
    uint64_t term;
    uint64_t terms; /* How many reigns there were. */
    bool is_unread; /* Something could not be. */

    bool is_over;
    enum status status;
    char *over_host;
    char *over_reason;

    struct audit_channel *channels;
    uint32_t channel_count;
    struct audit_process *processes;
    uint32_t process_count;
    uint32_t process_room;
    uint32_t *hosts; /* By number: the process now, or AUDIT_NONE. */
    uint32_t host_count;
    struct audit_row *rows;
    uint32_t row_count;
    uint32_t row_room;

    struct audit_finding findings[AUDIT_LIST_MAX];
    size_t finding_count;
    uint64_t found[AUDIT_FINDINGS]; /* Of all. */
    struct audit_gap gaps[AUDIT_LIST_MAX];
    size_t gap_count;
    struct audit_skip skips[AUDIT_LIST_MAX];
    size_t skip_count;
};

/* audit_books.c: what an entry changes. */
void audit_enter_plan(struct audit *a, const struct record_plan *plan);
void audit_take_entry(struct audit *a, uint32_t channel,
                      const struct ledger_entry *entry);
void audit_channel_fini(struct audit_channel *c);
bool audit_next_missing(const struct audit_channel *c, uint64_t from,
                        struct range *out);
uint64_t audit_missing(const struct audit_channel *c);

/* audit_hosts.c: who holds a rank. */
void audit_take_host(struct audit *a, const struct record_host *host);
uint32_t audit_row_of(struct audit *a, uint32_t channel, uint32_t rank);
bool audit_is_rank_of(const struct audit *a, const struct audit_channel *c,
                      uint32_t rank, uint32_t host);
void audit_hosts_fini(struct audit *a);

#endif /* COORDINATOR_AUDIT_STATE_H */
