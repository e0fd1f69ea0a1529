/* SPDX-License-Identifier: Apache-2.0 */
/* For loops that own several stores, or wait for more than stores, and for
 * those who may not want an answer any more. On the owner's thread, as all of
 * store.h. */

#ifndef STORE_STORE_WAIT_H
#define STORE_STORE_WAIT_H

#include "store/store.h"

enum { STORE_FDS_MAX = 2 };

/* What to wait for once store_poll() without waiting had no event: any of @fds
 * readable or @timeout_ms over (-1: no end), whatever is first; then poll
 * again. With nothing in flight there is nothing to wait for. */
struct store_wait {
    int fds[STORE_FDS_MAX];
    uint32_t fd_count;
    int timeout_ms;
};
void store_wait_for(struct store *s, struct store_wait *out);

/* End the request @tag now, if it is under way: its event (STOPPED, or what
 * it has come to meanwhile) comes with one of the next polls, and nothing
 * touches its memory any more. A store that does its work inside poll ends
 * what it has not begun. A write may have happened. */
void store_cancel(struct store *s, uint64_t tag);

#endif /* STORE_STORE_WAIT_H */
