/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that were listed before it is their turn to be told, coded small: a
 * key as what differs from the one before, an etag that is an MD5 as its 16
 * bytes. First in, first out. Private to scan.c. */

#ifndef STORE_SCAN_HELD_H
#define STORE_SCAN_HELD_H

#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "store/store.h"
#include "store/store_sync.h"

struct scan_chunk;

/* Zeroed: empty. */
struct scan_held {
    struct scan_chunk *first;
    struct scan_chunk *last;
    uint64_t count;
    uint64_t bytes;          /* Of memory. */
    char key[STORE_KEY_MAX]; /* The last one added. */
    size_t key_size;
    uint64_t modified_ms; /* Its time. */
};

/* FULL: no memory. Key and etag are of legal size. */
MUST_USE enum status scan_held_add(struct scan_held *h,
                                   const struct store_object *object);

/* Tell all to @each, freeing what was told; stops where @each answers other
 * than OK and returns that. */
MUST_USE enum status scan_held_tell(struct scan_held *h, store_each_fn *each,
                                    void *self, struct fault *why);

/* Move all that @from holds behind what @h holds. */
void scan_held_join(struct scan_held *h, struct scan_held *from);

void scan_held_fini(struct scan_held *h);

#endif /* STORE_SCAN_HELD_H */
