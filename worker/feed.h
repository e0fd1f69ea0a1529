/* SPDX-License-Identifier: Apache-2.0 */
/* Feed: a socket on which the command's processes ask for their next unit and
 * say what became of it (feed_os.c; docs/take.md has the lines).
 *
 * It stands between the processes and the holders of this host. Units are
 * fetched as files ahead of being asked for, and their files go once they are
 * done. A unit belongs to the connection it was given to: when that is lost,
 * what was not done is handed out anew, unless the process has said `keep`.
 *
 * Processes are not trusted to be right: lines and connections are bounded,
 * what is not understood is answered with an error and counted. Only this
 * user can reach the socket: it lies in a folder of mode 0700.
 *
 * The owner has one loop. It waits for feed_fd() (readable) and
 * feed_timer_ms(), calls feed_step() then and after every holder_take(), and
 * afterwards sends what holder_work() has to say. The feed takes the holders'
 * outcomes; nobody else may call their ranks' side.
 *
 * Threads: the owner's, and those of feed_fetch.h. */

#ifndef WORKER_FEED_H
#define WORKER_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/feed_fetch.h"
#include "worker/holder.h"

enum {
    FEED_CHANNELS_MAX = 20,
    FEED_CONNECTIONS_MAX = 256,
    FEED_AHEAD_MAX = 64,
};

/* Tell which object is at @position of @channel (its place in the options)
 * in @epoch. Called from feed_step(). */
typedef enum status feed_object_fn(void *self, uint32_t channel,
                                   uint64_t position, uint64_t epoch,
                                   struct bring_object *out);

struct feed_channel {
    struct feed_source source;
    struct holder *holder; /* The owner's; outlives the feed. */
    uint32_t ahead_units;  /* Fetched ahead for each rank, 1 to
                              FEED_AHEAD_MAX, */
    uint64_t ahead_bytes;  /* and of all ranks no more than this, but one. */
    bool skips;            /* Skip what can't be read; else feed_step()
                              tells and the process gets an error. */
};

struct feed_options {
    const char *folder; /* Where the socket's private folder is made; /tmp
                           when the path is too long for a socket. */
    const struct feed_channel *channels; /* Must outlive the feed. */
    uint32_t channel_count;
    uint32_t rank_count;   /* Of this host: that of each holder. */
    struct fetch *fetch;   /* Outlives the feed. Its sources from here on are */
    uint32_t fetch_source; /* those of the channels, in order. */
    uint32_t parts;        /* As in feed_fetch.h. */
    feed_object_fn *object;
    void *object_self;
};

struct feed;

/* Open the socket and begin to fetch. DENIED, NO_SPACE, CONFLICT, IO, OS. */
MUST_USE enum status feed_new(const struct feed_options *options,
                              struct fault *why, struct feed **out);

/* Close every connection, remove the files and the socket. */
void feed_destroy(struct feed **f);

/* The socket's path, for SMSHARD_SOCKET. */
const char *feed_path(const struct feed *f);

int feed_fd(const struct feed *f);

/* When a holder has something to say at the latest, or the feed tries again to
 * accept: it stops for a moment when the process has no descriptor left. */
uint64_t feed_timer_ms(const struct feed *f);

/* Do all that can be done now; never blocks. OK; else a unit could not be
 * read, @why names channel and key: told once for each try, the feed goes on
 * and tries again when it is asked for. */
MUST_USE enum status feed_step(struct feed *f, uint64_t now_ms,
                               struct fault *why);

struct feed_stats {
    uint64_t connections; /* Ever. */
    uint32_t connected;
    uint32_t waiting;  /* Connections that wait for a unit. */
    uint64_t errors;   /* Lines that were not understood or not allowed. */
    uint64_t turned;   /* Connections turned away: too many. */
    uint64_t fetched;  /* Units, */
    uint64_t bytes;    /* and what is in them. */
    uint64_t failed;   /* Units that could not be read. */
    uint64_t returned; /* Units of connections that were lost. */
};
struct feed_stats feed_stats(const struct feed *f);

#endif /* WORKER_FEED_H */
