/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the library share. It depends on proto/ring*.h and on
 * nothing else of the project. */

#ifndef SMSHARD_STATE_H
#define SMSHARD_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "proto/ring_greeting.h"
#include "proto/ring_word.h"
#include "worker/client/smshard.h"

enum { SMSHARD_PATH_MAX = 4096, SMSHARD_WHY_MAX = RING_TEXT_MAX + 256 };

/* The moments at which a test may end the process. */
enum smshard_point {
    SMSHARD_AT_HELLO,
    SMSHARD_AT_WELCOME,
    SMSHARD_AT_MAPPED,
    SMSHARD_AT_LEASE, /* About to, */
    SMSHARD_AT_LEASED,
    SMSHARD_AT_OPENED,
    SMSHARD_AT_TOLD, /* An end, before anybody else knows. */
    SMSHARD_AT_SAMPLE,
    SMSHARD_AT_RELEASE, /* About to, */
    SMSHARD_AT_RELEASED,
    SMSHARD_AT_DISARMED, /* and before the worker was rung. */
    SMSHARD_AT_RUNG,
    SMSHARD_AT_WAIT,
    SMSHARD_AT_WOKEN,
    SMSHARD_AT_CLOSE,
    SMSHARD_POINTS,
};

#ifdef SMSHARD_HOOKS
void smshard_hook(enum smshard_point point);
#else
static inline void smshard_hook(enum smshard_point point)
{
    (void)point;
}
#endif

/* What this process has of a slot. */
struct smshard_held {
    _Atomic uint32_t refs; /* Samples given out, and 1 while it is read. */
    _Atomic uint32_t gen;
    _Atomic bool is_held;
};

/* The slot that is being read. */
struct smshard_reading {
    bool is_open;
    uint32_t slot;
    uint32_t gen;
    uint32_t next; /* Entry. */
    uint32_t count;
};

struct smshard {
    char socket[SMSHARD_PATH_MAX];
    char channel[RING_CHANNEL_MAX];
    uint32_t rank;
    uint32_t mode; /* That was asked for. */
    uint32_t member;
    uint32_t want;
    int pid;                /* Whose handle it is. */
    volatile char *is_ours; /* A page that is zeroed in a child; or NULL. */

    /* The connection: all of it anew with each one. */
    int fd;
    int fds[RING_FDS];
    int wait_fd; /* -1: nobody has asked for it. */
    struct ring_layout layout;
    struct ring_shared *shared;
    void *control;
    const void *tables;
    const char *data;
    uint32_t consumer;
    uint32_t queue;
    uint32_t hold_max;
    uint32_t connections; /* How many this is. */
    uint64_t incarnation;
    bool is_reset;
    bool was_busy; /* Connecting: @why says who is in our place. */

    uint64_t cursor;
    uint64_t chain; /* Share: the number of the slot whose unit is to go on
                       here, and 1; or 0. */
    bool is_behind; /* Share: ends may have been missed. */
    struct smshard_reading reading;
    struct smshard_held *held; /* Of each slot. */
    _Atomic uint64_t *given;   /* Of each slot and entry, a bit. */
    _Atomic uint32_t held_count;

    uint64_t ended; /* The last epoch that was told to have, and 1. */
    bool has_unit;  /* The last one that was given whole: */
    uint64_t epoch;
    uint64_t position;
    uint64_t units; /* and how many. */

    unsigned idle; /* Calls in a row that found nothing. */
    struct smshard_stats stats;
    _Atomic uint64_t stale;
    char why[SMSHARD_WHY_MAX];
};

__attribute__((format(printf, 3, 4))) int smshard_fail(struct smshard *s,
                                                       int status,
                                                       const char *format, ...);

static inline struct ring_slot *smshard_slot(const struct smshard *s,
                                             uint32_t slot)
{
    return ring_slot_at(s->control, &s->layout, slot);
}

/* ---- smshard_walk.c: the shared memory, no calls to the system. ---------- */

/* Go on to the next sample that is there. OK, END, OVER, HELD, RESET;
 * TIMEOUT: there is none now. */
int smshard_walk(struct smshard *s, struct smshard_sample *out);

/* Whether all that there will ever be was taken. */
bool smshard_is_over(const struct smshard *s);

/* As smshard_release(). */
int smshard_give(struct smshard *s, const struct smshard_sample *sample);

/* No sample is out, and no thread gives one back: the slot that is read may be
 * out. */
bool smshard_is_idle(const struct smshard *s);

/* Tell the worker that something came back (smshard_open_os.c). */
void smshard_ring_worker(const struct smshard *s);

#endif /* SMSHARD_STATE_H */
