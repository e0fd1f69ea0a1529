/* SPDX-License-Identifier: Apache-2.0 */
/* The digest is fetched once a signer and its context reused: OpenSSL 3 looks
 * an algorithm up by name at each implicit fetch, which costs more than
 * hashing a request. HMAC is put together from it here, because a MAC context
 * is made anew for every key. */

#include "store/sign_parts.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum {
    SIGN_HASH = 32,
    SIGN_BLOCK = 64, /* Of SHA-256, for HMAC. */
};

struct sign_digest {
    EVP_MD *sha256;
    EVP_MD_CTX *context;

    /* The key of one day, region, service and secret. */
    struct {
        char scope[SIGN_SCOPE_MAX];
        uint8_t secret[SIGN_HASH]; /* Its hash: has it changed? */
        uint8_t value[SIGN_HASH];
    } key;
};

struct sign_digest *sign_digest_new(void)
{
    struct sign_digest *d = mem_new(1, sizeof(*d));

    d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->context = EVP_MD_CTX_new();
    CHECK(d->sha256 != NULL && d->context != NULL);
    return d;
}

void sign_digest_destroy(struct sign_digest **d)
{
    if (*d == NULL) {
        return;
    }
    EVP_MD_CTX_free((*d)->context);
    EVP_MD_free((*d)->sha256);
    OPENSSL_cleanse(*d, sizeof(**d));
    free(*d);
    *d = NULL;
}

void sign_wipe(struct buf *b)
{
    if (b->at != NULL) {
        OPENSSL_cleanse(b->at, b->room);
    }
    buf_fini(b);
}

/* ---- hashes ------------------------------------------------------------- */

/* Hash @a, then @b. */
static void sign_hash(struct sign_digest *d, struct bytes a, struct bytes b,
                      uint8_t out[SIGN_HASH])
{
    CHECK(EVP_DigestInit_ex2(d->context, d->sha256, NULL) == 1);
    CHECK(EVP_DigestUpdate(d->context, a.at, a.size) == 1);
    CHECK(EVP_DigestUpdate(d->context, b.at, b.size) == 1);
    CHECK(EVP_DigestFinal_ex(d->context, out, NULL) == 1);
}

static struct bytes sign_view(const uint8_t *at, size_t size)
{
    return (struct bytes){(const char *)at, size};
}

/* The key @a followed by @b as HMAC wants it: one block, hashed if longer. */
static void sign_block(struct sign_digest *d, struct bytes a, struct bytes b,
                       uint8_t out[SIGN_BLOCK])
{
    memset(out, 0, SIGN_BLOCK);
    if (a.size + b.size > SIGN_BLOCK) {
        sign_hash(d, a, b, out);
        return;
    }
    memcpy(out, a.at, a.size);
    if (b.size > 0) {
        memcpy(out + a.size, b.at, b.size);
    }
}

static void sign_mask(uint8_t block[SIGN_BLOCK], uint8_t mask)
{
    for (size_t i = 0; i < SIGN_BLOCK; i++) {
        block[i] ^= mask;
    }
}

/* HMAC of @text; @block, the key's, is spoilt. */
static void sign_hmac(struct sign_digest *d, uint8_t block[SIGN_BLOCK],
                      struct bytes text, uint8_t out[SIGN_HASH])
{
    uint8_t inner[SIGN_HASH];

    sign_mask(block, 0x36);
    sign_hash(d, sign_view(block, SIGN_BLOCK), text, inner);
    sign_mask(block, 0x36 ^ 0x5c);
    sign_hash(d, sign_view(block, SIGN_BLOCK), sign_view(inner, SIGN_HASH),
              out);
    OPENSSL_cleanse(inner, sizeof(inner));
}

static void sign_hex(const uint8_t hash[SIGN_HASH], char out[SIGN_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SIGN_HASH; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[SIGN_HEX_SIZE - 1] = '\0';
}

void sign_digest_hash(struct sign_digest *d, struct bytes text,
                      char out[SIGN_HEX_SIZE])
{
    uint8_t hash[SIGN_HASH];

    sign_hash(d, text, BYTES(""), hash);
    sign_hex(hash, out);
}

/* ---- the derived key ---------------------------------------------------- */

static void sign_derive(struct sign_digest *d, const struct sign_scope *scope,
                        struct bytes secret)
{
    const struct bytes steps[] = {scope->date, scope->region, scope->service,
                                  BYTES("aws4_request")};
    uint8_t block[SIGN_BLOCK];

    sign_block(d, BYTES("AWS4"), secret, block);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        sign_hmac(d, block, steps[i], d->key.value);
        sign_block(d, sign_view(d->key.value, SIGN_HASH), BYTES(""), block);
    }
    OPENSSL_cleanse(block, sizeof(block));
}

static void sign_take_key(struct sign_digest *d, const struct sign_scope *scope,
                          struct bytes secret)
{
    uint8_t hash[SIGN_HASH];

    sign_hash(d, secret, BYTES(""), hash);
    if (strcmp(scope->text, d->key.scope) != 0 ||
        memcmp(hash, d->key.secret, SIGN_HASH) != 0) {
        sign_derive(d, scope, secret);
        memcpy(d->key.scope, scope->text, SIGN_SCOPE_MAX);
        memcpy(d->key.secret, hash, SIGN_HASH);
    }
    OPENSSL_cleanse(hash, sizeof(hash));
}

void sign_digest_sign(struct sign_digest *d, const struct sign_scope *scope,
                      struct bytes secret, struct bytes text,
                      char out[SIGN_HEX_SIZE])
{
    uint8_t block[SIGN_BLOCK];
    uint8_t hash[SIGN_HASH];

    sign_take_key(d, scope, secret);
    sign_block(d, sign_view(d->key.value, SIGN_HASH), BYTES(""), block);
    sign_hmac(d, block, text, hash);
    sign_hex(hash, out);
    OPENSSL_cleanse(block, sizeof(block));
}
