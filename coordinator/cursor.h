/* SPDX-License-Identifier: Apache-2.0 */
/* Cursor: what of each channel's epoch has been committed, as JSON that is
 * saved with a checkpoint and resumed from on any number of hosts and ranks.
 *
 * Its measure is the canonical position: the place of an object in the
 * epoch's order, which is a function of catalog, seed and epoch and of
 * nothing else (order.h). A dynamic channel's ledger counts in these. A
 * static channel's counts what was dealt: rank r's k-th unit, padding left
 * out, is bounds[r] + k. Its cursor therefore tells hosts, ranks and weights
 * too: the same deal is made again from them, and an object is committed when
 * every piece of it that was dealt is, and every host's copy.
 *
 * `base` is what was committed before the run that wrote it, always in
 * canonical positions. A run that resumed a static channel has dealt only the
 * objects that were left (cursor_left()), so its deal is made over those.
 *
 * What was skipped was not committed: it is dealt again.
 *
 * Text is not trusted: reading never CHECKs it. No I/O; threads: none. */

#ifndef COORDINATOR_CURSOR_H
#define COORDINATOR_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/ranges.h"
#include "base/status.h"
#include "coordinator/catalog.h"
#include "coordinator/deal.h"
#include "coordinator/dealt.h"
#include "coordinator/order.h"

enum {
    CURSOR_VERSION = 1,
    CURSOR_TEXT_MAX = 256 << 20,
    CURSOR_RANGES_MAX = 4 << 20, /* Of one channel's list. */
};

/* How a channel was dealt; the `how` of struct dealt_channel. */
struct cursor_how {
    bool is_dynamic;
    enum deal_kind kind; /* Unless it is dynamic. */
    enum deal_even even; /* The same. */
    bool may_split;      /* The same. */
    bool has_seed;
    uint64_t seed;
};
void cursor_how_write(const struct cursor_how *how, struct buf *out);
MUST_USE enum status cursor_how_read(struct bytes text, struct fault *why,
                                     struct cursor_how *out); /* MALFORMED. */

/* Where a channel's ledger stands. */
struct cursor_progress {
    uint64_t epoch; /* From the channel's first_epoch on. */
    const struct ranges *committed;
    const struct ranges *skipped;
};

/* Append the cursor of @job, dealt as @dealt; progress[i] is channel i's. The
 * committed set of a dynamic channel may hold its base or not. */
void cursor_write(const char *job, const struct dealt *dealt,
                  const struct cursor_progress *progress, struct buf *out);

/* One channel, as it was read. Views into the cursor. */
struct cursor_channel {
    struct bytes name;
    struct bytes catalog; /* Its name. */
    struct cursor_how how;
    uint64_t epoch;     /* Of the order. */
    uint64_t positions; /* The ledger's. */
    const struct ranges *base;
    const struct ranges *committed;
    const struct ranges *skipped;
    const struct deal_host *hosts; /* Static: ascending; else none. */
    uint32_t host_count;
};

struct cursor;

/* Read @text; @name stands in messages. MALFORMED: not JSON, or a member is
 * missing, of another type or out of range (said by line); VERSION: written
 * by a version that we don't know; FULL: too large. */
MUST_USE enum status cursor_read(struct bytes text, const char *name,
                                 struct fault *why, struct cursor **out);
void cursor_destroy(struct cursor **c);

struct bytes cursor_job(const struct cursor *c);
uint32_t cursor_channel_count(const struct cursor *c);
const struct cursor_channel *cursor_channel_at(const struct cursor *c,
                                               uint32_t i);
/* NULL: the cursor has none of this name. */
const struct cursor_channel *cursor_find(const struct cursor *c,
                                         struct bytes name);

/* The order of epoch @epoch over @count objects. */
void cursor_order(const struct cursor_how *how, struct bytes channel,
                  uint64_t epoch, uint64_t count, struct order *out);

/* Find what of @c is committed, over all of @catalog (the channel's), as
 * canonical positions in *@out. INVALID: the catalog is another; MALFORMED:
 * what the cursor says is not of this catalog; FULL: no memory. O(objects) for
 * a static channel. */
MUST_USE enum status cursor_committed(const struct cursor_channel *c,
                                      const struct catalog *catalog,
                                      struct fault *why, struct ranges **out);

/* Make the catalog of the objects of @catalog whose position in @order is not
 * in @done. FULL: no memory. */
MUST_USE enum status cursor_left(const struct catalog *catalog,
                                 const struct order *order,
                                 const struct ranges *done, struct fault *why,
                                 struct catalog **out);

#endif /* COORDINATOR_CURSOR_H */
