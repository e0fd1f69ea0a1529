/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_refresh.h"

enum {
    REFRESH_MINUTE_MS = 60 * 1000,
    REFRESH_ADVISORY_MS = 15 * REFRESH_MINUTE_MS,
    REFRESH_MANDATORY_MS = 10 * REFRESH_MINUTE_MS,
    REFRESH_UNKNOWN_MS = 15 * REFRESH_MINUTE_MS,
    REFRESH_EXTEND_MS = 15 * REFRESH_MINUTE_MS,
    REFRESH_EXTEND_LEAST_MS = 2 * REFRESH_MINUTE_MS,
    REFRESH_EXTEND_MOST_MS = 10 * REFRESH_MINUTE_MS,
    REFRESH_PAUSE_MS = 30 * 1000,
};

static uint64_t refresh_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* @ms, give or take a tenth. */
static uint64_t refresh_jitter(uint64_t ms, struct prng *prng)
{
    return ms - ms / 10 + prng_below(prng, ms / 5 + 1);
}

void credentials_refresh_plan(uint64_t wall_ms, uint64_t expires_ms,
                              struct prng *prng, struct credentials_times *out)
{
    uint64_t life = expires_ms > wall_ms ? expires_ms - wall_ms : 0;
    uint64_t advisory;

    if (expires_ms == 0) {
        out->advisory_ms = wall_ms + refresh_jitter(REFRESH_UNKNOWN_MS, prng);
        out->mandatory_ms = UINT64_MAX;
        return;
    }
    /* Of a short life, a part: else they would be old on the day they came. */
    advisory = refresh_least(REFRESH_ADVISORY_MS, life / 2);
    out->advisory_ms = expires_ms - refresh_jitter(advisory, prng);
    out->mandatory_ms =
        expires_ms - refresh_least(REFRESH_MANDATORY_MS, life / 4);
}

enum credentials_age credentials_refresh_age(const struct credentials_times *t,
                                             uint64_t wall_ms)
{
    if (wall_ms >= t->mandatory_ms) {
        return CREDENTIALS_MANDATORY;
    }
    return wall_ms >= t->advisory_ms ? CREDENTIALS_ADVISORY : CREDENTIALS_FRESH;
}

uint64_t credentials_refresh_extend(uint64_t wall_ms, struct prng *prng)
{
    return wall_ms + REFRESH_EXTEND_MS + REFRESH_EXTEND_LEAST_MS +
           prng_below(prng,
                      REFRESH_EXTEND_MOST_MS - REFRESH_EXTEND_LEAST_MS + 1);
}

uint32_t credentials_refresh_pause_ms(struct prng *prng)
{
    return (uint32_t)refresh_jitter(REFRESH_PAUSE_MS, prng);
}
