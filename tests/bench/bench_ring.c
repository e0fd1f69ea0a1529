/* SPDX-License-Identifier: Apache-2.0 */
/* What it takes to hand a slot over to another process: from the worker's
 * publish to the consumer's sample, and from its release to the worker's
 * outcome; with both awake, and with a consumer that sleeps. And what a sample
 * costs the consumer where there are many in a slot. */
#define SMSHARD_HOOKS
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/client/smshard_state.h"
#include "worker/ring.h"

enum { ROUNDS = 20000, NAPS = 2000, SLOTS = 8, SLOT = 1 << 20, SMALL = 1000 };

struct shared {
    _Atomic uint64_t published_ns;
    _Atomic uint64_t released_ns;
    _Atomic uint32_t is_asleep;
    uint64_t there_ns[ROUNDS]; /* Worker to consumer. */
    uint64_t back_ns[ROUNDS];
    uint64_t read_ns; /* All samples of the last run. */
};

static struct shared *shared;

void smshard_hook(enum smshard_point point)
{
    if (point == SMSHARD_AT_WAIT) {
        atomic_store(&shared->is_asleep, 1);
    }
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void show(const char *what, uint64_t *ns, size_t count)
{
    size_t middle = count / 2;
    size_t high = count * 99 / 100;

    qsort(ns, count, sizeof(*ns), compare);
    printf("%-44s median %7.2f us, 99%% %8.2f us\n", what,
           (double)ns[middle] / 1e3, (double)ns[high] / 1e3);
}

/* ---- The consumer. ------------------------------------------------------ */

static int consume(const char *socket, int timeout_ms)
{
    struct smshard_options o = SMSHARD_OPTIONS;
    struct smshard_sample s;
    struct smshard *ring;
    uint64_t slots = 0;
    uint64_t start = 0;
    int status;

    o.socket = socket;
    o.channel = "bench";
    o.rank = 0;
    CHECK(smshard_open(&o, NULL, 0, &ring) == SMSHARD_OK);
    for (;;) {
        uint64_t now;

        status = smshard_next(ring, timeout_ms, &s);
        if (status == SMSHARD_TIMEOUT) {
            continue;
        }
        if (status != SMSHARD_OK) {
            break;
        }
        now = now_ns();
        start = start == 0 ? now : start;
        if (s.position % SMALL == 0) {
            shared->there_ns[slots++ % ROUNDS] =
                now - atomic_load(&shared->published_ns);
        }
        atomic_store(&shared->released_ns, now_ns());
        CHECK(smshard_release(ring, &s) == SMSHARD_OK);
    }
    shared->read_ns = now_ns() - start;
    smshard_close(&ring);
    return status == SMSHARD_OVER ? 0 : 1;
}

/* ---- The worker. -------------------------------------------------------- */

struct bench {
    struct ring_host *host;
    struct ring *ring;
    struct slots *slots;
    struct flow_entry entries[SMALL];
    struct fault why;
    pid_t child;
};

static void begin(struct bench *b, const char *folder, int timeout_ms)
{
    struct ring_options o = {.channel = "bench",
                             .mode = RING_EXCLUSIVE,
                             .consumers = 1,
                             .slots = b->slots};

    CHECK(ring_host_open(folder, &b->why, &b->host) == STATUS_OK);
    CHECK(ring_new(b->host, &o, &b->why, &b->ring) == STATUS_OK);
    fflush(NULL);
    b->child = fork();
    if (b->child == 0) {
        _exit(consume(ring_host_path(b->host), timeout_ms));
    }
    while (ring_stats(b->ring).connected == 0) {
        CHECK(ring_host_step(b->host, &b->why) == STATUS_OK);
    }
}

/* Publish one slot of @count samples and see it come back. */
static uint64_t hand_over(struct bench *b, uint32_t count)
{
    uint32_t slot = slots_take(b->slots);
    struct flow_slot f = {
        .slot = slot, .entries = b->entries, .entry_count = count};
    struct ring_outcome o;

    for (uint32_t i = 0; i < count; i++) {
        b->entries[i] =
            (struct flow_entry){.position = count == 1 ? i * SMALL : i,
                                .at = (size_t)i * 1024,
                                .size = count == 1 ? SLOT : 1024,
                                .is_first = true,
                                .is_last = true};
    }
    atomic_store(&shared->published_ns, now_ns());
    CHECK(ring_publish(b->ring, &f) == STATUS_OK);
    while (!ring_take_outcome(b->ring, &o)) {
        CHECK(ring_host_step(b->host, &b->why) == STATUS_OK);
    }
    slots_give(b->slots, slot);
    return now_ns() - atomic_load(&shared->released_ns);
}

static void end(struct bench *b)
{
    int state;

    CHECK(ring_end(b->ring) == STATUS_OK);
    CHECK(waitpid(b->child, &state, 0) == b->child && state == 0);
    ring_destroy(&b->ring);
    ring_host_close(&b->host);
}

static void run_awake(struct bench *b, const char *folder)
{
    begin(b, folder, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        shared->back_ns[i] = hand_over(b, 1);
    }
    end(b);
    show("a slot to a consumer that is awake", shared->there_ns, ROUNDS);
    show("and back to the worker's loop", shared->back_ns, ROUNDS);
}

static void run_asleep(struct bench *b, const char *folder)
{
    begin(b, folder, -1);
    for (uint32_t i = 0; i < NAPS; i++) {
        while (atomic_load(&shared->is_asleep) == 0) {
        }
        for (uint64_t from = now_ns(); now_ns() - from < 100000;) {
        }
        (void)hand_over(b, 1);
        atomic_store(&shared->is_asleep, 0);
    }
    end(b);
    show("a slot to a consumer that sleeps", shared->there_ns, NAPS);
}

static void run_small(struct bench *b, const char *folder)
{
    begin(b, folder, 0);
    for (uint32_t i = 0; i < NAPS; i++) {
        (void)hand_over(b, SMALL);
    }
    end(b);
    printf("%-44s %14.0f ns each\n", "samples of which 1000 are in a slot",
           (double)shared->read_ns / NAPS / SMALL);
}

int main(void)
{
    char folder[] = "/tmp/smshard-bench-XXXXXX";
    struct slots_options o = {
        .kind = SLOTS_SHARED, .count = SLOTS, .size = SLOT, .node = -1};
    struct bench *b = calloc(1, sizeof(*b));

    CHECK(b != NULL && mkdtemp(folder) != NULL);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  // cppcheck-suppress invalidFunctionArg ; no file is mapped
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK(slots_new(&o, &b->why, &b->slots) == STATUS_OK);
    run_awake(b, folder);
    run_asleep(b, folder);
    run_small(b, folder);
    slots_destroy(&b->slots);
    free(b);
    rmdir(folder);
    return 0;
}
