/* SPDX-License-Identifier: Apache-2.0 */
/* bench_fetch URL [ROUNDS] [MIB] [PART]: what a gigabyte costs this process
 * when it is fetched by lanes into slots: the object /bench/big (MIB MiB) in
 * parts of 8 MiB, and /bench/small (256 KiB) as often as that makes the same
 * bytes; beside a loop that does nothing but recv into as much memory, with
 * several numbers of connections. All ways take turns within one run; each
 * measurement is a process of its own. PART: only ways with this in their name,
 * and no ratios. ROUNDS 0: only the way of that name, once, and three figures:
 * seconds, seconds of CPU, KiB. Run by tests/bench/fetch.sh and lanes.sh.
 * Without an argument it says so and ends, so that `make bench` passes over it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/fetch.h"
#include "worker/flow.h"
#include "worker/slots.h"

enum {
    PART = 8 << 20,
    SMALL = 256 << 10,
    CONNECTIONS_MAX = 64,
    ROUNDS_MAX = 15,
    HEAD_MAX = 4096,
};

struct result {
    double cpu;
    double wall;
    long rss_kib;
    uint32_t target;
};

struct way {
    const char *name;
    bool is_small;
    enum { RAW, FETCH, FLOW } kind;
    uint32_t connections; /* Raw; of a fetch 0: as pays. */
    uint32_t lanes;
    uint32_t slots;
};

/* What is compared writes to as much memory: a loop whose few buffers never
 * leave the cache does another thing. */
static const struct way ways[] = {
    {"recv, 2 connections", false, RAW, 2, 0, 12},
    {"recv, 4 connections", false, RAW, 4, 0, 12},
    {"recv, 8 connections", false, RAW, 8, 0, 12},
    {"fetch, 1 lane, 12 slots", false, FETCH, 0, 1, 12},
    {"fetch, 2 lanes, 12 slots", false, FETCH, 0, 2, 12},
    {"fetch, 1 lane, 4 requests", false, FETCH, 4, 1, 12},
    {"flow, 1 lane, 11 slots", false, FLOW, 0, 1, 11},
    {"256 KiB: recv, 8, 2 MiB", true, RAW, 8, 0, 8},
    {"256 KiB: recv, 8, 16 MiB", true, RAW, 8, 0, 64},
    {"256 KiB: recv, 16, 16 MiB", true, RAW, 16, 0, 64},
    {"256 KiB: recv, 8, 88 MiB", true, RAW, 8, 0, 352},
    {"256 KiB: recv, 16, 88 MiB", true, RAW, 16, 0, 352},
    {"256 KiB: fetch, 1 lane", true, FETCH, 0, 1, 64},
    {"256 KiB: fetch, 2 lanes", true, FETCH, 0, 2, 64},
    {"256 KiB: fetch, 1 lane, 8 requests", true, FETCH, 8, 1, 64},
    {"256 KiB: recv, one at a time", true, RAW, 1, 0, 1},
    {"256 KiB: fetch, one at a time", true, FETCH, 0, 1, 1},
    {"256 KiB: flow, 1 lane, 11 slots", true, FLOW, 0, 1, 11},
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static size_t total_bytes = (size_t)1 << 30;
static char host[64];
static int port;
static struct result results[WAYS][ROUNDS_MAX];

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static size_t part_of(const struct way *w)
{
    return w->is_small ? SMALL : PART;
}

/* Where part @i begins. */
static uint64_t offset_of(const struct way *w, size_t i)
{
    return w->is_small ? 0 : i % (total_bytes / PART) * PART;
}

/* What is set up once in a job is not counted. */
static void begin(struct result *r)
{
    r->cpu = cpu_s();
    r->wall = now_s();
}

static void end(struct result *r)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    r->cpu = cpu_s() - r->cpu;
    r->wall = now_s() - r->wall;
    r->rss_kib = u.ru_maxrss;
}

/* ---- the loop that everything is compared with -------------------------- */

struct raw {
    int fd;
    char *into;  /* Where this part goes; moves on with each. */
    size_t want; /* Of the body; 0: the head is not there yet. */
    size_t got;
};

static void raw_open(struct raw *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    int one = 1;

    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(inet_pton(AF_INET, host, &at.sin_addr) == 1);
    CHECK(connect(r->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
    CHECK(fcntl(r->fd, F_SETFL, O_NONBLOCK) == 0);
}

static void raw_ask(struct raw *r, const struct way *w, char *room, size_t i)
{
    unsigned long long from = offset_of(w, i);
    char text[256];
    int size = snprintf(text, sizeof(text),
                        "GET /bench/%s HTTP/1.1\r\nHost: %s\r\n"
                        "Range: bytes=%llu-%llu\r\n\r\n",
                        w->is_small ? "small" : "big", host, from,
                        from + part_of(w) - 1);

    CHECK(send(r->fd, text, (size_t)size, 0) == size);
    r->into = room + i % w->slots * (part_of(w) + HEAD_MAX);
    r->got = 0;
    r->want = 0;
}

/* The head comes into the buffer first and is moved out of the way. */
static void raw_head(struct raw *r)
{
    char *end = memmem(r->into, r->got, "\r\n\r\n", 4);
    char *length;
    size_t head;

    if (end == NULL) {
        return;
    }
    *end = '\0';
    length = strcasestr(r->into, "Content-Length:");
    CHECK(length != NULL && strncmp(r->into, "HTTP/1.1 206", 12) == 0);
    r->want = strtoul(length + 15, NULL, 10);
    head = (size_t)(end - r->into) + 4;
    r->got -= head;
    memmove(r->into, r->into + head, r->got);
}

/* Read until it would block; true when the part is whole. */
static bool raw_turn(struct raw *r)
{
    do {
        size_t room = r->want == 0 ? HEAD_MAX - r->got : r->want - r->got;
        long got = recv(r->fd, r->into + r->got, room, 0);

        if (got < 0) {
            return false;
        }
        CHECK(got > 0);
        r->got += (size_t)got;
        if (r->want == 0) {
            raw_head(r);
        }
    } while (r->want == 0 || r->got < r->want);
    return true;
}

static void run_raw(const struct way *w, struct result *out)
{
    struct raw raws[CONNECTIONS_MAX];
    struct pollfd fds[CONNECTIONS_MAX];
    size_t parts = total_bytes / part_of(w);
    size_t size = w->slots * (part_of(w) + HEAD_MAX);
    char *room = malloc(size);
    size_t asked = 0;
    size_t done = 0;

    CHECK(room != NULL && w->slots >= w->connections);
    memset(room, 1, size);

    for (uint32_t i = 0; i < w->connections; i++) {
        raw_open(&raws[i]);
    }
    begin(out);
    for (uint32_t i = 0; i < w->connections; i++) {
        raw_ask(&raws[i], w, room, asked++);
        fds[i] = (struct pollfd){raws[i].fd, POLLIN, 0};
    }
    while (done < parts) {
        CHECK(poll(fds, w->connections, -1) > 0);
        for (uint32_t i = 0; i < w->connections; i++) {
            if (fds[i].revents == 0 || !raw_turn(&raws[i])) {
                continue;
            }
            done++;
            fds[i].fd = asked < parts ? raws[i].fd : -1;
            if (asked < parts) {
                raw_ask(&raws[i], w, room, asked++);
            }
        }
    }
    end(out);
}

/* ---- ours --------------------------------------------------------------- */

static struct fetch *start(const struct way *w)
{
    static const struct fetch_source source = {"bench", "s3://bench/"};
    struct fetch_options options = {.sources = &source,
                                    .source_count = 1,
                                    .lane_count = w->lanes,
                                    .requests = w->connections};
    struct fetch *f;
    struct fault why;

    if (fetch_start(&options, &why, &f) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return f;
}

static void ask(struct fetch_port *p, const struct way *w, struct slots *slots,
                size_t i)
{
    uint32_t slot = slots_take(slots);
    struct fetch_request r = {
        .tag = slot,
        .lane = FETCH_ANY,
        .key = w->is_small ? BYTES("small") : BYTES("big"),
        .offset = offset_of(w, i),
        .size = part_of(w),
        .into = slots_at(slots, slot),
        .due = i + 1,
    };

    fetch_submit(p, &r);
}

static void run_fetch(const struct way *w, struct result *out)
{
    struct slots_options so = {
        .count = w->slots, .size = part_of(w), .node = -1};
    struct fetch_port *p;
    struct fetch *f;
    size_t parts = total_bytes / part_of(w);
    struct slots *slots;
    struct fetch_event e;
    struct fault why;
    size_t asked = 0;

    CHECK(slots_new(&so, &why, &slots) == STATUS_OK);
    f = start(w);
    p = fetch_open(f);
    begin(out);
    while (asked < parts && slots_free(slots) > 0) {
        ask(p, w, slots, asked++);
    }
    while (fetch_wait(p, -1, &e)) {
        if (e.status != STATUS_OK) {
            fprintf(stderr, "%s: %s\n", w->name, e.why.text);
            exit(1);
        }
        slots_give(slots, (uint32_t)e.tag);
        if (asked < parts) {
            ask(p, w, slots, asked++);
        }
    }
    end(out);
    out->target = fetch_stats(f).target;
    fetch_close(&p);
    fetch_stop(&f);
    slots_destroy(&slots);
}

/* A rank's flow: large objects, or small ones many to a slot. */
struct units {
    const struct way *way;
    size_t left;
};

static enum status next_unit(void *self, struct flow_unit *out)
{
    struct units *u = self;
    bool is_small = u->way->is_small;

    if (u->left == 0) {
        return STATUS_STOPPED;
    }
    u->left--;
    *out = (struct flow_unit){.key = is_small ? BYTES("small") : BYTES("big"),
                              .size = is_small ? SMALL : total_bytes};
    return STATUS_OK;
}

static void run_flow(const struct way *w, struct result *out)
{
    struct slots_options so = {.count = w->slots, .size = PART, .node = -1};
    struct units units = {w, w->is_small ? total_bytes / SMALL : 1};
    struct flow_options fo = {.lane = FETCH_ANY,
                              .slots_max = w->slots,
                              .next = next_unit,
                              .next_self = &units};
    struct flow_slot slot;
    struct fetch *fetch;
    struct fault why;
    struct flow *f;
    enum status s;

    CHECK(slots_new(&so, &why, &fo.slots) == STATUS_OK);
    fetch = start(w);
    fo.fetch = fetch;
    f = flow_new(&fo);
    begin(out);
    while ((s = flow_take(f, &slot)) != STATUS_STOPPED) {
        struct pollfd fd = {flow_fd(f), POLLIN, 0};

        if (s == STATUS_OK) {
            CHECK(slot.why == NULL);
            flow_release(f, slot.slot);
        } else if (flow_stats(f).filling > 0) {
            CHECK(poll(&fd, 1, -1) > 0);
        }
        flow_step(f);
    }
    end(out);
    CHECK(flow_stats(f).bytes == total_bytes);
    out->target = fetch_stats(fetch).target;
    flow_destroy(&f);
    fetch_stop(&fetch);
    slots_destroy(&fo.slots);
}

/* ---- measuring ---------------------------------------------------------- */

static struct result measure(const struct way *w)
{
    struct result r = {.target = w->connections};
    int ends[2];
    int state = 1;
    pid_t child;

    CHECK(pipe(ends) == 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (w->kind == RAW     ? run_raw
         : w->kind == FETCH ? run_fetch
                            : run_flow)(w, &r);
        _exit(write(ends[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
    }
    close(ends[1]);
    CHECK(read(ends[0], &r, sizeof(r)) == sizeof(r));
    close(ends[0]);
    CHECK(waitpid(child, &state, 0) == child && state == 0);
    return r;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double values[ROUNDS_MAX], int count)
{
    // cppcheck-suppress uninitvar ; filled by who calls
    qsort(values, (size_t)count, sizeof(values[0]), compare);
    return values[count / 2];
}

static double median_of(int way, int rounds, bool is_cpu)
{
    double values[ROUNDS_MAX];

    for (int i = 0; i < rounds; i++) {
        values[i] = is_cpu ? results[way][i].cpu : results[way][i].wall;
    }
    return median(values, rounds);
}

static size_t memory_of(const struct way *w)
{
    return w->slots * (w->kind == FLOW ? (size_t)PART : part_of(w));
}

/* Whether @raw is a loop that brings the same, into as much memory. */
static bool is_like(const struct way *raw, const struct way *w)
{
    return raw->kind == RAW && raw->is_small == w->is_small &&
           memory_of(raw) * 10 >= memory_of(w) * 9 &&
           memory_of(raw) * 9 <= memory_of(w) * 10;
}

/* The quickest one of those. */
static int best_raw(const struct way *w, int rounds)
{
    int best = -1;

    for (int i = 0; i < WAYS; i++) {
        if (is_like(&ways[i], w) &&
            (best < 0 ||
             median_of(i, rounds, false) < median_of(best, rounds, false))) {
            best = i;
        }
    }
    return best;
}

static void report(int way, int rounds)
{
    double gb = (double)total_bytes / 1e9;
    double wall = median_of(way, rounds, false);
    int raw = best_raw(&ways[way], rounds);
    double cpus[ROUNDS_MAX];
    double walls[ROUNDS_MAX];

    for (int i = 0; i < rounds; i++) {
        cpus[i] = results[way][i].cpu / results[raw][i].cpu;
        walls[i] = results[raw][i].wall / results[way][i].wall;
    }
    printf("  %-36s %6.3f %7.2f %7.2f %7.2f %8.0f %5ld %5u\n", ways[way].name,
           median_of(way, rounds, true) / gb, median(cpus, rounds), gb / wall,
           median(walls, rounds), gb / wall * 1e9 / (double)part_of(&ways[way]),
           results[way][0].rss_kib / 1024, results[way][rounds - 1].target);
}

static int show_one(const char *name)
{
    for (int i = 0; i < WAYS; i++) {
        if (strcmp(ways[i].name, name) == 0) {
            struct result r = measure(&ways[i]);

            printf("%.4f %.4f %ld\n", r.wall, r.cpu, r.rss_kib);
            return 0;
        }
    }
    fprintf(stderr, "bench_fetch: no way is called %s\n", name);
    return 64;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 7;
    const char *part = argc > 4 ? argv[4] : "";

    if (argc < 2) {
        printf("bench_fetch: tests/bench/fetch.sh runs it against nginx\n");
        return 0;
    }
    CHECK(rounds >= 0 && rounds <= ROUNDS_MAX);
    if (argc > 3) {
        total_bytes = strtoul(argv[3], NULL, 10) << 20;
    }
    CHECK(sscanf(strstr(argv[1], "://") + 3, "%63[^:]:%d", host, &port) == 2);
    if (rounds == 0) {
        return show_one(part);
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < WAYS; i++) {
            if (strstr(ways[i].name, part) != NULL) {
                results[i][round] = measure(&ways[i]);
            }
        }
    }
    printf("  medians of %d rounds, %zu MiB each; CPU seconds of this "
           "process;\n  beside the quickest recv loop of the same round\n\n"
           "  %-36s %6s %7s %7s %7s %8s %5s %5s\n",
           rounds, total_bytes >> 20, "", "cpu/GB", "x raw", "GB/s", "x raw",
           "reads/s", "MiB", "last");
    for (int i = 0; i < WAYS; i++) {
        if (strstr(ways[i].name, part) != NULL) {
            report(i, rounds);
        }
    }
    return 0;
}
