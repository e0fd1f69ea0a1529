/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the network with keys: servers and clients on loopback, at
 * ports that the kernel chooses. Waiting is always for something that must
 * come; KIT_WAIT_MS is when a test gives up. */

#ifndef TESTS_NET_KIT_H
#define TESTS_NET_KIT_H

#include <stdbool.h>
#include <stdint.h>

#define TEST_MAY_LEAVE_FILES /* The library's context stays. */
#include "base/clock.h"
#include "proto/net.h"
#include "tests/harness.h"

enum { KIT_MAX = 64 << 10, KIT_WAIT_MS = 60000, KIT_STEP_MS = 10 };

/* Return when to give up. */
static inline uint64_t kit_deadline(void)
{
    return clock_now_ms(&clock_os) + KIT_WAIT_MS;
}

static inline bool kit_is_past(uint64_t deadline_ms)
{
    return clock_now_ms(&clock_os) > deadline_ms;
}

/* A server with keys of its own. */
struct kit_server {
    struct net *net;
    struct net_keys keys;
    char endpoint[NET_ENDPOINT_MAX];
};

static inline struct kit_server kit_listen(struct net_listen options)
{
    struct kit_server s = {.net = NULL};
    struct fault why;

    net_keys_make(&s.keys);
    options.address = "127.0.0.1";
    options.keys = &s.keys;
    if (options.message_max == 0) {
        options.message_max = KIT_MAX;
    }
    EXPECT_EQ(net_listen(&options, &why, &s.net, s.endpoint), STATUS_OK);
    return s;
}

static inline struct net *kit_connect(const struct kit_server *s,
                                      const struct net_keys *keys)
{
    struct net_connect options = {s->endpoint, KIT_MAX, keys,
                                  s->keys.public_key};
    struct net *n = NULL;
    struct fault why;

    EXPECT_EQ(net_connect(&options, &why, &n), STATUS_OK);
    return n;
}

static inline struct net_admitted kit_admitted(const struct net_keys *keys,
                                               uint32_t tag)
{
    struct net_admitted a = {.tag = tag};

    memcpy(a.key, keys->public_key, sizeof(a.key));
    return a;
}

static inline void kit_say(struct net *n, uint64_t peer, const char *text)
{
    EXPECT_EQ(net_send(n, peer, bytes_of(text)), STATUS_OK);
}

/* Take the next message of @n, which must be @text. Returns its peer. */
static inline uint64_t kit_hear(struct net *n, const char *text)
{
    struct buf got = {0};
    uint64_t peer = 0;
    enum status s = STATUS_NOT_FOUND;
    uint64_t deadline_ms = kit_deadline();

    while (s != STATUS_OK && !kit_is_past(deadline_ms)) {
        s = net_receive(n, &peer, &got);
        if (s != STATUS_OK) {
            net_wait(n, KIT_STEP_MS, NULL, 0);
        }
    }
    EXPECT_EQ(s, STATUS_OK);
    EXPECT_STR(buf_text(&got), text);
    buf_fini(&got);
    return peer;
}

/* Say @text until @server hears it: what a client says while it is refused, or
 * its connection breaks, may be lost. Returns its peer. */
static inline uint64_t kit_insist(struct net *client, const char *text,
                                  struct net *server)
{
    struct buf got = {0};
    uint64_t peer = 0;
    enum status s = STATUS_NOT_FOUND;
    uint64_t deadline_ms = kit_deadline();

    while (s != STATUS_OK && !kit_is_past(deadline_ms)) {
        (void)!net_send(client, 0, bytes_of(text));
        net_wait(client, KIT_STEP_MS, NULL, 0);
        s = net_receive(server, &peer, &got);
        if (s == STATUS_OK && !bytes_is(buf_bytes(&got), text)) {
            s = STATUS_NOT_FOUND; /* Of an earlier call. */
        }
    }
    EXPECT_EQ(s, STATUS_OK);
    buf_fini(&got);
    return peer;
}

/* The count at @at, bytes into struct net_counts. */
static inline uint64_t kit_count(struct net *server, size_t at)
{
    struct net_counts counts;
    uint64_t value;

    net_counts(server, &counts);
    memcpy(&value, (const char *)&counts + at, sizeof(value));
    return value;
}

/* Wait until a count is @least; a client may be turned, too, so that it tries
 * again. */
static inline void kit_wait_count(struct net *server, size_t at, uint64_t least,
                                  struct net *client)
{
    uint64_t deadline_ms = kit_deadline();

    while (!kit_is_past(deadline_ms)) {
        if (kit_count(server, at) >= least) {
            return;
        }
        net_wait(server, KIT_STEP_MS, NULL, 0);
        if (client != NULL) {
            net_wait(client, 0, NULL, 0);
        }
    }
    fprintf(stderr, "a count stays at %llu\n",
            (unsigned long long)kit_count(server, at));
    exit(1);
}

#define KIT_COUNT(server, name)                                                \
    kit_count((server), offsetof(struct net_counts, name))
#define KIT_WAIT_COUNT(server, name, least, client)                            \
    kit_wait_count((server), offsetof(struct net_counts, name), (least),       \
                   (client))

#endif /* TESTS_NET_KIT_H */
