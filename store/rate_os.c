/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of all handles together, whatever their bucket: the coordinator
 * deals in requests, not in buckets. */
#include "store/rate.h"

#include <pthread.h>

#include "base/check.h"

static struct {
    pthread_mutex_t lock;
    struct {
        struct rate rate;
        struct rate_counts counts;
    } locked;
} rate_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void rate_lock(void)
{
    CHECK(pthread_mutex_lock(&rate_process.lock) == 0);
}

static void rate_unlock(void)
{
    CHECK(pthread_mutex_unlock(&rate_process.lock) == 0);
}

void rate_process_set(uint64_t per_1000s, uint64_t now_ms)
{
    rate_lock();
    rate_set(&rate_process.locked.rate, per_1000s, now_ms);
    rate_unlock();
}

bool rate_process_is_on(void)
{
    bool is_on;

    rate_lock();
    is_on = rate_process.locked.rate.per_1000s > 0;
    rate_unlock();
    return is_on;
}

bool rate_process_may_go(uint64_t now_ms, uint64_t *ticket, uint64_t *at_ms)
{
    bool may_go;

    rate_lock();
    may_go = rate_may_go(&rate_process.locked.rate, now_ms, ticket, at_ms);
    rate_unlock();
    return may_go;
}

void rate_process_add(uint64_t requests, uint64_t throttled)
{
    rate_lock();
    rate_process.locked.counts.requests += requests;
    rate_process.locked.counts.throttled += throttled;
    rate_unlock();
}

struct rate_counts rate_process_counts(void)
{
    struct rate_counts counts;

    rate_lock();
    counts = rate_process.locked.counts;
    rate_unlock();
    return counts;
}
