/* SPDX-License-Identifier: Apache-2.0 */
/* bench_file URI PREFIX COUNT SIZE FOLDER [LANES]: bring COUNT objects of SIZE
 * bytes, URI PREFIX00000000 and so on, below FOLDER, as File mode does, and say
 * what that took: seconds, CPU seconds of this process, MiB resident at most.
 * Run by tests/bench/file.sh. Without an argument it says so and ends, so that
 * `make bench` passes over it. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/limit.h"
#include "worker/bring.h"

struct objects {
    const char *prefix;
    uint64_t count;
    uint64_t size;
    uint64_t next;
    char key[256];
};

static bool next_object(void *self, struct bring_item *out)
{
    struct objects *o = self;

    if (o->next == o->count) {
        return false;
    }
    snprintf(o->key, sizeof(o->key), "%s%08" PRIu64, o->prefix, o->next++);
    *out = (struct bring_item){.key = bytes_of(o->key), .size = o->size};
    return true;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(struct rusage *u)
{
    getrusage(RUSAGE_SELF, u);
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static enum status bring(const struct bring_options *options, struct fault *why)
{
    struct bring *b = NULL;
    enum status s = bring_start(options, why, &b);

    if (s == STATUS_OK) {
        struct pollfd end = {bring_fd(b), POLLIN, 0};

        (void)poll(&end, 1, -1);
        s = bring_finish(&b, why);
    }
    return s;
}

int main(int argc, char **argv)
{
    struct objects mine = {0};
    struct objects all = {0};
    struct bring_channel channel = {
        .name = "bench",
        .stamp = "bench",
        .items = next_object,
        .items_self = &mine,
        .all = next_object,
        .all_self = &all,
    };
    struct bring_options options = {
        .lanes = 4, .channels = &channel, .channel_count = 1};
    struct rusage use;
    struct fault why;
    double start = now_s();
    double cpu = cpu_s(&use);

    if (argc < 6) {
        printf("bench_file: tests/bench/file.sh runs it against nginx\n");
        return 0;
    }
    limit_raise_files();
    mine.prefix = argv[2];
    mine.count = strtoull(argv[3], NULL, 10);
    mine.size = strtoull(argv[4], NULL, 10);
    all = mine;
    channel.root_uri = argv[1];
    channel.units = mine.count;
    channel.bytes = mine.count * mine.size;
    options.data_dir = argv[5];
    if (argc > 6) {
        options.lanes = (uint32_t)strtoul(argv[6], NULL, 10);
    }
    if (bring(&options, &why) != STATUS_OK) {
        fprintf(stderr, "bench_file: %s\n", why.text);
        return 1;
    }
    cpu = cpu_s(&use) - cpu;
    printf("%.4f %.4f %ld\n", now_s() - start, cpu, use.ru_maxrss / 1024);
    return 0;
}
