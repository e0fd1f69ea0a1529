/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: from a chain to credentials.
 *
 * credentials_fetch.c       which provider, roles after it, containers
 * credentials_imds.c        instance metadata
 * credentials_sts.c         roles and web identities
 * credentials_sso.c         SSO by a cached login
 * credentials_process.c     credential_process
 *
 * A fetch blocks for as long as its provider may take; each has its limits.
 * One thread at a time. Messages begin with the provider and say what was
 * asked; where its address is a secret (containers), which variable has it. */

#ifndef STORE_CREDENTIALS_FETCH_H
#define STORE_CREDENTIALS_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/prng.h"
#include "base/status.h"
#include "store/aws_config.h"
#include "store/credentials.h"
#include "store/credentials_chain.h"
#include "store/credentials_url.h"
#include "store/http.h"

/* Wait for @ms. false: at once, because everything ends. */
typedef bool credentials_wait_fn(void *self, uint32_t ms);

struct credentials_fetcher {
    const struct aws_config *config;
    const struct clock *clock;
    struct prng prng;
    uint32_t pause_ms;         /* Between attempts. */
    uint32_t answer_ms;        /* One answer; 0: the provider's own limit. */
    uint32_t process_ms;       /* One credential_process. */
    credentials_wait_fn *wait; /* NULL: none is waited for. */
    void *wait_self;
};

/* Get what @chain gives now into @out, roles assumed; its generation is not
 * set. The statuses are those of credentials_get(). */
MUST_USE enum status credentials_fetch(struct credentials_fetcher *f,
                                       const struct credentials_chain *chain,
                                       struct fault *why,
                                       struct credentials *out);

/* ---- What providers use. */

/* One question over HTTP. */
struct credentials_ask {
    const char *who; /* Begins every message. */
    const char *method;
    const char *origin;
    const char *target;
    struct bytes headers;
    struct bytes body;
    uint32_t answer_ms;
    uint32_t attempts; /* Of what is worth another: no answer, 429, 5xx. */
    bool is_direct;    /* Over no proxy. */
    bool (*is_again)(const struct http_event *event); /* More of those; NULL. */
};

/* OK: an answer of any code is in @keep, which the caller always frees with
 * credentials_ask_fini(). TIMEOUT; STORE: there is none, @why says which. */
MUST_USE enum status credentials_ask(struct credentials_fetcher *f,
                                     const struct credentials_ask *ask,
                                     struct fault *why, struct http_kept *keep);

/* Wipe and free an answer. */
void credentials_ask_fini(struct http_kept *keep);

/* The fault of an answer that is not 200: DENIED for 4xx, for which @hint says
 * what to do; else STORE. */
enum status credentials_ask_refused(const struct credentials_ask *ask,
                                    const struct http_event *event,
                                    const char *hint, struct fault *why);

/* Empty @b, its bytes wiped. */
void credentials_wipe_buf(struct buf *b);

/* ---- Providers. */

MUST_USE enum status credentials_fetch_imds(struct credentials_fetcher *f,
                                            struct fault *why,
                                            struct credentials *out);

/* The region that instance metadata tells, within two seconds. */
MUST_USE enum status credentials_fetch_region(struct credentials_fetcher *f,
                                              struct fault *why, char out[64]);

/* Assume @role with @from. */
MUST_USE enum status credentials_fetch_role(struct credentials_fetcher *f,
                                            const struct credentials_role *role,
                                            const struct credentials *from,
                                            struct fault *why,
                                            struct credentials *out);

MUST_USE enum status credentials_fetch_web(
    struct credentials_fetcher *f, const struct credentials_chain *chain,
    struct fault *why, struct credentials *out);

MUST_USE enum status credentials_fetch_sso(
    struct credentials_fetcher *f, const struct credentials_chain *chain,
    struct fault *why, struct credentials *out);

MUST_USE enum status credentials_fetch_process(
    struct credentials_fetcher *f, const struct credentials_chain *chain,
    struct fault *why, struct credentials *out);

#endif /* STORE_CREDENTIALS_FETCH_H */
