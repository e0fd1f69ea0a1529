/* SPDX-License-Identifier: Apache-2.0 */
/* What is said on a ring's socket (docs/ring.md): one packet from the consumer,
 * one from the worker, with the descriptors. After that neither says anything:
 * that the connection is there tells that its other end lives. Same machine,
 * so numbers are as the machine has them.
 *
 * The first three fields are the same in every version. */

#ifndef PROTO_RING_GREETING_H
#define PROTO_RING_GREETING_H

#include <stdint.h>

#include "proto/ring.h"

enum {
    RING_VERSION_MAX = 32,
    RING_FDS = 5, /* In the order of enum ring_fd. */
};

enum ring_fd {
    RING_FD_DATA,
    RING_FD_TABLES,
    RING_FD_CONTROL,
    RING_FD_NEWS,     /* An eventfd of this consumer's own: there is news. */
    RING_FD_RELEASED, /* An eventfd of the worker's: something came back. */
};

struct ring_hello {
    uint32_t magic;
    uint32_t abi;
    char version[RING_VERSION_MAX]; /* Of the library; a text. */

    char channel[RING_CHANNEL_MAX];
    uint32_t rank;
    uint32_t mode;   /* 0: any. */
    uint32_t member; /* Broadcast: which of them; or RING_ANY. */
    uint32_t want;   /* Slots held at once; 0: as many as there are. */

    /* Of a consumer that comes anew: where it was. */
    uint64_t incarnation; /* 0: it does not. */
    uint64_t epoch;       /* The last unit that it released whole, */
    uint64_t position;
    uint64_t released; /* and how many; 0: none. */
};

enum ring_answer {
    RING_WELCOME = 1,
    RING_REFUSED,
    RING_BUSY, /* Refused now: try again in a moment. */
};

struct ring_reply {
    uint32_t magic;
    uint32_t abi;
    char version[RING_VERSION_MAX];

    uint32_t answer;
    uint32_t consumer; /* Its number. */
    struct ring_shape shape;
    uint32_t hold_max; /* Slots that it may hold at once. */
    uint32_t reserved;
    uint64_t incarnation;
    uint64_t start; /* The first entry of its queue. */
    uint64_t ended; /* Share: the last epoch whose end is not for it, and 1. */
    char text[RING_TEXT_MAX]; /* Why it is refused. */
};

#endif /* PROTO_RING_GREETING_H */
