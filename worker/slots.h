/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: a fixed number of buffers of one size in one piece of memory
 * (slots_os.c). All memory that data is read into is a slot; it is taken
 * before a request is sent, so that the sum is known beforehand.
 *
 * Any thread may take and give. What is in a slot belongs to who took it. */

#ifndef WORKER_SLOTS_H
#define WORKER_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/status.h"
#include "worker/place.h"

enum {
    SLOTS_ALIGN = 2 << 20, /* Their memory begins at a multiple. */
    SLOTS_MAX = 1 << 16,
    SLOTS_HUGE = 2 << 20, /* A huge page. */
};

#define SLOTS_NONE UINT32_MAX /* No slot. */

enum slots_kind {
    SLOTS_PRIVATE, /* Anonymous. */
    SLOTS_SHARED,  /* A memfd; see slots_fd(). */
};

struct slots_options {
    enum slots_kind kind;
    uint32_t count; /* 1 to SLOTS_MAX. */
    size_t size;    /* Of each: a multiple of 4096. */
    int node;       /* NUMA node to ask for; -1: any. */
    bool is_strict; /* No other node will do. */
    bool is_huge;   /* Pages of 2 MiB, or FULL. */
    bool is_lazy;   /* PRIVATE on any node: pages come as they are used. */
};

struct slots;

/* Map into *@out, and place as place_memory() does: slot i lies i times the
 * size behind the first. FULL: there is not so much memory (strict: free on the
 * node), or no huge pages; CONFLICT: strict, and the node does not give it, or
 * nobody can tell; OS. */
MUST_USE enum status slots_new(const struct slots_options *options,
                               struct fault *why, struct slots **out);

/* All slots have to be given back. */
void slots_destroy(struct slots **s);

uint32_t slots_count(const struct slots *s);
size_t slots_size(const struct slots *s);
void *slots_at(const struct slots *s, uint32_t slot);

/* Where they came to lie; of lazy ones nothing is known. */
const struct place_got *slots_got(const struct slots *s);

/* SHARED: the memfd, sealed against growing and shrinking, and against writes
 * through any mapping that is made from now on. The slots keep it. */
int slots_fd(const struct slots *s);

/* SLOTS_NONE: all are taken. */
uint32_t slots_take(struct slots *s);
void slots_give(struct slots *s, uint32_t slot);

/* Readable when a slot was given back while none was free: whoever reads it
 * tries again. */
int slots_wait_fd(const struct slots *s);
uint32_t slots_free(struct slots *s);

#endif /* WORKER_SLOTS_H */
