/* SPDX-License-Identifier: Apache-2.0 */
/* What a session says, and to whom. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/line.h"
#include "base/mem.h"
#include "coordinator/session_state.h"

static struct wire_message *session_say(struct session *s, uint64_t peer,
                                        enum wire_type type)
{
    struct session_send *send;

    if (s->send_count == s->send_room) {
        s->send_room = s->send_room == 0 ? 4 : 2 * s->send_room;
        s->sends = mem_grow(s->sends, s->send_room, sizeof(*s->sends));
    }
    send = &s->sends[s->send_count++];
    memset(send, 0, sizeof(*send));
    send->peer = peer;
    send->message.type = type;
    send->message.term = s->term;
    memcpy(send->message.job, s->run, sizeof(s->run));
    return &send->message;
}

static struct wire_message *session_say_host(struct session *s, uint32_t host,
                                             enum wire_type type)
{
    CHECK(s->hosts[host].has_peer);
    return session_say(s, s->hosts[host].peer, type);
}

void session_notify(struct session *s, uint32_t host, enum session_news news)
{
    if (s->notice_count == s->notice_room) {
        s->notice_room = s->notice_room == 0 ? 4 : 2 * s->notice_room;
        s->notices = mem_grow(s->notices, s->notice_room, sizeof(*s->notices));
    }
    s->notices[s->notice_count++] = (struct session_notice){host, news};
}

void session_send_welcome(struct session *s, uint32_t host)
{
    session_say_host(s, host, WIRE_WELCOME)->welcome =
        (struct wire_welcome){s->heartbeat_ms, s->host_timeout_ms};
}

void session_send_pulse(struct session *s, uint32_t host, uint64_t number)
{
    session_say_host(s, host, WIRE_PULSE)->pulse =
        (struct wire_pulse){number, budget_rate(s->budget, host)};
}

void session_send_share(struct session *s, uint32_t host)
{
    CHECK(s->shares != NULL);
    session_say_host(s, host, WIRE_SHARE)->share = s->shares[host];
}

void session_send_start(struct session *s, uint32_t host, uint64_t wall_ms)
{
    CHECK(s->phase == SESSION_RUNNING);
    session_say_host(s, host, WIRE_START)->start.wall_ms = wall_ms;
    session_notify(s, host, SESSION_NEWS_START);
}

void session_send_end(struct session *s, uint32_t host)
{
    struct session_outcome outcome = session_outcome(s);
    const struct session_member *h = &s->hosts[host];

    CHECK(s->phase >= SESSION_ENDING);
    if (s->keeps_on_failure && h->phase == WIRE_PHASE_DONE &&
        h->exit_code == 0) {
        /* The others' failures are not this host's. */
        outcome = (struct session_outcome){STATUS_OK, 0, "", ""};
    }
    if (s->keeps_end && !s->is_end_kept && outcome.status == STATUS_OK) {
        return; /* A failure any coordinator would find again. */
    }
    session_say_host(s, host, WIRE_END)->end = (struct wire_end){
        .status = outcome.status,
        .exit_code = (uint64_t)outcome.exit_code,
        .host = bytes_of(outcome.host),
        .reason = bytes_of(outcome.reason),
    };
}

/* What has changed since the broadcast began may have made it needless. */
static void session_send_broadcast(struct session *s, uint32_t host)
{
    const struct session_member *h = &s->hosts[host];

    if (!h->has_peer || h->phase == WIRE_PHASE_LOST) {
        return;
    }
    if (s->broadcast.type == WIRE_SHARE) {
        if (s->phase == SESSION_BRINGING && h->phase < WIRE_PHASE_READY) {
            session_send_share(s, host);
        }
    } else if (s->broadcast.type == WIRE_START) {
        if (s->phase == SESSION_RUNNING && h->phase == WIRE_PHASE_READY) {
            session_send_start(s, host, s->broadcast.wall_ms);
        }
    } else {
        session_send_end(s, host);
    }
}

void session_broadcast(struct session *s, enum wire_type type, uint64_t wall_ms)
{
    CHECK(type == WIRE_SHARE || type == WIRE_START || type == WIRE_END);
    s->broadcast.type = type;
    s->broadcast.next = 0;
    s->broadcast.wall_ms = wall_ms;
    session_go_on(s);
}

void session_go_on(struct session *s)
{
    for (uint32_t i = 0; i < SESSION_PORTION && session_is_telling(s); i++) {
        session_send_broadcast(s, s->broadcast.next++);
    }
}

bool session_is_telling(const struct session *s)
{
    return s->broadcast.next < s->host_count;
}

void session_send_report(struct session *s, uint64_t peer,
                         const struct wire_message *ask)
{
    struct wire_message *m = session_say(s, peer, WIRE_REPORT);

    buf_clear(&s->report);
    session_report(s, &s->report);
    m->term = ask->term;
    m->report.number = ask->ask.number;
    m->report.json = buf_bytes(&s->report);
}

void session_send_refuse(struct session *s, uint64_t peer, enum status status,
                         const char *format, ...)
{
    struct wire_message *m = session_say(s, peer, WIRE_REFUSE);
    struct fault why;
    va_list args;

    CHECK(status != STATUS_OK);
    va_start(args, format);
    vsnprintf(why.text, sizeof(why.text), format, args);
    va_end(args);
    buf_clear(&s->reason);
    buf_add_text(&s->reason, why.text);
    line_clean(s->reason.at, WIRE_TEXT_MAX);
    m->refuse.status = status;
    m->refuse.reason = bytes_of(s->reason.at);
    s->refused++;
}

void session_head_as(struct session *s, const struct wire_message *to)
{
    struct wire_message *m;

    CHECK(s->send_count > 0);
    m = &s->sends[s->send_count - 1].message;
    if (to != NULL && to->job[0] != '\0') {
        memcpy(m->job, to->job, sizeof(m->job));
        m->term = to->term;
    }
}
