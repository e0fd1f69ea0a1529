/* SPDX-License-Identifier: Apache-2.0 */
/* The security token service: a form is posted, XML comes back. */

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/credentials_fetch.h"
#include "store/credentials_reply.h"
#include "store/endpoint.h"
#include "store/percent.h"
#include "store/sign.h"

enum {
    STS_ANSWER_MS = 5000,
    STS_ATTEMPTS = 3,
    STS_NAME_MAX = 64,
    STS_FILE_MAX = 64 << 10,
};

#define STS_TYPE "application/x-www-form-urlencoded"

/* One call. */
struct sts {
    struct credentials_fetcher *f;
    const char *action;
    char who[192];                  /* Begins messages. */
    const struct credentials *from; /* NULL: not signed. */
    struct buf body;
};

static void sts_field(struct sts *c, const char *name, const char *value)
{
    buf_print(&c->body, "&%s=", name);
    percent_encode(bytes_of(value), false, &c->body);
}

/* Action, role and the session's name. */
static void sts_start(struct sts *c, const struct credentials_role *role)
{
    char name[STS_NAME_MAX];

    snprintf(name, sizeof(name), "smshard-%llu",
             (unsigned long long)(clock_wall_ms(c->f->clock) / 1000));
    buf_print(&c->body, "Action=%s&Version=2011-06-15", c->action);
    sts_field(c, "RoleArn", role->arn);
    sts_field(c, "RoleSessionName",
              role->session_name != NULL ? role->session_name : name);
}

static void sts_fini(struct sts *c)
{
    credentials_wipe_buf(&c->body);
    buf_fini(&c->body);
}

/* What a 400 may be that another attempt cures. */
static bool sts_is_again(const struct http_event *event)
{
    static const char *const codes[] = {
        "IDPCommunicationError", "Throttling",           "ThrottlingException",
        "RequestThrottled",      "RequestLimitExceeded", "TooManyRequests"};
    struct credentials_error error;

    if (event->code == 200) {
        return false;
    }
    credentials_reply_error(event->body, &error);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(error.code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *sts_hint(const struct http_event *event)
{
    static const struct {
        const char *code;
        const char *hint;
    } rows[] = {
        {"AccessDenied", "may these credentials assume the role, and does its "
                         "trust policy name them?"},
        {"ExpiredToken", "the credentials it is assumed with have expired"},
        {"ExpiredTokenException", "the token has expired: who renews it?"},
        {"InvalidIdentityToken", "is the token's issuer an identity provider "
                                 "of that account?"},
        {"InvalidClientTokenId", "the access key is not known there"},
        {"SignatureDoesNotMatch", "check the secret key and this host's clock"},
        {"RegionDisabledException", "use another region, by AWS_REGION"},
        {"ValidationError", "check the role and its settings"},
    };
    struct credentials_error error;

    credentials_reply_error(event->body, &error);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(error.code, rows[i].code) == 0) {
            return rows[i].hint;
        }
    }
    return "";
}

static void sts_sign(const struct sts *c, const struct credentials_url *url,
                     const char *region, struct sign_result *out)
{
    const struct sign_pair type = {BYTES("Content-Type"), BYTES(STS_TYPE)};
    struct signer *signer = signer_new();
    char payload[SIGN_HEX_SIZE];
    struct sign_request r = {
        .method = "POST",
        .host = bytes_of(url->host),
        .path = bytes_of(url->path),
        .headers = &type,
        .header_count = 1,
        .payload = payload,
        .key = {c->from->access_key, c->from->secret_key,
                c->from->token[0] != '\0' ? c->from->token : NULL},
        .region = region,
        .service = "sts",
        .wall_ms = clock_wall_ms(c->f->clock),
        .is_encoded_twice = true,
    };

    sign_payload(signer, buf_bytes(&c->body), payload);
    sign_headers(signer, &r, out);
    signer_destroy(&signer);
}

/* Where the service is, and the region to sign for. */
static enum status sts_endpoint(const struct sts *c, struct fault *why,
                                struct credentials_url *url,
                                const char **region)
{
    char text[ENDPOINT_TEXT_MAX];
    struct aws_settings settings;
    enum status s = aws_config_settings(c->f->config, why, &settings);

    if (s != STATUS_OK) {
        return s;
    }
    *region = settings.region != NULL ? settings.region : "us-east-1";
    if (settings.sts_endpoint != NULL) {
        snprintf(text, sizeof(text), "%s", settings.sts_endpoint);
    } else {
        endpoint_sts(*region, settings.uses_fips, text);
    }
    if (!credentials_url_split(text, url)) {
        return fault_set(why, STATUS_INVALID,
                         "%s: the endpoint of STS (AWS_ENDPOINT_URL_STS) is "
                         "not a URL like https://sts.eu-west-1.amazonaws.com",
                         c->who);
    }
    return STATUS_OK;
}

static enum status sts_answer(const struct sts *c,
                              const struct credentials_ask *ask,
                              const struct http_event *event, struct fault *why,
                              struct credentials *out)
{
    enum status s;

    if (event->code != 200) {
        return credentials_ask_refused(ask, event, sts_hint(event), why);
    }
    s = credentials_reply_sts(event->body, c->action, why, out);
    return s == STATUS_OK ? s
                          : fault_prefix(why, s, "%s: %s", c->who, ask->origin);
}

static enum status sts_call(struct sts *c, struct fault *why,
                            struct credentials *out)
{
    struct credentials_ask ask = {.who = c->who,
                                  .method = "POST",
                                  .body = buf_bytes(&c->body),
                                  .answer_ms = STS_ANSWER_MS,
                                  .attempts = STS_ATTEMPTS,
                                  .is_again = sts_is_again};
    struct sign_result sign = {0};
    struct buf plain = {0};
    struct http_kept keep;
    struct credentials_url url;
    const char *region;
    enum status s = sts_endpoint(c, why, &url, &region);

    if (s != STATUS_OK) {
        return s;
    }
    ask.origin = url.origin;
    ask.target = url.path;
    buf_print(&plain, "Host: %s\r\nContent-Type: " STS_TYPE "\r\n", url.host);
    ask.headers = buf_bytes(&plain);
    if (c->from != NULL) {
        sts_sign(c, &url, region, &sign);
        ask.headers = buf_bytes(&sign.headers);
        ask.target = buf_text(&sign.target);
    }
    s = credentials_ask(c->f, &ask, why, &keep);
    if (s == STATUS_OK) {
        s = sts_answer(c, &ask, &keep.event, why, out);
    }
    credentials_ask_fini(&keep);
    credentials_wipe_buf(&sign.headers);
    sign_result_fini(&sign);
    buf_fini(&plain);
    return s;
}

enum status credentials_fetch_role(struct credentials_fetcher *f,
                                   const struct credentials_role *role,
                                   const struct credentials *from,
                                   struct fault *why, struct credentials *out)
{
    struct sts c = {.f = f, .action = "AssumeRole", .from = from};
    enum status s;

    snprintf(c.who, sizeof(c.who), "profile %.40s, assume role %.120s",
             role->profile, role->arn);
    sts_start(&c, role);
    if (role->duration != NULL) {
        sts_field(&c, "DurationSeconds", role->duration);
    }
    if (role->external_id != NULL) {
        sts_field(&c, "ExternalId", role->external_id);
    }
    s = sts_call(&c, why, out);
    sts_fini(&c);
    return s;
}

/* The token is read anew each time: who writes it renews it. */
static enum status sts_token(struct sts *c, const char *path, struct fault *why)
{
    struct buf file = {0};
    struct bytes token;
    enum status s = file_read(path, STS_FILE_MAX, why, &file);

    if (s != STATUS_OK) {
        fault_prefix(why, s, "%s: the token file", c->who);
        s = s == STATUS_DENIED ? s : STATUS_INVALID;
    } else {
        token = credentials_reply_trim(buf_bytes(&file));
        if (token.size == 0) {
            s = fault_set(why, STATUS_INVALID,
                          "%s: the token file %.300s is empty: who writes it?",
                          c->who, path);
        } else {
            buf_add_text(&c->body, "&WebIdentityToken=");
            percent_encode(token, false, &c->body);
        }
    }
    credentials_wipe_buf(&file);
    buf_fini(&file);
    return s;
}

enum status credentials_fetch_web(struct credentials_fetcher *f,
                                  const struct credentials_chain *chain,
                                  struct fault *why, struct credentials *out)
{
    struct sts c = {.f = f, .action = "AssumeRoleWithWebIdentity"};
    enum status s;

    snprintf(c.who, sizeof(c.who), "%.60s, role %.120s", chain->name,
             chain->web.role.arn);
    sts_start(&c, &chain->web.role);
    s = sts_token(&c, chain->web.token_file, why);
    if (s == STATUS_OK) {
        s = sts_call(&c, why, out);
    }
    sts_fini(&c);
    return s;
}
