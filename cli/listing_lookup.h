/* SPDX-License-Identifier: Apache-2.0 */
/* Objects whose keys are known, each asked for once: as many requests at a
 * time as a store handle takes. Blocking. */

#ifndef CLI_LISTING_LOOKUP_H
#define CLI_LISTING_LOOKUP_H

#include <stdbool.h>

#include "store/store.h"

struct listing_lookup {
    struct store *store; /* With nothing in flight. */

    /* Name the next object; false at the end. @tag comes back. */
    bool (*next)(void *self, uint64_t *tag, struct bytes *key);

    /* Take what the store says of one, whatever it is; in any order. What is
     * not OK ends the lookup and is returned. */
    enum status (*answer)(void *self, const struct store_event *event,
                          struct fault *why);
    void *self;
};

/* Look all of them up. After a failure requests may be in flight still: the
 * handle can only be closed. */
MUST_USE enum status listing_look_up(const struct listing_lookup *l,
                                     struct fault *why);

#endif /* CLI_LISTING_LOOKUP_H */
