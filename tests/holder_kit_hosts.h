/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of holder: what the hosts do, and the whole run. */

#ifndef TESTS_HOLDER_KIT_HOSTS_H
#define TESTS_HOLDER_KIT_HOSTS_H

#include "tests/holder_kit_net.h"

/* ---- The hosts. ---------------------------------------------------------- */

static inline unsigned char *kit_state_of(const struct holder_unit *u)
{
    EXPECT(u->lease < KIT_LEASES && u->position < kit.units);
    return &kit.state[u->lease][u->position];
}

static inline void kit_launch(uint32_t host)
{
    struct kit_host *h = &kit.host[host];

    holder_destroy(&h->holder);
    kit_forget_flight(host);
    *h = (struct kit_host){.percent = 90 + prng_below(&kit.prng, 21)};
    h->holder = holder_new(&(struct holder_options){
        .channel = 1,
        .rank_count = kit.ranks,
        .ahead_units = 1 + prng_below(&kit.prng, 6),
        .lease_ms = KIT_LEASE_MS,
        .beat_ms = 400,
        .gap_ms = 20,
        .now_ms = kit_clock(h),
    });
}

static inline void kit_next(struct kit_host *h, uint32_t host, uint32_t rank)
{
    struct holder_unit u;
    enum status s;

    if (h->open_count[rank] == KIT_OPEN || h->is_over[rank]) {
        return;
    }
    s = holder_next(h->holder, rank, kit_clock(h), &u);
    if (s == STATUS_OK) {
        EXPECT_EQ(u.epoch, holder_epoch(h->holder, rank));
        EXPECT(kit.c.holds(kit.c.self, host, &u));
        EXPECT_EQ(*kit_state_of(&u), KIT_NONE);
        *kit_state_of(&u) = KIT_HANDED;
        h->open[rank][h->open_count[rank]++] = u;
        kit.handed++;
    } else if (s == STATUS_STOPPED) {
        s = holder_begin(h->holder, rank);
        h->is_over[rank] = s == STATUS_STOPPED;
    } else {
        EXPECT_EQ(s, STATUS_EMPTY);
    }
}

/* Do something with one of the rank's open units. */
static inline void kit_end(struct kit_host *h, uint32_t rank)
{
    uint32_t count = h->open_count[rank];
    uint32_t i = count > 0 ? (uint32_t)prng_below(&kit.prng, count) : 0;
    struct holder_unit u = h->open[rank][i];
    enum kit_state next = KIT_TOLD;
    enum status s;

    if (count == 0) {
        return;
    }
    if (kit.skips > 0 && kit_chance(40)) {
        s = holder_skip(h->holder, rank, &u, "torn");
        kit.skips -= s == STATUS_OK;
    } else if (kit_chance(20)) {
        s = holder_return(h->holder, rank, &u);
        next = KIT_NONE;
    } else {
        s = holder_done(h->holder, rank, &u);
    }
    EXPECT(s == STATUS_OK || s == STATUS_LOST);
    EXPECT_EQ(*kit_state_of(&u), KIT_HANDED);
    if (s == STATUS_OK) {
        *kit_state_of(&u) = (unsigned char)next;
    }
    h->open[rank][i] = h->open[rank][--h->open_count[rank]];
}

static inline void kit_restart(struct kit_host *h, uint32_t rank)
{
    holder_restart(h->holder, rank);
    for (uint32_t i = 0; i < h->open_count[rank]; i++) {
        *kit_state_of(&h->open[rank][i]) = KIT_NONE;
    }
    h->open_count[rank] = 0;
}

static inline void kit_take_outcomes(struct kit_host *h)
{
    struct holder_outcome o;

    while (holder_take_outcome(h->holder, &o)) {
        EXPECT(o.first < o.end);
        for (uint64_t p = o.first; p < o.end; p++) {
            struct holder_unit u = {o.epoch, p, o.lease, false};
            bool counts = kit.committed[o.epoch][p] == o.lease;

            EXPECT_EQ(*kit_state_of(&u), KIT_TOLD);
            EXPECT(counts || o.is_refused);
            EXPECT(!counts || !o.is_refused || kit.is_lost[o.lease] ||
                   kit.c.is_forgetful);
            *kit_state_of(&u) = o.is_refused ? KIT_REFUSED : KIT_ACKED;
            kit.refused += o.is_refused;
        }
    }
}

#endif /* TESTS_HOLDER_KIT_HOSTS_H */
