/* SPDX-License-Identifier: Apache-2.0 */
/* Signature version 4, done by ourselves because the text that is signed and
 * the text that is sent must be one and the same: the signer takes raw bytes
 * and makes the request's target and header lines. A header's value never
 * begins a new line: breaks in it are sent, and signed, as spaces.
 *
 * A signer belongs to one thread; it keeps the derived key of the day and
 * the digest's context. Times are given, never read. Keys are wiped when it
 * is destroyed, texts that may hold a token when the result is freed; none
 * stands in a message. */

#ifndef STORE_SIGN_H
#define STORE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* What a body is signed as. */
#define SIGN_EMPTY                                                             \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SIGN_UNSIGNED "UNSIGNED-PAYLOAD"

enum {
    SIGN_HEX_SIZE = 65,
    SIGN_PAIRS_MAX = 64,  /* Headers or parameters, the signer's own too. */
    SIGN_NAMES_MAX = 200, /* Bytes of a region and a service together. */
};

struct sign_pair {
    struct bytes name;
    struct bytes value;
};

struct sign_key {
    const char *access_key; /* NULL: anonymous, nothing is signed; region,
                               service and time are not looked at. */
    const char *secret_key;
    const char *token; /* NULL without one. */
};

/* One request. All views are raw: nothing is encoded yet. */
struct sign_request {
    const char *method;
    struct bytes host; /* As the Host header has it, with a port if needed. */
    struct bytes path; /* "/key"; any bytes. "" is "/". */
    const struct sign_pair *query; /* In any order. */
    size_t query_count;
    const struct sign_pair *headers; /* All are signed. Host, X-Amz-Date,
                                        X-Amz-Content-Sha256 and the token are
                                        added by the signer. */
    size_t header_count;
    const char *payload; /* Hex SHA-256, or SIGN_UNSIGNED; NULL: the header is
                            not sent, and the empty body is signed. */

    struct sign_key key;
    const char *region;     /* With @service, SIGN_NAMES_MAX at most. */
    const char *service;    /* "s3", "s3express", "sts". */
    uint64_t wall_ms;       /* Since 1970, by the server's clock. */
    bool is_encoded_twice;  /* Every service but S3. */
    bool is_normalized;     /* Dot segments and "//" are not signed (they are
                               sent); never for S3. */
    bool is_create_session; /* S3 Express: signed with the account's own
                               credentials, the token in the usual header. */
    bool omits_token;       /* The token is sent, but not signed. */
};

/* What the signer made. Zeroed before the first use, freed by
 * sign_result_fini(), reusable. */
struct sign_result {
    struct buf target;  /* "/p%20q?a=b", to be sent as it is. */
    struct buf headers; /* "Host: h\r\nAuthorization: …\r\n", all of them. */
    struct buf canonical; /* For tests and for messages on 403. */
    struct buf to_sign;
    char signature[SIGN_HEX_SIZE]; /* "" of an anonymous request. */
};

void sign_result_fini(struct sign_result *r);

struct signer;

struct signer *signer_new(void);
void signer_destroy(struct signer **s);

/* Sign with the Authorization header. With S3 Express (service "s3express")
 * the token goes into x-amz-s3session-token. */
void sign_headers(struct signer *s, const struct sign_request *r,
                  struct sign_result *out);

/* Sign with query parameters, valid for @seconds; @r->payload NULL means
 * SIGN_UNSIGNED. Headers given are signed; Host alone is added. An anonymous
 * request gets no parameter. */
void sign_presign(struct signer *s, const struct sign_request *r,
                  uint32_t seconds, struct sign_result *out);

/* The signature of one aws-chunked chunk (@is_trailer false: @data are its
 * bytes) or of the trailer ("name:value\n"), after @previous. @r names key,
 * scope and time. */
struct sign_chunk {
    const char *previous; /* The signature before this one. */
    struct bytes data;
    bool is_trailer;
};
void sign_chunk(struct signer *s, const struct sign_request *r,
                const struct sign_chunk *chunk, char out[SIGN_HEX_SIZE]);

/* Write hex SHA-256 of @body. */
void sign_payload(struct signer *s, struct bytes body, char out[SIGN_HEX_SIZE]);

/* Write "YYYYMMDDTHHMMSSZ" of @wall_ms, the year 9999 at most. */
enum { SIGN_DATE_SIZE = 17 };
void sign_date(uint64_t wall_ms, char out[SIGN_DATE_SIZE]);

#endif /* STORE_SIGN_H */
