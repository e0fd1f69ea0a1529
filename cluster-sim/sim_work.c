/* SPDX-License-Identifier: Apache-2.0 */
/* A host's work: the agent with its command, whose ranks ask the holders for
 * units, consume them in a random time each, and say so. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster-sim/sim_parts.h"
#include "proto/work.h"
#include "worker/agent.h"

enum {
    SIM_UNITS_MAX = 3, /* A rank has so many in hand at most. */
    SIM_SENT_MAX = 64,
    SIM_BRING_MS = 1500,
    SIM_SAVE_MS = 300,
    SIM_STOP_MS = 400,
    SIM_STORY_UNIT_MS = 200,
};

/* A unit that a rank works on. */
struct sim_unit {
    bool is_open;
    uint64_t number; /* Of its event. */
    struct holder_unit unit;
};

struct sim_rank {
    struct sim_unit units[SIM_UNITS_MAX];
    bool is_over; /* Has read the end of the stream. */
    bool has_last;
    uint64_t last_epoch;
    uint64_t last; /* Position handed last, of a lease that is not late. */
};

/* One dynamic channel. What the holder was told is kept for who judges. */
struct sim_channel {
    uint32_t number;
    struct holder *holder;
    struct sim_rank ranks[WORK_WANTS_MAX];
    uint64_t sent_ms[SIM_SENT_MAX]; /* Of WORK seq, modulo. */
    uint64_t grant_seq;
    uint64_t grant_epoch;
    uint64_t valid_ms; /* Its leases are believed in until then. */
    struct grant_lease leases[WORK_LEASES_MAX];
    uint32_t lease_count;
};

struct sim_work {
    char run[TERM_RUN_SIZE + 1];
    uint64_t term;
    struct agent *agent;
    struct sim_channel *channels[WIRE_CHANNELS_MAX];
    uint32_t channel_count;
    bool is_bringing;
    bool is_running; /* The command. */
    bool has_exited;
    uint64_t next_unit;
    uint64_t unit_ms; /* A unit takes so long at most. */
    uint32_t depth;
    struct buf encoded;
};

static void sim_work_step(struct sim *s, struct sim_host *h,
                          struct agent_event *event);

static void sim_work_free_channels(struct sim_work *w)
{
    for (uint32_t i = 0; i < w->channel_count; i++) {
        holder_destroy(&w->channels[i]->holder);
        free(w->channels[i]);
    }
    w->channel_count = 0;
}

void sim_work_destroy(struct sim_work **w)
{
    if (*w != NULL) {
        sim_work_free_channels(*w);
        agent_destroy(&(*w)->agent);
        buf_fini(&(*w)->encoded);
    }
    free(*w);
    *w = NULL;
}

/* Something of this process happens in @ms. */
static void sim_work_later(struct sim *s, const struct sim_host *h,
                           enum sim_deed deed, uint64_t ms, uint64_t arg)
{
    sim_clock_add(s->clock,
                  (struct sim_event){.kind = SIM_DEED,
                                     .at_us = sim_now_us(s) + ms * 1000,
                                     .node = h->number,
                                     .arg = h->process << 48 |
                                            (uint64_t)deed << 40 | arg});
}

static void sim_work_send(struct sim *s, struct sim_host *h,
                          const struct wire_message *m)
{
    struct sim_work *w = h->work;

    buf_clear(&w->encoded);
    wire_encode(m, &w->encoded);
    sim_net_send_up(s->net, h->number, buf_bytes(&w->encoded));
}

/* ---- WORK and GRANT. ---- */

/* What was given back stays so, whatever an older word says. */
static void sim_work_shrink(struct grant_lease *leases, uint32_t count,
                            uint64_t number, uint64_t end)
{
    for (uint32_t i = 0; i < count; i++) {
        if (leases[i].number == number && end < leases[i].end) {
            leases[i].end = end;
        }
    }
}

static void sim_work_tell(struct sim *s, struct sim_host *h,
                          struct sim_channel *c)
{
    struct sim_work *w = h->work;
    struct wire_message m = {.type = WIRE_WORK, .term = w->term};
    struct buf body = {0};

    if (!holder_work(c->holder, sim_host_ms(s, h), &s->work)) {
        return;
    }
    c->sent_ms[s->work.seq % SIM_SENT_MAX] = sim_host_ms(s, h);
    memcpy(m.job, w->run, sizeof(w->run));
    for (uint32_t i = 0; i < s->work.lease_count; i++) {
        sim_work_shrink(c->leases, c->lease_count, s->work.leases[i].number,
                        s->work.leases[i].end);
    }
    sim_note(s, h->number,
             "WORK %" PRIu64 ", channel %" PRIu32 ": %" PRIu32
             " wanted, %" PRIu32 " leases, %" PRIu32 " done, %" PRIu32
             " skipped",
             s->work.seq, c->number, s->work.want_count, s->work.lease_count,
             s->work.done_count, s->work.skip_count);
    work_write(&s->work, &body);
    m.work.channel = c->number;
    m.work.body = buf_bytes(&body);
    sim_work_send(s, h, &m);
    buf_fini(&body);
}

/* Say what is to be said, and come again in time. */
static void sim_work_tell_all(struct sim *s, struct sim_host *h)
{
    struct sim_work *w = h->work;
    uint64_t next_ms = UINT64_MAX;

    if (h->is_done) {
        return;
    }
    for (uint32_t i = 0; i < w->channel_count; i++) {
        uint64_t timer_ms;

        sim_work_tell(s, h, w->channels[i]);
        timer_ms = holder_timer_ms(w->channels[i]->holder);
        next_ms = timer_ms < next_ms ? timer_ms : next_ms;
    }
    sim_host_alarm(s, h, SIM_TIMER_WORK, next_ms);
}

/* Keep what the holder was told, as it keeps it. */
static void sim_work_note_grant(struct sim_channel *c, const struct grant *g,
                                uint64_t lease_ms)
{
    struct grant_lease leases[WORK_LEASES_MAX];

    if (g->seq <= c->grant_seq) {
        return;
    }
    c->grant_seq = g->seq;
    c->grant_epoch = g->epoch;
    c->valid_ms = c->sent_ms[g->seq % SIM_SENT_MAX] + lease_ms -
                  lease_ms / HOLDER_MARGIN_PART;
    memcpy(leases, g->leases, g->lease_count * sizeof(leases[0]));
    for (uint32_t i = 0; i < c->lease_count; i++) {
        sim_work_shrink(leases, g->lease_count, c->leases[i].number,
                        c->leases[i].end);
    }
    c->lease_count = g->lease_count;
    memcpy(c->leases, leases, c->lease_count * sizeof(leases[0]));
}

static struct sim_channel *sim_work_channel(const struct sim_work *w,
                                            uint64_t number)
{
    for (uint32_t i = 0; i < w->channel_count; i++) {
        if (w->channels[i]->number == number) {
            return w->channels[i];
        }
    }
    return NULL;
}

static void sim_work_outcomes(struct sim *s, struct sim_host *h,
                              struct sim_channel *c)
{
    struct holder_outcome o;

    while (holder_take_outcome(c->holder, &o)) {
        sim_truth_told(s, h, c->number, &o);
    }
}

static void sim_work_all_ranks(struct sim *s, struct sim_host *h,
                               struct sim_channel *c);

static void sim_work_take_grant(struct sim *s, struct sim_host *h,
                                const struct wire_grant *m)
{
    struct sim_work *w = h->work;
    struct sim_channel *c = sim_work_channel(w, m->channel);
    struct fault why;
    enum status status = grant_read(m->body, &why, &s->grant);

    if (status != STATUS_OK) {
        sim_broken(s, "h%" PRIu32 " was sent a bad GRANT: %s", h->number,
                   why.text);
    } else if (c != NULL) {
        sim_note(s, h->number,
                 "GRANT for %" PRIu64 ", channel %" PRIu32 ", acks %" PRIu64
                 ": %" PRIu32 " leases, %" PRIu32 " refused",
                 s->grant.seq, c->number, s->grant.acked_seq,
                 s->grant.lease_count, s->grant.refused_count);
        sim_work_note_grant(c, &s->grant, s->host_timeout_ms);
        holder_take(c->holder, &s->grant);
        holder_check(c->holder);
        sim_work_outcomes(s, h, c);
        sim_work_all_ranks(s, h, c);
        sim_work_tell_all(s, h);
    }
}

/* ---- Ranks. ---- */

static void sim_work_exit(struct sim *s, struct sim_host *h)
{
    struct sim_work *w = h->work;

    if (w->has_exited) {
        return;
    }
    for (uint32_t i = 0; i < w->channel_count; i++) {
        for (uint32_t r = 0; r < h->ranks; r++) {
            if (!w->channels[i]->ranks[r].is_over) {
                return;
            }
        }
    }
    w->has_exited = true;
    sim_say(s, h->number, "its command has read everything");
    sim_work_later(s, h, SIM_DEED_EXITED, 1 + sim_below(s, SIM_STOP_MS), 0);
}

/* How long a unit takes: in a story always the same. */
static uint64_t sim_work_unit_ms(struct sim *s, const struct sim_host *h)
{
    return s->options.story != NULL ? h->work->unit_ms
                                    : 1 + sim_below(s, h->work->unit_ms);
}

/* Hand the rank @unit to work on. */
static void sim_work_begin(struct sim *s, struct sim_host *h,
                           struct sim_channel *c, uint32_t rank,
                           const struct holder_unit *unit)
{
    struct sim_rank *r = &c->ranks[rank];
    uint32_t slot = 0;

    while (r->units[slot].is_open) {
        slot++;
    }
    CHECK(slot < SIM_UNITS_MAX);
    r->units[slot] =
        (struct sim_unit){true, ++h->work->next_unit & 0xffff, *unit};
    sim_work_later(s, h, SIM_DEED_UNIT, sim_work_unit_ms(s, h),
                   r->units[slot].number << 16 | c->number << 8 | rank << 2 |
                       slot);
    sim_unit_say(s, h->number,
                 "rank %" PRIu32 " reads unit %" PRIu64 " of epoch %" PRIu64
                 ", lease %" PRIu64 "%s",
                 rank, unit->position, unit->epoch, unit->lease,
                 unit->is_late ? ", late" : "");
    if (!unit->is_late && r->has_last && r->last_epoch == unit->epoch &&
        unit->position <= r->last) {
        sim_broken(s,
                   "h%" PRIu32 " rank %" PRIu32 " was handed unit %" PRIu64
                   " after %" PRIu64,
                   h->number, rank, unit->position, r->last);
    }
    if (!unit->is_late) {
        r->has_last = true;
        r->last_epoch = unit->epoch;
        r->last = unit->position;
    }
    sim_truth_handed(s, h, c->number, unit);
}

static uint32_t sim_work_in_hand(const struct sim_rank *r)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < SIM_UNITS_MAX; i++) {
        count += r->units[i].is_open;
    }
    return count;
}

/* The rank asks for as much as it likes to have in hand. */
static void sim_work_rank(struct sim *s, struct sim_host *h,
                          struct sim_channel *c, uint32_t rank)
{
    struct sim_rank *r = &c->ranks[rank];
    struct holder_unit unit;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !r->is_over &&
           sim_work_in_hand(r) < h->work->depth) {
        status = holder_next(c->holder, rank, sim_host_ms(s, h), &unit);
        if (status == STATUS_OK) {
            sim_work_begin(s, h, c, rank, &unit);
        } else if (status == STATUS_STOPPED && sim_work_in_hand(r) == 0) {
            status = holder_begin(c->holder, rank);
            r->is_over = status == STATUS_STOPPED;
        }
    }
    holder_check(c->holder);
    if (r->is_over) {
        sim_truth_ended(s, h, c->number);
        sim_work_exit(s, h);
    }
}

static void sim_work_all_ranks(struct sim *s, struct sim_host *h,
                               struct sim_channel *c)
{
    for (uint32_t r = 0; h->work->is_running && r < h->ranks; r++) {
        if (!c->ranks[r].is_over) {
            sim_work_rank(s, h, c, r);
        }
    }
}

static void sim_work_unit(struct sim *s, struct sim_host *h, uint64_t arg)
{
    struct sim_work *w = h->work;
    struct sim_channel *c = sim_work_channel(w, arg >> 8 & 0xff);
    uint32_t rank = arg >> 2 & 0x3f;
    struct sim_unit *u;
    enum status status;

    if (c == NULL || !w->is_running) {
        return;
    }
    u = &c->ranks[rank].units[arg & 3];
    if (!u->is_open || u->number != (arg >> 16 & 0xffff)) {
        return;
    }
    u->is_open = false;
    if (sim_truth_is_poison(s, u->unit.position)) {
        status = holder_skip(c->holder, rank, &u->unit, "it is damaged");
    } else {
        status = holder_done(c->holder, rank, &u->unit);
    }
    if (status == STATUS_FULL) {
        status = holder_return(c->holder, rank, &u->unit);
        c->ranks[rank].has_last = false;
    }
    if (status != STATUS_OK && status != STATUS_LOST) {
        sim_broken(s, "h%" PRIu32 " rank %" PRIu32 ": unit %" PRIu64 " is %s",
                   h->number, rank, u->unit.position, status_name(status));
    }
    if (s->stops_early && sim_below(s, 200) == 0) {
        sim_say(s, h->number, "rank %" PRIu32 " ends its epoch", rank);
        sim_truth_stopped(s, c->number, holder_epoch(c->holder, rank));
        holder_end_epoch(c->holder, rank);
    }
    sim_work_rank(s, h, c, rank);
    sim_work_tell_all(s, h);
}

/* The command's ranks die and begin again, all of a channel. */
void sim_work_restart_ranks(struct sim *s, struct sim_host *h)
{
    struct sim_work *w = h->work;

    if (w == NULL || !w->is_running || w->has_exited) {
        return;
    }
    sim_say(s, h->number, "its ranks die and begin again");
    for (uint32_t i = 0; i < w->channel_count; i++) {
        struct sim_channel *c = w->channels[i];

        for (uint32_t r = 0; r < h->ranks; r++) {
            memset(c->ranks[r].units, 0, sizeof(c->ranks[r].units));
            c->ranks[r].has_last = false;
            holder_restart(c->holder, r);
            holder_check(c->holder);
        }
        sim_work_all_ranks(s, h, c);
    }
}

/* ---- The agent. ---- */

static void sim_work_add_channel(struct sim *s, struct sim_host *h,
                                 const struct wire_share *share)
{
    struct sim_work *w = h->work;
    struct sim_channel *c = mem_new(1, sizeof(*c));

    c->number = (uint32_t)share->number;
    c->holder = holder_new(&(struct holder_options){
        .channel = c->number,
        .rank_count = h->ranks,
        .ahead_units = s->ahead_units,
        .lease_ms = s->host_timeout_ms,
        .beat_ms = s->heartbeat_ms,
        .gap_ms = s->gap_ms,
        .now_ms = sim_host_ms(s, h),
    });
    w->channels[w->channel_count++] = c;
}

static void sim_work_bring(struct sim *s, struct sim_host *h,
                           const struct wire_share_all *shares)
{
    for (uint32_t i = 0; i < shares->share_count; i++) {
        if (shares->shares[i].is_dynamic) {
            sim_work_add_channel(s, h, &shares->shares[i]);
        }
    }
    h->work->is_bringing = true;
    sim_work_later(s, h, SIM_DEED_BROUGHT, sim_below(s, SIM_BRING_MS), 0);
}

static void sim_work_signal(struct sim *s, struct sim_host *h, int signal)
{
    if ((signal == SIGTERM || signal == SIGKILL) && h->work->is_running) {
        sim_work_later(s, h, SIM_DEED_EXITED, 1 + sim_below(s, SIM_STOP_MS),
                       (uint64_t)signal);
    }
}

static const char *sim_work_word(enum agent_state state)
{
    static const char *const words[] = {"joining", "waiting",   "bringing",
                                        "ready",   "running",   "stopping",
                                        "saving",  "reporting", "over"};

    CHECK(state <= AGENT_OVER);
    return words[state];
}

static void sim_work_do(struct sim *s, struct sim_host *h,
                        const struct agent_effects *fx)
{
    for (uint32_t i = 0; i < fx->send_count; i++) {
        sim_work_send(s, h, &fx->sends[i]);
    }
    for (uint32_t i = 0; i < fx->signal_count; i++) {
        sim_work_signal(s, h, fx->signals[i]);
    }
    if (fx->do_bring != NULL) {
        sim_work_bring(s, h, fx->do_bring);
    }
    if (fx->do_cancel_bring) {
        sim_work_later(s, h, SIM_DEED_BROUGHT, sim_below(s, 30),
                       STATUS_STOPPED);
    }
    if (fx->do_start) {
        sim_work_later(s, h, SIM_DEED_STARTED, sim_below(s, 50), 0);
    }
    if (fx->do_save) {
        sim_work_later(s, h, SIM_DEED_SAVED, sim_below(s, SIM_SAVE_MS), 0);
    }
}

static void sim_work_step(struct sim *s, struct sim_host *h,
                          struct agent_event *event)
{
    struct sim_work *w = h->work;
    enum agent_state before = agent_state(w->agent);
    struct agent_effects *fx = &s->agent_fx;

    memset(fx, 0, offsetof(struct agent_effects, sends));
    fx->send_count = 0;
    event->now_ms = sim_host_ms(s, h);
    event->wall_ms = sim_host_wall_ms(s, h);
    agent_step(w->agent, event, fx);
    agent_check(w->agent);
    sim_host_alarm(s, h, SIM_TIMER_AGENT, fx->timer_ms);
    if (agent_state(w->agent) != before) {
        sim_say(s, h->number, "agent: %s",
                sim_work_word(agent_state(w->agent)));
    }
    sim_work_do(s, h, fx);
    if (before == AGENT_JOINING && agent_state(w->agent) > AGENT_JOINING) {
        term_enter_run(h->term, w->run);
        sim_host_alarm(s, h, SIM_TIMER_TERM, event->now_ms);
    }
    term_set_eager(h->term, agent_is_unanswered(w->agent));
    if (fx->is_over && !h->is_done) {
        struct agent_outcome o = agent_outcome(w->agent);

        h->is_done = true;
        sim_say(s, h->number, "its work is over: %s %d %s",
                status_name(o.status), o.exit_code, o.text);
        sim_truth_done(s, h, o.status);
    }
}

/* Once, also when it was to be given up. */
static void sim_work_brought(struct sim *s, struct sim_host *h,
                             enum status status)
{
    if (h->work->is_bringing) {
        h->work->is_bringing = false;
        sim_work_step(s, h,
                      &(struct agent_event){.type = AGENT_EVENT_BROUGHT,
                                            .status = status,
                                            .text = "asked to stop"});
    }
}

static void sim_work_started(struct sim *s, struct sim_host *h)
{
    struct sim_work *w = h->work;

    w->is_running = true;
    sim_work_step(s, h, &(struct agent_event){.type = AGENT_EVENT_STARTED});
    for (uint32_t i = 0; i < w->channel_count; i++) {
        sim_work_all_ranks(s, h, w->channels[i]);
    }
    sim_work_tell_all(s, h);
    sim_work_exit(s, h);
}

static void sim_work_exited(struct sim *s, struct sim_host *h, int signal)
{
    if (h->work->is_running) {
        h->work->is_running = false;
        sim_work_step(s, h,
                      &(struct agent_event){.type = AGENT_EVENT_EXITED,
                                            .signal = signal});
    }
}

void sim_work_deed(struct sim *s, struct sim_host *h, uint64_t arg)
{
    uint64_t low = arg & UINT64_C(0xffffffffff);

    switch ((enum sim_deed)(arg >> 40 & 0xff)) {
    case SIM_DEED_UNIT:
        sim_work_unit(s, h, low);
        break;
    case SIM_DEED_BROUGHT:
        sim_work_brought(s, h, (enum status)low);
        break;
    case SIM_DEED_STARTED:
        sim_work_started(s, h);
        break;
    case SIM_DEED_EXITED:
        sim_work_exited(s, h, (int)low);
        break;
    case SIM_DEED_SAVED:
        sim_work_step(s, h, &(struct agent_event){.type = AGENT_EVENT_SAVED});
        break;
    case SIM_DEED_PREPARED:
        UNREACHABLE("not a worker's");
    }
}

void sim_work_timer(struct sim *s, struct sim_host *h, enum sim_timer which)
{
    if (h->work == NULL) {
        return;
    }
    if (which == SIM_TIMER_WORK) {
        sim_work_tell_all(s, h);
    } else {
        sim_work_step(s, h, &(struct agent_event){.type = AGENT_EVENT_TIMER});
    }
}

void sim_work_packet(struct sim *s, struct sim_host *h, struct bytes bytes)
{
    struct wire_message *m = &s->message;
    struct fault why;

    if (h->work == NULL ||
        wire_decode(bytes, h->work->run, &why, m) != STATUS_OK) {
        return;
    }
    if (m->type == WIRE_GRANT && m->term == h->work->term) {
        sim_work_take_grant(s, h, &m->grant);
    } else if (m->type != WIRE_GRANT) {
        sim_work_step(
            s, h,
            &(struct agent_event){.type = AGENT_EVENT_MESSAGE, .message = m});
    }
}

/* ---- Who leads. ---- */

static void sim_work_join(struct sim *s, struct sim_host *h,
                          const struct term_lease *lease)
{
    struct sim_work *w = mem_new(1, sizeof(*w));
    char name[16];
    char incarnation[WIRE_JOB_SIZE + 1];
    uint64_t luck = prng_next(&s->prng);

    h->work = w;
    memcpy(w->run, lease->run, sizeof(w->run));
    w->term = lease->term;
    w->unit_ms = 1 + sim_below(s, s->unit_ms);
    w->unit_ms *= sim_below(s, 8) == 0 ? 4 : 1; /* A straggler. */
    w->depth = 1 + (uint32_t)sim_below(s, SIM_UNITS_MAX);
    if (s->options.story != NULL) {
        w->unit_ms = h->number > 0 && h->number == s->options.story->slow
                         ? 10 * SIM_STORY_UNIT_MS
                         : SIM_STORY_UNIT_MS;
        w->depth = 1;
    }
    snprintf(name, sizeof(name), "h%" PRIu32, h->number);
    snprintf(incarnation, sizeof(incarnation), "%016" PRIx64, luck);
    w->agent = agent_new(&(struct agent_options){
        .host = name,
        .run = lease->run,
        .incarnation = incarnation,
        .leader = lease->host,
        .release = "sim",
        .term = lease->term,
        .attempt = h->process,
        .ranks = h->ranks,
        .weight = h->weight,
        .host_count = s->options.hosts,
        .now_ms = sim_host_ms(s, h),
        .heartbeat_ms = s->heartbeat_ms,
        .host_timeout_ms = s->host_timeout_ms,
        .join_timeout_ms = SIM_JOIN_MS,
        .grace_ms = 1000,
        .silence_ms = SIM_JOIN_MS,
    });
    sim_net_connect(s->net, h->number, lease->endpoint);
    sim_host_alarm(s, h, SIM_TIMER_AGENT, sim_host_ms(s, h));
}

const char *sim_work_run(const struct sim_host *h)
{
    return h->work == NULL ? "" : h->work->run;
}

static bool sim_work_has_joined(const struct sim_work *w)
{
    return w != NULL && agent_state(w->agent) != AGENT_JOINING;
}

/* Another host of the run leads. */
static void sim_work_turn(struct sim *s, struct sim_host *h,
                          const struct term_lease *lease)
{
    struct sim_work *w = h->work;

    w->term = lease->term;
    sim_net_connect(s->net, h->number, lease->endpoint);
    for (uint32_t i = 0; i < w->channel_count; i++) {
        w->channels[i]->grant_seq = 0;
        holder_new_term(w->channels[i]->holder);
    }
    sim_work_step(s, h,
                  &(struct agent_event){.type = AGENT_EVENT_COORDINATOR,
                                        .leader = lease->host,
                                        .term = lease->term});
    sim_work_tell_all(s, h);
}

void sim_work_follow(struct sim *s, struct sim_host *h)
{
    const struct term_lease *lease = term_lease(h->term);
    struct sim_work *w = h->work;

    if (sim_truth_is_ended(s) && !sim_truth_is_run(s, lease->run)) {
        sim_host_exit(s, h); /* Nobody waits for another run. */
        return;
    }
    if (lease->is_released) {
        if (sim_work_has_joined(w) && strcmp(w->run, lease->run) == 0) {
            sim_work_step(s, h,
                          &(struct agent_event){.type = AGENT_EVENT_OVER});
        }
        return;
    }
    if (w != NULL && strcmp(w->run, lease->run) == 0 &&
        (sim_work_has_joined(w) || w->term == lease->term)) {
        if (lease->term > w->term) {
            sim_work_turn(s, h, lease);
        }
    } else if (w != NULL && agent_has_begun(w->agent)) {
        sim_host_expel(s, h);
    } else {
        sim_work_destroy(&h->work);
        sim_work_join(s, h, lease);
    }
}

/* Whether this host believes, now, that it may hand out @position. */
bool sim_work_believes(const struct sim *s, const struct sim_host *h,
                       uint32_t channel, const struct holder_unit *unit)
{
    const struct sim_channel *c =
        h->work == NULL ? NULL : sim_work_channel(h->work, channel);

    /* A host whose command has ended hands out nothing, whatever it holds. */
    if (c == NULL || !h->work->is_running || c->grant_epoch != unit->epoch ||
        sim_host_ms(s, h) >= c->valid_ms) {
        return false;
    }
    for (uint32_t i = 0; i < c->lease_count; i++) {
        const struct grant_lease *l = &c->leases[i];

        if (l->first <= unit->position && unit->position < l->end &&
            l->number != unit->lease) {
            return true;
        }
    }
    return false;
}
