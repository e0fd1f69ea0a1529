/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/rings.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/flow.h"
#include "worker/ring.h"

/* A unit that was taken from the counter and is not told of. */
struct rings_unit {
    struct rings_unit *next;  /* Among those to be read again. */
    struct rings_unit *newer; /* Among all of the line. */
    struct rings_unit *older;
    struct supply_told told;
    struct flow_unit unit; /* Its key and etag lie behind this. */
};

/* Who keeps a ring waiting. */
enum rings_wait {
    RINGS_GOES,
    RINGS_FOR_STORE,
    RINGS_FOR_CONSUMER,
    RINGS_WAITS
};

/* One ring, and what comes into it. */
struct rings_line {
    struct rings *rings;
    const struct rings_channel *channel;
    uint32_t rank;
    struct flow *flow;
    struct ring *ring;
    struct flow_slot slot; /* Taken from the flow, and not published yet. */
    bool has_slot;
    uint64_t epoch;     /* Of the last unit taken. */
    bool is_at_end;     /* All units of the epoch have come, */
    bool is_last_epoch; /* and there is no other. */
    bool has_ended;     /* The end of all was told to the consumers. */
    bool is_broken;     /* The channel has failed. */
    struct rings_unit *again;
    struct rings_unit **again_tail;
    struct rings_unit *newest;

    _Atomic uint64_t stat_epoch;
    _Atomic uint64_t stat_units;
    _Atomic uint64_t stat_done;
    _Atomic uint64_t stat_bytes;
    _Atomic uint64_t stat_waits_ms[RINGS_WAITS]; /* Without this one: */
    _Atomic uint32_t stat_wait;
    _Atomic uint64_t stat_since_ms;
};

struct rings {
    struct fetch *fetch;
    struct rings_channel channels[RINGS_CHANNELS_MAX];
    uint32_t channel_count;
    struct ring_host *host;
    struct rings_line *lines;
    uint32_t line_count;
    int epoll;
    pthread_t thread;
    bool has_thread;
    bool is_slow; /* That the system gives no memory was said. */

    _Atomic uint64_t stat_slots;
    _Atomic uint64_t stat_bytes;
    _Atomic uint64_t stat_units;
    _Atomic uint64_t stat_again;
    _Atomic uint64_t stat_dropped;
    _Atomic uint32_t stat_consumers;
};

/* ---- Units. ---------------------------------------------------------------
 */

static struct bytes rings_keep(char **at, struct bytes from)
{
    struct bytes out = {*at, from.size};

    if (from.size > 0) {
        memcpy(*at, from.at, from.size);
    }
    *at += from.size + 1;
    return out;
}

static void rings_unit_free(struct rings_line *l, struct rings_unit *u)
{
    if (u->newer != NULL) {
        u->newer->older = u->older;
    } else {
        l->newest = u->older;
    }
    if (u->older != NULL) {
        u->older->newer = u->newer;
    }
    free(u);
}

static struct rings_unit *rings_unit_new(struct rings_line *l,
                                         const struct supply_unit *from)
{
    struct rings_unit *u =
        mem_new(1, sizeof(*u) + from->key.size + from->etag.size + 2);
    char *at = (char *)(u + 1);

    u->older = l->newest;
    if (l->newest != NULL) {
        l->newest->newer = u;
    }
    l->newest = u;
    u->told = (struct supply_told){
        .word = SUPPLY_DONE,
        .rank = l->rank,
        .epoch = from->epoch,
        .position = from->position,
        .lease = from->lease,
        .size = from->size,
        .is_repeat = from->is_repeat,
    };
    u->unit = (struct flow_unit){
        .epoch = from->epoch,
        .position = from->position,
        .mark = (uintptr_t)u,
        .offset = from->offset,
        .size = from->size,
        .is_whole = from->is_whole,
        .framing = from->framing,
        .object_size = from->object_size,
    };
    u->unit.key = rings_keep(&at, from->key);
    u->unit.etag = rings_keep(&at, from->etag);
    return u;
}

static enum status rings_next_unit(void *self, struct flow_unit *out)
{
    struct rings_line *l = self;
    struct supply_unit from;
    struct rings_unit *u = l->again;
    enum status s;

    if (u != NULL) {
        l->again = u->next;
        l->again_tail = l->again == NULL ? &l->again : l->again_tail;
        u->next = NULL;
        *out = u->unit;
        return STATUS_OK;
    }
    if (l->is_at_end) {
        return STATUS_STOPPED;
    }
    s = supply_take(l->channel->supply, l->rank, &from);
    if (s == STATUS_STOPPED) {
        l->is_at_end = true;
        l->epoch = from.epoch;
        l->is_last_epoch = from.is_over;
    }
    if (s != STATUS_OK) {
        return s == STATUS_NOT_FOUND ? STATUS_EMPTY : s;
    }
    *out = rings_unit_new(l, &from)->unit;
    return STATUS_OK;
}

static void rings_fail(struct rings_line *l, enum status status,
                       const struct fault *why)
{
    struct supply_told told = {.word = SUPPLY_FAIL, .status = status};

    snprintf(told.reason, sizeof(told.reason), "%s", why->text);
    l->is_broken = true;
    supply_tell(l->channel->supply, &told);
}

/* The unit that ended in @e was consumed, or could not be read. */
static void rings_tell(struct rings_line *l, const struct flow_entry *e,
                       const struct fault *why)
{
    struct rings_unit *u = (struct rings_unit *)(uintptr_t)e->mark;

    if (e->status != STATUS_OK) {
        u->told.word = SUPPLY_SKIP;
        u->told.status = e->status;
        snprintf(u->told.reason, sizeof(u->told.reason), "%s",
                 why != NULL ? why->text : status_text(e->status));
    }
    atomic_fetch_add(&l->rings->stat_units, 1);
    atomic_fetch_add(&l->stat_done, 1);
    supply_tell(l->channel->supply, &u->told);
    rings_unit_free(l, u);
}

/* The unit that ended in @e was not: it is to be read again. */
static void rings_again(struct rings_line *l, const struct flow_entry *e)
{
    struct rings_unit *u = (struct rings_unit *)(uintptr_t)e->mark;

    u->next = NULL;
    *l->again_tail = u;
    l->again_tail = &u->next;
    atomic_fetch_add(&l->rings->stat_again, 1);
}

/* The unit that ended in @e was with a process that has died: it is skipped. */
static void rings_drop(struct rings_line *l, const struct flow_entry *e)
{
    struct rings_unit *u = (struct rings_unit *)(uintptr_t)e->mark;

    u->told.word = SUPPLY_SKIP;
    u->told.status = STATUS_LOST;
    snprintf(u->told.reason, sizeof(u->told.reason),
             "the process that read it is gone, and what it held is dropped");
    atomic_fetch_add(&l->rings->stat_dropped, 1);
    supply_tell(l->channel->supply, &u->told);
    rings_unit_free(l, u);
}

/* Tell of all units that end in @slot, and give it back. Of a slot that is
 * torn only the unit that began before it was anybody's. */
static void rings_settle(struct rings_line *l, const struct flow_slot *slot,
                         enum ring_outcome_kind kind)
{
    for (uint32_t i = 0; i < slot->entry_count; i++) {
        const struct flow_entry *e = &slot->entries[i];
        bool is_dropped =
            l->channel->drops && (kind == RING_DROPPED || !e->is_first);

        if (e->is_last && kind == RING_CONSUMED) {
            rings_tell(l, e, slot->why);
        } else if (e->is_last && is_dropped) {
            rings_drop(l, e);
        } else if (e->is_last) {
            rings_again(l, e);
        }
    }
    flow_release(l->flow, slot->slot);
}

/* ---- Slots. ---------------------------------------------------------------
 */

/* Whether a unit in the slot can't be read, and none may be skipped. */
static bool rings_is_bad(struct rings_line *l)
{
    static const struct fault none = {.text = "a unit can't be read"};

    for (uint32_t i = 0; !l->channel->skips && i < l->slot.entry_count; i++) {
        enum status s = l->slot.entries[i].status;

        if (s != STATUS_OK) {
            rings_fail(l, s, l->slot.why != NULL ? l->slot.why : &none);
            return true;
        }
    }
    return false;
}

static bool rings_end_epoch(struct rings_line *l)
{
    if (l->again != NULL) { /* It has not, after all. */
        flow_begin(l->flow);
        flow_step(l->flow);
        return false;
    }
    if (ring_end_epoch(l->ring, l->epoch) != STATUS_OK) {
        return false; /* Not now. */
    }
    if (!l->is_last_epoch) {
        l->is_at_end = false;
        supply_tell(l->channel->supply,
                    &(struct supply_told){.word = SUPPLY_BEGIN,
                                          .rank = l->rank,
                                          .epoch = l->epoch});
        flow_begin(l->flow);
        flow_step(l->flow);
    }
    return true;
}

/* Have a slot to publish. */
static bool rings_take_slot(struct rings_line *l)
{
    bool is_last;
    enum status s;

    if (l->has_slot || l->has_ended) {
        return l->has_slot;
    }
    s = flow_take(l->flow, &l->slot);
    l->has_slot = s == STATUS_OK;
    /* To end an epoch may bring the end of the next one, the last. */
    is_last = l->is_last_epoch;
    if (s == STATUS_STOPPED && rings_end_epoch(l) && is_last) {
        l->has_ended = ring_end(l->ring) == STATUS_OK;
    }
    if (s == STATUS_EMPTY && flow_stats(l->flow).filling == 0) {
        ring_ask_back(l->ring);
    }
    return l->has_slot && !rings_is_bad(l);
}

/* The slot was handed over. */
static void rings_note(struct rings_line *l)
{
    uint64_t ended = 0;

    for (uint32_t i = 0; i < l->slot.entry_count; i++) {
        ended += l->slot.entries[i].is_last;
    }
    atomic_fetch_add(&l->rings->stat_slots, 1);
    atomic_fetch_add(&l->rings->stat_bytes, l->slot.size);
    atomic_fetch_add(&l->stat_bytes, l->slot.size);
    atomic_fetch_add(&l->stat_units, ended);
    atomic_store(&l->stat_epoch, l->slot.entries[0].epoch);
}

/* Publish what is ready. Whether anything was done. */
static bool rings_publish(struct rings_line *l)
{
    enum status s = STATUS_OK;
    bool has_moved = false;

    while (s == STATUS_OK && !l->is_broken && rings_take_slot(l)) {
        s = ring_publish(l->ring, &l->slot);
        has_moved = true; /* EMPTY, too: at once, after a step of the host. */
        if (s == STATUS_OK) {
            rings_note(l);
            l->has_slot = false;
        } else if (s == STATUS_LOST) {
            rings_settle(l, &l->slot, RING_TORN);
            l->has_slot = false;
            s = STATUS_OK;
        } else {
            CHECK(s == STATUS_EMPTY);
        }
    }
    return has_moved;
}

/* Take what has come back. Whether anything has. */
static bool rings_take_back(struct rings_line *l)
{
    struct ring_outcome outcome;
    bool has_moved = false;

    while (ring_take_outcome(l->ring, &outcome)) {
        has_moved = true;
        rings_settle(l, &outcome.slot, outcome.kind);
    }
    return has_moved;
}

/* Whether there may be more to do at once. */
static bool rings_serve(struct rings_line *l)
{
    bool has_moved = rings_take_back(l);

    if (!l->is_broken) {
        flow_step(l->flow);
        has_moved = rings_publish(l) || has_moved;
    }
    return has_moved;
}

/* ---- The loop. ------------------------------------------------------------
 */

static bool rings_is_stopped(struct rings *r)
{
    for (uint32_t i = 0; i < r->channel_count; i++) {
        if (supply_is_stopped(r->channels[i].supply)) {
            return true;
        }
    }
    return false;
}

static void rings_step_host(struct rings *r)
{
    struct fault why = {.text = ""};
    char quoted[FAULT_TEXT_MAX];
    bool is_slow = ring_host_step(r->host, &why) != STATUS_OK;

    if (is_slow && !r->is_slow) {
        log_event(LOG_WARN, "ring.trouble", "reason=%s",
                  log_quote(why.text, quoted, sizeof(quoted)));
    }
    r->is_slow = is_slow;
}

static void rings_count(struct rings *r)
{
    uint32_t consumers = 0;

    for (uint32_t i = 0; i < r->line_count; i++) {
        consumers += ring_stats(r->lines[i].ring).queue.consumers;
    }
    atomic_store(&r->stat_consumers, consumers);
}

static enum rings_wait rings_look(const struct rings_line *l)
{
    struct ring_queue_stats queue = ring_stats(l->ring).queue;
    struct flow_stats flow = flow_stats(l->flow);

    if (l->has_ended) {
        return RINGS_GOES;
    }
    if (flow.filling == 0 && flow.ready + flow.held > 0) {
        return RINGS_FOR_CONSUMER;
    }
    return queue.out == 0 && flow.ready == 0 && flow.filling > 0 &&
                   queue.consumers > 0
               ? RINGS_FOR_STORE
               : RINGS_GOES;
}

/* Since the last look it was as it was then. */
static void rings_account(struct rings_line *l, uint64_t now_ms)
{
    enum rings_wait was = (enum rings_wait)atomic_load(&l->stat_wait);

    atomic_fetch_add(&l->stat_waits_ms[was],
                     now_ms - atomic_load(&l->stat_since_ms));
    atomic_store(&l->stat_since_ms, now_ms);
    atomic_store(&l->stat_wait, rings_look(l));
}

static void *rings_main(void *self)
{
    struct rings *r = self;

    while (!rings_is_stopped(r)) {
        struct epoll_event events[16];
        bool has_moved = false;
        uint64_t now_ms;

        for (uint32_t i = 0; i < r->channel_count; i++) {
            supply_heed(r->channels[i].supply);
        }
        rings_step_host(r);
        for (uint32_t i = 0; i < r->line_count; i++) {
            has_moved = rings_serve(&r->lines[i]) || has_moved;
        }
        rings_count(r);
        now_ms = clock_now_ms(&clock_os);
        for (uint32_t i = 0; i < r->line_count; i++) {
            rings_account(&r->lines[i], now_ms);
        }
        epoll_wait(r->epoll, events, 16, has_moved ? 0 : r->is_slow ? 100 : -1);
    }
    return NULL;
}

/* ---- The owner's side. ----------------------------------------------------
 */

static enum status rings_watch(struct rings *r, int fd, struct fault *why)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_OS, "wait for a ring: %s", strerror(errno));
}

static enum status rings_open_line(struct rings *r,
                                   const struct rings_channel *c, uint32_t rank,
                                   struct fault *why)
{
    struct rings_line *l = &r->lines[r->line_count];
    uint32_t count = slots_count(c->slots[rank]);
    enum status s;

    *l = (struct rings_line){.rings = r, .channel = c, .rank = rank};
    l->again_tail = &l->again;
    l->stat_since_ms = clock_now_ms(&clock_os);
    s = ring_new(r->host,
                 &(struct ring_options){
                     .channel = c->name,
                     .rank = rank,
                     .mode = c->mode,
                     .consumers = c->consumers,
                     .drops = c->drops,
                     .slots = c->slots[rank],
                 },
                 why, &l->ring);
    if (s != STATUS_OK) {
        return s;
    }
    r->line_count++;
    l->flow = flow_new(&(struct flow_options){
        .fetch = r->fetch,
        .slots = c->slots[rank],
        .source = c->source,
        .lane = FETCH_ANY,
        .slots_max = count,
        .fills_last = true,
        .next = rings_next_unit,
        .next_self = l,
    });
    return l->flow != NULL ? rings_watch(r, flow_fd(l->flow), why)
                           : fault_set(why, STATUS_OS, "wait for slots: %s",
                                       strerror(errno));
}

static enum status rings_open(struct rings *r, const char *folder,
                              struct fault *why)
{
    enum status s = STATUS_OK;

    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll < 0) {
        return fault_set(why, STATUS_OS, "wait for rings: %s", strerror(errno));
    }
    s = ring_host_open(folder, why, &r->host);
    if (s == STATUS_OK) {
        s = rings_watch(r, ring_host_fd(r->host), why);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < r->channel_count; i++) {
        const struct rings_channel *c = &r->channels[i];

        s = rings_watch(r, supply_fd(c->supply), why);
        for (uint32_t k = 0; s == STATUS_OK && k < c->rank_count; k++) {
            s = rings_open_line(r, c, k, why);
        }
    }
    return s;
}

/* All signals are the main thread's. */
static enum status rings_run(struct rings *r, struct fault *why)
{
    sigset_t all;
    sigset_t old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r->has_thread = pthread_create(&r->thread, NULL, rings_main, r) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r->has_thread
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "start a thread for rings");
}

enum status rings_start(const struct rings_options *options, struct fault *why,
                        struct rings **out)
{
    struct rings *r = mem_new(1, sizeof(*r));
    uint32_t lines = 0;
    enum status s;

    CHECK(options->channel_count > 0 &&
          options->channel_count <= RINGS_CHANNELS_MAX);
    r->fetch = options->fetch;
    r->channel_count = options->channel_count;
    memcpy(r->channels, options->channels,
           options->channel_count * sizeof(r->channels[0]));
    for (uint32_t i = 0; i < r->channel_count; i++) {
        lines += r->channels[i].rank_count;
    }
    r->lines = mem_new(lines, sizeof(r->lines[0]));
    *out = r;
    s = rings_open(r, options->folder, why);
    if (s == STATUS_OK) {
        s = rings_run(r, why);
    }
    if (s != STATUS_OK) {
        rings_stop(out);
    }
    return s;
}

/* What was released since the thread looked last was consumed, too: who has
 * read enough releases, and ends. */
static void rings_look_last(struct rings *r)
{
    for (uint32_t i = 0; i < r->line_count; i++) {
        ring_doubt(r->lines[i].ring);
    }
    rings_step_host(r);
    for (uint32_t i = 0; i < r->line_count; i++) {
        (void)rings_take_back(&r->lines[i]);
    }
}

/* Those that nobody was told of. */
static void rings_free_units(struct rings_line *l)
{
    while (l->newest != NULL) {
        struct rings_unit *u = l->newest;

        l->newest = u->older;
        free(u);
    }
}

void rings_stop(struct rings **rp)
{
    struct rings *r = *rp;

    if (r == NULL) {
        return;
    }
    for (uint32_t i = 0; r->has_thread && i < r->channel_count; i++) {
        supply_stop(r->channels[i].supply);
    }
    if (r->has_thread) {
        pthread_join(r->thread, NULL);
        rings_look_last(r);
    }
    for (uint32_t i = 0; i < r->line_count; i++) {
        ring_destroy(&r->lines[i].ring);
        flow_destroy(&r->lines[i].flow);
        rings_free_units(&r->lines[i]);
    }
    if (r->host != NULL) {
        ring_host_close(&r->host);
    }
    if (r->epoll >= 0) {
        close(r->epoll);
    }
    free(r->lines);
    free(r);
    *rp = NULL;
}

const char *rings_path(const struct rings *r)
{
    return ring_host_path(r->host);
}

struct rings_stats rings_stats(const struct rings *r)
{
    return (struct rings_stats){
        .slots = atomic_load(&r->stat_slots),
        .bytes = atomic_load(&r->stat_bytes),
        .units = atomic_load(&r->stat_units),
        .again = atomic_load(&r->stat_again),
        .dropped = atomic_load(&r->stat_dropped),
        .consumers = atomic_load(&r->stat_consumers),
    };
}

/* Of the ring's whole life until now: the thread may sleep. */
static uint64_t rings_waited(const struct rings_line *l, enum rings_wait wait,
                             uint64_t now_ms)
{
    uint64_t since_ms = atomic_load(&l->stat_since_ms);
    uint64_t ms = atomic_load(&l->stat_waits_ms[wait]);
    bool is_now = atomic_load(&l->stat_wait) == (uint32_t)wait;

    return ms + (is_now && now_ms > since_ms ? now_ms - since_ms : 0);
}

struct rings_line_stats rings_line_stats(const struct rings *r,
                                         uint32_t channel, uint32_t rank)
{
    uint64_t now_ms = clock_now_ms(&clock_os);
    const struct rings_line *l = r->lines;

    CHECK(channel < r->channel_count);
    CHECK(rank < r->channels[channel].rank_count);
    while (l->channel != &r->channels[channel] || l->rank != rank) {
        l++;
    }
    return (struct rings_line_stats){
        .epoch = atomic_load(&l->stat_epoch),
        .units = atomic_load(&l->stat_units),
        .done = atomic_load(&l->stat_done),
        .bytes = atomic_load(&l->stat_bytes),
        .store_ms = rings_waited(l, RINGS_FOR_STORE, now_ms),
        .consumer_ms = rings_waited(l, RINGS_FOR_CONSUMER, now_ms),
    };
}
