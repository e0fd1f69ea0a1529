/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds: the ends of ranges, moved to where records start. Private to flow.
 *
 * A large object may be dealt in ranges that were cut at any byte. Here each
 * range is made to begin at the first record that starts at its cut or behind
 * it, and to end where the range that begins at its end does: so each record
 * comes once, in the range that it starts in, and nobody has to ask anybody.
 * What is found from a cut is the same for all (proto/framing_find.h).
 *
 * Units that need no search pass straight through, in their order; of those
 * that do, BOUNDS_AHEAD are looked into at once. What is read for it lies in
 * memory of its own: two looks of 64 KiB a unit.
 *
 * A unit whose bounds can't be found comes with a status and no size.
 *
 * Threads: the flow's. Requests go over the flow's port; their tags have
 * BOUNDS_TAG. */

#ifndef WORKER_BOUNDS_H
#define WORKER_BOUNDS_H

#include "worker/flow.h"

enum { BOUNDS_AHEAD = 2 };

#define BOUNDS_TAG (UINT64_C(1) << 63)

struct bounds;

/* @next yields units as flow.h says; @port outlives it, with nothing of it
 * under way when it is destroyed. */
struct bounds_options {
    struct fetch *fetch;
    struct fetch_port *port;
    uint32_t source;
    uint32_t lane;
    flow_next_fn *next;
    void *next_self;
};
struct bounds *bounds_new(const struct bounds_options *options);
void bounds_destroy(struct bounds **b);

/* The next unit, as @next yields them, with its range moved. EMPTY, too, while
 * it is being looked for. Views until the next call. */
MUST_USE enum status bounds_next(struct bounds *b, struct flow_unit *out);

/* Take the answer to a request whose tag has BOUNDS_TAG. */
void bounds_answer(struct bounds *b, const struct fetch_event *e);

/* Forget what was not yielded, and an end. */
void bounds_reset(struct bounds *b);

/* Units that are being looked into. */
uint32_t bounds_searching(const struct bounds *b);

#endif /* WORKER_BOUNDS_H */
