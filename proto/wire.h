/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts say to each other: one table of messages, each a struct, with
 * its fields, their limits, and one encoder and decoder made from the table.
 *
 * A message is a msgpack array: [magic, version, job, term, type, fields…].
 * `job` is the run's id from the lease object, so that a late word from
 * another job or an earlier launch is refused. Texts and arrays in a decoded
 * message are views into the bytes it was decoded from and into its arena.
 *
 * Peers are not trusted: decoding never CHECKs, allocates at most a bounded
 * multiple of the input, and refuses what is too long, too many, out of range
 * or left over. Encoding CHECKs, since what we send is ours.
 *
 * wire_map.h holds the table; wire_msgpack.c is the only file that knows
 * msgpack. No I/O. */

#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

enum {
    WIRE_VERSION = 1,
    WIRE_JOB_SIZE = 32,          /* Hex digits of the run's id. */
    WIRE_MESSAGE_MAX = 16 << 20, /* Bytes. */
    WIRE_TEXT_MAX = 1024,
    WIRE_NAME_MAX = 253,
    WIRE_CHANNELS_MAX = 20,
    WIRE_STATUS_MAX = 15 << 20,
};

/* Where a host stands; told with each beat and shown by `status`. */
#define WIRE_PHASE_MAP(X)                                                      \
    X(ABSENT, "absent", "has not come yet")                                    \
    X(JOINED, "joined", "waits for its share")                                 \
    X(BRINGING, "bringing", "brings its share")                                \
    X(READY, "ready", "has its share, waits for all")                          \
    X(RUNNING, "running", "runs the command")                                  \
    X(STOPPING, "stopping", "waits for the command to end")                    \
    X(SAVING, "saving", "saves outputs and checkpoints")                       \
    X(DONE, "done", "has ended")                                               \
    X(LOST, "lost", "was not heard of for too long")

enum wire_phase {
#define X(name, word, text) WIRE_PHASE_##name,
    WIRE_PHASE_MAP(X)
#undef X
        WIRE_PHASES
};

const char *wire_phase_word(enum wire_phase p);
const char *wire_phase_text(enum wire_phase p);

/* One channel of a SHARE: where the host finds what it is to bring. */
struct wire_share {
    struct bytes channel;
    struct bytes share;    /* Key of the share object in the state store. */
    struct bytes catalog;  /* Key of the channel's catalog there. */
    struct bytes root_uri; /* Objects' keys are below this. */
    struct bytes prefix;   /* The source's key prefix. */
    uint64_t units;
    uint64_t bytes;
};

/* One channel of a BEAT: how far the host has brought it. */
struct wire_progress {
    struct bytes channel;
    uint64_t units_done;
    uint64_t units;
    uint64_t bytes_done;
    uint64_t bytes;
};

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
};

/* Coordinator → worker: you are in. */
struct wire_welcome {
    uint64_t heartbeat_ms;
    uint64_t host_timeout_ms; /* Silence after which the job is given up. */
};

/* Coordinator → anybody: you are not, and why. */
struct wire_refuse {
    uint64_t status; /* An enum status. */
    struct bytes reason;
};

/* Worker → coordinator: I live. Answered with a PULSE. */
struct wire_beat {
    uint64_t phase;
    uint64_t number; /* Grows by one with each beat. */
    uint64_t saved_units;
    uint64_t saved_bytes;
    struct wire_progress progress[WIRE_CHANNELS_MAX];
    uint32_t progress_count;
};

/* Coordinator → worker: I live too. */
struct wire_pulse {
    uint64_t number; /* Of the beat. */
};

/* Coordinator → worker: this is yours. */
struct wire_share_all {
    struct bytes output;     /* URI to write below; "" for none. */
    struct bytes checkpoint; /* URI to write below; "" for none. */
    struct wire_share shares[WIRE_CHANNELS_MAX];
    uint32_t share_count;
};

/* Worker → coordinator: my share is here, whole. */
struct wire_ready {
    uint64_t units;
    uint64_t bytes;
};

/* Coordinator → worker: everybody is ready, start the command. */
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

/* Anybody → coordinator, and its answer: the state of the job as JSON. */
struct wire_ask {
    uint64_t number;
};
struct wire_report {
    uint64_t number;
    struct bytes json;
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
    WIRE_TYPES,
};

/* Never NULL: "HELLO". */
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
    };
};

/* Append @m to @out. CHECKs that each field is within its limit. */
void wire_encode(const struct wire_message *m, struct buf *out);

/* Read @in, which must outlive *@out, for the run @job (NULL: any).
 * MALFORMED: not one of our messages. VERSION: of another version (job and
 * term are set if they could be read). WRONG_JOB: of another run. The fault
 * says what was found and what was wanted. */
MUST_USE enum status wire_decode(struct bytes in, const char *job,
                                 struct fault *why, struct wire_message *out);

#endif /* PROTO_WIRE_H */
