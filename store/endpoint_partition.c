/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "store/endpoint_parts.h"

static const struct partition partitions[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn"},
    {"us-gov-", "aws-us-gov", "amazonaws.com"},
    {"us-iso-", "aws-iso", "c2s.ic.gov"},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov"},
    {"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"},
    {"us-isof-", "aws-iso-f", "csp.hci.ic.gov"},
    {"eusc-", "aws-eusc", "amazonaws.eu"},
    {"", "aws", "amazonaws.com"},
};

const struct partition *endpoint_partition(const char *region)
{
    const struct partition *p = partitions;

    while (strncmp(region, p->prefix, strlen(p->prefix)) != 0) {
        p++;
    }
    return p;
}

const char *endpoint_suffix(const char *region)
{
    return endpoint_partition(region)->suffix;
}

void endpoint_sts(const char *region, bool uses_fips,
                  char out[ENDPOINT_TEXT_MAX])
{
    bool is_global = strcmp(region, "aws-global") == 0;

    snprintf(out, ENDPOINT_TEXT_MAX, "https://sts%s.%s.%s",
             uses_fips ? "-fips" : "", is_global ? "us-east-1" : region,
             endpoint_suffix(region));
}
