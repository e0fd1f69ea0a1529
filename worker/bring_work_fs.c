/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_work.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "worker/bring_object.h"
#include "worker/slots.h"

enum {
    BRING_OPS_FIRST = 4,
    BRING_OPS_SPARE = 2,
    BRING_OPS = 512,                    /* Requests that wait or go on. */
    BRING_SMALL = BRING_PART_BYTES / 8, /* Such objects share a slot. */
    BRING_ALIGN = 4096,                 /* In it. */
    BRING_LOOKS_MAX = 8,                /* Large objects looked at. */
};

/* One request. */
struct bring_op {
    struct bring_moving *moving; /* NULL: it is free. */
    uint64_t part;
    uint32_t slot; /* SLOTS_NONE: a look. */
    uint32_t next; /* Free ones. */
};

struct bring_work {
    const struct bring_work_options *o;
    struct fetch_source sources[BRING_CHANNELS_MAX];
    struct fetch *fetch; /* NULL until something is asked for. */
    struct fetch_port *port;
    struct slots *slots;
    uint32_t *users; /* Of each slot. */
    struct {
        uint32_t slot; /* That small objects share; or SLOTS_NONE. */
        size_t used;
    } shared;
    struct bring_op ops[BRING_OPS];
    uint32_t free_op; /* BRING_OPS: none. */
    uint32_t op_count;
    struct bring_moving *all;
    struct bring_moving *wanted; /* Have parts to be asked for, in order. */
    uint32_t looks;
    uint32_t channel; /* Whose items are being taken. */
    uint64_t due;
    struct buf made;
    struct fault *why;
};

/* ---- memory ------------------------------------------------------------- */

static uint32_t bring_slot_take(struct bring_work *w)
{
    uint32_t slot = slots_take(w->slots);

    if (slot == SLOTS_NONE && w->shared.slot != SLOTS_NONE &&
        w->users[w->shared.slot] == 0) {
        slot = w->shared.slot;
        w->shared.slot = SLOTS_NONE;
    }
    return slot;
}

static void bring_slot_leave(struct bring_work *w, uint32_t slot)
{
    CHECK(w->users[slot] > 0);
    if (--w->users[slot] > 0) {
        return;
    }
    if (slot == w->shared.slot) {
        w->shared.used = 0;
    } else {
        slots_give(w->slots, slot);
    }
}

/* Room for @size bytes of a small object. */
static void *bring_slot_share(struct bring_work *w, size_t size, uint32_t *out)
{
    size_t room = (size + BRING_ALIGN - 1) / BRING_ALIGN * BRING_ALIGN;
    char *at;

    if (w->shared.slot == SLOTS_NONE ||
        w->shared.used + room > slots_size(w->slots)) {
        uint32_t slot = bring_slot_take(w);

        if (slot == SLOTS_NONE) {
            return NULL;
        }
        /* The old one goes back with its last user. */
        if (w->shared.slot != SLOTS_NONE && w->users[w->shared.slot] == 0) {
            slots_give(w->slots, w->shared.slot);
        }
        w->shared.slot = slot;
        w->shared.used = 0;
    }
    at = (char *)slots_at(w->slots, w->shared.slot) + w->shared.used;
    w->shared.used += room;
    w->users[w->shared.slot]++;
    *out = w->shared.slot;
    return at;
}

static void *bring_room(struct bring_work *w, size_t size, uint32_t *out)
{
    if (size <= BRING_SMALL) {
        return bring_slot_share(w, size, out);
    }
    *out = bring_slot_take(w);
    if (*out == SLOTS_NONE) {
        return NULL;
    }
    w->users[*out]++;
    return slots_at(w->slots, *out);
}

/* ---- asking ------------------------------------------------------------- */

/* So many lanes have something to do. */
static uint32_t bring_lanes_wanted(const struct bring_work *w)
{
    uint64_t parts = 0;

    for (uint32_t i = 0; i < w->o->target_count; i++) {
        const struct bring_channel *c = w->o->targets[i].channel;

        parts += c->units + c->bytes / BRING_PART_BYTES;
    }
    parts = parts > 0 ? parts : 1;
    return parts < w->o->lanes ? (uint32_t)parts : w->o->lanes;
}

static enum status bring_open_fetch(struct bring_work *w)
{
    struct slots_options memory = {.count = w->o->parts,
                                   .size = BRING_PART_BYTES,
                                   .node = -1,
                                   .is_lazy = true};
    enum status s;

    if (w->fetch != NULL) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < w->o->target_count; i++) {
        const struct bring_channel *c = w->o->targets[i].channel;

        w->sources[i] = (struct fetch_source){c->name, c->root_uri};
    }
    s = slots_new(&memory, w->why, &w->slots);
    if (s == STATUS_OK) {
        s = fetch_start(
            &(struct fetch_options){
                .sources = w->sources,
                .source_count = w->o->target_count,
                .lane_count = bring_lanes_wanted(w),
            },
            w->why, &w->fetch);
    }
    if (s == STATUS_OK) {
        w->port = fetch_open(w->fetch);
    }
    return s;
}

static void bring_ask(struct bring_work *w, struct bring_moving *m,
                      const struct bring_op *op, void *into)
{
    uint32_t tag = w->free_op;
    bool is_look = op->slot == SLOTS_NONE;
    const char *etag = m->look.etag[0] != '\0' ? m->look.etag : m->object.etag;
    struct fetch_request r = {
        .tag = tag,
        .source = m->source,
        .lane = FETCH_ANY,
        .key = {m->object.key, m->object.key_size},
        .due = ++w->due,
    };

    CHECK(tag < BRING_OPS);
    if (is_look) {
        r.look = &m->look;
    } else {
        r.etag = bytes_of(etag);
        r.version = m->look.version[0] != '\0' ? m->look.version : NULL;
        r.offset = op->part * BRING_PART_BYTES;
        r.size = (size_t)bring_moving_part_bytes(m, op->part);
        r.is_whole = m->part_count == 1;
        r.sum = m->look.sum.kind;
        r.into = into;
        r.has_file = true;
        r.fd = m->f.fd;
    }
    w->free_op = w->ops[tag].next;
    w->ops[tag] = *op;
    w->op_count++;
    fetch_submit(w->port, &r);
}

/* Ask for the next part of what is wanted. false: there is no room now. */
static bool bring_ask_part(struct bring_work *w)
{
    struct bring_moving *m = w->wanted;
    struct bring_op op = {.moving = m};
    uint64_t at = m->next_part;
    bool has_part = bring_moving_next_part(m, &op.part);
    void *into;

    CHECK(has_part);
    into = bring_room(w, (size_t)bring_moving_part_bytes(m, op.part), &op.slot);
    if (into == NULL) {
        m->next_part = at;
        return false;
    }
    bring_ask(w, m, &op, into);
    at = m->next_part;
    if (bring_moving_next_part(m, &op.part)) {
        m->next_part = at;
    } else { /* It may be gone with its last answer. */
        w->wanted = m->after;
    }
    return true;
}

static void bring_want(struct bring_work *w, struct bring_moving *m)
{
    struct bring_moving **at = &w->wanted;

    while (*at != NULL) { /* Few: looks are limited, and one small. */
        at = &(*at)->after;
    }
    m->after = NULL;
    *at = m;
}

/* ---- objects ------------------------------------------------------------ */

static void bring_link(struct bring_work *w, struct bring_moving *m)
{
    m->next = w->all;
    if (w->all != NULL) {
        w->all->previous = m;
    }
    w->all = m;
}

static void bring_forget(struct bring_work *w, struct bring_moving *m)
{
    if (m->next != NULL) {
        m->next->previous = m->previous;
    }
    *(m->previous != NULL ? &m->previous->next : &w->all) = m->next;
    bring_moving_destroy(&m);
}

static enum status bring_copy_item(const struct bring_channel *channel,
                                   const struct bring_item *item,
                                   struct bring_object *out, struct fault *why)
{
    if (item->key.size > STORE_KEY_MAX || item->etag.size >= STORE_ETAG_MAX) {
        return fault_set(why, STATUS_INVALID,
                         "%s: %.300s: its key or etag is too long",
                         channel->name, item->key.at);
    }
    out->key_size = item->key.size;
    memcpy(out->key, item->key.at, item->key.size);
    out->key[item->key.size] = '\0';
    out->size = item->size;
    memset(out->etag, 0, sizeof(out->etag));
    if (item->etag.size > 0) {
        memcpy(out->etag, item->etag.at, item->etag.size);
    }
    return STATUS_OK;
}

static enum status bring_begin(struct bring_work *w, struct bring_moving *m)
{
    enum bring_begin begin = BRING_IS_DONE;
    enum status s = bring_moving_begin(m, &begin);

    if (s != STATUS_OK || begin == BRING_IS_DONE) {
        bring_forget(w, m);
        return s;
    }
    s = bring_open_fetch(w);
    if (s == STATUS_OK && begin == BRING_LOOKS) {
        w->looks++;
        bring_ask(w, m, &(struct bring_op){.moving = m, .slot = SLOTS_NONE},
                  NULL);
    } else if (s == STATUS_OK) {
        bring_want(w, m);
    }
    return s;
}

/* Take the next object of all channels. @is_end: there is none. */
static enum status bring_take(struct bring_work *w, bool *is_end)
{
    while (w->channel < w->o->target_count) {
        struct bring_target *t = &w->o->targets[w->channel];
        struct bring_item item;
        struct bring_moving *m;
        enum status s;

        if (!t->channel->items(t->channel->items_self, &item)) {
            w->channel++;
            continue;
        }
        m = bring_moving_new(t, &w->made, w->why);
        m->source = w->channel;
        bring_link(w, m);
        s = bring_copy_item(t->channel, &item, &m->object, w->why);
        return s == STATUS_OK ? bring_begin(w, m) : s;
    }
    *is_end = true;
    return STATUS_OK;
}

static bool bring_is_stopped(const struct bring_work *w)
{
    return atomic_load(&w->o->stop->is_set);
}

/* Somebody always waits to be next; but no more than that, so that memory is
 * used again while it is in a cache. Small ones end many at a time. */
static uint32_t bring_ops_wanted(const struct bring_work *w)
{
    uint32_t target =
        w->fetch != NULL ? fetch_stats(w->fetch).target : BRING_OPS_FIRST;

    bool is_large = w->wanted != NULL && w->wanted->part_count > 1;
    uint32_t wanted = is_large ? target + BRING_OPS_SPARE : 2 * target;

    return wanted < BRING_OPS ? wanted : BRING_OPS;
}

/* Ask for as much as there is room for. @is_end: there is no more to take. */
static enum status bring_fill(struct bring_work *w, bool *is_end)
{
    enum status s = STATUS_OK;

    while (s == STATUS_OK && !bring_is_stopped(w) &&
           w->op_count < bring_ops_wanted(w)) {
        if (w->wanted != NULL) {
            if (!bring_ask_part(w)) {
                return STATUS_OK;
            }
        } else if (*is_end || w->looks >= BRING_LOOKS_MAX) {
            return STATUS_OK;
        } else {
            s = bring_take(w, is_end);
        }
    }
    return s;
}

/* ---- answers ------------------------------------------------------------ */

static enum status bring_answer(struct bring_work *w,
                                const struct fetch_event *e)
{
    struct bring_op op = w->ops[e->tag];
    struct bring_moving *m = op.moving;
    bool is_look = op.slot == SLOTS_NONE;
    bool was_second = m->is_second;
    bool is_done = false;
    enum status s;

    CHECK(e->tag < BRING_OPS && m != NULL);
    w->ops[e->tag] = (struct bring_op){.next = w->free_op};
    w->free_op = (uint32_t)e->tag;
    w->op_count--;
    if (is_look) {
        w->looks--;
    } else {
        bring_slot_leave(w, op.slot);
    }
    if (e->status != STATUS_OK) {
        return bring_moving_failed(m, op.part * BRING_PART_BYTES, e);
    }
    s = is_look ? bring_moving_looked(m, &is_done)
                : bring_moving_came(m, op.part, e, &is_done);
    if (s == STATUS_OK && is_done) {
        bring_forget(w, m);
    } else if (s == STATUS_OK && (is_look || m->is_second != was_second)) {
        bring_want(w, m);
    }
    return s;
}

/* Wait for something, and take all that there is. */
static enum status bring_wait(struct bring_work *w)
{
    struct pollfd fds[] = {
        {.fd = fetch_fd(w->port), .events = POLLIN},
        {.fd = w->o->stop->fd, .events = POLLIN},
    };
    enum status s = STATUS_OK;
    struct fetch_event e;

    (void)poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
    while (s == STATUS_OK && !bring_is_stopped(w) && fetch_take(w->port, &e)) {
        s = bring_answer(w, &e);
    }
    return s;
}

/* ---- from start to end -------------------------------------------------- */

static void bring_work_fini(struct bring_work *w)
{
    fetch_close(&w->port);
    fetch_stop(&w->fetch);
    while (w->all != NULL) {
        bring_forget(w, w->all);
    }
    for (uint32_t i = 0;
         w->users != NULL && w->slots != NULL && i < w->o->parts; i++) {
        if (w->users[i] > 0 || i == w->shared.slot) {
            slots_give(w->slots, i);
        }
    }
    if (w->slots != NULL) {
        slots_destroy(&w->slots);
    }
    buf_fini(&w->made);
    free(w->users);
    free(w);
}

enum status bring_work(const struct bring_work_options *options,
                       struct fault *why)
{
    struct bring_work *w = mem_new(1, sizeof(*w));
    bool is_end = false;
    enum status s = STATUS_OK;

    CHECK(options->parts > 0 && options->lanes > 0);
    w->o = options;
    w->why = why;
    w->users = mem_new(options->parts, sizeof(w->users[0]));
    w->shared.slot = SLOTS_NONE;
    for (uint32_t i = 0; i < BRING_OPS; i++) {
        w->ops[i].next = i + 1;
    }
    while (s == STATUS_OK && !bring_is_stopped(w)) {
        s = bring_fill(w, &is_end);
        if (s == STATUS_OK && w->op_count == 0 && is_end) {
            break;
        }
        if (s == STATUS_OK && !bring_is_stopped(w)) {
            s = bring_wait(w);
        }
    }
    bring_work_fini(w);
    return s;
}
