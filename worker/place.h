/* SPDX-License-Identifier: Apache-2.0 */
/* Place: bring memory and threads to where placement.h wants them, and look
 * whether they are there (place_os.c).
 *
 * A container may forbid any of it. That is no error but a word, unless the
 * policy is strict: then what can't be had is one, before the kernel ends the
 * process for it. Any thread; what is not mapped, or unmapped meanwhile, is
 * the caller's fault. */

#ifndef WORKER_PLACE_H
#define WORKER_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "worker/placement.h"

enum { PLACE_TEXT_MAX = 256 };

enum place_bound {
    PLACE_NOT_BOUND,
    PLACE_BY_TOUCH, /* The thread that filled it was on the node. */
    PLACE_SOFT,     /* Other nodes help out when it is full. */
    PLACE_HARD,     /* No other node. */
};

enum place_seen {
    PLACE_UNVERIFIED,
    PLACE_BY_MOVE_PAGES,
    PLACE_BY_NUMA_MAPS, /* Of whole mappings. */
};

struct place_got {
    enum place_bound bound;
    enum place_seen seen;
    uint64_t pages;            /* Looked at; large areas are sampled. */
    uint64_t pages_there;      /* Of those, on the node that was wanted. */
    size_t page_size;          /* 0: not known. */
    char text[PLACE_TEXT_MAX]; /* "node 1: 512 of 512 pages, bound softly";
                                  or what failed, as in a fault. */
};

/* Bind [@addr, @addr + @size) to @node (the kernel's number; -1: any), make
 * all of its pages be there, and look where they are. Both at page borders;
 * writable; what it holds is kept. Do it before others map it: pages of two
 * processes do not move. OFF only makes the pages be there.
 * Unless OK, @out->text says why. FULL: there is not so much memory, or no
 * huge page, on the node or at all; CONFLICT: strict, and it is not there or
 * nobody can tell; OS. */
MUST_USE enum status place_memory(void *addr, size_t size, int node,
                                  enum placement_policy policy,
                                  struct place_got *out);

/* Look only; -1 counts pages of any node as there. */
void place_look(void *addr, size_t size, int node, struct place_got *out);

/* Bind the calling thread to @cpus, ascending. false: that was refused, and
 * @out->text (which is filled either way) says why. */
bool place_thread(const uint32_t *cpus, uint32_t count, struct place_got *out);

/* Bytes on @node that are free, in pages of @page_size; of small ones those
 * that only cache files are among them. false: nobody says. */
bool place_free_bytes(int node, size_t page_size, uint64_t *out);

const char *place_bound_word(enum place_bound bound);
const char *place_seen_word(enum place_seen seen);

#endif /* WORKER_PLACE_H */
