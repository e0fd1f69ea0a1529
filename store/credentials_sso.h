/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: how a cached SSO login is named
 * (credentials_sso_openssl.c). Pure. */

#ifndef STORE_CREDENTIALS_SSO_H
#define STORE_CREDENTIALS_SSO_H

#include "base/bytes.h"

/* Write the SHA-1 of @name as lower-case hex: the tools' choice of a file
 * name, no protection of anything. */
enum { CREDENTIALS_SSO_NAME_SIZE = 41 };
void credentials_sso_name(struct bytes name,
                          char out[CREDENTIALS_SSO_NAME_SIZE]);

#endif /* STORE_CREDENTIALS_SSO_H */
