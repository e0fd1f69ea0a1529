/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

static uint64_t clock_os_read(clockid_t id)
{
    struct timespec t;

    CHECK(clock_gettime(id, &t) == 0);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t clock_os_now_ms(void *self)
{
    (void)self;
    return clock_os_read(CLOCK_BOOTTIME); /* A sleeping machine ages, too. */
}

static uint64_t clock_os_wall_ms(void *self)
{
    (void)self;
    return clock_os_read(CLOCK_REALTIME);
}

static const struct clock_ops clock_os_ops = {
    .now_ms = clock_os_now_ms,
    .wall_ms = clock_os_wall_ms,
};

const struct clock clock_os = {&clock_os_ops, NULL};
