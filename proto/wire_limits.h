/* SPDX-License-Identifier: Apache-2.0 */
/* How much a message may hold; part of wire.h. */

#ifndef PROTO_WIRE_LIMITS_H
#define PROTO_WIRE_LIMITS_H

enum {
    WIRE_VERSION = 4,
    WIRE_JOB_SIZE = 32,          /* Hex digits of the run's id. */
    WIRE_MESSAGE_MAX = 16 << 20, /* Bytes. */
    WIRE_TEXT_MAX = 1024,        /* Of reasons and keys. */
    WIRE_URI_MAX = 2048,
    WIRE_NAME_MAX = 253,
    WIRE_CHANNELS_MAX = 20,
    WIRE_RANKS_MAX = 64,
    WIRE_STREAMS_MAX = 24, /* Of a host; where there are more, by channel. */
    WIRE_STREAM_NAME_MAX = 64,
    WIRE_PLACED_MAX = 120,
    WIRE_HOSTS_MAX = 16384,
    WIRE_JOB_RANKS_MAX = WIRE_HOSTS_MAX * WIRE_RANKS_MAX,
    WIRE_MS_MAX = 7 * 86400 * 1000, /* Of a heartbeat or timeout. */
    WIRE_STATUS_MAX = 15 << 20,
};

#endif /* PROTO_WIRE_LIMITS_H */
