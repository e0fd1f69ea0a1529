/* SPDX-License-Identifier: Apache-2.0 */
#include <isa-l.h>

#include "base/crc_parts.h"

enum { CRC_CHUNK = 1 << 30 }; /* ISA-L counts in int. */

/* It reads, but its prototype does not say so. */
static unsigned char *crc_bytes(const void *at)
{
    union {
        const void *view;
        unsigned char *bytes;
    } u = {at};

    return u.bytes;
}

uint64_t crc_add_32c(uint64_t value, const void *at, size_t size)
{
    uint32_t state = ~(uint32_t)value;
    const char *p = at;

    while (size > 0) {
        size_t part = size < CRC_CHUNK ? size : CRC_CHUNK;

        state = crc32_iscsi(crc_bytes(p), (int)part, state);
        p += part;
        size -= part;
    }
    return (uint32_t)~state;
}

uint64_t crc_add_32(uint64_t value, const void *at, size_t size)
{
    return crc32_gzip_refl((uint32_t)value, crc_bytes(at), size);
}
