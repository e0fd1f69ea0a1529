/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_fetch.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/credentials_refresh.h"
#include "store/credentials_reply.h"
#include "store/s3_xml.h"

enum {
    FETCH_BODY_MAX = 64 << 10,
    FETCH_TOKEN_FILE_MAX = 64 << 10,
    FETCH_CONTAINER_MS = 2000,
    FETCH_ATTEMPTS = 3,
};

#define FETCH_CONTAINER_ORIGIN "http://169.254.170.2"

void credentials_wipe(struct credentials *c)
{
    explicit_bzero(c, sizeof(*c));
}

static void credentials_copy_text(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}

void credentials_copy(struct credentials *c, const struct credentials *from)
{
    credentials_copy_text(c->access_key, from->access_key);
    credentials_copy_text(c->secret_key, from->secret_key);
    credentials_copy_text(c->token, from->token);
    credentials_copy_text(c->origin, from->origin);
    c->expires_ms = from->expires_ms;
    c->generation = from->generation;
}

void credentials_forget(struct credentials *c)
{
    explicit_bzero(c->access_key, strnlen(c->access_key, CREDENTIALS_KEY_MAX));
    explicit_bzero(c->secret_key, strnlen(c->secret_key, CREDENTIALS_KEY_MAX));
    explicit_bzero(c->token, strnlen(c->token, CREDENTIALS_TOKEN_MAX));
    c->origin[0] = '\0';
    c->expires_ms = 0;
    c->generation = 0;
}

void credentials_wipe_buf(struct buf *b)
{
    if (b->at != NULL) {
        explicit_bzero(b->at, b->room);
    }
    buf_clear(b);
}

/* ---- HTTP. */

void credentials_ask_fini(struct http_kept *keep)
{
    if (keep->body != NULL) {
        explicit_bzero(keep->body, keep->event.body.size);
    }
    http_kept_fini(keep);
    *keep = (struct http_kept){0};
}

static bool fetch_is_again(const struct credentials_ask *ask, enum status s,
                           const struct http_event *event)
{
    if (s != STATUS_OK) {
        return event->result != HTTP_TLS && s != STATUS_NOT_FOUND &&
               s != STATUS_INVALID;
    }
    return event->code == 429 || event->code >= 500 ||
           (ask->is_again != NULL && ask->is_again(event));
}

static enum status fetch_once(const struct credentials_fetcher *f,
                              const struct credentials_ask *ask,
                              const struct http_options *options,
                              struct fault *why, struct http_kept *keep)
{
    uint32_t ms = f->answer_ms != 0 ? f->answer_ms : ask->answer_ms;
    struct http_request request = {
        .method = ask->method,
        .origin = ask->origin,
        .target = ask->target,
        .headers = ask->headers,
        .body = ask->body,
        .body_max = FETCH_BODY_MAX,
        .connect_ms = ms,
        .first_byte_ms = ms,
        .stall_ms = ms,
        .is_fresh = true,
    };

    return http_call(options, &request, ms, why, keep);
}

/* Wait before attempt @number; false: do not make it. */
static bool fetch_pause(struct credentials_fetcher *f, uint32_t number)
{
    uint32_t ms = f->pause_ms << number;

    if (f->wait == NULL) {
        return true;
    }
    return f->wait(f->wait_self,
                   ms - ms / 2 + (uint32_t)prng_below(&f->prng, ms / 2 + 1));
}

enum status credentials_ask(struct credentials_fetcher *f,
                            const struct credentials_ask *ask,
                            struct fault *why, struct http_kept *keep)
{
    struct http_options options = {.is_direct = ask->is_direct};
    struct aws_settings settings;
    uint32_t attempt = 0;
    enum status s = aws_config_settings(f->config, why, &settings);

    *keep = (struct http_kept){0};
    if (s != STATUS_OK) {
        return s;
    }
    options.ca_bundle = settings.ca_bundle;
    do {
        credentials_ask_fini(keep);
        s = fetch_once(f, ask, &options, why, keep);
        attempt++;
    } while (attempt < ask->attempts && fetch_is_again(ask, s, &keep->event) &&
             fetch_pause(f, attempt - 1));
    if (s == STATUS_OK) {
        return s;
    }
    return fault_prefix(why, s == STATUS_TIMEOUT ? s : STATUS_STORE, "%s",
                        ask->who);
}

enum status credentials_ask_refused(const struct credentials_ask *ask,
                                    const struct http_event *event,
                                    const char *hint, struct fault *why)
{
    struct credentials_error error;
    bool is_denied = event->code >= 400 && event->code < 500;

    if (!is_denied) {
        hint = "it has trouble; try again later";
    }
    credentials_reply_error(event->body, &error);
    return fault_set(why, is_denied ? STATUS_DENIED : STATUS_STORE,
                     "%s: %s %s: %d%s%s%s%s", ask->who, ask->method,
                     ask->origin, event->code, error.text[0] != '\0' ? " " : "",
                     error.text, hint[0] != '\0' ? " - " : "", hint);
}

/* ---- Keys that are simply there. */

static enum status fetch_keys(const struct credentials_chain *chain,
                              struct fault *why, struct credentials *out)
{
    enum status s = credentials_reply_take(
        credentials_reply_trim(bytes_of(chain->keys.access)), "the access key",
        sizeof(out->access_key), why, out->access_key);

    if (s == STATUS_OK) {
        s = credentials_reply_take(
            credentials_reply_trim(bytes_of(chain->keys.secret)),
            "the secret key", sizeof(out->secret_key), why, out->secret_key);
    }
    if (s == STATUS_OK && chain->keys.token != NULL) {
        s = credentials_reply_take(
            credentials_reply_trim(bytes_of(chain->keys.token)),
            "the session token", sizeof(out->token), why, out->token);
    }
    if (s == STATUS_OK && chain->keys.expires != NULL) {
        out->expires_ms = s3_time_iso(bytes_of(chain->keys.expires));
        if (out->expires_ms == 0) {
            s = fault_set(why, STATUS_INVALID,
                          "AWS_CREDENTIAL_EXPIRATION is not a time like "
                          "2026-01-31T12:00:00Z");
        }
    }
    return s == STATUS_OK ? s : fault_prefix(why, s, "%s", chain->name);
}

/* ---- Containers: SageMaker, ECS, EKS. */

/* Which address, and the variable that says so, for messages. */
static enum status fetch_container_url(const struct credentials_fetcher *f,
                                       struct fault *why, const char **who,
                                       struct credentials_url *url)
{
    const char *full =
        aws_config_env(f->config, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *relative =
        aws_config_env(f->config, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    char text[CREDENTIALS_URL_MAX];

    if (relative != NULL) {
        int size =
            snprintf(text, sizeof(text), "%s%s%s", FETCH_CONTAINER_ORIGIN,
                     relative[0] == '/' ? "" : "/", relative);

        full = size < (int)sizeof(text) ? text : "";
        *who = "container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)";
    } else {
        *who = "container (AWS_CONTAINER_CREDENTIALS_FULL_URI)";
    }
    if (full == NULL) {
        return fault_set(why, STATUS_INVALID,
                         "container: neither AWS_CONTAINER_CREDENTIALS_"
                         "RELATIVE_URI nor ..._FULL_URI is set: this is no "
                         "container with a role");
    }
    if (!credentials_url_split(full, url)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: not a URL like http://127.0.0.1:8080/path", *who);
    }
    if (!url->is_tls && !credentials_url_is_local(url)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: http to %.200s would show the credentials to the "
                         "network: use https, the loopback or the addresses "
                         "of ECS and EKS",
                         *who, url->name);
    }
    return STATUS_OK;
}

/* Append the header line of the token, if there is one. Only the end of a
 * file is trimmed: a line break within could forge a header. */
static enum status fetch_container_token(const struct credentials_fetcher *f,
                                         struct fault *why, struct buf *headers)
{
    const char *path =
        aws_config_env(f->config, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text =
        aws_config_env(f->config, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    const char *named = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    struct buf token = {0};
    enum status s = STATUS_OK;

    if (path != NULL) {
        s = file_read(path, FETCH_TOKEN_FILE_MAX, why, &token);
    } else if (text != NULL) {
        named = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
        buf_add_text(&token, text);
    }
    if (s != STATUS_OK) {
        s = fault_prefix(why, STATUS_INVALID, "container: %s", named);
    } else if (token.size > 0 &&
               strcspn(buf_text(&token), "\r\n") < token.size) {
        s = fault_set(why, STATUS_INVALID,
                      "container: %s holds a line break or a NUL: it has to "
                      "be the bare token",
                      named);
    } else if (token.size > 0) {
        buf_print(headers, "Authorization: %s\r\n", buf_text(&token));
    } else if (path != NULL) {
        s = fault_set(why, STATUS_INVALID, "container: %s: %.300s is empty",
                      named, path);
    }
    credentials_wipe_buf(&token);
    buf_fini(&token);
    return s;
}

static enum status fetch_container_ask(struct credentials_fetcher *f,
                                       const struct credentials_ask *ask,
                                       struct fault *why,
                                       struct credentials *out)
{
    struct http_kept keep;
    enum status s = credentials_ask(f, ask, why, &keep);

    if (s == STATUS_OK && keep.event.code != 200) {
        s = credentials_ask_refused(
            ask, &keep.event, "does the container have a role, and its token?",
            why);
    } else if (s == STATUS_OK) {
        s = credentials_reply_json(keep.event.body, CREDENTIALS_FORM_CONTAINER,
                                   why, out);
        s = s == STATUS_OK
                ? s
                : fault_prefix(why, s, "%s: %s", ask->who, ask->origin);
    }
    credentials_ask_fini(&keep);
    return s;
}

static enum status fetch_container(struct credentials_fetcher *f,
                                   struct fault *why, struct credentials *out)
{
    struct credentials_ask ask = {.method = "GET",
                                  .answer_ms = FETCH_CONTAINER_MS,
                                  .attempts = FETCH_ATTEMPTS};
    struct credentials_url url;
    struct buf headers = {0};
    enum status s = fetch_container_url(f, why, &ask.who, &url);

    if (s == STATUS_OK) {
        buf_print(&headers, "Host: %s\r\nAccept: application/json\r\n",
                  url.host);
        s = fetch_container_token(f, why, &headers);
    }
    if (s == STATUS_OK) {
        ask.origin = url.origin;
        ask.target = url.path;
        ask.headers = buf_bytes(&headers);
        ask.is_direct = credentials_url_is_local(&url);
        s = fetch_container_ask(f, &ask, why, out);
    }
    credentials_wipe_buf(&headers);
    buf_fini(&headers);
    return s;
}

/* ---- The whole chain. */

static enum status fetch_kind(struct credentials_fetcher *f,
                              const struct credentials_chain *chain,
                              struct fault *why, struct credentials *out)
{
    switch (chain->kind) {
    case CREDENTIALS_ANONYMOUS:
        return STATUS_OK;
    case CREDENTIALS_ENVIRONMENT:
    case CREDENTIALS_KEYS:
        return fetch_keys(chain, why, out);
    case CREDENTIALS_WEB_IDENTITY:
        return credentials_fetch_web(f, chain, why, out);
    case CREDENTIALS_SSO:
        return credentials_fetch_sso(f, chain, why, out);
    case CREDENTIALS_PROCESS:
        return credentials_fetch_process(f, chain, why, out);
    case CREDENTIALS_CONTAINER:
        return fetch_container(f, why, out);
    case CREDENTIALS_IMDS:
        break;
    }
    return credentials_fetch_imds(f, why, out);
}

static enum status fetch_roles(struct credentials_fetcher *f,
                               const struct credentials_chain *chain,
                               struct fault *why, struct credentials *out)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; i < chain->role_count && s == STATUS_OK; i++) {
        struct credentials from = *out;

        memset(out, 0, sizeof(*out));
        s = credentials_fetch_role(f, &chain->roles[i], &from, why, out);
        credentials_wipe(&from);
    }
    return s;
}

/* Those of instance metadata may be past their time: the service gives out
 * old ones while it has trouble, and S3 often takes them. */
static enum status fetch_check_expiry(struct credentials_fetcher *f,
                                      const struct credentials_chain *chain,
                                      struct fault *why,
                                      struct credentials *out)
{
    uint64_t wall_ms = clock_wall_ms(f->clock);

    if (out->expires_ms == 0 || out->expires_ms > wall_ms) {
        return STATUS_OK;
    }
    if (credentials_chain_is_imds(chain)) {
        out->expires_ms = credentials_refresh_extend(wall_ms, &f->prng);
        return STATUS_OK;
    }
    return fault_set(why, STATUS_DENIED,
                     "%s: the credentials expired %llu s ago by this host's "
                     "clock: renew them, or put the clock right",
                     chain->name,
                     (unsigned long long)(wall_ms - out->expires_ms) / 1000);
}

static enum status fetch_all(struct credentials_fetcher *f,
                             const struct credentials_chain *chain,
                             struct fault *why, struct credentials *out)
{
    enum status s = fetch_kind(f, chain, why, out);

    if (s == STATUS_OK) {
        s = fetch_check_expiry(f, chain, why, out);
    }
    if (s == STATUS_OK && chain->role_count > 0) {
        s = fetch_roles(f, chain, why, out);
    }
    if (s == STATUS_OK && chain->role_count > 0) {
        s = fetch_check_expiry(f, chain, why, out);
    }
    return s;
}

enum status credentials_fetch(struct credentials_fetcher *f,
                              const struct credentials_chain *chain,
                              struct fault *why, struct credentials *out)
{
    /* Attempts that failed before one succeeded are nobody's fault. */
    struct fault told = {""};
    enum status s;

    memset(out, 0, sizeof(*out));
    s = fetch_all(f, chain, &told, out);
    if (s != STATUS_OK) {
        credentials_wipe(out);
        return fault_set(why, s, "%s", told.text);
    }
    credentials_chain_origin(chain, out->origin);
    return STATUS_OK;
}
