/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bounds.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "proto/framing_find.h"

/* One end of a range. */
struct bounds_end {
    struct framing_find find;
    uint8_t *room; /* What it looks at; NULL: nothing yet. */
    size_t size;   /* That was asked for, */
    size_t room_size;
    bool is_pending; /* and has not come. */
};

/* A unit that was taken from the source. Its key and etag lie behind it. */
struct bounds_unit {
    struct bounds_unit *next;
    uint64_t serial;
    struct flow_unit unit;
    struct bounds_end ends[2];
    struct fault why;
};

struct bounds {
    struct bounds_options o;
    struct bounds_unit *first; /* In their order. */
    struct bounds_unit **tail;
    struct bounds_unit *dead;
    struct bounds_unit *yielded; /* What the last views point to. */
    uint32_t count;              /* From @first on. */
    uint64_t serial;
    enum status
        end; /* STOPPED: the source has said so, and it is not yielded. */
};

struct bounds *bounds_new(const struct bounds_options *options)
{
    struct bounds *b = mem_new(1, sizeof(*b));

    b->o = *options;
    b->tail = &b->first;
    return b;
}

static void bounds_free(struct bounds_unit **u)
{
    if (*u != NULL) {
        free((*u)->ends[0].room);
        free((*u)->ends[1].room);
        free(*u);
        *u = NULL;
    }
}

static void bounds_free_list(struct bounds_unit *u)
{
    while (u != NULL) {
        struct bounds_unit *next = u->next;

        bounds_free(&u);
        u = next;
    }
}

void bounds_destroy(struct bounds **b)
{
    if (*b == NULL) {
        return;
    }
    bounds_free_list((*b)->first);
    bounds_free_list((*b)->dead);
    bounds_free(&(*b)->yielded);
    free(*b);
    *b = NULL;
}

/* ---- Looking. -------------------------------------------------------------
 */

static bool bounds_is_pending(const struct bounds_unit *u)
{
    return u->ends[0].is_pending || u->ends[1].is_pending;
}

static uint64_t bounds_tag(const struct bounds_unit *u, uint32_t end)
{
    return BOUNDS_TAG | u->serial << 1 | end;
}

/* Ask for what the search wants to see. */
static void bounds_ask(struct bounds *b, struct bounds_unit *u, uint32_t end)
{
    struct bounds_end *e = &u->ends[end];
    uint64_t offset;

    if (u->unit.status != STATUS_OK ||
        !framing_find_wants(&e->find, &offset, &e->size)) {
        return;
    }
    if (e->size > e->room_size) {
        free(e->room);
        e->room = mem_new(e->size, 1);
        e->room_size = e->size;
    }
    e->is_pending = true;
    fetch_submit(b->o.port, &(struct fetch_request){
                                .tag = bounds_tag(u, end),
                                .source = b->o.source,
                                .lane = b->o.lane,
                                .key = u->unit.key,
                                .etag = u->unit.etag,
                                .offset = offset,
                                .size = e->size,
                                .into = e->room,
                                .due = fetch_clock_ms(b->o.fetch),
                            });
}

static void bounds_fail(struct bounds *b, struct bounds_unit *u,
                        enum status status)
{
    u->unit.status = status;
    u->unit.why = &u->why;
    u->unit.size = 0;
    for (uint32_t i = 0; i < 2; i++) {
        if (u->ends[i].is_pending) {
            fetch_cancel(b->o.port, bounds_tag(u, i));
        }
    }
}

/* Both ends are known: this is the range. */
static void bounds_settle(struct bounds *b, struct bounds_unit *u)
{
    uint64_t from = framing_find_found(&u->ends[0].find);
    uint64_t to = framing_find_found(&u->ends[1].find);

    if (to < from) {
        (void)fault_set(&u->why, STATUS_MALFORMED,
                        "%.*s: bytes %" PRIu64 " and %" PRIu64
                        " look like starts of records that overlap; is it %s? "
                        "Leave Split out, or give Records as it is",
                        (int)u->unit.key.size, u->unit.key.at, to, from,
                        framing_name(u->unit.framing));
        bounds_fail(b, u, STATUS_MALFORMED);
        return;
    }
    u->unit.offset = from;
    u->unit.size = to - from;
}

static bool bounds_is_known(const struct bounds_unit *u)
{
    uint64_t offset;
    size_t size;

    return !framing_find_wants(&u->ends[0].find, &offset, &size) &&
           !framing_find_wants(&u->ends[1].find, &offset, &size);
}

static struct bounds_unit **bounds_find(struct bounds_unit **list,
                                        uint64_t serial)
{
    while (*list != NULL && (*list)->serial != serial) {
        list = &(*list)->next;
    }
    return list;
}

static void bounds_bury(struct bounds *b, uint64_t serial, uint32_t end)
{
    struct bounds_unit **at = bounds_find(&b->dead, serial);
    struct bounds_unit *u = *at;

    CHECK(u != NULL && u->ends[end].is_pending);
    u->ends[end].is_pending = false;
    if (!bounds_is_pending(u)) {
        *at = u->next;
        bounds_free(&u);
    }
}

void bounds_answer(struct bounds *b, const struct fetch_event *event)
{
    uint64_t serial = (event->tag & ~BOUNDS_TAG) >> 1;
    uint32_t end = event->tag & 1;
    struct bounds_unit *u = *bounds_find(&b->first, serial);
    struct bounds_end *e;

    CHECK((event->tag & BOUNDS_TAG) != 0);
    if (u == NULL) {
        bounds_bury(b, serial, end);
        return;
    }
    e = &u->ends[end];
    CHECK(e->is_pending);
    e->is_pending = false;
    if (u->unit.status != STATUS_OK) {
        return; /* The other end has failed. */
    }
    if (event->status != STATUS_OK) {
        u->why = event->why;
        bounds_fail(b, u, event->status);
        return;
    }
    framing_find_look(&e->find, (struct bytes){(char *)e->room, e->size});
    bounds_ask(b, u, end);
    if (bounds_is_known(u)) {
        bounds_settle(b, u);
    }
}

/* ---- Units. ---------------------------------------------------------------
 */

static bool bounds_needs_search(const struct flow_unit *unit)
{
    return unit->framing != FRAMING_RAW && !unit->is_whole &&
           unit->size < unit->object_size && unit->size > 0;
}

static struct bytes bounds_keep(char **at, struct bytes from)
{
    struct bytes out = {*at, from.size};

    if (from.size > 0) {
        memcpy(*at, from.at, from.size);
    }
    *at += from.size;
    return out;
}

static void bounds_add(struct bounds *b, const struct flow_unit *from)
{
    struct bounds_unit *u =
        mem_new(1, sizeof(*u) + from->key.size + from->etag.size);
    char *at = (char *)(u + 1);
    uint64_t cuts[2] = {from->offset, from->offset + from->size};

    u->serial = b->serial++;
    u->unit = *from;
    u->unit.key = bounds_keep(&at, from->key);
    u->unit.etag = bounds_keep(&at, from->etag);
    *b->tail = u;
    b->tail = &u->next;
    b->count++;
    if (!bounds_needs_search(from)) {
        return;
    }
    CHECK(cuts[1] <= from->object_size);
    for (uint32_t i = 0; i < 2; i++) {
        framing_find_start(&u->ends[i].find, from->framing, from->object_size,
                           cuts[i]);
        bounds_ask(b, u, i);
    }
    if (bounds_is_known(u)) {
        bounds_settle(b, u);
    }
}

/* Look into more units, while the first one is looked into. */
static void bounds_pull(struct bounds *b)
{
    struct flow_unit unit;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && b->end == STATUS_OK && b->count < BOUNDS_AHEAD &&
           bounds_is_pending(b->first)) {
        s = b->o.next(b->o.next_self, &unit);
        if (s == STATUS_OK) {
            bounds_add(b, &unit);
        }
        b->end = s == STATUS_STOPPED ? s : b->end;
    }
}

enum status bounds_next(struct bounds *b, struct flow_unit *out)
{
    struct bounds_unit *u;
    enum status s = b->end;

    bounds_free(&b->yielded);
    if (b->first == NULL) {
        b->end = STATUS_OK;
        s = s == STATUS_OK ? b->o.next(b->o.next_self, out) : s;
        if (s != STATUS_OK || !bounds_needs_search(out)) {
            return s;
        }
        bounds_add(b, out);
    }
    CHECK(b->first != NULL);
    bounds_pull(b);
    u = b->first;
    if (bounds_is_pending(u)) {
        return STATUS_EMPTY;
    }
    b->first = u->next;
    b->tail = b->first == NULL ? &b->first : b->tail;
    b->count--;
    b->yielded = u;
    u->next = NULL;
    *out = u->unit;
    return STATUS_OK;
}

void bounds_reset(struct bounds *b)
{
    while (b->first != NULL) {
        struct bounds_unit *u = b->first;

        b->first = u->next;
        if (!bounds_is_pending(u)) {
            bounds_free(&u);
            continue;
        }
        for (uint32_t i = 0; i < 2; i++) {
            if (u->ends[i].is_pending) {
                fetch_cancel(b->o.port, bounds_tag(u, i));
            }
        }
        u->next = b->dead;
        b->dead = u;
    }
    b->tail = &b->first;
    b->count = 0;
    b->end = STATUS_OK;
}

uint32_t bounds_searching(const struct bounds *b)
{
    uint32_t count = 0;

    for (const struct bounds_unit *u = b->first; u != NULL; u = u->next) {
        count += bounds_is_pending(u);
    }
    return count;
}
