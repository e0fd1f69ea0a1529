/* SPDX-License-Identifier: Apache-2.0 */
/* A session under test, and the words that its hosts say. */

#ifndef TESTS_UNIT_SESSION_KIT_H
#define TESTS_UNIT_SESSION_KIT_H

#include "base/mem.h"
#include "coordinator/session.h"
#include "tests/harness.h"

enum { WALL = 5000000, HOST_TIMEOUT = 30000, JOIN_TIMEOUT = 60000 };

/* A session of "algo-1" … "algo-N" under test, and what its last step said. */
struct bench {
    struct session *session;
    struct session_effects fx;
    struct wire_share_all *shares;
    uint32_t count;
    uint64_t now_ms;
};

/* @o is filled up; what it says of a resumed session stays. */
static inline struct bench open_as(uint32_t count, struct session_options o)
{
    struct bench b = {.count = count, .now_ms = 1000};
    char **names = mem_new(count, sizeof(*names));

    for (uint32_t i = 0; i < count; i++) {
        names[i] = mem_print("algo-%u", (unsigned)(i + 1));
    }
    b.shares = mem_new(count, sizeof(*b.shares));
    o.job_name = "job";
    o.run = "abc";
    o.leader = "algo-1";
    o.term = 4;
    o.hosts = (const char *const *)names;
    o.host_count = count;
    o.now_ms = b.now_ms;
    o.join_timeout_ms = JOIN_TIMEOUT;
    o.heartbeat_ms = 1000;
    o.host_timeout_ms = HOST_TIMEOUT;
    o.grace_ms = 5000;
    o.skew_max_ms = 2000;
    if (o.incarnations != NULL) {
        o.resumed = b.shares;
    }
    b.session = session_new(&o);
    for (uint32_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return b;
}

static inline struct bench open_with(uint32_t count, bool keeps)
{
    return open_as(count, (struct session_options){.keeps_on_failure = keeps});
}

static inline void end(struct bench *b)
{
    session_destroy(&b->session);
    EXPECT(b->session == NULL);
    free(b->shares);
}

static inline void step(struct bench *b, struct session_event event)
{
    event.now_ms = b->now_ms;
    event.wall_ms = WALL;
    session_step(b->session, &event, &b->fx);
    session_check(b->session);
}

static inline void tick(struct bench *b, uint64_t ms)
{
    b->now_ms += ms;
    step(b, (struct session_event){.type = SESSION_EVENT_TIMER});
}

static inline void say(struct bench *b, uint64_t peer, struct wire_message m)
{
    memcpy(m.job, "abc", 4);
    m.term = 4;
    step(b, (struct session_event){
                .type = SESSION_EVENT_MESSAGE, .peer = peer, .message = &m});
}

/* Host @number, 1 and up, speaks as the peer of the same number. */
static inline struct wire_message hello(uint32_t number, uint32_t hosts)
{
    static char name[32];

    snprintf(name, sizeof(name), "algo-%u", (unsigned)number);
    return (struct wire_message){.type = WIRE_HELLO,
                                 .hello = {.host = bytes_of(name),
                                           .incarnation = BYTES("1f"),
                                           .attempt = 1,
                                           .ranks = 8,
                                           .weight = 100,
                                           .wall_ms = WALL,
                                           .host_count = hosts}};
}

static inline void beat(struct bench *b, uint64_t peer, enum wire_phase phase)
{
    static uint64_t number;
    struct wire_message m = {.type = WIRE_BEAT, .beat = {.phase = phase}};

    number++;
    m.beat.number = number;
    say(b, peer, m);
}

static inline void done(struct bench *b, uint64_t peer, uint64_t code,
                        const char *reason)
{
    say(b, peer,
        (struct wire_message){
            .type = WIRE_DONE,
            .done = {.exit_code = code, .reason = bytes_of(reason)}});
}

static inline void ready(struct bench *b, uint64_t peer)
{
    say(b, peer, (struct wire_message){.type = WIRE_READY});
}

/* What was sent, as "1:WELCOME 2:SHARE". */
static inline const char *sent(const struct bench *b)
{
    static char text[512];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < b->fx.send_count; i++) {
        const struct session_send *s = &b->fx.sends[i];

        EXPECT_EQ(s->message.term, 4);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d:%s",
                                 i == 0 ? "" : " ", (int)s->peer,
                                 wire_type_name(s->message.type));
    }
    return text;
}

/* "STATUS reason". */
static inline const char *refusal(const struct bench *b)
{
    static char text[1200];
    const struct wire_refuse *r;

    EXPECT_STR(wire_type_name(b->fx.sends[0].message.type), "REFUSE");
    r = &b->fx.sends[0].message.refuse;
    snprintf(text, sizeof(text), "%s %.*s", status_name((enum status)r->status),
             (int)r->reason.size, r->reason.at);
    return text;
}

static inline const char *outcome(const struct bench *b)
{
    static char text[1500];
    struct session_outcome o = session_outcome(b->session);

    snprintf(text, sizeof(text), "%s %d %s: %s", status_name(o.status),
             o.exit_code, o.host, o.reason);
    return text;
}

static inline void join_all(struct bench *b)
{
    for (uint32_t i = 1; i <= b->count; i++) {
        say(b, i, hello(i, b->count));
        EXPECT_EQ(b->fx.do_prepare, i == b->count);
    }
    EXPECT_EQ(session_phase(b->session), SESSION_PREPARING);
}

static inline void prepared(struct bench *b)
{
    step(b, (struct session_event){.type = SESSION_EVENT_PREPARED,
                                   .shares = b->shares});
    EXPECT_EQ(session_phase(b->session), SESSION_BRINGING);
}

static inline struct bench open_running(uint32_t count, bool keeps)
{
    struct bench b = open_with(count, keeps);

    join_all(&b);
    prepared(&b);
    for (uint32_t i = 1; i <= count; i++) {
        ready(&b, i);
    }
    EXPECT_EQ(session_phase(b.session), SESSION_RUNNING);
    return b;
}

#endif /* TESTS_UNIT_SESSION_KIT_H */
