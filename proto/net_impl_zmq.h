/* SPDX-License-Identifier: Apache-2.0 */
/* Private to proto/net_*zmq.c: what a handle is, and the parts that look
 * after one side of it. */

#ifndef PROTO_NET_IMPL_ZMQ_H
#define PROTO_NET_IMPL_ZMQ_H

#include <czmq.h>

#include "proto/net.h"
#include "proto/net_gate.h"

enum {
    NET_CURVE_COST = 33,       /* Bytes that CURVE adds to a message. */
    NET_GUARD_SLOTS = 1 << 14, /* Peers that are told apart in counting. */
};

/* What is known of one peer; of two that fall on one slot the later one. */
struct net_guard_slot {
    uint64_t peer;
    uint64_t generation; /* Of the gate, when @tag was looked up; 0: never. */
    uint64_t second;     /* In which @taken messages were. */
    uint32_t taken;
    uint32_t tag;
};

struct net {
    zsock_t *sock;
    void *raw;   /* The same, for ZeroMQ itself. */
    int fd;      /* Readable once ZeroMQ has something for @raw to look at. */
    bool is_dry; /* Nothing was there, and nothing was done to @raw since: @fd
                    tells what comes. */
    bool is_server;
    size_t message_max;

    /* A server's. */
    struct net_gate *gate; /* NULL without keys. */
    uint32_t rate_max;
    struct net_guard_slot *slots; /* NULL with neither keys nor a rate. */
    uint32_t tag;                 /* Of the last message. */
    struct net_counts counts;     /* Those that this thread keeps. */

    /* A client's. */
    char endpoint[NET_ENDPOINT_MAX];
    zsock_t *monitor_sock;
    void *monitor; /* The same, for ZeroMQ itself. */
    int monitor_fd;
    bool is_monitor_dry; /* As is_dry. */
    uint64_t down_ms;    /* Since when nothing is being tried; 0: it is. */
    uint64_t revive_ms;
    uint32_t revived; /* How often it was connected anew. */
};

/* ---- net_guard_zmq.c: whom a server hears ------------------------------- */

enum net_verdict { NET_HEAR, NET_DROP };

/* Judge a message of @peer by key and rate; sets n->tag and counts. */
enum net_verdict net_guard_judge(struct net *n, uint64_t peer,
                                 zmq_msg_t *frame);

/* ---- net_revive_zmq.c: a client that ZeroMQ would give up --------------- */

/* Listen to what @n's connection goes through; before it connects. */
void net_revive_start(struct net *n);
void net_revive_fini(struct net *n);

/* Take what the monitor tells unless it is dry; connect anew when that is due.
 * Returns in how many ms to call again, -1: when the monitor has something. */
int net_revive_step(struct net *n);

/* The descriptor of ZeroMQ's @socket. It tells of what comes only once the
 * socket was found to have nothing; then it is read out by looking again. */
int net_open_fd(void *socket);

#endif /* PROTO_NET_IMPL_ZMQ_H */
