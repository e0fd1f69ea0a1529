/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: what providers answer. Pure.
 *
 * Replies hold secrets: no message repeats a byte of them, but for the error
 * code and sentence of a reply that is an error. What is taken goes into
 * header lines, so that anything but printable ASCII is refused. */

#ifndef STORE_CREDENTIALS_REPLY_H
#define STORE_CREDENTIALS_REPLY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/credentials.h"

enum credentials_form {
    CREDENTIALS_FORM_CONTAINER,
    CREDENTIALS_FORM_IMDS, /* With a "Code". */
    CREDENTIALS_FORM_PROCESS,
    CREDENTIALS_FORM_SSO,
};

/* Read the JSON reply @body into keys, token and expiry of @out. MALFORMED:
 * it is no such reply; DENIED: it is one that says no. @why begins with what
 * is wrong; the caller puts the provider before it. */
MUST_USE enum status credentials_reply_json(struct bytes body,
                                            enum credentials_form form,
                                            struct fault *why,
                                            struct credentials *out);

/* The same of STS's XML: @action is "AssumeRole" or
 * "AssumeRoleWithWebIdentity". */
MUST_USE enum status credentials_reply_sts(struct bytes body,
                                           const char *action,
                                           struct fault *why,
                                           struct credentials *out);

/* The access token of a cached SSO login. */
enum { CREDENTIALS_LOGIN_MAX = 8192 };
struct credentials_login {
    char token[CREDENTIALS_LOGIN_MAX];
    uint64_t expires_ms;
};
MUST_USE enum status credentials_reply_login(struct bytes body,
                                             struct fault *why,
                                             struct credentials_login *out);

/* Write "Code: sentence" of an error in JSON or STS's XML, one line; "" when
 * @body is none. */
enum { CREDENTIALS_ERROR_MAX = 320, CREDENTIALS_CODE_MAX = 64 };
struct credentials_error {
    char code[CREDENTIALS_CODE_MAX]; /* "" without. */
    char text[CREDENTIALS_ERROR_MAX];
};
void credentials_reply_error(struct bytes body, struct credentials_error *out);

/* Copy a value from outside that goes into a header line. @what names it.
 * MALFORMED: empty, @size or longer with its NUL, or with a byte that is not
 * printable ASCII. */
MUST_USE enum status credentials_reply_take(struct bytes value,
                                            const char *what, size_t size,
                                            struct fault *why, char *out);

/* @text without white space at its ends. */
struct bytes credentials_reply_trim(struct bytes text);

#endif /* STORE_CREDENTIALS_REPLY_H */
