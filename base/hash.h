/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, for the names of things by their content (hash_openssl.c); and MD5
 * where a protocol asks for it. */

#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { HASH_SIZE = 32, HASH_HEX_SIZE = 2 * HASH_SIZE + 1 };

struct hash; /* One hash being made. */

/* Start one; it is freed by hash_finish() or hash_destroy(). */
struct hash *hash_new(void);
void hash_add(struct hash *h, const void *at, size_t size);

/* Write the digest, free *@h and set it to NULL. */
void hash_finish(struct hash **h, uint8_t out[HASH_SIZE]);
void hash_destroy(struct hash **h);

/* Hash one run of bytes. */
void hash_of(struct bytes bytes, uint8_t out[HASH_SIZE]);

/* Write @digest as lower-case hex with its NUL. */
void hash_hex(const uint8_t digest[HASH_SIZE], char out[HASH_HEX_SIZE]);

/* Write the base64 of @bytes' MD5, which old protocols want as a checksum, and
 * return @out. */
enum { HASH_MD5_TEXT = 25 };
const char *hash_md5(struct bytes bytes, char out[HASH_MD5_TEXT]);

/* MD5 of what comes in pieces: start one for hash_add(); hash_md5_finish()
 * writes its lower-case hex, frees *@h and sets it to NULL. */
enum { HASH_MD5_HEX = 33 };
struct hash *hash_md5_new(void);
void hash_md5_finish(struct hash **h, char out[HASH_MD5_HEX]);

/* Fill @out with @size bytes that nobody can guess (nonces, attempt names). */
void hash_random(void *out, size_t size);

#endif /* BASE_HASH_H */
