/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of random deals, held against what every deal promises. */

#include "base/prng.h"
#include "tests/unit/deal_fixture.h"

enum { UNITS = 1 << 20 };

/* One random case. */
struct random_case {
    uint64_t sizes[400];
    size_t count;
    uint64_t most; /* The largest size. */
    uint64_t bytes;
    struct deal_host hosts[HOSTS];
    struct deal_options options;
    struct order order;
};

static void random_sizes(struct prng *prng, struct random_case *out)
{
    uint64_t shape = prng_below(prng, 5);

    out->count = (size_t)prng_below(prng, prng_chance(prng, 1, 10) ? 400 : 40);
    out->most = 0;
    out->bytes = 0;
    for (size_t i = 0; i < out->count; i++) {
        uint64_t size = 1000000;

        if (shape == 1) {
            size = prng_below(prng, 4);
        } else if (shape == 2) {
            size = prng_below(prng, 1000000);
        } else if (shape == 3) {
            size = prng_next(prng) >> (14 + prng_below(prng, 50));
        } else if (shape == 4) {
            size = 100000000 / (i + 1);
        }
        out->sizes[i] = size;
        out->bytes += size;
        out->most = size > out->most ? size : out->most;
    }
}

static void random_case(struct prng *prng, struct random_case *out)
{
    uint32_t hosts = 1 + (uint32_t)prng_below(prng, 8);
    bool same_ranks = prng_chance(prng, 1, 2);
    bool same_weights = prng_chance(prng, 1, 2);
    uint32_t ranks = 1 + (uint32_t)prng_below(prng, 8);

    random_sizes(prng, out);
    for (uint32_t i = 0; i < hosts; i++) {
        out->hosts[i].number = i * 3 + (uint32_t)prng_below(prng, 3);
        out->hosts[i].ranks =
            same_ranks ? ranks : 1 + (uint32_t)prng_below(prng, 8);
        out->hosts[i].weight =
            same_weights ? 100 : 1 + (uint32_t)prng_below(prng, 200);
    }
    out->options =
        (struct deal_options){.kind = (enum deal_kind)prng_below(prng, 3),
                              .even = (enum deal_even)prng_below(prng, 3),
                              .hosts = out->hosts,
                              .host_count = hosts,
                              .may_split = prng_chance(prng, 1, 2)};
    if (prng_chance(prng, 1, 3)) {
        out->options.split_align = UINT64_C(1) << prng_below(prng, 20);
    }
    if (prng_chance(prng, 1, 2)) {
        order_init_shuffled(&out->order, out->count, prng_next(prng), 1,
                            BYTES("train"));
        out->options.order = &out->order;
    }
    if (out->count == 0 && out->options.even == DEAL_EVEN_PAD) {
        out->options.even = DEAL_EVEN_NONE;
    }
}

/* All that the ranks from @first to before @end read; padding apart. */
struct reading {
    struct deal_unit *units;
    size_t count;
    size_t padding;
};

static int compare_units(const void *a, const void *b)
{
    const struct deal_unit *left = a;
    const struct deal_unit *right = b;

    if (left->object != right->object) {
        return left->object < right->object ? -1 : 1;
    }
    return (left->offset > right->offset) - (left->offset < right->offset);
}

static void read_ranks(const struct deal *d, uint32_t first, uint32_t end,
                       struct reading *out)
{
    out->count = 0;
    out->padding = 0;
    for (uint32_t r = first; r < end; r++) {
        struct deal_cursor cursor;
        struct deal_unit unit;

        deal_seek(d, r, &cursor);
        while (deal_next(&cursor, &unit)) {
            if (unit.is_padding) {
                out->padding++;
                continue;
            }
            EXPECT(out->count < UNITS);
            out->units[out->count++] = unit;
        }
    }
    qsort(out->units, out->count, sizeof(*out->units), compare_units);
}

/* Each byte of each object at most once; if @is_all, exactly once. */
static void expect_cover(const struct random_case *k, const struct reading *r,
                         bool is_all)
{
    size_t next = 0;

    for (size_t object = 0; object < k->count; object++) {
        uint64_t end = 0;
        size_t first = next;

        for (; next < r->count && r->units[next].object == object; next++) {
            const struct deal_unit *u = &r->units[next];

            EXPECT(is_all ? u->offset == end : u->offset >= end);
            EXPECT(u->size > 0 || k->sizes[object] == 0);
            EXPECT(u->is_whole ==
                   (u->offset == 0 && u->size == k->sizes[object]));
            end = u->offset + u->size;
        }
        EXPECT(end <= k->sizes[object]);
        EXPECT(!is_all || (end == k->sizes[object] && next > first));
        EXPECT(k->sizes[object] > 0 || next - first <= 1);
    }
    EXPECT_EQ(next, r->count);
}

/* What the hosts bring is what their ranks read. */
static void expect_brought(const struct deal *d, uint32_t host,
                           const struct reading *r)
{
    struct deal_cursor cursor;
    struct deal_unit unit;
    size_t next = 0;
    uint64_t brought = 0;

    deal_host_seek(d, host, &cursor);
    while (deal_host_next(&cursor, &unit)) {
        brought++;
        if (r->count == 0) {
            continue; /* Borrowed. */
        }
        EXPECT(next < r->count && r->units[next].object == unit.object);
        EXPECT_EQ(r->units[next].offset, unit.offset);
        while (next + 1 < r->count &&
               r->units[next + 1].object == unit.object) {
            next++;
        }
        EXPECT_EQ(r->units[next].offset + r->units[next].size,
                  unit.offset + unit.size);
        next++;
    }
    EXPECT_EQ(next, r->count == 0 ? 0 : r->count);
    EXPECT_EQ(brought, deal_host_sum(d, host).units);
    EXPECT(r->padding == 0 || brought > 0);
}

/* No rank is further from its target than one object, or, where ranges are
 * allowed, than a hundredth of the least target and an alignment. */
static void expect_targets(const struct random_case *k, const struct deal *d)
{
    double weights = 0;
    double least = 1e30;
    double slack;

    for (uint32_t h = 0; h < k->options.host_count; h++) {
        weights += k->hosts[h].weight;
    }
    for (uint32_t h = 0; h < k->options.host_count; h++) {
        double target =
            (double)k->bytes * k->hosts[h].weight / weights / k->hosts[h].ranks;

        least = target < least ? target : least;
    }
    slack = (double)k->most + 1;
    if (k->options.may_split) {
        slack = least / 100 + (double)k->options.split_align + 2;
        slack = slack < (double)k->most + 1 ? slack : (double)k->most + 1;
    }
    for (uint32_t h = 0; h < k->options.host_count; h++) {
        uint32_t first = deal_host_rank(d, h);
        double target =
            (double)k->bytes * k->hosts[h].weight / weights / k->hosts[h].ranks;

        for (uint32_t r = first; r < first + k->hosts[h].ranks; r++) {
            double off = (double)deal_rank_sum(d, r).bytes - target;

            EXPECT(off <= slack && -off <= slack);
        }
    }
}

static void expect_even(const struct random_case *k, const struct deal *d)
{
    uint64_t units = deal_rank_sum(d, 0).units;
    uint64_t sum = 0;

    for (uint32_t r = 0; r < deal_rank_count(d); r++) {
        EXPECT(k->options.even == DEAL_EVEN_NONE ||
               deal_rank_sum(d, r).units == units);
        sum += deal_rank_sum(d, r).units;
    }
    if (k->options.kind != DEAL_REPLICATED) {
        EXPECT_EQ(sum + deal_dropped(d) - deal_padded(d), deal_unit_count(d));
    } else {
        EXPECT_EQ(sum + deal_dropped(d) - deal_padded(d),
                  (uint64_t)k->count * k->options.host_count);
    }
    /* What is left over is less than a unit for each rank. */
    if (k->options.kind == DEAL_BALANCED) {
        EXPECT(deal_dropped(d) < deal_rank_count(d));
        EXPECT(deal_padded(d) < deal_rank_count(d));
    }
}

static void expect_same(const struct deal *a, const struct deal *b)
{
    EXPECT_EQ(deal_rank_count(a), deal_rank_count(b));
    EXPECT(deal_skew(a) == deal_skew(b));
    for (uint32_t r = 0; r < deal_rank_count(a); r++) {
        struct deal_cursor left;
        struct deal_cursor right;
        struct deal_unit x;
        struct deal_unit y;

        deal_seek(a, r, &left);
        deal_seek(b, r, &right);
        while (deal_next(&left, &x)) {
            EXPECT(deal_next(&right, &y));
            EXPECT(x.object == y.object && x.offset == y.offset &&
                   x.size == y.size && x.is_padding == y.is_padding);
        }
        EXPECT(!deal_next(&right, &y));
    }
}

static void expect_same_for_any_order_of_hosts(struct prng *prng,
                                               const struct random_case *k,
                                               const struct catalog *c,
                                               const struct deal *d)
{
    struct deal_host hosts[HOSTS];
    struct deal_options options = k->options;
    struct deal *again;

    memcpy(hosts, k->hosts, sizeof(hosts));
    for (uint32_t i = options.host_count; i > 1; i--) {
        uint32_t j = (uint32_t)prng_below(prng, i);
        struct deal_host host = hosts[i - 1];

        hosts[i - 1] = hosts[j];
        hosts[j] = host;
    }
    options.hosts = hosts;
    again = deal_of(c, &options);
    expect_same(d, again);
    deal_destroy(&again);
}

static void run_case(struct prng *prng, struct random_case *k,
                     struct reading *reading)
{
    struct catalog *c = catalog_of_sizes(k->sizes, k->count);
    struct deal *d = deal_of(c, &k->options);
    bool is_all = k->options.even != DEAL_EVEN_DROP;

    expect_even(k, d);
    for (uint32_t h = 0; h < k->options.host_count; h++) {
        uint32_t first = deal_host_rank(d, h);

        read_ranks(d, first, first + k->hosts[h].ranks, reading);
        expect_brought(d, h, reading);
        if (k->options.kind == DEAL_REPLICATED) {
            expect_cover(k, reading, is_all);
        }
    }
    if (k->options.kind != DEAL_REPLICATED) {
        read_ranks(d, 0, deal_rank_count(d), reading);
        expect_cover(k, reading, is_all);
    }
    if (k->options.kind == DEAL_BALANCED && k->options.even == DEAL_EVEN_NONE) {
        expect_targets(k, d);
    }
    if (!k->options.may_split) {
        EXPECT_EQ(deal_unit_count(d), k->count);
    }
    expect_same_for_any_order_of_hosts(prng, k, c, d);
    deal_destroy(&d);
    catalog_destroy(&c);
}

TEST(random_deals)
{
    enum { CASES = 3000 };
    struct random_case *k = calloc(1, sizeof(*k));
    struct reading reading = {.units = calloc(UNITS, sizeof(*reading.units))};
    struct prng prng;

    prng_init(&prng, 11);
    for (int i = 0; i < CASES; i++) {
        random_case(&prng, k);
        run_case(&prng, k, &reading);
    }
    free(reading.units);
    free(k);
}
