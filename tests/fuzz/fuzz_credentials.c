/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says what the rest is: 'c', 'i', 'p', 's' a reply in JSON of
 * that provider, 'x' one of STS, 'l' a cached login, 'e' an error, 'u' a URL,
 * 'w' a command's words. What is taken can stand in a header line. */

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/credentials_process.h"
#include "store/credentials_reply.h"
#include "store/credentials_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_value(const char *text, size_t room, bool may_be_empty)
{
    size_t size = strnlen(text, room);

    CHECK(size < room && (size > 0 || may_be_empty));
    for (size_t i = 0; i < size; i++) {
        CHECK(text[i] > 0x20 && text[i] < 0x7f);
    }
}

static void fuzz_taken(enum status s, const struct credentials *c)
{
    if (s == STATUS_OK) {
        fuzz_value(c->access_key, sizeof(c->access_key), false);
        fuzz_value(c->secret_key, sizeof(c->secret_key), false);
        fuzz_value(c->token, sizeof(c->token), true);
    } else {
        CHECK(c->secret_key[0] == '\0' && c->token[0] == '\0');
    }
}

static void fuzz_json(struct bytes body, enum credentials_form form)
{
    struct credentials c;
    struct fault why;

    fuzz_taken(credentials_reply_json(body, form, &why, &c), &c);
}

static void fuzz_xml(struct bytes body)
{
    struct credentials c;
    struct fault why;

    fuzz_taken(credentials_reply_sts(body, "AssumeRole", &why, &c), &c);
}

static void fuzz_login(struct bytes body)
{
    struct credentials_login login;
    struct fault why;

    if (credentials_reply_login(body, &why, &login) == STATUS_OK) {
        fuzz_value(login.token, sizeof(login.token), false);
        CHECK(login.expires_ms > 0);
    }
}

static void fuzz_error(struct bytes body)
{
    struct credentials_error e;

    credentials_reply_error(body, &e);
    CHECK(strcspn(e.text, "\r\n\x1b") == strnlen(e.text, sizeof(e.text)));
    CHECK(strlen(e.code) < sizeof(e.code) && strlen(e.text) < sizeof(e.text));
}

static void fuzz_url(const char *text)
{
    struct credentials_url url;

    if (credentials_url_split(text, &url)) {
        fuzz_value(url.origin, sizeof(url.origin), false);
        fuzz_value(url.host, sizeof(url.host), false);
        fuzz_value(url.name, sizeof(url.name), false);
        fuzz_value(url.path, sizeof(url.path), false);
        CHECK(url.path[0] == '/');
        (void)credentials_url_is_local(&url);
    }
}

static void fuzz_words(const char *text)
{
    struct fault why;
    char **argv = NULL;
    size_t total = 0;

    if (credentials_process_split(text, &why, &argv) == STATUS_OK) {
        CHECK(argv[0] != NULL);
        for (char **at = argv; *at != NULL; at++) {
            total += strlen(*at);
        }
        CHECK(total <= strlen(text));
        free(argv);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = {(const char *)data + 1, size - 1};
    char *text;

    if (size == 0) {
        return 0;
    }
    text = mem_copy_text(body.at, body.size);
    switch (data[0]) {
    case 'c':
        fuzz_json(body, CREDENTIALS_FORM_CONTAINER);
        break;
    case 'i':
        fuzz_json(body, CREDENTIALS_FORM_IMDS);
        break;
    case 'p':
        fuzz_json(body, CREDENTIALS_FORM_PROCESS);
        break;
    case 's':
        fuzz_json(body, CREDENTIALS_FORM_SSO);
        break;
    case 'x':
        fuzz_xml(body);
        break;
    case 'l':
        fuzz_login(body);
        break;
    case 'u':
        fuzz_url(text);
        break;
    case 'w':
        fuzz_words(text);
        break;
    default:
        fuzz_error(body);
        break;
    }
    free(text);
    return 0;
}
