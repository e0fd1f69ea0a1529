/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "tests/harness.h"

TEST(codes_are_read_and_written)
{
    static const struct {
        const char *text;
        size_t size;
        uint32_t code;
    } rows[] = {
        {"a", 1, 'a'},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\xa0\x80", 3, 0xd800},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[UTF8_SIZE_MAX];
        uint32_t code = 0;

        EXPECT_EQ(utf8_read(bytes_of(rows[i].text), &code), rows[i].size);
        EXPECT_EQ(code, rows[i].code);
        EXPECT_EQ(utf8_write(code, out), rows[i].size);
        EXPECT(memcmp(out, rows[i].text, rows[i].size) == 0);
    }
}

TEST(what_is_not_utf8_is_refused)
{
    static const char *const rows[] = {
        "",
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x20",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xe2\x82\x20",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf0\x90\x80",
        "\xf5\x80\x80\x80",
        "\xff",
    };
    uint32_t code = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(utf8_read(bytes_of(rows[i]), &code), 0);
    }
    EXPECT_EQ(utf8_read_escaped(bytes_of(""), &code), 0);
    EXPECT_EQ(utf8_read_escaped(bytes_of("\xe2\x82"), &code), 1);
    EXPECT_EQ(code, 0xdce2);
}

TEST(upper_is_that_of_python)
{
    static const struct {
        uint32_t code;
        size_t count;
        uint32_t upper[UTF8_UPPER_MAX];
    } rows[] = {
        {'a', 1, {'A'}},
        {'Z', 1, {'Z'}},
        {'-', 1, {'-'}},
        {0xb5, 1, {0x39c}},    /* micro sign */
        {0xdf, 2, {'S', 'S'}}, /* sharp s */
        {0xe9, 1, {0xc9}},     /* e with acute */
        {0xff, 1, {0x178}},    /* y with diaeresis */
        {0x101, 1, {0x100}},   /* a with macron */
        {0x100, 1, {0x100}},   /* its capital stays */
        {0x131, 1, {'I'}},     /* dotless i */
        {0x3c2, 1, {0x3a3}},   /* final sigma */
        {0x1f52, 3, {0x3a5, 0x313, 0x300}},
        {0xfb03, 3, {'F', 'F', 'I'}}, /* ligature */
        {0x10428, 1, {0x10400}},      /* Deseret */
        {0x1e943, 1, {0x1e921}},      /* Adlam */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t out[UTF8_UPPER_MAX] = {0};

        EXPECT_EQ(utf8_upper(rows[i].code, out), rows[i].count);
        EXPECT(memcmp(out, rows[i].upper, sizeof(out)) == 0);
    }
}

/* The sums are those of Python with Unicode 14:
 *   sum(c for c in range(0x110000) if chr(c).isprintable())
 *   sum(ord(u) for c in range(0x110000) for u in chr(c).upper()) */
TEST(tables_are_whole)
{
    uint64_t printable = 0;
    uint64_t upper = 0;

    for (uint32_t code = 0; code < 0x110000; code++) {
        uint32_t out[UTF8_UPPER_MAX] = {0};
        size_t count = utf8_upper(code, out);

        printable += utf8_is_printable(code) ? code : 0;
        for (size_t i = 0; i < count; i++) {
            upper += out[i];
        }
    }
    EXPECT_EQ(printable, 14867683184ull);
    EXPECT_EQ(upper, 620618558607ull);
}
