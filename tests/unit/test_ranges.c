/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of ranges against the plainest model there is: a flag a number. */

#include "base/ranges.h"

#include "base/prng.h"
#include "base/varint.h"
#include "tests/harness.h"

enum { NUMBERS = 3000 };

struct model {
    bool has[NUMBERS + 1]; /* The last one is never set. */
};

static uint64_t model_set(struct model *m, struct range range, bool to)
{
    uint64_t changed = 0;

    for (uint64_t i = range.first; i < range.end; i++) {
        changed += m->has[i] != to;
        m->has[i] = to;
    }
    return changed;
}

/* The first run of numbers >= @from and < @end that are @what. */
static bool model_next(const struct model *m, struct range in, bool what,
                       struct range *out)
{
    uint64_t i = in.first;

    while (i < in.end && m->has[i] != what) {
        i++;
    }
    out->first = i;
    while (i < in.end && m->has[i] == what) {
        i++;
    }
    out->end = i;
    return out->first < out->end;
}

static struct range random_range(struct prng *p, uint64_t most)
{
    uint64_t length = prng_below(p, most + 1);
    uint64_t first = prng_below(p, NUMBERS + 1 - length);

    return (struct range){first, first + length};
}

static void expect_found(const struct ranges *r, const struct model *m,
                         struct range in)
{
    struct range got;
    struct range want;
    struct range to_end = {in.first, NUMBERS};
    uint64_t count = 0;

    for (uint64_t i = in.first; i < in.end; i++) {
        count += m->has[i];
    }
    EXPECT_EQ(ranges_count_in(r, in), count);
    EXPECT_EQ(ranges_has(r, in.first), m->has[in.first]);
    EXPECT_EQ(ranges_next(r, in.first, &got),
              model_next(m, to_end, true, &want));
    if (want.first < want.end) {
        EXPECT_EQ(got.first, want.first);
        EXPECT_EQ(got.end, want.end);
    }
    EXPECT_EQ(ranges_next_gap(r, in, &got), model_next(m, in, false, &want));
    if (want.first < want.end) {
        EXPECT_EQ(got.first, want.first);
        EXPECT_EQ(got.end, want.end);
    }
}

static void expect_same(const struct ranges *r, const struct model *m)
{
    struct range all = {0, NUMBERS};
    struct range want;
    uint64_t size = 0;
    size_t count = 0;

    while (model_next(m, all, true, &want)) {
        struct range got;

        EXPECT(ranges_next(r, all.first, &got));
        EXPECT_EQ(got.first, want.first);
        EXPECT_EQ(got.end, want.end);
        size += want.end - want.first;
        count++;
        all.first = want.end;
    }
    EXPECT_EQ(ranges_size(r), size);
    EXPECT_EQ(ranges_count(r), count);
    ranges_check(r);
}

static void expect_read_back(const struct ranges *r)
{
    struct ranges *again = ranges_new();
    struct buf out = {0};
    struct buf twice = {0};
    struct bytes in;
    struct fault why;

    ranges_write(r, &out);
    ranges_add(again, (struct range){5, 7}); /* Is forgotten. */
    in = buf_bytes(&out);
    EXPECT_EQ(ranges_read(again, NUMBERS, NUMBERS, &in, &why), STATUS_OK);
    EXPECT_EQ(in.size, 0);
    ranges_check(again);
    EXPECT(ranges_equal(r, again));
    ranges_write(again, &twice);
    EXPECT(bytes_is_equal(buf_bytes(&out), buf_bytes(&twice)));
    ranges_remove(again, (struct range){0, 1});
    ranges_add(again, (struct range){1, 2});
    EXPECT_EQ(ranges_equal(r, again), !ranges_has(r, 0) && ranges_has(r, 1));
    ranges_destroy(&again);
    buf_fini(&out);
    buf_fini(&twice);
}

/* How long the ranges are decides how many there are: with single numbers
 * hundreds, in many blocks; with long ones few. */
static void run(uint64_t seed, uint64_t most, int steps)
{
    struct ranges *r = ranges_new();
    struct model *m = calloc(1, sizeof(*m));
    struct prng p;

    prng_init(&p, seed);
    for (int i = 0; i < steps; i++) {
        bool adds = prng_chance(&p, i / 500 % 2 == 0 ? 6 : 3, 9);
        struct range range =
            random_range(&p, prng_chance(&p, 1, 400) ? NUMBERS : most);

        if (adds) {
            EXPECT_EQ(ranges_add(r, range), model_set(m, range, true));
        } else {
            EXPECT_EQ(ranges_remove(r, range), model_set(m, range, false));
        }
        expect_found(r, m, random_range(&p, 50));
        if (i % 16 == 0) {
            expect_same(r, m);
        }
    }
    expect_same(r, m);
    expect_read_back(r);
    ranges_clear(r);
    *m = (struct model){0};
    expect_same(r, m);
    ranges_destroy(&r);
    free(m);
}

TEST(single_numbers)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        run(seed, 1, 4000);
    }
}

TEST(short_and_long_ranges)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        run(seed, 2 + seed * seed, 700);
    }
}

/* Every second number, in three orders: the most ranges there can be. */
TEST(many_blocks)
{
    for (uint64_t step = 0; step < 3; step++) {
        static const uint64_t steps[] = {2, NUMBERS - 2, 2 * 577};
        struct ranges *r = ranges_new();
        struct model *m = calloc(1, sizeof(*m));

        for (uint64_t i = 0, at = 0; i < NUMBERS / 2; i++) {
            struct range range = {at, at + 1};

            EXPECT_EQ(ranges_add(r, range), model_set(m, range, true));
            at = (at + steps[step]) % NUMBERS;
        }
        EXPECT_EQ(ranges_count(r), NUMBERS / 2);
        expect_same(r, m);
        expect_read_back(r);
        /* All but both ends goes at once, and comes again. */
        EXPECT_EQ(ranges_remove(r, (struct range){1, NUMBERS - 2}),
                  NUMBERS / 2 - 2);
        EXPECT_EQ(ranges_count(r), 2);
        ranges_check(r);
        EXPECT_EQ(ranges_add(r, (struct range){0, NUMBERS}), NUMBERS - 2);
        EXPECT_EQ(ranges_count(r), 1);
        ranges_check(r);
        ranges_destroy(&r);
        free(m);
    }
}

TEST(who_only_appends_fills_the_blocks)
{
    struct ranges *r = ranges_new();

    for (uint64_t i = 0; i < 100000; i++) {
        ranges_add(r, (struct range){2 * i, 2 * i + 1});
    }
    ranges_check(r);
    EXPECT(ranges_memory(r) < 100000 * 18);
    ranges_destroy(&r);
}

TEST(the_largest_numbers)
{
    struct ranges *r = ranges_new();
    struct range out;
    struct range last = {UINT64_MAX - 1, UINT64_MAX};

    EXPECT_EQ(ranges_add(r, last), 1);
    EXPECT_EQ(ranges_add(r, (struct range){0, 1}), 1);
    EXPECT(ranges_next_gap(r, (struct range){0, UINT64_MAX}, &out));
    EXPECT_EQ(out.first, 1);
    EXPECT_EQ(out.end, UINT64_MAX - 1);
    EXPECT_EQ(ranges_add(r, out), UINT64_MAX - 2);
    EXPECT_EQ(ranges_count(r), 1);
    EXPECT_EQ(ranges_size(r), UINT64_MAX);
    EXPECT(!ranges_next_gap(r, (struct range){0, UINT64_MAX}, &out));
    EXPECT_EQ(ranges_remove(r, last), 1);
    EXPECT(!ranges_next(r, UINT64_MAX - 1, &out));
    EXPECT_EQ(ranges_add(r, (struct range){3, 3}), 0);
    EXPECT_EQ(ranges_remove(r, (struct range){3, 3}), 0);
    ranges_check(r);
    ranges_destroy(&r);
}

TEST(what_is_read_is_checked)
{
    static const struct {
        uint64_t numbers[8]; /* As written; 99 ends them. */
        size_t ranges_max;
        bool is_good;
    } rows[] = {
        {{0, 99}, 0, true},
        {{1, 0, 10, 99}, 1, true},
        {{2, 0, 3, 1, 6, 99}, 2, true},
        {{99}, 9, false},                /* Nothing. */
        {{1, 99}, 9, false},             /* Cut. */
        {{1, 0, 99}, 9, false},          /* Cut. */
        {{2, 0, 3, 99}, 9, false},       /* Cut. */
        {{1, 3, 0, 99}, 9, false},       /* An empty range. */
        {{2, 0, 3, 0, 4, 99}, 9, false}, /* They meet. */
        {{1, 0, 11, 99}, 9, false},      /* Beyond the limit. */
        {{1, 11, 1, 99}, 9, false},      /* Likewise. */
        {{1, UINT64_MAX, 1, 99}, 9, false},
        {{2, 1, 1, 1, UINT64_MAX, 99}, 9, false},
        {{2, 1, 1, UINT64_MAX - 1, 1, 99}, 9, false},
        {{2, 0, 3, 1, 6, 99}, 1, false}, /* Too many. */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ranges *r = ranges_new();
        struct buf out = {0};
        struct bytes in;
        struct fault why = {""};
        enum status s;

        for (int k = 0; rows[i].numbers[k] != 99; k++) {
            varint_write(rows[i].numbers[k], &out);
        }
        in = buf_bytes(&out);
        s = ranges_read(r, 10, rows[i].ranges_max, &in, &why);
        EXPECT_EQ(s, rows[i].is_good ? STATUS_OK : STATUS_MALFORMED);
        EXPECT_EQ(why.text[0] == '\0', rows[i].is_good);
        EXPECT(rows[i].is_good || ranges_count(r) == 0);
        ranges_check(r);
        ranges_destroy(&r);
        buf_fini(&out);
    }
}
