/* SPDX-License-Identifier: Apache-2.0 */
/* ZAP (ZeroMQ's RFC 27) by one REP socket at the address where every CURVE
 * server of the context looks for it. The server is told by its domain, a name
 * made here. Where nobody is at that address libzmq lets everybody in, so the
 * address is taken before the first server is bound and is kept to the end.
 *
 * A key that is not known gets status 400, of which the client is told: it
 * leaves at once and tries again later (net_revive_zmq.c). After a 300, "for
 * now", libzmq 4.3 lets the connection stand until the handshake's time is
 * over. */

#include "proto/net_gate.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    NET_GATES_MAX = 64,
    NET_GATE_FRAMES_MAX = 8, /* Of a question; the rest is left out. */
    NET_GATE_FRAME_MAX = 256,
    NET_GATE_KEY_BYTES = 32,
    NET_GATE_TURN_MAX = 256, /* Questions, or a server's events, at once. */
    NET_GATE_NAME_MAX = 32,
    NET_GATE_STRANGERS_MAX = 64, /* Whose keys are remembered. */
};

/* A key that was refused, and how often. */
struct net_gate_stranger {
    char key[NET_KEY_SIZE];
    uint64_t count;
};

struct net_gate {
    char domain[NET_GATE_NAME_MAX];
    void *socket;  /* The server's; its owner's. */
    void *monitor; /* Handed to the thread with the gate. */
    int strangers_fd;
    _Atomic uint64_t generation;

    /* Under the house's lock. */
    struct net_admitted *admitted; /* Sorted by key. */
    size_t count;
    struct net_counts counts;
    struct net_gate_stranger strangers[NET_GATE_STRANGERS_MAX];
    size_t stranger_count;
    bool is_closed; /* The thread is to free it. */
    struct net_gate *next;
};

/* The one thread and what it serves. */
static struct {
    pthread_mutex_t lock;
    struct net_gate *first; /* Under the lock; so are the next two. */
    uint64_t made;
    uint32_t count; /* That are not closed. */
    int wake_fd;
    void *zap; /* The thread's. */
} net_gate_house = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void net_gate_lock(void)
{
    CHECK(pthread_mutex_lock(&net_gate_house.lock) == 0);
}

static void net_gate_unlock(void)
{
    CHECK(pthread_mutex_unlock(&net_gate_house.lock) == 0);
}

static void net_gate_raise(int fd)
{
    uint64_t one = 1;

    /* It can only fail when it stands at its end, raised. */
    (void)!write(fd, &one, sizeof(one));
}

/* ---- Keys --------------------------------------------------------------- */

static int net_gate_compare(const void *a, const void *b)
{
    const struct net_admitted *x = a;
    const struct net_admitted *y = b;

    return strcmp(x->key, y->key);
}

static const struct net_admitted *net_gate_find_locked(const struct net_gate *g,
                                                       const char *key)
{
    struct net_admitted want = {.tag = 0};

    if (g->count == 0 || strlen(key) != NET_KEY_SIZE - 1) {
        return NULL;
    }
    memcpy(want.key, key, NET_KEY_SIZE);
    return bsearch(&want, g->admitted, g->count, sizeof(want),
                   net_gate_compare);
}

static void net_gate_remember_locked(struct net_gate *g, const char *key)
{
    size_t i = 0;

    while (i < g->stranger_count && strcmp(g->strangers[i].key, key) != 0) {
        i++;
    }
    if (i == NET_GATE_STRANGERS_MAX) {
        return;
    }
    if (i == g->stranger_count) {
        g->stranger_count++;
        memcpy(g->strangers[i].key, key, NET_KEY_SIZE);
    }
    g->strangers[i].count++;
}

/* Whoever is admitted now was no stranger, but early. */
static void net_gate_meet_again_locked(struct net_gate *g)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->stranger_count; i++) {
        const struct net_gate_stranger one = g->strangers[i];

        if (net_gate_find_locked(g, one.key) == NULL) {
            g->strangers[kept++] = one;
            continue;
        }
        g->counts.refused -= one.count;
        g->counts.admitted += one.count;
    }
    g->stranger_count = kept;
}

void net_gate_admit(struct net_gate *g, const struct net_admitted *set,
                    size_t count)
{
    struct net_admitted *copy = mem_new(count + 1, sizeof(*copy));
    struct net_admitted *old;

    CHECK(count <= NET_ADMITTED_MAX);
    if (count > 0) {
        memcpy(copy, set, count * sizeof(*copy));
        qsort(copy, count, sizeof(*copy), net_gate_compare);
    }
    net_gate_lock();
    old = g->admitted;
    g->admitted = copy;
    g->count = count;
    net_gate_meet_again_locked(g);
    net_gate_unlock();
    g->generation++;
    free(old);
}

bool net_gate_is_admitted(struct net_gate *g, const char *key, uint32_t *tag)
{
    const struct net_admitted *found;

    net_gate_lock();
    found = net_gate_find_locked(g, key);
    *tag = found != NULL ? found->tag : 0;
    net_gate_unlock();
    return found != NULL;
}

uint64_t net_gate_generation(const struct net_gate *g)
{
    return g->generation;
}

int net_gate_strangers_fd(const struct net_gate *g)
{
    return g->strangers_fd;
}

void net_gate_strangers_clear(struct net_gate *g)
{
    uint64_t count;

    (void)!read(g->strangers_fd, &count, sizeof(count));
}

void net_gate_counts(struct net_gate *g, struct net_counts *out)
{
    uint64_t proved;

    net_gate_lock();
    proved = g->counts.admitted + g->counts.refused;
    out->accepted = g->counts.accepted;
    out->admitted = g->counts.admitted;
    out->refused = g->counts.refused;
    /* A key may be asked about before the monitor's word comes. */
    out->unproved = out->accepted > proved ? out->accepted - proved : 0;
    out->ended = g->counts.ended;
    net_gate_unlock();
}

/* ---- Questions ---------------------------------------------------------- */

enum {
    ZAP_VERSION,
    ZAP_REQUEST,
    ZAP_DOMAIN,
    ZAP_ADDRESS,
    ZAP_IDENTITY,
    ZAP_MECHANISM,
    ZAP_KEY,
};

struct net_gate_frame {
    uint8_t at[NET_GATE_FRAME_MAX];
    size_t size;
};

struct net_gate_question {
    struct net_gate_frame frames[NET_GATE_FRAMES_MAX];
    size_t count;
};

/* Take one message of any number of frames; what does not fit is cut. */
static bool net_gate_take(void *socket, struct net_gate_question *q)
{
    int more = 1;
    size_t size = sizeof(more);

    q->count = 0;
    while (more) {
        struct net_gate_frame spare;
        struct net_gate_frame *f = &spare;
        int got;

        if (q->count < NET_GATE_FRAMES_MAX) {
            f = &q->frames[q->count];
        }
        got = zmq_recv(socket, f->at, sizeof(f->at), ZMQ_DONTWAIT);
        if (got < 0) {
            return false;
        }
        f->size = (size_t)got < sizeof(f->at) ? (size_t)got : sizeof(f->at);
        q->count += f != &spare;
        CHECK(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0);
    }
    return true;
}

static bool net_gate_says(const struct net_gate_question *q, size_t frame,
                          const char *text)
{
    return frame < q->count && q->frames[frame].size == strlen(text) &&
           memcmp(q->frames[frame].at, text, strlen(text)) == 0;
}

static struct net_gate *net_gate_of_locked(const struct net_gate_question *q)
{
    struct net_gate *g = net_gate_house.first;

    while (g != NULL && !net_gate_says(q, ZAP_DOMAIN, g->domain)) {
        g = g->next;
    }
    return g != NULL && !g->is_closed ? g : NULL;
}

/* Write the asking client's key to @key. false: it has none that is proved. */
static bool net_gate_key(const struct net_gate_question *q,
                         char key[NET_KEY_SIZE])
{
    return net_gate_says(q, ZAP_VERSION, "1.0") &&
           net_gate_says(q, ZAP_MECHANISM, "CURVE") && q->count > ZAP_KEY &&
           q->frames[ZAP_KEY].size == NET_GATE_KEY_BYTES &&
           zmq_z85_encode(key, q->frames[ZAP_KEY].at, NET_GATE_KEY_BYTES) !=
               NULL;
}

static bool net_gate_decide(const struct net_gate_question *q,
                            char key[NET_KEY_SIZE])
{
    struct net_gate *g;
    bool is_in = false;

    if (!net_gate_key(q, key)) {
        return false;
    }
    net_gate_lock();
    g = net_gate_of_locked(q);
    if (g != NULL) {
        is_in = net_gate_find_locked(g, key) != NULL;
        g->counts.admitted += is_in;
        g->counts.refused += !is_in;
        if (!is_in) {
            net_gate_remember_locked(g, key);
            net_gate_raise(g->strangers_fd);
        }
    }
    net_gate_unlock();
    return is_in;
}

static void net_gate_answer(void *zap, const struct net_gate_question *q)
{
    char key[NET_KEY_SIZE] = "";
    bool is_in = net_gate_decide(q, key);
    const struct {
        const void *at;
        size_t size;
    } frames[] = {
        {"1.0", 3},
        {q->frames[ZAP_REQUEST].at,
         q->count > ZAP_REQUEST ? q->frames[ZAP_REQUEST].size : 0},
        {is_in ? "200" : "400", 3},
        {"", 0},
        {key, is_in ? strlen(key) : 0}, /* The messages' "User-Id". */
        {"", 0},
    };
    size_t count = sizeof(frames) / sizeof(frames[0]);

    for (size_t i = 0; i < count; i++) {
        int more = i + 1 < count ? ZMQ_SNDMORE : 0;

        /* It may fail when the connection that asked has gone. */
        if (zmq_send(zap, frames[i].at, frames[i].size, ZMQ_DONTWAIT | more) <
            0) {
            return;
        }
    }
}

/* ---- What monitors tell ------------------------------------------------- */

static void net_gate_count_locked(struct net_gate *g, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        g->counts.accepted++;
        break;
    case ZMQ_EVENT_DISCONNECTED:
        g->counts.ended++;
        break;
    default:
        break;
    }
}

static void net_gate_listen(struct net_gate *g)
{
    struct net_gate_question event;
    uint16_t number;

    for (int i = 0; i < NET_GATE_TURN_MAX; i++) {
        if (!net_gate_take(g->monitor, &event)) {
            return;
        }
        memcpy(&number, event.frames[0].at, sizeof(number));
        net_gate_lock();
        net_gate_count_locked(g, number);
        net_gate_unlock();
    }
}

/* ---- The thread --------------------------------------------------------- */

static void net_gate_free(struct net_gate *g)
{
    zmq_close(g->monitor);
    close(g->strangers_fd);
    free(g->admitted);
    free(g);
}

/* Free what is closed and write the others to @gates. */
static int net_gate_sweep(struct net_gate *gates[NET_GATES_MAX])
{
    struct net_gate **at;
    int count = 0;

    net_gate_lock();
    at = &net_gate_house.first;
    while (*at != NULL) {
        struct net_gate *g = *at;

        if (g->is_closed) {
            *at = g->next;
            net_gate_free(g);
        } else {
            gates[count++] = g;
            at = &g->next;
        }
    }
    net_gate_unlock();
    return count;
}

/* Return false at the end of the context. */
static bool net_gate_turn(void)
{
    struct net_gate *gates[NET_GATES_MAX];
    zmq_pollitem_t items[2 + NET_GATES_MAX] = {
        {.socket = net_gate_house.zap, .events = ZMQ_POLLIN},
        {.fd = net_gate_house.wake_fd, .events = ZMQ_POLLIN},
    };
    struct net_gate_question question;
    int count = net_gate_sweep(gates);
    uint64_t woken;

    for (int i = 0; i < count; i++) {
        items[2 + i] =
            (zmq_pollitem_t){.socket = gates[i]->monitor, .events = ZMQ_POLLIN};
    }
    if (zmq_poll(items, 2 + count, -1) < 0) {
        return zmq_errno() == EINTR;
    }
    if (items[1].revents != 0) {
        (void)!read(net_gate_house.wake_fd, &woken, sizeof(woken));
    }
    for (int i = 0; i < count; i++) {
        if (items[2 + i].revents != 0) {
            net_gate_listen(gates[i]);
        }
    }
    for (int i = 0; items[0].revents != 0 && i < NET_GATE_TURN_MAX; i++) {
        if (!net_gate_take(net_gate_house.zap, &question)) {
            break;
        }
        net_gate_answer(net_gate_house.zap, &question);
    }
    return true;
}

static void *net_gate_main(void *self)
{
    (void)self;
    while (net_gate_turn()) {
    }
    zmq_close(net_gate_house.zap);
    net_gate_lock();
    for (struct net_gate *g = net_gate_house.first; g != NULL; g = g->next) {
        zmq_close(g->monitor);
    }
    net_gate_unlock();
    return NULL;
}

/* Signals are for the owners' threads, whose waits they end. */
static void net_gate_start(void *context)
{
    sigset_t all;
    sigset_t old;
    pthread_t thread;

    net_gate_house.zap = zmq_socket(context, ZMQ_REP);
    CHECK(net_gate_house.zap != NULL);
    CHECK(zmq_bind(net_gate_house.zap, "inproc://zeromq.zap.01") == 0);
    net_gate_house.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(net_gate_house.wake_fd >= 0);
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
    CHECK(pthread_create(&thread, NULL, net_gate_main, NULL) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(pthread_detach(thread) == 0);
}

/* ---- Open and close ----------------------------------------------------- */

/* Let the socket's I/O thread tell of its connections. It blocks when nobody
 * takes what it says, so the queue has no end; the thread above is quick. */
static void net_gate_monitor(struct net_gate *g, void *context)
{
    char where[NET_GATE_NAME_MAX + 20];
    int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED;
    int zero = 0;

    snprintf(where, sizeof(where), "inproc://monitor-%s", g->domain);
    CHECK(zmq_socket_monitor(g->socket, where, events) == 0);
    g->monitor = zmq_socket(context, ZMQ_PAIR);
    CHECK(g->monitor != NULL);
    CHECK(zmq_setsockopt(g->monitor, ZMQ_RCVHWM, &zero, sizeof(zero)) == 0);
    CHECK(zmq_setsockopt(g->monitor, ZMQ_LINGER, &zero, sizeof(zero)) == 0);
    CHECK(zmq_connect(g->monitor, where) == 0);
}

struct net_gate *net_gate_open(void *context, void *socket)
{
    struct net_gate *g = mem_new(1, sizeof(*g));

    g->socket = socket;
    g->generation = 1;
    g->strangers_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(g->strangers_fd >= 0);
    net_gate_lock();
    snprintf(g->domain, sizeof(g->domain), "server-%llu",
             (unsigned long long)net_gate_house.made++);
    net_gate_monitor(g, context);
    CHECK(net_gate_house.count++ < NET_GATES_MAX);
    g->next = net_gate_house.first;
    net_gate_house.first = g;
    if (net_gate_house.zap == NULL) {
        net_gate_start(context);
    }
    net_gate_unlock();
    net_gate_raise(net_gate_house.wake_fd);
    CHECK(zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, g->domain,
                         strlen(g->domain)) == 0);
    return g;
}

void net_gate_close(struct net_gate **g)
{
    if (*g == NULL) {
        return;
    }
    CHECK(zmq_socket_monitor((*g)->socket, NULL, 0) == 0);
    net_gate_lock();
    (*g)->is_closed = true;
    net_gate_house.count--;
    net_gate_unlock();
    net_gate_raise(net_gate_house.wake_fd);
    *g = NULL;
}
