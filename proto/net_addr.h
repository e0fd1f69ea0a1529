/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as texts, and which addresses this machine has.
 *
 * An endpoint is "tcp://HOST:PORT", with an IPv6 address in brackets. */

#ifndef PROTO_NET_ADDR_H
#define PROTO_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"

enum {
    NET_ADDR_MAX = 64, /* A numeric address with its scope and its NUL. */
    NET_HOST_MAX = 256,
    NET_ENDPOINT_MAX = 320,
};

/* Write "tcp://HOST:PORT" to @out. INVALID: @host can not be part of an
 * endpoint (empty, too long, or of other characters than names, addresses and
 * their scopes have). */
MUST_USE enum status net_addr_join(const char *host, uint16_t port,
                                   struct fault *why,
                                   char out[NET_ENDPOINT_MAX]);

/* Take @endpoint apart; brackets around the host are removed. INVALID: it is
 * not an endpoint, or its port is 0. */
MUST_USE enum status net_addr_split(const char *endpoint, struct fault *why,
                                    char host[NET_HOST_MAX], uint16_t *port);

/* Write the numeric address of the interface @name ("eth0") to @out: its
 * first IPv4 address, else its first IPv6 one, with a scope if it needs one.
 * NOT_FOUND: there is no such interface, or it has no address. OS. */
MUST_USE enum status net_addr_of_interface(const char *name, struct fault *why,
                                           char out[NET_ADDR_MAX]);

/* Write the numeric address that @address stands for to @out: an address
 * itself (brackets allowed), the name of an interface, or else the name of a
 * host, of which an IPv4 address is preferred. May ask the resolver, which
 * blocks. NOT_FOUND: it is none of them. OS. */
MUST_USE enum status net_addr_resolve(const char *address, struct fault *why,
                                      char out[NET_ADDR_MAX]);

/* Write an address of the host @name, IPv4 first. Asks the resolver, which
 * blocks. false: it is not known here. */
bool net_addr_of_name(const char *name, char out[NET_ADDR_MAX]);

/* @address is a numeric one by which other machines may reach this one: of an
 * interface that is up, and not the loopback. */
bool net_addr_is_ours(const char *address);

/* Write an address by which other machines reach this one: the first that is
 * not of the loopback, IPv4 first. false: there is none. */
bool net_addr_of_this(char out[NET_ADDR_MAX]);

#endif /* PROTO_NET_ADDR_H */
