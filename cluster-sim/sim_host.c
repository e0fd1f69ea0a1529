/* SPDX-License-Identifier: Apache-2.0 */
/* One host's process: its cores, fed with what comes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cluster-sim/sim_world.h"

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
    struct term_effects fx = {.request = TERM_DO_NOTHING};

    event->now_ms = sim_host_ms(s, h);
    term_step(h->term, event, &fx);
    term_check(h->term);
    sim_host_alarm(s, h, SIM_TIMER_TERM, fx.timer_ms);
    sim_host_term_ask(s, h, &fx);
    if (term_state(h->term) != before || term_lease(h->term)->term != term) {
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
}

void sim_host_die(struct sim *s, struct sim_host *h)
{
    CHECK(h->is_up);
    sim_say(s, h->number, "dies");
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
    if (which == SIM_TIMER_TERM) {
        sim_host_term_step(s, h,
                           &(struct term_event){.type = TERM_EVENT_TIMER});
    } else {
        sim_log_timer(s, h, which);
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
    } else if ((c->tag >> 8 & 0xffff) == h->leads) {
        sim_log_stored(s, h, c);
    }
    sim_store_done(c);
}

void sim_host_event(struct sim *s, struct sim_host *h, struct sim_event *e)
{
    bool acts;

    if (e->kind == SIM_ANSWER) {
        sim_host_answer(s, h, e);
    } else if (e->kind == SIM_PACKET) {
        free(sim_net_take(s->net, e));
    } else if (h->is_up) {
        sim_host_timer(s, h, e);
    }
    acts = sim_host_acts(s, h);
    h->reign_steps += acts;
    if (acts && s->kill_after != 0 && h->reign_steps >= s->kill_after) {
        s->kill_after = 0;
        sim_host_die(s, h);
        sim_clock_add(s->clock,
                      (struct sim_event){.kind = SIM_START,
                                         .at_us = sim_now_us(s) +
                                                  1000 * sim_below(s, 20000),
                                         .node = h->number});
    }
}
