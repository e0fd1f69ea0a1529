/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/deal_fixture.h"

static struct catalog *catalog_of_keys(const char *const *keys, size_t count)
{
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why;

    EXPECT(catalog_builder_new(&b) == STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        struct catalog_object object = {bytes_of(keys[i]), 10, BYTES("")};

        EXPECT(catalog_builder_add(b, &object, &why) == STATUS_OK);
    }
    EXPECT(catalog_builder_finish(&b, &c) == STATUS_OK);
    return c;
}

/* The keys that @host brings, each behind a space. */
static void print_host(const struct catalog *c, const struct deal *d,
                       uint32_t host, struct buf *out)
{
    struct deal_cursor cursor;
    struct deal_unit unit;

    buf_clear(out);
    deal_host_seek(d, host, &cursor);
    while (deal_host_next(&cursor, &unit)) {
        struct catalog_cursor at;
        struct catalog_object object;

        catalog_seek(c, unit.object, &at);
        EXPECT(catalog_next(&at, &object));
        buf_add_char(out, ' ');
        buf_add_bytes(out, object.key);
    }
}

/* The objects that @rank reads, in its sequence; "+" marks padding. */
static const char *print_rank(const struct deal *d, uint32_t rank,
                              struct buf *out)
{
    struct deal_cursor cursor;
    struct deal_unit unit;

    buf_clear(out);
    deal_seek(d, rank, &cursor);
    while (deal_next(&cursor, &unit)) {
        buf_print(out, " %s%llu", unit.is_padding ? "+" : "",
                  (unsigned long long)unit.object);
        if (!unit.is_whole) {
            buf_print(out, "[%llu,%llu]", (unsigned long long)unit.offset,
                      (unsigned long long)unit.size);
        }
    }
    return buf_text(out);
}

static void expect_rank(const struct deal *d, uint32_t rank, const char *want)
{
    struct buf out = {0};

    EXPECT_STR(print_rank(d, rank, &out), want);
    buf_fini(&out);
}

/* What the platform was seen to do with two hosts. */
TEST(captured_placements)
{
    static const struct {
        const char *keys[12];
        size_t count;
        const char *hosts[2];
    } rows[] = {
        {{"_1", "_10", "_2", "_3", "_4", "_5", "_6", "_7", "_8", "_9"},
         10,
         {" _1 _2 _4 _6 _8", " _10 _3 _5 _7 _9"}},
        {{"test", "test2"}, 2, {" test", " test2"}},
        {{"test"}, 1, {" test", ""}},
        /* The index runs on across folders. */
        {{"a/1", "a/2", "a/3", "b/1", "b/2"}, 5, {" a/1 a/3 b/2", " a/2 b/1"}},
    };
    struct deal_host hosts[HOSTS];
    struct deal_options options = options_of(DEAL_SAGEMAKER, hosts, 2, 1);
    struct buf out = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct catalog *c = catalog_of_keys(rows[i].keys, rows[i].count);
        struct deal *d = deal_of(c, &options);

        for (uint32_t h = 0; h < 2; h++) {
            print_host(c, d, h, &out);
            EXPECT_STR(buf_text(&out), rows[i].hosts[h]);
        }
        deal_destroy(&d);
        catalog_destroy(&c);
    }
    buf_fini(&out);
}

TEST(hosts_are_dealt_to_by_number)
{
    static const uint64_t sizes[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct catalog *c = catalog_of_sizes(sizes, 12);
    struct deal_host hosts[3] = {{10, 1, 100}, {2, 2, 100}, {9, 1, 100}};
    struct deal_options options = {
        .kind = DEAL_SAGEMAKER, .hosts = hosts, .host_count = 3};
    struct deal *d = deal_of(c, &options);

    EXPECT_EQ(deal_rank_count(d), 4);
    EXPECT_EQ(deal_host_rank(d, 0), 0);
    EXPECT_EQ(deal_host_rank(d, 1), 2);
    EXPECT_EQ(deal_host_rank(d, 2), 3);
    expect_rank(d, 0, " 0 6");
    expect_rank(d, 1, " 3 9");
    expect_rank(d, 2, " 1 4 7 10");
    expect_rank(d, 3, " 2 5 8 11");
    deal_destroy(&d);
    catalog_destroy(&c);
}

enum { ANEW_OBJECTS = 101, ANEW_RANKS = 4 };

/* Which rank has each object, and how many each rank has. */
static void find_ranks(const struct deal *d, uint32_t rank_of[ANEW_OBJECTS],
                       uint64_t own[ANEW_RANKS])
{
    for (uint32_t rank = 0; rank < ANEW_RANKS; rank++) {
        struct deal_cursor at;
        struct deal_unit unit;

        own[rank] = deal_own(d, rank);
        for (deal_seek(d, rank, &at); deal_next(&at, &unit);) {
            rank_of[unit.object] = rank;
        }
    }
}

/* Shuffled, the order is what is dealt: each epoch has other objects on each
 * rank, and every rank as many as before, since the ledger counts them. */
TEST(each_epoch_is_dealt_anew_where_it_is_shuffled)
{
    uint64_t sizes[ANEW_OBJECTS];
    uint32_t rank_of[2][ANEW_OBJECTS];
    uint64_t own[2][ANEW_RANKS];
    struct deal_host hosts[3] = {{0, 1, 100}, {1, 2, 100}, {2, 1, 100}};
    struct order order;
    struct deal_options options = {.kind = DEAL_SAGEMAKER,
                                   .hosts = hosts,
                                   .host_count = 3,
                                   .order = &order};
    struct catalog *c;
    uint32_t moved = 0;

    for (size_t i = 0; i < ANEW_OBJECTS; i++) {
        sizes[i] = i + 1;
    }
    c = catalog_of_sizes(sizes, ANEW_OBJECTS);
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        struct deal *d;

        order_init_shuffled(&order, ANEW_OBJECTS, 7, epoch, BYTES("train"));
        d = deal_of(c, &options);
        find_ranks(d, rank_of[epoch], own[epoch]);
        deal_destroy(&d);
    }
    EXPECT(memcmp(own[0], own[1], sizeof(own[0])) == 0);
    for (size_t i = 0; i < ANEW_OBJECTS; i++) {
        moved += rank_of[0][i] != rank_of[1][i];
    }
    EXPECT(moved > ANEW_OBJECTS / 2); /* Of about 13 in 18. */
    catalog_destroy(&c);
}

TEST(sagemaker_even_rows)
{
    static const uint64_t sizes[5] = {1, 2, 3, 4, 5};
    static const struct {
        enum deal_even even;
        const char *ranks[2];
        uint64_t dropped, padded, units[2], bytes[2];
    } rows[] = {
        {DEAL_EVEN_NONE, {" 0 2 4", " 1 3"}, 0, 0, {3, 2}, {9, 6}},
        {DEAL_EVEN_PAD, {" 0 2 4", " 1 3 +1"}, 0, 1, {3, 3}, {9, 8}},
        {DEAL_EVEN_DROP, {" 0 2", " 1 3"}, 1, 0, {2, 2}, {4, 6}},
    };
    struct catalog *c = catalog_of_sizes(sizes, 5);
    struct deal_host hosts[2];
    struct deal_options options = options_of(DEAL_SAGEMAKER, hosts, 2, 1);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct deal *d;

        options.even = rows[i].even;
        d = deal_of(c, &options);
        EXPECT_EQ(deal_dropped(d), rows[i].dropped);
        EXPECT_EQ(deal_padded(d), rows[i].padded);
        for (uint32_t r = 0; r < 2; r++) {
            expect_rank(d, r, rows[i].ranks[r]);
            EXPECT_EQ(deal_rank_sum(d, r).units, rows[i].units[r]);
            EXPECT_EQ(deal_rank_sum(d, r).bytes, rows[i].bytes[r]);
        }
        deal_destroy(&d);
    }
    catalog_destroy(&c);
}

TEST(replicated_rows)
{
    static const uint64_t sizes[5] = {1, 2, 3, 4, 5};
    struct catalog *c = catalog_of_sizes(sizes, 5);
    struct deal_host hosts[2] = {{0, 1, 100}, {1, 2, 100}};
    struct deal_options options = {
        .kind = DEAL_REPLICATED, .hosts = hosts, .host_count = 2};
    struct deal *d = deal_of(c, &options);

    expect_rank(d, 0, " 0 1 2 3 4");
    expect_rank(d, 1, " 0 2 4");
    expect_rank(d, 2, " 1 3");
    EXPECT_EQ(deal_host_sum(d, 1).units, 5);
    EXPECT_EQ(deal_host_sum(d, 1).bytes, 15);
    deal_destroy(&d);
    options.even = DEAL_EVEN_PAD;
    d = deal_of(c, &options);
    expect_rank(d, 1, " 0 2 4 +0 +2");
    expect_rank(d, 2, " 1 3 +1 +3 +1");
    EXPECT_EQ(deal_padded(d), 5);
    deal_destroy(&d);
    options.even = DEAL_EVEN_DROP;
    d = deal_of(c, &options);
    expect_rank(d, 0, " 0 1");
    expect_rank(d, 2, " 1 3");
    EXPECT_EQ(deal_dropped(d), 3 + 1);
    EXPECT_EQ(deal_host_sum(d, 0).units, 2);
    EXPECT_EQ(deal_host_sum(d, 1).bytes, 10);
    deal_destroy(&d);
    catalog_destroy(&c);
}

TEST(balanced_rows)
{
    static const struct {
        uint64_t sizes[8];
        size_t count;
        uint32_t weights[2];
        enum deal_even even;
        bool may_split;
        uint64_t align;
        const char *ranks[2];
    } rows[] = {
        {{1, 2, 4, 7}, 4, {1, 1}, DEAL_EVEN_NONE, false, 0, {" 3", " 0 1 2"}},
        {{7, 7, 7, 7}, 4, {3, 1}, DEAL_EVEN_NONE, false, 0, {" 0 1 2", " 3"}},
        {{100}, 1, {1, 1}, DEAL_EVEN_NONE, false, 0, {" 0", ""}},
        {{100}, 1, {1, 1}, DEAL_EVEN_NONE, true, 0, {" 0[0,50]", " 0[50,50]"}},
        {{100}, 1, {3, 1}, DEAL_EVEN_NONE, true, 0, {" 0[0,75]", " 0[75,25]"}},
        {{100}, 1, {1, 1}, DEAL_EVEN_NONE, true, 32, {" 0[0,64]", " 0[64,36]"}},
        {{100}, 1, {1, 1}, DEAL_EVEN_NONE, true, 100, {" 0", ""}},
        {{50, 50}, 2, {1, 1}, DEAL_EVEN_NONE, true, 0, {" 0", " 1"}},
        /* No cut leaves a crumb: a 512th of the target is the least. */
        {{12801, 12799},
         2,
         {1, 1},
         DEAL_EVEN_NONE,
         true,
         0,
         {" 0[0,12776] 1[12774,25]", " 0[12776,25] 1[0,12774]"}},
        /* Objects without a byte go where few units are. */
        {{0, 0, 0, 9, 0},
         5,
         {1, 1},
         DEAL_EVEN_NONE,
         false,
         0,
         {" 1 3 4", " 0 2"}},
        {{0, 0, 0, 0}, 4, {1, 1}, DEAL_EVEN_NONE, true, 0, {" 0 2", " 1 3"}},
        {{5, 1, 1, 1}, 4, {1, 1}, DEAL_EVEN_PAD, false, 0, {" 0 3", " 1 2"}},
        {{5, 1, 1}, 3, {1, 1}, DEAL_EVEN_PAD, false, 0, {" 0 +0", " 1 2"}},
        {{5, 1, 1}, 3, {1, 1}, DEAL_EVEN_DROP, false, 0, {" 0", " 1"}},
        {{5}, 1, {1, 1}, DEAL_EVEN_DROP, false, 0, {"", ""}},
        {{5}, 1, {1, 1}, DEAL_EVEN_PAD, false, 0, {" 0", " +0"}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct catalog *c = catalog_of_sizes(rows[i].sizes, rows[i].count);
        struct deal_host hosts[2];
        struct deal_options options = options_of(DEAL_BALANCED, hosts, 2, 1);
        struct deal *d;

        hosts[0].weight = rows[i].weights[0];
        hosts[1].weight = rows[i].weights[1];
        options.even = rows[i].even;
        options.may_split = rows[i].may_split;
        options.split_align = rows[i].align;
        d = deal_of(c, &options);
        expect_rank(d, 0, rows[i].ranks[0]);
        expect_rank(d, 1, rows[i].ranks[1]);
        deal_destroy(&d);
        catalog_destroy(&c);
    }
}

TEST(no_objects)
{
    struct catalog *c = catalog_of_sizes(NULL, 0);
    struct deal_host hosts[HOSTS];

    for (int kind = DEAL_SAGEMAKER; kind <= DEAL_REPLICATED; kind++) {
        struct deal_options options =
            options_of((enum deal_kind)kind, hosts, 3, 2);
        struct deal *d = deal_of(c, &options);
        struct fault why = {""};

        for (uint32_t r = 0; r < 6; r++) {
            expect_rank(d, r, "");
        }
        EXPECT(deal_skew(d) == 1.0);
        EXPECT_EQ(deal_unit_count(d), 0);
        EXPECT_EQ(deal_host_sum(d, 2).units, 0);
        deal_destroy(&d);
        options.even = DEAL_EVEN_DROP;
        d = deal_of(c, &options);
        EXPECT_EQ(deal_dropped(d), 0);
        deal_destroy(&d);
        options.even = DEAL_EVEN_PAD;
        EXPECT(deal_new(c, &options, &why, &d) == STATUS_EMPTY);
        EXPECT(d == NULL && why.text[0] != '\0');
    }
    catalog_destroy(&c);
}

TEST(bad_hosts_are_named)
{
    static const struct {
        struct deal_host hosts[2];
        uint32_t count;
        const char *why;
    } rows[] = {
        {{{3, 1, 100}, {3, 1, 100}}, 2, "host 3 takes part twice in one deal"},
        {{{3, 0, 100}}, 1, "host 3: 0 ranks; 1 to 64 are allowed"},
        {{{3, 65, 100}}, 1, "host 3: 65 ranks; 1 to 64 are allowed"},
        {{{3, 1, 0}},
         1,
         "host 3: its weight is 0; leave the host out or give it some"},
        {{{0, 0, 0}}, 0, "a deal to 0 hosts; 1 to 16384 are allowed"},
        {{{0, 0, 0}}, 16385, "a deal to 16385 hosts; 1 to 16384 are allowed"},
    };
    static const uint64_t size = 1;
    struct catalog *c = catalog_of_sizes(&size, 1);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct deal_options options = {.kind = DEAL_SAGEMAKER,
                                       .hosts = rows[i].hosts,
                                       .host_count = rows[i].count};
        struct fault why = {""};
        struct deal *d = NULL;

        EXPECT(deal_new(c, &options, &why, &d) == STATUS_INVALID);
        EXPECT(d == NULL);
        EXPECT_STR(why.text, rows[i].why);
    }
    catalog_destroy(&c);
}

/* A rank's sequence is the order, without what others read. */
TEST(sequences_follow_the_order)
{
    struct catalog *c = catalog_of_synth(5000, SYNTH_LOGNORMAL, 1);
    struct deal_host hosts[HOSTS];
    struct order order;

    order_init_shuffled(&order, 5000, 3, 4, BYTES("train"));
    for (int kind = DEAL_SAGEMAKER; kind <= DEAL_REPLICATED; kind++) {
        struct deal_options options =
            options_of((enum deal_kind)kind, hosts, 5, 3);
        struct deal *d;

        options.order = &order;
        options.may_split = true;
        d = deal_of(c, &options);
        for (uint32_t r = 0; r < 15; r++) {
            struct deal_cursor cursor;
            struct deal_unit unit;
            uint64_t last = 0;

            deal_seek(d, r, &cursor);
            while (deal_next(&cursor, &unit)) {
                uint64_t position = order_position(&order, unit.object);

                EXPECT(position >= last);
                last = position;
            }
        }
        deal_destroy(&d);
    }
    catalog_destroy(&c);
}

/* What is dropped is the end of the order. */
TEST(drop_takes_the_last_of_the_order)
{
    struct catalog *c = catalog_of_synth(1003, SYNTH_LOGNORMAL, 1);
    struct deal_host hosts[HOSTS];
    struct deal_options options = options_of(DEAL_BALANCED, hosts, 10, 1);
    struct deal_cursor cursor;
    struct deal_unit unit;
    struct order order;
    struct deal *d;

    order_init_shuffled(&order, 1003, 3, 4, BYTES("train"));
    options.order = &order;
    options.even = DEAL_EVEN_DROP;
    d = deal_of(c, &options);
    EXPECT_EQ(deal_dropped(d), 3);
    for (uint32_t r = 0; r < 10; r++) {
        deal_seek(d, r, &cursor);
        while (deal_next(&cursor, &unit)) {
            EXPECT(order_position(&order, unit.object) < 1000);
        }
    }
    deal_destroy(&d);
    catalog_destroy(&c);
}

/* Largest first, each to the least loaded: done plainly, as a yardstick. */
static double plain_lpt(const struct catalog *c, uint32_t hosts)
{
    uint64_t count = catalog_count(c);
    uint64_t *sizes = malloc(count * sizeof(*sizes));
    uint64_t load[HOSTS] = {0};
    uint64_t most = 0;

    catalog_sizes(c, 0, (size_t)count, sizes);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t largest = i;
        uint32_t least = 0;
        uint64_t size;

        for (uint64_t j = i + 1; j < count; j++) {
            largest = sizes[j] > sizes[largest] ? j : largest;
        }
        size = sizes[largest];
        sizes[largest] = sizes[i];
        for (uint32_t h = 1; h < hosts; h++) {
            least = load[h] < load[least] ? h : least;
        }
        load[least] += size;
        most = load[least] > most ? load[least] : most;
    }
    free(sizes);
    return (double)most * hosts / (double)catalog_bytes(c);
}

static const struct {
    enum synth_sizes sizes;
    uint64_t objects;
    uint32_t hosts;
} skew_rows[] = {
    {SYNTH_LOGNORMAL, 1000, 4},  {SYNTH_LOGNORMAL, 1000, 16},
    {SYNTH_LOGNORMAL, 1000, 64}, {SYNTH_ZIPF, 1000, 16},
    {SYNTH_ZIPF, 1000, 64},      {SYNTH_EQUAL, 100, 64},
    {SYNTH_UNIFORM, 1000, 64},
};
enum { SKEW_ROWS = sizeof(skew_rows) / sizeof(skew_rows[0]) };

static double skew_of(const struct catalog *c, uint32_t hosts,
                      enum deal_even even, bool may_split)
{
    struct deal_host list[HOSTS];
    struct deal_options options = options_of(DEAL_BALANCED, list, hosts, 1);
    struct deal *d;
    double skew;

    options.even = even;
    options.may_split = may_split;
    d = deal_of(c, &options);
    skew = deal_skew(d);
    deal_destroy(&d);
    return skew;
}

TEST(bytes_are_balanced)
{
    for (size_t i = 0; i < SKEW_ROWS; i++) {
        for (uint64_t seed = 7; seed < 10; seed++) {
            uint32_t hosts = skew_rows[i].hosts;
            struct catalog *c = catalog_of_synth(skew_rows[i].objects,
                                                 skew_rows[i].sizes, seed);
            double lpt = plain_lpt(c, hosts);
            double whole = skew_of(c, hosts, DEAL_EVEN_NONE, false);
            double cut = skew_of(c, hosts, DEAL_EVEN_NONE, true);
            double even = skew_of(c, hosts, DEAL_EVEN_DROP, true);
            double pad = skew_of(c, hosts, DEAL_EVEN_PAD, true);

            if (getenv("TEST_PRINT") != NULL) {
                printf("%d %u: lpt %.4f whole %.4f ranges %.4f drop %.4f pad "
                       "%.4f\n",
                       (int)skew_rows[i].sizes, hosts, lpt, whole, cut, even,
                       pad);
            }
            EXPECT(whole <= lpt + 0.005);
            EXPECT(cut <= 1.01);
            EXPECT(even <= 1.01);
            EXPECT(pad <= 1.01);
            catalog_destroy(&c);
        }
    }
}

/* Cuts are few: about one for each rank that large objects fill. */
TEST(cuts_are_few)
{
    for (size_t i = 0; i < SKEW_ROWS; i++) {
        struct catalog *c =
            catalog_of_synth(skew_rows[i].objects, skew_rows[i].sizes, 7);
        struct deal_host list[HOSTS];
        struct deal_options options =
            options_of(DEAL_BALANCED, list, skew_rows[i].hosts, 1);
        struct deal *d;

        options.may_split = true;
        options.split_align = 1 << 20;
        d = deal_of(c, &options);
        EXPECT(deal_unit_count(d) <=
               skew_rows[i].objects + 3 * skew_rows[i].hosts);
        EXPECT(deal_skew(d) <= 1.01);
        deal_destroy(&d);
        catalog_destroy(&c);
    }
}

TEST(weights_shift_bytes)
{
    struct catalog *c = catalog_of_synth(20000, SYNTH_LOGNORMAL, 3);
    struct deal_host hosts[4] = {
        {0, 8, 100}, {1, 4, 200}, {2, 1, 50}, {3, 64, 250}};
    struct deal_options options = {
        .kind = DEAL_BALANCED, .hosts = hosts, .host_count = 4};

    for (int split = 0; split < 2; split++) {
        struct deal *d;

        options.may_split = split != 0;
        d = deal_of(c, &options);
        EXPECT(deal_skew(d) < 1.01);
        for (uint32_t h = 0; h < 4; h++) {
            double want =
                (double)catalog_bytes(c) * hosts[h].weight / (50 + 550);
            double got = (double)deal_host_sum(d, h).bytes / want;

            EXPECT(got > 0.99 && got < 1.01);
        }
        deal_destroy(&d);
    }
    catalog_destroy(&c);
}

/* Equal objects that do not divide spread over the hosts, not the ranks of
 * the first ones. */
TEST(what_is_left_over_spreads_over_hosts)
{
    struct catalog *c = catalog_of_synth(100, SYNTH_EQUAL, 0);
    struct deal_host hosts[HOSTS];
    struct deal_options options = options_of(DEAL_BALANCED, hosts, 12, 8);
    struct deal *d = deal_of(c, &options);

    for (uint32_t h = 0; h < 12; h++) {
        EXPECT(deal_host_sum(d, h).units >= 8 &&
               deal_host_sum(d, h).units <= 9);
    }
    deal_destroy(&d);
    catalog_destroy(&c);
}

/* As many ranks as there may be, and fewer objects. */
TEST(a_million_ranks)
{
    struct catalog *c = catalog_of_synth(1000, SYNTH_LOGNORMAL, 0);
    struct deal_host *hosts = calloc(DEAL_HOSTS_MAX, sizeof(*hosts));
    struct deal_options options =
        options_of(DEAL_BALANCED, hosts, DEAL_HOSTS_MAX, DEAL_HOST_RANKS_MAX);
    struct deal *d = deal_of(c, &options);

    EXPECT_EQ(deal_rank_count(d), DEAL_RANKS_MAX);
    EXPECT_EQ(deal_rank_sum(d, 0).units, 1);
    deal_destroy(&d);
    free(hosts);
    catalog_destroy(&c);
}

TEST(memory_stays_small)
{
    struct catalog *c = catalog_of_synth(100000, SYNTH_LOGNORMAL, 0);
    struct deal_host hosts[HOSTS];

    for (int kind = DEAL_SAGEMAKER; kind <= DEAL_REPLICATED; kind++) {
        struct deal_options options =
            options_of((enum deal_kind)kind, hosts, 64, 8);
        struct deal *d = deal_of(c, &options);

        EXPECT(catalog_memory(c) - catalog_key_memory(c) + deal_memory(d) <
               48 * 100000);
        deal_destroy(&d);
    }
    catalog_destroy(&c);
}

/* Deals are made again elsewhere, with other compilers: they never change. */
TEST(golden_deals)
{
    static const char *const names[] = {
        " 183 280 33 263 290 106 134", " 140 91 296 64 263 290 68 241 93",
        " 207 285 19 165 112 13 272 3 66 39 101 298 37 72 161 140 138 151 122 "
        "283 219 114 143 173 56 75 54 287 256 225 44 50 127 119 184 117 22 205 "
        "278 291 214 176 70 269 227 116 252 232 167 180 53 107 82 115 213 231 "
        "297 34 64 194 58 244 139 212 60 299 27 16 12 123 83 41 80 286 238 196 "
        "98 81 76 154 179 237 135 92 9 25 4 87 166 253 110 71 108 100 63 94 "
        "270 275 104 293 288 254 236 68 20 197 43 105 234 46 57 85 141 86 11 "
        "186 111 190 289 276 284 277 199 171 130 172 69 192 292 198 260 248 "
        "182 217 195 170 168 255 84 233 99 150 226 228 266 77 2 131 216 48"};
    struct catalog *c = catalog_of_synth(300, SYNTH_LOGNORMAL, 7);
    struct deal_host hosts[HOSTS];
    struct order order;
    struct buf out = {0};

    order_init_shuffled(&order, 300, 7, 1, BYTES("train"));
    for (int kind = DEAL_SAGEMAKER; kind <= DEAL_REPLICATED; kind++) {
        struct deal_options options =
            options_of((enum deal_kind)kind, hosts, 20, 2);
        struct deal *d;

        options.order = &order;
        options.may_split = true;
        options.split_align = 1 << 20;
        d = deal_of(c, &options);
        EXPECT_STR(print_rank(d, 17, &out), names[kind]);
        deal_destroy(&d);
    }
    buf_fini(&out);
    catalog_destroy(&c);
}
