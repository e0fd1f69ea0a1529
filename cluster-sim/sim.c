/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster-sim/sim_parts.h"

enum {
    SIM_EVENTS_MAX = 5000000,
    SIM_CALM_MAX_S = 4000, /* The job has to end within this. */
};

const char *sim_mode_word(enum sim_mode m)
{
    static const char *const words[] = {
#define X(name, word) word,
        SIM_MODE_MAP(X)
#undef X
    };

    CHECK(m < SIM_MODES);
    return words[m];
}

const char *sim_model_word(enum sim_model m)
{
    static const char *const words[] = {
#define X(name, word, text) word,
        SIM_MODEL_MAP(X)
#undef X
    };

    CHECK(m < SIM_MODELS);
    return words[m];
}

uint64_t sim_now_us(const struct sim *s)
{
    return sim_clock_now_us(s->clock);
}

uint64_t sim_below(struct sim *s, uint64_t bound)
{
    return prng_below(&s->prng, bound);
}

void sim_broken(struct sim *s, const char *format, ...)
{
    char text[FAULT_TEXT_MAX / 2];
    va_list args;

    if (s->why.text[0] != '\0') {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)fault_set(&s->why, STATUS_INTERNAL,
                    "at %" PRIu64 ".%03" PRIu64 " s: %s",
                    sim_now_us(s) / 1000000, sim_now_us(s) / 1000 % 1000, text);
    sim_say(s, SIM_NOBODY, "BROKEN: %s", text);
}

/* ---- Making a world. ---- */

/* What the options leave open. Each is drawn, so that giving one does not
 * change the others. */
static void sim_draw_options(struct sim *s)
{
    struct sim_options *o = &s->options;
    uint64_t shape = sim_below(s, 16);
    uint64_t small = 2 + sim_below(s, 5);
    uint64_t large = 7 + sim_below(s, 18);
    uint64_t ranks = 1 + sim_below(s, 3);
    uint64_t units = 1 + sim_below(s, 240);
    uint64_t storm_ms = 5000 + sim_below(s, 40000);

    if (o->hosts == 0) {
        o->hosts = (uint32_t)(shape == 0 ? large : shape == 1 ? 1 : small);
    }
    o->ranks = o->ranks == 0 ? (uint32_t)ranks : o->ranks;
    o->units = o->units == 0 ? units : o->units;
    o->storm_ms = o->storm_ms == 0 ? storm_ms : o->storm_ms;
    CHECK(o->hosts <= SIM_NODES_MAX);
}

/* Units take so long that the job lasts for a good part of the storm. */
static void sim_draw_pace(struct sim *s)
{
    uint64_t lasts_ms = 1000 + sim_below(s, 40000);
    uint64_t each =
        s->options.units * s->epochs / (s->options.hosts * s->options.ranks);

    s->unit_ms = 2 * lasts_ms / (each + 1);
    s->unit_ms = s->unit_ms < 4 ? 4 : s->unit_ms > 4000 ? 4000 : s->unit_ms;
}

/* How the job is dealt, and how fast it goes. */
static void sim_draw_job(struct sim *s)
{
    static const enum sim_mode modes[] = {SIM_MODE_DYNAMIC, SIM_MODE_DYNAMIC,
                                          SIM_MODE_STEPPED, SIM_MODE_STATIC};

    s->heartbeat_ms = 1000;
    s->gap_ms = 1 + sim_below(s, 50);
    s->snapshot_bytes = 200 + sim_below(s, 8000);
    s->host_timeout_ms = 3000 + sim_below(s, 6000);
    s->run_ms = 100 + sim_below(s, 3000);
    s->run_ms *= sim_below(s, 4) == 0 ? 20 : 1; /* Some outlive their host. */
    s->run_units = 1 + sim_below(s, 30);
    s->ahead_units = 1 + sim_below(s, 4);
    s->channels = 1 + (uint32_t)(sim_below(s, 5) == 0);
    for (uint32_t i = 0; i < SIM_CHANNELS_MAX; i++) {
        s->modes[i] = modes[sim_below(s, 4)];
    }
    if (s->options.mode != SIM_MODE_ANY) {
        s->modes[0] = s->options.mode;
    }
    s->epochs = 1 + sim_below(s, 3);
    s->step_units = 1 + sim_below(s, 40);
    s->skips = sim_below(s, 20);
    s->poison = sim_below(s, 3) == 0 ? 5 + sim_below(s, 100) : 0;
    s->acks_early = sim_below(s, 4) == 0;
    s->keeps_on_failure = sim_below(s, 8) != 0;
    s->stops_early = sim_below(s, 8) == 0;
    s->is_stubborn = sim_below(s, 4) == 0;
    sim_draw_pace(s);
    for (uint32_t i = 0; i < s->nodes; i++) {
        s->hosts[i].ranks = 1 + (uint32_t)sim_below(s, s->options.ranks);
        s->hosts[i].weight = 50 + (uint32_t)sim_below(s, 100);
    }
}

/* What a story wants otherwise. */
static void sim_tell_story(struct sim *s, const struct sim_story *story)
{
    memset(&s->plan, 0, sizeof(s->plan));
    memset(&s->weather, 0, sizeof(s->weather));
    s->plan.storm_us = story->storm_ms * 1000 + 1;
    s->plan.count = story->count;
    for (uint32_t i = 0; i < story->count; i++) {
        s->plan.incidents[i] = story->incidents[i];
    }
    for (uint32_t i = 0; i < story->hosts; i++) {
        s->plan.late_us[i] = 1000 + 100000 * i;
        s->hosts[i].ranks = 1;
        s->hosts[i].weight = 100;
    }
    s->hosts_next = story->hosts_next;
    s->trace.is_brief = true;
    s->hides_units = !story->shows_units;
    s->gap_ms = 20;
    s->snapshot_bytes = 1 << 20;
    s->host_timeout_ms = 4000;
    s->run_ms = 1000;
    s->run_units = 10;
    s->ahead_units = 2;
    s->channels = 1;
    s->modes[0] = story->step_units > 0 ? SIM_MODE_STEPPED : SIM_MODE_DYNAMIC;
    s->epochs = story->epochs > 0 ? story->epochs : 1;
    s->step_units = story->step_units;
    s->skips = 3;
    s->acks_early = false;
    s->keeps_on_failure = true;
    s->stops_early = false;
    s->is_stubborn = true;
}

static bool sim_uses(const struct sim *s, enum sim_fault f)
{
    return (s->plan.faults & SIM_FAULT_BIT(f)) != 0;
}

/* A static channel is dealt by another order when it is resumed. */
static void sim_make_resumable(struct sim *s)
{
    uint64_t more = sim_below(s, 4);
    uint64_t nodes = s->options.hosts + more;

    s->nodes = (uint32_t)(nodes < SIM_NODES_MAX ? nodes : SIM_NODES_MAX);
    s->hosts_next = 1 + (uint32_t)sim_below(s, s->nodes);
    for (uint32_t i = 0; i < s->channels; i++) {
        s->modes[i] =
            s->modes[i] == SIM_MODE_STATIC ? SIM_MODE_DYNAMIC : s->modes[i];
    }
    for (uint32_t i = s->options.hosts; i < s->nodes; i++) {
        s->hosts[i].has_left = true; /* Until then. */
    }
}

static void sim_add_plan(struct sim *s)
{
    for (uint32_t i = 0; i < s->nodes; i++) {
        s->hosts[i].number = i;
        s->hosts[i].watch.ppm = s->plan.ppm[i];
        s->hosts[i].watch.shown_us = 1000000 * sim_below(s, 1000);
        sim_clock_add(s->clock, (struct sim_event){.kind = SIM_START,
                                                   .at_us = s->plan.late_us[i],
                                                   .node = i});
    }
    for (uint32_t i = 0; i < s->plan.count; i++) {
        sim_clock_add(s->clock,
                      (struct sim_event){.kind = SIM_INCIDENT,
                                         .at_us = s->plan.incidents[i].at_us,
                                         .arg = i});
    }
    sim_clock_add(s->clock, (struct sim_event){.kind = SIM_CALM,
                                               .at_us = s->plan.storm_us});
}

static struct sim *sim_new(const struct sim_options *options)
{
    struct sim *s = mem_new(1, sizeof(*s));
    struct prng luck;
    bool has_fixed_ports;

    s->options = *options;
    prng_init(&s->prng, prng_mix(options->seed + 1));
    prng_init(&luck, prng_mix(~options->seed));
    sim_draw_options(s);
    s->nodes = s->options.hosts;
    sim_plan_draw(&luck, options->faults, s->options.hosts,
                  s->options.storm_ms * 1000, &s->plan);
    s->weather = s->plan.weather;
    sim_draw_job(s);
    if (sim_uses(s, SIM_FAULT_RESIZE)) {
        sim_make_resumable(s);
    }
    s->poison = sim_uses(s, SIM_FAULT_POISON) ? s->poison : 0;
    s->acks_early = s->acks_early && sim_uses(s, SIM_FAULT_PAIR);
    s->stops_early = s->stops_early && sim_uses(s, SIM_FAULT_STOP);
    s->kill_after = s->options.kill_at;
    has_fixed_ports = prng_chance(&s->prng, 1, 2);
    sim_trace_init(&s->trace, options->trace);
    if (options->story != NULL) {
        sim_tell_story(s, options->story);
    }
    s->clock = sim_clock_new();
    s->store = sim_store_new(&(struct sim_store_options){
        s->clock, &s->prng, &s->weather, SIM_EFFECT, SIM_ANSWER});
    s->net = sim_net_new(
        &(struct sim_net_options){s->clock, &s->prng, &s->weather, s->nodes,
                                  SIM_PACKET, has_fixed_ports});
    sim_add_plan(s);
    return s;
}

static void sim_destroy(struct sim **s)
{
    struct sim_event e;

    while (sim_clock_next((*s)->clock, &e) == STATUS_OK) {
        if (e.kind == SIM_EFFECT || e.kind == SIM_ANSWER) {
            sim_store_drop(&e);
        } else {
            free(e.data);
        }
    }
    for (uint32_t i = 0; i < (*s)->nodes; i++) {
        sim_host_free(&(*s)->hosts[i]);
    }
    sim_truth_destroy(&(*s)->truth);
    sim_truth_destroy(&(*s)->prior);
    for (uint32_t i = 0; i < SIM_CHANNELS_MAX; i++) {
        buf_fini(&(*s)->bases[i]);
    }
    sim_net_destroy(&(*s)->net);
    sim_store_destroy(&(*s)->store);
    sim_clock_destroy(&(*s)->clock);
    free(*s);
    *s = NULL;
}

/* ---- Running it. ---- */

static bool sim_is_for_process(enum sim_kind kind)
{
    return kind == SIM_TIMER || kind == SIM_ANSWER || kind == SIM_PACKET ||
           kind == SIM_DEED || kind == SIM_EXPEL || kind == SIM_EXIT;
}

/* When a process wakes, what has come is taken in the order of its loop:
 * messages, outcomes, then the time. The lease has a thread of its own. */
static uint64_t sim_wake_turn(const struct sim_host *h,
                              const struct sim_event *e)
{
    if (e->kind == SIM_PACKET) {
        return 0;
    }
    if (e->kind == SIM_TIMER && (e->arg & 0xff) != SIM_TIMER_TERM) {
        return 2;
    }
    return e->kind == SIM_TIMER ? h->process % 3 : 1;
}

/* A process that stands still takes nothing: what comes waits for its end. */
static void sim_put_off(struct sim *s, struct sim_host *h, struct sim_event *e)
{
    uint64_t at_us = h->paused_until_us + sim_wake_turn(h, e);
    struct sim_alarm *alarm;

    if (e->kind == SIM_TIMER) {
        alarm = &h->alarms[e->arg & 0xff];
        if (e->at_us != alarm->armed_us || e->arg >> 8 != h->process) {
            return;
        }
        alarm->armed_us = at_us;
    }
    e->at_us = at_us;
    sim_clock_add(s->clock, *e);
}

static void sim_take_effect(struct sim *s, struct sim_event *e)
{
    struct sim_store_call c;

    sim_store_effect(s->store, e, &c);
    if (c.took_effect && c.op == SIM_STORE_PUT) {
        sim_truth_stored(s, c.key);
        sim_note(s, c.node, "store: wrote %s%s", c.key,
                 c.is_lost ? ", and does not know" : "");
    }
}

static void sim_wake(struct sim *s, struct sim_host *h)
{
    if (h->paused_until_us != 0 && h->paused_until_us <= sim_now_us(s)) {
        h->paused_until_us = 0;
        sim_say(s, h->number, "wakes");
    }
}

static void sim_dispatch(struct sim *s, struct sim_event *e)
{
    struct sim_host *h = &s->hosts[e->node];

    if (sim_is_for_process((enum sim_kind)e->kind) && h->is_up &&
        h->paused_until_us != 0) {
        sim_put_off(s, h, e);
        return;
    }
    switch ((enum sim_kind)e->kind) {
    case SIM_START:
        h->has_ended = h->has_ended || sim_truth_is_ended(s);
        if (!h->is_up && !h->has_left && !h->has_ended) {
            sim_host_start(s, h);
        }
        break;
    case SIM_WAKE:
        sim_wake(s, h);
        break;
    case SIM_EFFECT:
        sim_take_effect(s, e);
        break;
    case SIM_TIMER:
    case SIM_ANSWER:
    case SIM_PACKET:
    case SIM_DEED:
    case SIM_EXPEL:
    case SIM_EXIT:
        sim_host_event(s, h, e);
        break;
    case SIM_INCIDENT:
        sim_strike(s, &s->plan.incidents[e->arg]);
        break;
    case SIM_RESUME:
        sim_strike_resume(s);
        break;
    case SIM_CALM:
        sim_strike_calm(s);
        break;
    case SIM_KINDS:
        UNREACHABLE("no such event");
    }
}

static void sim_play(struct sim *s)
{
    uint64_t limit_us = s->plan.storm_us + SIM_CALM_MAX_S * UINT64_C(1000000);
    struct sim_event e;

    while (s->why.text[0] == '\0' && !sim_judge_is_over(s)) {
        if (sim_clock_next(s->clock, &e) != STATUS_OK) {
            sim_broken(s, "nothing is left to happen, and the job not over");
            return;
        }
        s->events++;
        sim_dispatch(s, &e);
        sim_judge(s);
        if (sim_now_us(s) > limit_us || s->events > SIM_EVENTS_MAX) {
            sim_broken(s, "the job does not end");
        }
    }
}

enum status sim_run(const struct sim_options *options, struct fault *why,
                    struct sim_result *out)
{
    struct sim *s = sim_new(options);
    enum status status = STATUS_OK;

    sim_play(s);
    sim_truth_audit(s);
    out->hash = s->trace.hash;
    out->events = s->events;
    out->end_ms = sim_now_us(s) / 1000;
    out->terms = s->terms;
    if (s->why.text[0] != '\0') {
        if (options->trace == NULL) {
            sim_trace_tail(&s->trace, stderr);
        }
        status = fault_set(why, STATUS_INTERNAL, "%s", s->why.text);
    }
    sim_destroy(&s);
    return status;
}
