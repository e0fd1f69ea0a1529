/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of the S3 test server. CRCs are its own, of the polynomials. */

#ifndef TESTS_S3SERVER_S3SERVER_SUM_H
#define TESTS_S3SERVER_S3SERVER_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum srv_sum_kind {
    SRV_CRC64NVME,
    SRV_CRC32C,
    SRV_CRC32,
    SRV_SHA1,
    SRV_SHA256,
    SRV_SUM_KINDS,
};

enum { SRV_SUM_MAX = 32 };

struct srv_sums {
    unsigned char md5[16];
    unsigned char sha256[32]; /* For x-amz-content-sha256. */
    unsigned char sum[SRV_SUM_MAX];
    enum srv_sum_kind kind;
    uint32_t part_count; /* Not 0: a checksum of so many checksums. */
};

const char *srv_sum_name(enum srv_sum_kind kind);    /* "crc64nvme" */
const char *srv_sum_element(enum srv_sum_kind kind); /* "CRC64NVME" */
size_t srv_sum_size(enum srv_sum_kind kind);
void srv_sum(enum srv_sum_kind kind, const void *at, size_t size,
             unsigned char out[SRV_SUM_MAX]);
void srv_md5(const void *at, size_t size, unsigned char out[16]);
void srv_sha256(const void *at, size_t size, unsigned char out[32]);
void srv_hmac(const void *key, size_t key_size, const char *text,
              unsigned char out[32]);
void srv_sum_text(const struct srv_sums *sums, struct buf *out);

#endif /* TESTS_S3SERVER_S3SERVER_SUM_H */
