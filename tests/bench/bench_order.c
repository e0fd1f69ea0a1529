/* SPDX-License-Identifier: Apache-2.0 */
/* What a position costs: order_unit() and order_position() for some counts,
 * one after another (each waits for the last) and independent. */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "coordinator/order.h"

enum { BENCH_CALLS = 4000000 };

static uint64_t bench_sink;

static double bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One position after another, each found from the last. */
static double bench_chain(const struct order *o)
{
    double start = bench_now_ns();
    uint64_t at = o->count / 2;

    for (int i = 0; i < BENCH_CALLS; i++) {
        at = order_unit(o, at);
    }
    bench_sink += at;
    return (bench_now_ns() - start) / BENCH_CALLS;
}

static double bench_sweep(const struct order *o)
{
    double start = bench_now_ns();

    for (uint64_t i = 0; i < BENCH_CALLS; i++) {
        bench_sink += order_unit(o, i % o->count);
    }
    return (bench_now_ns() - start) / BENCH_CALLS;
}

static double bench_inverse(const struct order *o)
{
    double start = bench_now_ns();
    uint64_t at = o->count / 2;

    for (int i = 0; i < BENCH_CALLS; i++) {
        at = order_position(o, at);
    }
    bench_sink += at;
    return (bench_now_ns() - start) / BENCH_CALLS;
}

int main(void)
{
    static const uint64_t counts[] = {
        1000,       1000000,    10000000,   100000000,
        1000000000, 1073741824, 1073741825, UINT64_C(4000000000)};

    printf("order: ns a call\n%14s %10s %10s %10s\n", "units", "one by one",
           "sweep", "inverse");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct order o;

        order_init_shuffled(&o, counts[i], 7, 1, BYTES("train"));
        printf("%14" PRIu64 " %10.1f %10.1f %10.1f\n", counts[i],
               bench_chain(&o), bench_sweep(&o), bench_inverse(&o));
    }
    return bench_sink == 1; /* So that no call can be left out. */
}
