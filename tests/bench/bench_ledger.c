/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger costs. Usage: bench_ledger [HOSTS [RANKS-A-HOST]]
 *
 * Events are grants and commits, on one core; each rank commits a lease in
 * pieces, and the ranks come in an order without a pattern. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/prng.h"
#include "coordinator/ledger.h"

enum { EVENTS = 4000000, BATCH = 64, PIECES = 8, AHEAD = 2 };

/* Through all slots, far apart: prime, and more than there are. */
#define STRIDE UINT64_C(15485863)

struct bench {
    struct ledger *l;
    uint32_t hosts;
    uint32_t ranks;  /* Of a host. */
    uint64_t now_ms; /* Goes on by 1 ms every thousand events. */
    uint64_t events;
    struct ledger_lease *leases; /* AHEAD for each rank. */
    uint64_t *at;                /* How far each is committed. */
};

static double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct ledger *bench_ledger(const struct bench *b, uint64_t positions,
                                   uint64_t step_units)
{
    uint32_t *ranks = calloc(b->hosts, sizeof(*ranks));
    uint32_t *weights = calloc(b->hosts, sizeof(*weights));
    struct ledger_options o = {.positions = positions,
                               .epochs = 1,
                               .step_units = step_units,
                               .host_count = b->hosts,
                               .host_ranks = ranks,
                               .host_weights = weights,
                               .lease_ms = 1000000,
                               .run_ms = 10000,
                               .run_units = 64};
    struct ledger *l = NULL;

    if (ranks != NULL && weights != NULL) {
        for (uint32_t i = 0; i < b->hosts; i++) {
            ranks[i] = b->ranks;
            weights[i] = 100;
        }
        l = ledger_new(&o);
    }
    free(ranks);
    free(weights);
    return l;
}

/* Commit a piece of the lease in @slot, or get another one there. */
static void bench_event(struct bench *b, uint64_t slot)
{
    struct ledger_lease *lease = &b->leases[slot];
    struct ledger_word word = {lease->host, lease->number, {0}, b->now_ms};
    struct ledger_want want = {(uint32_t)(slot / AHEAD), 0, b->now_ms};
    uint64_t piece = (lease->range.end - lease->range.first) / PIECES + 1;
    uint64_t left = lease->range.end - b->at[slot];

    if (left == 0) {
        if (ledger_want(b->l, &want, lease) == STATUS_OK) {
            b->at[slot] = lease->range.first;
            b->events++;
        }
        return;
    }
    word.range.first = b->at[slot];
    word.range.end = b->at[slot] + (piece < left ? piece : left);
    if (word.range.end > ledger_gate(b->l)) {
        return;
    }
    if (ledger_commit(b->l, &word) != STATUS_OK) {
        fprintf(stderr, "a commit was refused\n");
        exit(1);
    }
    b->at[slot] = word.range.end;
    b->events++;
}

static void bench_snapshot(const struct bench *b, uint64_t positions,
                           uint64_t step_units)
{
    struct ledger *again = bench_ledger(b, positions, step_units);
    struct buf out = {0};
    struct bytes in;
    struct fault why;
    double start = bench_now();
    double written;

    ledger_write(b->l, &out);
    written = bench_now();
    in = buf_bytes(&out);
    if (ledger_read(again, &in, &why) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    printf("  snapshot %.2f MB, written in %.0f ms, read in %.0f ms; memory "
           "%.1f MB; %zu ranges\n",
           (double)out.size / 1e6, (written - start) * 1e3,
           (bench_now() - written) * 1e3, (double)ledger_memory(b->l) / 1e6,
           ranges_count(ledger_committed(b->l)));
    ledger_destroy(&again);
    buf_fini(&out);
}

static void bench_run(struct bench *b, const char *name, uint64_t step_units)
{
    uint64_t positions = UINT64_C(1000000000);
    uint64_t slots = (uint64_t)b->hosts * b->ranks * AHEAD;
    struct prng p;
    size_t entries = 0;
    double start;
    double took;

    prng_init(&p, 1);
    b->l = bench_ledger(b, positions, step_units);
    b->leases = calloc(slots, sizeof(*b->leases));
    b->at = calloc(slots, sizeof(*b->at));
    b->events = 0;
    for (uint32_t i = 0; i < b->hosts; i++) {
        ledger_enter(b->l, i, b->now_ms);
    }
    start = bench_now();
    for (uint64_t turn = 0; b->events < EVENTS; turn++) {
        size_t count;

        bench_event(b, turn * STRIDE % slots);
        if (turn % BATCH == 0) {
            ledger_take_entries(b->l, &count);
            entries += count;
            ledger_hear(b->l, (uint32_t)prng_below(&p, b->hosts), b->now_ms);
            ledger_tick(b->l, b->now_ms);
        }
        b->now_ms += turn % 1000 == 0;
    }
    took = bench_now() - start;
    printf("%s: %.2f million events/s (%" PRIu64 " events, %zu entries, "
           "%" PRIu64 " leases)\n",
           name, (double)b->events / took / 1e6, b->events, entries,
           ledger_lease_count(b->l));
    bench_snapshot(b, positions, step_units);
    ledger_destroy(&b->l);
    free(b->leases);
    free(b->at);
}

/* 10^9 positions and 10^5 holes, in an order without a pattern. */
static void bench_holes(struct bench *b)
{
    enum { HOLES = 100000, GAP = 10000 };
    double start = bench_now();

    b->l = bench_ledger(b, (uint64_t)HOLES * GAP, 0);
    for (uint64_t i = 0; i < HOLES; i++) {
        uint64_t at = i * 31337 % HOLES * GAP;

        ledger_base(b->l, (struct range){at, at + GAP - 1});
        if (i % BATCH == 0) {
            size_t count;

            ledger_take_entries(b->l, &count);
        }
    }
    printf("10^9 positions, 10^5 holes, %u ranks: %.2f MB, made in %.0f ms\n",
           b->hosts * b->ranks, (double)ledger_memory(b->l) / 1e6,
           (bench_now() - start) * 1e3);
    bench_snapshot(b, (uint64_t)HOLES * GAP, 0);
    ledger_destroy(&b->l);
}

static uint32_t bench_number(int argc, char **argv, int i, uint32_t otherwise)
{
    return argc > i ? (uint32_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    struct bench b = {.hosts = bench_number(argc, argv, 1, 10000),
                      .ranks = bench_number(argc, argv, 2, 8)};
    struct bench few = {.hosts = 16, .ranks = 8};

    printf("%u hosts of %u ranks\n", b.hosts, b.ranks);
    bench_run(&b, "dynamic", 0);
    bench_run(&b, "stepped", (uint64_t)b.hosts * b.ranks * 16);
    bench_holes(&few);
    bench_holes(&b);
    return 0;
}
