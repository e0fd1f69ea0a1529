/* SPDX-License-Identifier: Apache-2.0 */
/* Entries and snapshots: their bytes, and what is refused. */

#include "coordinator/ledger_entry.h"

#include "base/varint.h"
#include "tests/unit/ledger_kit.h"

/* Journals outlive the program that wrote them: these bytes never change. */
TEST(golden_entries)
{
    static const struct {
        struct ledger_entry entry;
        const char *name;
        struct bytes bytes;
    } rows[] = {
        {{LEDGER_GRANT, 300, 7, {1000, 1010}},
         "grant",
         {"\x01\xac\x02\x07\xe8\x07\x0a", 7}},
        {{LEDGER_COMMIT, 1, 0, {0, 1}}, "commit", {"\x02\x01\x00\x01", 4}},
        {{LEDGER_CUT, 1, 0, {5, 8}}, "cut", {"\x03\x01\x05\x03", 4}},
        {{LEDGER_DROP, 2, 0, {0, 0}}, "drop", {"\x04\x02", 2}},
        {{LEDGER_SKIP, 2, 0, {4, 5}}, "skip", {"\x05\x02\x04\x01", 4}},
        {{LEDGER_BASE, 0, 0, {4, 9}}, "base", {"\x06\x04\x05", 3}},
        {{LEDGER_ENTER, 0, 9, {0, 0}}, "enter", {"\x07\x09", 2}},
        {{LEDGER_STOP, 0, 0, {0, 0}}, "stop", {"\x08", 1}},
        {{LEDGER_EPOCH, 0, 0, {0, 0}}, "epoch", {"\x09", 1}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ledger_entry e = {0};
        struct fault why;
        struct bytes in;
        struct buf out = {0};

        ledger_entry_write(&rows[i].entry, &out);
        EXPECT(bytes_is_equal(buf_bytes(&out), rows[i].bytes));
        EXPECT_STR(ledger_entry_name(rows[i].entry.type), rows[i].name);
        for (size_t cut = 0; cut < out.size; cut++) {
            in = (struct bytes){out.at, cut};
            EXPECT_EQ(ledger_entry_read(&in, &why, &e), STATUS_MALFORMED);
            EXPECT_EQ(in.size, cut);
        }
        buf_add_char(&out, 'x');
        in = buf_bytes(&out);
        EXPECT_EQ(ledger_entry_read(&in, &why, &e), STATUS_OK);
        EXPECT(bytes_is(in, "x"));
        EXPECT(e.type == rows[i].entry.type && e.lease == rows[i].entry.lease);
        EXPECT_EQ(e.rank, rows[i].entry.rank);
        EXPECT_RANGE(e.range, rows[i].entry.range.first,
                     rows[i].entry.range.end);
        buf_fini(&out);
    }
}

TEST(what_is_no_entry)
{
    static const struct bytes rows[] = {
        {"\x00", 1},
        {"\x0a", 1},
        {"\x81\x00", 2},
        {"\x06\x04\x00", 3},             /* An empty range. */
        {"\x07\x80\x80\x80\x80\x10", 6}, /* Rank 2^32. */
        {"\x06\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ledger_entry e;
        struct fault why = {""};
        struct bytes in = rows[i];

        EXPECT_EQ(ledger_entry_read(&in, &why, &e), STATUS_MALFORMED);
        EXPECT(why.text[0] != '\0');
    }
}

/* @hosts[0] has lease 1 over 0-4, of which 1-2 is committed; lease 2, of
 * hosts[1], was dropped, lease 3 over 4-6 stands. Two hosts of a rank. */
static struct ledger *some_ledger(uint64_t step_units)
{
    struct ledger *l = kit_new(&(struct kit){.positions = 20,
                                             .step_units = step_units,
                                             .hosts = 2,
                                             .ranks = 1,
                                             .epochs = 2,
                                             .skips = 9});
    struct ledger_lease lease = kit_grant(l, 0, 4, 0);

    EXPECT_EQ(kit_commit(l, &lease, 1, 2, 0), STATUS_OK);
    kit_grant(l, 1, 1, 0);
    ledger_enter(l, 1, 0);
    kit_grant(l, 1, 2, 0);
    ledger_lose(l, 1, 0);
    ledger_hear(l, 1, 0);
    lease = kit_grant(l, 1, 2, 0);
    return l;
}

static struct ledger *replayed(struct ledger *l, uint64_t step_units)
{
    struct ledger *next = kit_idle(&(struct kit){.positions = 20,
                                                 .step_units = step_units,
                                                 .hosts = 2,
                                                 .ranks = 1,
                                                 .epochs = 2});
    size_t count;
    const struct ledger_entry *entries = ledger_take_entries(l, &count);
    struct fault why;

    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(ledger_apply(next, &entries[i], &why), STATUS_OK);
    }
    return next;
}

/* The entries of a damaged journal: none of them is taken. */
TEST(what_does_not_follow)
{
    static const struct ledger_entry rows[] = {
        {LEDGER_GRANT, 4, 0, {10, 11}}, /* Not the next number. */
        {LEDGER_GRANT, 6, 0, {10, 11}},
        {LEDGER_GRANT, 5, 2, {10, 11}}, /* No such rank. */
        {LEDGER_GRANT, 5, 0, {10, 10}},
        {LEDGER_GRANT, 5, 0, {19, 21}}, /* Beyond the end. */
        {LEDGER_GRANT, 5, 0, {3, 5}},   /* Held by lease 1. */
        {LEDGER_GRANT, 5, 0, {1, 2}},   /* Committed. */
        {LEDGER_COMMIT, 1, 0, {1, 2}},
        {LEDGER_COMMIT, 1, 0, {3, 5}},
        {LEDGER_COMMIT, 1, 0, {3, 3}},
        {LEDGER_COMMIT, 2, 0, {4, 5}}, /* Dropped. */
        {LEDGER_COMMIT, 0, 0, {3, 4}},
        {LEDGER_COMMIT, 9, 0, {3, 4}},
        {LEDGER_SKIP, 1, 0, {2, 4}},
        {LEDGER_SKIP, 1, 0, {1, 2}},
        {LEDGER_CUT, 1, 0, {1, 4}}, /* Committed. */
        {LEDGER_CUT, 1, 0, {2, 3}}, /* Not its tail. */
        {LEDGER_CUT, 1, 0, {4, 4}},
        {LEDGER_DROP, 2, 0, {0, 0}},
        {LEDGER_DROP, 0, 0, {0, 0}},
        {LEDGER_BASE, 0, 0, {15, 16}}, /* Too late. */
        {LEDGER_ENTER, 0, 2, {0, 0}},
        {LEDGER_ENTER, 0, 0, {0, 0}}, /* Has a lease. */
        {LEDGER_EPOCH, 0, 0, {0, 0}}, /* Not complete. */
        {LEDGER_ENTRY_TYPES, 0, 0, {0, 0}},
        {(enum ledger_entry_type)0, 0, 0, {0, 0}},
    };
    struct ledger *l = some_ledger(0);
    struct ledger *next = replayed(l, 0);
    struct buf before = {0};
    struct buf after = {0};

    ledger_write(next, &before);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault why = {""};

        EXPECT_EQ(ledger_apply(next, &rows[i], &why), STATUS_MALFORMED);
        EXPECT(why.text[0] != '\0');
        ledger_check(next);
    }
    ledger_write(next, &after);
    EXPECT(bytes_is_equal(buf_bytes(&before), buf_bytes(&after)));
    buf_fini(&before);
    buf_fini(&after);
    kit_end(&l);
    kit_end(&next);
}

static enum status read_as(const struct kit *k, struct bytes in)
{
    struct ledger *l = kit_idle(k);
    struct fault why;
    enum status s = ledger_read(l, &in, &why);

    if (s == STATUS_OK) {
        EXPECT_EQ(in.size, 0);
        kit_end(&l);
    }
    ledger_destroy(&l);
    return s;
}

TEST(snapshots_that_are_damaged)
{
    static const struct kit good = {
        .positions = 20, .step_units = 5, .hosts = 2, .ranks = 1, .epochs = 2};
    static const struct kit others[] = {
        {.positions = 21, .step_units = 5, .hosts = 2, .ranks = 1},
        {.positions = 20, .step_units = 4, .hosts = 2, .ranks = 1},
        {.positions = 20, .step_units = 0, .hosts = 2, .ranks = 1},
        {.positions = 20, .step_units = 5, .hosts = 1, .ranks = 2},
        {.positions = 20, .step_units = 5, .hosts = 2, .ranks = 2},
    };
    struct ledger *l = some_ledger(5);
    struct buf out = {0};

    ledger_write(l, &out);
    EXPECT_EQ(read_as(&good, buf_bytes(&out)), STATUS_OK);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        EXPECT_EQ(read_as(&others[i], buf_bytes(&out)), STATUS_MALFORMED);
    }
    for (size_t cut = 0; cut < out.size; cut++) {
        EXPECT_EQ(read_as(&good, (struct bytes){out.at, cut}),
                  STATUS_MALFORMED);
    }
    kit_end(&l);
    buf_fini(&out);
}

/* Two leases may not share even what is committed. */
TEST(snapshots_of_leases_that_overlap)
{
    static const struct kit k = {.positions = 100, .hosts = 2, .ranks = 1};
    struct ledger *l = kit_new(&k);
    struct ledger_lease a = kit_grant(l, 0, 8, 0);
    struct buf out = {0};

    EXPECT_EQ(kit_commit(l, &a, 6, 8, 0), STATUS_OK);
    a = kit_grant(l, 1, 4, 0);
    EXPECT_RANGE(a.range, 8, 12);
    ledger_write(l, &out);
    EXPECT_EQ(read_as(&k, buf_bytes(&out)), STATUS_OK);
    EXPECT_EQ(out.at[out.size - 2], 8);
    EXPECT_EQ(out.at[out.size - 1], 2 * 4);
    out.at[out.size - 2] = 6;
    out.at[out.size - 1] = 2 * 6;
    EXPECT_EQ(read_as(&k, buf_bytes(&out)), STATUS_MALFORMED);
    kit_end(&l);
    buf_fini(&out);
}

/* Every other value of every byte: refused, or it is a sound ledger. */
TEST(snapshots_with_one_wrong_byte)
{
    static const struct kit k = {
        .positions = 20, .step_units = 5, .hosts = 2, .ranks = 1, .epochs = 2};
    struct ledger *l = some_ledger(5);
    struct buf out = {0};

    ledger_write(l, &out);
    for (size_t i = 0; i < out.size; i++) {
        char was = out.at[i];

        for (int value = 0; value < 256; value++) {
            struct ledger *next = kit_idle(&k);
            struct bytes in = buf_bytes(&out);
            struct fault why;

            out.at[i] = (char)value;
            if (ledger_read(next, &in, &why) == STATUS_OK) {
                ledger_check(next);
                ledger_resume(next, 0);
                ledger_check(next);
            }
            ledger_destroy(&next);
        }
        out.at[i] = was;
    }
    kit_end(&l);
    buf_fini(&out);
}
