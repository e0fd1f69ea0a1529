/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/record.h"

#include "tests/harness.h"

static const struct record samples[] = {
    {.type = RECORD_PLAN,
     .plan = {.channel = 3,
              .name = {"train", 5},
              .catalog = {"abcdef", 6},
              .is_dynamic = true,
              .positions = UINT64_C(1) << 40,
              .epochs = 9,
              .first_epoch = 2,
              .step_units = 64,
              .skips = 5,
              .ranks = {"\x08\x00\x10", 3}}},
    {.type = RECORD_LEDGER,
     .ledger = {.channel = 1,
                .entry = {LEDGER_GRANT, 77, 4, {100, UINT64_C(1) << 50}}}},
    {.type = RECORD_HOST,
     .host = {.number = 16383,
              .ranks = 64,
              .attempt = 3,
              .name = {"algo-1", 6},
              .incarnation = {"0123", 4}}},
    {.type = RECORD_SKIPPED,
     .skipped = {.channel = 2, .position = 17, .reason = {"cut", 3}}},
    {.type = RECORD_OVER,
     .over = {.status = STATUS_PEER_FAILED,
              .exit_code = 79,
              .host = {"algo-2", 6},
              .reason = {"the command exited with 3", 25}}},
    {.type = RECORD_DONE,
     .done = {.number = 16383,
              .exit_code = 3,
              .status = STATUS_PEER_FAILED,
              .reason = {"it broke", 8}}},
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

TEST(each_reads_back_and_writes_the_same)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct record got;
        struct buf once = {0};
        struct buf twice = {0};

        record_write(&samples[i], &once);
        EXPECT_EQ(record_read(buf_bytes(&once), NULL, &got), STATUS_OK);
        EXPECT(got.type == samples[i].type);
        record_write(&got, &twice);
        EXPECT(bytes_is_equal(buf_bytes(&once), buf_bytes(&twice)));
        buf_fini(&once);
        buf_fini(&twice);
    }
}

TEST(fields_are_where_they_belong)
{
    struct record got;
    struct buf out = {0};

    record_write(&samples[0], &out);
    EXPECT_EQ(record_read(buf_bytes(&out), NULL, &got), STATUS_OK);
    EXPECT(got.plan.channel == 3 && bytes_is(got.plan.name, "train"));
    EXPECT(bytes_is(got.plan.catalog, "abcdef") && got.plan.is_dynamic);
    EXPECT(got.plan.positions == UINT64_C(1) << 40 && got.plan.epochs == 9);
    EXPECT(got.plan.first_epoch == 2 && got.plan.step_units == 64);
    EXPECT(got.plan.skips == 5 && got.plan.ranks.size == 3);
    buf_clear(&out);
    record_write(&samples[1], &out);
    EXPECT_EQ(record_read(buf_bytes(&out), NULL, &got), STATUS_OK);
    EXPECT(got.ledger.channel == 1 && got.ledger.entry.lease == 77);
    EXPECT(got.ledger.entry.type == LEDGER_GRANT && got.ledger.entry.rank == 4);
    buf_clear(&out);
    record_write(&samples[4], &out);
    EXPECT_EQ(record_read(buf_bytes(&out), NULL, &got), STATUS_OK);
    EXPECT(got.over.status == STATUS_PEER_FAILED && got.over.exit_code == 79);
    EXPECT(bytes_is(got.over.host, "algo-2"));
    buf_clear(&out);
    record_write(&samples[5], &out);
    EXPECT_EQ(record_read(buf_bytes(&out), NULL, &got), STATUS_OK);
    EXPECT(got.done.number == 16383 && got.done.exit_code == 3);
    EXPECT(got.done.status == STATUS_PEER_FAILED);
    EXPECT(bytes_is(got.done.reason, "it broke"));
    buf_fini(&out);
}

TEST(what_is_cut_or_too_long_is_refused)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct record got;
        struct fault why;
        struct buf out = {0};

        record_write(&samples[i], &out);
        for (size_t size = 0; size < out.size; size++) {
            EXPECT_EQ(record_read((struct bytes){out.at, size}, &why, &got),
                      STATUS_MALFORMED);
        }
        buf_add_char(&out, 'x');
        EXPECT_EQ(record_read(buf_bytes(&out), &why, &got), STATUS_MALFORMED);
        buf_fini(&out);
    }
}

TEST(kinds_that_are_not_known_are_refused)
{
    struct record got;
    struct fault why;

    EXPECT_EQ(record_read(BYTES("\x00"), &why, &got), STATUS_MALFORMED);
    EXPECT_EQ(record_read(BYTES("\x07\x00\x00"), &why, &got), STATUS_MALFORMED);
    EXPECT_STR(why.text, "a record of a kind that is not known");
    EXPECT_EQ(record_read(BYTES("\x02\x00\x63"), &why, &got), STATUS_MALFORMED);
}
