/* SPDX-License-Identifier: Apache-2.0 */
/* One host's reign over the job: from the moment its term begins until the
 * job is over or another host has taken its place.
 *
 *   RECOVERING  the journal of the run is read and sealed (journal.h)
 *   LOADING     an earlier coordinator was here: what it dealt is looked for
 *   SERVING     session, ledgers and journal do their work
 *   DEPOSED     another host has written the journal: this one stops
 *   BROKEN      what is stored can't be read: reign_fault(), which everybody
 *               who still asks is told with END
 *
 * Who asks for the state of the job is answered in all of them but DEPOSED.
 *
 * What a ledger decides is appended to the journal, and nobody is told of it
 * before that is durable: a GRANT message waits for the entries that it
 * tells, END for the job's outcome. With `acks_early` a commit of another
 * host than this one is acknowledged at once, since two hosts hold it then.
 *
 * A host's word DONE commits its whole share of static channels, and what it
 * has left of any channel is free when it is lost.
 *
 * Pure: one event in; messages, store requests and a timer out. A reign that
 * has lost its lease may go on being stepped: the journal is what fences it.
 * Threads: none. */

#ifndef COORDINATOR_REIGN_H
#define COORDINATOR_REIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "coordinator/dealt.h"
#include "coordinator/journal.h"
#include "coordinator/ledger.h"
#include "coordinator/session.h"
#include "proto/net.h"

struct reign;

struct reign_options {
    struct session_options session; /* keeps_end, resumed and ended are the
                                       reign's own affair. */
    uint32_t number;                /* This host's. */
    uint64_t nonce;                 /* Random. */
    uint64_t gap_ms;                /* Between writes of the journal. */
    uint64_t snapshot_bytes;        /* Of journal, then a snapshot. */
    uint64_t run_ms;                /* What a lease aims at. */
    uint64_t run_units;
    bool has_conditions; /* The store's conditional writes. */
    bool acks_early;
};

enum reign_state {
    REIGN_RECOVERING,
    REIGN_LOADING,
    REIGN_SERVING,
    REIGN_DEPOSED,
    REIGN_BROKEN,
};

enum reign_event_type {
    REIGN_EVENT_TIMER,
    REIGN_EVENT_MESSAGE,  /* As SESSION_EVENT_MESSAGE. */
    REIGN_EVENT_BAD,      /* As SESSION_EVENT_BAD. */
    REIGN_EVENT_PREPARED, /* The outcome of LOAD (OK, NOT_FOUND, …) or MAKE:
                             with OK @dealt, borrowed from now on. */
    REIGN_EVENT_STORED,   /* The outcome of a request: @stored. */
};

struct reign_event {
    enum reign_event_type type;
    uint64_t now_ms;
    uint64_t wall_ms;
    uint64_t until_ms; /* This host's lease is valid so long; 0: not limited.
                          Beyond, nothing is said that another coordinator
                          might contradict. */
    uint64_t peer;
    const struct wire_message *message;
    enum status status;
    const char *text;
    const struct dealt *dealt;
    const struct journal_event *stored; /* Its type and time are set here. */
    const struct net_counts *net;       /* For who asks; NULL: not known. */
};

enum reign_prepare { REIGN_PREPARE_NOTHING, REIGN_LOAD, REIGN_MAKE };

struct reign_effects {
    const struct session_send *sends; /* Till the next step. */
    uint32_t send_count;
    enum reign_prepare do_prepare; /* Look for what was dealt; or deal. */
    const struct journal_request *requests; /* Views: until their outcome. */
    uint32_t request_count;
    bool is_over; /* As the session's. */
    uint64_t timer_ms;
};

struct reign *reign_new(const struct reign_options *options);
void reign_destroy(struct reign **r);

void reign_step(struct reign *r, const struct reign_event *event,
                struct reign_effects *fx);

enum reign_state reign_state(const struct reign *r);
const char *reign_state_word(enum reign_state s);
const char *reign_fault(const struct reign *r);

/* NULL until SERVING. For MAKE: what the hosts have said of themselves. */
const struct session *reign_session(const struct reign *r);

/* Channel @number's ledger; NULL: there is none (yet). */
const struct ledger *reign_ledger(const struct reign *r, uint32_t number);

/* Append the state of the whole job as JSON (docs/status.md), with what the
 * network has met; NULL: not known. */
void reign_report(const struct reign *r, const struct net_counts *net,
                  struct buf *out);

void reign_check(const struct reign *r);

#endif /* COORDINATOR_REIGN_H */
