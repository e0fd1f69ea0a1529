/* SPDX-License-Identifier: Apache-2.0 */
/* What answers mean, row by row, and the lines that people read. */

#include "base/buf.h"
#include "store/s3_answer.h"
#include "tests/harness.h"

#define DATE "Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n"

/* An answer, written short. */
struct given {
    enum store_op op;
    enum store_when when;
    enum http_result result;
    int code;
    const char *error; /* A code makes a document; "<…" is a body; NULL: none */
    const char *message;
    const char *headers;
};

static struct buf given_body;

static struct http_event given_event(const struct given *g)
{
    struct http_event e = {.result = g->result, .code = g->code};

    buf_clear(&given_body);
    if (g->error != NULL && strchr("< ", g->error[0]) != NULL) {
        buf_add_text(&given_body, g->error);
    } else if (g->error != NULL) {
        buf_print(&given_body,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s"
                  "</Code><Message>%s</Message><RequestId>R1</RequestId>"
                  "</Error>",
                  g->error, g->message != NULL ? g->message : "M");
    }
    e.body = buf_bytes(&given_body);
    e.headers = bytes_of(g->headers != NULL ? g->headers : "");
    return e;
}

static struct s3_answer answer_of(const struct given *g)
{
    struct http_event e = given_event(g);
    struct s3_asked asked = {.op = g->op, .when = g->when};
    struct s3_answer a;

    s3_answer_read(&asked, &e, &a);
    EXPECT(a.advice != NULL);
    return a;
}

enum { SURE, UNSURE };

struct row {
    struct given given;
    enum status status;
    enum retry_class retry;
    enum s3_fix fix;
    bool is_ambiguous;
};

#define GET STORE_GET, STORE_ALWAYS
#define HEAD STORE_HEAD, STORE_ALWAYS
#define LIST STORE_LIST, STORE_ALWAYS
#define PUT STORE_PUT, STORE_ALWAYS
#define NEW STORE_PUT, STORE_IF_ABSENT
#define SWAP STORE_PUT, STORE_IF_MATCH
#define DELETE STORE_DELETE, STORE_ALWAYS
#define DELETE_IF STORE_DELETE, STORE_IF_MATCH
#define BEGIN STORE_UPLOAD_BEGIN, STORE_ALWAYS
#define PART STORE_UPLOAD_PART, STORE_ALWAYS
#define END STORE_UPLOAD_END, STORE_ALWAYS
#define END_NEW STORE_UPLOAD_END, STORE_IF_ABSENT
#define ABORT STORE_UPLOAD_ABORT, STORE_ALWAYS

static const struct row rows[] = {
    /* Good ones. */
    {{GET, HTTP_DONE, 200, NULL, NULL, NULL}, STATUS_OK, 0, 0, SURE},
    {{GET, HTTP_DONE, 206, NULL, NULL, NULL}, STATUS_OK, 0, 0, SURE},
    {{HEAD, HTTP_DONE, 200, NULL, NULL, NULL}, STATUS_OK, 0, 0, SURE},
    {{PUT, HTTP_DONE, 200, NULL, NULL, NULL}, STATUS_OK, 0, 0, SURE},
    {{DELETE, HTTP_DONE, 204, NULL, NULL, NULL}, STATUS_OK, 0, 0, SURE},
    {{ABORT, HTTP_DONE, 204, NULL, NULL, NULL}, STATUS_OK, 0, 0, SURE},
    {{END, HTTP_DONE, 200, "<CompleteMultipartUploadResult/>", NULL, NULL},
     STATUS_OK,
     0,
     0,
     SURE},
    {{END, HTTP_DONE, 200, "   \n<CompleteMultipartUploadResult/>", NULL, NULL},
     STATUS_OK,
     0,
     0,
     SURE},
    {{LIST, HTTP_DONE, 200, "<ListBucketResult/>", NULL, NULL},
     STATUS_OK,
     0,
     0,
     SURE},
    /* What a read back reads is anybody's bytes. */
    {{GET, HTTP_DONE, 200, "SlowDown", NULL, NULL}, STATUS_OK, 0, 0, SURE},

    /* 200 with something else inside. */
    {{END, HTTP_DONE, 200, "InternalError", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{END, HTTP_DONE, 200, "SlowDown", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     UNSURE},
    {{END, HTTP_DONE, 200, "RequestTimeTooSkewed", NULL, NULL},
     STATUS_SKEW,
     RETRY_NEVER,
     S3_FIX_CLOCK,
     SURE},
    {{END_NEW, HTTP_DONE, 200, "PreconditionFailed", NULL, NULL},
     STATUS_EXISTS,
     RETRY_NEVER,
     0,
     SURE},
    {{END, HTTP_DONE, 200, "Unheard", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{END, HTTP_DONE, 200, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{END, HTTP_DONE, 200, "  \n ", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{LIST, HTTP_DONE, 200, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{LIST, HTTP_DONE, 200, "InternalError", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{BEGIN, HTTP_DONE, 200, "AccessDenied", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},

    /* Another region, another host. */
    {{GET, HTTP_DONE, 301, "PermanentRedirect", NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_REGION,
     SURE},
    {{HEAD, HTTP_DONE, 301, NULL, NULL, "x-amz-bucket-region: eu-west-1\r\n"},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_REGION,
     SURE},
    {{HEAD, HTTP_DONE, 400, NULL, NULL, "x-amz-bucket-region: eu-west-1\r\n"},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_REGION,
     SURE},
    {{GET, HTTP_DONE, 302, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_REGION,
     SURE},
    {{PUT, HTTP_DONE, 400, "AuthorizationHeaderMalformed", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_REGION,
     SURE},
    {{PUT, HTTP_DONE, 400, "IllegalLocationConstraintException", NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_REGION,
     SURE},
    {{PUT, HTTP_DONE, 307, "TemporaryRedirect", NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_HOST,
     SURE},
    {{HEAD, HTTP_DONE, 307, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_HOST,
     SURE},
    {{GET, HTTP_DONE, 308, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 304, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},

    /* Clock and credentials. */
    {{GET, HTTP_DONE, 403, "RequestTimeTooSkewed", NULL, NULL},
     STATUS_SKEW,
     RETRY_NEVER,
     S3_FIX_CLOCK,
     SURE},
    {{GET, HTTP_DONE, 403, "RequestExpired", NULL, NULL},
     STATUS_SKEW,
     RETRY_NEVER,
     S3_FIX_CLOCK,
     SURE},
    {{GET, HTTP_DONE, 403, "RequestInTheFuture", NULL, NULL},
     STATUS_SKEW,
     RETRY_NEVER,
     S3_FIX_CLOCK,
     SURE},
    {{PUT, HTTP_DONE, 403, "SignatureDoesNotMatch", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_CLOCK,
     SURE},
    {{HEAD, HTTP_DONE, 403, NULL, NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_CLOCK,
     SURE},
    {{GET, HTTP_DONE, 400, "ExpiredToken", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_CREDENTIALS,
     SURE},
    {{GET, HTTP_DONE, 403, "ExpiredTokenException", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_CREDENTIALS,
     SURE},
    {{GET, HTTP_DONE, 400, "InvalidToken", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_CREDENTIALS,
     SURE},
    {{GET, HTTP_DONE, 400, "TokenRefreshRequired", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     S3_FIX_CREDENTIALS,
     SURE},
    {{HEAD, HTTP_DONE, 400, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_CREDENTIALS,
     SURE},

    /* No right. */
    {{GET, HTTP_DONE, 403, "AccessDenied", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 403, "AllAccessDisabled", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 403, "InvalidAccessKeyId", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 403, "Unheard", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 403, "InvalidObjectState", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "KMS.DisabledException", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "KMS.NotFoundException", NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "KMS.ThrottlingException", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{GET, HTTP_DONE, 401, NULL, NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 407, NULL, NULL, NULL},
     STATUS_DENIED,
     RETRY_NEVER,
     0,
     SURE},

    /* Not there. */
    {{GET, HTTP_DONE, 404, "NoSuchKey", NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{HEAD, HTTP_DONE, 404, NULL, NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{SWAP, HTTP_DONE, 404, "NoSuchKey", NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{LIST, HTTP_DONE, 404, "NoSuchBucket", NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 404, "NoSuchVersion", NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{END, HTTP_DONE, 404, "NoSuchUpload", NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 405, "MethodNotAllowed", NULL, NULL},
     STATUS_NOT_FOUND,
     RETRY_NEVER,
     0,
     SURE},
    {{DELETE, HTTP_DONE, 405, "MethodNotAllowed", NULL, NULL},
     STATUS_UNSUPPORTED,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 405, NULL, NULL, NULL},
     STATUS_UNSUPPORTED,
     RETRY_NEVER,
     0,
     SURE},

    /* Conditions. */
    {{GET, HTTP_DONE, 412, "PreconditionFailed", NULL, NULL},
     STATUS_CHANGED,
     RETRY_NEVER,
     0,
     SURE},
    {{HEAD, HTTP_DONE, 412, NULL, NULL, NULL},
     STATUS_CHANGED,
     RETRY_NEVER,
     0,
     SURE},
    {{NEW, HTTP_DONE, 412, "PreconditionFailed", NULL, NULL},
     STATUS_EXISTS,
     RETRY_NEVER,
     0,
     SURE},
    {{NEW, HTTP_DONE, 412, NULL, NULL, NULL},
     STATUS_EXISTS,
     RETRY_NEVER,
     0,
     SURE},
    {{SWAP, HTTP_DONE, 412, "PreconditionFailed", NULL, NULL},
     STATUS_CHANGED,
     RETRY_NEVER,
     0,
     SURE},
    {{DELETE_IF, HTTP_DONE, 412, NULL, NULL, NULL},
     STATUS_CHANGED,
     RETRY_NEVER,
     0,
     SURE},
    {{NEW, HTTP_DONE, 409, "ConditionalRequestConflict", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{SWAP, HTTP_DONE, 409, "OperationAborted", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{SWAP, HTTP_DONE, 409, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{PUT, HTTP_DONE, 409, "ExistingObjectIsDirectory", NULL, NULL},
     STATUS_CONFLICT,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 409, "XMinioParentIsObject", NULL, NULL},
     STATUS_CONFLICT,
     RETRY_NEVER,
     0,
     SURE},

    /* What was asked for is wrong. */
    {{GET, HTTP_DONE, 416, "InvalidRange", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 416, NULL, NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{END, HTTP_DONE, 400, "EntityTooSmall", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{END, HTTP_DONE, 400, "InvalidPart", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{END, HTTP_DONE, 400, "InvalidPartOrder", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 400, "EntityTooLarge", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 400, "KeyTooLongError", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{LIST, HTTP_DONE, 400, "InvalidBucketName", NULL, NULL},
     STATUS_INVALID,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 400, "InvalidArgument", "bad", NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "Unheard", NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 418, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},

    /* Checksums that a server does not know. */
    {{PUT, HTTP_DONE, 501, "NotImplemented",
      "A header you provided implies functionality that is not implemented",
      NULL},
     STATUS_UNSUPPORTED,
     RETRY_NEVER,
     S3_FIX_CHECKSUM,
     SURE},
    {{PART, HTTP_DONE, 400, "InvalidRequest",
      "The algorithm type you specified in x-amz-checksum- header is invalid.",
      NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_CHECKSUM,
     SURE},
    {{BEGIN, HTTP_DONE, 400, "InvalidArgument",
      "Checksum algorithm provided is unsupported", NULL},
     STATUS_STORE,
     RETRY_NEVER,
     S3_FIX_CHECKSUM,
     SURE},
    {{PUT, HTTP_DONE, 501, "NotImplemented", "conditions", NULL},
     STATUS_UNSUPPORTED,
     RETRY_NEVER,
     0,
     SURE},
    {{GET, HTTP_DONE, 501, NULL, NULL, NULL},
     STATUS_UNSUPPORTED,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 400, "BadDigest", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{PUT, HTTP_DONE, 400, "IncompleteBody", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},

    /* Trouble. */
    {{PUT, HTTP_DONE, 500, "InternalError", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{GET, HTTP_DONE, 500, "InternalError", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{SWAP, HTTP_DONE, 500, "UnknownError", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{GET, HTTP_DONE, 502, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{NEW, HTTP_DONE, 504, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{GET, HTTP_DONE, 599, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{GET, HTTP_DONE, 408, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{PUT, HTTP_DONE, 400, "RequestTimeout", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{PUT, HTTP_DONE, 400, "RequestTimeoutException", NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{GET, HTTP_DONE, 503, "SlowDown", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{HEAD, HTTP_DONE, 503, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{GET, HTTP_DONE, 429, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "ThrottledException", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "RequestThrottledException", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{GET, HTTP_DONE, 400, "TooManyRequestsException", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{GET, HTTP_DONE, 509, "BandwidthLimitExceeded", NULL, NULL},
     STATUS_STORE,
     RETRY_THROTTLE,
     0,
     SURE},
    {{PUT, HTTP_DONE, 507, NULL, NULL, NULL},
     STATUS_NO_SPACE,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_DONE, 400, "QuotaExceeded", NULL, NULL},
     STATUS_NO_SPACE,
     RETRY_NEVER,
     0,
     SURE},

    /* No answer. */
    {{GET, HTTP_RESOLVE, 0, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{PUT, HTTP_CONNECT, 0, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{PUT, HTTP_TLS, 0, NULL, NULL, NULL}, STATUS_STORE, RETRY_NEVER, 0, SURE},
    {{GET, HTTP_STALE, 0, NULL, NULL, NULL}, STATUS_STORE, RETRY_FREE, 0, SURE},
    {{NEW, HTTP_STALE, 0, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_FREE,
     0,
     UNSURE},
    {{NEW, HTTP_LOST, 0, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{END, HTTP_SHORT, 200, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{GET, HTTP_SHORT, 206, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{SWAP, HTTP_TIMEOUT, 0, NULL, NULL, NULL},
     STATUS_TIMEOUT,
     RETRY_TRANSIENT,
     0,
     UNSURE},
    {{GET, HTTP_MALFORMED, 0, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_TRANSIENT,
     0,
     SURE},
    {{LIST, HTTP_TOO_LARGE, 200, NULL, NULL, NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},
    {{PUT, HTTP_OS, 0, NULL, NULL, NULL}, STATUS_OS, RETRY_TRANSIENT, 0, SURE},
};

TEST(each_row)
{
    int failed = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct s3_answer a = answer_of(&r->given);

        if (a.status != r->status || a.retry != r->retry || a.fix != r->fix ||
            a.is_ambiguous != r->is_ambiguous) {
            fprintf(stderr, "row %zu (op %d: %d %s): %s retry %d fix %d %s\n",
                    i, (int)r->given.op, r->given.code,
                    r->given.error != NULL ? r->given.error : "",
                    status_name(a.status), (int)a.retry, (int)a.fix,
                    a.is_ambiguous ? "unsure" : "sure");
            failed++;
        }
    }
    EXPECT_EQ(failed, 0);
    EXPECT(sizeof(rows) / sizeof(rows[0]) >= 80);
    buf_fini(&given_body);
}

/* ---- what else an answer tells ------------------------------------------ */

TEST(where_to_ask_instead)
{
    static const struct {
        const char *headers;
        const char *body;
        const char *region;
        const char *host;
    } places[] = {
        {"x-amz-bucket-region: eu-west-1\r\n",
         "<Error><Code>PermanentRedirect</Code><Region>us-west-2</Region>"
         "</Error>",
         "eu-west-1", ""},
        {"",
         "<Error><Code>AuthorizationHeaderMalformed</Code>"
         "<Region>us-west-2</Region></Error>",
         "us-west-2", ""},
        {"", "<Error><Code>PermanentRedirect</Code></Error>", "", ""},
        {"Location: https://b.s3.eu-west-1.amazonaws.com/k?x=1\r\n", "", "",
         "b.s3.eu-west-1.amazonaws.com"},
        {"",
         "<Error><Code>TemporaryRedirect</Code>"
         "<Endpoint>b.s3.amazonaws.com</Endpoint></Error>",
         "", "b.s3.amazonaws.com"},
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct s3_answer a =
            answer_of(&(struct given){GET, HTTP_DONE, i < 3 ? 301 : 307,
                                      places[i].body, NULL, places[i].headers});

        EXPECT_STR(a.region, places[i].region);
        EXPECT_STR(a.host, places[i].host);
    }
    buf_fini(&given_body);
}

TEST(when_to_ask_again)
{
    static const struct {
        const char *headers;
        uint32_t after_ms;
        uint64_t server_ms;
    } times[] = {
        {"", 0, 0},
        {DATE, 0, 1769860800000},
        {"Retry-After: 7\r\n", 7000, 0},
        {"x-amz-retry-after: 1500\r\n", 1500, 0},
        {"Retry-After: 7\r\nx-amz-retry-after: 1500\r\n", 1500, 0},
        {"Retry-After: -1\r\n", 0, 0},
        {"Retry-After: soon\r\n", 0, 0},
        {"Retry-After: 99999999999999\r\n", 0, 0},
        {"Retry-After: 4000\r\n", 0, 0},
        {"Date: yesterday\r\n", 0, 0},
    };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct s3_answer a = answer_of(
            &(struct given){GET, HTTP_DONE, 503, NULL, NULL, times[i].headers});

        EXPECT_EQ(a.after_ms, times[i].after_ms);
        EXPECT_EQ(a.server_ms, times[i].server_ms);
    }
}

/* A page of a listing may hold what looks like an error. */
TEST(pages_are_no_errors)
{
    static const char page[] =
        "<ListBucketResult><Contents><Key>&lt;Error></Key><Size>1</Size>"
        "</Contents><!-- <Error><Code>SlowDown</Code></Error> -->"
        "</ListBucketResult>";
    struct s3_answer a =
        answer_of(&(struct given){LIST, HTTP_DONE, 200, page, NULL, NULL});

    EXPECT_EQ(a.status, STATUS_OK);
    buf_fini(&given_body);
}

/* ---- lines -------------------------------------------------------------- */

#define URI "s3://b/p/x.tar"
#define HTML "Content-Type: text/html; charset=utf-8\r\n"

static const struct {
    struct given given;
    const char *line;
} lines[] = {
    {{GET, HTTP_DONE, 403, "AccessDenied", "Access Denied",
      "x-amz-request-id: 7F\r\n"},
     URI ": 403 AccessDenied: Access Denied (request 7F); the credentials may "
         "not read it, or it is not there and they may not list; they need "
         "s3:GetObject (and s3:ListBucket)"},
    {{LIST, HTTP_DONE, 403, "AccessDenied", "Access Denied", NULL},
     URI ": 403 AccessDenied: Access Denied (request R1); the credentials may "
         "not list it; they need s3:ListBucket on the bucket"},
    {{PUT, HTTP_DONE, 403, "AccessDenied", "Access Denied", NULL},
     URI ": 403 AccessDenied: Access Denied (request R1); the credentials may "
         "not write it; they need s3:PutObject"},
    {{DELETE, HTTP_DONE, 403, NULL, NULL, NULL},
     URI ": 403; the credentials may not delete it; they need "
         "s3:DeleteObject"},
    {{ABORT, HTTP_DONE, 403, NULL, NULL, NULL},
     URI ": 403; the credentials may not abort it; they need "
         "s3:AbortMultipartUpload"},
    {{LIST, HTTP_DONE, 404, "NoSuchBucket", "The bucket does not exist", NULL},
     URI ": 404 NoSuchBucket: The bucket does not exist (request R1); there is "
         "no such bucket; check the name, and the endpoint"},
    {{HEAD, HTTP_DONE, 404, NULL, NULL, NULL},
     URI ": 404; there is no such object, or no such bucket"},
    {{GET, HTTP_DONE, 403,
      "<Error><Code>InvalidObjectState</Code><Message>No</Message>"
      "<StorageClass>GLACIER</StorageClass></Error>",
      NULL, NULL},
     URI ": 403 InvalidObjectState: No; storage class GLACIER; the object is "
         "archived; restore it first (aws s3api restore-object), or leave it "
         "out"},
    {{GET, HTTP_DONE, 400, "ExpiredToken", "The token has expired", NULL},
     URI ": 400 ExpiredToken: The token has expired (request R1); the "
         "credentials have expired; renew them"},
    {{GET, HTTP_DONE, 503, "SlowDown", "Reduce your request rate", NULL},
     URI ": 503 SlowDown: Reduce your request rate (request R1); the store has "
         "too much to do; use fewer hosts, or spread the keys over more "
         "prefixes"},
    {{GET, HTTP_DONE, 403, "<html><head><title>Access control</title></head>",
      NULL, HTML},
     URI ": 403: a web page, Access control; that is no answer of S3; check "
         "the endpoint, and what proxy is on the way to it"},
    {{GET, HTTP_DONE, 407, "<html></html>", NULL, HTML},
     URI ": 407: a web page; the proxy wants credentials; put them into "
         "https_proxy"},
    {{GET, HTTP_DONE, 502, "<html><title>Bad\nGateway</title></html>", NULL,
      HTML},
     URI ": 502: a web page, Bad?Gateway; a proxy before the store has "
         "trouble; try again later"},
    {{GET, HTTP_CONNECT, 0, NULL, NULL, NULL},
     URI ": can't connect to https://h:443; check the endpoint, and that this "
         "host may reach it (security group, proxy, VPC endpoint)"},
    {{GET, HTTP_TLS, 0, NULL, NULL, NULL},
     URI ": TLS failed with https://h:443; check the endpoint's certificate; "
         "a private CA goes into AWS_CA_BUNDLE"},
};

TEST(each_line)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct s3_answer a = answer_of(&lines[i].given);
        struct http_event e = given_event(&lines[i].given);
        struct fault why;

        s3_answer_say(&a, &e, URI, "https://h:443", &why);
        EXPECT_STR(why.text, lines[i].line);
    }
    buf_fini(&given_body);
}

/* Whatever a server sends stays one line of bounded size. */
TEST(long_texts_fit)
{
    struct buf body = {0};
    struct given g = {GET, HTTP_DONE, 400, NULL, NULL, NULL};
    struct s3_answer a;
    struct http_event e;
    struct fault why;

    buf_add_text(&body, "<Error><Code>");
    for (int i = 0; i < 500; i++) {
        buf_add_text(&body, "Codecode");
    }
    buf_add_text(&body, "</Code><Message>");
    for (int i = 0; i < 5000; i++) {
        buf_add_text(&body, "line\n\x1b[31m");
    }
    buf_add_text(&body, "</Message></Error>");
    g.error = buf_text(&body);
    a = answer_of(&g);
    e = given_event(&g);
    s3_answer_say(&a, &e, URI, "https://h:443", &why);
    EXPECT(strlen(why.text) < FAULT_TEXT_MAX);
    EXPECT(strpbrk(why.text, "\n\x1b") == NULL);
    EXPECT_EQ(a.status, STATUS_STORE);
    buf_fini(&body);
    buf_fini(&given_body);
}
