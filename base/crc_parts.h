/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the checksums: what their files give each other. */

#ifndef BASE_CRC_PARTS_H
#define BASE_CRC_PARTS_H

#include <stddef.h>
#include <stdint.h>

/* Reflected. */
#define CRC_64NVME_POLY UINT64_C(0x9a6c9329ac4bc9b5)

/* What a machine can have for CRC64NVME, each with the ones before it. */
enum crc_way {
    CRC_BY_TABLE,
    CRC_BY_CLMUL, /* 16 bytes an instruction. */
    CRC_BY_WIDE,  /* 64. */
};
enum crc_way crc_best_way(void);

/* The register after @size more bytes, without the inversions: by table
 * (crc.c), and by at most @way (crc_clmul.c), which the machine must have. */
uint64_t crc_state_64nvme(uint64_t state, const void *at, size_t size);
uint64_t crc_state_64nvme_by(enum crc_way way, uint64_t state, const void *at,
                             size_t size);

/* Whole values, as crc_add() has them (crc_isal.c). */
uint64_t crc_add_32c(uint64_t value, const void *at, size_t size);
uint64_t crc_add_32(uint64_t value, const void *at, size_t size);

#endif /* BASE_CRC_PARTS_H */
