/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one message of each type, pinned. */

#include "proto/wire.h"

#include "tests/harness.h"

static const char JOB[] = "0123456789abcdef0123456789abcdef";

/* As BYTES, but allowed in a constant initializer. */
#define VIEW(literal)                                                          \
    {                                                                          \
        "" literal, sizeof(literal) - 1                                        \
    }
#define GOLDEN_HEAD "\xa4smsh\x04\xd9 0123456789abcdef0123456789abcdef\x09"

static const struct wire_message golden_messages[WIRE_TYPES] = {
    [WIRE_HELLO] = {.hello = {VIEW("algo-1"), VIEW("5eed"), VIEW("0.1.0"), 2, 8,
                              100, 1700000000000, 3, WIRE_PHASE_RUNNING}},
    [WIRE_WELCOME] = {.welcome = {1000, 30000}},
    [WIRE_REFUSE] = {.refuse = {STATUS_REFUSED,
                                VIEW("algo-9: not a host of this job")}},
    [WIRE_BEAT] = {.beat = {WIRE_PHASE_BRINGING,
                            7,
                            3,
                            4096,
                            200,
                            1,
                            {{VIEW("train"), 1, 2, 300, 70000},
                             {VIEW("validation"), 0, 0, 0, 0}},
                            2,
                            {{VIEW("train"), 5, WIRE_STREAM_RING, 1, 9, 8, 300,
                              100, 90, 10, VIEW("node 1")}},
                            1}},
    [WIRE_PULSE] = {.pulse = {7, 350}},
    [WIRE_SHARE] = {.share = {VIEW("s3://b/out/"),
                              VIEW(""),
                              2,
                              4,
                              {{VIEW("train"), VIEW("shares/train/0"),
                                VIEW("catalogs/ab"), VIEW("s3://b/"),
                                VIEW("data/"), 5, UINT64_C(1) << 40,
                                VIEW("the inventory"), 4, 1, 9}},
                              1}},
    [WIRE_READY] = {.ready = {5, UINT64_C(1) << 40}},
    [WIRE_START] = {.start = {1700000000001}},
    [WIRE_DONE] = {.done = {STATUS_OK, 3, VIEW(""), 1, 2}},
    [WIRE_END] = {.end = {STATUS_PEER_FAILED, 79, VIEW("algo-2"),
                          VIEW("the command ended with 3")}},
    [WIRE_ASK] = {.ask = {200, WIRE_ASK_CURSOR}},
    [WIRE_REPORT] = {.report = {200, VIEW("{\"phase\":\"running\"}")}},
    [WIRE_WORK] = {.work = {3, VIEW("a\0b")}},
    [WIRE_GRANT] = {.grant = {19, VIEW("\xff")}},
};

static const struct {
    enum wire_type type;
    struct bytes bytes;
} golden_bytes[] = {
    {WIRE_HELLO, VIEW("\x9e" GOLDEN_HEAD "\x01\xa6"
                      "algo-1\xa4"
                      "5eed\xa5"
                      "0.1.0\x02\x08"
                      "d\xcf\x00\x00\x01\x8b\xcf\xe5h\x00\x03\x04")},
    {WIRE_WELCOME, VIEW("\x97" GOLDEN_HEAD "\x02\xcd\x03\xe8\xcdu0")},
    {WIRE_REFUSE, VIEW("\x97" GOLDEN_HEAD "\x03\x15\xbe"
                       "algo-9: not a host of this job")},
    {WIRE_BEAT, VIEW("\x9d" GOLDEN_HEAD "\x04\x02\x07\x03\xcd\x10\x00\xcc\xc8"
                     "\x01\x92\x95\xa5train\x01\x02\xcd\x01,"
                     "\xce\x00\x01\x11p\x95\xaavalidation\x00\x00\x00\x00"
                     "\x91\x9b\xa5train\x05\x03\x01\x09\x08\xcd\x01,dZ\x0a"
                     "\xa6node 1")},
    {WIRE_PULSE, VIEW("\x97" GOLDEN_HEAD "\x05\x07\xcd\x01^")},
    {WIRE_SHARE, VIEW("\x9a" GOLDEN_HEAD "\x06\xabs3://b/out/"
                      "\xa0\x02\x04\x91\x9b\xa5train\xaeshares/train/0\xab"
                      "catalogs/ab\xa7s3://b/\xa5"
                      "data/\x05\xcf\x00\x00\x01\x00\x00\x00\x00\x00\xad"
                      "the inventory\x04\x01\x09")},
    {WIRE_READY,
     VIEW("\x97" GOLDEN_HEAD "\x07\x05\xcf\x00\x00\x01\x00\x00\x00\x00\x00")},
    {WIRE_START,
     VIEW("\x96" GOLDEN_HEAD "\x08\xcf\x00\x00\x01\x8b\xcf\xe5h\x01")},
    {WIRE_DONE, VIEW("\x9a" GOLDEN_HEAD "\x09\x00\x03\xa0\x01\x02")},
    {WIRE_END, VIEW("\x99" GOLDEN_HEAD "\x0a\x18O\xa6"
                    "algo-2\xb8the command ended with 3")},
    {WIRE_ASK, VIEW("\x97" GOLDEN_HEAD "\x0b\xcc\xc8\x01")},
    {WIRE_REPORT, VIEW("\x97" GOLDEN_HEAD
                       "\x0c\xcc\xc8\xb3{\x22phase\x22:\x22running\x22}")},
    {WIRE_WORK, VIEW("\x97" GOLDEN_HEAD "\x0d\x03\xc4\x03"
                     "a\0b")},
    {WIRE_GRANT, VIEW("\x97" GOLDEN_HEAD "\x0e\x13\xc4\x01\xff")},
};

/* When this fails the format has changed, which wants a new WIRE_VERSION. */
TEST(the_format_is_pinned)
{
    struct wire_message back;
    struct buf out = {0};
    struct fault why;

    EXPECT_EQ(sizeof(golden_bytes) / sizeof(golden_bytes[0]), WIRE_TYPES - 1);
    for (unsigned i = 0; i < WIRE_TYPES - 1; i++) {
        struct wire_message m = golden_messages[golden_bytes[i].type];

        m.type = golden_bytes[i].type;
        m.term = 9;
        memcpy(m.job, JOB, sizeof(m.job));
        buf_clear(&out);
        wire_encode(&m, &out);
        EXPECT(bytes_is_equal(buf_bytes(&out), golden_bytes[i].bytes));
        EXPECT_EQ(wire_decode(golden_bytes[i].bytes, JOB, &why, &back),
                  STATUS_OK);
        buf_clear(&out);
        wire_encode(&back, &out);
        EXPECT(bytes_is_equal(buf_bytes(&out), golden_bytes[i].bytes));
    }
    buf_fini(&out);
}

TEST(texts_and_bytes_do_not_stand_for_each_other)
{
    static const struct {
        struct bytes bytes;
        const char *text;
    } rows[] = {
        {VIEW("\x97" GOLDEN_HEAD "\x0d\x03\xa3"
              "a-b"),
         "WORK: body is of the wrong kind"},
        {VIEW("\x97" GOLDEN_HEAD "\x0c\xcc\xc8\xc4\x02{}"),
         "REPORT: json is of the wrong kind"},
        {VIEW("\x97" GOLDEN_HEAD "\x0e\xc4\x01\x31\xc4\x01\xff"),
         "GRANT: channel is of the wrong kind"},
    };
    struct wire_message back;
    struct fault why;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        EXPECT_EQ(wire_decode(rows[i].bytes, JOB, &why, &back),
                  STATUS_MALFORMED);
        EXPECT_STR(why.text, rows[i].text);
    }
}

TEST(bytes_are_views_into_the_input)
{
    const struct bytes in = golden_bytes[WIRE_WORK - 1].bytes;
    struct wire_message back;

    EXPECT_EQ(wire_decode(in, JOB, NULL, &back), STATUS_OK);
    EXPECT(bytes_is_equal(back.work.body, BYTES("a\0b")));
    EXPECT(back.work.body.at + back.work.body.size == in.at + in.size);
}
