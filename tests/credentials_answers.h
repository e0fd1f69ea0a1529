/* SPDX-License-Identifier: Apache-2.0 */
/* What providers of credentials answer, in tests. */

#ifndef TESTS_CREDENTIALS_ANSWERS_H
#define TESTS_CREDENTIALS_ANSWERS_H

/* 2026-01-31T12:00:00Z */
#define KIT_NOW UINT64_C(1769860800000)
#define KIT_LATER "2026-01-31T18:00:00Z" /* Six hours on. */
#define KIT_PAST "2026-01-31T11:00:00Z"
#define KIT_MINUTE UINT64_C(60000)
#define KIT_SECRET "zyxwvutsrqponmlkjihgfedcba9876543210SECR"

#define KIT_JSON(key, token, expires)                                          \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"" key                             \
    "\",\"SecretAccessKey\":\"" KIT_SECRET "\",\"" token "\":\"tok-" key       \
    "\",\"Expiration\":\"" expires "\"}"

#define KIT_STS(action, key, expires)                                          \
    "<" action "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">" \
    "<" action "Result><Credentials><AccessKeyId>" key                         \
    "</AccessKeyId><SecretAccessKey>" KIT_SECRET "</SecretAccessKey>"          \
    "<SessionToken>tok-" key "</SessionToken><Expiration>" expires             \
    "</Expiration></Credentials></" action "Result></" action "Response>"

#define KIT_STS_ERROR(code, message)                                           \
    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"      \
    "<Error><Type>Sender</Type><Code>" code "</Code><Message>" message         \
    "</Message></Error><RequestId>r</RequestId></ErrorResponse>"

#endif /* TESTS_CREDENTIALS_ANSWERS_H */
