/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_move.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "worker/bring_object.h"
#include "worker/slots.h"

enum {
    MOVE_OPS_FIRST = 4,
    MOVE_OPS_SPARE = 2,
    MOVE_OPS = 512,                    /* Requests that wait or go on. */
    MOVE_SMALL = BRING_PART_BYTES / 8, /* Such objects share a slot. */
    MOVE_ALIGN = 4096,                 /* In it. */
    MOVE_LOOKS_MAX = 8,                /* Large objects looked at. */
};

/* One request. */
struct move_op {
    struct bring_moving *moving; /* NULL: it is free. */
    uint64_t part;
    uint32_t slot; /* SLOTS_NONE: a look. */
    uint32_t next; /* Free ones. */
};

struct bring_move {
    struct bring_move_options o;
    struct fetch *fetch; /* NULL until something is asked for. */
    struct fetch_port *port;
    struct slots *slots;
    uint32_t *users; /* Of each slot. */
    struct {
        uint32_t slot; /* That small objects share; or SLOTS_NONE. */
        size_t used;
    } shared;
    struct move_op ops[MOVE_OPS];
    uint32_t free_op; /* MOVE_OPS: none. */
    uint32_t op_count;
    struct bring_moving *all;
    struct bring_moving *wanted; /* Have parts to be asked for, by due. */
    struct bring_moving *ended;  /* Have an outcome, */
    struct bring_moving *told;   /* and that was taken last. */
    uint32_t count;
    uint32_t looks;
    struct buf made;
};

/* ---- memory ------------------------------------------------------------- */

static uint32_t move_slot_take(struct bring_move *m)
{
    uint32_t slot = slots_take(m->slots);

    if (slot == SLOTS_NONE && m->shared.slot != SLOTS_NONE &&
        m->users[m->shared.slot] == 0) {
        slot = m->shared.slot;
        m->shared.slot = SLOTS_NONE;
    }
    return slot;
}

static void move_slot_leave(struct bring_move *m, uint32_t slot)
{
    CHECK(m->users[slot] > 0);
    if (--m->users[slot] > 0) {
        return;
    }
    if (slot == m->shared.slot) {
        m->shared.used = 0;
    } else {
        slots_give(m->slots, slot);
    }
}

/* Room for @size bytes of a small object. */
static void *move_slot_share(struct bring_move *m, size_t size, uint32_t *out)
{
    size_t room = (size + MOVE_ALIGN - 1) / MOVE_ALIGN * MOVE_ALIGN;
    char *at;

    if (m->shared.slot == SLOTS_NONE ||
        m->shared.used + room > slots_size(m->slots)) {
        uint32_t slot = move_slot_take(m);

        if (slot == SLOTS_NONE) {
            return NULL;
        }
        /* The old one goes back with its last user. */
        if (m->shared.slot != SLOTS_NONE && m->users[m->shared.slot] == 0) {
            slots_give(m->slots, m->shared.slot);
        }
        m->shared.slot = slot;
        m->shared.used = 0;
    }
    at = (char *)slots_at(m->slots, m->shared.slot) + m->shared.used;
    m->shared.used += room;
    m->users[m->shared.slot]++;
    *out = m->shared.slot;
    return at;
}

static void *move_room(struct bring_move *m, size_t size, uint32_t *out)
{
    if (size <= MOVE_SMALL) {
        return move_slot_share(m, size, out);
    }
    *out = move_slot_take(m);
    if (*out == SLOTS_NONE) {
        return NULL;
    }
    m->users[*out]++;
    return slots_at(m->slots, *out);
}

/* ---- objects ------------------------------------------------------------ */

static struct bring_moving *move_find(const struct bring_move *m, uint64_t tag)
{
    struct bring_moving *o = m->all;

    while (o != NULL && o->tag != tag) {
        o = o->next;
    }
    return o;
}

static void move_link(struct bring_move *m, struct bring_moving *o)
{
    o->next = m->all;
    if (m->all != NULL) {
        m->all->previous = o;
    }
    m->all = o;
}

static void move_unlink(struct bring_move *m, struct bring_moving *o)
{
    if (o->next != NULL) {
        o->next->previous = o->previous;
    }
    *(o->previous != NULL ? &o->previous->next : &m->all) = o->next;
    o->next = NULL;
    o->previous = NULL;
}

/* Behind those that are due as soon. Few: looks are limited, and only who is
 * due sooner comes before one that waits for room. */
static void move_want(struct bring_move *m, struct bring_moving *o)
{
    struct bring_moving **at = &m->wanted;

    while (*at != NULL && (*at)->due <= o->due) {
        at = &(*at)->after;
    }
    o->after = *at;
    *at = o;
}

static void move_unwant(struct bring_move *m, const struct bring_moving *o)
{
    struct bring_moving **at = &m->wanted;

    while (*at != NULL && *at != o) {
        at = &(*at)->after;
    }
    if (*at != NULL) {
        *at = o->after;
    }
}

/* It is over, once none of its requests can write any more. */
static void move_end(struct bring_move *m, struct bring_moving *o)
{
    struct bring_moving **at = &m->ended;

    if (o->pending > 0) {
        return;
    }
    move_unlink(m, o);
    while (*at != NULL) { /* Taken after each step: few. */
        at = &(*at)->after;
    }
    o->after = NULL;
    *at = o;
}

static void move_give_up(struct bring_move *m, struct bring_moving *o,
                         enum status s)
{
    CHECK(s != STATUS_OK && !o->is_over);
    o->status = s;
    o->is_over = true;
    move_unwant(m, o);
    for (uint32_t i = 0; o->pending > 0 && i < MOVE_OPS; i++) {
        if (m->ops[i].moving == o) {
            fetch_cancel(m->port, i);
        }
    }
    move_end(m, o);
}

static void move_be_done(struct bring_move *m, struct bring_moving *o)
{
    CHECK(o->pending == 0);
    o->is_over = true;
    move_end(m, o);
}

/* ---- asking ------------------------------------------------------------- */

static enum status move_open(struct bring_move *m, struct fault *why)
{
    struct slots_options memory = {.count = m->o.parts,
                                   .size = BRING_PART_BYTES,
                                   .node = -1,
                                   .is_lazy = true};
    enum status s = STATUS_OK;

    if (m->port != NULL) {
        return STATUS_OK;
    }
    if (m->fetch == NULL) {
        s = m->o.fetch(m->o.fetch_self, why, &m->fetch);
    }
    if (s == STATUS_OK && m->slots == NULL) {
        s = slots_new(&memory, why, &m->slots);
    }
    if (s != STATUS_OK) {
        return s;
    }
    m->port = fetch_open(m->fetch);
    return m->port != NULL
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "the system has no descriptor left");
}

static void move_ask(struct bring_move *m, const struct move_op *op, void *into)
{
    struct bring_moving *o = op->moving;
    uint32_t tag = m->free_op;
    const char *etag = o->look.etag[0] != '\0' ? o->look.etag : o->object.etag;
    struct fetch_request r = {
        .tag = tag,
        .source = o->source,
        .lane = FETCH_ANY,
        .key = {o->object.key, o->object.key_size},
        .due = o->due,
    };

    CHECK(tag < MOVE_OPS);
    if (op->slot == SLOTS_NONE) {
        r.look = &o->look;
    } else {
        r.etag = bytes_of(etag);
        r.version = o->look.version[0] != '\0' ? o->look.version : NULL;
        r.offset = bring_moving_part_at(o, op->part);
        r.size = (size_t)bring_moving_part_bytes(o, op->part);
        r.is_whole = o->part_count == 1;
        r.sum = o->look.sum.kind;
        r.into = into;
        r.has_file = true;
        r.fd = o->f.fd;
    }
    m->free_op = m->ops[tag].next;
    m->ops[tag] = *op;
    m->op_count++;
    o->pending++;
    fetch_submit(m->port, &r);
}

/* Ask for the next part of what is wanted. false: there is no room now. */
static bool move_ask_part(struct bring_move *m)
{
    struct bring_moving *o = m->wanted;
    struct move_op op = {.moving = o};
    uint64_t at = o->next_part;
    bool has_part = bring_moving_next_part(o, &op.part);
    void *into;

    CHECK(has_part);
    into = move_room(m, (size_t)bring_moving_part_bytes(o, op.part), &op.slot);
    if (into == NULL) {
        o->next_part = at;
        return false;
    }
    move_ask(m, &op, into);
    at = o->next_part;
    if (bring_moving_next_part(o, &op.part)) {
        o->next_part = at;
    } else { /* It may be gone with its last answer. */
        m->wanted = o->after;
    }
    return true;
}

/* Somebody always waits to be next; but no more than that, so that memory is
 * used again while it is in a cache. Small ones end many at a time. */
static uint32_t move_ops_wanted(const struct bring_move *m)
{
    uint32_t target =
        m->fetch != NULL ? fetch_stats(m->fetch).target : MOVE_OPS_FIRST;
    bool is_large = m->wanted != NULL && m->wanted->part_count > 1;
    uint32_t wanted = is_large ? target + MOVE_OPS_SPARE : 2 * target;

    return wanted < MOVE_OPS ? wanted : MOVE_OPS;
}

static void move_fill(struct bring_move *m)
{
    while (m->wanted != NULL && m->op_count < move_ops_wanted(m) &&
           move_ask_part(m)) {
    }
}

/* ---- answers ------------------------------------------------------------ */

static void move_take_answer(struct bring_move *m, struct bring_moving *o,
                             const struct move_op *op,
                             const struct fetch_event *e)
{
    bool is_look = op->slot == SLOTS_NONE;
    bool was_second = o->is_second;
    bool is_done = false;
    enum status s;

    if (e->status != STATUS_OK) {
        s = bring_moving_failed(o, bring_moving_part_at(o, op->part), e);
    } else if (is_look) {
        s = bring_moving_looked(o, &is_done);
    } else {
        s = bring_moving_came(o, op->part, e, &is_done);
    }
    if (s != STATUS_OK) {
        move_give_up(m, o, s);
    } else if (is_done) {
        move_be_done(m, o);
    } else if (is_look || o->is_second != was_second) {
        move_want(m, o);
    }
}

static void move_answer(struct bring_move *m, const struct fetch_event *e)
{
    struct move_op op = m->ops[e->tag];
    struct bring_moving *o = op.moving;

    CHECK(e->tag < MOVE_OPS && o != NULL && o->pending > 0);
    m->ops[e->tag] = (struct move_op){.next = m->free_op};
    m->free_op = (uint32_t)e->tag;
    m->op_count--;
    o->pending--;
    if (op.slot == SLOTS_NONE) {
        m->looks--;
    } else {
        move_slot_leave(m, op.slot);
    }
    if (o->is_over) {
        move_end(m, o);
    } else {
        move_take_answer(m, o, &op, e);
    }
}

void bring_move_step(struct bring_move *m)
{
    struct fetch_event e;

    while (m->port != NULL && fetch_take(m->port, &e)) {
        move_answer(m, &e);
    }
    move_fill(m);
}

/* ---- what is wanted ----------------------------------------------------- */

bool bring_move_has_room(const struct bring_move *m, uint64_t due)
{
    return (m->wanted == NULL || due < m->wanted->due) &&
           m->op_count < move_ops_wanted(m) && m->looks < MOVE_LOOKS_MAX;
}

void bring_move_add(struct bring_move *m, const struct bring_want *want)
{
    struct bring_moving *o = bring_moving_new(want->target, &m->made);
    enum bring_begin begin = BRING_IS_DONE;
    enum status s;

    CHECK(m->op_count < MOVE_OPS);
    o->tag = want->tag;
    o->due = want->due;
    o->source = want->source;
    o->object = *want->object;
    move_link(m, o);
    m->count++;
    s = bring_moving_begin(o, &begin);
    if (s == STATUS_OK && begin == BRING_IS_DONE) {
        move_be_done(m, o);
        return;
    }
    if (s == STATUS_OK) {
        s = move_open(m, &o->why);
    }
    if (s != STATUS_OK) {
        move_give_up(m, o, s);
    } else if (begin == BRING_LOOKS) {
        m->looks++;
        move_ask(m, &(struct move_op){.moving = o, .slot = SLOTS_NONE}, NULL);
    } else {
        move_want(m, o);
        move_fill(m);
    }
}

void bring_move_cancel(struct bring_move *m, uint64_t tag)
{
    struct bring_moving *o = move_find(m, tag);

    if (o != NULL && !o->is_over) {
        move_give_up(m, o, bring_file_stopped(&o->f));
    }
}

void bring_move_hurry(struct bring_move *m, uint64_t tag, uint64_t due)
{
    struct bring_moving *o = move_find(m, tag);
    const struct bring_moving *w = m->wanted;

    if (o == NULL || o->is_over || due >= o->due) {
        return;
    }
    o->due = due;
    while (w != NULL && w != o) {
        w = w->after;
    }
    if (w != NULL) {
        move_unwant(m, o);
        move_want(m, o);
    }
    for (uint32_t i = 0; o->pending > 0 && i < MOVE_OPS; i++) {
        if (m->ops[i].moving == o) {
            fetch_hurry(m->port, i, due);
        }
    }
}

/* ---- outcomes ----------------------------------------------------------- */

bool bring_move_take(struct bring_move *m, struct bring_moved *out)
{
    struct bring_moving *o = m->ended;

    bring_moving_destroy(&m->told);
    if (o == NULL) {
        return false;
    }
    CHECK(o->is_over && o->pending == 0 && m->count > 0);
    m->ended = o->after;
    m->told = o;
    m->count--;
    *out = (struct bring_moved){o->tag, o->status, &o->why};
    return true;
}

uint32_t bring_move_count(const struct bring_move *m)
{
    return m->count;
}

int bring_move_fd(const struct bring_move *m)
{
    return m->port != NULL ? fetch_fd(m->port) : -1;
}

/* ---- from start to end -------------------------------------------------- */

struct bring_move *bring_move_new(const struct bring_move_options *options)
{
    struct bring_move *m = mem_new(1, sizeof(*m));

    CHECK(options->parts > 0);
    m->o = *options;
    m->users = mem_new(options->parts, sizeof(m->users[0]));
    m->shared.slot = SLOTS_NONE;
    for (uint32_t i = 0; i < MOVE_OPS; i++) {
        m->ops[i].next = i + 1;
    }
    return m;
}

void bring_move_destroy(struct bring_move **mp)
{
    struct bring_move *m = *mp;
    struct bring_moved moved;

    if (m == NULL) {
        return;
    }
    fetch_close(&m->port);
    while (bring_move_take(m, &moved)) {
    }
    while (m->all != NULL) {
        struct bring_moving *o = m->all;

        move_unlink(m, o);
        bring_moving_destroy(&o);
    }
    for (uint32_t i = 0; m->slots != NULL && i < m->o.parts; i++) {
        if (m->users[i] > 0 || i == m->shared.slot) {
            slots_give(m->slots, i);
        }
    }
    if (m->slots != NULL) {
        slots_destroy(&m->slots);
    }
    buf_fini(&m->made);
    free(m->users);
    free(m);
    *mp = NULL;
}
