/* SPDX-License-Identifier: Apache-2.0 */
/* A host's reign over the job, with its model of listing and dealing: what is
 * dealt is made up in a while, kept in the state, and looked for by whoever
 * leads later. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "cluster-sim/sim_parts.h"
#include "coordinator/reign.h"

enum { SIM_PREPARE_MS = 2000, SIM_RETRY_MS = 300, SIM_NAME_MAX = 16 };

/* The tag of the requests for what was dealt. */
#define SIM_DEALT_TAG UINT32_MAX

struct sim_lead {
    uint64_t term;
    char run[TERM_RUN_SIZE + 1];
    struct reign *reign;
    struct dealt_copy *dealt;
    bool is_making;  /* Else it is being looked for. */
    struct buf text; /* What was made. */
    struct buf encoded;
    bool is_over;
};

static void sim_lead_step(struct sim *s, struct sim_host *h,
                          struct reign_event *event);

void sim_lead_destroy(struct sim_lead **l)
{
    if (*l != NULL) {
        reign_destroy(&(*l)->reign);
        dealt_destroy(&(*l)->dealt);
        buf_fini(&(*l)->text);
        buf_fini(&(*l)->encoded);
    }
    free(*l);
    *l = NULL;
}

/* ---- What is dealt. ---- */

/* Of a static channel: the ranks' bounds, some empty. */
static uint64_t *sim_lead_bounds(const struct sim *s, uint64_t ranks)
{
    uint64_t *bounds = mem_new(ranks + 1, sizeof(*bounds));

    CHECK(ranks > 0);
    for (uint64_t i = 0; i <= ranks; i++) {
        bounds[i] = s->options.units * i / ranks;
    }
    return bounds;
}

static void sim_lead_channel(struct sim *s, uint32_t number, struct dealt *d)
{
    static const char *const names[] = {"train", "eval"};
    struct dealt_channel *c = &d->channels[number];

    CHECK(number < SIM_CHANNELS_MAX);
    c->name = bytes_of(names[number]);
    c->catalog = bytes_of("0123456789abcdef");
    c->is_dynamic = s->modes[number] != SIM_MODE_STATIC;
    c->positions = s->options.units;
    if (c->is_dynamic) {
        c->first_epoch = sim_truth_base(s, number, &s->bases[number]);
        c->base = buf_bytes(&s->bases[number]);
    }
    c->epochs = c->is_dynamic ? s->epochs - c->first_epoch : 1;
    c->step_units = s->modes[number] == SIM_MODE_STEPPED ? s->step_units : 0;
    c->skips = s->skips;
}

static void sim_lead_share(const struct sim *s, const struct dealt *d,
                           struct wire_share_all *all)
{
    all->rank_count = s->rank_count;
    for (uint32_t i = 0; i < d->channel_count; i++) {
        struct wire_share *share = &all->shares[all->share_count++];

        share->channel = d->channels[i].name;
        share->share = bytes_of("runs/share");
        share->catalog = bytes_of("catalogs/c");
        share->root_uri = bytes_of("s3://b");
        share->prefix = bytes_of("train/");
        share->units = 1;
        share->number = i;
        share->is_dynamic = d->channels[i].is_dynamic;
        share->positions = d->channels[i].positions;
    }
}

static void sim_lead_write_dealt(struct sim *s, const char *run,
                                 const struct session *session, struct buf *out)
{
    uint32_t hosts = s->options.hosts;
    struct dealt d = {.host_count = hosts, .channel_count = s->channels};
    uint32_t *ranks = mem_new(hosts, sizeof(*ranks));
    uint32_t *weights = mem_new(hosts, sizeof(*weights));
    struct wire_share_all *shares = mem_new(hosts, sizeof(*shares));
    uint64_t *bounds;

    s->rank_count = 0;
    for (uint32_t i = 0; i < hosts; i++) {
        ranks[i] = (uint32_t)session_host(session, i).ranks;
        weights[i] = (uint32_t)session_host(session, i).weight;
        s->rank_count += ranks[i];
    }
    bounds = sim_lead_bounds(s, s->rank_count);
    for (uint32_t i = 0; i < s->channels; i++) {
        sim_lead_channel(s, i, &d);
        d.channels[i].bounds = d.channels[i].is_dynamic ? NULL : bounds;
    }
    d.ranks = ranks;
    d.weights = weights;
    d.shares = shares;
    for (uint32_t i = 0, first = 0; i < hosts; i++) {
        shares[i].first_rank = first;
        first += ranks[i];
        sim_lead_share(s, &d, &shares[i]);
    }
    dealt_write(&d, run, out);
    free(bounds);
    free(shares);
    free(weights);
    free(ranks);
}

static void sim_lead_ask_dealt(struct sim *s, struct sim_host *h)
{
    struct sim_lead *l = h->lead;
    char key[SIM_KEY_MAX];
    struct sim_store_request r = {
        .op = l->is_making ? SIM_STORE_PUT : SIM_STORE_GET,
        .node = h->number,
        .process = h->process,
        .tag = SIM_TAG_LEAD | (h->leads & 0xffff) << 8 |
               (uint64_t)SIM_DEALT_TAG << 32,
        .key = key,
        .when = SIM_IF_ABSENT,
        .body = l->is_making ? buf_bytes(&l->text) : (struct bytes){NULL, 0},
    };

    snprintf(key, sizeof(key), "runs/%s/dealt", l->run);
    sim_store_ask(s->store, &r);
}

static void sim_lead_again(struct sim *s, struct sim_host *h, uint64_t ms)
{
    sim_clock_add(s->clock,
                  (struct sim_event){
                      .kind = SIM_DEED,
                      .at_us = sim_now_us(s) + 1000 * ms,
                      .node = h->number,
                      .arg = h->process << 48 |
                             (uint64_t)SIM_DEED_PREPARED << 40 | h->leads,
                  });
}

static void sim_lead_prepared(struct sim *s, struct sim_host *h,
                              enum status status)
{
    struct sim_lead *l = h->lead;

    sim_lead_step(s, h,
                  &(struct reign_event){
                      .type = REIGN_EVENT_PREPARED,
                      .status = status,
                      .text = status == STATUS_OK ? "" : "nothing was dealt",
                      .dealt = status == STATUS_OK ? dealt_of(l->dealt) : NULL,
                  });
}

/* What was dealt has come from the store; or was kept there; or neither. */
static void sim_lead_dealt(struct sim *s, struct sim_host *h,
                           const struct sim_store_call *c)
{
    struct sim_lead *l = h->lead;
    struct bytes text = {c->body, c->size};
    struct fault why;
    enum status status = c->status;

    if (l->is_making && status == STATUS_EXISTS) {
        l->is_making = false;
        sim_lead_ask_dealt(s, h);
        return;
    }
    if (l->is_making) {
        text = buf_bytes(&l->text);
    }
    if (status == STATUS_OK) {
        status = dealt_read(text, l->run, &why, &l->dealt);
        if (status != STATUS_OK && s->plan.weather.store_short == 0) {
            sim_broken(s, "what was dealt can't be read: %s", why.text);
        }
    }
    if (status == STATUS_OK || (status == STATUS_NOT_FOUND && !l->is_making)) {
        sim_lead_prepared(s, h, status);
    } else {
        sim_lead_again(s, h, SIM_RETRY_MS);
    }
}

void sim_lead_deed(struct sim *s, struct sim_host *h, uint64_t arg)
{
    struct sim_lead *l = h->lead;

    if (l != NULL && (arg & 0xffffffffff) == h->leads && l->dealt == NULL) {
        sim_lead_ask_dealt(s, h);
    }
}

static void sim_lead_prepare(struct sim *s, struct sim_host *h,
                             enum reign_prepare what)
{
    struct sim_lead *l = h->lead;

    sim_say(s, h->number, "%s what was dealt",
            what == REIGN_MAKE ? "makes" : "looks for");
    l->is_making = what == REIGN_MAKE;
    if (l->is_making) {
        buf_clear(&l->text);
        sim_lead_write_dealt(s, l->run, reign_session(l->reign), &l->text);
        sim_lead_again(s, h, sim_below(s, SIM_PREPARE_MS));
    } else {
        sim_lead_ask_dealt(s, h);
    }
}

/* ---- Stepping. ---- */

static void sim_lead_changed(struct sim *s, struct sim_host *h)
{
    enum reign_state state = reign_state(h->lead->reign);

    sim_say(s, h->number, "reign of term %" PRIu64 ": %s %s", h->lead->term,
            reign_state_word(state), reign_fault(h->lead->reign));
    if (state == REIGN_BROKEN) {
        sim_broken(s, "%s", reign_fault(h->lead->reign));
    }
}

static void sim_lead_step(struct sim *s, struct sim_host *h,
                          struct reign_event *event)
{
    struct sim_lead *l = h->lead;
    enum reign_state before = reign_state(l->reign);
    struct reign_effects fx = {0};

    event->now_ms = sim_host_ms(s, h);
    event->wall_ms = sim_host_wall_ms(s, h);
    reign_step(l->reign, event, &fx);
    reign_check(l->reign);
    h->reign_steps++;
    sim_host_alarm(s, h, SIM_TIMER_LEAD, fx.timer_ms);
    for (uint32_t i = 0; i < fx.request_count; i++) {
        char folder[SIM_KEY_MAX / 2];

        snprintf(folder, sizeof(folder), "runs/%s/", l->run);
        sim_host_ask(s, h, folder, &fx.requests[i]);
    }
    /* Renewals and refusals need no journal: only the lease holds them back. */
    for (uint32_t i = 0; i < fx.send_count && sim_host_acts(s, h); i++) {
        buf_clear(&l->encoded);
        wire_encode(&fx.sends[i].message, &l->encoded);
        sim_net_send_down(s->net, h->number, fx.sends[i].peer,
                          buf_bytes(&l->encoded));
    }
    if (reign_state(l->reign) != before) {
        sim_lead_changed(s, h);
    }
    if (fx.is_over && !l->is_over) {
        l->is_over = true;
        sim_say(s, h->number, "the job is over");
        sim_host_release(s, h);
    }
    if (fx.do_prepare != REIGN_PREPARE_NOTHING) {
        sim_lead_prepare(s, h, fx.do_prepare);
    }
}

void sim_lead_stored(struct sim *s, struct sim_host *h,
                     const struct sim_store_call *c)
{
    struct journal_event stored = {
        .tag = (uint32_t)(c->tag >> 32),
        .status = c->status,
        .etag = c->status == STATUS_OK ? c->etag : NULL,
        .body = {c->body, c->size},
    };

    if (h->lead == NULL) {
        return;
    }
    if (stored.tag == SIM_DEALT_TAG) {
        sim_lead_dealt(s, h, c);
    } else {
        sim_lead_step(s, h,
                      &(struct reign_event){.type = REIGN_EVENT_STORED,
                                            .stored = &stored});
    }
}

void sim_lead_timer(struct sim *s, struct sim_host *h)
{
    if (h->lead != NULL) {
        sim_lead_step(s, h, &(struct reign_event){.type = REIGN_EVENT_TIMER});
    }
}

void sim_lead_packet(struct sim *s, struct sim_host *h, uint64_t peer,
                     struct bytes bytes)
{
    struct wire_message *m = &s->message;
    struct fault why = {.text = ""};
    struct reign_event event = {.peer = peer, .message = m};

    if (h->lead == NULL) {
        return;
    }
    event.status = wire_decode(bytes, h->lead->run, &why, m);
    event.type =
        event.status == STATUS_OK ? REIGN_EVENT_MESSAGE : REIGN_EVENT_BAD;
    event.text = why.text;
    sim_lead_step(s, h, &event);
}

bool sim_lead_is_at_work(const struct sim_host *h)
{
    return h->lead != NULL && !h->lead->is_over &&
           reign_state(h->lead->reign) < REIGN_DEPOSED;
}

/* ---- Beginning. ---- */

static void sim_lead_new(struct sim *s, struct sim_host *h)
{
    const struct term_lease *lease = term_lease(h->term);
    struct sim_lead *l = h->lead;
    char names[SIM_NODES_MAX][SIM_NAME_MAX];
    const char *hosts[SIM_NODES_MAX];

    for (uint32_t i = 0; i < s->options.hosts; i++) {
        snprintf(names[i], sizeof(names[i]), "h%" PRIu32, i);
        hosts[i] = names[i];
    }
    l->reign = reign_new(&(struct reign_options){
        .session =
            {
                .job_name = "sim",
                .run = l->run,
                .leader = lease->host,
                .term = lease->term,
                .hosts = hosts,
                .host_count = s->options.hosts,
                .now_ms = sim_host_ms(s, h),
                .join_timeout_ms = SIM_JOIN_MS,
                .heartbeat_ms = s->heartbeat_ms,
                .host_timeout_ms = s->host_timeout_ms,
                .grace_ms = 2000,
                .skew_max_ms = 1000000,
                .keeps_on_failure = s->keeps_on_failure,
            },
        .number = h->number,
        .nonce = prng_next(&s->prng),
        .gap_ms = s->gap_ms,
        .snapshot_bytes = s->snapshot_bytes,
        .run_ms = s->run_ms,
        .run_units = s->run_units,
        .has_conditions = true,
        .acks_early = s->acks_early,
    });
}

void sim_lead_begin(struct sim *s, struct sim_host *h)
{
    const struct term_lease *lease = term_lease(h->term);

    if (h->lead != NULL && h->lead->term == lease->term &&
        strcmp(h->lead->run, lease->run) == 0) {
        return; /* It was suspended. */
    }
    sim_lead_destroy(&h->lead);
    h->leads++;
    h->lead = mem_new(1, sizeof(*h->lead));
    h->lead->term = lease->term;
    memcpy(h->lead->run, lease->run, sizeof(h->lead->run));
    sim_lead_new(s, h);
    sim_lead_step(s, h, &(struct reign_event){.type = REIGN_EVENT_TIMER});
}
