/* SPDX-License-Identifier: Apache-2.0 */
/* The table of messages. Names, encoder, decoder and limits follow from it;
 * the order of the fields here is their order on the wire. A change of it is
 * a new WIRE_VERSION. Only wire.c includes this file, once. */

#ifndef PROTO_WIRE_MAP_H
#define PROTO_WIRE_MAP_H

#include "proto/wire_shape.h"
#include "proto/work.h"

#define WIRE_FIELD(s, f, k, low, high)                                         \
    .name = #f, .kind = (k), .offset = offsetof(struct s, f), .min = (low),    \
    .max = (high), .total_offset = offsetof(struct s, f)

/* A number from @low to @high; one that is also at most the number @total; a
 * text or body of @low to @high bytes; @high rows at most of the fields @rows.
 */
#define UINT(s, f, low, high)                                                  \
    {                                                                          \
        WIRE_FIELD(s, f, WIRE_UINT, low, high)                                 \
    }
#define PART(s, f, total)                                                      \
    {                                                                          \
        .name = #f, .kind = WIRE_UINT, .offset = offsetof(struct s, f),        \
        .max = UINT64_MAX, .total_offset = offsetof(struct s, total)           \
    }
#define NAME(s, f, low, high)                                                  \
    {                                                                          \
        WIRE_FIELD(s, f, WIRE_NAME, low, high)                                 \
    }
#define TEXT(s, f, low, high)                                                  \
    {                                                                          \
        WIRE_FIELD(s, f, WIRE_TEXT, low, high)                                 \
    }
#define BODY(s, f, low, high)                                                  \
    {                                                                          \
        WIRE_FIELD(s, f, WIRE_BYTES, low, high)                                \
    }
#define LIST(s, f, count, rows, high)                                          \
    {                                                                          \
        WIRE_FIELD(s, f, WIRE_LIST, 0, high),                                  \
            .count_offset = offsetof(struct s, count),                         \
            .stride = sizeof(((struct s *)0)->f[0]), .fields = (rows),         \
            .field_count = sizeof(rows) / sizeof((rows)[0])                    \
    }

#define ANY_UINT(s, f) UINT(s, f, 0, UINT64_MAX)
#define STATUS(s, f, low) UINT(s, f, low, WIRE_STATUSES - 1)
#define EXIT_CODE(s, f) UINT(s, f, 0, 255)

enum {
#define X(name, exit_code, text) +1
    WIRE_STATUSES = STATUS_MAP(X)
#undef X
};

static const struct wire_field wire_share_fields[] = {
    NAME(wire_share, channel, 1, WIRE_NAME_MAX),
    TEXT(wire_share, share, 1, WIRE_TEXT_MAX),
    TEXT(wire_share, catalog, 1, WIRE_TEXT_MAX),
    TEXT(wire_share, root_uri, 1, WIRE_URI_MAX),
    TEXT(wire_share, prefix, 0, WIRE_TEXT_MAX),
    ANY_UINT(wire_share, units),
    ANY_UINT(wire_share, bytes),
    TEXT(wire_share, named_by, 0, WIRE_NAME_MAX),
    UINT(wire_share, number, 0, WIRE_CHANNELS_MAX - 1),
    UINT(wire_share, is_dynamic, 0, 1),
    ANY_UINT(wire_share, positions),
};

static const struct wire_field wire_progress_fields[] = {
    NAME(wire_progress, channel, 1, WIRE_NAME_MAX),
    PART(wire_progress, units_done, units),
    ANY_UINT(wire_progress, units),
    PART(wire_progress, bytes_done, bytes),
    ANY_UINT(wire_progress, bytes),
};

static const struct wire_field wire_stream_fields[] = {
    NAME(wire_stream, channel, 1, WIRE_STREAM_NAME_MAX),
    UINT(wire_stream, rank, 0, WIRE_RANKS_MAX),
    UINT(wire_stream, mode, 0, WIRE_STREAM_MODES - 1),
    ANY_UINT(wire_stream, epoch),
    ANY_UINT(wire_stream, units),
    ANY_UINT(wire_stream, done),
    ANY_UINT(wire_stream, bytes),
    ANY_UINT(wire_stream, rate),
    UINT(wire_stream, store, 0, 100),
    UINT(wire_stream, consumer, 0, 100),
    NAME(wire_stream, placed, 0, WIRE_PLACED_MAX),
};

static const struct wire_field wire_hello_fields[] = {
    NAME(wire_hello, host, 1, WIRE_NAME_MAX),
    NAME(wire_hello, incarnation, 1, WIRE_NAME_MAX),
    NAME(wire_hello, release, 0, WIRE_NAME_MAX),
    UINT(wire_hello, attempt, 1, UINT64_MAX),
    UINT(wire_hello, ranks, 1, WIRE_RANKS_MAX),
    UINT(wire_hello, weight, 1, UINT32_MAX),
    ANY_UINT(wire_hello, wall_ms),
    UINT(wire_hello, host_count, 1, WIRE_HOSTS_MAX),
    UINT(wire_hello, phase, 0, WIRE_PHASES - 1),
};

static const struct wire_field wire_welcome_fields[] = {
    UINT(wire_welcome, heartbeat_ms, 1, WIRE_MS_MAX),
    UINT(wire_welcome, host_timeout_ms, 1, WIRE_MS_MAX),
};

static const struct wire_field wire_refuse_fields[] = {
    STATUS(wire_refuse, status, 1),
    NAME(wire_refuse, reason, 0, WIRE_TEXT_MAX),
};

static const struct wire_field wire_beat_fields[] = {
    UINT(wire_beat, phase, 0, WIRE_PHASES - 1),
    ANY_UINT(wire_beat, number),
    ANY_UINT(wire_beat, saved_units),
    ANY_UINT(wire_beat, saved_bytes),
    ANY_UINT(wire_beat, requests),
    ANY_UINT(wire_beat, throttled),
    LIST(wire_beat, progress, progress_count, wire_progress_fields,
         WIRE_CHANNELS_MAX),
    LIST(wire_beat, streams, stream_count, wire_stream_fields,
         WIRE_STREAMS_MAX),
};

static const struct wire_field wire_pulse_fields[] = {
    ANY_UINT(wire_pulse, number),
    ANY_UINT(wire_pulse, rate),
};

static const struct wire_field wire_share_all_fields[] = {
    TEXT(wire_share_all, output, 0, WIRE_URI_MAX),
    TEXT(wire_share_all, checkpoint, 0, WIRE_URI_MAX),
    UINT(wire_share_all, first_rank, 0, WIRE_JOB_RANKS_MAX),
    UINT(wire_share_all, rank_count, 1, WIRE_JOB_RANKS_MAX),
    LIST(wire_share_all, shares, share_count, wire_share_fields,
         WIRE_CHANNELS_MAX),
};

static const struct wire_field wire_ready_fields[] = {
    ANY_UINT(wire_ready, units),
    ANY_UINT(wire_ready, bytes),
};

static const struct wire_field wire_start_fields[] = {
    ANY_UINT(wire_start, wall_ms),
};

static const struct wire_field wire_done_fields[] = {
    STATUS(wire_done, status, 0),
    EXIT_CODE(wire_done, exit_code),
    NAME(wire_done, reason, 0, WIRE_TEXT_MAX),
    ANY_UINT(wire_done, saved_units),
    ANY_UINT(wire_done, saved_bytes),
};

static const struct wire_field wire_end_fields[] = {
    STATUS(wire_end, status, 0),
    EXIT_CODE(wire_end, exit_code),
    NAME(wire_end, host, 0, WIRE_NAME_MAX),
    NAME(wire_end, reason, 0, WIRE_TEXT_MAX),
};

static const struct wire_field wire_ask_fields[] = {
    ANY_UINT(wire_ask, number),
    UINT(wire_ask, what, WIRE_ASK_STATE, WIRE_ASK_CURSOR),
};

static const struct wire_field wire_report_fields[] = {
    ANY_UINT(wire_report, number),
    TEXT(wire_report, json, 0, WIRE_STATUS_MAX),
};

static const struct wire_field wire_work_fields[] = {
    UINT(wire_work, channel, 0, WIRE_CHANNELS_MAX - 1),
    BODY(wire_work, body, 1, WORK_BODY_MAX),
};

static const struct wire_field wire_grant_fields[] = {
    UINT(wire_grant, channel, 0, WIRE_CHANNELS_MAX - 1),
    BODY(wire_grant, body, 1, WORK_BODY_MAX),
};

#define SHAPE(type, fields)                                                    \
    [WIRE_##type] = {#type, (fields), sizeof(fields) / sizeof((fields)[0])}

static const struct wire_shape wire_shapes[WIRE_TYPES] = {
    SHAPE(HELLO, wire_hello_fields),   SHAPE(WELCOME, wire_welcome_fields),
    SHAPE(REFUSE, wire_refuse_fields), SHAPE(BEAT, wire_beat_fields),
    SHAPE(PULSE, wire_pulse_fields),   SHAPE(SHARE, wire_share_all_fields),
    SHAPE(READY, wire_ready_fields),   SHAPE(START, wire_start_fields),
    SHAPE(DONE, wire_done_fields),     SHAPE(END, wire_end_fields),
    SHAPE(ASK, wire_ask_fields),       SHAPE(REPORT, wire_report_fields),
    SHAPE(WORK, wire_work_fields),     SHAPE(GRANT, wire_grant_fields),
};

#endif /* PROTO_WIRE_MAP_H */
