/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_chain.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/line.h"

enum { CHAIN_DURATION_LEAST = 900, CHAIN_DURATION_MOST = 43200 };

/* One look along the profiles. */
struct chain_walk {
    const struct aws_config *config;
    struct fault *why;
    struct credentials_chain *out;
};

bool credentials_is_on(const char *value)
{
    return value != NULL &&
           (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0 ||
            strcasecmp(value, "yes") == 0);
}

static const char *chain_get(const struct chain_walk *w, const char *profile,
                             const char *key)
{
    const char *value = aws_config_get(w->config, profile, key);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* "profile p", cut to what a message has room for. */
static void chain_profile(const char *profile, char out[CREDENTIALS_NAME_MAX])
{
    char show[CREDENTIALS_NAME_MAX];

    snprintf(show, sizeof(show), "%.90s", profile);
    line_clean(show, CREDENTIALS_SHOW_MAX);
    snprintf(out, CREDENTIALS_NAME_MAX, "profile %.80s", show);
}

static enum status chain_fail(const struct chain_walk *w, const char *profile,
                              enum status s, const char *what)
{
    char name[CREDENTIALS_NAME_MAX];

    chain_profile(profile, name);
    return fault_set(w->why, s, "%s: %s", name, what);
}

static void chain_set(const struct chain_walk *w, enum credentials_kind kind,
                      const char *profile, const char *name)
{
    char show[CREDENTIALS_NAME_MAX] = "";

    w->out->kind = kind;
    w->out->profile = profile;
    if (profile != NULL) {
        chain_profile(profile, show);
    }
    /* The profile's part is cut to 48 bytes, the names are shorter. */
    snprintf(w->out->name, sizeof(w->out->name), "%.60s%s%.30s", show,
             profile != NULL ? ", " : "", name);
}

/* ---- The environment's keys. */

static bool chain_has_environment(const struct chain_walk *w)
{
    return aws_config_env(w->config, "AWS_ACCESS_KEY_ID") != NULL;
}

static enum status chain_environment(const struct chain_walk *w)
{
    const struct aws_config *c = w->config;
    struct credentials_chain *out = w->out;

    chain_set(w, CREDENTIALS_ENVIRONMENT, NULL, "environment");
    out->keys.access = aws_config_env(c, "AWS_ACCESS_KEY_ID");
    out->keys.secret = aws_config_env(c, "AWS_SECRET_ACCESS_KEY");
    out->keys.token = aws_config_env(c, "AWS_SESSION_TOKEN");
    out->keys.expires = aws_config_env(c, "AWS_CREDENTIAL_EXPIRATION");
    if (out->keys.token == NULL) {
        out->keys.token = aws_config_env(c, "AWS_SECURITY_TOKEN");
    }
    if (out->keys.secret == NULL) {
        return fault_set(w->why, STATUS_INVALID,
                         "environment: AWS_ACCESS_KEY_ID is set but "
                         "AWS_SECRET_ACCESS_KEY is not: set both, or neither");
    }
    return STATUS_OK;
}

/* ---- What one profile gives by itself. */

static enum status chain_keys(const struct chain_walk *w, const char *profile)
{
    struct credentials_chain *out = w->out;

    chain_set(w, CREDENTIALS_KEYS, profile, "keys");
    out->keys.access = chain_get(w, profile, "aws_access_key_id");
    out->keys.secret = chain_get(w, profile, "aws_secret_access_key");
    out->keys.token = chain_get(w, profile, "aws_session_token");
    if (out->keys.secret == NULL) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "has aws_access_key_id but no aws_secret_access_key: "
                          "give both, or neither");
    }
    return STATUS_OK;
}

/* A key of the profile, or the variable that beats it where the profile is
 * the one in use. */
static const char *chain_either(const struct chain_walk *w, const char *profile,
                                const char *key, const char *variable)
{
    const char *value =
        variable != NULL ? aws_config_env(w->config, variable) : NULL;

    return value != NULL ? value : chain_get(w, profile, key);
}

static enum status chain_web(const struct chain_walk *w, const char *profile,
                             bool is_main)
{
    struct credentials_chain *out = w->out;
    struct credentials_role *role = &out->web.role;

    role->profile = profile;
    role->arn =
        chain_either(w, profile, "role_arn", is_main ? "AWS_ROLE_ARN" : NULL);
    role->session_name = chain_either(w, profile, "role_session_name",
                                      is_main ? "AWS_ROLE_SESSION_NAME" : NULL);
    if (is_main &&
        aws_config_env(w->config, "AWS_WEB_IDENTITY_TOKEN_FILE") != NULL) {
        chain_set(w, CREDENTIALS_WEB_IDENTITY, NULL, "web identity");
    } else {
        chain_set(w, CREDENTIALS_WEB_IDENTITY, profile, "web identity");
    }
    if (role->arn == NULL) {
        return fault_set(w->why, STATUS_INVALID,
                         "%s: there is a token file but no role: set "
                         "AWS_ROLE_ARN, or role_arn in the profile",
                         out->name);
    }
    return STATUS_OK;
}

static enum status chain_sso(const struct chain_walk *w, const char *profile)
{
    struct credentials_chain *out = w->out;
    const char *session = chain_get(w, profile, "sso_session");
    const char *url = chain_get(w, profile, "sso_start_url");
    const char *region = chain_get(w, profile, "sso_region");

    chain_set(w, CREDENTIALS_SSO, profile, "SSO");
    if (session != NULL) {
        const struct aws_config *c = w->config;

        url = aws_config_section(c, "sso-session", session, "sso_start_url");
        region = aws_config_section(c, "sso-session", session, "sso_region");
    }
    out->sso.session = session;
    out->sso.start_url = url;
    out->sso.region = region;
    out->sso.account = chain_get(w, profile, "sso_account_id");
    out->sso.role = chain_get(w, profile, "sso_role_name");
    if (url == NULL || region == NULL) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "SSO needs sso_start_url and sso_region, in the "
                          "[sso-session] that it names or in the profile");
    }
    if (out->sso.account == NULL || out->sso.role == NULL) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "SSO needs both sso_account_id and sso_role_name");
    }
    return STATUS_OK;
}

/* NOT_FOUND without a message: the profile gives nothing. */
static enum status chain_profile_own(const struct chain_walk *w,
                                     const char *profile, bool is_main)
{
    struct credentials_chain *out = w->out;

    out->web.token_file =
        chain_either(w, profile, "web_identity_token_file",
                     is_main ? "AWS_WEB_IDENTITY_TOKEN_FILE" : NULL);
    if (out->web.token_file != NULL) {
        return chain_web(w, profile, is_main);
    }
    if (chain_get(w, profile, "sso_account_id") != NULL ||
        chain_get(w, profile, "sso_role_name") != NULL) {
        return chain_sso(w, profile);
    }
    if (chain_get(w, profile, "aws_access_key_id") != NULL) {
        return chain_keys(w, profile);
    }
    if (chain_get(w, profile, "login_session") != NULL) {
        return chain_fail(w, profile, STATUS_UNSUPPORTED,
                          "login_session is not served: use an SSO session, "
                          "a role or credential_process");
    }
    out->command = chain_get(w, profile, "credential_process");
    if (out->command != NULL) {
        chain_set(w, CREDENTIALS_PROCESS, profile, "credential_process");
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

/* ---- Roles that are assumed with the credentials of another source. */

static bool chain_has_role(const struct chain_walk *w, const char *profile)
{
    return chain_get(w, profile, "role_arn") != NULL &&
           chain_get(w, profile, "web_identity_token_file") == NULL;
}

static bool chain_is_duration(const char *text)
{
    uint32_t value = 0;

    if (strlen(text) > 5 || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    for (; *text != '\0'; text++) {
        value = 10 * value + (uint32_t)(*text - '0');
    }
    return value >= CHAIN_DURATION_LEAST && value <= CHAIN_DURATION_MOST;
}

/* The profile that is furthest from the credentials is found first; it is
 * assumed last. */
static enum status chain_add_role(const struct chain_walk *w,
                                  const char *profile)
{
    struct credentials_chain *out = w->out;
    struct credentials_role role = {
        .profile = profile,
        .arn = chain_get(w, profile, "role_arn"),
        .external_id = chain_get(w, profile, "external_id"),
        .session_name = chain_get(w, profile, "role_session_name"),
        .duration = chain_get(w, profile, "duration_seconds"),
    };

    if (chain_get(w, profile, "mfa_serial") != NULL) {
        return chain_fail(w, profile, STATUS_UNSUPPORTED,
                          "mfa_serial asks for a code that nobody types here: "
                          "use a role without MFA, or set AWS_ACCESS_KEY_ID, "
                          "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN");
    }
    if (role.duration != NULL && !chain_is_duration(role.duration)) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "duration_seconds is not a number from 900 to 43200");
    }
    if (out->role_count == CREDENTIALS_ROLES_MAX) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "more than 8 roles follow one another by "
                          "source_profile");
    }
    memmove(out->roles + 1, out->roles, out->role_count * sizeof(role));
    out->roles[0] = role;
    out->role_count++;
    return STATUS_OK;
}

static bool chain_was_seen(const struct chain_walk *w, const char *profile)
{
    for (size_t i = 0; i < w->out->role_count; i++) {
        if (strcmp(w->out->roles[i].profile, profile) == 0) {
            return true;
        }
    }
    return false;
}

static enum status chain_credential_source(const struct chain_walk *w,
                                           const char *profile,
                                           const char *source)
{
    const struct aws_config *c = w->config;

    if (strcmp(source, "Environment") == 0) {
        if (!chain_has_environment(w)) {
            return chain_fail(w, profile, STATUS_INVALID,
                              "credential_source is Environment, but "
                              "AWS_ACCESS_KEY_ID is not set");
        }
        return chain_environment(w);
    }
    if (strcmp(source, "Ec2InstanceMetadata") == 0) {
        if (credentials_is_on(aws_config_env(c, "AWS_EC2_METADATA_DISABLED"))) {
            return chain_fail(w, profile, STATUS_INVALID,
                              "credential_source is Ec2InstanceMetadata, but "
                              "AWS_EC2_METADATA_DISABLED is true");
        }
        chain_set(w, CREDENTIALS_IMDS, NULL, "instance metadata");
        return STATUS_OK;
    }
    if (strcmp(source, "EcsContainer") == 0) {
        chain_set(w, CREDENTIALS_CONTAINER, NULL, "container");
        return STATUS_OK;
    }
    return chain_fail(w, profile, STATUS_INVALID,
                      "credential_source is none of Environment, "
                      "Ec2InstanceMetadata and EcsContainer");
}

/* Check the step from @profile to its source and say whether the walk ends
 * there with the source's own credentials. */
static enum status chain_step(const struct chain_walk *w, const char *profile,
                              const char *source, bool *is_end)
{
    bool has_keys = chain_get(w, source, "aws_access_key_id") != NULL;

    if (!aws_config_has_profile(w->config, source)) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "source_profile names a profile that is in neither "
                          "the config nor the credentials file");
    }
    *is_end = has_keys || !chain_has_role(w, source);
    /* A profile may be its own source, if it has keys to begin with. */
    if (chain_was_seen(w, source) &&
        !(has_keys && strcmp(source, profile) == 0)) {
        return chain_fail(w, profile, STATUS_INVALID,
                          "source_profile goes round in a circle: end it with "
                          "a profile that has keys");
    }
    return STATUS_OK;
}

/* The credentials that a walk over roles ended at. */
static enum status chain_end(const struct chain_walk *w, const char *profile)
{
    enum status s;

    if (chain_get(w, profile, "aws_access_key_id") != NULL) {
        return chain_keys(w, profile);
    }
    s = chain_profile_own(w, profile, false);
    if (s != STATUS_NOT_FOUND) {
        return s;
    }
    return chain_fail(w, profile, STATUS_INVALID,
                      "is the source_profile of a role but has no "
                      "credentials: give it keys, a role or SSO");
}

static enum status chain_roles(const struct chain_walk *w, const char *profile)
{
    bool is_end = false;

    while (!is_end) {
        const char *source = chain_get(w, profile, "source_profile");
        const char *named = chain_get(w, profile, "credential_source");
        enum status s = chain_add_role(w, profile);

        if (s != STATUS_OK) {
            return s;
        }
        if ((source == NULL) == (named == NULL)) {
            return chain_fail(w, profile, STATUS_INVALID,
                              "role_arn needs exactly one of source_profile "
                              "and credential_source");
        }
        if (named != NULL) {
            return chain_credential_source(w, profile, named);
        }
        s = chain_step(w, profile, source, &is_end);
        if (s != STATUS_OK) {
            return s;
        }
        profile = source;
    }
    return chain_end(w, profile);
}

/* ---- All in their order. */

static enum status chain_machine(const struct chain_walk *w)
{
    const struct aws_config *c = w->config;
    const char *off = aws_config_env(c, "AWS_EC2_METADATA_DISABLED");
    char name[CREDENTIALS_NAME_MAX];

    if (aws_config_env(c, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
        aws_config_env(c, "AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL) {
        chain_set(w, CREDENTIALS_CONTAINER, NULL, "container");
        return STATUS_OK;
    }
    if (!credentials_is_on(off)) {
        chain_set(w, CREDENTIALS_IMDS, NULL, "instance metadata");
        return STATUS_OK;
    }
    chain_profile(aws_config_profile(c), name);
    return fault_set(
        w->why, STATUS_NOT_FOUND,
        "no credentials: AWS_ACCESS_KEY_ID and AWS_CONTAINER_CREDENTIALS_* are "
        "not set, %s has none, AWS_EC2_METADATA_DISABLED is true: set one of "
        "them up, or SMSHARD_S3_ANONYMOUS=1 for public data",
        name);
}

enum status credentials_chain_find(const struct aws_config *config,
                                   struct fault *why,
                                   struct credentials_chain *out)
{
    const struct chain_walk w = {config, why, out};
    const char *profile = aws_config_profile(config);
    enum status s;

    memset(out, 0, sizeof(*out));
    if (credentials_is_on(aws_config_env(config, "SMSHARD_S3_ANONYMOUS"))) {
        chain_set(&w, CREDENTIALS_ANONYMOUS, NULL, "anonymous");
        return STATUS_OK;
    }
    if (chain_has_environment(&w)) {
        return chain_environment(&w);
    }
    if (chain_has_role(&w, profile)) {
        return chain_roles(&w, profile);
    }
    s = chain_profile_own(&w, profile, true);
    return s != STATUS_NOT_FOUND ? s : chain_machine(&w);
}

bool credentials_chain_is_constant(const struct credentials_chain *chain)
{
    return chain->role_count == 0 && (chain->kind == CREDENTIALS_ANONYMOUS ||
                                      chain->kind == CREDENTIALS_ENVIRONMENT ||
                                      chain->kind == CREDENTIALS_KEYS);
}

bool credentials_chain_is_imds(const struct credentials_chain *chain)
{
    return chain->role_count == 0 && chain->kind == CREDENTIALS_IMDS;
}

void credentials_chain_origin(const struct credentials_chain *chain,
                              char out[CREDENTIALS_ORIGIN_MAX])
{
    const struct credentials_role *last;
    char name[CREDENTIALS_NAME_MAX];
    char text[4 * CREDENTIALS_ORIGIN_MAX];

    if (chain->role_count == 0) {
        snprintf(out, CREDENTIALS_ORIGIN_MAX, "%s", chain->name);
        return;
    }
    last = &chain->roles[chain->role_count - 1];
    chain_profile(last->profile, name);
    snprintf(text, sizeof(text), "%s, assume role %.64s from %s", name,
             last->arn, chain->name);
    line_clean(text, CREDENTIALS_ORIGIN_MAX - 1);
    memcpy(out, text, strlen(text) + 1);
}
