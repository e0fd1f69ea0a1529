/* SPDX-License-Identifier: Apache-2.0 */
/* Ahead: what a mount has fetched, and what it fetches next. A pure core.
 *
 * Memory is a number of cells. A piece is a range of an object in a cell of its
 * own: being fetched, or there. A read gets all its pieces at once or waits
 * with none; those who want the same piece wait for one fetch. Pieces begin
 * and end at multiples of the grid, or at an object's end.
 *
 * What is fetched beyond what is asked for:
 *   - a reader that goes on where it left off has a window before it, which
 *     doubles when it had to wait, up to its share of as much memory as
 *     makes reading faster;
 *   - while files are read for the first time in the known order, those that
 *     come next, in a window that grows in the same way;
 *   - for any other read, nothing.
 * What was fetched ahead is kept until it was read or its reason is gone; all
 * else makes room, the one that was used longest ago first.
 *
 * One event in; then mount_ahead_act() says what to do and mount_ahead_ripe()
 * who need not wait any more, until both have nothing. One thread at a time. */

#ifndef WORKER_MOUNT_AHEAD_H
#define WORKER_MOUNT_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    MOUNT_CELLS_MIN = 4,
    MOUNT_CELLS_MAX = 1024,
    MOUNT_GRID_MAX = 64 << 10,
    MOUNT_READ_MAX = 1 << 20, /* No read is larger. */
    MOUNT_VIEWS_MAX = MOUNT_READ_MAX / MOUNT_GRID_MAX + 2,
};

/* In which order objects are expected, epoch after epoch. */
struct mount_order {
    void *self;
    uint64_t count; /* Positions of an epoch; 0: no order. */
    /* The object at a position below the count, */
    uint64_t (*object)(void *self, uint64_t epoch, uint64_t position);
    /* and back; at least the count: it is not among them. */
    uint64_t (*position)(void *self, uint64_t epoch, uint64_t object);
};

struct mount_ahead_options {
    uint32_t cells;      /* MOUNT_CELLS_MIN to MOUNT_CELLS_MAX. */
    uint32_t cell_bytes; /* A power of two, 4096 at least. */
    struct mount_order order;
    uint64_t (*size_of)(void *self, uint64_t object); /* For the order. */
    void *self;
};

struct mount_ahead;
struct mount_ahead_file;

struct mount_ahead *mount_ahead_new(const struct mount_ahead_options *options);

/* So late it is, on a clock that does not go back; said before an event, so
 * that memory that brings nothing is not used. */
void mount_ahead_time(struct mount_ahead *a, uint64_t now_ms);

/* Files may be open, reads none. */
void mount_ahead_destroy(struct mount_ahead **a);

/* No read may be larger than this: there is room for two of them. */
uint32_t mount_ahead_read_max(const struct mount_ahead *a);

struct mount_ahead_file *mount_ahead_open(struct mount_ahead *a,
                                          uint64_t object, uint64_t size);
void mount_ahead_close(struct mount_ahead *a, struct mount_ahead_file *file);

struct mount_view {
    uint32_t cell;
    uint32_t at; /* In the cell. */
    uint32_t size;
};

/* A read. The caller's memory, from mount_ahead_read() to _release(). */
struct mount_ahead_read {
    void *owner; /* The caller's. */
    enum status status;
    uint32_t view_count;
    struct mount_view views[MOUNT_VIEWS_MAX]; /* Its bytes, in order. */

    /* Private. */
    struct mount_ahead_file *file;
    struct mount_ahead_read *next;
    uint64_t from;
    uint64_t end;
    uint32_t pending; /* Of its pieces. */
    bool has_waited;
};

/* Ask for @size bytes at @from; fewer at the object's end. OK: the views are
 * there; EMPTY: it waits, mount_ahead_ripe() will return it. */
MUST_USE enum status mount_ahead_read(struct mount_ahead *a,
                                      struct mount_ahead_file *file,
                                      uint64_t from, uint32_t size,
                                      struct mount_ahead_read *read);

/* Its views are not looked at any more. */
void mount_ahead_release(struct mount_ahead *a, struct mount_ahead_read *read);

enum mount_act_kind {
    MOUNT_ACT_NONE,
    MOUNT_ACT_FETCH,  /* Fetch a range into a cell, */
    MOUNT_ACT_HURRY,  /* now; */
    MOUNT_ACT_CANCEL, /* not any more. */
};

struct mount_act {
    enum mount_act_kind kind;
    uint32_t cell;
    uint64_t object;
    uint64_t from;
    uint32_t size;
    bool is_whole;      /* It is all of the object. */
    uint32_t due_in_ms; /* 0: somebody waits. */
};
bool mount_ahead_act(struct mount_ahead *a, struct mount_act *out);

/* The fetch into @cell has ended: OK, STOPPED (it was cancelled), or why not.
 */
void mount_ahead_done(struct mount_ahead *a, uint32_t cell, enum status status);

/* The next read that waits no more; NULL. Each has to be released. */
struct mount_ahead_read *mount_ahead_ripe(struct mount_ahead *a);

/* It is over: all that wait become ripe, with STOPPED. */
void mount_ahead_stop(struct mount_ahead *a);

struct mount_ahead_stats {
    uint64_t reads;
    uint64_t bytes;  /* That were read. */
    uint64_t waited; /* Reads that had to wait. */
    uint64_t asked;  /* Bytes asked of the store, */
    uint64_t wasted; /* and those that nobody has read. */
    uint64_t failed; /* Fetches. */
    uint32_t files;  /* Open. */
    uint32_t parked; /* Reads that wait. */
};
struct mount_ahead_stats mount_ahead_stats(const struct mount_ahead *a);

/* CHECK every invariant: O(cells²). */
void mount_ahead_check(const struct mount_ahead *a);

#endif /* WORKER_MOUNT_AHEAD_H */
