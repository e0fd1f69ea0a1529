/* SPDX-License-Identifier: Apache-2.0 */
/* This process's part of the request rate that all hosts of a job share: who
 * wants to ask the store draws a ticket, and goes when its number has come.
 * Numbers come up at the rate that was set, in the order in which they were
 * drawn, however the rate changes meanwhile; the number of one who is gone
 * passes unused. And what the coordinator is told of this process: how much
 * it asked, and how often it was told to slow down.
 *
 * The first part is a pure core. The second is the one of this process
 * (rate_os.c), for any thread, under its own lock. */

#ifndef STORE_RATE_H
#define STORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RATE_BURST_MS = 100,  /* Numbers come up ahead for so long, at most. */
    RATE_LOOK_MS = 1000,  /* Who waits longer looks again, since the rate may
                             have changed. */
    RATE_MAX = 1000000000 /* Requests in 1000 s. */
};

struct rate {
    uint64_t per_1000s; /* Requests in 1000 s; 0: no limit. */
    uint64_t drawn;
    uint64_t come_micro; /* Numbers that have come up, times 10^6. */
    uint64_t filled_ms;
};

/* @per_1000s requests in 1000 s (at most RATE_MAX is meant); 0: no limit. */
void rate_set(struct rate *r, uint64_t per_1000s, uint64_t now_ms);

/* Whether to go now; else ask again at *@at_ms. *@ticket is 0 at first and
 * once it was used. */
bool rate_may_go(struct rate *r, uint64_t now_ms, uint64_t *ticket,
                 uint64_t *at_ms);

void rate_check(const struct rate *r);

/* ---- Of this process ------------------------------------------------------
 */

struct rate_counts {
    uint64_t requests; /* Attempts. */
    uint64_t throttled;
};

void rate_process_set(uint64_t per_1000s, uint64_t now_ms);
bool rate_process_is_on(void);
bool rate_process_may_go(uint64_t now_ms, uint64_t *ticket, uint64_t *at_ms);
void rate_process_add(uint64_t requests, uint64_t throttled);
struct rate_counts rate_process_counts(void);

#endif /* STORE_RATE_H */
