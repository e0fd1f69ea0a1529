/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/synth.h"

#include "tests/harness.h"

static struct catalog *make(uint64_t count, uint64_t mean,
                            enum synth_sizes sizes, enum synth_keys keys)
{
    struct synth_options options = {.count = count,
                                    .mean_bytes = mean,
                                    .seed = 7,
                                    .sizes = sizes,
                                    .keys = keys};
    struct catalog *c = NULL;
    struct fault why;

    EXPECT(synth_make(&options, &why, &c) == STATUS_OK);
    EXPECT_EQ(catalog_count(c), count);
    return c;
}

static void expect_key(const struct catalog *c, uint64_t index,
                       const char *want)
{
    struct catalog_cursor cursor;
    struct catalog_object object;

    catalog_seek(c, index, &cursor);
    EXPECT(catalog_next(&cursor, &object));
    EXPECT(bytes_is(object.key, want));
    EXPECT_EQ(object.etag.size, 32);
}

TEST(names_are_read)
{
    static const char *const sizes[] = {"equal", "uniform", "lognormal",
                                        "zipf"};
    static const char *const keys[] = {"numbered", "dated", "hashed"};
    enum synth_sizes size = SYNTH_ZIPF;
    enum synth_keys key = SYNTH_HASHED;

    for (uint32_t i = 0; i < 4; i++) {
        EXPECT(synth_parse_sizes(sizes[i], &size) == STATUS_OK);
        EXPECT_EQ(size, i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT(synth_parse_keys(keys[i], &key) == STATUS_OK);
        EXPECT_EQ(key, i);
    }
    EXPECT(synth_parse_sizes("Zipf", &size) == STATUS_INVALID);
    EXPECT(synth_parse_sizes("", &size) == STATUS_INVALID);
    EXPECT(synth_parse_keys("number", &key) == STATUS_INVALID);
}

TEST(keys_have_their_shape)
{
    struct catalog *c = make(50000, 10, SYNTH_EQUAL, SYNTH_NUMBERED);

    catalog_check(c); /* Strictly increasing, among others. */
    expect_key(c, 17, "part-00000017.tar");
    expect_key(c, 49999, "part-00049999.tar");
    catalog_destroy(&c);
    c = make(2000000, 10, SYNTH_EQUAL, SYNTH_DATED);
    catalog_check(c);
    expect_key(c, 0, "2026/01/01/00/part-0000.tar");
    expect_key(c, 228 * 24 * 31 + 228 * 5 + 227, "2026/02/01/05/part-0227.tar");
    expect_key(c, 228 * 24 * 365, "2027/01/01/00/part-0000.tar");
    catalog_destroy(&c);
    c = make(50000, 10, SYNTH_EQUAL, SYNTH_HASHED);
    catalog_check(c);
    catalog_destroy(&c);
}

TEST(hashed_keys_are_spread)
{
    struct catalog *c = make(25600, 10, SYNTH_EQUAL, SYNTH_HASHED);
    struct catalog_cursor cursor;
    struct catalog_object object;
    uint32_t seen[256] = {0};

    catalog_seek(c, 0, &cursor);
    while (catalog_next(&cursor, &object)) {
        char hex[3] = {object.key.at[0], object.key.at[1]};

        EXPECT_EQ(object.key.size, 26);
        EXPECT(object.key.at[2] == '/' && object.key.at[5] == '/');
        EXPECT(memcmp(object.key.at, object.key.at + 6, 2) == 0);
        EXPECT(memcmp(object.key.at + 3, object.key.at + 8, 2) == 0);
        EXPECT(bytes_has_suffix(object.key, BYTES(".jpg")));
        seen[strtoul(hex, NULL, 16)]++;
    }
    for (int i = 0; i < 256; i++) {
        EXPECT(seen[i] >= 99 && seen[i] <= 101);
    }
    catalog_destroy(&c);
}

/* The largest size, and the one that half are below. */
static void find_sizes(const struct catalog *c, uint64_t *most, double *below)
{
    uint64_t mean = catalog_bytes(c) / catalog_count(c);
    uint64_t under = 0;

    *most = 0;
    for (uint64_t i = 0; i < catalog_count(c); i++) {
        uint64_t size = catalog_size(c, i);

        *most = size > *most ? size : *most;
        under += size < mean;
    }
    *below = (double)under / (double)catalog_count(c);
}

TEST(sizes_have_their_distribution)
{
    static const struct {
        enum synth_sizes sizes;
        double mean_low, mean_high;   /* Over what was asked for. */
        double most_low, most_high;   /* The largest over the mean. */
        double below_low, below_high; /* The part below the mean. */
    } rows[] = {
        {SYNTH_EQUAL, 1, 1, 1, 1, 0, 0},
        {SYNTH_UNIFORM, 0.99, 1.01, 1.99, 2.01, 0.49, 0.51},
        /* Below the mean: the normal distribution up to sigma / 2. */
        {SYNTH_LOGNORMAL, 0.97, 1.03, 80, 400, 0.765, 0.781},
        /* 200000 over the sum of i^-1.1 up to there, which is 7.634. */
        {SYNTH_ZIPF, 0.999, 1.001, 26150, 26250, 0.9, 1},
    };
    enum { COUNT = 200000, MEAN = 1000000 };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct catalog *c = make(COUNT, MEAN, rows[i].sizes, SYNTH_NUMBERED);
        double mean = (double)catalog_bytes(c) / COUNT / MEAN;
        uint64_t most;
        double below;
        double peak;

        find_sizes(c, &most, &below);
        peak = (double)most / MEAN;
        EXPECT(mean >= rows[i].mean_low && mean <= rows[i].mean_high);
        EXPECT(peak >= rows[i].most_low && peak <= rows[i].most_high);
        EXPECT(below >= rows[i].below_low && below <= rows[i].below_high);
        catalog_destroy(&c);
    }
}

TEST(zipf_falls_with_the_index)
{
    struct catalog *c = make(5000, 1 << 20, SYNTH_ZIPF, SYNTH_NUMBERED);
    double first = (double)catalog_size(c, 0);

    for (uint64_t i = 1; i < 5000; i++) {
        EXPECT(catalog_size(c, i) <= catalog_size(c, i - 1));
    }
    /* 2^-1.1, 10^-1.1 and 4096^-1.1. */
    EXPECT(first / (double)catalog_size(c, 1) > 2.143 &&
           first / (double)catalog_size(c, 1) < 2.144);
    EXPECT(first / (double)catalog_size(c, 9) > 12.58 &&
           first / (double)catalog_size(c, 9) < 12.60);
    EXPECT(first / (double)catalog_size(c, 4095) > 9405 &&
           first / (double)catalog_size(c, 4095) < 9415);
    catalog_destroy(&c);
}

TEST(odd_sizes_and_counts)
{
    for (int sizes = SYNTH_EQUAL; sizes <= SYNTH_ZIPF; sizes++) {
        for (int keys = SYNTH_NUMBERED; keys <= SYNTH_HASHED; keys++) {
            static const uint64_t counts[] = {0, 1, 2, 65};
            static const uint64_t means[] = {0, 1, UINT64_C(1) << 48};

            for (int i = 0; i < 12; i++) {
                struct catalog *c =
                    make(counts[i % 4], means[i / 4], (enum synth_sizes)sizes,
                         (enum synth_keys)keys);

                catalog_check(c);
                EXPECT(means[i / 4] > 0 || catalog_bytes(c) == 0);
                catalog_destroy(&c);
            }
        }
    }
}

TEST(too_much_is_refused)
{
    static const struct synth_options rows[] = {
        {.count = CATALOG_OBJECTS_MAX + 1, .mean_bytes = 1},
        {.count = 1, .mean_bytes = (UINT64_C(1) << 48) + 1},
        {.count = UINT64_C(1) << 14, .mean_bytes = UINT64_C(1) << 48},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct catalog *c = NULL;
        struct fault why = {""};

        EXPECT(synth_make(&rows[i], &why, &c) == STATUS_FULL);
        EXPECT(c == NULL && why.text[0] != '\0');
    }
}

/* The same seed is the same data set, on any compiler and C library. */
TEST(golden_catalogs)
{
    static const char *const names[] = {
        "44e006725e5a49ff49db5ed30aebb425cef39d09e0c059bca91d753c34ad818a",
        "933f58a3b37583a27dc42181fbef5775eb1e4014df0121c64a35c85469926d31",
        "7ab2359298a15dbeddb2daa3ef6362b25ffb25596200819dff49b911f1e458cf",
        "b592ad67384b7dc450c072593f23ea98fcae96415ea1b5f0b1032cffe808a176",
    };

    for (int i = 0; i < 4; i++) {
        struct catalog *c =
            make(1000, 1 << 20, (enum synth_sizes)i, (enum synth_keys)(i % 3));
        struct catalog *again =
            make(1000, 1 << 20, (enum synth_sizes)i, (enum synth_keys)(i % 3));

        EXPECT_STR(catalog_name(c), catalog_name(again));
        EXPECT_STR(catalog_name(c), names[i]);
        catalog_destroy(&c);
        catalog_destroy(&again);
    }
}

TEST(seeds_differ)
{
    struct synth_options options = {
        .count = 100, .mean_bytes = 1000, .seed = 1, .sizes = SYNTH_LOGNORMAL};
    struct catalog *a = NULL;
    struct catalog *b = NULL;
    struct fault why;

    EXPECT(synth_make(&options, &why, &a) == STATUS_OK);
    options.seed = 2;
    EXPECT(synth_make(&options, &why, &b) == STATUS_OK);
    EXPECT(strcmp(catalog_name(a), catalog_name(b)) != 0);
    EXPECT(catalog_bytes(a) != catalog_bytes(b));
    catalog_destroy(&a);
    catalog_destroy(&b);
}
