/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: the URLs of providers. Pure. */

#ifndef STORE_CREDENTIALS_URL_H
#define STORE_CREDENTIALS_URL_H

#include <stdbool.h>

enum { CREDENTIALS_URL_MAX = 1024 };

struct credentials_url {
    char origin[CREDENTIALS_URL_MAX]; /* "http://h:1", "https://[::1]". */
    char host[CREDENTIALS_URL_MAX];   /* As the Host header has it. */
    char name[CREDENTIALS_URL_MAX];   /* The same without port, brackets. */
    char path[CREDENTIALS_URL_MAX];   /* "/a?b": at least "/". */
    bool is_tls;
};

/* Take @text apart. false: not http(s)://host[:port][/path][?query], too
 * long, or with white space, control bytes, a user or a fragment in it. */
bool credentials_url_split(const char *text, struct credentials_url *out);

/* Whether a container's credentials may come from @url without TLS: the
 * loopback, or an address that a platform keeps for them. */
bool credentials_url_is_local(const struct credentials_url *url);

#endif /* STORE_CREDENTIALS_URL_H */
