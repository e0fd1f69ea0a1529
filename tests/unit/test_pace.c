/* SPDX-License-Identifier: Apache-2.0 */
/* The pace against simulated servers, in simulated time: how many requests at
 * once it comes to, and how much that brings of what could be had. */
#include "worker/pace.h"

#include "base/prng.h"
#include "tests/harness.h"

enum { MOST = 256, MIB = 1 << 20 };

/* A server: a request takes its latency, then its bytes flow; all of them share
 * the bandwidth, and none gets more than a connection can carry. */
struct server {
    double bandwidth; /* Bytes a microsecond. */
    double each;      /* Of one connection. */
    double latency_us;
    uint32_t throttle_at; /* More at once are told to slow down; 0: never. */
    double jitter;        /* Of the latency, 0 to 1. */
};

struct request {
    struct pace_began began;
    double wait_us; /* Until its first byte. */
    double left;    /* Bytes. */
    bool is_throttled;
    bool is_on;
};

struct world {
    struct server server;
    struct pace pace;
    struct prng prng;
    struct request requests[MOST];
    uint32_t top; /* No request is beyond. */
    uint32_t inflight;
    double now_us;
    double bytes; /* Brought. */
    size_t size;
    bool is_starved; /* Nobody waits: the consumer pauses. */
};

static void world_init(struct world *w, struct server server, size_t size,
                       uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->server = server;
    w->size = size;
    prng_init(&w->prng, seed);
    pace_init(&w->pace, MOST, 0);
}

static double chance(struct world *w)
{
    return (double)prng_below(&w->prng, 1000000) / 1e6;
}

static void world_begin(struct world *w)
{
    for (uint32_t i = 0; i < MOST && w->inflight < w->pace.target; i++) {
        struct request *r = &w->requests[i];

        if (r->is_on) {
            continue;
        }
        w->inflight++;
        w->top = i < w->top ? w->top : i + 1;
        r->is_on = true;
        r->began = pace_begin(&w->pace, (uint64_t)w->now_us);
        r->left = (double)w->size;
        r->wait_us =
            w->server.latency_us * (1 + w->server.jitter * (2 * chance(w) - 1));
        r->is_throttled =
            w->server.throttle_at > 0 && w->inflight > w->server.throttle_at;
    }
}

static double world_speed(const struct world *w)
{
    uint32_t flowing = 0;
    double share;

    for (uint32_t i = 0; i < w->top; i++) {
        flowing += w->requests[i].is_on && w->requests[i].wait_us <= 0;
    }
    share = w->server.bandwidth / (flowing > 0 ? flowing : 1);
    return share < w->server.each ? share : w->server.each;
}

/* Microseconds until something happens to @r. */
static double request_next(const struct request *r, double speed)
{
    return r->wait_us > 0 ? r->wait_us : r->left / speed;
}

static void request_end(struct world *w, struct request *r)
{
    struct pace_end end = {.now_us = (uint64_t)w->now_us,
                           .bytes = w->size,
                           .is_full =
                               w->inflight >= w->pace.target && !w->is_starved,
                           .is_good = true,
                           .is_throttled = r->is_throttled};

    r->is_on = false;
    w->inflight--;
    w->bytes += (double)w->size;
    pace_done(&w->pace, &r->began, &end);
    pace_check(&w->pace);
}

/* To the next moment at which something happens. */
static void world_step(struct world *w)
{
    double speed = world_speed(w);
    double step = 1e9;

    for (uint32_t i = 0; i < w->top; i++) {
        double next =
            w->requests[i].is_on ? request_next(&w->requests[i], speed) : 1e9;

        step = next < step ? next : step;
    }
    w->now_us += step;
    for (uint32_t i = 0; i < w->top; i++) {
        struct request *r = &w->requests[i];

        if (!r->is_on) {
            continue;
        }
        if (r->wait_us > 0) {
            r->wait_us -= step;
        } else {
            r->left -= step * speed;
        }
        if (r->wait_us <= 1e-6 && r->left <= 1e-3) {
            request_end(w, r);
        }
    }
}

/* Run for so long, and return the bytes a microsecond. */
static double world_run(struct world *w, double seconds)
{
    double until = w->now_us + seconds * 1e6;
    double from_us = w->now_us;
    double from = w->bytes;

    while (w->now_us < until) {
        world_begin(w);
        world_step(w);
    }
    return (w->bytes - from) / (w->now_us - from_us);
}

static const struct row {
    const char *name;
    struct server server;
    size_t size;
    double best;  /* Bytes a microsecond that can be had. */
    uint32_t low; /* The number that is right, about. */
    uint32_t high;
} rows[] = {
    {"one connection fills it", {1000, 1000, 100, 0, 0.1}, 8 * MIB, 1000, 1, 4},
    {"each carries an eighth",
     {1000, 125, 20000, 0, 0.2},
     8 * MIB,
     1000,
     7,
     16},
    {"forty are needed", {4000, 100, 30000, 0, 0.2}, 8 * MIB, 4000, 36, 160},
    {"small objects, far away",
     {10000, 100, 30000, 0, 0.3},
     256 << 10,
     MOST * 262144.0 / 32621,
     190,
     MOST},
    {"small objects, near", {1500, 1500, 200, 0, 0.2}, 256 << 10, 1500, 2, 8},
    {"tiny ones",
     {1000, 1000, 5000, 0, 0.3},
     4096,
     MOST * 4096.0 / 5004,
     190,
     MOST},
};

TEST(the_number_that_pays_is_found)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint64_t seed = 0; seed < 2; seed++) {
            const struct row *r = &rows[i];
            struct world *w = malloc(sizeof(*w));
            double got;

            world_init(w, r->server, r->size, seed);
            (void)world_run(w, 6);
            got = world_run(w, 6) / r->best;
            if (getenv("TEST_SAY") != NULL) {
                fprintf(stderr, "%s: %u, %.3f\n", r->name, w->pace.base, got);
            }
            EXPECT(got >= 0.88);
            EXPECT(w->pace.base >= r->low && w->pace.base <= r->high);
            free(w);
        }
    }
}

/* Until it has grown, little is lost. */
TEST(it_grows_soon)
{
    struct world *w = malloc(sizeof(*w));

    world_init(w, (struct server){10000, 100, 30000, 0, 0.3}, 256 << 10, 1);
    (void)world_run(w, 1.5);
    EXPECT(w->pace.target >= 64);
    free(w);
}

/* A slower network: fewer; a quicker one: more. */
TEST(it_follows_a_change)
{
    struct world *w = malloc(sizeof(*w));

    world_init(w, (struct server){1000, 125, 20000, 0, 0.2}, 8 * MIB, 1);
    (void)world_run(w, 10);
    w->server.each = 25;
    (void)world_run(w, 30);
    EXPECT(w->pace.base >= 28);
    EXPECT(world_run(w, 10) >= 850);
    w->server.each = 500;
    (void)world_run(w, 40);
    EXPECT(w->pace.base <= 12);
    EXPECT(world_run(w, 10) >= 850);
    free(w);
}

/* A store that throttles above so many is seldom asked for more. */
TEST(it_stays_below_what_is_throttled)
{
    struct world *w = malloc(sizeof(*w));
    double most = 0;

    world_init(w, (struct server){10000, 100, 30000, 40, 0.3}, 256 << 10, 1);
    (void)world_run(w, 3);
    for (int i = 0; i < 20; i++) {
        (void)world_run(w, 0.5);
        most += w->pace.target;
    }
    EXPECT(most / 20 >= 12 && most / 20 <= 44);
    free(w);
}

/* While the consumer pauses, nothing is learned, and nothing lost. */
TEST(a_pause_says_nothing)
{
    struct world *w = malloc(sizeof(*w));
    uint32_t before;

    world_init(w, (struct server){1000, 125, 20000, 0, 0.2}, 8 * MIB, 1);
    (void)world_run(w, 10);
    before = w->pace.target;
    w->is_starved = true;
    w->server.each = 10;
    (void)world_run(w, 20);
    EXPECT_EQ(w->pace.target, before);
    free(w);
}

TEST(it_keeps_to_its_most)
{
    struct world *w = malloc(sizeof(*w));

    world_init(w, (struct server){10000, 100, 30000, 0, 0.3}, 256 << 10, 1);
    for (uint32_t most = 1; most <= 9; most += 4) {
        pace_init(&w->pace, most, (uint64_t)w->now_us);
        (void)world_run(w, 3);
        EXPECT(w->pace.base <= most && w->pace.base * 4 >= most * 3);
    }
    free(w);
}
