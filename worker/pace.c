/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/pace.h"

#include "base/check.h"

enum {
    PACE_SAMPLES_MIN = 8,
    PACE_ROUNDS = 2,         /* Samples for each request under way, and */
    PACE_WINDOW_US = 50000,  /* time that a measurement takes at least; */
    PACE_CARE = 4,           /* so many times that once steps are small. */
    PACE_RESTS_MAX = 16,     /* Measurements between two steps, at most. */
    PACE_CALM_US = 5000000,  /* After a throttle. */
    PACE_REQUEST = 64 << 10, /* Bytes that a request costs beside its own. */
};

/* What a step must bring of what it could bring at best; and a step down may
 * cost. Apart, lest the number swings. */
static const double pace_worth = 0.12;
static const double pace_cheap = 0.08;
static const double pace_moved = 0.3; /* The rate has changed by itself. */

static void pace_measure(struct pace *p, uint64_t now_us)
{
    p->sum.since_us = now_us;
    p->sum.samples = 0;
    p->sum.work = 0;
    p->sum.time_us = 0;
}

void pace_init(struct pace *p, uint32_t max, uint64_t now_us)
{
    CHECK(max >= 1 && max <= PACE_MAX);
    *p = (struct pace){.max = max,
                       .target = max < PACE_LEAST ? max : PACE_LEAST,
                       .is_rising = true,
                       .rested = 1};
    p->base = p->target;
    pace_measure(p, now_us);
}

/* ---- steps -------------------------------------------------------------- */

static uint32_t pace_higher(const struct pace *p)
{
    uint32_t step = p->is_rising ? p->base : (p->base + 1) / 2;

    return p->max - p->base > step ? p->base + step : p->max;
}

/* Few requests cost little, and may be too few for any measurement: it goes
 * no lower than PACE_LEAST by itself. */
static uint32_t pace_lower(const struct pace *p)
{
    uint32_t fewer = p->base - (p->base + 2) / 3;

    return fewer > PACE_LEAST     ? fewer
           : p->base > PACE_LEAST ? (uint32_t)PACE_LEAST
                                  : p->base;
}

static void pace_set(struct pace *p, uint32_t target)
{
    p->number += target != p->target;
    p->target = target;
}

/* Go on at the number that is known to be good. */
static void pace_settle(struct pace *p, uint32_t rests)
{
    pace_set(p, p->base);
    p->phase = PACE_BASE;
    p->rests = rests < PACE_RESTS_MAX ? rests : PACE_RESTS_MAX;
    p->rested = p->rests > 0 ? p->rests : 1;
}

static void pace_step(struct pace *p, uint64_t now_us)
{
    bool is_calm = now_us < p->calm_us;

    pace_set(p, p->goes_down ? pace_lower(p) : pace_higher(p));
    if (p->target == p->base || (p->target > p->base && is_calm)) {
        p->is_rising = false;
        p->goes_down = !p->goes_down;
        pace_settle(p, p->rested);
        return;
    }
    p->phase = p->target > p->base ? PACE_UP : PACE_DOWN;
}

/* ---- what a measurement says -------------------------------------------- */

static void pace_judge_base(struct pace *p, double rate, uint64_t now_us)
{
    bool has_moved = p->rate > 0 && (rate > p->rate * (1 + pace_moved) ||
                                     rate < p->rate * (1 - pace_moved));

    p->rate = p->rate > 0 && !has_moved ? (p->rate + rate) / 2 : rate;
    if (has_moved) {
        pace_settle(p, 1);
    } else if (p->rests > 0) {
        p->rests--;
    } else {
        pace_step(p, now_us);
    }
}

/* Whether the step from base to target has paid. */
static bool pace_has_paid(const struct pace *p, double rate)
{
    double steps = (double)p->target / p->base - 1;

    return rate >= p->rate * (1 + steps * (p->phase == PACE_UP ? pace_worth
                                                               : pace_cheap));
}

static void pace_judge_step(struct pace *p, double rate, uint64_t now_us)
{
    if (!pace_has_paid(p, rate)) {
        p->is_rising = false;
        p->goes_down = p->phase == PACE_UP;
        pace_settle(p, p->rested * 2);
        return;
    }
    p->base = p->target;
    p->rate = rate;
    if (p->is_rising) {
        pace_step(p, now_us);
    } else {
        pace_settle(p, 1);
    }
}

static void pace_judge(struct pace *p, uint64_t now_us)
{
    double rate = p->target * p->sum.work / p->sum.time_us;

    if (p->phase == PACE_BASE) {
        pace_judge_base(p, rate, now_us);
    } else {
        pace_judge_step(p, rate, now_us);
    }
    pace_measure(p, now_us);
}

static void pace_throttled(struct pace *p, uint64_t now_us)
{
    uint32_t fewer = p->target - (p->target + 2) / 3;

    p->base = fewer > 0 ? fewer : 1;
    p->rate = 0;
    p->cut_us = now_us;
    p->is_rising = false;
    p->goes_down = false;
    p->calm_us = now_us + PACE_CALM_US;
    pace_settle(p, 1);
    pace_measure(p, now_us);
}

struct pace_began pace_begin(const struct pace *p, uint64_t now_us)
{
    return (struct pace_began){now_us, p->number};
}

void pace_done(struct pace *p, const struct pace_began *began,
               const struct pace_end *end)
{
    uint64_t care = p->is_rising ? 1 : PACE_CARE;
    uint64_t enough = PACE_ROUNDS * care * p->target;

    /* What began before the last cut says nothing about it. */
    if (end->is_throttled && began->at_us >= p->cut_us) {
        pace_throttled(p, end->now_us);
        return;
    }
    if (began->number != p->number || !end->is_full || !end->is_good) {
        return;
    }
    p->sum.samples++;
    if (p->sum.samples <= p->target && p->phase != PACE_BASE) {
        return; /* New connections are slow at first. */
    }
    p->sum.work += (double)(end->bytes + PACE_REQUEST);
    p->sum.time_us += (double)(end->now_us - began->at_us) + 1;
    enough += p->phase != PACE_BASE ? p->target : 0;
    enough = enough > PACE_SAMPLES_MIN ? enough : PACE_SAMPLES_MIN;
    if (p->sum.samples >= enough &&
        end->now_us >= p->sum.since_us + PACE_WINDOW_US * care) {
        pace_judge(p, end->now_us);
    }
}

void pace_check(const struct pace *p)
{
    CHECK(p->max >= 1 && p->max <= PACE_MAX);
    CHECK(p->target >= 1 && p->target <= p->max);
    CHECK(p->base >= 1 && p->base <= p->max);
    CHECK_IMPLIES(p->phase == PACE_BASE, p->target == p->base);
    CHECK_IMPLIES(p->phase == PACE_UP, p->target > p->base);
    CHECK_IMPLIES(p->phase == PACE_DOWN, p->target < p->base);
    CHECK(p->rests <= PACE_RESTS_MAX && p->rested <= PACE_RESTS_MAX);
}
