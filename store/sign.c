/* SPDX-License-Identifier: Apache-2.0 */
/* A request is signed in one pass: its path and query are encoded once, and
 * the same bytes go to the target and to the text that is signed. */

#include "store/sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/percent.h"
#include "store/sign_parts.h"

enum { SIGN_DAY = 8, SIGN_NUMBER_MAX = 24 };

struct signer {
    struct sign_digest *digest;
    struct buf work;       /* Of the texts. */
    struct buf names;      /* Of the signed headers. */
    struct buf credential; /* "KEY/SCOPE", of a presigned request. */
};

/* What all of one signature refers to. */
struct sign_time {
    char date[SIGN_DATE_SIZE];
    struct sign_scope scope;
};

struct signer *signer_new(void)
{
    struct signer *s = mem_new(1, sizeof(*s));

    s->digest = sign_digest_new();
    return s;
}

void signer_destroy(struct signer **s)
{
    if (*s == NULL) {
        return;
    }
    sign_digest_destroy(&(*s)->digest);
    sign_wipe(&(*s)->work);
    sign_wipe(&(*s)->names);
    sign_wipe(&(*s)->credential);
    free(*s);
    *s = NULL;
}

void sign_result_fini(struct sign_result *r)
{
    sign_wipe(&r->target);
    sign_wipe(&r->headers);
    sign_wipe(&r->canonical);
    sign_wipe(&r->to_sign);
}

static void sign_result_clear(struct sign_result *r)
{
    buf_clear(&r->target);
    buf_clear(&r->headers);
    buf_clear(&r->canonical);
    buf_clear(&r->to_sign);
    r->signature[0] = '\0';
}

void sign_payload(struct signer *s, struct bytes body, char out[SIGN_HEX_SIZE])
{
    sign_digest_hash(s->digest, body, out);
}

static void sign_time_init(struct sign_time *t, const struct sign_request *r)
{
    struct sign_scope *scope = &t->scope;
    int size;

    sign_date(r->wall_ms, t->date);
    scope->date = (struct bytes){t->date, SIGN_DAY};
    scope->region = bytes_of(r->region);
    scope->service = bytes_of(r->service);
    size = snprintf(scope->text, sizeof(scope->text), "%.*s/%s/%s/aws4_request",
                    SIGN_DAY, t->date, r->region, r->service);
    CHECK(size > 0 && (size_t)size < sizeof(scope->text));
}

static bool sign_is_session(const struct sign_request *r)
{
    return strcmp(r->service, "s3express") == 0 && !r->is_create_session;
}

/* ---- the parts of a request --------------------------------------------- */

/* Begin the canonical request and the target: method, path, query. */
static void sign_add_target(struct signer *s, const struct sign_request *r,
                            const struct sign_pairs *query,
                            struct sign_result *out)
{
    size_t start;

    if (r->path.size == 0) {
        buf_add_char(&out->target, '/');
    }
    percent_encode(r->path, true, &out->target);
    buf_add_text(&out->canonical, r->method);
    buf_add_char(&out->canonical, '\n');
    sign_text_path(r, buf_bytes(&out->target), &s->work, &out->canonical);
    buf_add_char(&out->canonical, '\n');
    start = out->canonical.size;
    sign_text_query(query, &s->work, &out->canonical);
    if (query->count > 0) {
        buf_add_char(&out->target, '?');
        buf_add(&out->target, out->canonical.at + start,
                out->canonical.size - start);
    }
    buf_add_char(&out->canonical, '\n');
}

/* Go on with the headers and the body's hash. The names are in s->names. */
static void sign_add_rest(struct signer *s, const struct sign_pairs *headers,
                          const char *payload, struct sign_result *out)
{
    sign_text_headers(headers, &s->work, &out->canonical, &s->names);
    buf_add_char(&out->canonical, '\n');
    buf_add_bytes(&out->canonical, buf_bytes(&s->names));
    buf_add_char(&out->canonical, '\n');
    buf_add_text(&out->canonical, payload);
}

static void sign_finish(struct signer *s, const struct sign_request *r,
                        const struct sign_time *t, struct sign_result *out)
{
    char hex[SIGN_HEX_SIZE];

    sign_digest_hash(s->digest, buf_bytes(&out->canonical), hex);
    buf_add_text(&out->to_sign, "AWS4-HMAC-SHA256\n");
    buf_add_text(&out->to_sign, t->date);
    buf_add_char(&out->to_sign, '\n');
    buf_add_text(&out->to_sign, t->scope.text);
    buf_add_char(&out->to_sign, '\n');
    buf_add_text(&out->to_sign, hex);
    sign_digest_sign(s->digest, &t->scope, bytes_of(r->key.secret_key),
                     buf_bytes(&out->to_sign), out->signature);
}

static void sign_take_pairs(const struct sign_pair *from, size_t count,
                            struct sign_pairs *out)
{
    for (size_t i = 0; i < count; i++) {
        sign_pairs_add(out, from[i].name, from[i].value);
    }
}

static void sign_add_lines(const struct sign_pairs *headers,
                           struct sign_result *out)
{
    for (size_t i = 0; i < headers->count; i++) {
        sign_text_line(headers->at[i].name, headers->at[i].value,
                       &out->headers);
    }
}

/* ---- with the Authorization header -------------------------------------- */

static void sign_take_headers(const struct sign_request *r, const char *date,
                              struct sign_pairs *out)
{
    sign_pairs_add(out, BYTES("Host"), r->host);
    if (r->key.access_key != NULL) {
        sign_pairs_add(out, BYTES("X-Amz-Date"), bytes_of(date));
        if (r->payload != NULL) {
            sign_pairs_add(out, BYTES("X-Amz-Content-Sha256"),
                           bytes_of(r->payload));
        }
    }
    sign_take_pairs(r->headers, r->header_count, out);
}

static struct bytes sign_token_header(const struct sign_request *r)
{
    return sign_is_session(r) ? BYTES("x-amz-s3session-token")
                              : BYTES("X-Amz-Security-Token");
}

static void sign_add_authorization(const struct signer *s,
                                   const struct sign_request *r,
                                   const struct sign_time *t,
                                   struct sign_result *out)
{
    struct buf *to = &out->headers;

    buf_add_text(to, "Authorization: AWS4-HMAC-SHA256 Credential=");
    buf_add_text(to, r->key.access_key);
    buf_add_char(to, '/');
    buf_add_text(to, t->scope.text);
    buf_add_text(to, ", SignedHeaders=");
    buf_add_bytes(to, buf_bytes(&s->names));
    buf_add_text(to, ", Signature=");
    buf_add_text(to, out->signature);
    buf_add_text(to, "\r\n");
}

void sign_headers(struct signer *s, const struct sign_request *r,
                  struct sign_result *out)
{
    struct sign_pairs query;
    struct sign_pairs headers;
    bool has_token = r->key.access_key != NULL && r->key.token != NULL;
    struct sign_time t = {.date = ""};

    sign_result_clear(out);
    query.count = 0;
    headers.count = 0;
    if (r->key.access_key != NULL) {
        sign_time_init(&t, r);
    }
    sign_take_pairs(r->query, r->query_count, &query);
    sign_take_headers(r, t.date, &headers);
    if (has_token && !r->omits_token) {
        sign_pairs_add(&headers, sign_token_header(r), bytes_of(r->key.token));
    }
    sign_add_target(s, r, &query, out);
    sign_add_lines(&headers, out);
    if (r->key.access_key == NULL) {
        return;
    }
    sign_add_rest(s, &headers, r->payload != NULL ? r->payload : SIGN_EMPTY,
                  out);
    sign_finish(s, r, &t, out);
    sign_add_authorization(s, r, &t, out);
    if (has_token && r->omits_token) {
        sign_text_line(sign_token_header(r), bytes_of(r->key.token),
                       &out->headers);
    }
}

/* ---- with query parameters ---------------------------------------------- */

static struct bytes sign_token_parameter(const struct sign_request *r)
{
    return sign_is_session(r) ? BYTES("X-Amz-S3session-Token")
                              : BYTES("X-Amz-Security-Token");
}

static void sign_add_token(const struct sign_request *r, struct buf *target)
{
    buf_add_char(target, '&');
    buf_add_bytes(target, sign_token_parameter(r));
    buf_add_char(target, '=');
    percent_encode(bytes_of(r->key.token), false, target);
}

static void sign_take_query(struct signer *s, const struct sign_request *r,
                            const struct sign_time *t, struct sign_pairs *out)
{
    buf_clear(&s->credential);
    buf_add_text(&s->credential, r->key.access_key);
    buf_add_char(&s->credential, '/');
    buf_add_text(&s->credential, t->scope.text);
    sign_pairs_add(out, BYTES("X-Amz-Algorithm"), BYTES("AWS4-HMAC-SHA256"));
    sign_pairs_add(out, BYTES("X-Amz-Credential"), buf_bytes(&s->credential));
    sign_pairs_add(out, BYTES("X-Amz-Date"), bytes_of(t->date));
    if (r->key.token != NULL && !r->omits_token) {
        sign_pairs_add(out, sign_token_parameter(r), bytes_of(r->key.token));
    }
}

/* The names of the headers are a parameter, so they are made first. */
static void sign_take_names(struct signer *s, const struct sign_pairs *headers,
                            struct sign_result *out)
{
    sign_text_headers(headers, &s->work, &out->to_sign, &s->names);
    buf_clear(&out->to_sign);
}

void sign_presign(struct signer *s, const struct sign_request *r,
                  uint32_t seconds, struct sign_result *out)
{
    struct sign_pairs query;
    struct sign_pairs headers;
    char expires[SIGN_NUMBER_MAX];
    struct sign_time t = {.date = ""};

    sign_result_clear(out);
    query.count = 0;
    headers.count = 0;
    if (r->key.access_key != NULL) {
        sign_time_init(&t, r);
    }
    sign_take_pairs(r->query, r->query_count, &query);
    sign_pairs_add(&headers, BYTES("Host"), r->host);
    sign_take_pairs(r->headers, r->header_count, &headers);
    sign_add_lines(&headers, out);
    if (r->key.access_key == NULL) {
        sign_add_target(s, r, &query, out);
        return;
    }
    snprintf(expires, sizeof(expires), "%" PRIu32, seconds);
    sign_take_query(s, r, &t, &query);
    sign_pairs_add(&query, BYTES("X-Amz-Expires"), bytes_of(expires));
    sign_take_names(s, &headers, out);
    sign_pairs_add(&query, BYTES("X-Amz-SignedHeaders"), buf_bytes(&s->names));
    sign_add_target(s, r, &query, out);
    sign_add_rest(s, &headers, r->payload != NULL ? r->payload : SIGN_UNSIGNED,
                  out);
    sign_finish(s, r, &t, out);
    buf_add_text(&out->target, "&X-Amz-Signature=");
    buf_add_text(&out->target, out->signature);
    if (r->key.token != NULL && r->omits_token) {
        sign_add_token(r, &out->target);
    }
}

/* ---- chunks ------------------------------------------------------------- */

void sign_chunk(struct signer *s, const struct sign_request *r,
                const struct sign_chunk *chunk, char out[SIGN_HEX_SIZE])
{
    struct buf *text = &s->work;
    char hex[SIGN_HEX_SIZE];
    struct sign_time t;

    sign_time_init(&t, r);
    sign_digest_hash(s->digest, chunk->data, hex);
    buf_clear(text);
    buf_print(text, "AWS4-HMAC-SHA256-%s\n%s\n%s\n%s\n%s%s",
              chunk->is_trailer ? "TRAILER" : "PAYLOAD", t.date, t.scope.text,
              chunk->previous, chunk->is_trailer ? "" : SIGN_EMPTY "\n", hex);
    sign_digest_sign(s->digest, &t.scope, bytes_of(r->key.secret_key),
                     buf_bytes(text), out);
}
