/* SPDX-License-Identifier: Apache-2.0 */
/* When to ask a store again, how fast to ask it at all, and when a second
 * request beside a slow one pays. A pure core: one event in, time and chance
 * included; the decision out.
 *
 * Two things with a life: a `retry` for each request of the user, and a
 * `retry_pool` for all requests to one bucket, which several threads may
 * share under a lock of their owner's.
 *
 * The pool holds a quota of tokens that every retry pays from and every
 * success pays into, so that a store that fails is not asked many times as
 * much; a rate that is halved by a throttling answer and grows again by
 * successes (no limit before the first one, nor after it has grown to twice
 * what is used), handed first to whoever waits longest; and what first bytes
 * and speeds have been, for hedging. */

#ifndef STORE_RETRY_H
#define STORE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/prng.h"

/* What an attempt's failure is to us. */
enum retry_class {
    RETRY_NEVER, /* Asking again gives the same answer. */
    RETRY_FREE,  /* A stale connection: at once, free, three times at most. */
    RETRY_FIXED, /* We changed something (region, clock, credentials): at
                    once, four times at most for one request. */
    RETRY_TRANSIENT, /* 500, broken connection, timeout. */
    RETRY_ODD,       /* An answer that makes no sense: as TRANSIENT, but soon
                        enough it is what the server says. */
    RETRY_THROTTLE,  /* 503 SlowDown, 429. */
};

struct retry_options {
    uint32_t attempts_max;     /* 10, without FREE and FIXED ones. */
    uint32_t persist_ms;       /* 300,000: as long from retry_begin() on, more
                                  than attempts_max may be made; a job must
                                  outlive minutes of trouble. */
    uint32_t deadline_ms;      /* From retry_begin(); no retry starts later;
                                  0: none. */
    uint32_t base_ms;          /* 50: of TRANSIENT. */
    uint32_t cap_ms;           /* 10,000 */
    uint32_t throttle_base_ms; /* 1,000 */
    uint32_t throttle_cap_ms;  /* 20,000 */
    uint32_t quota;            /* 500; a retry takes 5. */
    uint32_t patience_ms;      /* 10,000: out of quota, a retry waits for once
                                  to twice as long; 0: give up instead. */
    uint32_t rate_min;         /* Requests a second; 1. */
};
extern const struct retry_options retry_defaults;

enum {
    RETRY_FREE_MAX = 3,
    RETRY_FIXED_MAX = 4,
    RETRY_ODD_MAX = 3,
    RETRY_AFTER_MAX_MS = 5000, /* What a server may add to a pause. */
    RETRY_RING = 256,
};

struct retry_pool {
    struct retry_options options;
    struct prng prng;
    int64_t quota; /* Tokens left; 0 to options.quota. */

    struct {
        bool is_on; /* A throttling answer was seen. */
        double per_second;
        double tokens;
        uint64_t filled_ms;
        uint64_t cut_ms;   /* When it was last halved. */
        uint64_t oldest;   /* retry.at_ms of the two that wait longest for */
        uint64_t second;   /* a token; UINT64_MAX: none. */
        uint64_t claim_ms; /* Until then a token is kept for it. */
    } rate;

    struct {
        uint64_t began_ms; /* Of the second that is being counted. */
        uint32_t count;    /* Attempts begun in it. */
        uint32_t last;     /* In the one before. */
    } used;

    struct {
        uint64_t requests; /* Whole run. */
        uint64_t hedges;
        uint32_t first_byte[RETRY_RING]; /* The last ones, ms. */
        uint32_t speed[RETRY_RING];      /* Of large bodies, bytes a ms. */
        uint64_t first_bytes;            /* Noted so far. */
        uint64_t speeds;
        uint32_t p99_ms; /* Of first bytes; recomputed every 16; 0: unknown. */
        uint32_t median; /* Of speeds, the same. */
    } hedge;
    bool is_throttled; /* Ever; then this is when last. */
    uint64_t throttled_ms;

    struct {
        uint64_t retries;
        uint64_t throttles;
        uint64_t gave_up;
        uint64_t out_of_quota;
    } count; /* For status and doctor. */
};

/* The state of one request. Zeroed by retry_begin(). */
struct retry {
    uint64_t began_ms;
    uint64_t at_ms;    /* When to try next. */
    uint32_t attempts; /* Begun so far, of all kinds. */
    uint32_t free;
    uint32_t fixed;
    uint32_t odd;
    uint32_t paid;    /* Tokens that the last retry took. */
    uint32_t wait_ms; /* The last pause, for the next one's range. */
};

void retry_pool_init(struct retry_pool *p, const struct retry_options *options,
                     uint64_t seed);

void retry_begin(struct retry *r, uint64_t now_ms);

/* An attempt may start now (true; it counts), or at *@at_ms at the earliest:
 * ask again then (@at_ms is not in @r: that one's own is its place among those
 * that wait). A request that is dropped needs no word. */
bool retry_pool_admit(struct retry_pool *p, struct retry *r, uint64_t now_ms,
                      uint64_t *at_ms);

void retry_succeeded(struct retry_pool *p, struct retry *r, uint64_t now_ms);

/* One attempt failed as @class; @after_ms is what the server asked to wait
 * (0: nothing). Returns true and sets @r->at_ms when another is to be made;
 * false: give up. */
struct retry_failure {
    enum retry_class class;
    uint32_t after_ms;
};
bool retry_failed(struct retry_pool *p, struct retry *r, uint64_t now_ms,
                  struct retry_failure failure);

/* Hedging: note a first byte, note that a body of @size bytes took @ms after
 * it, and ask whether an attempt that runs since @since_ms and has @got of
 * @size bytes (UINT64_MAX: no head yet) deserves a second one beside it: no
 * head in 1.2 times the usual worst and 300 ms, or a body that comes at less
 * than a quarter of the usual speed. True counts as begun. At most 2 % of
 * requests, never while a rate is set nor within 10 s of a throttle. */
void retry_note_first_byte(struct retry_pool *p, uint32_t ms);
void retry_note_body(struct retry_pool *p, uint64_t size, uint32_t ms);
struct retry_slow {
    uint64_t since_ms;
    uint64_t got;
    uint64_t size;
};
bool retry_hedge(struct retry_pool *p, uint64_t now_ms,
                 const struct retry_slow *slow);

/* CHECK every invariant. */
void retry_pool_check(const struct retry_pool *p);

/* The offset to add to this host's clock, learned from Date headers. */
struct retry_clock {
    int64_t offset_ms;
    bool is_set;
};
/* Note the server's @date_ms (0: it told none), seen at @wall_ms in an answer
 * that took @took_ms. Smaller differences than 240 s are left alone. Returns
 * whether the offset moved, by 240 s or more then. */
bool retry_clock_note(struct retry_clock *c, uint64_t date_ms, uint64_t wall_ms,
                      uint32_t took_ms);

#endif /* STORE_RETRY_H */
