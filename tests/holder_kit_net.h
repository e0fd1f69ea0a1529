/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of holder: the net between hosts and coordinator. */

#ifndef TESTS_HOLDER_KIT_NET_H
#define TESTS_HOLDER_KIT_NET_H

#include "tests/holder_kit.h"

/* ---- The net. ------------------------------------------------------------ */

static inline void kit_fly(bool is_work, uint32_t host, const struct buf *body)
{
    uint64_t delay = prng_below(&kit.prng, kit.is_calm ? 30 : 300);

    if (!kit.is_calm && kit_chance(20)) {
        delay += prng_below(&kit.prng, 2ULL * KIT_LEASE_MS);
    }
    for (size_t i = 0; i < KIT_FLIGHT; i++) {
        struct kit_message *m = &kit.flight[i];

        if (!m->is_used) {
            *m = (struct kit_message){
                true, is_work, host, kit.now_ms + delay, {0}};
            buf_add_bytes(&m->body, buf_bytes(body));
            return;
        }
    }
    /* More than the net can hold: lost. */
}

static inline void kit_send(bool is_work, uint32_t host, const struct buf *body)
{
    while (!kit.is_calm && kit_chance(6)) {
        kit_fly(is_work, host, body);
    }
    if (kit.is_calm || !kit_chance(5)) {
        kit_fly(is_work, host, body);
    }
}

static inline void kit_answer(uint32_t host, bool is_push)
{
    static struct grant grant;
    struct buf body = {0};

    kit.c.take(kit.c.self, host, &kit.host[host].heard, is_push, &grant);
    grant_write(&grant, &body);
    kit_send(false, host, &body);
    buf_fini(&body);
}

static inline void kit_arrive_work(uint32_t host, struct bytes body)
{
    static struct work work;
    struct kit_host *h = &kit.host[host];
    struct fault why;

    EXPECT_EQ(work_read(body, &why, &work), STATUS_OK);
    if (work.seq <= h->heard_seq) {
        return;
    }
    h->heard_seq = work.seq;
    h->heard = work;
    for (uint32_t i = 0; i < work.skip_count; i++) {
        h->heard.skips[i].reason = BYTES("");
    }
    kit_answer(host, false);
}

static inline void kit_arrive_grant(uint32_t host, struct bytes body)
{
    static struct grant grant;
    struct fault why;

    EXPECT_EQ(grant_read(body, &why, &grant), STATUS_OK);
    holder_take(kit.host[host].holder, &grant);
    holder_check(kit.host[host].holder);
}

static inline void kit_deliver(void)
{
    size_t from = prng_below(&kit.prng, KIT_FLIGHT);

    for (size_t i = 0; i < KIT_FLIGHT; i++) {
        struct kit_message *m = &kit.flight[(from + i) % KIT_FLIGHT];
        struct kit_message taken = *m;

        if (!m->is_used || m->due_ms > kit.now_ms ||
            (!m->is_work && kit.host[m->host].awake_ms > kit.now_ms)) {
            continue;
        }
        m->is_used = false;
        if (taken.is_work) {
            kit_arrive_work(taken.host, buf_bytes(&taken.body));
        } else {
            kit_arrive_grant(taken.host, buf_bytes(&taken.body));
        }
        buf_fini(&taken.body);
    }
}

static inline void kit_forget_flight(uint32_t host)
{
    for (size_t i = 0; i < KIT_FLIGHT; i++) {
        if (kit.flight[i].is_used && kit.flight[i].host == host) {
            kit.flight[i].is_used = false;
            buf_fini(&kit.flight[i].body);
        }
    }
}

#endif /* TESTS_HOLDER_KIT_NET_H */
