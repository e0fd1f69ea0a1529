/* SPDX-License-Identifier: Apache-2.0 */
/* A whole job of reign_play.h, from one turn to the next. */

#ifndef TESTS_UNIT_REIGN_JOB_H
#define TESTS_UNIT_REIGN_JOB_H

#include "tests/harness.h"
#include "tests/unit/reign_play.h"

/* A whole job takes less. */
enum { TURNS_MAX = 400 };

static inline struct rig *open_rig(void)
{
    struct rig *g = mem_new(1, sizeof(*g));

    g->store = mem_new(1, sizeof(*g->store));
    g->now_ms = 1000;
    g->skips = DEALT_KIT_SKIPS;
    g->guests[0] = (struct rig_guest){
        .peer = 100, .incarnation = "aa", .phase = WIRE_PHASE_JOINED};
    g->guests[1] = (struct rig_guest){
        .peer = 200, .incarnation = "bb", .phase = WIRE_PHASE_JOINED};
    return g;
}

static inline void close_rig(struct rig **rig)
{
    struct rig *g = *rig;

    for (uint32_t i = 0; i < g->reign_count; i++) {
        rig_kill(g, &g->reigns[i], false);
    }
    for (size_t i = 0; i < g->store->object_count; i++) {
        buf_fini(&g->store->objects[i].body);
    }
    buf_fini(&g->dealt);
    buf_fini(&g->report);
    free(g->store);
    free(g);
    *rig = NULL;
}

/* The next reign begins; host 0 leads the odd terms, host 1 the even ones. */
static inline struct rig_reign *lead_of(struct rig *g, uint32_t host_count)
{
    static const char *const hosts[] = {"a", "b", "c"};
    struct rig_reign *l = &g->reigns[g->reign_count++];

    EXPECT(g->reign_count <= RIG_REIGNS_MAX);
    *l = (struct rig_reign){.term = g->reign_count};
    l->r = reign_new(&(struct reign_options){
        .session =
            {
                .job_name = "job",
                .run = DEALT_KIT_RUN,
                .leader = hosts[(l->term - 1) % 2],
                .term = l->term,
                .hosts = hosts,
                .host_count = host_count,
                .now_ms = g->now_ms,
                .join_timeout_ms = 2 * RIG_TIMEOUT_MS,
                .heartbeat_ms = RIG_HEARTBEAT_MS,
                .host_timeout_ms = RIG_TIMEOUT_MS,
                .grace_ms = 2000,
                .skew_max_ms = 1000,
                .keeps_on_failure = g->keeps_on_failure,
            },
        .number = (uint32_t)((l->term - 1) % 2),
        .nonce = 1000 + l->term,
        .gap_ms = 10,
        .snapshot_bytes = g->snapshot_bytes != 0 ? g->snapshot_bytes : 1 << 20,
        .run_ms = 2000,
        .run_units = 8,
        .has_conditions = true,
        .acks_early = g->acks_early,
    });
    g->lead = l;
    rig_step(g, l, (struct reign_event){.type = REIGN_EVENT_TIMER});
    return l;
}

static inline struct rig_reign *lead(struct rig *g)
{
    return lead_of(g, DEALT_KIT_HOSTS);
}

static inline void turn(struct rig *g)
{
    g->now_ms += RIG_TURN_MS;
    rig_serve(g, g->lead);
    if (g->lead->r != NULL && g->now_ms >= g->lead->timer_ms) {
        rig_step(g, g->lead, (struct reign_event){.type = REIGN_EVENT_TIMER});
    }
    rig_serve(g, g->lead);
    for (uint32_t i = 0; i < DEALT_KIT_HOSTS && g->lead->r != NULL; i++) {
        if (!g->guests[i].is_away) {
            rig_act(g, &g->guests[i]);
        }
    }
}

/* Let @l write all that it has decided. */
static inline void settle(struct rig *g, struct rig_reign *l)
{
    for (int i = 0; i < 4; i++) {
        g->now_ms += 20;
        rig_step(g, l, (struct reign_event){.type = REIGN_EVENT_TIMER});
        rig_serve(g, l);
    }
}

/* Take turns until the job is over or its coordinator is dead. */
static inline void play(struct rig *g)
{
    for (int i = 0; g->lead->r != NULL && !g->lead->is_over; i++) {
        EXPECT(i < TURNS_MAX);
        turn(g);
    }
}

/* Take turns until each host that is not away is in @phase. */
static inline void play_until(struct rig *g, enum wire_phase phase)
{
    bool is_there = false;

    for (int i = 0; !is_there; i++) {
        EXPECT(i < TURNS_MAX);
        turn(g);
        is_there = true;
        for (uint32_t h = 0; h < DEALT_KIT_HOSTS; h++) {
            is_there = is_there &&
                       (g->guests[h].is_away || g->guests[h].phase >= phase);
        }
    }
}

static inline const struct ledger *ledger_at(const struct rig *g,
                                             uint32_t channel)
{
    return reign_ledger(g->lead->r, channel);
}

/* All is delivered, each unit once, and nobody's lease was forgotten. */
static inline void expect_whole(const struct rig *g)
{
    EXPECT(ledger_is_over(ledger_at(g, DEALT_KIT_TRAIN)));
    EXPECT_EQ(ranges_size(ledger_committed(ledger_at(g, DEALT_KIT_EVAL))),
              DEALT_KIT_EVAL_UNITS);
    for (int e = 0; e < DEALT_KIT_EPOCHS; e++) {
        for (int i = 0; i < DEALT_KIT_UNITS; i++) {
            EXPECT_EQ(g->delivered[e][i], 1);
        }
    }
    for (int i = 0; i < DEALT_KIT_HOSTS; i++) {
        EXPECT_EQ(g->guests[i].lost, 0);
        EXPECT_EQ(g->guests[i].refused, 0);
        EXPECT(g->guests[i].has_end);
        EXPECT_EQ(g->guests[i].end.status, STATUS_OK);
        EXPECT_EQ(g->guests[i].end.exit_code, 0);
    }
}

#endif /* TESTS_UNIT_REIGN_JOB_H */
