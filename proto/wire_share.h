/* SPDX-License-Identifier: Apache-2.0 */
/* What a host is told to bring, and how far it says it is; part of wire.h. */

#ifndef PROTO_WIRE_SHARE_H
#define PROTO_WIRE_SHARE_H

#include <stdint.h>

#include "base/bytes.h"
#include "proto/wire_limits.h"

/* One channel of a SHARE: where the host finds what it is to bring. */
struct wire_share {
    struct bytes channel;
    struct bytes share;    /* Key of the share object in the state store. */
    struct bytes catalog;  /* Key of the channel's catalog there. */
    struct bytes root_uri; /* Objects' keys are below this. */
    struct bytes prefix;   /* The source's key prefix. */
    uint64_t units;
    uint64_t bytes;
    struct bytes named_by; /* "the inventory of 2026-…"; empty: a listing. */
    uint64_t number;       /* Of the channel, in WORK and GRANT. */
    uint64_t is_dynamic;   /* 1: its units are leased while the command runs. */
    uint64_t positions;    /* Of an epoch, when it is dynamic. */
};

/* Coordinator → worker: this is yours. */
struct wire_share_all {
    struct bytes output;     /* URI to write below; "" for none. */
    struct bytes checkpoint; /* URI to write below; "" for none. */
    uint64_t first_rank;     /* Of this host, among all of the job. */
    uint64_t rank_count;     /* Of the whole job. */
    struct wire_share shares[WIRE_CHANNELS_MAX];
    uint32_t share_count;
};

/* One channel of a BEAT: how far the host has brought it. */
struct wire_progress {
    struct bytes channel;
    uint64_t units_done;
    uint64_t units;
    uint64_t bytes_done;
    uint64_t bytes;
};

/* How a stream's channel is read, as job.h has it. */
enum wire_stream_mode {
    WIRE_STREAM_FILE,
    WIRE_STREAM_FAST_FILE,
    WIRE_STREAM_PIPE,
    WIRE_STREAM_RING,
    WIRE_STREAM_MODES,
};

/* One stream of a BEAT: a channel, as a rank of the host has it. */
struct wire_stream {
    struct bytes channel;
    uint64_t rank;       /* WIRE_RANKS_MAX: all of the host's. */
    uint64_t mode;       /* An enum wire_stream_mode. */
    uint64_t epoch;      /* The newest of which something was handed over. */
    uint64_t units;      /* Handed over, of all epochs, */
    uint64_t done;       /* and consumed. */
    uint64_t bytes;      /* Handed over. */
    uint64_t rate;       /* Bytes in a second, lately. */
    uint64_t store;      /* In how much of that time, in percent, the consumer
                            waited for data, */
    uint64_t consumer;   /* and in how much all memory was full of it. */
    struct bytes placed; /* Where its memory lies, in a word. */
};

#endif /* PROTO_WIRE_SHARE_H */
