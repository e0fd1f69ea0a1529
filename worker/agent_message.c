/* SPDX-License-Identifier: Apache-2.0 */
/* The coordinator's word. It is not trusted further than its format: what
 * comes at the wrong time is ignored. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/agent_state.h"

static void agent_take_welcome(struct agent *a, const struct wire_welcome *w)
{
    a->is_greeted = true;
    if (a->state != AGENT_JOINING) {
        return;
    }
    if (w->heartbeat_ms > 0 && w->host_timeout_ms > w->heartbeat_ms) {
        a->heartbeat_ms = w->heartbeat_ms;
        a->host_timeout_ms = w->host_timeout_ms;
    }
    a->beat_ms = a->now_ms;
    agent_enter(a, AGENT_WAITING);
}

static void agent_take_share(struct agent *a,
                             const struct wire_share_all *share,
                             struct agent_effects *fx)
{
    if (a->state != AGENT_WAITING) {
        return;
    }
    agent_keep_shares(a, share);
    a->is_bringing = true;
    fx->do_bring = &a->shares;
    agent_enter(a, AGENT_BRINGING);
}

static void agent_take_start(struct agent *a, struct agent_effects *fx)
{
    if (a->state == AGENT_READY) {
        fx->do_start = true;
        agent_enter(a, AGENT_RUNNING);
    }
}

static enum status agent_known_status(uint64_t status, enum status otherwise)
{
    return status > STATUS_OK && status <= STATUS_STOPPED ? (enum status)status
                                                          : otherwise;
}

/* A place that is CLAIMED may be that of our own earlier launch. */
static bool agent_may_wait_for(struct agent *a, enum status status)
{
    if (status != STATUS_CLAIMED || a->state != AGENT_JOINING) {
        return false;
    }
    if (a->claimed_ms == AGENT_NEVER) {
        a->claimed_ms = a->now_ms;
    }
    return a->now_ms - a->claimed_ms < a->host_timeout_ms + 2 * a->heartbeat_ms;
}

static void agent_take_refuse(struct agent *a, const struct wire_refuse *r,
                              struct agent_effects *fx)
{
    enum status status = agent_known_status(r->status, STATUS_REFUSED);

    if (agent_may_wait_for(a, status)) {
        return;
    }
    a->is_deaf = true;
    agent_stop(a,
               (struct agent_cause){
                   .status = status,
                   .exit_code = status_exit_code(status),
                   .yields = a->state >= AGENT_SAVING,
                   .text = mem_print("%s refused: %.*s", a->leader,
                                     (int)r->reason.size, r->reason.at),
               },
               fx);
}

/* The job has ended. Without a host's name it is the whole job that failed,
 * and all hosts end alike. */
static void agent_take_end(struct agent *a, const struct wire_end *end,
                           struct agent_effects *fx)
{
    enum status status = agent_known_status(end->status, STATUS_OK);
    struct agent_cause cause = {.yields = true};
    bool was_reporting = a->state == AGENT_REPORTING;

    if (end->host.size > 0) {
        bool is_own = a->command_code == 0 && bytes_is(end->host, a->host) &&
                      a->save_status != STATUS_OK;

        cause.status = is_own ? a->save_status : STATUS_PEER_FAILED;
        cause.text = mem_print("%.*s: %.*s", (int)end->host.size, end->host.at,
                               (int)end->reason.size, end->reason.at);
    } else if (status != STATUS_OK) {
        cause.status = status;
        cause.text = mem_copy_text(end->reason.at, end->reason.size);
    } else if (a->state < AGENT_SAVING) {
        cause.status = STATUS_PEER_FAILED;
        cause.text = mem_print("%s ended the job early", a->leader);
    }
    cause.exit_code = status_exit_code(cause.status);
    if (cause.status != STATUS_OK) {
        agent_stop(a, cause, fx);
    }
    if (was_reporting) {
        agent_finish(a, fx);
    }
}

void agent_take_message(struct agent *a, const struct wire_message *m,
                        struct agent_effects *fx)
{
    if (m->term != a->term) {
        return;
    }
    a->asked_ms = AGENT_NEVER;
    if (m->type == WIRE_WELCOME) {
        agent_take_welcome(a, &m->welcome);
    } else if (m->type == WIRE_SHARE) {
        agent_take_share(a, &m->share, fx);
    } else if (m->type == WIRE_START) {
        agent_take_start(a, fx);
    } else if (m->type == WIRE_PULSE) {
        fx->has_rate = true;
        fx->rate = m->pulse.rate;
    } else if (m->type == WIRE_REFUSE) {
        agent_take_refuse(a, &m->refuse, fx);
    } else if (m->type == WIRE_END) {
        agent_take_end(a, &m->end, fx);
    }
}
