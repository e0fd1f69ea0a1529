/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs, and who is heard by a server that has one. */

#include "proto/net_keys.h"

#include <poll.h>
#include <pthread.h>

#include "proto/net_gate.h"
#include "tests/net_kit.h"

/* ---- Pairs -------------------------------------------------------------- */

TEST(pairs_differ_and_can_be_made_again)
{
    struct net_keys a;
    struct net_keys b;
    struct net_keys again;
    struct fault why;

    net_keys_make(&a);
    net_keys_make(&b);
    EXPECT(net_keys_is_key(bytes_of(a.public_key)));
    EXPECT(strcmp(a.public_key, b.public_key) != 0);
    EXPECT(strcmp(a.secret, b.secret) != 0);
    EXPECT(strcmp(a.secret, a.public_key) != 0);
    EXPECT_EQ(net_keys_from_text(bytes_of(a.secret), &why, &again), STATUS_OK);
    EXPECT_STR(again.public_key, a.public_key);
    EXPECT_STR(again.secret, a.secret);
    EXPECT_EQ(net_keys_from_text(BYTES("short"), &why, &again),
              STATUS_MALFORMED);
    net_keys_fini(&a);
    EXPECT_EQ(a.secret[0], 0);
    EXPECT_EQ(a.secret[20], 0);
}

TEST(a_shared_secret_makes_the_same_pair)
{
    static const char text[] = "0123456789abcdef0123456789abcdef";
    struct net_keys a;
    struct net_keys b;
    struct fault why;

    EXPECT_EQ(net_keys_from_secret(bytes_of(text), &why, &a), STATUS_OK);
    EXPECT_EQ(net_keys_from_secret(
                  BYTES("0123456789abcdef0123456789abcdef\r\n"), &why, &b),
              STATUS_OK);
    EXPECT_STR(a.public_key, b.public_key);
    EXPECT_STR(a.secret, b.secret);
    EXPECT_EQ(net_keys_from_secret(BYTES("0123456789abcdef0123456789abcdeg"),
                                   &why, &b),
              STATUS_OK);
    EXPECT(strcmp(a.public_key, b.public_key) != 0);
    /* Of every version: hosts of two releases must agree. */
    EXPECT_STR(a.public_key, "PtVr[Xnc1V3:dnrJP:D0lWRH&545KF{p?.LX3Og/");
}

TEST(a_shared_secret_is_long_enough)
{
    static char large[NET_KEYS_PSK_MAX + 1];
    struct net_keys k;
    struct fault why;

    memset(large, 'x', sizeof(large));
    EXPECT_EQ(net_keys_from_secret(BYTES(""), &why, &k), STATUS_INVALID);
    EXPECT_EQ(net_keys_from_secret((struct bytes){large, 31}, &why, &k),
              STATUS_INVALID);
    EXPECT(strstr(why.text, "31 bytes") != NULL);
    EXPECT_EQ(net_keys_from_secret(BYTES("0123456789abcdef0123456789abcde\n\n"),
                                   &why, &k),
              STATUS_INVALID);
    EXPECT_EQ(
        net_keys_from_secret((struct bytes){large, sizeof(large)}, &why, &k),
        STATUS_INVALID);
    EXPECT_EQ(net_keys_from_secret((struct bytes){large, 32}, &why, &k),
              STATUS_OK);
}

TEST(keys_are_told_from_other_text)
{
    static const struct {
        const char *text;
        bool is_key;
    } rows[] = {
        {"", false},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", true},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf", false},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf77", false},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\"7", false},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y 7", false},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\xff"
         "7",
         false},
        {"########################################", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(net_keys_is_key(bytes_of(rows[i].text)), rows[i].is_key);
    }
    EXPECT(!net_keys_is_key(
        (struct bytes){"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y\0", 40}));
}

/* ---- Who is heard ------------------------------------------------------- */

TEST(an_admitted_client_talks)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net_keys keys[2];
    struct net_admitted set[3];
    struct net *clients[2];

    for (uint32_t i = 0; i < 2; i++) {
        net_keys_make(&keys[i]);
        set[i] = kit_admitted(&keys[i], 70 + i);
    }
    set[2] = set[1]; /* Twice: that does no harm. */
    net_admit(server.net, set, 3);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t peer;

        clients[i] = kit_connect(&server, &keys[i]);
        kit_say(clients[i], 0, "hello");
        peer = kit_hear(server.net, "hello");
        EXPECT_EQ(net_sender_tag(server.net), 70 + i);
        kit_say(server.net, peer, "welcome");
        kit_hear(clients[i], "welcome");
    }
    kit_say(clients[0], 0, "again");
    kit_hear(server.net, "again");
    EXPECT_EQ(net_sender_tag(server.net), 70);
    EXPECT_EQ(KIT_COUNT(server.net, refused), 0);
    EXPECT_EQ(KIT_COUNT(server.net, admitted), 2);
    KIT_WAIT_COUNT(server.net, accepted, 2, NULL);
    net_close(&clients[0], 0);
    KIT_WAIT_COUNT(server.net, ended, 1, NULL);
    net_close(&clients[1], 0);
    net_close(&server.net, 0);
}

TEST(an_unknown_key_is_refused_until_it_is_admitted)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net_keys known;
    struct net_keys unknown;
    struct net_admitted set[2];
    struct pollfd strangers = {.fd = net_strangers_fd(server.net),
                               .events = POLLIN};
    struct net *good;
    struct net *late;

    net_keys_make(&known);
    net_keys_make(&unknown);
    set[0] = kit_admitted(&known, 1);
    set[1] = kit_admitted(&unknown, 2);
    net_admit(server.net, set, 1);
    good = kit_connect(&server, &known);
    kit_say(good, 0, "good");
    kit_hear(server.net, "good");
    EXPECT_EQ(poll(&strangers, 1, 0), 0);

    late = kit_connect(&server, &unknown);
    kit_say(late, 0, "late");
    EXPECT_EQ(poll(&strangers, 1, KIT_WAIT_MS), 1);
    /* It goes on trying, and is refused each time. */
    KIT_WAIT_COUNT(server.net, refused, 2, late);
    net_strangers_clear(server.net);
    KIT_WAIT_COUNT(server.net, refused, KIT_COUNT(server.net, refused) + 1,
                   late);
    EXPECT_EQ(poll(&strangers, 1, KIT_WAIT_MS), 1);

    net_admit(server.net, set, 2);
    kit_say(server.net, kit_insist(late, "late", server.net), "welcome");
    EXPECT_EQ(net_sender_tag(server.net), 2);
    kit_hear(late, "welcome");
    net_strangers_clear(server.net);
    EXPECT_EQ(poll(&strangers, 1, 0), 0);
    EXPECT_EQ(KIT_COUNT(server.net, refused), 0); /* It was only early. */
    EXPECT(KIT_COUNT(server.net, admitted) >= 4);
    net_close(&good, 0);
    net_close(&late, 0);
    net_close(&server.net, 0);
}

TEST(nobody_gets_in_before_somebody_is_admitted)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net_keys keys;
    struct net *client;
    struct net_admitted own;

    net_keys_make(&keys);
    client = kit_connect(&server, &keys);
    kit_say(client, 0, "hello");
    KIT_WAIT_COUNT(server.net, refused, 1, client);
    EXPECT_EQ(KIT_COUNT(server.net, admitted), 0);
    own = kit_admitted(&keys, 0);
    net_admit(server.net, &own, 1);
    kit_insist(client, "hello", server.net);
    net_close(&client, 0);
    net_close(&server.net, 0);
}

TEST(a_key_that_is_struck_out_is_no_longer_heard)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net_keys keys[2];
    struct net_admitted set[2];
    struct net *clients[2];

    for (uint32_t i = 0; i < 2; i++) {
        net_keys_make(&keys[i]);
        set[i] = kit_admitted(&keys[i], i);
    }
    net_admit(server.net, set, 2);
    for (uint32_t i = 0; i < 2; i++) {
        clients[i] = kit_connect(&server, &keys[i]);
        kit_say(clients[i], 0, "hello");
        kit_hear(server.net, "hello");
    }
    net_admit(server.net, &set[1], 1);
    kit_say(clients[0], 0, "not heard");
    kit_say(clients[1], 0, "heard");
    kit_hear(server.net, "heard");
    while (KIT_COUNT(server.net, expired) < 1) {
        struct buf got = {0};
        uint64_t peer;

        EXPECT_EQ(net_receive(server.net, &peer, &got), STATUS_NOT_FOUND);
        net_wait(server.net, KIT_STEP_MS, NULL, 0);
        buf_fini(&got);
    }
    net_close(&clients[0], 0);
    net_close(&clients[1], 0);
    net_close(&server.net, 0);
}

TEST(a_wrong_server_key_is_found_out)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct kit_server other = server;
    struct net_keys keys;
    struct net_admitted own;
    struct net *client;

    net_keys_make(&keys);
    own = kit_admitted(&keys, 0);
    net_admit(server.net, &own, 1);
    net_keys_make(&other.keys);
    client = kit_connect(&other, &keys);
    kit_say(client, 0, "hello");
    /* It tries for ever, in case the right one comes. */
    KIT_WAIT_COUNT(server.net, unproved, 2, client);
    EXPECT_EQ(KIT_COUNT(server.net, admitted), 0);
    net_close(&client, 0);
    net_close(&server.net, 0);
}

TEST(a_client_without_keys_is_not_heard)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net *client = kit_connect(&server, NULL);

    kit_say(client, 0, "hello");
    /* Twice: ZeroMQ itself would give up after the first answer. */
    KIT_WAIT_COUNT(server.net, unproved, 2, client);
    EXPECT_EQ(KIT_COUNT(server.net, admitted), 0);
    net_close(&client, 0);
    net_close(&server.net, 0);
}

TEST(a_server_without_keys_is_not_talked_to)
{
    struct net_listen options = {.address = "127.0.0.1",
                                 .message_max = KIT_MAX};
    struct kit_server server;
    struct net_admitted own;
    struct net_keys keys;
    struct net *client;
    struct buf got = {0};
    struct fault why;
    uint64_t peer;
    uint16_t port;
    char host[NET_HOST_MAX];

    net_keys_make(&keys);
    net_keys_make(&server.keys);
    EXPECT_EQ(net_listen(&options, &why, &server.net, server.endpoint),
              STATUS_OK);
    EXPECT_EQ(net_strangers_fd(server.net), -1);
    client = kit_connect(&server, &keys);
    kit_say(client, 0, "secret");
    EXPECT_EQ(net_wait(server.net, 200, NULL, 0), 0);
    EXPECT_EQ(net_receive(server.net, &peer, &got), STATUS_NOT_FOUND);

    /* The right one comes to the same port: the client finds it. */
    EXPECT_EQ(net_addr_split(server.endpoint, &why, host, &port), STATUS_OK);
    net_close(&server.net, 0);
    options.keys = &server.keys;
    options.port = port;
    while (net_listen(&options, &why, &server.net, server.endpoint) !=
           STATUS_OK) {
        EXPECT_EQ(poll(NULL, 0, KIT_STEP_MS), 0);
    }
    own = kit_admitted(&keys, 0);
    net_admit(server.net, &own, 1);
    kit_insist(client, "secret", server.net);
    buf_fini(&got);
    net_close(&client, 0);
    net_close(&server.net, 0);
}

TEST(bad_server_keys_are_named)
{
    struct net_keys keys;
    struct net_connect options = {"tcp://127.0.0.1:7000", KIT_MAX, &keys, ""};
    struct net *n = NULL;
    struct fault why;

    net_keys_make(&keys);
    EXPECT_EQ(net_connect(&options, &why, &n), STATUS_INVALID);
    EXPECT_STR(why.text, "the coordinator at tcp://127.0.0.1:7000 has "
                         "published no key; hosts of one job must run one "
                         "version of smshard");
    options.server_key = NULL;
    EXPECT_EQ(net_connect(&options, &why, &n), STATUS_INVALID);
    EXPECT(n == NULL);
}

/* ---- What one peer may cost --------------------------------------------- */

TEST(the_largest_message_fits_and_a_larger_one_does_not)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    static char block[KIT_MAX + 1];
    struct net_keys keys;
    struct net_admitted own;
    struct net *client;

    memset(block, 'x', sizeof(block));
    net_keys_make(&keys);
    own = kit_admitted(&keys, 0);
    net_admit(server.net, &own, 1);
    client = kit_connect(&server, &keys);
    EXPECT_EQ(net_send(client, 0, (struct bytes){block, KIT_MAX}), STATUS_OK);
    block[KIT_MAX] = '\0';
    kit_hear(server.net, block);
    EXPECT_EQ(net_send(client, 0, (struct bytes){block, KIT_MAX + 1}),
              STATUS_OK);
    KIT_WAIT_COUNT(server.net, ended, 1, NULL);
    /* It is let in again, but what it said is gone. */
    KIT_WAIT_COUNT(server.net, admitted, 2, client);
    kit_insist(client, "sorry", server.net);
    net_close(&client, 0);
    net_close(&server.net, 0);
}

TEST(one_peer_s_flood_is_dropped_and_others_are_heard)
{
    struct kit_server server = kit_listen((struct net_listen){.rate_max = 100});
    struct net_keys keys[2];
    struct net_admitted set[2];
    struct net *clients[2];
    struct buf got = {0};
    int heard[2] = {0};
    uint64_t deadline_ms = kit_deadline();
    uint64_t peer;

    for (uint32_t i = 0; i < 2; i++) {
        net_keys_make(&keys[i]);
        set[i] = kit_admitted(&keys[i], i);
    }
    net_admit(server.net, set, 2);
    for (uint32_t i = 0; i < 2; i++) {
        clients[i] = kit_connect(&server, &keys[i]);
    }
    for (int i = 0; i < 1000; i++) {
        kit_say(clients[0], 0, "flood");
    }
    for (int i = 0; i < 50; i++) {
        kit_say(clients[1], 0, "calm");
    }
    while (!kit_is_past(deadline_ms)) {
        while (net_receive(server.net, &peer, &got) == STATUS_OK) {
            EXPECT_STR(buf_text(&got),
                       net_sender_tag(server.net) == 0 ? "flood" : "calm");
            heard[net_sender_tag(server.net)]++;
        }
        if (heard[1] == 50 &&
            (uint64_t)heard[0] + KIT_COUNT(server.net, flooded) == 1000) {
            break;
        }
        net_wait(server.net, KIT_STEP_MS, NULL, 0);
    }
    EXPECT_EQ(heard[1], 50);
    EXPECT_EQ(heard[0] + (int)KIT_COUNT(server.net, flooded), 1000);
    EXPECT(heard[0] >= 100);
    EXPECT(KIT_COUNT(server.net, flooded) > 0);
    buf_fini(&got);
    net_close(&clients[0], 0);
    net_close(&clients[1], 0);
    net_close(&server.net, 0);
}

/* ---- Many servers, many threads ----------------------------------------- */

TEST(each_server_has_a_list_of_its_own)
{
    struct kit_server a = kit_listen((struct net_listen){.port = 0});
    struct kit_server b = kit_listen((struct net_listen){.port = 0});
    struct net_keys keys;
    struct net_admitted own;
    struct net *to_a;
    struct net *to_b;

    net_keys_make(&keys);
    own = kit_admitted(&keys, 5);
    net_admit(b.net, &own, 1);
    to_a = kit_connect(&a, &keys);
    to_b = kit_connect(&b, &keys);
    kit_say(to_a, 0, "to a");
    kit_say(to_b, 0, "to b");
    kit_hear(b.net, "to b");
    KIT_WAIT_COUNT(a.net, refused, 1, to_a);
    EXPECT_EQ(KIT_COUNT(b.net, refused), 0);
    EXPECT_EQ(KIT_COUNT(a.net, admitted), 0);
    net_close(&a.net, 0);
    for (int i = 0; i < 200; i++) { /* Gates come and go. */
        a = kit_listen((struct net_listen){.port = 0});
        net_close(&a.net, 0);
    }
    kit_say(to_b, 0, "still");
    kit_hear(b.net, "still");
    net_close(&to_a, 0);
    net_close(&to_b, 0);
    net_close(&b.net, 0);
}

struct admitting {
    struct net *net;
    const struct net_admitted *set;
};

static void *admit_often(void *self)
{
    struct admitting *a = self;

    for (size_t i = 0; i < 1000; i++) {
        net_admit(a->net, a->set, 1 + i % 2);
        net_strangers_clear(a->net);
    }
    return NULL;
}

TEST(another_thread_may_admit)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net_keys keys[2];
    struct net_admitted set[2];
    struct admitting shared = {server.net, set};
    struct net *client;
    pthread_t thread;

    for (uint32_t i = 0; i < 2; i++) {
        net_keys_make(&keys[i]);
        set[i] = kit_admitted(&keys[i], i);
    }
    net_admit(server.net, set, 1);
    client = kit_connect(&server, &keys[0]);
    EXPECT_EQ(pthread_create(&thread, NULL, admit_often, &shared), 0);
    for (int i = 0; i < 200; i++) {
        kit_say(client, 0, "up");
        kit_say(server.net, kit_hear(server.net, "up"), "down");
        kit_hear(client, "down");
    }
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    net_close(&client, 0);
    net_close(&server.net, 0);
}

/* A handle that is made where one was just closed has nothing of it. */
TEST(clients_come_and_go)
{
    struct kit_server server = kit_listen((struct net_listen){.port = 0});
    struct net_keys keys;

    net_keys_make(&keys);
    for (int i = 0; i < 100; i++) {
        struct net *client = kit_connect(&server, &keys);

        net_close(&client, 0);
    }
    net_close(&server.net, 0);
}

/* A process may end with what is open: exit() does not wait for it. */
TEST(exit_does_not_wait_for_what_is_open)
{
    static struct kit_server server;
    static struct net *volatile open; /* Left so, but no leak: it is known. */
    struct net *client;
    struct net_keys keys;

    net_keys_make(&keys);
    server = kit_listen((struct net_listen){.port = 0});
    client = kit_connect(&server, &keys);
    open = client;
    KIT_WAIT_COUNT(server.net, refused, 1, client);
    EXPECT(open == client);
}
