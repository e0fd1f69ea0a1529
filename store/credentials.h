/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of providers that the AWS tools have, and one holder for the
 * process that keeps what they gave fresh.
 *
 * Order: environment; the profile's assume-role, web identity, SSO, static
 * keys and credential_process; container (SageMaker, ECS, EKS); instance
 * metadata (IMDSv2). The first one that is set up counts: when it fails, that
 * is the answer, and the next is not tried.
 *
 * Any thread may ask. While a refresh ahead of expiry runs, on a thread of
 * its own, others keep what there is; past the point where that would be
 * risky they wait for it. Nothing here is ever logged but the provider's name
 * and the access key's last four letters. */

#ifndef STORE_CREDENTIALS_H
#define STORE_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/aws_config.h"

enum {
    CREDENTIALS_KEY_MAX = 256,
    CREDENTIALS_TOKEN_MAX = 8192,
    CREDENTIALS_ORIGIN_MAX = 160,
};

/* A copy for the asker; wipe it with credentials_wipe(). */
struct credentials {
    char access_key[CREDENTIALS_KEY_MAX]; /* "": anonymous. */
    char secret_key[CREDENTIALS_KEY_MAX];
    char token[CREDENTIALS_TOKEN_MAX];   /* "": none. */
    uint64_t expires_ms;                 /* Wall clock; 0: never. */
    uint64_t generation;                 /* Grows with each refresh. */
    char origin[CREDENTIALS_ORIGIN_MAX]; /* "profile train, assume role
                                            arn:… from environment". */
};

struct credentials_holder;

/* A holder over @config, which must outlive it. Nothing is fetched yet. */
struct credentials_holder *credentials_holder_new(
    const struct aws_config *config);
void credentials_holder_destroy(struct credentials_holder **h);

/* Copy what is valid now, fetching it first if need be (blocks for some
 * seconds, a credential_process for a minute at most). NOT_FOUND: no provider
 * is set up; DENIED, INVALID, UNSUPPORTED, MALFORMED, TIMEOUT, STORE, OS: the
 * one that is has failed; @why names it and what to do. A failure stands for
 * a second: who asks again sooner gets it again. SMSHARD_S3_ANONYMOUS=1 gives
 * anonymous ones. */
MUST_USE enum status credentials_get(struct credentials_holder *h,
                                     struct fault *why,
                                     struct credentials *out);

/* The server refused what carried @generation as expired: fetch again unless
 * somebody has since. Errors as credentials_get(); DENIED too where the
 * provider can have no newer ones (environment, keys of a profile). */
MUST_USE enum status credentials_renew(struct credentials_holder *h,
                                       uint64_t generation, struct fault *why,
                                       struct credentials *out);

void credentials_wipe(struct credentials *c);

/* Copy, and wipe, the texts alone and not the kilobytes of room behind them.
 * What was written by credentials_copy(), credentials_get() or _renew(), and
 * by nothing else, is to be forgotten before it is written again. */
void credentials_copy(struct credentials *c, const struct credentials *from);
void credentials_forget(struct credentials *c);

/* The region that instance metadata tells ("" and NOT_FOUND without it); at
 * most two seconds. */
MUST_USE enum status credentials_imds_region(const struct aws_config *config,
                                             struct fault *why, char out[64]);

#endif /* STORE_CREDENTIALS_H */
