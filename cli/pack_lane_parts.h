/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a lane, shared by its two ends. */

#ifndef CLI_PACK_LANE_PARTS_H
#define CLI_PACK_LANE_PARTS_H

#include "cli/pack_lane.h"

enum { PACK_EVENTS = 16, PACK_WAIT_MS = 20 };

/* A range of an object, asked for or here. */
struct pack_ask {
    uint64_t index;
    struct bytes key; /* Of the lane. */
    uint64_t size;
    char *room;
    size_t bytes;
    bool is_first;
    bool is_last;
    bool is_here;
};

/* [given, asked) are under way or here, in order. */
struct pack_source {
    struct store *store;
    struct catalog_cursor cursor;
    uint64_t end; /* Of the catalog's range. */
    bool is_whole;
    bool has_object; /* @object is cut: @offset bytes of it. */
    struct catalog_object object;
    uint64_t offset;
    struct pack_ask asks[PACK_AHEAD];
    uint64_t given;
    uint64_t asked;
    uint64_t ahead_bytes;
    bool has_given; /* The last piece is still the caller's. */
};

struct pack_part {
    char *room;
    size_t size;
    uint32_t number; /* 0: not under way. */
};

struct pack_target {
    struct store *store;
    struct buf key;
    char upload[STORE_UPLOAD_MAX]; /* "": none yet. */
    struct pack_part parts[PACK_PARTS];
    struct pack_part *filling; /* NULL: none. */
    size_t part_bytes;
    size_t room_bytes;
    struct store_part *sent;
    uint32_t sent_count;
    uint32_t sent_room;
    uint64_t size;
    uint64_t crc;
};

struct pack_lane {
    struct pack_lane_options options;
    struct store_event *events; /* PACK_EVENTS. */
    struct pack_source in;
    struct pack_target out;
};

/* Take what has come of the target's parts; waits at most @timeout_ms. */
MUST_USE enum status pack_lane_turn(struct pack_lane *l, int timeout_ms,
                                    struct fault *why);

/* Give up the upload under way, and wait until nothing of it is. */
void pack_lane_abort(struct pack_lane *l);

/* STOPPED: somebody said so. */
MUST_USE enum status pack_lane_may_go_on(const struct pack_lane *l,
                                         struct fault *why);

#endif /* CLI_PACK_LANE_PARTS_H */
