/* SPDX-License-Identifier: Apache-2.0 */
/* The term core's requests, carried out on a store. Blocking. */

#ifndef CLI_TERM_STORE_H
#define CLI_TERM_STORE_H

#include <stdint.h>

#include "cli/trouble.h"
#include "coordinator/term.h"
#include "store/store.h"

/* Where the lease is; both must outlive it. */
struct term_store {
    struct store *store;
    const char *key;
    struct trouble reads; /* Begin as zeros. */
    struct trouble writes;
};

/* Give an event of @event_type to @t, carry out what it asks for until it asks
 * for nothing more, and return when to send the next TIMER. */
uint64_t term_store_step(struct term *t, struct term_store *lease,
                         enum term_event_type event_type);

#endif /* CLI_TERM_STORE_H */
