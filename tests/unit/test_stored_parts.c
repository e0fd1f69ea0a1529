/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/stored_parts.h"

#include "tests/harness.h"

#define MIB ((uint64_t)1 << 20)

TEST(the_etag_and_the_size_tell_the_parts)
{
    static const struct {
        const char *etag;
        uint64_t size;
        uint64_t want;
    } rows[] = {
        {"\"9b2cf535f27731c974343645a3985328-13\"", 100 * MIB, 8 * MIB},
        {"9b2cf535f27731c974343645a3985328-13", 100 * MIB + 1, 8 * MIB},
        {"\"a-20\"", 100 * MIB, 5 * MIB},
        {"\"a-20\"", 95 * MIB + 1, 5 * MIB},
        {"\"a-10000\"", 10000 * 64 * MIB - 7, 64 * MIB},
        {"\"a-2\"", 12 * MIB, 8 * MIB}, /* 6 to 11: the roundest. */
        {"\"a-2\"", 16 * MIB, 8 * MIB},
        {"\"a-2\"", 2 * MIB, MIB},
        {"\"a-3\"", 2 * MIB, 0}, /* No whole MiB gives that. */
        {"\"a-1\"", 100 * MIB, 0},
        {"\"a-0\"", 100 * MIB, 0},
        {"\"a-10001\"", 100000 * MIB, 0},
        {"\"a-99999999999999999999999\"", 100 * MIB, 0},
        {"\"9b2cf535f27731c974343645a3985328\"", 100 * MIB, 0},
        {"13", 100 * MIB, 0},
        {"-", 100 * MIB, 0},
        {"\"", 100 * MIB, 0},
        {"", 100 * MIB, 0},
        {"\"a-2\"", 0, 0},
        {"\"a-2\"", UINT64_MAX, (UINT64_MAX / MIB / 2 + 1) * MIB},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes etag = {rows[i].etag, strlen(rows[i].etag)};
        uint64_t got = stored_parts_size(etag, rows[i].size);

        EXPECT_EQ(got, rows[i].want);
    }
}

/* Pieces of at most @room, none across two stored parts unless it is whole
 * ones, and together all of it. */
static void expect_cut(uint64_t part, uint64_t size, uint64_t room,
                       uint64_t requests)
{
    uint64_t count = 0;
    uint64_t at = 0;

    while (at < size) {
        uint64_t n = stored_parts_next(part, at, size - at, room);

        EXPECT(n > 0 && n <= room && n <= size - at);
        if (part > 0 && at / part != (at + n - 1) / part) {
            EXPECT_EQ(at % part, 0);
            EXPECT(at + n == size || (at + n) % part == 0);
        }
        at += n;
        count++;
    }
    EXPECT_EQ(count, requests);
}

TEST(a_request_does_not_cross_two_stored_parts)
{
    expect_cut(0, 100 * MIB, 8 * MIB, 13);
    expect_cut(8 * MIB, 100 * MIB, 8 * MIB, 13);
    expect_cut(16 * MIB, 96 * MIB, 8 * MIB, 12);
    expect_cut(50 * MIB, 100 * MIB, 8 * MIB, 14);
    expect_cut(5 * MIB, 100 * MIB, 8 * MIB, 20);
    expect_cut(5 * MIB, 100 * MIB, 16 * MIB, 7);
    expect_cut(MIB, 10 * MIB + 3, 4 * MIB, 3);
    expect_cut(17 * MIB, 17 * MIB * 3, 1000003, 54);
    expect_cut(MIB, 3 * MIB, 7, (MIB + 6) / 7 * 3);
}

/* A reader may begin anywhere. */
TEST(from_the_middle_of_a_part_it_goes_to_its_end_first)
{
    EXPECT_EQ(stored_parts_next(8 * MIB, 3 * MIB, 50 * MIB, 8 * MIB), 5 * MIB);
    EXPECT_EQ(stored_parts_next(5 * MIB, MIB, 50 * MIB, 16 * MIB), 14 * MIB);
    EXPECT_EQ(stored_parts_next(16 * MIB, 9 * MIB, 50 * MIB, 8 * MIB), 7 * MIB);
    EXPECT_EQ(stored_parts_next(8 * MIB, 3 * MIB, 1, 8 * MIB), 1);
}

TEST(pieces_of_one_size_go_into_the_parts)
{
    static const struct {
        const char *etag;
        uint64_t size;
        uint64_t want;
    } rows[] = {
        {"\"a\"", 100 * MIB, 8 * MIB},        /* Not known. */
        {"\"a-2\"", 8 * MIB, 8 * MIB},        /* It is one piece. */
        {"\"a-20\"", 100 * MIB, 5 * MIB},     /* 5 */
        {"\"a-50\"", 100 * MIB, 8 * MIB},     /* 2 */
        {"\"a-33\"", 99 * MIB, 6 * MIB},      /* 3 */
        {"\"a-13\"", 100 * MIB, 8 * MIB},     /* 8 */
        {"\"a-10\"", 160 * MIB, 8 * MIB},     /* 16 */
        {"\"a-20\"", 300 * MIB, 7680 << 10},  /* 15 */
        {"\"a-40\"", 2000 * MIB, 6400 << 10}, /* 50: 8 pieces of 6.25 */
        {"\"a-2\"", 18 * MIB, 8 * MIB},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes etag = {rows[i].etag, strlen(rows[i].etag)};

        EXPECT_EQ(stored_parts_piece(etag, rows[i].size, 8 * MIB),
                  rows[i].want);
    }
}

TEST(no_piece_is_too_small_and_none_goes_across)
{
    char text[32] = "";

    for (uint64_t part = 1; part < 5000; part++) {
        for (uint64_t count = 2; count < 200; count *= 3) {
            uint64_t size = part * count * MIB;
            struct bytes etag = {text,
                                 (size_t)snprintf(text, sizeof(text), "a-%llu",
                                                  (unsigned long long)count)};
            uint64_t known = stored_parts_size(etag, size);
            uint64_t piece = stored_parts_piece(etag, size, 8 * MIB);

            EXPECT(piece <= 8 * MIB && 4 * piece > 8 * MIB);
            if (size > 8 * MIB && known < 256 * MIB) {
                EXPECT(known % piece == 0 || piece % known == 0);
            }
        }
    }
}
