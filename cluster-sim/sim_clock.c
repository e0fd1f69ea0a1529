/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster-sim/sim_clock.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

enum { SIM_CLOCK_ROOM = 256, SIM_MILLION = 1000000 };

/* A binary heap: the children of i are 2i+1 and 2i+2. */
struct sim_clock {
    struct sim_event *at;
    size_t count;
    size_t room;
    uint64_t now_us;
    uint64_t next_number;
};

struct sim_clock *sim_clock_new(void)
{
    struct sim_clock *c = mem_new(1, sizeof(*c));

    c->room = SIM_CLOCK_ROOM;
    c->at = mem_new(c->room, sizeof(*c->at));
    return c;
}

void sim_clock_destroy(struct sim_clock **c)
{
    if (*c == NULL) {
        return;
    }
    CHECK((*c)->count == 0);
    free((*c)->at);
    free(*c);
    *c = NULL;
}

uint64_t sim_clock_now_us(const struct sim_clock *c)
{
    return c->now_us;
}

static bool sim_clock_is_before(const struct sim_event *a,
                                const struct sim_event *b)
{
    return a->at_us < b->at_us ||
           (a->at_us == b->at_us && a->number < b->number);
}

void sim_clock_add(struct sim_clock *c, struct sim_event e)
{
    size_t i = c->count;

    if (e.at_us == SIM_NEVER) {
        CHECK(e.data == NULL);
        return;
    }
    if (c->count == c->room) {
        c->room *= 2;
        c->at = mem_grow(c->at, c->room, sizeof(*c->at));
    }
    e.at_us = e.at_us < c->now_us ? c->now_us : e.at_us;
    e.number = c->next_number++;
    c->count++;
    while (i > 0 && sim_clock_is_before(&e, &c->at[(i - 1) / 2])) {
        c->at[i] = c->at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    c->at[i] = e;
}

/* Put @e where the hole at the top sinks to. */
static void sim_clock_sink(struct sim_clock *c, struct sim_event e)
{
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < c->count &&
            sim_clock_is_before(&c->at[child + 1], &c->at[child])) {
            child++;
        }
        if (child >= c->count || !sim_clock_is_before(&c->at[child], &e)) {
            break;
        }
        c->at[i] = c->at[child];
        i = child;
    }
    c->at[i] = e;
}

enum status sim_clock_next(struct sim_clock *c, struct sim_event *out)
{
    if (c->count == 0) {
        return STATUS_NOT_FOUND;
    }
    *out = c->at[0];
    c->count--;
    if (c->count > 0) {
        sim_clock_sink(c, c->at[c->count]);
    }
    CHECK(out->at_us >= c->now_us);
    c->now_us = out->at_us;
    return STATUS_OK;
}

size_t sim_clock_count(const struct sim_clock *c)
{
    return c->count;
}

void sim_clock_check(const struct sim_clock *c)
{
    CHECK(c->count <= c->room);
    for (size_t i = 0; i < c->count; i++) {
        CHECK(c->at[i].at_us >= c->now_us);
        CHECK_IMPLIES(i > 0,
                      !sim_clock_is_before(&c->at[i], &c->at[(i - 1) / 2]));
    }
}

uint64_t sim_watch_ms(const struct sim_watch *w, uint64_t true_us)
{
    int64_t passed = (int64_t)(true_us - w->true_us);

    CHECK(true_us >= w->true_us);
    return (w->shown_us + (uint64_t)(passed + passed * w->ppm / SIM_MILLION)) /
           1000;
}

uint64_t sim_watch_when(const struct sim_watch *w, uint64_t true_us,
                        uint64_t shown_ms)
{
    uint64_t when_us;
    int64_t ahead;

    CHECK(true_us >= w->true_us);
    if (shown_ms >= SIM_NEVER / 1000) {
        return SIM_NEVER;
    }
    ahead = (int64_t)(shown_ms * 1000 - w->shown_us);
    if (ahead <= 0) {
        return true_us;
    }
    /* About right, then exact. */
    when_us = w->true_us + (uint64_t)(ahead - ahead * w->ppm / SIM_MILLION);
    while (sim_watch_ms(w, when_us) < shown_ms) {
        when_us += 1 + (shown_ms - sim_watch_ms(w, when_us)) * 500;
    }
    return when_us > true_us ? when_us : true_us;
}
