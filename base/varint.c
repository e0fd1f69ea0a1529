/* SPDX-License-Identifier: Apache-2.0 */
#include "base/varint.h"

enum { VARINT_BITS = 7, VARINT_MORE = 0x80, VARINT_LAST_SHIFT = 63 };

void varint_write(uint64_t value, struct buf *out)
{
    char *at = buf_reserve(out, VARINT_SIZE_MAX);
    size_t size = 0;

    while (value >= VARINT_MORE) {
        at[size++] = (char)((value & (VARINT_MORE - 1)) | VARINT_MORE);
        value >>= VARINT_BITS;
    }
    at[size++] = (char)value;
    buf_add_done(out, size);
}

bool varint_read(struct bytes *in, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < in->size && i < VARINT_SIZE_MAX; i++) {
        unsigned shift = VARINT_BITS * i;
        uint64_t byte = (uint8_t)in->at[i];

        if (shift == VARINT_LAST_SHIFT && byte > 1) {
            return false;
        }
        value |= (byte & (VARINT_MORE - 1)) << shift;
        if (byte < VARINT_MORE) {
            if (byte == 0 && i > 0) {
                return false;
            }
            *in = (struct bytes){in->at + i + 1, in->size - i - 1};
            *out = value;
            return true;
        }
    }
    return false;
}

void varint_write_text(struct bytes text, struct buf *out)
{
    varint_write(text.size, out);
    buf_add_bytes(out, text);
}

bool varint_read_text(struct bytes *in, uint64_t max, struct bytes *out)
{
    struct bytes rest = *in;
    uint64_t size;

    if (!varint_read(&rest, &size) || size > max || size > rest.size) {
        return false;
    }
    *out = (struct bytes){rest.at, (size_t)size};
    *in = (struct bytes){rest.at + size, rest.size - (size_t)size};
    return true;
}
