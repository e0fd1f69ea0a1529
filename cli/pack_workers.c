/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes that make shards side by side, and the line that says how far. */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/amount.h"
#include "cli/pack.h"

volatile sig_atomic_t pack_signal;

enum { PACK_LOOK_MS = 100, PACK_LINE_MS = 500, PACK_NS_PER_MS = 1000000 };

struct pack_crew {
    struct pack *pack;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct {
        uint32_t working;
        enum status status; /* The first failure. */
        struct fault why;
    } locked;
};

static void pack_crew_fail(struct pack_crew *c, enum status s,
                           const struct fault *why)
{
    pthread_mutex_lock(&c->lock);
    if (c->locked.status == STATUS_OK) {
        c->locked.status = s;
        c->locked.why = *why;
    }
    pthread_mutex_unlock(&c->lock);
    atomic_store(&c->pack->stop, true);
}

/* Make shards while there are some. */
static enum status pack_work_on(struct pack *p, struct fault *why)
{
    struct pack_lane_options options = {.source = p->listing.root_uri,
                                        .target = p->root_uri,
                                        .stop = &p->stop,
                                        .done_bytes = &p->done_bytes};
    struct pack_lane *lane = NULL;
    enum status s = pack_lane_new(&options, why, &lane);
    uint32_t number;

    while (s == STATUS_OK &&
           (number = atomic_fetch_add(&p->next_shard, 1)) < p->plan.count) {
        s = pack_make_shard(p, lane, number, why);
        atomic_fetch_add(&p->done_shards, s == STATUS_OK);
    }
    pack_lane_destroy(&lane);
    return s;
}

static void *pack_main_of_worker(void *self)
{
    struct pack_crew *c = self;
    struct fault why = {.text = ""};
    enum status s = pack_work_on(c->pack, &why);

    if (s != STATUS_OK) {
        pack_crew_fail(c, s, &why);
    }
    pthread_mutex_lock(&c->lock);
    c->locked.working--;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ---- Progress. */

static void pack_show(const struct pack *p, uint64_t since_ms, bool is_last)
{
    uint64_t done = atomic_load(&p->done_bytes);
    uint64_t all = catalog_bytes(p->listing.catalog);
    double seconds = (double)(clock_now_ms(&clock_os) - since_ms + 1) / 1000;
    double rate = (double)done / seconds;
    char bytes[AMOUNT_TEXT_MAX];
    char speed[AMOUNT_TEXT_MAX];
    char left[AMOUNT_TEXT_MAX];

    if (is_last) {
        fputs("\r\033[K", stderr);
        return;
    }
    fprintf(stderr, "\r%" PRIu32 " of %" PRIu32 " shards, %s of",
            atomic_load(&p->done_shards), p->plan.count,
            amount_bytes(done, bytes));
    fprintf(stderr, " %s, %s/s, %s left\033[K", amount_bytes(all, bytes),
            amount_bytes((uint64_t)rate, speed),
            rate > 0 ? amount_seconds((double)(all - done) / rate, left) : "?");
    fflush(stderr);
}

static void pack_pause(struct pack_crew *c)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)PACK_LOOK_MS * PACK_NS_PER_MS;
    if (until.tv_nsec >= 1000L * PACK_NS_PER_MS) {
        until.tv_nsec -= 1000L * PACK_NS_PER_MS;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&c->wake, &c->lock, &until);
}

static void pack_watch(struct pack_crew *c)
{
    struct pack *p = c->pack;
    uint64_t since = clock_now_ms(&clock_os);
    uint64_t shown = since;

    pthread_mutex_lock(&c->lock);
    while (c->locked.working > 0) {
        uint64_t now;

        pack_pause(c);
        now = clock_now_ms(&clock_os);
        if (pack_signal != 0) {
            atomic_store(&p->stop, true);
        }
        if (p->options.with_progress && now - shown >= PACK_LINE_MS) {
            pack_show(p, since, false);
            shown = now;
        }
    }
    pthread_mutex_unlock(&c->lock);
    if (p->options.with_progress && shown != since) {
        pack_show(p, since, true);
    }
}

/* ---- Start and end. */

static uint32_t pack_start(struct pack_crew *c, uint32_t wanted,
                           pthread_t threads[PACK_WORKERS_MAX])
{
    uint32_t started = 0;

    c->locked.working = wanted;
    while (started < wanted && pthread_create(&threads[started], NULL,
                                              pack_main_of_worker, c) == 0) {
        started++;
    }
    pthread_mutex_lock(&c->lock);
    c->locked.working -= wanted - started;
    pthread_mutex_unlock(&c->lock);
    return started;
}

enum status pack_make_shards(struct pack *p, struct fault *why)
{
    struct pack_crew c = {.pack = p};
    pthread_t threads[PACK_WORKERS_MAX];
    uint32_t wanted =
        p->options.workers < p->plan.count ? p->options.workers : p->plan.count;
    uint32_t started;
    enum status s;

    CHECK(wanted > 0 && wanted <= PACK_WORKERS_MAX);
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.wake, NULL);
    started = pack_start(&c, wanted, threads);
    pack_watch(&c);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    s = c.locked.status;
    if (s != STATUS_OK) {
        *why = c.locked.why;
    } else if (started == 0) {
        s = fault_set(why, STATUS_OS, "no thread can be started");
    }
    pthread_mutex_destroy(&c.lock);
    pthread_cond_destroy(&c.wake);
    return s;
}
