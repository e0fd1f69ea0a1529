/* SPDX-License-Identifier: Apache-2.0 */
/* One object on its way into its file, for bring_move_fs.c
 * (bring_object_fs.c): which parts are there, what the book is told, and
 * whether what came is what was listed.
 *
 * Threads: one at a time. */

#ifndef WORKER_BRING_OBJECT_H
#define WORKER_BRING_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/bring_file.h"
#include "worker/fetch.h"

enum { BRING_PART_BYTES = 8 << 20 }; /* At most. */

struct bring_moving {
    struct bring_moving *next; /* The owner's list of all. */
    struct bring_moving *previous;
    struct bring_moving *after; /* The owner's list of those to be asked for. */
    uint64_t tag;               /* The owner's, */
    uint64_t due;
    uint32_t source;
    uint32_t pending;   /* Its requests that were not answered, */
    bool is_over;       /* and whether they are all that is waited for: */
    enum status status; /* how it went, */
    struct fault why;   /* and why. */
    struct bring_object object;
    struct bring_file f;
    struct fetch_look look; /* Zeroed: it was not looked at. */
    uint64_t part_bytes;    /* See stored_parts_piece(). */
    uint64_t part_count;
    uint64_t next_part; /* To be asked for, unless it is there. */
    uint64_t parts_done;
    uint64_t *sums;    /* Of several parts: theirs, */
    uint8_t *has_part; /* and which are there. */
    bool is_second;    /* All of it is read again. */
    bool is_booked;
    uint64_t book_id;
};

struct bring_moving *bring_moving_new(struct bring_target *target,
                                      struct buf *made);
void bring_moving_destroy(struct bring_moving **m);

/* How it begins. */
enum bring_begin {
    BRING_IS_DONE, /* A folder, or it is here already. */
    BRING_LOOKS,   /* It has to be looked at first. */
    BRING_ASKS,    /* Its one part can be asked for. */
};

/* Begin with @m, whose object is filled in. INVALID, CONFLICT, … */
MUST_USE enum status bring_moving_begin(struct bring_moving *m,
                                        enum bring_begin *out);

/* It was looked at; go on with its parts, or with what earlier brings have
 * left of them. @is_done: all is there. CHANGED, … */
MUST_USE enum status bring_moving_looked(struct bring_moving *m, bool *is_done);

/* Find the next part to be asked for, and count it as that. false: none. */
bool bring_moving_next_part(struct bring_moving *m, uint64_t *part);
uint64_t bring_moving_part_at(const struct bring_moving *m, uint64_t part);
uint64_t bring_moving_part_bytes(const struct bring_moving *m, uint64_t part);

/* Part @part has come with @event. @is_done: all is there. */
MUST_USE enum status bring_moving_came(struct bring_moving *m, uint64_t part,
                                       const struct fetch_event *event,
                                       bool *is_done);

/* What a failed request, for a range from @offset, means. */
MUST_USE enum status bring_moving_failed(struct bring_moving *m,
                                         uint64_t offset,
                                         const struct fetch_event *event);

#endif /* WORKER_BRING_OBJECT_H */
