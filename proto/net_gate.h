/* SPDX-License-Identifier: Apache-2.0 */
/* Private to proto/net_*.c: the door of one server with keys.
 *
 * One thread a process answers ZeroMQ's questions (ZAP) whether a key may
 * come in, for every server, and counts what the servers' monitors tell of
 * their connections. It starts with the first gate, handles no signal, and
 * ends with ZeroMQ's context at exit.
 *
 * A gate is used by its server's owner; admit, strangers and is_admitted by
 * any thread between open and close. */

#ifndef PROTO_NET_GATE_H
#define PROTO_NET_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/net.h"

struct net_gate;

/* Open a gate for the ROUTER @socket of @context, which must not be bound
 * yet, and tell the socket to ask it. */
struct net_gate *net_gate_open(void *context, void *socket);

/* Close it: nobody gets in any more. Before @socket is closed. NULL is left
 * alone. */
void net_gate_close(struct net_gate **g);

void net_gate_admit(struct net_gate *g, const struct net_admitted *set,
                    size_t count);

/* Return whether @key is admitted, and its tag. */
bool net_gate_is_admitted(struct net_gate *g, const char *key, uint32_t *tag);

/* A number that grows with each net_gate_admit(): what was looked up under
 * the same number still holds. */
uint64_t net_gate_generation(const struct net_gate *g);

int net_gate_strangers_fd(const struct net_gate *g);
void net_gate_strangers_clear(struct net_gate *g);

/* Write the counts that the gate keeps, the first five, to @out. */
void net_gate_counts(struct net_gate *g, struct net_counts *out);

#endif /* PROTO_NET_GATE_H */
