/* SPDX-License-Identifier: Apache-2.0 */
/* What a feed is made of; private to feed*.c.
 *
 * A unit is here from the moment it is foreseen (holder_peek()) or handed out
 * until it is done. Before it is handed out it may go again: its lease was
 * cut or lost, or another one is nearer. */

#ifndef WORKER_FEED_STATE_H
#define WORKER_FEED_STATE_H

#include "base/buf.h"
#include "worker/feed.h"
#include "worker/feed_line.h"

enum {
    FEED_UNITS_MAX = FEED_TICKETS_MAX,
    FEED_OUT_MAX = 64 << 10, /* No line is taken while more is unread. */
    FEED_UNITS_TABLE = 1024, /* A power of two. */
    FEED_PAUSE_MS = 1000,    /* From one try to accept to the next. */
    FEED_UNIT_MS = 100,      /* A guess: how long a rank takes for one. */
};

enum feed_unit_state {
    FEED_UNIT_COMING,
    FEED_UNIT_HERE,
    FEED_UNIT_FAILED, /* Tried again when it is asked for. */
};

struct feed_unit {
    struct feed_unit *chain; /* Of the table. */
    struct holder_unit unit;
    uint32_t channel;
    uint32_t rank;
    uint64_t size;
    uint64_t ticket; /* 0: none; it has failed. */
    enum feed_unit_state state;
    const char *path;
    enum status status; /* FAILED, */
    struct fault why;   /* and why. */
    bool is_next;       /* It was its rank's next one when it was fetched, or
                           has been since, */
    bool is_asked;      /* and somebody has asked for it. */
    bool is_seen;       /* By the present look ahead. */
    bool is_handed;     /* Out to a process, */
    uint64_t owner;     /* over this connection; 0: kept beyond it. */
};

/* How far somebody has come in a channel's epochs. */
struct feed_view {
    bool is_set;
    uint64_t epoch;
    bool is_ended; /* It was told that this epoch has ended. */
};

enum feed_wait { FEED_WAIT_NOTHING, FEED_WAIT_NEXT, FEED_WAIT_COMMIT };

struct feed_conn {
    uint64_t number; /* From 1. */
    int fd;
    uint32_t rank;
    bool is_kept;    /* Its units outlive it. */
    bool is_ending;  /* Nothing more comes: close when all is answered. */
    bool is_gone;    /* Close now. */
    uint32_t events; /* What epoll was told. */
    struct buf in;
    struct buf out;
    enum feed_wait wait;
    uint32_t channel; /* NEXT, COMMIT: of this channel, */
    uint64_t lease;   /* COMMIT: and this unit. */
    uint64_t position;
    struct feed_view views[FEED_CHANNELS_MAX];
};

struct feed {
    struct feed_options options;
    struct feed_source *sources; /* For the fetch. */
    struct feed_fetch *fetch;
    char *folder; /* Private; holds the socket. */
    char *path;
    int listen_fd;
    int epoll_fd;
    struct feed_conn *conns[FEED_CONNECTIONS_MAX];
    uint32_t conn_count;
    bool is_full;         /* No descriptor is left: nobody is accepted, */
    uint64_t full_end_ms; /* until then, or until a client leaves. */
    bool is_full_told;    /* Since all who waited were accepted last. */
    struct feed_unit *units[FEED_UNITS_MAX];
    uint32_t unit_count;
    struct feed_unit *by_unit[FEED_UNITS_TABLE];
    /* Of connections that keep their units, by rank and channel; and what any
     * connection of the rank was told. */
    struct feed_view views[WORK_WANTS_MAX][FEED_CHANNELS_MAX];
    struct feed_stats stats;
    enum status failed; /* For the end of the step. */
    struct fault failed_why;
};

/* ---- Connections (feed_os.c) --------------------------------------------- */

void feed_reply(struct feed_conn *c, const char *text);

/* ---- What is asked (feed_serve.c) ---------------------------------------- */

/* Take @text, the next line of @c. */
void feed_serve_line(struct feed *f, struct feed_conn *c, struct bytes text,
                     uint64_t now_ms);

/* Answer @c, which waits for a unit, if that can be done now. */
void feed_serve_next(struct feed *f, struct feed_conn *c, uint64_t now_ms);

/* @c is gone: its units are handed out anew. */
void feed_serve_end(struct feed *f, const struct feed_conn *c);

/* Hand on what has become of commits. */
void feed_serve_outcomes(struct feed *f);

/* ---- Units and their files (feed_unit.c) ----------------------------------
 */

/* Find the unit that was handed to @rank, of whatever lease. NULL. */
struct feed_unit *feed_unit_handed(const struct feed *f, uint32_t channel,
                                   uint32_t rank, uint64_t position);

/* Find the file for @unit, which comes after @ahead others; start fetching when
 * there is none. NULL: no more files can be fetched now. */
struct feed_place {
    uint32_t channel;
    uint32_t rank;
    uint32_t ahead;
};
struct feed_unit *feed_unit_need(struct feed *f, const struct feed_place *at,
                                 const struct holder_unit *unit);

/* The disk was full when it was foreseen, and it is asked for now: units may
 * have gone meanwhile. Try again, once. */
bool feed_unit_tries_again(struct feed *f, struct feed_unit *u);

/* Forget it and its file. */
void feed_unit_drop(struct feed *f, struct feed_unit *u);

/* Take what was fetched. */
void feed_unit_take(struct feed *f);

/* Fetch what will be asked for next, let go what will not. */
void feed_unit_look_ahead(struct feed *f);

#endif /* WORKER_FEED_STATE_H */
