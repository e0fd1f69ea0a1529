/* SPDX-License-Identifier: Apache-2.0 */
/* The term core's requests, carried out on a store. Blocking. */

#ifndef CLI_TERM_STORE_H
#define CLI_TERM_STORE_H

#include <stdint.h>

#include "coordinator/term.h"
#include "store/store.h"

/* Give an event of @event_type to @t, carry out what it asks for until it asks
 * for nothing more, and return when to send the next TIMER. @key is the
 * lease's. */
uint64_t term_store_step(struct term *t, struct store *store, const char *key,
                         enum term_event_type event_type);

#endif /* CLI_TERM_STORE_H */
