/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of S3 (or of something like it) means: one table from result,
 * status code and error code to what to do and to what a person reads. Pure. */

#ifndef STORE_S3_ANSWER_H
#define STORE_S3_ANSWER_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/http.h"
#include "store/retry.h"
#include "store/s3_xml.h"
#include "store/store.h"

/* What must be changed before another attempt can do better. */
enum s3_fix {
    S3_FIX_NONE,
    S3_FIX_REGION,      /* Another region: see s3_answer.region. */
    S3_FIX_HOST,        /* 307: another host, see .host. */
    S3_FIX_CLOCK,       /* Our clock is off: see .server_ms. */
    S3_FIX_CREDENTIALS, /* They have expired. */
    S3_FIX_CHECKSUM,    /* The server does not know this checksum header. */
};

struct s3_answer {
    enum status status; /* OK, or as store_event has them. */
    enum retry_class retry;
    enum s3_fix fix;
    bool is_ambiguous; /* A write: it may have happened all the same. */
    uint32_t after_ms; /* Retry-After, x-amz-retry-after. */
    char region[64];
    char host[S3_TEXT_MAX];
    uint64_t server_ms; /* Date; 0 without. */
    const char *advice; /* What to do: "needs s3:ListBucket". Never NULL. */
    struct s3_error error;
};

/* What was asked, as far as it changes the meaning. */
struct s3_asked {
    enum store_op op;
    enum store_when when;
    bool is_ranged; /* A Range header was sent. */
    bool is_pinned; /* If-Match on a GET. */
    bool is_single; /* DELETE_MANY: of one key, at a server without it. */
};

/* Read @e. 200 with an <Error> inside counts as the error that it is; an
 * empty 200 where a document was due is TRANSIENT. */
void s3_answer_read(const struct s3_asked *asked, const struct http_event *e,
                    struct s3_answer *out);

/* The line: "<uri>: 403 AccessDenied: Access Denied (request id …): <advice>"
 * or "<uri>: can't connect to host:port: refused: <advice>". */
void s3_answer_say(const struct s3_answer *a, const struct http_event *e,
                   const char *uri, const char *origin, struct fault *why);

#endif /* STORE_S3_ANSWER_H */
