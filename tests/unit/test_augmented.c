/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/augmented.h"

#include "base/mem.h"
#include "base/prng.h"
#include "tests/harness.h"

static const char *const attributes[] = {"image-ref", "a", "b"};
static const struct augmented wanted = {"s3://b/m.jsonl", attributes, 3};

static enum status read_line(const char *text, struct fault *why,
                             struct augmented_line *out)
{
    return augmented_read(&wanted, bytes_of(text), 12, why, out);
}

TEST(values_are_text_in_the_order_of_the_names)
{
    static const struct {
        const char *value; /* Of a. */
        const char *text;
    } rows[] = {
        {"1", "1"},
        {"-0", "0"},
        {"1.50", "1.5"},
        {"1e22", "1e+22"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"true", "true"},
        {"false", "false"},
        {"null", "null"},
        {"\"\"", ""},
        {"\"x y\"", "x y"},
        {"\"\\\"\\n\\u00e9\"", "\"\n\xc3\xa9"},
        {"\"1\"", "1"},
        {"[ 1 , \"x\" ]", "[1,\"x\"]"},
        {"{\"z\": 1, \"a\": {\"k\": null}}", "{\"a\":{\"k\":null},\"z\":1}"},
        {"{\"a\": 1, \"a\": 2}", "{\"a\":2}"}, /* Within: as JSON has it. */
    };
    struct augmented_line line = {0};
    struct fault why = {.text = ""};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *text = mem_print("{\"b\":\"last\",\"c\":0,\"a\":%s, "
                               "\"image-ref\":\"s3://b/k\"}\r",
                               rows[i].value);

        EXPECT_EQ(read_line(text, &why, &line), STATUS_OK);
        EXPECT(line.values[0].is_ref && !line.values[1].is_ref);
        EXPECT(bytes_is(line.values[0].text, "s3://b/k"));
        EXPECT(bytes_is(line.values[1].text, rows[i].text));
        EXPECT(bytes_is(line.values[2].text, "last"));
        free(text);
    }
    augmented_line_fini(&line);
}

#define REF "\"image-ref\":\"s3://b/k\""
#define AT "s3://b/m.jsonl:12: "

TEST(what_is_wrong_is_named_with_its_line)
{
    static const struct {
        const char *line;
        enum status status;
        const char *fault;
    } rows[] = {
        {"x", STATUS_MALFORMED, "s3://b/m.jsonl:12:1: "},
        {"{\"a\":1,}", STATUS_MALFORMED, "s3://b/m.jsonl:12:8: "},
        {"{\"a\":1} {}", STATUS_MALFORMED, "s3://b/m.jsonl:12:9: "},
        {"{\"a\":\"\xff\"}", STATUS_MALFORMED, "s3://b/m.jsonl:12:"},
        {"[]", STATUS_INVALID, AT "it is not a JSON object: "},
        {"\"a\"", STATUS_INVALID, AT "it is not a JSON object: "},
        {"{}", STATUS_INVALID, AT "attribute \"image-ref\" is missing"},
        {"{" REF ",\"b\":1}", STATUS_INVALID, AT "attribute \"a\" is missing"},
        {"{" REF ",\"A\":1,\"b\":1}", STATUS_INVALID,
         AT "attribute \"a\" is missing"},
        {"{\"image-ref\":1,\"a\":1,\"b\":1}", STATUS_INVALID,
         AT "attribute \"image-ref\" is not the URI of an object"},
        {"{\"image-ref\":null,\"a\":1,\"b\":1}", STATUS_INVALID,
         AT "attribute \"image-ref\" is not the URI of an object"},
        {"{\"image-ref\":\"k\",\"a\":1,\"b\":1}", STATUS_INVALID,
         AT "attribute \"image-ref\" is not the URI of an object"},
        {"{\"image-ref\":\"s3://b/\\u0000\",\"a\":1,\"b\":1}", STATUS_INVALID,
         AT "attribute \"image-ref\" holds a NUL byte"},
        {"{" REF ",\"a\":1,\"b\":2,\"a\":3}", STATUS_INVALID,
         AT "the key \"a\" stands twice; leave one of them"},
        {"{" REF ",\"x\":[{\"a\":\",\"}] , \"a\" : 1,\"b\":2,\"x\":\"}\"}",
         STATUS_INVALID, AT "the key \"x\" stands twice; leave one of them"},
        {"{" REF ",\"a\":1,\"b\":2,\"\\u0061\":3}", STATUS_INVALID,
         AT "a key stands twice, written in two ways; leave one of them"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct augmented_line line = {0};
        struct fault why = {.text = ""};

        EXPECT_EQ(read_line(rows[i].line, &why, &line), rows[i].status);
        EXPECT(bytes_has_prefix(bytes_of(why.text), bytes_of(rows[i].fault)));
        augmented_line_fini(&line);
    }
}

TEST(a_line_has_a_largest_size)
{
    struct augmented_line line = {0};
    struct fault why = {.text = ""};
    struct buf text = {0};

    buf_add_text(&text, "{" REF ",\"a\":1,\"b\":\"");
    while (text.size < AUGMENTED_LINE_MAX - 2) {
        buf_add_char(&text, 'y');
    }
    buf_add_text(&text, "\"}");
    EXPECT_EQ(read_line(buf_text(&text), &why, &line), STATUS_OK);
    buf_add_char(&text, ' ');
    EXPECT_EQ(read_line(buf_text(&text), &why, &line), STATUS_INVALID);
    EXPECT_STR(why.text, AT "it has 1048577 bytes; a line may have 1048576");
    buf_fini(&text);
    augmented_line_fini(&line);
}

TEST(empty_lines_are_counted_and_left_out)
{
    struct bytes rest = bytes_of("\n \t\r\none\n\n\ntwo\n three");
    struct bytes line;
    uint64_t number = 0;

    EXPECT(augmented_next(&rest, &number, &line));
    EXPECT(number == 3 && bytes_is(line, "one"));
    EXPECT(augmented_next(&rest, &number, &line));
    EXPECT(number == 6 && bytes_is(line, "two"));
    EXPECT(augmented_next(&rest, &number, &line));
    EXPECT(number == 7 && bytes_is(line, " three"));
    EXPECT(!augmented_next(&rest, &number, &line));
    rest = bytes_of("\n\n");
    EXPECT(!augmented_next(&rest, &number, &line));
}

/* Keys are found by reading the text, beside the parser: both must agree on
 * what a key is. */
TEST(keys_of_random_objects_are_told_apart)
{
    static const char *const values[] = {
        "1",  "\"a\"", "\"\\\"b\\\\\"",         "[{\"a\":1},{\"a\":[]}]",
        "{}", "[]",    "{\"b\":{\"b\":\",\"}}", " null ",
    };
    struct prng p;

    prng_init(&p, 3);
    for (int round = 0; round < 2000; round++) {
        struct augmented_line line = {0};
        struct fault why;
        struct buf text = {0};
        uint32_t seen = 0;
        bool is_twice = false;
        uint64_t count = prng_below(&p, 6);

        buf_add_text(&text, "{" REF ",\"a\":1,\"b\":2");
        for (uint64_t i = 0; i < count; i++) {
            uint32_t key = (uint32_t)prng_below(&p, 12);

            is_twice = is_twice || (seen & 1u << key) != 0;
            seen |= 1u << key;
            buf_print(&text, ",%s\"k\\\"%u\" :%s", key % 2 == 0 ? " " : "", key,
                      values[prng_below(&p, 8)]);
        }
        buf_add_text(&text, "}");
        EXPECT_EQ(read_line(buf_text(&text), &why, &line),
                  is_twice ? STATUS_INVALID : STATUS_OK);
        buf_fini(&text);
        augmented_line_fini(&line);
    }
}
