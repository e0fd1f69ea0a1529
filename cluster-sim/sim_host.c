/* SPDX-License-Identifier: Apache-2.0 */
/* One host's process: its cores, fed with what comes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cluster-sim/sim_parts.h"

enum { SIM_LINGER_MS = 3000 };

uint64_t sim_host_ms(const struct sim *s, const struct sim_host *h)
{
    return sim_watch_ms(&h->watch, sim_now_us(s));
}

static void sim_host_arm(struct sim *s, struct sim_host *h,
                         enum sim_timer which)
{
    struct sim_alarm *a = &h->alarms[which];
    uint64_t at_us = sim_watch_when(&h->watch, sim_now_us(s), a->want_ms);

    if (at_us < a->armed_us) {
        a->armed_us = at_us;
        sim_clock_add(s->clock,
                      (struct sim_event){.kind = SIM_TIMER,
                                         .at_us = at_us,
                                         .node = h->number,
                                         .arg = h->process << 8 | which});
    }
}

void sim_host_alarm(struct sim *s, struct sim_host *h, enum sim_timer which,
                    uint64_t at_ms)
{
    h->alarms[which].want_ms = at_ms;
    sim_host_arm(s, h, which);
}

bool sim_host_acts(const struct sim *s, const struct sim_host *h)
{
    return h->is_up && term_state(h->term) == TERM_LEADING &&
           sim_host_ms(s, h) < term_until_ms(h->term);
}

/* ---- The lease. ---- */

static const char *sim_host_term_word(enum term_state state)
{
    static const char *const words[] = {"looking", "following", "leading",
                                        "suspended", "released"};

    CHECK(state <= TERM_RELEASED);
    return words[state];
}

static void sim_host_term_ask(struct sim *s, struct sim_host *h,
                              const struct term_effects *fx)
{
    struct sim_store_request r = {
        .node = h->number,
        .process = h->process,
        .tag = SIM_TAG_TERM,
        .key = SIM_STORE_LEASE,
        .op = fx->request == TERM_DO_READ ? SIM_STORE_GET : SIM_STORE_PUT,
        .body = {fx->body, fx->body_size},
    };

    if (fx->request == TERM_DO_WRITE) {
        r.when = fx->is_create ? SIM_IF_ABSENT : SIM_IF_MATCH;
        r.etag = fx->etag;
    }
    if (fx->request != TERM_DO_NOTHING) {
        sim_store_ask(s->store, &r);
    }
}

static void sim_host_term_changed(struct sim *s, struct sim_host *h)
{
    const struct term_lease *lease = term_lease(h->term);
    enum term_state state = term_state(h->term);

    sim_say(s, h->number, "%s term=%" PRIu64 " of %s",
            sim_host_term_word(state), lease->term,
            lease->host[0] == '\0' ? "nobody" : lease->host);
    if (state == TERM_LEADING && lease->term > s->last_term) {
        s->last_term = lease->term;
        s->terms++;
        h->reign_steps = 0;
    }
    if (state == TERM_LEADING && s->options.model == SIM_MODEL_JOURNAL) {
        sim_log_lead(s, h);
    } else if (state == TERM_LEADING && s->options.model == SIM_MODEL_JOB) {
        sim_lead_begin(s, h);
    }
    if (state == TERM_FOLLOWING && !s->is_stubborn) {
        sim_lead_destroy(&h->lead);
    }
    if ((state == TERM_LEADING || state == TERM_FOLLOWING) &&
        s->options.model == SIM_MODEL_JOB) {
        sim_work_follow(s, h);
    }
    if (state == TERM_FOLLOWING && s->options.model <= SIM_MODEL_JOURNAL &&
        !lease->is_released) {
        term_enter_run(h->term, lease->run);
        sim_host_alarm(s, h, SIM_TIMER_TERM, sim_host_ms(s, h));
    }
}

static void sim_host_term_step(struct sim *s, struct sim_host *h,
                               struct term_event *event)
{
    enum term_state before = term_state(h->term);
    uint64_t term = term_lease(h->term)->term;
    bool was_released = term_lease(h->term)->is_released;
    struct term_effects fx = {.request = TERM_DO_NOTHING};

    event->now_ms = sim_host_ms(s, h);
    term_step(h->term, event, &fx);
    term_check(h->term);
    sim_host_alarm(s, h, SIM_TIMER_TERM, fx.timer_ms);
    sim_host_term_ask(s, h, &fx);
    if (term_state(h->term) != before || term_lease(h->term)->term != term ||
        term_lease(h->term)->is_released != was_released) {
        sim_host_term_changed(s, h);
    }
}

static void sim_host_term_stored(struct sim *s, struct sim_host *h,
                                 const struct sim_store_call *c)
{
    struct term_event event = {
        .type = c->op == SIM_STORE_GET ? TERM_EVENT_READ : TERM_EVENT_WRITTEN,
        .status = c->status,
        .etag = c->status == STATUS_OK ? c->etag : NULL,
        .body = {c->body, c->size},
    };

    sim_host_term_step(s, h, &event);
}

/* ---- The journal's requests. ---- */

void sim_host_ask(struct sim *s, struct sim_host *h, const char *folder,
                  const struct journal_request *r)
{
    char key[SIM_KEY_MAX];
    struct sim_store_request request = {
        .node = h->number,
        .process = h->process,
        .tag = SIM_TAG_LEAD | (h->leads & 0xffff) << 8 | (uint64_t)r->tag << 32,
        .key = key,
        .etag = r->etag,
        .body = r->body,
    };

    snprintf(key, sizeof(key), "%s%s", folder, r->key);
    switch (r->ask) {
    case JOURNAL_GET:
        request.op = SIM_STORE_GET;
        break;
    case JOURNAL_CREATE:
        request.op = SIM_STORE_PUT;
        request.when = SIM_IF_ABSENT;
        break;
    case JOURNAL_REPLACE:
        request.op = SIM_STORE_PUT;
        request.when = SIM_IF_MATCH;
        break;
    case JOURNAL_WRITE:
        request.op = SIM_STORE_PUT;
        break;
    case JOURNAL_DELETE:
        request.op = SIM_STORE_DELETE;
        break;
    }
    sim_store_ask(s->store, &request);
}

/* ---- Life. ---- */

uint64_t sim_host_wall_ms(const struct sim *s, const struct sim_host *h)
{
    return (
        uint64_t)((int64_t)(UINT64_C(1700000000000) + sim_now_us(s) / 1000) +
                  h->wall_ms);
}

void sim_host_expel(struct sim *s, struct sim_host *h)
{
    sim_clock_add(s->clock, (struct sim_event){.kind = SIM_EXPEL,
                                               .at_us = sim_now_us(s),
                                               .node = h->number,
                                               .arg = h->process});
}

void sim_host_exit(struct sim *s, struct sim_host *h)
{
    if (!h->is_exiting) {
        h->is_exiting = true;
        sim_clock_add(
            s->clock,
            (struct sim_event){.kind = SIM_EXIT,
                               .at_us = sim_now_us(s) + SIM_LINGER_MS * 1000,
                               .node = h->number,
                               .arg = h->process});
    }
}

void sim_host_release(struct sim *s, struct sim_host *h)
{
    sim_host_term_step(s, h, &(struct term_event){.type = TERM_EVENT_RELEASE});
}

static struct term *sim_host_new_term(struct sim *s, struct sim_host *h)
{
    char host[16];
    char run[TERM_RUN_SIZE + 1];
    char endpoint[SIM_ENDPOINT_MAX];
    uint64_t high = prng_next(&s->prng);
    uint64_t low = prng_next(&s->prng);

    snprintf(host, sizeof(host), "h%" PRIu32, h->number);
    snprintf(run, sizeof(run), "%016" PRIx64 "%016" PRIx64, high, low);
    sim_net_endpoint(s->net, h->number, endpoint);
    return term_new(&(struct term_options){
        .host = host,
        .endpoint = endpoint,
        .run = run,
        .number = h->number,
        .host_count = s->options.hosts,
        .heartbeat_ms = s->heartbeat_ms,
        .nonce_seed = high ^ prng_mix(low),
        .may_succeed = true,
    });
}

void sim_host_start(struct sim *s, struct sim_host *h)
{
    CHECK(!h->is_up);
    h->is_up = true;
    h->process++;
    h->paused_until_us = 0;
    h->is_done = false;
    h->is_exiting = false;
    for (uint32_t i = 0; i < SIM_TIMERS; i++) {
        h->alarms[i] = (struct sim_alarm){SIM_NEVER, SIM_NEVER};
    }
    sim_net_up(s->net, h->number);
    sim_say(s, h->number, "starts, process %" PRIu64, h->process);
    h->term = sim_host_new_term(s, h);
    sim_host_alarm(s, h, SIM_TIMER_TERM, 0);
}

void sim_host_free(struct sim_host *h)
{
    term_destroy(&h->term);
    sim_log_destroy(&h->log);
    sim_lead_destroy(&h->lead);
    sim_work_destroy(&h->work);
}

void sim_host_die(struct sim *s, struct sim_host *h)
{
    CHECK(h->is_up);
    sim_say(s, h->number, "%s", h->has_ended ? "ends" : "dies");
    sim_net_down(s->net, h->number);
    sim_host_free(h);
    h->is_up = false;
    h->paused_until_us = 0;
}

static void sim_host_timer(struct sim *s, struct sim_host *h,
                           const struct sim_event *e)
{
    enum sim_timer which = (enum sim_timer)(e->arg & 0xff);
    struct sim_alarm *a = &h->alarms[which];

    if (e->arg >> 8 != h->process || e->at_us != a->armed_us) {
        return;
    }
    a->armed_us = SIM_NEVER;
    if (sim_host_ms(s, h) < a->want_ms) {
        sim_host_arm(s, h, which);
        return;
    }
    a->want_ms = SIM_NEVER;
    switch (which) {
    case SIM_TIMER_TERM:
        sim_host_term_step(s, h,
                           &(struct term_event){.type = TERM_EVENT_TIMER});
        break;
    case SIM_TIMER_LEAD:
        sim_lead_timer(s, h);
        sim_log_timer(s, h, which);
        break;
    case SIM_TIMER_LOAD:
        sim_log_timer(s, h, which);
        break;
    case SIM_TIMER_AGENT:
    case SIM_TIMER_WORK:
        sim_work_timer(s, h, which);
        break;
    case SIM_TIMERS:
        UNREACHABLE("no such timer");
    }
}

static void sim_host_answer(struct sim *s, struct sim_host *h,
                            struct sim_event *e)
{
    struct sim_store_call *c = sim_store_answer(s->store, e);

    if (!h->is_up || c->process != h->process) {
        sim_store_done(c);
        return;
    }
    if ((c->tag & 0xff) == SIM_TAG_TERM) {
        sim_host_term_stored(s, h, c);
    } else if ((c->tag >> 8 & 0xffff) == h->leads && h->log != NULL) {
        sim_log_stored(s, h, c);
    } else if ((c->tag >> 8 & 0xffff) == h->leads) {
        sim_lead_stored(s, h, c);
    }
    sim_store_done(c);
}

static void sim_host_packet(struct sim *s, struct sim_host *h,
                            struct sim_event *e)
{
    struct sim_packet *p = sim_net_take(s->net, e);

    if (p == NULL) {
        return;
    }
    if (p->is_up) {
        sim_lead_packet(s, h, p->link, (struct bytes){p->at, p->size});
    } else {
        sim_work_packet(s, h, (struct bytes){p->at, p->size});
    }
    free(p);
}

static void sim_host_deed(struct sim *s, struct sim_host *h, uint64_t arg)
{
    if (arg >> 48 != h->process) {
        return;
    }
    if ((arg >> 40 & 0xff) == SIM_DEED_PREPARED) {
        sim_lead_deed(s, h, arg);
    } else if (h->work != NULL) {
        sim_work_deed(s, h, arg);
    }
}

static void sim_host_crash(struct sim *s, struct sim_host *h)
{
    sim_host_die(s, h);
    sim_clock_add(
        s->clock,
        (struct sim_event){.kind = SIM_START,
                           .at_us = sim_now_us(s) + 1000 * sim_below(s, 20000),
                           .node = h->number});
}

static void sim_host_take(struct sim *s, struct sim_host *h,
                          struct sim_event *e)
{
    switch ((enum sim_kind)e->kind) {
    case SIM_TIMER:
        sim_host_timer(s, h, e);
        break;
    case SIM_PACKET:
        sim_host_packet(s, h, e);
        break;
    case SIM_DEED:
        sim_host_deed(s, h, e->arg);
        break;
    case SIM_EXPEL:
        if (e->arg == h->process) {
            sim_host_crash(s, h);
        }
        break;
    case SIM_EXIT:
        if (e->arg == h->process) {
            h->has_ended = true;
            sim_host_die(s, h);
        }
        break;
    case SIM_ANSWER:
    case SIM_START:
    case SIM_WAKE:
    case SIM_EFFECT:
    case SIM_RESUME:
    case SIM_INCIDENT:
    case SIM_CALM:
    case SIM_KINDS:
        UNREACHABLE("not a process's");
    }
}

void sim_host_event(struct sim *s, struct sim_host *h, struct sim_event *e)
{
    bool acts;

    if (e->kind == SIM_ANSWER) {
        sim_host_answer(s, h, e);
    } else if (h->is_up) {
        sim_host_take(s, h, e);
    } else if (e->kind == SIM_PACKET) {
        free(sim_net_take(s->net, e));
    }
    acts = sim_host_acts(s, h);
    if (s->options.model != SIM_MODEL_JOB) {
        h->reign_steps += acts;
    }
    if (acts && s->kill_after != 0 && h->reign_steps >= s->kill_after) {
        s->kill_after = 0;
        sim_host_crash(s, h);
    }
    if (h->is_up && h->is_done && !sim_lead_is_at_work(h)) {
        sim_host_exit(s, h);
    }
}
