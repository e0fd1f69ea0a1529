/* SPDX-License-Identifier: Apache-2.0 */
/* An end to loops of requests: a thread that waits for a store may have to
 * wait for as long as the store is away, and whoever is to join it can't. */

#ifndef STORE_STORE_STOP_H
#define STORE_STORE_STOP_H

#include <stdatomic.h>

#include "store/store.h"

/* Once *@stop is true, which another thread may make it, store_poll() gives up
 * what is in flight, within a moment or, in a directory, one request; that and
 * all that is asked for later is answered with STOPPED, so that no loop needs
 * to look. What was given up may have happened.
 *
 * Call it with nothing in flight. @stop must outlive the handle and is never
 * false again; NULL: nobody stops it. */
void store_set_stop(struct store *s, const atomic_bool *stop);

#endif /* STORE_STORE_STOP_H */
