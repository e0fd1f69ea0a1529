/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/journal_format.h"

#include "tests/harness.h"

static const struct journal_object format_log = {
    .kind = JOURNAL_KIND_LOG,
    .run = "00c0ffee",
    .first = 17,
    .last = 17,
    .term = 3,
    .nonce = UINT64_C(0x8000000000000001),
};

TEST(log_reads_back_as_written)
{
    struct journal_object o = format_log;
    struct journal_object got;
    struct bytes record;
    struct buf body = {0};
    struct buf out = {0};

    journal_add_record(BYTES("one"), &body);
    journal_add_record(BYTES(""), &body);
    journal_add_record(BYTES("th\0ree"), &body);
    o.body = buf_bytes(&body);
    journal_object_write(&o, &out);
    EXPECT_EQ(journal_object_read(buf_bytes(&out), NULL, &got), STATUS_OK);
    EXPECT(got.kind == JOURNAL_KIND_LOG && got.first == 17 && got.last == 17);
    EXPECT(got.term == 3 && got.nonce == o.nonce && got.seals.size == 0);
    EXPECT_STR(got.run, "00c0ffee");
    EXPECT(journal_next_record(&got.body, &record) && bytes_is(record, "one"));
    EXPECT(journal_next_record(&got.body, &record) && record.size == 0);
    EXPECT(journal_next_record(&got.body, &record));
    EXPECT(bytes_is_equal(record, BYTES("th\0ree")));
    EXPECT(!journal_next_record(&got.body, &record) && got.body.size == 0);
    buf_fini(&body);
    buf_fini(&out);
}

TEST(audit_walks_its_numbers)
{
    struct journal_object o = format_log;
    struct journal_walk walk;
    struct journal_log log;
    struct buf records = {0};
    struct buf body = {0};

    journal_add_record(BYTES("a"), &records);
    journal_add_log(3, buf_bytes(&records), &body);
    journal_add_log(4, (struct bytes){NULL, 0}, &body);
    o.kind = JOURNAL_KIND_AUDIT;
    o.last = 18;
    o.body = buf_bytes(&body);
    journal_walk_init(&walk, &o);
    EXPECT(journal_next_log(&walk, &log));
    EXPECT(log.number == 17 && log.term == 3 && log.records.size == 2);
    EXPECT(journal_next_log(&walk, &log));
    EXPECT(log.number == 18 && log.term == 4 && log.records.size == 0);
    EXPECT(!journal_next_log(&walk, &log) && !walk.is_damaged);

    o.last = 19; /* One too few. */
    journal_walk_init(&walk, &o);
    while (journal_next_log(&walk, &log)) {
    }
    EXPECT(walk.is_damaged);
    o.last = 17; /* One too many. */
    journal_walk_init(&walk, &o);
    while (journal_next_log(&walk, &log)) {
    }
    EXPECT(walk.is_damaged);
    buf_fini(&records);
    buf_fini(&body);
}

TEST(snapshot_tells_its_seals)
{
    const uint64_t want[] = {1, 7, 8, UINT64_C(1) << 40};
    struct journal_object o = format_log;
    struct journal_object got;
    struct buf seals = {0};
    struct buf out = {0};
    uint64_t number = 0;

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        journal_add_seal(number, want[i], &seals);
        number = want[i];
    }
    o.kind = JOURNAL_KIND_SNAPSHOT;
    o.first = 5;
    o.last = number;
    o.seals = buf_bytes(&seals);
    o.body = BYTES("state");
    journal_object_write(&o, &out);
    EXPECT_EQ(journal_object_read(buf_bytes(&out), NULL, &got), STATUS_OK);
    EXPECT(got.first == 5 && got.last == number && bytes_is(got.body, "state"));
    number = 0;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        EXPECT(journal_next_seal(&got.seals, &number));
        EXPECT_EQ(number, want[i]);
    }
    EXPECT(!journal_next_seal(&got.seals, &number));
    buf_fini(&seals);
    buf_fini(&out);
}

TEST(every_cut_and_every_flipped_bit_is_seen)
{
    struct journal_object o = format_log;
    struct journal_object got;
    struct fault why;
    struct buf body = {0};
    struct buf out = {0};

    journal_add_record(BYTES("record"), &body);
    o.body = buf_bytes(&body);
    journal_object_write(&o, &out);
    for (size_t size = 0; size < out.size; size++) {
        struct bytes cut = {out.at, size};

        why.text[0] = '\0';
        EXPECT_EQ(journal_object_read(cut, &why, &got), STATUS_MALFORMED);
        EXPECT(why.text[0] != '\0' && got.last == 0);
    }
    for (size_t bit = 0; bit < 8 * out.size; bit++) {
        out.at[bit / 8] = (char)(out.at[bit / 8] ^ (1 << bit % 8));
        EXPECT_EQ(journal_object_read(buf_bytes(&out), &why, &got),
                  STATUS_MALFORMED);
        out.at[bit / 8] = (char)(out.at[bit / 8] ^ (1 << bit % 8));
    }
    buf_add_char(&out, 'x');
    EXPECT_EQ(journal_object_read(buf_bytes(&out), &why, &got),
              STATUS_MALFORMED);
    buf_fini(&body);
    buf_fini(&out);
}

/* A record that claims more than is there is not passed over. */
TEST(damaged_records_stop)
{
    struct bytes body = BYTES("\x01"
                              "a\x05"
                              "bc");
    struct bytes record;

    EXPECT(journal_next_record(&body, &record) && bytes_is(record, "a"));
    EXPECT(!journal_next_record(&body, &record));
    EXPECT_EQ(body.size, 3);
}

TEST(keys_name_their_objects)
{
    static const struct {
        const char *key;
        bool is_ok;
        enum journal_kind kind;
        uint64_t first;
        uint64_t last;
    } rows[] = {
        {"snapshot", true, JOURNAL_KIND_SNAPSHOT, 0, 0},
        {"journal/00000000000000000017", true, JOURNAL_KIND_LOG, 17, 17},
        {"audit/00000000000000000003-00000000000000000017", true,
         JOURNAL_KIND_AUDIT, 3, 17},
        {"journal/17", false, 0, 0, 0},
        {"journal/00000000000000000000", false, 0, 0, 0},
        {"journal/99999999999999999999", false, 0, 0, 0},
        {"journal/0000000000000000001x", false, 0, 0, 0},
        {"journal/000000000000000000171", false, 0, 0, 0},
        {"audit/00000000000000000017-00000000000000000003", false, 0, 0, 0},
        {"audit/00000000000000000003_00000000000000000017", false, 0, 0, 0},
        {"snapshots", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char key[JOURNAL_KEY_MAX];
        enum journal_kind kind;
        uint64_t first;
        uint64_t last;

        EXPECT_EQ(journal_key_read(bytes_of(rows[i].key), &kind, &first, &last),
                  rows[i].is_ok);
        if (rows[i].is_ok) {
            EXPECT(kind == rows[i].kind);
            EXPECT(first == rows[i].first && last == rows[i].last);
            EXPECT_STR(journal_key(kind, first, last, key), rows[i].key);
        }
    }
}
