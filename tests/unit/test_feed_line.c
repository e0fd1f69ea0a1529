/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/feed_line.h"

#include "tests/harness.h"

TEST(each_verb_is_read)
{
    const struct {
        struct bytes in;
        enum feed_verb verb;
        const char *channel;
        uint64_t number;
        const char *text;
        bool is_now;
    } rows[] = {
        {BYTES("rank 7"), FEED_RANK, "", 7, "", false},
        {BYTES("keep"), FEED_KEEP, "", 0, "", false},
        {BYTES("again\r"), FEED_AGAIN, "", 0, "", false},
        {BYTES("next train"), FEED_NEXT, "train", 0, "", false},
        {BYTES("next train now"), FEED_NEXT, "train", 0, "", true},
        {BYTES("done train 0"), FEED_DONE, "train", 0, "", false},
        {BYTES("done train 18446744073709551615\r"), FEED_DONE, "train",
         UINT64_MAX, "", false},
        {BYTES("commit a 5"), FEED_COMMIT, "a", 5, "", false},
        {BYTES("skip a 5 it is  torn "), FEED_SKIP, "a", 5, "it is  torn ",
         false},
        {BYTES("skip a 5"), FEED_SKIP, "a", 5, "", false},
        {BYTES("stop a"), FEED_STOP, "a", 0, "", false},
    };
    struct feed_line line;
    struct fault why;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(feed_line_read(rows[i].in, &why, &line), STATUS_OK);
        EXPECT_EQ(line.verb, rows[i].verb);
        EXPECT(bytes_is(line.channel, rows[i].channel));
        EXPECT_EQ(line.number, rows[i].number);
        EXPECT(bytes_is(line.text, rows[i].text));
        EXPECT_EQ(line.is_now, rows[i].is_now);
    }
}

TEST(what_is_not_understood_is_told)
{
    static char long_line[FEED_LINE_MAX + 1];
    const struct {
        struct bytes in;
        const char *text;
    } rows[] = {
        {BYTES(""), "'' is none of rank"},
        {BYTES("hello you"), "'hello' is none of rank"},
        {BYTES(" next a"), "'' is none of rank"},
        {BYTES("Next a"), "'Next' is none of"},
        {BYTES("next"), "it is: next CHANNEL [now]"},
        {BYTES("next "), "it is: next CHANNEL [now]"},
        {BYTES("next a then"), "it is: next CHANNEL [now]"},
        {BYTES("next a b c"), "it is: next"},
        {BYTES("next  a"), "it is: next"},
        {BYTES("keep it"), "it is: keep"},
        {BYTES("rank"), "it is: rank N"},
        {BYTES("rank -1"), "it is: rank N"},
        {BYTES("rank 1 2"), "it is: rank N"},
        {BYTES("done a"), "it is: done CHANNEL POSITION"},
        {BYTES("done a x"), "it is: done CHANNEL POSITION"},
        {BYTES("done a 1 2"), "it is: done CHANNEL POSITION"},
        {BYTES("done a 18446744073709551616"), "it is: done"},
        {BYTES("done a 99999999999999999999999"), "it is: done"},
        {BYTES("commit a 1x"), "it is: commit"},
        {BYTES("skip a torn"), "it is: skip CHANNEL POSITION REASON"},
        {BYTES("stop a b"), "it is: stop CHANNEL"},
        {BYTES("next a\0"), "no NUL"},
        {{long_line, sizeof(long_line)}, "at most 4096 bytes"},
    };
    struct feed_line line;

    memset(long_line, 'a', sizeof(long_line));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {{0}};

        EXPECT_EQ(feed_line_read(rows[i].in, &why, &line), STATUS_MALFORMED);
        if (strstr(why.text, rows[i].text) == NULL) {
            EXPECT_STR(why.text, rows[i].text);
        }
    }
}

TEST(a_path_is_one_word)
{
    struct buf out = {0};

    feed_line_write_path("/a b/100%/\t\n\x7f\xc3\xa4=+", &out);
    EXPECT_STR(buf_text(&out), "/a%20b/100%25/%09%0A%7F\xc3\xa4=+");
    buf_fini(&out);
}

TEST(a_path_comes_back)
{
    char path[] = "/a%20b/100%25/%09%0a%7F+%2/%zz%";
    char all[] = "%41";

    feed_line_read_path(path);
    EXPECT_STR(path, "/a b/100%/\t\n\x7f+%2/%zz%");
    feed_line_read_path(all);
    EXPECT_STR(all, "A");
}

TEST(answers_are_read)
{
    struct feed_answer a;
    struct fault why;

    EXPECT_EQ(feed_answer_read(BYTES("unit 1 2 3 4 /a%20b"), &why, &a),
              STATUS_OK);
    EXPECT_EQ(a.word, FEED_IS_UNIT);
    EXPECT_EQ(a.epoch, 1);
    EXPECT_EQ(a.position, 2);
    EXPECT_EQ(a.lease, 3);
    EXPECT_EQ(a.size, 4);
    EXPECT(bytes_is(a.text, "/a%20b"));
    EXPECT_EQ(feed_answer_read(BYTES("end 7"), &why, &a), STATUS_OK);
    EXPECT(a.word == FEED_END && a.epoch == 7);
    EXPECT_EQ(feed_answer_read(BYTES("error it is so"), &why, &a), STATUS_OK);
    EXPECT(a.word == FEED_ERROR && bytes_is(a.text, "it is so"));
    EXPECT_EQ(feed_answer_read(BYTES("ok"), &why, &a), STATUS_OK);
    EXPECT_EQ(a.word, FEED_OK);
    EXPECT_EQ(feed_answer_read(BYTES("over"), &why, &a), STATUS_OK);
    EXPECT_EQ(a.word, FEED_OVER);
    EXPECT_EQ(feed_answer_read(BYTES(""), &why, &a), STATUS_MALFORMED);
    EXPECT_EQ(feed_answer_read(BYTES("okay"), &why, &a), STATUS_MALFORMED);
    EXPECT_EQ(feed_answer_read(BYTES("ok then"), &why, &a), STATUS_MALFORMED);
    EXPECT_EQ(feed_answer_read(BYTES("end x"), &why, &a), STATUS_MALFORMED);
    EXPECT_EQ(feed_answer_read(BYTES("unit 1 2 3 4 a b"), &why, &a),
              STATUS_MALFORMED);
    EXPECT_EQ(feed_answer_read(BYTES("unit 1 2 3 4 "), &why, &a),
              STATUS_MALFORMED);
    EXPECT_EQ(feed_answer_read(BYTES("unit 1 2 x 4 a"), &why, &a),
              STATUS_MALFORMED);
    EXPECT(strstr(why.text, "'unit 1 2 x 4 a'") != NULL);
}
