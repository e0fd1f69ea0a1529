/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "worker/fetch_state_os.h"

uint64_t fetch_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t fetch_clock_ms(const struct fetch *f)
{
    (void)f;
    return fetch_now_us() / 1000 + 1;
}

/* ---- lists -------------------------------------------------------------- */

void fetch_items_init(struct fetch_items *list)
{
    list->first = NULL;
    list->tail = &list->first;
}

void fetch_items_add(struct fetch_items *list, struct fetch_item *item)
{
    item->next = NULL;
    *list->tail = item;
    list->tail = &item->next;
}

struct fetch_item *fetch_items_take(struct fetch_items *list)
{
    struct fetch_item *item = list->first;

    if (item != NULL) {
        list->first = item->next;
        if (list->first == NULL) {
            list->tail = &list->first;
        }
    }
    return item;
}

/* ---- who goes next ------------------------------------------------------ */

void fetch_wake_locked(struct fetch_lane_state *lane)
{
    uint64_t one = 1;

    if (lane->locked.is_asleep) {
        lane->locked.is_asleep = false;
        CHECK(write(lane->wake, &one, sizeof(one)) == sizeof(one));
    }
}

static struct fetch_lane_state *fetch_idlest(struct fetch *f)
{
    struct fetch_lane_state *best = &f->lanes[0];

    for (uint32_t i = 1; i < f->lane_count; i++) {
        if (f->lanes[i].locked.count < best->locked.count) {
            best = &f->lanes[i];
        }
    }
    return best;
}

/* The soonest of those whose lane has room. O(lanes), at most 64. */
static struct fetch_item *fetch_next(struct fetch *f,
                                     struct fetch_lane_state **lane)
{
    struct fetch_lane_state *idlest = fetch_idlest(f);
    struct fetch_wait *best = NULL;

    for (uint32_t i = 0; i <= f->lane_count; i++) {
        struct fetch_lane_state *to = i < f->lane_count ? &f->lanes[i] : idlest;
        struct fetch_wait *first = fetch_queue_first(&f->locked.queues[i]);

        if (to->locked.count < FETCH_LANE_MAX &&
            fetch_wait_is_sooner(first, best)) {
            best = first;
            *lane = to;
        }
    }
    return (struct fetch_item *)best;
}

static uint32_t fetch_target(const struct fetch *f)
{
    return f->fixed > 0 ? f->fixed : f->locked.pace.target;
}

void fetch_dispatch_locked(struct fetch *f, uint64_t now_us)
{
    while (f->locked.waiting > 0) {
        struct fetch_lane_state *lane = NULL;
        struct fetch_item *item = fetch_next(f, &lane);
        uint32_t most = fetch_target(f);

        if (item == NULL) {
            return;
        }
        most += item->wait.due == FETCH_NOW ? FETCH_NOW_MAX : 0;
        if (f->locked.inflight >= most) {
            return;
        }
        fetch_queue_remove(&f->locked.queues[item->queue], &item->wait);
        f->locked.waiting--;
        f->locked.inflight++;
        item->state = FETCH_IS_LANE;
        item->lane = lane;
        item->port->locked.in_lanes++;
        item->began = pace_begin(&f->locked.pace, now_us);
        lane->locked.count++;
        fetch_items_add(&lane->locked.inbox, item);
        fetch_wake_locked(lane);
    }
}

struct fetch_stats fetch_stats(struct fetch *f)
{
    struct fetch_stats stats;

    pthread_mutex_lock(&f->lock);
    stats = f->locked.stats;
    stats.waiting = f->locked.waiting;
    stats.inflight = f->locked.inflight;
    stats.target = fetch_target(f);
    pthread_mutex_unlock(&f->lock);
    return stats;
}

/* ---- start and stop ----------------------------------------------------- */

static void fetch_lane_init(struct fetch *f, uint32_t index,
                            const struct fetch_options *options)
{
    const struct fetch_lane *place =
        options->lanes != NULL ? &options->lanes[index] : NULL;
    struct fetch_lane_state *l = &f->lanes[index];

    l->fetch = f;
    l->index = index;
    CPU_ZERO(&l->cores);
    for (uint32_t i = 0; place != NULL && i < place->core_count; i++) {
        CHECK(place->cores[i] < FETCH_CORES_MAX);
        CPU_SET(place->cores[i], &l->cores);
    }
    l->stores = mem_new(f->source_count, sizeof(struct store *));
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fetch_items_init(&l->locked.inbox);
    fetch_items_init(&l->ended);
}

static struct fetch *fetch_new(const struct fetch_options *options)
{
    struct fetch *f = mem_new(1, sizeof(*f));
    uint32_t most = options->lane_count * FETCH_LANE_MAX;

    if (options->requests_max > 0 && options->requests_max < most) {
        most = options->requests_max;
    }
    f->sources = options->sources;
    f->source_count = options->source_count;
    f->lane_count = options->lane_count;
    f->fixed = options->requests;
    f->lanes = mem_new(f->lane_count, sizeof(f->lanes[0]));
    f->locked.queues = mem_new(f->lane_count + 1, sizeof(struct fetch_queue));
    pace_init(&f->locked.pace, most, fetch_now_us());
    CHECK(pthread_mutex_init(&f->lock, NULL) == 0);
    CHECK(pthread_cond_init(&f->is_quiet, NULL) == 0);
    for (uint32_t i = 0; i < FETCH_WRITERS; i++) {
        CHECK(pthread_mutex_init(&f->writers[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < f->lane_count; i++) {
        fetch_lane_init(f, i, options);
    }
    return f;
}

static enum status fetch_run_lanes(struct fetch *f, struct fault *why)
{
    sigset_t all;
    sigset_t before;
    int error = 0;

    /* Signals are for the threads that wait for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 0; i < f->lane_count && error == 0; i++) {
        struct fetch_lane_state *l = &f->lanes[i];

        error = l->wake < 0
                    ? EMFILE
                    : pthread_create(&l->thread, NULL, fetch_lane_run, l);
        l->has_thread = error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0
               ? STATUS_OK
               : fault_set(why, STATUS_OS, "start a lane: %s", strerror(error));
}

enum status fetch_start(const struct fetch_options *options, struct fault *why,
                        struct fetch **out)
{
    struct fetch *f;
    enum status s = STATUS_OK;

    CHECK(options->lane_count >= 1 && options->lane_count <= FETCH_LANES_MAX);
    CHECK(options->source_count >= 1 &&
          options->source_count <= FETCH_SOURCES_MAX);
    f = fetch_new(options);
    /* Better said now than in the middle of the job. */
    for (uint32_t i = 0; i < f->source_count && s == STATUS_OK; i++) {
        s = fetch_lane_open(&f->lanes[0], i, why);
    }
    if (s == STATUS_OK) {
        s = fetch_run_lanes(f, why);
    }
    if (s != STATUS_OK) {
        fetch_stop(&f);
    }
    *out = f;
    return s;
}

static void fetch_lane_end(struct fetch_lane_state *l)
{
    if (l->has_thread) {
        pthread_mutex_lock(&l->fetch->lock);
        l->locked.is_stopping = true;
        fetch_wake_locked(l);
        pthread_mutex_unlock(&l->fetch->lock);
        CHECK(pthread_join(l->thread, NULL) == 0);
    }
    fetch_lane_close(l);
    free(l->stores);
    if (l->wake >= 0) {
        close(l->wake);
    }
}

void fetch_stop(struct fetch **fp)
{
    struct fetch *f = *fp;

    if (f == NULL) {
        return;
    }
    CHECK(f->locked.ports == NULL);
    for (uint32_t i = 0; i < f->lane_count; i++) {
        fetch_lane_end(&f->lanes[i]);
    }
    for (uint32_t i = 0; i <= f->lane_count; i++) {
        fetch_queue_fini(&f->locked.queues[i]);
    }
    for (uint32_t i = 0; i < FETCH_WRITERS; i++) {
        CHECK(pthread_mutex_destroy(&f->writers[i]) == 0);
    }
    CHECK(pthread_mutex_destroy(&f->lock) == 0);
    CHECK(pthread_cond_destroy(&f->is_quiet) == 0);
    free(f->locked.queues);
    free(f->lanes);
    free(f);
    *fp = NULL;
}
