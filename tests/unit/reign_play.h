/* SPDX-License-Identifier: Apache-2.0 */
/* How the hosts of reign_guest.h and the reigns of reign_kit.h take turns. */

#ifndef TESTS_UNIT_REIGN_PLAY_H
#define TESTS_UNIT_REIGN_PLAY_H

#include "tests/unit/reign_guest.h"

/* ---- Hosts -------------------------------------------------------------- */

static inline void rig_say(struct rig *g, uint64_t peer, struct wire_message m)
{
    memcpy(m.job, DEALT_KIT_RUN, sizeof(DEALT_KIT_RUN));
    m.term = g->lead->term;
    rig_step(g, g->lead,
             (struct reign_event){
                 .type = REIGN_EVENT_MESSAGE, .peer = peer, .message = &m});
}

static inline int rig_compare_done(const void *a, const void *b)
{
    const struct rig_done *x = a;
    const struct rig_done *y = b;

    if (x->lease != y->lease) {
        return x->lease < y->lease ? -1 : 1;
    }
    return x->first < y->first ? -1 : 1;
}

static inline void rig_fill_work(const struct rig *g, struct rig_guest *h,
                                 struct work *w)
{
    uint32_t ranks = h == &g->guests[0] ? 2 : 1;
    uint32_t room[2] = {RIG_RANK_LEASES, RIG_RANK_LEASES};

    *w = (struct work){
        .channel = DEALT_KIT_TRAIN, .epoch = h->epoch, .seq = ++h->seq};
    for (uint32_t i = 0; i < h->lease_count; i++) {
        const struct rig_lease *l = &h->leases[i];

        room[l->rank] -= l->begun < l->end && room[l->rank] > 0;
        w->leases[w->lease_count++] =
            (struct work_lease){l->number, l->begun, l->end};
    }
    for (uint32_t i = 0; i < ranks; i++) {
        if (room[i] > 0 && (h->idle_ranks >> i & 1) == 0) {
            w->wants[w->want_count++] = (struct work_want){.rank = i};
        }
    }
    qsort(h->done, h->done_count, sizeof(h->done[0]), rig_compare_done);
    for (uint32_t i = 0; i < h->done_count; i++) {
        if (h->done[i].seq == 0 || !g->acks_early) {
            w->done[w->done_count++] = (struct work_done){
                h->done[i].lease, h->done[i].first, h->done[i].end};
            h->done[i].seq = h->done[i].seq == 0 ? h->seq : h->done[i].seq;
        }
    }
}

static inline void rig_send_work(struct rig *g, struct rig_guest *h,
                                 const struct work *w)
{
    struct buf body = {0};

    work_write(w, &body);
    rig_say(g, h->peer,
            (struct wire_message){.type = WIRE_WORK,
                                  .work = {DEALT_KIT_TRAIN, buf_bytes(&body)}});
    buf_fini(&body);
}

static inline void rig_work(struct rig *g, struct rig_guest *h)
{
    struct work *w = mem_new(1, sizeof(*w));

    rig_deliver_units(g, h);
    rig_fill_work(g, h, w);
    rig_send_work(g, h, w);
    free(w);
}

static inline void rig_hello(struct rig *g, struct rig_guest *h)
{
    rig_say(g, h->peer,
            (struct wire_message){
                .type = WIRE_HELLO,
                .hello = {.host = bytes_of(h == &g->guests[0] ? "a" : "b"),
                          .incarnation = bytes_of(h->incarnation),
                          .attempt = 1,
                          .ranks = h == &g->guests[0] ? 2 : 1,
                          .weight = 100,
                          .wall_ms = RIG_WALL_MS + g->now_ms,
                          .host_count = DEALT_KIT_HOSTS,
                          .phase = h->phase}});
}

static inline void rig_act(struct rig *g, struct rig_guest *h)
{
    bool is_done = h->phase == WIRE_PHASE_RUNNING && h->is_over &&
                   (g->acks_early || h->done_count == 0);

    if (h->term != g->lead->term) {
        rig_hello(g, h);
        return;
    }
    if (h->phase == WIRE_PHASE_JOINED && h->has_share) {
        h->phase = WIRE_PHASE_READY;
        rig_say(g, h->peer, (struct wire_message){.type = WIRE_READY});
    } else if (h->phase == WIRE_PHASE_READY && h->has_start) {
        h->phase = WIRE_PHASE_RUNNING;
    } else if (is_done || (h->has_end && h->phase < WIRE_PHASE_DONE)) {
        h->phase = WIRE_PHASE_DONE;
    } else if (h->phase == WIRE_PHASE_RUNNING) {
        rig_work(g, h);
    }
    if (h->phase == WIRE_PHASE_DONE) {
        rig_say(g, h->peer,
                (struct wire_message){.type = WIRE_DONE,
                                      .done = {.exit_code = h->exit_code}});
    }
    rig_say(g, h->peer,
            (struct wire_message){
                .type = WIRE_BEAT,
                .beat = {.phase = h->phase, .number = ++h->beat}});
}

/* ---- Reigns ------------------------------------------------------------- */

/* The host that leads dies: what it has asked for happens, or does not. */
static inline void rig_kill(struct rig *g, struct rig_reign *l, bool happens)
{
    for (size_t i = 0; i < l->call_count; i++) {
        if (happens && !l->calls[i].is_done) {
            kit_run(g->store, &l->calls[i]);
        }
        buf_fini(&l->calls[i].body);
    }
    l->call_count = 0;
    reign_destroy(&l->r);
    dealt_destroy(&l->dealt);
}

static inline void rig_answer(struct rig *g, struct rig_reign *l)
{
    struct kit_call c = l->calls[0];
    struct journal_event stored;

    kit_run(g->store, &c);
    stored = (struct journal_event){.tag = c.request.tag,
                                    .status = c.status,
                                    .etag = c.got_etag,
                                    .body = buf_bytes(&c.body)};
    l->call_count--;
    memmove(l->calls, l->calls + 1, l->call_count * sizeof(c));
    rig_step(
        g, l,
        (struct reign_event){.type = REIGN_EVENT_STORED, .stored = &stored});
    buf_fini(&c.body);
}

static inline void rig_prepare(struct rig *g, struct rig_reign *l)
{
    struct reign_event event = {.type = REIGN_EVENT_PREPARED, .text = ""};
    struct fault why;

    if (l->do_prepare == REIGN_MAKE && g->dealt.size == 0) {
        struct dealt_kit k;

        dealt_kit_make(&k);
        k.dealt.channels[DEALT_KIT_TRAIN].skips = g->skips;
        dealt_write(&k.dealt, DEALT_KIT_RUN, &g->dealt);
    }
    l->do_prepare = REIGN_PREPARE_NOTHING;
    event.status = STATUS_NOT_FOUND;
    if (g->dealt.size > 0) {
        event.status =
            dealt_read(buf_bytes(&g->dealt), DEALT_KIT_RUN, &why, &l->dealt);
        EXPECT_EQ(event.status, STATUS_OK);
        event.dealt = dealt_of(l->dealt);
    }
    rig_step(g, l, event);
}

/* All that it asks for is answered. */
static inline void rig_serve(struct rig *g, struct rig_reign *l)
{
    while (l->r != NULL && !l->is_held &&
           (l->call_count > 0 || l->do_prepare != REIGN_PREPARE_NOTHING)) {
        if (l->do_prepare != REIGN_PREPARE_NOTHING) {
            rig_prepare(g, l);
        } else if (++g->requests == g->die_at) {
            rig_kill(g, l, !g->dies_before);
        } else {
            rig_answer(g, l);
        }
    }
}

#endif /* TESTS_UNIT_REIGN_PLAY_H */
