/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/s3server/s3server_sum.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <string.h>

#include "base/check.h"
#include "tests/s3server/s3server_text.h"

/* Reflected polynomials; all ones before and after. */
static const struct {
    const char *name;
    const char *element;
    size_t size;
    uint64_t poly;
} srv_sum_kinds[SRV_SUM_KINDS] = {
    [SRV_CRC64NVME] = {"crc64nvme", "CRC64NVME", 8, 0x9a6c9329ac4bc9b5U},
    [SRV_CRC32C] = {"crc32c", "CRC32C", 4, 0x82f63b78U},
    [SRV_CRC32] = {"crc32", "CRC32", 4, 0xedb88320U},
    [SRV_SHA1] = {"sha1", "SHA1", 20, 0},
    [SRV_SHA256] = {"sha256", "SHA256", 32, 0},
};

static uint64_t srv_crc_tables[3][8][256];
static pthread_once_t srv_crc_once = PTHREAD_ONCE_INIT;

/* Table 0 is the definition, bit by bit; table n is that of a byte which n
 * zero bytes follow. */
static void srv_crc_make(void)
{
    for (size_t kind = 0; kind < 3; kind++) {
        uint64_t(*t)[256] = srv_crc_tables[kind];

        for (size_t i = 0; i < 256; i++) {
            uint64_t crc = i;

            for (int bit = 0; bit < 8; bit++) {
                crc = crc >> 1 ^ (crc & 1 ? srv_sum_kinds[kind].poly : 0);
            }
            t[0][i] = crc;
        }
        for (size_t i = 0; i < 7 * 256; i++) {
            uint64_t before = t[i / 256][i % 256];

            t[i / 256 + 1][i % 256] = before >> 8 ^ t[0][before & 255];
        }
    }
}

static uint64_t srv_crc(enum srv_sum_kind kind, const unsigned char *at,
                        size_t size)
{
    uint64_t ones = kind == SRV_CRC64NVME ? UINT64_MAX : UINT32_MAX;
    uint64_t crc = ones;
    uint64_t(*t)[256] = srv_crc_tables[kind];

    pthread_once(&srv_crc_once, srv_crc_make);
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word = 0;

        for (unsigned i = 0; i < 8; i++) {
            word |= (uint64_t)at[i] << (8 * i);
        }
        word ^= crc;
        crc = 0;
        for (unsigned i = 0; i < 8; i++) {
            crc ^= t[7 - i][word >> (8 * i) & 255];
        }
    }
    for (; size > 0; size--, at++) {
        crc = crc >> 8 ^ t[0][(crc ^ *at) & 255];
    }
    return crc ^ ones;
}

const char *srv_sum_name(enum srv_sum_kind kind)
{
    return srv_sum_kinds[kind].name;
}

const char *srv_sum_element(enum srv_sum_kind kind)
{
    return srv_sum_kinds[kind].element;
}

size_t srv_sum_size(enum srv_sum_kind kind)
{
    return srv_sum_kinds[kind].size;
}

static void srv_digest(const EVP_MD *md, const void *at, size_t size,
                       unsigned char *out)
{
    CHECK(EVP_Digest(at, size, out, NULL, md, NULL) == 1);
}

void srv_sum(enum srv_sum_kind kind, const void *at, size_t size,
             unsigned char out[SRV_SUM_MAX])
{
    size_t width = srv_sum_kinds[kind].size;
    uint64_t crc;

    if (kind == SRV_SHA1 || kind == SRV_SHA256) {
        srv_digest(kind == SRV_SHA1 ? EVP_sha1() : EVP_sha256(), at, size, out);
        return;
    }
    crc = srv_crc(kind, at, size);
    for (size_t i = 0; i < width; i++) {
        out[i] = (unsigned char)(crc >> (8 * (width - 1 - i)));
    }
}

void srv_md5(const void *at, size_t size, unsigned char out[16])
{
    srv_digest(EVP_md5(), at, size, out);
}

void srv_sha256(const void *at, size_t size, unsigned char out[32])
{
    srv_digest(EVP_sha256(), at, size, out);
}

void srv_hmac(const void *key, size_t key_size, const char *text,
              unsigned char out[32])
{
    CHECK(HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)text,
               strlen(text), out, NULL) != NULL);
}

void srv_sum_text(const struct srv_sums *sums, struct buf *out)
{
    srv_base64(sums->sum, srv_sum_kinds[sums->kind].size, out);
    if (sums->part_count > 0) {
        buf_print(out, "-%u", sums->part_count);
    }
}
