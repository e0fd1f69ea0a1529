/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch: ranges of objects into memory, over lanes (fetch_os.c).
 *
 * A lane is a thread, bound to the cores it was given, with a store handle
 * for each source. All requests wait in one order: the one that is due soonest
 * goes next, whoever asked, over the lane that it prefers; as many are under
 * way as pay (pace.h). Every range is pinned to its etag, and is whole or
 * fails: the store checks length, range and checksum, retries, and asks twice
 * where an answer is far later than usual (store/retry.h; the second answer
 * goes to memory of its own, store/hedge.h, so that what is written to @into
 * comes from one of them alone).
 *
 * A store that does its work inside poll (a directory) has one request of a
 * lane under way at a time: give such a source more lanes.
 *
 * What is asked for may be written to a file, too, by the lane that has it in
 * its cache: a disk that is slow makes that lane wait.
 *
 * Who asks opens a port: its answers come there and nowhere else. A port
 * belongs to one thread, each to its own. */

#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/crc.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    FETCH_LANES_MAX = 64,
    FETCH_SOURCES_MAX = 64,
    FETCH_CORES_MAX = 1024,
    FETCH_LANE_MAX = 64,  /* Requests under way in one lane. */
    FETCH_NAME_MAX = 128, /* Of an etag or a version, with its NUL. */
    FETCH_NOW = 0,        /* The due of what somebody waits for: it goes even
                             when as many as pay are under way, up to */
    FETCH_NOW_MAX = 16,   /* so many beyond that. */
};

#define FETCH_ANY UINT32_MAX /* A lane, whichever. */

/* Where a channel's objects are. */
struct fetch_source {
    const char *name;     /* For messages: the channel. */
    const char *root_uri; /* What store_open() takes; keys are below it. */
};

/* A lane's place. */
struct fetch_lane {
    const uint32_t *cores; /* To be bound to; NULL: any. */
    uint32_t core_count;
};

struct fetch_options {
    const struct fetch_source *sources; /* Must outlive it. */
    uint32_t source_count;
    const struct fetch_lane *lanes; /* NULL: @lane_count of any place. */
    uint32_t lane_count;            /* 1 to FETCH_LANES_MAX. */
    uint32_t requests_max; /* Under way at once, all lanes; 0: as pays. */
    uint32_t requests;     /* So many at once, whether they pay or not. */
};

struct fetch;
struct fetch_port;

/* Start the lanes. NOT_FOUND, DENIED, …: a source can't be opened; INVALID: one
 * is no root; OS. */
MUST_USE enum status fetch_start(const struct fetch_options *options,
                                 struct fault *why, struct fetch **out);

/* Ports have to be closed. */
void fetch_stop(struct fetch **f);

/* Requests of which only the last matters: the port is not signalled before
 * it, or a failure. Zeroed at first; fetch's while one of them is under way. */
struct fetch_group {
    uint32_t count;
};

/* What the store tells of an object without sending it. */
struct fetch_look {
    uint64_t size;
    char etag[FETCH_NAME_MAX];
    char version[FETCH_NAME_MAX]; /* "" without versions. */
    struct crc sum;               /* Of the whole, where the store keeps one. */
};

struct fetch_request {
    uint64_t tag; /* Unique among those of the port. */
    uint32_t source;
    uint32_t lane;           /* That of the memory's node; or FETCH_ANY. */
    struct bytes key;        /* Copied, as is @etag. */
    struct bytes etag;       /* Empty: any. */
    const char *version;     /* Of this one; copied. NULL: the newest. */
    struct fetch_look *look; /* Not NULL: only that; neither size nor memory. */
    uint64_t offset;
    size_t size;       /* At least 1. */
    bool is_whole;     /* It is all of the object: its checksum is looked at. */
    enum crc_kind sum; /* To be made of the range. */
    bool has_file;     /* Write it to @fd, at @offset. */
    int fd;
    struct fetch_group *group; /* Or NULL. */
    void *into;                /* Not touched after the event. */
    uint64_t due; /* What is needed first has the lower one: milliseconds of
                     fetch_clock_ms(), or FETCH_NOW. */
};

/* OK: all @size bytes are there. CHANGED (overwritten or shortened), NOT_FOUND,
 * DENIED, STOPPED (it was cancelled), INVALID (beyond the end of an object
 * that no etag pins), STORE, TIMEOUT. */
struct fetch_event {
    uint64_t tag;
    enum status status;
    uint64_t size;    /* Of the object, as far as the store has said. */
    uint64_t sum;     /* OK: of the range, of the kind asked for. */
    bool is_short;    /* Not OK, for the object ends before the range does. */
    int write_error;  /* Not OK, for the file could not be written: errno. */
    struct fault why; /* Unless OK: names channel and key. Else "". */
};

/* NULL: the system has no descriptor for it. */
struct fetch_port *fetch_open(struct fetch *f);

/* Cancels all that is on its way, and waits until no byte of it can move. */
void fetch_close(struct fetch_port **p);

void fetch_submit(struct fetch_port *p, const struct fetch_request *request);

/* Its event comes all the same, and soon: STOPPED, or how it has ended by then.
 */
void fetch_cancel(struct fetch_port *p, uint64_t tag);

/* Needed sooner, or later, than was said. */
void fetch_hurry(struct fetch_port *p, uint64_t tag, uint64_t due);

/* Readable when events have come that fetch_take() did not yet return; take
 * until it says false. */
int fetch_fd(const struct fetch_port *p);

/* Take an event; false: none now. */
bool fetch_take(struct fetch_port *p, struct fetch_event *out);

/* The same, but wait at most @timeout_ms; -1: for ever. false at once when
 * nothing is asked for. */
bool fetch_wait(struct fetch_port *p, int timeout_ms, struct fetch_event *out);

/* The clock of due: milliseconds, never 0. */
uint64_t fetch_clock_ms(const struct fetch *f);

struct fetch_stats {
    uint64_t requests; /* Answered. */
    uint64_t bytes;
    uint64_t failed;
    uint64_t hedged;     /* Asked for twice, */
    uint64_t hedges_won; /* and the second one was first. */
    uint32_t waiting;
    uint32_t inflight;
    uint32_t target; /* So many pay now. */
};
struct fetch_stats fetch_stats(struct fetch *f);

#endif /* WORKER_FETCH_H */
