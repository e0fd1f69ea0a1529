/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_sso.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "base/check.h"

void credentials_sso_name(struct bytes name,
                          char out[CREDENTIALS_SSO_NAME_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    CHECK(EVP_Digest(name.at, name.size, digest, &size, EVP_sha1(), NULL) == 1);
    CHECK(2 * size + 1 == CREDENTIALS_SSO_NAME_SIZE);
    for (unsigned i = 0; i < size; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}
