/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: which provider is set up. Pure over the config;
 * nothing is asked, so what is found may still fail. Strings of a chain are
 * the config's. */

#ifndef STORE_CREDENTIALS_CHAIN_H
#define STORE_CREDENTIALS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/aws_config.h"
#include "store/credentials.h"

enum credentials_kind {
    CREDENTIALS_ANONYMOUS,
    CREDENTIALS_ENVIRONMENT,
    CREDENTIALS_KEYS, /* Of a profile. */
    CREDENTIALS_WEB_IDENTITY,
    CREDENTIALS_SSO,
    CREDENTIALS_PROCESS,
    CREDENTIALS_CONTAINER,
    CREDENTIALS_IMDS,
};

enum {
    CREDENTIALS_ROLES_MAX = 8,
    CREDENTIALS_NAME_MAX = 96,
    CREDENTIALS_SHOW_MAX = 40, /* Bytes of a profile's name in a message. */
};

struct credentials_role {
    const char *profile;
    const char *arn;
    const char *external_id;  /* NULL: none. */
    const char *session_name; /* NULL: ours. */
    const char *duration;     /* Seconds, checked; NULL: the server's. */
};

struct credentials_chain {
    enum credentials_kind kind;
    const char *profile; /* That sets it up; NULL: it is no profile's. */
    char name[CREDENTIALS_NAME_MAX]; /* "profile train, web identity". */
    struct {
        const char *access;
        const char *secret;
        const char *token;   /* NULL: none. */
        const char *expires; /* NULL: never. */
    } keys;                  /* ENVIRONMENT, KEYS */
    struct {
        const char *token_file;
        struct credentials_role role;
    } web; /* WEB_IDENTITY */
    struct {
        const char *session; /* NULL: the start URL names the token. */
        const char *start_url;
        const char *region;
        const char *account;
        const char *role;
    } sso;               /* SSO */
    const char *command; /* PROCESS */

    /* To be assumed one after another, with what the kind above gave. */
    struct credentials_role roles[CREDENTIALS_ROLES_MAX];
    size_t role_count;
};

/* NOT_FOUND: nothing is set up. INVALID: what is set up contradicts itself,
 * goes round in circles or is not complete; UNSUPPORTED: MFA, login sessions;
 * @why names profile or variable. */
MUST_USE enum status credentials_chain_find(const struct aws_config *config,
                                            struct fault *why,
                                            struct credentials_chain *out);

/* Whether it needs no network, file or process. */
bool credentials_chain_is_constant(const struct credentials_chain *chain);

/* Whether it is instance metadata and nothing after it. */
bool credentials_chain_is_imds(const struct credentials_chain *chain);

/* "profile train, assume role arn:… from environment". */
void credentials_chain_origin(const struct credentials_chain *chain,
                              char out[CREDENTIALS_ORIGIN_MAX]);

/* Whether a variable or key says yes: "1", "true", "yes" in any case. */
bool credentials_is_on(const char *value);

#endif /* STORE_CREDENTIALS_CHAIN_H */
