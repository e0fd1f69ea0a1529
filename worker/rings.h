/* SPDX-License-Identifier: Apache-2.0 */
/* Ring mode: all rings of a host, one for each rank of each channel, served by
 * one thread (rings_os.c). Units come over the channels' counters, become
 * slots by flows in shared memory, and are told of as consumed when the slot
 * that holds their last byte was released.
 *
 * What a process held that died is delivered again, and a unit that lay in
 * several slots is read again from its beginning; or both are told of as
 * skipped.
 *
 * A unit that can't be read ends its channel, unless units may be skipped.
 *
 * Threads: rings_start() makes one. The supplies' main sides are the owner's,
 * as is all else here. */

#ifndef WORKER_RINGS_H
#define WORKER_RINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "proto/ring.h"
#include "worker/fetch.h"
#include "worker/slots.h"
#include "worker/supply.h"

enum { RINGS_CHANNELS_MAX = 20 };

struct rings_channel {
    const char *name;
    struct supply *supply;      /* Outlives the rings, as do these. */
    struct slots *const *slots; /* SHARED, of each of its ranks. */
    uint32_t rank_count;
    uint32_t source; /* Of the fetch. */
    enum ring_mode mode;
    uint32_t consumers; /* As in struct ring_options. */
    bool skips;         /* Units may be skipped. */
    bool drops;         /* What a process held that died is skipped. */
};

struct rings_options {
    const char *folder; /* Of the socket: private, made where it is missing. */
    struct fetch *fetch;
    const struct rings_channel *channels; /* Copied. */
    uint32_t channel_count;
};

struct rings;

/* Open the socket, make the rings, start. The statuses of ring_host_open() and
 * ring_new(). */
MUST_USE enum status rings_start(const struct rings_options *options,
                                 struct fault *why, struct rings **out);

/* End the thread, and tell of what was released until now; consumers see that
 * the worker has gone. */
void rings_stop(struct rings **r);

/* The socket's path, for SMSHARD_RING. */
const char *rings_path(const struct rings *r);

struct rings_stats {
    uint64_t slots;     /* Handed over, of all rings; */
    uint64_t bytes;     /* in them. */
    uint64_t units;     /* Consumed. */
    uint64_t again;     /* Units read again, */
    uint64_t dropped;   /* or told of as skipped, of processes that died. */
    uint32_t consumers; /* Connected now. */
};
struct rings_stats rings_stats(const struct rings *r);

/* Of one ring: by the place of its channel in the options. */
struct rings_line_stats {
    uint64_t epoch;       /* Of the last slot handed over. */
    uint64_t units;       /* Handed over to their end, */
    uint64_t done;        /* and consumed. */
    uint64_t bytes;       /* Handed over. */
    uint64_t store_ms;    /* Somebody reads, and nothing was there. */
    uint64_t consumer_ms; /* All slots were full, or nobody has come. */
};
struct rings_line_stats rings_line_stats(const struct rings *r,
                                         uint32_t channel, uint32_t rank);

#endif /* WORKER_RINGS_H */
