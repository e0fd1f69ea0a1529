/* SPDX-License-Identifier: Apache-2.0 */
/* Entry: one change of a ledger, as the journal keeps it and a new coordinator
 * or the audit reads it. Threads: none. */

#ifndef COORDINATOR_LEDGER_ENTRY_H
#define COORDINATOR_LEDGER_ENTRY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/ranges.h"
#include "base/status.h"

enum ledger_entry_type {
    LEDGER_GRANT = 1, /* lease, rank, range */
    LEDGER_COMMIT,    /* lease, range: all of it new */
    LEDGER_CUT,       /* lease, range: given back from its tail */
    LEDGER_DROP,      /* lease: over, what it had left is free */
    LEDGER_SKIP,      /* lease, range of one: will not be delivered */
    LEDGER_BASE,      /* range: committed before this run */
    LEDGER_ENTER,     /* rank = host: its ranks start from nothing again */
    LEDGER_STOP,      /* this epoch ends early: nothing more is dealt */
    LEDGER_EPOCH,     /* the next epoch begins */
    LEDGER_ENTRY_TYPES,
};

/* Fields that the type does not have are 0. */
struct ledger_entry {
    enum ledger_entry_type type;
    uint64_t lease; /* From 1. */
    uint32_t rank;  /* Of the whole job. */
    struct range range;
};

/* Return the name of @type in lower case, such as "grant". Never NULL. */
const char *ledger_entry_name(enum ledger_entry_type type);

/* Append @entry in its one form; read one from the front of @in and cut it
 * off. MALFORMED: cut, no such type, an empty range; @in is then as it was.
 * Whether it fits a ledger, ledger_apply() says. */
void ledger_entry_write(const struct ledger_entry *entry, struct buf *out);
MUST_USE enum status ledger_entry_read(struct bytes *in, struct fault *why,
                                       struct ledger_entry *out);

#endif /* COORDINATOR_LEDGER_ENTRY_H */
