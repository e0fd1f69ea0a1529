/* SPDX-License-Identifier: Apache-2.0 */
/* Each setting has a variable and a key of the profile; the variable wins. */

#include <string.h>
#include <strings.h>

#include "store/aws_config.h"

struct aws_ask {
    const struct aws_config *config;
    const char *profile;
    struct fault *why;
    enum status status;
};

/* The value of @variable (may be NULL), else of the first of the profile's
 * @key and @other; *@name says which it was. */
static const char *aws_value(const struct aws_ask *a, const char *variable,
                             const char *key, const char **name)
{
    const char *value =
        variable != NULL ? aws_config_env(a->config, variable) : NULL;

    *name = variable;
    if (value == NULL && key != NULL) {
        *name = key;
        value = aws_config_get(a->config, a->profile, key);
    }
    return value;
}

/* @name is a variable's, in capitals, or a key's. The first fault counts. */
static void aws_bad_value(struct aws_ask *a, const char *name,
                          const char *value, const char *choices)
{
    bool is_key = name[0] >= 'a';

    if (a->status == STATUS_OK) {
        a->status = fault_set(
            a->why, STATUS_INVALID, "%s%s%s%s: '%.200s' is not allowed; use %s",
            is_key ? "profile '" : "", is_key ? a->profile : "",
            is_key ? "', " : "", name, value, choices);
    }
}

/* One of @choices ("a, b"); its index, @otherwise when it is not set. */
static unsigned aws_choice(struct aws_ask *a, const char *variable,
                           const char *key, const char *choices,
                           unsigned otherwise)
{
    const char *name;
    const char *value = aws_value(a, variable, key, &name);
    const char *at = choices;
    size_t size = value != NULL ? strlen(value) : 0;

    if (value == NULL) {
        return otherwise;
    }
    for (unsigned i = 0; at != NULL; i++) {
        size_t length = strcspn(at, ",");

        if (length == size && strncasecmp(at, value, size) == 0) {
            return i;
        }
        at = at[length] == ',' ? at + length + 2 : NULL;
    }
    aws_bad_value(a, name, value, choices);
    return otherwise;
}

static bool aws_flag(struct aws_ask *a, const char *variable, const char *key,
                     bool otherwise)
{
    return aws_choice(a, variable, key, "false, true", otherwise) == 1;
}

/* Of two keys of one meaning, the nested one wins. */
static bool aws_flag2(struct aws_ask *a, const char *variable,
                      const char *nested, const char *key, bool otherwise)
{
    const char *name;

    return aws_value(a, variable, nested, &name) != NULL
               ? aws_flag(a, variable, nested, otherwise)
               : aws_flag(a, NULL, key, otherwise);
}

static void aws_region(const struct aws_ask *a, struct aws_settings *out)
{
    const char *name;

    out->region = aws_value(a, "AWS_REGION", NULL, &name);
    if (out->region == NULL) {
        out->region = aws_value(a, "AWS_DEFAULT_REGION", "region", &name);
    }
    if (out->region != NULL) {
        out->region_origin = strcmp(name, "region") == 0 ? "the profile" : name;
    }
}

/* The name of the profile's section of services; NULL without one. */
static const char *aws_services(struct aws_ask *a)
{
    const char *name = aws_config_get(a->config, a->profile, "services");

    if (name != NULL && !aws_config_has_section(a->config, "services", name) &&
        a->status == STATUS_OK) {
        a->status = fault_set(a->why, STATUS_INVALID,
                              "profile '%s', services: the config file has no "
                              "section [services %.200s]",
                              a->profile, name);
    }
    return name;
}

/* A service's own variable, all services', the profile's services, the
 * profile itself. */
static const char *aws_endpoint(struct aws_ask *a, const char *own,
                                const char *nested, const char **origin)
{
    const char *services = NULL;
    const char *value = NULL;
    const char *name;

    *origin = NULL;
    if (aws_flag(a, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                 "ignore_configured_endpoint_urls", false)) {
        return NULL;
    }
    value = aws_value(a, own, NULL, origin);
    if (value == NULL) {
        value = aws_value(a, "AWS_ENDPOINT_URL", NULL, origin);
    }
    services = value == NULL ? aws_services(a) : NULL;
    if (services != NULL) {
        value = aws_config_section(a->config, "services", services, nested);
        *origin = "the profile's services";
    }
    if (value == NULL) {
        value = aws_value(a, NULL, "endpoint_url", &name);
        *origin = value != NULL ? "the profile" : NULL;
    }
    return value;
}

static uint32_t aws_attempts(struct aws_ask *a)
{
    const char *name;
    const char *value = aws_value(a, "AWS_MAX_ATTEMPTS", "max_attempts", &name);
    uint32_t number = 0;

    for (size_t i = 0; value != NULL && value[i] != '\0'; i++) {
        if (value[i] < '0' || value[i] > '9' || number > 1000) {
            aws_bad_value(a, name, value, "1 to 1000");
            return 0;
        }
        number = number * 10 + (uint32_t)(value[i] - '0');
    }
    if (value != NULL && (number == 0 || number > 1000)) {
        aws_bad_value(a, name, value, "1 to 1000");
    }
    return number;
}

/* The nested key, else the older one beside it. */
static bool aws_is_regional(struct aws_ask *a)
{
    static const char variable[] = "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT";
    static const char nested[] = "s3.us_east_1_regional_endpoint";
    const char *name;
    bool has_nested = aws_value(a, variable, nested, &name) != NULL;

    return aws_choice(a, variable,
                      has_nested ? nested : "s3_us_east_1_regional_endpoint",
                      "legacy, regional", 1) == 1;
}

static void aws_flags(struct aws_ask *a, struct aws_settings *out)
{
    unsigned paid;

    out->uses_dualstack =
        aws_flag2(a, "AWS_USE_DUALSTACK_ENDPOINT", "s3.use_dualstack_endpoint",
                  "use_dualstack_endpoint", false);
    out->uses_fips =
        aws_flag(a, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", false);
    out->uses_accelerate =
        aws_flag(a, NULL, "s3.use_accelerate_endpoint", false);
    out->uses_arn_region =
        aws_flag2(a, "AWS_S3_USE_ARN_REGION", "s3.use_arn_region",
                  "s3_use_arn_region", true);
    out->signs_payload = aws_flag(a, NULL, "s3.payload_signing_enabled", false);
    out->has_no_express_session =
        aws_flag(a, "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
                 "s3_disable_express_session_auth", false);
    paid = aws_choice(a, "SMSHARD_S3_REQUESTER_PAYS", NULL, "0, 1, false, true",
                      0);
    out->is_requester_paid = paid == 1 || paid == 3;
}

enum status aws_config_settings(const struct aws_config *c, struct fault *why,
                                struct aws_settings *out)
{
    struct aws_ask a = {.config = c,
                        .profile = aws_config_profile(c),
                        .why = why,
                        .status = STATUS_OK};
    const char *ignored;

    *out = (struct aws_settings){.region = NULL};
    aws_region(&a, out);
    out->endpoint = aws_endpoint(&a, "AWS_ENDPOINT_URL_S3", "s3.endpoint_url",
                                 &out->endpoint_origin);
    out->sts_endpoint =
        aws_endpoint(&a, "AWS_ENDPOINT_URL_STS", "sts.endpoint_url", &ignored);
    out->ca_bundle = aws_value(&a, "AWS_CA_BUNDLE", "ca_bundle", &ignored);
    aws_flags(&a, out);
    out->is_us_east_1_regional = aws_is_regional(&a);
    out->addressing = (enum aws_addressing)aws_choice(
        &a, "SMSHARD_S3_ADDRESSING", "s3.addressing_style",
        "auto, virtual, path", AWS_ADDRESSING_AUTO);
    out->request_checksum = (enum aws_checksum)aws_choice(
        &a, "AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation",
        "when_supported, when_required", AWS_CHECKSUM_SUPPORTED);
    out->response_checksum = (enum aws_checksum)aws_choice(
        &a, "AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation",
        "when_supported, when_required", AWS_CHECKSUM_SUPPORTED);
    (void)aws_choice(&a, "AWS_RETRY_MODE", "retry_mode",
                     "legacy, standard, adaptive", 1);
    out->attempts_max = aws_attempts(&a);
    return a.status;
}
