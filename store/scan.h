/* SPDX-License-Identifier: Apache-2.0 */
/* List all that is below a prefix with many LIST requests at once, told in
 * the order of the keys.
 *
 * The key space is cut while it is listed (scan_cut.c, pure): a lane that has
 * nothing to do takes the upper part of the range with most left in it,
 * between the last key seen there and its end, cut where the bytes seen so
 * far say that keys lie. What a later range finds is held, coded small
 * (scan_held.c), until all before it is told. The number of requests grows
 * while the store answers and halves when it says to slow down. Every key is
 * told once, whatever the server does with `after`; a key that is written or
 * deleted meanwhile may or may not be told.
 *
 * The handle must have nothing else in flight. Blocks until the end. */

#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"
#include "store/store_sync.h"

enum { SCAN_LANES_MAX = 64 };

/* Forget all that was told: it will be told again. */
typedef enum status scan_restart_fn(void *self, struct fault *why);

/* For tests and `doctor`. */
struct scan_result {
    uint64_t objects;
    uint64_t requests;
    uint64_t empty;      /* Requests that found nothing in their range. */
    uint32_t lanes;      /* The most at once. */
    uint64_t held_bytes; /* The most that was held back. */
};

struct scan_options {
    struct bytes prefix;
    uint32_t lanes; /* Requests at once, at most; 0: as many as it pays; 1 is
                       one after the other. */
    uint32_t page;  /* Keys that one request asks for; 0: all it can. */
    struct scan_result *result; /* May be NULL. */
    scan_restart_fn *restart;   /* NULL: a store that turns out to have no order
                                   after something was told is STORE. */
};

/* Call @each for every object, in the order of the keys, until it answers
 * other than OK, which is returned. A store that has no order, or another one
 * (its pages say so, or ranges of keys contradict each other), is listed
 * again by one chain of pages and sorted in memory. Errors are the store's;
 * STORE: its pages lead nowhere; FULL: no memory to hold what is not due
 * yet. Nothing is in flight after. */
MUST_USE enum status scan_run(struct store *s, const struct scan_options *o,
                              store_each_fn *each, void *self,
                              struct fault *why);

#endif /* STORE_SCAN_H */
