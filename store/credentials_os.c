/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/credentials.h"

struct credentials_holder {
    const struct aws_config *config;
};

struct credentials_holder *credentials_holder_new(
    const struct aws_config *config)
{
    struct credentials_holder *h = mem_new(1, sizeof(*h));

    h->config = config;
    return h;
}

void credentials_holder_destroy(struct credentials_holder **h)
{
    free(*h);
    *h = NULL;
}

enum status credentials_get(struct credentials_holder *h, struct fault *why,
                            struct credentials *out)
{
    const char *key = aws_config_env(h->config, "AWS_ACCESS_KEY_ID");
    const char *secret = aws_config_env(h->config, "AWS_SECRET_ACCESS_KEY");
    const char *token = aws_config_env(h->config, "AWS_SESSION_TOKEN");

    memset(out, 0, sizeof(*out));
    if (key == NULL || secret == NULL) {
        return fault_set(why, STATUS_NOT_FOUND, "no credentials are set up");
    }
    snprintf(out->access_key, sizeof(out->access_key), "%s", key);
    snprintf(out->secret_key, sizeof(out->secret_key), "%s", secret);
    snprintf(out->token, sizeof(out->token), "%s", token != NULL ? token : "");
    snprintf(out->origin, sizeof(out->origin), "environment");
    return STATUS_OK;
}

enum status credentials_renew(struct credentials_holder *h, uint64_t generation,
                              struct fault *why, struct credentials *out)
{
    (void)generation;
    return credentials_get(h, why, out);
}

void credentials_wipe(struct credentials *c)
{
    memset(c, 0, sizeof(*c));
}
