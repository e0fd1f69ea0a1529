/* SPDX-License-Identifier: Apache-2.0 */
/* What the AWS tools' environment and files say: variables, the config file
 * and the credentials file with their profiles, sections [services x] and
 * [sso-session x], and nested blocks. Read once; immutable after, so any
 * thread may look.
 *
 * The parsers take text and are pure; aws_config_load() reads the files of
 * the environment (aws_config_load.c). */

#ifndef STORE_AWS_CONFIG_H
#define STORE_AWS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum { AWS_FILE_MAX = 1 << 20 }; /* Bytes of one file. */

/* Return the value of a variable, or NULL; getenv(3) outside tests. */
typedef const char *aws_env_fn(void *self, const char *name);

struct aws_config;

struct aws_config_source {
    aws_env_fn *env; /* NULL: getenv(3). Asked for as long as it lives. */
    void *env_self;
};

/* Read the files that the environment names (AWS_CONFIG_FILE,
 * AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/…). A file that is not there is
 * empty. MALFORMED: a file is not understood, with path and line; DENIED, IO,
 * FULL; NOT_FOUND: AWS_DEFAULT_PROFILE, else AWS_PROFILE, names a profile
 * that is in neither file. */
MUST_USE enum status aws_config_load(const struct aws_config_source *source,
                                     struct fault *why,
                                     struct aws_config **out);

/* The same from texts; @config and @credentials may be empty. */
struct aws_config_texts {
    struct bytes config;
    struct bytes credentials;
    const char *config_name; /* For messages; may be NULL. */
    const char *credentials_name;
};
MUST_USE enum status aws_config_parse(const struct aws_config_source *source,
                                      const struct aws_config_texts *texts,
                                      struct fault *why,
                                      struct aws_config **out);
void aws_config_destroy(struct aws_config **c);

/* A variable; NULL when it is not set or empty. */
const char *aws_config_env(const struct aws_config *c, const char *name);

/* The profile in use ("default" unless told otherwise), and whether either
 * file has @profile. */
const char *aws_config_profile(const struct aws_config *c);
bool aws_config_has_profile(const struct aws_config *c, const char *profile);

/* @key of @profile: the credentials file beats the config file, the last of
 * equal keys counts, and "[profile default]" replaces "[default]". A nested
 * key is "s3.addressing_style"; a value of several lines keeps its newlines.
 * NULL when it is not there or empty. */
const char *aws_config_get(const struct aws_config *c, const char *profile,
                           const char *key);

/* The section [@kind @name] of the config file, kind "services" or
 * "sso-session": whether it is there, and its @key. */
bool aws_config_has_section(const struct aws_config *c, const char *kind,
                            const char *name);
const char *aws_config_section(const struct aws_config *c, const char *kind,
                               const char *name, const char *key);

/* ---- What a store needs of it, resolved. */

enum aws_addressing {
    AWS_ADDRESSING_AUTO,
    AWS_ADDRESSING_VIRTUAL,
    AWS_ADDRESSING_PATH
};

enum aws_checksum { AWS_CHECKSUM_SUPPORTED, AWS_CHECKSUM_REQUIRED };

/* Strings live as long as the config. NULL: not set. */
struct aws_settings {
    const char *region;        /* AWS_REGION, AWS_DEFAULT_REGION, profile. */
    const char *region_origin; /* "AWS_REGION", "the profile": for messages. */
    const char *endpoint;      /* S3's own endpoint, by the override order. */
    const char *endpoint_origin;
    const char *sts_endpoint; /* The same for STS. */
    const char *ca_bundle;
    bool uses_dualstack;
    bool uses_fips;
    bool uses_accelerate;
    bool uses_arn_region;        /* Default true. */
    bool is_us_east_1_regional;  /* Default true. */
    bool signs_payload;          /* payload_signing_enabled. */
    bool has_no_express_session; /* AWS_S3_DISABLE_EXPRESS_SESSION_AUTH. */
    bool is_requester_paid;      /* SMSHARD_S3_REQUESTER_PAYS. */
    enum aws_addressing addressing;
    enum aws_checksum request_checksum;
    enum aws_checksum response_checksum;
    uint32_t attempts_max; /* 0: ours. */
};

/* INVALID: a value is not one of its choices, or "services" names a section
 * that is not there; @why names variable or key. */
MUST_USE enum status aws_config_settings(const struct aws_config *c,
                                         struct fault *why,
                                         struct aws_settings *out);

#endif /* STORE_AWS_CONFIG_H */
