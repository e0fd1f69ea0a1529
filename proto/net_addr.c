/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/net_addr.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char SCHEME[] = "tcp://";

/* What names, numeric addresses and scopes are made of; it leaves out what
 * the transport gives a meaning of its own (';', '*', '/'). */
static bool net_addr_is_host(const char *host, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:%";

    return size > 0 && size < NET_HOST_MAX && strspn(host, allowed) >= size;
}

static bool net_addr_parse_port(const char *text, uint16_t *out)
{
    unsigned port = 0;

    if (*text == '\0' || strlen(text) > 5) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(*text - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

enum status net_addr_join(const char *host, uint16_t port, struct fault *why,
                          char out[NET_ENDPOINT_MAX])
{
    size_t size = strlen(host);
    bool is_bare;

    if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
        host++;
        size -= 2;
    }
    if (!net_addr_is_host(host, size)) {
        return fault_set(why, STATUS_INVALID,
                         "\"%s\" is not an address or the name of a host",
                         host);
    }
    is_bare = memchr(host, ':', size) == NULL;
    snprintf(out, NET_ENDPOINT_MAX, "%s%s%.*s%s:%u", SCHEME, is_bare ? "" : "[",
             (int)size, host, is_bare ? "" : "]", port);
    return STATUS_OK;
}

static bool net_addr_take(const char *endpoint, char host[NET_HOST_MAX],
                          uint16_t *port)
{
    const char *at = endpoint + sizeof(SCHEME) - 1;
    const char *colon = strrchr(endpoint, ':');
    bool is_bracketed;
    size_t size;

    if (strncmp(endpoint, SCHEME, sizeof(SCHEME) - 1) != 0 || colon < at) {
        return false;
    }
    size = (size_t)(colon - at);
    is_bracketed = size > 2 && at[0] == '[' && at[size - 1] == ']';
    at += is_bracketed ? 1 : 0;
    size -= is_bracketed ? 2 : 0;
    if (!net_addr_is_host(at, size) || !net_addr_parse_port(colon + 1, port) ||
        (memchr(at, ':', size) != NULL) != is_bracketed) {
        return false;
    }
    memcpy(host, at, size);
    host[size] = '\0';
    return true;
}

enum status net_addr_split(const char *endpoint, struct fault *why,
                           char host[NET_HOST_MAX], uint16_t *port)
{
    if (net_addr_take(endpoint, host, port)) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_INVALID,
                     "\"%s\" is not an endpoint such as tcp://10.0.0.5:7000",
                     endpoint);
}
