/* SPDX-License-Identifier: Apache-2.0 */
/* The three checksums that object stores keep and that can be combined:
 * CRC64NVME (ours: carry-less multiply where the machine has it, a table
 * elsewhere: crc_clmul.c, crc.c), CRC32C and CRC32 (ISA-L, crc_isal.c).
 *
 * A value is what the standards print for the whole run of bytes: seeds and
 * final inversion are inside. The checksum of no bytes is 0. Pure; any
 * thread. */

#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum crc_kind {
    CRC_NONE, /* No checksum: every value is 0. */
    CRC_64NVME,
    CRC_32C,
    CRC_32,
};

enum { CRC_TEXT_MAX = 16 }; /* Base64 of a value, with its NUL. */

/* One checksum as somebody told it. Zeroed: none. */
struct crc {
    enum crc_kind kind;
    uint64_t value;
};

/* Return the checksum of what @value stands for, followed by @size bytes.
 * Start with a @value of 0. */
uint64_t crc_add(enum crc_kind kind, uint64_t value, const void *at,
                 size_t size);

/* Return the checksum of A followed by B from those of A and B. */
uint64_t crc_combine(enum crc_kind kind, uint64_t a, uint64_t b,
                     uint64_t size_of_b);

/* The end of a header's name: "crc64nvme", "crc32c", "crc32"; "" for NONE. */
const char *crc_name(enum crc_kind kind);

/* Write @value as stores do: big-endian, base64. Returns @out. */
const char *crc_text(enum crc_kind kind, uint64_t value,
                     char out[CRC_TEXT_MAX]);

/* Read such a text. false: it is none of that kind. A text with a "-N" at its
 * end (a checksum of checksums) is none. */
bool crc_parse(enum crc_kind kind, struct bytes text, uint64_t *out);

#endif /* BASE_CRC_H */
