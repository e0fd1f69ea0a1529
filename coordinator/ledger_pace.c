/* SPDX-License-Identifier: Apache-2.0 */
/* How fast each rank commits, in whole numbers only, so that every machine
 * decides alike. Time without a lease does not count. */

#include "coordinator/ledger_state.h"

enum {
    LEDGER_PACE_FIRST_MS = 100, /* The first measure takes so long, */
    LEDGER_PACE_MS = 1000,      /* each later one so long. */
    LEDGER_PACE_KEEP = 4,       /* A new measure counts for one in so many. */
    LEDGER_PACE_MEAN_KEEP = 64,
    LEDGER_PACE_FIRST_UNITS = 8, /* A run when nothing is known; weight 100. */
    LEDGER_WEIGHT_USUAL = 100,
    LEDGER_PACE_UNITS_BITS = 40,
    LEDGER_PACE_RATE_BITS = 40,
    LEDGER_PACE_RUN_MS_MAX = 1 << 20,
};

static uint64_t ledger_pace_cap(uint64_t value, unsigned bits)
{
    return ledger_min(value, UINT64_C(1) << bits);
}

/* @a * @b / @c for b <= c < 2^40: never above @a. */
static uint64_t ledger_scale(uint64_t a, uint64_t b, uint64_t c)
{
    return a / c * b + a % c * b / c;
}

void ledger_pace_begin(struct ledger *l, uint32_t rank)
{
    l->ranks[rank].pace.since_ms = l->now_ms;
}

void ledger_pace_end(struct ledger *l, uint32_t rank)
{
    struct ledger_pace *p = &l->ranks[rank].pace;

    p->busy_ms += l->now_ms - p->since_ms;
}

static uint64_t ledger_pace_elapsed_ms(const struct ledger *l,
                                       const struct ledger_rank *r)
{
    return r->pace.busy_ms +
           (r->lease_count > 0 ? l->now_ms - r->pace.since_ms : 0);
}

static void ledger_pace_mix(uint64_t measure, uint64_t keep, uint64_t *mean)
{
    if (*mean == 0) {
        *mean = measure;
    } else {
        *mean = (*mean * (keep - 1) + measure) / keep;
    }
    *mean = ledger_max(*mean, 1);
}

void ledger_pace_commit(struct ledger *l, uint32_t rank, uint64_t units)
{
    struct ledger_rank *r = &l->ranks[rank];
    uint64_t elapsed = ledger_pace_elapsed_ms(l, r);
    uint64_t weight = l->hosts[r->host].weight;
    uint64_t measure;

    r->pace.units =
        ledger_pace_cap(r->pace.units + units, LEDGER_PACE_UNITS_BITS);
    if (elapsed < (r->pace.rate == 0 ? LEDGER_PACE_FIRST_MS : LEDGER_PACE_MS)) {
        return;
    }
    measure = ledger_pace_cap((r->pace.units << LEDGER_RATE_SHIFT) / elapsed,
                              LEDGER_PACE_RATE_BITS);
    ledger_pace_mix(measure, LEDGER_PACE_KEEP, &r->pace.rate);
    ledger_pace_mix(measure * LEDGER_WEIGHT_USUAL / weight,
                    LEDGER_PACE_MEAN_KEEP, &l->mean_rate);
    r->pace.units = 0;
    r->pace.busy_ms = 0;
    r->pace.since_ms = l->now_ms;
}

/* Its own rate, or what others of its weight do; 0: nothing is known. */
static uint64_t ledger_pace_rate(const struct ledger *l, uint32_t rank)
{
    const struct ledger_rank *r = &l->ranks[rank];

    if (r->pace.rate > 0) {
        return r->pace.rate;
    }
    return ledger_pace_cap(l->mean_rate * l->hosts[r->host].weight /
                               LEDGER_WEIGHT_USUAL,
                           LEDGER_PACE_RATE_BITS);
}

uint64_t ledger_pace_run(const struct ledger *l, uint32_t rank)
{
    uint64_t weight = l->hosts[l->ranks[rank].host].weight;
    uint64_t rate = ledger_pace_rate(l, rank);
    uint64_t run = rate * ledger_min(l->run_ms, LEDGER_PACE_RUN_MS_MAX) >>
                   LEDGER_RATE_SHIFT;

    if (rate == 0) {
        run = LEDGER_PACE_FIRST_UNITS * weight / LEDGER_WEIGHT_USUAL;
    }
    if (l->run_units > 0) {
        run = ledger_min(run, l->run_units);
    }
    /* The last runs get short, so that all come to the end together. */
    run = ledger_min(
        run, ledger_scale(ledger_free(l), weight, 2 * l->live_weight) + 1);
    return ledger_max(run, 1);
}

uint64_t ledger_pace_ms(const struct ledger *l, uint32_t rank, uint64_t units)
{
    const struct ledger_rank *r = &l->ranks[rank];
    uint64_t elapsed = ledger_max(ledger_pace_elapsed_ms(l, r), 1);
    uint64_t rate = ledger_pace_rate(l, rank);
    uint64_t seen = ((r->pace.units + 1) << LEDGER_RATE_SHIFT) / elapsed;

    /* One that has committed little of late is no longer what it was. */
    if (rate == 0 || elapsed > LEDGER_PACE_MS) {
        rate = rate == 0 ? seen : ledger_min(rate, seen);
    }
    units = ledger_pace_cap(units, LEDGER_PACE_UNITS_BITS);
    return (units << LEDGER_RATE_SHIFT) / ledger_max(rate, 1);
}
