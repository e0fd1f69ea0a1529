/* SPDX-License-Identifier: Apache-2.0 */
/* Private to fetch.
 *
 * fetch_os.c        start and stop, who goes next
 * fetch_port_os.c   ports: what their owners call
 * fetch_lane_os.c   lanes: threads that own store handles
 *
 * An item is one request from submit until its event is taken. It waits in a
 * queue, is given to a lane's inbox, is active there, and ends in its port's
 * list. All of that is under the one lock of the fetch; a lane holds it
 * twice for a batch of events, and nobody does anything slow under it. */

#ifndef WORKER_FETCH_STATE_OS_H
#define WORKER_FETCH_STATE_OS_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "store/store_wait.h"
#include "worker/fetch.h"
#include "worker/fetch_queue.h"
#include "worker/pace.h"

enum fetch_item_state {
    FETCH_WAITS,   /* In a queue. */
    FETCH_IS_LANE, /* In a lane's inbox, or active there. */
    FETCH_ENDED,   /* In its port's list. */
};

struct fetch_item {
    struct fetch_wait wait; /* First: the queue's item is ours. */
    struct fetch_item *next;
    struct fetch_item *chain; /* Of the port's table. */
    struct fetch_port *port;
    struct fetch_lane_state *lane; /* FETCH_IS_LANE. */
    enum fetch_item_state state;
    uint64_t tag;
    uint32_t source;
    uint32_t queue; /* Which one: a lane's number, or the one for any. */
    uint64_t offset;
    size_t size;
    bool is_whole;
    enum crc_kind sum_kind;
    struct fetch_look *look;
    bool has_file;
    int fd;
    struct fetch_group *group;
    bool is_cancelled;
    void *into;
    struct buf text; /* Key, NUL, etag, NUL, version; keeps its memory. */
    size_t key_size;
    size_t etag_size;
    struct pace_began began;

    /* The lane's alone, until it has ended. */
    uint32_t tries;
    uint64_t again_us; /* To be asked for again then; 0: it is asked for. */
    enum status status;
    struct fault *why; /* Unless OK. */
    uint64_t object_size;
    uint64_t sum;
    bool is_short;
    int write_error;
    bool is_throttled;
    bool is_hedged;
    bool is_hedge_won;
};

/* A file takes one write at a time, and who else wants to is better asleep
 * than spinning in the kernel: by descriptor. */
enum { FETCH_WRITERS = 64 };

struct fetch_items {
    struct fetch_item *first;
    struct fetch_item **tail;
};

struct fetch_port {
    struct fetch *fetch;
    struct fetch_port *next;
    int fd;
    atomic_uint callers; /* Who is about to write to @fd, without the lock. */
    struct fetch_port *next_call; /* Locked, then the caller's. */
    struct {
        struct fetch_item **table; /* By tag: what has not ended. */
        uint32_t room;             /* A power of two. */
        uint32_t count;
        uint32_t in_lanes;
        struct fetch_items ended;
        bool is_signalled; /* @fd is readable, or about to be. */
        bool is_closing;
    } locked;

    /* The owner's own: so that it holds the lock once for a batch. */
    struct fetch_items taken; /* Ended, to be told. */
    struct fetch_item *spare; /* Without a life; they keep their memory. */
};

struct fetch_lane_state {
    struct fetch *fetch;
    uint32_t index;
    pthread_t thread;
    bool has_thread;
    int wake;
    cpu_set_t cores; /* None: any. */
    struct {
        struct fetch_items inbox;
        uint32_t count; /* There, and active. */
        bool has_cancels;
        bool is_asleep; /* Has to be woken. */
        bool is_stopping;
    } locked;

    /* The thread's own. */
    struct store **stores; /* By source; NULL: not opened yet. */
    struct fetch_item *active[FETCH_LANE_MAX];
    uint32_t active_count;
    struct fetch_items ended; /* To be told. */
    uint32_t ended_count;
    struct store_event events[STORE_EVENTS_MAX];
};

struct fetch {
    const struct fetch_source *sources;
    uint32_t source_count;
    struct fetch_lane_state *lanes;
    uint32_t lane_count;
    uint32_t fixed; /* Requests under way, if that is set. */
    pthread_mutex_t writers[FETCH_WRITERS];
    pthread_mutex_t lock;
    pthread_cond_t is_quiet; /* A closing port has nothing in lanes. */
    struct {
        struct fetch_queue *queues; /* Of each lane; and of those for any. */
        uint32_t waiting;
        uint32_t inflight;
        uint64_t sequence;
        struct pace pace;
        struct fetch_port *ports;
        struct fetch_port *calls; /* To be signalled after unlocking. */
        struct fetch_stats stats;
    } locked;
};

void fetch_items_init(struct fetch_items *list);
void fetch_items_add(struct fetch_items *list, struct fetch_item *item);
struct fetch_item *fetch_items_take(struct fetch_items *list); /* Or NULL. */

uint64_t fetch_now_us(void);

/* ---- fetch_os.c */

/* Give lanes what may go now. */
void fetch_dispatch_locked(struct fetch *f, uint64_t now_us);

/* @lane has something to look at. */
void fetch_wake_locked(struct fetch_lane_state *lane);

/* ---- fetch_port_os.c */

/* The end of what was in a lane. Whoever ends some gives up the lock by
 * fetch_unlock_and_call(). */
void fetch_port_end_locked(struct fetch_item *item);

/* Wake those who wait for what has ended once the lock is free: the first
 * thing that they do is to take it. */
void fetch_unlock_and_call(struct fetch *f);

/* ---- fetch_lane_os.c */

void *fetch_lane_run(void *arg);

/* Open the store of @source, unless it is open. */
MUST_USE enum status fetch_lane_open(struct fetch_lane_state *l,
                                     uint32_t source, struct fault *why);
void fetch_lane_close(struct fetch_lane_state *l);

#endif /* WORKER_FETCH_STATE_OS_H */
