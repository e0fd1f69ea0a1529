/* SPDX-License-Identifier: Apache-2.0 */
/* A set of numbers below UINT64_MAX, kept as ranges that neither meet nor
 * overlap: memory and time follow the number of ranges, not of numbers. Adding
 * and finding take O(log n) and the moving of one small block.
 *
 * The owner allocates and frees; nothing here fails but decoding. Threads:
 * none. */

#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fault.h"
#include "base/status.h"

/* From @first up to but without @end. */
struct range {
    uint64_t first;
    uint64_t end;
};

struct ranges;

struct ranges *ranges_new(void);
void ranges_destroy(struct ranges **r);
void ranges_clear(struct ranges *r);

/* Add or remove all of @range (may be empty); return how many numbers were
 * not there before, or were. */
uint64_t ranges_add(struct ranges *r, struct range range);
uint64_t ranges_remove(struct ranges *r, struct range range);

bool ranges_has(const struct ranges *r, uint64_t number);

/* How many numbers of @range are in the set. O(log n + ranges inside). */
uint64_t ranges_count_in(const struct ranges *r, struct range range);

/* Find the first range that has a number >= @from, cut to begin no earlier.
 * false: there is none. */
bool ranges_next(const struct ranges *r, uint64_t from, struct range *out);

/* Find the first numbers of @in that are not in the set: the whole gap, cut
 * to @in. false: there is none. */
bool ranges_next_gap(const struct ranges *r, struct range in,
                     struct range *out);

uint64_t ranges_size(const struct ranges *r); /* Numbers. */
size_t ranges_count(const struct ranges *r);  /* Ranges. */
size_t ranges_memory(const struct ranges *r); /* Bytes. */
bool ranges_equal(const struct ranges *a, const struct ranges *b);

/* Append the set as variable-length numbers (count, then gap and length of
 * each), and read it back from the front of @in, whose read part is cut off.
 * MALFORMED: cut short, not in order, a number >= @limit, more than
 * @ranges_max ranges; *@r is then empty. */
void ranges_write(const struct ranges *r, struct buf *out);
MUST_USE enum status ranges_read(struct ranges *r, uint64_t limit,
                                 size_t ranges_max, struct bytes *in,
                                 struct fault *why);

void ranges_check(const struct ranges *r);

#endif /* BASE_RANGES_H */
