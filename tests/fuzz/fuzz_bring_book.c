/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a book of a bring holds, its entries are well formed; and lines
 * with a right checksum that say anything at all are no danger either. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "worker/bring_book.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bring_book_head head = {"boot", "mem://a/", {"p/", 2}};

static void look(void *self, const struct bring_book_entry *e)
{
    uint64_t parts = 0;

    CHECK(e->key.size > 0 && e->etag.size > 0);
    CHECK(bring_book_find(self, e->key) == e);
    CHECK(e->is_whole || e->part_bytes > 0);
    for (uint64_t i = 0; i < e->part_count; i++) {
        parts += e->has_part[i];
    }
    CHECK(parts <= e->part_count);
}

static void read_it(struct bytes text)
{
    struct bring_book *b = bring_book_new();

    CHECK(bring_book_read(b, text, &head, 1) <= text.size);
    bring_book_each(b, look, b);
    bring_book_destroy(&b);
}

/* Give each line of the input its checksum. */
static void seal(struct bytes in, struct buf *out)
{
    bring_book_write_head(&head, out);
    while (in.size > 0) {
        const char *end = memchr(in.at, '\n', in.size);
        size_t size = end != NULL ? (size_t)(end - in.at) : in.size;

        buf_print(out, "%08x ", (unsigned)crc_add(CRC_32C, 0, in.at, size));
        buf_add(out, in.at, size);
        buf_add_char(out, '\n');
        size += end != NULL;
        in.at += size;
        in.size -= size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {(const char *)data, size};
    struct buf sealed = {0};

    read_it(in);
    seal(in, &sealed);
    read_it(buf_bytes(&sealed));
    buf_fini(&sealed);
    return 0;
}
