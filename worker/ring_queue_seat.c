/* SPDX-License-Identifier: Apache-2.0 */
/* The consumers of a ring: what they did, how they come and go. */
#include <string.h>

#include "base/check.h"
#include "proto/ring_greeting.h"
#include "worker/ring_queue_state.h"

/* ---- Looking. --------------------------------------------------------------
 */

void rq_look_at_cursors(struct ring_queue *q)
{
    if (rq_is_mode(q, RING_SHARE)) {
        return;
    }
    for (uint32_t c = 0; c < q->options.consumers; c++) {
        struct rq_queue *o = &q->queues[c];
        uint64_t now;
        uint32_t read = 0;

        if ((q->joined >> c & 1) == 0) {
            continue;
        }
        now = atomic_load_explicit(
            &ring_consumer_at(q->control, &q->layout, c)->cursor,
            memory_order_acquire);
        if (now < q->consumers[c].cursor || now > o->head) {
            q->is_changed = true;
            continue;
        }
        q->consumers[c].cursor = now;
        o->tail = now;
        while (read < o->end_count && o->ends[read].entry < now) {
            read++;
        }
        o->end_count -= read;
        memmove(o->ends, o->ends + read, o->end_count * sizeof(o->ends[0]));
    }
}

/* true: it came back. */
static bool rq_look_at_mask(struct ring_queue *q, uint32_t at)
{
    uint32_t slot = q->out[at];
    struct rq_slot *s = &q->slots[slot];
    struct ring_slot *shared = rq_shared(q, slot);
    uint64_t mask = atomic_load(&shared->mask);
    uint64_t word = atomic_load(&shared->word);

    if ((mask & ~s->mask) != 0 || word != ring_word(s->gen, 0, RING_READY)) {
        s->is_bad = true;
        return false;
    }
    s->mask = mask;
    if (mask != 0) {
        return false;
    }
    if (!ring_withdraw(&shared->word, s->gen, 0)) {
        s->is_bad = true;
        return false;
    }
    s->free_word = ring_word(s->gen + 1, 0, RING_FREE);
    rq_bring_back(q, at, RING_CONSUMED, RING_ANY);
    return true;
}

static bool rq_look_at_word(struct ring_queue *q, uint32_t at)
{
    struct rq_slot *s = &q->slots[q->out[at]];
    uint64_t word = atomic_load(&rq_shared(q, q->out[at])->word);
    uint32_t owner;
    enum ring_sight sight = ring_look(word, s->gen, q->joined, &owner);

    /* Who has it keeps it until it releases it, or dies. */
    if (sight == RING_SIGHT_BAD || (s->owner != 0 && owner != s->owner)) {
        s->is_bad = true;
        return false;
    }
    s->owner = owner;
    if (sight != RING_SIGHT_RELEASED) {
        return false;
    }
    s->free_word = word;
    rq_bring_back(q, at, RING_CONSUMED, owner - 1);
    return true;
}

enum status ring_queue_collect(struct ring_queue *q)
{
    uint32_t i = 0;

    rq_look_at_cursors(q);
    while (i < q->out_count) {
        struct rq_slot *s = &q->slots[q->out[i]];
        bool is_back = false;

        if (s->place == RQ_OUT && !s->is_bad) {
            is_back = rq_is_mode(q, RING_BROADCAST) ? rq_look_at_mask(q, i)
                                                    : rq_look_at_word(q, i);
            q->is_changed = q->is_changed || (!is_back && s->is_bad);
        }
        i += !is_back;
    }
    return q->is_changed ? STATUS_CHANGED : STATUS_OK;
}

/* ---- Coming. ---------------------------------------------------------------
 */

static enum status rq_seat(const struct ring_queue *q, uint32_t member,
                           uint32_t *out)
{
    uint64_t bits = UINT64_MAX >> (64 - q->options.consumers);
    uint64_t seats = bits & ~q->joined;

    if (rq_is_mode(q, RING_BROADCAST) && member != RING_ANY) {
        if (member >= q->options.consumers) {
            return STATUS_INVALID;
        }
        seats &= (uint64_t)1 << member;
    }
    if (seats == 0 || (q->old_count > 0 && !rq_is_mode(q, RING_SHARE))) {
        return STATUS_FULL;
    }
    *out = (uint32_t)__builtin_ctzll(seats);
    return STATUS_OK;
}

/* It starts at the head, and all that it may have is put there once more: what
 * stands there before is of no use to it. */
enum status ring_queue_join(struct ring_queue *q, uint32_t member,
                            struct ring_joined *out)
{
    enum status s = ring_queue_collect(q);
    struct ring_consumer *shared;
    struct rq_queue *o;
    uint32_t c = 0;

    if (s == STATUS_OK) {
        s = rq_seat(q, member, &c);
    }
    if (s != STATUS_OK) {
        return s;
    }
    o = &q->queues[rq_is_mode(q, RING_BROADCAST) ? c : 0];
    *out = (struct ring_joined){.consumer = c, .start = o->head};
    if (rq_is_mode(q, RING_SHARE)) {
        out->ended = o->end_count > 0 ? o->ends[0].epoch : q->ended;
    }
    if (o->readers++ == 0) {
        o->tail = o->head;
    }
    q->joined |= (uint64_t)1 << c;
    q->expected |= (uint64_t)1 << c;
    q->consumers[c].cursor = o->head;
    shared = ring_consumer_at(q->control, &q->layout, c);
    atomic_store(&shared->cursor, o->head);
    atomic_store(&shared->is_armed, 0);
    rq_rebuild(q, (uint32_t)(o - q->queues));
    return q->is_changed ? STATUS_CHANGED : STATUS_OK;
}

/* ---- Going. ----------------------------------------------------------------
 */

/* How a slot goes on whose consumer has gone: walked by number, so that the
 * parts of a unit come one behind the other. */
struct rq_going {
    uint32_t owner; /* Who has gone, and 1; RING_ANY: the old ones. */
    uint64_t lost;  /* The last slot that was, and whose unit goes on: its
                       number and 1. */
};

static bool rq_is_torn(const struct rq_going *g, const struct rq_slot *s)
{
    return s->is_lost || (s->is_part && (s->previous == g->lost ||
                                         s->chain_owner == g->owner));
}

/* Take it from everybody. false: its word was another. */
static bool rq_take_off(struct ring_queue *q, uint32_t at,
                        enum ring_outcome_kind kind, struct rq_going *g)
{
    struct rq_slot *s = &q->slots[q->out[at]];
    struct ring_slot *shared = rq_shared(q, q->out[at]);
    bool is_done =
        s->place == RQ_HELD
            ? ring_move(&shared->word, ring_word(s->gen, 0, RING_FILLING),
                        ring_word(s->gen + 1, 0, RING_FREE))
            : ring_withdraw(&shared->word, s->gen, s->owner);

    if (!is_done) {
        q->is_changed = true;
        return false;
    }
    s->free_word = ring_word(s->gen + 1, 0, RING_FREE);
    if (s->goes_on) {
        g->lost = s->number + 1;
    }
    rq_bring_back(q, at, kind, s->owner == 0 ? RING_ANY : s->owner - 1);
    return true;
}

static void rq_deliver_again(struct ring_queue *q, uint32_t slot)
{
    struct rq_slot *s = &q->slots[slot];
    struct ring_slot *shared = rq_shared(q, slot);
    bool is_done;

    if (s->place == RQ_HELD) {
        rq_table(q, slot)->gen = s->gen;
        is_done = ring_ready(&shared->word, s->gen);
    } else {
        rq_table(q, slot)->gen = s->gen + 1;
        is_done = ring_redeliver(&shared->word, s->gen, s->owner);
        s->gen++;
    }
    s->place = RQ_OUT;
    s->owner = 0;
    q->stats.redelivered++;
    if (!is_done) {
        s->is_bad = true;
        q->is_changed = true;
        return;
    }
    if (rq_is_mode(q, RING_SHARE)) {
        rq_append_slot(q, slot);
    }
}

/* true: the slot that is out[@at] came back. */
static bool rq_settle(struct ring_queue *q, uint32_t at, struct rq_going *g)
{
    struct rq_slot *s = &q->slots[q->out[at]];
    bool was_its = s->place == RQ_HELD || s->owner == g->owner;
    bool is_torn = rq_is_torn(g, s);

    if (s->is_bad || (!was_its && !(is_torn && s->owner == 0))) {
        return false;
    }
    if (is_torn) {
        return rq_take_off(q, at, RING_TORN, g);
    }
    if (q->options.drops && s->owner != 0) {
        return rq_take_off(q, at, RING_DROPPED, g);
    }
    rq_deliver_again(q, q->out[at]);
    return false;
}

/* Parts may be released in any order: one that has gone may have kept the first
 * and given back what comes behind it. */
static void rq_find_lost(struct ring_queue *q, uint32_t owner)
{
    const struct rq_slot *next = NULL;

    for (uint32_t i = q->out_count; i > 0; i--) {
        struct rq_slot *s = &q->slots[q->out[i - 1]];
        bool was_its = s->place == RQ_HELD || s->owner == owner;
        bool is_there = next != NULL && next->previous == s->number + 1;
        bool is_to_come = q->is_open && q->open_number == s->number;

        s->is_lost =
            was_its && s->goes_on && (is_there ? next->is_lost : !is_to_come);
        next = s;
    }
}

static void rq_settle_all(struct ring_queue *q, uint32_t owner)
{
    struct rq_going g = {.owner = owner};
    uint32_t i = 0;

    rq_find_lost(q, owner);
    while (i < q->out_count) {
        i += !rq_settle(q, i, &g);
    }
    if (q->is_open &&
        (q->open_owner == owner || q->open_number + 1 == g.lost)) {
        q->is_tearing = true;
        atomic_store(&q->shared->open, 0);
    }
    rq_news(q);
}

/* Its slots stay for whoever comes in its place, unless they are dropped. */
static void rq_leave_broadcast(struct ring_queue *q, uint32_t consumer)
{
    uint64_t bit = (uint64_t)1 << consumer;

    if (!q->options.drops) {
        return;
    }
    q->expected &= ~bit;
    if (q->expected == 0) { /* With nobody left, slots wait for somebody. */
        q->expected = bit;
        return;
    }
    q->queues[consumer].end_count = 0;
    for (uint32_t i = 0; i < q->out_count; i++) {
        struct rq_slot *s = &q->slots[q->out[i]];

        if (s->place == RQ_OUT) {
            atomic_fetch_and(&rq_shared(q, q->out[i])->mask, ~bit);
        }
        s->mask &= ~bit;
    }
}

enum status ring_queue_leave(struct ring_queue *q, uint32_t consumer)
{
    CHECK(consumer < RING_CONSUMERS_MAX && (q->joined >> consumer & 1) != 0);
    if (ring_queue_collect(q) != STATUS_OK) {
        return STATUS_CHANGED;
    }
    q->joined &= ~((uint64_t)1 << consumer);
    q->queues[rq_is_mode(q, RING_BROADCAST) ? consumer : 0].readers--;
    if (rq_is_mode(q, RING_BROADCAST)) {
        rq_leave_broadcast(q, consumer);
    } else {
        rq_settle_all(q, consumer + 1);
    }
    if (q->joined == 0) { /* One that was killed asleep is still counted. */
        atomic_store(&q->shared->waiters, 0);
    }
    (void)!ring_queue_collect(q);
    return STATUS_OK;
}

void ring_queue_leave_old(struct ring_queue *q)
{
    CHECK(q->old_count > 0);
    if (--q->old_count == 0) {
        rq_settle_all(q, RING_ANY);
    }
}

/* ---- Checking. -------------------------------------------------------------
 */

static void rq_check_out(const struct ring_queue *q)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < q->out_count; i++) {
        const struct rq_slot *s = &q->slots[q->out[i]];

        CHECK(s->place == RQ_OUT || s->place == RQ_HELD);
        CHECK(s->number > last && s->number <= q->next_number);
        CHECK_IMPLIES(s->place == RQ_HELD, q->old_count > 0);
        CHECK_IMPLIES(s->previous != 0, s->is_part);
        last = s->number;
    }
}

void ring_queue_check(const struct ring_queue *q)
{
    uint32_t places[4] = {0};

    for (uint32_t i = 0; i < q->layout.shape.slot_count; i++) {
        const struct rq_slot *s = &q->slots[i];

        places[s->place]++;
        CHECK_IMPLIES(s->place == RQ_HERE && q->control != NULL,
                      ring_word_gen(s->free_word) == s->gen);
    }
    CHECK(places[RQ_OUT] + places[RQ_HELD] == q->out_count);
    CHECK(places[RQ_BACK] == q->back_count);
    CHECK(q->out_count <= q->layout.shape.slots_max);
    rq_check_out(q);
    for (uint32_t i = 0; i < q->layout.shape.queue_count; i++) {
        const struct rq_queue *o = &q->queues[i];

        CHECK(o->tail <= o->head);
        CHECK(o->head - o->tail <= q->layout.order_size);
        CHECK(o->end_count <= RING_ENDS_MAX);
    }
}
