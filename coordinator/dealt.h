/* SPDX-License-Identifier: Apache-2.0 */
/* What was dealt: each host's share, and what the ledgers are made from. It is
 * made once in a run and kept in the state (`runs/RUN/dealt`), so that every
 * later coordinator of the run goes on with the very same.
 *
 * Views only: who makes one keeps the memory. No I/O. */

#ifndef COORDINATOR_DEALT_H
#define COORDINATOR_DEALT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/wire.h"

struct dealt_channel {
    struct bytes name;
    struct bytes catalog; /* Its name: the hash of its content. */
    bool is_dynamic;
    bool is_stream; /* Static, and leased while the command runs all the
                       same. */
    bool is_single; /* A host counts as one rank. */
    uint64_t positions;
    uint64_t epochs;      /* How many this run goes through; */
    uint64_t first_epoch; /* its order's number of the first one. */
    uint64_t step_units;
    uint64_t skips;
    const uint64_t *bounds; /* Static: first position of each rank of the job,
                               and the end. Dynamic: NULL. */
    struct bytes how;       /* JSON: deal, even, split, seed; for the cursor. */
    struct bytes base;      /* ranges_write() of what was committed before this
                               run, of the first epoch, as positions in its
                               order (cursor.h); empty: nothing. Dynamic: the
                               ledger's own positions. */
};

struct dealt {
    uint32_t host_count;
    const uint32_t *ranks;               /* By host, as all of them said. */
    const uint32_t *weights;             /* The same. */
    const struct wire_share_all *shares; /* By host. */
    struct dealt_channel channels[WIRE_CHANNELS_MAX];
    uint32_t channel_count;
};

/* Append @d, of @run, with a checksum. */
void dealt_write(const struct dealt *d, const char *run, struct buf *out);

/* A copy with memory of its own, read for @run. MALFORMED. */
struct dealt_copy;
MUST_USE enum status dealt_read(struct bytes in, const char *run,
                                struct fault *why, struct dealt_copy **out);
const struct dealt *dealt_of(const struct dealt_copy *copy);
void dealt_destroy(struct dealt_copy **copy);

/* Whether @host has a part in channel @number. */
bool dealt_has_part(const struct dealt *d, uint32_t number, uint32_t host);

/* How many ranks @host has in channel @number. */
uint32_t dealt_ranks(const struct dealt *d, uint32_t number, uint32_t host);

#endif /* COORDINATOR_DEALT_H */
