/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts say to each other: one table of messages, each a struct, with
 * its fields, their limits, and one encoder and decoder made from the table.
 *
 * A message is a msgpack array: [magic, version, job, term, type, fields…].
 * `job` is the run's id from the lease object, so that a late word from
 * another job or an earlier launch is refused. Texts and bytes in a decoded
 * message are views into what it was decoded from; lists are in the struct.
 *
 * Peers are not trusted: decoding never CHECKs what they sent, allocates
 * nothing, and refuses what is too long, too many, out of range or left over.
 * Encoding CHECKs, since what we send is ours: names and reasons must hold no
 * control bytes (the line of a fault never does), other texts no NUL.
 *
 * wire_map.h holds the table with all limits; wire_msgpack.c is the only file
 * that knows msgpack. No I/O. */

#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"
#include "proto/wire_limits.h"
#include "proto/wire_phase.h"
#include "proto/wire_share.h"

/* Worker → coordinator: I am here. Repeated until answered. */
struct wire_hello {
    struct bytes host;
    struct bytes incarnation; /* Hex; new at every launch of smshard. */
    struct bytes release;     /* The sender's version, for people. */
    uint64_t attempt;         /* 1 at the first launch of this host. */
    uint64_t ranks;
    uint64_t weight;
    uint64_t wall_ms;    /* The sender's clock. */
    uint64_t host_count; /* How many hosts it believes in. */
    uint64_t phase;      /* Where it stands: an enum wire_phase. */
};

/* Coordinator → worker: you are in. */
struct wire_welcome {
    uint64_t heartbeat_ms;
    uint64_t host_timeout_ms; /* Silence after which the job is given up. */
};

/* Coordinator → anybody: you are not. The status is an enum status. */
struct wire_refuse {
    uint64_t status;
    struct bytes reason;
};

/* Worker → coordinator: I live. Answered with a PULSE of its number. */
struct wire_beat {
    uint64_t phase;
    uint64_t number; /* Grows by one with each beat. */
    uint64_t saved_units;
    uint64_t saved_bytes;
    uint64_t requests;  /* Made to stores by this process so far; */
    uint64_t throttled; /* so many were answered with "slow down". */
    struct wire_progress progress[WIRE_CHANNELS_MAX];
    uint32_t progress_count;
    struct wire_stream streams[WIRE_STREAMS_MAX];
    uint32_t stream_count;
};
struct wire_pulse {
    uint64_t number;
    uint64_t rate; /* Of requests to stores, in 1000 s; 0: no limit. */
};

/* Worker → coordinator: my share is here. Coordinator → worker: start. */
struct wire_ready {
    uint64_t units;
    uint64_t bytes;
};
struct wire_start {
    uint64_t wall_ms;
};

/* Worker → coordinator: I have ended. Repeated until END comes. */
struct wire_done {
    uint64_t status;     /* An enum status: OK when the command ran. */
    uint64_t exit_code;  /* What this host's smshard exits with. */
    struct bytes reason; /* "" when all is well. */
    uint64_t saved_units;
    uint64_t saved_bytes;
};

/* Coordinator → worker: the job is over. */
struct wire_end {
    uint64_t status;
    uint64_t exit_code;
    struct bytes host; /* Whose failure it was; "" for none. */
    struct bytes reason;
};

/* Anybody → coordinator, and its answer: as JSON the state of the job, or the
 * cursor, once all that it tells is durable. */
enum wire_what { WIRE_ASK_STATE, WIRE_ASK_CURSOR };
struct wire_ask {
    uint64_t number;
    uint64_t what; /* An enum wire_what. */
};
struct wire_report {
    uint64_t number;
    struct bytes json;
};

/* Worker → coordinator, and its answer: leases, by proto/work.h. */
struct wire_work {
    uint64_t channel; /* Its number in the job. */
    struct bytes body;
};
struct wire_grant {
    uint64_t channel;
    struct bytes body;
};

enum wire_type {
    WIRE_HELLO = 1,
    WIRE_WELCOME,
    WIRE_REFUSE,
    WIRE_BEAT,
    WIRE_PULSE,
    WIRE_SHARE,
    WIRE_READY,
    WIRE_START,
    WIRE_DONE,
    WIRE_END,
    WIRE_ASK,
    WIRE_REPORT,
    WIRE_WORK,
    WIRE_GRANT,
    WIRE_TYPES,
};

const char *wire_type_name(enum wire_type t);

struct wire_message {
    char job[WIRE_JOB_SIZE + 1];
    uint64_t term;
    enum wire_type type;
    union {
        struct wire_hello hello;
        struct wire_welcome welcome;
        struct wire_refuse refuse;
        struct wire_beat beat;
        struct wire_pulse pulse;
        struct wire_share_all share;
        struct wire_ready ready;
        struct wire_start start;
        struct wire_done done;
        struct wire_end end;
        struct wire_ask ask;
        struct wire_report report;
        struct wire_work work;
        struct wire_grant grant;
    };
};

/* Return whether each field of @m is within its limits. MALFORMED: @why names
 * the message and the field. */
MUST_USE enum status wire_check(const struct wire_message *m,
                                struct fault *why);

/* Append @m to @out. CHECKs wire_check(). */
void wire_encode(const struct wire_message *m, struct buf *out);

/* Read @in, which must outlive *@out, for the run @job (NULL: any).
 * MALFORMED: no message of ours. VERSION: of another version; nothing else is
 * read. WRONG_JOB. The fault says what was found; *@out is zeroed unless OK. */
MUST_USE enum status wire_decode(struct bytes in, const char *job,
                                 struct fault *why, struct wire_message *out);

#endif /* PROTO_WIRE_H */
