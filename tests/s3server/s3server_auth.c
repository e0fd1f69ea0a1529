/* SPDX-License-Identifier: Apache-2.0 */
/* SigV4 as S3 checks it: in headers and in presigned URLs. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "tests/s3server/s3server_srv.h"

enum { AUTH_NAMES_MAX = 64, AUTH_EXPIRES_MAX = 604800 };

struct auth {
    bool is_query;
    char *text; /* What all of the below are cut from. */
    const char *access;
    const char *day;
    const char *region;
    const char *service;
    const char *end;
    const char *names;
    const char *signature;
    const char *date;
    uint64_t date_ms;
    const char *payload;
    char *name_text;
    char *name_at[AUTH_NAMES_MAX];
    size_t name_count;
    char *secret;
    char *token;
    bool is_session;
};

static const char auth_unsigned[] = "UNSIGNED-PAYLOAD";
static const char auth_unreserved[] = "-._~";

static bool auth_malformed(const struct auth *au, struct srv_answer *a,
                           const char *why)
{
    srv_fail_say(
        a, au->is_query ? SRV_E_MALFORMED_QUERY_AUTH : SRV_E_MALFORMED_AUTH,
        "The authorization header is malformed; %s", why);
    return false;
}

/* "AK/20130524/us-east-1/s3/aws4_request", in place. From the right: what an
 * access key holds is not ours to say. */
static bool auth_cut_scope(struct auth *au, char *at)
{
    const char **parts[] = {&au->end, &au->service, &au->region, &au->day};

    for (size_t i = 0; i < 4; i++) {
        char *slash = strrchr(at, '/');

        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
        *parts[i] = slash + 1;
    }
    au->access = at;
    return true;
}

static bool auth_cut_header(struct auth *au, struct srv_answer *a)
{
    char *at = au->text + strlen("AWS4-HMAC-SHA256");
    char *scope = NULL;

    while (*at != '\0') {
        size_t size;
        bool is_last;

        at += strspn(at, " ,");
        size = strcspn(at, ",");
        is_last = at[size] == '\0';
        at[size] = '\0';
        if (strncmp(at, "Credential=", 11) == 0) {
            scope = at + 11;
        } else if (strncmp(at, "SignedHeaders=", 14) == 0) {
            au->names = at + 14;
        } else if (strncmp(at, "Signature=", 10) == 0) {
            au->signature = at + 10;
        } else {
            return auth_malformed(au, a, "it has something unknown.");
        }
        at += size + !is_last;
    }
    if (scope == NULL || au->names == NULL || au->signature == NULL) {
        return auth_malformed(au, a,
                              "Credential, SignedHeaders, Signature are due.");
    }
    if (!auth_cut_scope(au, scope)) {
        return auth_malformed(au, a, "the Credential is malformed.");
    }
    return true;
}

static bool auth_from_header(const struct srv_request *r, struct auth *au,
                             struct srv_answer *a)
{
    const char *text = srv_header(r, "authorization");

    if (strncmp(text, "AWS4-HMAC-SHA256 ", 17) != 0) {
        srv_fail_say(a, SRV_E_INVALID_ARGUMENT,
                     "Unsupported Authorization Type");
        return false;
    }
    au->text = mem_copy(text);
    if (!auth_cut_header(au, a)) {
        return false;
    }
    au->date = srv_header(r, "x-amz-date");
    au->date_ms = au->date != NULL ? srv_time_of_basic(au->date) : 0;
    if (au->date_ms == 0) {
        srv_fail_say(a, SRV_E_ACCESS_DENIED,
                     "AWS authentication requires a valid Date or x-amz-date "
                     "header");
        return false;
    }
    au->payload = srv_header(r, "x-amz-content-sha256");
    if (au->payload == NULL) {
        srv_fail_say(a, SRV_E_INVALID_REQUEST,
                     "Missing required header for this request: "
                     "x-amz-content-sha256");
        return false;
    }
    return true;
}

static bool auth_from_query(const struct srv_request *r, struct auth *au,
                            struct srv_answer *a)
{
    const char *credential = srv_param(r, "X-Amz-Credential");
    const char *expires = srv_param(r, "X-Amz-Expires");
    uint64_t seconds = 0;
    char now[SRV_TIME_MAX];

    au->is_query = true;
    au->names = srv_param(r, "X-Amz-SignedHeaders");
    au->signature = srv_param(r, "X-Amz-Signature");
    au->date = srv_param(r, "X-Amz-Date");
    au->payload = srv_header(r, "x-amz-content-sha256");
    au->payload = au->payload != NULL ? au->payload : auth_unsigned;
    if (credential == NULL || expires == NULL || au->names == NULL ||
        au->signature == NULL || au->date == NULL ||
        strcmp(srv_param(r, "X-Amz-Algorithm"), "AWS4-HMAC-SHA256") != 0) {
        return auth_malformed(au, a, "a parameter of the query is missing.");
    }
    au->text = mem_copy(credential);
    au->date_ms = srv_time_of_basic(au->date);
    if (!auth_cut_scope(au, au->text) || au->date_ms == 0 ||
        !srv_number(expires, AUTH_EXPIRES_MAX, &seconds) || seconds == 0) {
        return auth_malformed(au, a, "a parameter of the query is not valid.");
    }
    if (r->now_ms > au->date_ms + seconds * 1000) {
        srv_fail_say(a, SRV_E_ACCESS_DENIED, "Request has expired");
        srv_extra(a, "Expires",
                  srv_time_iso(au->date_ms + seconds * 1000, now));
        srv_extra(a, "ServerTime", srv_time_iso(r->now_ms, now));
        return false;
    }
    if (au->date_ms > r->now_ms + SRV_SKEW_MS) {
        srv_fail_say(a, SRV_E_ACCESS_DENIED, "Request is not yet valid");
        return false;
    }
    return true;
}

static bool auth_scope_is_good(const struct srv_request *r,
                               const struct auth *au, struct srv_answer *a)
{
    const struct s3server *s = r->conn->s;
    const char *service = s->is_express ? "s3express" : "s3";
    char why[256];

    if (strcmp(au->region, s->region) != 0) {
        snprintf(why, sizeof(why), "the region '%s' is wrong; expecting '%s'",
                 au->region, s->region);
        auth_malformed(au, a, why);
        srv_extra(a, "Region", s->region);
        if (r->key[0] == '\0' && srv_is(r, "HEAD")) {
            srv_set(a, "x-amz-bucket-region", "%s", s->region);
        }
        return false;
    }
    if (strcmp(au->service, service) != 0) {
        snprintf(why, sizeof(why),
                 "incorrect service \"%s\". This endpoint "
                 "belongs to \"%s\".",
                 au->service, service);
        return auth_malformed(au, a, why);
    }
    if (strcmp(au->end, "aws4_request") != 0) {
        return auth_malformed(au, a, "incorrect terminal.");
    }
    if (strlen(au->day) != 8 || strncmp(au->date, au->day, 8) != 0) {
        return auth_malformed(
            au, a, "Invalid credential date. It is not that of X-Amz-Date.");
    }
    if (!au->is_query && (au->date_ms > r->now_ms + SRV_SKEW_MS ||
                          r->now_ms > au->date_ms + SRV_SKEW_MS)) {
        srv_fail(a, SRV_E_SKEWED);
        srv_extra(a, "RequestTime", au->date);
        return false;
    }
    return true;
}

/* A bucket of S3 Express wants a session for all but these two. */
static bool auth_wants_session(const struct srv_request *r)
{
    return r->conn->s->is_express && r->bucket[0] != '\0' &&
           srv_param(r, "session") == NULL &&
           !(srv_is(r, "HEAD") && r->key[0] == '\0');
}

static bool auth_session(const struct srv_request *r, struct auth *au,
                         struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    const char *token = srv_header(r, "x-amz-s3session-token");
    struct srv_session *found = NULL;

    if (token == NULL) {
        srv_fail_say(a, SRV_E_ACCESS_DENIED,
                     "A directory bucket wants x-amz-s3session-token");
        return false;
    }
    pthread_mutex_lock(&s->lock);
    for (found = s->locked.sessions; found != NULL; found = found->next) {
        if (strcmp(found->access, au->access) == 0 &&
            strcmp(found->token, token) == 0) {
            au->secret = mem_copy(found->secret);
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (found == NULL) {
        srv_fail(a, SRV_E_TOKEN);
        return false;
    }
    if (found->until_ms < r->now_ms) {
        srv_fail_say(a, SRV_E_TOKEN, "The provided token has expired.");
        a->error = "ExpiredToken";
        return false;
    }
    return true;
}

/* Find the secret that belongs to the access key and its token. */
static bool auth_key(const struct srv_request *r, struct auth *au,
                     struct srv_answer *a)
{
    struct s3server *s = r->conn->s;
    const char *token = au->is_query ? srv_param(r, "X-Amz-Security-Token")
                                     : srv_header(r, "x-amz-security-token");
    bool is_known;

    if (auth_wants_session(r)) {
        return auth_session(r, au, a);
    }
    pthread_mutex_lock(&s->lock);
    is_known = strcmp(au->access, s->access) == 0;
    au->secret = mem_copy(s->secret);
    au->token = s->token != NULL ? mem_copy(s->token) : NULL;
    pthread_mutex_unlock(&s->lock);
    if (!is_known || (au->token != NULL && token == NULL)) {
        srv_fail(a, SRV_E_UNKNOWN_KEY);
        srv_extra(a, "AWSAccessKeyId", au->access);
        return false;
    }
    if (token != NULL && (au->token == NULL || strcmp(au->token, token) != 0)) {
        srv_fail(a, SRV_E_TOKEN);
        return false;
    }
    return true;
}

static int auth_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool auth_names(const struct srv_request *r, struct auth *au,
                       struct srv_answer *a)
{
    char *at = au->name_text = mem_copy(au->names);
    bool has_host = false;

    while (*at != '\0') {
        size_t size = strcspn(at, ";");
        bool is_last = at[size] == '\0';

        if (au->name_count == AUTH_NAMES_MAX) {
            return auth_malformed(au, a, "too many headers are signed.");
        }
        at[size] = '\0';
        has_host = has_host || strcmp(at, "host") == 0;
        au->name_at[au->name_count++] = at;
        at += size + !is_last;
    }
    qsort(au->name_at, au->name_count, sizeof(au->name_at[0]), auth_compare);
    for (size_t i = 0; i <= r->headers.count; i++) {
        const char *name =
            i < r->headers.count ? r->headers.at[i].name : "host";
        bool is_due = strncasecmp(name, "x-amz-", 6) == 0;
        bool is_signed = i == r->headers.count && has_host;

        for (size_t k = 0; k < au->name_count && !is_signed; k++) {
            is_signed = strcasecmp(name, au->name_at[k]) == 0;
        }
        if ((is_due || i == r->headers.count) && !is_signed) {
            srv_fail_say(a, SRV_E_ACCESS_DENIED,
                         "There were headers present in the request which "
                         "were not signed");
            srv_extra(a, "HeadersNotSigned", name);
            return false;
        }
    }
    return true;
}

/* Each pair coded again, in the order of the codes. */
static void auth_add_query(const struct srv_request *r, bool is_query,
                           struct buf *out)
{
    char *lines[SRV_PAIRS_MAX] = {NULL};
    size_t count = 0;

    for (size_t i = 0; i < r->params.count; i++) {
        struct buf line = {0};

        if (is_query && strcmp(r->params.at[i].name, "X-Amz-Signature") == 0) {
            continue;
        }
        srv_percent_encode(r->params.at[i].name, auth_unreserved, &line);
        /* Below every byte that a code can hold, so that names sort. */
        buf_add_char(&line, '\x01');
        srv_percent_encode(r->params.at[i].value, auth_unreserved, &line);
        lines[count++] = buf_take(&line);
    }
    qsort(lines, count, sizeof(lines[0]), auth_compare);
    for (size_t i = 0; i < count; i++) {
        *strchr(lines[i], '\x01') = '=';
        buf_print(out, "%s%s", i > 0 ? "&" : "", lines[i]);
        free(lines[i]);
    }
}

static void auth_add_value(const char *value, struct buf *out)
{
    for (; *value != '\0'; value++) {
        if (*value != ' ' || value[1] != ' ') {
            buf_add_char(out, *value);
        }
    }
}

static void auth_add_headers(const struct srv_request *r, const struct auth *au,
                             struct buf *out)
{
    for (size_t k = 0; k < au->name_count; k++) {
        bool is_next = false;

        buf_print(out, "%s:", au->name_at[k]);
        for (size_t i = 0; i < r->headers.count; i++) {
            if (strcasecmp(r->headers.at[i].name, au->name_at[k]) != 0) {
                continue;
            }
            buf_add_text(out, is_next ? "," : "");
            auth_add_value(r->headers.at[i].value, out);
            is_next = true;
        }
        buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
    for (size_t k = 0; k < au->name_count; k++) {
        buf_print(out, "%s%s", k > 0 ? ";" : "", au->name_at[k]);
    }
    buf_add_char(out, '\n');
}

static void auth_canonical(const struct srv_request *r, const struct auth *au,
                           struct buf *out)
{
    struct buf path = {0};

    srv_percent_decode(r->path.at, r->path.size, false, &path);
    buf_print(out, "%s\n", r->method);
    srv_percent_encode(buf_text(&path), "/-._~", out);
    buf_add_char(out, '\n');
    auth_add_query(r, au->is_query, out);
    buf_add_char(out, '\n');
    auth_add_headers(r, au, out);
    buf_add_text(out, au->payload);
    buf_fini(&path);
}

void srv_sign(const unsigned char key[32], const char *text, char out[65])
{
    unsigned char raw[32];

    srv_hmac(key, 32, text, raw);
    srv_hex(raw, 32, out);
}

static void auth_derive(const struct auth *au, unsigned char key[32])
{
    char *first = mem_print("AWS4%s", au->secret);

    srv_hmac(first, strlen(first), au->day, key);
    srv_hmac(key, 32, au->region, key);
    srv_hmac(key, 32, au->service, key);
    srv_hmac(key, 32, au->end, key);
    free(first);
}

static bool auth_signature(struct srv_request *r, const struct auth *au,
                           struct srv_answer *a)
{
    struct srv_signer *signer = mem_new(1, sizeof(*signer));
    unsigned char raw[32];
    char hash[65];
    struct buf canonical = {0};
    char *text;
    bool is_good;

    auth_canonical(r, au, &canonical);
    srv_sha256(canonical.at, canonical.size, raw);
    srv_hex(raw, 32, hash);
    snprintf(signer->date, sizeof(signer->date), "%s", au->date);
    snprintf(signer->scope, sizeof(signer->scope), "%s/%s/%s/%s", au->day,
             au->region, au->service, au->end);
    text = mem_print("AWS4-HMAC-SHA256\n%s\n%s\n%s", au->date, signer->scope,
                     hash);
    auth_derive(au, signer->key);
    srv_sign(signer->key, text, signer->signature);
    is_good = strcmp(signer->signature, au->signature) == 0;
    if (!is_good) {
        srv_fail(a, SRV_E_SIGNATURE);
        srv_extra(a, "AWSAccessKeyId", au->access);
        srv_extra(a, "StringToSign", text);
        srv_extra(a, "SignatureProvided", au->signature);
        srv_extra(a, "CanonicalRequest", canonical.at);
    }
    r->signer = signer;
    buf_fini(&canonical);
    free(text);
    return is_good;
}

static bool auth_read(const struct srv_request *r, struct auth *au,
                      struct srv_answer *a)
{
    bool has_header = srv_header(r, "authorization") != NULL;
    bool has_query = srv_param(r, "X-Amz-Algorithm") != NULL;

    if (has_header && has_query) {
        srv_fail_say(a, SRV_E_INVALID_ARGUMENT,
                     "Only one auth mechanism allowed");
        return false;
    }
    if (!has_header && !has_query) {
        srv_fail(a, SRV_E_ACCESS_DENIED);
        return false;
    }
    return has_header ? auth_from_header(r, au, a) : auth_from_query(r, au, a);
}

bool srv_auth_check(struct srv_request *r, struct srv_answer *a)
{
    struct auth au = {0};
    bool is_good;

    if (srv_has_quirk(r, S3SERVER_ANYBODY)) {
        return true;
    }
    is_good = auth_read(r, &au, a) && auth_scope_is_good(r, &au, a) &&
              auth_key(r, &au, a) && auth_names(r, &au, a) &&
              auth_signature(r, &au, a);
    free(au.text);
    free(au.name_text);
    free(au.secret);
    free(au.token);
    return is_good;
}

bool srv_auth_payload(struct srv_request *r, struct srv_answer *a)
{
    const char *named = srv_header(r, "x-amz-content-sha256");
    char hash[65];

    if (named == NULL || strcmp(named, auth_unsigned) == 0) {
        return true;
    }
    if (strncmp(named, "STREAMING-", 10) == 0) {
        return srv_chunk_decode(r, a);
    }
    if (strlen(named) != 64 || strspn(named, "0123456789abcdef") != 64) {
        srv_fail_say(a, SRV_E_INVALID_ARGUMENT,
                     "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                     "STREAMING-… or a valid sha256 value.");
        return false;
    }
    srv_sha256(buf_text(&r->body), r->body.size, r->sums.sha256);
    srv_hex(r->sums.sha256, 32, hash);
    if (strcmp(hash, named) != 0) {
        srv_fail(a, SRV_E_WRONG_SHA);
        srv_extra(a, "ClientComputedContentSHA256", named);
        srv_extra(a, "S3ComputedContentSHA256", hash);
        return false;
    }
    return true;
}
