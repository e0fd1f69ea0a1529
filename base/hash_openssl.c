/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/check.h"
#include "base/mem.h"

struct hash {
    EVP_MD_CTX *context;
};

static struct hash *hash_start(const EVP_MD *kind)
{
    struct hash *h = mem_new(1, sizeof(*h));

    h->context = EVP_MD_CTX_new();
    CHECK(h->context != NULL);
    CHECK(EVP_DigestInit_ex(h->context, kind, NULL) == 1);
    return h;
}

struct hash *hash_new(void)
{
    return hash_start(EVP_sha256());
}

struct hash *hash_md5_new(void)
{
    return hash_start(EVP_md5());
}

void hash_add(struct hash *h, const void *at, size_t size)
{
    if (size > 0) {
        CHECK(EVP_DigestUpdate(h->context, at, size) == 1);
    }
}

void hash_finish(struct hash **h, uint8_t out[HASH_SIZE])
{
    unsigned size = 0;

    CHECK(EVP_DigestFinal_ex((*h)->context, out, &size) == 1);
    CHECK(size == HASH_SIZE);
    hash_destroy(h);
}

void hash_destroy(struct hash **h)
{
    if (*h == NULL) {
        return;
    }
    EVP_MD_CTX_free((*h)->context);
    free(*h);
    *h = NULL;
}

void hash_of(struct bytes bytes, uint8_t out[HASH_SIZE])
{
    struct hash *h = hash_new();

    hash_add(h, bytes.at, bytes.size);
    hash_finish(&h, out);
}

static void hash_write_hex(const uint8_t *digest, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * size] = '\0';
}

void hash_hex(const uint8_t digest[HASH_SIZE], char out[HASH_HEX_SIZE])
{
    hash_write_hex(digest, HASH_SIZE, out);
}

void hash_md5_finish(struct hash **h, char out[HASH_MD5_HEX])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    CHECK(EVP_DigestFinal_ex((*h)->context, digest, &size) == 1);
    CHECK(2 * size + 1 == HASH_MD5_HEX);
    hash_write_hex(digest, size, out);
    hash_destroy(h);
}

void hash_random(void *out, size_t size)
{
    CHECK(size <= INT_MAX);
    CHECK(RAND_bytes(out, (int)size) == 1);
}

const char *hash_md5(struct bytes bytes, char out[HASH_MD5_TEXT])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    CHECK(EVP_Digest(bytes.at, bytes.size, digest, &size, EVP_md5(), NULL) ==
          1);
    CHECK(EVP_EncodeBlock((unsigned char *)out, digest, (int)size) ==
          HASH_MD5_TEXT - 1);
    return out;
}
