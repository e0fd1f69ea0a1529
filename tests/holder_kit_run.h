/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of holder: a run of all hosts, in a storm and then in calm. */

#ifndef TESTS_HOLDER_KIT_RUN_H
#define TESTS_HOLDER_KIT_RUN_H

#include "tests/holder_kit_hosts.h"

static inline void kit_say(struct kit_host *h, uint32_t host)
{
    static struct work work;
    struct buf body = {0};

    if (holder_work(h->holder, kit_clock(h), &work)) {
        work_write(&work, &body);
        kit_send(true, host, &body);
        buf_fini(&body);
    }
}

static inline void kit_step_host(uint32_t host)
{
    struct kit_host *h = &kit.host[host];

    if (!kit.is_calm && kit_chance(400)) {
        h->awake_ms = kit.now_ms + prng_below(&kit.prng, 3ULL * KIT_LEASE_MS);
    }
    if (!kit.is_calm && kit_chance(1500)) {
        kit_launch(host);
        kit.c.enter(kit.c.self, host);
    }
    if (!kit.is_calm && h->awake_ms > kit.now_ms) {
        return;
    }
    for (uint32_t r = 0; r < kit.ranks; r++) {
        if (kit_chance(3)) {
            kit_next(h, host, r);
        }
        /* The first rank of all is slow. */
        if (kit_chance(host + r == 0 && !kit.is_calm ? 60 : 4)) {
            kit_end(h, r);
        }
        if (!kit.is_calm && kit_chance(200)) {
            kit_restart(h, r);
        }
    }
    if (!kit.is_calm && kit_chance(800)) {
        holder_new_term(h->holder);
    }
    kit_say(h, host);
    kit_take_outcomes(h);
    holder_check(h->holder);
}

static inline void kit_step(void)
{
    kit.now_ms += KIT_STEP_MS;
    kit.c.tick(kit.c.self);
    kit_deliver();
    for (uint32_t i = 0; i < kit.hosts; i++) {
        kit_step_host(i);
        if (kit.host[i].heard_seq > 0 && kit_chance(20)) {
            kit_answer(i, true);
        }
    }
}

static inline bool kit_is_over(void)
{
    bool is_over = true;

    for (uint32_t i = 0; i < kit.hosts; i++) {
        for (uint32_t r = 0; r < kit.ranks; r++) {
            is_over = is_over && kit.host[i].is_over[r];
        }
    }
    return is_over;
}

static inline void kit_init(uint64_t seed)
{
    memset(&kit, 0, sizeof(kit));
    prng_init(&kit.prng, seed);
    kit.now_ms = 100000;
    kit.hosts = 1 + (uint32_t)prng_below(&kit.prng, KIT_HOSTS);
    kit.ranks = 1 + (uint32_t)prng_below(&kit.prng, KIT_RANKS);
    kit.units = 1 + prng_below(&kit.prng, KIT_UNITS);
    kit.epochs = 1 + prng_below(&kit.prng, KIT_EPOCHS);
    kit.skips = prng_below(&kit.prng, 3);
}

/* Storm, then calm until all is over; each unit was committed. */
static inline void kit_run(void)
{
    uint32_t steps = 0;

    for (uint32_t i = 0; i < kit.hosts; i++) {
        kit_launch(i);
    }
    for (uint32_t i = 0; i < KIT_STORM; i++) {
        kit_step();
    }
    kit.is_calm = true;
    while (!kit_is_over() && steps++ < KIT_CALM) {
        kit_step();
    }
    EXPECT(kit_is_over());
    for (uint64_t e = 0; e < kit.epochs; e++) {
        for (uint64_t p = 0; p < kit.units; p++) {
            EXPECT(kit.committed[e][p] > 0);
        }
    }
    for (uint32_t i = 0; i < kit.hosts; i++) {
        holder_destroy(&kit.host[i].holder);
        kit_forget_flight(i);
    }
}

#endif /* TESTS_HOLDER_KIT_RUN_H */
