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

/* Letters, digits and '-', as a part of a host's name. */
bool endpoint_is_label(struct bytes text);

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
