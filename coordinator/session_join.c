/* SPDX-License-Identifier: Apache-2.0 */
/* HELLO: who may join, and who has not. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/session_state.h"

enum { SESSION_NAMED_MAX = 5 };

/* Refuse a host of this job and remember why, for the case that it will be
 * missed in the end. */
static void session_refuse_host(struct session *s, uint32_t host,
                                const struct session_event *event,
                                enum status status)
{
    struct session_member *h = &s->hosts[host];
    char *reason = mem_copy(buf_text(&s->reason));

    session_send_refuse(s, event->peer, status, "%s", reason);
    if (h->phase == WIRE_PHASE_ABSENT) {
        free(h->reason);
        h->reason = reason;
    } else {
        free(reason);
    }
}

/* Write to s->reason what speaks against @hello; OK: nothing. */
static enum status session_judge_hello(struct session *s, uint32_t host,
                                       const struct wire_hello *hello,
                                       uint64_t wall_ms)
{
    const char *name = s->hosts[host].name;
    bool is_ahead = hello->wall_ms > wall_ms;
    uint64_t skew_ms =
        is_ahead ? hello->wall_ms - wall_ms : wall_ms - hello->wall_ms;

    buf_clear(&s->reason);
    if (hello->host_count != s->host_count) {
        buf_print(&s->reason, "host %s was told of %llu hosts, %s of %u", name,
                  (unsigned long long)hello->host_count, s->leader,
                  (unsigned)s->host_count);
        return STATUS_INVALID;
    }
    if (skew_ms > s->skew_max_ms) {
        buf_print(&s->reason,
                  "the clock of host %s is %llu.%03llu s %s that of %s; set "
                  "the clocks, or allow more skew",
                  name, (unsigned long long)(skew_ms / 1000),
                  (unsigned long long)(skew_ms % 1000),
                  is_ahead ? "ahead of" : "behind", s->leader);
        return STATUS_SKEW;
    }
    return STATUS_OK;
}

/* The same for a process that is new to us. */
static enum status session_judge_new(struct session *s, uint32_t host,
                                     const struct session_event *event)
{
    const struct session_member *h = &s->hosts[host];
    uint64_t silent_ms = s->now_ms - h->heard_ms;
    bool is_awaited = h->phase == WIRE_PHASE_ABSENT && h->incarnation != NULL;
    bool is_here = is_awaited ||
                   (h->phase != WIRE_PHASE_ABSENT &&
                    h->phase != WIRE_PHASE_DONE && h->phase != WIRE_PHASE_LOST);

    buf_clear(&s->reason);
    if (is_here && silent_ms < s->host_timeout_ms) {
        buf_print(&s->reason,
                  "host %s takes part already, in another process, heard of "
                  "%llu ms ago",
                  h->name, (unsigned long long)silent_ms);
        return STATUS_CLAIMED;
    }
    if (s->is_resumed && h->phase == WIRE_PHASE_ABSENT) {
        return session_judge_hello(s, host, &event->message->hello,
                                   event->wall_ms);
    }
    if (s->phase >= SESSION_ENDING) {
        buf_print(&s->reason, "the job is over already: %s",
                  s->outcome.reason != NULL ? s->outcome.reason : "success");
        return STATUS_REFUSED;
    }
    if (s->phase != SESSION_JOINING ? !session_may_return(s, host)
                                    : h->phase == WIRE_PHASE_DONE) {
        buf_print(&s->reason, "the job has begun without this launch of %s",
                  h->name);
        return STATUS_REFUSED;
    }
    return session_judge_hello(s, host, &event->message->hello, event->wall_ms);
}

bool session_may_return(const struct session *s, uint32_t host)
{
    const struct session_member *h = &s->hosts[host];

    return s->keeps_on_failure && s->shares != NULL &&
           s->phase < SESSION_ENDING && h->phase == WIRE_PHASE_LOST;
}

/* What speaks against @host, if it is out. */
static bool session_blame(struct session *s, uint32_t host)
{
    const struct session_member *h = &s->hosts[host];
    bool is_lost = h->phase == WIRE_PHASE_LOST;

    if (!is_lost && (h->phase != WIRE_PHASE_DONE || h->exit_code == 0)) {
        return false;
    }
    s->outcome.status = STATUS_LOST;
    if (!is_lost) {
        s->outcome.status =
            h->status == STATUS_OK ? STATUS_PEER_FAILED : h->status;
    }
    s->outcome.exit_code =
        is_lost ? status_exit_code(STATUS_LOST) : h->exit_code;
    s->outcome.host = host;
    s->outcome.reason = mem_copy(
        h->reason != NULL ? h->reason : status_text(s->outcome.status));
    return true;
}

void session_find_blame(struct session *s)
{
    CHECK(s->outcome.status == STATUS_OK);
    for (uint32_t i = 0; i < s->host_count && !session_blame(s, i); i++) {
    }
}

/* A host that was lost is back: that is no failure any more, unless the job
 * has ended by it. */
static void session_forgive(struct session *s, uint32_t host)
{
    if (s->phase < SESSION_ENDING && s->outcome.host == host &&
        s->outcome.status == STATUS_LOST) {
        free(s->outcome.reason);
        s->outcome.reason = NULL;
        s->outcome.status = STATUS_OK;
        s->outcome.exit_code = 0;
        s->outcome.host = SESSION_NO_HOST;
        session_find_blame(s);
    }
}

/* Where a process stands that says so when it comes. */
static enum wire_phase session_said_phase(const struct session *s,
                                          const struct wire_hello *hello)
{
    bool is_known = s->shares != NULL || s->has_ended;

    return is_known && hello->phase > WIRE_PHASE_JOINED &&
                   hello->phase < WIRE_PHASE_DONE
               ? (enum wire_phase)hello->phase
               : WIRE_PHASE_JOINED;
}

void session_hear(struct session *s, uint32_t host)
{
    struct session_member *h = &s->hosts[host];

    h->heard_ms = s->now_ms;
    if (h->phase == WIRE_PHASE_LOST) {
        CHECK(s->phase == SESSION_JOINING);
        session_set_phase(s, host, WIRE_PHASE_JOINED);
        free(h->reason);
        h->reason = NULL;
    }
}

void session_refuse_lost(struct session *s, uint32_t host, uint64_t peer)
{
    const struct session_member *h = &s->hosts[host];

    session_send_refuse(s, peer, STATUS_LOST, "host %s has been given up: %s",
                        h->name,
                        h->reason != NULL ? h->reason : "it never came");
}

static void session_admit(struct session *s, uint32_t host,
                          const struct session_event *event)
{
    struct session_member *h = &s->hosts[host];
    const struct wire_hello *hello = &event->message->hello;

    free(h->incarnation);
    free(h->reason);
    h->reason = NULL;
    h->incarnation =
        mem_copy_text(hello->incarnation.at, hello->incarnation.size);
    h->attempt = hello->attempt;
    h->ranks = hello->ranks;
    h->weight = hello->weight;
    h->beat = 0;
    h->progress_count = 0;
    h->stream_count = 0;
    session_bind(s, host, event->peer);
    session_set_phase(s, host, session_said_phase(s, hello));
    session_forgive(s, host);
    h->heard_ms = s->now_ms;
    session_notify(s, host, SESSION_NEWS_ENTER);
    session_send_welcome(s, host);
}

/* The process that we know, perhaps through a new connection. */
static void session_greet_again(struct session *s, uint32_t host,
                                const struct session_event *event)
{
    struct session_member *h = &s->hosts[host];

    if (h->phase == WIRE_PHASE_LOST && s->phase != SESSION_JOINING) {
        if (!session_may_return(s, host)) {
            session_refuse_lost(s, host, event->peer);
            return;
        }
        free(h->reason);
        h->reason = NULL;
        session_set_phase(s, host,
                          session_said_phase(s, &event->message->hello));
        session_forgive(s, host);
    }
    session_bind(s, host, event->peer);
    session_hear(s, host);
    session_send_welcome(s, host);
}

/* The very process that an earlier coordinator has let in. */
static bool session_is_awaited(const struct session *s, uint32_t host,
                               const struct wire_hello *hello)
{
    const struct session_member *h = &s->hosts[host];

    return h->phase == WIRE_PHASE_ABSENT && h->incarnation != NULL &&
           bytes_is(hello->incarnation, h->incarnation);
}

void session_take_hello(struct session *s, const struct session_event *event)
{
    const struct wire_hello *hello = &event->message->hello;
    uint32_t host = session_find_name(s, hello->host);
    enum status status;

    if (host == SESSION_NO_HOST) {
        session_send_refuse(s, event->peer, STATUS_REFUSED,
                            "host %.*s is not among the job's %u hosts",
                            (int)hello->host.size, hello->host.at,
                            (unsigned)s->host_count);
        return;
    }
    if (s->hosts[host].incarnation != NULL &&
        s->hosts[host].phase != WIRE_PHASE_ABSENT &&
        bytes_is(hello->incarnation, s->hosts[host].incarnation)) {
        session_greet_again(s, host, event);
        return;
    }
    session_scan_host(s, host); /* It may be that nobody has looked since. */
    status = session_is_awaited(s, host, hello)
                 ? STATUS_OK
                 : session_judge_new(s, host, event);
    if (status != STATUS_OK) {
        session_refuse_host(s, host, event, status);
    } else {
        session_admit(s, host, event);
    }
}

void session_name_missing(const struct session *s, struct buf *out)
{
    uint32_t missing =
        s->in_phase[WIRE_PHASE_ABSENT] + s->in_phase[WIRE_PHASE_LOST];
    uint32_t named = 0;

    buf_print(out,
              "%u of %u hosts did not come within %llu s: ", (unsigned)missing,
              (unsigned)s->host_count,
              (unsigned long long)(s->join_timeout_ms / 1000));
    for (uint32_t i = 0; i < s->host_count && named < SESSION_NAMED_MAX; i++) {
        const struct session_member *h = &s->hosts[i];

        if (h->phase != WIRE_PHASE_ABSENT && h->phase != WIRE_PHASE_LOST) {
            continue;
        }
        buf_print(out, "%s%s", named++ == 0 ? "" : ", ", h->name);
        if (h->reason != NULL) {
            buf_print(out, " (%s%.200s)",
                      h->phase == WIRE_PHASE_ABSENT ? "refused: " : "",
                      h->reason);
        }
    }
    if (missing > named) {
        buf_print(out, " and %u more", (unsigned)(missing - named));
    }
}
