/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads, and since when: the lease object in the store.
 *
 * Each host runs this core for the whole job. It reads the lease, follows a
 * leader that lives, and becomes the leader by a conditional write when there
 * is none, its reign was released, or its lease was not renewed for its ttl of
 * this host's own clock. A leader renews every half heartbeat and stops by
 * itself when it could not for the ttl (two heartbeats) less a sixth, measured
 * from the start of its last good write: so two leaders never overlap as long
 * as no clock is off by more than 5 %. One that had to stop goes on trying: if
 * its lease is still as it wrote it, it leads again, in the same term.
 *
 * Standbys. A host that was let into run R (term_enter_run) and sees R's lease
 * go stale takes it and keeps the run: the next host after the leader in the
 * order of numbers (then from 0 on) first, each further one a sixteenth of a
 * heartbeat later, up to two heartbeats. A host that is not in R waits two
 * ttls more and begins a run of its own; so it does at once where there is no
 * lease or a released one. The term grows with each change. A host in R, or
 * one that R has kept waiting (term_knock), doesn't take R's lease once that
 * is released: R is over, and it goes on FOLLOWING with is_released set.
 *
 * Bound. From its leader's death until the first standby of the run leads, at
 * most 2.5 heartbeats / 0.95 and three requests pass: the leader's last write,
 * the read that sees it, the write that takes. That is less than 3 heartbeats
 * while a request takes no more than a tenth of one. Where the first has died
 * too, the n-th after it follows n sixteenths and a request later. Only the
 * three next to the leader read the lease every half heartbeat; the others do
 * once in 6 to 8 heartbeats unless their owner says that the coordinator is
 * silent (term_set_eager): about 6 + N/7 reads a heartbeat.
 *
 * Every outcome that may have happened or not (an error, a lost answer, a
 * failed condition) is settled by reading the lease and comparing the nonce. A
 * lease that can't be read is not overwritten: it is read again until a person
 * has seen to it; term_fault() tells.
 *
 * Pure: one event in, at most one request out. No I/O, no clock, no chance. */

#ifndef COORDINATOR_TERM_H
#define COORDINATOR_TERM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    TERM_RUN_SIZE = 32, /* Hex digits. */
    TERM_KEY_SIZE = 40, /* Z85 digits. */
    TERM_HOST_MAX = 253,
    TERM_ENDPOINT_MAX = 320,
    TERM_ETAG_MAX = 128,
    TERM_BODY_MAX = 4096,
    TERM_TTL_MIN_MS = 30,
    TERM_TTL_MAX_MS = 86400000,
};

/* What the lease object says. Its body is JSON, for people to read. */
struct term_lease {
    uint64_t term;               /* From 1; grows with each leader. */
    char run[TERM_RUN_SIZE + 1]; /* The run it leads. */
    char host[TERM_HOST_MAX + 1];
    char endpoint[TERM_ENDPOINT_MAX + 1];
    char nonce[TERM_RUN_SIZE + 1]; /* New with each write. */
    uint64_t ttl_ms;
    bool is_released;            /* The leader has ended the run. */
    char key[TERM_KEY_SIZE + 1]; /* The leader's public key, or "". */
    uint32_t number;             /* The leader's, among the run's hosts. */
};

void term_lease_write(const struct term_lease *lease, struct buf *out);
MUST_USE enum status term_lease_read(struct bytes body, struct fault *why,
                                     struct term_lease *out);

enum term_state {
    TERM_LOOKING,   /* Does not know yet, or nobody leads now. */
    TERM_FOLLOWING, /* Another host leads, or led to the run's end:
                       see term_lease(). */
    TERM_LEADING,   /* This host leads, until term_until_ms(). */
    TERM_SUSPENDED, /* The lease is this host's as far as it knows, but ran
                       out or is in doubt. It must not act, and goes on trying:
                       next is LEADING in the same term, or one of the above. */
    TERM_RELEASED,  /* Wants no reign any more; nothing follows. */
};

struct term_options {
    const char *host;      /* This host. */
    const char *endpoint;  /* Where it would listen. */
    const char *key;       /* Its public key; NULL or "": none. */
    const char *run;       /* Hex; the id of the run that it would begin. */
    uint32_t number;       /* Its number: 0 tries first. */
    uint32_t host_count;   /* More than any number. */
    uint64_t heartbeat_ms; /* 1 to TERM_TTL_MAX_MS / 2; the ttl is twice it,
                              and TERM_TTL_MIN_MS at least. */
    uint64_t nonce_seed;   /* Random; nonces are made from it. */
    bool may_succeed;      /* The store has conditional writes. Where it has
                              none, only number 0 ever leads, it reads before
                              it writes, and nothing keeps two launches on one
                              lease apart at the same moment. */
};

enum term_event_type {
    TERM_EVENT_TIMER,
    TERM_EVENT_READ,    /* The outcome of a READ request. */
    TERM_EVENT_WRITTEN, /* The outcome of a WRITE request. */
    TERM_EVENT_RELEASE, /* This host's work is over: ends in RELEASED within a
                           ttl. A leader stops at once and says so in the
                           lease: is_released of term_lease() tells whether
                           that was possible. */
};

struct term_event {
    enum term_event_type type;
    uint64_t now_ms;
    enum status status; /* READ: OK, NOT_FOUND, else unknown. WRITTEN: OK,
                           EXISTS, CHANGED, NOT_FOUND, else unknown. */
    const char *etag;   /* READ, WRITTEN with OK. */
    struct bytes body;  /* READ with OK. */
};

enum term_do { TERM_DO_NOTHING, TERM_DO_READ, TERM_DO_WRITE };

struct term_effects {
    enum term_do request;  /* Answer it with one event. */
    bool is_unconditional; /* WRITE: whatever is there; else: */
    bool is_create;        /* only if absent; else if it matches: */
    char etag[TERM_ETAG_MAX];
    char body[TERM_BODY_MAX];
    size_t body_size;
    uint64_t timer_ms; /* When to send the next TIMER; UINT64_MAX: never. */
};

struct term;

/* Make a core that reads the lease at its first TIMER. Never NULL. */
struct term *term_new(const struct term_options *options);
void term_destroy(struct term **t);

/* Take one event, fill @fx. At most one request is ever under way. */
void term_step(struct term *t, const struct term_event *event,
               struct term_effects *fx);

/* This host has been let into @run (hex, not empty): it succeeds whoever leads
 * that run. Ignored while LEADING or SUSPENDED: who leads is in its run anyway.
 * Send a TIMER next. */
void term_enter_run(struct term *t, const char *run);

/* @run (hex, not empty) keeps this host waiting, as an earlier launch of it
 * still counts there: should that run be over first, this launch has missed
 * it. Send a TIMER next. */
void term_knock(struct term *t, const char *run);

/* The coordinator is silent (or, false, no longer so): read the lease as often
 * as the next in turn do. Send a TIMER next. */
void term_set_eager(struct term *t, bool is_eager);

enum term_state term_state(const struct term *t);

/* The lease as last seen or written; zeroed while none was ever seen. */
const struct term_lease *term_lease(const struct term *t);

/* LEADING: until when this host may act as leader, by its own clock; after
 * RELEASE the moment of that. */
uint64_t term_until_ms(const struct term *t);

/* Why the lease could not be read the last time, or "". */
const char *term_fault(const struct term *t);

void term_check(const struct term *t);

#endif /* COORDINATOR_TERM_H */
