/* SPDX-License-Identifier: Apache-2.0 */
/* Through the queue, from slot to slot and sample to sample. Every number that
 * comes out of the control memory is checked before it is used; what can't be
 * is RESET. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/client/smshard_state.h"

int smshard_fail(struct smshard *s, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->why, sizeof(s->why), format, args);
    va_end(args);
    return status;
}

static int smshard_garbled(struct smshard *s, const char *what)
{
    s->is_reset = true;
    return smshard_fail(s, SMSHARD_RESET,
                        "%s: the ring's control memory is damaged (%s): a "
                        "consumer of this rank has written to it; reopen",
                        s->channel, what);
}

static bool smshard_is_mode(const struct smshard *s, enum ring_mode mode)
{
    return s->layout.shape.mode == mode;
}

/* ---- Giving back. ----------------------------------------------------------
 */

static _Atomic uint64_t *smshard_given(const struct smshard *s, uint32_t slot,
                                       uint32_t entry)
{
    size_t words = (s->layout.shape.entries_max + 63) / 64;

    return &s->given[slot * words + entry / 64];
}

static bool smshard_give_mask(struct smshard *s, uint32_t slot, uint32_t gen)
{
    struct ring_slot *shared = smshard_slot(s, slot);
    uint64_t bit = (uint64_t)1 << s->consumer;

    if (atomic_load_explicit(&shared->word, memory_order_acquire) !=
        ring_word(gen, 0, RING_READY)) {
        return false;
    }
    return (atomic_fetch_and(&shared->mask, ~bit) & bit) != 0;
}

/* The slot goes back to the worker. false: it was not ours any more. It counts
 * as held until nothing of the connection is touched any more: without one,
 * another thread may let go of that. */
static bool smshard_give_slot(struct smshard *s, uint32_t slot)
{
    struct smshard_held *held = &s->held[slot];
    uint32_t gen = atomic_load(&held->gen);
    bool is_done;

    smshard_hook(SMSHARD_AT_RELEASE);
    /* Before the slot goes: it may come again at once, to another thread. */
    atomic_store(&held->is_held, false);
    is_done =
        smshard_is_mode(s, RING_BROADCAST)
            ? smshard_give_mask(s, slot, gen)
            : ring_release(&smshard_slot(s, slot)->word, gen, s->consumer + 1);
    smshard_hook(SMSHARD_AT_RELEASED);
    /* The worker arms itself, then looks; we let go, then look. */
    if (atomic_load(&s->shared->is_armed) != 0 &&
        atomic_exchange(&s->shared->is_armed, 0) != 0) {
        smshard_hook(SMSHARD_AT_DISARMED);
        smshard_ring_worker(s);
    }
    atomic_fetch_sub(&s->held_count, 1);
    return is_done;
}

static bool smshard_unref(struct smshard *s, uint32_t slot)
{
    return atomic_fetch_sub(&s->held[slot].refs, 1) != 1 ||
           smshard_give_slot(s, slot);
}

/* token: slot, gen, entry, slots in a row, connection. */
int smshard_give(struct smshard *s, const struct smshard_sample *sample)
{
    const uint32_t *t = sample->token;
    uint64_t bit = (uint64_t)1 << (t[2] % 64);
    bool is_done = !s->is_reset;

    if (t[4] != s->connections || t[0] >= s->layout.shape.slot_count ||
        t[2] >= s->layout.shape.entries_max || t[3] == 0 ||
        t[3] > s->layout.shape.slot_count - t[0] ||
        !atomic_load(&s->held[t[0]].is_held) ||
        atomic_load(&s->held[t[0]].gen) != t[1] ||
        (atomic_fetch_and(smshard_given(s, t[0], t[2]), ~bit) & bit) == 0) {
        return SMSHARD_INVALID;
    }
    for (uint32_t i = 0; i < t[3]; i++) {
        is_done = smshard_unref(s, t[0] + i) && is_done;
    }
    if (is_done) {
        return SMSHARD_OK;
    }
    atomic_fetch_add(&s->stale, 1);
    return SMSHARD_STALE;
}

bool smshard_is_idle(const struct smshard *s)
{
    const struct smshard_reading *r = &s->reading;

    return atomic_load(&s->held_count) == (r->is_open ? 1U : 0U) &&
           (!r->is_open || atomic_load(&s->held[r->slot].refs) == 1);
}

/* ---- Taking. ---------------------------------------------------------------
 */

static const struct ring_table *smshard_table(const struct smshard *s,
                                              uint32_t slot)
{
    return ring_table_at(s->tables, &s->layout, slot);
}

static bool smshard_lease(struct smshard *s, uint32_t slot, uint32_t gen)
{
    struct ring_slot *shared = smshard_slot(s, slot);

    smshard_hook(SMSHARD_AT_LEASE);
    if (smshard_is_mode(s, RING_BROADCAST)) {
        uint64_t mask =
            atomic_load_explicit(&shared->mask, memory_order_acquire);

        return (mask >> s->consumer & 1) != 0 &&
               atomic_load_explicit(&shared->word, memory_order_acquire) ==
                   ring_word(gen, 0, RING_READY);
    }
    return ring_lease(&shared->word, gen, s->consumer + 1);
}

/* The slot is ours: note it, for one reader or sample. */
static bool smshard_hold(struct smshard *s, uint32_t slot, uint32_t gen)
{
    struct smshard_held *held = &s->held[slot];
    const struct ring_table *t = smshard_table(s, slot);

    smshard_hook(SMSHARD_AT_LEASED);
    if (atomic_load(&held->is_held) || t->gen != gen || t->entry_count == 0 ||
        t->entry_count > s->layout.shape.entries_max) {
        (void)smshard_garbled(s, "a slot that can't be");
        return false;
    }
    atomic_store(&held->gen, gen);
    atomic_store(&held->refs, 1);
    atomic_store(&held->is_held, true);
    atomic_fetch_add(&s->held_count, 1);
    s->stats.slots++;
    if (smshard_is_mode(s, RING_SHARE)) {
        bool goes_on =
            (t->entries[t->entry_count - 1].flags & RING_ENTRY_LAST) == 0;

        s->chain = goes_on ? t->number + 1 : 0;
    }
    return true;
}

static int smshard_open_slot(struct smshard *s, uint32_t slot, uint32_t gen)
{
    if (!smshard_hold(s, slot, gen)) {
        return SMSHARD_RESET;
    }
    s->reading = (struct smshard_reading){
        .is_open = true,
        .slot = slot,
        .gen = gen,
        .count = smshard_table(s, slot)->entry_count,
    };
    smshard_hook(SMSHARD_AT_OPENED);
    return SMSHARD_OK;
}

/* The other consumers' queue is no business of ours; of our own the worker
 * wants to know how far we are. */
static void smshard_note_cursor(struct smshard *s)
{
    atomic_store_explicit(
        &ring_consumer_at(s->control, &s->layout, s->consumer)->cursor,
        s->cursor, memory_order_release);
}

static bool smshard_may_hold(const struct smshard *s)
{
    return atomic_load(&s->held_count) < s->hold_max;
}

/* ---- The queue. ------------------------------------------------------------
 */

static uint64_t smshard_order(const struct smshard *s, uint64_t number)
{
    return atomic_load_explicit(
        ring_order_at(s->control, &s->layout, s->queue, number),
        memory_order_acquire);
}

static uint64_t smshard_head(const struct smshard *s)
{
    return atomic_load_explicit(
        &ring_queue_at(s->control, &s->layout, s->queue)->head,
        memory_order_acquire);
}

/* A share's part: whoever has had the one before takes this one, wherever it
 * stands. @only: but no other slot than that. */
static int smshard_take_part(struct smshard *s, uint32_t only, uint32_t *out)
{
    uint64_t head = smshard_head(s);
    uint64_t at = atomic_load_explicit(
        &ring_queue_at(s->control, &s->layout, s->queue)->tail,
        memory_order_acquire);

    if (at > head || head - at > s->layout.order_size) {
        at = head > s->layout.order_size ? head - s->layout.order_size : 0;
    }
    for (; at < head; at++) {
        uint64_t e = smshard_order(s, at);
        uint32_t gen = (uint32_t)(e >> 32);
        uint32_t slot = (uint32_t)e & RING_ORDER_NONE;

        if ((e >> 24 & RING_ORDER_PART) == 0 ||
            slot >= s->layout.shape.slot_count ||
            (only != RING_ANY && slot != only) ||
            smshard_table(s, slot)->previous != s->chain) {
            continue;
        }
        if (!smshard_may_hold(s)) {
            return SMSHARD_HELD;
        }
        if (smshard_lease(s, slot, gen)) {
            *out = slot;
            return SMSHARD_OK;
        }
    }
    return SMSHARD_TIMEOUT;
}

static uint32_t smshard_gen_of(const struct smshard *s, uint32_t slot)
{
    uint64_t word = atomic_load_explicit(&smshard_slot(s, slot)->word,
                                         memory_order_acquire);

    return ring_word_gen(word);
}

/* Share, and the unit that was begun goes on. TIMEOUT: not yet. */
static int smshard_go_on(struct smshard *s)
{
    uint64_t open = atomic_load(&s->shared->open);
    uint32_t slot;
    int status = smshard_take_part(s, RING_ANY, &slot);

    if (status == SMSHARD_OK) {
        return smshard_open_slot(s, slot, smshard_gen_of(s, slot));
    }
    if (status == SMSHARD_TIMEOUT && open != s->chain) {
        s->chain = 0; /* It was given up. */
    }
    return status;
}

static int smshard_tell_end(struct smshard *s, uint64_t epoch,
                            struct smshard_sample *out)
{
    s->ended = epoch + 1;
    memset(out, 0, sizeof(*out));
    out->epoch = epoch;
    smshard_hook(SMSHARD_AT_TOLD);
    smshard_note_cursor(s);
    return SMSHARD_END;
}

/* One entry of the queue. TIMEOUT: it was nothing, go on. */
static int smshard_take_entry(struct smshard *s, struct smshard_sample *out)
{
    uint64_t e = smshard_order(s, s->cursor);
    uint32_t gen = (uint32_t)(e >> 32);
    uint32_t flags = (uint32_t)(e >> 24) & 0xff;
    uint32_t slot = (uint32_t)e & RING_ORDER_NONE;

    if ((flags & RING_ORDER_END) != 0) {
        s->cursor++;
        return gen >= s->ended ? smshard_tell_end(s, gen, out)
                               : SMSHARD_TIMEOUT;
    }
    if (slot >= s->layout.shape.slot_count) {
        return smshard_garbled(s, "a slot that is none");
    }
    if (smshard_is_mode(s, RING_SHARE) && (flags & RING_ORDER_PART) != 0) {
        s->cursor++;
        return SMSHARD_TIMEOUT;
    }
    if (!smshard_may_hold(s)) {
        return SMSHARD_HELD;
    }
    s->cursor++;
    if (!smshard_lease(s, slot, gen)) {
        return SMSHARD_TIMEOUT;
    }
    smshard_note_cursor(s);
    return smshard_open_slot(s, slot, gen);
}

/* Ends that nobody told us of: the queue went on without us. Whoever has seen
 * nothing at all does not know where the epochs began, and hears the last. */
static int smshard_catch_up(struct smshard *s, struct smshard_sample *out)
{
    uint64_t ended = atomic_load(&s->shared->ended);
    uint64_t next = s->ended;

    if (s->has_unit && s->epoch > next) {
        next = s->epoch;
    }
    if (next >= ended || ended > UINT32_MAX) {
        s->is_behind = false;
        return SMSHARD_TIMEOUT;
    }
    return smshard_tell_end(s, next > 0 || s->has_unit ? next : ended - 1, out);
}

static int smshard_check_head(struct smshard *s, uint64_t head)
{
    if (head < s->cursor) {
        return smshard_garbled(s, "a queue that runs back");
    }
    if (head - s->cursor > s->layout.order_size) {
        if (!smshard_is_mode(s, RING_SHARE)) {
            return smshard_garbled(s, "a queue that runs away");
        }
        s->cursor = head - s->layout.order_size;
        s->is_behind = true;
    }
    return SMSHARD_OK;
}

/* OK: a slot is open. */
static int smshard_take_slot(struct smshard *s, struct smshard_sample *out)
{
    bool is_over = atomic_load(&s->shared->is_over) != 0;
    uint64_t head = smshard_head(s);
    int status = smshard_check_head(s, head);

    if (status == SMSHARD_OK) {
        status = s->is_behind ? smshard_catch_up(s, out) : SMSHARD_TIMEOUT;
    }
    if (status == SMSHARD_TIMEOUT && s->chain != 0) {
        status = smshard_go_on(s);
        if (status == SMSHARD_TIMEOUT && s->chain != 0) {
            return status;
        }
    }
    while (status == SMSHARD_TIMEOUT && s->cursor < head) {
        status = smshard_take_entry(s, out);
    }
    if (status == SMSHARD_TIMEOUT && is_over) {
        return SMSHARD_OVER;
    }
    return status;
}

/* ---- Samples. --------------------------------------------------------------
 */

static bool smshard_entry_is_valid(const struct smshard *s,
                                   const struct ring_entry *e)
{
    return e->at <= s->layout.shape.slot_size &&
           e->size <= s->layout.shape.slot_size - e->at;
}

/* The slot behind @slot, if it is there and goes on with the same unit where
 * that one stops. */
static bool smshard_take_next(struct smshard *s, uint32_t slot)
{
    uint32_t next = slot + 1;
    uint32_t taken;
    const struct ring_table *t;
    uint64_t e;

    if (next >= s->layout.shape.slot_count || !smshard_may_hold(s)) {
        return false;
    }
    t = smshard_table(s, next);
    if (t->previous != smshard_table(s, slot)->number + 1 ||
        t->entry_count != 1 || t->entries[0].at != 0 ||
        !smshard_entry_is_valid(s, &t->entries[0]) ||
        t->entries[0].flags > RING_ENTRY_LAST) {
        return false;
    }
    if (smshard_is_mode(s, RING_SHARE)) {
        return smshard_take_part(s, next, &taken) == SMSHARD_OK &&
               smshard_hold(s, next, smshard_gen_of(s, next));
    }
    if (s->cursor == smshard_head(s)) {
        return false;
    }
    e = smshard_order(s, s->cursor);
    if (((uint32_t)e & RING_ORDER_NONE) != next ||
        !smshard_lease(s, next, (uint32_t)(e >> 32))) {
        return false;
    }
    s->cursor++;
    smshard_note_cursor(s);
    return smshard_hold(s, next, (uint32_t)(e >> 32));
}

/* Parts that lie one behind the other are one sample. */
static void smshard_join_parts(struct smshard *s, uint32_t slot,
                               struct smshard_sample *out)
{
    const struct ring_table *t = smshard_table(s, slot);
    uint64_t end = t->entries[0].at + t->entries[0].size;

    while (t->entry_count == 1 && out->is_last == 0 &&
           end == s->layout.shape.slot_size && smshard_take_next(s, slot)) {
        slot++;
        t = smshard_table(s, slot);
        end = t->entries[0].size;
        out->size += t->entries[0].size;
        out->is_last = (t->entries[0].flags & RING_ENTRY_LAST) != 0;
        out->token[3]++;
    }
}

static void smshard_note_unit(struct smshard *s,
                              const struct smshard_sample *sample)
{
    s->stats.samples++;
    s->stats.bytes += sample->size;
    if (sample->is_last != 0) {
        s->has_unit = true;
        s->epoch = sample->epoch;
        s->position = sample->position;
        s->units++;
    }
}

static void smshard_fill(struct smshard *s, const struct ring_entry *e,
                         uint32_t entry, struct smshard_sample *out)
{
    struct smshard_reading *r = &s->reading;

    *out = (struct smshard_sample){
        .data = s->data + r->slot * (size_t)s->layout.shape.slot_size + e->at,
        .size = (size_t)e->size,
        .epoch = e->epoch,
        .position = e->position,
        .offset = e->offset,
        .unit_size = e->unit_size,
        .is_first = (e->flags & RING_ENTRY_FIRST) != 0,
        .is_last = (e->flags & RING_ENTRY_LAST) != 0,
        .token = {r->slot, r->gen, entry, 1, s->connections},
    };
    atomic_fetch_or(smshard_given(s, r->slot, entry),
                    (uint64_t)1 << (entry % 64));
    smshard_join_parts(s, r->slot, out);
    smshard_note_unit(s, out);
    smshard_hook(SMSHARD_AT_SAMPLE);
}

/* The next sample of the open slot; the last one takes over the reader's
 * hold. TIMEOUT: there is none left. */
static int smshard_read(struct smshard *s, struct smshard_sample *out)
{
    struct smshard_reading *r = &s->reading;

    while (r->is_open && r->next < r->count) {
        uint32_t entry = r->next++;
        const struct ring_entry *e = &smshard_table(s, r->slot)->entries[entry];

        if ((e->flags & RING_ENTRY_BAD) != 0) {
            s->stats.skipped++;
            continue;
        }
        if (!smshard_entry_is_valid(s, e)) {
            return smshard_garbled(s, "a sample outside its slot");
        }
        if (r->next == r->count) {
            r->is_open = false;
        } else {
            atomic_fetch_add(&s->held[r->slot].refs, 1);
        }
        smshard_fill(s, e, entry, out);
        return SMSHARD_OK;
    }
    if (r->is_open) { /* Its last ones were bad. */
        r->is_open = false;
        (void)!smshard_unref(s, r->slot);
    }
    return SMSHARD_TIMEOUT;
}

int smshard_walk(struct smshard *s, struct smshard_sample *out)
{
    int status = smshard_read(s, out);

    while (status == SMSHARD_TIMEOUT) {
        status = smshard_take_slot(s, out);
        if (status != SMSHARD_OK) {
            break;
        }
        status = smshard_read(s, out);
    }
    if (status == SMSHARD_TIMEOUT && !smshard_may_hold(s)) {
        status = SMSHARD_HELD;
    }
    if (status == SMSHARD_HELD) {
        return smshard_fail(s, status,
                            "%s: all %u slots that may be held are: release a "
                            "sample before the next is taken",
                            s->channel, s->hold_max);
    }
    if (status == SMSHARD_TIMEOUT && atomic_load(&s->shared->wants_back) != 0 &&
        atomic_load(&s->held_count) > 0) {
        return smshard_fail(s, SMSHARD_HELD,
                            "%s: nothing comes before what is held is "
                            "released: it may be the last of its epoch",
                            s->channel);
    }
    return status;
}

bool smshard_is_over(const struct smshard *s)
{
    return atomic_load(&s->shared->is_over) != 0 && !s->reading.is_open &&
           s->chain == 0 && s->cursor == smshard_head(s);
}
