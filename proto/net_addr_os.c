/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/net_addr.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool net_addr_write(const struct sockaddr *from, char *out)
{
    const void *at = NULL;

    if (from->sa_family == AF_INET) {
        at = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
    } else if (from->sa_family == AF_INET6) {
        at = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    }
    return at != NULL &&
           inet_ntop(from->sa_family, at, out, NET_ADDR_MAX) != NULL;
}

static bool net_addr_is_wanted(const struct ifaddrs *i, const char *name)
{
    if (name != NULL) {
        return strcmp(i->ifa_name, name) == 0;
    }
    return (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0;
}

/* Find an address of the interface @name, or of any that is up and not the
 * loopback when @name is NULL. */
static bool net_addr_find(const char *name, char *out)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct ifaddrs *all = NULL;
    bool is_found = false;

    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (int f = 0; f < 2 && !is_found; f++) {
        for (const struct ifaddrs *i = all; i != NULL && !is_found;
             i = i->ifa_next) {
            is_found =
                i->ifa_addr != NULL && i->ifa_addr->sa_family == families[f] &&
                net_addr_is_wanted(i, name) && net_addr_write(i->ifa_addr, out);
        }
    }
    freeifaddrs(all);
    return is_found;
}

bool net_addr_of_interface(const char *name, char out[NET_ADDR_MAX])
{
    return net_addr_find(name, out);
}

bool net_addr_of_this(char out[NET_ADDR_MAX])
{
    return net_addr_find(NULL, out);
}

bool net_addr_is_numeric(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, text, bytes) == 1 ||
           inet_pton(AF_INET6, text, bytes) == 1;
}

bool net_addr_of_name(const char *name, char out[NET_ADDR_MAX])
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool is_found = false;

    if (getaddrinfo(name, NULL, &hints, &found) != 0) {
        return false;
    }
    for (int pass = 0; pass < 2 && !is_found; pass++) {
        for (const struct addrinfo *i = found; i != NULL && !is_found;
             i = i->ai_next) {
            is_found = (pass == 1 || i->ai_family == AF_INET) &&
                       net_addr_write(i->ai_addr, out);
        }
    }
    freeaddrinfo(found);
    return is_found;
}
