/* SPDX-License-Identifier: Apache-2.0 */
/* A lane goes round: tell what has ended and take what is new (under the
 * lock), ask the stores, wait for them and for news, take their events. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/fetch_state_os.h"

enum {
    FETCH_TRIES_MAX = 4, /* Where the store does not try for itself. */
    FETCH_AGAIN_US = 50000,
};

/* ---- stores ------------------------------------------------------------- */

enum status fetch_lane_open(struct fetch_lane_state *l, uint32_t source,
                            struct fault *why)
{
    const struct fetch_source *from = &l->fetch->sources[source];
    struct buf prefix = {0};
    enum status s;

    if (l->stores[source] != NULL) {
        return STATUS_OK;
    }
    s = store_open(from->root_uri, STORE_READ, why, &l->stores[source],
                   &prefix);
    if (s == STATUS_OK && prefix.size > 0) {
        s = fault_set(why, STATUS_INVALID,
                      "%s: is not the root of a store; it has to end with /",
                      from->root_uri);
    }
    buf_fini(&prefix);
    if (s != STATUS_OK) {
        store_close(&l->stores[source]);
        return fault_prefix(why, s, "%s", from->name);
    }
    return STATUS_OK;
}

void fetch_lane_close(struct fetch_lane_state *l)
{
    for (uint32_t i = 0; i < l->fetch->source_count; i++) {
        store_close(&l->stores[i]);
    }
}

/* ---- asking ------------------------------------------------------------- */

/* @item is done with, and will be told in the next round. */
static void fetch_lane_end(struct fetch_lane_state *l, struct fetch_item *item,
                           enum status status, const struct fault *why)
{
    item->status = status;
    if (status != STATUS_OK && why != NULL) {
        item->why = mem_new(1, sizeof(*item->why));
        *item->why = *why;
    }
    fetch_items_add(&l->ended, item);
    l->ended_count++;
}

static void fetch_lane_leave(struct fetch_lane_state *l, uint32_t slot)
{
    l->active[slot] = NULL;
    l->active_count--;
}

/* Ask the store for what is in @slot; that is the request's tag. */
static void fetch_lane_ask(struct fetch_lane_state *l, uint32_t slot)
{
    struct fetch_item *item = l->active[slot];
    const char *etag = item->text.at + item->key_size + 1;
    const char *version = etag + item->etag_size + 1;
    struct store_request r = {
        .op = item->look != NULL ? STORE_HEAD : STORE_GET,
        .tag = slot,
        .key = {item->text.at, item->key_size},
        .offset = item->offset,
        .size = item->size,
        .into = item->into,
        .etag = etag[0] != '\0' ? etag : NULL,
        .version = version[0] != '\0' ? version : NULL,
        .is_whole = item->is_whole,
        .sum = item->sum_kind,
    };
    struct fault why;
    enum status s = fetch_lane_open(l, item->source, &why);

    item->again_us = 0;
    item->tries++;
    if (s != STATUS_OK) {
        fetch_lane_leave(l, slot);
        fetch_lane_end(l, item, s, &why);
        return;
    }
    s = store_submit(l->stores[item->source], &r);
    CHECK(s == STATUS_OK); /* A lane has fewer requests than a store takes. */
}

static void fetch_lane_begin(struct fetch_lane_state *l,
                             struct fetch_item *item)
{
    uint32_t slot = 0;

    while (l->active[slot] != NULL) {
        slot++;
        CHECK(slot < FETCH_LANE_MAX);
    }
    l->active[slot] = item;
    l->active_count++;
    fetch_lane_ask(l, slot);
}

/* ---- answers ------------------------------------------------------------ */

static void fetch_lane_look(const struct fetch_item *item,
                            const struct store_event *e)
{
    struct fetch_look *look = item->look;

    _Static_assert(sizeof(look->etag) == sizeof(e->etag), "of one size");
    _Static_assert(sizeof(look->version) == sizeof(e->version), "of one size");
    look->size = e->size;
    look->sum = e->sum;
    memcpy(look->etag, e->etag, sizeof(look->etag));
    memcpy(look->version, e->version, sizeof(look->version));
}

/* What has come is in the cache of this core now. */
static enum status fetch_lane_write(const struct fetch_lane_state *l,
                                    struct fetch_item *item, struct fault *why)
{
    pthread_mutex_t *turn =
        &l->fetch->writers[(unsigned)item->fd % FETCH_WRITERS];
    const char *at = item->into;
    size_t done = 0;

    pthread_mutex_lock(turn);
    while (done < item->size && item->write_error == 0) {
        ssize_t put = pwrite(item->fd, at + done, item->size - done,
                             (off_t)(item->offset + done));

        item->write_error = put < 0 && errno != EINTR ? errno : 0;
        done += put > 0 ? (size_t)put : 0;
    }
    pthread_mutex_unlock(turn);
    return item->write_error == 0
               ? STATUS_OK
               : file_fault(why, item->write_error, "write", "its file");
}

static bool fetch_lane_is_stale(enum status s)
{
    return s == STATUS_CHANGED || s == STATUS_NOT_FOUND;
}

static enum status fetch_lane_read(const struct fetch_lane_state *l,
                                   struct fetch_item *item,
                                   struct store_event *e)
{
    const char *channel = l->fetch->sources[item->source].name;
    bool is_pinned = item->etag_size > 0;

    item->object_size = e->size;
    item->sum = e->got_sum;
    if (e->status == STATUS_OK && item->look != NULL) {
        fetch_lane_look(item, e);
    } else if (e->status == STATUS_OK && e->got != item->size) {
        item->is_short = true;
        e->status = fault_set(
            &e->why, is_pinned ? STATUS_CHANGED : STATUS_INVALID,
            "%s%.*s: has %llu bytes, and a range up to %llu was asked for",
            store_root_uri(l->stores[item->source]), (int)item->key_size,
            item->text.at, (unsigned long long)e->size,
            (unsigned long long)(item->offset + item->size));
    } else if (e->status == STATUS_OK && item->has_file) {
        e->status = fetch_lane_write(l, item, &e->why);
    }
    if (is_pinned && fetch_lane_is_stale(e->status)) {
        return fault_set(
            &e->why, e->status,
            "%s: %s%.*s: it %s since it was listed; start the job again, and "
            "let nobody write to its source",
            channel, store_root_uri(l->stores[item->source]),
            (int)item->key_size, item->text.at,
            e->status == STATUS_NOT_FOUND ? "was deleted"
                                          : "was overwritten or shortened");
    }
    return e->status == STATUS_OK
               ? STATUS_OK
               : fault_prefix(&e->why, e->status, "%s", channel);
}

/* Whether it is asked for once more, after a pause. */
static bool fetch_lane_tries_again(struct fetch_item *item,
                                   const struct store_event *e)
{
    bool may_pass = e->status == STATUS_STORE || e->status == STATUS_TIMEOUT ||
                    e->status == STATUS_IO;

    if (!may_pass || e->is_final || item->tries >= FETCH_TRIES_MAX) {
        return false;
    }
    item->again_us =
        fetch_now_us() + ((uint64_t)FETCH_AGAIN_US << 2 * (item->tries - 1));
    return true;
}

static void fetch_lane_answer(struct fetch_lane_state *l, struct store_event *e)
{
    uint32_t slot = (uint32_t)e->tag;
    struct fetch_item *item;
    enum status s;

    CHECK(slot < FETCH_LANE_MAX && l->active[slot] != NULL);
    item = l->active[slot];
    if (fetch_lane_tries_again(item, e)) {
        return;
    }
    s = fetch_lane_read(l, item, e);
    item->is_throttled = e->is_throttled;
    item->is_hedged = e->is_hedged;
    item->is_hedge_won = e->is_hedge_won;
    fetch_lane_leave(l, slot);
    fetch_lane_end(l, item, s, &e->why);
}

static void fetch_lane_pump(struct fetch_lane_state *l)
{
    for (uint32_t i = 0; i < l->fetch->source_count; i++) {
        size_t count = 0;

        if (l->stores[i] != NULL && store_inflight(l->stores[i]) > 0) {
            count = store_poll(l->stores[i], 0, l->events, STORE_EVENTS_MAX);
        }
        for (size_t e = 0; e < count; e++) {
            fetch_lane_answer(l, &l->events[e]);
        }
    }
}

/* ---- the lock ----------------------------------------------------------- */

static void fetch_count_locked(struct fetch *f, const struct fetch_item *item)
{
    struct fetch_stats *s = &f->locked.stats;

    s->requests++;
    s->bytes += item->status == STATUS_OK ? item->size : 0;
    s->failed += item->status != STATUS_OK && item->status != STATUS_STOPPED;
    s->hedged += item->is_hedged;
    s->hedges_won += item->is_hedge_won;
}

/* Tell what has ended, and let others go in its place. */
static void fetch_lane_tell_locked(struct fetch_lane_state *l, uint64_t now_us)
{
    struct fetch *f = l->fetch;
    struct pace_end end = {
        .now_us = now_us,
        .is_full = f->locked.inflight >= f->locked.pace.target &&
                   f->locked.waiting >= l->ended_count,
    };
    struct fetch_item *item;

    while ((item = fetch_items_take(&l->ended)) != NULL) {
        end.bytes = item->size;
        end.is_good =
            item->status == STATUS_OK && item->tries == 1 && item->look == NULL;
        end.is_throttled = item->is_throttled;
        pace_done(&f->locked.pace, &item->began, &end);
        fetch_count_locked(f, item);
        f->locked.inflight--;
        l->locked.count--;
        fetch_port_end_locked(item);
    }
    l->ended_count = 0;
}

/* Of what is active, mark what was cancelled. */
static void fetch_lane_find_cancelled_locked(const struct fetch_lane_state *l,
                                             bool marks[FETCH_LANE_MAX])
{
    for (uint32_t i = 0; i < FETCH_LANE_MAX; i++) {
        marks[i] = l->active[i] != NULL && l->active[i]->is_cancelled;
    }
}

/* What was cancelled before it was asked for needs no store. */
static void fetch_lane_sort_locked(struct fetch_lane_state *l,
                                   struct fetch_items *begin)
{
    struct fetch_item *item;

    fetch_items_init(begin);
    while ((item = fetch_items_take(&l->locked.inbox)) != NULL) {
        if (item->is_cancelled) {
            fetch_lane_end(l, item, STATUS_STOPPED, NULL);
        } else {
            fetch_items_add(begin, item);
        }
    }
}

static void fetch_lane_cancel(struct fetch_lane_state *l, uint32_t slot)
{
    struct fetch_item *item = l->active[slot];

    if (item->again_us == 0) {
        store_cancel(l->stores[item->source], slot);
        return;
    }
    fetch_lane_leave(l, slot);
    fetch_lane_end(l, item, STATUS_STOPPED, NULL);
}

/* Tell and take. false: it is over. */
static bool fetch_lane_turn(struct fetch_lane_state *l)
{
    struct fetch *f = l->fetch;
    bool marks[FETCH_LANE_MAX] = {false};
    struct fetch_items begin;
    struct fetch_item *item;
    bool is_stopping;
    uint64_t now_us = fetch_now_us();

    pthread_mutex_lock(&f->lock);
    fetch_lane_tell_locked(l, now_us);
    fetch_dispatch_locked(f, now_us);
    if (l->locked.has_cancels) {
        fetch_lane_find_cancelled_locked(l, marks);
    }
    fetch_lane_sort_locked(l, &begin);
    l->locked.has_cancels = false;
    is_stopping = l->locked.is_stopping;
    l->locked.is_asleep = true;
    fetch_unlock_and_call(f);
    for (uint32_t i = 0; i < FETCH_LANE_MAX; i++) {
        if (marks[i]) {
            fetch_lane_cancel(l, i);
        }
    }
    while ((item = fetch_items_take(&begin)) != NULL) {
        fetch_lane_begin(l, item);
    }
    return !is_stopping;
}

/* ---- waiting ------------------------------------------------------------ */

static int fetch_sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Ask again for what has waited for that. Milliseconds until the next; -1. */
static int fetch_lane_again(struct fetch_lane_state *l)
{
    uint64_t now_us = fetch_now_us();
    int wait = -1;

    for (uint32_t i = 0; i < FETCH_LANE_MAX; i++) {
        const struct fetch_item *item = l->active[i];

        if (item == NULL || item->again_us == 0) {
            continue;
        }
        if (item->again_us <= now_us) {
            fetch_lane_ask(l, i);
        } else {
            wait =
                fetch_sooner(wait, (int)((item->again_us - now_us) / 1000) + 1);
        }
    }
    return wait;
}

static void fetch_lane_wait(struct fetch_lane_state *l)
{
    struct pollfd fds[1 + STORE_FDS_MAX * FETCH_SOURCES_MAX] = {
        {.fd = l->wake, .events = POLLIN}};
    nfds_t count = 1;
    int wait = fetch_lane_again(l);
    uint64_t woken;

    for (uint32_t i = 0; i < l->fetch->source_count; i++) {
        struct store_wait w;

        if (l->stores[i] == NULL) {
            continue;
        }
        store_wait_for(l->stores[i], &w);
        wait = fetch_sooner(wait, w.timeout_ms);
        for (uint32_t j = 0; j < w.fd_count; j++) {
            fds[count++] = (struct pollfd){.fd = w.fds[j], .events = POLLIN};
        }
    }
    (void)poll(fds, count, l->ended_count > 0 ? 0 : wait);
    if (fds[0].revents != 0) {
        (void)!read(l->wake, &woken, sizeof(woken)); /* Says no more. */
    }
}

/* ---- the thread --------------------------------------------------------- */

static void fetch_lane_bind(const struct fetch_lane_state *l)
{
    int error = 0;

    if (CPU_COUNT(&l->cores) > 0) {
        error =
            pthread_setaffinity_np(pthread_self(), sizeof(l->cores), &l->cores);
    }
    if (error != 0) { /* It reads all the same, and others may run there. */
        log_event(LOG_WARN, "fetch.unbound", "lane=%u reason=\"%s\"", l->index,
                  strerror(error));
    }
}

void *fetch_lane_run(void *arg)
{
    struct fetch_lane_state *l = arg;

    fetch_lane_bind(l);
    while (fetch_lane_turn(l)) {
        fetch_lane_wait(l);
        fetch_lane_pump(l);
    }
    CHECK(l->active_count == 0 && l->ended.first == NULL);
    fetch_lane_close(l);
    return NULL;
}
