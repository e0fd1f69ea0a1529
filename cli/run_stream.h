/* SPDX-License-Identifier: Apache-2.0 */
/* Channels that are streamed while the command runs: their catalogs, holders,
 * courses, and who delivers them. One fetch and one memory plan serve all of
 * a host, units that are taken as files (run_feed.h) among them. Main thread
 * only; deliverers have threads of their own. */

#ifndef CLI_RUN_STREAM_H
#define CLI_RUN_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "cli/run_deal.h"
#include "coordinator/catalog.h"
#include "coordinator/dealt.h"
#include "coordinator/order.h"
#include "proto/job.h"
#include "proto/recipe.h"
#include "proto/wire.h"
#include "worker/course.h"
#include "worker/fetch.h"
#include "worker/holder.h"
#include "worker/memory.h"
#include "worker/mount.h"
#include "worker/pipe.h"
#include "worker/rings.h"
#include "worker/slots.h"
#include "worker/supply.h"

enum { RUN_STREAMS_MAX = WIRE_CHANNELS_MAX, RING_HOST_RANKS = 64 };

/* Reserved pages of 2 MiB, in the order of the setting's words. */
enum run_huge { RUN_HUGE_OFF, RUN_HUGE_TRY, RUN_HUGE_NEED };

/* What is the same for all of them. */
struct run_streams_options {
    const char *data_dir;
    uint64_t memory; /* Bytes. */
    const struct fetch_lane *lanes;
    uint32_t lane_count;
    const int *nodes;                  /* Of each rank's memory; -1: any. */
    const struct placement *placement; /* Of the ranks; for status. */
    bool is_strict;                    /* No other node will do. */
    enum run_huge huge;
    uint64_t beat_ms;
    uint64_t lease_ms;
    uint64_t gap_ms;                  /* Of news to the coordinator. */
    const struct fetch_source *files; /* Of channels whose units are fetched as
                                         files: memory and lanes are theirs,
                                         too. Copied. */
    uint32_t file_count;
};

enum { RUN_STREAM_PLACED_MAX = WIRE_PLACED_MAX + 1 };

/* What a rank's stream did lately. */
struct run_stream_meter {
    uint64_t at_ms; /* When this was looked at: */
    uint64_t bytes;
    uint64_t store;    /* Milliseconds; FastFile: reads that waited, */
    uint64_t consumer; /* and all reads. */
    uint64_t rate;     /* Between the last two looks, as a BEAT has them. */
    uint64_t store_part;
    uint64_t consumer_part;
    char placed[RUN_STREAM_PLACED_MAX];
};

struct run_stream {
    uint32_t number; /* Of the channel in the job. */
    const struct job_channel *channel;
    struct catalog *catalog;
    struct recipes *recipes; /* Of an augmented manifest; else NULL. */
    char *root_uri;
    char *prefix;          /* Of the keys. */
    struct run_deal *deal; /* NULL: dynamic. */
    uint32_t ranks;        /* That it has on this host. */
    uint64_t units_ahead;  /* Worth having at hand, by their size. */
    struct order order;    /* Dynamic: of @order_epoch. */
    bool has_order;
    uint64_t order_epoch;
    struct catalog_cursor cursor; /* Of the unit that was looked up last. */

    struct holder *holder; /* From here on: once the command starts. */
    struct supply *supply;
    struct course *course;
    struct slots *slots[RING_HOST_RANKS]; /* Pipe: the first. */
    struct run_stream_meter *meters; /* Of each rank, while it is delivered. */
    bool lacks_huge;                 /* They were wanted, and are not there. */
    uint32_t ring_number;            /* Among the channels of the rings. */
    struct pipe *pipe;
    struct mount *mount; /* FastFile: no holder, supply or course. */
};

struct run_streams {
    struct run_stream each[RUN_STREAMS_MAX];
    uint32_t count;
    struct dealt_copy *dealt;                     /* NULL: no static one. */
    struct fetch_source sources[RUN_STREAMS_MAX]; /* And the files' behind. */
    struct fetch *fetch; /* With files, until run_streams_fini(). */
    struct memory_plan memory;
    struct rings *rings; /* NULL: no such channel. */
    char *rings_folder;  /* Made for them alone; NULL: it lies in the data. */
    struct run_streams_options options; /* As it was started. */
    int epoll; /* Of what the deliverers tell; 0: none. */
};

/* What a host is told of a streamed channel. */
struct run_stream_from {
    const struct wire_share *share;
    const struct job_channel *channel;
    struct catalog *catalog; /* Becomes the stream's. */
    struct buf *recipes;     /* So do these; or NULL. */
    uint32_t host;           /* This one, among the job's. */
    uint32_t ranks;          /* Of this host. */
};

/* Take over what was dealt in this run (dealt_write()), before the streams
 * that need it. MALFORMED. */
MUST_USE enum status run_streams_take_dealt(struct run_streams *s,
                                            struct bytes text, const char *run,
                                            struct fault *why);

/* MALFORMED, INVALID, FULL. */
MUST_USE enum status run_streams_add(struct run_streams *s,
                                     const struct run_stream_from *from,
                                     struct fault *why);

/* Start lanes and deliverers. INVALID: there is not memory enough; CONFLICT,
 * FULL, OS, …; what was started ends with run_streams_stop(). */
MUST_USE enum status run_streams_start(struct run_streams *s,
                                       const struct run_streams_options *o,
                                       struct fault *why);

/* What there is to do now, of all channels. OK; else one of them can't be
 * delivered: @why. */
MUST_USE enum status run_streams_step(struct run_streams *s, struct fault *why);

/* The rings' socket; NULL: no channel has any. */
const char *run_streams_socket(const struct run_streams *s);

/* Readable when there is something to do; -1: nothing is streamed. */
int run_streams_fd(const struct run_streams *s);

/* Write what each stream does into @beat. */
void run_streams_tell(struct run_streams *s, uint64_t now_ms,
                      struct wire_beat *beat);

/* Whether all that was consumed is with the holders. */
bool run_streams_is_settled(const struct run_streams *s);

/* The command has ended: end the deliverers. Holders stay, until all that was
 * consumed is acknowledged. */
void run_streams_stop(struct run_streams *s);
void run_streams_fini(struct run_streams *s);

#endif /* CLI_RUN_STREAM_H */
