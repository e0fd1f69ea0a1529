/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>

#include "base/mem.h"
#include "tests/harness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct json_doc *read_text(const char *text)
{
    struct json_doc *doc = NULL;
    struct fault why = {""};

    if (json_parse(bytes_of(text), "t", &why, &doc) != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", text, why.text);
        exit(1);
    }
    return doc;
}

static void expect_written(const char *text, enum json_style style,
                           const char *want)
{
    struct json_doc *doc = read_text(text);
    struct buf out = {0};

    json_write(json_root(doc), style, &out);
    EXPECT_STR(buf_text(&out), want);
    buf_fini(&out);
    json_destroy(&doc);
}

TEST(compact_is_that_of_python)
{
    static const char *const rows[][2] = {
        {" null ", "null"},
        {"\xef\xbb\xbf[true,false]", "[true,false]"},
        {"-0", "0"},
        {"-12", "-12"},
        {"100000000000000000000000", "100000000000000000000000"},
        {"1e3", "1000.0"},
        {"1.0", "1.0"},
        {"-0.0", "-0.0"},
        {"0e5", "0.0"},
        {"1E+2", "100.0"},
        {"1e-7", "1e-07"},
        {"1e400", "Infinity"},
        {"-1e400", "-Infinity"},
        {"1e-400", "0.0"},
        {"1e99999999999999999999", "Infinity"},
        {"0e99999999999999999999", "0.0"},
        {"[NaN,Infinity,-Infinity]", "[NaN,Infinity,-Infinity]"},
        {"12345678.123456789", "12345678.12345679"},
        {"{\"b\":1,\"a\":2,\"\":3}", "{\"\":3,\"a\":2,\"b\":1}"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
        {"[ ]", "[]"},
        {"{ }", "{}"},
        {"[[],{},[{}]]", "[[],{},[{}]]"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {"\"\x7f\"", "\"\\u007f\""},
        {"\"\\u00E9\xc3\xa9\"", "\"\\u00e9\\u00e9\""},
        {"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
        {"\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\""},
        {"\"\\ud800\"", "\"\\ud800\""},
        {"\"\\ude00\\ud83d\"", "\"\\ude00\\ud83d\""},
        {"\"\\ud800\\u0041\"", "\"\\ud800A\""},
        {"\"\\ud800\\ud83d\\ude00\"", "\"\\ud800\\ud83d\\ude00\""},
        /* By code point: U+E000 comes before U+10000, whose escape does not. */
        {"{\"\xf0\x90\x80\x80\":1,\"\xee\x80\x80\":2,\"\\ud800\":3}",
         "{\"\\ud800\":3,\"\\ue000\":2,\"\\ud800\\udc00\":1}"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        expect_written(rows[i][0], JSON_PYTHON_COMPACT, rows[i][1]);
    }
}

TEST(the_other_styles)
{
    static const char text[] = "{\"b\":[1,{\"c\":null}],\"a\":\"\xc3\xa9\","
                               "\"e\":{},\"s\":\"\\ud800\\u0001\"}";

    expect_written(text, JSON_PYTHON_DEFAULT,
                   "{\"b\": [1, {\"c\": null}], \"a\": \"\\u00e9\", "
                   "\"e\": {}, \"s\": \"\\ud800\\u0001\"}");
    expect_written(text, JSON_PRETTY,
                   "{\n  \"b\": [\n    1,\n    {\n      \"c\": null\n    }\n"
                   "  ],\n  \"a\": \"\xc3\xa9\",\n  \"e\": {},\n"
                   "  \"s\": \"\\ud800\\u0001\"\n}");
}

TEST(floats_are_that_of_python)
{
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {0.1, "0.1"},
        {100, "100.0"},
        {0.5, "0.5"},
        {1.5, "1.5"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.00001, "1e-05"},
        {1.25e-5, "1.25e-05"},
        {1e15, "1000000000000000.0"},
        {9007199254740993.0, "9007199254740992.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {1.2345e22, "1.2345e+22"},
        {1e100, "1e+100"},
        {-1e-100, "-1e-100"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        /* Powers of two, where the nearest decimal does not read back. */
        {0x1p-1017, "7.120236347223045e-307"},
        {0x1p-957, "8.209073602596753e-289"},
        {0x1p-778, "6.290184345309701e-235"},
        {9.5, "9.5"},
        {(double)INFINITY, "inf"},
        {-(double)INFINITY, "-inf"},
        {(double)NAN, "nan"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = {0};

        json_write_double(rows[i].value, &out);
        EXPECT_STR(buf_text(&out), rows[i].want);
        buf_fini(&out);
    }
}

TEST(bad_texts_are_refused_with_their_place)
{
    static const char *const rows[][2] = {
        {"", "t:1:1: the text ends too early"},
        {" \n ", "t:2:2: the text ends too early"},
        {"[1,", "t:1:4: the text ends too early"},
        {"[1,]", "t:1:4: this is not a JSON value"},
        {"[,1]", "t:1:2: this is not a JSON value"},
        {"{\"a\":1,}", "t:1:8: a key in double quotes must stand here"},
        {"{\n  'a': 1}", "t:2:3: a key in double quotes must stand here"},
        {"{1:2}", "t:1:2: a key in double quotes must stand here"},
        {"{\"a\" 1}", "t:1:6: a ':' must follow the key"},
        {"{\"a\":1 \"b\":2}", "t:1:8: a ',' or '}' must stand here"},
        {"[1 2]", "t:1:4: a ',' or ']' must stand here"},
        {"[1}", "t:1:3: a ',' or ']' must stand here"},
        {"1 2", "t:1:3: nothing may follow the value"},
        {"[]]", "t:1:3: nothing may follow the value"},
        {"'a'", "t:1:1: this is not a JSON value"},
        {"nul", "t:1:1: this is not a JSON value"},
        {"nulll", "t:1:5: nothing may follow the value"},
        {"True", "t:1:1: this is not a JSON value"},
        {"-NaN", "t:1:2: a digit must follow the minus sign"},
        {"+1", "t:1:1: this is not a JSON value"},
        {".5", "t:1:1: this is not a JSON value"},
        {"007", "t:1:1: a number must not start with 0"},
        {"[1,\n -01]", "t:2:2: a number must not start with 0"},
        {"1.", "t:1:3: the text ends too early"},
        {"[1.]", "t:1:4: a digit must follow the point"},
        {"[1e]", "t:1:4: the exponent has no digit"},
        {"[1e+]", "t:1:5: the exponent has no digit"},
        {"0x10", "t:1:2: nothing may follow the value"},
        {"\"abc", "t:1:1: the string has no closing quote"},
        {"[\"\xc3\xa9\xc3\xa9\", x]", "t:1:8: this is not a JSON value"},
        {"\"a\nb\"", "t:1:3: a control character in a string must be written "
                     "as an escape"},
        {"\"a\tb\"", "t:1:3: a control character in a string must be written "
                     "as an escape"},
        {"\"\\x41\"", "t:1:3: no such escape in a string"},
        {"\"\\u12g4\"", "t:1:3: \\u needs four hexadecimal digits"},
        {"\"\\ud800\\u12\"", "t:1:9: \\u needs four hexadecimal digits"},
        {"\"\xff\"", "t:1:2: the bytes are not UTF-8"},
        {"\"\xc0\x80\"", "t:1:2: the bytes are not UTF-8"},
        {"\"\xed\xa0\x80\"", "t:1:2: the bytes are not UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "t:1:2: the bytes are not UTF-8"},
        {"[1] // no", "t:1:5: nothing may follow the value"},
        {"\xef\xbb\xbf\xef\xbb\xbf[1]", "t:1:1: this is not a JSON value"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_doc *doc = NULL;
        struct fault why = {""};

        EXPECT_EQ(json_parse(bytes_of(rows[i][0]), "t", &why, &doc),
                  STATUS_MALFORMED);
        EXPECT_STR(why.text, rows[i][1]);
        EXPECT(doc == NULL);
    }
}

TEST(a_nul_byte_is_no_json)
{
    static const struct bytes rows[] = {
        {"1\0", 2}, {"\0", 1}, {"\"\0\"", 3}, {"[\0]", 3}, {"\"\\\0\"", 4},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_doc *doc = NULL;

        EXPECT_EQ(json_parse(rows[i], "t", NULL, &doc), STATUS_MALFORMED);
    }
}

/* @opened brackets, and as many closed. */
static enum status read_deep(size_t opened)
{
    struct json_doc *doc = NULL;
    struct buf text = {0};
    struct buf out = {0};
    struct fault why;
    enum status s;

    for (size_t i = 0; i < opened; i++) {
        buf_add_text(&text, i % 2 == 0 ? "[" : "{\"a\":");
    }
    buf_add_text(&text, "7");
    for (size_t i = opened; i > 0; i--) {
        buf_add_char(&text, i % 2 == 1 ? ']' : '}');
    }
    s = json_parse(buf_bytes(&text), "t", &why, &doc);
    if (s == STATUS_OK) {
        json_write(json_root(doc), JSON_PYTHON_COMPACT, &out);
        EXPECT_STR(buf_text(&out), buf_text(&text));
    }
    json_destroy(&doc);
    buf_fini(&out);
    buf_fini(&text);
    return s;
}

TEST(depth_is_bounded)
{
    EXPECT_EQ(read_deep(JSON_DEPTH_MAX), STATUS_OK);
    EXPECT_EQ(read_deep(JSON_DEPTH_MAX + 1), STATUS_FULL);
    EXPECT_EQ(read_deep(1000000), STATUS_FULL);
}

TEST(a_nested_text_is_read_as_loads_does)
{
    static const char surrogates[] = "[\"\xed\xa0\xbd\\ude00\"]";
    struct json_doc *doc = NULL;
    struct buf out = {0};

    EXPECT_EQ(json_parse_nested(BYTES("\xef\xbb\xbf"
                                      "1"),
                                "t", NULL, &doc),
              STATUS_MALFORMED);
    EXPECT_EQ(json_parse_nested(bytes_of(surrogates), "t", NULL, &doc),
              STATUS_OK);
    /* Not joined: they came from two sides. */
    json_write_python_str(json_root(doc), &out);
    EXPECT_STR(buf_text(&out), "['\\ud83d\\ude00']");
    buf_fini(&out);
    json_destroy(&doc);
}

TEST(a_nested_integer_has_4300_digits_at_most)
{
    struct json_doc *doc = NULL;
    struct buf text = {0};

    buf_add_char(&text, '-');
    for (size_t i = 0; i < 4300; i++) {
        buf_add_char(&text, '7');
    }
    EXPECT_EQ(json_parse_nested(buf_bytes(&text), "t", NULL, &doc), STATUS_OK);
    EXPECT_EQ(json_digits(json_root(doc)).size, 4301);
    json_destroy(&doc);
    buf_add_char(&text, '7');
    EXPECT_EQ(json_parse_nested(buf_bytes(&text), "t", NULL, &doc),
              STATUS_MALFORMED);
    EXPECT_EQ(json_parse(buf_bytes(&text), "t", NULL, &doc), STATUS_OK);
    EXPECT_EQ(json_digits(json_root(doc)).size, 4302);
    json_destroy(&doc);
    buf_fini(&text);
}

TEST(values_are_looked_up)
{
    struct json_doc *doc =
        read_text("{\"n\": null,\n \"i\": -5, \"s\": \"a\\u0000b\""
                  ",\n\n \"a\": [true,\n 2.5, \"x\"]}");
    const struct json *root = json_root(doc);
    const struct json *a = json_get(root, "a");

    EXPECT_STR(json_name(doc), "t");
    EXPECT_EQ(json_count(root), 4);
    EXPECT(bytes_is(json_key_at(root, 1), "i"));
    EXPECT(json_at(root, 1) == json_get(root, "i"));
    EXPECT_EQ(json_type(json_get(root, "n")), JSON_NULL);
    EXPECT(json_get(root, "n") != NULL && json_get(root, "m") == NULL);
    EXPECT(bytes_is(json_digits(json_get(root, "i")), "-5"));
    EXPECT(json_real(json_get(root, "i")) == -5.0);
    EXPECT_EQ(json_string(json_get(root, "s")).size, 3);
    EXPECT_EQ(json_count(a), 3);
    EXPECT(json_is_true(json_at(a, 0)) && !json_is_true(a));
    EXPECT(json_real(json_at(a, 1)) == 2.5);
    EXPECT(json_key_at(a, 0).size == 0 && json_at(a, 3) == NULL);
    EXPECT_EQ(json_line(root), 1);
    EXPECT_EQ(json_line(json_get(root, "i")), 2);
    EXPECT_EQ(json_line(a), 4);
    EXPECT_EQ(json_line(json_at(a, 2)), 5);
    json_destroy(&doc);
    json_destroy(&doc);
}

TEST(no_value_answers_nothing)
{
    int64_t i = 0;

    EXPECT_EQ(json_type(NULL), JSON_NULL);
    EXPECT(!json_is(NULL, JSON_NULL) && !json_is_true(NULL));
    EXPECT(json_count(NULL) == 0 && json_at(NULL, 0) == NULL);
    EXPECT(json_get(NULL, "a") == NULL && json_key_at(NULL, 0).size == 0);
    EXPECT(json_string(NULL).size == 0 && json_digits(NULL).size == 0);
    EXPECT(json_line(NULL) == 0 && json_real(NULL) == 0);
    EXPECT(!json_int64(NULL, &i) && json_root(NULL) == NULL);
}

TEST(integers_that_fit)
{
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"1.0", false, 0},
        {"\"1\"", false, 0},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_doc *doc = read_text(rows[i].text);
        int64_t value = 0;

        EXPECT_EQ(json_int64(json_root(doc), &value), rows[i].fits);
        EXPECT(value == rows[i].value);
        json_destroy(&doc);
    }
}

TEST(str_is_that_of_python)
{
    static const char *const rows[][2] = {
        {"null", "None"},
        {"true", "True"},
        {"\"it's\"", "it's"},
        {"[null,true,false,1.0,-0,NaN,1e400]",
         "[None, True, False, 1.0, 0, nan, inf]"},
        {"{\"b\":\"x\",\"a\":[{}]}", "{'b': 'x', 'a': [{}]}"},
        {"[\"it's\",\"\\\"\",\"'\\\"\"]", "[\"it's\", '\"', '\\'\"']"},
        {"[\"\\n\\t\\r\\\\\\b\\u007f\\u0000\"]",
         "['\\n\\t\\r\\\\\\x08\\x7f\\x00']"},
        {"[\"\\u00e9\\u00ad\\u2028\\ud800\\udb40\\udc01\\ud83d\\ude00\"]",
         "['\xc3\xa9\\xad\\u2028\\ud800\\U000e0001\xf0\x9f\x98\x80']"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_doc *doc = read_text(rows[i][0]);
        struct buf out = {0};

        json_write_python_str(json_root(doc), &out);
        EXPECT_STR(buf_text(&out), rows[i][1]);
        buf_fini(&out);
        json_destroy(&doc);
    }
}

TEST(bytes_that_are_not_utf8_are_written)
{
    struct buf out = {0};

    json_write_string(BYTES("a\xff\xed\xa0\x80\"\n\xc3\xa9"), &out);
    EXPECT_STR(buf_text(&out), "\"a\xef\xbf\xbd\xef\xbf\xbd\\\"\\n\xc3\xa9\"");
    buf_clear(&out);
    json_write_ascii(BYTES("a\xff\xc3\xa9"), &out);
    EXPECT_STR(buf_text(&out), "\"a\\udcff\\u00e9\"");
    buf_clear(&out);
    json_write_python_repr(BYTES("a\xff\xc3\xa9"), &out);
    EXPECT_STR(buf_text(&out), "'a\\udcff\xc3\xa9'");
    buf_fini(&out);
}

/* Many equal keys: the last value of each, at the place of its first. */
TEST(a_large_object)
{
    enum { KEYS = 10000, TIMES = 3 };
    struct buf text = {0};
    struct json_doc *doc;
    const struct json *root;

    for (int i = 0; i < KEYS * TIMES; i++) {
        buf_print(&text, "%c\"key-%d\":%d", i == 0 ? '{' : ',',
                  (int)((i * 7919LL) % KEYS), i);
    }
    buf_add_char(&text, '}');
    doc = read_text(buf_text(&text));
    root = json_root(doc);
    EXPECT_EQ(json_count(root), KEYS);
    for (int i = 0; i < KEYS; i++) {
        char *key = mem_print("key-%d", (int)((i * 7919LL) % KEYS));
        int64_t value = 0;

        EXPECT(bytes_is(json_key_at(root, (size_t)i), key));
        EXPECT(json_int64(json_at(root, (size_t)i), &value));
        EXPECT_EQ(value, i + KEYS * (TIMES - 1));
        free(key);
    }
    json_destroy(&doc);
    buf_fini(&text);
}

TEST(a_large_array)
{
    struct buf text = {0};
    struct json_doc *doc;

    for (int i = 0; i < 16384; i++) {
        buf_print(&text, "%c\"algo-%d\"", i == 0 ? '[' : ',', i + 1);
    }
    buf_add_char(&text, ']');
    doc = read_text(buf_text(&text));
    EXPECT_EQ(json_count(json_root(doc)), 16384);
    EXPECT(bytes_is(json_string(json_at(json_root(doc), 16383)), "algo-16384"));
    json_destroy(&doc);
    buf_fini(&text);
}
