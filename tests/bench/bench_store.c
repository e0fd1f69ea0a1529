/* SPDX-License-Identifier: Apache-2.0 */
/* bench_store PLAIN_URL TLS_URL CA [ROUNDS] [MIB]: what a gigabyte costs this
 * process, read in ranges of 8 MiB from the object /big (MIB MiB) of an origin
 * on loopback, and how many objects of 256 KiB (/small) a second it reads;
 * beside loops that do nothing but recv and SSL_read into the same buffers.
 * All ways take turns within one run; each measurement is a process of its
 * own. Run by tests/bench/store.sh. Without an argument it says so and ends,
 * so that `make bench` passes over it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
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
#include "base/mem.h"
#include "store/http.h"

enum {
    RANGE = 8 << 20,
    SMALL = 256 << 10,
    LANES_MAX = 32,
    ROUNDS_MAX = 15,
    WAYS = 15,
    HEAD_MAX = 4096,
};

struct origin {
    const char *url;
    char host[64];
    int port;
    const char *ca;
};

/* One way to read. */
struct way {
    const char *name;
    const struct origin *origin;
    int lanes;
    bool is_small;
    enum crc_kind sum;
    enum { RAW, GET, CURL } kind;
    struct measured *m;
};

struct measured {
    double cpu[ROUNDS_MAX];
    double wall[ROUNDS_MAX];
    long rss_kib;
};

struct result {
    double cpu;
    double wall;
    long rss_kib;
};

static size_t total_bytes = (size_t)1 << 30;

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
    return w->is_small ? SMALL : RANGE;
}

/* What part @i asks for. */
static void describe(const struct way *w, size_t i, char *target, char *range)
{
    size_t parts = total_bytes / RANGE;

    snprintf(target, 32, "%s", w->is_small ? "/small" : "/big");
    snprintf(range, 64, "bytes=%zu-%zu", i % parts * RANGE,
             i % parts * RANGE + part_of(w) - 1);
    if (w->is_small) {
        snprintf(range, 64, "bytes=0-%d", SMALL - 1);
    }
}

static size_t parts_of(const struct way *w)
{
    return total_bytes / part_of(w);
}

/* ---- the loops that everything is compared with ------------------------- */

struct raw {
    int fd;
    SSL *ssl;
    char *into;
    size_t want; /* Of the body. */
    size_t got;
    bool is_busy;
};

static int raw_connect(const struct origin *o)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)o->port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && inet_pton(AF_INET, o->host, &at.sin_addr) == 1);
    CHECK(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
    return fd;
}

static long raw_read(struct raw *r, void *to, size_t size)
{
    long got;

    if (r->ssl == NULL) {
        return recv(r->fd, to, size, 0);
    }
    got = SSL_read(r->ssl, to, (int)size);
    if (got <= 0 && SSL_get_error(r->ssl, (int)got) == SSL_ERROR_WANT_READ) {
        errno = EAGAIN;
        return -1;
    }
    return got;
}

static void raw_ask(struct raw *r, const struct way *w, size_t i)
{
    char target[32];
    char range[64];
    char text[256];
    int size;

    describe(w, i, target, range);
    size = snprintf(text, sizeof(text),
                    "GET %s HTTP/1.1\r\nHost: %s\r\nRange: %s\r\n\r\n", target,
                    w->origin->host, range);
    CHECK(r->ssl != NULL ? SSL_write(r->ssl, text, size) == size
                         : send(r->fd, text, (size_t)size, 0) == size);
    r->got = 0;
    r->want = 0;
    r->is_busy = true;
}

/* The head comes into the buffer first and is moved out of the way. */
static bool raw_head(struct raw *r)
{
    char *end = memmem(r->into, r->got, "\r\n\r\n", 4);
    char *length;
    size_t head;

    if (end == NULL) {
        return false;
    }
    *end = '\0';
    length = strcasestr(r->into, "Content-Length:");
    CHECK(length != NULL && strncmp(r->into, "HTTP/1.1 206", 12) == 0);
    r->want = strtoul(length + 15, NULL, 10);
    head = (size_t)(end - r->into) + 4;
    r->got -= head;
    memmove(r->into, r->into + head, r->got);
    return true;
}

/* Read until it would block; true when the part is whole. */
static bool raw_turn(struct raw *r)
{
    for (;;) {
        size_t room = r->want == 0 ? HEAD_MAX - r->got : r->want - r->got;
        long got = raw_read(r, r->into + r->got, room);

        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return false;
        }
        CHECK(got > 0);
        r->got += (size_t)got;
        if (r->want == 0 && !raw_head(r)) {
            continue;
        }
        if (r->got == r->want) {
            return true;
        }
    }
}

static void raw_open(struct raw *r, const struct way *w, SSL_CTX *context)
{
    r->into = malloc(RANGE + HEAD_MAX);
    r->fd = raw_connect(w->origin);
    CHECK(r->into != NULL);
    if (context != NULL) {
        r->ssl = SSL_new(context);
        CHECK(r->ssl != NULL && SSL_set_fd(r->ssl, r->fd) == 1);
        CHECK(SSL_connect(r->ssl) == 1);
    }
    CHECK(fcntl(r->fd, F_SETFL, O_NONBLOCK) == 0);
}

static void run_raw(const struct way *w)
{
    struct raw lanes[LANES_MAX] = {{0}};
    struct pollfd fds[LANES_MAX];
    SSL_CTX *context =
        w->origin->ca != NULL ? SSL_CTX_new(TLS_client_method()) : NULL;
    size_t parts = parts_of(w);
    size_t asked = 0;
    size_t done = 0;

    for (int i = 0; i < w->lanes; i++) {
        raw_open(&lanes[i], w, context);
        raw_ask(&lanes[i], w, asked++);
        fds[i] = (struct pollfd){lanes[i].fd, POLLIN, 0};
    }
    while (done < parts) {
        CHECK(poll(fds, (nfds_t)w->lanes, -1) > 0);
        for (int i = 0; i < w->lanes; i++) {
            if (!lanes[i].is_busy || fds[i].revents == 0 ||
                !raw_turn(&lanes[i])) {
                continue;
            }
            done++;
            lanes[i].is_busy = false;
            fds[i].fd = -1;
            if (asked < parts) {
                raw_ask(&lanes[i], w, asked++);
                fds[i].fd = lanes[i].fd;
            }
        }
    }
}

/* ---- ours --------------------------------------------------------------- */

struct lane {
    struct http_request request;
    char target[32];
    char range[64];
    char headers[256];
    char *into;
};

static void lane_ask(struct lane *l, const struct way *w, struct http *h,
                     size_t i, uint64_t tag)
{
    describe(w, i, l->target, l->range);
    snprintf(l->headers, sizeof(l->headers), "Host: %s:%d\r\nRange: %s\r\n",
             w->origin->host, w->origin->port, l->range);
    l->request = (struct http_request){
        .tag = tag,
        .method = "GET",
        .origin = w->origin->url,
        .target = l->target,
        .headers = bytes_of(l->headers),
        .into = l->into,
        .into_size = part_of(w),
        .sum = w->sum,
        .connect_ms = 5000,
        .first_byte_ms = 10000,
        .stall_ms = 10000,
    };
    h->ops->submit(h->self, &l->request);
}

static void run_ours(const struct way *w)
{
    struct http_options options = {.ca_bundle = w->origin->ca};
    struct lane lanes[LANES_MAX] = {{.into = NULL}};
    struct http_event events[LANES_MAX];
    struct fault why = {""};
    struct http h = {NULL, NULL};
    size_t parts = parts_of(w);
    size_t asked = 0;
    size_t done = 0;

    CHECK((w->kind == GET ? http_get_new : http_curl_new)(&options, &why, &h) ==
          STATUS_OK);
    for (int i = 0; i < w->lanes; i++) {
        lanes[i].into = malloc(RANGE);
        CHECK(lanes[i].into != NULL);
        lane_ask(&lanes[i], w, &h, asked++, (uint64_t)i);
    }
    while (done < parts) {
        struct pollfd fd = {h.ops->fd(h.self), POLLIN, 0};
        size_t count = h.ops->poll(h.self, events, LANES_MAX);

        for (size_t i = 0; i < count; i++) {
            if (events[i].result != HTTP_DONE || events[i].code != 206) {
                fprintf(stderr, "%s: %s %d %s\n", w->name,
                        http_result_name(events[i].result), events[i].code,
                        events[i].why);
                exit(1);
            }
            CHECK(events[i].got == part_of(w));
            done++;
            if (asked < parts) {
                lane_ask(&lanes[events[i].tag], w, &h, asked++, events[i].tag);
            }
        }
        if (count == 0) {
            (void)poll(&fd, 1, h.ops->wait_ms(h.self));
        }
    }
    http_destroy(&h);
}

/* ---- measuring ---------------------------------------------------------- */

static void measure(const struct way *w, int round)
{
    struct result r;
    int ends[2];
    int state = 1;
    pid_t child;

    CHECK(pipe(ends) == 0);
    fflush(NULL);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct rusage u;
        double cpu = cpu_s();
        double start = now_s();

        if (w->kind == RAW) {
            run_raw(w);
        } else {
            run_ours(w);
        }
        getrusage(RUSAGE_SELF, &u);
        r = (struct result){cpu_s() - cpu, now_s() - start, u.ru_maxrss};
        _exit(write(ends[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
    }
    close(ends[1]);
    CHECK(read(ends[0], &r, sizeof(r)) == sizeof(r));
    close(ends[0]);
    CHECK(waitpid(child, &state, 0) == child && state == 0);
    w->m->cpu[round] = r.cpu;
    w->m->wall[round] = r.wall;
    w->m->rss_kib = r.rss_kib > w->m->rss_kib ? r.rss_kib : w->m->rss_kib;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[ROUNDS_MAX] = {0};

    memcpy(sorted, values, (size_t)count * sizeof(*values));
    qsort(sorted, (size_t)count, sizeof(sorted[0]), compare);
    return sorted[count / 2];
}

static void report(const struct way *w, const struct way *raw, int rounds)
{
    double gb = (double)(parts_of(w) * part_of(w)) / 1e9;
    double cpu = median(w->m->cpu, rounds) / gb;
    double ratios[ROUNDS_MAX] = {0};

    for (int i = 0; i < rounds; i++) {
        ratios[i] = raw != NULL ? w->m->cpu[i] / raw->m->cpu[i] : 1;
    }
    printf("  %-34s %6.3f %8.2f %8.2f %8.0f %8ld\n", w->name, cpu,
           median(ratios, rounds), gb / median(w->m->wall, rounds),
           (double)parts_of(w) / median(w->m->wall, rounds),
           w->m->rss_kib / 1024);
}

static void read_origin(const char *url, const char *ca, struct origin *out)
{
    out->url = url;
    out->ca = ca;
    CHECK(sscanf(strstr(url, "://") + 3, "%63[^:]:%d", out->host, &out->port) ==
          2);
}

static void bench(const struct origin *plain, const struct origin *tls,
                  int rounds)
{
    struct measured m[WAYS] = {{.rss_kib = 0}};
    const struct way ways[WAYS] = {
        {"recv, 4 connections", plain, 4, false, CRC_NONE, RAW, &m[0]},
        {"own GET path, 4", plain, 4, false, CRC_NONE, GET, &m[1]},
        {"own, with CRC64NVME, 4", plain, 4, false, CRC_64NVME, GET, &m[2]},
        {"libcurl, 4", plain, 4, false, CRC_NONE, CURL, &m[3]},
        {"recv, 8 connections", plain, 8, false, CRC_NONE, RAW, &m[4]},
        {"own GET path, 8", plain, 8, false, CRC_NONE, GET, &m[5]},
        {"SSL_read, 4 connections", tls, 4, false, CRC_NONE, RAW, &m[6]},
        {"own GET path over TLS, 4", tls, 4, false, CRC_NONE, GET, &m[7]},
        {"own, TLS, CRC64NVME, 4", tls, 4, false, CRC_64NVME, GET, &m[8]},
        {"libcurl over TLS, 4", tls, 4, false, CRC_NONE, CURL, &m[9]},
        {"SSL_read, 8 connections", tls, 8, false, CRC_NONE, RAW, &m[10]},
        {"own GET path over TLS, 8", tls, 8, false, CRC_NONE, GET, &m[11]},
        {"256 KiB: recv, 16", plain, 16, true, CRC_NONE, RAW, &m[12]},
        {"256 KiB: own GET path, 16", plain, 16, true, CRC_NONE, GET, &m[13]},
        {"256 KiB: libcurl, 16", plain, 16, true, CRC_NONE, CURL, &m[14]},
    };
    const struct way *raw = NULL;

    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < WAYS; i++) {
            measure(&ways[i], round);
        }
    }
    printf("  medians of %d rounds, %zu MiB each; CPU seconds of this "
           "process\n\n  %-34s %6s %8s %8s %8s %8s\n",
           rounds, total_bytes >> 20, "", "cpu/GB", "x raw", "GB/s", "reads/s",
           "MiB");
    for (int i = 0; i < WAYS; i++) {
        raw = ways[i].kind == RAW ? &ways[i] : raw;
        report(&ways[i], raw, rounds);
    }
}

int main(int argc, char **argv)
{
    struct origin plain;
    struct origin tls;
    int rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 7;

    if (argc < 4) {
        printf("bench_store: make bench-store runs it against nginx\n");
        return 0;
    }
    CHECK(rounds >= 1 && rounds <= ROUNDS_MAX);
    if (argc > 5) {
        total_bytes = strtoul(argv[5], NULL, 10) << 20;
    }
    read_origin(argv[1], NULL, &plain);
    read_origin(argv[2], argv[3], &tls);
    bench(&plain, &tls, rounds);
    return 0;
}
