/* SPDX-License-Identifier: Apache-2.0 */
/* Supply: the counter between the main loop, which holds a channel's leases,
 * and the thread that delivers the channel (supply_os.c).
 *
 * The main loop puts units on it, in each rank's order, and takes back what
 * became of them; the deliverer takes units and tells. Neither waits for the
 * other. How much may lie on it is said in units and in bytes, so that small
 * units come by the thousand and large ones a few at a time.
 *
 * Threads: two, each with its own side. */

#ifndef WORKER_SUPPLY_H
#define WORKER_SUPPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/framing.h"

enum { SUPPLY_RANKS_MAX = 64, SUPPLY_REASON_MAX = FAULT_TEXT_MAX };

struct supply_options {
    uint32_t rank_count; /* Of this host, 1 to SUPPLY_RANKS_MAX. */
    uint32_t units_max;  /* Of each rank that are put and not told of; */
    uint64_t bytes_max;  /* and these bytes of them, but for one unit. */
};

struct supply_unit {
    uint64_t epoch;
    uint64_t position;
    uint64_t lease;
    bool is_repeat;    /* Padding: it is not committed. */
    bool is_over;      /* With STOPPED: this was the last epoch. */
    struct bytes key;  /* Views: copied by put; from take, until the next */
    struct bytes etag; /* take of that rank. */
    uint64_t offset;
    uint64_t size;
    bool is_whole;        /* That range is all of the object. */
    enum framing framing; /* Else: it is moved to where records start; RAW:
                             not. */
    uint64_t object_size;
};

struct supply;

/* NULL: the system has no descriptor for it. */
struct supply *supply_new(const struct supply_options *options);
void supply_destroy(struct supply **s);

/* ---- The main loop's side ------------------------------------------------ */

/* Readable when supply_told() has something or a rank has room anew.
 * supply_told_heed() quiets it: first that, then look at both. */
int supply_told_fd(const struct supply *s);
void supply_told_heed(struct supply *s);

/* Whether @rank takes another unit. */
bool supply_has_room(struct supply *s, uint32_t rank);
void supply_put(struct supply *s, uint32_t rank,
                const struct supply_unit *unit);

/* Behind what was put: the rank's epoch has ended; @is_over: and it was the
 * last. What is put afterwards is of the next epoch. */
void supply_put_end(struct supply *s, uint32_t rank, uint64_t epoch,
                    bool is_over);

enum supply_word {
    SUPPLY_DONE,  /* The unit was consumed. */
    SUPPLY_SKIP,  /* It can't be read, @reason says why. */
    SUPPLY_BACK,  /* It was not delivered, and is to be handed out anew. */
    SUPPLY_BEGIN, /* The rank has seen its end and wants the next epoch. */
    SUPPLY_STOP,  /* The rank wants no more of @epoch. */
    SUPPLY_FAIL,  /* The channel can't be delivered any more: @reason. */
};

struct supply_told {
    enum supply_word word;
    enum status status; /* SKIP, FAIL. */
    uint32_t rank;
    uint64_t epoch;
    uint64_t position; /* DONE, SKIP, BACK, as the unit says, */
    uint64_t lease;
    uint64_t size;
    bool is_repeat;
    char reason[SUPPLY_REASON_MAX];
};
bool supply_told(struct supply *s, struct supply_told *out);

/* ---- The deliverer's side ------------------------------------------------ */

/* Readable when there may be something to take anew, or to stop for.
 * supply_heed() quiets it: first that, then try all ranks. */
int supply_fd(const struct supply *s);
void supply_heed(struct supply *s);

/* OK; EMPTY: none now; STOPPED: @out's epoch has ended: told once, then what
 * is put behind it comes; NOT_FOUND: that was the last epoch. */
MUST_USE enum status supply_take(struct supply *s, uint32_t rank,
                                 struct supply_unit *out);

/* What is told of a repeat only makes room. */
void supply_tell(struct supply *s, const struct supply_told *told);

/* ---- Either's ------------------------------------------------------------ */

/* The deliverer is to end: supply_fd() is readable from now on. */
void supply_stop(struct supply *s);
bool supply_is_stopped(struct supply *s);

/* For status. */
struct supply_stats {
    uint64_t units; /* Put, in all, */
    uint64_t bytes;
    uint64_t done; /* and told of as DONE. */
    uint64_t done_bytes;
    uint64_t waiting_ms; /* The deliverer found nothing to take. */
};
struct supply_stats supply_stats(struct supply *s);

#endif /* WORKER_SUPPLY_H */
