/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated time: a queue of what is going to happen, in microseconds, and
 * the clocks of the hosts, which run a little fast or slow.
 *
 * Events come out by time, and those of one time in the order in which they
 * were put in: nothing depends on addresses or on the machine. Whatever an
 * event's data points to belongs to who takes the event: at the end, take all
 * that is left. */

#ifndef CLUSTER_SIM_SIM_CLOCK_H
#define CLUSTER_SIM_SIM_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SIM_NEVER UINT64_MAX

struct sim_event {
    uint64_t at_us;
    uint64_t number; /* Set by sim_clock_add(); breaks ties. */
    uint32_t kind;   /* The caller's. */
    uint32_t node;   /* Whom it concerns. */
    uint64_t arg;
    void *data;
};

struct sim_clock;

/* Make a clock that stands at 0. Never NULL. It is empty when destroyed. */
struct sim_clock *sim_clock_new(void);
void sim_clock_destroy(struct sim_clock **c);

/* The time of the event that was taken last. */
uint64_t sim_clock_now_us(const struct sim_clock *c);

/* Put @e in; a time that is past is now. Never is not put in. */
void sim_clock_add(struct sim_clock *c, struct sim_event e);

/* Take the next event and set the time to its own. NOT_FOUND: there is none.
 */
MUST_USE enum status sim_clock_next(struct sim_clock *c, struct sim_event *out);

size_t sim_clock_count(const struct sim_clock *c);

void sim_clock_check(const struct sim_clock *c);

/* One process's clock: what it reads at a true time. */
struct sim_watch {
    uint64_t true_us;  /* When it was last set; */
    uint64_t shown_us; /* what it showed then. */
    int64_t ppm;       /* Gains so many microseconds a second. */
};

uint64_t sim_watch_ms(const struct sim_watch *w, uint64_t true_us);

/* Return the first true time at which @w shows @shown_ms or more, not before
 * @true_us. */
uint64_t sim_watch_when(const struct sim_watch *w, uint64_t true_us,
                        uint64_t shown_ms);

#endif /* CLUSTER_SIM_SIM_CLOCK_H */
