/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/ring_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/ring_queue_state.h"

struct ring_queue *ring_queue_new(const struct ring_queue_options *options)
{
    struct ring_queue *q = mem_new(1, sizeof(*q));

    CHECK(ring_layout_make(&options->shape, &q->layout));
    CHECK(options->consumers > 0);
    CHECK(options->consumers <= RING_CONSUMERS_MAX);
    CHECK_IMPLIES(options->shape.mode == RING_EXCLUSIVE,
                  options->consumers == 1);
    CHECK_IMPLIES(options->shape.mode == RING_BROADCAST,
                  options->shape.queue_count == options->consumers);
    q->options = *options;
    q->slots = mem_new(options->shape.slot_count, sizeof(*q->slots));
    q->out = mem_new(options->shape.slot_count, sizeof(*q->out));
    q->back = mem_new(options->shape.slot_count, sizeof(*q->back));
    q->queues = mem_new(options->shape.queue_count, sizeof(*q->queues));
    for (uint32_t i = 0; i < options->shape.queue_count; i++) {
        q->queues[i].entries = mem_new(q->layout.order_size, sizeof(uint64_t));
    }
    q->expected = UINT64_MAX >> (64 - options->consumers);
    return q;
}

void ring_queue_destroy(struct ring_queue **queue)
{
    struct ring_queue *q = *queue;

    if (q == NULL) {
        return;
    }
    for (uint32_t i = 0; i < q->layout.shape.queue_count; i++) {
        free(q->queues[i].entries);
    }
    free(q->queues);
    free(q->slots);
    free(q->out);
    free(q->back);
    free(q);
    *queue = NULL;
}

const struct ring_layout *ring_queue_layout(const struct ring_queue *q)
{
    return &q->layout;
}

struct ring_table *rq_table(struct ring_queue *q, uint32_t slot)
{
    return (struct ring_table *)(void *)((char *)q->tables +
                                         slot * q->layout.table_stride);
}

struct ring_slot *rq_shared(struct ring_queue *q, uint32_t slot)
{
    return ring_slot_at(q->control, &q->layout, slot);
}

void rq_news(struct ring_queue *q)
{
    atomic_fetch_add(&q->shared->bell, 1);
    q->has_news = true;
}

/* ---- The order. ------------------------------------------------------------
 */

static bool rq_is_live(const struct ring_queue *q, uint64_t entry)
{
    uint32_t slot = (uint32_t)entry & RING_ORDER_NONE;

    return slot != RING_ORDER_NONE && q->slots[slot].place == RQ_OUT &&
           q->slots[slot].gen == (uint32_t)(entry >> 32) &&
           q->slots[slot].owner == 0;
}

static void rq_put(struct ring_queue *q, uint32_t queue, uint64_t entry)
{
    struct rq_queue *o = &q->queues[queue];

    CHECK(o->head - o->tail < q->layout.order_size);
    o->entries[o->head & (q->layout.order_size - 1)] = entry;
    atomic_store_explicit(ring_order_at(q->control, &q->layout, queue, o->head),
                          entry, memory_order_release);
    o->head++;
    atomic_store_explicit(&ring_queue_at(q->control, &q->layout, queue)->head,
                          o->head, memory_order_seq_cst);
}

/* Make room: what nobody can want goes; what somebody may still have of the
 * oldest goes to the end. That is in share mode alone: elsewhere the one
 * consumer has said how far it has come. */
static void rq_make_room(struct ring_queue *q, uint32_t queue)
{
    struct rq_queue *o = &q->queues[queue];
    uint32_t size = q->layout.order_size;

    if (!rq_is_mode(q, RING_SHARE)) {
        rq_look_at_cursors(q);
        return;
    }
    for (uint32_t i = 0; i < size && o->head - o->tail == size; i++) {
        uint64_t oldest = o->entries[o->tail & (size - 1)];

        o->tail++;
        if (rq_is_live(q, oldest)) {
            rq_put(q, queue, oldest);
        }
    }
    atomic_store_explicit(&ring_queue_at(q->control, &q->layout, queue)->tail,
                          o->tail, memory_order_release);
}

void rq_append(struct ring_queue *q, uint32_t queue, uint64_t entry)
{
    struct rq_queue *o = &q->queues[queue];

    if (o->readers == 0) {
        return;
    }
    if (o->head - o->tail == q->layout.order_size) {
        rq_make_room(q, queue);
    }
    if (o->head - o->tail == q->layout.order_size) {
        q->is_changed = true; /* A cursor that can't be. */
        return;
    }
    rq_put(q, queue, entry);
}

static uint64_t rq_entry(const struct rq_slot *s, uint32_t slot)
{
    return ring_order(s->gen, s->is_part ? RING_ORDER_PART : 0, slot);
}

void rq_append_slot(struct ring_queue *q, uint32_t slot)
{
    struct rq_slot *s = &q->slots[slot];

    CHECK(s->place == RQ_OUT);
    for (uint32_t i = 0; i < q->layout.shape.queue_count; i++) {
        if (!rq_is_mode(q, RING_BROADCAST) || (s->mask >> i & 1) != 0) {
            rq_append(q, i, rq_entry(s, slot));
        }
    }
}

static void rq_append_end(struct ring_queue *q, uint32_t queue,
                          struct rq_end *end)
{
    end->entry = q->queues[queue].head;
    rq_append(
        q, queue,
        ring_order((uint32_t)end->epoch, RING_ORDER_END, RING_ORDER_NONE));
}

/* A queue that is to be read from its head on: what is out and what is unread
 * stands there once more, by number. */
void rq_rebuild(struct ring_queue *q, uint32_t queue)
{
    struct rq_queue *o = &q->queues[queue];
    uint32_t end = 0;

    for (uint32_t i = 0; i < q->out_count; i++) {
        struct rq_slot *s = &q->slots[q->out[i]];

        while (end < o->end_count && o->ends[end].number < s->number) {
            rq_append_end(q, queue, &o->ends[end++]);
        }
        if (s->place == RQ_OUT && s->owner == 0 &&
            (!rq_is_mode(q, RING_BROADCAST) || (s->mask >> queue & 1) != 0)) {
            rq_append(q, queue, rq_entry(s, q->out[i]));
        }
    }
    while (end < o->end_count) {
        rq_append_end(q, queue, &o->ends[end++]);
    }
    if (rq_is_mode(q, RING_SHARE)) {
        o->end_count = 0;
    }
}

/* ---- Memory. ---------------------------------------------------------------
 */

/* What becomes of a slot that is out when its memory is given up. */
static void rq_carry_over(struct ring_queue *q, struct rq_slot *s)
{
    bool in_order = !rq_is_mode(q, RING_SHARE);

    s->gen++;
    if (s->place == RQ_OUT && q->old_count > 0 &&
        (in_order || s->owner != 0 || s->is_bad || s->is_part)) {
        s->place = RQ_HELD;
    }
    if (s->place == RQ_OUT) {
        s->owner = 0;
    }
    s->is_bad = false;
    if (s->chain_owner != 0) {
        s->chain_owner = RING_ANY;
    }
}

static void rq_retire(struct ring_queue *q)
{
    (void)!ring_queue_collect(q);
    q->stats.changed++;
    q->old_count += (uint32_t)__builtin_popcountll(q->joined);
    q->joined = 0;
    memset(q->consumers, 0, sizeof(q->consumers));
    for (uint32_t i = 0; i < q->out_count; i++) {
        rq_carry_over(q, &q->slots[q->out[i]]);
    }
    if (q->open_owner != 0) {
        q->open_owner = RING_ANY;
    }
    for (uint32_t i = 0; i < q->layout.shape.queue_count; i++) {
        q->queues[i].head = 0;
        q->queues[i].tail = 0;
        q->queues[i].readers = 0;
    }
}

static void rq_init_slot(struct ring_queue *q, uint32_t slot)
{
    struct rq_slot *s = &q->slots[slot];
    struct ring_slot *shared = rq_shared(q, slot);
    uint64_t word = ring_word(s->gen, 0, RING_FREE);

    if (s->place == RQ_OUT) {
        rq_table(q, slot)->gen = s->gen;
        word = ring_word(s->gen, 0, RING_READY);
    } else if (s->place == RQ_HELD) {
        word = ring_word(s->gen, 0, RING_FILLING);
    } else {
        s->free_word = word;
    }
    atomic_store(&shared->mask, s->mask);
    atomic_store(&shared->word, word);
}

void ring_queue_use(struct ring_queue *q, void *control, void *tables,
                    uint64_t incarnation)
{
    struct ring_shared *shared = control;

    if (q->control != NULL) {
        rq_retire(q);
    }
    q->is_changed = false;
    q->control = control;
    q->shared = shared;
    q->tables = tables;
    shared->magic = RING_MAGIC;
    shared->abi = RING_ABI;
    shared->incarnation = incarnation;
    atomic_store(&shared->is_armed, 1);
    atomic_store(&shared->ended, q->ended);
    atomic_store(&shared->is_over, q->is_over ? 1 : 0);
    atomic_store(&shared->wants_back, q->wants_back ? 1 : 0);
    atomic_store(&shared->open, q->is_open ? q->open_number + 1 : 0);
    for (uint32_t i = 0; i < q->layout.shape.slot_count; i++) {
        rq_init_slot(q, i);
    }
}

static void rq_want_back(struct ring_queue *q, bool wants)
{
    if (q->wants_back != wants) {
        q->wants_back = wants;
        atomic_store(&q->shared->wants_back, wants ? 1 : 0);
    }
}

void ring_queue_ask_back(struct ring_queue *q)
{
    if (!q->wants_back) {
        rq_want_back(q, true);
        rq_news(q);
    }
}

/* ---- Publishing. -----------------------------------------------------------
 */

static bool rq_is_valid(const struct ring_queue *q, const struct flow_slot *f)
{
    const struct ring_shape *shape = &q->layout.shape;

    if (f->entry_count == 0 || f->entry_count > shape->entries_max) {
        return false;
    }
    for (uint32_t i = 0; i < f->entry_count; i++) {
        const struct flow_entry *e = &f->entries[i];

        if (e->at > shape->slot_size || e->size > shape->slot_size - e->at) {
            return false;
        }
    }
    return true;
}

static void rq_write_table(struct ring_queue *q, const struct rq_slot *s,
                           const struct flow_slot *f)
{
    struct ring_table *t = rq_table(q, f->slot);

    t->number = s->number;
    t->previous = s->previous;
    t->gen = s->gen;
    t->entry_count = f->entry_count;
    for (uint32_t i = 0; i < f->entry_count; i++) {
        const struct flow_entry *e = &f->entries[i];

        t->entries[i] = (struct ring_entry){
            .epoch = e->epoch,
            .position = e->position,
            .unit_size = e->unit_size,
            .offset = e->offset,
            .at = e->at,
            .size = e->size,
            .flags = (e->is_first ? RING_ENTRY_FIRST : 0U) |
                     (e->is_last ? RING_ENTRY_LAST : 0U) |
                     (e->status != STATUS_OK ? RING_ENTRY_BAD : 0U),
        };
    }
}

/* Whether the slot goes on with a unit that is of no use any more. */
static bool rq_is_lost(struct ring_queue *q, bool is_part, bool goes_on)
{
    if (is_part &&
        (!q->is_open || q->is_tearing || q->open_owner == RING_ANY)) {
        q->is_tearing = goes_on;
        q->is_open = goes_on;
        return true;
    }
    return false;
}

static void rq_note_open(struct ring_queue *q, uint32_t slot, bool goes_on)
{
    q->is_open = goes_on;
    q->is_tearing = false;
    q->open_number = q->slots[slot].number;
    q->open_owner = 0;
    atomic_store(&q->shared->open, goes_on ? q->open_number + 1 : 0);
}

static void rq_put_out(struct ring_queue *q, const struct flow_slot *f)
{
    struct rq_slot *s = &q->slots[f->slot];
    bool is_part = !f->entries[0].is_first;
    bool goes_on = !f->entries[f->entry_count - 1].is_last;

    *s = (struct rq_slot){
        .place = RQ_OUT,
        .gen = s->gen,
        .number = ++q->next_number,
        .previous = is_part ? q->open_number + 1 : 0,
        .chain_owner = is_part ? q->open_owner : 0,
        .is_part = is_part,
        .goes_on = goes_on,
        .slot = *f,
    };
    if (rq_is_mode(q, RING_BROADCAST)) {
        s->mask = q->expected;
    }
    rq_write_table(q, s, f);
    atomic_store(&rq_shared(q, f->slot)->mask, s->mask);
    q->out[q->out_count++] = f->slot;
    q->stats.published++;
}

enum status ring_queue_publish(struct ring_queue *q, const struct flow_slot *f)
{
    struct rq_slot *s;

    CHECK(q->control != NULL && f->slot < q->layout.shape.slot_count);
    s = &q->slots[f->slot];
    CHECK(s->place == RQ_HERE && !q->is_over);
    CHECK(q->out_count < q->layout.shape.slots_max);
    if (!rq_is_valid(q, f)) {
        return STATUS_INVALID;
    }
    if (q->is_changed) {
        return STATUS_CHANGED;
    }
    if (rq_is_lost(q, !f->entries[0].is_first,
                   !f->entries[f->entry_count - 1].is_last)) {
        return STATUS_LOST;
    }
    if (!ring_fill(&rq_shared(q, f->slot)->word, s->free_word)) {
        q->is_changed = true;
        return STATUS_CHANGED;
    }
    rq_put_out(q, f);
    /* Should that be another hand's word, it is found at the next look. */
    (void)ring_ready(&rq_shared(q, f->slot)->word, s->gen);
    rq_append_slot(q, f->slot);
    rq_want_back(q, false);
    rq_note_open(q, f->slot, s->goes_on);
    rq_news(q);
    return STATUS_OK;
}

/* ---- Ends. -----------------------------------------------------------------
 */

static bool rq_has_unread(const struct ring_queue *q, uint32_t queue)
{
    if (rq_is_mode(q, RING_SHARE)) {
        return q->queues[queue].readers == 0;
    }
    return q->queues[queue].readers > 0 || !rq_is_mode(q, RING_BROADCAST) ||
           (q->expected >> queue & 1) != 0;
}

/* Whether what has to come before an end is done. */
static enum status rq_may_end(struct ring_queue *q)
{
    enum status s = ring_queue_collect(q);

    if (s == STATUS_OK && rq_is_mode(q, RING_SHARE) && q->out_count > 0) {
        s = STATUS_EMPTY;
    }
    return s;
}

enum status ring_queue_end_epoch(struct ring_queue *q, uint64_t epoch)
{
    struct rq_end end = {.number = q->next_number + 1, .epoch = epoch};
    enum status s;

    if (epoch >= UINT32_MAX || epoch < q->ended || q->is_over) {
        return STATUS_INVALID;
    }
    s = rq_may_end(q);
    for (uint32_t i = 0; i < q->layout.shape.queue_count; i++) {
        if (s == STATUS_OK && q->queues[i].end_count == RING_ENDS_MAX &&
            rq_has_unread(q, i)) {
            s = STATUS_EMPTY;
        }
    }
    if (s != STATUS_OK) {
        return s;
    }
    q->next_number++;
    q->ended = epoch + 1;
    atomic_store(&q->shared->ended, q->ended);
    for (uint32_t i = 0; i < q->layout.shape.queue_count; i++) {
        struct rq_queue *o = &q->queues[i];

        rq_append_end(q, i, &end);
        if (rq_has_unread(q, i)) {
            o->ends[o->end_count++] = end;
        }
    }
    rq_news(q);
    return STATUS_OK;
}

enum status ring_queue_end(struct ring_queue *q)
{
    enum status s = rq_may_end(q);

    if (s == STATUS_OK) {
        q->is_over = true;
        atomic_store(&q->shared->is_over, 1);
        rq_news(q);
    }
    return s;
}

/* ---- Outcomes. -------------------------------------------------------------
 */

/* Tell the part that comes next who has had this one. */
static void rq_note_chain(struct ring_queue *q, const struct rq_slot *s,
                          uint32_t owner)
{
    if (q->is_open && q->open_number == s->number) {
        q->open_owner = owner;
    }
    for (uint32_t i = 0; i < q->out_count; i++) {
        struct rq_slot *next = &q->slots[q->out[i]];

        if (next->previous == s->number + 1) {
            next->chain_owner = owner;
        }
    }
}

void rq_bring_back(struct ring_queue *q, uint32_t at,
                   enum ring_outcome_kind kind, uint32_t consumer)
{
    uint32_t slot = q->out[at];
    struct rq_slot *s = &q->slots[slot];

    memmove(&q->out[at], &q->out[at + 1],
            (q->out_count - at - 1) * sizeof(q->out[0]));
    q->out_count--;
    s->gen++;
    s->place = RQ_BACK;
    s->kind = kind;
    s->consumer = consumer;
    q->back[(q->back_first + q->back_count++) % q->layout.shape.slot_count] =
        slot;
    q->stats.consumed += kind == RING_CONSUMED;
    q->stats.dropped += kind == RING_DROPPED;
    q->stats.torn += kind == RING_TORN;
    if (kind == RING_CONSUMED && s->goes_on) {
        rq_note_chain(q, s, consumer == RING_ANY ? 0 : consumer + 1);
    }
}

bool ring_queue_take(struct ring_queue *q, struct ring_outcome *out)
{
    struct rq_slot *s;

    if (q->back_count == 0) {
        return false;
    }
    s = &q->slots[q->back[q->back_first]];
    q->back_first = (q->back_first + 1) % q->layout.shape.slot_count;
    q->back_count--;
    *out = (struct ring_outcome){
        .kind = s->kind, .consumer = s->consumer, .slot = s->slot};
    s->place = RQ_HERE;
    return true;
}

bool ring_queue_has_news(struct ring_queue *q)
{
    bool news = q->has_news;

    q->has_news = false;
    return news;
}

struct ring_queue_stats ring_queue_stats(const struct ring_queue *q)
{
    struct ring_queue_stats stats = q->stats;

    stats.out = q->out_count;
    stats.consumers = (uint32_t)__builtin_popcountll(q->joined);
    for (uint32_t i = 0; i < q->out_count; i++) {
        uint64_t word =
            atomic_load(&ring_slot_at(q->control, &q->layout, q->out[i])->word);

        stats.leased += ring_word_state(word) == RING_LEASED;
    }
    return stats;
}
