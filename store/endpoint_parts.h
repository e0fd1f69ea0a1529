/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the endpoints: what endpoint.c and endpoint_arn.c share. */

#ifndef STORE_ENDPOINT_PARTS_H
#define STORE_ENDPOINT_PARTS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "store/endpoint.h"

struct partition {
    const char *prefix; /* Of its regions' names. */
    const char *name;
    const char *suffix;
};
const struct partition *endpoint_partition(const char *region);

enum {
    ENDPOINT_BUCKET_MAX = 255,
    ENDPOINT_CUSTOM_MAX = 250, /* Of a custom endpoint, behind "://". */
};

bool endpoint_is_letter(char c); /* Or a digit. */

/* Letters, digits and '-' inside, as a part of a host's name. */
bool endpoint_is_label(struct bytes text);

/* Four numbers, before a port or path. */
bool endpoint_is_ipv4(const char *host);

/* Whether @bucket can be a part of a host's name. TLS certificates are for
 * one label, so that dots only go over plain HTTP. */
bool endpoint_is_hostable(const char *bucket, bool may_have_dots);

__attribute__((format(printf, 2, 3))) void endpoint_print(struct endpoint *out,
                                                          const char *format,
                                                          ...);

/* Set host and path for @name (may be NULL) behind the custom endpoint. */
MUST_USE enum status endpoint_on_custom(const struct endpoint_input *in,
                                        const char *name, bool is_hosted,
                                        struct fault *why,
                                        struct endpoint *out);

/* An access point: "arn:PARTITION:s3:REGION:ACCOUNT:accesspoint[:/]NAME". */
struct endpoint_arn {
    char region[64];
    char account[64];
    char name[64];
};
MUST_USE enum status endpoint_read_arn(const struct endpoint_input *in,
                                       struct fault *why,
                                       struct endpoint_arn *out);

#endif /* STORE_ENDPOINT_PARTS_H */
