/* SPDX-License-Identifier: Apache-2.0 */
#include "store/percent.h"

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void expect_encoded(struct bytes text, bool keeps_slash)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        bool is_plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
                               "nopqrstuvwxyz0123456789-._~",
                               c) != NULL;

        if (c == '%') {
            EXPECT(i + 2 < text.size);
            EXPECT(strchr("0123456789ABCDEF", text.at[i + 1]) != NULL);
            EXPECT(strchr("0123456789ABCDEF", text.at[i + 2]) != NULL);
            i += 2;
        } else {
            EXPECT(is_plain || (keeps_slash && c == '/'));
        }
    }
}

TEST(any_key_comes_back_from_its_encoding)
{
    struct prng p;
    char raw[1024];

    prng_init(&p, 7);
    for (int round = 0; round < 2000; round++) {
        size_t size = (size_t)prng_below(&p, round < 1900 ? 40 : sizeof(raw));
        bool keeps_slash = prng_chance(&p, 1, 2);
        struct buf coded = {0};

        for (size_t i = 0; i < size; i++) {
            raw[i] = (char)(1 + prng_below(&p, 255));
        }
        percent_encode((struct bytes){raw, size}, keeps_slash, &coded);
        expect_encoded(buf_bytes(&coded), keeps_slash);
        EXPECT(coded.at != NULL && percent_decode(coded.at, &coded.size));
        EXPECT(bytes_is_equal(buf_bytes(&coded), (struct bytes){raw, size}));
        buf_fini(&coded);
    }
}

TEST(percent_signs_without_two_digits_are_refused)
{
    static const struct {
        const char *text;
        const char *want; /* NULL: refused. */
    } rows[] = {
        {"", ""},         {"a+b", "a b"}, {"%41%4a%4A", "AJJ"},
        {"%2B", "+"},     {"%", NULL},    {"%4", NULL},
        {"a%4", NULL},    {"%4g", NULL},  {"%g4", NULL},
        {"%%41", NULL},   {"% 41", NULL}, {"%E2%82%AC", "\xe2\x82\xac"},
        {"%2541", "%41"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t size = strlen(rows[i].text);
        char *text = mem_copy_text(rows[i].text, size);
        bool is_good = percent_decode(text, &size);

        EXPECT_EQ(is_good, rows[i].want != NULL);
        EXPECT(!is_good || bytes_is((struct bytes){text, size}, rows[i].want));
        free(text);
    }
}
