/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bucket is reached and how requests to it are signed: a pure
 * function of bucket, region and settings. */

#ifndef STORE_ENDPOINT_H
#define STORE_ENDPOINT_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/aws_config.h"

enum { ENDPOINT_TEXT_MAX = 512 };

struct endpoint_input {
    const char *bucket;   /* Name, or an access point's ARN. NULL: the service
                             itself. */
    const char *region;   /* NULL: none is known. */
    const char *endpoint; /* A custom one, "http://host:port/path"; NULL. */
    enum aws_addressing addressing;
    bool uses_dualstack;
    bool uses_fips;
    bool uses_accelerate;
    bool uses_arn_region;
    bool is_us_east_1_regional;
    bool has_no_express_session;
    bool has_no_access_points; /* Of the operation. */
    bool uses_express_control; /* For operations on directory buckets. */
};

struct endpoint {
    char origin[ENDPOINT_TEXT_MAX]; /* "https://b.s3.eu-west-1.…:8443". */
    char host[ENDPOINT_TEXT_MAX];   /* The Host header; a port only where it
                                       is not the scheme's own. */
    char path[ENDPOINT_TEXT_MAX];   /* Before every key, raw: "" or
                                       "/base/bucket"; no slash at its end. */
    char region[64];                /* To sign for. */
    char service[16];               /* "s3" or "s3express". */
    bool is_tls;
    bool is_express; /* Directory bucket: sessions, lists not in order. */
    bool is_custom;  /* Region redirects are not followed. */
};

/* INVALID: bucket, ARN, region or endpoint can not be; UNSUPPORTED: multi-
 * region access points, Outposts, Object Lambda, or two settings that exclude
 * each other. @why says which and what to do. */
MUST_USE enum status endpoint_resolve(const struct endpoint_input *in,
                                      struct fault *why, struct endpoint *out);

/* Send to @host (with its port, if any) instead, for one request that a 307
 * asked to be sent there. */
void endpoint_set_host(struct endpoint *e, const char *host);

/* The input for @bucket as the settings have it. */
void endpoint_input_of(const struct aws_settings *settings, const char *bucket,
                       struct endpoint_input *out);

/* The endpoint of STS in @region ("https://sts.eu-west-1.amazonaws.com"). */
void endpoint_sts(const char *region, bool uses_fips,
                  char out[ENDPOINT_TEXT_MAX]);

/* The suffix of @region's partition: "amazonaws.com", "amazonaws.com.cn". */
const char *endpoint_suffix(const char *region);

/* Return how many bytes of "bucket/key" or "arn:…:accesspoint/name/key" (what
 * stands behind "s3://") are the bucket. */
size_t endpoint_bucket_size(const char *text);

#endif /* STORE_ENDPOINT_H */
