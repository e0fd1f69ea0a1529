/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables: what an error code means, and, where there is none (HEAD has no
 * body, proxies send HTML), what the status code does. */

#include "store/s3_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    S3_SKEW_MS = 240000, /* A signature may fail because of such a clock. */
    S3_AFTER_MAX_S = 3600,
};

struct s3_code {
    const char *code;
    enum status status;
    enum retry_class retry;
    enum s3_fix fix;
    const char *advice;
};

static const char s3_by_op[] = "op"; /* The advice depends on the operation. */

/* A "*" ends a code of which only the beginning counts. */
static const struct s3_code s3_codes[] = {
    /* Ours to change. */
    {"AuthorizationHeaderMalformed", STATUS_DENIED, RETRY_NEVER, S3_FIX_REGION,
     "the bucket is in another region; set AWS_REGION"},
    {"PermanentRedirect", STATUS_STORE, RETRY_NEVER, S3_FIX_REGION,
     "the bucket is in another region; set AWS_REGION"},
    {"IllegalLocationConstraintException", STATUS_STORE, RETRY_NEVER,
     S3_FIX_REGION, "the bucket is in another region; set AWS_REGION"},
    {"TemporaryRedirect", STATUS_STORE, RETRY_NEVER, S3_FIX_HOST,
     "the bucket is being moved; try again later"},
    {"RequestTimeTooSkewed", STATUS_SKEW, RETRY_NEVER, S3_FIX_CLOCK,
     "this host's clock is wrong; set it (chrony, ntp)"},
    {"RequestExpired", STATUS_SKEW, RETRY_NEVER, S3_FIX_CLOCK,
     "this host's clock is wrong; set it (chrony, ntp)"},
    {"RequestInTheFuture", STATUS_SKEW, RETRY_NEVER, S3_FIX_CLOCK,
     "this host's clock is wrong; set it (chrony, ntp)"},
    {"ExpiredToken*", STATUS_DENIED, RETRY_NEVER, S3_FIX_CREDENTIALS,
     "the credentials have expired; renew them"},
    {"InvalidToken", STATUS_DENIED, RETRY_NEVER, S3_FIX_CREDENTIALS,
     "the session token is wrong; renew the credentials"},
    {"TokenRefreshRequired", STATUS_DENIED, RETRY_NEVER, S3_FIX_CREDENTIALS,
     "the session token is too old; renew the credentials"},

    /* Who asks, and what for. */
    {"AccessDenied", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE, s3_by_op},
    {"AllAccessDisabled", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the bucket is closed for everybody; ask its owner"},
    {"AccountProblem", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "there is a problem with the account; ask its owner"},
    {"InvalidAccessKeyId", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the access key is not known there; check the credentials, and that they "
     "are of this store"},
    {"SignatureDoesNotMatch", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the secret key is wrong, or a proxy changes the request"},
    {"NotSignedUp", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the account does not have S3"},
    {"KMS.AccessDeniedException", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the credentials may not use the object's KMS key; they need kms:Decrypt "
     "(and kms:GenerateDataKey to write)"},
    {"KMS.DisabledException", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the object's KMS key is disabled; enable it"},
    {"KMS.Throttl*", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the key service has too much to do; try again later"},
    {"KMS.*", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the object's KMS key can't be used; check that it is there and enabled"},

    /* What is not there, or not so. */
    {"NoSuchBucket", STATUS_NOT_FOUND, RETRY_NEVER, S3_FIX_NONE,
     "there is no such bucket; check the name, and the endpoint"},
    {"NoSuchKey", STATUS_NOT_FOUND, RETRY_NEVER, S3_FIX_NONE,
     "there is no such object"},
    {"NoSuchVersion", STATUS_NOT_FOUND, RETRY_NEVER, S3_FIX_NONE,
     "this version of the object was deleted"},
    {"NoSuchUpload", STATUS_NOT_FOUND, RETRY_NEVER, S3_FIX_NONE,
     "there is no such upload; it was ended, aborted or swept"},
    {"PreconditionFailed", STATUS_CHANGED, RETRY_NEVER, S3_FIX_NONE,
     "it was changed by somebody else"},
    {"ConditionalRequestConflict", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
     "several write it at once"},
    {"OperationAborted", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
     "another operation on it is under way"},
    {"InvalidObjectState", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
     "the object is archived; restore it first (aws s3api restore-object), or "
     "leave it out"},
    {"InvalidRange", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "the object is shorter than what was asked for"},
    {"MethodNotAllowed", STATUS_NOT_FOUND, RETRY_NEVER, S3_FIX_NONE,
     "the object's newest version is a delete marker"},
    {"InvalidBucketName", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "this can't be the name of a bucket"},
    {"KeyTooLongError", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "the key is longer than the store takes"},
    {"EntityTooSmall", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "a part but the last is smaller than 5 MiB"},
    {"EntityTooLarge", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "the object is larger than the store takes"},
    {"InvalidPart", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "a part is not there, or has another etag"},
    {"InvalidPartOrder", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
     "the parts are not in order"},
    {"QuotaExceeded", STATUS_NO_SPACE, RETRY_NEVER, S3_FIX_NONE,
     "the quota is used up; raise it or delete something"},
    {"XMinioStorageFull", STATUS_NO_SPACE, RETRY_NEVER, S3_FIX_NONE,
     "the server's disks are full"},
    {"ExistingObjectIs*", STATUS_CONFLICT, RETRY_NEVER, S3_FIX_NONE,
     "this server keeps objects as files: an object and a folder can't have "
     "one name"},
    {"XMinioObjectExistsAsDirectory", STATUS_CONFLICT, RETRY_NEVER, S3_FIX_NONE,
     "this server keeps objects as files: an object and a folder can't have "
     "one name"},
    {"XMinioParentIsObject", STATUS_CONFLICT, RETRY_NEVER, S3_FIX_NONE,
     "this server keeps objects as files: an object and a folder can't have "
     "one name"},
    {"NotImplemented", STATUS_UNSUPPORTED, RETRY_NEVER, S3_FIX_NONE,
     "this server does not do that"},

    /* Bytes that were damaged on the way. */
    {"BadDigest", STATUS_STORE, RETRY_ODD, S3_FIX_NONE,
     "the bytes that arrived are not those that were sent"},
    {"InvalidDigest", STATUS_STORE, RETRY_NEVER, S3_FIX_CHECKSUM,
     "the server does not take the checksum"},
    {"XAmzContentSHA256Mismatch", STATUS_STORE, RETRY_ODD, S3_FIX_NONE,
     "the bytes that arrived are not those that were signed"},
    {"XAmzContentChecksumMismatch", STATUS_STORE, RETRY_ODD, S3_FIX_NONE,
     "the bytes that arrived are not those that were sent"},
    {"IncompleteBody", STATUS_STORE, RETRY_ODD, S3_FIX_NONE,
     "the connection broke while it was written"},

    /* A store that has trouble, or too much to do. */
    {"InternalError*", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
     "the store has trouble; try again later"},
    {"RequestTimeout*", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
     "the connection was too slow for the store"},
    {"PriorRequestNotComplete", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
     "the store has trouble; try again later"},
    {"IDPCommunicationError", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
     "the identity provider has trouble; try again later"},
    {"SlowDown", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; use fewer hosts, or spread the keys over "
     "more prefixes"},
    {"SlowDownRead", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; use fewer hosts"},
    {"SlowDownWrite", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; use fewer hosts"},
    {"ServiceUnavailable", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"ServerBusy", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"Throttl*", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"RequestThrottled*", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"ProvisionedThroughputExceeded*", STATUS_STORE, RETRY_THROTTLE,
     S3_FIX_NONE, "the store has too much to do; try again later"},
    {"LimitExceededException", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"TooManyRequests*", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"RequestLimitExceeded", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the store has too much to do; try again later"},
    {"BandwidthLimitExceeded", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
     "the account's bandwidth is used up for now"},
};

static const struct {
    int code;
    struct s3_code means;
} s3_statuses[] = {
    {301,
     {"", STATUS_STORE, RETRY_NEVER, S3_FIX_REGION,
      "the bucket is in another region; set AWS_REGION"}},
    {302,
     {"", STATUS_STORE, RETRY_NEVER, S3_FIX_REGION,
      "it was redirected to something that is no S3 server"}},
    {307,
     {"", STATUS_STORE, RETRY_NEVER, S3_FIX_HOST,
      "the bucket is being moved; try again later"}},
    {308,
     {"", STATUS_STORE, RETRY_NEVER, S3_FIX_NONE,
      "it was redirected to something that is no S3 server"}},
    {401,
     {"", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
      "the server wants other credentials; is it an S3 server?"}},
    {403, {"", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE, s3_by_op}},
    {404,
     {"", STATUS_NOT_FOUND, RETRY_NEVER, S3_FIX_NONE,
      "there is no such object, or no such bucket"}},
    {405,
     {"", STATUS_UNSUPPORTED, RETRY_NEVER, S3_FIX_NONE,
      "this server does not do that"}},
    {407,
     {"", STATUS_DENIED, RETRY_NEVER, S3_FIX_NONE,
      "the proxy wants credentials; put them into https_proxy"}},
    {408,
     {"", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
      "the connection was too slow for the store"}},
    {409,
     {"", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
      "several write it at once"}},
    {412,
     {"", STATUS_CHANGED, RETRY_NEVER, S3_FIX_NONE,
      "it was changed by somebody else"}},
    {416,
     {"", STATUS_INVALID, RETRY_NEVER, S3_FIX_NONE,
      "the object is shorter than what was asked for"}},
    {425,
     {"", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
      "the store has trouble; try again later"}},
    {429,
     {"", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
      "the store has too much to do; try again later"}},
    {500,
     {"", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
      "the store has trouble; try again later"}},
    {501,
     {"", STATUS_UNSUPPORTED, RETRY_NEVER, S3_FIX_NONE,
      "this server does not do that"}},
    {502,
     {"", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
      "a proxy before the store has trouble; try again later"}},
    {503,
     {"", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
      "the store has too much to do; try again later"}},
    {504,
     {"", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
      "a proxy before the store has trouble; try again later"}},
    {507,
     {"", STATUS_NO_SPACE, RETRY_NEVER, S3_FIX_NONE,
      "the server's disks are full"}},
    {509,
     {"", STATUS_STORE, RETRY_THROTTLE, S3_FIX_NONE,
      "the account's bandwidth is used up for now"}},
};

/* An attempt without an answer. */
static const struct {
    enum status status;
    enum retry_class retry;
    bool is_ambiguous; /* The request may have been carried out. */
    const char *advice;
} s3_results[] = {
    [HTTP_DONE] = {STATUS_OK, RETRY_NEVER, false, ""},
    [HTTP_RESOLVE] = {STATUS_STORE, RETRY_TRANSIENT, false,
                      "check the endpoint (AWS_ENDPOINT_URL_S3, AWS_REGION) "
                      "and DNS"},
    [HTTP_CONNECT] = {STATUS_STORE, RETRY_TRANSIENT, false,
                      "check the endpoint, and that this host may reach it "
                      "(security group, proxy, VPC endpoint)"},
    [HTTP_TLS] = {STATUS_STORE, RETRY_NEVER, false,
                  "check the endpoint's certificate; a private CA goes into "
                  "AWS_CA_BUNDLE"},
    [HTTP_STALE] = {STATUS_STORE, RETRY_FREE, true,
                    "the connection was closed"},
    [HTTP_LOST] = {STATUS_STORE, RETRY_TRANSIENT, true,
                   "the connection broke; try again later"},
    [HTTP_SHORT] = {STATUS_STORE, RETRY_TRANSIENT, true,
                    "the connection broke; try again later"},
    [HTTP_TIMEOUT] = {STATUS_TIMEOUT, RETRY_TRANSIENT, true,
                      "the store does not answer in time; try again later"},
    [HTTP_MALFORMED] = {STATUS_STORE, RETRY_ODD, true,
                        "this is not an S3 server, or something on the way "
                        "changes its answers"},
    [HTTP_TOO_LARGE] = {STATUS_STORE, RETRY_NEVER, true,
                        "the answer is larger than any that was asked for"},
    [HTTP_OS] = {STATUS_OS, RETRY_TRANSIENT, false,
                 "this host is out of files, memory or ports"},
};

static bool s3_is_writing(const struct s3_asked *asked)
{
    return asked->op > STORE_GET && asked->op != STORE_UPLOAD_PARTS;
}

static const char *s3_permission(enum store_op op)
{
    switch (op) {
    case STORE_LIST:
        return "the credentials may not list it; they need s3:ListBucket on "
               "the bucket";
    case STORE_HEAD:
    case STORE_GET:
        return "the credentials may not read it, or it is not there and they "
               "may not list; they need s3:GetObject (and s3:ListBucket)";
    case STORE_DELETE:
        return "the credentials may not delete it; they need s3:DeleteObject";
    case STORE_DELETE_MANY:
        return "the credentials may not delete it; they need s3:DeleteObject";
    case STORE_UPLOAD_PARTS:
        return "the credentials may not look at the upload; they need "
               "s3:ListMultipartUploadParts";
    case STORE_UPLOAD_ABORT:
        return "the credentials may not abort it; they need "
               "s3:AbortMultipartUpload";
    case STORE_PUT:
    case STORE_UPLOAD_BEGIN:
    case STORE_UPLOAD_PART:
    case STORE_UPLOAD_END:
        break;
    }
    return "the credentials may not write it; they need s3:PutObject";
}

static void s3_mean(const struct s3_asked *asked, const struct s3_code *c,
                    struct s3_answer *out)
{
    out->status = c->status;
    out->retry = c->retry;
    out->fix = c->fix;
    out->advice = c->advice == s3_by_op ? s3_permission(asked->op) : c->advice;
    out->is_ambiguous = s3_is_writing(asked) &&
                        (c->retry == RETRY_TRANSIENT || c->retry == RETRY_ODD ||
                         c->retry == RETRY_THROTTLE);
    /* A create that lost is not a change. */
    if (c->status == STATUS_CHANGED && asked->when == STORE_IF_ABSENT) {
        out->status = STATUS_EXISTS;
        out->advice = "it exists already";
    }
}

/* ---- the head ----------------------------------------------------------- */

static void s3_read_after(const struct http_event *e, struct s3_answer *out)
{
    struct bytes v;
    char text[16];
    bool is_ms = http_header(e->headers, "x-amz-retry-after", &v);

    if (!is_ms && !http_header(e->headers, "Retry-After", &v)) {
        return;
    }
    if (v.size > 0 && v.size < sizeof(text) && v.at[0] >= '0' &&
        v.at[0] <= '9') {
        unsigned long number;

        memcpy(text, v.at, v.size);
        text[v.size] = '\0';
        number = strtoul(text, NULL, 10);
        if (number <= S3_AFTER_MAX_S * (is_ms ? 1000UL : 1UL)) {
            out->after_ms = (uint32_t)(is_ms ? number : number * 1000);
        }
    }
}

static void s3_copy_text(struct bytes from, char *out, size_t room)
{
    size_t size = from.size < room ? from.size : 0;

    memcpy(out, from.at, size);
    out[size] = '\0';
}

/* "https://host/…" or "host" */
static void s3_read_host(struct bytes location, struct s3_answer *out)
{
    for (size_t i = 0; i + 3 <= location.size; i++) {
        if (memcmp(location.at + i, "://", 3) == 0) {
            location.at += i + 3;
            location.size -= i + 3;
            break;
        }
    }
    for (size_t i = 0; i < location.size; i++) {
        if (location.at[i] == '/' || location.at[i] == '?') {
            location.size = i;
        }
    }
    for (size_t i = 0; i < location.size; i++) {
        char c = location.at[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
            c != '.') {
            return; /* No host of the service's. */
        }
    }
    s3_copy_text(location, out->host, sizeof(out->host));
}

static void s3_read_places(const struct http_event *e, struct s3_answer *out)
{
    struct bytes v;

    if (http_header(e->headers, "x-amz-bucket-region", &v)) {
        s3_copy_text(v, out->region, sizeof(out->region));
    }
    if (out->region[0] == '\0') {
        s3_copy_text(bytes_of(out->error.region), out->region,
                     sizeof(out->region));
    }
    if (http_header(e->headers, "Location", &v)) {
        s3_read_host(v, out);
    } else if (out->error.endpoint[0] != '\0') {
        s3_read_host(bytes_of(out->error.endpoint), out);
    }
}

/* ---- meanings ----------------------------------------------------------- */

static const struct s3_code *s3_find_code(const char *code)
{
    for (size_t i = 0; i < sizeof(s3_codes) / sizeof(s3_codes[0]); i++) {
        const char *row = s3_codes[i].code;
        size_t size = strcspn(row, "*");

        if (strncmp(row, code, size) == 0 &&
            (row[size] == '*' || code[size] == '\0')) {
            return &s3_codes[i];
        }
    }
    return NULL;
}

static const struct s3_code *s3_find_status(int code)
{
    static const struct s3_code server = {
        "", STATUS_STORE, RETRY_TRANSIENT, S3_FIX_NONE,
        "the store has trouble; try again later"};
    static const struct s3_code other = {"", STATUS_STORE, RETRY_NEVER,
                                         S3_FIX_NONE,
                                         "the store refuses the request"};

    for (size_t i = 0; i < sizeof(s3_statuses) / sizeof(s3_statuses[0]); i++) {
        if (s3_statuses[i].code == code) {
            return &s3_statuses[i].means;
        }
    }
    return code >= 500 ? &server : &other;
}

/* What is between "<title>" and the next tag. */
static struct bytes s3_title(struct bytes body)
{
    const char *from = memmem(body.at, body.size, "<title>", 7);
    const char *to;

    if (from == NULL) {
        return (struct bytes){"", 0};
    }
    from += 7;
    to = memchr(from, '<', body.size - (size_t)(from - body.at));
    return to != NULL ? (struct bytes){from, (size_t)(to - from)}
                      : (struct bytes){"", 0};
}

/* An error that comes as a web page is a proxy's, or of something else than a
 * store; a missing object is one with plain web servers too. */
static void s3_read_page(const struct http_event *e, struct s3_answer *out)
{
    struct bytes type;
    struct bytes title;

    if (out->error.code[0] != '\0' ||
        !http_header(e->headers, "Content-Type", &type) ||
        !bytes_has_prefix(type, BYTES("text/html"))) {
        return;
    }
    title = s3_title(e->body);
    title.size = title.size < 80 ? title.size : 80;
    snprintf(out->error.message, sizeof(out->error.message), "a web page%s%.*s",
             title.size > 0 ? ", " : "", (int)title.size, title.at);
    if (out->retry == RETRY_NEVER && e->code != 407) {
        out->advice = "that is no answer of S3; check the endpoint, and what "
                      "proxy is on the way to it";
    }
}

/* Servers that do not know a checksum say so in many ways. */
static bool s3_is_about_checksum(const struct s3_error *e)
{
    static const char *const codes[] = {
        "InvalidRequest",      "InvalidArgument", "NotImplemented",
        "MalformedXML",        "InvalidDigest",   "BadRequest",
        "UnsupportedArgument",
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(e->code, codes[i]) == 0) {
            return strcmp(e->code, "InvalidDigest") == 0 ||
                   strstr(e->message, "hecksum") != NULL ||
                   strstr(e->message, "A header you provided") != NULL ||
                   strstr(e->message, "trailer") != NULL ||
                   strstr(e->message, "x-amz-sdk-checksum") != NULL ||
                   strstr(e->message, "CRC") != NULL;
        }
    }
    return false;
}

static void s3_read_error(const struct s3_asked *asked,
                          const struct http_event *e, struct s3_answer *out)
{
    const struct s3_code *c = NULL;

    if (out->error.code[0] != '\0') {
        c = s3_find_code(out->error.code);
    }
    if (c == NULL || (s3_is_writing(asked) && e->code == 405)) {
        c = s3_find_status(e->code == 200 ? 500 : e->code);
    }
    s3_mean(asked, c, out);
    s3_read_page(e, out);
    if (s3_is_writing(asked) && s3_is_about_checksum(&out->error)) {
        out->fix = S3_FIX_CHECKSUM;
        out->advice = "the server does not take checksums; set "
                      "AWS_REQUEST_CHECKSUM_CALCULATION=when_required";
    }
    /* HEAD has no body; a wrong region is 400 there, and names itself, as are
     * credentials that have expired. */
    if (e->code == 400 && asked->op == STORE_HEAD && e->body.size == 0) {
        out->fix = out->region[0] != '\0' ? S3_FIX_REGION : S3_FIX_CREDENTIALS;
    }
    /* AWS also answers so when the signature is of another day, and to HEAD
     * without a word. */
    if (strcmp(out->error.code, "SignatureDoesNotMatch") == 0 ||
        (e->code == 403 && asked->op == STORE_HEAD && e->body.size == 0)) {
        out->fix = S3_FIX_CLOCK;
    }
}

/* Whether an answer of 200 to @asked has to be a document. */
static bool s3_wants_document(const struct s3_asked *asked)
{
    return asked->op == STORE_LIST || asked->op == STORE_UPLOAD_BEGIN ||
           asked->op == STORE_UPLOAD_END || asked->op == STORE_UPLOAD_PARTS ||
           (asked->op == STORE_DELETE_MANY && !asked->is_single);
}

static bool s3_is_blank(struct bytes body)
{
    for (size_t i = 0; i < body.size; i++) {
        if (strchr(" \r\n\t", body.at[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Pages are large: look at the root before one is read twice. */
static bool s3_may_be_error(struct bytes body)
{
    size_t size = body.size < 1024 ? body.size : 1024;

    return memmem(body.at, size, "<ListBucketResult", 17) == NULL;
}

static void s3_read_good(const struct s3_asked *asked,
                         const struct http_event *e, struct s3_answer *out)
{
    static const struct s3_code empty = {
        "", STATUS_STORE, RETRY_ODD, S3_FIX_NONE,
        "the answer is empty; try again later"};

    if (!s3_wants_document(asked)) {
        return;
    }
    if (s3_is_blank(e->body)) {
        s3_mean(asked, &empty, out);
    } else if (s3_may_be_error(e->body) &&
               s3_error_parse(e->body, &out->error)) {
        s3_read_error(asked, e, out);
    }
}

void s3_answer_read(const struct s3_asked *asked, const struct http_event *e,
                    struct s3_answer *out)
{
    struct bytes date;

    *out = (struct s3_answer){.status = STATUS_OK, .advice = ""};
    if (http_header(e->headers, "Date", &date)) {
        out->server_ms = s3_time_http(date);
    }
    if (e->result != HTTP_DONE) {
        CHECK(e->result <= HTTP_OS);
        out->status = s3_results[e->result].status;
        out->retry = s3_results[e->result].retry;
        out->is_ambiguous =
            s3_is_writing(asked) && s3_results[e->result].is_ambiguous;
        out->advice = s3_results[e->result].advice;
        return;
    }
    if (e->code >= 200 && e->code < 300) {
        s3_read_good(asked, e, out);
        return;
    }
    (void)s3_error_parse(e->body, &out->error);
    s3_read_after(e, out);
    s3_read_places(e, out);
    s3_read_error(asked, e, out);
}

/* ---- words -------------------------------------------------------------- */

static const char *s3_result_text(enum http_result result)
{
    static const char *const texts[] = {
        [HTTP_DONE] = "",
        [HTTP_RESOLVE] = "no address for",
        [HTTP_CONNECT] = "can't connect to",
        [HTTP_TLS] = "TLS failed with",
        [HTTP_STALE] = "a kept connection was closed by",
        [HTTP_LOST] = "the connection broke to",
        [HTTP_SHORT] = "the answer broke off from",
        [HTTP_TIMEOUT] = "no answer in time from",
        [HTTP_MALFORMED] = "the answer is not HTTP from",
        [HTTP_TOO_LARGE] = "too long an answer from",
        [HTTP_OS] = "no connection could be made to",
    };

    return texts[result];
}

static struct bytes s3_request_id(const struct s3_answer *a,
                                  const struct http_event *e)
{
    struct bytes id;

    if (!http_header(e->headers, "x-amz-request-id", &id)) {
        id = bytes_of(a->error.request_id);
    }
    id.size = id.size < S3_CODE_MAX ? id.size : S3_CODE_MAX;
    return id;
}

void s3_answer_say(const struct s3_answer *a, const struct http_event *e,
                   const char *uri, const char *origin, struct fault *why)
{
    struct bytes id = s3_request_id(a, e);
    const char *advice = a->advice[0] != '\0' ? a->advice : "try again later";
    char what[2 * S3_CODE_MAX + S3_TEXT_MAX + 64];

    if (e->result == HTTP_TLS && strstr(e->why, "wrong version number")) {
        advice = "nobody speaks TLS there; is it an http:// endpoint?";
    }
    if (e->result != HTTP_DONE) {
        (void)fault_set(why, a->status, "%s: %s %s%s%s; %s", uri,
                        s3_result_text(e->result), origin,
                        e->why[0] != '\0' ? ": " : "", e->why, advice);
        return;
    }
    snprintf(what, sizeof(what), "%d%s%s%s%s%s%s", e->code,
             a->error.code[0] != '\0' ? " " : "", a->error.code,
             a->error.message[0] != '\0' ? ": " : "", a->error.message,
             a->error.storage_class[0] != '\0' ? "; storage class " : "",
             a->error.storage_class);
    (void)fault_set(why, a->status, "%s: %s%s%.*s%s; %s", uri, what,
                    id.size > 0 ? " (request " : "", (int)id.size, id.at,
                    id.size > 0 ? ")" : "", advice);
}
