/* SPDX-License-Identifier: Apache-2.0 */
/* SSO: the access token of a login that another tool made and cached is
 * exchanged for the keys of a role. The login itself is never renewed here;
 * AWS_ENDPOINT_URL_SSO stands in for the portal. */

#include "store/credentials_sso.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "store/credentials_fetch.h"
#include "store/credentials_reply.h"
#include "store/endpoint.h"
#include "store/percent.h"

enum {
    SSO_ANSWER_MS = 5000,
    SSO_ATTEMPTS = 3,
    SSO_FILE_MAX = 64 << 10,
    SSO_PATH_MAX = 1024,
};

static enum status sso_path(const struct credentials_fetcher *f,
                            const struct credentials_chain *chain,
                            struct fault *why, char out[SSO_PATH_MAX])
{
    const char *home = aws_config_env(f->config, "HOME");
    const char *name =
        chain->sso.session != NULL ? chain->sso.session : chain->sso.start_url;
    char hex[CREDENTIALS_SSO_NAME_SIZE];

    if (home == NULL) {
        return fault_set(why, STATUS_INVALID,
                         "%s: HOME is not set, and the login is cached below "
                         "it",
                         chain->name);
    }
    credentials_sso_name(bytes_of(name), hex);
    if (snprintf(out, SSO_PATH_MAX, "%s/.aws/sso/cache/%s.json", home, hex) >=
        SSO_PATH_MAX) {
        return fault_set(why, STATUS_INVALID, "%s: HOME is too long",
                         chain->name);
    }
    return STATUS_OK;
}

/* How a person renews the login. */
static void sso_hint(const struct credentials_chain *chain, struct fault *why,
                     enum status s)
{
    struct fault told = why != NULL ? *why : (struct fault){""};

    fault_set(why, s, "%s: %.600s: run aws sso login --profile %.40s",
              chain->name, told.text, chain->profile);
}

static enum status sso_login(struct credentials_fetcher *f,
                             const struct credentials_chain *chain,
                             struct fault *why, struct credentials_login *out)
{
    uint64_t wall_ms = clock_wall_ms(f->clock);
    char path[SSO_PATH_MAX];
    struct buf file = {0};
    enum status s = sso_path(f, chain, why, path);

    if (s != STATUS_OK) {
        return s;
    }
    s = file_read(path, SSO_FILE_MAX, why, &file);
    if (s == STATUS_OK) {
        s = credentials_reply_login(buf_bytes(&file), why, out);
        if (s != STATUS_OK) {
            fault_prefix(why, s, "%.300s", path);
        } else if (out->expires_ms <= wall_ms) {
            s = fault_set(
                why, STATUS_DENIED, "%.300s: the login expired %llu s ago",
                path, (unsigned long long)(wall_ms - out->expires_ms) / 1000);
        }
    } else if (s != STATUS_DENIED) {
        /* Not "no provider is set up". */
        s = STATUS_INVALID;
    }
    if (s != STATUS_OK) {
        sso_hint(chain, why, s);
    }
    credentials_wipe_buf(&file);
    buf_fini(&file);
    return s;
}

static enum status sso_endpoint(const struct credentials_fetcher *f,
                                const struct credentials_chain *chain,
                                struct fault *why, struct credentials_url *url)
{
    const char *custom = aws_config_env(f->config, "AWS_ENDPOINT_URL_SSO");
    char text[ENDPOINT_TEXT_MAX];

    snprintf(text, sizeof(text), "https://portal.sso.%.64s.%s",
             chain->sso.region, endpoint_suffix(chain->sso.region));
    if (!credentials_url_split(custom != NULL ? custom : text, url)) {
        return fault_set(
            why, STATUS_INVALID, "%s: %s does not make the URL of the portal",
            chain->name,
            custom != NULL ? "AWS_ENDPOINT_URL_SSO" : "sso_region");
    }
    return STATUS_OK;
}

static void sso_target(const struct credentials_chain *chain,
                       const struct credentials_url *url, struct buf *out)
{
    size_t size = strlen(url->path);

    while (size > 0 && url->path[size - 1] == '/') {
        size--;
    }
    buf_add(out, url->path, size);
    buf_add_text(out, "/federation/credentials?role_name=");
    percent_encode(bytes_of(chain->sso.role), false, out);
    buf_add_text(out, "&account_id=");
    percent_encode(bytes_of(chain->sso.account), false, out);
}

static enum status sso_answer(const struct credentials_ask *ask,
                              const struct http_event *event, struct fault *why,
                              struct credentials *out)
{
    enum status s;

    if (event->code == 401) {
        return credentials_ask_refused(
            ask, event, "the login is over: run aws sso login", why);
    }
    if (event->code != 200) {
        return credentials_ask_refused(
            ask, event,
            "is the role of sso_role_name assigned in sso_account_id?", why);
    }
    s = credentials_reply_json(event->body, CREDENTIALS_FORM_SSO, why, out);
    return s == STATUS_OK
               ? s
               : fault_prefix(why, s, "%s: %s", ask->who, ask->origin);
}

static enum status sso_call(struct credentials_fetcher *f,
                            const struct credentials_chain *chain,
                            const struct credentials_login *login,
                            struct fault *why, struct credentials *out)
{
    struct credentials_ask ask = {.who = chain->name,
                                  .method = "GET",
                                  .answer_ms = SSO_ANSWER_MS,
                                  .attempts = SSO_ATTEMPTS};
    struct credentials_url url;
    struct http_kept keep;
    struct buf target = {0};
    struct buf headers = {0};
    enum status s = sso_endpoint(f, chain, why, &url);

    if (s != STATUS_OK) {
        return s;
    }
    sso_target(chain, &url, &target);
    buf_print(&headers, "Host: %s\r\nx-amz-sso_bearer_token: %s\r\n", url.host,
              login->token);
    ask.origin = url.origin;
    ask.target = buf_text(&target);
    ask.headers = buf_bytes(&headers);
    s = credentials_ask(f, &ask, why, &keep);
    if (s == STATUS_OK) {
        s = sso_answer(&ask, &keep.event, why, out);
    }
    credentials_ask_fini(&keep);
    credentials_wipe_buf(&headers);
    buf_fini(&headers);
    buf_fini(&target);
    return s;
}

enum status credentials_fetch_sso(struct credentials_fetcher *f,
                                  const struct credentials_chain *chain,
                                  struct fault *why, struct credentials *out)
{
    struct credentials_login login;
    enum status s = sso_login(f, chain, why, &login);

    if (s == STATUS_OK) {
        s = sso_call(f, chain, &login, why, out);
    }
    explicit_bzero(&login, sizeof(login));
    return s;
}
