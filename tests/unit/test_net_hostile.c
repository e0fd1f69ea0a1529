/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers and a hostile member of the job can do to a server with
 * keys, while a good client goes on talking. What is done to the server is
 * waited for by its counts; nothing here passes because time has gone by. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <zmq.h>

#include "base/limit.h"
#include "base/prng.h"
#include "tests/net_kit.h"

enum {
    RAW_MAX = 100,
    CROWD_MAX = 10000,
    CROWD_SPARE = 200,           /* Descriptors for all else. */
    CROWD_EACH_BYTES = 64 << 10, /* Of memory, at most. */
    CROWD_BASE_BYTES = 64 << 20,
    HANDSHAKE_MS = 1000,
};

/* A server, a client that it admits, and a number that each exchange has. */
struct scene {
    struct kit_server server;
    struct net_keys keys[2]; /* The good client's and the bad member's. */
    struct net *good;
    uint64_t said;
    uint64_t odd; /* Messages from others that were not empty. */
};

static struct scene scene_start(struct net_listen options)
{
    struct scene s = {.said = 0};
    struct net_admitted set[2];

    s.server = kit_listen(options);
    for (uint32_t i = 0; i < 2; i++) {
        net_keys_make(&s.keys[i]);
        set[i] = kit_admitted(&s.keys[i], i);
    }
    net_admit(s.server.net, set, 2);
    s.good = kit_connect(&s.server, &s.keys[0]);
    return s;
}

static void scene_end(struct scene *s)
{
    net_close(&s->good, 0);
    net_close(&s->server.net, 0);
}

/* Take what has come to the server, and answer the good client. */
static void scene_serve(struct scene *s)
{
    struct buf got = {0};
    uint64_t peer;

    for (int i = 0; i < 100; i++) {
        if (net_receive(s->server.net, &peer, &got) != STATUS_OK) {
            break;
        }
        if (net_sender_tag(s->server.net) == 0) {
            EXPECT_EQ(net_send(s->server.net, peer, buf_bytes(&got)),
                      STATUS_OK);
        } else {
            s->odd += got.size > 0;
        }
    }
    buf_fini(&got);
}

/* The good client says something and is answered. */
static void scene_talk(struct scene *s)
{
    struct buf got = {0};
    uint64_t deadline_ms = kit_deadline();
    char text[32];
    uint64_t peer;

    snprintf(text, sizeof(text), "word %llu", (unsigned long long)s->said++);
    kit_say(s->good, 0, text);
    while (!kit_is_past(deadline_ms)) {
        net_wait(s->server.net, 1, NULL, 0);
        scene_serve(s);
        if (net_receive(s->good, &peer, &got) == STATUS_OK) {
            EXPECT_STR(buf_text(&got), text);
            buf_fini(&got);
            return;
        }
        net_wait(s->good, 0, NULL, 0);
    }
    fprintf(stderr, "%s: no answer\n", text);
    exit(1);
}

/* Talk until a count is @least. */
static void scene_talk_until(struct scene *s, size_t at, uint64_t least)
{
    uint64_t deadline_ms = kit_deadline();

    while (!kit_is_past(deadline_ms)) {
        scene_talk(s);
        if (kit_count(s->server.net, at) >= least) {
            return;
        }
    }
    fprintf(stderr, "a count stays at %llu\n",
            (unsigned long long)kit_count(s->server.net, at));
    exit(1);
}

#define TALK_UNTIL(s, name, least)                                             \
    scene_talk_until((s), offsetof(struct net_counts, name), (least))

/* ---- Raw connections ---------------------------------------------------- */

static int raw_connect(const char *endpoint)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strrchr(endpoint, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    EXPECT(fd >= 0);
    EXPECT(colon != NULL);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    EXPECT_EQ(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* The other side may have closed already. */
static void raw_say(int fd, const void *at, size_t size)
{
    (void)!send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A right greeting of a client that wants CURVE: 64 bytes. */
static void raw_greet(int fd)
{
    static const uint8_t greeting[64] = {0xff, 0, 0, 0,   0,   0,   0,   0,  1,
                                         0x7f, 3, 0, 'C', 'U', 'R', 'V', 'E'};

    raw_say(fd, greeting, sizeof(greeting));
}

/* Random bytes on each of many connections. */
TEST(random_bytes)
{
    struct scene s = scene_start((struct net_listen){.port = 0});
    struct prng random;
    int fds[RAW_MAX];

    prng_init(&random, 1);
    for (int i = 0; i < RAW_MAX; i++) {
        uint8_t bytes[512];

        for (size_t j = 0; j < sizeof(bytes); j++) {
            bytes[j] = (uint8_t)prng_next(&random);
        }
        fds[i] = raw_connect(s.server.endpoint);
        raw_say(fds[i], bytes, 1 + prng_below(&random, sizeof(bytes)));
        if (i % 10 == 0) {
            scene_talk(&s);
        }
    }
    TALK_UNTIL(&s, accepted, RAW_MAX + 1);
    for (int i = 0; i < RAW_MAX; i++) {
        close(fds[i]);
    }
    TALK_UNTIL(&s, ended, RAW_MAX);
    EXPECT_EQ(KIT_COUNT(s.server.net, admitted), 1);
    EXPECT_EQ(KIT_COUNT(s.server.net, unproved), RAW_MAX);
    scene_end(&s);
}

/* A right greeting, then everything that does not belong there. */
TEST(garbage_after_the_greeting)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\x04\x06\x05HELLO", 8},     /* Too short. */
        {"\x04\xc8\x05HELLO\x01", 9}, /* It stops there. */
        {"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x06"
         "DEALER\x08Identity\0\0\0\0",
         40},                           /* Of no security. */
        {"\x04\x0a\x08INITIATE\0", 12}, /* Before HELLO. */
        {"\x04\x08\x07MESSAGE", 10},    /* Before all. */
        {"\x04\x06\x05"
         "ERROR\xff",
         9},
        {"\x00\x05hello", 7},                        /* No command. */
        {"\x06\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* Far too large. */
        {"\x06\x00\x00\x00\x00\x7f\xff\xff\xff", 9},
        {"\xff\xff\xff\xff", 4},
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct scene s = scene_start((struct net_listen){.port = 0});
    int fds[2 * ROWS];

    for (size_t i = 0; i < 2 * ROWS; i++) {
        char hello[202] = "\x04\xc8\x05HELLO\x01";

        fds[i] = raw_connect(s.server.endpoint);
        raw_greet(fds[i]);
        if (i >= ROWS) { /* A HELLO of the right size, of zeros. */
            raw_say(fds[i], hello, sizeof(hello));
        }
        raw_say(fds[i], rows[i % ROWS].bytes, rows[i % ROWS].size);
        scene_talk(&s);
    }
    TALK_UNTIL(&s, accepted, 2 * ROWS + 1);
    for (size_t i = 0; i < 2 * ROWS; i++) {
        close(fds[i]);
    }
    TALK_UNTIL(&s, ended, 2 * ROWS);
    EXPECT_EQ(KIT_COUNT(s.server.net, unproved), 2 * ROWS);
    EXPECT_EQ(KIT_COUNT(s.server.net, admitted), 1);
    EXPECT_EQ(s.odd, 0);
    scene_end(&s);
}

/* One byte at a time: the handshake has an end all the same. */
TEST(slow_starters_are_dropped)
{
    struct scene s =
        scene_start((struct net_listen){.handshake_ms = HANDSHAKE_MS});
    uint64_t deadline_ms = kit_deadline();
    int fds[10];

    for (int i = 0; i < 10; i++) {
        fds[i] = raw_connect(s.server.endpoint);
    }
    for (int turn = 0; !kit_is_past(deadline_ms); turn++) {
        for (int i = 0; i < 10; i++) {
            raw_say(fds[i], turn == 0 ? "\xff" : "\0", turn < 9 ? 1 : 0);
        }
        scene_talk(&s);
        if (KIT_COUNT(s.server.net, ended) >= 10) {
            break;
        }
    }
    EXPECT_EQ(KIT_COUNT(s.server.net, unproved), 10);
    for (int i = 0; i < 10; i++) {
        struct pollfd end = {.fd = fds[i], .events = POLLIN};
        char bytes[256];

        EXPECT_EQ(poll(&end, 1, KIT_WAIT_MS), 1);
        while (recv(fds[i], bytes, sizeof(bytes), 0) > 0) {
        }
        close(fds[i]);
    }
    scene_end(&s);
}

/* ---- A hostile member --------------------------------------------------- */

struct member {
    void *context;
    void *socket;
};

/* A DEALER with the bad member's keys, without what proto/net keeps to. */
static struct member member_start(const struct scene *s, const char *name)
{
    struct member m = {.context = zmq_ctx_new()};
    const struct net_keys *keys = &s->keys[1];

    m.socket = zmq_socket(m.context, ZMQ_DEALER);
    EXPECT(m.socket != NULL);
    EXPECT_EQ(zmq_setsockopt(m.socket, ZMQ_CURVE_PUBLICKEY, keys->public_key,
                             NET_KEY_SIZE),
              0);
    EXPECT_EQ(zmq_setsockopt(m.socket, ZMQ_CURVE_SECRETKEY, keys->secret,
                             NET_KEY_SIZE),
              0);
    EXPECT_EQ(zmq_setsockopt(m.socket, ZMQ_CURVE_SERVERKEY,
                             s->server.keys.public_key, NET_KEY_SIZE),
              0);
    if (name != NULL) {
        EXPECT_EQ(zmq_setsockopt(m.socket, ZMQ_ROUTING_ID, name, strlen(name)),
                  0);
    }
    EXPECT_EQ(zmq_connect(m.socket, s->server.endpoint), 0);
    return m;
}

static void member_end(struct member *m)
{
    int zero = 0;

    EXPECT_EQ(zmq_setsockopt(m->socket, ZMQ_LINGER, &zero, sizeof(zero)), 0);
    zmq_close(m->socket);
    zmq_ctx_term(m->context);
}

static void member_say(struct member *m, const char *text, int flags)
{
    EXPECT_EQ(zmq_send(m->socket, text, strlen(text), flags), strlen(text));
}

TEST(messages_of_many_frames_are_not_heard)
{
    struct scene s = scene_start((struct net_listen){.port = 0});
    struct member bad = member_start(&s, NULL);

    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < i; j++) {
            member_say(&bad, "frame", ZMQ_SNDMORE);
        }
        member_say(&bad, i == 0 ? "" : "last", 0);
        if (i % 10 == 0) {
            scene_talk(&s);
        }
    }
    TALK_UNTIL(&s, malformed, 99);
    EXPECT_EQ(s.odd, 0);
    EXPECT_EQ(KIT_COUNT(s.server.net, admitted), 2);
    member_end(&bad);
    scene_end(&s);
}

TEST(who_chose_its_own_name_is_not_heard)
{
    struct scene s = scene_start((struct net_listen){.port = 0});
    struct member bad = member_start(&s, "abcde");

    for (int i = 0; i < 10; i++) {
        member_say(&bad, "hello", 0);
    }
    TALK_UNTIL(&s, malformed, 10);
    EXPECT_EQ(s.odd, 0);
    member_end(&bad);
    scene_end(&s);
}

TEST(a_flood_does_not_silence_others)
{
    struct scene s = scene_start((struct net_listen){.rate_max = 1000});
    struct member bad = member_start(&s, NULL);
    int sent = 0;

    while (KIT_COUNT(s.server.net, flooded) < 10000 && sent < 10000000) {
        for (int i = 0; i < 1000; i++) {
            sent += zmq_send(bad.socket, "flood", 5, ZMQ_DONTWAIT) == 5;
        }
        scene_talk(&s);
    }
    EXPECT(KIT_COUNT(s.server.net, flooded) >= 10000);
    EXPECT(s.odd < (uint64_t)sent);
    member_end(&bad);
    scene_end(&s);
}

/* ---- A crowd ------------------------------------------------------------ */

static uint64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long pages = 0;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%*u %llu", &pages), 1);
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* In a process of its own: open @count connections to the endpoint that comes
 * on @fd, say a little on each, and keep them until that closes. */
static void crowd_main(int fd, int count)
{
    char endpoint[NET_ENDPOINT_MAX] = "";
    char byte;

    limit_raise_files();
    EXPECT(read(fd, endpoint, sizeof(endpoint)) > 0);
    for (int i = 0; i < count; i++) {
        int raw = raw_connect(endpoint);

        if (i % 3 == 1) {
            raw_greet(raw);
        } else if (i % 3 == 2) {
            raw_say(raw, "\xff\0\0\0\0", 5);
        }
    }
    while (read(fd, &byte, 1) > 0) {
    }
    _exit(0);
}

static pid_t crowd_start(int count, int *fd)
{
    int fds[2];
    pid_t child;

    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        close(fds[0]);
        crowd_main(fds[1], count);
    }
    close(fds[1]);
    *fd = fds[0];
    return child;
}

TEST(a_crowd_costs_little_and_is_sent_away)
{
    uint64_t limit = limit_raise_files();
    int count =
        limit < CROWD_MAX + CROWD_SPARE ? (int)limit - CROWD_SPARE : CROWD_MAX;
    uint64_t wanted = (uint64_t)count;
    pid_t child;
    struct scene s;
    uint64_t before;
    int state;
    int fd;

    EXPECT(count > 0);
    child = crowd_start(count, &fd);
    s = scene_start((struct net_listen){.handshake_ms = HANDSHAKE_MS});
    scene_talk(&s);
    before = resident_bytes();
    EXPECT_EQ(write(fd, s.server.endpoint, sizeof(s.server.endpoint)),
              sizeof(s.server.endpoint));
    TALK_UNTIL(&s, accepted, wanted + 1);
    EXPECT(resident_bytes() <
           before + CROWD_BASE_BYTES + wanted * CROWD_EACH_BYTES);
    /* Each is dropped though none of them ends. */
    TALK_UNTIL(&s, ended, wanted);
    EXPECT_EQ(KIT_COUNT(s.server.net, unproved), wanted);
    EXPECT_EQ(KIT_COUNT(s.server.net, admitted), 1);
    scene_talk(&s);
    close(fd);
    EXPECT_EQ(waitpid(child, &state, 0), child);
    EXPECT_EQ(state, 0);
    scene_end(&s);
}
