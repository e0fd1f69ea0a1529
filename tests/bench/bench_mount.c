/* SPDX-License-Identifier: Apache-2.0 */
/* bench_mount ROOT-URI PREFIX FOLDER MIB LIST: mount what LIST names (lines of
 * size and key, sorted by key) with MIB MiB of slots, say `ready`, and on
 * SIGTERM unmount and say what it has cost. Run by tests/bench/mount.sh.
 * Without an argument it says so and ends, so that `make bench` passes over
 * it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "worker/mount.h"

enum { SLOT = 8 << 20, LANES = 2 };

struct listed {
    uint64_t size;
    char *key;
};

static struct listed *list;
static uint64_t list_count;
static uint64_t list_bytes;

static void read_list(const char *path)
{
    FILE *file = fopen(path, "r");
    unsigned long long size;
    char key[1100];
    uint64_t room = 0;

    while (file != NULL && fscanf(file, "%llu %1024s", &size, key) == 2) {
        if (list_count == room) {
            room = room > 0 ? 2 * room : 1024;
            list = mem_grow(list, room, sizeof(list[0]));
        }
        list[list_count++] = (struct listed){size, mem_copy(key)};
        list_bytes += size;
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void list_at(void *self, uint64_t i, struct mount_object *io)
{
    (void)self;
    io->key = bytes_of(list[i].key);
    io->etag = (struct bytes){"", 0};
    io->size = list[i].size;
}

static int fail(const struct fault *why)
{
    fprintf(stderr, "bench_mount: %s\n", why->text);
    return 1;
}

static void tell(const struct mount_stats *s)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    printf("cpu %.2f s, %ld MiB, %llu reads, %llu waited, %.1f MiB read, "
           "%.1f asked, %.1f wasted, %llu failed\n",
           (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6,
           u.ru_maxrss >> 10, (unsigned long long)s->ahead.reads,
           (unsigned long long)s->ahead.waited,
           (double)s->ahead.bytes / 1048576, (double)s->ahead.asked / 1048576,
           (double)s->ahead.wasted / 1048576, (unsigned long long)s->failed);
}

static int run(char **argv)
{
    struct fetch_source source = {"bench", argv[1]};
    struct fault why;
    struct fetch *fetch;
    struct slots *slots = NULL;
    struct mount *mount = NULL;
    struct mount_stats stats;
    uint32_t count = (uint32_t)(strtoul(argv[4], NULL, 10) * 1048576 / SLOT);
    sigset_t ends;
    int got;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (fetch_start(&(struct fetch_options){.sources = &source,
                                            .source_count = 1,
                                            .lane_count = LANES},
                    &why, &fetch) != STATUS_OK ||
        slots_new(
            &(struct slots_options){.count = count, .size = SLOT, .node = -1},
            &why, &slots) != STATUS_OK ||
        mount_start(&(struct mount_options){.folder = argv[3],
                                            .channel = "bench",
                                            .prefix = bytes_of(argv[2]),
                                            .index = {.count = list_count,
                                                      .at = list_at},
                                            .bytes = list_bytes,
                                            .fetch = fetch,
                                            .lane = FETCH_ANY,
                                            .slots = slots,
                                            .slots_max = count},
                    &why, &mount) != STATUS_OK) {
        return fail(&why);
    }
    printf("ready\n");
    fflush(stdout);
    sigwait(&ends, &got);
    stats = mount_stats(mount);
    mount_stop(&mount);
    tell(&stats);
    slots_destroy(&slots);
    fetch_stop(&fetch);
    return 0;
}

int main(int argc, char **argv)
{
    int rc;

    if (argc != 6) {
        printf("bench_mount: run by tests/bench/mount.sh\n");
        return 0;
    }
    log_init("bench", LOG_WARN);
    read_list(argv[5]);
    rc = run(argv);
    for (uint64_t i = 0; i < list_count; i++) {
        free(list[i].key);
    }
    free(list);
    return rc;
}
