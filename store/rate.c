/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rate.h"

#include "base/check.h"

static const uint64_t RATE_MICRO = 1000000;

void rate_check(const struct rate *r)
{
    CHECK(r->per_1000s <= RATE_MAX);
    CHECK_IMPLIES(r->per_1000s == 0, r->come_micro == r->drawn * RATE_MICRO);
}

static void rate_fill(struct rate *r, uint64_t now_ms)
{
    uint64_t ahead = r->per_1000s * RATE_BURST_MS;
    uint64_t passed_ms = now_ms > r->filled_ms ? now_ms - r->filled_ms : 0;
    uint64_t most;

    ahead = ahead > RATE_MICRO ? ahead : RATE_MICRO;
    most = r->drawn * RATE_MICRO + ahead;
    r->filled_ms += passed_ms;
    passed_ms = passed_ms < RATE_MICRO ? passed_ms : RATE_MICRO;
    r->come_micro += passed_ms * r->per_1000s;
    r->come_micro = r->come_micro < most ? r->come_micro : most;
}

void rate_set(struct rate *r, uint64_t per_1000s, uint64_t now_ms)
{
    rate_fill(r, now_ms);
    if (r->per_1000s == 0 || per_1000s == 0) {
        r->come_micro = r->drawn * RATE_MICRO; /* Whoever waits may go. */
    }
    r->per_1000s = per_1000s < RATE_MAX ? per_1000s : RATE_MAX;
    rate_check(r);
}

bool rate_may_go(struct rate *r, uint64_t now_ms, uint64_t *ticket,
                 uint64_t *at_ms)
{
    uint64_t need;

    if (r->per_1000s == 0) {
        return true;
    }
    rate_fill(r, now_ms);
    if (*ticket == 0) {
        *ticket = ++r->drawn;
    }
    CHECK(*ticket <= r->drawn);
    if (*ticket * RATE_MICRO <= r->come_micro) {
        return true;
    }
    need = (*ticket * RATE_MICRO - r->come_micro) / r->per_1000s + 1;
    *at_ms = now_ms + (need < RATE_LOOK_MS ? need : RATE_LOOK_MS);
    return false;
}
