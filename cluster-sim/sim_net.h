/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network behind the promises of proto/net.h: whole messages
 * between a server and its peers, which the server knows by numbers that are
 * never used again; a client that connects again is a new peer. Each process
 * has one server, and one client at most.
 *
 * Messages keep their order on one connection, but for what the weather says.
 * A cut loses or holds back what is sent from one node to another. */

#ifndef CLUSTER_SIM_SIM_NET_H
#define CLUSTER_SIM_SIM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/prng.h"
#include "cluster-sim/sim_clock.h"
#include "cluster-sim/sim_fault.h"

enum { SIM_ENDPOINT_MAX = 48 };

struct sim_net;

struct sim_net_options {
    struct sim_clock *clock;
    struct prng *prng;
    const struct sim_weather *weather; /* Looked at with each message. */
    uint32_t nodes;
    uint32_t packet_kind; /* Of the events. */
    bool has_fixed_ports; /* A process that comes again has the endpoint of
                             the one before. */
};

struct sim_net *sim_net_new(const struct sim_net_options *options);
void sim_net_destroy(struct sim_net **n);

/* A process begins on @node, or dies with all its connections. */
void sim_net_up(struct sim_net *n, uint32_t node);
void sim_net_down(struct sim_net *n, uint32_t node);

/* The endpoint of @node's process. */
void sim_net_endpoint(const struct sim_net *n, uint32_t node,
                      char out[SIM_ENDPOINT_MAX]);

/* Point @node's client to @endpoint, closing what it had. */
void sim_net_connect(struct sim_net *n, uint32_t node, const char *endpoint);

/* Send to the server that @node's client is pointed to, if any. */
void sim_net_send_up(struct sim_net *n, uint32_t node, struct bytes message);

/* Send from @node's server to @peer; one that has gone hears nothing. */
void sim_net_send_down(struct sim_net *n, uint32_t node, uint64_t peer,
                       struct bytes message);

/* From now to @until_us nothing that @from sends reaches @to. */
void sim_net_cut(struct sim_net *n, uint32_t from, uint32_t to,
                 uint64_t until_us, bool is_lossy);
void sim_net_calm(struct sim_net *n);

/* A message that has come. */
struct sim_packet {
    uint64_t link; /* Also the peer's number. */
    uint32_t from;
    uint32_t to;
    bool is_up; /* From a client to a server. */
    size_t size;
    char at[];
};

/* Return the packet if its connection still lives; free() it. NULL: it is
 * lost, or has been put off. */
struct sim_packet *sim_net_take(struct sim_net *n, struct sim_event *e);

void sim_net_check(const struct sim_net *n);

#endif /* CLUSTER_SIM_SIM_NET_H */
