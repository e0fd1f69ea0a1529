/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of place_*.c, among themselves. */

#ifndef WORKER_PLACE_PARTS_H
#define WORKER_PLACE_PARTS_H

#include "worker/place.h"

/* Append to @out->text. */
__attribute__((format(printf, 2, 3))) void place_say(struct place_got *out,
                                                     const char *format, ...);

/* Count pages, and append what was seen (place_look_os.c). */
void place_see(void *addr, size_t size, int node, struct place_got *out);

/* What /proc/self/numa_maps says of an area (place_look_os.c). */
struct place_maps {
    uint64_t pages; /* Of all nodes; of a few bytes at the borders too. */
    uint64_t pages_there;
    size_t page_size; /* 0: none of its pages is there yet. */
    bool is_huge;     /* Of a pool of huge pages. */
    bool is_found;
};

/* Read it; is_found stays false where the file does not name the area. */
void place_read_maps(const void *addr, size_t size, int node,
                     struct place_maps *out);

/* The size of the pages at @addr; the base size where nobody says. */
size_t place_page_size(const void *addr, size_t size);

#endif /* WORKER_PLACE_PARTS_H */
