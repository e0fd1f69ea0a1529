/* SPDX-License-Identifier: Apache-2.0 */
/* The seeds are fixed, so each chi-square below is one number for ever: the
 * limits are those of a chance of about one in a million, and a change of the
 * cipher that fails one is to be looked at, not retried. */

#include "coordinator/order.h"

#include "base/prng.h"
#include "tests/harness.h"

enum { SIDE = 16, CELLS = SIDE * SIDE };

/* Sum over @count cells of (seen - expected)² / expected. */
static double chi_square(const uint32_t *cells, size_t count, uint64_t samples)
{
    double expected = (double)samples / (double)count;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        double off = (double)cells[i] - expected;

        sum += off * off / expected;
    }
    return sum;
}

/* Whether @sum is too large, or suspiciously small, for @degrees: five
 * standard deviations, widened for the long tail of few degrees. */
static int chi_is_odd(double sum, double degrees)
{
    double off = sum - degrees;

    if (off > 12 && off * off > 50 * degrees) {
        return 1;
    }
    return degrees >= 50 && off < 0 && off * off > 50 * degrees;
}

static void expect_even(const uint32_t *cells, size_t count, uint64_t samples,
                        double degrees)
{
    double sum = chi_square(cells, count, samples);

    if (chi_is_odd(sum, degrees)) {
        fprintf(stderr, "chi-square %.1f with %.0f degrees\n", sum, degrees);
    }
    EXPECT(!chi_is_odd(sum, degrees));
}

static void expect_permutation(const struct order *o, unsigned char *seen)
{
    memset(seen, 0, o->count);
    for (uint64_t i = 0; i < o->count; i++) {
        uint64_t unit = order_unit(o, i);

        EXPECT(unit < o->count);
        EXPECT(!seen[unit]);
        seen[unit] = 1;
        EXPECT_EQ(order_position(o, unit), i);
    }
}

TEST(plain_order_is_the_identity)
{
    struct order o;

    order_init_plain(&o, 10);
    for (uint64_t i = 0; i < 10; i++) {
        EXPECT_EQ(order_unit(&o, i), i);
        EXPECT_EQ(order_position(&o, i), i);
    }
}

TEST(every_small_count_is_a_permutation)
{
    static unsigned char seen[4096];

    for (uint64_t count = 1; count <= 4096; count++) {
        struct order o;

        order_init_shuffled(&o, count, count * 31, 3, BYTES("train"));
        expect_permutation(&o, seen);
    }
}

TEST(larger_counts_are_permutations)
{
    unsigned char *seen = malloc(1000000);
    struct prng prng;

    prng_init(&prng, 5);
    for (int i = 0; i < 6; i++) {
        struct order o;

        order_init_shuffled(&o, 4097 + prng_below(&prng, 990000),
                            prng_next(&prng), 0, BYTES("x"));
        expect_permutation(&o, seen);
    }
    free(seen);
}

TEST(huge_counts_invert)
{
    struct prng prng;

    prng_init(&prng, 6);
    for (int i = 0; i < 400; i++) {
        uint64_t count =
            (prng_next(&prng) >> prng_below(&prng, 50)) | UINT64_C(4096);
        struct order o;

        order_init_shuffled(&o, count, prng_next(&prng), 1, BYTES("y"));
        for (int j = 0; j < 200; j++) {
            uint64_t at = prng_below(&prng, count);
            uint64_t unit = order_unit(&o, at);

            EXPECT(unit < count);
            EXPECT_EQ(order_position(&o, unit), at);
            EXPECT_EQ(order_unit(&o, order_position(&o, at)), at);
        }
    }
}

TEST(cells_are_even_over_seeds)
{
    enum { SEEDS = 3000 };

    for (uint64_t count = 2; count <= 24; count++) {
        uint32_t cells[24 * 24] = {0};

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct order o;

            order_init_shuffled(&o, count, seed, 0, BYTES("train"));
            for (uint64_t i = 0; i < count; i++) {
                cells[i * count + order_unit(&o, i)]++;
            }
        }
        expect_even(cells, count * count, SEEDS * count,
                    (double)((count - 1) * (count - 1)));
    }
}

/* Which of the count! permutations @o is, by its Lehmer code. */
static size_t permutation_number(const struct order *o)
{
    size_t number = 0;

    for (uint64_t i = 0; i < o->count; i++) {
        size_t smaller = 0;

        for (uint64_t j = i + 1; j < o->count; j++) {
            smaller += order_unit(o, j) < order_unit(o, i);
        }
        number = number * (size_t)(o->count - i) + smaller;
    }
    return number;
}

TEST(all_permutations_come_evenly)
{
    static const struct {
        uint64_t count;
        size_t permutations;
    } rows[] = {{2, 2}, {3, 6}, {4, 24}, {5, 120}, {6, 720}};
    enum { SEEDS = 8000 };

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        uint32_t cells[720] = {0};

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct order o;

            order_init_shuffled(&o, rows[r].count, 77, seed, BYTES("a"));
            cells[permutation_number(&o)]++;
        }
        expect_even(cells, rows[r].permutations, SEEDS,
                    (double)rows[r].permutations - 1);
    }
}

/* The cell of two values below @count, each in one of SIDE buckets. */
static size_t cell_of(uint64_t a, uint64_t b, uint64_t count)
{
    uint64_t width = count / SIDE;

    return (size_t)(a / width) * SIDE + (size_t)(b / width);
}

static const uint64_t large_counts[] = {4096, 65536, UINT64_C(999999984),
                                        UINT64_C(1073741840),
                                        UINT64_C(4000000000)};

TEST(large_counts_are_even)
{
    enum { SEEDS = 200, SAMPLES = 256 };

    for (size_t c = 0; c < sizeof(large_counts) / sizeof(uint64_t); c++) {
        uint64_t count = large_counts[c];
        uint32_t place[CELLS] = {0};
        uint32_t step[CELLS] = {0};

        for (uint64_t i = 0; i < (uint64_t)SEEDS * SAMPLES; i++) {
            uint64_t at = count / SAMPLES * (i % SAMPLES);
            struct order o;

            order_init_shuffled(&o, count, i / SAMPLES, 9, BYTES("b"));
            place[cell_of(at, order_unit(&o, at), count)]++;
            step[cell_of(order_unit(&o, at), order_unit(&o, at + 1), count)]++;
        }
        expect_even(place, CELLS, SEEDS * SAMPLES, SIDE * (SIDE - 1));
        expect_even(step, CELLS, SEEDS * SAMPLES, CELLS - 1);
    }
}

/* Two orders that differ only by @kind: seed, epoch or channel. */
static void init_pair(struct order pair[2], uint64_t count, int kind,
                      uint64_t i)
{
    static const char names[] = "abcdefghijklmnopq";
    struct bytes a = {names + i % 16, 1};
    struct bytes b = {names + i % 16 + 1, 1};

    order_init_shuffled(&pair[0], count, i, i / 16, a);
    order_init_shuffled(&pair[1], count, kind == 0 ? i + 1 : i,
                        kind == 1 ? i / 16 + 1 : i / 16, kind == 2 ? b : a);
}

TEST(neighbours_are_unlike)
{
    enum { PAIRS = 200, SAMPLES = 128 };

    for (int kind = 0; kind < 3; kind++) {
        for (size_t c = 0; c < sizeof(large_counts) / sizeof(uint64_t); c++) {
            uint64_t count = large_counts[c];
            uint32_t cells[CELLS] = {0};

            for (uint64_t i = 0; i < (uint64_t)PAIRS * SAMPLES; i++) {
                uint64_t at = count / SAMPLES * (i % SAMPLES);
                struct order pair[2];

                init_pair(pair, count, kind, i / SAMPLES);
                cells[cell_of(order_unit(&pair[0], at),
                              order_unit(&pair[1], at), count)]++;
            }
            expect_even(cells, CELLS, PAIRS * SAMPLES, CELLS - 1);
        }
    }
}

/* Seed, epoch and channel may not stand for each other. */
TEST(parts_of_the_key_do_not_mix)
{
    struct order a;
    struct order b;

    order_init_shuffled(&a, 1000, 1, 2, BYTES("train"));
    order_init_shuffled(&b, 1000, 2, 1, BYTES("train"));
    EXPECT(memcmp(a.keys, b.keys, sizeof(a.keys)) != 0);
    order_init_shuffled(&a, 1000, 1, 0, BYTES("a"));
    order_init_shuffled(&b, 1000, 1, 'a', BYTES(""));
    EXPECT(memcmp(a.keys, b.keys, sizeof(a.keys)) != 0);
}

/* Orders are recomputed by other hosts and after a restart with another
 * build: these figures never change. */
TEST(golden_orders)
{
    static const struct {
        uint64_t count, seed, epoch;
        const char *channel;
        uint64_t units[4];
    } rows[] = {
        {10, 0, 0, "train", {5, 8, 9, 1}},
        {1000, 7, 1, "train", {223, 813, 349, 573}},
        {1000000007,
         12345,
         2,
         "validation",
         {184097670, 672721231, 655208004, 444076824}},
        {UINT64_C(4000000000),
         UINT64_MAX,
         1000,
         "",
         {2835637092, 2110076659, 2859552810, 2773128492}},
        {UINT64_MAX,
         1,
         1,
         "x",
         {UINT64_C(15025159146748390745), UINT64_C(7185034818108412773),
          UINT64_C(12343060257387389483), UINT64_C(8720995179873654467)}},
    };

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct order o;

        order_init_shuffled(&o, rows[r].count, rows[r].seed, rows[r].epoch,
                            bytes_of(rows[r].channel));
        for (uint64_t i = 0; i < 4; i++) {
            EXPECT_EQ(order_unit(&o, i), rows[r].units[i]);
        }
    }
}
