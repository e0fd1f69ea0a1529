/* SPDX-License-Identifier: Apache-2.0 */
/* Pace: how many requests at once pay. A pure core.
 *
 * One more request under way brings more only while the way to the store is
 * not full: small objects are bound by the time until their first byte and
 * want many, large ones fill a network with few, and a store that throttles
 * wants fewer. So it is tried: the number is changed by a step, the rate
 * before and after are compared, and the step is kept when it brought a
 * worthwhile part of what it would have brought had nothing been full (up), or
 * cost next to nothing (down). It starts with PACE_LEAST and doubles; once
 * that does not pay any more, steps are smaller and come at longer intervals,
 * and soon again when the rate has changed by itself.
 *
 * The rate is that of full pipes alone: requests under way by what one of them
 * brought in its time, of those that began and ended while the number was the
 * same and somebody always waited to go next. So neither a consumer that
 * pauses nor the edge of a measurement looks like a slow store. */

#ifndef WORKER_PACE_H
#define WORKER_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACE_LEAST = 4, /* It begins with that; fewer only where the store
                       throttles. */
    PACE_MAX = 4096,
};

/* What is tried now. */
enum pace_phase {
    PACE_BASE, /* Nothing: the rate at this number. */
    PACE_UP,
    PACE_DOWN,
};

struct pace {
    uint32_t max;
    uint32_t target; /* So many may be under way now. */
    uint64_t number; /* Of targets so far. */
    enum pace_phase phase;
    bool is_rising;   /* Steps still double. */
    bool goes_down;   /* The next smaller step. */
    uint32_t base;    /* The number to return to, */
    double rate;      /* and what it brought: work a microsecond. */
    uint32_t rests;   /* Measurements until the next step, */
    uint32_t rested;  /* and of the last time. */
    uint64_t cut_us;  /* When the store throttled last, and until when */
    uint64_t calm_us; /* no step up follows. */

    struct {
        uint64_t since_us;
        uint64_t samples;
        double work;
        double time_us;
    } sum;
};

/* @max: 1 to PACE_MAX. */
void pace_init(struct pace *p, uint32_t max, uint64_t now_us);

/* What a request keeps from its beginning. */
struct pace_began {
    uint64_t at_us;
    uint64_t number;
};
struct pace_began pace_begin(const struct pace *p, uint64_t now_us);

struct pace_end {
    uint64_t now_us;
    size_t bytes;
    bool is_full;      /* Another one took its place at once. */
    bool is_good;      /* It brought its bytes, at the first attempt. */
    bool is_throttled; /* The store said to slow down. */
};
void pace_done(struct pace *p, const struct pace_began *began,
               const struct pace_end *end);

void pace_check(const struct pace *p);

#endif /* WORKER_PACE_H */
