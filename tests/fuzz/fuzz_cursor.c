/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever text is read as a cursor is one: its sets lie where they may and
 * apart, and it can be resumed from over a catalog of five objects or is
 * refused. */

#include <stdint.h>
#include <stdio.h>

#include "base/check.h"
#include "coordinator/cursor.h"

enum { FUZZ_OBJECTS = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct catalog *fuzz_catalog(void)
{
    struct catalog_builder *b = NULL;
    struct catalog *c = NULL;
    struct fault why = {""};
    char key[16];

    CHECK(catalog_builder_new(&b) == STATUS_OK);
    for (uint64_t i = 0; i < FUZZ_OBJECTS; i++) {
        snprintf(key, sizeof(key), "k%d", (int)i);
        CHECK(catalog_builder_add(
                  b,
                  &(struct catalog_object){.key = bytes_of(key), .size = 7 * i},
                  &why) == STATUS_OK);
    }
    CHECK(catalog_builder_finish(&b, &c) == STATUS_OK);
    return c;
}

static void fuzz_channel(const struct cursor_channel *c)
{
    struct catalog *catalog = fuzz_catalog();
    struct ranges *done = NULL;
    struct range beyond;
    struct fault why = {""};

    ranges_check(c->base);
    ranges_check(c->committed);
    ranges_check(c->skipped);
    CHECK(!ranges_next(c->committed, c->positions, &beyond));
    CHECK(!ranges_next(c->skipped, c->positions, &beyond));
    CHECK(c->how.is_dynamic == (c->host_count == 0));
    for (uint32_t i = 1; i < c->host_count; i++) {
        CHECK(c->hosts[i].number > c->hosts[i - 1].number);
    }
    if (cursor_committed(c, catalog, &why, &done) == STATUS_OK) {
        CHECK(!ranges_next(done, FUZZ_OBJECTS, &beyond));
        CHECK(ranges_size(done) >= ranges_size(c->base));
    }
    ranges_destroy(&done);
    catalog_destroy(&catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct cursor *cursor = NULL;
    struct fault why = {""};

    if (cursor_read(text, "cursor", &why, &cursor) != STATUS_OK) {
        CHECK(cursor == NULL);
        return 0;
    }
    for (uint32_t i = 0; i < cursor_channel_count(cursor); i++) {
        fuzz_channel(cursor_channel_at(cursor, i));
    }
    cursor_destroy(&cursor);
    return 0;
}
