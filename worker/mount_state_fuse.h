/* SPDX-License-Identifier: Apache-2.0 */
/* Private to mount.
 *
 * mount_fuse.c        start and stop, the threads that answer
 * mount_names_fuse.c  names and attributes
 * mount_bytes_fuse.c  reads, and the thread that waits for the fetch
 *
 * A read is answered by the thread that has it, when all of it is there; else
 * it is parked, and answered by the thread that waits. Nobody waits for
 * anything under the lock. The port is used under it alone, by one thread at
 * a time. */

#ifndef WORKER_MOUNT_STATE_FUSE_H
#define WORKER_MOUNT_STATE_FUSE_H

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

#include "worker/mount.h"

/* A read of the system. */
struct mount_request {
    struct mount_ahead_read read;
    fuse_req_t req;
    struct mount_request *next;
};

struct mount {
    struct mount_options o;
    char *folder;
    char *channel;
    struct mount_tree *tree;
    struct fuse_session *session;
    struct stat stat; /* What all inodes have in common. */

    uint32_t *slots; /* Those that were taken. */
    uint32_t slot_count;
    uint32_t cells_each; /* Of a slot. */
    uint32_t cell_bytes;
    uint32_t read_max;

    int stop; /* Readable when the threads are to end. */
    atomic_bool is_stopping;
    atomic_bool has_begun; /* The connection is agreed on; looked at once. */
    pthread_t threads[MOUNT_THREADS_MAX];
    uint32_t thread_count;
    pthread_t waiter;
    bool has_waiter;

    pthread_mutex_t lock;
    struct {
        struct mount_ahead *ahead;
        struct fetch_port *port;
        struct mount_request *spare;
        struct fault why; /* Of the fetch that failed last; or "". */
        uint64_t failed;  /* Reads. */
        uint64_t said;    /* So many of them were in the log, */
        uint64_t said_ms; /* then. */
    } locked;
};

/* ---- mount_names_fuse.c */

void mount_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void mount_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void mount_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void mount_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                   struct fuse_file_info *fi);
void mount_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi);
void mount_statfs(fuse_req_t req, fuse_ino_t ino);

/* ---- mount_bytes_fuse.c */

void mount_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void mount_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void mount_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                struct fuse_file_info *fi);

/* The thread that waits. */
void *mount_wait(void *self);

/* After the threads: what is parked fails. */
void mount_end_reads(struct mount *m);

#endif /* WORKER_MOUNT_STATE_FUSE_H */
