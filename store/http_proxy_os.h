/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the HTTP transports: the proxy that the environment names, by
 * the rules of libcurl: http_proxy (lower case only), https_proxy and
 * HTTPS_PROXY, then all_proxy and ALL_PROXY; no_proxy and NO_PROXY take hosts,
 * domains and networks out. An empty variable is as good as none. */

#ifndef STORE_HTTP_PROXY_OS_H
#define STORE_HTTP_PROXY_OS_H

/* Return the proxy for @origin as the variable has it, NULL for none. It may
 * hold a password. The environment owns it. */
const char *http_proxy_find(const char *origin);

#endif /* STORE_HTTP_PROXY_OS_H */
