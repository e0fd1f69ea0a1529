/* SPDX-License-Identifier: Apache-2.0 */
/* When a second request beside a slow one pays: only where it is far outside
 * of what this store does as a rule, and not when the store has too much to
 * do already. */

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/retry.h"

enum {
    RETRY_HEDGE_MIN = 16,        /* Notes before anything is usual. */
    RETRY_HEDGE_MS = 300,        /* Nothing is slow before. */
    RETRY_HEDGE_CALM_MS = 10000, /* After a throttle. */
    RETRY_HEDGE_PART = 50,       /* One in so many requests. */
    RETRY_HEDGE_BODY = 1 << 20,  /* Smaller ones tell of latency, not speed. */
    RETRY_HEDGE_BODY_MS = 1000,
    RETRY_HEDGE_TIMES = 4,
};

static int retry_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The value below which @percent of the ring's values lie. */
static uint32_t retry_percentile(const uint32_t ring[RETRY_RING],
                                 uint64_t noted, uint32_t percent)
{
    size_t count = noted < RETRY_RING ? (size_t)noted : RETRY_RING;
    uint32_t sorted[RETRY_RING];

    CHECK(count > 0 && percent < 100);
    memcpy(sorted, ring, count * sizeof(sorted[0]));
    qsort(sorted, count, sizeof(sorted[0]), retry_compare);
    return sorted[count * percent / 100];
}

/* Whether so many notes are worth another look: once the ring is full, each
 * changes little. */
static bool retry_is_look(uint64_t noted)
{
    return noted %
               (noted < RETRY_RING ? (int)RETRY_HEDGE_MIN : RETRY_RING / 4) ==
           0;
}

void retry_note_first_byte(struct retry_pool *p, uint32_t ms)
{
    p->hedge.first_byte[p->hedge.first_bytes++ % RETRY_RING] = ms;
    if (retry_is_look(p->hedge.first_bytes)) {
        p->hedge.p99_ms =
            retry_percentile(p->hedge.first_byte, p->hedge.first_bytes, 99);
    }
}

void retry_note_body(struct retry_pool *p, uint64_t size, uint32_t ms)
{
    uint64_t speed = size / (ms > 0 ? ms : 1);

    if (size < RETRY_HEDGE_BODY) {
        return;
    }
    speed = speed < UINT32_MAX ? speed : UINT32_MAX;
    p->hedge.speed[p->hedge.speeds++ % RETRY_RING] = (uint32_t)speed;
    if (retry_is_look(p->hedge.speeds)) {
        p->hedge.median = retry_percentile(p->hedge.speed, p->hedge.speeds, 50);
    }
}

static bool retry_is_slow_head(const struct retry_pool *p, uint64_t ran_ms)
{
    uint64_t usual = (uint64_t)p->hedge.p99_ms * 12 / 10;

    return p->hedge.first_bytes >= RETRY_HEDGE_MIN &&
           ran_ms >= RETRY_HEDGE_MS && ran_ms >= usual;
}

/* A body that is nearly here is not worth a second one. */
static bool retry_is_slow_body(const struct retry_pool *p, uint64_t ran_ms,
                               const struct retry_slow *slow)
{
    uint64_t median = p->hedge.median;
    uint64_t left = slow->got < slow->size ? slow->size - slow->got : 0;

    return p->hedge.speeds >= RETRY_HEDGE_MIN && median > 0 &&
           slow->size >= RETRY_HEDGE_BODY && left >= slow->size / 4 &&
           ran_ms >= RETRY_HEDGE_BODY_MS + p->hedge.p99_ms &&
           slow->got / (ran_ms - p->hedge.p99_ms) < median / RETRY_HEDGE_TIMES;
}

static bool retry_may_hedge(const struct retry_pool *p, uint64_t now_ms)
{
    if (p->rate.is_on ||
        (p->is_throttled && now_ms < p->throttled_ms + RETRY_HEDGE_CALM_MS)) {
        return false;
    }
    return (p->hedge.hedges + 1) * RETRY_HEDGE_PART <= p->hedge.requests;
}

bool retry_hedge(struct retry_pool *p, uint64_t now_ms,
                 const struct retry_slow *slow)
{
    uint64_t ran_ms = now_ms > slow->since_ms ? now_ms - slow->since_ms : 0;
    bool is_slow;

    is_slow = slow->got == UINT64_MAX ? retry_is_slow_head(p, ran_ms)
                                      : retry_is_slow_body(p, ran_ms, slow);
    if (!is_slow || !retry_may_hedge(p, now_ms)) {
        return false;
    }
    p->hedge.hedges++;
    p->used.count++;
    return true;
}
