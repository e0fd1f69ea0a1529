/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_url.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static const char *const url_local[] = {
    "localhost",      "::1",          "0:0:0:0:0:0:0:1", "169.254.170.2",
    "169.254.170.23", "fd00:ec2::23",
};

/* Copy @size bytes with a NUL; false: they do not fit. */
static bool url_copy(const char *at, size_t size, char *out)
{
    if (size >= CREDENTIALS_URL_MAX) {
        return false;
    }
    memcpy(out, at, size);
    out[size] = '\0';
    return true;
}

static bool url_is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text >= 0x7f || *text == '#') {
            return false;
        }
    }
    return true;
}

static bool url_is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint32_t port = 0;

    for (size_t i = 0; i < digits && i < 6; i++) {
        port = 10 * port + (uint32_t)(text[i] - '0');
    }
    return digits > 0 && digits < 6 && text[digits] == '\0' && port > 0 &&
           port <= UINT16_MAX;
}

/* Set the name of @out->host. */
static bool url_split_host(struct credentials_url *out)
{
    bool is_v6 = out->host[0] == '[';
    const char *name = out->host + (is_v6 ? 1 : 0);
    size_t size = strcspn(name, is_v6 ? "]" : ":");
    const char *rest = name + size;

    if (is_v6 && *rest++ != ']') {
        return false;
    }
    if (*rest != '\0' && (*rest != ':' || !url_is_port(rest + 1))) {
        return false;
    }
    return size > 0 && strcspn(name, "@\\[%\"<>") >= size &&
           url_copy(name, size, out->name);
}

bool credentials_url_split(const char *text, struct credentials_url *out)
{
    bool is_tls = strncasecmp(text, "https://", 8) == 0;
    const char *host = text + (is_tls ? 8 : 7);
    const char *path;

    if (!is_tls && strncasecmp(text, "http://", 7) != 0) {
        return false;
    }
    path = host + strcspn(host, "/?");
    out->is_tls = is_tls;
    if (!url_is_printable(text) || strlen(path) + 1 >= sizeof(out->path) ||
        !url_copy(text, (size_t)(path - text), out->origin) ||
        !url_copy(host, (size_t)(path - host), out->host)) {
        return false;
    }
    out->path[0] = '/';
    memcpy(out->path + (*path == '/' ? 0 : 1), path, strlen(path) + 1);
    if (*path == '\0') {
        out->path[1] = '\0';
    }
    return url_split_host(out);
}

/* "127.0.0.0/8" as four plain numbers: a name that starts so is elsewhere. */
static bool url_is_loopback(const char *name)
{
    const char *at = name;
    int parts = 0;

    while (parts < 4) {
        size_t digits = strspn(at, "0123456789");
        uint32_t value = 0;

        for (size_t i = 0; i < digits && i < 4; i++) {
            value = 10 * value + (uint32_t)(at[i] - '0');
        }
        if (digits == 0 || digits > 3 || value > 255 ||
            (parts == 0 && value != 127)) {
            return false;
        }
        parts++;
        at += digits;
        if (*at != (parts < 4 ? '.' : '\0')) {
            return false;
        }
        at++;
    }
    return true;
}

bool credentials_url_is_local(const struct credentials_url *url)
{
    for (size_t i = 0; i < sizeof(url_local) / sizeof(url_local[0]); i++) {
        if (strcasecmp(url->name, url_local[i]) == 0) {
            return true;
        }
    }
    return url_is_loopback(url->name);
}
