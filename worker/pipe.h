/* SPDX-License-Identifier: Apache-2.0 */
/* Pipe mode: a channel as FIFOs `<folder>/<channel>_<number>`, one an epoch,
 * from 0 (pipe_os.c).
 *
 * The next FIFO is there before the one that is read is closed. A reader sees
 * one object behind the other with nothing between, then the end of the file.
 * One that closes early has had enough of the epoch: the next one begins. A
 * reader that has taken nothing yet may close and open again.
 *
 * A unit is consumed when its last byte was taken out of the FIFO; that is
 * looked up, not guessed. What is still in the FIFO when its reader goes is
 * given back.
 *
 * A line of an augmented manifest comes as its parts, one behind the other, in
 * their order; wrapped, each of them is a record.
 *
 * A unit that can't be read ends the channel, unless units may be skipped and
 * nothing of it was written yet.
 *
 * Threads: pipe_start() makes one, which owns flow and form. The supply's main
 * side is the owner's, as is all else here. */

#ifndef WORKER_PIPE_H
#define WORKER_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "proto/recipe.h"
#include "worker/fetch.h"
#include "worker/slots.h"
#include "worker/supply.h"

enum { PIPE_WRAP_COPIES = 3 }; /* Gathered, with room to grow; the record. */

struct pipe_options {
    const char *folder; /* The FIFOs lie in it; made where it is missing. */
    const char *channel;
    struct supply *supply; /* Of one rank; outlives the pipe, as do these. */
    struct fetch *fetch;
    struct slots *slots;
    uint32_t source;    /* Of the fetch. */
    uint32_t slots_max; /* Of the slots. */
    bool is_gzip;       /* Objects are gzip: undo it. */
    bool is_wrapped;    /* Make each object a RecordIO record, */
    uint64_t wrap_max;  /* unless it is larger. That much memory is taken up to
                           PIPE_WRAP_COPIES times, beside the slots. */
    bool skips;         /* Units may be skipped. */
    const struct recipes *recipes; /* Units are lines, made of these parts;
                                      NULL: units are objects. */
    uint64_t lonely_ms; /* A FIFO that nobody opens for so long is named in the
                           log, once; 0: ten minutes. */
};

struct pipe;

/* Make the first FIFO and start. CONFLICT: something that is not a FIFO has
 * its name; DENIED, NO_SPACE, IO, OS. */
MUST_USE enum status pipe_start(const struct pipe_options *options,
                                struct fault *why, struct pipe **out);

/* End the thread and remove what FIFOs there are. Takes no longer than a
 * request to the store does to be given up. */
void pipe_stop(struct pipe **p);

struct pipe_stats {
    uint64_t number;   /* Of the FIFO that is written, */
    uint64_t bytes;    /* and what was written, of all. */
    uint64_t objects;  /* Consumed, of all. */
    uint64_t early;    /* Readers that closed early. */
    bool is_open;      /* Somebody reads. */
    bool is_over;      /* After the last epoch. */
    uint64_t stall_ms; /* The reader waited for bytes. */
    uint64_t full_ms;  /* Bytes waited for the reader, or for one to come. */
    uint64_t since_ms; /* When a reader opened or closed last; clock_os. */
};
struct pipe_stats pipe_stats(const struct pipe *p);

#endif /* WORKER_PIPE_H */
