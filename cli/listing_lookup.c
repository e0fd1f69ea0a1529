/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing_lookup.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

/* Ask for more while the store takes more. false: there is no more. */
static bool listing_ask(const struct listing_lookup *l)
{
    uint64_t tag;
    struct bytes key;

    while (store_inflight(l->store) < STORE_INFLIGHT_MAX) {
        if (!l->next(l->self, &tag, &key)) {
            return false;
        }
        CHECK(store_submit(l->store, &(struct store_request){.op = STORE_HEAD,
                                                             .tag = tag,
                                                             .key = key}) ==
              STATUS_OK);
    }
    return true;
}

enum status listing_look_up(const struct listing_lookup *l, struct fault *why)
{
    struct store_event *events = mem_new(STORE_EVENTS_MAX, sizeof(events[0]));
    bool has_more = true;
    enum status s = STATUS_OK;

    CHECK(store_inflight(l->store) == 0);
    while (s == STATUS_OK && (has_more || store_inflight(l->store) > 0)) {
        size_t got;

        has_more = has_more && listing_ask(l);
        got = store_poll(l->store, -1, events, STORE_EVENTS_MAX);
        for (size_t i = 0; s == STATUS_OK && i < got; i++) {
            s = l->answer(l->self, &events[i], why);
        }
    }
    free(events);
    return s;
}
