/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is called gzip is undone or refused, as a whole and in pieces
 * alike; and what is packed here comes back. */

#include <stdint.h>

#include "base/check.h"
#include "base/gunzip.h"
#include "tests/gzip_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_MAX = 1 << 20 };

static enum status fuzz_undo(struct bytes gzip, size_t step, struct buf *out)
{
    struct gunzip *g = gunzip_new(FUZZ_MAX);
    struct fault why = {.text = ""};
    enum status s = STATUS_OK;

    for (size_t at = 0; s == STATUS_OK && at < gzip.size; at += step) {
        size_t left = gzip.size - at;
        struct bytes piece;

        gunzip_give(g, (struct bytes){gzip.at + at, left < step ? left : step});
        do {
            s = gunzip_next(g, &why, &piece);
            if (s == STATUS_OK) {
                buf_add_bytes(out, piece);
            }
        } while (s == STATUS_OK && piece.size > 0);
    }
    if (s == STATUS_OK) {
        s = gunzip_end(g, &why);
    }
    CHECK((s == STATUS_OK) == (why.text[0] == '\0'));
    CHECK(out->size <= FUZZ_MAX);
    gunzip_destroy(&g);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    size_t step = size > 0 ? 1 + data[size - 1] % 32 : 1;
    struct buf whole = {0};
    struct buf pieces = {0};
    struct buf packed = {0};
    enum status s;

    s = fuzz_undo(text, size + 1, &whole);
    CHECK(s == fuzz_undo(text, step, &pieces));
    /* What comes out before damage is found depends on the pieces. */
    CHECK(s != STATUS_OK ||
          bytes_is_equal(buf_bytes(&whole), buf_bytes(&pieces)));
    gzip_text(text, &packed);
    buf_clear(&whole);
    CHECK(fuzz_undo(buf_bytes(&packed), step, &whole) == STATUS_OK);
    CHECK(bytes_is_equal(buf_bytes(&whole), text));
    buf_fini(&whole);
    buf_fini(&pieces);
    buf_fini(&packed);
    return 0;
}
