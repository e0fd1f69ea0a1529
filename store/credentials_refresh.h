/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c: when credentials are old. Pure; times are
 * milliseconds since 1970.
 *
 * A while before they expire they should be renewed, but failing that does no
 * harm yet; later they must be. The first moment is spread by a tenth, so
 * that a thousand hosts that started together do not ask together. */

#ifndef STORE_CREDENTIALS_REFRESH_H
#define STORE_CREDENTIALS_REFRESH_H

#include <stdint.h>

#include "base/prng.h"

enum credentials_age {
    CREDENTIALS_FRESH,
    CREDENTIALS_ADVISORY,  /* Renew, and use them meanwhile. */
    CREDENTIALS_MANDATORY, /* Renew, and wait for it. */
};

struct credentials_times {
    uint64_t advisory_ms;  /* UINT64_MAX: never. */
    uint64_t mandatory_ms; /* The same. */
};

/* The moments for credentials that came at @wall_ms and expire at
 * @expires_ms (0: the provider does not say; ask again now and then). */
void credentials_refresh_plan(uint64_t wall_ms, uint64_t expires_ms,
                              struct prng *prng, struct credentials_times *out);

enum credentials_age credentials_refresh_age(const struct credentials_times *t,
                                             uint64_t wall_ms);

/* Until when credentials of instance metadata that have expired, or could not
 * be renewed, are used on: S3 decides whether they still count. */
uint64_t credentials_refresh_extend(uint64_t wall_ms, struct prng *prng);

/* How long to leave a provider alone after it failed while what there is still
 * serves. */
uint32_t credentials_refresh_pause_ms(struct prng *prng);

#endif /* STORE_CREDENTIALS_REFRESH_H */
