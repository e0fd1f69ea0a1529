/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "worker/fetch_state_os.h"

enum { FETCH_TABLE_MIN = 64 };

/* ---- by tag ------------------------------------------------------------- */

static struct fetch_item **fetch_port_chain(const struct fetch_port *p,
                                            uint64_t tag)
{
    return &p->locked.table[prng_mix(tag) & (p->locked.room - 1)];
}

static struct fetch_item *fetch_port_find(const struct fetch_port *p,
                                          uint64_t tag)
{
    struct fetch_item *item = *fetch_port_chain(p, tag);

    while (item != NULL && item->tag != tag) {
        item = item->chain;
    }
    return item;
}

static void fetch_port_link(struct fetch_port *p, struct fetch_item *item)
{
    struct fetch_item **at = fetch_port_chain(p, item->tag);

    item->chain = *at;
    *at = item;
}

static void fetch_port_widen(struct fetch_port *p)
{
    struct fetch_item **old = p->locked.table;
    uint32_t room = p->locked.room;

    CHECK(room <= UINT32_MAX / 4);
    p->locked.room = 2 * room;
    p->locked.table = mem_new(p->locked.room, sizeof(struct fetch_item *));
    for (uint32_t i = 0; i < room; i++) {
        while (old[i] != NULL) {
            struct fetch_item *item = old[i];

            old[i] = item->chain;
            fetch_port_link(p, item);
        }
    }
    free(old);
}

static void fetch_port_unlink(struct fetch_port *p, struct fetch_item *item)
{
    struct fetch_item **at = fetch_port_chain(p, item->tag);

    while (*at != item) {
        CHECK(*at != NULL);
        at = &(*at)->chain;
    }
    *at = item->chain;
    p->locked.count--;
}

/* ---- items -------------------------------------------------------------- */

static struct fetch_item *fetch_item_new(struct fetch_port *p)
{
    struct fetch_item *item = p->spare;
    struct buf text;

    if (item == NULL) {
        return mem_new(1, sizeof(*item));
    }
    p->spare = item->next;
    text = item->text;
    buf_clear(&text);
    *item = (struct fetch_item){.text = text};
    return item;
}

static void fetch_item_spare(struct fetch_port *p, struct fetch_item *item)
{
    free(item->why);
    item->why = NULL;
    item->next = p->spare;
    p->spare = item;
}

static void fetch_items_free(struct fetch_item *item)
{
    while (item != NULL) {
        struct fetch_item *next = item->next;

        free(item->why);
        buf_fini(&item->text);
        free(item);
        item = next;
    }
}

static void fetch_item_fill(struct fetch_item *item,
                            const struct fetch_request *r)
{
    item->tag = r->tag;
    item->source = r->source;
    item->offset = r->offset;
    item->size = r->size;
    item->is_whole = r->is_whole;
    item->group = r->group;
    item->into = r->into;
    item->wait.due = r->due;
    item->key_size = r->key.size;
    buf_add_bytes(&item->text, r->key);
    buf_add_char(&item->text, '\0');
    buf_add_bytes(&item->text, r->etag);
    item->etag_size = r->etag.size;
    buf_add_char(&item->text, '\0');
    if (r->version != NULL) {
        buf_add_text(&item->text, r->version);
    }
    item->sum_kind = r->sum;
    item->look = r->look;
    item->has_file = r->has_file;
    item->fd = r->fd;
}

/* ---- ports -------------------------------------------------------------- */

struct fetch_port *fetch_open(struct fetch *f)
{
    struct fetch_port *p = mem_new(1, sizeof(*p));

    p->fetch = f;
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0) {
        free(p);
        return NULL;
    }
    p->locked.room = FETCH_TABLE_MIN;
    p->locked.table = mem_new(FETCH_TABLE_MIN, sizeof(struct fetch_item *));
    fetch_items_init(&p->locked.ended);
    fetch_items_init(&p->taken);
    pthread_mutex_lock(&f->lock);
    p->next = f->locked.ports;
    f->locked.ports = p;
    pthread_mutex_unlock(&f->lock);
    return p;
}

static void fetch_port_forget_locked(struct fetch_port *p)
{
    struct fetch_port **at = &p->fetch->locked.ports;

    while (*at != p) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = p->next;
}

/* Take what waits out of its queue; what is in a lane is ended there. */
static void fetch_item_cancel_locked(struct fetch_item *item)
{
    struct fetch_port *p = item->port;
    struct fetch *f = p->fetch;

    item->is_cancelled = true;
    if (item->state == FETCH_IS_LANE) {
        item->lane->locked.has_cancels = true;
        fetch_wake_locked(item->lane);
        return;
    }
    CHECK(item->state == FETCH_WAITS);
    fetch_queue_remove(&f->locked.queues[item->queue], &item->wait);
    f->locked.waiting--;
    item->status = STATUS_STOPPED;
    p->locked.in_lanes++; /* As if it came from there. */
    fetch_port_end_locked(item);
}

void fetch_close(struct fetch_port **pp)
{
    struct fetch_port *p = *pp;
    struct fetch_item *item;

    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->fetch->lock);
    p->locked.is_closing = true;
    for (uint32_t i = 0; i < p->locked.room; i++) {
        struct fetch_item *next = p->locked.table[i];

        while (next != NULL) {
            item = next;
            next = item->chain;
            fetch_item_cancel_locked(item);
        }
    }
    while (p->locked.in_lanes > 0) {
        pthread_cond_wait(&p->fetch->is_quiet, &p->fetch->lock);
    }
    CHECK(p->locked.count == 0);
    fetch_port_forget_locked(p);
    pthread_mutex_unlock(&p->fetch->lock);
    while (atomic_load(&p->callers) > 0) { /* For the time of a write(2). */
        sched_yield();
    }
    fetch_items_free(p->locked.ended.first);
    fetch_items_free(p->taken.first);
    fetch_items_free(p->spare);
    close(p->fd);
    free(p->locked.table);
    free(p);
    *pp = NULL;
}

void fetch_submit(struct fetch_port *p, const struct fetch_request *r)
{
    struct fetch *f = p->fetch;
    struct fetch_item *item = fetch_item_new(p);

    CHECK((r->look == NULL) == (r->size > 0 && r->into != NULL));
    CHECK(r->source < f->source_count && r->etag.size < STORE_ETAG_MAX);
    fetch_item_fill(item, r);
    item->port = p;
    item->queue = r->lane < f->lane_count ? r->lane : f->lane_count;
    pthread_mutex_lock(&f->lock);
    CHECK(fetch_port_find(p, r->tag) == NULL);
    item->wait.sequence = f->locked.sequence++;
    if (++p->locked.count > p->locked.room) {
        fetch_port_widen(p);
    }
    fetch_port_link(p, item);
    if (item->group != NULL) {
        item->group->count++;
    }
    fetch_queue_add(&f->locked.queues[item->queue], &item->wait);
    f->locked.waiting++;
    fetch_dispatch_locked(f, fetch_now_us());
    pthread_mutex_unlock(&f->lock);
}

void fetch_cancel(struct fetch_port *p, uint64_t tag)
{
    struct fetch_item *item;

    pthread_mutex_lock(&p->fetch->lock);
    item = fetch_port_find(p, tag);
    if (item != NULL) {
        fetch_item_cancel_locked(item);
    }
    fetch_unlock_and_call(p->fetch);
}

void fetch_hurry(struct fetch_port *p, uint64_t tag, uint64_t due)
{
    struct fetch *f = p->fetch;
    struct fetch_item *item;

    pthread_mutex_lock(&f->lock);
    item = fetch_port_find(p, tag);
    if (item != NULL && item->state == FETCH_WAITS) {
        fetch_queue_move(&f->locked.queues[item->queue], &item->wait, due);
        fetch_dispatch_locked(f, fetch_now_us());
    }
    pthread_mutex_unlock(&f->lock);
}

/* ---- events ------------------------------------------------------------- */

/* Whether somebody may wait for this one. */
static bool fetch_item_matters(const struct fetch_item *item)
{
    struct fetch_group *group = item->group;

    if (group != NULL) {
        CHECK(group->count > 0);
        group->count--;
    }
    return group == NULL || group->count == 0 || item->status != STATUS_OK;
}

void fetch_port_end_locked(struct fetch_item *item)
{
    struct fetch_port *p = item->port;
    struct fetch *f = p->fetch;
    bool matters = fetch_item_matters(item);

    CHECK(item->state != FETCH_ENDED && p->locked.in_lanes > 0);
    fetch_port_unlink(p, item);
    item->state = FETCH_ENDED;
    fetch_items_add(&p->locked.ended, item);
    if (--p->locked.in_lanes == 0 && p->locked.is_closing) {
        pthread_cond_broadcast(&f->is_quiet);
    }
    if (matters && !p->locked.is_signalled && !p->locked.is_closing) {
        p->locked.is_signalled = true;
        atomic_fetch_add(&p->callers, 1);
        p->next_call = f->locked.calls;
        f->locked.calls = p;
    }
}

void fetch_unlock_and_call(struct fetch *f)
{
    struct fetch_port *p = f->locked.calls;
    uint64_t one = 1;

    f->locked.calls = NULL;
    pthread_mutex_unlock(&f->lock);
    while (p != NULL) {
        struct fetch_port *next = p->next_call;

        CHECK(write(p->fd, &one, sizeof(one)) == sizeof(one));
        atomic_fetch_sub(&p->callers, 1); /* It may be gone after that. */
        p = next;
    }
}

int fetch_fd(const struct fetch_port *p)
{
    return p->fd;
}

static void fetch_item_tell(const struct fetch_item *item,
                            struct fetch_event *out)
{
    out->tag = item->tag;
    out->status = item->status;
    out->size = item->object_size;
    out->sum = item->sum;
    out->is_short = item->is_short;
    out->write_error = item->write_error;
    out->why.text[0] = '\0';
    if (item->why != NULL) {
        out->why = *item->why;
    } else if (item->status != STATUS_OK) {
        (void)fault_set(&out->why, item->status, "%s: %.*s: cancelled",
                        item->port->fetch->sources[item->source].name,
                        (int)item->key_size, item->text.at);
    }
}

/* Take over all that has ended; that nothing has, lowers the signal. */
static void fetch_port_take(struct fetch_port *p)
{
    uint64_t count;

    pthread_mutex_lock(&p->fetch->lock);
    if (p->locked.ended.first != NULL) {
        p->taken.first = p->locked.ended.first;
        p->taken.tail = p->locked.ended.tail;
        fetch_items_init(&p->locked.ended);
    } else if (p->locked.is_signalled) {
        /* Without one, it is on its way, and will be read another time. */
        p->locked.is_signalled = read(p->fd, &count, sizeof(count)) < 0;
    }
    pthread_mutex_unlock(&p->fetch->lock);
}

bool fetch_take(struct fetch_port *p, struct fetch_event *out)
{
    struct fetch_item *item;

    if (p->taken.first == NULL) {
        fetch_port_take(p);
    }
    item = fetch_items_take(&p->taken);
    if (item != NULL) {
        fetch_item_tell(item, out);
        fetch_item_spare(p, item);
    }
    return item != NULL;
}

static bool fetch_port_is_idle(struct fetch_port *p)
{
    bool is_idle;

    pthread_mutex_lock(&p->fetch->lock);
    is_idle = p->locked.count == 0 && p->locked.ended.first == NULL;
    pthread_mutex_unlock(&p->fetch->lock);
    return is_idle;
}

bool fetch_wait(struct fetch_port *p, int timeout_ms, struct fetch_event *out)
{
    struct pollfd fd = {.fd = p->fd, .events = POLLIN};

    while (!fetch_take(p, out)) {
        if (fetch_port_is_idle(p) || poll(&fd, 1, timeout_ms) == 0) {
            return false;
        }
    }
    return true;
}
