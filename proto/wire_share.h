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

#endif /* PROTO_WIRE_SHARE_H */
