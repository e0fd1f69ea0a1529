/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/net_addr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* Write @address as digits. false: it is of neither family. */
static bool net_addr_os_print(const struct sockaddr *address,
                              char out[NET_ADDR_MAX])
{
    socklen_t size = address->sa_family == AF_INET
                         ? (socklen_t)sizeof(struct sockaddr_in)
                         : (socklen_t)sizeof(struct sockaddr_in6);

    if (address->sa_family != AF_INET && address->sa_family != AF_INET6) {
        return false;
    }
    return getnameinfo(address, size, out, NET_ADDR_MAX, NULL, 0,
                       NI_NUMERICHOST) == 0;
}

static bool net_addr_os_is_wanted(const struct ifaddrs *i, const char *name)
{
    if (name != NULL) {
        return strcmp(i->ifa_name, name) == 0;
    }
    return (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0;
}

/* Find the first address, IPv4 before IPv6, of the interface @name, or of any
 * that is up and not the loopback when @name is NULL. */
static bool net_addr_os_find(const struct ifaddrs *all, const char *name,
                             char out[NET_ADDR_MAX])
{
    static const int families[] = {AF_INET, AF_INET6};

    for (int f = 0; f < 2; f++) {
        for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
            if (i->ifa_addr != NULL && i->ifa_addr->sa_family == families[f] &&
                net_addr_os_is_wanted(i, name) &&
                net_addr_os_print(i->ifa_addr, out)) {
                return true;
            }
        }
    }
    return false;
}

enum status net_addr_of_interface(const char *name, struct fault *why,
                                  char out[NET_ADDR_MAX])
{
    struct ifaddrs *all = NULL;
    bool is_found;

    if (getifaddrs(&all) != 0) {
        return fault_set(why, STATUS_OS,
                         "this machine's interfaces can not be listed: %s",
                         strerror(errno));
    }
    is_found = net_addr_os_find(all, name, out);
    freeifaddrs(all);
    if (is_found) {
        return STATUS_OK;
    }
    if (if_nametoindex(name) != 0) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "the interface %s has no address", name);
    }
    return fault_set(why, STATUS_NOT_FOUND, "this machine has no interface %s",
                     name);
}

/* Resolve @name with the resolver, or only read it as digits. */
static int net_addr_os_lookup(const char *name, int family, int flags,
                              char out[NET_ADDR_MAX])
{
    struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name, NULL, &hints, &found);

    if (error == 0 && !net_addr_os_print(found->ai_addr, out)) {
        error = EAI_FAMILY;
    }
    if (found != NULL) {
        freeaddrinfo(found);
    }
    return error;
}

/* As net_addr_of_name(), with the resolver's error. */
static int net_addr_os_ask(const char *name, char out[NET_ADDR_MAX])
{
    int error = net_addr_os_lookup(name, AF_INET, 0, out);

    return error == 0 ? 0 : net_addr_os_lookup(name, AF_INET6, 0, out);
}

bool net_addr_of_name(const char *name, char out[NET_ADDR_MAX])
{
    return net_addr_os_ask(name, out) == 0;
}

bool net_addr_is_ours(const char *address)
{
    struct ifaddrs *all = NULL;
    char text[NET_ADDR_MAX];
    bool is_ours = false;

    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (const struct ifaddrs *i = all; i != NULL && !is_ours;
         i = i->ifa_next) {
        is_ours = i->ifa_addr != NULL && net_addr_os_is_wanted(i, NULL) &&
                  net_addr_os_print(i->ifa_addr, text) &&
                  strcmp(text, address) == 0;
    }
    freeifaddrs(all);
    return is_ours;
}

bool net_addr_of_this(char out[NET_ADDR_MAX])
{
    struct ifaddrs *all = NULL;
    bool is_found;

    if (getifaddrs(&all) != 0) {
        return false;
    }
    is_found = net_addr_os_find(all, NULL, out);
    freeifaddrs(all);
    return is_found;
}

enum status net_addr_resolve(const char *address, struct fault *why,
                             char out[NET_ADDR_MAX])
{
    size_t size = strlen(address);
    char bare[NET_HOST_MAX];
    int error;

    if (size == 0 || size >= sizeof(bare)) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "an address of %zu bytes, not 1 to %zu", size,
                         sizeof(bare) - 1);
    }
    memcpy(bare, address, size + 1);
    if (bare[0] == '[' && bare[size - 1] == ']') {
        bare[size - 1] = '\0';
        memmove(bare, bare + 1, size - 1);
    }
    if (net_addr_os_lookup(bare, AF_UNSPEC, AI_NUMERICHOST, out) == 0) {
        return STATUS_OK;
    }
    if (if_nametoindex(bare) != 0) {
        return net_addr_of_interface(bare, why, out);
    }
    error = net_addr_os_ask(bare, out);
    if (error != 0) {
        return fault_set(why, STATUS_NOT_FOUND,
                         "\"%s\" is not an address, not an interface of this "
                         "machine and not a host that is known here: %s",
                         address, gai_strerror(error));
    }
    return STATUS_OK;
}
