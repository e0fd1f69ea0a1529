/* SPDX-License-Identifier: Apache-2.0 */
/* Rings: slots handed to the command's processes as shared memory, without a
 * copy (ring_os.c, ring_serve_os.c; docs/ring.md; the consumers' end is
 * worker/client/smshard.h).
 *
 * A host has one socket, below a private folder, and a ring for each rank and
 * channel. A process of the same user connects, says which ring it wants, and
 * gets the descriptors of its memory. While the connection stands the process
 * lives; when it ends, or the process does, what it held is delivered again or
 * dropped. A process that writes to the control memory what it may not, or
 * talks out of turn, is turned out: its slots are not touched before it has
 * gone, and no other ring notices.
 *
 * The owner has one loop. It waits for ring_host_fd() (readable), calls
 * ring_host_step(), takes all outcomes of each ring and publishes what is
 * next. Slots are the owner's: those that a ring was given come back as
 * outcomes, in any order, each once.
 *
 * Threads: the owner's. */

#ifndef WORKER_RING_H
#define WORKER_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/flow.h"
#include "worker/ring_queue.h"
#include "worker/slots.h"

enum {
    RING_RINGS_MAX = 1280,       /* 64 ranks, 20 channels. */
    RING_CONNECTIONS_MAX = 4096, /* Of a host, those of no ring too. */
};

struct ring_host;
struct ring;

/* Open the socket in @folder, which is made with mode 0700 if it is not there
 * and must be ours alone otherwise. A socket that another run left there is
 * replaced. DENIED, NO_SPACE, CONFLICT (the path is too long, or is no folder
 * of that kind), IO, OS. */
MUST_USE enum status ring_host_open(const char *folder, struct fault *why,
                                    struct ring_host **out);

/* Its rings have to be destroyed. */
void ring_host_close(struct ring_host **h);

/* The socket's path, for SMSHARD_RING. */
const char *ring_host_path(const struct ring_host *h);

int ring_host_fd(const struct ring_host *h);

/* Do all that can be done now; never blocks. OK; OS: a ring's control memory
 * had to be replaced, or a consumer was to be taken, and the system has no
 * memory or descriptor for it; the next step tries again. */
MUST_USE enum status ring_host_step(struct ring_host *h, struct fault *why);

struct ring_options {
    const char *channel;
    uint32_t rank; /* Of the host. */
    enum ring_mode mode;
    uint32_t consumers;   /* Exclusive: 1; share: at most so many at once;
                             broadcast: exactly so many see each slot. */
    bool drops;           /* What a process held that died is not delivered
                             again. */
    struct slots *slots;  /* SLOTS_SHARED; must outlive the ring. */
    uint32_t slots_max;   /* Out at once; 0: as many as there are. */
    uint32_t entries_max; /* Of a slot; 0: FLOW_ENTRIES_MAX. */
};

/* INVALID: numbers that don't go together; CONFLICT: there is a ring of that
 * channel and rank; FULL: too many; OS. */
MUST_USE enum status ring_new(struct ring_host *h,
                              const struct ring_options *options,
                              struct fault *why, struct ring **out);

/* Its consumers are told that the worker has gone. What was not taken as an
 * outcome is forgotten: the slots are the owner's again, though consumers may
 * still be looking at them. */
void ring_destroy(struct ring **r);

/* As ring_queue_publish(), ring_queue_end_epoch(), ring_queue_end(); with EMPTY
 * for CHANGED: again after ring_host_step(). Unless OK, the slot stays the
 * caller's. */
MUST_USE enum status ring_publish(struct ring *r, const struct flow_slot *slot);
MUST_USE enum status ring_end_epoch(struct ring *r, uint64_t epoch);
MUST_USE enum status ring_end(struct ring *r);

/* The next step looks at all that is out, whether or not somebody rang. */
void ring_doubt(struct ring *r);

/* As ring_queue_ask_back(): the owner has nothing to publish, and nothing on
 * its way. */
void ring_ask_back(struct ring *r);

/* A slot has come back; false: none now. Commit what it held if it was
 * CONSUMED, and give it back. */
bool ring_take_outcome(struct ring *r, struct ring_outcome *out);

/* Where a consumer was that had another worker before: the last unit that it
 * released whole. Each is told once; false: none. */
struct ring_cursor {
    uint32_t consumer;
    uint64_t incarnation;
    uint64_t epoch;
    uint64_t position;
    uint64_t released; /* Units, in all. */
};
bool ring_take_cursor(struct ring *r, struct ring_cursor *out);

struct ring_stats {
    struct ring_queue_stats queue;
    uint64_t connected; /* Ever. */
    uint64_t refused;
    uint64_t kicked;
    uint64_t gone; /* Came to their end, whichever way. */
};
struct ring_stats ring_stats(const struct ring *r);

void ring_check(const struct ring *r);

#endif /* WORKER_RING_H */
