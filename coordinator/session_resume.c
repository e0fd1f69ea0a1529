/* SPDX-License-Identifier: Apache-2.0 */
/* What an earlier coordinator has left: hosts that had ended, and the job's
 * end. Whether the process of such a host still lives is not known. One that
 * does asks for END with its first beat. */
#include "base/check.h"
#include "base/line.h"
#include "base/mem.h"
#include "coordinator/session_state.h"

enum { SESSION_KEPT_BEATS = 2 };

/* Where one failure ends the job, its END has to reach those who run: that
 * host is awaited, and lost, as if nothing was known of it. */
static bool session_is_kept(const struct session *s, uint32_t host,
                            const struct session_options *o)
{
    const struct session_done *d = &o->done[host];

    return d->is_done && s->hosts[host].incarnation != NULL &&
           (d->exit_code == 0 || s->keeps_on_failure || o->ended != NULL);
}

static void session_resume_done(struct session *s, uint32_t host,
                                const struct session_done *done)
{
    struct session_member *h = &s->hosts[host];

    h->status = done->status;
    h->exit_code = done->exit_code;
    if (done->reason != NULL && done->reason[0] != '\0') {
        h->reason = mem_copy(done->reason);
        line_clean(h->reason, WIRE_TEXT_MAX);
    }
    h->is_kept = true;
    s->kept_count++;
    session_set_phase(s, host, WIRE_PHASE_DONE);
}

/* The job was over before this session began; who has not heard it yet will
 * ask. */
static void session_resume_end(struct session *s,
                               const struct session_outcome *ended)
{
    s->is_resumed = true;
    s->has_ended = true;
    s->is_end_kept = true;
    s->phase = s->in_phase[WIRE_PHASE_DONE] == s->host_count ? SESSION_OVER
                                                             : SESSION_ENDING;
    s->scan_ms = s->now_ms + s->heartbeat_ms;
    s->outcome.status = ended->status;
    s->outcome.exit_code = ended->exit_code;
    if (ended->status != STATUS_OK) {
        s->outcome.host = session_find_name(s, bytes_of(ended->host));
        s->outcome.reason = mem_copy(ended->reason);
    }
}

void session_resume(struct session *s, const struct session_options *o)
{
    bool is_known = o->resumed != NULL && o->done != NULL;

    s->kept_ms = s->now_ms + SESSION_KEPT_BEATS * s->heartbeat_ms;
    for (uint32_t i = 0; is_known && i < s->host_count; i++) {
        if (session_is_kept(s, i, o)) {
            session_resume_done(s, i, &o->done[i]);
        }
    }
    if (o->ended != NULL) {
        session_resume_end(s, o->ended);
    } else {
        session_find_blame(s);
    }
}

bool session_awaits_kept(const struct session *s)
{
    return s->kept_count > 0 && s->now_ms < s->kept_ms;
}
