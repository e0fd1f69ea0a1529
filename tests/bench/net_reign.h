/* SPDX-License-Identifier: Apache-2.0 */
/* A coordinator at work for bench_net: a reign whose hosts have come, were
 * dealt to and run, with a store in memory. Its clock is the machine's, ahead
 * by the time that coming took. */

#ifndef TESTS_BENCH_NET_REIGN_H
#define TESTS_BENCH_NET_REIGN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "coordinator/reign.h"
#include "tests/bench/net_deal.h"

static inline struct wire_message court_message(enum wire_type type)
{
    return (struct wire_message){.job = COURT_RUN, .term = 1, .type = type};
}

/* Step the reign; the store's requests are taken, messages are left in fx. */
static inline void court_step(struct court *c, struct reign_event *event)
{
    event->now_ms = clock_now_ms(&clock_os) + c->ahead_ms;
    event->wall_ms = clock_wall_ms(&clock_os);
    reign_step(c->reign, event, &c->fx);
    for (uint32_t i = 0; i < c->fx.request_count; i++) {
        store_add(&c->store, &c->fx.requests[i], event->now_ms);
    }
}

/* What the store has answered, and the timer. */
static inline void court_turn(struct court *c)
{
    uint64_t now_ms = clock_now_ms(&clock_os) + c->ahead_ms;
    struct journal_event stored;

    while (store_take(&c->store, now_ms, &stored)) {
        court_step(c, &(struct reign_event){.type = REIGN_EVENT_STORED,
                                            .stored = &stored});
    }
    if (now_ms >= c->fx.timer_ms) {
        court_step(c, &(struct reign_event){.type = REIGN_EVENT_TIMER});
    }
}

/* ---- Until all hosts run ------------------------------------------------ */

static inline void court_say(struct court *c, uint32_t host,
                             const struct wire_message *m)
{
    court_step(c, &(struct reign_event){
                      .type = REIGN_EVENT_MESSAGE, .peer = host, .message = m});
}

static inline void court_hello(struct court *c, uint32_t host)
{
    struct wire_message m = court_message(WIRE_HELLO);
    char incarnation[40];

    snprintf(incarnation, sizeof(incarnation), "%032x", (unsigned)host + 1);
    m.hello = (struct wire_hello){
        .host = bytes_of(c->names[host]),
        .incarnation = bytes_of(incarnation),
        .release = BYTES("0.1.0"),
        .attempt = 1,
        .ranks = 1,
        .weight = 1,
        .wall_ms = clock_wall_ms(&clock_os),
        .host_count = c->host_count,
        .phase = WIRE_PHASE_JOINED,
    };
    court_say(c, host, &m);
}

/* Take what the last step tells the hosts of how far the job is. */
static inline void court_hear(struct court *c)
{
    for (uint32_t i = 0; i < c->fx.send_count; i++) {
        const struct session_send *s = &c->fx.sends[i];

        if (s->message.type == WIRE_SHARE) {
            c->phases[s->peer] = WIRE_PHASE_READY;
        } else if (s->message.type == WIRE_START) {
            c->phases[s->peer] = WIRE_PHASE_RUNNING;
        }
    }
}

static inline uint32_t court_running(const struct court *c)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->host_count; i++) {
        count += c->phases[i] == WIRE_PHASE_RUNNING;
    }
    return count;
}

static inline void court_nudge(struct court *c, uint32_t host)
{
    struct wire_message ready = court_message(WIRE_READY);

    if (c->phases[host] == WIRE_PHASE_JOINED) {
        court_hello(c, host);
    } else if (c->phases[host] == WIRE_PHASE_READY) {
        court_say(c, host, &ready);
    }
    court_hear(c);
}

static inline void court_come(struct court *c)
{
    while (court_running(c) < c->host_count) {
        enum reign_prepare do_prepare;

        c->ahead_ms += COURT_STEP_MS;
        CHECK(c->ahead_ms < 60000);
        court_turn(c);
        court_hear(c);
        do_prepare = c->fx.do_prepare;
        for (uint32_t i = 0; i < c->host_count; i++) {
            court_nudge(c, i);
            do_prepare = c->fx.do_prepare != REIGN_PREPARE_NOTHING
                             ? c->fx.do_prepare
                             : do_prepare;
        }
        if (do_prepare != REIGN_PREPARE_NOTHING) {
            court_step(c, &(struct reign_event){.type = REIGN_EVENT_PREPARED,
                                                .status = STATUS_OK,
                                                .dealt = &c->dealt});
            court_hear(c);
        }
    }
}

/* A job of @host_count hosts of a rank each; host i is the reign's peer i. */
static inline struct court *court_new(uint32_t host_count)
{
    struct court *c = mem_new(1, sizeof(*c));

    CHECK(host_count <= COURT_HOSTS_MAX);
    c->host_count = host_count;
    c->store.objects = map_new(STORE_OBJECTS_MAX * sizeof(*c->store.objects));
    for (uint32_t i = 0; i < host_count; i++) {
        snprintf(c->names[i], sizeof(c->names[i]), "algo-%u", (unsigned)i + 1);
        c->name_of[i] = c->names[i];
        c->phases[i] = WIRE_PHASE_JOINED;
    }
    court_deal(c);
    c->reign = reign_new(&(struct reign_options){
        .session = {.job_name = "bench",
                    .run = COURT_RUN,
                    .leader = c->names[0],
                    .term = 1,
                    .hosts = c->name_of,
                    .host_count = host_count,
                    .now_ms = clock_now_ms(&clock_os),
                    .join_timeout_ms = 600000,
                    .heartbeat_ms = COURT_BEAT_MS,
                    .host_timeout_ms = 600000,
                    .grace_ms = 600000,
                    .skew_max_ms = 60000},
        .nonce = 1,
        .gap_ms = 100,
        .snapshot_bytes = 1 << 20,
        .run_ms = 5 * COURT_BEAT_MS,
        .has_conditions = true,
    });
    court_come(c);
    return c;
}

static inline void court_destroy(struct court *c)
{
    reign_check(c->reign);
    reign_destroy(&c->reign);
    for (size_t i = 0; i < STORE_OBJECTS_MAX; i++) {
        map_free(c->store.objects[i].at, c->store.objects[i].size);
    }
    map_free(c->store.objects, STORE_OBJECTS_MAX * sizeof(*c->store.objects));
    free(c);
}

#endif /* TESTS_BENCH_NET_REIGN_H */
