/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody writes where another writes: the claim object of a write prefix.
 *
 * Before a host writes below a prefix, the coordinator creates the prefix's
 * claim with a conditional write. A claim that is there already decides: one
 * of our own job from an earlier attempt is taken over; one of a job that has
 * ended or died is taken over; one of a job that lives refuses us. Whether
 * another job lives is read from its lease object, which a living leader
 * renews.
 *
 * Pure: this core says what to do next with what was read. */

#ifndef COORDINATOR_CLAIM_H
#define COORDINATOR_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "coordinator/term.h"

enum {
    CLAIM_NAME_MAX = 63,
    CLAIM_HOST_MAX = 253,
    CLAIM_URI_MAX = 1100,
    CLAIM_RUN_SIZE = 32,
};

struct claim {
    char job[CLAIM_NAME_MAX + 1];
    char run[CLAIM_RUN_SIZE + 1];
    char host[CLAIM_HOST_MAX + 1];
    char state_uri[CLAIM_URI_MAX + 1]; /* Where the job's lease is. */
    uint64_t attempt;
    uint64_t term;
    uint64_t wall_ms;
};

/* Append the claim as one line of JSON, and read one.
 * MALFORMED: @why names the field. */
void claim_write(const struct claim *claim, struct buf *out);
MUST_USE enum status claim_read(struct bytes body, struct fault *why,
                                struct claim *out);

/* What was seen of the other job's lease object. */
enum claim_lease {
    CLAIM_LEASE_UNKNOWN, /* Not looked at yet. */
    CLAIM_LEASE_ABSENT,
    CLAIM_LEASE_RELEASED, /* That job has ended. */
    CLAIM_LEASE_HELD,     /* Seen once, not released. */
    CLAIM_LEASE_RENEWED,  /* Changed while it was watched: it lives. */
    CLAIM_LEASE_STALE,    /* Unchanged for three times its ttl. */
    CLAIM_LEASE_OURS,     /* Its run is ours: we have succeeded that job. */
};

/* The other job's lease, watched. Its silence counts only between two looks
 * that were answered at most its ttl and CLAIM_LOOK_MS apart: while the store
 * does not answer, who lives can't renew either. */
enum { CLAIM_LOOK_MS = 200 }; /* What a watcher pauses between two looks. */

struct claim_watch { /* Begins as zeros. */
    enum claim_lease seen;
    char etag[TERM_ETAG_MAX];
    uint64_t looked_ms; /* The last look that was answered. */
    uint64_t silent_ms; /* Time that counted, as the lease was unchanged. */
};

/* The lease was read at @now_ms: set @w->seen. @our_run is ours. */
struct claim_look {
    const struct term_lease *lease;
    const char *etag;
    const char *our_run;
    uint64_t now_ms;
};
void claim_watch_take(struct claim_watch *w, const struct claim_look *look);

enum claim_verdict {
    CLAIM_MINE,   /* It is exactly this run's claim: nothing to do. */
    CLAIM_TAKE,   /* Replace it, if it is still unchanged. */
    CLAIM_LOOK,   /* Read the other job's lease, then ask again. */
    CLAIM_WATCH,  /* Look at it again until renewed or stale. */
    CLAIM_REFUSE, /* CLAIMED: @why names the holder. */
};

/* Decide about @there, found where @mine wants to be. The caller of @mine leads
 * the job whose lease is at mine->state_uri. REFUSE: @why names the holder but
 * not the prefix. */
enum claim_verdict claim_decide(const struct claim *there,
                                const struct claim *mine,
                                enum claim_lease lease, struct fault *why);

#endif /* COORDINATOR_CLAIM_H */
