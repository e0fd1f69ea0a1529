/* SPDX-License-Identifier: Apache-2.0 */
/* BALANCED: units from the largest to the smallest, each to the rank that is
 * furthest from its target, counted in bytes. Whatever the weights are, every
 * rank then ends within one object of its target: none is given anything
 * while it is the fuller one, and needs and what is left are the same sum.
 *
 * "From the largest" is by size class (about 3 % wide), which one pass over
 * the catalog sorts; the order within a class does not matter to the result
 * by more than the classes below it even out.
 *
 * Where objects may be cut, a unit that is too large for the neediest rank
 * fills it exactly and the rest goes on to the next, so that there are few
 * more cuts than ranks. Units of up to a 128th of a rank's target are left
 * whole; so no rank is off by more than that.
 *
 * Where all ranks must get the same number of units, units are dealt in
 * rounds, one to each rank, the largest of a round to the neediest; and large
 * objects are cut beforehand, into parts of a 128th. */

#include <stdlib.h>

#include "base/check.h"
#include "coordinator/deal_impl.h"
#include "coordinator/deal_tree.h"

enum {
    BALANCE_FINE_BITS = 5, /* Of a size beside its magnitude. */
    BALANCE_CLASSES = 1 + (64 << BALANCE_FINE_BITS),
    BALANCE_TOLERANCE = 128, /* Part of a target that may be off. */
};

struct balance {
    struct deal *d;
    uint32_t *rank_of;
    struct deal_tree tree;
    uint32_t *slot_rank; /* Slots: first ranks of all hosts, second ones, … so
                            that what is left over spreads over the hosts. */
    int64_t *needs;      /* By slot. */
    uint64_t *units;     /* Dealt, by slot. */
    uint64_t *sizes;     /* The units, largest class first. */
    uint32_t *ids;
    uint64_t unit_count;
    uint64_t zero_count; /* Units without a byte: the last ones. */
    uint64_t bytes;
    uint64_t tolerance;
    uint64_t whole_max; /* What is not worth a cut. */
    uint64_t class_at[BALANCE_CLASSES + 1];
};

typedef void balance_fn(struct balance *b, uint64_t size, uint32_t id);

/* The class of @size; 0 is the largest. */
static inline uint32_t balance_class(uint64_t size)
{
    uint32_t magnitude;
    uint32_t fine;

    if (size == 0) {
        return BALANCE_CLASSES - 1;
    }
    magnitude = 63 - (uint32_t)__builtin_clzll(size);
    fine = (uint32_t)(magnitude >= BALANCE_FINE_BITS
                          ? size >> (magnitude - BALANCE_FINE_BITS)
                          : size << (BALANCE_FINE_BITS - magnitude)) &
           ((1 << BALANCE_FINE_BITS) - 1);
    return BALANCE_CLASSES - 2 - (magnitude << BALANCE_FINE_BITS | fine);
}

/* Call @fn for each range of @object that was not dropped; the first one is
 * @range. Returns the range after them. */
static inline uint64_t balance_visit_ranges(struct balance *b, balance_fn *fn,
                                            uint32_t object, uint64_t range)
{
    const struct deal *d = b->d;

    for (; range < d->range_count && d->ranges[range].object == object;
         range++) {
        if (d->ranges[range].rank < DEAL_DROPPED) {
            fn(b, d->ranges[range].size, (uint32_t)(d->count + range));
        }
    }
    return range;
}

/* Call @fn for each unit that was not dropped, by object and offset. */
static inline void balance_visit(struct balance *b, balance_fn *fn)
{
    const struct deal *d = b->d;
    uint64_t sizes[DEAL_BATCH];
    uint64_t range = 0;

    for (uint64_t first = 0; first < d->count; first += DEAL_BATCH) {
        uint64_t left = d->count - first;
        size_t n = left < DEAL_BATCH ? (size_t)left : (size_t)DEAL_BATCH;

        catalog_sizes(d->catalog, first, n, sizes);
        for (size_t i = 0; i < n; i++) {
            uint32_t object = (uint32_t)(first + i);

            if (b->rank_of[object] < DEAL_DROPPED) {
                fn(b, sizes[i], object);
            }
            if (b->rank_of[object] == DEAL_SPLIT) {
                range = balance_visit_ranges(b, fn, object, range);
            }
        }
    }
}

static void balance_count(struct balance *b, uint64_t size, uint32_t id)
{
    (void)id;
    b->class_at[balance_class(size) + 1]++;
    b->bytes += size;
    b->unit_count++;
}

static void balance_place(struct balance *b, uint64_t size, uint32_t id)
{
    uint64_t at = b->class_at[balance_class(size)]++;

    b->sizes[at] = size;
    b->ids[at] = id;
}

static enum status balance_sort(struct balance *b)
{
    balance_visit(b, balance_count);
    b->zero_count = b->class_at[BALANCE_CLASSES];
    for (uint32_t i = 0; i < BALANCE_CLASSES; i++) {
        b->class_at[i + 1] += b->class_at[i];
    }
    CHECK(b->class_at[BALANCE_CLASSES] == b->unit_count);
    b->sizes = malloc((b->unit_count + 1) * sizeof(*b->sizes));
    b->ids = malloc((b->unit_count + 1) * sizeof(*b->ids));
    if (b->sizes == NULL || b->ids == NULL) {
        return STATUS_FULL;
    }
    balance_visit(b, balance_place);
    return STATUS_OK;
}

static enum status balance_init(struct balance *b, struct deal *d)
{
    uint32_t slot = 0;

    b->d = d;
    b->slot_rank = calloc(d->rank_count, sizeof(*b->slot_rank));
    b->needs = calloc(d->rank_count, sizeof(*b->needs));
    b->units = calloc(d->rank_count, sizeof(*b->units));
    if (deal_tree_init(&b->tree, d->rank_count) != STATUS_OK ||
        b->slot_rank == NULL || b->needs == NULL || b->units == NULL) {
        return STATUS_FULL;
    }
    for (uint32_t local = 0; local < DEAL_HOST_RANKS_MAX; local++) {
        for (uint32_t h = 0; h < d->host_count; h++) {
            if (local < d->hosts[h].ranks) {
                b->slot_rank[slot++] = d->host_rank[h] + local;
            }
        }
    }
    CHECK(slot == d->rank_count);
    return STATUS_OK;
}

static void balance_fini(struct balance *b)
{
    deal_tree_fini(&b->tree);
    free(b->slot_rank);
    free(b->needs);
    free(b->units);
    free(b->sizes);
    free(b->ids);
    free(b);
}

/* Set what each slot needs of @total. Rounding down leaves fewer bytes over
 * than there are ranks, and equal weights equal needs. Returns the least. */
static uint64_t balance_set_needs(struct balance *b, uint64_t total)
{
    const struct deal *d = b->d;
    uint64_t weights = deal_weights(d);
    uint64_t least = UINT64_MAX;

    for (uint32_t slot = 0; slot < d->rank_count; slot++) {
        uint32_t host = d->rank_host[b->slot_rank[slot]];
        uint64_t target = deal_target(d, total, host, weights);

        b->needs[slot] = (int64_t)target;
        least = target < least ? target : least;
    }
    return least;
}

static void balance_assign(struct balance *b, uint32_t id, uint32_t rank)
{
    struct deal *d = b->d;

    if (id < d->count) {
        b->rank_of[id] = rank;
    } else {
        d->ranges[id - d->count].rank = rank;
    }
}

/* Append a range; one that goes on where the same rank's last one ends is one
 * with it. FULL: no memory, or no id for it. */
static enum status balance_add_range(struct deal *d,
                                     const struct deal_range *range)
{
    if (range->offset > 0) {
        struct deal_range *last = &d->ranges[d->range_count - 1];

        CHECK(last->object == range->object);
        if (last->rank == range->rank) {
            last->size += range->size;
            return STATUS_OK;
        }
    }
    if (d->count + d->range_count >= DEAL_DROPPED) {
        return STATUS_FULL;
    }
    if (d->range_count == d->range_room) {
        uint64_t room = d->range_room < 64 ? 64 : d->range_room * 2;
        void *grown = realloc(d->ranges, room * sizeof(*d->ranges));

        if (grown == NULL) {
            return STATUS_FULL;
        }
        d->ranges = grown;
        d->range_room = room;
    }
    d->ranges[d->range_count++] = *range;
    return STATUS_OK;
}

/* Bytes to cut from an object with @rest left for a rank that needs @need. */
static uint64_t balance_piece(const struct balance *b, uint64_t rest,
                              int64_t need)
{
    uint64_t align = b->d->split_align;
    /* No cut leaves less than this on either side of it. */
    uint64_t least = b->tolerance / 4 > 0 ? b->tolerance / 4 : 1;
    uint64_t piece = need > 0 ? (uint64_t)need : 0;

    if (rest <= b->whole_max || rest <= piece) {
        return rest;
    }
    piece = piece > least ? piece : least;
    piece = piece < rest - least ? piece : rest - least;
    piece = (piece / align + (piece % align >= align - align / 2)) * align;
    piece = piece > align ? piece : align;
    return piece < rest ? piece : rest;
}

static enum status balance_split(struct balance *b, uint64_t size,
                                 uint32_t object)
{
    struct deal *d = b->d;
    uint64_t first = d->range_count;
    uint64_t offset = 0;

    while (offset < size) {
        const struct deal_tree_node *top = deal_tree_top(&b->tree);
        uint64_t piece = balance_piece(b, size - offset, top->need);
        struct deal_range range = {.offset = offset,
                                   .size = piece,
                                   .object = object,
                                   .rank = b->slot_rank[top->slot]};
        enum status s = balance_add_range(d, &range);

        if (s != STATUS_OK) {
            return s;
        }
        b->units[top->slot]++;
        offset += piece;
        deal_tree_change_top(&b->tree, top->need - (int64_t)piece);
    }
    if (d->range_count == first + 1) {
        b->rank_of[object] = d->ranges[first].rank;
        d->range_count = first;
        return STATUS_OK;
    }
    b->rank_of[object] = DEAL_SPLIT;
    d->split_count++;
    return STATUS_OK;
}

/* One unit after another to the neediest rank. */
static enum status balance_by_need(struct balance *b, uint64_t from,
                                   uint64_t to, uint64_t whole_max)
{
    for (uint64_t i = from; i < to; i++) {
        const struct deal_tree_node *top = deal_tree_top(&b->tree);
        uint64_t size = b->sizes[i];
        enum status s;

        if (size > whole_max && (top->need < 0 || (uint64_t)top->need < size)) {
            s = balance_split(b, size, b->ids[i]);
            if (s != STATUS_OK) {
                return s;
            }
            continue;
        }
        b->units[top->slot]++;
        balance_assign(b, b->ids[i], b->slot_rank[top->slot]);
        deal_tree_change_top(&b->tree, top->need - (int64_t)size);
    }
    return STATUS_OK;
}

/* Units without a byte weigh nothing: they go by number, to the ranks that
 * are furthest from their part of all units. */
static void balance_zeros(struct balance *b)
{
    uint64_t from = b->unit_count - b->zero_count;

    balance_set_needs(b, deal_unit_count(b->d));
    for (uint32_t slot = 0; slot < b->d->rank_count; slot++) {
        b->needs[slot] -= (int64_t)b->units[slot];
    }
    deal_tree_make(&b->tree, b->needs);
    for (uint64_t i = from; i < b->unit_count; i++) {
        const struct deal_tree_node *top = deal_tree_top(&b->tree);

        balance_assign(b, b->ids[i], b->slot_rank[top->slot]);
        deal_tree_change_top(&b->tree, top->need - 1);
    }
}

static void balance_in_rounds(struct balance *b)
{
    uint64_t i = 0;

    while (i < b->unit_count) {
        uint64_t left = b->unit_count - i;
        uint64_t end = i + (left < b->d->rank_count ? left : b->d->rank_count);

        deal_tree_make(&b->tree, b->needs);
        for (; i < end; i++) {
            uint32_t slot = deal_tree_top(&b->tree)->slot;

            balance_assign(b, b->ids[i], b->slot_rank[slot]);
            b->needs[slot] -= (int64_t)b->sizes[i];
            deal_tree_change_top(&b->tree, INT64_MIN); /* Has its one. */
        }
    }
}

/* Cut what is larger than a 128th of the mean into equal parts. */
static enum status balance_cut(struct balance *b)
{
    struct deal *d = b->d;
    uint64_t align = d->split_align;
    uint64_t part =
        catalog_bytes(d->catalog) / d->rank_count / BALANCE_TOLERANCE;

    part = part < align ? align : part - part % align;
    for (uint64_t i = 0; i < d->count; i++) {
        uint64_t size = catalog_size(d->catalog, i);
        uint64_t pieces = size / part + (size % part > 0);
        uint64_t piece;
        enum status s = STATUS_OK;

        if (pieces < 2) {
            continue;
        }
        piece = size / pieces + (size % pieces > 0);
        piece += (align - piece % align) % align;
        for (uint64_t at = 0; s == STATUS_OK && at < size; at += piece) {
            uint64_t left = size - at;
            /* No rank yet; ranks that differ keep parts from being joined. */
            uint32_t rank = (uint32_t)(at / piece % 2);

            s = balance_add_range(
                d, &(struct deal_range){at, left < piece ? left : piece,
                                        (uint32_t)i, rank});
        }
        if (s != STATUS_OK) {
            return s;
        }
        b->rank_of[i] = DEAL_SPLIT;
        d->split_count++;
    }
    return STATUS_OK;
}

/* Leave out what does not make a full round: the last units of the order, so
 * that with a shuffle each epoch leaves out others. */
static void balance_drop(struct balance *b)
{
    struct deal *d = b->d;
    uint64_t surplus = deal_unit_count(d) % d->rank_count;
    uint64_t position = d->count;

    d->dropped = surplus;
    while (surplus > 0) {
        uint64_t object = order_unit(&d->order, --position);
        uint64_t range;

        if (b->rank_of[object] != DEAL_SPLIT) {
            b->rank_of[object] = DEAL_DROPPED;
            surplus--;
            continue;
        }
        range = deal_find_range(d, object + 1);
        while (surplus > 0 && range > 0 &&
               d->ranges[range - 1].object == object) {
            d->ranges[--range].rank = DEAL_DROPPED;
            surplus--;
        }
    }
}

static int balance_compare_ranges(const void *a, const void *b)
{
    const struct deal_range *left = a;
    const struct deal_range *right = b;

    if (left->object != right->object) {
        return left->object < right->object ? -1 : 1;
    }
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static enum status balance_freely(struct balance *b)
{
    struct deal *d = b->d;
    uint64_t full = b->unit_count - b->zero_count;
    uint64_t least = balance_set_needs(b, b->bytes);
    enum status s;

    b->tolerance = least / BALANCE_TOLERANCE;
    b->whole_max =
        b->tolerance > d->split_align ? b->tolerance : d->split_align;
    deal_tree_make(&b->tree, b->needs);
    s = balance_by_need(b, 0, full, d->may_split ? b->whole_max : UINT64_MAX);
    if (s != STATUS_OK) {
        return s;
    }
    if (b->zero_count > 0) {
        balance_zeros(b);
    }
    if (d->range_count > 0) {
        qsort(d->ranges, (size_t)d->range_count, sizeof(*d->ranges),
              balance_compare_ranges);
    }
    return STATUS_OK;
}

static enum status balance_all(struct balance *b)
{
    struct deal *d = b->d;
    enum status s = balance_init(b, d);

    if (s == STATUS_OK && d->even != DEAL_EVEN_NONE && d->may_split) {
        s = balance_cut(b);
    }
    if (s == STATUS_OK && d->even == DEAL_EVEN_DROP) {
        balance_drop(b);
    }
    if (s == STATUS_OK) {
        s = balance_sort(b);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (d->even == DEAL_EVEN_NONE) {
        return balance_freely(b);
    }
    balance_set_needs(b, b->bytes);
    balance_in_rounds(b);
    return STATUS_OK;
}

enum status deal_balance(struct deal *d, struct deal_plan *plan)
{
    struct balance *b = calloc(1, sizeof(*b));
    enum status s;

    if (b == NULL) {
        return STATUS_FULL;
    }
    b->d = d;
    b->rank_of = plan->rank_of;
    s = balance_all(b);
    balance_fini(b);
    return s;
}
