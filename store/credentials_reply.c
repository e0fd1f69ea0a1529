/* SPDX-License-Identifier: Apache-2.0 */
#include "store/credentials_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/line.h"
#include "store/s3_xml.h"

/* How the values are called in one form of reply. */
struct reply_form {
    const char *inside; /* The member that holds them; NULL: the root. */
    const char *access;
    const char *secret;
    const char *token;
    const char *expires;
    bool is_ms; /* The expiry is a number, else a date. */
    bool needs_token;
};

static const struct reply_form reply_forms[] = {
    [CREDENTIALS_FORM_CONTAINER] = {NULL, "AccessKeyId", "SecretAccessKey",
                                    "Token", "Expiration", false, false},
    [CREDENTIALS_FORM_IMDS] = {NULL, "AccessKeyId", "SecretAccessKey", "Token",
                               "Expiration", false, true},
    [CREDENTIALS_FORM_PROCESS] = {NULL, "AccessKeyId", "SecretAccessKey",
                                  "SessionToken", "Expiration", false, false},
    [CREDENTIALS_FORM_SSO] = {"roleCredentials", "accessKeyId",
                              "secretAccessKey", "sessionToken", "expiration",
                              true, true},
};

struct bytes credentials_reply_trim(struct bytes text)
{
    static const char white[] = " \t\r\n";

    while (text.size > 0 && memchr(white, text.at[0], 4) != NULL) {
        text.at++;
        text.size--;
    }
    while (text.size > 0 && memchr(white, text.at[text.size - 1], 4) != NULL) {
        text.size--;
    }
    return text;
}

enum status credentials_reply_take(struct bytes value, const char *what,
                                   size_t size, struct fault *why, char *out)
{
    if (value.size == 0) {
        return fault_set(why, STATUS_MALFORMED, "%s is missing or empty", what);
    }
    if (value.size >= size) {
        return fault_set(why, STATUS_MALFORMED, "%s is longer than %zu bytes",
                         what, size - 1);
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] <= 0x20 || value.at[i] >= 0x7f) {
            return fault_set(why, STATUS_MALFORMED,
                             "%s holds a byte that no header line can have",
                             what);
        }
    }
    memcpy(out, value.at, value.size);
    out[value.size] = '\0';
    return STATUS_OK;
}

static enum status reply_keys(const struct json *v,
                              const struct reply_form *form, struct fault *why,
                              struct credentials *out)
{
    struct bytes token = json_string(json_get(v, form->token));
    enum status s = credentials_reply_take(
        json_string(json_get(v, form->access)), form->access,
        sizeof(out->access_key), why, out->access_key);

    if (s == STATUS_OK) {
        s = credentials_reply_take(json_string(json_get(v, form->secret)),
                                   form->secret, sizeof(out->secret_key), why,
                                   out->secret_key);
    }
    if (s == STATUS_OK && (token.size > 0 || form->needs_token)) {
        s = credentials_reply_take(token, form->token, sizeof(out->token), why,
                                   out->token);
    }
    return s;
}

static enum status reply_expiry(const struct json *v,
                                const struct reply_form *form,
                                struct fault *why, struct credentials *out)
{
    const struct json *expires = json_get(v, form->expires);
    int64_t ms = 0;

    if (expires == NULL || json_is(expires, JSON_NULL)) {
        return STATUS_OK;
    }
    if (form->is_ms) {
        out->expires_ms = json_int64(expires, &ms) && ms > 0 ? (uint64_t)ms : 0;
    } else {
        out->expires_ms = s3_time_iso(json_string(expires));
    }
    if (out->expires_ms == 0) {
        return fault_set(why, STATUS_MALFORMED, "%s is not a time",
                         form->expires);
    }
    return STATUS_OK;
}

/* What only some replies have: a version, or a code. */
static enum status reply_special(const struct json *root,
                                 enum credentials_form form, struct fault *why)
{
    struct bytes code = json_string(json_get(root, "Code"));
    int64_t version = 0;

    if (form == CREDENTIALS_FORM_PROCESS &&
        (!json_int64(json_get(root, "Version"), &version) || version != 1)) {
        return fault_set(why, STATUS_MALFORMED,
                         "Version is not the number 1, the only one known");
    }
    if (form == CREDENTIALS_FORM_IMDS && code.size > 0 &&
        !bytes_is(code, "Success")) {
        return fault_set(why, STATUS_DENIED, "the answer's Code is %.*s",
                         (int)(code.size < CREDENTIALS_CODE_MAX
                                   ? code.size
                                   : CREDENTIALS_CODE_MAX),
                         code.at);
    }
    return STATUS_OK;
}

static enum status reply_read(const struct json *root,
                              enum credentials_form kind, struct fault *why,
                              struct credentials *out)
{
    const struct reply_form *form = &reply_forms[kind];
    const struct json *v = root;
    enum status s;

    if (!json_is(root, JSON_OBJECT)) {
        return fault_set(why, STATUS_MALFORMED, "the answer is no JSON object");
    }
    s = reply_special(root, kind, why);
    if (s != STATUS_OK) {
        return s;
    }
    if (form->inside != NULL) {
        v = json_get(root, form->inside);
    }
    s = reply_keys(v, form, why, out);
    return s != STATUS_OK ? s : reply_expiry(v, form, why, out);
}

enum status credentials_reply_json(struct bytes body,
                                   enum credentials_form form,
                                   struct fault *why, struct credentials *out)
{
    struct json_doc *doc = NULL;
    enum status s = json_parse(body, "answer", why, &doc);

    memset(out, 0, sizeof(*out));
    if (s != STATUS_OK) {
        return fault_prefix(why, STATUS_MALFORMED, "not JSON");
    }
    s = reply_read(json_root(doc), form, why, out);
    json_destroy(&doc);
    if (s != STATUS_OK) {
        credentials_wipe(out);
    }
    return s;
}

enum status credentials_reply_login(struct bytes body, struct fault *why,
                                    struct credentials_login *out)
{
    struct json_doc *doc = NULL;
    const struct json *root;
    enum status s = json_parse(body, "token file", why, &doc);

    memset(out, 0, sizeof(*out));
    if (s != STATUS_OK) {
        return fault_prefix(why, STATUS_MALFORMED, "not JSON");
    }
    root = json_root(doc);
    s = credentials_reply_take(json_string(json_get(root, "accessToken")),
                               "accessToken", sizeof(out->token), why,
                               out->token);
    out->expires_ms = s3_time_iso(json_string(json_get(root, "expiresAt")));
    if (s == STATUS_OK && out->expires_ms == 0) {
        s = fault_set(why, STATUS_MALFORMED, "expiresAt is not a time");
    }
    json_destroy(&doc);
    return s;
}

/* ---- XML. */

static enum status reply_xml_text(struct bytes body, const char *action,
                                  const char *name, struct buf *out)
{
    char path[160];
    struct fault ignored;

    snprintf(path, sizeof(path), "%sResponse/%sResult/Credentials/%s", action,
             action, name);
    buf_clear(out);
    return s3_xml_text(body, path, &ignored, out);
}

static enum status reply_xml_take(struct bytes body, const char *action,
                                  const char *name, struct buf *text,
                                  struct fault *why)
{
    enum status s = reply_xml_text(body, action, name, text);

    if (s == STATUS_NOT_FOUND) {
        return fault_set(why, STATUS_MALFORMED, "the answer has no %s", name);
    }
    if (s != STATUS_OK) {
        return fault_set(why, STATUS_MALFORMED,
                         "the answer is not the XML of %s", action);
    }
    return STATUS_OK;
}

static enum status reply_sts_texts(struct bytes body, const char *action,
                                   struct buf *text, struct fault *why,
                                   struct credentials *out)
{
    const struct {
        const char *name;
        char *at;
        size_t size;
    } rows[] = {
        {"AccessKeyId", out->access_key, sizeof(out->access_key)},
        {"SecretAccessKey", out->secret_key, sizeof(out->secret_key)},
        {"SessionToken", out->token, sizeof(out->token)},
    };
    enum status s = STATUS_OK;

    for (size_t i = 0; i < 3 && s == STATUS_OK; i++) {
        s = reply_xml_take(body, action, rows[i].name, text, why);
        if (s == STATUS_OK) {
            s = credentials_reply_take(credentials_reply_trim(buf_bytes(text)),
                                       rows[i].name, rows[i].size, why,
                                       rows[i].at);
        }
    }
    if (s == STATUS_OK) {
        s = reply_xml_take(body, action, "Expiration", text, why);
    }
    if (s == STATUS_OK) {
        out->expires_ms = s3_time_iso(credentials_reply_trim(buf_bytes(text)));
        if (out->expires_ms == 0) {
            s = fault_set(why, STATUS_MALFORMED, "Expiration is not a time");
        }
    }
    return s;
}

enum status credentials_reply_sts(struct bytes body, const char *action,
                                  struct fault *why, struct credentials *out)
{
    struct buf text = {0};
    enum status s;

    memset(out, 0, sizeof(*out));
    s = reply_sts_texts(body, action, &text, why, out);
    if (text.at != NULL) {
        explicit_bzero(text.at, text.room);
    }
    buf_fini(&text);
    if (s != STATUS_OK) {
        credentials_wipe(out);
    }
    return s;
}

/* ---- Errors. */

static void reply_error_say(struct bytes code, struct bytes text,
                            struct credentials_error *out)
{
    int room = CREDENTIALS_ERROR_MAX - CREDENTIALS_CODE_MAX - 3;

    snprintf(out->code, sizeof(out->code), "%.*s",
             (int)(code.size < sizeof(out->code) ? code.size
                                                 : sizeof(out->code) - 1),
             code.size > 0 ? code.at : "");
    snprintf(out->text, sizeof(out->text), "%s%s%.*s", out->code,
             code.size > 0 && text.size > 0 ? ": " : "",
             text.size < (size_t)room ? (int)text.size : room,
             text.size > 0 ? text.at : "");
    line_clean(out->code, sizeof(out->code) - 1);
    line_clean(out->text, sizeof(out->text) - 1);
}

/* The first of @names that is a string. */
static struct bytes reply_first(const struct json *v, const char *const *names)
{
    struct bytes text = {0};

    for (; *names != NULL && text.size == 0; names++) {
        text = json_string(json_get(v, *names));
    }
    return text;
}

static void reply_error_json(struct bytes body, struct credentials_error *out)
{
    static const char *const codes[] = {"Code",  "code",      "__type",
                                        "error", "errorCode", NULL};
    static const char *const texts[] = {"Message", "message",
                                        "error_description", NULL};
    struct json_doc *doc = NULL;
    struct fault ignored;

    if (json_parse(body, "answer", &ignored, &doc) == STATUS_OK) {
        const struct json *root = json_root(doc);

        reply_error_say(reply_first(root, codes), reply_first(root, texts),
                        out);
        json_destroy(&doc);
    }
}

static void reply_error_xml(struct bytes body, struct credentials_error *out)
{
    struct s3_error e;

    if (s3_error_parse(body, &e)) {
        reply_error_say(bytes_of(e.code), bytes_of(e.message), out);
    }
}

void credentials_reply_error(struct bytes body, struct credentials_error *out)
{
    struct bytes text = credentials_reply_trim(body);

    memset(out, 0, sizeof(*out));
    if (text.size == 0) {
        return;
    }
    if (text.at[0] == '<') {
        reply_error_xml(text, out);
    } else {
        reply_error_json(text, out);
    }
}
