/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/stored_parts.h"

#include <stdbool.h>

#include "base/check.h"

#define MIB ((uint64_t)1 << 20)

enum { PIECE_ALIGN = 64 << 10, PAGE = 4096, PARTS_MAX = 10000 };

/* N of an etag that ends in "-N", with its quotes or without; 0: it does not.
 */
static uint64_t count_of(struct bytes etag)
{
    uint64_t count = 0;
    uint64_t digit = 1;
    size_t at = etag.size;

    if (at > 0 && etag.at[at - 1] == '"') {
        at--;
    }
    while (at > 0 && etag.at[at - 1] >= '0' && etag.at[at - 1] <= '9' &&
           digit <= PARTS_MAX) {
        count += digit * (uint64_t)(etag.at[at - 1] - '0');
        digit *= 10;
        at--;
    }
    return at > 0 && etag.at[at - 1] == '-' && count <= PARTS_MAX ? count : 0;
}

/* The roundest number from @first to @last: the one with most zeros behind. */
static uint64_t roundest(uint64_t first, uint64_t last)
{
    uint64_t step = 1;

    while (last / (step * 2) * (step * 2) >= first) {
        step *= 2;
    }
    return last / step * step;
}

uint64_t stored_parts_size(struct bytes etag, uint64_t size)
{
    uint64_t count = count_of(etag);
    uint64_t first;
    uint64_t last;

    if (count < 2 || size < count) {
        return 0;
    }
    /* All but the last part have one size p: (count - 1) p < size <= count p.
     */
    first = (size - 1) / count / MIB + 1;
    last = (size - 1) / (count - 1) / MIB;
    return first <= last ? roundest(first, last) * MIB : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t stored_parts_next(uint64_t part, uint64_t at, uint64_t left,
                           uint64_t room)
{
    uint64_t piece;
    uint64_t in_part;

    CHECK(left > 0 && room > 0);
    if (part == 0) {
        return least(left, room);
    }
    if (part <= room) {
        piece = room / part * part;
        return least(left, piece - at % part);
    }
    in_part = at % part;
    piece = (part - 1) / ((part - 1) / room + 1) / PIECE_ALIGN * PIECE_ALIGN +
            PIECE_ALIGN;
    piece = least(piece, room);
    return least(left, least(part - in_part, piece - in_part % piece));
}

uint64_t stored_parts_piece(struct bytes etag, uint64_t size, uint64_t room)
{
    uint64_t part = stored_parts_size(etag, size);
    uint64_t count;

    CHECK(room > 0 && room % MIB == 0);
    if (size <= room || part == 0) {
        return room;
    }
    if (part <= room) {
        return room / part * part;
    }
    for (count = (part - 1) / room + 1; count < 2 * ((part - 1) / room + 1);
         count++) {
        if (part % (count * PAGE) == 0) {
            return part / count;
        }
    }
    return room;
}
