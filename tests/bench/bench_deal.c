/* SPDX-License-Identifier: Apache-2.0 */
/* What a deal costs. Usage: bench_deal [OBJECTS [HOSTS [RANKS-A-HOST]]]
 *
 * Each deal runs in a child, so that its peak is its own; "peak" is all the
 * memory the process held, catalog included, without the coded keys. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/deal.h"
#include "coordinator/synth.h"

struct bench_row {
    const char *name;
    enum deal_kind kind;
    enum deal_even even;
    bool may_split;
    bool is_shuffled;
    bool is_weighted;
};

static const struct bench_row bench_rows[] = {
    {"sagemaker", DEAL_SAGEMAKER, DEAL_EVEN_NONE, false, false, false},
    {"sagemaker, shuffled", DEAL_SAGEMAKER, DEAL_EVEN_NONE, false, true, false},
    {"sagemaker, shuffled, drop", DEAL_SAGEMAKER, DEAL_EVEN_DROP, false, true,
     false},
    {"balanced", DEAL_BALANCED, DEAL_EVEN_NONE, false, false, false},
    {"balanced, shuffled", DEAL_BALANCED, DEAL_EVEN_NONE, false, true, false},
    {"balanced, shuffled, weights", DEAL_BALANCED, DEAL_EVEN_NONE, false, true,
     true},
    {"balanced, shuffled, ranges", DEAL_BALANCED, DEAL_EVEN_NONE, true, true,
     false},
    {"balanced, shuffled, pad", DEAL_BALANCED, DEAL_EVEN_PAD, false, true,
     false},
    {"balanced, shuffled, ranges, drop", DEAL_BALANCED, DEAL_EVEN_DROP, true,
     true, false},
    {"replicated", DEAL_REPLICATED, DEAL_EVEN_NONE, false, false, false},
    {"replicated, shuffled, pad", DEAL_REPLICATED, DEAL_EVEN_PAD, false, true,
     false},
};

static double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double bench_peak_bytes(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

static int bench_deal(const struct catalog *catalog,
                      const struct bench_row *row, struct deal_host *hosts,
                      uint32_t host_count)
{
    double objects = (double)catalog_count(catalog);
    double keys = (double)catalog_key_memory(catalog);
    struct order order = {0};
    struct deal_options options = {.kind = row->kind,
                                   .even = row->even,
                                   .hosts = hosts,
                                   .host_count = host_count,
                                   .may_split = row->may_split,
                                   .order = row->is_shuffled ? &order : NULL};
    struct fault why;
    struct deal *deal = NULL;
    double start = bench_now();
    double held;

    order_init_shuffled(&order, catalog_count(catalog), 7, 0, BYTES("train"));
    for (uint32_t i = 0; i < host_count; i++) {
        hosts[i].weight = row->is_weighted ? 50 + i % 4 * 50 : 100;
    }
    if (deal_new(catalog, &options, &why, &deal) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    start = bench_now() - start;
    held = (double)(catalog_memory(catalog) + deal_memory(deal)) - keys;
    printf("%-34s %7.2f %9.1f %9.1f %9.4f %9" PRIu64 "\n", row->name, start,
           held / objects, (bench_peak_bytes() - keys) / objects,
           deal_skew(deal), deal_unit_count(deal) - catalog_count(catalog));
    deal_destroy(&deal);
    return 0;
}

static uint64_t bench_number(int argc, char **argv, int i, uint64_t otherwise)
{
    return argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
}

static struct catalog *bench_catalog(uint64_t count)
{
    struct synth_options options = {.count = count,
                                    .mean_bytes = 1 << 20,
                                    .seed = 7,
                                    .sizes = SYNTH_LOGNORMAL,
                                    .keys = SYNTH_NUMBERED};
    struct catalog *catalog = NULL;
    struct fault why;
    double start = bench_now();
    double name;

    if (synth_make(&options, &why, &catalog) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        return NULL;
    }
    start = bench_now() - start;
    printf("catalog of %" PRIu64 " objects, lognormal, numbered: made in "
           "%.2f s; %.1f + %.1f bytes each (keys, the rest)\n",
           count, start, (double)catalog_key_memory(catalog) / (double)count,
           (double)(catalog_memory(catalog) - catalog_key_memory(catalog)) /
               (double)count);
    if (getenv("BENCH_NAME") != NULL) {
        name = bench_now();
        (void)catalog_name(catalog);
        printf("named in %.2f s\n", bench_now() - name);
    }
    return catalog;
}

int main(int argc, char **argv)
{
    uint64_t count = bench_number(argc, argv, 1, 10000000);
    uint32_t host_count = (uint32_t)bench_number(argc, argv, 2, 128);
    uint32_t ranks = (uint32_t)bench_number(argc, argv, 3, 8);
    struct deal_host *hosts = calloc(host_count, sizeof(*hosts));
    struct catalog *catalog = bench_catalog(count);
    int failed = 0;

    if (catalog == NULL || hosts == NULL) {
        catalog_destroy(&catalog);
        free(hosts);
        return 1;
    }
    for (uint32_t i = 0; i < host_count; i++) {
        hosts[i] = (struct deal_host){.number = i, .ranks = ranks};
    }
    printf("dealt to %u hosts of %u ranks\n%-34s %7s %9s %9s %9s %9s\n",
           host_count, ranks, "", "s", "B/object", "peak", "max/mean", "cuts");
    for (size_t i = 0; i < sizeof(bench_rows) / sizeof(bench_rows[0]); i++) {
        int state = 0;
        pid_t child;

        fflush(NULL);
        child = fork();
        if (child == 0) {
            failed = bench_deal(catalog, &bench_rows[i], hosts, host_count);
            fflush(NULL);
            _exit(failed);
        }
        failed |= child < 0 || waitpid(child, &state, 0) != child || state != 0;
    }
    catalog_destroy(&catalog);
    free(hosts);
    return failed;
}
