/* SPDX-License-Identifier: Apache-2.0 */
/* Private to credentials*.c and its tests: a holder on another clock. */

#ifndef STORE_CREDENTIALS_HOLDER_H
#define STORE_CREDENTIALS_HOLDER_H

#include <stdint.h>

#include "base/clock.h"
#include "store/credentials.h"

struct credentials_options {
    const struct clock *clock;
    uint64_t seed;
    uint32_t pause_ms;   /* Before another attempt; doubles. 0: none. */
    uint32_t answer_ms;  /* 0: the providers' own limits. */
    uint32_t process_ms; /* 0: a minute. */
};

/* As credentials_holder_new(). @options->clock must outlive it. */
struct credentials_holder *credentials_holder_new_with(
    const struct aws_config *config, const struct credentials_options *options);

/* Wait until no fetch is asked for or under way. */
void credentials_holder_settle(struct credentials_holder *h);

#endif /* STORE_CREDENTIALS_HOLDER_H */
