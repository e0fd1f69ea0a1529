/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges stand sorted in blocks of a fixed size, and the blocks in a list
 * with the first number of each beside it: two binary searches find a place,
 * and a change moves the rest of one block. Every change is one splice: some
 * ranges in a row are replaced by at most two others. */

#include "base/ranges.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/varint.h"

enum {
    RANGES_BLOCK = 128,
    RANGES_BLOCK_LOW = RANGES_BLOCK / 4, /* Fewer: join with a neighbour. */
    RANGES_SPLICE_MAX = 2,
};

struct ranges_block {
    uint32_t count; /* Never 0. */
    struct range at[RANGES_BLOCK];
};

struct ranges {
    struct ranges_block **blocks;
    uint64_t *firsts; /* blocks[i]->at[0].first */
    size_t block_count;
    size_t block_room;
    size_t count;
    uint64_t size;
};

/* A place between ranges: before blocks[block]->at[index]. The end is
 * {block_count, 0}; no other place has index == count. */
struct ranges_place {
    size_t block;
    uint32_t index;
};

struct ranges *ranges_new(void)
{
    return mem_new(1, sizeof(struct ranges));
}

void ranges_clear(struct ranges *r)
{
    for (size_t i = 0; i < r->block_count; i++) {
        free(r->blocks[i]);
    }
    free(r->blocks);
    free(r->firsts);
    r->blocks = NULL;
    r->firsts = NULL;
    r->block_count = 0;
    r->block_room = 0;
    r->count = 0;
    r->size = 0;
}

void ranges_destroy(struct ranges **r)
{
    if (*r != NULL) {
        ranges_clear(*r);
        free(*r);
        *r = NULL;
    }
}

/* ---- Places -------------------------------------------------------------- */

/* How many of @firsts are <= @number. */
static size_t ranges_blocks_upto(const struct ranges *r, uint64_t number)
{
    size_t low = 0;
    size_t high = r->block_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->firsts[middle] <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct ranges_place ranges_place_of(const struct ranges *r, size_t block,
                                           uint32_t index)
{
    if (index == r->blocks[block]->count) {
        return (struct ranges_place){block + 1, 0};
    }
    return (struct ranges_place){block, index};
}

/* The first range whose end is above @number. */
static struct ranges_place ranges_seek(const struct ranges *r, uint64_t number)
{
    size_t block = ranges_blocks_upto(r, number);
    const struct ranges_block *b;
    uint32_t low = 0;
    uint32_t high;

    if (block == 0) {
        return (struct ranges_place){0, 0};
    }
    CHECK(r->blocks != NULL);
    b = r->blocks[--block];
    high = b->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (b->at[middle].end <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return ranges_place_of(r, block, low);
}

static const struct range *ranges_at(const struct ranges *r,
                                     struct ranges_place p)
{
    return p.block < r->block_count ? &r->blocks[p.block]->at[p.index] : NULL;
}

static struct ranges_place ranges_after(const struct ranges *r,
                                        struct ranges_place p)
{
    return ranges_place_of(r, p.block, p.index + 1);
}

/* The first place from @p on whose range begins above @last. Looks at the next
 * few one by one, since most often it is the very next. */
static struct ranges_place ranges_skip_to(const struct ranges *r,
                                          struct ranges_place p, uint64_t last)
{
    const struct range *at = ranges_at(r, p);

    for (int i = 0; i < 2 && at != NULL && at->first <= last; i++) {
        p = ranges_after(r, p);
        at = ranges_at(r, p);
    }
    if (at == NULL || at->first > last) {
        return p;
    }
    p = ranges_seek(r, last);
    at = ranges_at(r, p);
    return at != NULL && at->first <= last ? ranges_after(r, p) : p;
}

/* ---- Blocks -------------------------------------------------------------- */

static void ranges_insert_block(struct ranges *r, size_t at)
{
    size_t rest = r->block_count - at;

    if (r->block_count == r->block_room) {
        r->block_room = r->block_room == 0 ? 4 : r->block_room * 2;
        r->blocks = mem_grow(r->blocks, r->block_room, sizeof(*r->blocks));
        r->firsts = mem_grow(r->firsts, r->block_room, sizeof(*r->firsts));
    }
    memmove(r->blocks + at + 1, r->blocks + at, rest * sizeof(*r->blocks));
    memmove(r->firsts + at + 1, r->firsts + at, rest * sizeof(*r->firsts));
    r->blocks[at] = mem_new(1, sizeof(struct ranges_block));
    r->block_count++;
}

/* Remove blocks @from up to @to. */
static void ranges_remove_blocks(struct ranges *r, size_t from, size_t to)
{
    size_t rest = r->block_count - to;

    for (size_t i = from; i < to; i++) {
        r->count -= r->blocks[i]->count;
        free(r->blocks[i]);
    }
    memmove(r->blocks + from, r->blocks + to, rest * sizeof(*r->blocks));
    memmove(r->firsts + from, r->firsts + to, rest * sizeof(*r->firsts));
    r->block_count -= to - from;
}

/* Move what block @block has from @index on to a new one behind it. */
static void ranges_split(struct ranges *r, size_t block, uint32_t index)
{
    struct ranges_block *b = r->blocks[block];
    struct ranges_block *next;

    ranges_insert_block(r, block + 1);
    next = r->blocks[block + 1];
    next->count = b->count - index;
    memcpy(next->at, b->at + index, next->count * sizeof(*b->at));
    b->count = index;
    r->firsts[block + 1] = next->count > 0 ? next->at[0].first : 0;
}

/* Join block @block with the next one if they then leave room to grow. */
static void ranges_join(struct ranges *r, size_t block)
{
    struct ranges_block *b;
    struct ranges_block *next;

    if (block + 1 >= r->block_count) {
        return;
    }
    b = r->blocks[block];
    next = r->blocks[block + 1];
    if (b->count + next->count > RANGES_BLOCK - RANGES_BLOCK_LOW) {
        return;
    }
    memcpy(b->at + b->count, next->at, next->count * sizeof(*b->at));
    b->count += next->count;
    r->count += next->count; /* They are taken off with their block. */
    ranges_remove_blocks(r, block + 1, block + 2);
}

/* Put right what a change of block @block may have broken. */
static void ranges_settle(struct ranges *r, size_t block)
{
    if (block >= r->block_count) {
        return;
    }
    if (r->blocks[block]->count == 0) {
        ranges_remove_blocks(r, block, block + 1);
        return;
    }
    r->firsts[block] = r->blocks[block]->at[0].first;
    if (r->blocks[block]->count < RANGES_BLOCK_LOW) {
        ranges_join(r, block);
        if (block > 0) {
            ranges_join(r, block - 1);
        }
    }
}

/* ---- The splice ---------------------------------------------------------- */

struct ranges_new_ones {
    uint32_t count;
    struct range at[RANGES_SPLICE_MAX];
};

/* Within a block: replace @index up to @end. There is room. */
static void ranges_splice_block(struct ranges *r, struct ranges_place from,
                                uint32_t end, const struct ranges_new_ones *n)
{
    struct ranges_block *b = r->blocks[from.block];
    uint32_t old = end - from.index;

    if (old != n->count) {
        memmove(b->at + from.index + n->count, b->at + end,
                (b->count - end) * sizeof(*b->at));
        b->count += n->count - old;
        r->count += n->count;
        r->count -= old;
    }
    memcpy(b->at + from.index, n->at, n->count * sizeof(*n->at));
    ranges_settle(r, from.block);
}

/* Make room for what is put in at @p, which may be the end of a block; return
 * where it now is. Who only appends fills its blocks. */
static struct ranges_place ranges_make_room(struct ranges *r,
                                            struct ranges_place p)
{
    uint32_t half = RANGES_BLOCK / 2;

    if (r->block_count == 0) {
        ranges_insert_block(r, 0);
        return (struct ranges_place){0, 0};
    }
    if (r->blocks[p.block]->count + RANGES_SPLICE_MAX <= RANGES_BLOCK) {
        return p;
    }
    if (p.block + 1 == r->block_count && p.index == r->blocks[p.block]->count) {
        ranges_insert_block(r, p.block + 1);
        return (struct ranges_place){p.block + 1, 0};
    }
    ranges_split(r, p.block, half);
    return p.index < half ? p
                          : (struct ranges_place){p.block + 1, p.index - half};
}

/* Cut off what lies between two places of different blocks. The first block
 * may be left empty. */
static void ranges_cut(struct ranges *r, struct ranges_place from,
                       struct ranges_place to)
{
    struct ranges_block *first = r->blocks[from.block];
    struct ranges_block *last;

    if (to.index > 0) {
        last = r->blocks[to.block];
        last->count -= to.index;
        r->count -= to.index;
        memmove(last->at, last->at + to.index, last->count * sizeof(*last->at));
        r->firsts[to.block] = last->at[0].first;
    }
    ranges_remove_blocks(r, from.block + 1, to.block);
    r->count -= first->count - from.index;
    first->count = from.index;
}

static void ranges_splice(struct ranges *r, struct ranges_place from,
                          struct ranges_place to,
                          const struct ranges_new_ones *n)
{
    uint32_t old;

    if (from.block == to.block && from.index == to.index && from.index == 0 &&
        from.block > 0) {
        from.block--; /* Rather at the end of a block than before it. */
        from.index = r->blocks[from.block]->count;
        to = from;
    }
    if (to.block == from.block + 1 && to.index == 0) {
        to = (struct ranges_place){from.block, r->blocks[from.block]->count};
    }
    if (to.block > from.block) {
        ranges_cut(r, from, to);
        to = from;
    }
    old = to.index - from.index;
    if (n->count > old) {
        from = ranges_make_room(r, from);
    }
    ranges_splice_block(r, from, from.index + old, n);
}

/* ---- The set ------------------------------------------------------------- */

static bool ranges_is_same(struct ranges_place a, struct ranges_place b)
{
    return a.block == b.block && a.index == b.index;
}

static uint64_t ranges_smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t ranges_larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How many numbers of @in are in @range. */
static uint64_t ranges_overlap(struct range range, struct range in)
{
    uint64_t first = ranges_larger(range.first, in.first);
    uint64_t end = ranges_smaller(range.end, in.end);

    return first < end ? end - first : 0;
}

uint64_t ranges_add(struct ranges *r, struct range range)
{
    struct ranges_place from;
    struct ranges_place to;
    struct ranges_new_ones n = {.count = 1, .at = {range}};
    uint64_t before = 0;
    uint64_t added;

    CHECK(range.first <= range.end);
    if (range.first == range.end) {
        return 0;
    }
    from = ranges_seek(r, range.first > 0 ? range.first - 1 : 0);
    to = ranges_skip_to(r, from, range.end);
    for (struct ranges_place p = from; !ranges_is_same(p, to);
         p = ranges_after(r, p)) {
        const struct range *at = ranges_at(r, p);

        before += at->end - at->first;
        n.at[0].first = ranges_smaller(n.at[0].first, at->first);
        n.at[0].end = ranges_larger(n.at[0].end, at->end);
    }
    added = n.at[0].end - n.at[0].first - before;
    if (added > 0) {
        ranges_splice(r, from, to, &n);
        r->size += added;
    }
    return added;
}

uint64_t ranges_remove(struct ranges *r, struct range range)
{
    struct ranges_place from;
    struct ranges_place to;
    struct ranges_new_ones n = {.count = 0};
    uint64_t removed = 0;

    CHECK(range.first <= range.end);
    if (range.first == range.end) {
        return 0;
    }
    from = ranges_seek(r, range.first);
    to = ranges_skip_to(r, from, range.end - 1);
    for (struct ranges_place p = from; !ranges_is_same(p, to);
         p = ranges_after(r, p)) {
        const struct range *at = ranges_at(r, p);

        removed += ranges_overlap(*at, range);
        if (at->first < range.first) {
            n.at[n.count++] = (struct range){at->first, range.first};
        }
        if (at->end > range.end) {
            n.at[n.count++] = (struct range){range.end, at->end};
        }
    }
    if (removed > 0) {
        ranges_splice(r, from, to, &n);
        r->size -= removed;
    }
    return removed;
}

bool ranges_has(const struct ranges *r, uint64_t number)
{
    const struct range *at = ranges_at(r, ranges_seek(r, number));

    return at != NULL && at->first <= number;
}

uint64_t ranges_count_in(const struct ranges *r, struct range range)
{
    struct ranges_place p = ranges_seek(r, range.first);
    const struct range *at = ranges_at(r, p);
    uint64_t count = 0;

    while (at != NULL && at->first < range.end) {
        count += ranges_overlap(*at, range);
        p = ranges_after(r, p);
        at = ranges_at(r, p);
    }
    return count;
}

bool ranges_next(const struct ranges *r, uint64_t from, struct range *out)
{
    const struct range *at = ranges_at(r, ranges_seek(r, from));

    if (at == NULL) {
        return false;
    }
    *out = (struct range){ranges_larger(at->first, from), at->end};
    return true;
}

bool ranges_next_gap(const struct ranges *r, struct range in, struct range *out)
{
    struct ranges_place p = ranges_seek(r, in.first);
    const struct range *at = ranges_at(r, p);

    if (at != NULL && at->first <= in.first) {
        in.first = at->end;
        p = ranges_after(r, p);
        at = ranges_at(r, p);
    }
    if (at != NULL) {
        in.end = ranges_smaller(in.end, at->first);
    }
    if (in.first >= in.end) {
        return false;
    }
    *out = in;
    return true;
}

uint64_t ranges_size(const struct ranges *r)
{
    return r->size;
}

size_t ranges_count(const struct ranges *r)
{
    return r->count;
}

size_t ranges_memory(const struct ranges *r)
{
    return sizeof(*r) + r->block_count * sizeof(struct ranges_block) +
           r->block_room * (sizeof(*r->blocks) + sizeof(*r->firsts));
}

bool ranges_equal(const struct ranges *a, const struct ranges *b)
{
    struct range of_a;
    struct range of_b;

    if (a->size != b->size || a->count != b->count) {
        return false;
    }
    for (uint64_t from = 0; ranges_next(a, from, &of_a); from = of_a.end) {
        if (!ranges_next(b, from, &of_b) || of_a.first != of_b.first ||
            of_a.end != of_b.end) {
            return false;
        }
    }
    return true;
}

/* ---- As bytes ------------------------------------------------------------ */

void ranges_write(const struct ranges *r, struct buf *out)
{
    uint64_t end = 0;

    varint_write(r->count, out);
    for (size_t i = 0; i < r->block_count; i++) {
        const struct ranges_block *b = r->blocks[i];

        for (uint32_t k = 0; k < b->count; k++) {
            varint_write(b->at[k].first - end, out);
            varint_write(b->at[k].end - b->at[k].first, out);
            end = b->at[k].end;
        }
    }
}

/* Read the range behind one that ends at @end (0: it is the first). */
static bool ranges_read_one(struct bytes *in, uint64_t end, uint64_t limit,
                            struct range *out)
{
    uint64_t gap;
    uint64_t length;

    if (!varint_read(in, &gap) || !varint_read(in, &length) ||
        (gap == 0 && end > 0) || length == 0 || gap > limit - end ||
        length > limit - end - gap) {
        return false;
    }
    *out = (struct range){end + gap, end + gap + length};
    return true;
}

enum status ranges_read(struct ranges *r, uint64_t limit, size_t ranges_max,
                        struct bytes *in, struct fault *why)
{
    struct range range = {0, 0};
    uint64_t count;

    ranges_clear(r);
    if (!varint_read(in, &count)) {
        return fault_set(why, STATUS_MALFORMED, "the set of ranges is cut");
    }
    if (count > ranges_max) {
        return fault_set(why, STATUS_MALFORMED,
                         "the set has %" PRIu64 " ranges; at most %zu", count,
                         ranges_max);
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!ranges_read_one(in, range.end, limit, &range)) {
            ranges_clear(r);
            return fault_set(why, STATUS_MALFORMED,
                             "range %" PRIu64 " of %" PRIu64
                             " is cut, out of order or not below %" PRIu64,
                             i + 1, count, limit);
        }
        ranges_add(r, range);
    }
    return STATUS_OK;
}

void ranges_check(const struct ranges *r)
{
    uint64_t size = 0;
    uint64_t end = 0;
    size_t count = 0;

    CHECK(r->block_count <= r->block_room);
    for (size_t i = 0; i < r->block_count; i++) {
        const struct ranges_block *b = r->blocks[i];

        CHECK(b->count > 0 && b->count <= RANGES_BLOCK);
        CHECK(r->firsts[i] == b->at[0].first);
        for (uint32_t k = 0; k < b->count; k++) {
            CHECK(b->at[k].first < b->at[k].end);
            CHECK(b->at[k].first > end || (count == 0 && k == 0));
            end = b->at[k].end;
            size += b->at[k].end - b->at[k].first;
        }
        count += b->count;
    }
    CHECK(size == r->size && count == r->count);
}
