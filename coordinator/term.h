/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads, and since when: the lease object in the store.
 *
 * Each host runs this core from its start. It reads the lease, follows a
 * leader that lives, and becomes the leader by a conditional write when there
 * is none, its reign has ended, or its lease was not renewed for `ttl_ms` of
 * this host's own clock. Lower-numbered hosts try first. A leader renews well
 * before the ttl and steps down by itself when it could not, measured from
 * the start of its last good write: so two leaders never overlap, as long as
 * clocks run at about the same rate (a sixth of the ttl is kept as margin).
 *
 * Every outcome that may have happened or not (an error, a lost answer, a
 * failed condition after one's own try) is settled by reading the lease and
 * comparing the nonce. A lease that can't be read is not overwritten: it is
 * read again until a person has seen to it; term_fault() tells.
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
    char run[TERM_RUN_SIZE + 1]; /* The launch it leads. */
    char host[TERM_HOST_MAX + 1];
    char endpoint[TERM_ENDPOINT_MAX + 1];
    char nonce[TERM_RUN_SIZE + 1]; /* New with each write. */
    uint64_t ttl_ms;
    bool is_released; /* The leader has ended its reign. */
};

void term_lease_write(const struct term_lease *lease, struct buf *out);
MUST_USE enum status term_lease_read(struct bytes body, struct fault *why,
                                     struct term_lease *out);

enum term_state {
    TERM_LOOKING,   /* Does not know yet, or nobody leads now. */
    TERM_FOLLOWING, /* Another host leads: see term_lease(). */
    TERM_LEADING,   /* This host leads, until term_until_ms(). */
    TERM_LOST,      /* Led and does no more; the job's run here is over. */
    TERM_RELEASED,  /* Has said that its reign is over, or wants none. */
};

struct term_options {
    const char *host;     /* This host. */
    const char *endpoint; /* Where it would listen. */
    const char *run;      /* Hex; the id of the run that it would lead. */
    uint32_t number;      /* Its number: 0 tries first. */
    uint64_t ttl_ms;      /* TERM_TTL_MIN_MS to TERM_TTL_MAX_MS. */
    uint64_t stagger_ms;  /* Host i waits i times this, 8 times at most. */
    uint64_t nonce_seed;  /* Random; nonces are made from it. */
};

enum term_event_type {
    TERM_EVENT_TIMER,
    TERM_EVENT_READ,    /* The outcome of a READ request. */
    TERM_EVENT_WRITTEN, /* The outcome of a WRITE request. */
    TERM_EVENT_RELEASE, /* This host's work is over: ends in RELEASED, or in
                           LOST when that could not be said. */
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
    enum term_do request; /* Answer it with one event. */
    bool is_create;       /* WRITE: only if absent; else if it matches: */
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
