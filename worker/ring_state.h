/* SPDX-License-Identifier: Apache-2.0 */
/* What ring_os.c, ring_serve_os.c and ring_memory_os.c share. */

#ifndef WORKER_RING_STATE_H
#define WORKER_RING_STATE_H

#include "proto/ring_greeting.h"
#include "worker/ring.h"

/* A file of shared memory, mapped here. */
struct ring_memory {
    int fd; /* -1: none. */
    void *at;
    size_t size;
};

/* @is_sealed: nobody can map it to write from now on. OS. */
MUST_USE enum status ring_memory_new(const char *name, size_t size,
                                     bool is_sealed, struct ring_memory *out);
void ring_memory_free(struct ring_memory *m);

enum ring_watch_kind {
    RING_WATCH_LISTEN,
    RING_WATCH_CONN,
    RING_WATCH_PID,      /* The process of a connection. */
    RING_WATCH_RELEASED, /* The eventfd of a ring. */
};

struct ring_watch {
    enum ring_watch_kind kind;
    void *of;
};

struct ring_conn {
    struct ring_watch watch;
    struct ring_watch pid_watch;
    struct ring_host *host;
    struct ring *ring; /* NULL: it has not said hello. */
    int fd;
    int pid_fd;  /* -1: none. */
    int news_fd; /* -1: none. */
    uint32_t consumer;
    bool is_kicked;
    bool is_old;  /* Of a control memory that was given up. */
    bool is_gone; /* To be closed at the end of the step. */
};

struct ring {
    struct ring_watch watch;
    struct ring_host *host;
    struct ring_options options;
    char *channel;
    struct ring_queue *queue;
    struct ring_memory control;
    struct ring_memory tables;
    int released_fd;
    uint64_t incarnation;
    bool is_dirty; /* Something came back, or may have. */
    bool has_cursor;
    struct ring_cursor cursor;
    struct ring_stats stats;
};

struct ring_host {
    struct ring_watch watch;
    char *path;
    int listen_fd;
    bool is_deaf; /* Until the next step: nobody can be accepted now. */
    int epoll_fd;
    uint64_t incarnation; /* The newest one that a ring has. */
    enum status failed;   /* In this step, */
    struct fault why;
    struct ring *rings[RING_RINGS_MAX];
    uint32_t ring_count;
    struct ring_conn *conns[RING_CONNECTIONS_MAX];
    uint32_t conn_count;
};

MUST_USE enum status ring_watch_fd(struct ring_host *h, int fd,
                                   struct ring_watch *watch, uint32_t events);

/* Close it; -1: nothing. A child of the process that has not called exec yet
 * has it open too, so that closing alone does not end the watch. */
void ring_unwatch_fd(struct ring_host *h, int fd);

/* Give up the control memory for another one: all its consumers are kicked, and
 * are old ones. false: the system gives none; it is as it was. */
bool ring_renew(struct ring *r);

/* ---- ring_serve_os.c ----------------------------------------------------- */

/* Again after ring_serve_heed(), when there was no descriptor for it. */
void ring_serve_accept(struct ring_host *h);
void ring_serve_heed(struct ring_host *h);
void ring_serve_packet(struct ring_conn *c);

/* Free it. false: not now. */
bool ring_serve_end(struct ring_conn *c);

/* Its end of the connection is closed; ours is open until it has gone. */
void ring_serve_kick(struct ring_conn *c);

#endif /* WORKER_RING_STATE_H */
