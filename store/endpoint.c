/* SPDX-License-Identifier: Apache-2.0 */
#include "store/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "store/endpoint_parts.h"

/* ---- names -------------------------------------------------------------- */

bool endpoint_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

bool endpoint_is_label(struct bytes text)
{
    if (text.size < 1 || text.size > 63 || text.at[0] == '-' ||
        text.at[text.size - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!endpoint_is_letter(text.at[i]) && text.at[i] != '-') {
            return false;
        }
    }
    return true;
}

bool endpoint_is_ipv4(const char *host)
{
    unsigned octets = 0;
    unsigned digits = 0;

    for (; *host != '\0' && *host != ':' && *host != '/'; host++) {
        if (*host == '.') {
            if (digits == 0) {
                return false;
            }
            octets++;
            digits = 0;
        } else if (*host < '0' || *host > '9' || ++digits > 3) {
            return false;
        }
    }
    return octets == 3 && digits > 0;
}

bool endpoint_is_hostable(const char *bucket, bool may_have_dots)
{
    size_t size = strlen(bucket);
    char last = '.';

    if (size < 3 || size > 63 || endpoint_is_ipv4(bucket) ||
        bucket[size - 1] == '-' || bucket[size - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = bucket[i];
        bool is_low = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool is_inner = c == '-' || (c == '.' && may_have_dots);

        if (!is_low &&
            (!is_inner || last == '.' || (c == '.' && last == '-'))) {
            return false;
        }
        last = c;
    }
    return true;
}

size_t endpoint_bucket_size(const char *text)
{
    static const char point[] = ":accesspoint/";
    size_t size = strcspn(text, "/");
    const char *slash = strstr(text, point);

    /* "arn:aws:s3:r:1:accesspoint/name": its first slash is its own. */
    if (strncmp(text, "arn:", 4) == 0 && slash != NULL &&
        slash + sizeof(point) - 2 == text + size) {
        size += 1 + strcspn(text + size + 1, "/");
    }
    return size;
}

/* ---- putting it together ------------------------------------------------ */

static enum status endpoint_refuse(struct fault *why, const char *what,
                                   const char *reason)
{
    return fault_set(why, STATUS_UNSUPPORTED, "%s: %s", what, reason);
}

void endpoint_print(struct endpoint *out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(out->host, sizeof(out->host), format, args);
    va_end(args);
}

static void endpoint_origin(struct endpoint *out)
{
    snprintf(out->origin, sizeof(out->origin), "http%s://%.500s",
             out->is_tls ? "s" : "", out->host);
}

static bool endpoint_is_global(const struct endpoint_input *in)
{
    return strcmp(in->region, "aws-global") == 0 ||
           (strcmp(in->region, "us-east-1") == 0 && !in->is_us_east_1_regional);
}

static void endpoint_sign_for(struct endpoint *out, const char *region,
                              const char *service)
{
    bool is_global = strcmp(region, "aws-global") == 0;

    snprintf(out->region, sizeof(out->region), "%s",
             is_global ? "us-east-1" : region);
    snprintf(out->service, sizeof(out->service), "%s", service);
}

/* On AWS itself: name before the host, or in the path. */
static void endpoint_on_aws(const struct endpoint_input *in,
                            struct endpoint *out)
{
    bool is_plain = !in->uses_fips && !in->uses_dualstack;
    bool is_hosted = in->bucket != NULL &&
                     in->addressing != AWS_ADDRESSING_PATH &&
                     endpoint_is_hostable(in->bucket, false);
    const char *before = is_hosted ? in->bucket : "";
    const char *dot = is_hosted ? "." : "";
    const char *suffix = endpoint_suffix(out->region);

    out->is_tls = true;
    if (is_hosted && in->uses_accelerate) {
        bool is_odd = in->uses_dualstack && /* The rules have it so. */
                      strcmp(in->region, "aws-global") == 0;

        endpoint_print(out, "%s.s3-accelerate%s%s.%s", before,
                       in->uses_dualstack ? ".dualstack" : "",
                       is_odd ? ".us-east-1" : "", suffix);
    } else if (is_plain && endpoint_is_global(in)) {
        endpoint_print(out, "%s%ss3.%s", before, dot, suffix);
    } else {
        endpoint_print(
            out, "%s%ss3%s%s.%s.%s", before, dot, in->uses_fips ? "-fips" : "",
            in->uses_dualstack ? ".dualstack" : "", out->region, suffix);
    }
    if (in->bucket != NULL && !is_hosted) {
        snprintf(out->path, sizeof(out->path), "/%s", in->bucket);
    }
}

/* ---- access points ------------------------------------------------------ */

static enum status endpoint_on_point(const struct endpoint_input *in,
                                     struct fault *why, struct endpoint *out)
{
    struct endpoint_arn arn;
    char name[ENDPOINT_TEXT_MAX];
    enum status s = endpoint_read_arn(in, why, &arn);

    if (s != STATUS_OK) {
        return s;
    }
    if (in->addressing == AWS_ADDRESSING_PATH || in->uses_accelerate) {
        return endpoint_refuse(why, in->bucket,
                               "an access point has neither path-style "
                               "addresses nor acceleration");
    }
    snprintf(name, sizeof(name), "%s-%s", arn.name, arn.account);
    if (strlen(name) > 63) {
        return fault_set(why, STATUS_INVALID,
                         "%s: the access point's name and account are too "
                         "long for a host's name",
                         in->bucket);
    }
    endpoint_sign_for(out, arn.region, "s3");
    if (in->endpoint != NULL) {
        return endpoint_on_custom(in, name, true, why, out);
    }
    out->is_tls = true;
    endpoint_print(out, "%.63s.s3-accesspoint%s%s.%s.%s", name,
                   in->uses_fips ? "-fips" : "",
                   in->uses_dualstack ? ".dualstack" : "", arn.region,
                   endpoint_suffix(arn.region));
    return STATUS_OK;
}

/* ---- directory buckets -------------------------------------------------- */

static bool endpoint_ends(const char *text, const char *end)
{
    return bytes_has_suffix(bytes_of(text), bytes_of(end));
}

static bool endpoint_is_express(const char *bucket)
{
    return endpoint_ends(bucket, "--x-s3") || endpoint_ends(bucket, "--xa-s3");
}

/* The zone of "name--ZONE--x-s3". */
static bool endpoint_zone(const char *bucket, char out[64])
{
    size_t end = strlen(bucket) - (endpoint_ends(bucket, "--x-s3") ? 6 : 7);
    size_t start = end;

    while (start >= 2 && memcmp(bucket + start - 2, "--", 2) != 0) {
        start--;
    }
    if (start < 3 || end <= start || end - start >= 64) {
        return false;
    }
    memcpy(out, bucket + start, end - start);
    out[end - start] = '\0';
    return strchr(out, '-') != NULL;
}

static enum status endpoint_on_express(const struct endpoint_input *in,
                                       struct fault *why, struct endpoint *out)
{
    char zone[64];

    out->is_express = !in->uses_express_control;
    endpoint_sign_for(out, in->region, "s3express");
    if (in->uses_accelerate) {
        return endpoint_refuse(why,
                               in->bucket != NULL ? in->bucket : "s3express",
                               "a directory bucket has no acceleration");
    }
    if (in->bucket != NULL && !endpoint_is_hostable(in->bucket, false) &&
        !(in->uses_express_control && in->endpoint == NULL)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: not a name that a directory bucket can have",
                         in->bucket);
    }
    if (in->endpoint != NULL) {
        return endpoint_on_custom(in, in->bucket, true, why, out);
    }
    out->is_tls = true;
    if (in->uses_express_control) {
        endpoint_print(out, "s3express-control%s%s.%s.%s",
                       in->uses_fips ? "-fips" : "",
                       in->uses_dualstack ? ".dualstack" : "", in->region,
                       endpoint_suffix(in->region));
        snprintf(out->path, sizeof(out->path), "%s%.255s",
                 in->bucket != NULL ? "/" : "",
                 in->bucket != NULL ? in->bucket : "");
        return STATUS_OK;
    }
    if (!endpoint_zone(in->bucket, zone)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: a directory bucket is named NAME--ZONE--x-s3",
                         in->bucket);
    }
    endpoint_print(out, "%.63s.s3express-%s%s%s.%s.%s", in->bucket,
                   in->uses_fips ? "fips-" : "", zone,
                   in->uses_dualstack ? ".dualstack" : "", in->region,
                   endpoint_suffix(in->region));
    return STATUS_OK;
}

/* ---- all of it ---------------------------------------------------------- */

/* Settings that exclude each other, whatever the bucket. */
static enum status endpoint_check(const struct endpoint_input *in,
                                  struct fault *why)
{
    bool is_cn;

    if (in->region == NULL || in->region[0] == '\0') {
        return fault_set(why, STATUS_INVALID,
                         "no region is set; set AWS_REGION");
    }
    if (!endpoint_is_label(bytes_of(in->region))) {
        return fault_set(why, STATUS_INVALID,
                         "region '%s' can't be the name of one", in->region);
    }
    is_cn = strcmp(endpoint_partition(in->region)->name, "aws-cn") == 0;
    if (in->uses_fips && is_cn) {
        return endpoint_refuse(why, in->region,
                               "the partition has no FIPS endpoints");
    }
    if (in->uses_accelerate && (in->uses_fips || is_cn)) {
        return endpoint_refuse(why, in->region,
                               "acceleration has no FIPS endpoints and is "
                               "not in China");
    }
    if (in->endpoint != NULL &&
        (in->uses_fips || in->uses_dualstack || in->uses_accelerate)) {
        return endpoint_refuse(why, in->endpoint,
                               "a custom endpoint can't be combined with "
                               "FIPS, dual-stack or acceleration");
    }
    return STATUS_OK;
}

/* Names of the first years have up to 255 bytes and any case; the two that
 * mean a folder would send requests elsewhere. */
static bool endpoint_is_bucket(const char *bucket)
{
    size_t size = strlen(bucket);

    return size >= 1 && size <= ENDPOINT_BUCKET_MAX &&
           strcmp(bucket, ".") != 0 && strcmp(bucket, "..") != 0;
}

static enum status endpoint_resolve_bucket(const struct endpoint_input *in,
                                           struct fault *why,
                                           struct endpoint *out)
{
    const char *bucket = in->bucket;

    if (bucket != NULL && !endpoint_is_bucket(bucket)) {
        return fault_set(why, STATUS_INVALID,
                         "'%.80s' can't be the name of a bucket", bucket);
    }
    if (in->uses_express_control ||
        (bucket != NULL && endpoint_is_express(bucket))) {
        return endpoint_on_express(in, why, out);
    }
    if (bucket != NULL && strncmp(bucket, "arn:", 4) == 0) {
        return endpoint_on_point(in, why, out);
    }
    if (bucket != NULL && endpoint_ends(bucket, "--op-s3")) {
        return endpoint_refuse(why, bucket, "S3 on Outposts is not served");
    }
    if (in->uses_accelerate && bucket != NULL &&
        (in->addressing == AWS_ADDRESSING_PATH ||
         !endpoint_is_hostable(bucket, false))) {
        return endpoint_refuse(why, bucket,
                               "acceleration has no path-style addresses");
    }
    endpoint_sign_for(out, in->region, "s3");
    if (in->endpoint != NULL) {
        return endpoint_on_custom(
            in, bucket, in->addressing == AWS_ADDRESSING_VIRTUAL, why, out);
    }
    endpoint_on_aws(in, out);
    return STATUS_OK;
}

enum status endpoint_resolve(const struct endpoint_input *in, struct fault *why,
                             struct endpoint *out)
{
    enum status s;

    *out = (struct endpoint){.origin = ""};
    s = endpoint_check(in, why);
    if (s == STATUS_OK) {
        s = endpoint_resolve_bucket(in, why, out);
    }
    if (s == STATUS_OK) {
        endpoint_origin(out);
    }
    return s;
}

void endpoint_set_host(struct endpoint *e, const char *host)
{
    snprintf(e->host, sizeof(e->host), "%s", host);
    endpoint_origin(e);
}

void endpoint_input_of(const struct aws_settings *settings, const char *bucket,
                       struct endpoint_input *out)
{
    *out = (struct endpoint_input){
        .bucket = bucket,
        .region = settings->region,
        .endpoint = settings->endpoint,
        .addressing = settings->addressing,
        .uses_dualstack = settings->uses_dualstack,
        .uses_fips = settings->uses_fips,
        .uses_accelerate = settings->uses_accelerate,
        .uses_arn_region = settings->uses_arn_region,
        .is_us_east_1_regional = settings->is_us_east_1_regional,
        .has_no_express_session = settings->has_no_express_session,
    };
}
