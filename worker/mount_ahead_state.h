/* SPDX-License-Identifier: Apache-2.0 */
/* Private to mount_ahead.
 *
 * mount_ahead.c        reads: admission, waiting, release
 * mount_ahead_piece.c  pieces and their cells
 * mount_ahead_plan.c   windows of files
 * mount_ahead_order.c  what comes next in the order
 * mount_ahead_reach.c  how much memory pays */

#ifndef WORKER_MOUNT_AHEAD_STATE_H
#define WORKER_MOUNT_AHEAD_STATE_H

#include "worker/mount_ahead.h"

enum { MOUNT_HEADS_MAX = 16 };

enum mount_piece_state {
    PIECE_FREE,
    PIECE_FETCHING,
    PIECE_READY,
    PIECE_FAILED, /* Those who have waited are not gone yet. */
};

struct mount_piece {
    enum mount_piece_state state;
    uint64_t object;
    uint64_t from;
    uint32_t size;
    uint32_t pins;    /* Reads that have it. */
    uint32_t served;  /* Bytes. */
    uint64_t used_at; /* Counts up. */
    uint32_t due_in_ms;
    bool is_ahead; /* Kept for who is to read it. */
    bool is_warm;  /* There is memory behind its cell. */
    bool is_cancelled;
    bool is_whole;           /* All of the object. */
    enum mount_act_kind act; /* In the list of acts. */
    uint32_t next_act;
    uint64_t order; /* Its place in the order and 1, before it is opened; 0. */
};

struct mount_ahead_file {
    struct mount_ahead_file *next;
    struct mount_ahead_file *prev;
    uint64_t object;
    uint64_t size;
    uint64_t end;    /* Of what was read. */
    uint64_t front;  /* What is planned ahead ends here. */
    uint64_t window; /* 0: it is not read in sequence. */
    uint64_t grown;  /* The window has grown on behalf of what is before. */
    uint32_t strays; /* Reads outside of the sequence, in a row. */
    bool has_read;
};

/* One reader of the order, of several: a place is epoch * count + position. */
struct mount_head {
    uint64_t next;    /* Expected, */
    uint64_t front;   /* planned up to here, */
    uint64_t at;      /* and so much of that one. */
    uint64_t window;  /* Bytes. */
    uint64_t grown;   /* As in a file. */
    uint64_t used_at; /* Of the openings. */
    uint32_t streak;  /* Files that came as expected; 0: it is none. */
};

struct mount_reads {
    struct mount_ahead_read *first;
    struct mount_ahead_read **tail;
};

/* Bytes that may lie ahead of all readers together, */
struct mount_reach {
    uint64_t bytes;
    uint64_t most;
    uint64_t before; /* what they were before this trial; 0: there is none. */
    uint64_t rate;   /* Read in a second, at best, with what was before. */
    uint64_t now_ms;
    uint64_t since_ms; /* This trial began, */
    uint64_t since_bytes;
    uint32_t rest; /* Trials until the next one, */
    uint32_t rests;
    bool is_wanted; /* Somebody has waited. */
};

struct mount_ahead {
    struct mount_ahead_options o;
    struct mount_reach reach;
    uint32_t warm; /* Cells. */
    uint32_t grid;
    uint32_t read_max;
    struct mount_piece *pieces; /* One a cell. */
    uint32_t first_act;
    uint32_t last_act;
    uint64_t clock;
    uint32_t ahead; /* Pieces that are kept for who is to read them. */
    uint32_t fetching;
    uint32_t pinned; /* Pieces with pins. */
    struct mount_ahead_file *files;
    uint32_t sequential;         /* Files with a window. */
    struct mount_reads waiting;  /* For pieces. */
    struct mount_reads starving; /* For cells. */
    struct mount_reads ripe;
    bool is_stopped;
    struct mount_head heads[MOUNT_HEADS_MAX];
    uint64_t openings; /* First reads. */
    bool is_order_due; /* More may be planned than was. */
    struct mount_ahead_stats stats;
};

#define PIECE_NONE UINT32_MAX

/* ---- mount_ahead_piece.c */

/* The piece that has the byte; NULL. */
struct mount_piece *piece_find(const struct mount_ahead *a, uint64_t object,
                               uint64_t at);

/* Where the first piece behind @at begins, or @end. */
uint64_t piece_next(const struct mount_ahead *a, uint64_t object, uint64_t at,
                    uint64_t end);

/* Pieces that could be had by a reader. */
uint32_t piece_count_free(const struct mount_ahead *a);

/* A free one. For what is only fetched ahead nothing that is kept makes room.
 * NULL: there is none. */
struct mount_piece *piece_take(struct mount_ahead *a, bool is_ahead);

struct mount_range {
    uint64_t object;
    uint64_t object_size;
    uint64_t from;
    uint64_t end;
};

/* Begin to fetch the range into a piece that was taken. */
void piece_fetch(struct mount_ahead *a, struct mount_piece *p,
                 const struct mount_range *range, uint32_t due_in_ms);

void piece_pin(struct mount_ahead *a, struct mount_piece *p);
void piece_unpin(struct mount_ahead *a, struct mount_piece *p);

/* Somebody waits for it. */
void piece_hurry(struct mount_ahead *a, struct mount_piece *p);

void piece_set_ahead(struct mount_ahead *a, struct mount_piece *p,
                     bool is_ahead);

/* It is not wanted: cancel it, or let it make room. */
void piece_forget(struct mount_ahead *a, struct mount_piece *p);
void piece_free(struct mount_ahead *a, struct mount_piece *p);

/* Cancel so many fetches that nobody waits for, those needed last first. */
void piece_cancel(struct mount_ahead *a, uint32_t count);

uint32_t piece_cell(const struct mount_ahead *a, const struct mount_piece *p);

/* ---- mount_ahead.c */

/* Reads that have waited for cells may get them. */
void reads_retry(struct mount_ahead *a);

/* ---- mount_ahead_plan.c */

/* Cells that are not for what is fetched ahead. */
uint32_t plan_reserve(const struct mount_ahead *a);

/* @read has just been asked for. */
void plan_read(struct mount_ahead *a, const struct mount_ahead_read *read);

/* @file is about to be closed. */
void plan_close(struct mount_ahead *a, struct mount_ahead_file *file);

/* ---- mount_ahead_reach.c */

void reach_init(struct mount_ahead *a);

/* A read was asked for. */
void reach_read(struct mount_ahead *a, bool has_waited);

/* What each of them may have ahead. */
uint64_t reach_each(const struct mount_ahead *a, uint32_t readers);
uint64_t reach_cells(const struct mount_ahead *a);

/* ---- mount_ahead_order.c */

/* @read is the first one of its file. */
void order_open(struct mount_ahead *a, const struct mount_ahead_read *read);

/* Something may have made room for more. */
void order_plan(struct mount_ahead *a);

#endif /* WORKER_MOUNT_AHEAD_STATE_H */
