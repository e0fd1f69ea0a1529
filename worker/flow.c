/* SPDX-License-Identifier: Apache-2.0 */
/* A fill is a slot that this flow has taken, with what it will hold. Those
 * that were not handed over stand in the ring in the order of their units;
 * the newest may be open, for more small units. A fill that is not wanted any
 * more while requests write to it is dead, and is spare after the last. */
#include "worker/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/bounds.h"
#include "worker/stored_parts.h"

enum {
    FLOW_SLOT_MS = 10, /* Between two slots, before anything is known. */
    FLOW_SLOT_MS_MAX = 10000,
};

#define FLOW_NONE UINT32_MAX

enum flow_state {
    FLOW_SPARE, /* Has no slot. */
    FLOW_OPEN,
    FLOW_CLOSED,
    FLOW_HELD, /* By the consumer. */
    FLOW_DEAD,
};

/* What the consumer need not know of an entry. */
struct flow_part {
    uint64_t serial; /* Of its unit. */
    bool is_pending;
};

struct flow_fill {
    enum flow_state state;
    uint32_t slot;
    size_t used;
    uint32_t pending; /* Requests that have not ended. */
    struct fetch_group group;
    bool is_hurried;
    uint32_t count;
    uint32_t room;
    struct flow_entry *entries;
    struct flow_part *parts; /* One for each entry. */
    struct fault *why;
};

struct flow {
    struct flow_options o;
    struct fetch_port *port;
    struct bounds *bounds; /* What units come through. */
    size_t slot_size;
    struct flow_fill *fills; /* @o.slots_max of them. */
    uint32_t *by_slot;       /* Which fill has a slot. */
    uint32_t *spares;        /* Fills that are spare. */
    uint32_t spare_count;
    uint32_t *ring; /* Of fills; room for all. */
    uint32_t ring_at;
    uint32_t ring_count;

    uint32_t hand; /* A slot for the next fill; or SLOTS_NONE. */

    struct flow_unit unit; /* Being placed. */
    bool has_unit;
    uint64_t unit_at;     /* So much of it has a place. */
    uint64_t stored_part; /* What the parts are that it is stored in, or 0. */
    uint64_t serial;
    bool is_dry;     /* No unit was to be had when last asked. */
    bool is_stopped; /* The epoch's units are all here. */

    uint64_t number; /* Of slots handed over. */
    uint64_t taken_ms;
    uint64_t slot_ms; /* Between two of them. */
    struct flow_stats stats;
};

/* ---- life --------------------------------------------------------------- */

struct flow *flow_new(const struct flow_options *o)
{
    struct flow *f = mem_new(1, sizeof(*f));

    CHECK(o->slots_max >= 1 && o->next != NULL);
    f->o = *o;
    f->o.slots_max = o->slots_max < slots_count(o->slots)
                         ? o->slots_max
                         : slots_count(o->slots);
    f->slot_size = slots_size(o->slots);
    f->slot_ms = FLOW_SLOT_MS;
    f->hand = SLOTS_NONE;
    f->fills = mem_new(f->o.slots_max, sizeof(f->fills[0]));
    f->spares = mem_new(f->o.slots_max, sizeof(f->spares[0]));
    f->ring = mem_new(f->o.slots_max, sizeof(f->ring[0]));
    f->by_slot = mem_new(slots_count(o->slots), sizeof(f->by_slot[0]));
    memset(f->by_slot, 0xff, slots_count(o->slots) * sizeof(f->by_slot[0]));
    for (uint32_t i = 0; i < f->o.slots_max; i++) {
        f->spares[f->spare_count++] = f->o.slots_max - 1 - i;
    }
    f->port = fetch_open(o->fetch);
    if (f->port == NULL) {
        flow_destroy(&f);
        return NULL;
    }
    f->bounds = bounds_new(&(struct bounds_options){
        .fetch = o->fetch,
        .port = f->port,
        .source = o->source,
        .lane = o->lane,
        .next = o->next,
        .next_self = o->next_self,
    });
    return f;
}

static void flow_hand_back(struct flow *f)
{
    if (f->hand != SLOTS_NONE) {
        slots_give(f->o.slots, f->hand);
        f->hand = SLOTS_NONE;
    }
}

void flow_destroy(struct flow **fp)
{
    struct flow *f = *fp;

    if (f == NULL) {
        return;
    }
    fetch_close(&f->port);
    bounds_destroy(&f->bounds);
    flow_hand_back(f);
    for (uint32_t i = 0; i < f->o.slots_max; i++) {
        if (f->fills[i].state != FLOW_SPARE) {
            slots_give(f->o.slots, f->fills[i].slot);
        }
        free(f->fills[i].entries);
        free(f->fills[i].parts);
        free(f->fills[i].why);
    }
    free(f->fills);
    free(f->spares);
    free(f->ring);
    free(f->by_slot);
    free(f);
    *fp = NULL;
}

int flow_fd(const struct flow *f)
{
    return fetch_fd(f->port);
}

/* ---- fills -------------------------------------------------------------- */

static struct flow_fill *flow_ring_at(const struct flow *f, uint32_t i)
{
    CHECK(i < f->ring_count);
    return &f->fills[f->ring[(f->ring_at + i) % f->o.slots_max]];
}

static struct flow_fill *flow_newest(const struct flow *f)
{
    return f->ring_count > 0 ? flow_ring_at(f, f->ring_count - 1) : NULL;
}

static struct flow_fill *flow_open_fill(const struct flow *f)
{
    struct flow_fill *newest = flow_newest(f);

    return newest != NULL && newest->state == FLOW_OPEN ? newest : NULL;
}

static uint32_t flow_index(const struct flow *f, const struct flow_fill *fill)
{
    return (uint32_t)(fill - f->fills);
}

static void flow_ring_pop(struct flow *f)
{
    CHECK(f->ring_count > 0);
    f->ring_at = (f->ring_at + 1) % f->o.slots_max;
    f->ring_count--;
}

static void flow_fill_spare(struct flow *f, struct flow_fill *fill)
{
    CHECK(fill->pending == 0 && fill->state != FLOW_SPARE);
    slots_give(f->o.slots, fill->slot);
    f->by_slot[fill->slot] = FLOW_NONE;
    fill->state = FLOW_SPARE;
    free(fill->why);
    fill->why = NULL;
    f->spares[f->spare_count++] = flow_index(f, fill);
}

/* What @fill was for is not wanted. Its requests may still write to it. */
static void flow_fill_kill(struct flow *f, struct flow_fill *fill)
{
    for (uint32_t i = 0; i < fill->count; i++) {
        if (fill->parts[i].is_pending) {
            fetch_cancel(f->port, (uint64_t)flow_index(f, fill) << 32 | i);
        }
    }
    fill->count = 0;
    fill->state = FLOW_DEAD;
    if (fill->pending == 0) {
        flow_fill_spare(f, fill);
    }
}

/* Have a slot at hand for a new fill; false: none is free. */
static bool flow_has_hand(struct flow *f)
{
    if (f->spare_count > 0 && f->hand == SLOTS_NONE) {
        f->hand = slots_take(f->o.slots);
    }
    return f->hand != SLOTS_NONE;
}

/* A new one at the ring's end; false: no slot is free. */
static bool flow_fill_open(struct flow *f)
{
    struct flow_fill *fill;
    uint32_t index;

    if (!flow_has_hand(f)) {
        return false;
    }
    index = f->spares[--f->spare_count];
    fill = &f->fills[index];
    CHECK(fill->state == FLOW_SPARE && fill->pending == 0);
    fill->state = FLOW_OPEN;
    fill->slot = f->hand;
    fill->used = 0;
    fill->count = 0;
    fill->is_hurried = false;
    f->hand = SLOTS_NONE;
    f->by_slot[fill->slot] = index;
    f->ring[(f->ring_at + f->ring_count++) % f->o.slots_max] = index;
    return true;
}

static void flow_close_open(struct flow *f)
{
    struct flow_fill *open = flow_open_fill(f);

    if (open != NULL) {
        open->state = FLOW_CLOSED;
    }
}

/* ---- placing units ------------------------------------------------------ */

static void flow_fill_grow(struct flow_fill *fill)
{
    if (fill->count == fill->room) {
        fill->room = fill->room > 0 ? 2 * fill->room : 1;
        fill->entries =
            mem_grow(fill->entries, fill->room, sizeof(fill->entries[0]));
        fill->parts = mem_grow(fill->parts, fill->room, sizeof(fill->parts[0]));
    }
}

/* When the newest fill will be wanted. */
static uint64_t flow_due(const struct flow *f)
{
    return fetch_clock_ms(f->o.fetch) + (f->ring_count - 1) * f->slot_ms;
}

static void flow_ask(struct flow *f, struct flow_fill *fill, uint32_t index)
{
    const struct flow_entry *e = &fill->entries[index];
    struct fetch_request r = {
        .tag = (uint64_t)flow_index(f, fill) << 32 | index,
        .source = f->o.source,
        .lane = f->o.lane,
        .key = f->unit.key,
        .etag = f->unit.etag,
        .offset = f->unit.offset + e->offset,
        .size = e->size,
        .is_whole = f->unit.is_whole && e->size == f->unit.size,
        .group = &fill->group,
        .into = (uint8_t *)slots_at(f->o.slots, fill->slot) + e->at,
        .due = flow_due(f),
    };

    fill->parts[index].is_pending = true;
    fill->pending++;
    fetch_submit(f->port, &r);
}

/* Keep why an entry of @fill has failed, if it is the first one. */
static void flow_blame(struct flow_fill *fill, const struct fault *why)
{
    if (fill->why == NULL) {
        fill->why = mem_new(1, sizeof(*fill->why));
        *fill->why = *why;
    }
}

/* Put the next @size bytes of the unit into @fill. */
static void flow_fill_add(struct flow *f, struct flow_fill *fill, size_t size)
{
    size_t at = (fill->used + FLOW_ENTRY_ALIGN - 1) / FLOW_ENTRY_ALIGN *
                FLOW_ENTRY_ALIGN;

    CHECK(fill->state == FLOW_OPEN && fill->count < FLOW_ENTRIES_MAX);
    CHECK(at <= f->slot_size && size <= f->slot_size - at);
    flow_fill_grow(fill);
    fill->entries[fill->count] = (struct flow_entry){
        .epoch = f->unit.epoch,
        .position = f->unit.position,
        .mark = f->unit.mark,
        .unit_size = f->unit.size,
        .offset = f->unit_at,
        .at = at,
        .size = size,
        .is_first = f->unit_at == 0,
        .is_last = f->unit_at + size == f->unit.size,
        .status = f->unit.status,
    };
    fill->parts[fill->count] = (struct flow_part){.serial = f->serial};
    fill->used = at + size;
    fill->count++;
    if (f->unit.status != STATUS_OK) {
        flow_blame(fill, f->unit.why);
    } else if (f->unit.text != NULL) {
        memcpy((char *)slots_at(f->o.slots, fill->slot) + at,
               f->unit.text + f->unit_at, size);
    } else if (size > 0) {
        flow_ask(f, fill, fill->count - 1);
    }
    f->unit_at += size;
    f->has_unit = f->unit_at < f->unit.size;
}

static bool flow_fill_has_room(const struct flow *f,
                               const struct flow_fill *fill, size_t size)
{
    size_t at = (fill->used + FLOW_ENTRY_ALIGN - 1) / FLOW_ENTRY_ALIGN *
                FLOW_ENTRY_ALIGN;

    return fill->count < FLOW_ENTRIES_MAX && at <= f->slot_size &&
           size <= f->slot_size - at;
}

/* Make the newest fill open, with room for @size; false: no slot is free. */
static bool flow_make_room(struct flow *f, size_t size)
{
    struct flow_fill *open = flow_open_fill(f);

    if (open != NULL && flow_fill_has_room(f, open, size)) {
        return true;
    }
    flow_close_open(f);
    return flow_fill_open(f);
}

/* Give the unit a place, all of it or what there are slots for. */
static bool flow_place(struct flow *f)
{
    if (f->unit.size <= f->slot_size / FLOW_SMALL_PART) {
        if (!flow_make_room(f, (size_t)f->unit.size)) {
            return false;
        }
        flow_fill_add(f, flow_newest(f), (size_t)f->unit.size);
        return true;
    }
    while (f->has_unit) {
        flow_close_open(f);
        if (!flow_fill_open(f)) {
            return false;
        }
        flow_fill_add(f, flow_newest(f),
                      (size_t)stored_parts_next(f->stored_part, f->unit_at,
                                                f->unit.size - f->unit_at,
                                                f->slot_size));
        flow_close_open(f);
    }
    return true;
}

/* Ask for the next unit; false: there is none. */
static bool flow_pull(struct flow *f)
{
    enum status s;

    if (f->is_stopped) {
        return false;
    }
    s = bounds_next(f->bounds, &f->unit);
    CHECK(s == STATUS_OK || s == STATUS_EMPTY || s == STATUS_STOPPED);
    f->has_unit = s == STATUS_OK;
    f->is_dry = s == STATUS_EMPTY;
    f->is_stopped = s == STATUS_STOPPED;
    f->unit_at = 0;
    f->stored_part = f->has_unit && f->unit.is_whole
                         ? stored_parts_size(f->unit.etag, f->unit.size)
                         : 0;
    f->serial++;
    if (f->is_stopped) {
        flow_close_open(f);
    }
    return f->has_unit;
}

/* Ask for units while the next one will find a place: a lease should not wait
 * here. */
static void flow_plan(struct flow *f)
{
    bool has_place = true;

    while (has_place) {
        if (!f->has_unit && flow_open_fill(f) == NULL && !flow_has_hand(f)) {
            return;
        }
        if (!f->has_unit && !flow_pull(f)) {
            flow_hand_back(f); /* Others may have use for it. */
            return;
        }
        has_place = flow_place(f);
    }
}

/* ---- answers ------------------------------------------------------------ */

/* Of the unit @serial, parts that wait for their turn are not wanted, but
 * @kept. Returns whether its first part was among what is still here. */
static bool flow_drop_others(struct flow *f, uint64_t serial,
                             const struct flow_fill *kept)
{
    bool has_first = false;

    for (uint32_t i = 0; i < f->ring_count; i++) {
        struct flow_fill *fill = flow_ring_at(f, i);

        if (fill->count != 1 || fill->parts[0].serial != serial) {
            continue;
        }
        has_first |= fill->entries[0].is_first;
        if (fill != kept) { /* It leaves the ring when its turn comes. */
            if (fill->parts[0].is_pending) {
                fetch_cancel(f->port, (uint64_t)flow_index(f, fill) << 32);
            }
            fill->count = 0;
        }
    }
    return has_first;
}

static void flow_fail(struct flow *f, struct flow_fill *fill, uint32_t index,
                      const struct fetch_event *e)
{
    struct flow_entry *entry = &fill->entries[index];
    bool is_large = entry->size < entry->unit_size;

    entry->status = e->status;
    entry->size = 0;
    if (is_large) {
        uint64_t serial = fill->parts[index].serial;

        entry->is_first = flow_drop_others(f, serial, fill);
        entry->is_last = true;
        f->has_unit = f->has_unit && f->serial != serial;
    }
    flow_blame(fill, &e->why);
}

static void flow_answer(struct flow *f, const struct fetch_event *e)
{
    struct flow_fill *fill;
    uint32_t index = (uint32_t)e->tag;

    CHECK(e->tag >> 32 < f->o.slots_max);
    fill = &f->fills[e->tag >> 32];
    CHECK(fill->pending > 0 && fill->parts[index].is_pending);
    fill->parts[index].is_pending = false;
    fill->pending--;
    if (fill->state == FLOW_DEAD) {
        if (fill->pending == 0) {
            flow_fill_spare(f, fill);
        }
        return;
    }
    if (index < fill->count && e->status != STATUS_OK) {
        flow_fail(f, fill, index, e);
    }
}

void flow_step(struct flow *f)
{
    struct fetch_event e;

    while (fetch_take(f->port, &e)) {
        if ((e.tag & BOUNDS_TAG) != 0) {
            bounds_answer(f->bounds, &e);
        } else {
            flow_answer(f, &e);
        }
    }
    flow_plan(f);
}

/* ---- the consumer ------------------------------------------------------- */

/* Somebody waits for @fill: nothing is due sooner. */
static void flow_fill_hurry(struct flow *f, struct flow_fill *fill)
{
    uint64_t now_ms = fetch_clock_ms(f->o.fetch);

    if (fill->is_hurried || fill->state == FLOW_OPEN) {
        return;
    }
    fill->is_hurried = true;
    for (uint32_t i = 0; i < fill->count; i++) {
        if (fill->parts[i].is_pending) {
            fetch_hurry(f->port, (uint64_t)flow_index(f, fill) << 32 | i,
                        now_ms);
        }
    }
}

static void flow_note_take(struct flow *f)
{
    uint64_t now_ms = fetch_clock_ms(f->o.fetch);
    uint64_t took = f->taken_ms != 0 ? now_ms - f->taken_ms : f->slot_ms;

    took = took < FLOW_SLOT_MS_MAX ? took : FLOW_SLOT_MS_MAX;
    f->slot_ms = (7 * f->slot_ms + took + 7) / 8;
    f->taken_ms = now_ms;
}

static void flow_count(struct flow *f, const struct flow_fill *fill)
{
    for (uint32_t i = 0; i < fill->count; i++) {
        const struct flow_entry *e = &fill->entries[i];

        f->stats.bytes += e->size;
        f->stats.units += e->is_last && e->status == STATUS_OK;
        f->stats.failed += e->status != STATUS_OK;
    }
}

static void flow_hand_over(struct flow *f, struct flow_fill *fill,
                           struct flow_slot *out)
{
    CHECK(fill->state == FLOW_CLOSED && fill->pending == 0 && fill->count > 0);
    flow_ring_pop(f);
    fill->state = FLOW_HELD;
    flow_note_take(f);
    flow_count(f, fill);
    *out = (struct flow_slot){
        .slot = fill->slot,
        .number = f->number++,
        .data = slots_at(f->o.slots, fill->slot),
        .size = fill->used,
        .entries = fill->entries,
        .entry_count = fill->count,
        .why = fill->why,
    };
}

enum status flow_take(struct flow *f, struct flow_slot *out)
{
    while (f->ring_count > 0) {
        struct flow_fill *first = flow_ring_at(f, 0);

        if (first->state == FLOW_OPEN && f->o.fills_last && f->is_dry) {
            first->state = FLOW_CLOSED;
        }
        if (first->count == 0) {
            flow_ring_pop(f);
            flow_fill_kill(f, first);
            continue;
        }
        if (first->state == FLOW_OPEN || first->pending > 0) {
            flow_fill_hurry(f, first);
            return STATUS_EMPTY;
        }
        flow_hand_over(f, first, out);
        return STATUS_OK;
    }
    return f->is_stopped ? STATUS_STOPPED : STATUS_EMPTY;
}

void flow_release(struct flow *f, uint32_t slot)
{
    struct flow_fill *fill;

    CHECK(slot < slots_count(f->o.slots) && f->by_slot[slot] != FLOW_NONE);
    fill = &f->fills[f->by_slot[slot]];
    CHECK(fill->state == FLOW_HELD);
    flow_fill_spare(f, fill);
}

void flow_begin(struct flow *f)
{
    CHECK(f->is_stopped);
    f->is_stopped = false;
}

void flow_reset(struct flow *f)
{
    while (f->ring_count > 0) {
        struct flow_fill *fill = flow_ring_at(f, 0);

        flow_ring_pop(f);
        flow_fill_kill(f, fill);
    }
    bounds_reset(f->bounds);
    f->has_unit = false;
    f->is_dry = false;
    f->is_stopped = false;
}

struct flow_stats flow_stats(const struct flow *f)
{
    struct flow_stats stats = f->stats;

    for (uint32_t i = 0; i < f->ring_count; i++) {
        const struct flow_fill *fill = flow_ring_at(f, i);
        bool is_ready = fill->state == FLOW_CLOSED && fill->pending == 0;

        stats.ready += is_ready;
        stats.filling += !is_ready;
    }
    stats.filling += bounds_searching(f->bounds);
    for (uint32_t i = 0; i < f->o.slots_max; i++) {
        stats.held += f->fills[i].state == FLOW_HELD;
    }
    return stats;
}

static void flow_check_fill(const struct flow *f, const struct flow_fill *fill)
{
    uint32_t pending = 0;

    CHECK(fill->count <= fill->room && fill->count <= FLOW_ENTRIES_MAX);
    CHECK_IMPLIES(fill->state == FLOW_SPARE || fill->state == FLOW_HELD,
                  fill->pending == 0);
    CHECK_IMPLIES(fill->state != FLOW_SPARE,
                  f->by_slot[fill->slot] == flow_index(f, fill));
    CHECK_IMPLIES(fill->state == FLOW_DEAD, fill->pending > 0);
    for (uint32_t i = 0; i < fill->room; i++) {
        pending += i < fill->count && fill->parts[i].is_pending;
    }
    CHECK(pending <= fill->pending);
    for (uint32_t i = 0; i < fill->count; i++) {
        const struct flow_entry *e = &fill->entries[i];

        CHECK(e->at % FLOW_ENTRY_ALIGN == 0 && e->at + e->size <= fill->used);
        CHECK_IMPLIES(e->status != STATUS_OK, e->size == 0 && e->is_last);
    }
}

void flow_check(const struct flow *f)
{
    uint32_t states[FLOW_DEAD + 1] = {0};

    for (uint32_t i = 0; i < f->o.slots_max; i++) {
        flow_check_fill(f, &f->fills[i]);
        states[f->fills[i].state]++;
    }
    CHECK(states[FLOW_SPARE] == f->spare_count);
    CHECK_IMPLIES(f->hand != SLOTS_NONE, f->spare_count > 0);
    CHECK(states[FLOW_OPEN] + states[FLOW_CLOSED] == f->ring_count);
    CHECK(states[FLOW_OPEN] == (flow_open_fill(f) != NULL));
    CHECK_IMPLIES(f->is_stopped, !f->has_unit && states[FLOW_OPEN] == 0);
}
