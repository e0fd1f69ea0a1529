/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/csv.h"

#include "base/buf.h"
#include "base/mem.h"
#include "tests/harness.h"

static void write_row(const struct csv_row *row, struct buf *out)
{
    for (uint32_t i = 0; i < row->count; i++) {
        buf_add_char(out, i > 0 ? '|' : '<');
        buf_add(out, row->fields[i].at, row->fields[i].size);
    }
    buf_add_char(out, '>');
}

/* Read @text in pieces of @step bytes: "<a|b><c>", then the fault if any. */
static enum status read_all(struct bytes text, size_t step, struct buf *out)
{
    struct csv *c = csv_new();
    const struct csv_row *row = NULL;
    struct fault why = {.text = ""};
    enum status s = STATUS_OK;
    uint64_t rows = 0;

    buf_clear(out);
    for (size_t at = 0; s == STATUS_OK && at < text.size; at += step) {
        size_t size = text.size - at < step ? text.size - at : step;
        char *copy = mem_copy_text(text.at + at, size);

        csv_give(c, (struct bytes){copy, size});
        do {
            s = csv_next(c, &why, &row);
            if (s == STATUS_OK && row != NULL) {
                EXPECT_EQ(row->number, ++rows);
                write_row(row, out);
            }
        } while (s == STATUS_OK && row != NULL);
        free(copy);
    }
    if (s == STATUS_OK) {
        s = csv_end(c, &why, &row);
        if (s == STATUS_OK && row != NULL) {
            EXPECT_EQ(row->number, ++rows);
            write_row(row, out);
        }
    }
    buf_add_text(out, why.text);
    EXPECT((s == STATUS_OK) == (why.text[0] == '\0'));
    csv_destroy(&c);
    EXPECT(c == NULL);
    return s;
}

#define QUOTE "a quote stands where none can be"
#define RETURN "a carriage return ends no line"

TEST(rows)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"", ""},
        {"a", "<a>"},
        {"a\n", "<a>"},
        {"a,b\nc,d\n", "<a|b><c|d>"},
        {"a,b\r\nc,d\r\n", "<a|b><c|d>"},
        {"a,b\nc,d", "<a|b><c|d>"},
        {"a,", "<a|>"},
        {",\n", "<|>"},
        {",,\n,", "<||><|>"},
        {"\n\r\n\na\n\n", "<a>"},
        {"\"a\",\"b\"\n", "<a|b>"},
        {"\"a,b\",\"c\nd\"\r\n\"e\r\nf\"\n", "<a,b|c\nd><e\r\nf>"},
        {"\"a\"\"b\",\"\"\"\",\"\"\n", "<a\"b|\"|>"},
        {"\"\"\n", "<>"},
        {"\"\"", "<>"},
        {" a , b \n", "< a | b >"},
        {"\xc3\xa4,%2C\n", "<\xc3\xa4|%2C>"},
        {"a\"b\n", "row 1: " QUOTE},
        {"a\n\"b\"c\n", "<a>row 2: " QUOTE},
        {"\"a\" ,b\n", "row 1: " QUOTE},
        {"a\rb\n", "row 1: " RETURN},
        {"a\n\r", "<a>row 2: " RETURN},
        {"a\n\"b\n", "<a>row 2: it ends inside quotes"},
    };
    struct buf out = {0};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (size_t step = 1; step < 20; step++) {
            (void)read_all(bytes_of(rows[i].text), step, &out);
            EXPECT_STR(buf_text(&out), rows[i].want);
        }
    }
    buf_fini(&out);
}

TEST(bounds)
{
    struct buf text = {0};
    struct buf out = {0};

    for (int i = 1; i < CSV_COLUMNS_MAX; i++) {
        buf_add_char(&text, ',');
    }
    EXPECT_EQ(read_all(buf_bytes(&text), 1000, &out), STATUS_OK);
    buf_add_char(&text, ',');
    EXPECT_EQ(read_all(buf_bytes(&text), 1000, &out), STATUS_FULL);
    EXPECT_STR(buf_text(&out), "row 1: it has too many columns");

    buf_clear(&text);
    memset(buf_reserve(&text, CSV_ROW_MAX), 'x', CSV_ROW_MAX);
    buf_add_done(&text, CSV_ROW_MAX);
    EXPECT_EQ(read_all(buf_bytes(&text), 99999, &out), STATUS_OK);
    EXPECT_EQ(out.size, CSV_ROW_MAX + 2);
    text.at[0] = '\n'; /* The bound is of one row. */
    buf_add_text(&text, "y\n");
    EXPECT_EQ(read_all(buf_bytes(&text), 99999, &out), STATUS_OK);
    text.at[0] = 'x';
    EXPECT_EQ(read_all(buf_bytes(&text), 99999, &out), STATUS_FULL);
    EXPECT_STR(buf_text(&out), "row 1: it is too long");
    buf_fini(&text);
    buf_fini(&out);
}
