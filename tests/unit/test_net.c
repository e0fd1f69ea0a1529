/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets on loopback, at ports that the kernel chooses. Waiting is
 * always for something that must come; WAIT_MS is when a test gives up, and
 * no test passes because of time that has gone by. */

#include "proto/net.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>

#define TEST_MAY_LEAVE_FILES /* The library's context stays. */
#include "tests/harness.h"

enum { MAX = 64 << 10, WAIT_MS = 20000, STEP_MS = 20 };

/* ---- Small steps -------------------------------------------------------- */

static struct net *listen_on(const char *address, uint16_t port, char *endpoint)
{
    struct net_listen options = {
        .address = address, .port = port, .message_max = MAX};
    struct net *n = NULL;
    struct fault why = {{0}};

    /* The port of a server that was just closed may take a moment. */
    for (int i = 0; n == NULL && i < WAIT_MS / STEP_MS; i++) {
        enum status s = net_listen(&options, &why, &n, endpoint);

        EXPECT(s == STATUS_OK || (port != 0 && s == STATUS_OS));
        if (s != STATUS_OK) {
            EXPECT_EQ(poll(NULL, 0, STEP_MS), 0);
        }
    }
    EXPECT(n != NULL);
    return n;
}

static struct net *connect_to(const char *endpoint, size_t message_max)
{
    struct net_connect options = {.endpoint = endpoint,
                                  .message_max = message_max};
    struct net *n = NULL;
    struct fault why;

    EXPECT_EQ(net_connect(&options, &why, &n), STATUS_OK);
    return n;
}

static void send_text(struct net *n, uint64_t peer, const char *text)
{
    EXPECT_EQ(net_send(n, peer, bytes_of(text)), STATUS_OK);
}

/* Take the next message of @n. */
static uint64_t receive(struct net *n, struct buf *out)
{
    uint64_t peer = 1;

    for (int i = 0; i < WAIT_MS / STEP_MS; i++) {
        if (net_receive(n, &peer, out) == STATUS_OK) {
            return peer;
        }
        net_wait(n, STEP_MS, NULL, 0);
    }
    fprintf(stderr, "no message came\n");
    exit(1);
}

static uint64_t receive_text(struct net *n, const char *text)
{
    struct buf got = {0};
    uint64_t peer = receive(n, &got);

    EXPECT_STR(buf_text(&got), text);
    EXPECT_EQ(got.size, strlen(text));
    buf_fini(&got);
    return peer;
}

/* Wait until @peer of @server has gone; what else comes is dropped. */
static void expect_gone(struct net *server, uint64_t peer)
{
    enum status s = STATUS_OK;

    for (int i = 0; s != STATUS_NOT_FOUND && i < WAIT_MS / STEP_MS; i++) {
        s = net_send(server, peer, BYTES("are you there?"));
        net_wait(server, STEP_MS, NULL, 0);
    }
    EXPECT_EQ(s, STATUS_NOT_FOUND);
}

static uint16_t port_of(const char *endpoint)
{
    char host[NET_HOST_MAX];
    struct fault why;
    uint16_t port = 0;

    EXPECT_EQ(net_addr_split(endpoint, &why, host, &port), STATUS_OK);
    return port;
}

static int raw_socket(const char *endpoint, bool is_server, uint16_t *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t size = sizeof(to);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    EXPECT(fd >= 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(endpoint != NULL ? port_of(endpoint) : 0);
    if (is_server) {
        EXPECT_EQ(bind(fd, (struct sockaddr *)&to, size), 0);
        EXPECT_EQ(listen(fd, 1), 0);
        EXPECT_EQ(getsockname(fd, (struct sockaddr *)&to, &size), 0);
        *port = ntohs(to.sin_port);
    } else {
        EXPECT_EQ(connect(fd, (struct sockaddr *)&to, size), 0);
    }
    return fd;
}

/* ---- Exchange ----------------------------------------------------------- */

TEST(a_client_and_a_server_talk)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);
    struct buf got = {0};
    uint64_t peer;

    EXPECT(strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0);
    EXPECT_EQ(net_receive(server, &peer, &got), STATUS_NOT_FOUND);
    send_text(client, 0, "hello");
    peer = receive_text(server, "hello");
    send_text(server, peer, "welcome");
    EXPECT_EQ(receive_text(client, "welcome"), 0);
    EXPECT_EQ(net_send(client, 0, BYTES("a\0b")), STATUS_OK);
    EXPECT_EQ(receive(server, &got), peer);
    EXPECT(bytes_is_equal(buf_bytes(&got), BYTES("a\0b")));
    EXPECT_EQ(net_send(client, 0, (struct bytes){NULL, 0}), STATUS_OK);
    EXPECT_EQ(receive(server, &got), peer);
    EXPECT_EQ(got.size, 0);
    buf_fini(&got);
    net_close(&client, 0);
    net_close(&server, 0);
    EXPECT(server == NULL);
    net_close(&server, 0);
}

TEST(messages_stay_in_order_both_ways)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);
    uint64_t peer = 0;
    char text[32];

    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "up %d", i);
        send_text(client, 0, text);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "up %d", i);
        peer = receive_text(server, text);
        snprintf(text, sizeof(text), "down %d", i);
        send_text(server, peer, text);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "down %d", i);
        receive_text(client, text);
    }
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(a_hundred_clients_are_told_apart)
{
    enum { CLIENTS = 100 };
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *clients[CLIENTS];
    uint64_t peers[CLIENTS] = {0};
    struct buf got = {0};
    char text[32];

    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(endpoint, MAX);
        snprintf(text, sizeof(text), "%d", i);
        send_text(clients[i], 0, text);
    }
    for (int i = 0; i < CLIENTS; i++) {
        uint64_t peer = receive(server, &got);
        long number = strtol(buf_text(&got), NULL, 10);

        EXPECT(number >= 0 && number < CLIENTS);
        EXPECT_EQ(peers[number], 0);
        peers[number] = peer;
        send_text(server, peer, buf_text(&got));
    }
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof(text), "%d", i);
        receive_text(clients[i], text);
        for (int j = 0; j < i; j++) {
            EXPECT(peers[i] != peers[j]);
        }
        net_close(&clients[i], 0);
    }
    buf_fini(&got);
    net_close(&server, 0);
}

TEST(a_client_may_come_before_its_server)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server;
    struct net *client;
    struct fault why;
    uint16_t port;

    close(raw_socket(NULL, true, &port));
    EXPECT_EQ(net_addr_join("127.0.0.1", port, &why, endpoint), STATUS_OK);
    client = connect_to(endpoint, MAX);
    send_text(client, 0, "early");
    server = listen_on("127.0.0.1", port, endpoint);
    receive_text(server, "early");
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(close_lets_what_was_sent_leave)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);

    send_text(client, 0, "last words");
    net_close(&client, WAIT_MS);
    receive_text(server, "last words");
    net_close(&server, 0);
}

/* ---- What breaks -------------------------------------------------------- */

TEST(a_peer_that_has_gone_is_not_found)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);
    uint64_t peer;

    EXPECT_EQ(net_send(server, 12345, BYTES("?")), STATUS_NOT_FOUND);
    EXPECT_EQ(net_send(server, NET_PEER_NONE, BYTES("?")), STATUS_NOT_FOUND);
    send_text(client, 0, "here");
    peer = receive_text(server, "here");
    net_close(&client, 0);
    expect_gone(server, peer);

    /* Nobody gets its number. */
    client = connect_to(endpoint, MAX);
    send_text(client, 0, "again");
    EXPECT(receive_text(server, "again") != peer);
    EXPECT_EQ(net_send(server, peer, BYTES("?")), STATUS_NOT_FOUND);
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(a_restarted_server_is_found_again)
{
    char endpoint[NET_ENDPOINT_MAX];
    char again[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);
    enum status s = STATUS_NOT_FOUND;
    struct buf got = {0};
    uint64_t peer;

    send_text(client, 0, "one");
    receive_text(server, "one");
    net_close(&server, 0);
    server = listen_on("127.0.0.1", port_of(endpoint), again);
    EXPECT_STR(again, endpoint);
    /* What was said while the connection broke may be lost. */
    for (int i = 0; s != STATUS_OK && i < WAIT_MS / STEP_MS; i++) {
        (void)!net_send(client, 0, BYTES("two"));
        net_wait(server, STEP_MS, NULL, 0);
        s = net_receive(server, &peer, &got);
    }
    EXPECT_STR(buf_text(&got), "two");
    send_text(server, peer, "back");
    receive_text(client, "back");
    buf_fini(&got);
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(too_much_for_a_slow_peer_is_full)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);
    enum status s = STATUS_OK;
    char block[4096] = {0};
    uint64_t peer;
    int sent = 0;

    send_text(client, 0, "here");
    peer = receive_text(server, "here");
    while (s == STATUS_OK && sent < 1000000) {
        s = net_send(server, peer, (struct bytes){block, sizeof(block)});
        sent++;
    }
    EXPECT_EQ(s, STATUS_FULL);
    EXPECT(sent > 1000);
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(too_much_without_a_server_is_full)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *client;
    enum status s = STATUS_OK;
    struct fault why;
    uint16_t port;
    int sent = 0;

    close(raw_socket(NULL, true, &port));
    EXPECT_EQ(net_addr_join("127.0.0.1", port, &why, endpoint), STATUS_OK);
    client = connect_to(endpoint, MAX);
    while (s == STATUS_OK && sent < 100000) {
        s = net_send(client, 0, BYTES("x"));
        sent++;
    }
    EXPECT_EQ(s, STATUS_FULL);
    net_close(&client, 0);
}

/* ---- Hostile peers ------------------------------------------------------ */

TEST(an_oversized_message_drops_its_sender_only)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *good = connect_to(endpoint, MAX);
    struct net *bad = connect_to(endpoint, MAX);
    char *block = calloc(1, MAX + 1);
    struct buf got = {0};
    uint64_t good_peer;
    uint64_t bad_peer;

    send_text(good, 0, "good");
    good_peer = receive_text(server, "good");
    send_text(bad, 0, "bad");
    bad_peer = receive_text(server, "bad");
    EXPECT_EQ(net_send(good, 0, (struct bytes){block, MAX}), STATUS_OK);
    EXPECT_EQ(receive(server, &got), good_peer);
    EXPECT_EQ(got.size, MAX);
    EXPECT_EQ(net_send(bad, 0, (struct bytes){block, MAX + 1}), STATUS_OK);
    expect_gone(server, bad_peer);
    send_text(good, 0, "still here");
    EXPECT_EQ(receive_text(server, "still here"), good_peer);
    send_text(server, good_peer, "fine");
    receive_text(good, "fine");
    buf_fini(&got);
    free(block);
    net_close(&good, 0);
    net_close(&bad, 0);
    net_close(&server, 0);
}

TEST(garbage_on_a_connection_does_no_harm)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
        {"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {"", 0},
    };
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    int fds[sizeof(rows) / sizeof(rows[0])];
    struct net *client;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fds[i] = raw_socket(endpoint, false, NULL);
        EXPECT_EQ(send(fds[i], rows[i].bytes, rows[i].size, MSG_NOSIGNAL),
                  rows[i].size);
    }
    client = connect_to(endpoint, MAX);
    send_text(client, 0, "hello");
    send_text(server, receive_text(server, "hello"), "welcome");
    receive_text(client, "welcome");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        close(fds[i]);
    }
    send_text(client, 0, "hello again");
    receive_text(server, "hello again");
    net_close(&client, 0);
    net_close(&server, 0);
}

/* What a DEALER that speaks ZMTP 3.0 without security says first. */
#define GREETING                                                               \
    "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL"                                     \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                                 \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define READY                                                                  \
    "\x05READY\x0bSocket-Type\0\0\0\x06"                                       \
    "DEALER"

static void raw_send(int fd, struct bytes bytes)
{
    EXPECT_EQ(send(fd, bytes.at, bytes.size, MSG_NOSIGNAL), bytes.size);
}

static int raw_peer(const char *endpoint, struct bytes ready,
                    struct bytes frames)
{
    int fd = raw_socket(endpoint, false, NULL);
    char head[2] = {4, (char)ready.size}; /* A command. */
    char byte;

    raw_send(fd, (struct bytes){GREETING, 64});
    raw_send(fd, (struct bytes){head, 2});
    raw_send(fd, ready);
    /* The server's own greeting and the head of its READY; frames are only
     * allowed after it. */
    for (int i = 0; i < 64 + 8; i++) {
        EXPECT_EQ(recv(fd, &byte, 1, 0), 1);
    }
    raw_send(fd, frames);
    return fd;
}

TEST(a_message_of_many_frames_comes_out_empty)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct buf got = {0};
    uint64_t peer;
    int fd = raw_peer(endpoint, BYTES(READY),
                      BYTES("\x01\x01"
                            "a\x01\x01"
                            "b\x00\x01"
                            "c"
                            "\x00\x03one"
                            "\x01\x00\x00\x03two"
                            "\x00\x04last"));

    peer = receive(server, &got);
    EXPECT_EQ(got.size, 0);
    EXPECT(peer != NET_PEER_NONE);
    EXPECT_EQ(receive_text(server, "one"), peer);
    EXPECT_EQ(receive(server, &got), peer);
    EXPECT_EQ(got.size, 0);
    EXPECT_EQ(receive_text(server, "last"), peer);
    send_text(server, peer, "answer");
    close(fd);
    expect_gone(server, peer);
    buf_fini(&got);
    net_close(&server, 0);
}

TEST(a_peer_with_a_name_of_its_own_is_not_heard)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct buf got = {0};
    int fd = raw_peer(endpoint,
                      BYTES(READY "\x08Identity\0\0\0\x05"
                                  "abcde"),
                      BYTES("\x00\x03one"));

    EXPECT_EQ(receive(server, &got), NET_PEER_NONE);
    EXPECT_EQ(got.size, 0);
    buf_fini(&got);
    close(fd);
    net_close(&server, 0);
}

/* ---- Addresses ---------------------------------------------------------- */

TEST(a_taken_port_is_named)
{
    uint16_t port;
    int fd = raw_socket(NULL, true, &port);
    struct net_listen options = {
        .address = "127.0.0.1", .port = port, .message_max = MAX};
    char endpoint[NET_ENDPOINT_MAX];
    char want[128];
    struct net *n = NULL;
    struct fault why;

    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OS);
    snprintf(want, sizeof(want),
             "port %u on 127.0.0.1 is taken by another program; choose "
             "another --port, or 0 for one that is free",
             port);
    EXPECT_STR(why.text, want);
    EXPECT(n == NULL);
    close(fd);
}

TEST(a_foreign_address_is_named)
{
    struct net_listen options = {
        .address = "192.0.2.1", .port = 0, .message_max = MAX};
    char endpoint[NET_ENDPOINT_MAX];
    struct net *n = NULL;
    struct fault why;

    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OS);
    EXPECT_STR(why.text,
               "192.0.2.1 is not an address of this machine; see --bind");
    options.address = "no such interface";
    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OS);
    EXPECT(strstr(why.text, "not an interface of this machine") != NULL);
    EXPECT(n == NULL);
}

TEST(what_clients_are_told)
{
    struct net_listen options = {
        .address = "", .port = 0, .told = "algo-1", .message_max = MAX};
    char endpoint[NET_ENDPOINT_MAX];
    char own[NET_ADDR_MAX];
    char host[NET_HOST_MAX];
    uint16_t port;
    struct net *n = NULL;
    struct fault why;

    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OK);
    EXPECT(strncmp(endpoint, "tcp://algo-1:", 13) == 0);
    net_close(&n, 0);
    options.told = NULL;
    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OK);
    if (!net_addr_of_this(own)) {
        snprintf(own, sizeof(own), "127.0.0.1");
    }
    EXPECT_EQ(net_addr_split(endpoint, &why, host, &port), STATUS_OK);
    EXPECT_STR(host, own);
    net_close(&n, 0);
    options.told = "not a host";
    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_INVALID);
    EXPECT(n == NULL);
    n = listen_on("lo", 0, endpoint);
    EXPECT(strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0);
    net_close(&n, 0);
}

TEST(a_server_on_all_addresses_is_reached)
{
    char endpoint[NET_ENDPOINT_MAX];
    char local[NET_ENDPOINT_MAX];
    struct net *server = listen_on("", 0, endpoint);
    struct net *client;
    struct fault why;

    EXPECT_EQ(net_addr_join("127.0.0.2", port_of(endpoint), &why, local),
              STATUS_OK);
    client = connect_to(local, MAX);
    send_text(client, 0, "hello");
    receive_text(server, "hello");
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(endpoints_are_checked)
{
    static const char *const bad[] = {
        "",
        "tcp://",
        "tcp://:1",
        "tcp://a",
        "tcp://a:",
        "tcp://a:0",
        "tcp://a:65536",
        "tcp://a:1x",
        "tcp://*:1",
        "tcp://a;b:1",
        "tcp://::1:1",
        "tcp://[a]:1",
        "ipc:///tmp/x",
        "inproc://x",
        "127.0.0.1:1",
        "tcp://a/b:1",
    };
    struct fault why;
    struct net *n = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct net_connect options = {.endpoint = bad[i], .message_max = MAX};

        EXPECT_EQ(net_connect(&options, &why, &n), STATUS_INVALID);
        EXPECT(strstr(why.text, "is not an endpoint") != NULL);
        EXPECT(n == NULL);
    }
    /* Not known here, but it may be once it is up. */
    n = connect_to("tcp://no-such-host.invalid:7000", MAX);
    net_close(&n, 0);
}

/* ---- Waiting ------------------------------------------------------------ */

TEST(waiting_sees_messages_and_descriptors)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint, MAX);
    struct buf got = {0};
    int a[2];
    int b[2];
    int fds[3];
    uint64_t peer;

    EXPECT_EQ(pipe(a), 0);
    EXPECT_EQ(pipe(b), 0);
    fds[0] = a[0];
    fds[1] = -1;
    fds[2] = b[0];
    EXPECT_EQ(net_wait(server, 0, fds, 3), 0);
    EXPECT_EQ(write(b[1], "x", 1), 1);
    EXPECT_EQ(net_wait(server, -1, fds, 3), 8);
    close(a[1]); /* The other end has gone: readable, too. */
    EXPECT_EQ(net_wait(server, -1, fds, 3), 2 | 8);
    send_text(client, 0, "one");
    send_text(client, 0, "two");
    EXPECT_EQ(net_wait(server, WAIT_MS, NULL, 0), 1);
    EXPECT_EQ(net_wait(server, -1, fds, 3), 1 | 2 | 8);
    receive_text(server, "one");
    /* The second message is seen though nothing new arrives. */
    EXPECT_EQ(net_wait(server, WAIT_MS, NULL, 0), 1);
    receive_text(server, "two");
    EXPECT_EQ(net_wait(server, -1, fds, 3), 2 | 8);
    EXPECT_EQ(net_receive(server, &peer, &got), STATUS_NOT_FOUND);
    close(a[0]);
    close(b[0]);
    close(b[1]);
    net_close(&client, 0);
    net_close(&server, 0);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

TEST(a_signal_ends_the_wait)
{
    struct itimerval often = {{0, 20000}, {0, 20000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = on_alarm};
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);

    EXPECT_EQ(sigaction(SIGALRM, &action, NULL), 0);
    EXPECT_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    EXPECT_EQ(net_wait(server, -1, NULL, 0), 0);
    EXPECT_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    net_close(&server, 0);
}

/* Signals reach a handler of ours, or none, but never the library's. */
TEST(signals_are_left_alone)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    char endpoint[NET_ENDPOINT_MAX];
    struct sigaction before[4];
    struct sigaction after;
    struct net *server;

    for (size_t i = 0; i < 4; i++) {
        EXPECT_EQ(sigaction(signals[i], NULL, &before[i]), 0);
    }
    server = listen_on("127.0.0.1", 0, endpoint);
    for (size_t i = 0; i < 4; i++) {
        EXPECT_EQ(sigaction(signals[i], NULL, &after), 0);
        EXPECT(after.sa_handler == before[i].sa_handler);
    }
    net_close(&server, 0);
}

/* ---- Threads ------------------------------------------------------------ */

struct serving {
    char endpoint[NET_ENDPOINT_MAX];
    int ready; /* Written to once the endpoint is known. */
};

static void *serve(void *self)
{
    struct serving *serving = self;
    struct net *server = listen_on("127.0.0.1", 0, serving->endpoint);
    struct buf got = {0};

    EXPECT_EQ(write(serving->ready, "x", 1), 1);
    for (int i = 0; i < 100; i++) {
        uint64_t peer = receive(server, &got);

        EXPECT_EQ(net_send(server, peer, buf_bytes(&got)), STATUS_OK);
    }
    buf_fini(&got);
    net_close(&server, WAIT_MS);
    return NULL;
}

TEST(a_server_in_a_thread_of_its_own)
{
    struct serving shared;
    struct net *client;
    pthread_t thread;
    char byte;
    int fds[2];

    EXPECT_EQ(pipe(fds), 0);
    shared.ready = fds[1];
    EXPECT_EQ(pthread_create(&thread, NULL, serve, &shared), 0);
    EXPECT_EQ(read(fds[0], &byte, 1), 1);
    client = connect_to(shared.endpoint, MAX);
    for (int i = 0; i < 100; i++) {
        send_text(client, 0, "ping");
        receive_text(client, "ping");
    }
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    net_close(&client, 0);
    close(fds[0]);
    close(fds[1]);
}
