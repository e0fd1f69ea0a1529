/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this machine (net_addr_os.c). */

#ifndef PROTO_NET_ADDR_H
#define PROTO_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>

enum { NET_ADDR_MAX = 64 };

/* Write the address of the network interface @name, IPv4 where it has one.
 * false: there is no such interface, or it has no address. */
bool net_addr_of_interface(const char *name, char out[NET_ADDR_MAX]);

/* Whether @text is an IPv4 or IPv6 address in digits. */
bool net_addr_is_numeric(const char *text);

/* Write the address that @name (an address or a host's name) stands for on
 * this machine, IPv4 first. false: it is not known. */
bool net_addr_of_name(const char *name, char out[NET_ADDR_MAX]);

/* Write an address by which other machines reach this one: the first that is
 * not of the loopback, IPv4 first. false: there is none. */
bool net_addr_of_this(char out[NET_ADDR_MAX]);

#endif /* PROTO_NET_ADDR_H */
