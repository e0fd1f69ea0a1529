/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the signer: its texts (sign_text.c, pure) and its digests
 * (sign_openssl.c). */

#ifndef STORE_SIGN_PARTS_H
#define STORE_SIGN_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "store/sign.h"

/* Pairs in the order in which they are sent. */
struct sign_pairs {
    struct sign_pair at[SIGN_PAIRS_MAX];
    size_t count;
};
void sign_pairs_add(struct sign_pairs *pairs, struct bytes name,
                    struct bytes value);

/* Append the path as it is signed; @sent is the one that is sent. */
void sign_text_path(const struct sign_request *r, struct bytes sent,
                    struct buf *work, struct buf *out);

/* Append "a=1&b=2", encoded and sorted by the encoded name, then value. */
void sign_text_query(const struct sign_pairs *query, struct buf *work,
                     struct buf *out);

/* Append the lines of the headers as they are signed, and the names that are
 * signed, joined by ';', to @names. */
void sign_text_headers(const struct sign_pairs *headers, struct buf *work,
                       struct buf *out, struct buf *names);

/* Append "Name: value\r\n" as it is sent. A line break or NUL in @value
 * becomes a space, as which it is signed: it must not begin a new header. */
void sign_text_line(struct bytes name, struct bytes value, struct buf *out);

/* ---- digests (sign_openssl.c) ------------------------------------------- */

enum { SIGN_SCOPE_MAX = 256 };

/* For whom a key is derived. */
struct sign_scope {
    struct bytes date; /* "YYYYMMDD". */
    struct bytes region;
    struct bytes service;
    char text[SIGN_SCOPE_MAX]; /* All three, as it is signed and sent. */
};

/* Holds the digests' memory and the key derived last. */
struct sign_digest;

struct sign_digest *sign_digest_new(void);
void sign_digest_destroy(struct sign_digest **d);

/* Write hex SHA-256 of @text. */
void sign_digest_hash(struct sign_digest *d, struct bytes text,
                      char out[SIGN_HEX_SIZE]);

/* Write the signature of @text by the key of @scope and @secret, which is
 * derived only if it is not the one of the call before. */
void sign_digest_sign(struct sign_digest *d, const struct sign_scope *scope,
                      struct bytes secret, struct bytes text,
                      char out[SIGN_HEX_SIZE]);

/* Free what @b holds, wiped first. */
void sign_wipe(struct buf *b);

#endif /* STORE_SIGN_PARTS_H */
