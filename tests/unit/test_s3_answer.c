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

/* An answer with an error's code, and none at all. */
#define A(op, code, error)                                                     \
    {                                                                          \
        op, HTTP_DONE, code, error, NULL, NULL                                 \
    }
#define L(op, result, code)                                                    \
    {                                                                          \
        op, result, code, NULL, NULL, NULL                                     \
    }

static const struct row rows[] = {
    /* Good ones. */
    {A(GET, 200, NULL), STATUS_OK, 0, 0, SURE},
    {A(GET, 206, NULL), STATUS_OK, 0, 0, SURE},
    {A(HEAD, 200, NULL), STATUS_OK, 0, 0, SURE},
    {A(PUT, 200, NULL), STATUS_OK, 0, 0, SURE},
    {A(DELETE, 204, NULL), STATUS_OK, 0, 0, SURE},
    {A(ABORT, 204, NULL), STATUS_OK, 0, 0, SURE},
    {A(END, 200, "<CompleteMultipartUploadResult/>"), STATUS_OK, 0, 0, SURE},
    {A(END, 200, "   \n<CompleteMultipartUploadResult/>"), STATUS_OK, 0, 0,
     SURE},
    {A(LIST, 200, "<ListBucketResult/>"), STATUS_OK, 0, 0, SURE},
    /* What a read back reads is anybody's bytes. */
    {A(GET, 200, "SlowDown"), STATUS_OK, 0, 0, SURE},

    /* 200 with something else inside. */
    {A(END, 200, "InternalError"), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(END, 200, "SlowDown"), STATUS_STORE, RETRY_THROTTLE, 0, UNSURE},
    {A(END, 200, "RequestTimeTooSkewed"), STATUS_SKEW, RETRY_NEVER,
     S3_FIX_CLOCK, SURE},
    {A(END_NEW, 200, "PreconditionFailed"), STATUS_EXISTS, RETRY_NEVER, 0,
     SURE},
    {A(END, 200, "Unheard"), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(END, 200, NULL), STATUS_STORE, RETRY_ODD, 0, UNSURE},
    {A(END, 200, "  \n "), STATUS_STORE, RETRY_ODD, 0, UNSURE},
    {A(LIST, 200, NULL), STATUS_STORE, RETRY_ODD, 0, SURE},
    {A(LIST, 200, "InternalError"), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {A(BEGIN, 200, "AccessDenied"), STATUS_DENIED, RETRY_NEVER, 0, SURE},

    /* Another region, another host. */
    {A(GET, 301, "PermanentRedirect"), STATUS_STORE, RETRY_NEVER, S3_FIX_REGION,
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
    {A(GET, 302, NULL), STATUS_STORE, RETRY_NEVER, S3_FIX_REGION, SURE},
    {A(PUT, 400, "AuthorizationHeaderMalformed"), STATUS_DENIED, RETRY_NEVER,
     S3_FIX_REGION, SURE},
    {A(PUT, 400, "IllegalLocationConstraintException"), STATUS_STORE,
     RETRY_NEVER, S3_FIX_REGION, SURE},
    {A(PUT, 307, "TemporaryRedirect"), STATUS_STORE, RETRY_NEVER, S3_FIX_HOST,
     SURE},
    {A(HEAD, 307, NULL), STATUS_STORE, RETRY_NEVER, S3_FIX_HOST, SURE},
    {A(GET, 308, NULL), STATUS_STORE, RETRY_NEVER, 0, SURE},
    {A(GET, 304, NULL), STATUS_STORE, RETRY_NEVER, 0, SURE},

    /* Clock and credentials. */
    {A(GET, 403, "RequestTimeTooSkewed"), STATUS_SKEW, RETRY_NEVER,
     S3_FIX_CLOCK, SURE},
    {A(GET, 403, "RequestExpired"), STATUS_SKEW, RETRY_NEVER, S3_FIX_CLOCK,
     SURE},
    {A(GET, 403, "RequestInTheFuture"), STATUS_SKEW, RETRY_NEVER, S3_FIX_CLOCK,
     SURE},
    {A(PUT, 403, "SignatureDoesNotMatch"), STATUS_DENIED, RETRY_NEVER,
     S3_FIX_CLOCK, SURE},
    {A(HEAD, 403, NULL), STATUS_DENIED, RETRY_NEVER, S3_FIX_CLOCK, SURE},
    {A(GET, 400, "ExpiredToken"), STATUS_DENIED, RETRY_NEVER,
     S3_FIX_CREDENTIALS, SURE},
    {A(GET, 403, "ExpiredTokenException"), STATUS_DENIED, RETRY_NEVER,
     S3_FIX_CREDENTIALS, SURE},
    {A(GET, 400, "InvalidToken"), STATUS_DENIED, RETRY_NEVER,
     S3_FIX_CREDENTIALS, SURE},
    {A(GET, 400, "TokenRefreshRequired"), STATUS_DENIED, RETRY_NEVER,
     S3_FIX_CREDENTIALS, SURE},
    {A(HEAD, 400, NULL), STATUS_STORE, RETRY_NEVER, S3_FIX_CREDENTIALS, SURE},

    /* No right. */
    {A(GET, 403, "AccessDenied"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 403, "AllAccessDisabled"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 403, "InvalidAccessKeyId"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 403, "Unheard"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 403, "InvalidObjectState"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 400, "KMS.DisabledException"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 400, "KMS.NotFoundException"), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 400, "KMS.ThrottlingException"), STATUS_STORE, RETRY_THROTTLE, 0,
     SURE},
    {A(GET, 401, NULL), STATUS_DENIED, RETRY_NEVER, 0, SURE},
    {A(GET, 407, NULL), STATUS_DENIED, RETRY_NEVER, 0, SURE},

    /* Not there. */
    {A(GET, 404, "NoSuchKey"), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(HEAD, 404, NULL), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(SWAP, 404, "NoSuchKey"), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(LIST, 404, "NoSuchBucket"), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(GET, 404, "NoSuchVersion"), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(END, 404, "NoSuchUpload"), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(GET, 405, "MethodNotAllowed"), STATUS_NOT_FOUND, RETRY_NEVER, 0, SURE},
    {A(DELETE, 405, "MethodNotAllowed"), STATUS_UNSUPPORTED, RETRY_NEVER, 0,
     SURE},
    {A(PUT, 405, NULL), STATUS_UNSUPPORTED, RETRY_NEVER, 0, SURE},

    /* Conditions. */
    {A(GET, 412, "PreconditionFailed"), STATUS_CHANGED, RETRY_NEVER, 0, SURE},
    {A(HEAD, 412, NULL), STATUS_CHANGED, RETRY_NEVER, 0, SURE},
    {A(NEW, 412, "PreconditionFailed"), STATUS_EXISTS, RETRY_NEVER, 0, SURE},
    {A(NEW, 412, NULL), STATUS_EXISTS, RETRY_NEVER, 0, SURE},
    {A(SWAP, 412, "PreconditionFailed"), STATUS_CHANGED, RETRY_NEVER, 0, SURE},
    {A(DELETE_IF, 412, NULL), STATUS_CHANGED, RETRY_NEVER, 0, SURE},
    {A(NEW, 409, "ConditionalRequestConflict"), STATUS_STORE, RETRY_TRANSIENT,
     0, UNSURE},
    {A(SWAP, 409, "OperationAborted"), STATUS_STORE, RETRY_TRANSIENT, 0,
     UNSURE},
    {A(SWAP, 409, NULL), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(PUT, 409, "ExistingObjectIsDirectory"), STATUS_CONFLICT, RETRY_NEVER, 0,
     SURE},
    {A(PUT, 409, "XMinioParentIsObject"), STATUS_CONFLICT, RETRY_NEVER, 0,
     SURE},

    /* What was asked for is wrong. */
    {A(GET, 416, "InvalidRange"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(GET, 416, NULL), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(END, 400, "EntityTooSmall"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(END, 400, "InvalidPart"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(END, 400, "InvalidPartOrder"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(PUT, 400, "EntityTooLarge"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(PUT, 400, "KeyTooLongError"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {A(LIST, 400, "InvalidBucketName"), STATUS_INVALID, RETRY_NEVER, 0, SURE},
    {{PUT, HTTP_DONE, 400, "InvalidArgument", "bad", NULL},
     STATUS_STORE,
     RETRY_NEVER,
     0,
     SURE},
    {A(GET, 400, "Unheard"), STATUS_STORE, RETRY_NEVER, 0, SURE},
    {A(GET, 418, NULL), STATUS_STORE, RETRY_NEVER, 0, SURE},

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
    {A(GET, 501, NULL), STATUS_UNSUPPORTED, RETRY_NEVER, 0, SURE},
    {A(PUT, 400, "BadDigest"), STATUS_STORE, RETRY_ODD, 0, UNSURE},
    {A(PUT, 400, "IncompleteBody"), STATUS_STORE, RETRY_ODD, 0, UNSURE},

    /* Trouble. */
    {A(PUT, 500, "InternalError"), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(GET, 500, "InternalError"), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {A(SWAP, 500, "UnknownError"), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(GET, 502, NULL), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {A(NEW, 504, NULL), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(GET, 599, NULL), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {A(GET, 408, NULL), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {A(PUT, 400, "RequestTimeout"), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {A(PUT, 400, "RequestTimeoutException"), STATUS_STORE, RETRY_TRANSIENT, 0,
     UNSURE},
    {A(GET, 503, "SlowDown"), STATUS_STORE, RETRY_THROTTLE, 0, SURE},
    {A(HEAD, 503, NULL), STATUS_STORE, RETRY_THROTTLE, 0, SURE},
    {A(GET, 429, NULL), STATUS_STORE, RETRY_THROTTLE, 0, SURE},
    {A(GET, 400, "ThrottledException"), STATUS_STORE, RETRY_THROTTLE, 0, SURE},
    {A(GET, 400, "RequestThrottledException"), STATUS_STORE, RETRY_THROTTLE, 0,
     SURE},
    {A(GET, 400, "TooManyRequestsException"), STATUS_STORE, RETRY_THROTTLE, 0,
     SURE},
    {A(GET, 509, "BandwidthLimitExceeded"), STATUS_STORE, RETRY_THROTTLE, 0,
     SURE},
    {A(PUT, 507, NULL), STATUS_NO_SPACE, RETRY_NEVER, 0, SURE},
    {A(PUT, 400, "QuotaExceeded"), STATUS_NO_SPACE, RETRY_NEVER, 0, SURE},

    /* No answer. */
    {L(GET, HTTP_RESOLVE, 0), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {L(PUT, HTTP_CONNECT, 0), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {L(PUT, HTTP_TLS, 0), STATUS_STORE, RETRY_NEVER, 0, SURE},
    {L(GET, HTTP_STALE, 0), STATUS_STORE, RETRY_FREE, 0, SURE},
    {L(NEW, HTTP_STALE, 0), STATUS_STORE, RETRY_FREE, 0, UNSURE},
    {L(NEW, HTTP_LOST, 0), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {L(END, HTTP_SHORT, 200), STATUS_STORE, RETRY_TRANSIENT, 0, UNSURE},
    {L(GET, HTTP_SHORT, 206), STATUS_STORE, RETRY_TRANSIENT, 0, SURE},
    {L(SWAP, HTTP_TIMEOUT, 0), STATUS_TIMEOUT, RETRY_TRANSIENT, 0, UNSURE},
    {L(GET, HTTP_MALFORMED, 0), STATUS_STORE, RETRY_ODD, 0, SURE},
    {L(LIST, HTTP_TOO_LARGE, 200), STATUS_STORE, RETRY_NEVER, 0, SURE},
    {L(PUT, HTTP_OS, 0), STATUS_OS, RETRY_TRANSIENT, 0, SURE},
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
    {A(DELETE, 403, NULL),
     URI ": 403; the credentials may not delete it; they need "
         "s3:DeleteObject"},
    {A(ABORT, 403, NULL),
     URI ": 403; the credentials may not abort it; they need "
         "s3:AbortMultipartUpload"},
    {{LIST, HTTP_DONE, 404, "NoSuchBucket", "The bucket does not exist", NULL},
     URI ": 404 NoSuchBucket: The bucket does not exist (request R1); there is "
         "no such bucket; check the name, and the endpoint"},
    {A(HEAD, 404, NULL),
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
    {L(GET, HTTP_CONNECT, 0),
     URI ": can't connect to https://h:443; check the endpoint, and that this "
         "host may reach it (security group, proxy, VPC endpoint)"},
    {L(GET, HTTP_TLS, 0),
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
