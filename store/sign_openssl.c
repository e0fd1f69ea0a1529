/* SPDX-License-Identifier: Apache-2.0 */
/* Digests are fetched once a signer and contexts reused: OpenSSL 3 looks an
 * algorithm up by name at each implicit fetch, which costs more than hashing
 * a request. */

#include "store/sign.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/percent.h"

enum {
    SIGN_HASH = 32,
    SIGN_BLOCK = 64, /* Of SHA-256, for HMAC. */
    SIGN_SCOPE_MAX = 256,
};

struct signer {
    EVP_MD *sha256;
    EVP_MD_CTX *context;

    /* The key of one day, region, service and secret. */
    struct {
        char scope[SIGN_SCOPE_MAX];
        uint8_t secret[SIGN_HASH]; /* Its hash, to see whether it changed. */
        uint8_t value[SIGN_HASH];
    } key;

    struct buf work[2]; /* Encoded names and values while they are sorted. */
};

/* One name and value, encoded or trimmed, inside a work buffer. */
struct sign_item {
    size_t name;
    size_t name_size;
    size_t value;
    size_t value_size;
};

struct sign_items {
    struct sign_item at[SIGN_PAIRS_MAX];
    size_t count;
    const struct buf *text;
};

struct signer *signer_new(void)
{
    struct signer *s = mem_new(1, sizeof(*s));

    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->context = EVP_MD_CTX_new();
    CHECK(s->sha256 != NULL && s->context != NULL);
    return s;
}

void signer_destroy(struct signer **s)
{
    if (*s == NULL) {
        return;
    }
    EVP_MD_CTX_free((*s)->context);
    EVP_MD_free((*s)->sha256);
    buf_fini(&(*s)->work[0]);
    buf_fini(&(*s)->work[1]);
    OPENSSL_cleanse(*s, sizeof(**s));
    free(*s);
    *s = NULL;
}

void sign_result_fini(struct sign_result *r)
{
    buf_fini(&r->target);
    buf_fini(&r->headers);
    buf_fini(&r->canonical);
    buf_fini(&r->to_sign);
}

/* ---- hashes ------------------------------------------------------------- */

static void sign_hash2(struct signer *s, struct bytes a, struct bytes b,
                       uint8_t out[SIGN_HASH])
{
    CHECK(EVP_DigestInit_ex2(s->context, s->sha256, NULL) == 1);
    CHECK(EVP_DigestUpdate(s->context, a.at, a.size) == 1);
    CHECK(EVP_DigestUpdate(s->context, b.at, b.size) == 1);
    CHECK(EVP_DigestFinal_ex(s->context, out, NULL) == 1);
}

static void sign_hmac(struct signer *s, struct bytes key, struct bytes text,
                      uint8_t out[SIGN_HASH])
{
    uint8_t inner[SIGN_BLOCK];
    uint8_t outer[SIGN_BLOCK];
    uint8_t digest[SIGN_HASH];
    uint8_t folded[SIGN_HASH];

    if (key.size > SIGN_BLOCK) {
        sign_hash2(s, key, BYTES(""), folded);
        key = (struct bytes){(const char *)folded, sizeof(folded)};
    }
    for (size_t i = 0; i < SIGN_BLOCK; i++) {
        uint8_t k = i < key.size ? (uint8_t)key.at[i] : 0;

        inner[i] = k ^ 0x36;
        outer[i] = k ^ 0x5c;
    }
    sign_hash2(s, (struct bytes){(const char *)inner, SIGN_BLOCK}, text,
               digest);
    sign_hash2(s, (struct bytes){(const char *)outer, SIGN_BLOCK},
               (struct bytes){(const char *)digest, SIGN_HASH}, out);
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
}

static void sign_hex(const uint8_t digest[SIGN_HASH], char out[SIGN_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SIGN_HASH; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[SIGN_HEX_SIZE - 1] = '\0';
}

void sign_payload(struct signer *s, struct bytes body, char out[SIGN_HEX_SIZE])
{
    uint8_t digest[SIGN_HASH];

    sign_hash2(s, body, BYTES(""), digest);
    sign_hex(digest, out);
}

void sign_date(uint64_t wall_ms, char out[SIGN_DATE_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    CHECK(gmtime_r(&seconds, &tm) != NULL);
    CHECK(strftime(out, SIGN_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) ==
          SIGN_DATE_SIZE - 1);
}

/* ---- scope and key ------------------------------------------------------ */

static void sign_scope(const struct sign_request *r, const char *date,
                       char out[SIGN_SCOPE_MAX])
{
    int size = snprintf(out, SIGN_SCOPE_MAX, "%.8s/%s/%s/aws4_request", date,
                        r->region, r->service);

    CHECK(size > 0 && size < SIGN_SCOPE_MAX);
}

static struct bytes sign_digest(const uint8_t digest[SIGN_HASH])
{
    return (struct bytes){(const char *)digest, SIGN_HASH};
}

/* Make the key of @scope unless it is the one at hand. */
static void sign_key(struct signer *s, const struct sign_request *r,
                     const char *scope)
{
    struct buf seed = {0};
    uint8_t secret[SIGN_HASH];
    uint8_t key[SIGN_HASH];

    sign_hash2(s, bytes_of(r->key.secret_key), BYTES(""), secret);
    if (strcmp(scope, s->key.scope) == 0 &&
        memcmp(secret, s->key.secret, SIGN_HASH) == 0) {
        return;
    }
    buf_add_text(&seed, "AWS4");
    buf_add_text(&seed, r->key.secret_key);
    sign_hmac(s, buf_bytes(&seed), (struct bytes){scope, 8}, key);
    sign_hmac(s, sign_digest(key), bytes_of(r->region), key);
    sign_hmac(s, sign_digest(key), bytes_of(r->service), key);
    sign_hmac(s, sign_digest(key), BYTES("aws4_request"), s->key.value);
    snprintf(s->key.scope, sizeof(s->key.scope), "%s", scope);
    memcpy(s->key.secret, secret, SIGN_HASH);
    OPENSSL_cleanse(seed.at, seed.size);
    OPENSSL_cleanse(key, sizeof(key));
    buf_fini(&seed);
}

/* ---- the canonical request ---------------------------------------------- */

/* Append @path without dot segments and doubled slashes. */
static void sign_normalize(struct bytes path, struct buf *out)
{
    bool is_folder = true; /* The last segment leaves a slash behind. */

    buf_add_char(out, '/');
    for (size_t i = 0; i < path.size;) {
        size_t end = i;

        while (end < path.size && path.at[end] != '/') {
            end++;
        }
        if (end - i == 2 && path.at[i] == '.' && path.at[i + 1] == '.') {
            out->size -= out->size > 1;
            while (out->at[out->size - 1] != '/') {
                out->size--;
            }
            is_folder = true;
        } else if (end > i && !(end - i == 1 && path.at[i] == '.')) {
            buf_add(out, path.at + i, end - i);
            is_folder = end < path.size;
            if (is_folder) {
                buf_add_char(out, '/');
            }
        }
        i = end + 1;
    }
    (void)is_folder;
}

static void sign_add_path(struct signer *s, const struct sign_request *r,
                          struct sign_result *out)
{
    struct buf *work = &s->work[0];

    percent_encode(r->path, true, &out->target);
    buf_clear(work);
    if (r->is_normalized) {
        sign_normalize(r->path, work);
    } else {
        buf_add_bytes(work, r->path);
    }
    if (r->is_encoded_twice) {
        struct buf *once = &s->work[1];

        buf_clear(once);
        percent_encode(buf_bytes(work), true, once);
        percent_encode(buf_bytes(once), true, &out->canonical);
    } else {
        percent_encode(buf_bytes(work), true, &out->canonical);
    }
    buf_add_char(&out->canonical, '\n');
}

static struct bytes sign_item_name(const struct sign_items *l, size_t i)
{
    return (struct bytes){l->text->at + l->at[i].name, l->at[i].name_size};
}

static struct bytes sign_item_value(const struct sign_items *l, size_t i)
{
    return (struct bytes){l->text->at + l->at[i].value, l->at[i].value_size};
}

/* Insertion sort by name, then value unless @is_by_name: n <= 64. Equal ones
 * keep their order. */
static void sign_sort(struct sign_items *l, bool is_by_name)
{
    for (size_t i = 1; i < l->count; i++) {
        for (size_t j = i; j > 0; j--) {
            struct sign_item item = l->at[j];
            int order =
                bytes_compare(sign_item_name(l, j - 1), sign_item_name(l, j));

            if (order == 0 && !is_by_name) {
                order = bytes_compare(sign_item_value(l, j - 1),
                                      sign_item_value(l, j));
            }
            if (order <= 0) {
                break;
            }
            l->at[j] = l->at[j - 1];
            l->at[j - 1] = item;
        }
    }
}

static void sign_add_query_item(struct sign_items *l, struct buf *text,
                                struct bytes name, struct bytes value)
{
    struct sign_item *item = &l->at[l->count++];

    CHECK(l->count <= SIGN_PAIRS_MAX);
    item->name = text->size;
    percent_encode(name, false, text);
    item->name_size = text->size - item->name;
    item->value = text->size;
    percent_encode(value, false, text);
    item->value_size = text->size - item->value;
}

static void sign_add_query(struct signer *s, const struct sign_pair *query,
                           size_t count, struct buf *out)
{
    struct sign_items list = {.count = 0, .text = &s->work[0]};

    buf_clear(&s->work[0]);
    for (size_t i = 0; i < count; i++) {
        sign_add_query_item(&list, &s->work[0], query[i].name, query[i].value);
    }
    sign_sort(&list, false);
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0) {
            buf_add_char(out, '&');
        }
        buf_add_bytes(out, sign_item_name(&list, i));
        buf_add_char(out, '=');
        buf_add_bytes(out, sign_item_value(&list, i));
    }
}

/* Append @value without white space around it, runs of it as one space. */
static void sign_add_trimmed(struct bytes value, struct buf *out)
{
    bool is_after_space = true;
    size_t start = out->size;

    for (size_t i = 0; i < value.size; i++) {
        char c = value.at[i];
        bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';

        if (!is_space) {
            buf_add_char(out, c);
        } else if (!is_after_space) {
            buf_add_char(out, ' ');
        }
        is_after_space = is_space;
    }
    if (out->size > start && out->at[out->size - 1] == ' ') {
        out->size--;
    }
}

static void sign_add_header_item(struct sign_items *l, struct buf *text,
                                 struct bytes name, struct bytes value)
{
    struct sign_item *item = &l->at[l->count++];

    CHECK(l->count <= SIGN_PAIRS_MAX);
    item->name = text->size;
    item->name_size = name.size;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];

        buf_add_char(text, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    item->value = text->size;
    sign_add_trimmed(value, text);
    item->value_size = text->size - item->value;
}

/* Append the canonical headers and write ";"-joined names to @names. */
static void sign_add_headers(struct sign_items *l, struct buf *out,
                             struct buf *names)
{
    sign_sort(l, true);
    for (size_t i = 0; i < l->count; i++) {
        bool is_same = i > 0 && bytes_is_equal(sign_item_name(l, i),
                                               sign_item_name(l, i - 1));

        if (is_same) {
            out->size--; /* The newline. */
            buf_add_char(out, ',');
        } else {
            buf_add_bytes(out, sign_item_name(l, i));
            buf_add_char(out, ':');
            buf_print(names, "%s%.*s", names->size > 0 ? ";" : "",
                      (int)l->at[i].name_size, sign_item_name(l, i).at);
        }
        buf_add_bytes(out, sign_item_value(l, i));
        buf_add_char(out, '\n');
    }
}

/* ---- signatures --------------------------------------------------------- */

static void sign_finish(struct signer *s, const struct sign_request *r,
                        const char *date, struct sign_result *out)
{
    char scope[SIGN_SCOPE_MAX];
    uint8_t digest[SIGN_HASH];
    char hex[SIGN_HEX_SIZE];

    sign_scope(r, date, scope);
    sign_payload(s, buf_bytes(&out->canonical), hex);
    buf_print(&out->to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hex);
    sign_key(s, r, scope);
    sign_hmac(s, sign_digest(s->key.value), buf_bytes(&out->to_sign), digest);
    sign_hex(digest, out->signature);
}

static void sign_clear(struct sign_result *out)
{
    buf_clear(&out->target);
    buf_clear(&out->headers);
    buf_clear(&out->canonical);
    buf_clear(&out->to_sign);
    out->signature[0] = '\0';
}

static void sign_line(struct sign_result *out, struct bytes name,
                      struct bytes value)
{
    buf_add_bytes(&out->headers, name);
    buf_add_text(&out->headers, ": ");
    buf_add_bytes(&out->headers, value);
    buf_add_text(&out->headers, "\r\n");
}

static const char *sign_token_name(const struct sign_request *r)
{
    return strcmp(r->service, "s3express") == 0 && !r->is_create_session
               ? "x-amz-s3session-token"
               : "X-Amz-Security-Token";
}

/* The headers that every signed request carries. */
static size_t sign_own_headers(const struct sign_request *r, const char *date,
                               struct sign_pair own[4])
{
    size_t count = 0;

    own[count++] = (struct sign_pair){BYTES("Host"), r->host};
    if (r->key.access_key == NULL) {
        return count;
    }
    own[count++] = (struct sign_pair){BYTES("X-Amz-Date"), bytes_of(date)};
    if (r->payload != NULL) {
        own[count++] = (struct sign_pair){BYTES("X-Amz-Content-Sha256"),
                                          bytes_of(r->payload)};
    }
    if (r->key.token != NULL && !r->omits_token) {
        own[count++] = (struct sign_pair){bytes_of(sign_token_name(r)),
                                          bytes_of(r->key.token)};
    }
    return count;
}

static void sign_target(struct signer *s, const struct sign_request *r,
                        struct sign_result *out)
{
    if (r->query_count > 0) {
        buf_add_char(&out->target, '?');
        sign_add_query(s, r->query, r->query_count, &out->target);
    }
}

/* Append names of the signed headers, the last lines of the canonical request,
 * after @headers (@own first) were taken in. */
static void sign_take_headers(struct signer *s, const struct sign_request *r,
                              const struct sign_pair *own, size_t own_count,
                              struct buf *canonical, struct buf *names)
{
    struct sign_items list = {.count = 0, .text = &s->work[0]};

    buf_clear(&s->work[0]);
    for (size_t i = 0; i < own_count; i++) {
        sign_add_header_item(&list, &s->work[0], own[i].name, own[i].value);
    }
    for (size_t i = 0; i < r->header_count; i++) {
        sign_add_header_item(&list, &s->work[0], r->headers[i].name,
                             r->headers[i].value);
    }
    sign_add_headers(&list, canonical, names);
    buf_add_char(canonical, '\n');
    buf_add_bytes(canonical, buf_bytes(names));
    buf_add_char(canonical, '\n');
}

void sign_headers(struct signer *s, const struct sign_request *r,
                  struct sign_result *out)
{
    struct sign_pair own[4];
    struct buf *names = &s->work[1];
    char date[SIGN_DATE_SIZE];
    size_t count;

    sign_clear(out);
    sign_date(r->wall_ms, date);
    count = sign_own_headers(r, date, own);
    for (size_t i = 0; i < count; i++) {
        sign_line(out, own[i].name, own[i].value);
    }
    for (size_t i = 0; i < r->header_count; i++) {
        sign_line(out, r->headers[i].name, r->headers[i].value);
    }
    buf_print(&out->canonical, "%s\n", r->method);
    sign_add_path(s, r, out);
    sign_target(s, r, out);
    if (r->key.access_key == NULL) {
        return;
    }
    sign_add_query(s, r->query, r->query_count, &out->canonical);
    buf_add_char(&out->canonical, '\n');
    buf_clear(names);
    sign_take_headers(s, r, own, count, &out->canonical, names);
    buf_add_text(&out->canonical, r->payload != NULL ? r->payload : SIGN_EMPTY);
    sign_finish(s, r, date, out);
    buf_print(&out->headers,
              "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
              "SignedHeaders=%s, Signature=%s\r\n",
              r->key.access_key, s->key.scope, buf_text(names), out->signature);
    if (r->key.token != NULL && r->omits_token) {
        sign_line(out, bytes_of(sign_token_name(r)), bytes_of(r->key.token));
    }
}

void sign_presign(struct signer *s, const struct sign_request *r,
                  uint32_t seconds, struct sign_result *out)
{
    struct sign_pair query[SIGN_PAIRS_MAX];
    struct sign_pair host = {BYTES("Host"), r->host};
    struct buf *names = &s->work[1];
    struct buf lines = {0};
    char date[SIGN_DATE_SIZE];
    char scope[SIGN_SCOPE_MAX];
    char *credential;
    char expires[16];
    size_t count = 0;

    sign_clear(out);
    sign_date(r->wall_ms, date);
    sign_scope(r, date, scope);
    credential = mem_print("%s/%s", r->key.access_key, scope);
    snprintf(expires, sizeof(expires), "%" PRIu32, seconds);
    buf_print(&out->canonical, "%s\n", r->method);
    sign_add_path(s, r, out);
    buf_clear(names);
    sign_take_headers(s, r, &host, 1, &lines, names);
    CHECK(r->query_count + 6 <= SIGN_PAIRS_MAX);
    for (; count < r->query_count; count++) {
        query[count] = r->query[count];
    }
    query[count++] =
        (struct sign_pair){BYTES("X-Amz-Algorithm"), BYTES("AWS4-HMAC-SHA256")};
    query[count++] =
        (struct sign_pair){BYTES("X-Amz-Credential"), bytes_of(credential)};
    query[count++] = (struct sign_pair){BYTES("X-Amz-Date"), bytes_of(date)};
    query[count++] =
        (struct sign_pair){BYTES("X-Amz-Expires"), bytes_of(expires)};
    query[count++] =
        (struct sign_pair){BYTES("X-Amz-SignedHeaders"), buf_bytes(names)};
    if (r->key.token != NULL && !r->omits_token) {
        query[count++] = (struct sign_pair){BYTES("X-Amz-Security-Token"),
                                            bytes_of(r->key.token)};
    }
    buf_add_char(&out->target, '?');
    sign_add_query(s, query, count, &out->canonical);
    sign_add_query(s, query, count, &out->target);
    buf_add_char(&out->canonical, '\n');
    buf_add_bytes(&out->canonical, buf_bytes(&lines));
    buf_add_text(&out->canonical,
                 r->payload != NULL ? r->payload : SIGN_UNSIGNED);
    sign_finish(s, r, date, out);
    buf_print(&out->target, "&X-Amz-Signature=%s", out->signature);
    if (r->key.token != NULL && r->omits_token) {
        buf_add_text(&out->target, "&X-Amz-Security-Token=");
        percent_encode(bytes_of(r->key.token), false, &out->target);
    }
    sign_line(out, host.name, host.value);
    for (size_t i = 0; i < r->header_count; i++) {
        sign_line(out, r->headers[i].name, r->headers[i].value);
    }
    buf_fini(&lines);
    free(credential);
}

void sign_chunk(struct signer *s, const struct sign_request *r,
                const struct sign_chunk *chunk, char out[SIGN_HEX_SIZE])
{
    struct buf text = {0};
    char date[SIGN_DATE_SIZE];
    char scope[SIGN_SCOPE_MAX];
    char hex[SIGN_HEX_SIZE];
    uint8_t digest[SIGN_HASH];

    sign_date(r->wall_ms, date);
    sign_scope(r, date, scope);
    sign_payload(s, chunk->data, hex);
    buf_print(&text, "AWS4-HMAC-SHA256-%s\n%s\n%s\n%s\n",
              chunk->is_trailer ? "TRAILER" : "PAYLOAD", date, scope,
              chunk->previous);
    if (!chunk->is_trailer) {
        buf_add_text(&text, SIGN_EMPTY "\n");
    }
    buf_add_text(&text, hex);
    sign_key(s, r, scope);
    sign_hmac(s, sign_digest(s->key.value), buf_bytes(&text), digest);
    sign_hex(digest, out);
    buf_fini(&text);
}
