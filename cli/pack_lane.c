/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pack_lane.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "cli/pack_lane_parts.h"

enum status pack_lane_new(const struct pack_lane_options *options,
                          struct fault *why, struct pack_lane **out)
{
    struct pack_lane *l = mem_new(1, sizeof(*l));
    struct buf prefix = {0};
    enum status s;

    l->options = *options;
    l->events = mem_new(PACK_EVENTS, sizeof(l->events[0]));
    s = store_open(options->source, STORE_READ, why, &l->in.store, &prefix);
    if (s == STATUS_OK) {
        buf_clear(&prefix);
        s = store_open(options->target, STORE_WRITE, why, &l->out.store,
                       &prefix);
    }
    buf_fini(&prefix);
    if (s != STATUS_OK) {
        pack_lane_destroy(&l);
    }
    *out = l;
    return s;
}

void pack_lane_destroy(struct pack_lane **lane)
{
    struct pack_lane *l = *lane;

    if (l == NULL) {
        return;
    }
    if (l->out.store != NULL) {
        pack_lane_abort(l);
    }
    store_close(&l->in.store); /* From here on nothing writes to rooms. */
    store_close(&l->out.store);
    for (size_t i = 0; i < PACK_AHEAD; i++) {
        free(l->in.asks[i].room);
    }
    for (size_t i = 0; i < PACK_PARTS; i++) {
        free(l->out.parts[i].room);
    }
    free(l->out.sent);
    buf_fini(&l->out.key);
    free(l->events);
    free(l);
    *lane = NULL;
}

struct store *pack_lane_target(struct pack_lane *l)
{
    CHECK(store_inflight(l->out.store) == 0);
    return l->out.store;
}

enum status pack_lane_may_go_on(const struct pack_lane *l, struct fault *why)
{
    return atomic_load(l->options.stop)
               ? fault_set(why, STATUS_STOPPED, "stopped")
               : STATUS_OK;
}
