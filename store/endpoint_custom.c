/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "store/endpoint_parts.h"

struct endpoint_custom {
    char scheme[16];
    char authority[ENDPOINT_CUSTOM_MAX + 1]; /* Without the scheme's port. */
    char path[ENDPOINT_CUSTOM_MAX + 1];
    bool is_address; /* No name can stand before it. */
    bool is_tls;
};

/* "", or ":" and 1 to 65535. */
static bool endpoint_is_port(const char *text)
{
    unsigned port = 0;

    if (text[0] == '\0') {
        return true;
    }
    for (size_t i = 1; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i > 5) {
            return false;
        }
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return text[0] == ':' && port >= 1 && port <= 65535;
}

/* "[2001:db8::1]"; whether the address is whole shows when it is used. */
static bool endpoint_is_bracketed(const char *text, size_t size)
{
    for (size_t i = 1; i + 1 < size; i++) {
        if (strchr("0123456789abcdefABCDEF:.", text[i]) == NULL) {
            return false;
        }
    }
    return size >= 4 && text[size - 1] == ']';
}

/* Names with '_' are not those of the DNS, but of containers. */
static bool endpoint_is_name(const char *text, size_t size)
{
    char last = '.';

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (!endpoint_is_letter(c) && c != '_' &&
            (last == '.' || (c != '-' && c != '.'))) {
            return false;
        }
        last = c;
    }
    return size >= 1 && size <= 253 && last != '-';
}

static bool endpoint_is_authority(const char *text)
{
    size_t size = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":");
    bool is_host;

    size += text[size] == ']';
    is_host = text[0] == '[' ? endpoint_is_bracketed(text, size)
                             : endpoint_is_name(text, size);
    return is_host && endpoint_is_port(text + size);
}

/* Leave a port out that the scheme has anyway, as a Host header does. */
static void endpoint_drop_port(struct endpoint_custom *c)
{
    const char *port = c->is_tls ? ":443" : ":80";
    size_t size = strlen(c->authority);

    if (size > strlen(port) &&
        strcmp(c->authority + size - strlen(port), port) == 0 &&
        c->authority[size - strlen(port) - 1] != ':') {
        c->authority[size - strlen(port)] = '\0';
    }
}

static enum status endpoint_read_custom(const char *text, struct fault *why,
                                        struct endpoint_custom *out)
{
    const char *rest = strstr(text, "://");
    size_t scheme = rest != NULL ? (size_t)(rest - text) : 0;
    size_t authority;
    size_t path;

    *out = (struct endpoint_custom){.scheme = ""};
    rest = rest != NULL ? rest + 3 : text;
    authority = strcspn(rest, "/?#");
    path = strlen(rest + authority);
    while (path > 0 && rest[authority + path - 1] == '/') {
        path--;
    }
    if (((scheme != 4 || strncmp(text, "http", 4) != 0) &&
         (scheme != 5 || strncmp(text, "https", 5) != 0)) ||
        authority + path > ENDPOINT_CUSTOM_MAX || strpbrk(rest, "?#") != NULL) {
        return fault_set(why, STATUS_INVALID,
                         "endpoint '%.300s' is not a URL of at most %d bytes; "
                         "write http[s]://HOST[:PORT][/PATH]",
                         strchr(text, '@') != NULL ? "(user name left out)"
                                                   : text,
                         ENDPOINT_CUSTOM_MAX);
    }
    memcpy(out->scheme, text, scheme);
    memcpy(out->authority, rest, authority);
    memcpy(out->path, rest + authority, path);
    out->is_tls = scheme == 5;
    out->is_address =
        out->authority[0] == '[' || endpoint_is_ipv4(out->authority);
    if (!endpoint_is_authority(out->authority)) {
        bool has_user = strchr(out->authority, '@') != NULL; /* A password. */

        return fault_set(why, STATUS_INVALID,
                         "endpoint '%s' has no host and port that can be; "
                         "write http[s]://HOST[:PORT][/PATH]",
                         has_user ? "(user name left out)" : text);
    }
    endpoint_drop_port(out);
    return STATUS_OK;
}

/* Behind a custom endpoint: in the path unless told otherwise, which is what
 * servers other than AWS always understand. */
enum status endpoint_on_custom(const struct endpoint_input *in,
                               const char *name, bool is_hosted,
                               struct fault *why, struct endpoint *out)
{
    struct endpoint_custom c;
    enum status s = endpoint_read_custom(in->endpoint, why, &c);

    if (s != STATUS_OK) {
        return s;
    }
    out->is_custom = true;
    out->is_tls = c.is_tls;
    is_hosted = name != NULL && is_hosted && !c.is_address &&
                endpoint_is_hostable(name, !c.is_tls);
    if (is_hosted) {
        endpoint_print(out, "%.63s.%.250s", name, c.authority);
        snprintf(out->path, sizeof(out->path), "%.250s", c.path);
    } else {
        endpoint_print(out, "%.250s", c.authority);
        snprintf(out->path, sizeof(out->path), "%.250s%s%.255s", c.path,
                 name != NULL ? "/" : "", name != NULL ? name : "");
    }
    return STATUS_OK;
}
