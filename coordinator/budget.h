/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests a second the hosts of a job may make to its stores, all
 * together, and each of them.
 *
 * There is no limit while stores answer. Where more than a few requests are
 * told to slow down, the limit is a little less than what is served; it grows
 * slowly while it is used and nothing is throttled, and is forgotten after
 * minutes without any such answer. Hosts that make fewer requests than their
 * part leave the rest to the others, and can begin at any time.
 *
 * Hosts tell sums since they began, so that a lost or repeated word does no
 * harm. A host's first word, and one with smaller sums (another process), only
 * say where it begins.
 *
 * Rates are requests in 1000 s, in whole numbers, so that every machine
 * decides alike. Pure. Threads: none. O(1) a word, O(hosts) a window. */

#ifndef COORDINATOR_BUDGET_H
#define COORDINATOR_BUDGET_H

#include <stdint.h>

struct budget;

struct budget_options {
    uint32_t host_count;
    uint64_t beat_ms; /* How often hosts tell. */
    uint64_t now_ms;
};

struct budget *budget_new(const struct budget_options *options);
void budget_destroy(struct budget **b);

/* What @host has asked for so far. @now_ms never goes back. */
struct budget_word {
    uint64_t requests;
    uint64_t throttled;
};
void budget_hear(struct budget *b, uint32_t host,
                 const struct budget_word *word, uint64_t now_ms);

/* The rate that @host may have; 0: no limit. */
uint64_t budget_rate(const struct budget *b, uint32_t host);

/* For status: the job's limit (0: none), what was asked and throttled in the
 * last window, and since the beginning. */
struct budget_state {
    uint64_t limit;
    uint64_t requests;
    uint64_t throttled;
    uint64_t window_ms; /* How long the last one was; 0: there was none. */
    struct budget_word sum;
};
struct budget_state budget_state(const struct budget *b);

void budget_check(const struct budget *b);

#endif /* COORDINATOR_BUDGET_H */
