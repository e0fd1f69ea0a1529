/* SPDX-License-Identifier: Apache-2.0 */
/* The input is the manifest of an inventory, and a file of rows: read in
 * pieces it is what it is as a whole. */

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "proto/csv.h"
#include "proto/inventory.h"
#include "store/percent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_manifest(struct bytes text)
{
    struct fault why = {.text = ""};
    struct inventory i;
    enum status s = inventory_parse(text, "fuzz.json", &why, &i);

    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    if (s == STATUS_OK) {
        CHECK(i.schema.count > 0 && i.schema.count <= CSV_COLUMNS_MAX);
        CHECK(i.schema.at[INVENTORY_KEY] >= 0);
        for (int c = 0; c < INVENTORY_COLUMNS; c++) {
            CHECK(i.schema.at[c] < (int)i.schema.count);
        }
        for (size_t f = 0; f < i.file_count; f++) {
            CHECK(i.files[f].key[0] != '\0');
            CHECK(strlen(i.files[f].md5) == INVENTORY_MD5_SIZE - 1);
        }
    }
    inventory_fini(&i);
}

/* Read the row as the first of its kind and as one with all columns. */
static void fuzz_row(const struct csv_row *row)
{
    static const struct inventory_schema all = {7, {0, 1, 2, 3, 4, 5, 6}};
    struct inventory_schema schema;
    struct inventory_row out;
    struct csv_row copy = *row;
    struct fault why = {.text = ""};

    CHECK(row->count > 0 && row->count <= CSV_COLUMNS_MAX);
    if (inventory_read_row(&all, row, &why, &out) == STATUS_OK) {
        CHECK(out.etag.size <= INVENTORY_WORD_MAX);
        CHECK(out.version.size <= INVENTORY_WORD_MAX);
    }
    if (inventory_batch_schema(row, &why, &schema) == STATUS_OK &&
        inventory_read_row(&schema, row, &why, &out) == STATUS_OK) {
        size_t size = out.key.size;

        CHECK(!out.is_skipped && !out.has_size);
        CHECK(!percent_decode(out.key.at, &out.key.size) ||
              out.key.size <= size);
    }
    CHECK(copy.count == row->count);
}

static void fuzz_note(const struct csv_row *row, struct buf *out)
{
    for (uint32_t i = 0; i < row->count; i++) {
        buf_print(out, "%zu:", row->fields[i].size);
        buf_add(out, row->fields[i].at, row->fields[i].size);
    }
    buf_add_char(out, '.');
    fuzz_row(row);
}

/* Write all rows of @text, read in pieces of @step bytes. */
static enum status fuzz_rows(struct bytes text, size_t step, struct buf *out)
{
    struct csv *c = csv_new();
    const struct csv_row *row = NULL;
    struct fault why = {.text = ""};
    enum status s = STATUS_OK;

    for (size_t at = 0; s == STATUS_OK && at < text.size; at += step) {
        size_t left = text.size - at;

        csv_give(c, (struct bytes){text.at + at, left < step ? left : step});
        do {
            s = csv_next(c, &why, &row);
            if (s == STATUS_OK && row != NULL) {
                fuzz_note(row, out);
            }
        } while (s == STATUS_OK && row != NULL);
    }
    if (s == STATUS_OK) {
        s = csv_end(c, &why, &row);
        if (row != NULL) {
            fuzz_note(row, out);
        }
    }
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    buf_add_text(out, why.text);
    csv_destroy(&c);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct buf whole = {0};
    struct buf pieces = {0};
    char md5[INVENTORY_MD5_SIZE];
    size_t step = size > 0 ? 1 + data[size - 1] % 16 : 1;

    CHECK(!inventory_read_checksum(text, md5) || strlen(md5) == 32);
    fuzz_manifest(text);
    CHECK(fuzz_rows(text, size + 1, &whole) == fuzz_rows(text, step, &pieces));
    CHECK(bytes_is_equal(buf_bytes(&whole), buf_bytes(&pieces)));
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
