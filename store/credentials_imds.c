/* SPDX-License-Identifier: Apache-2.0 */
/* Instance metadata. A session token comes first (IMDSv2); where the service
 * does not know that, or the answer does not reach a container because it may
 * travel one hop only, the questions are asked without one, unless that is
 * switched off. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/credentials_fetch.h"
#include "store/credentials_reply.h"

enum {
    IMDS_TIMEOUT_MS = 1000,
    IMDS_SECONDS_MOST = 60,
    IMDS_ATTEMPTS_MOST = 10,
    IMDS_TOKEN_MAX = 1024,
    IMDS_ROLE_MAX = 128,
    IMDS_PATH_MAX = 1024,
    IMDS_REGION_MAX = 64,
    IMDS_REGION_MS = 600, /* Three questions in two seconds. */
};

#define IMDS_WHO "instance metadata"
#define IMDS_V4 "http://169.254.169.254"
#define IMDS_V6 "http://[fd00:ec2::254]"
#define IMDS_KEYS "/latest/meta-data/iam/security-credentials/"

struct imds {
    struct credentials_fetcher *f;
    struct credentials_url url; /* Its path has no slash at its end. */
    char token[IMDS_TOKEN_MAX]; /* "": asked without one. */
    uint32_t answer_ms;
    uint32_t attempts;
    bool has_timed_out; /* The question for a token. */
};

/* A variable, or the profile's key. */
static const char *imds_setting(const struct credentials_fetcher *f,
                                const char *variable, const char *key)
{
    const char *value = aws_config_env(f->config, variable);

    return value != NULL
               ? value
               : aws_config_get(f->config, aws_config_profile(f->config), key);
}

static enum status imds_number(const struct credentials_fetcher *f,
                               const char *variable, uint32_t most,
                               struct fault *why, uint32_t *out)
{
    const char *text = aws_config_env(f->config, variable);
    unsigned long value;

    if (text == NULL) {
        return STATUS_OK;
    }
    value = strtoul(text, NULL, 10);
    if (strlen(text) > 4 || strspn(text, "0123456789") != strlen(text) ||
        value < 1 || value > most) {
        return fault_set(why, STATUS_INVALID,
                         IMDS_WHO ": %s is not a number from 1 to %u", variable,
                         most);
    }
    *out = (uint32_t)value;
    return STATUS_OK;
}

static enum status imds_open(struct credentials_fetcher *f, struct fault *why,
                             struct imds *out)
{
    const char *endpoint = imds_setting(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "ec2_metadata_service_endpoint");
    const char *mode = imds_setting(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
                                    "ec2_metadata_service_endpoint_mode");
    bool is_v6 = mode != NULL && strcasecmp(mode, "ipv6") == 0;
    uint32_t seconds = 0;
    size_t size;
    enum status s;

    *out = (struct imds){.f = f, .attempts = 1};
    s = imds_number(f, "AWS_METADATA_SERVICE_TIMEOUT", IMDS_SECONDS_MOST, why,
                    &seconds);
    if (s == STATUS_OK) {
        s = imds_number(f, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
                        IMDS_ATTEMPTS_MOST, why, &out->attempts);
    }
    if (s != STATUS_OK) {
        return s;
    }
    out->answer_ms = seconds > 0 ? 1000 * seconds : (uint32_t)IMDS_TIMEOUT_MS;
    if (endpoint == NULL) {
        endpoint = is_v6 ? IMDS_V6 : IMDS_V4;
    }
    if (!credentials_url_split(endpoint, &out->url)) {
        return fault_set(why, STATUS_INVALID,
                         IMDS_WHO
                         ": AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL "
                         "like " IMDS_V4);
    }
    size = strlen(out->url.path);
    while (size > 0 && out->url.path[size - 1] == '/') {
        out->url.path[--size] = '\0';
    }
    return STATUS_OK;
}

/* One question; an answer of any code. */
static enum status imds_ask(struct imds *m, const char *method,
                            const char *path, struct fault *why,
                            struct http_kept *keep)
{
    struct buf headers = {0};
    char *target = mem_print("%s%s", m->url.path, path);
    struct credentials_ask ask = {.who = IMDS_WHO,
                                  .method = method,
                                  .origin = m->url.origin,
                                  .target = target,
                                  .answer_ms = m->answer_ms,
                                  .attempts = m->attempts,
                                  .is_direct = true};
    enum status s;

    buf_print(&headers, "Host: %s\r\n", m->url.host);
    if (strcmp(method, "PUT") == 0) {
        buf_add_text(&headers,
                     "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
    } else if (m->token[0] != '\0') {
        buf_print(&headers, "x-aws-ec2-metadata-token: %s\r\n", m->token);
    }
    ask.headers = buf_bytes(&headers);
    s = credentials_ask(m->f, &ask, why, keep);
    free(target);
    credentials_wipe_buf(&headers);
    buf_fini(&headers);
    return s;
}

static enum status imds_refused(const struct imds *m, const char *path,
                                const struct http_event *event,
                                const char *hint, struct fault *why)
{
    bool is_denied = event->code >= 400 && event->code < 500;

    return fault_set(why, is_denied ? STATUS_DENIED : STATUS_STORE,
                     IMDS_WHO ": %s%s%s: %d - %s", m->url.origin, m->url.path,
                     path, event->code, hint);
}

/* Go on without a token, if that is allowed. */
static enum status imds_without_token(struct imds *m, const char *reason,
                                      struct fault *why)
{
    const char *off = imds_setting(m->f, "AWS_EC2_METADATA_V1_DISABLED",
                                   "ec2_metadata_v1_disabled");

    if (!credentials_is_on(off)) {
        return STATUS_OK;
    }
    return fault_set(why, STATUS_DENIED,
                     IMDS_WHO ": %s: no session token (%s), and "
                              "AWS_EC2_METADATA_V1_DISABLED forbids to go on "
                              "without: allow a hop limit of 2 for containers",
                     m->url.origin, reason);
}

static enum status imds_token_answer(struct imds *m,
                                     const struct http_event *event,
                                     struct fault *why)
{
    static const char path[] = "/latest/api/token";
    char reason[16];
    enum status s;

    snprintf(reason, sizeof(reason), "%d", event->code);
    switch (event->code) {
    case 200:
        s = credentials_reply_take(credentials_reply_trim(event->body),
                                   "the session token", sizeof(m->token), why,
                                   m->token);
        return s == STATUS_OK ? s
                              : fault_prefix(why, s, IMDS_WHO ": %s%s",
                                             m->url.origin, path);
    case 403:
    case 404:
    case 405:
        return imds_without_token(m, reason, why);
    case 400:
        return imds_refused(m, path, event,
                            "it does not understand the question for a "
                            "session token",
                            why);
    default:
        return imds_refused(m, path, event, "try again later", why);
    }
}

/* NOT_FOUND: nobody is there. */
static enum status imds_token(struct imds *m, struct fault *why)
{
    struct http_kept keep;
    enum status s = imds_ask(m, "PUT", "/latest/api/token", why, &keep);

    if (s == STATUS_OK) {
        s = imds_token_answer(m, &keep.event, why);
    } else if (s == STATUS_TIMEOUT) {
        m->has_timed_out = true;
        s = imds_without_token(m, "no answer in time", why);
    } else if (keep.event.result == HTTP_CONNECT ||
               keep.event.result == HTTP_RESOLVE) {
        s = STATUS_NOT_FOUND;
    }
    credentials_ask_fini(&keep);
    return s;
}

/* GET @path with answer 200. NOT_FOUND: the answer was 404, or nobody is
 * there. */
static enum status imds_get(struct imds *m, const char *path, struct fault *why,
                            struct http_kept *keep)
{
    enum status s = imds_ask(m, "GET", path, why, keep);

    if (s == STATUS_TIMEOUT && m->has_timed_out) {
        return STATUS_NOT_FOUND;
    }
    if (s != STATUS_OK && (keep->event.result == HTTP_CONNECT ||
                           keep->event.result == HTTP_RESOLVE)) {
        return STATUS_NOT_FOUND;
    }
    if (s != STATUS_OK || keep->event.code == 200) {
        return s;
    }
    if (keep->event.code == 401 && m->token[0] == '\0') {
        return imds_refused(m, path, &keep->event,
                            "it wants a session token, but gave none: in a "
                            "container, raise the hop limit to 2",
                            why);
    }
    s = imds_refused(m, path, &keep->event, "is a role attached?", why);
    return keep->event.code == 404 ? STATUS_NOT_FOUND : s;
}

/* Take the first line of @body, a role's name, as part of a path. */
static enum status imds_role(struct bytes body, struct fault *why,
                             char out[IMDS_ROLE_MAX])
{
    struct bytes text = credentials_reply_trim(body);
    const char *end =
        text.size > 0 ? memchr(text.at, '\n', text.size) : text.at;
    enum status s;

    if (end != NULL) {
        text.size = (size_t)(end - text.at);
    }
    s = credentials_reply_take(credentials_reply_trim(text),
                               "the name of the role", IMDS_ROLE_MAX, why, out);
    if (s == STATUS_OK && strcspn(out, "/?#%") < strlen(out)) {
        s = fault_set(why, STATUS_MALFORMED,
                      "the name of the role holds one of /?#%%");
    }
    return s == STATUS_OK ? s : fault_prefix(why, s, IMDS_WHO);
}

static enum status imds_find_role(struct imds *m, struct fault *why,
                                  char out[IMDS_ROLE_MAX])
{
    struct http_kept keep;
    enum status s = imds_get(m, IMDS_KEYS, why, &keep);

    if (s == STATUS_OK) {
        s = imds_role(keep.event.body, why, out);
    }
    credentials_ask_fini(&keep);
    return s;
}

static enum status imds_keys(struct imds *m, const char *role,
                             struct fault *why, struct credentials *out)
{
    struct http_kept keep;
    char path[IMDS_PATH_MAX];
    enum status s;

    snprintf(path, sizeof(path), "%s%s", IMDS_KEYS, role);
    s = imds_get(m, path, why, &keep);
    if (s == STATUS_OK) {
        s = credentials_reply_json(keep.event.body, CREDENTIALS_FORM_IMDS, why,
                                   out);
        s = s == STATUS_OK ? s
                           : fault_prefix(why, s, IMDS_WHO ": role %s", role);
    }
    credentials_ask_fini(&keep);
    return s;
}

enum status credentials_fetch_imds(struct credentials_fetcher *f,
                                   struct fault *why, struct credentials *out)
{
    struct imds m;
    char role[IMDS_ROLE_MAX];
    enum status s = imds_open(f, why, &m);

    if (s != STATUS_OK) {
        return s;
    }
    s = imds_token(&m, why);
    if (s == STATUS_OK) {
        s = imds_find_role(&m, why, role);
    }
    if (s == STATUS_OK) {
        s = imds_keys(&m, role, why, out);
    }
    explicit_bzero(m.token, sizeof(m.token));
    if (s != STATUS_NOT_FOUND) {
        return s;
    }
    return fault_set(why, s,
                     "no credentials: AWS_ACCESS_KEY_ID is not set, the "
                     "profile %.40s has none, this is no container with a "
                     "role, and " IMDS_WHO " at %s %s: set one of them up, or "
                     "SMSHARD_S3_ANONYMOUS=1 for public data",
                     aws_config_profile(f->config), m.url.origin,
                     m.has_timed_out ? "does not answer"
                                     : "is not there or has no role");
}

/* ---- The region. */

static enum status imds_text(struct imds *m, const char *path,
                             struct fault *why, char out[IMDS_REGION_MAX])
{
    struct http_kept keep;
    enum status s = imds_get(m, path, why, &keep);

    if (s == STATUS_OK) {
        s = credentials_reply_take(credentials_reply_trim(keep.event.body),
                                   "the region", IMDS_REGION_MAX, why, out);
    }
    credentials_ask_fini(&keep);
    return s;
}

static bool imds_is_region(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return size > 0 && text[size] == '\0';
}

enum status credentials_fetch_region(struct credentials_fetcher *f,
                                     struct fault *why, char out[64])
{
    struct imds m;
    enum status s = imds_open(f, why, &m);

    out[0] = '\0';
    if (s != STATUS_OK) {
        return s;
    }
    m.attempts = 1;
    m.answer_ms = IMDS_REGION_MS;
    s = imds_token(&m, why);
    if (s == STATUS_OK) {
        s = imds_text(&m, "/latest/meta-data/placement/region", why, out);
    }
    if (s == STATUS_NOT_FOUND && !m.has_timed_out && m.token[0] != '\0') {
        s = imds_text(&m, "/latest/meta-data/placement/availability-zone", why,
                      out);
        if (s == STATUS_OK) {
            out[strlen(out) - 1] = '\0';
        }
    }
    explicit_bzero(m.token, sizeof(m.token));
    if (s == STATUS_OK && imds_is_region(out)) {
        return s;
    }
    out[0] = '\0';
    return fault_set(why, STATUS_NOT_FOUND,
                     IMDS_WHO ": %s tells no region: set AWS_REGION",
                     m.url.origin);
}
