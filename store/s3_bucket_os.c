/* SPDX-License-Identifier: Apache-2.0 */
/* One registry for the process. What is slow (files, credentials, sessions,
 * asking for a region) happens under no lock but the one of that very thing,
 * so that a thread which only wants to go on never waits for it. */

#include "store/s3_bucket.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/http.h"
#include "store/s3_xml.h"
#include "store/sign.h"

enum {
    S3_SESSION_MS = 300000,     /* What the server gives. */
    S3_SESSION_LEFT_MS = 60000, /* With less left a new one is fetched. */
    S3_ASK_MS = 10000,
};

struct s3_bucket {
    struct s3_bucket *next;
    char *name;
    pthread_mutex_t lock;
    struct {
        struct endpoint endpoint;
        struct retry_pool pool;
        struct retry_clock clock;
        enum crc_kind sum;
        bool is_unquoted;
        bool knows_quotes;
        bool has_answered;
    } locked;

    pthread_mutex_t session_lock; /* Held while one is fetched. */
    struct {
        struct credentials credentials;
        uint64_t until_ms; /* Monotonic; 0: there is none. */
        bool is_read_only;
    } session_locked;
};

/* Settings do not change while the process lives. */
static struct {
    pthread_mutex_t lock;
    struct aws_config *config;
    struct aws_settings settings;
    struct credentials_holder *holder;
    struct s3_bucket *buckets;
} s3_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void s3_lock(pthread_mutex_t *lock)
{
    CHECK(pthread_mutex_lock(lock) == 0);
}

static void s3_unlock(pthread_mutex_t *lock)
{
    CHECK(pthread_mutex_unlock(lock) == 0);
}

/* ---- making ------------------------------------------------------------- */

static enum status s3_process_load_locked(struct fault *why)
{
    const struct aws_config_source source = {NULL, NULL};
    struct aws_config *config = NULL;
    enum status s;

    if (s3_process.config != NULL) {
        return STATUS_OK;
    }
    s = aws_config_load(&source, why, &config);
    if (s == STATUS_OK) {
        s = aws_config_settings(config, why, &s3_process.settings);
    }
    if (s != STATUS_OK) {
        aws_config_destroy(&config);
        return s;
    }
    s3_process.config = config;
    s3_process.holder = credentials_holder_new(config);
    return STATUS_OK;
}

/* Without a region the first answer of the default one names the right one. */
static enum status s3_resolve(const char *name, const char *region,
                              struct fault *why, struct endpoint *out)
{
    struct endpoint_input in;

    endpoint_input_of(&s3_process.settings, name, &in);
    if (region != NULL) {
        in.region = region;
    }
    if (in.region == NULL) {
        in.region = "us-east-1";
    }
    return endpoint_resolve(&in, why, out);
}

static enum status s3_bucket_make_locked(const char *name, struct fault *why,
                                         struct s3_bucket **out)
{
    const struct aws_settings *settings = &s3_process.settings;
    struct retry_options options = retry_defaults;
    struct s3_bucket *b;
    struct endpoint endpoint;
    uint64_t seed;
    enum status s = s3_resolve(name, NULL, why, &endpoint);

    if (s != STATUS_OK) {
        return s;
    }
    if (settings->attempts_max > 0) {
        options.attempts_max = settings->attempts_max;
        options.persist_ms = 0; /* Then that is the limit. */
    }
    hash_random(&seed, sizeof(seed));
    b = mem_new(1, sizeof(*b));
    b->name = mem_copy(name);
    CHECK(pthread_mutex_init(&b->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&b->session_lock, NULL) == 0);
    b->locked.endpoint = endpoint;
    b->locked.sum = settings->request_checksum == AWS_CHECKSUM_SUPPORTED
                        ? CRC_64NVME
                        : CRC_NONE;
    retry_pool_init(&b->locked.pool, &options, seed);
    b->next = s3_process.buckets;
    s3_process.buckets = b;
    *out = b;
    return STATUS_OK;
}

enum status s3_bucket_get(const char *name, struct fault *why,
                          struct s3_bucket **out)
{
    enum status s;

    *out = NULL;
    s3_lock(&s3_process.lock);
    s = s3_process_load_locked(why);
    for (struct s3_bucket *b = s3_process.buckets; b != NULL; b = b->next) {
        if (strcmp(b->name, name) == 0) {
            *out = b;
        }
    }
    if (s == STATUS_OK && *out == NULL) {
        s = s3_bucket_make_locked(name, why, out);
    }
    s3_unlock(&s3_process.lock);
    return s;
}

const char *s3_bucket_name(const struct s3_bucket *b)
{
    return b->name;
}

const struct aws_settings *s3_bucket_settings(const struct s3_bucket *b)
{
    (void)b;
    return &s3_process.settings;
}

/* ---- S3 Express sessions ------------------------------------------------ */

static bool s3_has_session(const struct endpoint *e)
{
    return e->is_express && !s3_process.settings.has_no_express_session;
}

static bool s3_session_text(struct bytes body, const char *what, size_t max,
                            char *out)
{
    struct buf text = {0};
    char *path = mem_print("CreateSessionResult/Credentials/%s", what);
    enum status s = s3_xml_text(body, path, NULL, &text);
    bool is_good = s == STATUS_OK && text.size > 0 && text.size < max;

    if (is_good) {
        memcpy(out, text.at, text.size + 1);
    }
    buf_fini(&text);
    free(path);
    return is_good;
}

static enum status s3_session_read(const struct http_event *e,
                                   const char *bucket, struct fault *why,
                                   struct credentials *out)
{
    struct s3_asked asked = {.op = STORE_HEAD};
    struct s3_answer a;

    s3_answer_read(&asked, e, &a);
    if (a.status != STATUS_OK) {
        s3_answer_say(&a, e, bucket, "its session endpoint", why);
        return a.status;
    }
    if (!s3_session_text(e->body, "AccessKeyId", sizeof(out->access_key),
                         out->access_key) ||
        !s3_session_text(e->body, "SecretAccessKey", sizeof(out->secret_key),
                         out->secret_key) ||
        !s3_session_text(e->body, "SessionToken", sizeof(out->token),
                         out->token)) {
        return fault_set(why, STATUS_STORE,
                         "s3://%s: the answer to CreateSession holds no "
                         "credentials",
                         bucket);
    }
    return STATUS_OK;
}

/* Ask for a session with the credentials in @view. */
static enum status s3_session_ask(struct s3_bucket *b,
                                  const struct s3_view *view, bool is_read_only,
                                  struct fault *why, struct credentials *out)
{
    const struct credentials *key = &view->credentials;
    const struct sign_pair mode = {BYTES("x-amz-create-session-mode"),
                                   is_read_only ? BYTES("ReadOnly")
                                                : BYTES("ReadWrite")};
    const struct sign_pair query = {BYTES("session"), BYTES("")};
    const struct http_options options = {.ca_bundle =
                                             s3_process.settings.ca_bundle};
    struct sign_request r = {
        .method = "GET",
        .host = bytes_of(view->endpoint.host),
        .path = view->endpoint.path[0] != '\0' ? bytes_of(view->endpoint.path)
                                               : BYTES("/"),
        .query = &query,
        .query_count = 1,
        .headers = &mode,
        .header_count = 1,
        .payload = SIGN_EMPTY,
        .key = {key->access_key, key->secret_key,
                key->token[0] != '\0' ? key->token : NULL},
        .region = view->endpoint.region,
        .service = "s3express",
        .wall_ms = clock_wall_ms(&clock_os) + (uint64_t)view->offset_ms,
        .is_create_session = true,
    };
    struct signer *signer = signer_new();
    struct sign_result sign = {0};
    struct http_request http = {.method = "GET",
                                .origin = view->endpoint.origin,
                                .connect_ms = S3_ASK_MS,
                                .first_byte_ms = S3_ASK_MS};
    struct http_kept keep = {0};
    enum status s;

    sign_headers(signer, &r, &sign);
    http.target = buf_text(&sign.target);
    http.headers = buf_bytes(&sign.headers);
    s = http_call(&options, &http, S3_ASK_MS, why, &keep);
    if (s == STATUS_OK) {
        s = s3_session_read(&keep.event, b->name, why, out);
    }
    http_kept_fini(&keep);
    sign_result_fini(&sign);
    signer_destroy(&signer);
    return s;
}

/* Put the session's credentials in the place of the account's. */
static enum status s3_session_view(struct s3_bucket *b, struct fault *why,
                                   struct s3_view *view)
{
    uint64_t now = clock_now_ms(&clock_os);
    struct credentials fresh = {.access_key = ""};
    enum status s = STATUS_OK;

    s3_lock(&b->session_lock);
    if (b->session_locked.until_ms < now + S3_SESSION_LEFT_MS) {
        s = s3_session_ask(b, view, b->session_locked.is_read_only, why,
                           &fresh);
        if (s == STATUS_DENIED && !b->session_locked.is_read_only) {
            b->session_locked.is_read_only = true;
            s = s3_session_ask(b, view, true, why, &fresh);
        }
        if (s == STATUS_OK) {
            fresh.generation = b->session_locked.credentials.generation + 1;
            b->session_locked.credentials = fresh;
            b->session_locked.until_ms = now + S3_SESSION_MS;
        } else if (b->session_locked.until_ms > now) {
            s = STATUS_OK; /* The old one still serves. */
        }
    }
    if (s == STATUS_OK) {
        credentials_forget(&view->credentials);
        credentials_copy(&view->credentials, &b->session_locked.credentials);
    }
    s3_unlock(&b->session_lock);
    credentials_wipe(&fresh);
    return s;
}

static bool s3_session_drop(struct s3_bucket *b, uint64_t generation)
{
    s3_lock(&b->session_lock);
    if (b->session_locked.credentials.generation == generation) {
        b->session_locked.until_ms = 0;
    }
    s3_unlock(&b->session_lock);
    return true;
}

/* ---- views -------------------------------------------------------------- */

void s3_bucket_endpoint(struct s3_bucket *b, struct endpoint *out)
{
    s3_lock(&b->lock);
    *out = b->locked.endpoint;
    s3_unlock(&b->lock);
}

enum status s3_bucket_view(struct s3_bucket *b, struct fault *why,
                           struct s3_view *out)
{
    const struct aws_settings *settings = &s3_process.settings;
    enum status s;

    s3_lock(&b->lock);
    out->endpoint = b->locked.endpoint;
    out->offset_ms = b->locked.clock.offset_ms;
    out->sum = b->locked.sum;
    out->is_unquoted = b->locked.is_unquoted;
    out->knows_quotes = b->locked.knows_quotes;
    s3_unlock(&b->lock);
    out->wants_sums = settings->response_checksum == AWS_CHECKSUM_SUPPORTED;
    out->signs_payload = settings->signs_payload;
    out->is_requester_paid = settings->is_requester_paid;
    s = credentials_get(s3_process.holder, why, &out->credentials);
    if (s == STATUS_OK && s3_has_session(&out->endpoint)) {
        s = s3_session_view(b, why, out);
    }
    return s;
}

/* ---- the retry pool ----------------------------------------------------- */

bool s3_bucket_admit(struct s3_bucket *b, struct retry *r, uint64_t now_ms,
                     uint64_t *at_ms)
{
    bool may_go;

    s3_lock(&b->lock);
    may_go = retry_pool_admit(&b->locked.pool, r, now_ms, at_ms);
    s3_unlock(&b->lock);
    return may_go;
}

void s3_bucket_succeeded(struct s3_bucket *b, struct retry *r, uint64_t now_ms,
                         const struct http_event *e)
{
    s3_lock(&b->lock);
    retry_succeeded(&b->locked.pool, r, now_ms);
    retry_note_first_byte(&b->locked.pool, e->first_byte_ms);
    if (e->got > 0 && e->total_ms >= e->first_byte_ms) {
        retry_note_body(&b->locked.pool, e->got,
                        e->total_ms - e->first_byte_ms);
    }
    s3_unlock(&b->lock);
}

bool s3_bucket_failed(struct s3_bucket *b, struct retry *r, uint64_t now_ms,
                      struct retry_failure failure)
{
    bool is_again;

    s3_lock(&b->lock);
    is_again = retry_failed(&b->locked.pool, r, now_ms, failure);
    s3_unlock(&b->lock);
    return is_again;
}

bool s3_bucket_hedge(struct s3_bucket *b, uint64_t now_ms,
                     const struct retry_slow *slow)
{
    bool is_due;

    s3_lock(&b->lock);
    is_due = retry_hedge(&b->locked.pool, now_ms, slow);
    s3_unlock(&b->lock);
    return is_due;
}

void s3_bucket_pool(struct s3_bucket *b, struct retry_pool *out)
{
    s3_lock(&b->lock);
    *out = b->locked.pool;
    s3_unlock(&b->lock);
}

/* The answer's Date is of when it began; one that a cache has kept is older
 * than that. */
bool s3_bucket_note_answer(struct s3_bucket *b, uint64_t server_ms,
                           const struct http_event *e)
{
    uint64_t wall = clock_wall_ms(&clock_os);
    struct bytes age;
    bool has_moved = false;
    int64_t offset;

    if (e->total_ms > e->first_byte_ms) {
        wall -= e->total_ms - e->first_byte_ms;
    }
    s3_lock(&b->lock);
    b->locked.has_answered = true;
    if (server_ms != 0 && !http_header(e->headers, "Age", &age)) {
        has_moved = retry_clock_note(&b->locked.clock, server_ms, wall,
                                     e->first_byte_ms);
    }
    offset = b->locked.clock.offset_ms;
    s3_unlock(&b->lock);
    if (has_moved) {
        log_event(LOG_WARN, "store.clock",
                  "bucket=%s offset_ms=%lld reason=\"this host's clock is "
                  "far from the store's; requests are signed with the store's "
                  "time\"",
                  b->name, (long long)offset);
    }
    return has_moved;
}

bool s3_bucket_has_answered(struct s3_bucket *b)
{
    bool has_answered;

    s3_lock(&b->lock);
    has_answered = b->locked.has_answered;
    s3_unlock(&b->lock);
    return has_answered;
}

void s3_bucket_set_quotes(struct s3_bucket *b, bool is_unquoted)
{
    s3_lock(&b->lock);
    if (!b->locked.knows_quotes) {
        b->locked.is_unquoted = is_unquoted;
        b->locked.knows_quotes = true;
    }
    s3_unlock(&b->lock);
}

/* ---- learning ----------------------------------------------------------- */

/* Ask the bucket where it lives: even a refusal says so. */
static bool s3_ask_region(const struct endpoint *e, char out[64])
{
    const struct http_options options = {.ca_bundle =
                                             s3_process.settings.ca_bundle};
    char *target = mem_print("%s%s", e->path, e->path[0] != '\0' ? "" : "/");
    char *host = mem_print("Host: %s\r\n", e->host);
    struct http_request http = {.method = "HEAD",
                                .origin = e->origin,
                                .target = target,
                                .headers = bytes_of(host),
                                .connect_ms = S3_ASK_MS,
                                .first_byte_ms = S3_ASK_MS};
    struct http_kept keep = {0};
    struct bytes region = {"", 0};

    if (http_call(&options, &http, S3_ASK_MS, NULL, &keep) == STATUS_OK &&
        http_header(keep.event.headers, "x-amz-bucket-region", &region) &&
        region.size < 64) {
        memcpy(out, region.at, region.size);
        out[region.size] = '\0';
    }
    http_kept_fini(&keep);
    free(target);
    free(host);
    return out[0] != '\0';
}

static bool s3_fix_region(struct s3_bucket *b, const struct s3_view *seen,
                          const struct s3_answer *answer, struct fault *why)
{
    struct endpoint now = seen->endpoint;
    char region[64];

    memcpy(region, answer->region, sizeof(region));
    if (region[0] == '\0' &&
        (seen->endpoint.is_custom || !s3_ask_region(&seen->endpoint, region))) {
        return false;
    }
    if (strcmp(region, seen->endpoint.region) == 0) {
        return false;
    }
    if (seen->endpoint.is_custom) { /* Only what is signed changes. */
        snprintf(now.region, sizeof(now.region), "%s", region);
    } else if (s3_resolve(b->name, region, why, &now) != STATUS_OK) {
        return false;
    }
    s3_lock(&b->lock);
    b->locked.endpoint = now;
    s3_unlock(&b->lock);
    log_event(LOG_INFO, "store.region", "bucket=%s region=%s", b->name, region);
    return true;
}

/* Step down to what more servers know. */
static bool s3_fix_sum(struct s3_bucket *b, enum crc_kind seen)
{
    static const enum crc_kind next[] = {
        [CRC_64NVME] = CRC_32C, [CRC_32C] = CRC_NONE, [CRC_32] = CRC_NONE};
    enum crc_kind now;

    s3_lock(&b->lock);
    if (b->locked.sum == seen) {
        b->locked.sum = next[seen];
    }
    now = b->locked.sum;
    s3_unlock(&b->lock);
    if (now != seen) {
        log_event(LOG_INFO, "store.checksum",
                  "bucket=%s kind=%s reason=\"the "
                  "server does not know %s\"",
                  b->name, now == CRC_NONE ? "none" : crc_name(now),
                  crc_name(seen));
    }
    return now != seen;
}

static bool s3_fix_clock(struct s3_bucket *b, const struct s3_view *seen)
{
    bool has_changed;

    s3_lock(&b->lock);
    has_changed = b->locked.clock.offset_ms != seen->offset_ms;
    s3_unlock(&b->lock);
    return has_changed;
}

static bool s3_fix_credentials(const struct s3_view *seen, struct fault *why)
{
    struct credentials fresh;
    bool is_new =
        credentials_renew(s3_process.holder, seen->credentials.generation, why,
                          &fresh) == STATUS_OK &&
        fresh.generation != seen->credentials.generation;

    credentials_wipe(&fresh);
    return is_new;
}

bool s3_bucket_fix(struct s3_bucket *b, const struct s3_view *seen,
                   const struct s3_answer *answer, struct fault *why)
{
    switch (answer->fix) {
    case S3_FIX_REGION:
        return s3_fix_region(b, seen, answer, why);
    case S3_FIX_CLOCK:
        return s3_fix_clock(b, seen);
    case S3_FIX_CREDENTIALS:
        return s3_has_session(&seen->endpoint)
                   ? s3_session_drop(b, seen->credentials.generation)
                   : s3_fix_credentials(seen, why);
    case S3_FIX_CHECKSUM:
        return seen->sum != CRC_NONE && s3_fix_sum(b, seen->sum);
    case S3_FIX_HOST:
    case S3_FIX_NONE:
        break;
    }
    return false;
}
