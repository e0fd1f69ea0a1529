/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/amount.h"
#include "tests/harness.h"

TEST(sizes_as_people_write_them)
{
    static const struct {
        const char *text;
        uint64_t want;
    } rows[] = {
        {"1024", 1024},      {"150MB", 150000000}, {"1.5 GB", 1500000000},
        {"64MiB", 64 << 20}, {"2kb", 2000},        {"1TiB", UINT64_C(1) << 40},
        {"10 B", 10},
    };
    const struct amount_range range = {1, UINT64_C(1) << 50};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {.text = ""};
        uint64_t got = 0;

        EXPECT_EQ(amount_parse("size", rows[i].text, range, &why, &got),
                  STATUS_OK);
        EXPECT_EQ(got, rows[i].want);
    }
}

TEST(what_is_no_size)
{
    static const char *const rows[] = {"",   "x",   "MB",  "-1",   "1XB",
                                       "0",  "inf", "nan", "1e99", "5MBs",
                                       "+5", "2PB", ".5",  " 5"};
    const struct amount_range range = {1, UINT64_C(1) << 50};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {.text = ""};
        uint64_t got = 7;

        EXPECT_EQ(amount_parse("size", rows[i], range, &why, &got),
                  STATUS_USAGE);
        EXPECT(strstr(why.text, "--size: '") == why.text);
        EXPECT_EQ(got, 7);
    }
}

TEST(amounts_to_read)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } sizes[] = {
        {0, "0 bytes"},     {999, "999 bytes"},  {1000, "1.0 kB"},
        {999999, "1.0 MB"}, {15000000, "15 MB"}, {UINT64_MAX, "18447 PB"},
    };
    static const struct {
        double seconds;
        const char *want;
    } times[] = {
        {0, "0 ms"},
        {0.25, "250 ms"},
        {3.21, "3.2 s"},
        {59, "59 s"},
        {240, "4 min"},
        {7800, "2 h 10 min"},
        {1e300, "277777 h 46 min"},
    };
    char text[AMOUNT_TEXT_MAX];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        EXPECT_STR(amount_bytes(sizes[i].bytes, text), sizes[i].want);
    }
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        EXPECT_STR(amount_seconds(times[i].seconds, text), times[i].want);
    }
}
