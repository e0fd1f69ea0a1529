/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/manifest.h"
#include "tests/harness.h"

TEST(suffixes_are_glued_sorted_and_kept_once)
{
    struct manifest m;
    struct fault why;
    struct buf uri = {0};

    EXPECT_EQ(manifest_parse(BYTES("[{\"prefix\":\"s3://b/p/cust\"},\"data-2\","
                                   "\"data-1\",\"data-2\",\"a/b\"]"),
                             "m.json", &why, &m),
              STATUS_OK);
    EXPECT_EQ(m.count, 3);
    EXPECT_EQ(m.repeated, 1);
    manifest_uri(&m, 0, &uri);
    EXPECT_STR(buf_text(&uri), "s3://b/p/custa/b");
    buf_clear(&uri);
    manifest_uri(&m, 1, &uri);
    EXPECT_STR(buf_text(&uri), "s3://b/p/custdata-1");
    buf_fini(&uri);
    manifest_fini(&m);
}

TEST(bad_manifests)
{
#define LIST                                                                   \
    "m.json:1: a manifest is a list of {\"prefix\": URI} and at least one "    \
    "suffix"
#define HEAD "m.json:1: a manifest starts with {\"prefix\": URI}"
#define WORD                                                                   \
    "m.json:2: what follows the prefix is not a string, is empty or holds a "  \
    "NUL byte"
    static const struct {
        const char *text;
        const char *fault;
    } rows[] = {
        {"{}", LIST},
        {"[]", LIST},
        {"[{\"prefix\":\"s3://b/p/\"}]", LIST},
        {"[\"a\",\"b\"]", HEAD},
        {"[{\"Prefix\":\"s3://b/p/\"},\"a\"]", HEAD},
        {"[{\"prefix\":5},\"a\"]", HEAD},
        {"[{\"prefix\":\"s3://b/p/\",\"x\":1},\"a\"]", HEAD},
        {"[{\"prefix\":\"\"},\"a\"]",
         "m.json:1: prefix \"\" does not start with s3://, https:// or "
         "file://"},
        {"[{\"prefix\":\"s3:///p\"},\"a\"]",
         "m.json:1: prefix \"s3:///p\" names no bucket"},
        {"[{\"prefix\":\"file://p\"},\"a\"]",
         "m.json:1: prefix \"file://p\" is no absolute path; write "
         "file:///path"},
        {"[{\"prefix\":\"s3://b/p/\"},\n5]", WORD},
        {"[{\"prefix\":\"s3://b/p/\"},\n\"\"]", WORD},
        {"[{\"prefix\":\"s3://b/p/\"},\n\"a\\u0000b\"]", WORD},
        {"[{\"prefix\":\"s3://b/p/\"},\n[\"a\"]]", WORD},
        {"[{\"prefix\":\"s3://b/p/\"},\n{\"prefix\":\"s3://c/\"}]", WORD},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct manifest m;
        struct fault why;

        EXPECT_EQ(manifest_parse(bytes_of(rows[i].text), "m.json", &why, &m),
                  STATUS_INVALID);
        EXPECT_STR(why.text, rows[i].fault);
        EXPECT(m.prefix == NULL && m.doc == NULL);
    }
}

TEST(broken_json_is_malformed)
{
    struct manifest m;
    struct fault why;

    EXPECT_EQ(manifest_parse(BYTES("[{"), "m.json", &why, &m),
              STATUS_MALFORMED);
    EXPECT(strncmp(why.text, "m.json:1:", 9) == 0);
}

TEST(keys_end_at_1024_bytes)
{
    for (int size = 1022; size <= 1023; size++) {
        struct manifest m;
        struct fault why;
        struct buf text = {0};
        enum status s;

        buf_add_text(&text, "[{\"prefix\":\"file:///p/\"},\"");
        for (int i = 0; i < size; i++) {
            buf_add_char(&text, 'a');
        }
        buf_add_text(&text, "\"]");
        s = manifest_parse(buf_bytes(&text), "m.json", &why, &m);
        EXPECT_EQ(s, size == 1022 ? STATUS_OK : STATUS_INVALID);
        manifest_fini(&m);
        buf_fini(&text);
    }
}

TEST(key_of_a_uri)
{
    static const struct {
        const char *uri;
        const char *key;
    } rows[] = {
        {"s3://b/k/x", "k/x"},  {"s3://b", ""},           {"s3://b/", ""},
        {"file:///a/b", "a/b"}, {"https://h/b/k", "b/k"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        EXPECT(bytes_is(manifest_key(bytes_of(rows[i].uri)), rows[i].key));
    }
}

TEST(the_channel_manifest_as_the_platform_writes_it)
{
    struct buf out = {0};

    manifest_write_prefix(BYTES("s3://bucket/tests/Task1/input"), &out);
    manifest_write_object(BYTES("s3://bucket/"),
                          BYTES("tests/Task1/input/test"), &out);
    manifest_write_object(BYTES("s3://bucket/"),
                          BYTES("tests/Task1/input/test2"), &out);
    EXPECT_STR(buf_text(&out), "tests/Task1/input\n"
                               "s3://bucket/tests/Task1/input/test\n"
                               "s3://bucket/tests/Task1/input/test2\n");
    buf_fini(&out);
}
