/* SPDX-License-Identifier: Apache-2.0 */
#include "store/http_proxy_os.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/http.h"

enum { PROXY_HOST_MAX = 256 };

/* The host of a request, read once for all entries of the list. */
struct proxy_host {
    char name[PROXY_HOST_MAX];
    size_t size;
    int family; /* AF_UNSPEC: a name. */
    unsigned char address[16];
};

static const char *proxy_env(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *proxy_env_either(const char *a, const char *b)
{
    const char *value = proxy_env(a);

    return value != NULL ? value : proxy_env(b);
}

/* false: longer than any host is. */
static bool proxy_host_read(const char *at, struct proxy_host *out)
{
    bool is_bracketed = at[0] == '[';
    size_t size = is_bracketed ? strcspn(++at, "]/") : strcspn(at, ":/?");

    if (size >= sizeof(out->name)) {
        return false;
    }
    memcpy(out->name, at, size);
    out->name[size] = '\0';
    out->size = size;
    out->family = AF_UNSPEC;
    if (inet_pton(AF_INET, out->name, out->address) == 1) {
        out->family = AF_INET;
    } else if (is_bracketed &&
               inet_pton(AF_INET6, out->name, out->address) == 1) {
        out->family = AF_INET6;
    } else if (size > 0 && out->name[size - 1] == '.') {
        out->size--;
    }
    return true;
}

static bool proxy_is_in_domain(const struct proxy_host *host, const char *entry,
                               size_t size)
{
    size_t before;

    size -= size > 0 && entry[size - 1] == '.';
    if (size > 0 && entry[0] == '.') {
        entry++;
        size--;
    }
    if (size == 0 || size > host->size) {
        return false;
    }
    before = host->size - size;
    return strncasecmp(host->name + before, entry, size) == 0 &&
           (before == 0 || host->name[before - 1] == '.');
}

/* @entry is an address or a network, "10.0.0.0/8". */
static bool proxy_is_in_network(const struct proxy_host *host,
                                const char *entry, size_t size)
{
    unsigned bits_max = host->family == AF_INET ? 32 : 128;
    unsigned bits = bits_max;
    unsigned char network[16];
    char text[PROXY_HOST_MAX];
    char *slash;

    if (size >= sizeof(text)) {
        return false;
    }
    memcpy(text, entry, size);
    text[size] = '\0';
    slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        bits = (unsigned)strtoul(slash + 1, NULL, 10);
    }
    if (bits > bits_max || inet_pton(host->family, text, network) != 1 ||
        memcmp(network, host->address, bits / 8) != 0) {
        return false;
    }
    return bits % 8 == 0 ||
           (network[bits / 8] ^ host->address[bits / 8]) >> (8 - bits % 8) == 0;
}

static bool proxy_is_excepted(const struct proxy_host *host, const char *list)
{
    if (list == NULL) {
        return false;
    }
    if (strcmp(list, "*") == 0) {
        return true;
    }
    for (list += strspn(list, ", \t"); *list != '\0';
         list += strspn(list, ", \t")) {
        size_t size = strcspn(list, ", \t");

        if (host->family == AF_UNSPEC ? proxy_is_in_domain(host, list, size)
                                      : proxy_is_in_network(host, list, size)) {
            return true;
        }
        list += size;
    }
    return false;
}

const char *http_proxy_find(const char *origin)
{
    const char *host_at = strstr(origin, "://");
    const char *proxy = NULL;
    struct proxy_host host;

    if (host_at == NULL || !proxy_host_read(host_at + 3, &host) ||
        proxy_is_excepted(&host, proxy_env_either("no_proxy", "NO_PROXY"))) {
        return NULL;
    }
    if (strncasecmp(origin, "https:", 6) == 0) {
        proxy = proxy_env_either("https_proxy", "HTTPS_PROXY");
    } else { /* HTTP_PROXY in capitals can come from a header, under CGI. */
        proxy = proxy_env("http_proxy");
    }
    return proxy != NULL ? proxy : proxy_env_either("all_proxy", "ALL_PROXY");
}

bool http_has_proxy(const char *origin)
{
    return http_proxy_find(origin) != NULL;
}
