/* SPDX-License-Identifier: Apache-2.0 */
/* libsmshard: a training process reads what smshard delivers to it, where it
 * lies: no copy, no system call while there is data. smshard(3) has examples.
 *
 * A sample is a view of memory that the worker fills and the process can only
 * read. It stays as it is until it is released; when the last sample of a
 * slot is, the slot goes back to be filled again, and the units that ended in
 * it count as done. Samples may be released in any order and by any thread.
 * Whoever still has a copy under way out of a sample releases it afterwards.
 *
 * A handle belongs to the process that opened it: in a child of fork() it says
 * SMSHARD_FORKED and can only be closed; the child opens its own.
 * smshard_next() and the rest are for one thread at a time, but for
 * smshard_release().
 *
 * Nothing here ends the process, prints, or touches a signal. */

#ifndef SMSHARD_H
#define SMSHARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call says: these numbers stay. Below 0 it has failed, and
 * smshard_error() says why. */
enum smshard_status {
    SMSHARD_OK = 0,
    SMSHARD_END = 1,      /* The epoch has ended: sample.epoch. */
    SMSHARD_OVER = 2,     /* All epochs have: nothing more comes. */
    SMSHARD_TIMEOUT = 3,  /* Nothing has come in time. */
    SMSHARD_RESET = -1,   /* The worker has gone, or turned this process out:
                             smshard_reopen(), or close. */
    SMSHARD_REFUSED = -2, /* No such channel, rank or mode; another version. */
    SMSHARD_INVALID = -3, /* The caller's mistake. */
    SMSHARD_HELD = -4,    /* Release something before: all slots are held, or
                             nothing comes before that. */
    SMSHARD_STALE = -5,   /* Released too late: it does not count. */
    SMSHARD_FORKED = -6,  /* The handle is another process's. */
    SMSHARD_SYSTEM = -7,  /* The system refused a call, or memory. */
    SMSHARD_MALFORMED = -8, /* The unit is not of the format. */
};

/* How a channel's slots are dealt to the consumers of a rank. */
enum smshard_mode {
    SMSHARD_ANY = 0,
    SMSHARD_EXCLUSIVE = 1, /* One process has them all, in order. */
    SMSHARD_SHARE = 2,     /* Each goes to one of several processes. */
    SMSHARD_BROADCAST = 3, /* Each goes to every one of several, in order. */
};

enum { SMSHARD_MEMBER_ANY = -1, SMSHARD_RANK_ENV = -1 };

struct smshard;

/* Begin with SMSHARD_OPTIONS and set what differs. */
struct smshard_options {
    size_t size;         /* Of this struct: later versions add fields. */
    const char *socket;  /* NULL: SMSHARD_RING of the environment. */
    const char *channel; /* Has to be there. */
    int rank;            /* Of the host, or SMSHARD_RANK_ENV: LOCAL_RANK, or
                            0. */
    int mode;            /* enum smshard_mode: what is expected. */
    int member;          /* Broadcast: which of them, or any. */
    unsigned hold_max;   /* Slots held at once; 0: as many as there are. */
    int timeout_ms;      /* To be let in; -1: for ever. */
};
#define SMSHARD_OPTIONS                                                        \
    {                                                                          \
        sizeof(struct smshard_options), NULL, NULL, SMSHARD_RANK_ENV,          \
            SMSHARD_ANY, SMSHARD_MEMBER_ANY, 0, 10000                          \
    }

/* A unit, or a part of one that is larger than a slot. Parts come one behind
 * the other, as one sample where they lie so. */
struct smshard_sample {
    const void *data;
    size_t size;
    uint64_t epoch;
    uint64_t position;  /* In the epoch's order. */
    uint64_t offset;    /* In the unit; 0 where it is whole, */
    uint64_t unit_size; /* then as @size. */
    int is_first;       /* Holds the unit's first byte, */
    int is_last;        /* and its last. */
    uint32_t token[8];  /* The library's. */
};

struct smshard_memory {
    const void *data; /* Of all slots, one behind the other. */
    size_t size;
    size_t slot_size;
    uint32_t slot_count;
    int mode;
    uint32_t consumer; /* This one's number. */
};

struct smshard_stats {
    uint64_t samples;
    uint64_t bytes;
    uint64_t slots;   /* Taken, */
    uint64_t held;    /* and held now. */
    uint64_t stale;   /* Released too late. */
    uint64_t skipped; /* Units that the worker could not read. */
    uint64_t sleeps;  /* Times that nothing was there. */
    uint64_t sleep_ns;
};

/* Open one ring. OK; REFUSED, INVALID, TIMEOUT (its place is taken), RESET
 * (nobody listens), SYSTEM: a line about it in @why, @why_size bytes or
 * NULL. */
int smshard_open(const struct smshard_options *options, char *why,
                 size_t why_size, struct smshard **out);

/* Take the next sample, waiting at most @timeout_ms; 0: not at all; -1: for
 * ever. OK, END, OVER, TIMEOUT, RESET, HELD, FORKED. */
int smshard_next(struct smshard *s, int timeout_ms, struct smshard_sample *out);

/* Give a sample back, once. OK; STALE: it counts as not done; INVALID: it was
 * given back before, or is none; FORKED. */
int smshard_release(struct smshard *s, struct smshard_sample *sample);

/* After RESET, with nothing held: connect anew. What the job does not count as
 * done comes again, which may be something that was released; where the whole
 * job was started anew, all does: (epoch, position) tells which unit it is. As
 * smshard_open(); INVALID: samples are still held. */
int smshard_reopen(struct smshard *s, int timeout_ms);

/* Readable when smshard_next() may have something, after it has said TIMEOUT;
 * for poll and the like, never to be read from. -1: the system has none. */
int smshard_fd(struct smshard *s);

/* Where the samples lie, say to register it with a device. After a reopen it
 * may lie elsewhere. */
int smshard_memory(const struct smshard *s, struct smshard_memory *out);

int smshard_stats(const struct smshard *s, struct smshard_stats *out);

/* Give all back and free the handle. Views are of no use any more. What was
 * not released counts as not done. */
void smshard_close(struct smshard **handle);

/* Why the last call of the handle failed; lives until its next one. */
const char *smshard_error(const struct smshard *s);

/* A sentence for each status. */
const char *smshard_status_text(int status);

const char *smshard_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SMSHARD_H */
