/* SPDX-License-Identifier: Apache-2.0 */
/* What a heartbeat costs: round trips over loopback of an encoded BEAT and
 * its PULSE through proto/wire and proto/net under CURVE, beside a bare ZeroMQ
 * echo of as many bytes under CURVE in the same run. With one under way, then
 * with many; the two take turns, and each row is the best of its rounds. Before
 * that, what many connections take. */

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "base/check.h"
#include "base/limit.h"
#include "proto/net.h"
#include "proto/wire.h"

enum {
    BENCH_ROUNDS = 10000,
    BENCH_TURNS = 5,
    BENCH_MAX = 1 << 16,
    BENCH_CROWD = 2000
};

struct bench {
    char endpoint[NET_ENDPOINT_MAX];
    struct net *net;
    void *bare;
    struct net_keys keys[2]; /* The server's and the client's. */
    struct buf beat;
    struct buf pulse;
};

static double bench_now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct wire_message bench_message(enum wire_type type)
{
    struct wire_message m = {
        .job = "0123456789abcdef0123456789abcdef", .term = 3, .type = type};

    if (type == WIRE_BEAT) {
        m.beat = (struct wire_beat){
            .phase = WIRE_PHASE_BRINGING,
            .number = 100,
            .progress = {{BYTES("train"), 10000, 20000, 1 << 30, 1LL << 32},
                         {BYTES("validation"), 5, 2000, 1 << 20, 1 << 30}},
            .progress_count = 2,
        };
    }
    return m;
}

/* ---- Ours --------------------------------------------------------------- */

static void bench_put(struct net *n, uint64_t peer,
                      const struct wire_message *m, struct buf *bytes)
{
    buf_clear(bytes);
    wire_encode(m, bytes);
    CHECK(net_send(n, peer, buf_bytes(bytes)) == STATUS_OK);
}

static uint64_t bench_take(struct net *n, struct wire_message *m,
                           struct buf *bytes)
{
    uint64_t peer;

    while (net_receive(n, &peer, bytes) != STATUS_OK) {
        net_wait(n, -1, NULL, 0);
    }
    CHECK(wire_decode(buf_bytes(bytes), NULL, NULL, m) == STATUS_OK);
    return peer;
}

static void *bench_serve(void *self)
{
    struct bench *b = self;
    struct wire_message pulse = bench_message(WIRE_PULSE);
    struct wire_message m;
    struct buf bytes = {0};

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        uint64_t peer = bench_take(b->net, &m, &bytes);

        pulse.pulse.number = m.beat.number;
        bench_put(b->net, peer, &pulse, &bytes);
    }
    buf_fini(&bytes);
    net_close(&b->net, 1000);
    return NULL;
}

static double bench_ours(struct bench *b, int window)
{
    struct net_listen options = {.address = "127.0.0.1",
                                 .message_max = BENCH_MAX,
                                 .keys = &b->keys[0],
                                 .rate_max = 1U << 30};
    struct net_admitted admitted = {.tag = 1};
    struct wire_message beat = bench_message(WIRE_BEAT);
    struct wire_message m;
    struct buf bytes = {0};
    struct net *client;
    pthread_t thread;
    double start;

    CHECK(net_listen(&options, NULL, &b->net, b->endpoint) == STATUS_OK);
    memcpy(admitted.key, b->keys[1].public_key, sizeof(admitted.key));
    net_admit(b->net, &admitted, 1);
    CHECK(pthread_create(&thread, NULL, bench_serve, b) == 0);
    CHECK(net_connect(&(struct net_connect){b->endpoint, BENCH_MAX, &b->keys[1],
                                            b->keys[0].public_key},
                      NULL, &client) == STATUS_OK);
    start = bench_now_s();
    for (int i = 0; i < BENCH_ROUNDS + window; i++) {
        if (i >= window) {
            bench_take(client, &m, &bytes);
        }
        if (i < BENCH_ROUNDS) {
            bench_put(client, 0, &beat, &bytes);
        }
    }
    start = bench_now_s() - start;
    CHECK(pthread_join(thread, NULL) == 0);
    net_close(&client, 0);
    buf_fini(&bytes);
    return BENCH_ROUNDS / start;
}

/* ---- Bare --------------------------------------------------------------- */

static void *bench_echo(void *self)
{
    struct bench *b = self;
    char id[64];
    char bytes[4096];

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        int id_size = zmq_recv(b->bare, id, sizeof(id), 0);

        CHECK(zmq_recv(b->bare, bytes, sizeof(bytes), 0) == (int)b->beat.size);
        CHECK(zmq_send(b->bare, id, (size_t)id_size, ZMQ_SNDMORE) == id_size);
        CHECK(zmq_send(b->bare, b->pulse.at, b->pulse.size, 0) ==
              (int)b->pulse.size);
    }
    return NULL;
}

static void bench_set(void *socket, int option, const char *key)
{
    CHECK(zmq_setsockopt(socket, option, key, NET_KEY_SIZE) == 0);
}

static void bench_set_keys(struct bench *b, void *client)
{
    int one = 1;

    CHECK(zmq_setsockopt(b->bare, ZMQ_CURVE_SERVER, &one, sizeof(one)) == 0);
    bench_set(b->bare, ZMQ_CURVE_SECRETKEY, b->keys[0].secret);
    bench_set(client, ZMQ_CURVE_PUBLICKEY, b->keys[1].public_key);
    bench_set(client, ZMQ_CURVE_SECRETKEY, b->keys[1].secret);
    bench_set(client, ZMQ_CURVE_SERVERKEY, b->keys[0].public_key);
}

static double bench_bare(struct bench *b, int window)
{
    void *context = zmq_ctx_new();
    void *client = zmq_socket(context, ZMQ_DEALER);
    size_t size = sizeof(b->endpoint);
    pthread_t thread;
    char bytes[4096];
    double start;

    b->bare = zmq_socket(context, ZMQ_ROUTER);
    bench_set_keys(b, client);
    CHECK(zmq_bind(b->bare, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(b->bare, ZMQ_LAST_ENDPOINT, b->endpoint, &size) == 0);
    CHECK(pthread_create(&thread, NULL, bench_echo, b) == 0);
    CHECK(zmq_connect(client, b->endpoint) == 0);
    start = bench_now_s();
    for (int i = 0; i < BENCH_ROUNDS + window; i++) {
        if (i >= window) {
            CHECK(zmq_recv(client, bytes, sizeof(bytes), 0) > 0);
        }
        if (i < BENCH_ROUNDS) {
            CHECK(zmq_send(client, b->beat.at, b->beat.size, 0) > 0);
        }
    }
    start = bench_now_s() - start;
    CHECK(pthread_join(thread, NULL) == 0);
    zmq_close(client);
    zmq_close(b->bare);
    zmq_ctx_destroy(context);
    return BENCH_ROUNDS / start;
}

/* ---- Many connections ---------------------------------------------------- */

static double bench_rss_mb(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    CHECK(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) * 1e-6;
}

/* Another process: a message from each client, and no word more. */
static void bench_crowd_clients(const struct bench *b, int from, int until)
{
    char endpoint[NET_ENDPOINT_MAX];
    void *context = zmq_ctx_new();
    char byte;

    CHECK(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, BENCH_CROWD + 16) == 0);
    CHECK(read(from, endpoint, sizeof(endpoint)) == sizeof(endpoint));
    for (int i = 0; i < BENCH_CROWD; i++) {
        void *client = zmq_socket(context, ZMQ_DEALER);

        CHECK(client != NULL);
        bench_set(client, ZMQ_CURVE_PUBLICKEY, b->keys[1].public_key);
        bench_set(client, ZMQ_CURVE_SECRETKEY, b->keys[1].secret);
        bench_set(client, ZMQ_CURVE_SERVERKEY, b->keys[0].public_key);
        CHECK(zmq_connect(client, endpoint) == 0);
        CHECK(zmq_send(client, b->beat.at, b->beat.size, 0) > 0);
    }
    CHECK(read(until, &byte, 1) == 0);
    _exit(0);
}

static void bench_crowd_server(struct bench *b, int to)
{
    struct net_admitted admitted = {.tag = 1};
    struct wire_message m;
    struct buf bytes = {0};
    double start = bench_now_s();
    double before;

    CHECK(net_listen(&(struct net_listen){.address = "127.0.0.1",
                                          .message_max = BENCH_MAX,
                                          .keys = &b->keys[0]},
                     NULL, &b->net, b->endpoint) == STATUS_OK);
    memcpy(admitted.key, b->keys[1].public_key, sizeof(admitted.key));
    net_admit(b->net, &admitted, 1);
    before = bench_rss_mb();
    CHECK(write(to, b->endpoint, sizeof(b->endpoint)) == sizeof(b->endpoint));
    for (int i = 0; i < BENCH_CROWD; i++) {
        bench_take(b->net, &m, &bytes);
    }
    printf("%d connections: %.0f KB each, %.1f s until all were heard\n",
           BENCH_CROWD, (bench_rss_mb() - before) * 1e3 / BENCH_CROWD,
           bench_now_s() - start);
    net_close(&b->net, 0);
    buf_fini(&bytes);
}

static void bench_crowd(struct bench *b)
{
    int to[2];
    int until[2];
    int state = 0;
    pid_t child;

    CHECK(limit_raise_files() >= 2 * BENCH_CROWD + 100);
    CHECK(pipe(to) == 0 && pipe(until) == 0);
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(until[1]);
        bench_crowd_clients(b, to[0], until[0]);
    }
    bench_crowd_server(b, to[1]);
    close(until[1]);
    CHECK(waitpid(child, &state, 0) == child && state == 0);
    close(until[0]);
    close(to[0]);
    close(to[1]);
}

/* ---- Only the messages -------------------------------------------------- */

static double bench_codec_ns(enum wire_type type)
{
    struct wire_message m = bench_message(type);
    struct wire_message back;
    struct buf bytes = {0};
    double start = bench_now_s();

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        buf_clear(&bytes);
        wire_encode(&m, &bytes);
        CHECK(wire_decode(buf_bytes(&bytes), NULL, NULL, &back) == STATUS_OK);
    }
    buf_fini(&bytes);
    return (bench_now_s() - start) / BENCH_ROUNDS * 1e9;
}

int main(void)
{
    static const int windows[] = {1, 64};
    struct wire_message beat = bench_message(WIRE_BEAT);
    struct wire_message pulse = bench_message(WIRE_PULSE);
    struct bench b = {.net = NULL};

    net_keys_make(&b.keys[0]);
    net_keys_make(&b.keys[1]);
    wire_encode(&beat, &b.beat);
    wire_encode(&pulse, &b.pulse);
    bench_crowd(&b);
    printf("BEAT of %zu bytes, PULSE of %zu; encode and decode: %.0f and "
           "%.0f ns\n",
           b.beat.size, b.pulse.size, bench_codec_ns(WIRE_BEAT),
           bench_codec_ns(WIRE_PULSE));
    printf("%-10s %14s %14s %8s\n", "under way", "bare/s", "ours/s", "ratio");
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        double bare = 0;
        double ours = 0;

        for (int turn = 0; turn < BENCH_TURNS; turn++) {
            bare = fmax(bare, bench_bare(&b, windows[i]));
            ours = fmax(ours, bench_ours(&b, windows[i]));
        }
        printf("%-10d %14.0f %14.0f %8.2f\n", windows[i], bare, ours,
               ours / bare);
    }
    buf_fini(&b.beat);
    buf_fini(&b.pulse);
    return 0;
}
