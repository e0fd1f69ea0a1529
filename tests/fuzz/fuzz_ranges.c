/* SPDX-License-Identifier: Apache-2.0 */
/* A set that is read, if it is one, is written again as the same bytes; then
 * the rest of the input adds and removes. */

#include <stdint.h>

#include "base/check.h"
#include "base/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 16, RANGES = 4096 };

/* Four bytes a change: first, length with a bit for what to do. */
static void change(struct ranges *r, const uint8_t *at)
{
    uint64_t first = (uint64_t)at[0] << 8 | at[1];
    uint64_t length = (uint64_t)(at[2] & 0x7f) << 8 | at[3];
    struct range range = {first, first + length};
    uint64_t before = ranges_size(r);
    uint64_t inside = ranges_count_in(r, range);

    if (at[2] & 0x80) {
        CHECK(ranges_add(r, range) == length - inside);
        CHECK(ranges_size(r) == before + length - inside);
        CHECK(ranges_count_in(r, range) == length);
    } else {
        CHECK(ranges_remove(r, range) == inside);
        CHECK(ranges_size(r) == before - inside);
        CHECK(ranges_count_in(r, range) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {(const char *)data, size};
    struct ranges *r = ranges_new();
    struct buf out = {0};
    struct fault why;

    if (ranges_read(r, LIMIT, RANGES, &in, &why) == STATUS_OK) {
        ranges_check(r);
        ranges_write(r, &out);
        CHECK(out.size == size - in.size);
        CHECK(bytes_is_equal(buf_bytes(&out),
                             (struct bytes){(const char *)data, out.size}));
    } else {
        CHECK(ranges_count(r) == 0);
    }
    for (; in.size >= 4; in.at += 4, in.size -= 4) {
        change(r, (const uint8_t *)in.at);
    }
    ranges_check(r);
    ranges_destroy(&r);
    buf_fini(&out);
    return 0;
}
