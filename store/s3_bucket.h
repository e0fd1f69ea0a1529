/* SPDX-License-Identifier: Apache-2.0 */
/* What all handles of this process share about one bucket: settings, region
 * and endpoint, the server's clock, the retry pool, credentials, and what the
 * server turned out not to know. Made at the first use, kept until the
 * process ends, so that closing a store forgets nothing that was learned.
 *
 * Any thread; one lock a bucket (s3_bucket_os.c). */

#ifndef STORE_S3_BUCKET_H
#define STORE_S3_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crc.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/aws_config.h"
#include "store/credentials.h"
#include "store/endpoint.h"
#include "store/http.h"
#include "store/retry.h"
#include "store/s3_answer.h"

struct s3_bucket;

/* One attempt's view of it. */
struct s3_view {
    struct endpoint endpoint;
    struct credentials credentials; /* A session's with S3 Express. */
    int64_t offset_ms;              /* Server's clock minus ours. */
    enum crc_kind sum; /* To send with writes; NONE: Content-MD5 instead. */
    bool wants_sums;   /* Ask for checksums on reads. */
    bool is_unquoted;  /* If-Match on writes takes etags without quotes. */
    bool knows_quotes; /* Which of the two is known. */
    bool signs_payload;
    bool is_requester_paid;
};

/* Find or make the bucket's state. Errors as store_s3_open(). */
MUST_USE enum status s3_bucket_get(const char *name, struct fault *why,
                                   struct s3_bucket **out);

const char *s3_bucket_name(const struct s3_bucket *b);
const struct aws_settings *s3_bucket_settings(const struct s3_bucket *b);

/* Copy what the next attempt needs. May block for a refresh of credentials or
 * of a session. Errors as credentials_get(). The caller wipes
 * @out->credentials. */
MUST_USE enum status s3_bucket_view(struct s3_bucket *b, struct fault *why,
                                    struct s3_view *out);

/* Without credentials: where requests go now. */
void s3_bucket_endpoint(struct s3_bucket *b, struct endpoint *out);

/* The retry pool, under the bucket's lock. */
bool s3_bucket_admit(struct s3_bucket *b, struct retry *r, uint64_t now_ms,
                     uint64_t *at_ms);
void s3_bucket_succeeded(struct s3_bucket *b, struct retry *r, uint64_t now_ms,
                         const struct http_event *e);
bool s3_bucket_failed(struct s3_bucket *b, struct retry *r, uint64_t now_ms,
                      struct retry_failure failure);
bool s3_bucket_hedge(struct s3_bucket *b, uint64_t now_ms,
                     const struct retry_slow *slow);
void s3_bucket_pool(struct s3_bucket *b, struct retry_pool *out);

/* Note that there was an answer, of the time @server_ms (0: it did not say).
 * Returns whether that clock moved far. */
bool s3_bucket_note_answer(struct s3_bucket *b, uint64_t server_ms,
                           const struct http_event *e);

/* Change what @answer says is wrong with what @seen had. true: another
 * attempt differs from the last one. CREDENTIALS and SESSION may block. */
bool s3_bucket_fix(struct s3_bucket *b, const struct s3_view *seen,
                   const struct s3_answer *answer, struct fault *why);

/* How the server wants etags in If-Match on writes. */
void s3_bucket_set_quotes(struct s3_bucket *b, bool is_unquoted);

/* Whether the server has answered anything yet. */
bool s3_bucket_has_answered(struct s3_bucket *b);

#endif /* STORE_S3_BUCKET_H */
