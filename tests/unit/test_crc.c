/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc.h"

#include "base/crc_parts.h"
#include "base/prng.h"
#include "tests/harness.h"

enum { BIG = 1 << 20 };

static const enum crc_kind kinds[] = {CRC_64NVME, CRC_32C, CRC_32};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static uint64_t poly_of(enum crc_kind kind)
{
    return kind == CRC_64NVME ? UINT64_C(0x9a6c9329ac4bc9b5)
           : kind == CRC_32C  ? UINT64_C(0x82f63b78)
                              : UINT64_C(0xedb88320);
}

static uint64_t ones_of(enum crc_kind kind)
{
    return kind == CRC_64NVME ? UINT64_MAX : UINT32_MAX;
}

/* One byte more, bit by bit, from the definition. */
static uint64_t plain_step(enum crc_kind kind, uint64_t state, uint8_t byte)
{
    state ^= byte;
    for (int bit = 0; bit < 8; bit++) {
        state = state >> 1 ^ (state & 1 ? poly_of(kind) : 0);
    }
    return state;
}

static void fill(uint8_t *at, size_t size, uint64_t seed)
{
    struct prng p;

    prng_init(&p, seed);
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)prng_next(&p);
    }
}

TEST(values_of_the_standards)
{
    static const struct {
        enum crc_kind kind;
        const char *text;
        uint64_t want;
        const char *coded;
    } rows[] = {
        {CRC_64NVME, "123456789", UINT64_C(0xae8b14860a799888), "rosUhgp5mIg="},
        {CRC_32C, "123456789", 0xe3069283, "4waSgw=="},
        {CRC_32, "123456789", 0xcbf43926, "y/Q5Jg=="},
        {CRC_64NVME, "", 0, "AAAAAAAAAAA="},
        {CRC_32C, "", 0, "AAAAAA=="},
        {CRC_32, "", 0, "AAAAAA=="},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[CRC_TEXT_MAX];
        uint64_t back = 1;
        uint64_t got =
            crc_add(rows[i].kind, 0, rows[i].text, strlen(rows[i].text));

        EXPECT_EQ(got, rows[i].want);
        EXPECT_STR(crc_text(rows[i].kind, got, text), rows[i].coded);
        EXPECT(crc_parse(rows[i].kind, bytes_of(text), &back));
        EXPECT_EQ(back, got);
    }
}

/* Every length, by every way that the machine has. */
static void expect_lengths(enum crc_kind kind, const uint8_t *at, size_t max)
{
    uint64_t state = ones_of(kind);

    for (size_t size = 0; size <= max; size++) {
        uint64_t want = state ^ ones_of(kind);

        EXPECT_EQ(crc_add(kind, 0, at, size), want);
        for (int way = 0; kind == CRC_64NVME && way <= (int)crc_best_way();
             way++) {
            EXPECT_EQ(
                crc_state_64nvme_by((enum crc_way)way, ones_of(kind), at, size),
                state);
        }
        state = plain_step(kind, state, at[size]);
    }
}

TEST(every_length_and_start_is_as_bit_by_bit)
{
    static uint8_t data[4200];

    fill(data, sizeof(data), 1);
    for (size_t k = 0; k < KINDS; k++) {
        expect_lengths(kinds[k], data, 4096);
        for (size_t start = 1; start < 64; start += 1 + start / 4) {
            expect_lengths(kinds[k], data + start, 1200);
        }
    }
}

TEST(a_long_run_is_the_same_by_every_way)
{
    static uint8_t data[BIG];

    fill(data, sizeof(data), 5);
    for (size_t size = BIG - 700; size <= BIG; size += 101) {
        uint64_t want = crc_state_64nvme(1, data, size);

        for (int way = 0; way <= (int)crc_best_way(); way++) {
            EXPECT_EQ(crc_state_64nvme_by((enum crc_way)way, 1, data, size),
                      want);
        }
    }
}

TEST(pieces_add_and_combine_to_the_whole)
{
    static uint8_t data[BIG];
    struct prng p;

    fill(data, sizeof(data), 2);
    prng_init(&p, 3);
    for (int round = 0; round < 300; round++) {
        enum crc_kind kind = kinds[round % KINDS];
        size_t size = (size_t)prng_below(&p, round < 200 ? 5000 : BIG);
        size_t cut = size > 0 ? (size_t)prng_below(&p, size + 1) : 0;
        uint64_t whole = crc_add(kind, 0, data, size);
        uint64_t a = crc_add(kind, 0, data, cut);
        uint64_t b = crc_add(kind, 0, data + cut, size - cut);

        EXPECT_EQ(crc_add(kind, a, data + cut, size - cut), whole);
        EXPECT_EQ(crc_combine(kind, a, b, size - cut), whole);
    }
}

/* A zero byte is linear on the register: squaring its matrix @doublings times
 * makes 2^doublings of them. */
static uint64_t after_zeros(enum crc_kind kind, uint64_t state, int doublings)
{
    int bits = kind == CRC_64NVME ? 64 : 32;
    uint64_t matrix[64] = {0};
    uint64_t square[64] = {0};
    uint64_t sum = 0;

    for (int i = 0; i < bits; i++) {
        matrix[i] = plain_step(kind, UINT64_C(1) << i, 0);
    }
    for (int n = 0; n < doublings; n++) {
        for (int i = 0; i < bits; i++) {
            square[i] = 0;
            for (int j = 0; j < bits; j++) {
                square[i] ^= matrix[i] >> j & 1 ? matrix[j] : 0;
            }
        }
        memcpy(matrix, square, sizeof(matrix));
    }
    for (int i = 0; i < bits; i++) {
        sum ^= state >> i & 1 ? matrix[i] : 0;
    }
    return sum;
}

TEST(combining_with_zeros_is_as_the_matrix_says)
{
    static const char text[] = "smshard";

    for (size_t k = 0; k < KINDS; k++) {
        enum crc_kind kind = kinds[k];
        uint64_t ones = ones_of(kind);
        uint64_t a = crc_add(kind, 0, text, sizeof(text));

        for (int n = 0; n <= 50; n++) {
            uint64_t zeros = after_zeros(kind, ones, n) ^ ones;
            uint64_t want = after_zeros(kind, a ^ ones, n) ^ ones;

            EXPECT_EQ(crc_combine(kind, a, zeros, UINT64_C(1) << n), want);
        }
    }
}

/* (A then B) then C is A then (B then C), for sizes that no memory holds. */
TEST(combining_is_associative_at_any_size)
{
    struct prng p;

    prng_init(&p, 4);
    for (int round = 0; round < 200; round++) {
        enum crc_kind kind = kinds[round % KINDS];
        uint64_t mask = ones_of(kind);
        uint64_t a = prng_next(&p) & mask;
        uint64_t b = prng_next(&p) & mask;
        uint64_t c = prng_next(&p) & mask;
        uint64_t size_b = prng_below(&p, UINT64_C(1) << 45);
        uint64_t size_c = prng_below(&p, UINT64_C(1) << 45);
        uint64_t left =
            crc_combine(kind, crc_combine(kind, a, b, size_b), c, size_c);
        uint64_t right = crc_combine(kind, a, crc_combine(kind, b, c, size_c),
                                     size_b + size_c);

        EXPECT_EQ(left, right);
        EXPECT_EQ(crc_combine(kind, a, 0, 0), a);
    }
}

TEST(texts_that_are_none_are_refused)
{
    static const struct {
        enum crc_kind kind;
        const char *text;
    } rows[] = {
        {CRC_64NVME, ""},
        {CRC_64NVME, "rosUhgp5mIg"},
        {CRC_64NVME, "rosUhgp5mIg=-3"},
        {CRC_64NVME, "4waSgw=="},
        {CRC_32C, "4waSgw==-12"},
        {CRC_32C, "4waSgw="},
        {CRC_32C, "4waSgx=="},
        {CRC_32, "y/Q5J*=="},
        {CRC_32, "rosUhgp5mIg="},
        {CRC_NONE, ""},
        {CRC_64NVME, "rosUhgp5mIh="},
        {CRC_32, "y/Q5=g=="},
        {CRC_32, "y/Q5Jg==-1"},
        {CRC_64NVME, "rosUhgp5mIg=-"},
        {CRC_64NVME, "rosUhgp5mIg=="},
        {CRC_32C, " 4waSgw=="},
        {CRC_32C, "4waSgw= "},
        {CRC_32C, "========"},
    };
    uint64_t value;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT(!crc_parse(rows[i].kind, bytes_of(rows[i].text), &value));
    }
}

TEST(without_a_kind_there_is_no_value)
{
    EXPECT_EQ(crc_add(CRC_NONE, 0, "x", 1), 0);
    EXPECT_EQ(crc_add(CRC_NONE, 5, "", 0), 0);
    EXPECT_EQ(crc_add(CRC_64NVME, 5, NULL, 0), 5);
    EXPECT_EQ(crc_combine(CRC_NONE, 1, 2, 3), 0);
    EXPECT_STR(crc_name(CRC_64NVME), "crc64nvme");
}
