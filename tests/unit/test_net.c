/* SPDX-License-Identifier: Apache-2.0 */
/* Real sockets on loopback, on ports that the kernel chose. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "proto/net.h"
#include "proto/net_addr.h"

#include "tests/harness.h"

enum { WAIT_MS = 5000, MESSAGE_MAX = 1 << 20 };

static struct net *listen_on(const char *address, uint16_t port, char *endpoint)
{
    struct net_listen options = {
        .address = address, .port = port, .message_max = MESSAGE_MAX};
    struct fault why = {.text = ""};
    struct net *n = NULL;

    if (net_listen(&options, &why, &n, endpoint) != STATUS_OK) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return n;
}

static struct net *connect_to(const char *endpoint)
{
    struct fault why;
    struct net *n = NULL;

    EXPECT_EQ(net_connect(endpoint, MESSAGE_MAX, &why, &n), STATUS_OK);
    return n;
}

/* Wait for one message and check its text. Returns who sent it. */
static uint64_t hear(struct net *n, const char *want)
{
    struct buf got = {0};
    uint64_t peer = 0;

    EXPECT(net_wait(n, WAIT_MS, NULL, 0) & 1U);
    EXPECT_EQ(net_receive(n, &peer, &got), STATUS_OK);
    EXPECT_STR(buf_text(&got), want);
    buf_fini(&got);
    return peer;
}

static void say(struct net *n, uint64_t peer, const char *text)
{
    EXPECT_EQ(net_send(n, peer, bytes_of(text)), STATUS_OK);
}

static uint16_t port_of(const char *endpoint)
{
    return (uint16_t)strtoul(strrchr(endpoint, ':') + 1, NULL, 10);
}

TEST(a_client_is_heard_and_answered_in_order)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint);
    char text[16];
    uint64_t peer = 0;

    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%d", i);
        say(client, 0, text);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%d", i);
        peer = hear(server, text);
    }
    say(server, peer, "answer");
    EXPECT_EQ(hear(client, "answer"), 0);
    net_close(&client, 0);
    net_close(&server, 0);
    EXPECT(client == NULL && server == NULL);
}

TEST(each_client_is_a_peer_of_its_own)
{
    enum { CLIENTS = 50 };
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *clients[CLIENTS];
    uint64_t peers[CLIENTS];
    char text[16];

    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_to(endpoint);
        snprintf(text, sizeof(text), "%d", i);
        say(clients[i], 0, text);
        peers[i] = hear(server, text);
        for (int j = 0; j < i; j++) {
            EXPECT(peers[j] != peers[i]);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof(text), "to %d", i);
        say(server, peers[i], text);
    }
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(text, sizeof(text), "to %d", i);
        hear(clients[i], text);
        net_close(&clients[i], 0);
    }
    net_close(&server, 0);
}

TEST(a_peer_that_has_gone_is_not_found)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint);
    enum status s = STATUS_OK;
    uint64_t peer;

    say(client, 0, "hello");
    peer = hear(server, "hello");
    net_close(&client, 0);
    for (int i = 0; i < 500 && s != STATUS_NOT_FOUND; i++) {
        s = net_send(server, peer, BYTES("anybody?"));
        net_wait(server, 10, NULL, 0);
    }
    EXPECT_EQ(s, STATUS_NOT_FOUND);
    EXPECT_EQ(net_send(server, 12345, BYTES("nobody")), STATUS_NOT_FOUND);
    net_close(&server, 0);
}

TEST(too_large_a_message_hurts_its_sender_only)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *good = connect_to(endpoint);
    struct net *bad = connect_to(endpoint);
    char *large = calloc(1, MESSAGE_MAX + 1);

    EXPECT(large != NULL);
    EXPECT_EQ(net_send(bad, 0, (struct bytes){large, MESSAGE_MAX + 1}),
              STATUS_OK);
    say(good, 0, "still here");
    hear(server, "still here");
    free(large);
    net_close(&good, 0);
    net_close(&bad, 0);
    net_close(&server, 0);
}

TEST(bytes_that_are_no_protocol_do_no_harm)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(port_of(endpoint)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct net *client;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    EXPECT(fd >= 0);
    EXPECT(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    EXPECT(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL) == 18);
    client = connect_to(endpoint);
    say(client, 0, "hello");
    hear(server, "hello");
    close(fd);
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(a_client_finds_a_server_that_was_started_again)
{
    char endpoint[NET_ENDPOINT_MAX];
    char again[NET_ENDPOINT_MAX];
    struct net_listen options = {.address = "127.0.0.1",
                                 .message_max = MESSAGE_MAX};
    enum status s = STATUS_OS;
    struct fault why;
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct net *client = connect_to(endpoint);

    say(client, 0, "one");
    hear(server, "one");
    net_close(&server, 0);
    /* ZeroMQ closes the old socket in its own time. */
    options.port = port_of(endpoint);
    for (int i = 0; i < 200 && s != STATUS_OK; i++) {
        s = net_listen(&options, &why, &server, again);
        net_wait(client, s == STATUS_OK ? 0 : 20, NULL, 0);
    }
    EXPECT_EQ(s, STATUS_OK);
    EXPECT_STR(again, endpoint);
    /* What was sent into the gap may be lost; say it until it is heard. */
    for (int i = 0; i < 100; i++) {
        say(client, 0, "two");
        if (net_wait(server, 100, NULL, 0) & 1U) {
            break;
        }
    }
    hear(server, "two");
    net_close(&client, 0);
    net_close(&server, 0);
}

TEST(a_port_that_is_taken_is_named)
{
    char endpoint[NET_ENDPOINT_MAX];
    char other[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    struct fault why;
    struct net *second = NULL;
    struct net_listen options = {.address = "127.0.0.1",
                                 .port = port_of(endpoint),
                                 .message_max = MESSAGE_MAX};

    EXPECT_EQ(net_listen(&options, &why, &second, other), STATUS_OS);
    EXPECT(strstr(why.text, "is taken by another program") != NULL);
    EXPECT(second == NULL);
    net_close(&server, 0);
}

TEST(an_address_of_another_machine_is_named)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *n = NULL;
    struct fault why;
    struct net_listen options = {.address = "192.0.2.1",
                                 .message_max = MESSAGE_MAX};

    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OS);
    EXPECT(strstr(why.text, "192.0.2.1 is not an address of this machine") !=
           NULL);
    options.address = "no-such-interface0";
    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OS);
    EXPECT(strstr(why.text, "no-such-interface0") != NULL);
}

TEST(an_endpoint_names_what_clients_are_told)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *n = NULL;
    struct fault why;
    struct net_listen options = {
        .address = "", .told = "algo-1", .message_max = MESSAGE_MAX};

    EXPECT_EQ(net_listen(&options, &why, &n, endpoint), STATUS_OK);
    EXPECT(strncmp(endpoint, "tcp://algo-1:", 13) == 0);
    net_close(&n, 0);
    n = listen_on("lo", 0, endpoint);
    EXPECT(strncmp(endpoint, "tcp://127.0.0.1:", 16) == 0);
    net_close(&n, 0);
    EXPECT_EQ(net_connect("not an endpoint", MESSAGE_MAX, &why, &n),
              STATUS_INVALID);
}

TEST(waiting_sees_other_descriptors_too)
{
    char endpoint[NET_ENDPOINT_MAX];
    struct net *server = listen_on("127.0.0.1", 0, endpoint);
    int ends[2];
    int fds[3];

    EXPECT(pipe(ends) == 0);
    fds[0] = -1;
    fds[1] = ends[0];
    fds[2] = -1;
    EXPECT_EQ(net_wait(server, 0, fds, 3), 0);
    EXPECT(write(ends[1], "x", 1) == 1);
    EXPECT_EQ(net_wait(server, WAIT_MS, fds, 3), 1U << 2);
    close(ends[0]);
    close(ends[1]);
    net_close(&server, 0);
}

TEST(addresses_are_told_from_names)
{
    char out[NET_ADDR_MAX];

    EXPECT(net_addr_is_numeric("127.0.0.1"));
    EXPECT(net_addr_is_numeric("::1"));
    EXPECT(!net_addr_is_numeric("eth0"));
    EXPECT(net_addr_of_interface("lo", out));
    EXPECT_STR(out, "127.0.0.1");
    EXPECT(!net_addr_of_interface("no-such-interface0", out));
    EXPECT(net_addr_of_name("localhost", out));
}
