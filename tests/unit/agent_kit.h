/* SPDX-License-Identifier: Apache-2.0 */
/* An agent under test, what it hears, and what it asks for. */

#ifndef TESTS_UNIT_AGENT_KIT_H
#define TESTS_UNIT_AGENT_KIT_H

#include "tests/harness.h"
#include "worker/agent.h"

enum {
    HEARTBEAT = 1000,
    HOST_TIMEOUT = 10000,
    JOIN_TIMEOUT = 40000,
    GRACE = 5000
};

#define NEVER UINT64_MAX

/* An agent under test and what its last step asked for. */
struct bench {
    struct agent *agent;
    struct agent_effects fx;
    uint64_t now_ms;
    uint64_t term; /* Of the coordinator. */
};

static inline struct bench open_new(void)
{
    struct bench b = {.now_ms = 100, .term = 4};

    b.agent = agent_new(&(struct agent_options){
        .host = "algo-1",
        .run = "abc",
        .incarnation = "1f",
        .leader = "algo-9",
        .release = "0.1",
        .term = 4,
        .attempt = 2,
        .ranks = 8,
        .weight = 100,
        .host_count = 3,
        .now_ms = b.now_ms,
        .heartbeat_ms = HEARTBEAT,
        .host_timeout_ms = HOST_TIMEOUT,
        .join_timeout_ms = JOIN_TIMEOUT,
        .grace_ms = GRACE,
    });
    return b;
}

static inline void end(struct bench *b)
{
    agent_destroy(&b->agent);
    EXPECT(b->agent == NULL);
}

static inline void step(struct bench *b, struct agent_event event)
{
    event.now_ms = b->now_ms;
    event.wall_ms = 777;
    agent_step(b->agent, &event, &b->fx);
    agent_check(b->agent);
}

static inline void tick(struct bench *b, uint64_t ms)
{
    b->now_ms += ms;
    step(b, (struct agent_event){.type = AGENT_EVENT_TIMER});
}

static inline void hear(struct bench *b, struct wire_message m)
{
    m.term = b->term;
    step(b, (struct agent_event){.type = AGENT_EVENT_MESSAGE, .message = &m});
}

static inline void hear_end(struct bench *b, enum status status,
                            const char *host, const char *reason)
{
    hear(b, (struct wire_message){.type = WIRE_END,
                                  .end = {.status = status,
                                          .host = bytes_of(host),
                                          .reason = bytes_of(reason)}});
}

static inline void hear_refuse(struct bench *b, enum status status)
{
    hear(b, (struct wire_message){
                .type = WIRE_REFUSE,
                .refuse = {.status = status, .reason = BYTES("because")}});
}

static inline void get(struct bench *b, enum agent_event_type type,
                       enum status status, const char *text)
{
    step(b, (struct agent_event){.type = type, .status = status, .text = text});
}

static inline void exited(struct bench *b, int code, int number)
{
    step(b, (struct agent_event){.type = AGENT_EVENT_EXITED,
                                 .exit_code = code,
                                 .signal = number});
}

static inline void kick(struct bench *b, int number)
{
    step(b, (struct agent_event){.type = AGENT_EVENT_SIGNAL, .signal = number});
}

/* What the last step asked for: "BEAT READY +bring", "kill15 +save", … */
static inline const char *asked(const struct bench *b)
{
    static char text[256];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < b->fx.send_count; i++) {
        EXPECT_STR(b->fx.sends[i].job, "abc");
        EXPECT_EQ(b->fx.sends[i].term, b->term);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s ",
                                 wire_type_name(b->fx.sends[i].type));
    }
    for (uint32_t i = 0; i < b->fx.signal_count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "kill%d ",
                                 b->fx.signals[i]);
    }
    snprintf(text + used, sizeof(text) - used, "%s%s%s%s%s",
             b->fx.do_bring != NULL ? "+bring " : "",
             b->fx.do_cancel_bring ? "+cancel " : "",
             b->fx.do_start ? "+start " : "", b->fx.do_save ? "+save " : "",
             b->fx.is_over ? "+over " : "");
    return text;
}

/* How it ended: "STATUS exit-code text". */
static inline const char *outcome(const struct bench *b)
{
    static char text[1200];
    struct agent_outcome o = agent_outcome(b->agent);

    snprintf(text, sizeof(text), "%s %d %s", status_name(o.status), o.exit_code,
             o.text);
    return text;
}

static inline const struct wire_done *said_done(const struct bench *b)
{
    for (uint32_t i = 0; i < b->fx.send_count; i++) {
        if (b->fx.sends[i].type == WIRE_DONE) {
            return &b->fx.sends[i].done;
        }
    }
    EXPECT(false);
    return NULL;
}

static inline struct bench open_at(enum agent_state state)
{
    struct bench b = open_new();
    struct wire_message share = {
        .type = WIRE_SHARE,
        .share = {.output = BYTES("file:///o/"),
                  .shares = {{.channel = BYTES("train"),
                              .share = BYTES("shares/1"),
                              .prefix = BYTES("p")}},
                  .share_count = 1}};

    tick(&b, 0);
    EXPECT_STR(asked(&b), "HELLO ");
    if (state >= AGENT_WAITING) {
        hear(&b, (struct wire_message){.type = WIRE_WELCOME,
                                       .welcome = {HEARTBEAT, HOST_TIMEOUT}});
        EXPECT_STR(asked(&b), "BEAT ");
    }
    if (state >= AGENT_BRINGING) {
        hear(&b, share);
        EXPECT_STR(asked(&b), "+bring ");
    }
    if (state >= AGENT_READY) {
        get(&b, AGENT_EVENT_BROUGHT, STATUS_OK, NULL);
        EXPECT_STR(asked(&b), "READY ");
    }
    if (state >= AGENT_RUNNING) {
        hear(&b, (struct wire_message){.type = WIRE_START});
        EXPECT_STR(asked(&b), "+start ");
        get(&b, AGENT_EVENT_STARTED, STATUS_OK, NULL);
        EXPECT_STR(asked(&b), "");
    }
    EXPECT_EQ(agent_state(b.agent), state);
    return b;
}

#endif /* TESTS_UNIT_AGENT_KIT_H */
