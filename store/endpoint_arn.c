/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "store/endpoint_parts.h"

enum { ARN_PARTS = 6 };

static enum status arn_refuse(const struct endpoint_input *in,
                              struct fault *why, const char *reason)
{
    return fault_set(why, STATUS_INVALID,
                     "%s: %s; an access point is written "
                     "arn:PARTITION:s3:REGION:ACCOUNT:accesspoint:NAME",
                     in->bucket, reason);
}

/* Cut "arn:partition:service:region:account:resource"; the resource may hold
 * colons. */
static bool arn_cut(const char *text, struct bytes out[ARN_PARTS])
{
    for (int i = 0; i < ARN_PARTS; i++) {
        size_t size = i < ARN_PARTS - 1 ? strcspn(text, ":") : strlen(text);

        out[i] = (struct bytes){text, size};
        text += size;
        if (i < ARN_PARTS - 1 && *text++ != ':') {
            return false;
        }
    }
    return out[ARN_PARTS - 1].size > 0;
}

static bool arn_copy(struct bytes from, char out[64])
{
    if (!endpoint_is_label(from)) {
        return false;
    }
    memcpy(out, from.at, from.size);
    out[from.size] = '\0';
    return true;
}

/* "accesspoint:name" or "accesspoint/name" */
static enum status arn_read_name(const struct endpoint_input *in,
                                 struct bytes resource, struct fault *why,
                                 char out[64])
{
    static const char kind[] = "accesspoint";
    size_t size = sizeof(kind) - 1;

    if (resource.size <= size || memcmp(resource.at, kind, size) != 0 ||
        (resource.at[size] != ':' && resource.at[size] != '/')) {
        return arn_refuse(in, why, "it names no access point");
    }
    resource.at += size + 1;
    resource.size -= size + 1;
    if (bytes_has_suffix(resource, BYTES(".mrap"))) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "%s: multi-region access points are not served; use "
                         "the bucket of one region",
                         in->bucket);
    }
    return arn_copy(resource, out)
               ? STATUS_OK
               : arn_refuse(in, why,
                            "its name can't be that of an access "
                            "point");
}

static enum status arn_check_region(const struct endpoint_input *in,
                                    struct bytes partition,
                                    const struct endpoint_arn *arn,
                                    struct fault *why)
{
    const char *ours = endpoint_partition(in->region)->name;

    if (!in->uses_arn_region && strcmp(arn->region, in->region) != 0) {
        return fault_set(why, STATUS_INVALID,
                         "%s: it is in another region than '%s', and "
                         "AWS_S3_USE_ARN_REGION is false",
                         in->bucket, in->region);
    }
    if (strcmp(endpoint_partition(arn->region)->name, ours) != 0 ||
        !bytes_is(partition, ours)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: region '%s' is in the partition %s, the access "
                         "point is not",
                         in->bucket, in->region, ours);
    }
    return STATUS_OK;
}

enum status endpoint_read_arn(const struct endpoint_input *in,
                              struct fault *why, struct endpoint_arn *out)
{
    struct bytes parts[ARN_PARTS];
    enum status s;

    *out = (struct endpoint_arn){.region = ""};
    if (!arn_cut(in->bucket, parts)) {
        return arn_refuse(in, why, "it is not a whole ARN");
    }
    if (bytes_is(parts[2], "s3-outposts") ||
        bytes_is(parts[2], "s3-object-lambda")) {
        return fault_set(why, STATUS_UNSUPPORTED,
                         "%s: S3 on Outposts and Object Lambda are not served",
                         in->bucket);
    }
    if (!bytes_is(parts[2], "s3")) {
        return arn_refuse(in, why, "it is not of S3");
    }
    s = arn_read_name(in, parts[5], why, out->name);
    if (s != STATUS_OK) {
        return s;
    }
    if (!arn_copy(parts[3], out->region) || !arn_copy(parts[4], out->account)) {
        return arn_refuse(in, why, "its region or account can't be one");
    }
    if (in->has_no_access_points) {
        return arn_refuse(in, why, "the operation is not for access points");
    }
    return arn_check_region(in, parts[1], out, why);
}
