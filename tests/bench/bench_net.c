/* SPDX-License-Identifier: Apache-2.0 */
/* What the network costs a coordinator: hosts' BEATs are answered with PULSEs
 * over loopback, beside a bare ZeroMQ echo, in turns.
 *
 *   bare  DEALERs and a ROUTER under CURVE that send as many bytes there and
 *         back, blocking, one call a frame; no more is done with them
 *   ours  hosts that encode a BEAT and decode the PULSE, through proto/net; and
 *         a whole coordinator: proto/net with its list of keys (ZAP), its
 *         limits of rate and size, and its monitors; proto/wire's decoder and
 *         its checks; a reign with session and ledgers (coordinator/); the
 *         encoder. One thread for all hosts, one for the coordinator
 *
 * Both have as many peers, each with as many messages under way, of as many
 * bytes, one process, and one I/O thread of ZeroMQ for the two ends; all of it
 * on one core, since how threads share several says more of what else runs
 * there. Handshakes come before the clock starts. A round is one run of each,
 * by turns the one or the other first; what is printed is the median of the
 * rounds, and of their ratios: of messages a second, and of the processor's
 * time that the whole process takes for one, kernel included. Only the second
 * stays the same when other programs want the core. Before that, what many
 * connections take. */

#include <pthread.h>
#include <sched.h>
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
#include "tests/bench/net_reign.h"

enum {
    BENCH_ROUNDS = 21,
    BENCH_PEERS_MAX = 16,
    BENCH_CODEC_TURNS = 10000,
    BENCH_MAX = 1 << 16,
    BENCH_CROWD = 2000,
    BENCH_DRAIN = 1024, /* As the coordinator's. */
};

/* Beats are numbered from here on, so that all have one size. */
#define BENCH_FIRST (UINT64_C(1) << 20)

struct load {
    int peers;
    int ahead; /* Messages of each that are under way. */
    int messages;
};

struct bench {
    struct load load;
    char endpoint[NET_ENDPOINT_MAX];
    struct net *net;
    struct court *court;
    void *bare;
    struct net_keys server;
    struct net_keys clients[BENCH_PEERS_MAX];
    struct buf beat;
    struct buf pulse;
};

struct figures {
    double per_s;
    double cpu_us;
};

static cpu_set_t bench_cores; /* Where this process may run. */

/* Keep this thread, and those that it starts, on one core. */
static void bench_stay(void)
{
    cpu_set_t one;
    int core = sched_getcpu();

    CHECK(core >= 0);
    CPU_ZERO(&one);
    CPU_SET((unsigned)core, &one);
    CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static double bench_clock_s(clockid_t id)
{
    struct timespec t;

    CHECK(clock_gettime(id, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double bench_now_s(void)
{
    return bench_clock_s(CLOCK_MONOTONIC);
}

static struct wire_message bench_message(enum wire_type type)
{
    struct wire_message m = court_message(type);

    if (type == WIRE_BEAT) {
        m.beat = (struct wire_beat){
            .phase = WIRE_PHASE_RUNNING,
            .number = BENCH_FIRST,
            .progress = {{BYTES("train"), 10000, 20000, 1 << 30, 1LL << 32},
                         {BYTES("validation"), 5, 2000, 1 << 20, 1 << 30}},
            .progress_count = 2,
        };
    } else {
        m.pulse.number = BENCH_FIRST;
    }
    return m;
}

/* ---- Both ---------------------------------------------------------------- */

/* The hosts of one side, by number. */
struct bench_ops {
    void (*put)(struct bench *b, int host);
    void (*take)(struct bench *b, int host);
};

/* All hosts have been answered once before the clock starts. */
static struct figures bench_drive(struct bench *b, const struct bench_ops *ops)
{
    int ahead = b->load.peers * b->load.ahead;
    double start;
    double cpu;

    for (int i = 0; i < b->load.peers; i++) {
        ops->put(b, i);
    }
    for (int i = 0; i < b->load.peers; i++) {
        ops->take(b, i);
    }
    start = bench_now_s();
    cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < b->load.messages + ahead; i++) {
        if (i >= ahead) {
            ops->take(b, i % b->load.peers);
        }
        if (i < b->load.messages) {
            ops->put(b, i % b->load.peers);
        }
    }
    start = bench_now_s() - start;
    cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return (struct figures){b->load.messages / start,
                            cpu / b->load.messages * 1e6};
}

/* What the server hears until it ends. */
static int bench_total(const struct bench *b)
{
    return b->load.messages + b->load.peers;
}

/* ---- Ours: the coordinator ----------------------------------------------- */

static uint64_t bench_take(struct net *n, struct wire_message *m,
                           struct buf *bytes)
{
    uint64_t peer;

    while (net_receive(n, &peer, bytes) != STATUS_OK) {
        net_wait(n, -1, NULL, 0);
    }
    CHECK(wire_decode(buf_bytes(bytes), COURT_RUN, NULL, m) == STATUS_OK);
    return peer;
}

static void bench_put(struct net *n, uint64_t peer,
                      const struct wire_message *m, struct buf *bytes)
{
    buf_clear(bytes);
    wire_encode(m, bytes);
    CHECK(net_send(n, peer, buf_bytes(bytes)) == STATUS_OK);
}

/* The reign knows hosts by number, as their keys tell. */
static void bench_answer(struct bench *b, uint64_t peer, struct buf *bytes)
{
    struct wire_message m;
    struct reign_event event = {.type = REIGN_EVENT_MESSAGE,
                                .peer = net_sender_tag(b->net),
                                .message = &m};

    CHECK(wire_decode(buf_bytes(bytes), COURT_RUN, NULL, &m) == STATUS_OK);
    court_step(b->court, &event);
    for (uint32_t i = 0; i < b->court->fx.send_count; i++) {
        CHECK(b->court->fx.sends[i].peer == event.peer);
        bench_put(b->net, peer, &b->court->fx.sends[i].message, bytes);
    }
}

/* As the coordinator's own loop: what is there, then store and timer. */
static void *bench_serve(void *self)
{
    struct bench *b = self;
    struct buf bytes = {0};
    int left = bench_total(b);
    uint64_t peer;

    while (left > 0) {
        net_wait(b->net, 100, NULL, 0);
        for (int i = 0; i < BENCH_DRAIN; i++) {
            if (net_receive(b->net, &peer, &bytes) != STATUS_OK) {
                break;
            }
            bench_answer(b, peer, &bytes);
            left--;
        }
        court_turn(b->court);
        CHECK(b->court->fx.send_count <= 1);
    }
    buf_fini(&bytes);
    net_close(&b->net, 1000);
    return NULL;
}

static void bench_listen(struct bench *b, uint32_t rate_max)
{
    struct net_admitted admitted[BENCH_PEERS_MAX];

    for (uint32_t i = 0; i < BENCH_PEERS_MAX; i++) {
        memcpy(admitted[i].key, b->clients[i].public_key, NET_KEY_SIZE);
        admitted[i].tag = i;
    }
    CHECK(net_listen(&(struct net_listen){.address = "127.0.0.1",
                                          .message_max = BENCH_MAX,
                                          .keys = &b->server,
                                          .rate_max = rate_max},
                     NULL, &b->net, b->endpoint) == STATUS_OK);
    net_admit(b->net, admitted, BENCH_PEERS_MAX);
}

/* ---- Ours: the hosts ----------------------------------------------------- */

static struct {
    struct net *nets[BENCH_PEERS_MAX];
    struct wire_message beat;
    uint64_t heard[BENCH_PEERS_MAX];
    uint64_t said[BENCH_PEERS_MAX];
    struct buf bytes;
} bench_hosts;

static void bench_host_put(struct bench *b, int host)
{
    (void)b;
    bench_hosts.beat.beat.number = bench_hosts.said[host]++;
    bench_put(bench_hosts.nets[host], 0, &bench_hosts.beat, &bench_hosts.bytes);
}

static void bench_host_take(struct bench *b, int host)
{
    struct wire_message m;

    (void)b;
    bench_take(bench_hosts.nets[host], &m, &bench_hosts.bytes);
    CHECK(m.type == WIRE_PULSE);
    CHECK(m.pulse.number == bench_hosts.heard[host]++);
}

static void bench_hosts_open(struct bench *b)
{
    bench_hosts.beat = bench_message(WIRE_BEAT);
    for (int i = 0; i < b->load.peers; i++) {
        CHECK(net_connect(&(struct net_connect){b->endpoint, BENCH_MAX,
                                                &b->clients[i],
                                                b->server.public_key},
                          NULL, &bench_hosts.nets[i]) == STATUS_OK);
        bench_hosts.said[i] = BENCH_FIRST;
        bench_hosts.heard[i] = BENCH_FIRST;
    }
}

static struct figures bench_ours(struct bench *b)
{
    static const struct bench_ops ops = {bench_host_put, bench_host_take};
    struct figures f;
    pthread_t thread;

    b->court = court_new((uint32_t)b->load.peers);
    bench_listen(b, 1U << 30);
    CHECK(pthread_create(&thread, NULL, bench_serve, b) == 0);
    bench_hosts_open(b);
    f = bench_drive(b, &ops);
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < b->load.peers; i++) {
        net_close(&bench_hosts.nets[i], 0);
    }
    buf_fini(&bench_hosts.bytes);
    court_destroy(b->court);
    return f;
}

/* ---- Bare --------------------------------------------------------------- */

static void *bench_bare_clients[BENCH_PEERS_MAX];

static void *bench_echo(void *self)
{
    struct bench *b = self;
    char id[64];
    char bytes[4096];

    for (int i = bench_total(b); i > 0; i--) {
        int id_size = zmq_recv(b->bare, id, sizeof(id), 0);

        CHECK(zmq_recv(b->bare, bytes, sizeof(bytes), 0) == (int)b->beat.size);
        CHECK(zmq_send(b->bare, id, (size_t)id_size, ZMQ_SNDMORE) == id_size);
        CHECK(zmq_send(b->bare, b->pulse.at, b->pulse.size, 0) ==
              (int)b->pulse.size);
    }
    return NULL;
}

static void bench_bare_put(struct bench *b, int host)
{
    CHECK(zmq_send(bench_bare_clients[host], b->beat.at, b->beat.size, 0) ==
          (int)b->beat.size);
}

static void bench_bare_take(struct bench *b, int host)
{
    char bytes[4096];

    CHECK(zmq_recv(bench_bare_clients[host], bytes, sizeof(bytes), 0) ==
          (int)b->pulse.size);
}

static void bench_set(void *socket, int option, const char *key)
{
    CHECK(zmq_setsockopt(socket, option, key, NET_KEY_SIZE) == 0);
}

static void *bench_bare_client(struct bench *b, void *context, int host)
{
    void *client = zmq_socket(context, ZMQ_DEALER);

    CHECK(client != NULL);
    bench_set(client, ZMQ_CURVE_PUBLICKEY, b->clients[host].public_key);
    bench_set(client, ZMQ_CURVE_SECRETKEY, b->clients[host].secret);
    bench_set(client, ZMQ_CURVE_SERVERKEY, b->server.public_key);
    CHECK(zmq_connect(client, b->endpoint) == 0);
    return client;
}

static void bench_bare_bind(struct bench *b, void *context)
{
    size_t size = sizeof(b->endpoint);
    int one = 1;

    b->bare = zmq_socket(context, ZMQ_ROUTER);
    CHECK(zmq_setsockopt(b->bare, ZMQ_CURVE_SERVER, &one, sizeof(one)) == 0);
    bench_set(b->bare, ZMQ_CURVE_SECRETKEY, b->server.secret);
    CHECK(zmq_bind(b->bare, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_getsockopt(b->bare, ZMQ_LAST_ENDPOINT, b->endpoint, &size) == 0);
}

static struct figures bench_bare(struct bench *b)
{
    static const struct bench_ops ops = {bench_bare_put, bench_bare_take};
    void *context = zmq_ctx_new();
    struct figures f;
    pthread_t thread;

    bench_bare_bind(b, context);
    CHECK(pthread_create(&thread, NULL, bench_echo, b) == 0);
    for (int i = 0; i < b->load.peers; i++) {
        bench_bare_clients[i] = bench_bare_client(b, context, i);
    }
    f = bench_drive(b, &ops);
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < b->load.peers; i++) {
        zmq_close(bench_bare_clients[i]);
    }
    zmq_close(b->bare);
    zmq_ctx_destroy(context);
    return f;
}

/* ---- Their rounds -------------------------------------------------------- */

static int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double bench_median(double *of)
{
    qsort(of, BENCH_ROUNDS, sizeof(*of), bench_compare);
    return of[BENCH_ROUNDS / 2];
}

/* A round's two sides; each is as often the first as the other. */
static void bench_round(struct bench *b, int round, struct figures *bare,
                        struct figures *ours)
{
    if (round % 2 == 0) {
        *bare = bench_bare(b);
        *ours = bench_ours(b);
    } else {
        *ours = bench_ours(b);
        *bare = bench_bare(b);
    }
}

static void bench_load(struct bench *b, const struct load *load)
{
    double all[6][BENCH_ROUNDS];

    b->load = *load;
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        struct figures bare;
        struct figures ours;

        bench_round(b, i, &bare, &ours);
        all[0][i] = bare.per_s;
        all[1][i] = ours.per_s;
        all[2][i] = ours.per_s / bare.per_s;
        all[3][i] = bare.cpu_us;
        all[4][i] = ours.cpu_us;
        all[5][i] = bare.cpu_us / ours.cpu_us;
    }
    printf("%5d %5d ", load->peers, load->ahead);
    for (int k = 0; k < 6; k++) {
        printf(k % 3 == 2 ? " %6.2f"
               : k < 3    ? " %9.0f"
                          : " %7.1f",
               bench_median(all[k]));
    }
    printf("   %.2f to %.2f\n", all[2][BENCH_ROUNDS / 4],
           all[2][BENCH_ROUNDS - 1 - BENCH_ROUNDS / 4]);
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
static void bench_crowd_clients(struct bench *b, int from, int until)
{
    void *context = zmq_ctx_new();
    char byte;

    CHECK(sched_setaffinity(0, sizeof(bench_cores), &bench_cores) == 0);
    CHECK(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, BENCH_CROWD + 16) == 0);
    CHECK(read(from, b->endpoint, sizeof(b->endpoint)) == sizeof(b->endpoint));
    for (int i = 0; i < BENCH_CROWD; i++) {
        void *client = bench_bare_client(b, context, 0);

        CHECK(zmq_send(client, b->beat.at, b->beat.size, 0) > 0);
    }
    CHECK(read(until, &byte, 1) == 0);
    _exit(0);
}

static void bench_crowd_server(struct bench *b, int to)
{
    struct wire_message m;
    struct buf bytes = {0};
    double start = bench_now_s();
    double before;

    bench_listen(b, 0);
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

    for (int i = 0; i < BENCH_CODEC_TURNS; i++) {
        buf_clear(&bytes);
        wire_encode(&m, &bytes);
        CHECK(wire_decode(buf_bytes(&bytes), NULL, NULL, &back) == STATUS_OK);
    }
    buf_fini(&bytes);
    return (bench_now_s() - start) / BENCH_CODEC_TURNS * 1e9;
}

int main(void)
{
    static const struct load loads[] = {{BENCH_PEERS_MAX, 16, 20000},
                                        {BENCH_PEERS_MAX, 1, 10000},
                                        {1, 64, 20000},
                                        {1, 1, 3000}};
    struct wire_message beat = bench_message(WIRE_BEAT);
    struct wire_message pulse = bench_message(WIRE_PULSE);
    static struct bench b;

    CHECK(sched_getaffinity(0, sizeof(bench_cores), &bench_cores) == 0);
    bench_stay();
    net_keys_make(&b.server);
    for (int i = 0; i < BENCH_PEERS_MAX; i++) {
        net_keys_make(&b.clients[i]);
    }
    wire_encode(&beat, &b.beat);
    wire_encode(&pulse, &b.pulse);
    bench_crowd(&b);
    printf("BEAT of %zu bytes, PULSE of %zu; encode and decode: %.0f and "
           "%.0f ns\n",
           b.beat.size, b.pulse.size, bench_codec_ns(WIRE_BEAT),
           bench_codec_ns(WIRE_PULSE));
    printf("under way    medians of %d rounds\n"
           "peers  each    bare/s    ours/s  ratio    bare    ours  ratio"
           "   ratio of rates, middle half\n"
           "%46s\n",
           BENCH_ROUNDS, "CPU us a message");
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        bench_load(&b, &loads[i]);
    }
    buf_fini(&b.beat);
    buf_fini(&b.pulse);
    return 0;
}
