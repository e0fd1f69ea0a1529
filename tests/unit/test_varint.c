/* SPDX-License-Identifier: Apache-2.0 */
#include "base/varint.h"

#include "base/prng.h"
#include "tests/harness.h"

TEST(known_forms)
{
    static const struct {
        uint64_t value;
        struct bytes form;
    } rows[] = {
        {0, {"\x00", 1}},
        {1, {"\x01", 1}},
        {127, {"\x7f", 1}},
        {128, {"\x80\x01", 2}},
        {300, {"\xac\x02", 2}},
        {16383, {"\xff\x7f", 2}},
        {16384, {"\x80\x80\x01", 3}},
        {UINT32_MAX, {"\xff\xff\xff\xff\x0f", 5}},
        {UINT64_C(1) << 63, {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10}},
        {UINT64_MAX, {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = {0};
        struct bytes in;
        uint64_t value = 99;

        varint_write(rows[i].value, &out);
        EXPECT(bytes_is_equal(buf_bytes(&out), rows[i].form));
        buf_add_char(&out, 'x');
        in = buf_bytes(&out);
        EXPECT(varint_read(&in, &value));
        EXPECT_EQ(value, rows[i].value);
        EXPECT(bytes_is(in, "x"));
        for (size_t cut = 0; cut < rows[i].form.size; cut++) {
            in = (struct bytes){out.at, cut};
            EXPECT(!varint_read(&in, &value));
            EXPECT(in.at == out.at && in.size == cut);
        }
        buf_fini(&out);
    }
}

TEST(other_forms_are_refused)
{
    static const struct bytes rows[] = {
        {"\x80\x00", 2}, /* Not the shortest. */
        {"\xff\x80\x00", 3},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* 65 bits. */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, /* Too long. */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes in = rows[i];
        uint64_t value;

        EXPECT(!varint_read(&in, &value));
        EXPECT(in.at == rows[i].at && in.size == rows[i].size);
    }
}

TEST(random_numbers_come_back)
{
    struct prng p;
    struct buf out = {0};
    struct bytes in;
    uint64_t value;

    prng_init(&p, 1);
    for (int i = 0; i < 10000; i++) {
        uint64_t number = prng_next(&p);

        varint_write(number >> prng_below(&p, 64), &out);
    }
    in = buf_bytes(&out);
    prng_init(&p, 1);
    for (int i = 0; i < 10000; i++) {
        uint64_t number = prng_next(&p);

        EXPECT(varint_read(&in, &value));
        EXPECT_EQ(value, number >> prng_below(&p, 64));
    }
    EXPECT_EQ(in.size, 0);
    buf_fini(&out);
}

TEST(texts)
{
    struct buf out = {0};
    struct bytes in;
    struct bytes text;

    varint_write_text(BYTES("three"), &out);
    varint_write_text(BYTES(""), &out);
    in = buf_bytes(&out);
    EXPECT(!varint_read_text(&in, 4, &text)); /* Longer than allowed. */
    EXPECT(varint_read_text(&in, 5, &text));
    EXPECT(bytes_is(text, "three"));
    EXPECT(varint_read_text(&in, 0, &text));
    EXPECT_EQ(text.size, 0);
    EXPECT_EQ(in.size, 0);
    EXPECT(!varint_read_text(&in, 9, &text));
    in = (struct bytes){out.at, 5}; /* Cut in the text. */
    EXPECT(!varint_read_text(&in, 9, &text));
    EXPECT_EQ(in.size, 5);
    buf_fini(&out);
}
