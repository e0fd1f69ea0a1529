/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/bring_book.h"

#include "base/prng.h"
#include "tests/harness.h"

static const struct bring_book_head head = {
    "11111111-2222", "s3://bucket/", {"a b/", 4}};

static const struct bring_book_line whole = {.kind = BRING_BOOK_WHOLE,
                                             .size = 10,
                                             .inode = 7,
                                             .etag = {"e 1", 3},
                                             .key = {"a b/\n%x", 7}};
static const struct bring_book_line open_line = {.kind = BRING_BOOK_OPEN,
                                                 .id = 3,
                                                 .size = 25,
                                                 .inode = 8,
                                                 .etag = {"e2", 2},
                                                 .key = {"a b/large", 9},
                                                 .part_bytes = 10,
                                                 .kind_of_sum = CRC_64NVME};
static const struct bring_book_line part = {
    .kind = BRING_BOOK_PART, .id = 3, .part = 2, .sum = UINT64_MAX};

static void write_all(struct buf *out)
{
    bring_book_write_head(&head, out);
    bring_book_write(&whole, out);
    bring_book_write(&open_line, out);
    bring_book_write(&part, out);
}

TEST(what_is_written_is_read)
{
    struct bring_book *b = bring_book_new();
    const struct bring_book_entry *e;
    struct buf text = {0};

    write_all(&text);
    EXPECT_EQ(bring_book_read(b, buf_bytes(&text), &head, 5), text.size);
    EXPECT_EQ(bring_book_count(b), 2);
    e = bring_book_find(b, whole.key);
    EXPECT(e != NULL && e->is_whole && e->book == 5);
    EXPECT(e->size == 10 && e->inode == 7 && bytes_is(e->etag, "e 1"));
    e = bring_book_find(b, open_line.key);
    EXPECT(e != NULL && !e->is_whole && e->size == 25 && e->inode == 8);
    EXPECT(e->part_bytes == 10 && e->part_count == 3);
    EXPECT(e->kind_of_sum == CRC_64NVME);
    EXPECT(e->has_part[0] == 0 && e->has_part[1] == 0 && e->has_part[2] == 1);
    EXPECT_EQ(e->sums[2], UINT64_MAX);
    EXPECT(bring_book_find(b, BYTES("a b/")) == NULL);
    bring_book_destroy(&b);
    EXPECT(b == NULL);
    bring_book_destroy(&b);
    buf_fini(&text);
}

TEST(a_book_of_another_boot_or_source_says_nothing)
{
    static const struct bring_book_head others[] = {
        {"11111111-2223", "s3://bucket/", {"a b/", 4}},
        {"11111111-2222", "s3://bucket2/", {"a b/", 4}},
        {"11111111-2222", "s3://bucket/", {"a b", 3}},
        {"11111111-2222", "s3://bucket/", {"a b/c", 5}},
    };
    struct bring_book *b = bring_book_new();
    struct buf text = {0};

    write_all(&text);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        EXPECT_EQ(bring_book_read(b, buf_bytes(&text), &others[i], 1), 0);
        EXPECT_EQ(bring_book_count(b), 0);
    }
    bring_book_destroy(&b);
    buf_fini(&text);
}

/* Cut anywhere, it says what its whole lines say. */
TEST(a_torn_tail_is_no_line)
{
    struct buf text = {0};
    size_t ends[4];

    bring_book_write_head(&head, &text);
    ends[0] = text.size;
    bring_book_write(&whole, &text);
    ends[1] = text.size;
    bring_book_write(&open_line, &text);
    ends[2] = text.size;
    bring_book_write(&part, &text);
    ends[3] = text.size;
    for (size_t cut = 0; cut <= text.size; cut++) {
        struct bring_book *b = bring_book_new();
        char *copy = malloc(cut + 1); /* So that a byte beyond is seen. */
        size_t taken;
        size_t lines = 0;

        EXPECT(copy != NULL);
        memcpy(copy, text.at, cut);
        taken = bring_book_read(b, (struct bytes){copy, cut}, &head, 1);
        while (lines < 4 && ends[lines] <= cut) {
            lines++;
        }
        EXPECT_EQ(taken, lines == 0 ? 0 : ends[lines - 1]);
        EXPECT_EQ(bring_book_count(b), lines < 2 ? 0 : lines == 2 ? 1 : 2);
        if (lines == 4) {
            EXPECT(bring_book_find(b, open_line.key)->has_part[2] == 1);
        }
        bring_book_destroy(&b);
        free(copy);
    }
    buf_fini(&text);
}

/* A byte that has changed ends it at its line; and nothing else is ever
 * said. */
TEST(a_damaged_line_is_the_end)
{
    struct buf text = {0};
    struct prng p;

    write_all(&text);
    prng_init(&p, 5);
    for (int i = 0; i < 2000; i++) {
        struct bring_book *b = bring_book_new();
        size_t at = prng_below(&p, text.size);
        char old = text.at[at];
        const struct bring_book_entry *e;

        text.at[at] = (char)(old ^ (1 << prng_below(&p, 8)));
        EXPECT(bring_book_read(b, buf_bytes(&text), &head, 1) <= at);
        e = bring_book_find(b, whole.key);
        EXPECT(e == NULL || (e->is_whole && e->size == 10 && e->inode == 7));
        EXPECT(bring_book_count(b) <= 2);
        text.at[at] = old;
        bring_book_destroy(&b);
    }
    buf_fini(&text);
}

TEST(the_last_word_counts)
{
    struct bring_book *b = bring_book_new();
    struct bring_book_line line = open_line;
    struct buf text = {0};

    write_all(&text);
    line.inode = 9; /* Begun again: no part is there; */
    bring_book_write(&line, &text);
    line = whole; /* and ended, */
    line.key = open_line.key;
    bring_book_write(&line, &text);
    bring_book_write(&part, &text); /* so that this is nobody's. */
    EXPECT_EQ(bring_book_read(b, buf_bytes(&text), &head, 1), text.size);
    EXPECT_EQ(bring_book_count(b), 2);
    EXPECT(bring_book_find(b, open_line.key)->is_whole);

    /* Of another book it is another id, and that book's word. */
    buf_clear(&text);
    bring_book_write_head(&head, &text);
    bring_book_write(&part, &text);
    bring_book_write(&open_line, &text);
    EXPECT_EQ(bring_book_read(b, buf_bytes(&text), &head, 2), text.size);
    EXPECT(!bring_book_find(b, open_line.key)->is_whole);
    EXPECT_EQ(bring_book_find(b, open_line.key)->book, 2);
    EXPECT_EQ(bring_book_find(b, open_line.key)->has_part[2], 0);
    bring_book_destroy(&b);
    buf_fini(&text);
}

/* A part of what was replaced is not taken for another's, either: an entry may
 * come to lie where the old one was. */
TEST(a_part_of_what_was_replaced_is_nobodys)
{
    enum { LONG = 1500 };
    struct bring_book *b = bring_book_new();
    struct bring_book_line line = open_line;
    struct bring_book_line late = part;
    struct buf text = {0};
    char keys[2][LONG];

    memset(keys[0], 'a', LONG);
    memset(keys[1], 'b', LONG);
    bring_book_write_head(&head, &text);
    line.key = (struct bytes){keys[0], LONG};
    bring_book_write(&line, &text);
    line.kind = BRING_BOOK_WHOLE;
    bring_book_write(&line, &text);
    line.kind = BRING_BOOK_OPEN;
    line.id++;
    line.key = (struct bytes){keys[1], LONG};
    bring_book_write(&line, &text);
    bring_book_write(&late, &text);
    EXPECT_EQ(bring_book_read(b, buf_bytes(&text), &head, 1), text.size);
    EXPECT_EQ(bring_book_find(b, line.key)->has_part[2], 0);
    bring_book_destroy(&b);
    buf_fini(&text);
}

/* Numbers that no bring would write end the book. */
TEST(numbers_have_an_end)
{
    const uint64_t most = BRING_BOOK_PARTS_MAX;
    const struct {
        uint64_t id;
        uint64_t size;
        uint64_t part_bytes;
        bool is_taken;
    } rows[] = {
        {0, 25, 10, true},           {most, 25, 10, false},
        {UINT64_MAX, 25, 10, false}, {0, 25, 0, false},
        {0, most, 1, false},         {0, 10 * most - 1, 10, true},
        {0, 10 * most, 10, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bring_book *b = bring_book_new();
        struct bring_book_line line = open_line;
        struct buf text = {0};

        line.id = rows[i].id;
        line.size = rows[i].size;
        line.part_bytes = rows[i].part_bytes;
        bring_book_write_head(&head, &text);
        bring_book_write(&line, &text);
        (void)bring_book_read(b, buf_bytes(&text), &head, 1);
        EXPECT_EQ(bring_book_count(b), rows[i].is_taken);
        bring_book_destroy(&b);
        buf_fini(&text);
    }
}

static void count(void *self, const struct bring_book_entry *e)
{
    EXPECT(e->is_whole);
    ++*(size_t *)self;
}

TEST(many_objects)
{
    enum { MANY = 5000 };
    struct bring_book *b = bring_book_new();
    struct bring_book_line line = whole;
    struct buf text = {0};
    size_t seen = 0;
    char key[32];

    bring_book_write_head(&head, &text);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%u", i);
        line.key = bytes_of(key);
        line.size = i;
        bring_book_write(&line, &text);
    }
    EXPECT_EQ(bring_book_read(b, buf_bytes(&text), &head, 1), text.size);
    EXPECT_EQ(bring_book_count(b), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "%u", i);
        EXPECT_EQ(bring_book_find(b, bytes_of(key))->size, i);
    }
    bring_book_each(b, count, &seen);
    EXPECT_EQ(seen, MANY);
    bring_book_destroy(&b);
    buf_fini(&text);
}
